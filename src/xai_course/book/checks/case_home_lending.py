"""Checks of the chapter *case-home-lending*."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.expect import assert_close, assert_equal, expect_number

SLUG = "case-home-lending"


@exercise(f"ex-{SLUG}-1")
def share_of_loans(answer: Callable[[], float]) -> str:
    """Compare with the counts of the paper's Table 6."""
    found = expect_number(answer(), "The share")
    expected = (747 + 219) / (5602 + 747 + 219)
    if abs(found - 2 / 3) < 0.01:
        raise CheckFailed("2/3 counts regions. Count the loans in them.")
    if abs(found - (1 - expected)) < 0.005:
        raise CheckFailed("That is the share of Region 0, where the global AUC is the better one.")
    if abs(found - 100 * expected) < 0.5:
        raise CheckFailed("Return a share between 0 and 1, not a percentage.")
    assert_close(found, expected, "The share", tolerance=0.005)
    return "The share is right: two of three regions, one loan in seven."


@exercise(f"ex-{SLUG}-2")
def faultless_share(answer: Callable[..., Any]) -> str:
    """Compare on tables where zeros, weights or free signs decide, then on random ones."""
    sound, zero, wrong = [-1.0, 2.0, 3.0], [-1.0, 0.0, 3.0], [-1.0, -2.0, 3.0]
    signs = np.array([-1, 1, 1])
    cases = [
        ("regions of equal size", [sound, wrong], [5, 5], signs),
        ("regions of different size", [sound, wrong], [9, 1], signs),
        ("a coefficient of zero", [sound, zero], [3, 1], signs),
        ("a predictor without an expected sign", [sound, wrong], [3, 1], np.array([-1, 0, 1])),
    ]
    for what, coef, counts, expected in cases:
        _compare_shares(answer, np.array(coef), np.array(counts), expected, f"with {what}")
    rng = np.random.default_rng(2)
    for _ in range(20):
        coef = np.round(rng.normal(0.8, 1.0, size=(9, 3)))
        counts, expected = rng.integers(1, 60, size=9), rng.integers(0, 2, size=3)
        _compare_shares(answer, coef, counts, expected, "in a random case")
    return "The share is right in 24 tables, with zeros, weights and free signs."


def _compare_shares(
    answer: Callable[..., Any],
    coef: np.ndarray,
    counts: np.ndarray,
    expected: np.ndarray,
    where: str,
) -> None:
    sound = [all(s == 0 or w * s > 0 for w, s in zip(row, expected, strict=True)) for row in coef]
    right = counts[sound].sum() / counts.sum()
    found = expect_number(answer(coef, counts, expected), f"The share {where}")
    assert_close(found, right, f"The share {where}", tolerance=1e-9)


@exercise(f"ex-{SLUG}-3")
def safe_score(answer: Callable[..., Any]) -> str:
    """Compare on curves that jump, in and out of order, and at both extremes."""
    scores = np.array([600.0, 620.0, 640.0, 660.0, 680.0])
    jumps = np.array([1.0, -0.5, 0.5, -0.2, -1.0])
    shuffle = np.array([3, 0, 4, 1, 2])
    cases = [
        ("a curve that falls", scores, np.array([2.0, 1.0, -1.0, -2.0, -3.0]), 640.0),
        ("a curve that jumps up again", scores, jumps, 660.0),
        ("scores out of order", scores[shuffle], jumps[shuffle], 660.0),
        ("log-odds of exactly 0", scores, np.array([1.0, 0.0, -1.0, -1.0, -2.0]), 620.0),
        ("nobody declined", scores, np.full(5, -1.0), 600.0),
        ("a highest score that is declined", scores, -jumps, np.inf),
    ]
    for what, grid, log_odds, right in cases:
        found = expect_number(answer(grid, log_odds), f"The safe score with {what}")
        assert_equal(found, right, f"The safe score with {what}")
    return "The safe score is right on six curves, also where the risk jumps."


@exercise(f"ex-{SLUG}-4")
def paired_share(answer: Callable[..., Any]) -> str:
    """Compare with a search over all pairings."""
    segments = np.repeat([0, 1, 2], [6, 3, 3])
    cases = [
        ("equal groups", segments, segments),
        ("equal groups under other numbers", (segments + 1) % 3, segments),
        ("two regions of one segment", np.repeat([0, 1, 2], [4, 4, 4]), np.repeat([0, 1], [9, 3])),
        ("one region", np.zeros(12, dtype=int), segments),
    ]
    rng = np.random.default_rng(4)
    cases += [
        ("random groups", rng.integers(0, n, size=90), rng.integers(0, 3, size=90))
        for n in (2, 3, 4, 4)
    ]
    for what, regions, segments in cases:
        found = expect_number(answer(regions, segments), f"The share with {what}")
        assert_close(found, _best(regions, segments), f"The share with {what}", tolerance=1e-9)
    return "The share is right in eight cases, with fewer and with more regions than segments."


def _best(regions: np.ndarray, segments: np.ndarray) -> float:
    """Try every pairing; a missing region or segment is an empty row or column."""
    size = 1 + max(regions.max(), segments.max())
    counts = np.zeros((size, size))
    np.add.at(counts, (regions, segments), 1)
    pairings = permutations(range(size))
    return max(sum(counts[i, j] for i, j in enumerate(p)) for p in pairings) / len(segments)
