"""Checks of the chapter *trusting-local-models*."""

from __future__ import annotations

from collections.abc import Callable
from math import comb, sqrt
from typing import Any

import numpy as np

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator
from xai_course.book.expect import assert_close, close_to, expect_parts

SLUG = "trusting-local-models"


@exercise(f"ex-{SLUG}-1")
def perfect_by_luck(answer: Callable[[], Any]) -> str:
    """Count the orders; the usual slips get a word of their own."""
    what = "three numbers: the probability, the mean number of regions, the deviations"
    probability, number, deviations = expect_parts(answer(), 3, what)
    orders, deviation = comb(6, 3), sqrt(7 / 108)
    if close_to(probability, 1 / 720):
        raise CheckFailed(
            "1/720 counts the defaults among themselves as different; only the places of the two "
            "classes matter."
        )
    if close_to(probability, 1 / 64):
        raise CheckFailed("1/64 lets each place have either class; there are three defaults.")
    if close_to(probability, 2 / orders):
        raise CheckFailed("2 of 20 orders have an AUC of 1 or of 0; perfect is only the first.")
    assert_close(probability, 1 / orders, "The probability of a perfect AUC", tolerance=1e-3)
    assert_close(number, 40 / orders, "The mean number of perfect regions", tolerance=1e-2)
    if close_to(deviations, 1 / deviation, rtol=1e-2):
        raise CheckFailed("Count the deviations from one half, where luck has its mean.")
    if close_to(deviations, 0.5 / deviation**2, rtol=1e-2):
        raise CheckFailed("Divide by the standard deviation, not by the variance.")
    assert_close(deviations, 0.5 / deviation, "The number of deviations", tolerance=1e-2)
    return "One order of 20 is perfect, 2 of 40 regions, 1.96 deviations above one half."


@exercise(f"ex-{SLUG}-2")
def auc_and_error(answer: Callable[..., Any]) -> str:
    """Compare with the placements of random rows, with and without ties."""
    rng = student_generator(2)
    for n, n_positive, ties in [(5, 2, True), (12, 4, False), (40, 30, True), (300, 120, False)]:
        y = rng.permutation(np.arange(n) < n_positive).astype(int)
        scores = rng.normal(size=n) + y
        scores = scores.round() if ties else scores
        auc, error = expect_parts(
            answer(scores.copy(), y.copy()), 2, "two numbers, the AUC and its standard error"
        )
        _compare(auc, error, scores, y)
    return "AUC and error are right for four samples, with ties and with unequal classes."


def _compare(auc: Any, error: Any, scores: np.ndarray, y: np.ndarray) -> None:
    gap = scores[y == 1][:, None] - scores[y == 0]
    wins = (gap > 0) + (gap == 0) / 2
    n_1, n_0 = wins.shape
    value, case = wins.mean(), f"{n_1} rows of class 1 and {n_0} of class 0"
    if (gap == 0).any() and (close_to(auc, (gap > 0).mean()) or close_to(auc, (gap >= 0).mean())):
        raise CheckFailed(f"Some of the {n_1 * n_0} pairs are ties, and a tie counts one half.")
    if close_to(auc, 1 - value):
        raise CheckFailed("This ranks class 0 above class 1.")
    assert_close(auc, value, f"The AUC of {case}")
    parts = wins.mean(axis=1), wins.mean(axis=0)
    right = [p.var(ddof=1) / len(p) for p in parts]
    luck = (n_1 + n_0 + 1) / (12 * n_1 * n_0)
    slips = {
        "This is the square of the standard error; take its root.": sum(right) ** 2,
        "Divide by the number minus one: var(ddof=1).": sum(p.var() / len(p) for p in parts),
        "This is the spread that luck gives, whatever the scores say.": luck,
        "This takes the pairs for independent; each row is in many of them.": wins.var(ddof=1)
        / wins.size,
        "This takes the AUC for a share of independent rows.": value * (1 - value) / len(y),
        "Only the defaults' placements are used; the others have an error, too.": right[0],
        "Only the placements of class 0 are used; the defaults have an error, too.": right[1],
        "The variance of a mean is smaller than that of one row: divide by the number of rows.": (
            sum(p.var(ddof=1) for p in parts)
        ),
    }
    for message, variance in slips.items():
        if close_to(error, sqrt(variance)) and not close_to(sqrt(variance), sqrt(sum(right))):
            raise CheckFailed(message)
    assert_close(error, sqrt(sum(right)), f"The standard error for {case}")
