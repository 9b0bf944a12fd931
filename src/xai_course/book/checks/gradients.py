"""Checks of the chapter *gradients*."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import norm

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator
from xai_course.book.expect import (
    assert_close,
    close_to,
    expect_array,
    expect_number,
    expect_parts,
    precision,
)

SLUG = "gradients"


def _score_and_loss(
    a: int = 1, b: int = 2, c: int = 1, x: tuple[int, int] = (1, 2)
) -> tuple[list[float], list[float], float, float]:
    gradient = np.array([a - b * c, b])
    doubt = 1 / (1 + 2.0 ** (gradient @ x))
    loss = (-doubt * gradient).tolist()
    return gradient.tolist(), loss, 0, float(doubt * (1 - doubt) * b**2)


def _draw_service(rng: np.random.Generator) -> dict[str, Any]:
    while True:  # until both slopes count, and the odds are small and not those of the text
        a, b, c, low, rise = rng.integers([1, 2, 1, 1, 1], [5, 4, 3, 3, 3]).tolist()
        if a != b * c and 3 < a * low + b * rise < 8:
            return {"a": a, "b": b, "c": c, "x": (low, c * low + rise)}


@exercise(
    f"ex-{SLUG}-1",
    draw=_draw_service,
    question="f(x) = ln 2 ({a} max(0, x1) + {b} max(0, x2 - {c} x1)), at x = {x}.",
    right=_score_and_loss,
)
def score_loss_and_curvature(answer: Callable[[], Any], a: int = 1, **numbers: Any) -> str:
    """Compare with the derivatives in closed form."""
    parts = expect_parts(
        answer(), 4, "four things: two gradients of two numbers, then two second derivatives"
    )
    of_score = expect_array(parts[0], (2,), "the gradient of the score as two numbers")
    of_loss = expect_array(parts[1], (2,), "the gradient of the loss as two numbers")
    score, loss, _, bend = _score_and_loss(a, **numbers)
    if close_to(of_score, [a, score[1]]):
        raise CheckFailed("The second neuron is on too, and it subtracts x_1.")
    assert_close(of_score, score, "The gradient of the score, in units of ln 2")
    if close_to(of_loss, -np.array(loss)):
        raise CheckFailed("When the score of *yes* rises, its loss falls: look at the sign.")
    assert_close(of_loss, loss, "The gradient of the loss, in units of ln 2")
    flat = expect_number(parts[2], "The second derivative of the score")
    curved = expect_number(parts[3], "The second derivative of the loss")
    if not close_to(flat, 0):
        raise CheckFailed(
            f"The second derivative of the score: got {flat:.6g}. Inside its region the score is "
            "a linear function; how does its slope change?"
        )
    if close_to(curved, bend / score[1] ** 2):
        raise CheckFailed("p (1 - p) is the derivative by f, twice; you want that by x_2, twice.")
    assert_close(curved, bend, "The second derivative of the loss")
    return "The doubt shrinks the loss's gradient, and the softmax alone bends."


def _layers() -> list[tuple[np.ndarray, ...]]:
    """Return W, b, v and two inputs of networks with one hidden layer."""
    rng = student_generator(0)
    sizes = [(30, 5), (3, 1), (4, 2), (200, 20)]
    return [
        (
            rng.normal(size=(n, d)) * rng.uniform(0.2, 3, (n, 1)),
            *(rng.normal(size=n) for _ in range(2)),
            *(rng.normal(size=d) for _ in range(2)),
        )
        for n, d in sizes
    ]


@exercise(f"ex-{SLUG}-2")
def smooth_one_layer(answer: Callable[..., Any]) -> str:
    """Compare with the closed form on random layers and three spreads."""
    for W, b, v, x, _ in _layers():
        size = np.linalg.norm(W, axis=1)
        for sigma in (0.7, 0.1, 5.0):
            found = expect_array(
                answer(W, b, v, x, sigma), x.shape, f"one number a feature, shape {x.shape}"
            )
            again = expect_array(answer(W, b, v, x, sigma), x.shape, "the same shape each time")
            if not np.array_equal(found, again):
                raise CheckFailed(
                    "Two calls with the same arguments differ. Do not draw noise: take its mean."
                )
            z = W @ x + b
            expected = (v * norm.cdf(z / (sigma * size))) @ W
            if not close_to(found, expected):
                _explain(found, W, v, z, sigma)
            assert_close(found, expected, f"SmoothGrad of {len(b)} neurons, sigma = {sigma}")
    return "Four layers and three spreads, and not one random number."


def _explain(found: np.ndarray, W: np.ndarray, v: np.ndarray, z: np.ndarray, sigma: float) -> None:
    """Raise `CheckFailed` for a usual slip."""
    size = np.linalg.norm(W, axis=1)
    slips = [
        (z > 0, "This is the plain gradient: under noise a neuron is on with some chance."),
        (norm.cdf(z / sigma), "A neuron's input has the spread sigma times its weights' length."),
        (
            norm.cdf(z / np.sqrt(sigma) / size),
            "sigma is a spread, not a variance.",
        ),
    ]
    for gate, message in slips:
        if close_to(found, (v * gate) @ W):
            raise CheckFailed(message)


@exercise(f"ex-{SLUG}-3")
def integrate_one_layer(answer: Callable[..., Any]) -> str:
    """Compare with the share of the line on which each neuron is on."""
    for W, b, v, x, start in _layers():
        _integrate(answer, W, b, v, x, start, f"{len(b)} neurons")
        _integrate(answer, W, b, v, x, x, f"{len(b)} neurons and a line without length")
        _integrate(answer, W, b, v, x, 0.99 * x, f"{len(b)} neurons and a short line")
    # The first neuron's input stays as it is along the line, the second's begins at its kink.
    W, b, v = np.array([[1.0, 1.0], [1.0, 0.0]]), np.array([1.0, 0.0]), np.array([2.0, 3.0])
    line = np.array([1.0, -1.0]), np.zeros(2)
    _integrate(answer, W, b, v, *line, "a neuron that does not change along the line")
    return "Exact on thirteen lines, also where a neuron never changes."


def _integrate(
    answer: Callable[..., Any],
    W: np.ndarray,
    b: np.ndarray,
    v: np.ndarray,
    x: np.ndarray,
    start: np.ndarray,
    what: str,
) -> None:
    with np.errstate(divide="ignore", invalid="ignore"):
        z, end = W @ start + b, W @ x + b
        share = (np.maximum(end, 0) - np.maximum(z, 0)) / (end - z)
        found = answer(W, b, v, x, start)
    found = expect_array(found, x.shape, f"one number a feature, shape {x.shape}")
    share = np.where(np.abs(end - z) < 1e-12, z > 0, share)
    slope = (v * share) @ W
    climb = v @ (np.maximum(end, 0) - np.maximum(z, 0))
    expected = (x - start) * slope
    if not close_to(found, expected):
        if close_to(found, x * slope):
            raise CheckFailed("The mean gradient is right; multiply it by x - baseline, not by x.")
        if close_to(found, (x - start) * ((v * (end > 0)) @ W)):
            raise CheckFailed("That is the gradient at x. It changes on the way from the baseline.")
    gap = abs(found.sum() - climb)
    if not gap <= max(1e-9, precision(found)) * (1 + np.abs(expected).sum()):
        raise CheckFailed(
            f"On {what}: your parts add up to {found.sum():.9g}, and the function climbs by "
            f"{climb:.9g}. Is each piece between two kinks there, with its own width?"
        )
    assert_close(found, expected, f"The integrated gradients of {what}")
