"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np


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


def room(A, b, x, chosen):
    left = np.broadcast_to((b - A @ x)[:, None], A.shape)
    out = np.full(A.shape, np.inf)
    np.divide(left, np.abs(A), out=out, where=chosen)
    return out.min(axis=0)


def room_below(A, b, x):
    return room(A, b, x, A < 0)


def room_on_both_sides(A, b, x):
    return room(A, b, x, A != 0)


def forgets_where_it_stands(A, b, x):
    return room(A, b, 0 * x, A > 0)


def one_reach(A, b, x):
    return (b - A @ x).min()


def zero_instead_of_infinity(A, b, x):
    found = room(A, b, x, A > 0)
    return np.where(np.isinf(found), 0, found)


def coefficients_only(coef, intercept, tolerance=1e-6):
    return len(np.unique(coef.round(6), axis=0))


def bit_for_bit(coef, intercept, tolerance=1e-6):
    return len(np.unique(np.column_stack([coef, intercept]), axis=0))


def rounds(coef, intercept, tolerance=1e-6):
    digits = round(-np.log10(tolerance))
    return len(np.unique(np.column_stack([coef, intercept]).round(digits), axis=0))


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-regions-1": [
        (lambda: (6, 0.072), "some half-spaces are redundant"),
        (lambda: (3, 0.045), "corners should be 4, got 3"),
        (lambda: (4, 0.09), "The area"),
        (lambda: 4, "Return two numbers"),
    ],
    "ex-regions-2": [
        (all_lines, "outside the box"),
        (lines_that_miss_too, "The number of regions of"),
        (forgets_the_first, "should be 2, got 1"),
    ],
    "ex-regions-3": [
        (room_below, "room below"),
        (room_on_both_sides, "room below"),
        (forgets_where_it_stands, "random polytope"),
        (one_reach, "shape"),
        (zero_instead_of_infinity, "not infinity"),
    ],
    "ex-regions-4": [
        (coefficients_only, "unequal intercepts"),
        (bit_for_bit, "600 are too many"),
        (rounds, "up to rounding"),
    ],
}
