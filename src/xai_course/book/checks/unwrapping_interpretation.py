"""Checks of the chapter *unwrapping-interpretation*."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator
from xai_course.book.expect import assert_close, close_to, expect_array, expect_parts
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.unwrapping import UnwrapperRegressor

SLUG = "unwrapping-interpretation"


@exercise(f"ex-{SLUG}-1")
def summaries(answer: Callable[..., Any]) -> str:
    """Compare with the library on random networks, for several features."""
    rng = student_generator(1)
    for n_features, n_hidden, n_rows in [(3, 4, 40), (1, 3, 12), (5, 6, 80)]:
        _, X, unwrapper = _unwrapped(rng, n_features, n_hidden, n_rows)
        coef, intercept = unwrapper.coef_[:, 0], unwrapper.intercept_[:, 0]
        numbers = rng.permutation(len(coef))  # regions in any order, not the largest first
        labels = np.argsort(numbers)[unwrapper.labels_]
        for j in {0, n_features - 1}:
            found = answer(coef[numbers], intercept[numbers], labels, X, j)
            what = "two things, the shares and the ends of the lines"
            shares, ends = expect_parts(found, 2, what)
            _compare_shares(shares, coef[numbers], intercept[numbers], labels)
            profile = unwrapper.local_linear_profile(j, n_regions=None).loc[numbers]
            _compare_ends(ends, profile, X[:, j].mean(), j)
    return "Shares and lines agree with the library on three networks."


def _compare_shares(
    found: Any, coef: np.ndarray, intercept: np.ndarray, labels: np.ndarray
) -> None:
    squares = np.column_stack([intercept, coef]) ** 2
    weighted = np.bincount(labels) @ squares
    found = expect_array(found, weighted.shape, f"{len(weighted)} shares, the intercept's first")
    if not close_to(found.sum(), 1.0):
        raise CheckFailed(f"The shares should add up to 1, got {found.sum():.6g}.")
    alike = squares.sum(axis=0) / squares.sum()
    if not close_to(alike, weighted / weighted.sum()) and close_to(found, alike):
        raise CheckFailed("Every region counts the same here. Weight it by its number of rows.")
    assert_close(found, weighted / weighted.sum(), "The shares")


def _compare_ends(found: Any, profile: Any, mean: float, j: int) -> None:
    expected = profile[["at_low", "at_high"]].to_numpy()
    what = f"the two ends of each line, shape {expected.shape}"
    found = expect_array(found, expected.shape, what)
    slope, ends = profile[["slope"]].to_numpy(), profile[["low", "high"]].to_numpy()
    known = {
        "These lines are not centred: subtract the mean of the region's rows.": ends,
        "These lines are centred at the mean of all rows. Take that of each region.": ends - mean,
        "These lines are centred in the middle of their range. Take the mean of the region's "
        "rows.": ends - ends.mean(axis=1, keepdims=True),
    }
    for message, wrong in known.items():
        if not close_to(slope * wrong, expected) and close_to(found, slope * wrong):
            raise CheckFailed(message)
    assert_close(found, expected, f"The ends of the lines of feature {j}")


@exercise(f"ex-{SLUG}-2")
def wrong_sign(answer: Callable[..., Any]) -> str:
    """Compare with a table small enough to count, zeros included, then with random ones."""
    slopes, counts = np.array([-1.0, 2.0, 0.0, -3.0]), np.array([6, 2, 1, 1])
    for sign, expected in [(-1, (0.25, 0.2)), (1, (0.5, 0.7))]:
        _compare_pair(answer(slopes, counts, sign), expected, f"four regions and sign {sign:+d}")
    rng = student_generator(4)
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


@exercise(f"ex-{SLUG}-3")
def importance_from_gradients(answer: Callable[..., Any]) -> str:
    """Compare with the library on standardised columns, in units of all sizes."""
    rng = student_generator(2)
    for n_features, n_hidden, n_rows in [(1, 4, 30), (3, 6, 50), (5, 9, 80)]:
        network, Z, _ = _unwrapped(rng, n_features, n_hidden, n_rows)
        Z = (Z - Z.mean(axis=0)) / Z.std(axis=0)
        outputs = network.forward(Z)[:, 0]
        unwrapper = UnwrapperRegressor(network).fit(Z, outputs)
        expected = unwrapper.joint_importance().to_numpy()
        gradients = unwrapper.coef_[unwrapper.labels_, 0]
        units = np.exp(2 * rng.normal(size=n_features))
        for scale, shift in [(1.0, 0.0), (units, 3.0), (1.0, 2.0)]:
            X = scale * Z + shift
            found = answer(X, outputs, gradients / scale)
            what = f"{n_features + 1} shares, the intercept's first"
            found = expect_array(found, expected.shape, what)
            if not close_to(found.sum(), 1.0):
                raise CheckFailed(f"The shares should add up to 1, got {found.sum():.6g}.")
            _known_shares(found, expected, X, outputs, gradients / scale)
            assert_close(found, expected, "The shares")
    return "The shares agree with the library, and do not change with the units."


def _known_shares(
    found: np.ndarray,
    expected: np.ndarray,
    X: np.ndarray,
    outputs: np.ndarray,
    gradients: np.ndarray,
) -> None:
    """Name the usual slips: an intercept at another zero, and coefficients per unit."""
    at_zero = outputs - (gradients * X).sum(axis=1)
    at_average = outputs - (gradients * (X - X.mean(axis=0))).sum(axis=1)
    per_deviation = gradients * X.std(axis=0)
    known = {
        "The intercept's share is that of another zero. After standardising, zero is the average "
        "row.": (at_zero, per_deviation),
        "The output is no intercept: it is the row's model at the row.": (outputs, per_deviation),
        "These shares depend on units. How far does each column of X spread?": (
            at_average,
            gradients,
        ),
        "These shares depend on units, and the intercept's on where zero is.": (at_zero, gradients),
    }
    for message, columns in known.items():
        weighted = (np.column_stack(columns) ** 2).sum(axis=0)
        slip = weighted / weighted.sum()
        if not close_to(slip, expected) and close_to(found, slip):
            raise CheckFailed(message)


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
