"""The programs behind ``python reproduce/proxies.py trees``, on small cases."""

import numpy as np
import pytest
from scipy.spatial import cKDTree


@pytest.fixture
def trees(reproduce):
    return reproduce("proxies.trees")


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(80, 3))


def test_near_rows_are_as_near_as_the_next_row(trees, X):
    new = trees.near_rows(X, 500, np.random.default_rng(1))
    distances, _ = cKDTree(X).query(new)
    assert new.shape == (500, 3)
    assert distances.min() > 0
    assert distances.max() <= cKDTree(X).query(X, k=2)[0][:, 1].max()


def test_rows_off_the_data_keep_values_or_fill_the_box(trees, X):
    off = trees.off_the_data(X, np.random.default_rng(1))
    assert all(np.isin(a, b).all() for a, b in zip(off["shuffled"].T, X.T, strict=True))
    assert (off["box"] >= X.min(axis=0)).all()
    assert (off["box"] <= X.max(axis=0)).all()


def test_every_origin_learns_an_easy_network(trees, X):
    def decide(Z):
        return (Z[:, 0] > 0).astype(int)

    found = trees.trees(decide, decide, X, decide(X), 4, 0)
    new = np.random.default_rng(2).normal(size=(300, 3))
    assert all((predict(new) == decide(new)).mean() > 0.95 for predict in found.values())


def test_differences_are_taken_in_pairs(trees):
    values = np.array([[[0.1, 0.2]], [[0.3, 0.2]]])  # two replicates, one size, two kinds of rows
    first, second = trees._differences(values)[0]
    assert first == {"mean": 0.2, "se": 0.1}
    assert second == {"mean": 0.2, "se": 0.0}
