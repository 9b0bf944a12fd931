"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from sklearn.cluster import AgglomerativeClustering


def _merge(points, labels, links, distance, linked=None):
    """Merge the two groups with the least distance."""
    points, labels, links = np.asarray(points), np.asarray(labels), np.asarray(links)
    linked = linked or (lambda left, right: links[np.ix_(left, right)].any())
    least, nearest = np.inf, None
    for a, b in combinations(np.unique(labels), 2):
        left, right = labels == a, labels == b
        if linked(left, right) and distance(points[left], points[right]) < least:
            least, nearest = distance(points[left], points[right]), (a, b)
    return np.where(labels == nearest[1], nearest[0], labels) if nearest else labels


def _of_means(left, right):
    return np.linalg.norm(left.mean(axis=0) - right.mean(axis=0))


def _ward(left, right):
    n, m = len(left), len(right)
    return np.sqrt(n * m / (n + m)) * _of_means(left, right)


def merges_anywhere(points, labels, links):
    return _merge(points, labels, links, _ward, lambda left, right: True)


def forgets_the_sizes(points, labels, links):
    return _merge(points, labels, links, _of_means)


def nearest_members(points, labels, links):
    return _merge(points, labels, links, lambda a, b: np.linalg.norm(a[:, None] - b, axis=2).min())


def average_linkage(points, labels, links):
    return _merge(points, labels, links, lambda a, b: np.linalg.norm(a[:, None] - b, axis=2).mean())


def only_first_members_are_linked(points, labels, links):
    return _merge(points, labels, links, _ward, lambda a, b: links[a.argmax(), b.argmax()])


def moves_one_region(points, labels, links):
    pairs = [
        (np.linalg.norm(points[i] - points[j]), i, j)
        for i, j in combinations(range(len(points)), 2)
        if links[i, j] and labels[i] != labels[j]
    ]
    _, i, j = min(pairs)
    return np.where(np.arange(len(labels)) == j, labels[i], labels)


def from_the_start(points, labels, links):
    n = len(np.unique(labels)) - 1
    return AgglomerativeClustering(n, connectivity=np.asarray(links)).fit_predict(points)


def until_one_is_left(points, labels, links):
    return np.zeros(len(labels), dtype=int)


def changes_nothing(points, labels, links):
    return labels


def the_pair(points, labels, links):
    return 0, 1


def least_loss(ks, losses):
    return ks[np.mean(losses, axis=0).argmin()]


def _rule(ks, losses, inside):
    losses = np.asarray(losses)
    gaps = losses - losses[:, [losses.mean(axis=0).argmin()]]
    return np.asarray(ks)[inside(gaps, losses)].min()


def _error(table, ddof=1):
    return table.std(axis=0, ddof=ddof) / np.sqrt(len(table))


def error_of_one_mean(ks, losses):
    best = np.mean(losses, axis=0).argmin()
    return _rule(ks, losses, lambda gaps, all_: gaps.mean(axis=0) <= _error(all_)[best])


def own_error(ks, losses):
    return _rule(ks, losses, lambda gaps, all_: gaps.mean(axis=0) <= _error(all_))


def below_only(ks, losses):
    good = _rule(ks, losses, lambda g, _: (g.mean(axis=0) < _error(g)) | (g == 0).all(axis=0))
    best = least_loss(ks, losses)
    return good if good != best else best


def standard_deviation(ks, losses):
    return _rule(ks, losses, lambda g, _: g.mean(axis=0) <= g.std(axis=0, ddof=1))


def divides_by_n(ks, losses):
    return _rule(ks, losses, lambda g, _: g.mean(axis=0) <= _error(g, ddof=0))


def all_good(ks, losses):
    gaps = losses - losses[:, [losses.mean(axis=0).argmin()]]
    return np.asarray(ks)[gaps.mean(axis=0) <= _error(gaps)]


def the_first_good(ks, losses):
    gaps = losses - losses[:, [losses.mean(axis=0).argmin()]]
    return np.asarray(ks)[gaps.mean(axis=0) <= _error(gaps)][0]


def smallest_k(ks, losses):
    return min(ks)


def swapped(clusters, segments):
    counts = pd.crosstab(clusters, segments).to_numpy()
    best = counts.argmax(axis=1)
    hits = counts.max(axis=1)
    return np.column_stack([hits / counts.sum(axis=0)[best], hits / counts.sum(axis=1)])


def purity_only(clusters, segments):
    counts = pd.crosstab(clusters, segments).to_numpy()
    return counts.max(axis=1) / counts.sum(axis=1)


def recall_of_own_number(clusters, segments):
    counts = pd.crosstab(clusters, segments).to_numpy()
    hits = counts.max(axis=1)
    return np.column_stack([hits / counts.sum(axis=1), hits / len(clusters)])


def no_groups(clusters, segments):
    return np.ones((len(np.unique(clusters)), 2))


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-unwrapping-merging-1": [
        (merges_anywhere, "two groups merged that have no link"),
        (forgets_the_sizes, "are nearer by Ward's rule"),
        (nearest_members, "are nearer by Ward's rule"),
        (average_linkage, "are nearer by Ward's rule"),
        (only_first_members_are_linked, "[0, 2] are nearer by Ward's rule"),
        (moves_one_region, "no two groups have merged"),
        (from_the_start, "torn apart"),
        (until_one_is_left, "merge two groups, and no more"),
        (changes_nothing, "no two groups have merged"),
        (the_pair, "a label for each of 5 regions"),
    ],
    "ex-unwrapping-merging-2": [
        (least_loss, "Is a smaller K as good?"),
        (error_of_one_mean, "should be 3, got 1"),
        (own_error, "should be 3, got 1"),
        (below_only, "exactly one standard error should be 1, got 2"),
        (standard_deviation, "should be 2, got 1"),
        (divides_by_n, "should be 1, got 2"),
        (all_good, "should be one number"),
        (the_first_good, "Ks in falling order"),
        (smallest_k, "should be 3, got 1"),
    ],
    "ex-unwrapping-merging-3": [
        (swapped, "wrong way round"),
        (purity_only, "should have shape (3, 2), got (3,)"),
        (recall_of_own_number, "Purity and recall of three clusters"),
        (no_groups, "Purity and recall of three clusters"),
    ],
}
