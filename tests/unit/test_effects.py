"""Effects of one feature, on models whose effects are known."""

from __future__ import annotations

import numpy as np
import pytest

from xai_course import effects


def loans(n=400, seed=0):
    rng = np.random.default_rng(seed)
    first = rng.normal(size=n)
    return np.column_stack([first, first + 0.3 * rng.normal(size=n), rng.integers(0, 2, n)])


def test_an_additive_model_has_its_own_terms_as_effects():
    X = loans()
    curve = effects.accumulated_local_effects(lambda X: np.abs(X[:, 0]) + X[:, 1] ** 3, X, 0, 15)
    term = np.abs(curve.x)
    assert np.allclose(np.diff(curve.y), np.diff(term), atol=1e-12)
    assert abs(curve(X[:, 0]).mean()) < 1e-12


def test_a_product_has_the_local_slope_and_not_the_mean_one():
    X = np.repeat(np.linspace(-1, 1, 201)[:, None], 2, axis=1)  # the second equals the first
    curve = effects.accumulated_local_effects(lambda X: X[:, 0] * X[:, 1], X, 0, 100)
    expected = curve.x**2 / 2  # the integral of x_2 = x_1; partial dependence is flat
    assert np.ptp(curve.y - expected) < 0.02


def test_a_feature_of_two_values_has_one_step():
    X = loans()
    curve = effects.accumulated_local_effects(lambda X: 4 * X[:, 2] + X[:, 0], X, 2)
    assert curve.x.tolist() == [0, 1]
    assert np.isclose(np.diff(curve.y), 4)


def test_each_row_stays_in_its_bin_and_an_empty_bin_is_level():
    X = np.array([[0.0], [1.0], [1.5], [9.0]])
    asked = []

    def model(rows):
        asked.append(rows[:, 0].tolist())
        return rows[:, 0]

    curve = effects.accumulated_local_effects(model, X, 0, [0, 1, 4, 8, 10])
    assert asked == [[1, 1, 4, 10], [0, 0, 1, 8]]
    assert np.diff(curve.y).tolist() == [1, 3, 0, 2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"edges": 0}, "whole number from 1 on"),
        ({"edges": [0.0, 1.0]}, "reach from -"),
        ({"edges": [9.0, -9.0]}, "rising"),
        ({"feature": 3}, "from 0 to 2"),
        ({"X": np.full((4, 3), np.nan)}, "finite"),
        ({"X": np.ones((4, 3))}, "two or more"),
        ({"model": lambda X: X}, "one number per row"),
    ],
)
def test_bad_input_is_named(change, message):
    given = {"model": lambda X: X[:, 0], "X": loans(), "feature": 0, "edges": 5} | change
    with pytest.raises(ValueError, match=message):
        effects.accumulated_local_effects(**given)


def test_obscured_columns_have_one_distribution_and_keep_ranks():
    X, rng = loans(300), np.random.default_rng(1)
    groups = np.where(X[:, 0] + rng.normal(size=300) > 0, "a", "b")
    out = effects.obscure(X, groups)
    a, b = out[groups == "a"], out[groups == "b"]
    levels = np.linspace(0.05, 0.95, 19)
    assert np.allclose(*(np.quantile(g[:, 0], levels) for g in (a, b)), atol=0.1)
    for value in "ab":
        before, after = X[groups == value, 0], out[groups == value, 0]
        assert (np.argsort(before) == np.argsort(after)).all()
    assert abs(np.mean(a[:, 2]) - np.mean(b[:, 2])) < 0.02


def test_one_group_and_the_median_of_three():
    X = loans(90)
    assert np.allclose(effects.obscure(X, np.zeros(90)), X)
    three = np.array([[0.0], [10.0], [11.0]])
    assert effects.obscure(three, [0, 1, 2]).tolist() == [[10], [10], [10]]


def test_groups_must_fit_the_rows():
    with pytest.raises(ValueError, match="one per row"):
        effects.obscure(loans(), [0, 1])
