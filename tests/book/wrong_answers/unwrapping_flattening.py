"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.linear_model import LinearRegression

from xai_course.networks import PiecewiseLinearNetwork
from xai_course.unwrapping.flattening import flatten_models


def flat(coef, intercept, inputs, y, **options):
    fit = LinearRegression(**options).fit(inputs, y)
    return PiecewiseLinearNetwork([coef, fit.coef_[None]], [intercept, [fit.intercept_]])


def before_the_relu(coef, intercept, X, y):
    return flat(coef, intercept, X @ coef.T + intercept, y)


def without_bias(coef, intercept, X, y):
    hidden = np.maximum(X @ coef.T + intercept, 0)
    return flat(coef, intercept, hidden, y, fit_intercept=False)


def intercept_after_the_relu(coef, intercept, X, y):
    return flat(coef, intercept, np.maximum(X @ coef.T, 0) + intercept, y)


def calls_the_library(coef, intercept, X, y):
    return flatten_models(coef, intercept, X, y, epochs=0).network


def always_ones(coef, intercept, X, y):
    return PiecewiseLinearNetwork([coef, np.ones((1, len(coef)))], [intercept, [0.0]])


def scaled(network, k, s, output, bias=1.0):
    factor = np.ones(len(network.biases[0]))
    factor[k] = s
    return PiecewiseLinearNetwork(
        [factor[:, None] * network.weights[0], network.weights[1] * factor**output],
        [network.biases[0] * factor**bias, network.biases[1]],
    )


def divides_everything(network, k, s):
    return PiecewiseLinearNetwork(
        [scaled(network, k, s, 0).weights[0], network.weights[1] / s],
        [scaled(network, k, s, 0).biases[0], network.biases[1]],
    )


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-unwrapping-flattening-1": [
        (lambda: (1, 1, 0.4, -1), "where the regions meet"),
        (lambda: (1.5, 0.5, 0.4, -1), "wrong order"),
        (lambda: (-0.5, 1.5, 0.4, -1), "The switches"),
        (lambda: (0.5, 1.5, 1, -1), "best straight line"),
        (lambda: (0.5, 1.5, 2, -1), "sum of both models"),
        (lambda: (0.5, 1.5, 0.5, -1), "The output at x = 1"),
        (lambda: (0.5, 1.5, 0.4, 1), "They must meet"),
        (lambda: (0.5, 1.5, 0.4, 0), "The number to add"),
        (lambda: 2, "Return four numbers"),
    ],
    "ex-unwrapping-flattening-2": [
        (before_the_relu, "before the ReLU"),
        (without_bias, "fit an intercept"),
        (intercept_after_the_relu, "The output weights of 2 models"),
        (calls_the_library, "four fifths of the rows"),
        (always_ones, "The output weights of 2 models"),
        (lambda coef, intercept, X, y: coef, "Return a PiecewiseLinearNetwork"),
    ],
    "ex-unwrapping-flattening-3": [
        (lambda network, k, s: scaled(network, k, s, 0), "so the function has"),
        (lambda network, k, s: scaled(network, k, s, 1), "must be divided"),
        (lambda network, k, s: scaled(network, k, s, -1, bias=0), "The biases of neuron 0"),
        (lambda network, k, s: network, "The weights of neuron 0"),
        (lambda network, k, s: scaled(network, 0, s, -1), "The weights of neuron 3"),
        (divides_everything, "The function of neuron 0"),
    ],
}
