"""Checks of the chapter *unwrapping-merging*."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator
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
def merge_once(answer: Callable[..., Any]) -> str:
    """Compare with cases where links, sizes and means decide, then with random ones."""
    toy = np.array([[0, 0], [-1, 1], [-3, 2], [12, -3], [0, 0.0]])
    chain = np.abs(np.subtract.outer(np.arange(5), np.arange(5))) == 1
    _compare_merge(answer, toy, np.arange(5), chain, "With the toy's five regions alone")
    _compare_merge(answer, toy, np.array([0, 0, 2, 3, 4]), chain, "After A and B of the toy")
    _compare_merge(answer, toy, np.array([7, 7, 7, 3, 4]), chain, "After A, B and C of the toy")
    # By Ward's rule six regions at 0 and six at 1 are farther apart than one at 9, one at 10.3.
    sizes = np.r_[np.zeros(6), np.ones(6), 9, 10.3][:, None]
    groups = np.r_[np.zeros(6), np.ones(6), 2, 3].astype(int)
    every = ~np.eye(14, dtype=bool)
    _compare_merge(answer, sizes, groups, every, "Where two groups are large")
    # One group is wide: its mean is near the third region, and none of its members is.
    wide = np.array([[-5.0], [5.0], [0.5], [6.5]])
    _compare_merge(answer, wide, np.array([0, 0, 1, 2]), every[:4, :4], "Where a group is wide")
    rng = student_generator(1)
    for _ in range(12):
        n = int(rng.integers(6, 12))
        links = rng.random((n, n)) < 0.3
        links |= links.T | (np.abs(np.subtract.outer(np.arange(n), np.arange(n))) == 1)
        labels = rng.integers(0, n - 2, size=n) + 10
        labels[:3] = 10, 11, 12
        points = rng.normal(size=(n, 3)).round(3)
        _compare_merge(answer, points, labels, links & every[:n, :n], "In a random case")
    return "One merge is right in 17 cases, whatever the labels are called."


def _compare_merge(
    answer: Callable[..., Any],
    points: np.ndarray,
    labels: np.ndarray,
    links: np.ndarray,
    where: str,
) -> None:
    names = np.unique(labels)
    members = [labels == name for name in names]
    linked = [
        (i, j)
        for i in range(len(names))
        for j in range(i + 1, len(names))
        if links[np.ix_(members[i], members[j])].any()
    ]
    means = np.array([points[own].mean(axis=0) for own in members])
    sizes = np.array([own.sum() for own in members])
    added = [
        sizes[i] * sizes[j] / (sizes[i] + sizes[j]) * np.sum((means[i] - means[j]) ** 2)
        for i, j in linked
    ]
    first, second = linked[int(np.argmin(added))]
    found = expect_array(
        answer(points.copy(), labels.copy(), links.copy()),
        (len(labels),),
        f"a label for each of {len(labels)} regions",
    )
    expected = np.where(labels == names[second], names[first], labels)
    if len(np.unique(found)) == len(names):
        raise CheckFailed(f"{where}: no two groups have merged.")
    if (found[:, None] == found)[labels[:, None] == labels].all():
        n_left = len(np.unique(found))
        if n_left < len(names) - 1:
            raise CheckFailed(f"{where}: {n_left} group(s) left; merge two groups, and no more.")
        pair = _merged(found, members)
        if pair not in linked:
            raise CheckFailed(f"{where}: two groups merged that have no link.")
    else:
        raise CheckFailed(f"{where}: a group was torn apart: all its regions must stay together.")
    if not np.array_equal(found[:, None] == found, expected[:, None] == expected):
        raise CheckFailed(
            f"{where}: the groups {shown(names[list(pair)])} merged, and "
            f"{shown(names[[first, second]])} are nearer by Ward's rule."
        )


def _merged(found: np.ndarray, members: list[np.ndarray]) -> tuple[int, int]:
    """Return which two groups have one label."""
    labels = [found[own][0] for own in members]
    return next(
        (i, j)
        for i in range(len(labels))
        for j in range(i + 1, len(labels))
        if labels[i] == labels[j]
    )


@exercise(f"ex-{SLUG}-2")
def smallest_good_k(answer: Callable[..., Any]) -> str:
    """Compare on tables where each slip chooses another K."""
    folds = np.array([[-1.0, 0.0, 1.0]]).T
    hard = 2 * folds  # a fold that is hard for one K is hard for all
    mean, spread = np.array([1.9, 1.55, 1.2, 1.0]), np.array([0.3, 0.1, 0.5, 0.0])
    losses = mean + hard + folds * spread  # standard errors of the differences: spread / sqrt(3)
    _compare_k(answer, [1, 2, 3, 4], losses, 3, "Ks in order")
    _compare_k(answer, [4, 3, 2, 1], losses[:, ::-1], 3, "Ks in falling order")
    _compare_k(answer, [1, 2, 3, 4], mean + hard, 4, "differences that never change")
    # With two folds that differ by twice the mean, the mean is exactly one standard error.
    edge = np.array([[1.0, 0.75, 1.0], [5.0, 3.5, 3.0]])
    _compare_k(answer, [1, 2, 3], edge, 1, "a difference of exactly one standard error")
    lone = np.array([1.0, 1.5]) + hard + folds * [0.0, 0.1]
    _compare_k(answer, [7, 5], lone, 7, "one good K alone")
    close = np.array([1.49, 1.0]) + hard + folds * [1.0, 0.0]
    _compare_k(answer, [1, 2], close, 1, "a difference inside its error")
    near = np.array([1.54, 1.0]) + hard + folds * [1.0, 0.0]
    _compare_k(answer, [1, 2], near, 1, "the standard deviation over folds less one")
    noisy = np.array([1.9, 1.0]) + hard + folds * [1.0, 0.0]
    _compare_k(answer, [1, 2], noisy, 2, "a difference of almost one standard deviation")
    rng, chosen, far = student_generator(2), np.array([True]), np.array([0.0])
    while far.min() < 0.02 or chosen.sum() in (1, 4):  # none is at the limit, nor all below it
        ks = rng.permutation(20)[:4] + 1
        losses = rng.uniform(1, 3, (5, 1)) + rng.normal([0.1, 0.2, 0.3, 0.4], 0.3, (5, 4))
        gaps = losses - losses[:, [losses.mean(axis=0).argmin()]]
        limit = gaps.std(axis=0, ddof=1) / 5**0.5
        chosen, far = gaps.mean(axis=0) <= limit, np.abs(gaps.mean(axis=0) - limit)[limit > 0]
    _compare_k(answer, ks.tolist(), losses, int(ks[chosen].min()), "five uneven folds")
    return "The rule chooses right in nine tables, also exactly at the limit."


def _compare_k(
    answer: Callable[..., Any], ks: list[int], losses: np.ndarray, expected: int, what: str
) -> None:
    found = expect_number(answer(list(ks), losses.copy()), f"The K with {what}")
    best = ks[int(losses.mean(axis=0).argmin())]
    if found == best != expected:
        raise CheckFailed(f"With {what}, {found} has the least loss. Is a smaller K as good?")
    assert_equal(found, expected, f"The K with {what}")


@exercise(f"ex-{SLUG}-3")
def purity_and_recall(answer: Callable[..., Any]) -> str:
    """Compare with a table counted by hand, then with random labels."""
    clusters = np.array([0, 0, 0, 0, 1, 1, 2])
    segments = np.array([0, 0, 0, 1, 1, 1, 0])
    expected = np.array([[3 / 4, 3 / 4], [1, 2 / 3], [1, 1 / 4]])
    found = answer(clusters, segments)
    if close_to(found, expected[:, ::-1]):
        raise CheckFailed("The columns are the wrong way round: purity first, then recall.")
    assert_close(found, expected, "Purity and recall of three clusters")
    rng = student_generator(4)
    clusters, segments = rng.integers(0, 4, size=300), rng.integers(0, 3, size=300)
    expected = []
    for k in range(4):
        counts = np.bincount(segments[clusters == k], minlength=3)
        best = counts.argmax()
        expected.append([counts[best] / counts.sum(), counts[best] / np.sum(segments == best)])
    assert_close(answer(clusters, segments), expected, "Purity and recall of 300 random rows")
    return "Purity and recall are right, also where two clusters share a segment."
