"""Piecewise linear functions of one number, the activations of piecewise linear networks.

Explained in the chapter *piecewise-linear-networks*.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from xai_course._validation import check_array

__all__ = ["MOST_SEGMENTS", "PiecewiseLinear", "read_only"]

#: The most segments that an activation may have; a pattern holds their number in one byte.
MOST_SEGMENTS = 256

# Up to here one comparison per breakpoint is faster than a binary search.
_FEW = 8


def read_only(*arrays: np.ndarray) -> None:
    """Make arrays refuse to be written to.

    Not taught: a safety catch of the library itself.
    """
    for array in arrays:
        array.flags.writeable = False


class PiecewiseLinear:
    """A function of one number that is linear between its breakpoints.

    Parameters
    ----------
    breakpoints : array_like, shape (n_segments - 1,)
        Increasing. Segment ``s`` is ``breakpoints[s - 1] <= z < breakpoints[s]``.
    slopes, intercepts : array_like, shape (n_segments,)
        The function is ``slopes[s] * z + intercepts[s]`` on segment ``s``. It may jump.
    name : str, optional
        How it is printed.

    Attributes
    ----------
    breakpoints, slopes, intercepts : ndarray of float64
        Read-only.
    n_segments : int
        Number of segments.
    name
        As given.

    Raises
    ------
    TypeError, ValueError
        If the arrays are not finite numbers, do not fit together, the breakpoints do not increase,
        or there are more than 256 segments.

    Notes
    -----
    Dong et al. (2021), section 5.1. Explained in the chapter *piecewise-linear-networks*.

    Examples
    --------
    >>> relu = PiecewiseLinear.relu()
    >>> relu([-2.0, 0.0, 3.0])
    array([0., 0., 3.])
    >>> relu.segment([-2.0, 0.0, 3.0])
    array([0, 1, 1], dtype=uint8)
    """

    def __init__(
        self, breakpoints: ArrayLike, slopes: ArrayLike, intercepts: ArrayLike, *, name: str = ""
    ) -> None:
        # Adding zero gives each zero one sign, since bytes are compared and hashed.
        self.breakpoints = check_array(breakpoints, "breakpoints", 1) + 0.0
        self.slopes = check_array(slopes, "slopes", 1) + 0.0
        self.intercepts = check_array(intercepts, "intercepts", 1) + 0.0
        self.n_segments = n = len(self.breakpoints) + 1
        if len(self.slopes) != n or len(self.intercepts) != n:
            raise ValueError(
                f"{n - 1} breakpoints need {n} slopes and intercepts, got {len(self.slopes)} and "
                f"{len(self.intercepts)}."
            )
        if (np.diff(self.breakpoints) <= 0).any():
            raise ValueError("breakpoints must increase.")
        if n > MOST_SEGMENTS:
            raise ValueError(f"There may be {MOST_SEGMENTS} segments at most, got {n}.")
        self.name = name
        self._key = tuple(a.tobytes() for a in (self.breakpoints, self.slopes, self.intercepts))
        read_only(self.breakpoints, self.slopes, self.intercepts)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Copies and pickles of an array may be written to.
        self.__dict__.update(state)
        read_only(self.breakpoints, self.slopes, self.intercepts)

    @classmethod
    def relu(cls) -> PiecewiseLinear:
        """Return ``max(z, 0)``."""
        return cls([0.0], [0.0, 1.0], [0.0, 0.0], name="relu")

    @classmethod
    def leaky_relu(cls, negative_slope: float = 0.01) -> PiecewiseLinear:
        """Return ``z`` from zero on, and ``negative_slope * z`` below."""
        return cls([0.0], [negative_slope, 1.0], [0.0, 0.0], name=f"leaky_relu({negative_slope:g})")

    @classmethod
    def hardtanh(cls, low: float = -1.0, high: float = 1.0) -> PiecewiseLinear:
        """Return ``z`` cut off at `low` and `high`."""
        name = f"hardtanh({low:g},{high:g})"
        return cls([low, high], [0.0, 1.0, 0.0], [low, 0.0, high], name=name)

    @property
    def is_relu(self) -> bool:
        """Whether this is ``max(z, 0)``."""
        return self == _RELU

    @property
    def is_continuous(self) -> bool:
        """Whether it has no jump, beyond the rounding of the terms that meet there."""
        jumps = np.diff(self.slopes) * self.breakpoints + np.diff(self.intercepts)
        slopes, intercepts = np.abs(self.slopes), np.abs(self.intercepts)
        terms = (slopes[:-1] + slopes[1:]) * np.abs(self.breakpoints)
        return bool((np.abs(jumps) <= 1e-9 * (terms + intercepts[:-1] + intercepts[1:])).all())

    def segment(self, z: ArrayLike) -> np.ndarray:
        """Return the segment of each value, as uint8 and in the shape of `z`."""
        z = np.asarray(z, dtype=float)
        if self.n_segments == 2:
            return (z >= self.breakpoints[0]).view(np.uint8)
        if self.n_segments > _FEW:
            return np.searchsorted(self.breakpoints, z, side="right").astype(np.uint8)
        segments = np.zeros(z.shape, dtype=np.uint8)
        for breakpoint in self.breakpoints:
            segments += z >= breakpoint
        return segments

    def __call__(self, z: ArrayLike) -> np.ndarray:
        """Return the values, in the shape of `z`."""
        z = np.asarray(z, dtype=float)
        if self.is_relu:
            return np.maximum(z, 0.0)
        segments = self.segment(z)
        return self.slopes[segments] * z + self.intercepts[segments]

    def error_after(self, z: np.ndarray | None, reach: np.ndarray) -> np.ndarray:
        """Return how far outputs may be off whose inputs `z` (None: any) are off by `reach`.

        Raises
        ------
        ValueError
            If this is neither an approximation nor continuous.
        """
        if not self.is_continuous:
            raise ValueError(f"{self!r} jumps and approximates nothing, so there is no bound.")
        return np.abs(self.slopes).max() * reach

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PiecewiseLinear) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        name = f"{self.name!r}, " if self.name else ""
        return f"PiecewiseLinear({name}{self.n_segments} segments)"


_RELU = PiecewiseLinear.relu()
