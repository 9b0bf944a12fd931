"""Bred neighbours, by counting."""

import numpy as np

from xai_course.lore import genetic_neighbourhood


def decide(X):
    return (X.sum(axis=1) > 1).astype(int)


def test_neighbours_lie_on_both_sides_and_nearer_than_rows():
    rng = np.random.default_rng(0)
    X, x = rng.uniform(-2, 2, (500, 3)), np.array([0.1, 0.2, 0.0])
    Z = genetic_neighbourhood(decide, X, x, rng)
    assert Z.shape == (1000, 3)
    for k in range(3):  # nothing but the row's values and the data's
        assert set(Z[:, k]) <= set(X[:, k]) | {x[k]}
    first, second = np.split(decide(Z), 2)
    assert first.mean() < 0.1
    assert second.mean() > 0.9
    other = X[decide(X) == 1]
    assert np.linalg.norm(Z[decide(Z) == 1] - x, axis=1).mean() < 0.8 * (
        np.linalg.norm(other - x, axis=1).mean()
    )


def test_a_feature_that_never_varies_is_no_trouble():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=50), np.zeros(50)])
    Z = genetic_neighbourhood(decide, X, np.array([0.0, 0.0]), rng, size=42, generations=2)
    assert Z.shape == (40, 2)
    assert np.isfinite(Z).all()
