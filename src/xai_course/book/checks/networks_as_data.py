"""Checks of the chapter *networks-as-data*."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator
from xai_course.book.expect import (
    assert_close,
    assert_equal,
    close_to,
    expect_array,
    expect_number,
    expect_parts,
    forbid,
    precision,
)
from xai_course.inet import LambdaNets, closed_form_moments

SLUG = "networks-as-data"


def _three_neurons(
    a: int = 2, s: str = "1/2", b: int = 1, t: str = "1/4", c: int = 5, bias: str = "1/2"
) -> tuple[float, int, int]:
    weights = [[[1], [-1], [-2]]], [[-Fraction(s), Fraction(t), -1]], [[a, -b, c]]
    nets = LambdaNets(*(np.array(one, dtype=float) for one in weights), [float(Fraction(bias))])
    return float(closed_form_moments(nets)[0, -1]), 1, 6


def _draw_file(rng: np.random.Generator) -> dict[str, int | str]:
    s, t, bias = rng.choice(["1/4", "1/2", "3/4"], 3).tolist()
    a, b, c = rng.integers([2, 1, 2], [7, 4, 7]).tolist()
    return {"a": a, "s": s, "b": b, "t": t, "c": c, "bias": bias}


@exercise(
    f"ex-{SLUG}-1",
    draw=_draw_file,
    question="lambda(x) = {a} max(0, x - {s}) - {b} max(0, {t} - x) + {c} max(0, -2x - 1) "
    "+ {bias}.",
    right=_three_neurons,
)
def three_neurons(answer: Callable[[], Any], **numbers: Any) -> str:
    """Compare with the closed form, and with what is dead."""
    expected, dead, files = _three_neurons(**numbers)
    what = "three things: the mean, the dead neurons, the files"
    mean, n_dead, n_files = expect_parts(answer(), 3, what)
    if close_to(mean, expected - _three_neurons(**{**numbers, "a": 0, "b": 0})[0]):
        raise CheckFailed("The mean lacks the output bias.")
    if close_to(mean, 2 * _three_neurons(**{**numbers, "b": 0})[0] - expected):
        raise CheckFailed("The second neuron has a negative output weight.")
    if expect_number(mean, "The mean") < -1:
        raise CheckFailed(
            "A neuron never gives less than zero: look at the third one on the interval."
        )
    assert_close(mean, expected, "The mean")
    assert_equal(n_dead, dead, "The number of dead neurons")
    if n_files == 2:
        raise CheckFailed("A dead neuron still has a place in the file: there are more files.")
    assert_equal(n_files, files, "The number of files")
    return "Mean, dead neurons and files are right."


@exercise(f"ex-{SLUG}-2")
def canonical(answer: Callable[..., Any]) -> str:
    """Look at length, function and order, then at a neuron of zeros."""
    rng = student_generator(3)
    W, b, v = rng.normal(size=(6, 3)), rng.normal(size=6), rng.normal(size=6)
    v[0], W[0], b[0] = 0.01, 100 * W[0], 100 * b[0]  # small outside, large inside
    v[1] = -5  # large and negative
    _judge_canonical(answer, W, b, v, "")
    W[2], b[2] = 0, 0
    _judge_canonical(answer, W, b, v, " with a neuron of zeros")
    return "Length, function and order are right, also with a neuron of zeros."


def _judge_canonical(
    answer: Callable[..., Any], W: np.ndarray, b: np.ndarray, v: np.ndarray, where: str
) -> None:
    alone = "Do not call the library: scale and sort the neurons yourself."
    with (
        np.errstate(invalid="ignore", divide="ignore"),
        forbid("xai_course.inet.lambda_nets.LambdaNets.canonical", alone),
    ):
        found = answer(W.copy(), b.copy(), v.copy())
    parts = zip("Wbv", expect_parts(found, 3, "three things: W, b and v"), (W, b, v), strict=True)
    found = [
        expect_array(part, old.shape, f"{name}{where} in its shape, {old.shape}")
        for name, part, old in parts
    ]
    expected = LambdaNets(W[None], b[None], v[None], [0.0]).canonical()
    if any(np.isnan(part).any() for part in found):
        raise CheckFailed(f"The file{where} holds NaN: a length was zero.")
    mine = LambdaNets(*(part[None] for part in found), [0.0])
    X = student_generator(0).uniform(-1, 1, (50, W.shape[1]))
    gap = np.abs(mine.predict(X) - expected.predict(X)).max()
    tolerance = max(1e-9, precision(found))
    if gap > tolerance:
        raise CheckFailed(f"The function{where} has changed, by up to {gap:.3g}.")
    length = np.sqrt((mine.hidden_weights**2).sum(axis=2) + mine.hidden_biases**2)[0]
    alive = length > 0
    assert_close(
        length[alive], np.ones(alive.sum()), f"The lengths of the neurons{where}", tolerance
    )
    size = np.abs(mine.output_weights[0])
    if (np.diff(size) > 1e-3 * tolerance).any():
        raise CheckFailed(f"The output weights{where} should fall in size, got {size.round(3)}.")
    assert_close(found[2], expected.output_weights[0], f"The output weights{where}", tolerance)


@exercise(f"ex-{SLUG}-3")
def to_dense(answer: Callable[..., Any]) -> str:
    """Compare for the paper's example, for a repeated monomial, then for random terms."""
    theta = np.array([3.0, 1, -5, -3, -4, 0, 5, 3, 8, 9])
    expected = [3, 0, 0, -5, 0, 1, 0, 0, -3, -4]
    assert_close(answer(theta, 10), expected, "The dense form of the paper's example")
    found = answer(np.array([1.0, 2.0, 0.5, 2, 2, 0]), 4)
    if close_to(found, [0.5, 0, 2, 0]):
        raise CheckFailed("A monomial that is chosen twice has the sum of both coefficients.")
    assert_close(found, [0.5, 0, 3, 0], "The dense form where a monomial repeats")
    rng = student_generator(2)
    coef, index = rng.normal(size=30), rng.integers(0, 20, size=30)
    expected = np.bincount(index, coef, minlength=20)
    found = answer(np.concatenate([coef, index]), 20)
    assert_close(found, expected, "The dense form of thirty random terms")
    return "The dense form is right in three cases, repeated monomials included."
