"""Checks of the chapter *certified-approximation*."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import numpy as np

from xai_course.activations import PiecewiseLinear
from xai_course.approximation import SMOOTH_ACTIVATIONS, approximate
from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator
from xai_course.book.expect import assert_close, close_to, expect_array, expect_parts
from xai_course.networks import PiecewiseLinearNetwork

SLUG = "certified-approximation"


def _draw_line(rng: np.random.Generator) -> dict[str, int]:
    # Where both zeros are apart, and the interval lies in the middle piece.
    scale, level = rng.choice([[5, 1], [5, 4], [8, 2], [8, 6], [10, 3], [10, 7], [12, 8]]).tolist()
    return {"scale": scale, "inner": int(rng.choice([2, 4])), "level": level}


def _zeros(scale: int = 6, inner: int = 1, level: int = 4) -> tuple[float, float, float]:
    """Return the zeros of g and of f, and how far the interval reaches from that of g."""
    zero, root = (4 * level / scale - 2) / inner, np.log(level / (scale - level)) / inner
    return zero, root, scale * approximate("sigmoid", 3).max_error / (scale * inner / 4)


def _not_certified(**numbers: int) -> tuple[float, ...]:
    middle, root, off = _zeros(**numbers)
    return tuple(np.round([middle, root, middle - off, middle + off], 6).tolist())


@exercise(
    f"ex-{SLUG}-1",
    draw=_draw_line,
    question="f(x) = {scale} sigma({inner} x) - {level}.",
    right=_not_certified,
)
def not_certified(answer: Callable[[], Any], scale: int = 6, inner: int = 1, level: int = 4) -> str:
    """Compare with the network itself."""
    what = "four numbers: the zero of g, the zero of f, and the interval's two ends"
    found = expect_array(answer(), (4,), what)
    middle, root, off = _zeros(scale, inner, level)
    around = np.array([-1, 1])
    if close_to(found[:2], [root, middle], atol=2e-3):
        raise CheckFailed("The two zeros are in the other order: that of g, the pieces, is first.")
    assert_close(found[0], middle, "The zero of g", 2e-3)
    assert_close(found[1], root, "The zero of f", 2e-3)
    if close_to(found[2:], middle + around * off / scale, atol=2e-3):
        raise CheckFailed(
            f"The sigmoid is off by 0.119. By how much is {scale} times the sigmoid off?"
        )
    if close_to(found[2:], middle + around * off * scale * inner / 4, atol=2e-3):
        raise CheckFailed("This is the bound on g. How far may x move until g has changed by it?")
    if close_to(found[2:], root + around * off, atol=2e-3):
        raise CheckFailed("The interval is around the zero of g: only g is known.")
    if close_to(found[2:], np.sort([middle, root]), atol=2e-3):
        raise CheckFailed("Between the two zeros the decisions differ. Where *could* they differ?")
    assert_close(found[2:], middle + around * off, "The ends of the interval", 2e-3)
    return "Outside of the interval every decision is certain."


@exercise(f"ex-{SLUG}-2")
def bound_anywhere(answer: Callable[..., Any]) -> str:
    """Compare with the library for several depths and activations."""
    rng = student_generator(4)
    for name, sizes in [("tanh", (2, 3, 1)), ("sigmoid", (3, 6, 4, 2)), ("elu", (4, 5, 5, 5, 3))]:
        pairs = list(zip(sizes[1:], sizes[:-1], strict=True))
        weights = [rng.normal(size=pair) for pair in pairs]
        biases = [rng.normal(size=pair[0]) for pair in pairs]
        activation = approximate(name, 5)
        expected = PiecewiseLinearNetwork(weights, biases, activation).approximation_error_bound()
        lipschitz, error = SMOOTH_ACTIVATIONS[name].lipschitz, activation.max_error
        found = answer(weights, lipschitz, error)
        if close_to(found, lipschitz * expected + error):
            raise CheckFailed("The output layer has no activation: its matrix comes last.")
        where = f"The bound of a {name} network with {len(sizes) - 2} hidden layer(s)"
        assert_close(found, expected, where)
    return "The bounds agree with the library for one to three hidden layers."


@exercise(f"ex-{SLUG}-3")
def unwrap(answer: Callable[..., Any]) -> str:
    """Compare with the library for ReLU, hard tanh and approximations."""
    rng = student_generator(3)
    activations = [
        PiecewiseLinear.relu(),
        PiecewiseLinear.hardtanh(),
        approximate("sigmoid", 2),
        approximate("tanh", 5),
        approximate("elu", 4),
    ]
    forbidden = CheckFailed("Build the model from the pieces, without a network of the library.")
    for activation in activations:
        W, V = rng.normal(size=(7, 4)), rng.normal(size=(3, 7))
        b, c, x = rng.normal(size=7), rng.normal(size=3), rng.normal(size=4)
        network = PiecewiseLinearNetwork([W, V], [b, c], activation)
        coef, intercept = network.local_linear_models(network.activation_pattern(x[None]))
        with patch.object(PiecewiseLinearNetwork, "__init__", side_effect=forbidden):
            result = answer(W, b, V, c, activation, x)
        result = expect_parts(result, 2, "two things, coef and intercept")
        assert_close(result[0], coef[0], f"The coefficients for {activation.name}")
        without = intercept[0] - V @ activation.intercepts[activation.segment(W @ x + b)]
        if not close_to(without, intercept[0]) and close_to(result[1], without):
            raise CheckFailed(f"The intercept for {activation.name} lacks the pieces' offsets.")
        assert_close(result[1], intercept[0], f"The intercept for {activation.name}")
    return "Coefficients and intercepts are right for five activations."
