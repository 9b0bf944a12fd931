"""Checks of the chapter *counting-regions*."""

from __future__ import annotations

from collections.abc import Callable
from math import comb
from typing import Any
from unittest.mock import patch

import numpy as np

from xai_course import regions
from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator
from xai_course.book.expect import (
    assert_close,
    assert_equal,
    close_to,
    expect_number,
    expect_parts,
)
from xai_course.networks import PiecewiseLinearNetwork

SLUG = "counting-regions"


@exercise(f"ex-{SLUG}-1")
def count_by_crossings(answer: Callable[..., int]) -> str:
    """Compare with the enumeration in boxes that miss some lines and some crossings."""
    rng = student_generator(2)
    tries = []
    for n, half in [(1, 1.0), (3, 10.0), (6, 0.5), (9, 1.0), (12, 100.0)]:
        W, b = rng.normal(size=(n, 2)), rng.normal(size=n)
        box = ((-half, half), (-2 * half, half))
        network = PiecewiseLinearNetwork([W, np.ones((1, n))], [b, np.zeros(1)])
        tries.append((W, b, box, len(network.enumerate_regions(box))))
    for W, b, box, expected in tries:
        n = len(W)
        with patch.object(regions, "_split_by_layers", _forbidden):
            found = answer(W, b, box)
        if expected < 1 + n + comb(n, 2) == found:
            raise CheckFailed("This counts lines and crossings outside the box as well.")
        assert_equal(found, expected, f"The number of regions of {n} line(s)")
    return "Five counts agree with the enumeration, also where lines miss the box."


def _forbidden(*arguments: Any, **options: Any) -> Any:
    raise CheckFailed("Count from lines and crossings, without the library's enumeration.")


def _draw_layers(rng: np.random.Generator) -> dict[str, int]:
    return {"first": int(rng.integers(3, 6)), "second": int(rng.integers(3, 6))}


def _bounds(first: int = 3, second: int = 2) -> tuple[int, int]:
    """Return the bound's sum over the patterns of the first layer, and the one layer's most."""
    deep = sum(comb(first, j) * _parts(second, min(2, first - j)) for j in range(3))
    return deep, _parts(first + second)


def _parts(n: int, d: int = 2) -> int:
    """Return into how many parts n lines cut a plane, or n points a line."""
    return sum(comb(n, j) for j in range(d + 1))


@exercise(
    f"ex-{SLUG}-2",
    draw=_draw_layers,
    question=(
        "the hidden layers have {first} and {second} neurons, and the one hidden layer as many as "
        "both together."
    ),
    right=_bounds,
)
def two_bounds(answer: Callable[[], Any], first: int = 3, second: int = 2) -> str:
    """Compare with the bound's sum over the patterns of the first layer."""
    n = first + second
    what = f"two numbers, for layers of {first} and {second} and for one of {n}"
    deep, flat = expect_parts(answer(), 2, what)
    expected, most = _bounds(first, second)
    if deep == _parts(first) * _parts(second) != expected:
        raise CheckFailed(
            f"Not all {_parts(first)} pieces are planes: where two of three are off, it is a line."
        )
    if 2**n in (deep, flat):
        raise CheckFailed("These are all patterns. Not every pattern can have a region.")
    if (deep, flat) == (most, expected):
        raise CheckFailed("The two numbers are in the wrong order.")
    assert_equal(deep, expected, f"The bound for layers of {first} and {second}")
    assert_equal(flat, most, f"The most regions of one layer of {n}")
    return "Both bounds are right: with equally many neurons, two layers may have more."


@exercise(f"ex-{SLUG}-3")
def bend_of(answer: Callable[..., Any]) -> str:
    """Compare on random pieces, in other units of area and output."""
    rng = student_generator(3)
    flat = answer(np.ones((3, 2)), np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 2.0]))
    what = "The bend of a linear function"
    assert_close(expect_number(flat, what), 0.0, what, 1e-6)
    for r, d in [(2, 1), (7, 2), (40, 3)]:
        coef, areas = rng.normal(size=(r, d)) + 1, rng.uniform(0.1, 3, size=r)
        outputs = rng.normal(size=50) * 4 + 10
        share = areas / areas.sum()
        away = ((coef - share @ coef) ** 2).sum(axis=1)
        expected = np.sqrt(share @ away) / outputs.std()
        found = expect_number(answer(coef, areas, outputs), "The bend")
        plain_mean = ((coef - coef.mean(axis=0)) ** 2).sum(axis=1).mean()
        slips = {
            "This is the spread of the gradient: divide by the output's spread.": share
            @ away
            * outputs.var(),
            "The areas need not sum to one: take shares.": areas @ away,
            "Every region counts by its area here, and not once each.": plain_mean,
            "Take distances from the mean gradient: a slope alone is no bend.": (
                share @ (coef**2).sum(axis=1)
            ),
        }
        for message, square in slips.items():
            slip = np.sqrt(square) / outputs.std()
            if not close_to(slip, expected) and close_to(found, slip):
                raise CheckFailed(message)
        assert_close(found, expected, f"The bend of {r} regions with {d} input(s)")
        scaled = answer(100 * coef, 5 * areas, 100 * outputs)
        assert_close(scaled, expected, "The bend in other units of area and output")
    return "The bend is right on three sets of regions, whatever the units."


@exercise(f"ex-{SLUG}-4")
def count_models(answer: Callable[..., int]) -> str:
    """Count tables whose number of models is known; the last ones are made to be confused."""
    coef = np.array([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0], [3.0, 1.5]])
    found = answer(coef, np.array([0.0, 0.0, 3.0, 0.0]))
    if found == 2:
        raise CheckFailed("Two regions with equal coefficients and unequal intercepts differ too.")
    assert_equal(found, 3, "The number of models in a table of four regions")
    rng = student_generator(4)
    models = rng.normal(size=(20, 4))
    # Each copy is a little off, on both sides of wherever somebody may round.
    copies = np.repeat(models, 30, axis=0) + rng.uniform(-1e-7, 1e-7, size=(600, 4))
    found = answer(copies[:, :3], copies[:, 3])
    if found == 600:
        raise CheckFailed("Numbers that agree to the tolerance count as equal: 600 are too many.")
    assert_equal(found, 20, "The number of models in a table of 600 regions, up to rounding")
    assert_equal(
        answer(copies[:, :3], copies[:, 3], tolerance=1e-12), 600, "The number for a tiny tolerance"
    )
    # Many models share their first coefficient, their sum, and other sums with simple weights.
    lattice = np.stack(np.meshgrid(*[[0.0, 1.0, 2.0]] * 4), axis=-1).reshape(-1, 4)
    copies = np.repeat(lattice, 4, axis=0) + rng.uniform(-1e-7, 1e-7, size=(324, 4))
    copies = rng.permutation(copies)
    found = answer(copies[:, :3], copies[:, 3])
    if found != 81:
        raise CheckFailed(
            f"81 models that share many of their numbers stand four times each in a table; got "
            f"{found!r}. Compare all numbers of a model with all numbers of every other one."
        )
    return "The counts are right, rounding errors and shared numbers included."
