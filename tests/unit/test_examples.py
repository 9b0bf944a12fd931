"""Neighbours, prototypes, criticisms and covers against brute force."""

from itertools import combinations, product

import numpy as np
import pytest
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.neighbors import KNeighborsClassifier

from xai_course.examples import (
    conformity,
    cover,
    criticisms,
    hidden_layers,
    prototypes,
    witness,
)
from xai_course.networks import PiecewiseLinearNetwork


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def kernel(rng):
    return rbf_kernel(rng.normal(size=(12, 2)), gamma=0.7)


# Layers


def test_the_output_is_linear_in_the_last_hidden_layer(rng):
    shapes = [(4, 3), (5, 4), (2, 5)]
    network = PiecewiseLinearNetwork(
        [rng.normal(size=shape) for shape in shapes], [rng.normal(size=n) for n, _ in shapes]
    )
    X = rng.normal(size=(7, 3))
    first, last = hidden_layers(network, X)
    assert first.shape == (7, 4)
    assert np.array_equal(np.hstack([first, last]) > 0, network.activation_pattern(X) == 1)
    assert np.allclose(last @ network.weights[-1].T + network.biases[-1], network.forward(X))


def test_a_network_without_hidden_layers_has_none():
    assert hidden_layers(PiecewiseLinearNetwork([[[1.0, 2.0]]], [[0.0]]), [[1.0, 1.0]]) == []


# Conformity


@pytest.mark.parametrize("k", [1, 4, 9])
def test_one_layer_is_the_nearest_neighbours_of_scikit_learn(rng, k):
    X, labels, queries = (
        rng.normal(size=(300, 3)),
        rng.integers(3, size=300),
        rng.normal(size=(400, 3)),
    )
    theirs = KNeighborsClassifier(k).fit(X, labels).predict_proba(queries)
    assert np.allclose(conformity([X], labels, [queries], k=k), theirs)


def test_several_layers_are_averaged(rng):
    layers = [rng.normal(size=(30, n)) for n in (2, 5)]
    queries = [rng.normal(size=(8, n)) for n in (2, 5)]
    labels = rng.integers(2, size=30)
    single = [conformity([a], labels, [b], k=3) for a, b in zip(layers, queries, strict=True)]
    assert np.allclose(conformity(layers, labels, queries, k=3), np.mean(single, axis=0))


def test_ties_count_whatever_the_order_of_the_rows():
    rows, labels = np.array([[1.0], [-1.0], [1.0], [5.0]]), np.array([0, 1, 1, 0])
    for order in (np.arange(4), np.arange(4)[::-1]):
        found = conformity([rows[order]], labels[order], [[[0.0]]], k=1)
        assert np.allclose(found, [[1 / 3, 2 / 3]])


def test_a_class_without_rows_has_no_share():
    assert conformity([[[0.0], [1.0]]], [0, 2], [[[0.2]]], k=1).tolist() == [[1.0, 0.0, 0.0]]


@pytest.mark.parametrize(
    ("layers", "labels", "queries", "k", "message"),
    [
        ([], [0], [], 1, "layers and queries must have"),
        ([[[0.0]]], [0], [[[0.0, 1.0]]], 1, "same columns in both"),
        ([[[0.0]], [[0.0], [1.0]]], [0], [[[0.0]], [[0.0]]], 1, "same rows in all"),
        ([[[0.0], [1.0]]], [0], [[[0.0]]], 1, "X has 2 rows, but labels has 1"),
        ([[[0.0], [1.0]]], [0, 1], [[[0.0]]], 3, "k must be a whole number from 1 to 2"),
        ([[[0.0], [1.0]]], ["a", "b"], [[[0.0]]], 1, "class numbers from 0"),
        ([[[0.0], [1.0]]], [-1, 1], [[[0.0]]], 1, "class numbers from 0"),
        ([[[0.0], [np.nan]]], [0, 1], [[[0.0]]], 1, "finite"),
    ],
)
def test_what_conformity_refuses(layers, labels, queries, k, message):
    with pytest.raises(ValueError, match=message):
        conformity(layers, labels, queries, k=k)


# Prototypes and criticisms


def _discrepancy(kernel, chosen):
    """Return the squared maximum mean discrepancy of some rows and all rows, as defined."""
    chosen = list(chosen)
    return kernel.mean() - 2 * kernel[:, chosen].mean() + kernel[np.ix_(chosen, chosen)].mean()


def test_every_prototype_lowers_the_discrepancy_the_most(kernel):
    taken = []
    for found in prototypes(kernel, 8):
        left = [i for i in range(12) if i not in taken]
        assert found == min(left, key=lambda i: _discrepancy(kernel, [*taken, i]))
        taken.append(int(found))


def test_greedy_prototypes_are_near_the_best(kernel):
    best = min(_discrepancy(kernel, chosen) for chosen in combinations(range(12), 3))
    start = kernel.mean()
    greedy = _discrepancy(kernel, prototypes(kernel, 3))
    assert start - greedy >= (1 - 1 / np.e) * (start - best)


def test_all_rows_leave_nothing_out(kernel):
    everything = prototypes(kernel, 12)
    assert sorted(everything) == list(range(12))
    assert np.allclose(witness(kernel, everything), 0)


def test_the_witness_by_hand():
    kernel = np.array([[1.0, 0.5, 0.0], [0.5, 1.0, 0.5], [0.0, 0.5, 1.0]])
    assert np.allclose(witness(kernel, [0]), [0.5 - 1, 2 / 3 - 0.5, 0.5])


def test_criticisms_by_brute_force(kernel):
    chosen, taken = prototypes(kernel, 3), []
    missed = np.abs(witness(kernel, chosen))

    def worth(rows):
        return missed[rows].sum() + np.linalg.slogdet(kernel[np.ix_(rows, rows)])[1]

    for found in criticisms(kernel, chosen, 5):
        left = [i for i in range(12) if i not in taken and i not in chosen]
        assert found == max(left, key=lambda i: worth([*taken, i]))
        taken.append(int(found))


def test_a_twin_of_a_criticism_is_no_criticism(rng):
    X = rng.normal(size=(10, 2))
    kernel = rbf_kernel(np.vstack([X, X + 5, X + 5]), gamma=0.3)  # every far row twice
    found = criticisms(kernel, prototypes(kernel, 2), 6)
    assert len(set(found % 10 + 10 * (found >= 10))) == 6


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda K: prototypes(K[:, :5], 2), "symmetric square"),
        (lambda K: prototypes(K + np.arange(12), 2), "symmetric square"),
        (lambda K: prototypes(K, 13), "from 1 to 12"),
        (lambda K: witness(K, []), "row numbers up to 11"),
        (lambda K: witness(K, [0.5]), "row numbers up to 11"),
        (lambda K: witness(K, [12]), "row numbers up to 11"),
        (lambda K: criticisms(K, [0, 1, 1], 11), "from 1 to 10"),
    ],
)
def test_what_prototypes_refuse(kernel, call, message):
    with pytest.raises(ValueError, match=message):
        call(kernel)


# Covers


def _objective(within, labels, chosen):
    """Return the objective of (row, class) pairs, counted one by one."""
    n = len(labels)
    missed = sum(
        not any(within[j, i] and kind == labels[i] for j, kind in chosen) for i in range(n)
    )
    wrong = sum(within[j, i] and kind != labels[i] for j, kind in chosen for i in range(n))
    return missed + wrong + len(chosen) / n


@pytest.mark.parametrize("seed", range(4))
def test_the_integer_program_by_brute_force(seed):
    rng = np.random.default_rng(seed)
    X, labels = rng.normal(size=(5, 2)), rng.permutation([0, 0, 0, 1, 1])
    distances = np.linalg.norm(X[:, None] - X, axis=2)
    within = distances <= 1.0
    rows, kinds, objective = cover(distances, labels, 1.0, exact=True)
    pairs = list(product(range(5), range(2)))
    every = (
        _objective(within, labels, [p for b, p in enumerate(pairs) if number >> b & 1])
        for number in range(2**10)
    )
    assert objective == pytest.approx(min(every))
    assert objective == pytest.approx(
        _objective(within, labels, list(zip(rows, kinds, strict=True)))
    )


def test_the_greedy_cover_takes_what_gains_most(rng):
    X, labels = rng.normal(size=(40, 2)), rng.integers(2, size=40)
    distances = np.linalg.norm(X[:, None] - X, axis=2)
    rows, kinds, objective = cover(distances, labels, 0.6)
    within, taken = distances <= 0.6, []
    for pair in zip(rows, kinds, strict=True):
        others = [_objective(within, labels, [*taken, (j, pair[1])]) for j in range(40)]
        taken.append(pair)
        assert _objective(within, labels, taken) == pytest.approx(min(others))
    assert objective == pytest.approx(_objective(within, labels, taken))
    assert cover(distances, labels, 0.6, exact=True)[2] <= objective + 1e-9


def test_a_class_without_rows_gets_no_prototype():
    rows, kinds, objective = cover([[0.0, 9.0], [9.0, 0.0]], [0, 2], 1.0, exact=True)
    assert (rows.tolist(), kinds.tolist(), objective) == ([0, 1], [0, 2], 1.0)


@pytest.mark.parametrize(
    ("distances", "labels", "radius", "message"),
    [
        ([[0.0, 1.0]], [0], 1.0, "square table"),
        ([[0.0]], [0], 0.0, "radius must be a number above 0"),
        ([[0.0]], [0, 1], 1.0, "X has 1 rows, but labels has 2"),
    ],
)
def test_what_a_cover_refuses(distances, labels, radius, message):
    with pytest.raises(ValueError, match=message):
        cover(distances, labels, radius)
