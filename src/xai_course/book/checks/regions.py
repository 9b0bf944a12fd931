"""Checks of the chapter *regions*."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.expect import assert_close, assert_equal, expect_array
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.regions import Region

SLUG = "regions"


@exercise(f"ex-{SLUG}-1")
def region_below(answer: Callable[[], Any]) -> str:
    """Compare with the library's polygon."""
    network = PiecewiseLinearNetwork(
        [
            np.array([[-1, 1], [1, 1]]) / np.sqrt(2),
            [[1, 1 / 4], [1 / 2, 1 / 3], [1 / 3, 1 / 2], [1 / 4, 1]],
            np.ones((1, 4)),
        ],
        [np.zeros(2), np.full(4, -0.3), np.zeros(1)],
    )
    region = Region(network, [1, 1, 0, 0, 0, 0], bounds=[[-1, 1], [-1, 1]])
    found = expect_array(answer(), (2,), "two numbers, corners and area")
    if found[0] == 6:
        raise CheckFailed("Six half-spaces, but not six corners: some half-spaces are redundant.")
    assert_equal(found[0], len(region.polygon()), "The number of corners")
    assert_close(found[1], region.volume, "The area")
    return "Corners and area are those of the library's polygon."


@exercise(f"ex-{SLUG}-2")
def count_by_crossings(answer: Callable[..., int]) -> str:
    """Compare with the enumeration in boxes that miss some lines and some crossings."""
    rng = np.random.default_rng(2)
    for n, half in [(1, 1.0), (3, 10.0), (6, 0.5), (9, 1.0), (12, 100.0)]:
        W, b = rng.normal(size=(n, 2)), rng.normal(size=n)
        box = ((-half, half), (-2 * half, half))
        network = PiecewiseLinearNetwork([W, np.ones((1, n))], [b, np.zeros(1)])
        found = answer(W, b, box)
        if n > 1 and half < 10 and found == 1 + n + n * (n - 1) // 2:
            raise CheckFailed("This counts lines and crossings outside the box as well.")
        assert_equal(
            found, len(network.enumerate_regions(box)), f"The number of regions of {n} line(s)"
        )
    return "Five counts agree with the enumeration, also where lines miss the box."


@exercise(f"ex-{SLUG}-3")
def room_above(answer: Callable[..., Any]) -> str:
    """Step to both sides of the border that is claimed for each feature."""
    A = np.array([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    b = np.array([2.0, 0.5, 1.0])
    found = answer(A, b, np.zeros(3))
    assert_close(np.shape(found), (3,), "The shape of the answer for three features")
    found = np.asarray(found, dtype=float)
    if found[0] == 0.5:
        raise CheckFailed("That is the room below: rows with a negative entry move away.")
    if not np.isinf(found[1:]).all():
        raise CheckFailed(f"Nothing bounds features 1 and 2 above; got {found[1:]}, not infinity.")
    assert_close(found[0], 2.0, "The room of feature 0")
    rng = np.random.default_rng(3)
    for _ in range(10):
        A, x = rng.normal(size=(12, 4)), rng.normal(size=4)
        b = A @ x + rng.uniform(0.1, 1, size=12)
        expected = [
            min((b[i] - A[i] @ x) / A[i, j] for i in range(12) if A[i, j] > 0) for j in range(4)
        ]
        assert_close(answer(A, b, x), expected, "The room in a random polytope")
    return "Each feature stops exactly at its border, on 10 random polytopes."


@exercise(f"ex-{SLUG}-4")
def count_models(answer: Callable[..., int]) -> str:
    """Count small tables whose number of models is known, then a large one."""
    coef = np.array([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0], [2.0, 1.0]])
    found = answer(coef, np.array([0.0, 0.0, 3.0, 0.0]))
    if found == 2:
        raise CheckFailed("Two regions with equal coefficients and unequal intercepts differ too.")
    assert_equal(found, 3, "The number of models in a table of four regions")
    rng = np.random.default_rng(4)
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
    return "The counts are right, rounding errors included."
