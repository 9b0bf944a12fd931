"""Checks of the chapter *decision-boundaries-and-dnet*."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.expect import assert_close, assert_equal, expect_array
from xai_course.networks import PiecewiseLinearNetwork

SLUG = "decision-boundaries-and-dnet"


def _cells(lines: np.ndarray, box: np.ndarray) -> int:
    """Return how many cells lines make in a box, by clipping polygons."""
    flat = PiecewiseLinearNetwork(
        [lines[:, :2], np.zeros((1, len(lines)))], [lines[:, 2], np.zeros(1)]
    )
    return len(flat.enumerate_regions(box))


@exercise(f"ex-{SLUG}-1")
def hexagon(answer: Callable[[], Any]) -> str:
    """Compare with the cells of a hexagon's lines in a box that holds all crossings."""
    angles = np.pi / 3 * np.arange(6) + 0.1
    lines = np.column_stack([np.cos(angles), np.sin(angles), -np.ones(6)])
    cells = _cells(lines, np.array([[-9.0, 9.0], [-9.0, 9.0]]))
    found = expect_array(answer(), (2,), "two numbers, cells and impossible states")
    if found[0] == 22:
        raise CheckFailed("22 cells need six lines of which no two are parallel.")
    assert_equal(found[0], cells, "The number of cells")
    assert_equal(found[1], 2**6 - cells, "The number of impossible states")
    return "Each of the cells is one state; all other states are impossible."


@exercise(f"ex-{SLUG}-2")
def runs_through(answer: Callable[..., bool]) -> str:
    """Compare on named cases and with exact clipping on random regions."""
    square, limits = np.vstack([np.eye(2), -np.eye(2)]), np.array([-1.0, -1.0, 3.0, 3.0])
    half_plane = (np.array([[1.0, 0.0]]), np.zeros(1))
    for region, line, expected, where in [
        ((square, limits), ([1.0, 0.0], 2.0), True, "x1 = -2 and the square from -3 to -1"),
        ((square, limits), ([1.0, 1.0], 2.0), False, "a line that touches the square's corner"),
        ((square, limits), ([1.0, 0.0], 1.0), False, "a line along the square's side"),
        ((square, limits), ([1.0, 0.0], -2.0), False, "x1 = 2 and the square from -3 to -1"),
        (half_plane, ([0.0, 1.0], 4.0), True, "x2 = -4 and the half-plane x1 <= 0, unbounded"),
        (half_plane, ([1.0, 0.0], 5.0), True, "x1 = -5 and the half-plane x1 <= 0, unbounded"),
    ]:
        found = bool(answer(*region, np.array(line[0]), line[1]))
        assert_equal(found, expected, f"The answer for {where}")
    rng = np.random.default_rng(2)
    layers = [rng.normal(size=(4, 2)), rng.normal(size=(1, 4))]
    network = PiecewiseLinearNetwork(layers, [rng.normal(size=4), np.zeros(1)])
    regions = network.enumerate_regions([[-2, 2], [-2, 2]])
    lines = [(rng.normal(size=2), float(rng.normal())) for _ in regions]
    crossed, _ = regions.segments(*map(np.array, zip(*lines, strict=True)))
    for number, (region, line) in enumerate(zip(regions, lines, strict=True)):
        found = bool(answer(region.A, region.b, *line))
        assert_equal(found, number in crossed, "The answer for a random region")
    return "Bounded and unbounded regions, and lines that only touch."


@exercise(f"ex-{SLUG}-3")
def count_cells(answer: Callable[[np.ndarray, np.ndarray], int]) -> str:
    """Compare with clipping."""
    rng = np.random.default_rng(3)
    box = np.array([[-1.0, 1.0], [-1.0, 1.0]])
    outside = np.array([[1.0, 0.2, 5.0], [0.3, 1.0, 0.1]])
    far = np.array([[1.0, 0.1, 0.0], [1.0, -0.1, 0.5]])
    for lines, what in [
        (outside, "Two lines, one of them outside the box"),
        (far, "Two lines that cross outside the box"),
        (rng.normal(size=(3, 3)), "Three random lines"),
        (rng.normal(size=(12, 3)), "Twelve random lines"),
    ]:
        assert_equal(answer(lines, box), _cells(lines, box), f"{what}: the number of cells")
    wide = np.array([[0.0, 7.0], [-3.0, 1.0]])
    lines = rng.normal(size=(8, 3)) * [1, 1, 3]
    assert_equal(answer(lines, wide), _cells(lines, wide), "In a box of unequal sides: cells")
    return "Counts agree with the library's clipping, in two boxes."


@exercise(f"ex-{SLUG}-4")
def flips(answer: Callable[..., np.ndarray]) -> str:
    """Compare on the diamond, from inside and outside, and on a random network."""
    normals = np.array([[1, 1], [1, 1], [1, -1], [1, -1]]) / np.sqrt(2)
    offsets = np.array([-0.5, 0.5, -0.5, 0.5]) / np.sqrt(2)

    def outside(X: np.ndarray) -> np.ndarray:
        return (np.abs(X).sum(axis=1) >= 0.5).astype(int)

    for x, expected in [
        ([0.1, 0.05], [True] * 4),
        ([1.5, 0.0], [False] * 4),
        ([0.4, 0.4], [True, False, False, False]),
        ([-0.4, -0.3], [False, True, False, False]),
    ]:
        what = "one answer per hyperplane, 4 of them"
        found = expect_array(answer(outside, normals, offsets, np.array(x)), (4,), what) != 0
        if found.tolist() != expected:
            raise CheckFailed(
                f"For the diamond and x = {x} the answers should be {expected}, "
                f"got {found.tolist()}. Walk to the line's nearest point and beyond it, and "
                "compare with the decision at x."
            )
    axis = np.eye(2)[:1], np.zeros(1), np.ones(2)
    if not np.all(answer(lambda X: (X[:, 0] > 0.1).astype(int), *axis, 0.05)):
        raise CheckFailed("From (1, 1) to x1 = 0 and beyond, the decision changes at x1 = 0.1.")
    if not np.all(answer(lambda X: (X[:, 0] > -0.1).astype(int), *axis, 0.2)):
        raise CheckFailed("A walk that goes 0.2 beyond x1 = 0 ends at x1 = -0.2: use `beyond`.")
    return "From inside and outside the diamond, and with another length of the walk."


@exercise(f"ex-{SLUG}-5")
def own_work(answer: Callable[..., Any]) -> str:
    """Compare on a case by hand and on random states."""
    states = np.array([[0, 0], [0, 1], [1, 1], [1, 0]], dtype=np.uint8)
    train, decisions = states[[0, 0, 0, 1, 2, 2]], np.array([0, 0, 1, 1, 1, 0])
    test, wanted = states[[0, 0, 1, 2, 3]], np.array([0, 1, 1, 0, 1])
    what = "two numbers, the coverage and the share"
    coverage, earned = expect_array(answer(train, decisions, test, wanted), (2,), what)
    assert_close(coverage, 0.8, "The coverage of four known rows in five")
    if np.isclose(earned, 0.8):
        raise CheckFailed("0.8 counts the unknown row as agreement: the network answered it.")
    if np.isclose(earned, 0.75):
        raise CheckFailed("0.75 divides by the known rows; divide by all test rows.")
    if np.isclose(earned, 0.4):
        raise CheckFailed("0.4 takes a tie of the votes for 1, or no vote at all; a tie is 0.")
    assert_close(earned, 0.6, "The share answered alone and alike of five rows")
    rng = np.random.default_rng(5)
    train, test = (rng.integers(0, 2, (n, 6)).astype(np.uint8) for n in (60, 200))
    decisions, wanted = train[:, 0], test[:, 0]
    seen = {row.tobytes() for row in train}
    share = float(np.mean([row.tobytes() in seen for row in test]))
    found = answer(train, decisions, test, wanted)
    assert_close(found, [share, share], "Coverage and share of 200 random rows")
    return "Only what the DNet answered itself counts."
