"""Checks of the chapter *inet-evaluation*."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator
from xai_course.book.expect import (
    assert_close,
    assert_equal,
    close_to,
    expect_array,
    expect_parts,
)

SLUG = "inet-evaluation"


def _error_and_share(
    slope: int = 1, linear: int = 0, high: int = 1, power: int = 2
) -> tuple[float, float]:
    error = (slope - linear) / 2 - high / (power + 1)  # g is nowhere above the network
    return error, error / (slope / 4)


def _draw_explanation(rng: np.random.Generator) -> dict[str, int]:
    linear, high, power = rng.integers([1, 1, 2], [6, 6, 5]).tolist()
    return {"slope": linear + high, "linear": linear, "high": high, "power": power}


@exercise(
    f"ex-{SLUG}-1",
    draw=_draw_explanation,
    question="lambda(x) = {slope} x, and someone explains it by g(x) = {linear} x + {high} "
    "x^{power}.",
    right=_error_and_share,
)
def error_and_share(answer: Callable[[], Any], **numbers: int) -> str:
    """Compare with the integral, and with a quarter of the network's slope."""
    what = "two numbers: the error, and its share of the constant's"
    error, share = expect_parts(answer(), 2, what)
    right, of_constant = _error_and_share(**numbers)
    assert_close(error, right, "The error", tolerance=1e-3)
    if close_to(share, of_constant / 2, atol=2e-3):
        raise CheckFailed(
            "You divided by the constant itself. Divide by its error: how far are the network's "
            "values from their median on average?"
        )
    if close_to(share, of_constant * np.sqrt(12) / 4, atol=2e-3):
        raise CheckFailed("You divided by a standard deviation. The scale is a mean of sizes.")
    assert_close(share, of_constant, "The share", tolerance=1e-3)
    return "The error is right, and so is its share of the best constant's."


@exercise(f"ex-{SLUG}-2")
def share_of_constant(answer: Callable[..., Any]) -> str:
    """Compare on skewed values, on several networks, and on constant ones."""
    rng = student_generator(2)
    network = rng.exponential(size=(6, 101)) * np.arange(1, 7)[:, None]
    explanation = network + rng.normal(scale=0.2, size=network.shape)
    error = np.abs(network - explanation).mean(axis=1)
    scale = np.abs(network - np.median(network, axis=1, keepdims=True)).mean(axis=1)
    found = answer(network, explanation)
    by_mean = np.abs(network - network.mean(axis=1, keepdims=True)).mean(axis=1)
    if close_to(found, error / by_mean):
        raise CheckFailed("You took the mean. The constant with the lowest MAE is the median.")
    if close_to(found, 1 - error / scale):
        raise CheckFailed("That is the share which is removed. Return the share that is left.")
    assert_close(found, error / scale, "The shares")
    level = np.full((2, 5), 3.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = answer(level, level)
    assert_close(found, np.zeros(2), "The share for a constant network, explained exactly,")
    with np.errstate(divide="ignore", invalid="ignore"):
        found = expect_array(
            answer(level, np.add(level, [[0], [97]])), (2,), "one share per network"
        )
    if not found[1] > 1e6:
        raise CheckFailed(
            f"A network that is 3 everywhere, explained by 100, has the share {found[1]:g}: a "
            "wrong explanation of a constant network is infinitely worse than the constant."
        )
    assert_close(found, np.array([0, np.inf]), "The shares of two constant networks")
    return "The shares are right for six networks and for constant ones, explained well and badly."


@exercise(f"ex-{SLUG}-3", none_is_an_answer=True)
def pays_after(answer: Callable[..., Any]) -> str:
    """Compare where it pays, where it never does, and where the quotient is whole."""
    for never in [(60, 3.0, 3.0), (60, 5.0, 3.0)]:
        if answer(*never) is not None:
            raise CheckFailed(f"For {never} training never pays: return None.")
    rng, drawn = student_generator(3), []
    while len(drawn) < 2:
        training = int(rng.integers(30, 900))
        own, more = rng.uniform([0.2, 5], [4, 90]).round(2).tolist()
        networks, rest = divmod(1000 * training / more, 1)
        if 0.05 < rest < 0.95:  # no rounding error decides
            drawn.append((training, own, own + more, int(networks) + 1))
    for training, own, other, expected in [
        (120, 2.0, 50_000.0, 3),
        (100, 3.0, 160_000.0, 1),
        (60, 0.5, 1.25, 80_001),
        (1, 0.0, 500.0, 3),
        (10, 1.0, 4.0, 3_334),
        *drawn,
    ]:
        found = answer(training, own, other)
        if expected > 2 and close_to(found, expected / 1000, atol=1):
            raise CheckFailed("Training is in seconds, explanations are in milliseconds.")
        if found == expected - 1:
            raise CheckFailed(
                f"After {found} network(s) the I-Net has not yet taken less time: {training} s, "
                f"{own} ms and {other} ms."
            )
        assert_equal(found, expected, f"The number for {training} s, {own} ms and {other} ms")
    return "The number is right in nine cases, also where both take the same time."
