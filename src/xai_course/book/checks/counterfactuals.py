"""Checks of the chapter *counterfactuals*."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator
from xai_course.book.expect import (
    assert_close,
    close_to,
    expect_array,
    expect_number,
    expect_parts,
    precision,
)
from xai_course.exact import nearest_counterfactual
from xai_course.networks import PiecewiseLinearNetwork

SLUG = "counterfactuals"


def _points(
    slope: int = 2, shift: int = 1, needs: int = 4, x: Sequence[float] = (-0.5, 1)
) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Return the exact answers of the network itself, and the L∞ distance if both were on."""
    network = PiecewiseLinearNetwork([np.eye(2), [[slope, 1]]], [[0, shift], [-needs]])
    return (
        nearest_counterfactual(network, x).x,
        nearest_counterfactual(network, x, scale=[1.0, 2.0]).x,
        nearest_counterfactual(network, x, norm=np.inf).distance,
        (needs - shift - x[1]) / (slope + 1),
    )


def _draw_request(rng: np.random.Generator) -> dict[str, Any]:
    while True:
        slope, shift, missing, second, halves = rng.integers(
            [2, 1, 2, 1, 1], [5, 4, 7, 4, 5]
        ).tolist()
        below, alone = halves / 2, halves / 2 + missing / slope  # what x1 lacks to 0, and to f = 0
        # By itself x1 is cheaper, at half price x2; moved alike, x1 passes 0 on the way.
        if (
            missing / 2 < alone - 0.1
            and alone < missing - 0.1
            and below < missing
            and not (2 * missing) % slope
        ):
            needs = second + shift + missing
            return {"slope": slope, "shift": shift, "needs": needs, "x": (-below, second)}


def _right_points(**numbers: Any) -> tuple[tuple[float, ...], tuple[float, ...], float]:
    first, second, largest, _ = _points(**numbers)
    return (
        tuple((first.round(6) + 0.0).tolist()),
        tuple((second.round(6) + 0.0).tolist()),
        round(largest, 6),
    )


@exercise(
    f"ex-{SLUG}-1",
    draw=_draw_request,
    question="f(x) = {slope} max(0, x1) + max(0, x2 + {shift}) - {needs}, and the request is "
    "x = {x}.",
    right=_right_points,
)
def two_units(answer: Callable[[], Any], **numbers: Any) -> str:
    """Compare with the exact answers of the network itself."""
    what = "three things: two points, and the L∞ distance"
    plain, halved, largest = expect_parts(answer(), 3, what)
    plain = expect_array(plain, (2,), f"{what}; the first point has two coordinates")
    halved = expect_array(halved, (2,), f"{what}; the second point has two coordinates")
    nearest, cheaper, distance, both_on = _points(**numbers)
    if close_to(plain, cheaper, atol=1e-3):
        raise CheckFailed("The first point is too far: try to change the other feature alone.")
    if close_to(halved, nearest, atol=1e-3):
        raise CheckFailed(
            "The second point does not use the half price: what would a change of x2 alone cost?"
        )
    assert_close(plain, nearest, "The nearest point", tolerance=1e-3)
    assert_close(halved, cheaper, "The nearest point at half price", tolerance=1e-3)
    number = expect_number(largest, "The L∞ distance")
    if close_to(number, both_on, atol=1e-3):
        raise CheckFailed("The L∞ distance takes the first neuron to be on from the start.")
    assert_close(number, distance, "The L∞ distance", tolerance=1e-3)
    return "The units decide which feature changes."


class _Grid:
    """Minimises over points of a grid, and counts how often it is asked."""

    def __init__(self, points: np.ndarray) -> None:
        self.points, self.asked = points, 0

    def __call__(self, objective: Callable[[Any], Any], start: Any) -> np.ndarray:
        self.asked += 1
        if self.asked > 60:
            raise CheckFailed(
                "The search does not end: double the price in every round, and give up above 1e6."
            )
        expect_array(start, (self.points.shape[1],), "an input as the start of minimise")
        values = [
            expect_number(objective(z.copy()), "The objective at an input") for z in self.points
        ]
        return self.points[int(np.argmin(values))].copy()


def _bent(z: np.ndarray) -> float:
    return float(max(0.0, z[0]) + 2 * max(0.0, z[1]) - 2)


def _steep(z: np.ndarray) -> float:
    return float(3 * z[0] - z[1])


_AXIS = np.linspace(-1, 3, 21)
_POINTS = np.stack(np.meshgrid(_AXIS, _AXIS), axis=-1).reshape(-1, 2)
_CASES = [  # score, x, wanted, units, epsilon; no two points of the grid are equally good
    (_bent, [1.01, -0.23], 0.0, [1.0, 1.07], 0.05),
    (_bent, [1.01, -0.23], 0.0, [1.0, 0.31], 0.05),
    (_bent, [0.02, 0.01], 1.0, [1.0, 3.1], 0.02),
    (_steep, [1.03, 1.02], -1.0, [1.0, 2.53], 0.03),
    (_steep, [0.51, 0.53], 1.5, [1.0, 1.09], 0.6),
]


@exercise(f"ex-{SLUG}-2", none_is_an_answer=True)
def search(answer: Callable[..., Any]) -> str:
    """Compare with the objective's minimum on a grid, round by round."""
    own = student_generator(2).uniform(-0.9, 0.9, 2).tolist()
    for score, x, wanted, units, epsilon in [*_CASES, (_bent, own, 1.2, [1.0, 1.31], 0.05)]:
        minimise = _Grid(_POINTS)
        found = answer(score, np.array(x), wanted, np.array(units), epsilon, minimise)
        if found is None:
            raise CheckFailed(
                "Return the input that was found, and None only above 1e6. Is its `return` missing?"
            )
        found = expect_array(found, (2,), "one input, or None")
        missed = abs(score(found.astype(float)) - wanted)
        if missed > epsilon + precision(found):
            raise CheckFailed(
                f"The score misses the wanted one by {missed:.3g}, and may miss it by {epsilon}: "
                "raise the price until it is within epsilon."
            )
        expected = _reference(score, np.array(x), wanted, np.array(units), epsilon)
        if close_to(found, _reference(score, np.array(x), wanted, np.ones(2), epsilon)) and not (
            close_to(found, expected)
        ):
            raise CheckFailed("The changes must be divided by the units.")
        assert_close(found, expected, "The counterfactual", tolerance=1e-6)
    never = answer(lambda z: 0.0, np.zeros(2), 1.0, np.ones(2), 0.1, _Grid(_POINTS[::40]))
    if never is not None:
        raise CheckFailed("No input has the wanted score here: return None.")
    return "Found on a grid for six questions, and given up where there is none."


def _reference(
    score: Callable[[Any], float], x: np.ndarray, wanted: float, units: np.ndarray, epsilon: float
) -> np.ndarray:
    misses = np.array([(score(z) - wanted) ** 2 for z in _POINTS])
    lengths = (np.abs(_POINTS - x) / units).sum(axis=1)
    price = 0.1
    while True:
        best = _POINTS[int(np.argmin(price * misses + lengths))]
        if abs(score(best) - wanted) <= epsilon:
            return best
        price *= 2


@exercise(f"ex-{SLUG}-3", none_is_an_answer=True)
def nearest_in_region(answer: Callable[..., Any]) -> str:
    """Compare distances with an exact search in boxes, and look at regions without an answer."""
    rng = student_generator(3)
    for n in (2, 3, 1, 5, 4):
        x, w = rng.normal(size=n) - 1, rng.uniform(0.5, 2, size=n) * rng.choice([-1, 1], size=n)
        units = rng.uniform(0.8, 1.2, size=n) / w**2  # the feature of least weight is the cheapest
        c = float(-(w @ x) + rng.uniform(0.5, 1.5))  # x itself is refused by this much
        A, b = np.vstack([np.eye(n), -np.eye(n)]), np.r_[x + 9, -(x - 9)]
        network = PiecewiseLinearNetwork([-w[None]], [[-c]])
        best = nearest_counterfactual(network, x, 1, scale=units, bounds=np.c_[x - 9, x + 9])
        _compare(answer, (A, b, w, c, x, units), best.distance)
        cut = np.r_[w] / np.linalg.norm(w)  # a side of the region that keeps z away from x
        A, b = np.vstack([A, cut]), np.append(b, cut @ best.x - 0.5)
        G = np.vstack([A, w])
        _compare(answer, (A, b, w, c, x, units), _least(G, np.append(b, -c), x, units))
    empty = (np.eye(2), np.array([-1.0, 0.0]), np.array([-1.0, 0.0]), 0.0, np.zeros(2), np.ones(2))
    if answer(*(np.copy(part) for part in empty)) is not None:
        raise CheckFailed("Where no point of the region is granted, return None.")
    inside = (np.eye(2), np.ones(2), np.array([1.0, 0.0]), -1.0, np.zeros(2), np.ones(2))
    _compare(answer, inside, 0.0)
    return "Ten regions agree, one needs no change, and one has no answer."


def _least(G: np.ndarray, h: np.ndarray, x: np.ndarray, units: np.ndarray) -> float:
    from scipy.optimize import linprog

    solved = linprog(np.tile(1 / units, 2), np.hstack([G, -G]), h - G @ x)
    return float(solved.fun)


def _compare(answer: Callable[..., Any], parts: tuple[Any, ...], least: float) -> None:
    A, b, w, c, x, units = parts
    found = answer(A.copy(), b.copy(), w.copy(), c, x.copy(), units.copy())
    if found is None:
        raise CheckFailed(
            "There is a granted point, and the answer is None. May every coordinate be "
            "negative? Is its `return` missing?"
        )
    z = expect_array(found, x.shape, f"one point with {len(x)} coordinates").astype(float)
    slack = 1e-6 + 10 * precision(found)
    if (A @ z > b + slack * (1 + np.abs(b))).any():
        raise CheckFailed("The point lies outside of the region: A @ z <= b does not hold.")
    if w @ z + c > slack * (1 + abs(c)):
        raise CheckFailed("The point is not granted: w @ z + c is above 0.")
    length = float((np.abs(z - x) / units).sum())
    if length > least + 1e-4 * (1 + least):
        raise CheckFailed(
            f"The point is {length:.4f} away in these units, and one at {least:.4f} would do. "
            "Minimise the sum of the absolute changes, each divided by its unit."
        )
