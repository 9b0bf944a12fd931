"""Checks of the chapter *local-linear-models*."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.expect import (
    assert_close,
    assert_equal,
    close_to,
    expect_number,
    expect_parts,
    precision,
)
from xai_course.networks import PiecewiseLinearNetwork

SLUG = "local-linear-models"


@exercise(f"ex-{SLUG}-1")
def regions_with_lifted_biases(answer: Callable[[], int]) -> str:
    """Compare with the number of patterns on a grid; all regions are far larger than a pixel."""
    network = PiecewiseLinearNetwork(
        [
            np.array([[-1, 1], [1, 1]]) / np.sqrt(2),
            [[1, 1 / 4], [1 / 2, 1 / 3], [1 / 3, 1 / 2], [1 / 4, 1]],
            np.ones((1, 4)),
        ],
        [np.zeros(2), np.full(4, 0.3), np.zeros(1)],
    )
    axis = np.linspace(-0.999, 0.999, 200)
    points = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    expected = len(np.unique(network.activation_pattern(points), axis=0))
    found = answer()
    if found == 22:
        raise CheckFailed("22 is the number with biases of -0.3. Which neurons can be off now?")
    assert_equal(found, expected, "The number of regions")
    return f"The box has {expected} regions."


@exercise(f"ex-{SLUG}-2")
def unwrap_one_layer(answer: Callable[..., Any]) -> str:
    """Compare with the library on random networks, one of them with ties at zero."""
    rng = np.random.default_rng(2)
    for n_features, n_hidden, n_outputs in [(2, 3, 1), (5, 8, 3), (1, 4, 2)]:
        W, V = rng.normal(size=(n_hidden, n_features)), rng.normal(size=(n_outputs, n_hidden))
        b, c, x = rng.normal(size=n_hidden), rng.normal(size=n_outputs), rng.normal(size=n_features)
        _compare_models(answer, W, b, V, c, x, "")
    W, V = np.array([[1.0], [-1.0]]), np.array([[2.0, 3.0]])
    _compare_models(answer, W, np.zeros(2), V, np.ones(1), np.zeros(1), " where z = 0")
    return "Coefficients and intercept agree with the library on four networks."


def _compare_models(
    answer: Callable[..., Any],
    W: np.ndarray,
    b: np.ndarray,
    V: np.ndarray,
    c: np.ndarray,
    x: np.ndarray,
    where: str,
) -> None:
    network = PiecewiseLinearNetwork([W, V], [b, c])
    coef, intercept = network.local_linear_models(network.activation_pattern(x[None]))
    result = expect_parts(answer(W, b, V, c, x), 2, "two things, coef and intercept")
    assert_close(result[0], coef[0], f"The coefficients{where}")
    assert_close(result[1], intercept[0], f"The intercept{where}")


@exercise(f"ex-{SLUG}-3")
def coverage_curve(answer: Callable[..., Any]) -> str:
    """Compare with counts made by hand, then with a larger random case."""
    train = np.array([[0, 1, 1], [1, 1, 0], [1, 1, 0], [0, 0, 0]], dtype=np.uint8)
    test = np.array([[1, 1, 0], [1, 1, 0], [1, 1, 0], [0, 1, 1], [1, 1, 1]], dtype=np.uint8)
    found = answer(train, test, [1, 2, 4])
    if close_to(found, [0.8, 0.2, 0.2]):
        raise CheckFailed("These are the shares that are *not* covered.")
    if close_to(found, [1 / 3, 2 / 3, 2 / 3]):
        raise CheckFailed("These shares count different patterns; count rows, repeated ones too.")
    assert_close(found, [0.2, 0.8, 0.8], "The coverage of five rows by the first 1, 2 and 4")
    rng = np.random.default_rng(3)
    train, test = (rng.integers(0, 2, size=(n, 8), dtype=np.uint8) for n in (200, 300))
    sizes = [0, 10, 100, 200]
    same = (test[:, None] == train[None]).all(axis=2)
    expected = [same[:, :size].any(axis=1).mean() for size in sizes]
    assert_close(answer(train, test, sizes), expected, "The coverage of 300 random rows")
    return "The curve is right, also where patterns repeat."


@exercise(f"ex-{SLUG}-4")
def distance_to_border(answer: Callable[..., float]) -> str:
    """Step to both sides of the border that is claimed, and look whether the pattern changes."""
    W, b = np.array([[1.0, 0.0], [2.0, 0.0]]), np.array([1.0, -1.0])
    never = answer(W, b, np.zeros(2), np.array([0.0, 1.0]))
    assert_equal(never, np.inf, "The distance where no neuron ever switches")
    rng = np.random.default_rng(4)
    for _ in range(20):
        W, b = rng.normal(size=(6, 3)), rng.normal(size=6)
        x, d = rng.normal(size=3), rng.normal(size=3)
        _walk(answer(W, b, x, d), W, b, x, d)
    return "Nothing switches before your border and something does behind it, on 20 walks."


def _walk(t: float, W: np.ndarray, b: np.ndarray, x: np.ndarray, d: np.ndarray) -> None:
    def on(step: float) -> np.ndarray:
        return W @ (x + step * d) + b >= 0

    if not expect_number(t, "The distance") > 0:
        raise CheckFailed(f"The distance should be positive, got {t:.6g}.")
    margin = max(1e-9, precision(t))
    far = 1e6 if np.isinf(t) else t * (1 - margin)
    if (on(0) != on(far)).any():
        raise CheckFailed(
            f"On the way to your distance {t:.6g} a neuron has already switched. "
            "Take the first border ahead."
        )
    if np.isfinite(t) and (on(0) == on(t * (1 + margin))).all():
        raise CheckFailed(f"No neuron switches at your distance {t:.6g}.")


@exercise(f"ex-{SLUG}-5")
def sign_agreement(answer: Callable[[np.ndarray], np.ndarray]) -> str:
    """Compare with a table small enough to count, then with a random one."""
    coefs = np.array([[1.0, -2.0, 0.0], [3.0, -1.0, 0.0], [-1.0, -4.0, 5.0], [2.0, 1.0, 0.0]])
    expected = [0.75, 0.75, 0.25]
    assert_close(answer(coefs), expected, "The agreement in a table of 4 networks and 3 features")
    coefs = np.random.default_rng(5).normal(size=(7, 30))
    signs = np.sign(coefs)
    expected = [max((column == 1).mean(), (column == -1).mean()) for column in signs.T]
    assert_close(answer(coefs), expected, "The agreement of 7 random networks")
    return "The shares are right, zeros and negative majorities included."
