"""Checks of the chapter *sanity-checks*."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.stats import pearsonr, spearmanr

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator
from xai_course.book.expect import (
    assert_close,
    close_to,
    expect_array,
    expect_number,
    expect_parts,
)

SLUG = "sanity-checks"

Weights = list[np.ndarray]


def _explain(weights: Weights, x: np.ndarray) -> np.ndarray:
    """Return gradient times input of a network of leaky ReLUs, whose gradient is never zero."""
    hidden, slopes = np.asarray(x), []
    for weight in weights[:-1]:
        hidden = weight @ hidden
        slopes.append(np.where(hidden > 0, 1.0, 0.3))
        hidden = hidden * slopes[-1]
    gradient = weights[-1][0]
    for weight, slope in zip(weights[-2::-1], slopes[::-1], strict=True):
        gradient = (gradient * slope) @ weight
    return gradient * x


def _similarities(
    trained: Weights, fresh: Weights, x: np.ndarray, steps: list[list[int]], how: str = "absolute"
) -> np.ndarray:
    """Return the similarity of maps after the layers of each step were exchanged."""
    before, found = _explain(trained, x), []
    for step in steps:
        changed = [fresh[i] if i in step else weight for i, weight in enumerate(trained)]
        after = _explain(changed, x)
        if how == "signed":
            found.append(spearmanr(before, after).statistic)
        elif how == "values":
            found.append(pearsonr(np.abs(before), np.abs(after)).statistic)
        else:
            found.append(spearmanr(np.abs(before), np.abs(after)).statistic)
    return np.array(found)


@exercise(f"ex-{SLUG}-1")
def cascading_randomisation(answer: Callable[..., Any]) -> str:
    """Compare with the cascade on networks of two to four layers."""
    rng = student_generator(0)
    for sizes in ([6, 5, 1], [9, 8, 8, 1], [20, 10, 6, 4, 1]):
        trained, fresh = ([rng.normal(size=(n, m)) for m, n in pairwise(sizes)] for _ in range(2))
        x, n = rng.normal(size=sizes[0]), len(trained)
        found = expect_array(
            answer(trained, fresh, _explain, x), (n,), f"one number for each of {n} layers"
        )
        down = [list(range(n - k, n)) for k in range(1, n + 1)]
        expected = _similarities(trained, fresh, x, down)
        if close_to(found, expected):
            continue
        if close_to(found, np.ones(n)):
            raise CheckFailed(
                "All similarities are 1. Keep the map of the trained network before you change "
                "any weights, and change a copy of the list."
            )
        slips = {
            "signed": "These are the signed maps. Take absolute values before you rank.",
            "values": "That is the correlation of the values. Rank them first.",
        }
        for how, message in slips.items():
            if close_to(found, _similarities(trained, fresh, x, down, how)):
                raise CheckFailed(message)
        if close_to(found, np.abs(_similarities(trained, fresh, x, down, "signed"))):
            raise CheckFailed("Take absolute values of the maps, not of the correlation.")
        if close_to(found, expected[::-1]):
            raise CheckFailed("The right numbers, backwards: the last layer comes first.")
        up = [list(range(k)) for k in range(1, n + 1)]
        if close_to(found, _similarities(trained, fresh, x, up)):
            raise CheckFailed("You begin with the first layer. The cascade begins at the top.")
        alone = [[n - k] for k in range(1, n + 1)]
        if close_to(found, _similarities(trained, fresh, x, alone)):
            raise CheckFailed(
                "You randomise one layer at a time. In a cascade the layers above stay random."
            )
        assert_close(found, expected, f"The cascade through {n} layers")
    return "Three networks, destroyed from the top down."


def _products(w: Any, bias: int, x: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return gradient times input and integrated gradients of max(0, w x + bias), on at x."""
    product = np.multiply(w, x)
    end = product.sum() + bias
    return product, product * (end - max(0, bias)) / product.sum()


def _second_program(
    a: int = 2, b: int = 1, c: int = 1, x: tuple[int, int] = (2, 1), s: tuple[int, int] = (1, 1)
) -> tuple[int, list[int], list[int], list[float]]:
    bias = a * s[0] - b * s[1] - c
    product, integrated = _products([a, -b], bias, np.subtract(x, s))
    return bias, [a, -b], product.tolist(), integrated.tolist()


def _draw_patient(rng: np.random.Generator) -> dict[str, Any]:
    while True:  # until both programs are on, with other biases and inputs of other directions
        a, b, c, *x = rng.integers([2, 1, 1, 2, 1], [4, 3, 4, 5, 4]).tolist()
        s = rng.integers(1, x, endpoint=True).tolist()
        moved = a * (x[0] - s[0]) - b * (x[1] - s[1])
        shifted = a * s[0] != b * s[1] and x[0] * s[1] != x[1] * s[0]
        if shifted and moved > 0 and a * x[0] - b * x[1] > c:
            return {"a": a, "b": b, "c": c, "x": tuple(x), "s": tuple(s)}


@exercise(
    f"ex-{SLUG}-2",
    draw=_draw_patient,
    question="f(x) = max(0, {a} x1 - {b} x2 - {c}), the patient is x = {x}, and the second program "
    "receives x' = x - {s}.",
    right=_second_program,
)
def shifted_program(
    answer: Callable[[], Any], c: int = 1, x: tuple[int, int] = (2, 1), **numbers: Any
) -> str:
    """Compare with the maps of the shifted neuron."""
    parts = expect_parts(
        answer(), 4, "four things: bias, gradient, gradient times input, integrated gradients"
    )
    bias = expect_number(parts[0], "The bias")
    gradient, product, integrated = (
        expect_array(part, (2,), f"{what} as two numbers")
        for part, what in zip(
            parts[1:], ("the gradient", "gradient times input", "integrated gradients"), strict=True
        )
    )
    right_bias, w, right_product, right = _second_program(c=c, x=x, **numbers)
    if close_to(bias, -2 * c - right_bias):
        raise CheckFailed(
            "The bias moves the other way: x = x' + s, so W s is added to the old bias."
        )
    assert_close(bias, right_bias, "The bias")
    if not close_to(gradient, w):
        raise CheckFailed("The gradient: no shift can change it. What was it in the first program?")
    first, along = _products(w, -c, x)
    if close_to(product, first):
        raise CheckFailed("That is the first program's. The second one sees the input x'.")
    assert_close(product, right_product, "Gradient times input")
    share = along.sum() / first.sum()
    if close_to(integrated, along) or close_to(integrated, share * np.array(right_product)):
        raise CheckFailed(
            "The first program's neuron is on during that share of its way. In the second one the "
            "input is t W x' plus the new bias on the way: when is that positive?"
        )
    assert_close(integrated, right, "Integrated gradients")
    return "One function, one patient, and two explanations."


def _radius(W: np.ndarray, b: np.ndarray, x: np.ndarray, norm: float) -> float:
    size = np.linalg.norm(W, norm, axis=1)
    moves = size > 0
    return float(np.min(np.abs(W @ x + b)[moves] / size[moves], initial=np.inf))


@exercise(f"ex-{SLUG}-3")
def radius_of_one_layer(answer: Callable[..., Any]) -> str:
    """Compare with the distance to the nearest border in three norms."""
    rng = student_generator(1)
    duals = {1: np.inf, 2: 2, np.inf: 1}
    for n_neurons, n_features, n_dead in [(1, 2, 0), (30, 5, 0), (8, 3, 3), (2, 4, 2)]:
        W, b = rng.normal(size=(n_neurons, n_features)), rng.normal(size=n_neurons)
        W[:n_dead] = 0
        x = rng.normal(size=n_features)
        for norm, dual in duals.items():
            with np.errstate(divide="ignore", invalid="ignore"):
                found = expect_number(answer(W, b, x, norm), "The radius")
            expected = _radius(W, b, x, dual)
            what = f"The radius of {n_neurons} neuron(s), {n_dead} without weights, norm {norm}"
            if np.isinf(expected):
                if not np.isposinf(found):
                    raise CheckFailed(f"{what}: no neuron ever switches, so it is infinite.")
                continue
            if close_to(found, expected):
                continue
            if norm != dual and close_to(found, _radius(W, b, x, norm)):
                raise CheckFailed(
                    f"{what}: you measure the weights in the norm of the ball. Take the dual "
                    "norm: 1 and infinity change places."
                )
            if norm != 2 and close_to(found, _radius(W, b, x, 2)):
                raise CheckFailed(f"{what}: this is the radius of norm 2.")
            if np.isnan(found):
                raise CheckFailed(f"{what}: got nan. Leave neurons without weights out.")
            if found < 0:
                raise CheckFailed(f"{what}: got {found:.6g}. A neuron that is off counts too.")
            assert_close(found, expected, what)
    return "The nearest border of four networks, in three norms."
