"""Checks of the chapter *piecewise-linear-networks*."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import integrate, stats

from xai_course.approximation import SMOOTH_ACTIVATIONS, SmoothActivation, approximate
from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator
from xai_course.book.expect import assert_close, close_to, expect_array, expect_number

SLUG = "piecewise-linear-networks"


def _draw_elu(rng: np.random.Generator) -> dict[str, int]:
    return {"scale": int(rng.integers(2, 5)), "shift": int(rng.integers(1, 6))}


def _three_pieces(scale: int = 1, shift: int = 0) -> tuple[float, ...]:
    pieces = approximate("elu", 3)
    return (*(pieces.breakpoints + shift).tolist(), float(scale * pieces.max_error))


@exercise(
    f"ex-{SLUG}-1",
    draw=_draw_elu,
    question="the function is {scale} ELU(z - {shift}).",
    right=_three_pieces,
)
def hard_elu(answer: Callable[[], Any], scale: int = 1, shift: int = 0) -> str:
    """Compare with the library's three pieces, moved and stretched."""
    left, right, error = _three_pieces(scale, shift)
    found = expect_array(answer(), (3,), "three numbers: two knots and one error")
    if close_to(found[:2], [shift - 1, shift - 1], atol=1e-3):
        raise CheckFailed("Here the asymptotes meet. The tangent there makes two new knots.")
    if close_to(found[:2], [left, shift], atol=1e-3):
        raise CheckFailed(
            "ELU is not symmetric about the place where its asymptotes meet. Where does the "
            "tangent meet the rising one?"
        )
    assert_close(found[:2], [left, right], "The knots", 1e-3)
    gap = right - shift
    if close_to(found[2], scale * (np.exp(gap) - 1 - gap), atol=1e-3):
        raise CheckFailed("This is the error at the right knot. The other one is larger.")
    assert_close(found[2], error, "The largest error", 1e-3)
    return "Knots and error are those of the library's three pieces."


@exercise(f"ex-{SLUG}-2")
def one_more(answer: Callable[..., Any]) -> str:
    """Compare with a search on the same grid, for three activations and several starts."""
    half_pi = np.pi / 2
    arctan = SmoothActivation(
        np.arctan, (0, -half_pi), (0, half_pi), lambda z: 1 / (1 + z**2), (0.0,), "arctan"
    )
    grids = np.linspace(-8, 8, 8001), np.linspace(-20, 20, 10_001)
    sigmoid, tanh = SMOOTH_ACTIVATIONS["sigmoid"], SMOOTH_ACTIVATIONS["tanh"]
    left, *right = student_generator(2).uniform([-1, 0.5, 2.5], [-0.2, 2, 5]).round(1).tolist()
    for activation, grid in [(sigmoid, grids[0]), (tanh, grids[0]), (arctan, grids[1])]:
        for inner in ([], [0.0], [-2.0, 0.0], [-1.0, 0.0, 0.5], [left, 0.0, *right]):
            points = np.array([-np.inf, *inner, np.inf])
            _one_step(answer, activation, points, grid)
    return "Each step puts the line where the error is largest, from fifteen starts."


def _one_step(
    answer: Callable[..., Any], activation: SmoothActivation, points: np.ndarray, grid: np.ndarray
) -> None:
    """Compare one step, and name the usual slips."""
    above = activation(grid) - _pieces(activation, points, grid)
    size = np.abs(above).round(9)
    worst = grid[size.argmax()]
    what = f"The places for {activation.name} after {points.tolist()}"
    found = answer(activation, points.copy(), grid.copy())
    found = expect_array(found, (len(points) + 1,), f"{len(points) + 1} places")
    if close_to(found, [*points, worst]) and not close_to(found, np.sort(found)):
        raise CheckFailed("The new place is right, but the places are out of order.")
    tied = grid[np.flatnonzero(size == size.max())[1:]]
    if any(close_to(found, np.sort([*points, z])) for z in tied):
        raise CheckFailed(f"{what}: two errors tie, up to rounding. Take the smaller z.")
    signed = grid[above.round(9).argmax()]
    if signed != worst and close_to(found, np.sort([*points, signed])):
        raise CheckFailed(f"{what}: the error counts by its size, also where the pieces lie above.")
    assert_close(found, np.sort([*points, worst]), what)


def _pieces(activation: SmoothActivation, points: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Return the highest tangent on the left half, the lowest on the right."""
    lines = np.array([activation.tangent(point) for point in points])
    heights = np.outer(grid, lines[:, 0]) + lines[:, 1]
    left = heights[:, points <= 0].max(axis=1)
    return np.where(grid < 0, left, heights[:, points >= 0].min(axis=1))


def _bend_of_sigmoid(z: Any) -> Any:
    s = 1 / (1 + np.exp(-z))
    return s * (1 - s) * (1 - 2 * s)


@exercise(f"ex-{SLUG}-3")
def pieces_needed(answer: Callable[..., Any]) -> str:
    """Compare with the formula for curves that bend evenly, unevenly and both ways."""
    rng = student_generator(3)
    for bend, low, high, error, name in [
        (lambda z: 2.0 + 0 * z, 0.0, 3.0, 0.01, "z squared"),
        (lambda z: 6.0 * z, 0.0, 2.0, 0.0028, "z cubed"),
        (lambda z: -np.sin(z), 0.0, 2 * np.pi, None, "the sine"),
        (_bend_of_sigmoid, -8.0, 8.0, None, "the sigmoid"),
        (lambda z: np.exp(-(z**2) / 2), -5.0, 5.0, None, "a bump"),
    ]:
        area = _integral(lambda z, bend=bend: np.abs(bend(z)) ** 0.5, low, high)
        if error is None:  # so many pieces, and clearly not one fewer
            error = round((area / 4 / (rng.integers(9, 30) - rng.uniform(0.3, 0.7))) ** 2, 6)
        exact = area / (4 * error**0.5)
        what = f"The number of pieces for {name}, within {error}"
        found = expect_number(answer(bend, low, high, error), what)
        widest = np.abs(bend(np.linspace(low, high, 2001))).max() ** 0.5 * (high - low)
        slips = {
            2**0.5 * exact: "this is what tangents need. The best pieces need fewer.",
            area / 4 / error: "the error falls like one over the square of the number.",
            widest / (4 * error**0.5): "this takes the steepest bend everywhere.",
        }
        for value, hint in slips.items():
            if np.ceil(value) != np.ceil(exact) and found == np.ceil(value):
                raise CheckFailed(f"{what}: {hint}")
        if found != np.ceil(exact) and np.isclose(found, [exact, np.floor(exact)]).any():
            raise CheckFailed(f"{what}: a number of pieces is whole, and rounded up.")
        assert_close(found, np.ceil(exact), what)
    return "Five curves need as many pieces as the formula says."


def _integral(f: Callable[[Any], Any], low: float, high: float) -> float:
    """Return the integral by Simpson's rule, which a learner need not use."""
    z = np.linspace(low, high, 200_001)
    return float(integrate.simpson(f(z), x=z))


@exercise(f"ex-{SLUG}-4")
def chance(answer: Callable[..., Any]) -> str:
    """Compare with SciPy's exact test."""
    assert_close(answer(0, 0), 1.0, "The p-value where nothing changed")
    right, more = student_generator(4).integers([40, 2], [200, 20]).tolist()
    for fixed, broken in [(3, 0), (0, 3), (5, 5), (61, 50), (215, 344), (right, right + more)]:
        found = answer(fixed, broken)
        expected = stats.binomtest(fixed, fixed + broken).pvalue
        if expect_number(found, f"The p-value of {fixed} to {broken}") > 1:
            raise CheckFailed(f"The p-value of {fixed} to {broken} is above 1: {found:.3g}.")
        if expected < 1 and close_to(found, expected / 2):
            raise CheckFailed("This counts one direction only. The split may be uneven either way.")
        assert_close(found, expected, f"The p-value of {fixed} to {broken}")
    return "The p-values are those of SciPy's exact test."
