"""Checks of the chapter *rules*."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from math import comb
from typing import Any

import numpy as np
from scipy.optimize import linprog

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator
from xai_course.book.expect import assert_close, assert_equal, close_to, expect_array, expect_parts

SLUG = "rules"


def _unit(
    sizes: Sequence[int] = (2, 2, 2, 1, 1), bias: float = 4.5
) -> tuple[tuple[int, ...], np.ndarray]:
    """Return the right answer from all 32 inputs, and which sets of literals suffice."""
    above, sets = bias + sum(sizes[3:]), np.array(list(product([0, 1], repeat=5)))
    on = sets @ sizes > above
    smallest = [s for s in sets[on] if not any((r <= s).all() and (r < s).any() for r in sets[on])]
    skipped = [s for s in sets if any((r <= s).all() and (r < s).any() for r in smallest)]
    least = int(np.ceil(above / np.mean(sizes)))
    differ = int(((sets.sum(axis=1) >= least) != on).sum())
    return (len(smallest), len(sets) - len(skipped), least, differ), sets[on]


def _draw_unit(rng: np.random.Generator) -> dict[str, Any]:
    while True:
        sizes = tuple(rng.integers(1, 5, size=5).tolist())
        drawn = {"sizes": sizes, "bias": sum(sizes[:3]) - int(rng.integers(1, 5)) - 0.5}
        (rules, _, _, differ), enough = _unit(**drawn)
        if drawn["bias"] > 0 and 2 <= rules <= 5 and rules < len(enough) <= 10 and differ:
            return drawn


@exercise(
    f"ex-{SLUG}-1",
    draw=_draw_unit,
    question="the unit is on if {sizes[0]}a + {sizes[1]}b + {sizes[2]}c - {sizes[3]}d - "
    "{sizes[4]}e > {bias}.",
    right=lambda **numbers: _unit(**numbers)[0],
)
def one_unit(answer: Callable[[], Any], **numbers: Any) -> str:
    """List all 32 inputs, and all 32 sets of literals, and compare."""
    what = "four numbers: the rules, the sets tried, M, and the inputs decided differently"
    rules, tried, needed, differ = expect_parts(answer(), 4, what)
    right, enough = _unit(**numbers)
    if rules == len(enough):
        raise CheckFailed("These are all sets that suffice. A set that contains a rule is none.")
    assert_equal(rules, right[0], "The number of rules")
    if tried == 2**5:
        raise CheckFailed("The full set is not tried: it contains a rule that was found.")
    if tried == sum(comb(5, k) for k in range(enough.sum(axis=1).min())):
        raise CheckFailed("These are the sets that are too small. Rules themselves are tried, too.")
    assert_equal(tried, right[1], "The number of sets tried")
    assert_equal(needed, right[2], "How many of the five must hold")
    assert_equal(differ, right[3], "The inputs that differ")
    return "Rules, and one count that says nearly the same."


@exercise(f"ex-{SLUG}-2")
def cluster_averages(answer: Callable[..., Any]) -> str:
    """Compare on lists where the order, the nearer cluster and the border matter."""
    rng = student_generator(2)
    cases: list[tuple[list[float], float]] = [
        ([0.0, 1.0, 0.6, 0.2], 0.5),
        ([0.0, 0.5, 0.75, 1.5], 0.5),
        ([0.0, 0.4, 0.7], 0.5),
        ([2.0, -1.0, 2.25, -1.5, 0.25, 1.0], 1.0),
        (rng.normal(size=40).round(3).tolist(), 0.3),
        ([3.0], 0.1),
    ]
    for values, width in cases:
        expected = _clusters(values, width)
        found = answer(np.array(values), width)
        head = f"For {values[:5]} and width {width}"
        if close_to(found, expected[::-1]) and len(expected) > 1:
            raise CheckFailed(f"{head}: return the averages in increasing order.")
        wrongs = {
            "distances are taken to the first value of a cluster, not to its running average": (
                _clusters(values, width, running=True)
            ),
            "a value joins the nearest cluster, not the first one that is near enough": (
                _clusters(values, width, oldest=True)
            ),
            "read the values in the order given; sorting them first makes other clusters": (
                _clusters(sorted(values), width)
            ),
            "return the averages of the clusters, not their first values": (
                _clusters(values, width, first=True)
            ),
        }
        for message, wrong in wrongs.items():
            if not close_to(expected, wrong) and close_to(found, wrong):
                raise CheckFailed(f"{head}: {message}.")
        found = expect_array(found, expected.shape, f"{len(expected)} averages. {head}")
        assert_close(found, expected, f"{head}: the averages")
    return "Six lists agree, in which order, ties of distance and borders matter."


def _clusters(
    values: list[float],
    width: float,
    *,
    running: bool = False,
    oldest: bool = False,
    first: bool = False,
) -> np.ndarray:
    groups: list[list[float]] = []
    for value in values:
        marks = [np.mean(group) if running else group[0] for group in groups]
        gaps = np.abs(np.subtract(marks, value))
        if len(gaps) and gaps.min() <= width:
            groups[int((gaps <= width).argmax() if oldest else gaps.argmin())].append(value)
        else:
            groups.append([value])
    return np.sort([group[0] if first else np.mean(group) for group in groups])


@exercise(f"ex-{SLUG}-3", none_is_an_answer=True)
def extremes(answer: Callable[..., Any]) -> str:
    """Compare on random layers, with tight limits, negative ends and no solution."""
    rng = student_generator(3)
    empty = 0
    for trial in range(12):
        n, m = [(2, 1), (3, 2), (4, 4)][trial % 3]
        W, b, c = rng.normal(size=(m, n)), rng.normal(size=m), rng.normal(size=n)
        low = rng.uniform(-2, 0, n)
        high = low + rng.uniform(0.5, 2, n)
        middle = W @ rng.uniform(low, high) + b + (9.0 if trial % 4 == 3 else 0.0)
        z_low, z_high = middle - 0.3, middle + 0.2
        found = answer(c, low, high, W, b, z_low, z_high)
        expected = _extremes(c, low, high, W, b, z_low, z_high)
        if expected is None:
            empty += 1
            if found is not None:
                raise CheckFailed("No a fits these limits. Return None where there is none.")
            continue
        if found is None:
            raise CheckFailed(
                "Here some a fits the limits, and None was returned. Is its `return` missing? Are "
                "the bounds of a given, and is b on the right side?"
            )
        found = expect_array(found, (2,), "two numbers, the least and the largest value")
        corners = c @ np.where(c > 0, low, high), c @ np.where(c > 0, high, low)
        if close_to(found, corners) and not close_to(expected, corners):
            raise CheckFailed("This is what the box alone allows. W @ a + b is limited, too.")
        unshifted = _extremes(c, low, high, W, 0 * b, z_low, z_high)
        if unshifted is not None and close_to(found, unshifted) and not close_to(found, expected):
            raise CheckFailed("b is missing: it belongs to the other side of both limits.")
        if close_to(found, expected[::-1]):
            raise CheckFailed("The least value comes first, then the largest.")
        if close_to(found, (expected[0], -expected[1])):
            raise CheckFailed("The sign of the second program must be turned back.")
        assert_close(found, expected, "The least and the largest value", tolerance=1e-6)
    return f"Twelve layers agree, {empty} of them without a solution."


def _extremes(
    c: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    W: np.ndarray,
    b: np.ndarray,
    z_low: np.ndarray,
    z_high: np.ndarray,
) -> tuple[float, float] | None:
    A, ceiling = np.vstack([W, -W]), np.concatenate([z_high - b, b - z_low])
    ends = [
        linprog(sign * c, A_ub=A, b_ub=ceiling, bounds=np.column_stack([low, high]))
        for sign in (1, -1)
    ]
    return None if ends[0].status == 2 else (ends[0].fun, -ends[1].fun)
