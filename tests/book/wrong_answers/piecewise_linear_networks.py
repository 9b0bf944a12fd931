"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats


def midpoints(activation, points):
    inner = np.clip(points, -6, 6)
    return (inner[1:] + inner[:-1]) / 2


def wrong_sign(activation, points):
    lines = np.array([activation.tangent(point) for point in points])
    slopes, offsets = np.diff(lines, axis=0).T
    return offsets / slopes


def inner_points_only(activation, points):
    lines = np.array([activation.tangent(point) for point in points[1:-1]])
    slopes, offsets = np.diff(lines, axis=0).T
    return -offsets / slopes


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


def one_sided(fixed, broken):
    return min(1.0, stats.binom.cdf(min(fixed, broken), fixed + broken, 0.5))


def not_cut(fixed, broken):
    if fixed + broken == 0:
        return 1.0
    return 2 * stats.binom.cdf(min(fixed, broken), fixed + broken, 0.5)


def normal_approximation(fixed, broken):
    if fixed + broken == 0:
        return 1.0
    return 2 * stats.norm.sf(abs(fixed - broken) / np.sqrt(fixed + broken))


def no_change_is_certain(fixed, broken):
    if fixed + broken == 0:
        return 0.0
    return min(1.0, 2 * stats.binom.cdf(min(fixed, broken), fixed + broken, 0.5))


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-piecewise-linear-networks-1": [
        (lambda: (-2.0, 2.0, 0.119), "the sigmoid's knots"),
        (lambda: (-1.0, 1.0, 0.762), "This is tanh at the knot"),
        (lambda: (-1.0, 1.0, 0.119), "The largest error"),
        (lambda: 0.238, "Return three numbers"),
    ],
    "ex-piecewise-linear-networks-2": [
        (midpoints, "The knots of sigmoid in 3 pieces"),
        (wrong_sign, "the wrong sign"),
        (inner_points_only, "should have shape"),
    ],
    "ex-piecewise-linear-networks-3": [
        (equation_5, "lacks the pieces' offsets"),
        (gate_of_relu, "The coefficients for hardtanh"),
        (output_instead_of_intercept, "The intercept for relu"),
        (coefficients_only, "Return two things"),
    ],
    "ex-piecewise-linear-networks-4": [
        (signed_weights, "The bound of a tanh network"),
        (activation_at_the_output, "The output layer has no activation"),
        (forgets_the_slope, "The bound of a sigmoid network"),
        (first_layer_only, "The bound of a sigmoid network"),
    ],
    "ex-piecewise-linear-networks-5": [
        (one_sided, "one direction only"),
        (not_cut, "is above 1"),
        (normal_approximation, "The p-value of 3 to 0"),
        (no_change_is_certain, "where nothing changed"),
    ],
}
