"""Checks of the chapter *local-linear-models*."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator
from xai_course.book.expect import (
    assert_close,
    assert_equal,
    close_to,
    expect_number,
    expect_parts,
    forbid,
    precision,
)
from xai_course.networks import PiecewiseLinearNetwork

SLUG = "local-linear-models"


def _draw_biases(rng: np.random.Generator) -> dict[str, float]:
    # One of both never changes inside the box, and the line of the other one crosses some lines.
    biases = [float(rng.choice([-2, 0.3])), float(rng.choice([-0.4, -0.2, -0.1]))]
    return dict(zip(rng.permutation(["first", "fourth"]).tolist(), biases, strict=True))


def _counts(first: float = -0.3, fourth: float = 0.3) -> tuple[int, ...]:
    """Count the patterns on a grid; all regions are far larger than a pixel."""
    network = PiecewiseLinearNetwork(
        [
            np.array([[-1, 1], [1, 1]]) / np.sqrt(2),
            [[1, 1 / 4], [1 / 2, 1 / 3], [1 / 3, 1 / 2], [1 / 4, 1]],
            np.ones((1, 4)),
        ],
        [np.zeros(2), [first, -0.3, -0.3, fourth], np.zeros(1)],
    )
    axis = np.linspace(-0.999, 0.999, 200)
    points = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    upper, lower = np.split(np.unique(network.activation_pattern(points), axis=0), [2], axis=1)
    trivial = ~upper.any(axis=1) | ~lower.any(axis=1)
    return (*np.bincount(upper @ [2, 1])[::-1].tolist(), int(trivial.sum()))


@exercise(
    f"ex-{SLUG}-1",
    draw=_draw_biases,
    question=(
        "the first neuron of the second layer has the bias {first}, the fourth the bias {fourth}, "
        "and the other two keep -0.3."
    ),
    right=_counts,
)
def one_neuron_lifted(answer: Callable[[], Any], **numbers: float) -> str:
    """Compare with the patterns on a grid."""
    expected = _counts(**numbers)
    found = expect_parts(answer(), 5, "five integers: four counts of regions, one of patterns")
    if close_to(found[:4], [11, 5, 5, 1]):
        raise CheckFailed(
            "These are the regions with all biases at -0.3. Does every neuron still cut?"
        )
    if close_to(found[0], max(expected[1:3])):
        raise CheckFailed(
            "Where both neurons of the first layer are on, the lines cross: each crossing adds a "
            "piece."
        )
    names = ("both on", "only the first on", "only the second on", "both off")
    for name, one, right in zip(names, found[:4], expected[:4], strict=True):
        assert_equal(one, right, f"The number of regions with {name}")
    assert_equal(found[4], expected[4], "The number of trivial patterns")
    return f"The box has {sum(expected[:4])} regions now; trivial patterns: {expected[4]}."


@exercise(f"ex-{SLUG}-2")
def local_model(answer: Callable[..., Any]) -> str:
    """Compare with the gated network at zero and at the unit vectors, for several depths."""
    rng = student_generator(2)
    for sizes in [(2, 3, 1), (5, 4, 6, 3), (1, 4, 3, 5, 2), (3, 2)]:
        weights = [rng.normal(size=(m, n)) for n, m in pairwise(sizes)]
        biases = [rng.normal(size=m) for m in sizes[1:]]
        pattern = [rng.integers(0, 2, size=n).astype(float) for n in sizes[1:-1]]
        for on in pattern:
            on[:2] = rng.permutation([0.0, 1.0])  # some neurons on, some off
        _compare_models(answer, pattern, weights, biases)
    return "Coefficients and intercepts are right with none to three hidden layers."


def _compare_models(
    answer: Callable[..., Any],
    pattern: list[np.ndarray],
    weights: list[np.ndarray],
    biases: list[np.ndarray],
) -> None:
    def gated(signal: np.ndarray, shifts: list[np.ndarray]) -> np.ndarray:
        for on, W, b in zip(pattern, weights, shifts, strict=False):
            signal = on[:, None] * (W @ signal + b[:, None])
        return weights[-1] @ signal + shifts[-1][:, None]

    n_features, depth = weights[0].shape[1], len(pattern)
    coef = gated(np.eye(n_features), [0 * b for b in biases])
    intercept = gated(np.zeros((n_features, 1)), biases)[:, 0]
    given = ([on.copy() for on in pattern], [W.copy() for W in weights], [b.copy() for b in biases])
    alone = "Do not call the library: build the product yourself."
    with forbid("xai_course.networks.PiecewiseLinearNetwork.__init__", alone):
        result = answer(*given)
    result = expect_parts(result, 2, "two things, coef and intercept")
    where = f" with {depth} hidden layer(s)"
    if depth and close_to(result[0], np.linalg.multi_dot(weights[::-1])):
        raise CheckFailed("These coefficients are the product without the pattern.")
    if depth and close_to(result[1], biases[-1]):
        raise CheckFailed("Only the last bias is in the intercept; the others pass through, too.")
    assert_close(result[0], coef, f"The coefficients{where}")
    assert_close(result[1], intercept, f"The intercept{where}")


@exercise(f"ex-{SLUG}-3")
def distance_to_border(answer: Callable[..., float]) -> str:
    """Step to both sides of the border that is claimed, and look whether the pattern changes."""
    W, b = np.array([[1.0, 0.0], [2.0, 0.0]]), np.array([1.0, -1.0])
    never = answer(W, b, np.zeros(2), np.array([0.0, 1.0]))
    assert_equal(never, np.inf, "The distance where no neuron ever switches")
    rng = student_generator(4)
    for _ in range(20):
        W, b = rng.normal(size=(6, 3)), rng.normal(size=6)
        x, d = rng.normal(size=3), rng.normal(size=3)
        _walk(answer(W, b, x, d), W, b, x, d)
    return "Nothing switches before your border and something does behind it, on 20 walks."


def _walk(t: float, W: np.ndarray, b: np.ndarray, x: np.ndarray, d: np.ndarray) -> None:
    def on(step: float) -> np.ndarray:
        return W @ (x + step * d) + b >= 0

    if not expect_number(t, "The distance") > 0:
        raise CheckFailed(f"The distance should be positive, got {t:.6g}.")
    margin = max(1e-9, precision(t))
    far = 1e6 if np.isinf(t) else t * (1 - margin)
    if (on(0) != on(far)).any():
        raise CheckFailed(
            f"On the way to your distance {t:.6g} a neuron has already switched. "
            "Take the first border ahead."
        )
    if np.isfinite(t) and (on(0) == on(t * (1 + margin))).all():
        raise CheckFailed(f"No neuron switches at your distance {t:.6g}.")
