"""Checks of the chapter *fuzzy-rules*."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator
from xai_course.book.expect import assert_close, close_to, expect_array, expect_parts

SLUG = "fuzzy-rules"


@exercise(f"ex-{SLUG}-1")
def rules_by_hand(answer: Callable[[], Any]) -> str:
    """Compare with two rules, worked out from their degrees."""
    what = "four numbers: the share of rule 1, the answer, with the smaller degree, and the sum"
    share, product, smaller, total = expect_parts(answer(), 4, what)
    degrees = 2.0 ** -((np.array([[1.0, 0.0], [1.0, 4.0]]) / [1, 2]) ** 2)
    says, strengths = np.array([6.0, 2.0]), degrees.prod(axis=1)
    linear = (degrees - np.array([[0, 0], [0, degrees[1, 1] - 0.25]])).prod(axis=1)
    if close_to(share, linear[0] / linear.sum()):
        raise CheckFailed(
            "The degree at two half widths is not one quarter: the distance in half widths is "
            "squared in the exponent."
        )
    if close_to(product, strengths @ [6, 1] / strengths.sum()):
        raise CheckFailed("Rule 2 says 1 + x1, and x1 is 1 here.")
    assert_close(share, strengths[0] / strengths.sum(), "The share of rule 1")
    assert_close(product, strengths @ says / strengths.sum(), "The answer")
    low = degrees.min(axis=1)
    if close_to(smaller, low @ says):
        raise CheckFailed("In (iii) the strengths are still divided by their sum.")
    assert_close(smaller, low @ says / low.sum(), "The answer with the smaller degree")
    assert_close(total, strengths @ says, "The weighted sum")
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
