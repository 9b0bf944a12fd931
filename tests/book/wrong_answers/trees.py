"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.spatial import cKDTree


def four_patterns():
    return 4, 6, 3


def always_asks():
    return 3, 6, 3


def forgets_the_merge():
    return 3, 5, 5


def forgets_the_middle():
    return 3, 4, 3


def _question(network, states, *, on=None, biases=True, layers=None):
    W, b = np.eye(network.n_features), np.zeros(network.n_features)
    for weight, bias in list(zip(network.weights, network.biases, strict=True))[:layers]:
        W, b = weight @ W, weight @ b + (bias if biases else 0)
        if len(states) < len(b):
            return W[len(states)], b[len(states)]
        gate, states = np.asarray(states[: len(b)]), states[len(b) :]
        gate = gate if on is None else on(gate)
        W, b = W * gate[:, None], b * gate
    return W[0], b[0]


def all_on(network, states):
    return _question(network, states, on=np.ones_like)


def on_is_off(network, states):
    return _question(network, states, on=lambda gate: 1 - gate)


def no_biases(network, states):
    return _question(network, states, biases=False)


def always_the_first(network, states):
    return network.weights[0][0], network.biases[0][0]


def one_hidden_layer_only(network, states):
    return _question(network, states, layers=2)


def w_only(network, states):
    return _question(network, states)[0]


def _near(X, n, rng, scale, k=2, statistic=np.median):
    tree = cKDTree(X / scale)
    typical = statistic(tree.query(tree.data, k=k)[0][:, k - 1] if k > 1 else np.inf)
    kept = np.empty((0, X.shape[1]))
    while len(kept) < n:
        new = rng.uniform(X.min(axis=0), X.max(axis=0), (10 * n, X.shape[1]))
        kept = np.concatenate([kept, new[tree.query(new / scale)[0] <= typical]])
    return kept[:n]


def the_rows_again(X, n, rng):
    return X[rng.integers(len(X), size=n)]


def the_whole_box(X, n, rng):
    return rng.uniform(X.min(axis=0), X.max(axis=0), (n, X.shape[1]))


def forgets_the_units(X, n, rng):
    return _near(X, n, rng, np.ones(X.shape[1]))


def takes_the_largest_distance(X, n, rng):
    return _near(X, n, rng, X.std(axis=0), statistic=np.max)


def steps_from_a_row(X, n, rng):
    scale = X.std(axis=0)
    tree = cKDTree(X / scale)
    typical = np.median(tree.query(tree.data, k=2)[0][:, 1])
    way = rng.normal(size=(n, X.shape[1]))
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    length = typical * rng.uniform(size=n) ** (1 / X.shape[1])
    new = X[rng.integers(len(X), size=n)] + way * length[:, None] * scale
    return np.clip(new, X.min(axis=0), X.max(axis=0))


def in_standard_deviations(X, n, rng):
    return _near(X, n, rng, X.std(axis=0)) / X.std(axis=0)


def too_few(X, n, rng):
    return _near(X, n, rng, X.std(axis=0))[: n // 2]


def one_point(X, n, rng):
    return np.repeat(_near(X, 1, rng, X.std(axis=0)), n, axis=0)


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-trees-1": [
        (four_patterns, "on where the one before it is off"),
        (always_asks, "the sign is certain"),
        (forgets_the_merge, "The leaves of the smallest"),
        (forgets_the_middle, "The number of leaves"),
    ],
    "ex-trees-2": [
        (all_on, "taken to be on"),
        (on_is_off, "on and off are exchanged"),
        (no_biases, "the biases below are missing"),
        (always_the_first, ", w"),
        (one_hidden_layer_only, ", w"),
        (w_only, "two things, the vector w and the number c"),
    ],
    "ex-trees-3": [
        (the_rows_again, "the rows themselves"),
        (the_whole_box, "farther from their nearest row"),
        (forgets_the_units, "farther from their nearest row"),
        (takes_the_largest_distance, "farther from their nearest row"),
        (steps_from_a_row, "follow"),
        (in_standard_deviations, "standard deviation"),
        (too_few, "600 points with 2 features"),
        (one_point, "occur twice"),
    ],
}
