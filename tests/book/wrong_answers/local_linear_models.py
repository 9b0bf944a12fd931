"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from xai_course.networks import PiecewiseLinearNetwork


def _loop(pattern, weights, biases, gate_coef=True, gate_intercept=True):
    coef, intercept = weights[0], biases[0]
    for on, W, b in zip(pattern, weights[1:], biases[1:], strict=True):
        coef = W @ (on[:, None] * coef if gate_coef else coef)
        intercept = W @ (on * intercept if gate_intercept else intercept) + b
    return coef, intercept


def no_gate(pattern, weights, biases):
    return _loop(pattern, weights, biases, gate_coef=False, gate_intercept=False)


def every_bias_counts(pattern, weights, biases):
    return _loop(pattern, weights, biases, gate_intercept=False)


def last_bias_only(pattern, weights, biases):
    return _loop(pattern, weights, biases)[0], biases[-1]


def forgets_output_bias(pattern, weights, biases):
    coef, intercept = _loop(pattern, weights, biases)
    return coef, intercept - biases[-1]


def transposed(pattern, weights, biases):
    coef, intercept = _loop(pattern, weights, biases)
    return coef.T, intercept


def coefficients_only(pattern, weights, biases):
    return _loop(pattern, weights, biases)[0]


def one_hidden_layer_only(pattern, weights, biases):
    gated = weights[1] * pattern[0]
    return gated @ weights[0], gated @ biases[0] + biases[1]


def by_the_library(pattern, weights, biases):
    network = PiecewiseLinearNetwork(weights, biases)
    coef, intercept = network.local_linear_models(np.concatenate(pattern)[None].astype(int))
    return coef[0], intercept[0]


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


def one_step(W, b, x, d):
    return 1.0


def small_steps(W, b, x, d):
    for t in np.arange(0.01, 10, 0.01):
        if ((W @ (x + t * d) + b >= 0) != (W @ x + b >= 0)).any():
            return t
    return np.inf


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-local-linear-models-1": [
        (lambda: (11, 5, 5, 1, 4), "all biases at -0.3"),
        (lambda: (4, 4, 4, 1, 1), "each crossing adds"),
        (lambda: (7, 4, 4, 0, 1), "The number of regions with both off"),
        (lambda: (7, 4, 4, 1, 4), "The number of trivial patterns"),
        (lambda: 16, "Return five integers"),
    ],
    "ex-local-linear-models-2": [
        (no_gate, "without the pattern"),
        (every_bias_counts, "The intercept with 1 hidden layer(s)"),
        (last_bias_only, "Only the last bias"),
        (forgets_output_bias, "The intercept with 1 hidden layer(s)"),
        (transposed, "should have shape"),
        (coefficients_only, "Return two things"),
        (one_hidden_layer_only, "with 2 hidden layer(s)"),
        (by_the_library, "Do not call the library"),
    ],
    "ex-local-linear-models-3": [
        (last_border, "already switched"),
        (nearest_in_both_directions, "No neuron switches"),
        (never_infinite, "where no neuron ever switches"),
        (one_step, "where no neuron ever switches"),
        (small_steps, "already switched"),
    ],
}
