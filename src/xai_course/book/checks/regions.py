"""Checks of the chapter *regions*."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator
from xai_course.book.expect import assert_close, assert_equal, close_to, expect_array, forbid
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.regions import Region

SLUG = "regions"


def _draw_corner(rng: np.random.Generator) -> dict[str, float]:
    # Where both lines cross; so near the origin, neurons 3 and 4 are redundant.
    z_1, z_2 = (4 * rng.choice(np.arange(2, 8), 2, replace=False)).tolist()
    return {"bias_2": -(z_1 + z_2 / 4) / 100, "bias_5": -(z_1 / 4 + z_2) / 100}


def _corners_and_area(bias_2: float = -0.3, bias_5: float = -0.3) -> tuple[int, float]:
    network = PiecewiseLinearNetwork(
        [
            np.array([[-1, 1], [1, 1]]) / np.sqrt(2),
            [[1, 1 / 4], [1 / 2, 1 / 3], [1 / 3, 1 / 2], [1 / 4, 1]],
            np.ones((1, 4)),
        ],
        [np.zeros(2), [bias_2, -0.3, -0.3, bias_5], np.zeros(1)],
    )
    region = Region(network, [1, 1, 0, 0, 0, 0], bounds=[[-1, 1], [-1, 1]])
    return len(region.polygon()), round(region.volume, 9)


@exercise(
    f"ex-{SLUG}-1",
    draw=_draw_corner,
    question="neuron 2 has the bias {bias_2}, and neuron 5 the bias {bias_5}.",
    right=_corners_and_area,
)
def region_below(answer: Callable[[], Any], **numbers: float) -> str:
    """Compare with the library's polygon."""
    found = expect_array(answer(), (2,), "two numbers, corners and area")
    corners, area = _corners_and_area(**numbers)
    if found[0] == 6:
        raise CheckFailed("Six half-spaces, but not six corners: some half-spaces are redundant.")
    assert_equal(found[0], corners, "The number of corners")
    assert_close(found[1], area, "The area")
    return "Corners and area are those of the library's polygon."


@exercise(f"ex-{SLUG}-2")
def cut(answer: Callable[..., Any]) -> str:
    """Cut polygons along lines through them, past them, and through their corners."""
    rng = student_generator(2)
    square = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [0.0, 1.0]])
    tries = [
        ("A line through the middle of a rectangle", square, [1.0, 0.0], -1.0),
        ("A line that misses the rectangle", square, [1.0, 0.0], 1.0),
        ("A line that touches a side only", square, [0.0, 1.0], 0.0),
        ("A line through two corners", square, [1.0, -2.0], 0.0),
        ("A line through one corner", square, [1.0, -1.0], 0.0),
    ]
    for n in (3, 5, 8):
        angles = 2 * np.pi * (np.arange(n) + rng.uniform(0, 0.8, n)) / n
        polygon = np.column_stack([np.cos(angles), np.sin(angles)]).round(3)
        w = rng.normal(size=2)
        for share in (0.2, 0.7):
            z = np.sort(polygon @ w)
            b = -(z[0] + share * (z[-1] - z[0]))
            tries.append((f"A slanted line through {n} corners' polygon", polygon, w, b))
    for what, corners, w, b in tries:
        _one_cut(what, answer, corners, np.array(w), b)
    return "Eleven cuts are right, through corners and past the polygon, too."


def _one_cut(
    what: str, answer: Callable[..., Any], corners: np.ndarray, w: np.ndarray, b: float
) -> None:
    parts = answer(corners.copy(), w.copy(), b)
    z = corners @ w + b
    n_parts = 2 if z.min() < 0 < z.max() else 1
    if not isinstance(parts, list | tuple) or len(parts) != n_parts:
        many = f"{len(parts)} part(s)" if isinstance(parts, list | tuple) else type(parts).__name__
        raise CheckFailed(f"{what} should give a list of {n_parts} part(s), got {many}.")
    total, sides = 0.0, []
    for part in parts:
        part = expect_array(part, (*np.shape(part)[:1], 2), "parts of shape (n, 2)")
        heights = part @ w + b
        if n_parts == 2 and min(heights.max(), -heights.min()) > 1e-5:
            raise CheckFailed(f"{what}: a part has corners on both sides. New corners lie on it.")
        if len(part) > 1 and (np.abs(part - np.roll(part, 1, axis=0)).max(axis=1) < 1e-7).any():
            raise CheckFailed(f"{what}: a part has the same corner twice in a row.")
        sides.append(heights.sum() > 0)
        total += _area(part)
    if not close_to(total, _area(corners), rtol=1e-4):
        raise CheckFailed(
            f"{what}: the areas of the parts add up to {total:.4f}, and the polygon has "
            f"{_area(corners):.4f}. Are the new corners in both parts, and in their places?"
        )
    if n_parts == 2 and sides[0] == sides[1]:
        raise CheckFailed(f"{what}: both parts lie on the same side.")


def _area(corners: np.ndarray) -> float:
    x, y = np.transpose(corners)
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


@exercise(f"ex-{SLUG}-3")
def proven(answer: Callable[..., Any]) -> str:
    """Show right lists, and lists that are wrong in one way each."""
    alone = "Do not ask for the library's list: it may be wrong in the same way."
    for seed, box in [(0, ((-1.0, 1.0), (-1.0, 1.0))), (1, ((-2.0, 1.0), (0.0, 2.0)))]:
        rng, lists = student_generator(seed), None
        while lists is None:
            sizes = (2, 4, 5, 1)
            weights = [rng.normal(size=(m, n)) for n, m in pairwise(sizes)]
            biases = [rng.normal(size=m) / 2 for m in sizes[1:]]
            network = PiecewiseLinearNetwork(weights, biases)
            lists = _lists(network, box)
        for what, polygons, right in lists:
            with forbid("xai_course.networks.PiecewiseLinearNetwork.enumerate_regions", alone):
                found = answer(network, [p.copy() for p in polygons], box)
            if not isinstance(found, bool | np.bool_ | int):
                raise CheckFailed(f"Return True or False; got {type(found).__name__}.")
            if bool(found) != right:
                verdict = "is right, and was rejected" if right else "was accepted"
                raise CheckFailed(f"A list {what} {verdict}.")
    return "Right lists are proven, and eight kinds of wrong ones are not."


def _lists(
    network: PiecewiseLinearNetwork, box: tuple[tuple[float, float], ...]
) -> list[tuple[str, list[np.ndarray], bool]] | None:
    """Return a name, polygons and whether they are all regions; nothing where all is too easy."""
    right = [region.polygon() for region in network.enumerate_regions(box)]
    by_size = sorted(right, key=_area)
    large, rest = by_size[-1], by_size[:-1]
    first = PiecewiseLinearNetwork(
        [network.weights[0], np.ones((1, 4))], [network.biases[0], np.zeros(1)]
    )
    forgetful = [region.polygon() for region in first.enumerate_regions(box)]
    if len(forgetful) == len(right) or _area(by_size[0]) < 1e-4:
        return None  # the second layer cuts nothing, or a region cannot be missed
    halves = [np.array([large[0], *large[1:3]]), np.array([large[0], *large[2:]])]
    middle = large.mean(axis=0)
    inner = [*rest, large + 0.3 * (middle - large)]
    # As much area beyond the box as is missing within.
    (left, right_end), rows = box
    edge = next(p for p in reversed(by_size) if (p[:, 0] > right_end - 1e-9).sum() > 1)
    home = network.region(network.activation_pattern(edge.mean(axis=0)[None])[0])
    short, far = right_end, right_end + 1
    for _ in range(60):
        end = (short + far) / 2
        grown = home.polygon([[left, end], rows])
        enough = _area(grown) > _area(edge) + _area(by_size[0])
        short, far = (short, end) if enough else (end, far)
    outside = [grown, *(p for p in right if p is not by_size[0] and p is not edge)]
    return [
        ("of all regions", right, True),
        ("of all regions, in another order", right[::-1], True),
        ("without its smallest polygon", by_size[1:], False),
        ("without its largest polygon", rest, False),
        ("by a program that forgets the second layer's cuts", forgetful, False),
        ("in which one region is cut in two", [*rest, *halves], False),
        ("in which one polygon stands twice and another is missing", [*rest, rest[-1]], False),
        ("in which one polygon is too small", inner, False),
        ("in which a corner of four polygons is in the wrong place", _shifted(right), False),
        ("with a polygon that sticks out of the box and makes up for a hole", outside, False),
    ]


def _shifted(polygons: list[np.ndarray]) -> list[np.ndarray]:
    """Move one corner that four polygons share; the areas still add up."""
    points = np.concatenate(polygons)
    same = (np.abs(points[:, None] - points).max(axis=2) < 1e-9).sum(axis=1)
    corner = points[(same == 4).argmax()]
    return [p + 0.01 * (np.abs(p - corner).max(axis=1) < 1e-9)[:, None] for p in polygons]


@exercise(f"ex-{SLUG}-4")
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
    rng = student_generator(3)
    for _ in range(10):
        A, x = rng.normal(size=(12, 4)), rng.normal(size=4)
        A[0] = np.abs(A[0])  # each feature has a border above
        b = A @ x + rng.uniform(0.1, 1, size=12)
        expected = [
            min((b[i] - A[i] @ x) / A[i, j] for i in range(12) if A[i, j] > 0) for j in range(4)
        ]
        assert_close(answer(A, b, x), expected, "The room in a random polytope")
    return "Each feature stops exactly at its border, on 10 random polytopes."
