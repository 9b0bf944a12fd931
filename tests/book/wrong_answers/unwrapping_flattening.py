"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.linear_model import LinearRegression

from xai_course.networks import PiecewiseLinearNetwork


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


def all_neurons(network, x):
    on = network.weights[0] @ x + network.biases[0] >= 0
    return network.weights[1][0] @ network.weights[0], int(on.sum())


def without_output_weights(network, x):
    on = network.weights[0] @ x + network.biases[0] >= 0
    return on @ network.weights[0], int(on.sum())


def strictly_on(network, x):
    on = network.weights[0] @ x + network.biases[0] > 0
    return (network.weights[1][0] * on) @ network.weights[0], int(on.sum())


def forgets_the_bias(network, x):
    on = network.weights[0] @ x >= 0
    return (network.weights[1][0] * on) @ network.weights[0], int(on.sum())


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
        (lambda: (1, 1, 1), "where the regions meet"),
        (lambda: (0.5, 1.5, 1), "add them"),
        (lambda: (1.5, 0.5, 2), "wrong order"),
        (lambda: (-0.5, 1.5, 2), "The switches"),
        (lambda: 2, "Return three numbers"),
    ],
    "ex-unwrapping-flattening-2": [
        (before_the_relu, "before the ReLU"),
        (without_bias, "fit an intercept"),
        (intercept_after_the_relu, "The output weights of 2 models"),
        (lambda coef, intercept, X, y: coef, "Return a PiecewiseLinearNetwork"),
    ],
    "ex-unwrapping-flattening-3": [
        (all_neurons, "those that are off"),
        (without_output_weights, "The coefficients where"),
        (strictly_on, "The number of neurons on"),
        (forgets_the_bias, "The number of neurons on"),
        (lambda network, x: np.zeros(4), "Return two things"),
    ],
    "ex-unwrapping-flattening-4": [
        (lambda network, k, s: scaled(network, k, s, 0), "so the function has"),
        (lambda network, k, s: scaled(network, k, s, 1), "must be divided"),
        (lambda network, k, s: scaled(network, k, s, -1, bias=0), "The biases of neuron 0"),
        (divides_everything, "The function of neuron 0"),
    ],
}
