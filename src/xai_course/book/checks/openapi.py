"""Checks of the chapter *openapi*."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.expect import (
    Counted,
    assert_close,
    assert_equal,
    close_to,
    expect_array,
    expect_parts,
    precision,
)
from xai_course.networks import PiecewiseLinearNetwork

SLUG = "openapi"


@exercise(f"ex-{SLUG}-1")
def four_answers(answer: Callable[[], Any]) -> str:
    """Compare with the arithmetic, one number at a time."""
    what = "four things: two slopes, the predicted p, and True or False"
    slope_1, slope_2, predicted, one_region = expect_parts(answer(), 4, what)
    points = {(0, 0): 1 / 2, (1, 0): 2 / 3, (0, 1): 1 / 5}
    bits = {point: np.log2(p / (1 - p)) for point, p in points.items()}
    slopes = [bits[1, 0] - bits[0, 0], bits[0, 1] - bits[0, 0]]
    if close_to([slope_1, slope_2], np.log(2) * np.array(slopes), atol=0.01):
        raise CheckFailed("These slopes are in natural log-odds; take logarithms to base 2.")
    if close_to([slope_1, slope_2], [1 / 6, -3 / 10], atol=0.01):
        raise CheckFailed("These are slopes of p, which is not linear. Go to odds first.")
    assert_close([slope_1, slope_2], slopes, "The slopes")
    odds = 2.0 ** (bits[0, 0] + sum(slopes))
    assert_close(predicted, odds / (1 + odds), "The predicted probability at (1, 1)")
    assert_equal(one_region, bool(np.isclose(predicted, 1 / 2)), "Whether all lie in one region")
    return "Slopes, prediction and verdict are right."


@exercise(f"ex-{SLUG}-2")
def pair_model(answer: Callable[..., Any]) -> str:
    """Compare with differences of random logits."""
    rng = np.random.default_rng(2)
    full, level = rng.normal(size=(4, 3)), rng.normal(size=4)
    coef, value = full[1:] - full[0], level[1:] - level[0]
    for i, j in [(3, 1), (2, 3), (2, 0), (0, 2), (1, 1)]:
        result = expect_parts(answer(coef, value, i, j), 2, "two things, coef and value")
        what = f"of class {i} against class {j}"
        if i != j and close_to(result[0], full[j] - full[i]):
            raise CheckFailed(f"This is the model of class {j} against class {i}: the signs.")
        assert_close(result[0], full[i] - full[j], f"The coefficients {what}")
        assert_close(result[1], level[i] - level[j], f"The value {what}")
    return "Five pairs agree with the logits, class 0 on either side included."


@exercise(f"ex-{SLUG}-3")
def along_the_axes(answer: Callable[..., Any]) -> str:
    """Compare in one region, then with a border between the questions."""
    rng = np.random.default_rng(3)
    slope, x, u = rng.normal(size=5), rng.normal(size=5), rng.uniform(-0.5, 0.5, 5)
    for border in (10.0, 0.004):
        # Only the third step reaches a border that lies 0.004 away.
        ask = Counted(lambda X, b=border: X @ slope + 2 * np.maximum(0, X[:, 2] - x[2] - b))
        result = expect_parts(answer(ask, x, 0.01, u), 3, "three things: coef, value and miss")
        expected = slope + 2 * max(0.0, 0.01 - border) / 0.01 * np.eye(5)[2]
        bend = 2 * np.maximum(0, 0.01 * u[2] - border)
        miss = abs(0.01 * (expected - slope) @ u - bend)
        assert_close(result[0], expected, "The coefficients")
        assert_close(result[1], x @ slope, "The value at x")
        if border < 1 and close_to(result[2], 0, atol=1e-12):
            raise CheckFailed("There is a border between the questions, and your miss is zero.")
        assert_close(result[2], miss, "The miss", 1e-11)
        assert_equal(ask.asked, 7, "The number of questions for five features")
    return "Coefficients and miss are right, with and without a border between the questions."


@exercise(f"ex-{SLUG}-4")
def judge(answer: Callable[..., Any]) -> str:
    """Compare with a table small enough to count, and with one that has no wrong model."""
    errors = np.array([0.0, 0.3, 2.0, 0.0, 1e-12, 0.5, 0.0, 0.0])
    misses = np.array([0.0, 0.1, 0.4, 0.2, 0.0, 0.0, 1e-13, 0.0])
    found = answer(errors, misses, 1e-9)
    if close_to(found, [3 / 8, 2 / 8, 1 / 8]):
        raise CheckFailed("Caught is a share of the wrong models, accused of the right ones.")
    assert_close(found, [3 / 8, 2 / 3, 1 / 5], "The shares of eight customers")
    with np.errstate(all="ignore"):
        none = answer(np.zeros(4), np.array([0, 1.0, 0, 0]), 1e-9)
    assert_close(none, [0, 0, 1 / 4], "The shares where no model is wrong")
    return "The three shares are right, also where no model is wrong."


@exercise(f"ex-{SLUG}-5")
def expected_questions(answer: Callable[..., Any]) -> str:
    """Compare with the formula for equal shares, and with a sum over subsets."""
    two = answer([0.5, 0.5])
    if close_to(two, 2, rtol=0.01):
        raise CheckFailed("Two equal shares take 3 questions: the second hit may repeat the first.")
    for n in (1, 2, 5, 22):
        expected = n * np.sum(1 / np.arange(1, n + 1))
        assert_close(answer([1 / n] * n), expected, f"The questions for {n} equal shares", 2e-3)
    shares = [0.9, 0.09, 0.0099, 0.0001]
    expected = sum(
        (-1) ** (bin(k).count("1") + 1) / sum(a for i, a in enumerate(shares) if k >> i & 1)
        for k in range(1, 16)
    )
    assert_close(answer(shares), expected, "The questions for four unequal shares", 2e-3)
    return "The numbers agree with the exact ones for equal and for unequal shares."


@exercise(f"ex-{SLUG}-6")
def coefficient_bounds(answer: Callable[..., Any]) -> str:
    """Compare with the extremes over all corners of the box of log-odds."""
    rng = np.random.default_rng(6)
    for d in (1, 3):
        steps = rng.uniform(-1, 1, size=(d + 1, d))
        p, delta = rng.uniform(0.1, 0.9, size=d + 1), 0.04
        result = expect_parts(answer(steps, p, delta), 2, "two things, low and high")
        low, high = _extremes(steps, p, delta)
        top = expect_array(result[1], (d,), f"{d} high end(s)")
        if (high - top > max(1e-9, precision(top))).any():
            raise CheckFailed(
                "Some coefficients that fit the answers lie outside your bounds. "
                "Which log-odds make one coefficient as large as possible?"
            )
        assert_close(result[0], low, "The low ends")
        assert_close(result[1], high, "The high ends")
    return "Your bounds are the extremes over all log-odds that the answers allow."


def _extremes(steps: np.ndarray, p: np.ndarray, delta: float) -> tuple[np.ndarray, np.ndarray]:
    ends = np.array([p - delta, p + delta])
    ends = np.log(ends / (1 - ends))
    corners = np.array(np.meshgrid(*ends.T)).reshape(len(p), -1)
    coefs = np.linalg.solve(np.column_stack([np.ones(len(p)), steps]), corners)[1:]
    return coefs.min(axis=1), coefs.max(axis=1)


@exercise(f"ex-{SLUG}-7")
def kinks(answer: Callable[..., Any]) -> str:
    """Compare with the borders of random networks with one input, and count the questions."""
    _find(answer, _bends([0.3], [1.0]), np.array([0.3]), "a function with one kink")
    _find(answer, _bends([], []), np.array([]), "a straight line")
    hat = _bends([-0.5, 0.1, 0.7], [1.0, -2.0, 1.0])
    _find(answer, hat, np.array([-0.5, 0.1, 0.7]), "a hat, whose ends are on one line")
    twins = _bends([-0.4, 0.3, 0.304], [1.0, 0.5, 0.5])
    _find(answer, twins, np.array([-0.4, 0.3, 0.304]), "a function with two kinks close together")
    for seed in range(3):
        network, borders = _random_network(seed)
        _find(
            answer,
            lambda t, f=network: f.forward(np.reshape(t, (-1, 1)))[:, 0],
            borders,
            f"a network with {len(borders)} kinks",
        )
    return "All kinks found, within the budget, on seven functions."


def _bends(places: list[float], bends: list[float]) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function of slope 0.5 that bends at the places."""

    def function(t: np.ndarray) -> np.ndarray:
        t = np.asarray(t, dtype=float)
        return 0.5 * t + sum(
            (b * np.maximum(0, t - a) for a, b in zip(places, bends, strict=True)), 0.0 * t
        )

    return function


def _random_network(seed: int) -> tuple[PiecewiseLinearNetwork, np.ndarray]:
    """Return a network with one input and its kinks in [-1, 1], none weak and none close."""
    rng = np.random.default_rng(seed)
    while True:
        network = PiecewiseLinearNetwork(
            [rng.normal(size=(8, 1)), rng.normal(size=(5, 8)), rng.normal(size=(1, 5))],
            [rng.uniform(-1, 1, 8), rng.normal(size=5), np.zeros(1)],
        )
        pieces = network.enumerate_regions([[-1.0, 1.0]])
        order = np.argsort([piece.polygon()[0, 0] for piece in pieces])
        borders = np.array([pieces[int(i)].polygon()[0, 0] for i in order[1:]])
        slopes = np.array([pieces[int(i)].coef[0, 0] for i in order])
        gaps = np.diff(np.concatenate([[-1.0], borders, [1.0]]))
        if len(borders) >= 5 and gaps.min() > 0.03 and np.abs(np.diff(slopes)).min() > 0.02:
            return network, borders


def _find(
    answer: Callable[..., Any],
    function: Callable[[np.ndarray], np.ndarray],
    expected: np.ndarray,
    what: str,
) -> None:
    budget = 200 + 60 * len(expected)
    ask = Counted(lambda t: function(np.ravel(t)))
    found = np.asarray(answer(ask, -1.0, 1.0, np.random.default_rng(0)))
    if found.shape != expected.shape:
        raise CheckFailed(f"On {what}: {found.size} kinks found, there are {expected.size}.")
    if (np.diff(found) < 0).any():
        raise CheckFailed(f"On {what}: the kinks must be sorted.")
    assert_close(found, expected, f"The kinks of {what}", 1e-6)
    if ask.asked > budget:
        raise CheckFailed(f"On {what}: {ask.asked:,} questions asked, the budget is {budget}.")
