"""Checks of the chapter *class-activation-maps*."""

from __future__ import annotations

from collections.abc import Callable
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
    shown,
)
from xai_course.metrics.localisation import box_of_map

SLUG = "class-activation-maps"


Map = list[list[int]]
_MAPS: list[Map] = [[[2, 0], [1, 1]], [[0, 4], [0, 0]]]


def _map_logit_place(
    maps: list[Map] = _MAPS, weights: tuple[int, int] = (3, -2), bias: int = 1
) -> tuple[Map, float, tuple[int, int]]:
    found = np.einsum("k,kij->ij", weights, maps)
    return found.tolist(), float(found.mean() + bias), divmod(int(found.argmax()), 2)


def _draw_maps(rng: np.random.Generator) -> dict[str, Any]:
    while True:  # until the mean is whole and the largest absolute value speaks against
        maps, bias = rng.integers(0, 5, (2, 2, 2)).tolist(), int(rng.integers(1, 4))
        weights = int(rng.integers(2, 5)), -int(rng.integers(1, 4))
        found = np.ravel(_map_logit_place(maps, weights)[0])
        low, *_, second, high = np.sort(found).tolist()
        if found.sum() % 4 == 0 != found.sum() and second < high < -low:
            return {"maps": maps, "weights": weights, "bias": bias}


@exercise(
    f"ex-{SLUG}-1",
    draw=_draw_maps,
    question="A_1 = {maps[0]} and A_2 = {maps[1]}, row by row, the weights {weights[0]} and "
    "{weights[1]} and the bias {bias}.",
    right=_map_logit_place,
)
def by_hand(
    answer: Callable[[], Any], maps: list[Map] = _MAPS, bias: int = 1, **numbers: Any
) -> str:
    """Compare with the arithmetic, one number at a time."""
    what = "three things: the map, the logit and the place"
    found, logit, place = expect_parts(answer(), 3, what)
    expected, right, best = _map_logit_place(maps, bias=bias, **numbers)
    if close_to(found, np.sum(maps, axis=0)):
        raise CheckFailed("The map adds the feature maps without their weights.")
    assert_close(found, expected, "The map")
    logit = expect_number(logit, "The logit")
    if close_to(logit, np.sum(expected) + bias):
        raise CheckFailed("The logit is the mean of the map plus the bias, not the sum.")
    if close_to(logit, right - bias):
        raise CheckFailed("The bias is missing in the logit.")
    assert_close(logit, right, "The logit")
    place = expect_parts(place, 2, "the place as (row, column)")
    if place == list(divmod(int(np.abs(expected).argmax()), 2)):
        raise CheckFailed("That place has the largest absolute value: it speaks against.")
    assert_equal(place, best, "The place that speaks most for the class")
    return "Map, logit and place are right."


@exercise(f"ex-{SLUG}-2")
def class_activation_maps(answer: Callable[..., Any]) -> str:
    """Compare with loops over random maps, wide and high, one picture and many."""
    for features, weights, targets in _instances(2):
        expected = _loops(features, weights, targets)
        found = answer(features, weights, targets)
        _slips(found, features, expected)
        assert_close(found, expected, f"The maps of {len(targets)} picture(s)")
    return "The maps agree on four sets of pictures, each with its own classes."


@exercise(f"ex-{SLUG}-3")
def box_around(answer: Callable[..., Any]) -> str:
    """Compare on maps whose pieces can be seen, then on random ones."""
    high = np.zeros((6, 9))
    high[1:3, 2:4], high[5, 8] = 1.0, 2.0
    _box(answer, high, 0.4, "a map whose largest value is not in its largest piece")
    touching = np.zeros((5, 5))
    touching[0, 0:2] = touching[1:4, 2] = 1.0
    _box(answer, touching, 0.5, "a map with two pieces that touch at a corner")
    _box(answer, high - 5.0, 0.4, "a map of negative values")
    _box(answer, 1e-3 * high, 0.4, "a map of small values")
    rng = student_generator(3)
    for share in (0.2, 0.5, 0.8):
        _box(answer, rng.normal(size=(7, 5)), share, "a random map")
    return "The boxes agree on seven maps."


@exercise(f"ex-{SLUG}-4")
def contrast_maps(answer: Callable[..., Any]) -> str:
    """Compare with loops, and with a network of the same probabilities."""
    for features, weights, targets in _instances(4):
        every = [_loops(features, weights, np.full_like(targets, c)) for c in range(len(weights))]
        own = _loops(features, weights, targets)
        found = answer(features, weights, targets)
        if close_to(found, own):
            raise CheckFailed("This is the class activation map; the mean of all is still in it.")
        if close_to(found, own - own.mean(axis=(1, 2), keepdims=True)):
            raise CheckFailed(
                "Subtract the mean over the classes, place by place, not over places."
            )
        moved = answer(features, weights + np.linspace(1, 3, weights.shape[1]), targets)
        if not close_to(moved, found, atol=1e-4):
            raise CheckFailed(
                "The same numbers were added to the weights of all classes, which changes no "
                "probability, and your map changed."
            )
        assert_close(found, own - np.mean(every, axis=0), "The maps")
    return "The maps are right, and equal for networks of equal probabilities."


def _instances(seed: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return random features, weights and targets of several shapes."""
    rng = student_generator(seed)
    return [
        (
            rng.uniform(size=(n, k, height, width)),
            rng.normal(size=(classes, k)),
            rng.permuted(np.arange(n) % classes),
        )
        for n, k, height, width, classes in [
            (4, 3, 2, 2, 5),
            (1, 6, 3, 5, 2),
            (7, 2, 4, 1, 3),
            (5, 5, 5, 5, 4),
        ]
    ]


def _loops(features: np.ndarray, weights: np.ndarray, targets: np.ndarray) -> np.ndarray:
    return np.array(
        [
            sum(weight * one for weight, one in zip(weights[target], maps, strict=True))
            for maps, target in zip(features, targets, strict=True)
        ]
    )


def _slips(found: Any, features: np.ndarray, expected: np.ndarray) -> None:
    """Name what is often forgotten."""
    if close_to(found, features.sum(axis=1)):
        raise CheckFailed("The maps are added without the weights of the class.")
    if close_to(found, np.maximum(expected, 0)) and (expected < 0).any():
        raise CheckFailed("Keep the negative values; only Grad-CAM drops them.")
    if close_to(found, expected / expected[0].size):
        raise CheckFailed("These maps are divided by the number of places, as Grad-CAM's.")


def _box(answer: Callable[..., Any], values: np.ndarray, share: float, what: str) -> None:
    found = answer(values, share)
    expected = box_of_map(values, share)
    if close_to(found, expected - [0, 0, 1, 1]):
        raise CheckFailed(f"On {what}: the box ends *behind* its last row and column; add 1.")
    if close_to(found, expected[[1, 0, 3, 2]]) and (expected != expected[[1, 0, 3, 2]]).any():
        raise CheckFailed(f"On {what}: rows come before columns.")
    if not close_to(found, expected):
        raise CheckFailed(
            f"On {what}: the box should be {expected.tolist()}, got {shown(np.asarray(found))}."
        )
