"""Checks of the chapter *trees*."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator
from xai_course.book.expect import (
    assert_close,
    assert_equal,
    close_to,
    expect_array,
    expect_number,
    expect_parts,
)
from xai_course.networks import PiecewiseLinearNetwork

SLUG = "trees"


def _bends(
    start: int = 1, places: Sequence[int] = (1, 3), bends: Sequence[int] = (-1, 2)
) -> tuple[np.ndarray, int]:
    """Return the output at each place, and the changes of its sign, one at most on each piece."""
    slopes = np.cumsum(bends)
    at = start + np.cumsum([0, *slopes[:-1] * np.diff(places)])
    return at, int((np.sign(at) != np.sign([*at[1:], slopes[-1]])).sum())


def _draw_bends(rng: np.random.Generator) -> dict[str, Any]:
    n = int(rng.integers(2, 5))
    wanted = int(rng.integers(1, n + 1))
    while True:
        drawn = {
            "start": int(rng.choice([-2, -1, 1, 2])),
            "places": tuple(np.cumsum(rng.integers(1, 4, n)).tolist()),
            "bends": tuple(rng.choice([-4, -3, -2, -1, 1, 2, 3, 4], n).tolist()),
        }
        at, changes = _bends(**drawn)
        slopes = np.cumsum(drawn["bends"])
        # Every sign is certain at the places and far away, and no number is large.
        if at.all() and slopes.all() and np.abs(slopes).max() < 4 and changes == wanted:
            return drawn


def _right_leaves(**numbers: Any) -> tuple[int, int, int]:
    at, changes = _bends(**numbers)
    return 1 + len(at), 1 + len(at) + changes, 1 + changes


@exercise(
    f"ex-{SLUG}-1",
    draw=_draw_bends,
    question="the neurons are max(0, x - p) with p = {places}, asked in this order; their weights "
    "in f are {bends}, and the constant of f is {start}.",
    right=_right_leaves,
)
def count_leaves(answer: Callable[[], Any], **numbers: Any) -> str:
    """Compare with the pieces, the pieces of one sign within them, and the pieces of one sign."""
    what = "three numbers: the patterns, the leaves of the tree, those of the smallest tree"
    patterns, leaves, smallest = expect_parts(answer(), 3, what)
    right = _right_leaves(**numbers)
    if np.array_equal(patterns, 2 ** (right[0] - 1)):
        raise CheckFailed(
            "These are the patterns on paper. Can a neuron be on where the one before it is off?"
        )
    assert_equal(patterns, right[0], "The number of patterns")
    if np.array_equal(leaves, 2 * right[0]):
        raise CheckFailed("On one of the pieces the sign is certain: no question is asked there.")
    assert_equal(leaves, right[1], "The number of leaves")
    assert_equal(smallest, right[2], "The leaves of the smallest")
    return f"There are {right[0]} patterns and {right[1]} leaves, and {right[2]} would do."


@exercise(f"ex-{SLUG}-2")
def next_question(answer: Callable[..., Any]) -> str:
    """Compare with the library, on random networks of one to three hidden layers."""
    rng = student_generator(2)
    for sizes in ((3, 2, 1), (2, 3, 2, 1), (4, 2, 3, 2, 2)):
        shapes = list(zip(sizes[1:], sizes[:-1], strict=True))
        weights = [rng.normal(size=shape) for shape in shapes]
        biases = [rng.normal(size=shape[0]) for shape in shapes]
        network = PiecewiseLinearNetwork(weights, biases)
        full = rng.integers(2, size=network.n_hidden)
        full[:2] = 1, 0
        for known in range(network.n_hidden + 1):
            _next(answer, network, full[:known])
    return "Every question is right, in networks of one, two and three hidden layers."


def _next(answer: Callable[..., Any], network: PiecewiseLinearNetwork, states: np.ndarray) -> None:
    what = "two things, the vector w and the number c"
    w, c = expect_parts(answer(network, states.tolist()), 2, what)
    w = expect_array(w, (network.n_features,), f"w with {network.n_features} entries")
    c = expect_number(c, "c")
    right, shift = _question(network, states)
    where = f"With the states {states.tolist()} of a network {network.hidden_sizes}"
    wrong = len(states) > 0 and not close_to(w, right)
    if wrong and close_to(w, _question(network, np.ones_like(states))[0]):
        raise CheckFailed(f"{where} all neurons below were taken to be on.")
    if wrong and close_to(w, _question(network, 1 - states)[0]):
        raise CheckFailed(f"{where} on and off are exchanged: 1 means on.")
    assert_close(w, right, f"{where}, w")
    if close_to(c, _question(_without_biases(network), states)[1]) and not close_to(c, shift):
        raise CheckFailed(f"{where} the biases below are missing in c.")
    assert_close(c, shift, f"{where}, c")


def _without_biases(network: PiecewiseLinearNetwork) -> PiecewiseLinearNetwork:
    return PiecewiseLinearNetwork(network.weights, [0 * b for b in network.biases])


def _question(network: PiecewiseLinearNetwork, states: np.ndarray) -> tuple[np.ndarray, float]:
    layer = int(np.searchsorted(np.cumsum(network.hidden_sizes), len(states), side="right"))
    below = PiecewiseLinearNetwork(network.weights[: layer + 1], network.biases[: layer + 1])
    coef, shift = below.local_linear_models([states[: below.n_hidden]])
    k = len(states) - below.n_hidden
    return coef[0, k], float(shift[0, k])


@exercise(f"ex-{SLUG}-3")
def sample_near(answer: Callable[..., Any]) -> str:
    """Check the box, the distances, and that the area near the rows is filled evenly."""
    for seed, units in enumerate(([1.0, 1.0], [1.0, 1000.0])):
        rng = student_generator(seed)
        crowd = rng.normal(size=(120, 2)) * 0.3  # many rows, whose surroundings overlap
        few = rng.uniform(2, 6, size=(100, 2))
        _sampled(answer, np.concatenate([crowd, few]) * units, 600, seed)
    three = student_generator(5).normal(size=(60, 3))
    _sampled(answer, three, 50, 7)
    return "All points lie near the rows, in any unit, and fill the area there evenly."


def _sampled(answer: Callable[..., Any], X: np.ndarray, n: int, seed: int) -> None:
    d = X.shape[1]
    found = answer(X.copy(), n, student_generator(seed))
    found = expect_array(found, (n, d), f"{n} points with {d} features")
    low, high, scale = X.min(axis=0), X.max(axis=0), X.std(axis=0)
    tree = cKDTree(X / scale)
    typical = np.median(tree.query(tree.data, k=2)[0][:, 1])
    far, _ = tree.query(found / scale)
    if (far < 1e-9).mean() > 0.5:
        raise CheckFailed("These are the rows themselves. Draw new points, and ask near the rows.")
    if (far > 1.001 * typical).any():
        share = (far > 1.001 * typical).mean()
        raise CheckFailed(
            f"{share:.0%} of the points are farther from their nearest row than the typical "
            f"distance, {typical:.3g} standard deviations. Are distances measured after dividing "
            "each feature by its standard deviation, with k=2 among the rows?"
        )
    slack = 1e-9 * (high - low)
    if (found < low - slack).any() or (found > high + slack).any():
        raise CheckFailed("Some points lie outside the box of the rows, in original units.")
    if len(np.unique(found, axis=0)) < n:
        raise CheckFailed("Some points occur twice: draw a new batch each time.")
    rng = student_generator(99)
    many = rng.uniform(low, high, (60_000, d))
    distance, _ = tree.query(many / scale)
    usual = distance[distance <= typical]
    if far.mean() < 0.8 * usual.mean():
        raise CheckFailed(
            "The points lie closer to the rows than points drawn evenly and kept within the "
            "typical distance do."
        )
    middle = (low[0] + high[0]) / 2
    expected = (many[distance <= typical][:, 0] > middle).mean()
    share = (found[:, 0] > middle).mean()
    if abs(share - expected) > 5 * np.sqrt(expected * (1 - expected) / n) + 0.01:
        raise CheckFailed(
            f"{share:.0%} of the points lie in the upper half of the first feature, and "
            f"{expected:.0%} of the area near the rows does. Draw uniformly in the box and reject: "
            "a step from a random row follows the rows, not the area."
        )
