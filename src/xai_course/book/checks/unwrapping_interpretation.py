"""Checks of the chapter *unwrapping-interpretation*."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.expect import assert_close, close_to, expect_array
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.unwrapping import UnwrapperRegressor

SLUG = "unwrapping-interpretation"


@exercise(f"ex-{SLUG}-1")
def importance_of_x(answer: Callable[[], float]) -> str:
    """Compare with the library on the six rows; three decimals are enough."""
    network = PiecewiseLinearNetwork([[[1], [1]], [[2, -3]]], [[-1, -3], [1]])
    X = np.array([[0.0], [1.5], [2.5], [3.5], [4.0], [5.0]])
    unwrapper = UnwrapperRegressor(network).fit(X, network.forward(X)[:, 0])
    intercept, expected = unwrapper.joint_importance()
    found = answer()
    known = {
        intercept: "This is the share of the intercept.",
        10 / 141: "This is the share with five rows. Which region does the sixth one join?",
    }
    for value, message in known.items():
        if close_to(found, value, atol=5e-4):
            raise CheckFailed(message)
    assert_close(found, expected, "The joint importance of x", tolerance=5e-4)
    return f"The joint importance of x is {expected:.3f}."


@exercise(f"ex-{SLUG}-2")
def importance_from_gradients(answer: Callable[..., Any]) -> str:
    """Compare with the library on random networks."""
    rng = np.random.default_rng(2)
    for n_features, n_hidden, n_rows in [(1, 4, 30), (3, 6, 50), (5, 9, 80)]:
        network, X, unwrapper = _unwrapped(rng, n_features, n_hidden, n_rows)
        gradients = unwrapper.coef_[unwrapper.labels_, 0]
        found = answer(X, network.forward(X)[:, 0], gradients)
        expected = unwrapper.joint_importance().to_numpy()
        what = f"{n_features + 1} shares, the intercept's first"
        found = expect_array(found, expected.shape, what)
        if not np.isclose(np.sum(found), 1):
            raise CheckFailed(f"The shares should add up to 1, got {np.sum(found):.6g}.")
        assert_close(found, expected, "The shares")
    return "The shares agree with the library on three networks."


@exercise(f"ex-{SLUG}-3")
def unitless_importance(answer: Callable[..., Any]) -> str:
    """Compare in standard deviations, then in other units of the same network."""
    coef = np.array([[2.0, 0.0], [0.0, 1.0]])
    X = np.array([[1.0, -3.0], [-1.0, 3.0], [1.0, 3.0], [-1.0, -3.0]])
    # Variances 1 and 9: 3 * 4 * 1 against 1 * 1 * 9.
    found = answer(coef, np.array([3, 1]), X)
    if close_to(found, [12 / 13, 1 / 13]):
        raise CheckFailed("These shares depend on units. How far does each column of X spread?")
    assert_close(found, [12 / 21, 9 / 21], "The shares of two features in two regions")
    rng = np.random.default_rng(3)
    for _ in range(3):
        _, X, unwrapper = _unwrapped(rng, 4, 8, 60)
        X += 1.0  # a mean that is not zero
        units = np.exp(rng.normal(scale=3, size=4))
        coef, counts = unwrapper.coef_[:, 0], unwrapper.counts_
        weighted = counts @ (coef * X.std(axis=0)) ** 2
        expected = weighted / weighted.sum()
        assert_close(answer(coef, counts, X), expected, "The shares")
        moved = answer(coef / units, counts, X * units)
        assert_close(moved, expected, "The shares in other units")
    return "The shares are right and do not change with the units."


@exercise(f"ex-{SLUG}-4")
def wrong_sign(answer: Callable[..., Any]) -> str:
    """Compare with a table small enough to count, zeros included, then with random ones."""
    slopes, counts = np.array([-1.0, 2.0, 0.0, -3.0]), np.array([6, 2, 1, 1])
    for sign, expected in [(-1, (0.25, 0.2)), (1, (0.5, 0.7))]:
        _compare_pair(answer(slopes, counts, sign), expected, f"four regions and sign {sign:+d}")
    rng = np.random.default_rng(4)
    for sign in (-1, 1):
        slopes, counts = rng.normal(size=30), rng.integers(1, 50, size=30)
        wrong = np.sign(slopes) == -sign
        expected = wrong.mean(), counts[wrong].sum() / counts.sum()
        _compare_pair(answer(slopes, counts, sign), expected, "30 random regions")
    return "Both shares are right, also where a slope is zero."


def _compare_pair(found: Any, expected: tuple[float, float], where: str) -> None:
    regions, rows = found = expect_array(found, (2,), "two shares, of regions and of rows")
    if np.allclose(found, expected[::-1]) and not np.isclose(*expected):
        raise CheckFailed("The two shares are swapped: regions first, then rows.")
    assert_close(regions, expected[0], f"The share of regions with {where}")
    assert_close(rows, expected[1], f"The share of rows with {where}")


def _unwrapped(
    rng: np.random.Generator, n_features: int, n_hidden: int, n_rows: int
) -> tuple[PiecewiseLinearNetwork, np.ndarray, UnwrapperRegressor]:
    """Draw a network and rows, and unwrap it."""
    network = PiecewiseLinearNetwork(
        [rng.normal(size=(n_hidden, n_features)), rng.normal(size=(1, n_hidden))],
        [rng.normal(size=n_hidden), rng.normal(size=1)],
    )
    X = rng.normal(size=(n_rows, n_features))
    return network, X, UnwrapperRegressor(network).fit(X, network.forward(X)[:, 0])
