"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd


def ignores_weights(points, weights, pairs):
    return min(pairs, key=lambda p: np.linalg.norm(points[p[0]] - points[p[1]]))


def any_pair(points, weights, pairs):
    n = len(points)
    every = [(i, j) for i in range(n) for j in range(i + 1, n)]
    return ignores_weights(points, weights, every)


def the_distance(points, weights, pairs):
    return min(np.linalg.norm(points[i] - points[j]) for i, j in pairs)


def farthest(points, weights, pairs):
    return max(pairs, key=lambda p: np.linalg.norm(points[p[0]] - points[p[1]]))


def least_loss(ks, losses):
    return ks[np.mean(losses, axis=0).argmin()]


def own_error(ks, losses):
    mean = losses.mean(axis=0)
    low = mean - losses.std(axis=0, ddof=1) / np.sqrt(len(losses))
    return np.asarray(ks)[low <= mean.min()].min()


def standard_deviation(ks, losses):
    mean = losses.mean(axis=0)
    limit = mean.min() + losses.std(axis=0, ddof=1)[mean.argmin()]
    return np.asarray(ks)[mean <= limit].min()


def all_good(ks, losses):
    mean = losses.mean(axis=0)
    limit = mean.min() + losses.std(axis=0, ddof=1)[mean.argmin()] / np.sqrt(len(losses))
    return np.asarray(ks)[mean <= limit]


def divides_by_n(ks, losses):
    mean = losses.mean(axis=0)
    limit = mean.min() + losses.std(axis=0)[mean.argmin()] / np.sqrt(len(losses))
    return np.asarray(ks)[mean <= limit].min()


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


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-unwrapping-merging-1": [
        (lambda: "AB", "Move the origin"),
        (lambda: "AE", "not neighbours"),
        (lambda: "DE", "should be 'BC', got 'DE'"),
        (lambda: 1.41, "Return two letters"),
    ],
    "ex-unwrapping-merging-2": [
        (ignores_weights, "the last region is light should be (1, 2), got (0, 1)"),
        (any_pair, "not in the list of neighbours"),
        (the_distance, "Return one pair"),
        (farthest, "all weights are one should be (0, 1)"),
    ],
    "ex-unwrapping-merging-3": [
        (least_loss, "Is a smaller K as good?"),
        (own_error, "should be 2, got 1"),
        (standard_deviation, "should be 2, got 1"),
        (all_good, "should be one number"),
        (divides_by_n, "should be 2, got 3"),
    ],
    "ex-unwrapping-merging-4": [
        (swapped, "wrong way round"),
        (purity_only, "should have shape (3, 2), got (3,)"),
        (recall_of_own_number, "Purity and recall of three clusters"),
    ],
}
