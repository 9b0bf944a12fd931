"""Checks of the chapter *trusting-local-models*."""

from __future__ import annotations

from collections.abc import Callable
from math import comb, factorial, sqrt
from typing import Any

import numpy as np

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator
from xai_course.book.expect import assert_close, close_to, expect_parts

SLUG = "trusting-local-models"


def _draw_regions(rng: np.random.Generator) -> dict[str, int]:
    defaults, others = rng.choice([[2, 2], [2, 3], [3, 2], [2, 4], [4, 2]]).tolist()
    orders = comb(defaults + others, defaults)
    return {
        "regions": orders * int(rng.integers(2, 6)),
        "defaults": defaults,
        "others": others,
    }


def _by_luck(regions: int = 40, defaults: int = 3, others: int = 3) -> tuple[float, float, float]:
    n, pairs = defaults + others, defaults * others
    orders = comb(n, defaults)
    return 1 / orders, regions / orders, 0.5 / sqrt((n + 1) / (12 * pairs))


@exercise(
    f"ex-{SLUG}-1",
    draw=_draw_regions,
    question="{regions} regions have {defaults} defaults and {others} other loans each.",
    right=_by_luck,
)
def perfect_by_luck(
    answer: Callable[[], Any], regions: int = 40, defaults: int = 3, others: int = 3
) -> str:
    """Count the orders; the usual slips get a word of their own."""
    what = "three numbers: the probability, the mean number of regions, the deviations"
    probability, number, deviations = expect_parts(answer(), 3, what)
    n, right = defaults + others, _by_luck(regions, defaults, others)
    if close_to(probability, 1 / factorial(n)):
        raise CheckFailed(
            f"1/{factorial(n)} counts the defaults among themselves as different; only the places "
            "of the two classes matter."
        )
    if close_to(probability, 1 / 2**n):
        raise CheckFailed(
            f"1/{2**n} lets each place have either class. How many places have a default?"
        )
    if close_to(probability, 2 * right[0]):
        raise CheckFailed("This counts orders with an AUC of 1 or of 0; perfect is only the first.")
    assert_close(probability, right[0], "The probability of a perfect AUC", tolerance=1e-3)
    assert_close(number, right[1], "The mean number of perfect regions", tolerance=1e-2)
    if close_to(deviations, 2 * right[2], rtol=1e-2):
        raise CheckFailed("Count the deviations from one half, where luck has its mean.")
    if close_to(deviations, 2 * right[2] ** 2, rtol=1e-2):
        raise CheckFailed("Divide by the standard deviation, not by the variance.")
    assert_close(deviations, right[2], "The number of deviations", tolerance=1e-2)
    return (
        f"One order of {1 / right[0]:.0f} is perfect, {right[1]:g} of {regions} regions, "
        f"{right[2]:.2f} deviations above one half."
    )


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
    if value != 0.5 and close_to(auc, 1 - value):
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
