"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from xai_course.networks import PiecewiseLinearNetwork


def equation_5(W, b, V, c, activation, x):
    scaled = V * activation.slopes[activation.segment(W @ x + b)]
    return scaled @ W, scaled @ b + c


def gate_of_relu(W, b, V, c, activation, x):
    gated = V * (W @ x + b >= 0)
    return gated @ W, gated @ b + c


def output_instead_of_intercept(W, b, V, c, activation, x):
    scaled = V * activation.slopes[activation.segment(W @ x + b)]
    return scaled @ W, V @ activation(W @ x + b) + c


def coefficients_only(W, b, V, c, activation, x):
    return (V * activation.slopes[activation.segment(W @ x + b)]) @ W


def asks_the_library(W, b, V, c, activation, x):
    network = PiecewiseLinearNetwork([W, V], [b, c], activation)
    coef, intercept = network.local_linear_models(network.activation_pattern(x[None]))
    return coef[0], intercept[0]


def signed_weights(weights, lipschitz, error):
    off = np.zeros(weights[0].shape[1])
    for weight in weights[:-1]:
        off = lipschitz * (weight @ off) + error
    return weights[-1] @ off


def activation_at_the_output(weights, lipschitz, error):
    off = np.zeros(weights[0].shape[1])
    for weight in weights:
        off = lipschitz * (np.abs(weight) @ off) + error
    return off


def forgets_the_slope(weights, lipschitz, error):
    off = np.zeros(weights[0].shape[1])
    for weight in weights[:-1]:
        off = np.abs(weight) @ off + error
    return np.abs(weights[-1]) @ off


def first_layer_only(weights, lipschitz, error):
    return np.abs(weights[-1]) @ np.full(weights[-1].shape[1], error)


def largest_row_sums(weights, lipschitz, error):
    off = 0.0
    for weight in weights[:-1]:
        off = lipschitz * np.abs(weight).sum(axis=1).max() * off + error
    return np.abs(weights[-1]).sum(axis=1) * off


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-certified-approximation-1": [
        (lambda: (2 / 3, 0.693, 0.587, 0.746), "6 times the sigmoid"),
        (lambda: (2 / 3, 0.693, -0.049, 1.382), "How far may x move"),
        (lambda: (2 / 3, 0.693, 0.216, 1.170), "around the zero of g"),
        (lambda: (2 / 3, 0.693, 2 / 3, 0.693), "could"),
        (lambda: (0.693, 2 / 3, 0.190, 1.143), "in the other order"),
        (lambda: (-1.0, -1.099, -1.477, -0.523), "The zero of g"),
    ],
    "ex-certified-approximation-2": [
        (signed_weights, "The bound of a tanh network"),
        (activation_at_the_output, "The output layer has no activation"),
        (forgets_the_slope, "The bound of a sigmoid network"),
        (first_layer_only, "The bound of a sigmoid network"),
        (largest_row_sums, "The bound of a sigmoid network"),
    ],
    "ex-certified-approximation-3": [
        (equation_5, "lacks the pieces' offsets"),
        (gate_of_relu, "The coefficients for hardtanh"),
        (output_instead_of_intercept, "The intercept for relu"),
        (coefficients_only, "Return two things"),
        (asks_the_library, "without a network of the library"),
    ],
}
