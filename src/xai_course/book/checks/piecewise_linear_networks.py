"""Checks of the chapter *piecewise-linear-networks*."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import stats

from xai_course.activations import PiecewiseLinear
from xai_course.approximation import SMOOTH_ACTIVATIONS, approximate
from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.expect import assert_close, close_to, expect_array, expect_number, expect_parts
from xai_course.networks import PiecewiseLinearNetwork

SLUG = "piecewise-linear-networks"


@exercise(f"ex-{SLUG}-1")
def hard_tanh(answer: Callable[[], Any]) -> str:
    """Compare with the library's three pieces."""
    expected = approximate("tanh", 3)
    found = expect_array(answer(), (3,), "three numbers: two knots and one error")
    if np.allclose(found[:2], [-2, 2]):
        raise CheckFailed("These are the sigmoid's knots. What is the slope of tanh at zero?")
    assert_close(found[:2], expected.breakpoints, "The knots", 1e-3)
    if np.isclose(found[2], np.tanh(1), atol=1e-3):
        raise CheckFailed("This is tanh at the knot. How far is it from the piece there?")
    assert_close(found[2], expected.max_error, "The largest error", 1e-3)
    return "Knots and error are those of the hard tanh."


@exercise(f"ex-{SLUG}-2")
def knots(answer: Callable[..., Any]) -> str:
    """Compare with the library where it has the same tangents, then with random ones."""
    for name, points, n in [
        ("sigmoid", [-np.inf, 0.0, np.inf], 3),
        ("sigmoid", [-np.inf, -2.0, 0.0, 2.0, np.inf], 5),
        ("softplus", [-np.inf, 0.0, np.inf], 3),
    ]:
        found, expected = answer(SMOOTH_ACTIVATIONS[name], points), approximate(name, n).breakpoints
        if close_to(found, -expected):
            raise CheckFailed("The knots have the wrong sign.")
        assert_close(found, expected, f"The knots of {name} in {n} pieces")
    rng = np.random.default_rng(2)
    for _ in range(10):
        inner = np.sort(rng.uniform(-4, -0.2, size=4))
        points = [-np.inf, *inner]
        lines = [SMOOTH_ACTIVATIONS["elu"].tangent(point) for point in points]
        expected = [
            (first[1] - second[1]) / (second[0] - first[0]) for first, second in pairwise(lines)
        ]
        found = answer(SMOOTH_ACTIVATIONS["elu"], points)
        assert_close(found, expected, "The knots of ELU at random points", 1e-6)
    return "The tangents meet where the library says, also for ELU."


@exercise(f"ex-{SLUG}-3")
def unwrap(answer: Callable[..., Any]) -> str:
    """Compare with the library for ReLU, hard tanh and approximations."""
    rng = np.random.default_rng(3)
    activations = [
        PiecewiseLinear.relu(),
        PiecewiseLinear.hardtanh(),
        approximate("sigmoid", 2),
        approximate("tanh", 5),
        approximate("elu", 4),
    ]
    for activation in activations:
        W, V = rng.normal(size=(7, 4)), rng.normal(size=(3, 7))
        b, c, x = rng.normal(size=7), rng.normal(size=3), rng.normal(size=4)
        network = PiecewiseLinearNetwork([W, V], [b, c], activation)
        coef, intercept = network.local_linear_models(network.activation_pattern(x[None]))
        result = answer(W, b, V, c, activation, x)
        result = expect_parts(result, 2, "two things, coef and intercept")
        assert_close(result[0], coef[0], f"The coefficients for {activation.name}")
        without = intercept[0] - V @ activation.intercepts[activation.segment(W @ x + b)]
        if not activation.is_relu and close_to(result[1], without):
            raise CheckFailed(f"The intercept for {activation.name} lacks the pieces' offsets.")
        assert_close(result[1], intercept[0], f"The intercept for {activation.name}")
    return "Coefficients and intercepts are right for five activations."


@exercise(f"ex-{SLUG}-4")
def bound_anywhere(answer: Callable[..., Any]) -> str:
    """Compare with the library for several depths and activations."""
    rng = np.random.default_rng(4)
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


@exercise(f"ex-{SLUG}-5")
def chance(answer: Callable[..., Any]) -> str:
    """Compare with SciPy's exact test."""
    assert_close(answer(0, 0), 1.0, "The p-value where nothing changed")
    for fixed, broken in [(3, 0), (0, 3), (5, 5), (61, 50), (215, 344), (84, 79)]:
        found = answer(fixed, broken)
        expected = stats.binomtest(fixed, fixed + broken).pvalue
        if expect_number(found, f"The p-value of {fixed} to {broken}") > 1:
            raise CheckFailed(f"The p-value of {fixed} to {broken} is above 1: {found:.3g}.")
        if expected < 1 and close_to(found, expected / 2):
            raise CheckFailed("This counts one direction only. The split may be uneven either way.")
        assert_close(found, expected, f"The p-value of {fixed} to {broken}")
    return "The p-values are those of SciPy's exact test."
