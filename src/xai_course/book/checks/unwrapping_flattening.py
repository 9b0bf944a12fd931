"""Checks of the chapter *unwrapping-flattening*."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.expect import assert_close, assert_equal, close_to, expect_array, expect_parts
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.unwrapping.flattening import _random_network
from xai_course.unwrapping.glm import fit_glm

SLUG = "unwrapping-flattening"


@exercise(f"ex-{SLUG}-1")
def roof(answer: Callable[[], Any]) -> str:
    """Compare with the network."""
    network = PiecewiseLinearNetwork([[[2.0], [-2.0]], [[1.0, 1.0]]], [[-1.0, 3.0], [0.0]])
    switches = -network.biases[0] / network.weights[0][:, 0]
    expected = [*switches, network.forward([[1.0]])[0, 0]]
    found = expect_array(answer(), (3,), "three numbers: two switches and one output")
    if np.allclose(found[:2], 1):
        raise CheckFailed("x = 1 is where the regions meet. Where is each model zero?")
    if np.allclose(found[:2], switches[::-1]):
        raise CheckFailed("The switches are in the wrong order: that of 2x - 1 comes first.")
    if np.isclose(found[2], 1):
        raise CheckFailed("At x = 1 each model says 1, and both neurons are on: add them.")
    assert_close(found[:2], expected[:2], "The switches")
    assert_close(found[2], expected[2], "The output at x = 1")
    return "Switches and output are right: the roof has become a plateau."


@exercise(f"ex-{SLUG}-2")
def flat_start(answer: Callable[..., Any]) -> str:
    """Compare with steps 1 to 3 of Algorithm 2 on random models."""
    rng = np.random.default_rng(2)
    for n_models, n_features in [(2, 1), (4, 3)]:
        coef, intercept = rng.normal(size=(n_models, n_features)), rng.normal(size=n_models)
        X, y = rng.normal(size=(80, n_features)), rng.normal(size=80) + 5
        hidden = np.maximum(X @ coef.T + intercept, 0)
        weight, bias = fit_glm(hidden, y)
        network = answer(coef, intercept, X, y)
        where = f"of {n_models} models"
        if not isinstance(network, PiecewiseLinearNetwork):
            raise CheckFailed(f"Return a PiecewiseLinearNetwork, got {type(network).__name__}.")
        assert_equal(network.hidden_sizes, (n_models,), f"The hidden layers {where}")
        assert_close(network.weights[0], coef, f"The hidden weights {where}")
        assert_close(network.biases[0], intercept, f"The hidden biases {where}")
        _name_the_output_layer(network, X, y, coef, intercept)
        assert_close(network.weights[1], weight, f"The output weights {where}", tolerance=1e-6)
        assert_close(network.biases[1], bias, f"The output bias {where}", tolerance=1e-6)
    return "Two flat networks agree with the library's start."


def _name_the_output_layer(
    network: PiecewiseLinearNetwork,
    X: np.ndarray,
    y: np.ndarray,
    coef: np.ndarray,
    intercept: np.ndarray,
) -> None:
    found = np.append(network.biases[1], network.weights[1][0])
    inputs = X @ coef.T + intercept
    hidden = np.maximum(inputs, 0)
    without = np.append(0, np.linalg.lstsq(hidden, y, rcond=None)[0])
    if np.allclose(found, without, atol=1e-8):
        raise CheckFailed("The output layer has no bias: fit an intercept too.")
    if len(inputs[0]) <= len(X[0]):  # more neurons than features would have no unique fit
        return
    fitted = fit_glm(inputs, y)
    by_inputs = inputs @ fitted[0][0] + fitted[1][0]
    if np.allclose(inputs @ network.weights[1][0] + network.biases[1], by_inputs):
        raise CheckFailed("The output layer was fitted to the neurons' inputs, before the ReLU.")


@exercise(f"ex-{SLUG}-3")
def coefficients_at(answer: Callable[..., Any]) -> str:
    """Compare with the unwrapped network on random rows, on a border and where all are off."""
    rng = np.random.default_rng(3)
    networks = [_random_network(4, 6, rng) for _ in range(5)]
    cases = [(network, rng.normal(size=4) * 2) for network in networks]
    silent = PiecewiseLinearNetwork([[[-1.0], [1.0]], [[2.0, 3.0]]], [[-1.0, -1.0], [4.0]])
    cases += [(silent, np.array([0.0])), (silent, np.array([1.0]))]
    for network, x in cases:
        pattern = network.activation_pattern(x[None])
        expected = network.local_linear_models(pattern)[0][0, 0]
        n_on = int(pattern.sum())
        found = expect_parts(answer(network, x), 2, "two things, coefficients and a number")
        everything = network.weights[1][0] @ network.weights[0]
        if n_on < len(pattern[0]) and close_to(found[0], everything):
            raise CheckFailed("This adds all neurons; those that are off must not count.")
        where = f"where {n_on} of {len(pattern[0])} neurons are on"
        assert_equal(found[1], n_on, f"The number of neurons on, at x = {x.round(2)},")
        assert_close(found[0], expected, f"The coefficients {where}")
    return "The coefficients are right in seven cases, on a border and in silence too."


@exercise(f"ex-{SLUG}-4")
def louder(answer: Callable[..., Any]) -> str:
    """Compare functions, hidden layers and the neurons that must not change."""
    rng = np.random.default_rng(4)
    X = rng.normal(size=(50, 3)) * 3
    for k, s in [(0, 12.0), (3, 0.25)]:
        network = _random_network(3, 4, rng)
        found = answer(network, k, s)
        if not isinstance(found, PiecewiseLinearNetwork):
            raise CheckFailed(f"Return a PiecewiseLinearNetwork, got {type(found).__name__}.")
        factor = np.ones(4)
        factor[k] = s
        what = f"of neuron {k} times {s}"
        assert_close(found.weights[0], factor[:, None] * network.weights[0], f"The weights {what}")
        assert_close(found.biases[0], factor * network.biases[0], f"The biases {what}")
        if np.allclose(found.weights[1], network.weights[1]):
            raise CheckFailed("The output layer has not changed, so the function has.")
        if np.allclose(found.weights[1], network.weights[1] * factor):
            raise CheckFailed("The output weight must be divided by s, not multiplied.")
        assert_close(found.forward(X), network.forward(X), f"The function {what}")
    return "The function stays, the size of the neuron does not."
