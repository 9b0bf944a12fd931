"""Ward's tree is scikit-learn's, pair for pair, whatever the graph and however many pairs tie."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import cdist
from sklearn import cluster

from xai_course.unwrapping.ward import ward_tree


def connected(rng, n, density):
    """Return a symmetric graph: a random tree and some more links."""
    tree = minimum_spanning_tree(rng.random((n, n)) + 0.01).toarray() > 0
    more = np.triu(rng.random((n, n)) < density, 1)
    links = tree | more
    return csr_array((links | links.T).astype(float))


def assert_same(points, graph):
    expected = cluster.ward_tree(points, connectivity=graph)[0]
    np.testing.assert_array_equal(ward_tree(points, graph), expected)


@pytest.mark.parametrize("density", [0.0, 0.05, 0.5])
@pytest.mark.parametrize("seed", range(50))
def test_the_tree_is_that_of_scikit_learn(seed, density):
    rng = np.random.default_rng(seed)
    n, n_dimensions = rng.integers(2, 90), rng.integers(1, 25)
    graph = connected(rng, n, density)
    assert_same(rng.normal(size=(n, n_dimensions)), graph)
    assert_same(rng.integers(0, 3, (n, n_dimensions)).astype(float), graph)  # many ties
    assert_same(np.zeros((n, n_dimensions)), graph)


@pytest.mark.parametrize("n", [2, 3, 40])
def test_chains_stars_and_complete_graphs(n):
    points = np.random.default_rng(n).normal(size=(n, 3))
    chain = np.eye(n, k=1) + np.eye(n, k=-1)
    star = np.zeros((n, n))
    star[0, 1:] = star[1:, 0] = 1
    for links in (chain, star, 1 - np.eye(n)):
        assert_same(points, csr_array(links))
    complete = cluster.ward_tree(points)[0]
    assert [set(pair) for pair in ward_tree(points, csr_array(1 - np.eye(n)))] == [
        set(pair) for pair in complete
    ]


def test_each_merge_is_the_cheapest_of_all():
    """The slow, obvious program: all linked pairs are looked at for each merge."""
    rng = np.random.default_rng(0)
    points, graph = rng.normal(size=(40, 3)), connected(rng, 40, 0.1)
    clusters = {i: {i} for i in range(40)}
    links = {(i, j) for i, j in zip(*graph.nonzero(), strict=True) if i < j}

    def scatter(rows):
        return cdist(points[[*rows]], points[[*rows]].mean(axis=0)[None]).ravel() ** 2

    def cost(pair):
        i, j = (clusters[node] for node in pair)
        return scatter(i | j).sum() - scatter(i).sum() - scatter(j).sum()

    for m, pair in enumerate(ward_tree(points, graph).tolist()):
        linked = [p for p in links if set(p) <= set(clusters)]
        assert set(min(linked, key=cost)) == set(pair)
        clusters[40 + m] = clusters.pop(pair[0]) | clusters.pop(pair[1])
        links |= {
            (k, 40 + m) for p in linked if len(set(p) & set(pair)) == 1 for k in set(p) - set(pair)
        }
