"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np


def _signs(corners, w, b):
    z = corners @ w + b
    return z, z.min() >= 0 or z.max() <= 0


def _walk(corners, w, b, share_of):
    z, whole = _signs(corners, w, b)
    if whole:
        return [corners]
    parts = [[], []]
    for i in range(len(z)):
        if z[i - 1] * z[i] < 0:
            new = corners[i - 1] + share_of(z[i - 1], z[i]) * (corners[i] - corners[i - 1])
            parts = [[*part, new] for part in parts]
        for part, side in zip(parts, (-1, 1), strict=True):
            if side * z[i] >= 0:
                part.append(corners[i])
    return [np.array(part) for part in parts]


def only_old_corners(corners, w, b):
    z, whole = _signs(corners, w, b)
    return [corners] if whole else [corners[z <= 0], corners[z >= 0]]


def always_half_way(corners, w, b):
    return _walk(corners, w, b, lambda before, after: 0.5)


def share_upside_down(corners, w, b):
    return _walk(corners, w, b, lambda before, after: after / (after - before))


def one_side(corners, w, b):
    return _walk(corners, w, b, lambda before, after: before / (before - after))[:1]


def always_two(corners, w, b):
    z, _ = _signs(corners, w, b)
    whole = _walk(corners, w, b, lambda before, after: before / (before - after))
    return whole if len(whole) == 2 else [corners[z <= 0], corners[z >= 0]]


def new_corners_last(corners, w, b):
    parts = _walk(corners, w, b, lambda before, after: before / (before - after))
    if len(parts) == 1:
        return parts
    olds = [part[np.abs(part @ w + b) > 1e-12] for part in parts]
    news = [part[np.abs(part @ w + b) <= 1e-12] for part in parts]
    return [np.concatenate([o, n[::-1]]) for o, n in zip(olds, news, strict=True)]


def cuts_through_corners_only(corners, w, b):
    """For lines through two corners it is right."""
    z, whole = _signs(corners, w, b)
    if whole or (np.abs(z) < 1e-12).sum() < 2:
        return [corners]
    return only_old_corners(corners, w, b)


def _patterns(network, polygons):
    return network.activation_pattern([p.mean(axis=0) for p in polygons])


def _differ(network, polygons):
    return len(np.unique(_patterns(network, polygons), axis=0)) == len(polygons)


def _covered(polygons, box):
    total = 0.0
    for p in polygons:
        x, y = (p - p[0]).T
        total += (x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
    return abs(total - np.prod(np.diff(box))) < 1e-9


def _kept(network, polygons):
    homes = [network.region(pattern) for pattern in _patterns(network, polygons)]
    return all(
        (home.b[:, None] + 1e-9 >= home.A @ p.T).all()
        for home, p in zip(homes, polygons, strict=True)
    )


def _within(polygons, box):
    low, high = np.transpose(box)
    points = np.concatenate(polygons)
    return bool((points >= low - 1e-9).all() and (points <= high + 1e-9).all())


def always_true(network, polygons, box):
    return True


def middles_and_areas(network, polygons, box):
    """The two facts that a program which forgets cuts passes."""
    return bool(_differ(network, polygons) and _covered(polygons, box))


def corners_only(network, polygons, box):
    return bool(_kept(network, polygons) and _within(polygons, box))


def without_areas(network, polygons, box):
    return corners_only(network, polygons, box) and _differ(network, polygons)


def without_middles(network, polygons, box):
    return corners_only(network, polygons, box) and bool(_covered(polygons, box))


def forgets_the_box(network, polygons, box):
    kept = _kept(network, polygons)
    return bool(kept and _differ(network, polygons) and _covered(polygons, box))


def without_allowance(network, polygons, box):
    homes = [network.region(pattern) for pattern in _patterns(network, polygons)]
    pairs = zip(homes, polygons, strict=True)
    kept = all((home.b[:, None] > home.A @ p.T).all() for home, p in pairs)
    return bool(kept and _differ(network, polygons))


def asks_the_library(network, polygons, box):
    return len(network.enumerate_regions(box)) == len(polygons)


def compares_the_number(network, polygons, box):
    axes = [np.linspace(low, high, 400) for low, high in box]
    points = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
    return len(np.unique(network.activation_pattern(points), axis=0)) == len(polygons)


def room(A, b, x, chosen):
    left = np.broadcast_to((b - A @ x)[:, None], A.shape)
    out = np.full(A.shape, np.inf)
    np.divide(left, np.abs(A), out=out, where=chosen)
    return out.min(axis=0)


def room_below(A, b, x):
    return room(A, b, x, A < 0)


def room_on_both_sides(A, b, x):
    return room(A, b, x, A != 0)


def forgets_where_it_stands(A, b, x):
    return room(A, b, 0 * x, A > 0)


def one_reach(A, b, x):
    return (b - A @ x).min()


def zero_instead_of_infinity(A, b, x):
    found = room(A, b, x, A > 0)
    return np.where(np.isinf(found), 0, found)


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-regions-1": [
        (lambda: (6, 0.072), "some half-spaces are redundant"),
        (lambda: (3, 0.045), "The number of corners"),
        (lambda: (4, 0.09), "The area"),
        (lambda: 4, "Return two numbers"),
    ],
    "ex-regions-2": [
        (only_old_corners, "the areas of the parts"),
        (always_half_way, "corners on both sides"),
        (share_upside_down, "corners on both sides"),
        (one_side, "a list of 2 part(s), got 1"),
        (always_two, "a list of 1 part(s), got 2"),
        (new_corners_last, "in their places"),
        (cuts_through_corners_only, "a list of 2 part(s), got 1"),
        (lambda corners, w, b: corners, "a list of 2 part(s), got ndarray"),
    ],
    "ex-regions-3": [
        (always_true, "without its smallest polygon was accepted"),
        (middles_and_areas, "forgets the second layer's cuts was accepted"),
        (corners_only, "without its smallest polygon was accepted"),
        (without_areas, "without its smallest polygon was accepted"),
        (without_middles, "one region is cut in two was accepted"),
        (forgets_the_box, "sticks out of the box"),
        (without_allowance, "is right, and was rejected"),
        (asks_the_library, "Do not ask for the library's list"),
        (compares_the_number, "was accepted"),
        (lambda network, polygons, box: "yes", "Return True or False"),
    ],
    "ex-regions-4": [
        (room_below, "room below"),
        (room_on_both_sides, "room below"),
        (forgets_where_it_stands, "random polytope"),
        (one_reach, "shape"),
        (zero_instead_of_infinity, "not infinity"),
    ],
}
