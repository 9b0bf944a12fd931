"""Polygons, many at once, cut by lines.

What counts as *on* a line is the caller's estimate of rounding errors, or `ROUNDING` relative to
the terms of a sum; nothing here is coarser, so the pieces tile what was cut.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

# What one operation in float64 may be off, relative to its result, with a margin.
ROUNDING = 2.0**-50


class Polygons(NamedTuple):
    """Convex polygons: the corners of one after another, and how many each has.

    Attributes
    ----------
    points : ndarray, shape (n_corners, 2)
        Anticlockwise around each polygon.
    sizes : ndarray of int, shape (n_polygons,)
    """

    points: np.ndarray
    sizes: np.ndarray

    @classmethod
    def of_box(cls, bounds: np.ndarray) -> Polygons:
        """Return a box as one polygon; an interval as a strip of height one."""
        (left, right), (bottom, top) = (*bounds, [0.0, 1.0])[:2]
        corners = [[left, bottom], [right, bottom], [right, top], [left, top]]
        return cls(np.array(corners), np.array([4]))

    @property
    def starts(self) -> np.ndarray:
        """The number of each polygon's first corner."""
        return np.cumsum(self.sizes) - self.sizes

    @property
    def owners(self) -> np.ndarray:
        """The number of each corner's polygon."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    @property
    def following(self) -> np.ndarray:
        """The number of each corner's next one around its polygon."""
        following = np.arange(1, len(self.points) + 1)
        following[np.cumsum(self.sizes) - 1] = self.starts
        return following

    def take(self, numbers: np.ndarray) -> Polygons:
        """Return some of the polygons, in this order."""
        sizes = self.sizes[numbers]
        shift = self.starts[numbers] - np.cumsum(sizes) + sizes
        return Polygons(self.points[np.repeat(shift, sizes) + np.arange(sizes.sum())], sizes)

    def areas(self) -> np.ndarray:
        """Return the areas, each from its first corner, so that small ones keep their digits."""
        x, y = (self.points - self.points[np.repeat(self.starts, self.sizes)]).T
        following = self.following
        return np.add.reduceat(x * y[following] - y * x[following], self.starts) / 2

    def _with_crossings(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return each corner and, after it, where its edge crosses ``z = 0``; which do cross."""
        following = self.following
        cross = z * z[following] < 0
        share = np.divide(z, z - z[following], out=np.zeros_like(z), where=cross)
        step = share[:, None] * (self.points[following] - self.points)
        both = np.stack([self.points, self.points + step], axis=1)
        return both.reshape(-1, 2), cross

    def cut(self, z: np.ndarray, tolerance: np.ndarray) -> tuple[Polygons, np.ndarray, np.ndarray]:
        """Cut the polygons where ``z`` changes sign.

        Parameters
        ----------
        z : ndarray, one per corner
            Linear on each polygon.
        tolerance : ndarray, one per polygon
            What counts as zero.

        Returns
        -------
        polygons : Polygons
        origin : ndarray of int
            The earlier number of each polygon, in its new order.
        above : ndarray of bool
            Whether each polygon of the new order lies where ``z >= 0``.
        """
        starts = self.starts
        low, high = np.minimum.reduceat(z, starts), np.maximum.reduceat(z, starts)
        split = (low < -tolerance) & (high > tolerance)
        above = low >= -tolerance
        numbers = np.arange(len(self.sizes))
        if not split.any():
            return self, numbers, above
        of_split = np.repeat(split, self.sizes)
        old = Polygons(self.points[of_split], self.sizes[split])
        z = z[of_split]
        z = np.where(np.abs(z) <= np.repeat(tolerance[split], old.sizes), 0.0, z)
        both, cross = old._with_crossings(z)
        halves = [np.column_stack([side, cross]).ravel() for side in (z <= 0, z >= 0)]
        points = np.concatenate([self.points[~of_split], *(both[half] for half in halves)])
        counts = [np.add.reduceat(half, 2 * old.starts, dtype=int) for half in halves]
        sizes = np.concatenate([self.sizes[~split], *counts])
        origin = np.concatenate([numbers[~split], numbers[split], numbers[split]])
        sides = np.repeat([False, True], len(old.sizes))
        return Polygons(points, sizes), origin, np.concatenate([above[~split], sides])

    def segments(self, coef: np.ndarray, intercept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return which polygons the line of the same number cuts, and the two ends, (n, 2, 2)."""
        owners, starts = self.owners, self.starts
        terms = np.column_stack([coef[owners] * self.points, intercept[owners]])
        z, size = terms.sum(axis=1), np.abs(terms).sum(axis=1)
        z[np.abs(z) <= ROUNDING * size] = 0.0
        cut = (np.minimum.reduceat(z, starts) < 0) & (np.maximum.reduceat(z, starts) > 0)
        both, cross = self._with_crossings(z)
        chosen = np.flatnonzero(np.column_stack([z == 0, cross]) & cut[owners][:, None])
        owner, points = owners[chosen // 2], both[chosen]
        along = points[:, 1] * coef[owner, 0] - points[:, 0] * coef[owner, 1]
        order = np.lexsort([along, owner])  # two each, or more where corners lie close together
        numbers = np.flatnonzero(cut)
        first = np.searchsorted(owner[order], numbers)
        last = np.searchsorted(owner[order], numbers, side="right") - 1
        return numbers, points[order][np.column_stack([first, last])]
