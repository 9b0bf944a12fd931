"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
from sklearn.linear_model import LinearRegression, Ridge


def narrow_and_wide_exchanged():
    return 1.5, 0.5, 5, 4, -6


def words_exchanged():
    return 4, 5, 1.5, 0.5, -6


def adds_to_nothing():
    return -2, -3, 1.5, 0.5, -6


def wide_is_one_context():
    return 5, 4, -2, -3, -6


def asks_the_network():
    return 5, 4, 1.5, 0.5, 1


def _near(masks, width):
    return np.exp(-((1 - np.sqrt(masks.mean(axis=1))) ** 2) / (2 * width**2))


def _fit(ask, masks, near, alpha=1.0):
    line = Ridge(alpha=alpha).fit(masks, ask(masks), near)
    return line.coef_, line.intercept_


def constant(ask, masks, width):
    return np.zeros(masks.shape[1]), 0.0


def without_a_kernel(ask, masks, width):
    return _fit(ask, masks, None)


def without_the_two(ask, masks, width):
    return _fit(ask, masks, _near(masks, width / 2**0.5))


def without_the_root(ask, masks, width):
    return _fit(ask, masks, np.exp(-((1 - masks.mean(axis=1)) ** 2) / (2 * width**2)))


def without_a_price(ask, masks, width):
    line = LinearRegression().fit(masks[:, :], ask(masks), _near(masks, width))
    return line.coef_, line.intercept_


def always_the_default_width(ask, masks, width):
    return _fit(ask, masks, _near(masks, 0.25))


def priced_intercept(ask, masks, width):
    near, columns = _near(masks, width), np.column_stack([masks, np.ones(len(masks))])
    left = columns.T @ (near[:, None] * columns) + np.eye(columns.shape[1])
    both = np.linalg.solve(left, columns.T @ (near * ask(masks)))
    return both[:-1], both[-1]


def all_masks(ask, masks, width):
    m = masks.shape[1]
    every = (np.arange(2**m - 1, -1, -1)[:, None] >> np.arange(m) & 1).astype(float)
    return _fit(ask, every, _near(every, width))


def weights_only(ask, masks, width):
    return _fit(ask, masks, _near(masks, width))[0]


def _worth(W):
    return np.sqrt(np.abs(W).sum(axis=0))


def first_rows(W, budget):
    return list(range(budget))


def best_alone(W, budget):
    return np.argsort(-((W != 0) @ _worth(W)), kind="stable")[:budget]


def largest_weights(W, budget):
    return np.argsort(-np.abs(W).sum(axis=1), kind="stable")[:budget]


def _greedy(used, worth, budget):
    left, chosen = worth.copy(), []
    for _ in range(budget):
        gain = used @ left
        gain[chosen] = -1
        chosen.append(int(gain.argmax()))
        left[used[chosen[-1]]] = 0
    return chosen


def every_feature_alike(W, budget):
    return _greedy(W != 0, np.ones(W.shape[1]), budget)


def without_root(W, budget):
    return _greedy(W != 0, np.abs(W).sum(axis=0), budget)


def signs_cancel(W, budget):
    return _greedy(W != 0, np.sqrt(np.abs(W.sum(axis=0))), budget)


def takes_a_row_twice(W, budget):
    return [int(((W != 0) @ _worth(W)).argmax())] * budget


def best_of_all_sets(W, budget):
    sets = [
        (_worth(W)[(W[list(rows)] != 0).any(axis=0)].sum(), rows)
        for _, rows in zip(range(5000), combinations(range(len(W)), budget), strict=False)
    ]
    return sorted(max(sets)[1])


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-lime-1": [
        (narrow_and_wide_exchanged, "Narrow and wide are exchanged"),
        (words_exchanged, "leaves the second one"),
        (adds_to_nothing, "adds to nothing"),
        (wide_is_one_context, "The wide weights"),
        (asks_the_network, "What does the narrow line say there"),
    ],
    "ex-lime-2": [
        (constant, "The weights of 5 parts"),
        (without_a_kernel, "Weigh them by the kernel"),
        (without_the_two, "The 2 below the fraction"),
        (without_the_root, "root of the share"),
        (without_a_price, "no price"),
        (priced_intercept, "The intercept costs nothing"),
        (always_the_default_width, "The weights of 12 parts"),
        (all_masks, "The weights of 5 parts"),
        (weights_only, "two things"),
    ],
    "ex-lime-3": [
        (first_rows, "The rows of a table with 8 rows"),
        (best_alone, "not covered yet"),
        (largest_weights, "which features are mentioned"),
        (every_feature_alike, "worth the same"),
        (without_root, "Take the root"),
        (signs_cancel, "cancel"),
        (takes_a_row_twice, "taken twice"),
        (best_of_all_sets, "The rows of a table with 8 rows"),
    ],
}
