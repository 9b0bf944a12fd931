"""Checks of the chapter *openapi*."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator
from xai_course.book.expect import (
    Counted,
    assert_close,
    assert_equal,
    close_to,
    expect_array,
    expect_number,
    expect_parts,
    precision,
)
from xai_course.networks import PiecewiseLinearNetwork

SLUG = "openapi"


_SERVICE = ("1/2", "2/3", "1/5", "1/2")


def _of_service(p: tuple[str, ...] = _SERVICE) -> tuple[float, float, float, bool]:
    odds = [Fraction(one) / (1 - Fraction(one)) for one in p]
    there = odds[1] * odds[2] / odds[0]
    slopes = np.log2([float(one / odds[0]) for one in odds[1:3]]).tolist()
    return *slopes, float(there / (1 + there)), there == odds[3]


def _draw_service(rng: np.random.Generator) -> dict[str, tuple[str, ...]]:
    level, miss = rng.integers(-1, 2, 2).tolist()
    one, two = rng.choice([-3, -2, -1, 1, 2, 3], 2, replace=False).tolist()
    bits = level, level + one, level + two, level + one + two + miss
    odds = [Fraction(2) ** bit for bit in bits]
    return {"p": tuple(str(one / (1 + one)) for one in odds)}


@exercise(
    f"ex-{SLUG}-1",
    draw=_draw_service,
    question="p is {p[0]} at (0, 0), {p[1]} at (1, 0), {p[2]} at (0, 1) and {p[3]} at (1, 1).",
    right=_of_service,
)
def four_answers(answer: Callable[[], Any], p: tuple[str, ...] = _SERVICE) -> str:
    """Compare with the arithmetic, one number at a time."""
    what = "four things: two slopes, the predicted p, and True or False"
    slope_1, slope_2, predicted, one_region = expect_parts(answer(), 4, what)
    *slopes, at_both, same = _of_service(p)
    if close_to([slope_1, slope_2], np.log(2) * np.array(slopes), atol=0.01):
        raise CheckFailed("These slopes are in natural log-odds; take logarithms to base 2.")
    of_p = [float(Fraction(one) - Fraction(p[0])) for one in p[1:3]]
    if close_to([slope_1, slope_2], of_p, atol=0.01):
        raise CheckFailed("These are slopes of p, which is not linear. Go to odds first.")
    assert_close([slope_1, slope_2], slopes, "The slopes")
    if close_to(predicted, at_both / (1 - at_both)):
        raise CheckFailed("These are the odds at (1, 1). Which p has these odds?")
    assert_close(predicted, at_both, "The predicted probability at (1, 1)")
    assert_equal(one_region, same, "Whether all lie in one region")
    return "Slopes, prediction and verdict are right."


@exercise(f"ex-{SLUG}-2")
def fit_and_test(answer: Callable[..., Any]) -> str:
    """Compare in one region, then with a border that only the last class feels."""
    for seed, (d, n_classes, edge) in enumerate([(3, 4, 0.5), (6, 2, 0.1), (1, 3, 2.0)]):
        rng = student_generator(seed)
        W, b, x = rng.normal(size=(d, n_classes)), rng.normal(size=n_classes), rng.normal(size=d)
        coef, value, miss = _asked(answer, lambda X, W=W, b=b: X @ W + b, x, edge, rng)
        expected, level = (W[:, 1:] - W[:, :1]).T, (x @ W + b)[1:] - (x @ W + b)[0]
        of = f"for {d} feature(s) and {n_classes} classes"
        coef = expect_array(coef, (n_classes - 1, d), f"coefficients {of}")
        if not close_to(edge, 1) and close_to(coef, edge * expected, rtol=1e-6):
            raise CheckFailed("The coefficients are per edge of the cube; divide by the edge.")
        assert_close(coef, expected, f"The coefficients {of}", 1e-6)
        assert_close(value, level, f"The values at x {of}", 1e-6)
        if abs(miss) > 1e-9:
            raise CheckFailed(f"All answers come from one region, and your miss is {miss:.1g}.")
    for seed in range(5):
        rng = student_generator(seed)
        W, x = rng.normal(size=(4, 3)), rng.normal(size=4)
        sides: set[float] = set()

        def bent(X: np.ndarray, W: Any = W, x: Any = x, sides: set[float] = sides) -> np.ndarray:
            beyond = (X - x).sum(axis=1, keepdims=True)
            sides.update(np.sign(beyond).ravel().tolist())
            return X @ W + np.maximum(0, beyond) * [0.0, 0.0, 5.0]

        _, _, miss = _asked(answer, bent, x, 0.5, rng)
        if {-1, 1} <= sides and not abs(miss) > 1e-6:  # else the points see no border
            raise CheckFailed(
                "A border runs through the cube, which only the last class feels, and your miss is "
                "zero. Test an equation that the solution has not used, for all classes."
            )
    return "Models and values are right, and the test feels a border, for every class."


def _asked(
    answer: Callable[..., Any],
    logits: Callable[[np.ndarray], np.ndarray],
    x: np.ndarray,
    edge: float,
    rng: np.random.Generator,
) -> list[Any]:
    """Return the answer's three parts, and look at its questions."""
    seen = []

    def probabilities(X: np.ndarray) -> np.ndarray:
        seen.append(X)
        powers = np.exp(logits(X))
        return powers / powers.sum(axis=1, keepdims=True)

    ask = Counted(probabilities)
    what = "three things: coef, value and miss"
    coef, value, miss = expect_parts(answer(ask, x, edge, rng), 3, what)
    d = len(x)
    assert_equal(ask.asked, d + 2, f"The number of questions for {d} feature(s)")
    offsets = np.vstack(seen) - x
    if np.abs(offsets).max() > edge / 2 * (1 + 1e-9):
        raise CheckFailed(f"The cube has the edge {edge}: no question may be {edge / 2} off.")
    if (np.abs(offsets).sum(axis=1) < 1e-12).sum() != 1:
        raise CheckFailed("One of the questions is x itself.")
    if d > 1 and (np.abs(offsets) < 1e-12).sum() > d:
        raise CheckFailed("Draw the other points at random from the whole cube.")
    return [coef, value, expect_number(miss, "The miss")]


@exercise(f"ex-{SLUG}-3")
def kinks(answer: Callable[..., Any]) -> str:
    """Compare with the borders of random networks with one input, and count the questions."""
    _find(answer, _bends([0.3], [1.0]), np.array([0.3]), "a function with one kink")
    _find(answer, _bends([], []), np.array([]), "a straight line")
    hat = _bends([-0.8, 0.05, 0.9], [1.0, -2.0, 1.0])
    _find(answer, hat, np.array([-0.8, 0.05, 0.9]), "a hat, whose ends are on one line")
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
    """Return a network with one input and its kinks in [-1, 1], none weak and none close.

    It is convex. Then the test at the meeting point is exact, and nobody depends on chance.
    """
    rng = student_generator(seed)
    while True:
        network = PiecewiseLinearNetwork(
            [rng.normal(size=(8, 1)), *(rng.exponential(size=size) for size in [(5, 8), (1, 5)])],
            [rng.uniform(-1, 1, 8), rng.normal(size=5) - 3, np.zeros(1)],
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
    found = np.asarray(answer(ask, -1.0, 1.0, student_generator(0)))
    if found.shape != expected.shape:
        raise CheckFailed(f"On {what}: {found.size} kinks found, there are {expected.size}.")
    if (np.diff(found) < 0).any():
        raise CheckFailed(f"On {what}: the kinks must be sorted.")
    assert_close(found, expected, f"The kinks of {what}", 1e-6)
    if ask.asked > budget:
        raise CheckFailed(f"On {what}: {ask.asked:,} questions asked, the budget is {budget}.")


@exercise(f"ex-{SLUG}-4")
def coefficient_bounds(answer: Callable[..., Any]) -> str:
    """Compare with the extremes over all corners of the box of log-odds."""
    rng = student_generator(6)
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
