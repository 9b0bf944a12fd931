"""Checks of the chapter *unwrapping-flattening*."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator
from xai_course.book.expect import assert_close, assert_equal, expect_array
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.unwrapping.flattening import _random_network, flatten_models
from xai_course.unwrapping.glm import fit_glm

SLUG = "unwrapping-flattening"


def _draw_roof(rng: np.random.Generator) -> dict[str, Any]:
    slope, top = int(rng.choice([2, 4, 6])), int(rng.integers(2, 5))
    width = float(rng.choice([0.5, 1]))  # from the top to where a model is zero
    return {
        "slope": slope,
        "left": int(slope * (top - width)),
        "right": int(slope * (top + width)),
        "top": top,
        "rows": (top + width * np.array([-1, -0.5, 0, 0.5, 1])).tolist(),
    }


def _roof(
    slope: int = 2,
    left: int = 1,
    right: int = 3,
    top: int = 1,
    rows: Sequence[float] = (0.5, 0.75, 1, 1.25, 1.5),
) -> tuple[tuple[float, ...], float, float]:
    """Return what is right, and the place and height of the top."""
    height = slope * top - left
    responses = height - slope * np.abs(np.array(rows) - top)
    line = np.polyfit(rows, responses, 1)  # both neurons are on at all rows
    fitted = round(float(np.polyval(line, top)), 9)
    return (left / slope, right / slope, fitted, float(-height)), top, height


@exercise(
    f"ex-{SLUG}-1",
    draw=_draw_roof,
    question=(
        "the models are {slope} x - {left} for x < {top}, and {right} - {slope} x from x = {top} "
        "on; the rows are x = {rows}, and x = {top} is the place that is asked about."
    ),
    right=lambda **numbers: _roof(**numbers)[0],
)
def roof(answer: Callable[[], Any], **numbers: Any) -> str:
    """Compare with the two models and a least-squares fit."""
    right, top, height = _roof(**numbers)
    what = f"four numbers: two switches, the output at x = {top}, the number to add"
    found = expect_array(answer(), (4,), what)
    if np.allclose(found[:2], top):
        raise CheckFailed(f"x = {top} is where the regions meet. Where is each model zero?")
    if np.allclose(found[:2], right[1::-1]):
        raise CheckFailed("The switches are in the wrong order: that of the left model is first.")
    assert_close(found[:2], right[:2], "The switches")
    if np.isclose(found[2], height):
        raise CheckFailed("That is the response there. What is the best straight line there?")
    if np.isclose(found[2], 2 * height):
        raise CheckFailed("That is the sum of both models. The output layer is fitted to the rows.")
    assert_close(found[2], right[2], f"The output at x = {top}", tolerance=1e-6)
    if np.isclose(found[3], height):
        raise CheckFailed(f"Added {height}, the switches move further apart. They must meet.")
    assert_close(found[3], right[3], "The number to add")
    return "The roof is a plateau, and counted from its top it is a roof again."


@exercise(f"ex-{SLUG}-2")
def flat_start(answer: Callable[..., Any]) -> str:
    """Compare with steps 1 to 3 of Algorithm 2 on random models."""
    rng = student_generator(2)
    for n_models, n_features in [(2, 1), (4, 3)]:
        coef, inside = rng.normal(size=(2, n_models, n_features))
        intercept = -(coef * inside / 2).sum(axis=1)  # each neuron switches among the rows
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
        library = flatten_models(coef, intercept, X, y, epochs=0).network
        if np.allclose(network.weights[1], library.weights[1]):
            raise CheckFailed("Fitted on four fifths of the rows, as `flatten` does: take all.")
        _name_the_output_layer(network, X, y, coef, intercept)
        assert_close(network.weights[1], weight, f"The output weights {where}", tolerance=1e-6)
        assert_close(network.biases[1], bias, f"The output bias {where}", tolerance=1e-6)
    return "Two flat networks are right, hidden layer and output layer."


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
def louder(answer: Callable[..., Any]) -> str:
    """Compare functions, hidden layers and the neurons that must not change."""
    rng = student_generator(4)
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
