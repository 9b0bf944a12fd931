"""Checks of the chapter *clime*."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import numpy as np
from sklearn.linear_model import Ridge

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator
from xai_course.book.expect import assert_close, assert_equal, close_to, expect_parts
from xai_course.networks import PiecewiseLinearNetwork

SLUG = "clime"


Pair = tuple[int, int]


def _boundaries(a: int = 2, m: int = 0, h: int = 1, c: int = 1) -> tuple[dict[Pair, list], int]:
    """Return the places where the decision changes, and the number of parts."""
    x = np.arange(-6, 15, 0.5) + 0.25  # between them lie all places that can be asked for
    logits = np.array([np.abs(x - m) - a, 0 * x, h - np.abs(x - c)])
    decided, parts = logits.argmax(axis=0).tolist(), 1
    places: dict[Pair, list[float]] = {(1, 2): [], (1, 3): [], (2, 3): []}
    for left, one, other in zip(x.tolist(), decided[:-1], decided[1:], strict=False):
        if one != other:
            places[min(one, other) + 1, max(one, other) + 1].append(left + 0.25)
            parts += 1
    return places, parts


def _draw_tents(rng: np.random.Generator) -> dict[str, int]:
    a = int(rng.integers(2, 5))
    m, h = int(rng.integers(a, a + 4)), int(rng.integers(1, a))
    # At one end of the second part all three logits are zero.
    return {"a": a, "m": m, "h": h, "c": m + int(rng.choice([-1, 1])) * (a - h)}


@exercise(
    f"ex-{SLUG}-1",
    draw=_draw_tents,
    question="f_1(x) = |x - {m}| - {a}, f_2(x) = 0 and f_3(x) = {h} - |x - {c}|.",
    right=lambda **numbers: (*_boundaries(**numbers)[0].values(), _boundaries(**numbers)[1]),
)
def boundaries(answer: Callable[[], Any], **numbers: int) -> str:
    """Compare with the places where the largest of three logits changes."""
    what = "four things: the lists DB12, DB13 and DB23, and a number of questions"
    *found, questions = expect_parts(answer(), 4, what)
    expected, parts = _boundaries(**numbers)
    tie = expected[1, 3][0]
    for (i, j), given in zip(expected, found, strict=True):
        places = np.sort(np.atleast_1d(np.asarray(given, dtype=float)))
        if (i, j) != (1, 3) and tie in places:
            raise CheckFailed(
                f"DB{i}{j} should not hold {tie:g}. The logits tie there, but class 2 wins nowhere "
                "near."
            )
        assert_equal(places, expected[i, j], f"The places in DB{i}{j}")
    if close_to(questions, 3):
        raise CheckFailed("One question for each class is too few: one class wins in two parts.")
    assert_equal(questions, parts, "The number of questions")
    return "The three boundaries are right, and so is the number of parts."


@exercise(f"ex-{SLUG}-2")
def region_radius(answer: Callable[..., Any]) -> str:
    """Compare with the half-spaces that the library computes."""
    rng = student_generator(5)
    for _ in range(20):
        W, b, x = rng.normal(size=(6, 3)), rng.normal(size=6), rng.normal(size=3)
        network = PiecewiseLinearNetwork([W, np.ones((1, 6))], [b, np.zeros(1)])
        region = network.region(network.activation_pattern(x[None])[0])
        expected = float(np.min(region.b - region.A @ x))
        found = answer(W, b, x)
        if close_to(found, np.abs(W @ x + b).min()):
            raise CheckFailed("That is the smallest input of a neuron. Divide by its length.")
        assert_close(found, expected, "The distance")
    dead = answer(np.array([[0.0, 0], [3, 4]]), np.array([1.0, 10]), np.zeros(2))
    assert_close(dead, 2.0, "The distance beside a neuron with zero weights")
    if answer(np.zeros((2, 2)), np.ones(2), np.zeros(2)) != np.inf:
        raise CheckFailed("Where no neuron has a border, the distance is infinite.")
    return "The distance is right in 22 cases, also beside neurons without a border."


@exercise(f"ex-{SLUG}-3")
def weighted_ridge(answer: Callable[..., Any]) -> str:
    """Compare with scikit-learn, where weights, penalty or intercept decide."""
    rng = student_generator(3)
    Z = rng.integers(0, 2, size=(60, 5)).astype(float)
    y = Z @ rng.normal(size=5) + 7 + rng.normal(scale=0.3, size=60)
    s = rng.uniform(0.1, 2, size=60)
    for weights, penalty, where in [
        (np.ones(60), 1e-9, "without weights and penalty"),
        (s, 1e-9, "with weights"),
        (np.ones(60), 5.0, "with a penalty"),
        (s, 2.0, "with weights and a penalty"),
    ]:
        fit = Ridge(alpha=penalty).fit(Z, y, sample_weight=weights)
        what = "two things: the coefficients and the intercept"
        with patch.object(Ridge, "fit", _forbidden):
            found = answer(Z, y, weights, penalty)
        coef, intercept = expect_parts(found, 2, what)
        assert_close(coef, fit.coef_, f"The coefficients {where}", tolerance=1e-6)
        assert_close(intercept, fit.intercept_, f"The intercept {where}", tolerance=1e-6)
    return "Coefficients and intercept equal scikit-learn's in four cases."


def _forbidden(*_: Any, **__: Any) -> None:
    raise CheckFailed("Write it without scikit-learn's Ridge: two means and a linear system do.")
