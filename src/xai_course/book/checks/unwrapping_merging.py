"""Checks of the chapter *unwrapping-merging*."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.expect import (
    assert_close,
    assert_equal,
    close_to,
    expect_array,
    expect_number,
    shown,
)

SLUG = "unwrapping-merging"


@exercise(f"ex-{SLUG}-1")
def first_pair(answer: Callable[[], str]) -> str:
    """Compare with the distances of the shifted models."""
    slopes, intercepts = np.array([0, 1, 2, -3, 0]), np.array([0, -1, -3, 12, 0])
    points = np.column_stack([intercepts + 3 * slopes, slopes])
    nearest = int(np.linalg.norm(np.diff(points, axis=0), axis=1).argmin())
    expected = "ABCDE"[nearest : nearest + 2]
    found = answer()
    if not isinstance(found, str | tuple | list | np.ndarray):
        raise CheckFailed(f"Return two letters, such as 'AB'; got {found!r}.")
    letters = "".join(sorted("".join(map(str, found)).upper()))
    if letters == "AB":
        raise CheckFailed("AB is first where x is measured from 0. Move the origin to 3.")
    if letters == "AE":
        raise CheckFailed("A and E have equal models, but they are not neighbours.")
    assert_equal(letters, expected, "The pair")
    return "The pair is right: the origin decides who merges first."


@exercise(f"ex-{SLUG}-2")
def first_weighted_pair(answer: Callable[..., Any]) -> str:
    """Compare with cases where weights, neighbours or the root decide, then with random ones."""
    line = np.array([[0.0], [1.0], [3.0]])
    chain = [(0, 1), (1, 2)]
    same = np.array([[0.0], [2.0], [0.0]])
    _compare_pairs(answer, same, np.array([1, 1, 2]), chain, "where equal models are far apart")
    _compare_pairs(answer, line, np.ones(3), chain, "where all weights are one")
    _compare_pairs(answer, line, np.array([90, 90, 1]), chain, "where the last region is light")
    rng = np.random.default_rng(2)
    for _ in range(20):
        points, weights = rng.normal(size=(6, 3)), rng.integers(1, 60, size=6)
        pairs = [(i, i + 1) for i in range(5)] + [(0, 3)]
        _compare_pairs(answer, points, weights, pairs, "in a random case")
    return "The pair is right in 23 cases, also where the weights decide."


def _compare_pairs(
    answer: Callable[..., Any],
    points: np.ndarray,
    weights: np.ndarray,
    pairs: list[tuple[int, int]],
    where: str,
) -> None:
    gaps = points[:, None] - points[None]
    distances = [
        2 * weights[i] * weights[j] / (weights[i] + weights[j]) * np.sum(gaps[i, j] ** 2)
        for i, j in pairs
    ]
    expected = pairs[int(np.argmin(distances))]
    found = expect_array(answer(points, weights, pairs), (2,), "one pair (i, j)")
    if tuple(found) not in pairs:
        raise CheckFailed(f"{shown(found)} is not in the list of neighbours {where}.")
    assert_equal(tuple(found.astype(int)), expected, f"The pair {where}")


@exercise(f"ex-{SLUG}-3")
def smallest_good_k(answer: Callable[..., Any]) -> str:
    """Compare on tables where each slip chooses another K."""
    folds = np.array([[-1.0, 0.0, 1.0]]).T
    mean, spread = np.array([1.9, 1.55, 1.2, 1.0]), np.array([9.0, 0.1, 0.1, 1.0])
    losses = mean + folds * spread  # standard error of the best: 1 / sqrt(3) = 0.577
    _compare_k(answer, [1, 2, 3, 4], losses, 2, "Ks in order")
    _compare_k(answer, [4, 3, 2, 1], losses[:, ::-1], 2, "Ks in falling order")
    _compare_k(answer, [1, 2, 3, 4], mean + folds * [0.1, 0.1, 0.1, 0.4], 3, "a small error")
    first = np.array([1.0, 1.02]) + folds * [0.1, 0.1]
    _compare_k(answer, [5, 7], first, 5, "a first K that is best")
    edge = np.array([1.54, 1.0]) + folds * np.array([0.1, 1.0])
    _compare_k(answer, [1, 2], edge, 1, "the standard deviation over folds less one")
    return "The rule chooses right in five tables."


def _compare_k(
    answer: Callable[..., Any], ks: list[int], losses: np.ndarray, expected: int, what: str
) -> None:
    found = expect_number(answer(ks, losses), f"The K with {what}")
    best = ks[int(losses.mean(axis=0).argmin())]
    if found == best != expected:
        raise CheckFailed(f"With {what}, {found} has the least loss. Is a smaller K as good?")
    assert_equal(found, expected, f"The K with {what}")


@exercise(f"ex-{SLUG}-4")
def purity_and_recall(answer: Callable[..., Any]) -> str:
    """Compare with a table counted by hand, then with random labels."""
    clusters = np.array([0, 0, 0, 0, 1, 1, 2])
    segments = np.array([0, 0, 0, 1, 1, 1, 0])
    expected = np.array([[3 / 4, 3 / 4], [1, 2 / 3], [1, 1 / 4]])
    found = answer(clusters, segments)
    if close_to(found, expected[:, ::-1]):
        raise CheckFailed("The columns are the wrong way round: purity first, then recall.")
    assert_close(found, expected, "Purity and recall of three clusters")
    rng = np.random.default_rng(4)
    clusters, segments = rng.integers(0, 4, size=300), rng.integers(0, 3, size=300)
    expected = []
    for k in range(4):
        counts = np.bincount(segments[clusters == k], minlength=3)
        best = counts.argmax()
        expected.append([counts[best] / counts.sum(), counts[best] / np.sum(segments == best)])
    assert_close(answer(clusters, segments), expected, "Purity and recall of 300 random rows")
    return "Purity and recall are right, also where two clusters share a segment."
