"""Checks of the chapter *unwrapping-diagnostics*."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.expect import assert_close, assert_equal, close_to, shown

SLUG = "unwrapping-diagnostics"


@exercise(f"ex-{SLUG}-1")
def local_auc_by_hand(answer: Callable[[], float]) -> str:
    """Count the pairs; the usual slips with ties get a word of their own."""
    scores, y = np.array([0.2, 0.4, 0.4, 0.7, 0.9]), np.array([0, 1, 0, 1, 0])
    difference = scores[y == 1][:, None] - scores[y == 0]
    expected = np.mean((difference > 0) + (difference == 0) / 2)
    found = answer()
    if close_to(found, 3.5):
        raise CheckFailed("3.5 is the number of wins; divide by the number of pairs.")
    if close_to(found, np.mean(difference > 0)) or close_to(found, np.mean(difference >= 0)):
        raise CheckFailed("One pair is a tie, and a tie counts one half.")
    if close_to(found, 1 - expected):
        raise CheckFailed("This ranks class 0 above class 1.")
    assert_close(found, expected, "The local AUC", tolerance=5e-3)
    return "3.5 of 6 pairs are ranked right."


@exercise(f"ex-{SLUG}-2")
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
    rng = np.random.default_rng(2)
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


@exercise(f"ex-{SLUG}-3")
def global_mse(answer: Callable[..., Any]) -> str:
    """Compare with plain definitions on small cases, then measure the memory on a larger one."""
    rng = np.random.default_rng(3)
    for n_models, n_rows, n_features in [(4, 30, 2), (1, 7, 1), (20, 50, 6)]:
        X, y = rng.normal(size=(n_rows, n_features)), rng.normal(size=n_rows)
        coefs, intercepts = rng.normal(size=(n_models, n_features)), rng.normal(size=n_models)
        errors = (X @ coefs.T + intercepts - y[:, None]) ** 2
        found = answer(coefs, intercepts, X, y)
        if close_to(found, errors.sum(axis=0)):
            raise CheckFailed("These are sums of squared errors; divide by the number of rows.")
        if close_to(found, np.sqrt(errors.mean(axis=0))):
            raise CheckFailed("These are roots of the mean squared errors.")
        what = f"The errors of {n_models} model(s) on {n_rows} rows"
        assert_close(found, errors.mean(axis=0), what, tolerance=1e-8)
    X, y = rng.normal(size=(4000, 3)), rng.normal(size=4000)
    coefs, intercepts = rng.normal(size=(2000, 3)), rng.normal(size=2000)
    tracemalloc.start()
    try:
        answer(coefs, intercepts, X, y)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    if peak > 8 * len(coefs) * len(X) / 4:
        raise CheckFailed(
            f"The errors are right, but 2,000 models on 4,000 rows took {peak / 2**20:.0f} MiB: "
            "an array of models times rows is held. Average over the rows before using the models."
        )
    return f"The errors are right; 2,000 models on 4,000 rows took {peak / 2**20:.1f} MiB."


@exercise(f"ex-{SLUG}-4")
def deviations_from_chance(answer: Callable[..., Any]) -> str:
    """Compare with the distribution over all orders of the classes."""
    # One row of each class: the AUC is 0 or 1 with even chances, so its deviation is one half.
    found = answer(1.0, 1, 1)
    if close_to(found, 0.25):
        raise CheckFailed("For one row of each class got 0.25: divide, do not multiply.")
    assert_close(found, 1.0, "For a perfect ranking of one row of each class, the answer")
    assert_close(answer(0.357, 14, 8), -0.143 / np.sqrt(23 / 1344), "For the applicant, the answer")
    auc, positive = np.array([0.2, 0.5, 0.9]), np.array([3, 10, 40])
    expected = (auc - 0.5) / np.sqrt((positive + 21) / (240 * positive))
    assert_close(answer(auc, positive, 20), expected, "For three regions at once, the answer")
    return "The distances are right, below one half and for arrays too."
