"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import pearsonr, spearmanr


def _cascade(weights, fresh, explain, x, order, similar, keep=True):
    before, changed, found = explain(weights, x), list(weights), []
    for layer in order:
        changed = changed if keep else list(weights)
        changed[layer] = fresh[layer]
        found.append(similar(before, explain(changed, x)))
    return found


def _absolute(a, b):
    return spearmanr(np.abs(a), np.abs(b)).statistic


def from_the_bottom(weights, fresh, explain, x):
    return _cascade(weights, fresh, explain, x, range(len(weights)), _absolute)


def one_layer_at_a_time(weights, fresh, explain, x):
    order = range(len(weights))[::-1]
    return _cascade(weights, fresh, explain, x, order, _absolute, keep=False)


def signed_maps(weights, fresh, explain, x):
    order = range(len(weights))[::-1]
    return _cascade(weights, fresh, explain, x, order, lambda a, b: spearmanr(a, b).statistic)


def absolute_correlation(weights, fresh, explain, x):
    return np.abs(signed_maps(weights, fresh, explain, x))


def values_not_ranks(weights, fresh, explain, x):
    def similar(a, b):
        return pearsonr(np.abs(a), np.abs(b)).statistic

    return _cascade(weights, fresh, explain, x, range(len(weights))[::-1], similar)


def changes_before_it_looks(weights, fresh, explain, x):
    found = []
    for layer in reversed(range(len(weights))):
        weights[layer] = fresh[layer]
        found.append(_absolute(explain(weights, x), explain(weights, x)))
    return found


def backwards(weights, fresh, explain, x):
    return _cascade(weights, fresh, explain, x, range(len(weights))[::-1], _absolute)[::-1]


def bias_the_other_way():
    return -2, [2, -1], [2, 0], [2, 0]


def first_programs_input():
    return 0, [2, -1], [4, -1], [2, 0]


def first_programs_path():
    return 0, [2, -1], [2, 0], [8 / 3, -2 / 3]


def moved_gradient():
    return 0, [1, -2], [1, 0], [1, 0]


def _distance(W, b, x, norm):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.abs(W @ x + b) / np.linalg.norm(W, norm, axis=1)


def same_norm(W, b, x, norm):
    return np.min(_distance(W, b, x, norm), initial=np.inf)


def always_norm_two(W, b, x, norm):
    return np.min(_distance(W, b, x, 2), initial=np.inf)


def neurons_without_weights(W, b, x, norm):
    distance = _distance(W, b, x, {1: np.inf, 2: 2, np.inf: 1}[norm])
    return float(np.min(np.where(np.isinf(distance), np.nan, distance)))


def signed_distance(W, b, x, norm):
    size = np.linalg.norm(W, {1: np.inf, 2: 2, np.inf: 1}[norm], axis=1)
    return np.min((W @ x + b)[size > 0] / size[size > 0], initial=np.inf)


def zero_if_none(W, b, x, norm):
    size = np.linalg.norm(W, {1: np.inf, 2: 2, np.inf: 1}[norm], axis=1)
    distance = np.abs(W @ x + b)[size > 0] / size[size > 0]
    return min(distance, default=0.0)


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-sanity-checks-1": [
        (from_the_bottom, "begins at the top"),
        (one_layer_at_a_time, "stay random"),
        (signed_maps, "before you rank"),
        (absolute_correlation, "not of the correlation"),
        (values_not_ranks, "Rank them first"),
        (changes_before_it_looks, "change a copy"),
        (backwards, "the last layer comes first"),
    ],
    "ex-sanity-checks-2": [
        (bias_the_other_way, "is added to the old bias"),
        (first_programs_input, "sees the input x'"),
        (first_programs_path, "when is that positive"),
        (moved_gradient, "no shift can change"),
    ],
    "ex-sanity-checks-3": [
        (same_norm, "the dual norm"),
        (always_norm_two, "norm 2"),
        (neurons_without_weights, "without weights"),
        (signed_distance, "off counts too"),
        (zero_if_none, "it is infinite"),
    ],
}
