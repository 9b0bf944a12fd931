"""Checks of the chapter *fuzzy-rules*."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator
from xai_course.book.expect import assert_close, close_to, expect_array, expect_parts

SLUG = "fuzzy-rules"


def _case(
    first: Sequence[int] = (0, 0),
    second: Sequence[int] = (2, 4),
    widths: Sequence[int] = (1, 2),
    says: int = 6,
    constant: int = 1,
    x: Sequence[int] = (1, 0),
) -> tuple[np.ndarray, list[int], list[int]]:
    """Return the distances in half widths, what both rules say, and the same without x1."""
    away = np.abs(np.subtract([first, second], x)) / widths
    return away, [says, constant + x[0]], [says, constant]


def _four(degrees: np.ndarray, heights: list[int]) -> tuple[float, ...]:
    s, low = degrees.prod(axis=1), degrees.min(axis=1)
    four = s[0] / s.sum(), s @ heights / s.sum(), low @ heights / low.sum(), s @ heights
    return tuple(map(float, four))


def _right_four(**numbers: Any) -> tuple[float, ...]:
    away, heights, _ = _case(**numbers)
    return _four(2.0 ** -(away**2), heights)


def _draw_rules(rng: np.random.Generator) -> dict[str, Any]:
    x, widths = rng.integers(1, 4, size=2), rng.permutation([1, 2, 3])[:2]
    near, far = rng.choice([[0, 0], [0, 1], [1, 0]]), rng.permutation([1, 2])
    first, second = x + widths * [near, far] * rng.choice([-1, 1], size=(2, 2))
    says, constant = rng.integers([6, 1], [10, 3])
    parts = {"first": first, "second": second, "widths": widths, "x": x}
    return {
        **{name: tuple(part.tolist()) for name, part in parts.items()},
        "says": int(says),
        "constant": int(constant),
    }


@exercise(
    f"ex-{SLUG}-1",
    draw=_draw_rules,
    question="rule 1: if x1 is near {first[0]} and x2 is near {first[1]}, then y = {says}. Rule 2: "
    "if x1 is near {second[0]} and x2 is near {second[1]}, then y = {constant} + x1. In both, w is "
    "{widths[0]} for x1 and {widths[1]} for x2. The input is {x}.",
    right=_right_four,
)
def rules_by_hand(answer: Callable[[], Any], **numbers: Any) -> str:
    """Compare with two rules, worked out from their degrees."""
    what = "four numbers: the share of rule 1, the answer, with the smaller degree, and the sum"
    share, product, smaller, total = expect_parts(answer(), 4, what)
    away, heights, without_x = _case(**numbers)
    degrees = 2.0 ** -(away**2)
    right = _four(degrees, heights)
    if close_to(share, _four(2.0**-away, heights)[0]):
        raise CheckFailed(
            "The degree at two half widths is not one quarter: the distance in half widths is "
            "squared in the exponent."
        )
    if close_to(product, _four(degrees, without_x)[1]):
        raise CheckFailed("Rule 2 says more than its constant: add the input's x1.")
    assert_close(share, right[0], "The share of rule 1")
    assert_close(product, right[1], "The answer")
    if close_to(smaller, degrees.min(axis=1) @ heights):
        raise CheckFailed("In (iii) the strengths are still divided by their sum.")
    assert_close(smaller, right[2], "The answer with the smaller degree")
    assert_close(total, right[3], "The weighted sum")
    return "All four agree: the mean lies between what the rules say, the sum need not."


@exercise(f"ex-{SLUG}-2")
def conclusions(answer: Callable[..., Any]) -> str:
    """Compare with least squares on random shares, with and without noise."""
    rng = student_generator(4)
    for k, d, noise in ((3, 2, 0.0), (2, 1, 0.5), (1, 3, 0.5), (5, 2, 0.5)):
        shares, X = rng.dirichlet(np.ones(k), 80), rng.normal(size=(80, d))
        inputs = np.column_stack([np.ones(80), X])
        table = np.einsum("nk,nj->nkj", shares, inputs).reshape(80, -1)
        y = table @ rng.normal(size=table.shape[1]) + noise * rng.normal(size=80)
        expected = np.linalg.lstsq(table, y, rcond=None)[0].reshape(k, d + 1)
        shape = (k, d + 1)
        found = expect_array(
            answer(shares.copy(), X.copy(), y.copy()), shape, f"an array of shape {shape}"
        )
        alone = np.array([_weighted(inputs, y, s) for s in shares.T])
        if k > 1 and close_to(found, alone):
            raise CheckFailed(
                "Each rule is fitted for itself here. Fit the numbers of all rules together, by "
                "one least squares."
            )
        if d > 0 and close_to(found, np.roll(expected, -1, axis=1)):
            raise CheckFailed("The constant stands first in each row, then the coefficients.")
        assert_close(found, expected, f"The conclusions of {k} rule(s)", tolerance=1e-6)
    return "Four sets of rules agree, with noise and without."


def _weighted(inputs: np.ndarray, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    root = np.sqrt(weight)
    return np.linalg.lstsq(root[:, None] * inputs, root * y, rcond=None)[0]


@exercise(f"ex-{SLUG}-3")
def interactive_or(answer: Callable[..., Any]) -> str:
    """Compare with sums of log-odds, for one degree and for many."""
    rng = student_generator(5)
    for n, k in ((6, 2), (4, 1), (5, 3), (3, 12)):
        degrees = rng.uniform(0.05, 0.95, (n, k))
        z = np.log(degrees / (1 - degrees)).sum(axis=1)
        found = expect_array(answer(degrees.copy()), (n,), f"{n} degrees, one for each row")
        if k > 1 and close_to(found, degrees.max(axis=1)):
            raise CheckFailed("This is the largest degree, the usual fuzzy or.")
        if k > 1 and close_to(found, 1 - (1 - degrees).prod(axis=1)):
            raise CheckFailed("This is the or of probability. Here one half must change nothing.")
        if k > 1 and close_to(found, degrees.prod(axis=1)):
            raise CheckFailed("This is the product alone. Divide: the odds are multiplied.")
        assert_close(found, 1 / (1 + np.exp(-z)), f"{k} degree(s) in each row, joined")
    return "Rows of one, two, three and twelve degrees agree."
