"""Checks of the chapter *case-home-lending*."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator
from xai_course.book.expect import (
    assert_close,
    close_to,
    expect_array,
    expect_number,
    expect_parts,
)

SLUG = "case-home-lending"


def _draw_models(rng: np.random.Generator) -> dict[str, int]:
    height, fall, drop = (int(rng.integers(*ends)) for ends in ((5, 8), (2, 5), (2, 8)))
    rise = int(rng.choice([2, 4]))  # with these the merged line is never flat
    return {  # the models meet, A and B in the height
        "a": height + fall,
        "fall": fall,
        "b": height - rise,
        "rise": rise,
        "c": height + rise + 2 * drop,
        "drop": drop,
    }


def _merged(
    a: int = 4, fall: int = 2, b: int = 1, rise: int = 1, c: int = 7, drop: int = 2
) -> tuple[float, float, float]:
    scores = np.array([1.0, 1.5, 2.0, 2.5])
    risk = np.where(scores < 2, b + rise * scores, c - drop * scores)
    slope, level = np.polyfit(scores, risk, 1).round(6).tolist()
    return slope, 1 / 3 if slope > 0 else 1.0, round(slope + level - (a - fall), 6)


@exercise(
    f"ex-{SLUG}-1",
    draw=_draw_models,
    question="A is {a} - {fall} s, B is {b} + {rise} s, and C is {c} - {drop} s.",
    right=_merged,
)
def merge_b_and_c(answer: Callable[[], Any], **numbers: int) -> str:
    """Compare with a least-squares fit to the four borrowers of B and C."""
    what = "three numbers: the slope of the merged line, the share and the rise"
    found = expect_parts(answer(), 3, what)
    names = ("The slope", "The share", "The rise")
    slope, share, rise = map(expect_number, found, names)
    right = _merged(**numbers)
    if close_to(slope, right[0] * 1.25):
        raise CheckFailed("The slope is the sum of products; divide it by the sum of squares.")
    assert_close(slope, right[0], "The slope of the merged line", tolerance=0.005)
    if close_to(share, 2 / 3):
        raise CheckFailed("4/6 was the share before the merge. Whose sign has changed?")
    assert_close(share, right[1], "The share with the right sign after the merge", tolerance=0.005)
    if close_to(rise, -right[2]):
        raise CheckFailed("The rise is counted from A, on the left, to the merged line: a plus.")
    assert_close(rise, right[2], "The rise at s = 1", tolerance=0.005)
    return "All three are right: the merge gave two regions one sign, and made a jump as well."


@exercise(f"ex-{SLUG}-2")
def sign_audit(answer: Callable[..., Any]) -> str:
    """Compare on tables where zeros, weights or free signs decide, then on random ones."""
    sound, zero, wrong = [-1.0, 2.0, 3.0], [-1.0, 0.0, 3.0], [-1.0, -2.0, 3.0]
    signs = np.array([-1, 1, 1])
    cases = [
        ("regions of equal size", [sound, wrong], [5, 5], signs),
        ("regions of different size", [sound, wrong], [9, 1], signs),
        ("a coefficient of zero", [sound, zero], [3, 1], signs),
        ("a predictor without an expected sign", [sound, wrong], [3, 1], np.array([-1, 0, 1])),
        ("faults in different predictors", [[1.0, 2.0, 3.0], wrong], [3, 1], signs),
    ]
    for what, coef, counts, expected in cases:
        _compare_audit(answer, np.array(coef), np.array(counts), expected, f"with {what}")
    rng = student_generator(2)
    for _ in range(20):
        coef = np.round(rng.normal(0.8, 1.0, size=(9, 4)))
        counts = rng.integers(1, 60, size=9)
        expected = np.append(rng.integers(-1, 2, size=3), 1)
        _compare_audit(answer, coef, counts, expected, "in a random case")
    return "Both numbers are right in 25 tables, with zeros, weights and free signs."


def _compare_audit(
    answer: Callable[..., Any],
    coef: np.ndarray,
    counts: np.ndarray,
    expected: np.ndarray,
    where: str,
) -> None:
    checked = [j for j, sign in enumerate(expected) if sign]
    right = np.array([[row[j] * expected[j] > 0 for j in checked] for row in coef])
    shares = (right * counts[:, None]).sum(axis=0) / counts.sum()
    faultless = counts[right.all(axis=1)].sum() / counts.sum()
    what = "two things: the shares and the faultless share"
    found = expect_parts(answer(coef.copy(), counts.copy(), expected.copy()), 2, what)
    size = f"One share for each of the {len(checked)} predictors with an expected sign, {where},"
    each = expect_array(found[0], (len(checked),), size)
    assert_close(each, shares, f"The share of each predictor {where}", tolerance=1e-6)
    whole = expect_number(found[1], f"The faultless share {where}")
    assert_close(whole, faultless, f"The faultless share {where}", tolerance=1e-6)


@exercise(f"ex-{SLUG}-3")
def paired_share(answer: Callable[..., Any]) -> str:
    """Compare with a search over all pairings."""
    segments = np.repeat([0, 1, 2], [6, 3, 3])
    split = np.repeat([0, 0, 1, 1], [5, 4, 4, 0]), np.repeat([0, 1, 0], [5, 4, 4])
    cases = [
        ("equal groups", segments, segments),
        ("equal groups under other numbers", (segments + 1) % 3, segments),
        ("two regions of one segment", np.repeat([0, 1, 2], [4, 4, 4]), np.repeat([0, 1], [9, 3])),
        ("one region", np.zeros(12, dtype=int), segments),
        ("the largest cell in the way of two others", *split),
    ]
    rng = student_generator(4)
    cases += [
        ("random groups", rng.integers(0, n, size=90), rng.integers(0, 3, size=90))
        for n in (2, 3, 4, 4)
    ]
    for what, regions, segments in cases:
        found = expect_number(answer(regions.copy(), segments.copy()), f"The share with {what}")
        assert_close(found, _best(regions, segments), f"The share with {what}", tolerance=1e-6)
    return "The share is right in nine cases, with fewer and with more regions than segments."


def _best(regions: np.ndarray, segments: np.ndarray) -> float:
    """Try every pairing; a missing region or segment is an empty row or column."""
    size = 1 + max(regions.max(), segments.max())
    counts = np.zeros((size, size))
    np.add.at(counts, (regions, segments), 1)
    pairings = permutations(range(size))
    return max(sum(counts[i, j] for i, j in enumerate(p)) for p in pairings) / len(segments)
