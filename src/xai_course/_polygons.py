"""Polygons, many at once: the corners of one after another, and how many each has.

They are cut by lines. What counts as *on* a line is the caller's estimate of rounding errors, or
`ROUNDING` relative to the terms of a sum; nothing here is coarser, so the pieces tile what was cut.
"""

from __future__ import annotations

import numpy as np

__all__ = ["ROUNDING", "areas", "box_corners", "clip", "cut", "segments"]

# What one operation in float64 may be off, relative to its result, with a margin.
ROUNDING = 2.0**-50


def box_corners(bounds: np.ndarray) -> np.ndarray:
    """Return the corners of a box anticlockwise; of an interval as a strip of height one."""
    (left, right), (bottom, top) = (*bounds, [0.0, 1.0])[:2]
    return np.array([[left, bottom], [right, bottom], [right, top], [left, top]])


def _following(sizes: np.ndarray) -> np.ndarray:
    """Return the index of each corner's next one around its polygon."""
    following = np.arange(1, sizes.sum() + 1)
    ends = np.cumsum(sizes)
    following[ends - 1] = ends - sizes
    return following


def _starts(sizes: np.ndarray) -> np.ndarray:
    return np.cumsum(sizes) - sizes


def areas(points: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return the areas, each from its first corner, so that small ones keep their digits."""
    if len(points) == 0:
        return np.zeros(len(sizes))
    starts = _starts(sizes)
    local = points - np.repeat(points[starts], sizes, axis=0)
    x, y = local.T
    following = _following(sizes)
    return np.add.reduceat(x * y[following] - y * x[following], starts) / 2


def _with_crossings(
    points: np.ndarray, z: np.ndarray, following: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return each corner and, after it, where its edge crosses ``z = 0``; and which do cross."""
    cross = z * z[following] < 0
    share = np.divide(z, z - z[following], out=np.zeros_like(z), where=cross)
    both = np.empty((len(points), 2, 2))
    both[:, 0] = points
    both[:, 1] = points + share[:, None] * (points[following] - points)
    return both.reshape(-1, 2), cross


def clip(corners: np.ndarray, normal: np.ndarray, offset: float, tolerance: float) -> np.ndarray:
    """Return the part of one polygon with ``normal @ x <= offset``; no rows if it is too thin."""
    z = corners @ normal - offset
    if z.min(initial=0.0) >= -tolerance:
        return corners[:0]
    points, cross = _with_crossings(corners, z, _following(np.array([len(corners)])))
    return points[np.column_stack([z <= 0, cross]).ravel()]


def cut(
    points: np.ndarray, sizes: np.ndarray, z: np.ndarray, tolerance: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Cut polygons where ``z`` changes sign.

    Parameters
    ----------
    points, sizes : ndarray
        The polygons.
    z : ndarray, one per corner
        Linear on each polygon.
    tolerance : ndarray, one per polygon
        What counts as zero.

    Returns
    -------
    points, sizes : ndarray
        The polygons after the cut.
    origin : ndarray of int
        The earlier number of each polygon, in its new order.
    above : ndarray of bool
        Whether each polygon of the new order lies where ``z >= 0``.
    """
    starts = _starts(sizes)
    low, high = np.minimum.reduceat(z, starts), np.maximum.reduceat(z, starts)
    split = (low < -tolerance) & (high > tolerance)
    above = low >= -tolerance
    numbers = np.arange(len(sizes))
    if not split.any():
        return points, sizes, numbers, above
    owner_split = np.repeat(split, sizes)
    old_sizes, old_points, z = sizes[split], points[owner_split], z[owner_split]
    z = np.where(np.abs(z) <= np.repeat(tolerance[split], old_sizes), 0.0, z)
    both, cross = _with_crossings(old_points, z, _following(old_sizes))
    halves = [np.column_stack([side, cross]).ravel() for side in (z <= 0, z >= 0)]
    points = np.concatenate([points[~owner_split], *(both[half] for half in halves)])
    counts = [np.add.reduceat(half, 2 * _starts(old_sizes), dtype=int) for half in halves]
    sizes = np.concatenate([sizes[~split], *counts])
    origin = np.concatenate([numbers[~split], numbers[split], numbers[split]])
    sides = np.repeat([False, True], len(old_sizes))
    return points, sizes, origin, np.concatenate([above[~split], sides])


def segments(
    points: np.ndarray, sizes: np.ndarray, coef: np.ndarray, intercept: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return which polygons the line of the same number cuts, and the two ends, (n, 2, 2)."""
    coef_of = np.repeat(coef, sizes, axis=0)
    terms = coef_of * points
    z = terms.sum(axis=1) + np.repeat(intercept, sizes)
    size = np.abs(terms).sum(axis=1) + np.repeat(np.abs(intercept), sizes)
    z[np.abs(z) <= ROUNDING * size] = 0.0
    starts = _starts(sizes)
    cut = (np.minimum.reduceat(z, starts) < 0) & (np.maximum.reduceat(z, starts) > 0)
    both, cross = _with_crossings(points, z, _following(sizes))
    on_line = np.column_stack([z == 0, cross]) & np.repeat(cut, sizes)[:, None]
    chosen = np.flatnonzero(on_line)
    owner = np.repeat(np.arange(len(sizes)), sizes)[chosen // 2]
    along = both[chosen] @ [0, 1] * coef[owner, 0] - both[chosen] @ [1, 0] * coef[owner, 1]
    order = np.lexsort([along, owner])  # two each, or more where corners lie close together
    numbers = np.flatnonzero(cut)
    first = np.searchsorted(owner[order], numbers)
    last = np.searchsorted(owner[order], numbers, side="right") - 1
    return numbers, both[chosen[order]][np.column_stack([first, last])]
