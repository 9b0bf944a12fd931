"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from xai_course import exact


def forgets_the_bias():
    return (0, 5), 0, (10 / 3, 5 / 3)


def bias_instead_of_its_share():
    return (0, 3), 1, (10 / 3, 5 / 3)


def bias_shares_in_both():
    return (0, 3), 2, (5 / 2, 5 / 4)


def pairs_in_one_list():
    return 0, 3, 2, 10 / 3, 5 / 3


def always_upwards(a, W, b, R, epsilon):
    return a * ((R / (a @ W.T + b + epsilon)) @ W)


def without_bias(a, W, b, R, epsilon):
    z = a @ W.T
    return a * ((R / (z + np.where(z < 0, -epsilon, epsilon))) @ W)


def numpys_sign(a, W, b, R, epsilon):
    z = a @ W.T + b
    with np.errstate(all="ignore"):
        return a * ((R / (z + epsilon * np.sign(z))) @ W)


def forgets_the_inputs(a, W, b, R, epsilon):
    z = a @ W.T + b
    return (R / (z + np.where(z < 0, -epsilon, epsilon))) @ W


def _multipliers(network, x, baseline, slope):
    a, slopes = np.array([x, baseline]), []
    for W, b in zip(network.weights[:-1], network.biases[:-1], strict=True):
        z = a @ W.T + b
        a = np.maximum(0, z)
        slopes.append(slope(a, z))
    m = network.weights[-1][0]
    for W, s in zip(network.weights[-2::-1], slopes[::-1], strict=True):
        m = (m * s) @ W
    return m


def gradient_at_x(network, x, baseline):
    return _multipliers(network, x, baseline, lambda a, z: z[0] > 0) * (x - baseline)


def divides_zero_by_zero(network, x, baseline):
    def chord(a, z):
        return (a[0] - a[1]) / (z[0] - z[1])

    return _multipliers(network, x, baseline, chord) * (x - baseline)


def multipliers_only(network, x, baseline):
    return _multipliers(network, x, baseline, lambda a, z: (a[0] - a[1]) / (z[0] - z[1]))


def mean_of_both_ends(network, x, baseline):
    return _multipliers(network, x, baseline, lambda a, z: (z > 0).mean(axis=0)) * (x - baseline)


def integrated_gradients(network, x, baseline):
    return exact.integrated_gradients(network, x[None], baseline)[0]


def cosine(explain, X, first, second):
    a, b = explain(X, first), explain(X, second)
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def one_number_for_all(explain, X, first, second):
    return np.corrcoef(explain(X, first).ravel(), explain(X, second).ravel())[0, 1]


def one_class_twice(explain, X, first, second):
    return np.array([np.corrcoef(m, m)[0, 1] for m in explain(X, first)])


def constant_is_nan(explain, X, first, second):
    pairs = zip(explain(X, first), explain(X, second), strict=True)
    with np.errstate(all="ignore"):
        return np.array([0.0 if np.ptp(a) == 0 else np.corrcoef(a, b)[0, 1] for a, b in pairs])


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-relevance-propagation-1": [
        (forgets_the_bias, "the bias of the first neuron gets its share"),
        (bias_instead_of_its_share, "That is the bias itself"),
        (bias_shares_in_both, "Here the bias gets nothing"),
        (pairs_in_one_list, "Return three things"),
    ],
    "ex-relevance-propagation-2": [
        (always_upwards, "move a negative z down"),
        (without_bias, "The bias belongs to z"),
        (numpys_sign, "its sign counts as 1"),
        (forgets_the_inputs, "The relevances with epsilon"),
    ],
    "ex-relevance-propagation-3": [
        (gradient_at_x, "the chord from z' to z"),
        (multipliers_only, "These are multipliers"),
        (divides_zero_by_zero, "must not divide 0 by 0"),
        (mean_of_both_ends, "The contributions add up to"),
        (integrated_gradients, "The contributions with 2 hidden layer(s)"),
    ],
    "ex-relevance-propagation-4": [
        (cosine, "Take each map's mean off"),
        (one_number_for_all, "one number per row"),
        (one_class_twice, "The correlations for a method that"),
        (constant_is_nan, "where the first map is constant"),
    ],
}
