"""Checks of the chapter *relevance-propagation*."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator
from xai_course.book.expect import assert_close, close_to, expect_array, expect_parts
from xai_course.networks import PiecewiseLinearNetwork

SLUG = "relevance-propagation"


def _relevances(
    m: int = 2, n: int = 1, c: int = 1, r: int = 2, x: tuple[int, int] = (2, 1)
) -> tuple[list[float], int, list[float]]:
    first, second = m * (sum(x) + c), n * (r * x[0] - x[1])
    positive = (first - second) / sum(x) * np.array(x)  # the first neuron gets the whole score
    return [(m - n * r) * x[0], (m + n) * x[1]], m * c, positive.tolist()


def _draw_network(rng: np.random.Generator) -> dict[str, Any]:
    while True:
        m, n, c, r, *x = rng.integers([2, 1, 1, 1, 1, 1], [4, 3, 4, 4, 4, 4]).tolist()
        if x[0] != x[1] < r * x[0] and m * (sum(x) + c) > n * (r * x[0] - x[1]):
            return {"m": m, "n": n, "c": c, "r": r, "x": tuple(x)}


@exercise(
    f"ex-{SLUG}-1",
    draw=_draw_network,
    question="f(x) = {m} h1 - {n} h2 with h1 = max(0, x1 + x2 + {c}) and h2 = max(0, {r} x1 - x2), "
    "at x = {x}.",
    right=_relevances,
)
def by_hand(
    answer: Callable[[], Any], c: int = 1, x: tuple[int, int] = (2, 1), **numbers: int
) -> str:
    """Compare with the arithmetic, one part at a time."""
    what = "three things: the pair of LRP-0, what the bias keeps, the pair of the other rule"
    plain, kept, positive = expect_parts(answer(), 3, what)
    lrp, bias, other = _relevances(c=c, x=x, **numbers)
    forgotten = [[0, bias], bias / sum(x) * np.array(x)]  # given to x_2, or shared by both
    if any(close_to(plain, np.add(lrp, extra), atol=0.01) for extra in forgotten):
        raise CheckFailed("Under LRP-0 the bias of the first neuron gets its share, too.")
    assert_close(plain, lrp, "The relevances under LRP-0")
    if close_to(kept, c):
        raise CheckFailed("That is the bias itself. It keeps its share of what h1 has to give.")
    assert_close(kept, bias, "What the bias keeps")
    if close_to(positive, np.array(other) * sum(x) / (sum(x) + c)):
        raise CheckFailed("Here the bias gets nothing: the two inputs share the whole score.")
    assert_close(positive, other, "The relevances with alpha 1 and beta 0", 5e-3)
    return "Both pairs and the bias are right."


@exercise(f"ex-{SLUG}-2")
def epsilon_step(answer: Callable[..., Any]) -> str:
    """Compare with sums over single contributions, at several sizes of epsilon."""
    rng = student_generator(2)
    for n, n_in, n_out in [(1, 3, 2), (4, 2, 5), (3, 3, 3)]:
        a, W = rng.normal(size=(n, n_in)), rng.normal(size=(n_out, n_in))
        b, R = rng.normal(size=n_out), rng.normal(size=(n, n_out))
        for epsilon in (1e-9, 0.5):
            found = expect_array(
                answer(a, W, b, R, epsilon), (n, n_in), f"an array of shape {(n, n_in)}"
            )
            expected = _step(a, W, b, R, epsilon)
            upwards = _step(a, W, b, R, epsilon, toward=True)  # the same where no z is negative
            if epsilon == 0.5 and close_to(found, upwards) and not close_to(expected, upwards):
                raise CheckFailed("epsilon must move a negative z down: away from zero.")
            if close_to(found, _step(a, W, 0 * b, R, epsilon)):
                raise CheckFailed("The bias belongs to z.")
            assert_close(found, expected, f"The relevances with epsilon = {epsilon:g}", 1e-7)
    off = answer(np.zeros((1, 2)), np.ones((1, 2)), np.zeros(1), np.ones((1, 1)), 0.1)
    if not np.isfinite(np.asarray(off, dtype=float)).all():
        raise CheckFailed("Where z is 0, its sign counts as 1: the division must not fail.")
    on = answer(np.array([[1.0, -1.0]]), np.ones((1, 2)), np.zeros(1), np.ones((1, 1)), 0.1)
    assert_close(on, [[10, -10]], "The relevances where z is 0 and epsilon 0.1")
    return "The step agrees with the sum over single contributions, also where z is 0."


def _step(
    a: np.ndarray, W: np.ndarray, b: np.ndarray, R: np.ndarray, epsilon: float, toward: bool = False
) -> np.ndarray:
    """Return the step, contribution by contribution; `toward` moves every z up, as a slip does."""
    brought = a[:, None, :] * W
    z = brought.sum(axis=2) + b
    z = z + np.where((z < 0) & (not toward), -epsilon, epsilon)
    return (brought / z[:, :, None] * R[:, :, None]).sum(axis=1)


@exercise(f"ex-{SLUG}-3")
def rescale(answer: Callable[..., Any]) -> str:
    """Compare with products of chords along all paths, for one to three hidden layers."""
    rng = student_generator(3)
    for hidden in [(4,), (5, 4), (4, 4, 3)]:
        sizes = (3, *hidden, 1)
        network = PiecewiseLinearNetwork(
            [rng.normal(size=(m, n)) for n, m in pairwise(sizes)],
            [rng.normal(size=m) for m in sizes[1:]],
        )
        for _ in range(4):
            x, baseline = rng.normal(size=(2, 3))
            found = expect_array(answer(network, x, baseline), (3,), "an array of shape (3,)")
            difference = (network.forward(x[None]) - network.forward(baseline[None])).item()
            expected = _chords(network, x, baseline) * (x - baseline)
            coef, _ = network.local_linear_models(network.activation_pattern(x[None]))
            local = coef[0, 0] * (x - baseline)
            if close_to(found, local) and not close_to(expected, local):
                raise CheckFailed(
                    "These are gradients at x times the difference. The slope of a neuron must be "
                    "that of the chord from z' to z."
                )
            multipliers = _chords(network, x, baseline)
            if close_to(found, multipliers) and not close_to(expected, multipliers):
                raise CheckFailed("These are multipliers. Multiply by x - baseline at the end.")
            if not close_to(found.sum(), difference, atol=1e-6):
                raise CheckFailed(
                    f"The contributions add up to {found.sum():.4f}, and f(x) - f(baseline) is "
                    f"{difference:.4f}."
                )
            what = f"The contributions with {len(hidden)} hidden layer(s)"
            assert_close(found, expected, what, 1e-7)
    x, still = np.array([1.0, 2.0]), np.array([1.0, 0.0])
    network = PiecewiseLinearNetwork([[[1, 0], [0, 1]], [[1, 1]]], [[0, 0], [0]])
    with np.errstate(all="ignore"):
        found = answer(network, x, still)
    if not np.isfinite(np.asarray(found, dtype=float)).all():
        raise CheckFailed("A neuron whose z is the same for both inputs must not divide 0 by 0.")
    assert_close(found, [0, 2], "The contributions where one neuron does not change")
    return "The contributions are right for one, two and three hidden layers."


def _chords(network: PiecewiseLinearNetwork, x: np.ndarray, baseline: np.ndarray) -> np.ndarray:
    """Return the multipliers, forward: one matrix from the inputs to each layer."""
    through, pair = np.eye(len(x)), np.array([x, baseline])
    for W, b in zip(network.weights[:-1], network.biases[:-1], strict=True):
        z = pair @ W.T + b
        pair = np.maximum(0, z)
        rise = z[0] - z[1]  # zero behind a layer that gives both inputs the same
        chord = np.divide(pair[0] - pair[1], rise, out=np.zeros_like(rise), where=rise != 0)
        through = chord[:, None] * (W @ through)
    return (network.weights[-1] @ through)[0]


@exercise(f"ex-{SLUG}-4")
def likeness(answer: Callable[..., Any]) -> str:
    """Compare with NumPy's correlation, for methods that know the class and one that does not."""
    rng = student_generator(4)
    X, towards = rng.normal(size=(5, 12)), rng.normal(size=(3, 12)) + 2
    methods = {
        "gives each class its own map": lambda X, k: X * towards[k] + k,
        "turns its sign with the class": lambda X, k: X * (-1.0) ** k,
        "does not know the class": lambda X, k: (k + 1) * X + k,
    }
    for name, explain in methods.items():
        for first, second in [(0, 1), (2, 1), (0, 2)]:
            a, b = explain(X, first), explain(X, second)
            expected = [np.corrcoef(row)[0, 1] for row in np.stack([a, b], axis=1)]
            what = f"The correlations for a method that {name}, classes {first} and {second}"
            found = expect_array(answer(explain, X, first, second), (5,), "one number per row")
            cosine = np.sum(a * b, 1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
            if close_to(found, cosine) and not close_to(expected, cosine):
                raise CheckFailed("This is the cosine. Take each map's mean off first.")
            assert_close(found, expected, what)
    flat = np.vstack([np.full(12, 0.1), X[:1]])
    with np.errstate(all="ignore"):
        found = answer(lambda X, k: X, flat, 0, 1)
    assert_close(found, [1, 1], "The likeness where the first map is constant")
    return "The correlations are right for three methods and three pairs of classes."
