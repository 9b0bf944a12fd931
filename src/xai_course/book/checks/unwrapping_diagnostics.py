"""Checks of the chapter *unwrapping-diagnostics*."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator
from xai_course.book.expect import assert_close, assert_equal, close_to, expect_parts, shown
from xai_course.book.instruments import CountedRows

SLUG = "unwrapping-diagnostics"


def _draw_loans(rng: np.random.Generator) -> dict[str, list[tuple[float, int]]]:
    while True:
        tied, *logits = (rng.choice(np.arange(-9, 16), 7, replace=False) / 10).tolist()
        classes = [0, 1, *rng.permutation([0, 0, 1]), *rng.permutation([0, 1, 1])]
        loans = list(zip([tied, tied, *logits], map(int, classes), strict=True))
        numbers = {"region": sorted(loans[:5]), "others": sorted(loans[5:])}
        local, everywhere = (wins.mean() for wins in _pairs(**numbers))
        if len({local, everywhere, 0.5}) == 3 and 0.2 < local < 0.8:
            return numbers


def _pairs(
    region: Sequence[tuple[float, int]] = ((0.2, 0), (0.4, 1), (0.4, 0), (0.7, 1), (0.9, 0)),
    others: Sequence[tuple[float, int]] = ((-1, 0), (0.3, 1), (1.2, 1)),
) -> list[np.ndarray]:
    """Return what each pair counts, in the region and among all loans: class 1 by class 0."""
    return [_wins(*np.transpose(loans)) for loans in (region, [*region, *others])]


@exercise(
    f"ex-{SLUG}-1",
    draw=_draw_loans,
    question="logits and classes are {region} in the region, and {others} elsewhere.",
    right=lambda **numbers: tuple(float(wins.mean()) for wins in _pairs(**numbers)),
)
def auc_by_hand(answer: Callable[[], Any], **numbers: Any) -> str:
    """Count the pairs; the usual slips with ties get a word of their own."""
    parts = expect_parts(answer(), 2, "two numbers, the local and the global AUC")
    pairs = _pairs(**numbers)
    expected, sums = [table.mean() for table in pairs], [table.sum() for table in pairs]
    if close_to(parts, expected[::-1]):
        raise CheckFailed("These are the right numbers in the wrong order: the local AUC first.")
    for found, table, right, which in zip(parts, pairs, expected, ("local", "global"), strict=True):
        if close_to(found, table.sum()):
            raise CheckFailed(
                f"{table.sum():g} is the number of wins; divide by the number of pairs."
            )
        if close_to(found, (table == 1).mean()) or close_to(found, (table > 0).mean()):
            raise CheckFailed(f"One pair of the {which} AUC is a tie, and a tie counts one half.")
        if close_to(found, 1 - right):
            raise CheckFailed(f"The {which} AUC ranks class 0 above class 1 here.")
        if which == "global" and close_to(found, (sums[1] - sums[0]) / 10):
            raise CheckFailed("The global AUC counts all sixteen pairs, those in the region too.")
        assert_close(found, right, f"The {which} AUC", tolerance=5e-3)
    return f"{sums[0]:g} of 6 pairs are ranked right in the region, {sums[1]:g} of 16 everywhere."


def _wins(scores: np.ndarray, y: np.ndarray) -> np.ndarray:
    difference = scores[y == 1][:, None] - scores[y == 0]
    return (difference > 0) + (difference == 0) / 2


@exercise(f"ex-{SLUG}-2")
def global_mse(answer: Callable[..., Any]) -> str:
    """Compare with plain definitions on rows that count their products."""
    rng = student_generator(3)
    for n_models, n_rows, width in [(4, 30, 3), (1, 7, 2), (20, 50, 7), (500, 200, 4)]:
        table = np.column_stack([np.ones(n_rows), rng.normal(size=(n_rows, width - 1))])
        y, theta = rng.normal(size=n_rows), rng.normal(size=(n_models, width))
        errors = (table @ theta.T - y[:, None]) ** 2
        right, passes = errors.mean(axis=0), []
        found = answer(theta.copy(), CountedRows(table, passes.append), y.copy())
        if n_models > 1 and close_to(found, errors.mean()):
            raise CheckFailed("This is the mean over all models; return one error for each.")
        if close_to(found, errors.sum(axis=0)):
            raise CheckFailed("These are sums of squared errors; divide by the number of rows.")
        if close_to(found, np.sqrt(right)):
            raise CheckFailed("These are roots of the mean squared errors.")
        cross = 2 * theta @ table.T @ y / n_rows
        if close_to(found, right + cross / 2):
            raise CheckFailed("The middle term of the square has the factor 2.")
        if close_to(found, right + cross) or close_to(found, right - y @ y / n_rows):
            raise CheckFailed("One of the three terms of the square is missing.")
        assert_close(found, right, f"The errors of {n_models} model(s) on {n_rows} rows", 1e-8)
        if sum(passes) > 3 * (width + 1) and n_models > 20:
            raise CheckFailed(
                f"The errors are right, but {n_models} models with {width} columns took "
                f"{sum(passes)} passes through the rows. Average over the rows before you use the "
                "models."
            )
    return "The errors are right, and the number of passes does not grow with the models."


@exercise(f"ex-{SLUG}-4")
def readable_regions(answer: Callable[..., Sequence[int]]) -> str:
    """Compare with a case small enough to count, then with a random one."""
    labels = np.array([3, 3, 3, 0, 0, 0, 7, 7, 7, 7, 5, 5, 9])
    y = np.array([0, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1, 0, 1])
    found = _numbers(answer(labels, y, 3))
    if 7 in found:
        raise CheckFailed("Region 7 has four rows of one class; nothing can be ranked in it.")
    if sorted(found) != [0, 3] and set(found) < {0, 3}:
        raise CheckFailed(f"Regions 0 and 3 have exactly 3 rows, which is at least 3; got {found}.")
    assert_equal(found, [0, 3], "The regions with at least 3 rows and both classes")
    assert_equal(_numbers(answer(labels, y, 1)), [0, 3, 5], "The regions with both classes")
    rng = student_generator(2)
    labels, y = rng.geometric(0.1, 400), rng.integers(0, 2, 400)
    both = [k for k in np.unique(labels) if len(set(y[labels == k])) == 2]
    size = {int(k): int((labels == k).sum()) for k in both}
    expected = sorted((k for k in size if size[k] >= 5), key=lambda k: (-size[k], k))
    found = _numbers(answer(labels, y, 5))
    if sorted(found) == sorted(expected) and found != expected:
        raise CheckFailed(
            "These are the right regions in another order: largest first, equal counts by number."
        )
    assert_equal(found, expected, "The regions among 400 random rows")
    return "The right regions, the largest first."


def _numbers(result: Any) -> list[int]:
    try:
        return [int(number) for number in result]
    except (TypeError, ValueError):
        raise CheckFailed(f"Return a list of region numbers, got {shown(result)}.") from None
