"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np

from xai_course.networks import PiecewiseLinearNetwork
from xai_course.regions import enumerate_regions


def all_lines(W, b, box):
    n = len(W)
    return 1 + n + n * (n - 1) // 2


def crossings_inside(W, b, box):
    low, high = np.array(box, dtype=float).T
    at = [np.linalg.solve(W[[i, j]], -b[[i, j]]) for i, j in combinations(range(len(W)), 2)]
    return sum(bool((p > low).all() and (p < high).all()) for p in at)


def lines_that_miss_too(W, b, box):
    return 1 + len(W) + crossings_inside(W, b, box)


def forgets_the_first(W, b, box):
    corners = np.array([[x1, x2] for x1 in box[0] for x2 in box[1]])
    z = corners @ W.T + b
    lines = int(((z.min(axis=0) < 0) & (z.max(axis=0) > 0)).sum())
    return lines + crossings_inside(W, b, box)


def _network(W, b):
    return PiecewiseLinearNetwork([W, np.ones((1, len(W)))], [b, np.zeros(1)])


def asks_the_network(W, b, box):
    return len(_network(W, b).enumerate_regions(box))


def asks_the_module(W, b, box):
    return len(enumerate_regions(_network(W, b), box))


def looks_at_pixels(W, b, box):
    axes = [np.linspace(low, high, 300) for low, high in box]
    points = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
    return len(np.unique(points @ W.T + b >= 0, axis=0))


def _spread(coef, weight):
    return np.sqrt(weight @ ((coef - weight @ coef) ** 2).sum(axis=1))


def spread_only(coef, areas, outputs):
    return _spread(coef, areas / areas.sum())


def areas_as_they_are(coef, areas, outputs):
    share = areas / areas.sum()
    away = ((coef - share @ coef) ** 2).sum(axis=1)
    return np.sqrt(areas @ away) / np.std(outputs)


def every_region_once(coef, areas, outputs):
    return _spread(coef, np.full(len(coef), 1 / len(coef))) / np.std(outputs)


def size_of_the_slope(coef, areas, outputs):
    share = areas / areas.sum()
    return np.sqrt(share @ (coef**2).sum(axis=1)) / np.std(outputs)


def range_for_spread(coef, areas, outputs):
    return _spread(coef, areas / areas.sum()) / np.ptp(outputs)


def coefficients_only(coef, intercept, tolerance=1e-6):
    return len(np.unique(coef.round(6), axis=0))


def bit_for_bit(coef, intercept, tolerance=1e-6):
    return len(np.unique(np.column_stack([coef, intercept]), axis=0))


def rounds(coef, intercept, tolerance=1e-6):
    digits = round(-np.log10(tolerance))
    return len(np.unique(np.column_stack([coef, intercept]).round(digits), axis=0))


def neighbours_in_order(coef, intercept, tolerance=1e-6):
    table = np.column_stack([coef, intercept])
    table = table[np.lexsort(table.T[::-1])]
    return 1 + int((np.abs(np.diff(table, axis=0)).max(axis=1) > tolerance).sum())


def _by_one_number(numbers, tolerance):
    return 1 + int((np.diff(np.sort(numbers)) > tolerance).sum())


def one_combination(coef, intercept, tolerance=1e-6):
    table = np.column_stack([coef, intercept])
    return _by_one_number(table @ np.arange(1, table.shape[1] + 1), tolerance)


def one_sum(coef, intercept, tolerance=1e-6):
    return _by_one_number(coef.sum(axis=1) + intercept, tolerance)


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-counting-regions-1": [
        (all_lines, "outside the box"),
        (lines_that_miss_too, "The number of regions of"),
        (forgets_the_first, "should be 2, got 1"),
        (asks_the_network, "without the library's enumeration"),
        (asks_the_module, "without the library's enumeration"),
        (looks_at_pixels, "The number of regions of"),
    ],
    "ex-counting-regions-2": [
        (lambda: (28, 16), "Not all 7 pieces are planes"),
        (lambda: (32, 16), "all patterns"),
        (lambda: (16, 25), "wrong order"),
        (lambda: (25, 15), "one layer of 5"),
        (lambda: 25, "Return two numbers"),
    ],
    "ex-counting-regions-3": [
        (spread_only, "divide by the output's spread"),
        (areas_as_they_are, "take shares"),
        (every_region_once, "not once each"),
        (size_of_the_slope, "The bend of a linear function"),
        (range_for_spread, "The bend of 2 regions"),
        (lambda coef, areas, outputs: 0.0, "The bend of 2 regions"),
    ],
    "ex-counting-regions-4": [
        (coefficients_only, "unequal intercepts"),
        (bit_for_bit, "600 are too many"),
        (rounds, "up to rounding"),
        (neighbours_in_order, "81 models that share"),
        (one_combination, "81 models that share"),
        (one_sum, "81 models that share"),
        (lambda coef, intercept, tolerance=1e-6: 3, "a table of 600"),
    ],
}
