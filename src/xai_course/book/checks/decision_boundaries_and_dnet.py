"""Checks of the chapter *decision-boundaries-and-dnet*."""

from __future__ import annotations

from collections.abc import Callable
from math import comb
from typing import Any

import numpy as np

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator
from xai_course.book.expect import assert_close, assert_equal, close_to, expect_array
from xai_course.networks import PiecewiseLinearNetwork

SLUG = "decision-boundaries-and-dnet"


def _cells(lines: np.ndarray, box: np.ndarray) -> int:
    """Return how many cells lines make in a box, by clipping polygons."""
    flat = PiecewiseLinearNetwork(
        [lines[:, :2], np.zeros((1, len(lines)))], [lines[:, 2], np.zeros(1)]
    )
    return len(flat.enumerate_regions(box))


def _draw_polygon(rng: np.random.Generator) -> dict[str, int]:
    return {"sides": int(rng.choice([5, *range(7, 17)]))}


def _states(sides: int = 6) -> tuple[int, int]:
    """Return the number of cells, in a box that holds all crossings, and of other states."""
    angles = 2 * np.pi / sides * np.arange(sides) + 0.1
    lines = np.column_stack([np.cos(angles), np.sin(angles), -np.ones(sides)])
    cells = _cells(lines, np.array([[-12.0, 12.0], [-12.0, 12.0]]))
    return cells, 2**sides - cells


@exercise(
    f"ex-{SLUG}-1",
    draw=_draw_polygon,
    question="the boundary is a regular polygon with {sides} sides, and there are {sides} neurons.",
    right=_states,
)
def hexagon(answer: Callable[[], Any], sides: int = 6) -> str:
    """Compare with the cells of the polygon's lines."""
    cells, impossible = _states(sides)
    found = expect_array(answer(), (2,), "two numbers, cells and impossible states")
    if found[0] == 1 + sides + comb(sides, 2) != cells:
        raise CheckFailed("So many cells need lines of which no two are parallel.")
    assert_equal(found[0], cells, "The number of cells")
    assert_equal(found[1], impossible, "The number of impossible states")
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
    rng = student_generator(2)
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
    rng = student_generator(3)
    box = np.array([[-1.0, 1.0], [-1.0, 1.0]])
    outside = np.array([[1.0, 0.2, 5.0], [0.3, 1.0, 0.1]])
    far = np.array([[1.0, 0.1, 0.0], [1.0, -0.1, 0.5]])
    for lines, what in [
        (outside, "Two lines, one of them outside the box"),
        (far, "Two lines that cross outside the box"),
        (rng.normal(size=(3, 3)), "Three random lines"),
        (rng.normal(size=(12, 3)), "Twelve random lines"),
    ]:
        assert_equal(
            answer(lines.copy(), box.copy()), _cells(lines, box), f"{what}: the number of cells"
        )
    wide = np.array([[0.0, 7.0], [-3.0, 1.0]])
    lines = rng.normal(size=(8, 3)) * [1, 1, 3]
    expected = _cells(lines, wide)
    assert_equal(answer(lines.copy(), wide.copy()), expected, "In a box of unequal sides: cells")
    # Three lines, two of which are almost one: they cross inside, and make 6 cells.
    close = np.array([[1.0, 0.3, 0.1], [1.0, 0.3 + 1e-6, 0.1 + 3e-7], [0.2, 1.0, 0.4]])
    what = "Three lines, two of them 1e-6 apart, which no pixel tells apart: the number of cells"
    assert_equal(answer(close.copy(), box.copy()), _cells(close, box), what)
    return "Counts agree with the library's clipping, in two boxes."


@exercise(f"ex-{SLUG}-4")
def own_work(answer: Callable[..., Any]) -> str:
    """Compare on a case by hand and on random states."""
    states = np.array([[0, 0], [0, 1], [1, 1], [1, 0]], dtype=np.uint8)
    train, decisions = states[[0, 0, 0, 1, 2, 2]], np.array([0, 0, 1, 1, 1, 0])
    test, wanted = states[[0, 0, 1, 2, 3]], np.array([0, 1, 1, 0, 1])
    what = "two numbers, the coverage and the share"
    given = [part.copy() for part in (train, decisions, test, wanted)]
    coverage, earned = expect_array(answer(*given), (2,), what)
    assert_close(coverage, 0.8, "The coverage of four known rows in five")
    if np.isclose(earned, 0.8):
        raise CheckFailed("0.8 counts the unknown row as agreement: the network answered it.")
    if np.isclose(earned, 0.75):
        raise CheckFailed("0.75 divides by the known rows; divide by all test rows.")
    if np.isclose(earned, 0.4):
        raise CheckFailed("0.4 takes a tie of the votes for 1, or no vote at all; a tie is 0.")
    assert_close(earned, 0.6, "The share answered alone and alike of five rows")
    rng, expected, slip = student_generator(5), None, None
    while expected == slip:
        train, test = (rng.integers(0, 2, (n, 6)).astype(np.uint8) for n in (150, 200))
        decisions, wanted = (rng.integers(0, 2, len(rows)) for rows in (train, test))
        expected = _own_work(_votes(train, decisions, _majority), test, wanted)
        slip = _own_work(_votes(train, decisions, lambda votes: votes[-1]), test, wanted)
    found = answer(train.copy(), decisions.copy(), test.copy(), wanted.copy())
    if close_to(found, slip):
        raise CheckFailed(
            "Each state takes the decision of its last training row here. Where the rows of a "
            "state disagree, most of them decide."
        )
    assert_close(found, expected, "Coverage and share of 200 random rows, states that disagree")
    return "Only what the DNet answered itself counts."


def _majority(votes: list[int]) -> int:
    return int(2 * sum(votes) > len(votes))


def _votes(
    states: np.ndarray, decisions: np.ndarray, choose: Callable[[list[int]], int]
) -> dict[bytes, int]:
    votes: dict[bytes, list[int]] = {}
    for row, decision in zip(states, decisions, strict=True):
        votes.setdefault(row.tobytes(), []).append(int(decision))
    return {state: choose(of_state) for state, of_state in votes.items()}


def _own_work(table: dict[bytes, int], states: np.ndarray, wanted: np.ndarray) -> tuple[float, ...]:
    answers = np.array([table.get(row.tobytes(), -1) for row in states])
    return float(np.mean(answers >= 0)), float(np.mean(answers == wanted))
