"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np


def no_gate(W, b, V, c, x):
    return V @ W, V @ b + c


def strict_gate(W, b, V, c, x):
    gated = V * (W @ x + b > 0)
    return gated @ W, gated @ b + c


def transposed(W, b, V, c, x):
    gated = V * (W @ x + b >= 0)
    return (gated @ W).T, gated @ b + c


def forgets_output_bias(W, b, V, c, x):
    gated = V * (W @ x + b >= 0)
    return gated @ W, gated @ b


def coefficients_only(W, b, V, c, x):
    return (V * (W @ x + b >= 0)) @ W


def share_unseen(train, test, sizes):
    return [np.mean([not (row == train[:k]).all(axis=1).any() for row in test]) for k in sizes]


def share_of_different_patterns(train, test, sizes):
    new = np.unique(test, axis=0)
    return [np.mean([(row == train[:k]).all(axis=1).any() for row in new]) for k in sizes]


def neuron_by_neuron(train, test, sizes):
    return [np.mean([(row == train[:k]).any(axis=0).all() for row in test]) for k in sizes]


def forgets_the_sizes(train, test, sizes):
    return [np.mean([(row == train).all(axis=1).any() for row in test]) for _ in sizes]


def one_share(train, test, sizes):
    return np.mean([(row == train).all(axis=1).any() for row in test])


def borders(W, b, x, d):
    with np.errstate(divide="ignore", invalid="ignore"):
        t = -(W @ x + b) / (W @ d)
    return t[np.isfinite(t)]


def last_border(W, b, x, d):
    t = borders(W, b, x, d)
    return t[t > 0].max() if (t > 0).any() else np.inf


def nearest_in_both_directions(W, b, x, d):
    t = borders(W, b, x, d)
    return np.abs(t).min() if len(t) else np.inf


def never_infinite(W, b, x, d):
    t = borders(W, b, x, d)
    return t[t > 0].min() if (t > 0).any() else 0.0


def positive_share(coefs):
    return (coefs > 0).mean(axis=0)


def zeros_agree(coefs):
    return np.maximum((coefs >= 0).mean(axis=0), (coefs <= 0).mean(axis=0))


def one_number(coefs):
    return np.abs(np.sign(coefs).mean())


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-local-linear-models-1": [
        (lambda: 22, "biases of -0.3"),
        (lambda: 1, "should be 4, got 1"),
        (lambda: "four", "should be 4, got 'four'"),
    ],
    "ex-local-linear-models-2": [
        (no_gate, "coefficients: "),
        (strict_gate, "where z = 0"),
        (transposed, "should have shape"),
        (forgets_output_bias, "The intercept: 1 of 1 value(s) differ"),
        (coefficients_only, "Return two things"),
    ],
    "ex-local-linear-models-3": [
        (share_unseen, "*not* covered"),
        (share_of_different_patterns, "count rows"),
        (neuron_by_neuron, "expected 0.8"),
        (forgets_the_sizes, "index (0,): got 0.8, expected 0.2"),
        (one_share, "should have shape (3,), got ()"),
    ],
    "ex-local-linear-models-4": [
        (last_border, "already switched"),
        (nearest_in_both_directions, "No neuron switches"),
        (never_infinite, "where no neuron ever switches"),
    ],
    "ex-local-linear-models-5": [
        (positive_share, "4 networks and 3 features"),
        (zeros_agree, "expected 0.25"),
        (one_number, "should have shape (3,), got ()"),
    ],
}
