"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np

HARD, SOFT = [3, 0, -2], [1.3, 0.5, -0.8]


def bent(w, b):
    """Return the mean of one unit, if its weight is not 0."""
    start, end = max(b, 0), max(w + b, 0)
    return (end**2 - start**2) / (2 * w) if w else start


def mean_of(unit):
    """Return an answer that adds up a function of one unit."""
    return lambda w, b, a, bias: bias + sum(v * unit(*z) for v, *z in zip(a, w, b, strict=True))


def without_bias(w, b, a, bias):
    return mean_of(bent)(w, b, a, 0)


def relu_of_the_mean(w, b):
    return max(w / 2 + b, 0)


def always_a_triangle(w, b):
    return max(w + b, 0) ** 2 / (2 * abs(w)) if w else max(b, 0)


def sampled(w, b, a, bias):
    x = np.random.default_rng(0).random(10_000)
    return bias + np.mean(np.maximum(np.outer(x, w) + b, 0) @ a)


def all_monomials(gram, correlations, chosen):
    return np.take_along_axis(np.linalg.solve(gram, correlations.T).T, chosen, 1)


def mean_products(gram, correlations, chosen):
    return np.take_along_axis(correlations, chosen, 1)


def one_by_one(gram, correlations, chosen):
    return np.take_along_axis(correlations / np.diag(gram), chosen, 1)


def first_network_only(gram, correlations, chosen):
    k = chosen[0]
    return np.linalg.solve(gram[np.ix_(k, k)], correlations[0, k])


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-interpretation-networks-1": [
        (lambda: (SOFT, HARD), "swapped"),
        (lambda: ([1.5, 0, -1.4], SOFT), "whole coefficient"),
        (lambda: (HARD, [1.7, 1.3, 2.0]), "sign of the second"),
        (lambda: (HARD, [1.5, 0.9, 0.6]), "The soft polynomial"),
        (lambda: HARD, "two polynomials"),
    ],
    "ex-interpretation-networks-2": [
        (mean_of(relu_of_the_mean), "bends and rises"),
        (mean_of(always_a_triangle), "on everywhere"),
        (without_bias, "output bias"),
        (sampled, "The mean of a unit"),
    ],
    "ex-interpretation-networks-3": [
        (all_monomials, "the chosen ones only"),
        (mean_products, "no coefficients"),
        (one_by_one, "The polynomial of network 0"),
        (first_network_only, "one coefficient per term"),
    ],
}
