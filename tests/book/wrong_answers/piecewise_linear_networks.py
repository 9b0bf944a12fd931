"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import integrate, stats

from xai_course.approximation import approximate


def _above(activation, points, grid):
    lines = np.array([activation.tangent(point) for point in points])
    heights = np.outer(grid, lines[:, 0]) + lines[:, 1]
    left, right = heights[:, points <= 0].max(axis=1), heights[:, points >= 0].min(axis=1)
    return activation(grid) - np.where(grid < 0, left, right)


def as_printed(activation, points, grid):
    worst = grid[_above(activation, points, grid).round(9).argmax()]
    return np.sort(np.append(points, worst))


def larger_on_a_tie(activation, points, grid):
    size = np.abs(_above(activation, points, grid)).round(9)
    return np.sort(np.append(points, grid[np.flatnonzero(size == size.max())[-1]]))


def out_of_order(activation, points, grid):
    size = np.abs(_above(activation, points, grid)).round(9)
    return np.append(points, grid[size.argmax()])


def only_the_new_place(activation, points, grid):
    return grid[np.abs(_above(activation, points, grid)).round(9).argmax()]


def middle_of_the_widest_gap(activation, points, grid):
    ends = np.clip(points, grid[0], grid[-1])
    widest = np.diff(ends).argmax()
    return np.insert(points, widest + 1, ends[widest : widest + 2].mean())


def always_at_zero(activation, points, grid):
    return np.sort(np.append(points, 0.0))


def where_the_library_touches(activation, points, grid):
    found = approximate(activation, len(points) + 1)
    inner = [grid[np.abs(activation(grid) - s * grid - c).argmin()]
             for s, c in zip(found.slopes[1:-1], found.intercepts[1:-1], strict=True)]  # fmt: skip
    return np.array([-np.inf, *sorted(inner), np.inf])


def _formula(bend, low, high, error, root=0.5, factor=16.0):
    total, _ = integrate.quad(lambda z: abs(bend(z)) ** root, low, high, limit=200)
    return total / (factor * error) ** 0.5


def needs_of_tangents(bend, low, high, error):
    return int(np.ceil(_formula(bend, low, high, error, factor=8.0)))


def forgets_the_root(bend, low, high, error):
    return int(np.ceil(_formula(bend, low, high, error, root=1.0)))


def rounded_down(bend, low, high, error):
    return int(_formula(bend, low, high, error))


def not_rounded(bend, low, high, error):
    return _formula(bend, low, high, error)


def steepest_bend_everywhere(bend, low, high, error):
    most = np.abs(bend(np.linspace(low, high, 1000))).max() ** 0.5
    return int(np.ceil(most * (high - low) / (4 * error**0.5)))


def convex_part_only(bend, low, high, error):
    return int(np.ceil(_formula(lambda z: max(bend(z), 0), low, high, error)))


def error_falls_like_one_over_n(bend, low, high, error):
    return int(np.ceil(_formula(bend, low, high, 1.0) / error))


def one_sided(fixed, broken):
    return min(1.0, stats.binom.cdf(min(fixed, broken), fixed + broken, 0.5))


def not_cut(fixed, broken):
    if fixed + broken == 0:
        return 1.0
    return 2 * stats.binom.cdf(min(fixed, broken), fixed + broken, 0.5)


def normal_approximation(fixed, broken):
    if fixed + broken == 0:
        return 1.0
    return 2 * stats.norm.sf(abs(fixed - broken) / np.sqrt(fixed + broken))


def no_change_is_certain(fixed, broken):
    if fixed + broken == 0:
        return 0.0
    return min(1.0, 2 * stats.binom.cdf(min(fixed, broken), fixed + broken, 0.5))


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-piecewise-linear-networks-1": [
        (lambda: (-2.0, 0.0, 0.135), "not symmetric"),
        (lambda: (-1.0, -1.0, 0.368), "the asymptotes meet"),
        (lambda: (-2.0, -0.418, 0.076), "the error at the right knot"),
        (lambda: (-2.0, 2.0, 0.119), "The knots"),
        (lambda: 0.135, "Return three numbers"),
    ],
    "ex-piecewise-linear-networks-2": [
        (as_printed, "the error counts by its size"),
        (larger_on_a_tie, "two errors tie"),
        (out_of_order, "out of order"),
        (only_the_new_place, "Return 3 places"),
        (middle_of_the_widest_gap, "The places for sigmoid"),
        (always_at_zero, "The places for sigmoid after [-inf, 0.0, inf]"),
        (where_the_library_touches, "The places for sigmoid after [-inf, -1.0, 0.0, 0.5, inf]"),
    ],
    "ex-piecewise-linear-networks-3": [
        (needs_of_tangents, "this is what tangents need"),
        (forgets_the_root, "The number of pieces for z squared"),
        (rounded_down, "rounded up"),
        (not_rounded, "rounded up"),
        (steepest_bend_everywhere, "the steepest bend everywhere"),
        (convex_part_only, "The number of pieces for the sine"),
        (error_falls_like_one_over_n, "the square of the number"),
        (lambda bend, low, high, error: 11, "The number of pieces for z cubed"),
    ],
    "ex-piecewise-linear-networks-4": [
        (one_sided, "one direction only"),
        (not_cut, "is above 1"),
        (normal_approximation, "The p-value of 3 to 0"),
        (no_change_is_certain, "where nothing changed"),
    ],
}
