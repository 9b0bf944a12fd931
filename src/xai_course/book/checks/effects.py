"""Checks of the chapter *effects*."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, pairwise
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
    expect_parts,
)

SLUG = "effects"


_ROWS = ((0, 1), (1, 3), (2, 2))


def _averages(
    k: int = 2, rows: tuple[tuple[int, int], ...] = _ROWS
) -> tuple[float, float, float, float]:
    x, y = np.array(rows, dtype=float).T

    def f(value: Any) -> np.ndarray:
        return value + k * np.maximum(0, y - value)

    return float(f(0).mean()), float(f(2).mean()), float(f(x)[x == 2].mean()), float(y[1])


def _draw_rows(rng: np.random.Generator) -> dict[str, Any]:
    while True:  # until the second row does not bend at its own value, and the means differ
        k, y = int(rng.integers(2, 5)), (1 + rng.permutation(5)[:3]).tolist()
        numbers = {"k": k, "rows": tuple(enumerate(y))}
        at_0, at_2, of_row, bend = _averages(**numbers)
        if bend > 1 and len({at_0, at_2, of_row, k * y[0]}) == 4:
            return numbers


@exercise(
    f"ex-{SLUG}-1",
    draw=_draw_rows,
    question="f(x1, x2) = x1 + {k} max(0, x2 - x1), and the rows are {rows[0]}, {rows[1]} and "
    "{rows[2]}.",
    right=_averages,
)
def three_averages(
    answer: Callable[[], Any], k: int = 2, rows: tuple[tuple[int, int], ...] = _ROWS
) -> str:
    """Compare with the arithmetic, one number at a time."""
    what = "four numbers: pd(0), pd(2), the mean of the rows at 2, and a kink"
    at_0, at_2, of_rows, kink = expect_parts(answer(), 4, what)
    right_0, right_2, real_2, bend = _averages(k, rows)
    if close_to([at_0, at_2], [k * rows[0][1], real_2]):
        raise CheckFailed(
            "These are outputs of the rows that really have the value. Partial dependence puts the "
            "value into all three rows."
        )
    assert_close(at_0, right_0, "The partial dependence at 0")
    assert_close(at_2, right_2, "The partial dependence at 2")
    if close_to(of_rows, right_2):
        raise CheckFailed("The third number is the mean of those rows only that have the value.")
    assert_close(of_rows, real_2, "The mean output of the rows that have the value")
    assert_close(kink, bend, "The kink of the second row's curve")
    return "All four numbers are right."


@exercise(f"ex-{SLUG}-2")
def ale(answer: Callable[..., Any]) -> str:
    """Compare on sums, on products of dependent features, on empty bins and at the edges."""
    rng = student_generator(2)
    X = rng.normal(size=(60, 3))
    X[:, 1] = X[:, 0] + 0.1 * rng.normal(size=60)
    product = Counted(lambda X: X[:, 0] * X[:, 1] + np.sin(X[:, 2]))
    even = np.quantile(X[:, 0], np.linspace(0, 1, 7))
    gap = np.array([0.0, 1.0, 2.0, 5.0, 6.0])
    few = np.array([[0.0, 1.0, 0], [1.0, 2.0, 0], [1.5, 7.0, 0], [5.5, 3.0, 0], [6.0, 4.0, 0]])
    tests = [
        (X, 0, even, "six bins"),
        (few, 0, gap, "an empty bin"),
        (X, 2, _around(X), "column 2"),
    ]
    for rows, j, edges, name in tests:
        product.asked = 0
        found = expect_array(
            answer(product, rows, j, edges), (len(edges),), f"{len(edges)} heights, one per edge"
        )
        expected = _accumulated(product.function, rows, j, edges)
        if not close_to(found, expected):
            _explain(found, expected, _partial(product.function, rows, j, edges))
        assert_close(found, expected, f"The heights with {name}")
        if product.asked > 4 * len(rows):
            raise CheckFailed(
                f"You asked about {product.asked} rows where {2 * len(rows)} are enough: each row "
                "at the two edges of its own bin."
            )
    return "Right on three columns, with an empty bin and rows on the edges."


def _explain(found: np.ndarray, expected: np.ndarray, partial: np.ndarray) -> None:
    """Name the usual slips."""
    if close_to(found - found[0], expected):
        raise CheckFailed("The shape is right; let the curve start at 0.")
    if close_to(found[1:], np.diff(expected)):
        raise CheckFailed("These are the rises in each bin; add them up.")
    if close_to(found, partial):
        raise CheckFailed("This moves every row to every edge: partial dependence.")


def _around(X: np.ndarray) -> np.ndarray:
    return np.linspace(X[:, 2].min(), X[:, 2].max(), 5)


def _accumulated(f: Callable, X: np.ndarray, j: int, edges: np.ndarray) -> np.ndarray:
    heights = [0.0]
    for k, (low, high) in enumerate(pairwise(edges)):
        inside = (X[:, j] > low) & (X[:, j] <= high) | ((X[:, j] == edges[0]) & (k == 0))
        rise = _at(f, X[inside], j, high) - _at(f, X[inside], j, low)
        heights.append(heights[-1] + (rise.mean() if inside.any() else 0.0))
    return np.array(heights)


def _partial(f: Callable, X: np.ndarray, j: int, edges: np.ndarray) -> np.ndarray:
    levels = np.array([_at(f, X, j, edge).mean() for edge in edges])
    return levels - levels[0]


def _at(f: Callable, X: np.ndarray, j: int, value: float) -> np.ndarray:
    moved = X.copy()
    moved[:, j] = value
    return f(moved)


@exercise(f"ex-{SLUG}-3")
def hidden_pairs(answer: Callable[..., Any]) -> str:
    """Compare with a search over all pairs, on functions with and without stand-ins."""
    ones, zeros, order = np.ones(5), np.zeros(5), student_generator(3).permutation(5)
    tests: list[tuple[Callable, np.ndarray, np.ndarray, float]] = [
        (lambda X: np.maximum(X[:, 0], X[:, 2]) + X[:, 1], ones, zeros, 1e-9),
        (lambda X: X[:, [1, 3]].max(axis=1) + X[:, [0, 4]].max(axis=1), ones, zeros, 1e-9),
        (lambda X: X[:, 0] + 2 * X[:, 1], ones, zeros, 1e-9),
        (lambda X: 0.01 * X[:, 0] + np.maximum(X[:, 0], X[:, 1]), ones, zeros, 0.05),
        # Above the row, not at zero: only there does one stand in for the other.
        (lambda X: np.minimum(X[:, 0], X[:, 2]) + X[:, 1], ones, 2 * ones, 1e-9),
    ]
    for number, (in_order, x, baseline, tolerance) in enumerate(tests, start=1):

        def f(X: np.ndarray, in_order: Callable = in_order) -> np.ndarray:
            return in_order(X[:, order])

        expected = _stand_ins(f, x, baseline, tolerance)
        found = answer(f, x, baseline, tolerance)
        if not isinstance(found, list | tuple | np.ndarray | set):
            raise CheckFailed(f"Return a list of pairs; got {type(found).__name__}.")
        pairs = [tuple(map(int, pair)) for pair in found]
        if any(i >= j for i, j in pairs):
            raise CheckFailed("Give each pair once, with i < j.")
        dead = [pair for pair in pairs if pair not in expected]
        if dead:
            raise CheckFailed(
                f"The pair {dead[0]} does not belong there: each alone must change the output by "
                "at most the tolerance, and both together by more."
            )
        assert_equal(sorted(pairs), expected or np.zeros(0), f"The pairs of function {number}")
    return "Right on five functions, with two stand-ins, with four and with none."


def _stand_ins(
    f: Callable, x: np.ndarray, baseline: np.ndarray, tolerance: float
) -> list[tuple[int, int]]:
    def change(*away: int) -> float:
        row = x.copy()
        row[list(away)] = baseline[list(away)]
        return abs(float(f(x[None])[0] - f(row[None])[0]))

    silent = [i for i in range(len(x)) if change(i) <= tolerance]
    return [pair for pair in combinations(silent, 2) if change(*pair) > tolerance]


@exercise(f"ex-{SLUG}-4")
def invented_share(answer: Callable[..., Any]) -> str:
    """Compare on a diagonal, on a cloud without correlation and on one with."""
    rng = student_generator(4)
    first = rng.normal(size=40)
    bound = np.column_stack([first, first + 0.2 * rng.normal(size=40)])
    for X, name in (
        (np.repeat(np.arange(6.0)[:, None], 2, axis=1), "six rows on a diagonal"),
        (bound, "two columns that go together"),
        (rng.normal(size=(40, 3)), "three independent columns"),
    ):
        for j in (0, X.shape[1] - 1):
            values = np.quantile(X[:, j], [0, 0.3, 0.5, 1])
            expected = _invented(X, j, values)
            found = expect_array(answer(X, j, values), (4,), "one share per value")
            if close_to(found, _invented(X, j, values, own=True)) and not close_to(found, expected):
                raise CheckFailed("Your spacing is zero: a row is not its own neighbour.")
            if close_to(found, 1 - expected):
                raise CheckFailed("This is the share within the spacing; wanted are those beyond.")
            assert_close(found, expected, f"The shares for {name}, column {j}")
    return "Right on a diagonal, on bound and on independent columns."


def _invented(X: np.ndarray, j: int, values: np.ndarray, own: bool = False) -> np.ndarray:
    between = np.linalg.norm(X[:, None] - X[None], axis=2)
    if not own:
        np.fill_diagonal(between, np.inf)
    spacing = between.min(axis=1).max()
    shares = []
    for value in values:
        moved = X.copy()
        moved[:, j] = value
        gaps = np.linalg.norm(moved[:, None] - X[None], axis=2).min(axis=1)
        shares.append(np.mean(gaps > spacing))
    return np.array(shares)
