"""The geometry of piecewise linear networks: regions, their borders and their neighbours.

A pattern fixes the segment of every hidden neuron, so every neuron's input is an affine function
of ``x``, and the region is where each of them stays on its segment: a polytope.

**Numerical policy.** Two tolerances, each with one job.

`ROUNDING` bounds what float64 arithmetic can tell. It is carried through the layers with the
affine maps, as an estimate of the rounding error of each of their numbers. A point lies *on* a
neuron's hyperplane when its distance is within that estimate, and a neuron is *constant* on a
region when its coefficients are. Clipping in one and two dimensions uses nothing coarser: it cuts a
polygon only where a corner lies clearly on either side, and always through corners that lie on the
line, so the pieces tile the box whatever the tolerance is.

`RESOLUTION` bounds what linear programs can tell, relative to the box. In three and more dimensions
a region counts when it holds a ball of that radius, and a facet when it holds such a disc; thinner
ones are stepped over.

**Degenerate cases.** A region without interior is none: a pattern that occurs on borders only, as
ties may give, is not listed. A neuron that sits on a breakpoint throughout a region is on the upper
segment (``z >= breakpoint``), as in Sudjianto et al. (2020), Definition 1; where such a ``z`` comes
out of cancelling terms, the network's own rounding errors may put single points of the region on
the lower segment, and those lie in no region of the list. A constant neuron, a
dead layer or a duplicate adds no border of its own; neurons that share a hyperplane share the
facet. A hyperplane that only touches the box cuts nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linprog
from scipy.spatial import ConvexHull, HalfspaceIntersection, QhullError
from tqdm import tqdm

from xai_course._validation import check_array

if TYPE_CHECKING:
    from xai_course.activations import PiecewiseLinear
    from xai_course.networks import PiecewiseLinearNetwork

__all__ = [
    "RESOLUTION",
    "ROUNDING",
    "Facet",
    "Region",
    "RegionBudgetError",
    "Regions",
    "enumerate_regions",
]

ROUNDING = 2.0**-50
RESOLUTION = 1e-9

_BOX = -1  # stands where a neuron's number would, for a side of the box
_LP_OPTIONS = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
# In units of the region's frame; a ball that reaches it is taken to be unbounded.
_LARGEST_RADIUS = 1e4
# Rows that stay farther from the region than this, in units of its frame, are no candidates.
_NEAR = 1e-6
# Up to here Qhull finds a region's corners faster than a few linear programs run.
_QHULL_FEATURES = 5


class RegionBudgetError(RuntimeError):
    """There are more regions than `max_regions`; nothing is returned.

    Attributes
    ----------
    found : int
        A lower bound on the number of regions: how many there were when the budget ended.
    max_regions : int
        The budget.
    """

    def __init__(self, found: int, max_regions: int) -> None:
        super().__init__(
            f"There are more than max_regions={max_regions:,} regions: at least {found:,} lie "
            "within the bounds. Take smaller bounds or a larger max_regions."
        )
        self.found, self.max_regions = found, max_regions

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.found, self.max_regions)


# --- affine maps through the layers ---------------------------------------------------------------


class _Maps(NamedTuple):
    """Affine maps of ``(x, 1)`` and the rounding error of their numbers, both (..., n, width)."""

    value: np.ndarray
    error: np.ndarray

    def through(self, weight: np.ndarray, bias: np.ndarray) -> _Maps:
        """Return the maps to the inputs ``z`` of the next layer."""
        size = np.abs(weight)
        value = weight @ self.value
        value[..., -1] += bias
        error = size @ (self.error + ROUNDING * np.abs(self.value))
        error[..., -1] += ROUNDING * np.abs(bias)
        return _Maps(value, error)

    def activated(self, activation: PiecewiseLinear, segments: np.ndarray) -> _Maps:
        """Return the maps to the outputs of neurons on these segments, shape (..., n)."""
        slope = activation.slopes[segments][..., None]
        value, error = slope * self.value, np.abs(slope) * self.error
        value[..., -1] += activation.intercepts[segments]
        error[..., -1] += ROUNDING * np.abs(activation.intercepts[segments])
        return _Maps(value, error)


def _inputs(n_features: int, width: int) -> _Maps:
    """Return the maps to the inputs themselves, for points padded with zeros to `width`."""
    return _Maps(np.eye(n_features, width), np.zeros((n_features, width)))


def _split_layers(network: PiecewiseLinearNetwork, pattern: np.ndarray) -> list[np.ndarray]:
    """Return the pattern's part of each hidden layer."""
    ends = np.cumsum(network.hidden_sizes, dtype=int)
    return np.split(pattern, ends)[:-1]


# --- linear programs ------------------------------------------------------------------------------


class _Section:
    """The polytope ``A x <= b`` (unit rows, or zero rows), or its part in one row's hyperplane."""

    def __init__(self, A: np.ndarray, b: np.ndarray, row: int | None = None) -> None:
        self.A, self.b, self.row = A, b, row
        within = A if row is None else A - np.outer(A @ A[row], A[row])
        self.lengths = np.linalg.norm(within, axis=1)
        self.lengths[self.lengths < RESOLUTION] = 0.0

    def measured(self, center: np.ndarray) -> tuple[np.ndarray, float]:
        """Move a centre onto the hyperplane; return it and the radius of the ball around it.

        Whatever proposed the centre, the radius is measured. It is negative outside.
        """
        if self.row is not None:
            center = center - (self.A[self.row] @ center - self.b[self.row]) * self.A[self.row]
        slack, crossed = self.b - self.A @ center, self.lengths > 0
        if (slack[~crossed] < -RESOLUTION).any():
            return center, -np.inf
        ratios = slack[crossed] / self.lengths[crossed]
        return center, float(ratios.min(initial=_LARGEST_RADIUS))

    def largest_ball(self) -> tuple[np.ndarray, float]:
        """Return centre and radius of the largest ball, by a linear program."""
        d = self.A.shape[1]
        equal = {}
        if self.row is not None:
            equal = {"A_eq": np.append(self.A[self.row], 0.0)[None], "b_eq": self.b[[self.row]]}
        found = linprog(
            np.append(np.zeros(d), -1.0),
            A_ub=np.column_stack([self.A, self.lengths]),
            b_ub=self.b,
            bounds=[(None, None)] * d + [(None, _LARGEST_RADIUS)],
            options=_LP_OPTIONS,
            **equal,
        )
        if found.status == 2:  # parallel rows exclude each other, or a row says 0 <= -1
            return np.full(d, np.nan), -np.inf
        if found.status != 0:
            raise RuntimeError(f"The linear program failed: {found.message}")
        return self.measured(found.x[:-1])


# --- one region -----------------------------------------------------------------------------------


class Facet(NamedTuple):
    """A side of a region: where its closure meets ``normal @ x = offset``.

    Attributes
    ----------
    neurons : tuple of int
        The hidden neurons whose breakpoint this is, counted layer after layer; more than one where
        hyperplanes coincide, none on a side of the box.
    normal : ndarray, shape (n_features,)
        Of unit length, outward.
    offset : float
    center : ndarray, shape (n_features,)
        A point inside the facet, clear of its rim.
    """

    neurons: tuple[int, ...]
    normal: np.ndarray
    offset: float
    center: np.ndarray


class Region:
    """Where a piecewise linear network has one activation pattern: a polytope with a linear model.

    Parameters
    ----------
    network : PiecewiseLinearNetwork
    pattern : array_like, shape (n_hidden,)
        The segment of every hidden neuron, layer after layer.
    bounds : array_like, shape (n_features, 2), optional
        Lower and upper bound of every input. The region is cut off at this closed box.

    Attributes
    ----------
    A : ndarray, shape (n_rows, n_features)
        The closed region is ``A @ x <= b``. Rows have unit length, so ``b - A @ x`` holds
        distances. One row per finite end of each neuron's segment, then the box. A neuron that is
        constant on the region has no row, or the row ``0 <= -1`` if its segment is another one.
    b : ndarray, shape (n_rows,)
    neurons : ndarray of int, shape (n_rows,)
        The hidden neuron of each row, counted layer after layer; -1 for a side of the box.
    coef : ndarray, shape (n_outputs, n_features)
    intercept : ndarray, shape (n_outputs,)
        The network is ``coef @ x + intercept`` on the region (before the link).

    Raises
    ------
    TypeError, ValueError
        If the pattern or the bounds do not fit the network.

    Notes
    -----
    Sudjianto et al. (2020), eq. 8 and Lemma 1. The region itself is half-open, since a neuron's
    segment holds its lower end only; `contains` knows, everything else describes the closure. See
    the module for the tolerances. Explained in the chapter *regions*.

    Examples
    --------
    >>> from xai_course.networks import PiecewiseLinearNetwork
    >>> network = PiecewiseLinearNetwork([[[1, 0], [0, 1]], [[1, 1]]], [[0, 0], [0]])
    >>> quadrant = Region(network, [1, 1], bounds=[[-1, 1], [-1, 2]])
    >>> quadrant.volume
    2.0
    >>> [region.pattern.tolist() for region in quadrant.neighbors()]
    [[0, 1], [1, 0]]
    """

    def __init__(
        self,
        network: PiecewiseLinearNetwork,
        pattern: ArrayLike,
        bounds: ArrayLike | None = None,
    ) -> None:
        self.network = network
        self.pattern = network.check_patterns(np.asarray(pattern)[None])[0]
        self.bounds = None if bounds is None else _check_bounds(bounds, network.n_features)

    @classmethod
    def _trusted(
        cls,
        network: PiecewiseLinearNetwork,
        pattern: np.ndarray,
        bounds: np.ndarray | None,
        **known: np.ndarray,
    ) -> Region:
        """Skip the checks, and take over what is known already (cached properties)."""
        region = cls.__new__(cls)
        region.network, region.pattern, region.bounds = network, pattern, bounds
        region.__dict__.update(known)
        return region

    def __repr__(self) -> str:
        return f"{type(self).__name__}({''.join(map(str, self.pattern))}, bounds={self.bounds})"

    # The polytope

    @property
    def A(self) -> np.ndarray:
        """Unit normals of the half-spaces."""
        return self._half_spaces[0]

    @property
    def b(self) -> np.ndarray:
        """Offsets of the half-spaces."""
        return self._half_spaces[1]

    @property
    def neurons(self) -> np.ndarray:
        """The hidden neuron of each half-space, -1 for the box."""
        return self._half_spaces[2]

    @cached_property
    def _half_spaces(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        network, d = self.network, self.network.n_features
        rows, offsets, neurons = [np.empty((0, d))], [np.empty(0)], [np.empty(0, dtype=int)]
        maps, first = _inputs(d, d + 1), 0
        for layer, segments in enumerate(_split_layers(network, self.pattern)):
            activation = network.activations[layer]
            maps = maps.through(network.weights[layer], network.biases[layer])
            *found, neuron = _segment_ends(maps, activation, segments)
            rows.append(found[0])
            offsets.append(found[1])
            neurons.append(first + neuron)
            maps, first = maps.activated(activation, segments), first + len(segments)
        if self.bounds is not None:
            rows += [-np.eye(d), np.eye(d)]
            offsets += [-self.bounds[:, 0], self.bounds[:, 1]]
            neurons.append(np.full(2 * d, _BOX))
        return np.concatenate(rows), np.concatenate(offsets), np.concatenate(neurons)

    @cached_property
    def _local_model(self) -> tuple[np.ndarray, np.ndarray]:
        coef, intercept = self.network.local_linear_models(self.pattern[None])
        return coef[0], intercept[0]

    @property
    def coef(self) -> np.ndarray:
        """Coefficients of the local linear model."""
        return self._local_model[0]

    @property
    def intercept(self) -> np.ndarray:
        """Intercept of the local linear model."""
        return self._local_model[1]

    def contains(self, X: ArrayLike) -> np.ndarray:
        """Return which points lie in the region.

        Parameters
        ----------
        X : array_like, shape (n_samples, n_features)

        Returns
        -------
        ndarray of bool, shape (n_samples,)
            Where the network's `activation_pattern` is this pattern, bit for bit, and the point is
            within the bounds. So every point of a box lies in one region.
        """
        X = self.network.check_inputs(X)
        inside = (self.network.activation_pattern(X) == self.pattern).all(axis=1)
        if self.bounds is not None:
            low, high = self.bounds.T
            inside &= ((low <= X) & (high >= X)).all(axis=1)
        return inside

    # Linear programs, in a frame where the region, the box or the offsets are about one in size

    @property
    def _is_planar(self) -> bool:
        """Whether the corners can be had by clipping, which no tolerance limits."""
        return self.bounds is not None and self.network.n_features <= 2

    @cached_property
    def _frame(self) -> tuple[np.ndarray, float]:
        box = self.bounds
        if self._is_planar and len(self._corners):
            found = self._corners[:, : self.network.n_features]
            box = np.column_stack([found.min(axis=0), found.max(axis=0)])
        if box is not None:
            return box.mean(axis=1), float(np.ptp(box, axis=1).max() / 2)
        return np.zeros(self.network.n_features), max(1.0, float(np.abs(self.b).max(initial=0)))

    @cached_property
    def _framed_b(self) -> np.ndarray:
        origin, unit = self._frame
        return (self.b - self.A @ origin) / unit

    @cached_property
    def _ball(self) -> tuple[np.ndarray, float]:
        section = _Section(self.A, self._framed_b)
        balls = [section.largest_ball()]
        if self._is_planar and len(self._corners):  # the better one for a needle
            middle = self._corners.mean(axis=0)[: self.network.n_features]
            balls.append(section.measured((middle - self._frame[0]) / self._frame[1]))
        return max(balls, key=lambda ball: ball[1])

    def chebyshev_center(self) -> tuple[np.ndarray, float]:
        """Return centre and radius of a largest ball in the region.

        Returns
        -------
        center : ndarray, shape (n_features,)
        radius : float
            Infinite if balls of any size fit.

        Raises
        ------
        ValueError
            If the region is empty.
        """
        if self.is_empty():
            raise ValueError(f"{self} is empty.")
        center, radius = self._ball
        origin, unit = self._frame
        unbounded = radius >= _LARGEST_RADIUS * (1 - 1e-3)  # measured, so up to rounding
        return origin + unit * center, np.inf if unbounded else unit * radius

    def is_empty(self) -> bool:
        """Return whether the region has no interior, as far as can be told.

        With one or two features and bounds: whether its polygon is no thicker than rounding errors.
        Else: whether it holds no ball of radius `RESOLUTION`, relative to the box.
        """
        if self._is_planar:
            return len(self._corners) == 0
        return self._ball[1] <= RESOLUTION

    def facets(self) -> list[Facet]:
        """Return the sides of the region, redundant half-spaces removed.

        Returns
        -------
        list of Facet
            In the order of `A`, so the box's sides come last. Empty if the region is.
        """
        return list(self._iter_facets(with_box=True))

    def _iter_facets(self, with_box: bool) -> Iterator[Facet]:
        if self.is_empty():
            return
        origin, unit = self._frame
        rows = self._near_rows
        A, b, neurons = self.A[rows], self._framed_b[rows], self.neurons[rows]
        done = np.zeros(len(rows), dtype=bool)
        for i, row in enumerate(rows):
            if done[i] or (neurons[i] == _BOX and not with_box):
                continue
            center = self._facet_center(_Section(A, b, i))
            if center is None:
                continue
            same = np.abs(np.column_stack([A - A[i], b - b[i]])).max(axis=1) <= RESOLUTION
            done |= same
            on_box = _BOX in neurons[same]
            if with_box or not on_box:
                shared = () if on_box else tuple(neurons[same].tolist())
                yield Facet(shared, self.A[row], float(self.b[row]), origin + unit * center)

    def _facet_center(self, facet: _Section) -> np.ndarray | None:
        """Return a point inside a facet, or None if it is none: the corners' mean, or by LP."""
        if self._outline is not None:
            corners = self._outline[
                np.abs(self._outline @ facet.A[facet.row] - facet.b[facet.row]) <= RESOLUTION
            ]
            if len(corners) >= len(corners.T):
                center, radius = facet.measured(corners.mean(axis=0))
                if radius > RESOLUTION:
                    return center
        center, radius = facet.largest_ball()
        return center if radius > RESOLUTION else None

    @cached_property
    def _outline(self) -> np.ndarray | None:
        """The corners in the frame, where they can be had quickly: by clipping or by Qhull."""
        d = self.network.n_features
        if self._is_planar and d == 2:
            return (self._corners - self._frame[0]) / self._frame[1]
        if self.bounds is None or not 3 <= d <= _QHULL_FEATURES:
            return None
        try:
            corners = self._qhull_corners()
        except QhullError:
            return None
        return corners if np.isfinite(corners).all() else None

    @cached_property
    def _near_rows(self) -> np.ndarray:
        """The rows that come near a corner or the bounding box; all others are redundant."""
        if self._outline is not None:
            reach = (self.A @ self._outline.T).max(axis=1)
        else:
            axes = np.eye(self.network.n_features)
            low = np.array([self._least(axis) for axis in axes])
            high = np.array([-self._least(-axis) for axis in axes])
            farthest = np.where(self.A > 0, high, low)
            parts = np.multiply(self.A, farthest, where=self.A != 0, out=np.zeros_like(self.A))
            reach = parts.sum(axis=1)
        return np.flatnonzero(reach >= self._framed_b - _NEAR)

    def _least(self, direction: np.ndarray) -> float:
        """Return the least value of ``direction @ y`` for y in the region's frame."""
        found = linprog(direction, self.A, self._framed_b, bounds=(None, None), options=_LP_OPTIONS)
        if found.status not in (0, 3):
            raise RuntimeError(f"The linear program failed: {found.message}")
        return -np.inf if found.status == 3 else float(found.fun)

    def neighbor(self, facet: Facet) -> Region | None:
        """Return the region on the other side of a facet, at its centre.

        Returns
        -------
        Region or None
            None on a side of the box.

        Notes
        -----
        Across one hyperplane one neuron changes its segment. More change where hyperplanes
        coincide, where a deeper neuron sits on a breakpoint all along the facet, and where the
        activation jumps. With a jump several regions may lie behind one facet; this is the one
        behind its centre.
        """
        if not facet.neurons:
            return None
        pattern = _pattern_beyond(self.network, facet, RESOLUTION * self._frame[1])
        return Region._trusted(self.network, pattern, self.bounds)

    def neighbors(self) -> list[Region]:
        """Return the regions beyond the facets, in the order of `facets`."""
        return [self.neighbor(facet) for facet in self._iter_facets(with_box=False)]

    # Corners

    @cached_property
    def _corners(self) -> np.ndarray:
        """Corners within `bounds`, for up to two features; in 1-D as a strip of height one."""
        assert self.bounds is not None
        corners = _box_corners(self.bounds)
        tolerance = 8 * ROUNDING * np.abs(corners).max()
        for normal, offset in zip(self.A, self.b, strict=True):
            corners = _clip(corners, np.resize(np.append(normal, 0.0), 2), offset, tolerance)
        return corners

    def polygon(self, bounds: ArrayLike | None = None) -> np.ndarray:
        """Return the corners of the closed region within the bounds, for one or two features.

        Parameters
        ----------
        bounds : array_like, shape (n_features, 2), optional
            Taken in addition to the region's own, which are enough.

        Returns
        -------
        ndarray, shape (n_corners, n_features)
            Anticlockwise; the two ends for one feature. No rows if the region is empty.

        Raises
        ------
        ValueError
            If there are more features, or no bounds.
        """
        d = self.network.n_features
        if d > 2:
            raise ValueError(f"A polygon needs one or two features, the network has {d}.")
        region = self._within(bounds)
        if d == 2 or len(region._corners) == 0:
            return region._corners[:, :d].copy()
        ends = region._corners[:, 0]
        return np.array([[ends.min()], [ends.max()]])

    def _within(self, bounds: ArrayLike | None) -> Region:
        if bounds is None and self.bounds is None:
            raise ValueError("The region may be unbounded: give bounds, shape (n_features, 2).")
        if bounds is None:
            return self
        box = _check_bounds(bounds, self.network.n_features)
        if self.bounds is not None:
            box = np.column_stack(
                [np.maximum(box[:, 0], self.bounds[:, 0]), np.minimum(box[:, 1], self.bounds[:, 1])]
            )
            box = _check_bounds(box, self.network.n_features)
        return Region._trusted(self.network, self.pattern, box)

    @cached_property
    def volume(self) -> float:
        """Length, area or volume of the region, which needs bounds.

        In three and more dimensions it is Qhull's, which is quick up to about six features.
        """
        if self.bounds is None:
            raise ValueError("The volume needs bounds; make the region with bounds.")
        if self.network.n_features <= 2:
            return float(_areas(self._corners, np.array([len(self._corners)]))[0])
        if self.is_empty():
            return 0.0
        return float(
            ConvexHull(self._qhull_corners()).volume * self._frame[1] ** self.network.n_features
        )

    def _qhull_corners(self) -> np.ndarray:
        """Return all corners in the frame; the region is bounded and not empty."""
        half_spaces = np.column_stack([self.A, -self._framed_b])
        return HalfspaceIntersection(half_spaces, self._ball[0]).intersections

    # Where an output is zero

    def range(self, coef: ArrayLike, intercept: float = 0.0) -> tuple[float, float]:
        """Return the least and the largest value of ``coef @ x + intercept`` on the closed region.

        Raises
        ------
        ValueError
            If the region is empty.
        """
        coef = check_array(coef, "coef", 1)
        if self.is_empty():
            raise ValueError(f"{self} is empty.")
        if self._is_planar:
            values = self._corners[:, : len(coef)] @ coef + intercept
            return float(values.min()), float(values.max())
        origin, unit = self._frame
        length = float(np.linalg.norm(coef)) or 1.0
        middle = float(coef @ origin) + intercept
        low, high = (sign * self._least(sign * coef / length) for sign in (1.0, -1.0))
        return middle + unit * length * low, middle + unit * length * high

    def crosses(self, coef: ArrayLike, intercept: float = 0.0) -> bool:
        """Return whether the hyperplane ``coef @ x + intercept = 0`` runs through the interior.

        A hyperplane that only touches the region, or along a facet, does not.
        """
        if self.is_empty():
            return False
        if self._is_planar and self.network.n_features == 2:
            return self.segment(coef, intercept) is not None
        margin = RESOLUTION * self._frame[1] * float(np.linalg.norm(coef))
        low, high = self.range(coef, intercept)
        return low < -margin and high > margin

    def segment(
        self, coef: ArrayLike, intercept: float = 0.0, bounds: ArrayLike | None = None
    ) -> np.ndarray | None:
        """Return the two ends of the line ``coef @ x + intercept = 0`` in the region, or None.

        Parameters
        ----------
        coef : array_like, shape (2,)
        intercept : float
        bounds : array_like, shape (2, 2), optional
            As for `polygon`.

        Returns
        -------
        ndarray, shape (2, 2), or None
            One end per row, the positive side on the right. None where the line does not run
            through the interior.

        Raises
        ------
        ValueError
            If the network has another number of features, or there are no bounds.
        """
        coef = _check_lines(self.network, np.asarray(coef)[None], 1)
        region = self._within(bounds)
        if region.is_empty():
            return None
        sizes = np.array([len(region._corners)])
        intercept = check_array(np.reshape(intercept, 1), "intercept", 1)
        _, ends = _segments(region._corners, sizes, coef, intercept)
        return ends[0] if len(ends) else None


def _check_lines(network: PiecewiseLinearNetwork, coef: ArrayLike, n_lines: int) -> np.ndarray:
    if network.n_features != 2:
        raise ValueError(f"Segments need two features, the network has {network.n_features}.")
    coef = check_array(coef, "coef", 2)
    if coef.shape != (n_lines, 2):
        raise ValueError(f"coef must hold {n_lines} x 2 numbers, got shape {coef.shape}.")
    return coef


def _segment_ends(
    maps: _Maps, activation: PiecewiseLinear, segments: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return unit normals, offsets and neurons of ``breakpoint <= z`` and ``z <= breakpoint``."""
    knots = activation.breakpoints
    ends = np.concatenate([[-np.inf], knots, [np.inf]])
    lower, upper = ends[segments], ends[segments.astype(int) + 1]
    value, error = maps.value, maps.error
    constant = (np.abs(value[:, :-1]) <= error[:, :-1]).all(axis=1)
    lengths = np.where(constant, 1.0, np.linalg.norm(value[:, :-1], axis=1))
    rows, offsets, neurons = [], [], []
    for neuron, (low, high) in enumerate(zip(lower, upper, strict=True)):
        normal, shift = value[neuron, :-1] / lengths[neuron], value[neuron, -1]
        if constant[neuron]:
            tolerance = error[neuron, -1] + ROUNDING * np.abs(knots).max(initial=0)
            if low - tolerance <= shift < high - tolerance:
                continue
            found = [(np.zeros_like(normal), -1.0)]
        else:
            found = [(-normal, (shift - low) / lengths[neuron])] if np.isfinite(low) else []
            found += [(normal, (high - shift) / lengths[neuron])] if np.isfinite(high) else []
        for row, offset in found:
            rows.append(row)
            offsets.append(offset)
            neurons.append(neuron)
    shape = (len(rows), value.shape[1] - 1)
    return np.reshape(rows, shape), np.array(offsets, dtype=float), np.array(neurons, dtype=int)


def _pattern_beyond(network: PiecewiseLinearNetwork, facet: Facet, resolution: float) -> np.ndarray:
    """Return the pattern just beyond a facet's centre.

    Layer by layer: a neuron whose breakpoint lies at the centre goes where the outward normal leads
    it, so that all neurons that change together do.
    """
    point, direction = np.append(facet.center, 1.0), np.append(facet.normal, 0.0)
    maps = _inputs(network.n_features, len(point))
    pattern = []
    for layer, activation in enumerate(network.activations):
        maps = maps.through(network.weights[layer], network.biases[layer])
        z, slope = maps.value @ point, maps.value @ direction
        lengths = np.linalg.norm(maps.value[:, :-1], axis=1)
        moves = np.abs(slope) > maps.error @ np.abs(direction)
        slope = np.where(moves, slope, 0.0)
        above = z[:, None] - activation.breakpoints
        tolerance = maps.error @ np.abs(point) + resolution * lengths
        here = np.abs(above) <= tolerance[:, None] + ROUNDING * np.abs(activation.breakpoints)
        beyond = np.where(here, slope[:, None] >= 0, above > 0)
        segments = beyond.sum(axis=1).astype(np.uint8)
        pattern.append(segments)
        maps = maps.activated(activation, segments)
    return np.concatenate([np.empty(0, dtype=np.uint8), *pattern])


# --- polygons, all at once: the corners of one after another, and how many each has ---------------


def _box_corners(bounds: np.ndarray) -> np.ndarray:
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


def _areas(points: np.ndarray, sizes: np.ndarray) -> np.ndarray:
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


def _clip(corners: np.ndarray, normal: np.ndarray, offset: float, tolerance: float) -> np.ndarray:
    """Return the part of one polygon with ``normal @ x <= offset``; no rows if it is too thin."""
    z = corners @ normal - offset
    if z.min(initial=0.0) >= -tolerance:
        return corners[:0]
    points, cross = _with_crossings(corners, z, _following(np.array([len(corners)])))
    return points[np.column_stack([z <= 0, cross]).ravel()]


def _segments(
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


class _Polygons:
    """Polygons that tile the box, cut by one layer of neurons after another."""

    def __init__(self, bounds: np.ndarray) -> None:
        self.points = _box_corners(bounds)
        self.sizes = np.array([4])
        self.parents = np.zeros(1, dtype=int)

    def heights(self, maps: np.ndarray) -> np.ndarray:
        """Return the value at each corner of its parent's map; maps (n_parents, 3)."""
        a = np.repeat(maps[self.parents], self.sizes, axis=0)
        return a[:, 0] * self.points[:, 0] + a[:, 1] * self.points[:, 1] + a[:, 2]

    def cut(self, z: np.ndarray, tolerance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Cut where ``z`` changes sign.

        Parameters
        ----------
        z : ndarray, one per corner
        tolerance : ndarray, one per polygon
            What counts as zero.

        Returns
        -------
        origin : ndarray of int
            The earlier number of each polygon, in its new order.
        above : ndarray of bool
            Whether each polygon of the new order lies where ``z >= 0``.
        """
        starts = _starts(self.sizes)
        low, high = np.minimum.reduceat(z, starts), np.maximum.reduceat(z, starts)
        split = (low < -tolerance) & (high > tolerance)
        above = low >= -tolerance
        numbers = np.arange(len(self.sizes))
        if not split.any():
            return numbers, above
        owner_split = np.repeat(split, self.sizes)
        sizes, points, z = self.sizes[split], self.points[owner_split], z[owner_split]
        z = np.where(np.abs(z) <= np.repeat(tolerance[split], sizes), 0.0, z)
        both, cross = _with_crossings(points, z, _following(sizes))
        halves = [np.column_stack([side, cross]).ravel() for side in (z <= 0, z >= 0)]
        self.points = np.concatenate([self.points[~owner_split], *(both[half] for half in halves)])
        counts = [np.add.reduceat(half, 2 * _starts(sizes), dtype=int) for half in halves]
        self.sizes = np.concatenate([self.sizes[~split], *counts])
        origin = np.concatenate([numbers[~split], numbers[split], numbers[split]])
        self.parents = self.parents[origin]
        sides = np.repeat([False, True], len(sizes))
        return origin, np.concatenate([above[~split], sides])


def _clip_layers(
    network: PiecewiseLinearNetwork, bounds: np.ndarray, max_regions: int, bar: tqdm
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return patterns, corners and numbers of corners of all regions, by clipping."""
    farthest = np.append(np.abs(_box_corners(bounds)).max(axis=0), 1.0)
    polygons = _Polygons(bounds)
    patterns = np.empty((1, 0), dtype=np.uint8)
    maps = _Maps(*(m[None] for m in _inputs(network.n_features, 3)))
    for layer, activation in enumerate(network.activations):
        maps = maps.through(network.weights[layer], network.biases[layer])
        tolerances = maps.error @ farthest
        polygons.parents = np.arange(len(patterns))
        segments = np.zeros((len(patterns), network.hidden_sizes[layer]), dtype=np.uint8)
        for neuron in range(network.hidden_sizes[layer]):
            for knot in activation.breakpoints:
                z = polygons.heights(maps.value[:, neuron]) - knot
                tolerance = tolerances[polygons.parents, neuron] + ROUNDING * abs(knot)
                origin, above = polygons.cut(z, tolerance)
                segments = segments[origin]
                segments[:, neuron] += above
                if len(segments) > max_regions:
                    raise RegionBudgetError(len(segments), max_regions)
            bar.update()
        bar.set_postfix(regions=len(segments))
        patterns = np.column_stack([patterns[polygons.parents], segments])
        maps = _Maps(*(m[polygons.parents] for m in maps)).activated(activation, segments)
    return patterns, polygons.points, polygons.sizes


# --- all regions of a box -------------------------------------------------------------------------


class Regions(Sequence[Region]):
    """All regions of a network within a box, ordered by pattern.

    Made by `enumerate_regions`. The regions are made when they are asked for, from the arrays.

    Attributes
    ----------
    network : PiecewiseLinearNetwork
    bounds : ndarray, shape (n_features, 2)
    patterns : ndarray of uint8, shape (n_regions, n_hidden)
        Distinct, in lexicographic order.
    """

    def __init__(
        self,
        network: PiecewiseLinearNetwork,
        bounds: np.ndarray,
        patterns: np.ndarray,
        known: Sequence[dict[str, Any]],
    ) -> None:
        # `known` holds cached properties of each region. lexsort takes the first key last.
        order = np.lexsort([np.zeros(len(patterns)), *patterns.T[::-1]])
        self.network, self.bounds, self.patterns = network, bounds, patterns[order]
        self._known = [known[i] for i in order]

    def __len__(self) -> int:
        return len(self.patterns)

    @overload
    def __getitem__(self, index: int) -> Region: ...
    @overload
    def __getitem__(self, index: slice) -> list[Region]: ...
    def __getitem__(self, index: int | slice) -> Region | list[Region]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        pattern, known = self.patterns[index], self._known[index]
        return Region._trusted(self.network, pattern, self.bounds, **known)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} regions of {self.network!r})"

    @cached_property
    def _flat(self) -> tuple[np.ndarray, np.ndarray]:
        """Corners of all polygons, one after another, and how many each has."""
        corners = [known["_corners"] for known in self._known]
        return np.concatenate(corners), np.array(list(map(len, corners)))

    @cached_property
    def volumes(self) -> np.ndarray:
        """Length, area or volume of each region, shape (n_regions,); they add up to the box's."""
        if self.network.n_features <= 2:
            return _areas(*self._flat)
        return np.array([region.volume for region in self])

    @cached_property
    def _numbers(self) -> dict[bytes, int]:
        return {pattern.tobytes(): i for i, pattern in enumerate(self.patterns)}

    def locate(self, X: ArrayLike) -> np.ndarray:
        """Return the number of each point's region.

        Parameters
        ----------
        X : array_like, shape (n_samples, n_features)

        Returns
        -------
        ndarray of int, shape (n_samples,)
            -1 for a pattern that has no region here: outside the box, or on a border.
        """
        patterns = self.network.activation_pattern(X)
        return np.array([self._numbers.get(p.tobytes(), -1) for p in patterns], dtype=int)

    def segments(self, coef: ArrayLike, intercept: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Return where a line of each region's own runs through it, for two features.

        Parameters
        ----------
        coef : array_like, shape (n_regions, 2)
        intercept : array_like, shape (n_regions,)
            The line of region ``r`` is ``coef[r] @ x + intercept[r] = 0``. With the local linear
            models of one output these are the pieces of its zero line.

        Returns
        -------
        numbers : ndarray of int, shape (n_segments,)
            The regions whose interior their line runs through.
        ends : ndarray, shape (n_segments, 2, 2)
            The two ends of each piece, the positive side on the right.
        """
        coef = _check_lines(self.network, coef, len(self))
        intercept = check_array(intercept, "intercept", 1)
        if len(intercept) != len(self):
            raise ValueError(f"intercept must hold {len(self)} numbers, got {len(intercept)}.")
        return _segments(*self._flat, coef, intercept)


def enumerate_regions(
    network: PiecewiseLinearNetwork,
    bounds: ArrayLike,
    max_regions: int = 100_000,
    progress: bool = False,
) -> Regions:
    """Return all regions of a network within a box.

    Parameters
    ----------
    network : PiecewiseLinearNetwork
    bounds : array_like, shape (n_features, 2)
        Lower and upper bound of every input.
    max_regions : int
        The budget.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    Regions
        A sequence of `Region`, ordered by pattern. Their closures tile the box.

    Raises
    ------
    RegionBudgetError
        If there are more than `max_regions`; a part is never returned.
    TypeError, ValueError
        If the bounds do not fit the network, or the budget is not positive.

    Notes
    -----
    With one or two features all polygons are cut by one neuron after another. With more, a walk
    goes from region to region through facets, one linear program per facet and candidate; it
    reaches all, also where an activation jumps: the hyperplanes of one layer cut a region of the
    layers before it into cells that meet facet to facet, and whatever the deeper layers do, some
    region of each cell lies at each of the cell's facets. Up to five features the volumes must add
    up to the box's; with more, slivers that hide a region from the linear programs go unnoticed.

    Explained in the chapter *regions*.
    """
    box = _check_bounds(bounds, network.n_features)
    if max_regions < 1:
        raise ValueError(f"max_regions must be at least 1, got {max_regions}.")
    planar = network.n_features <= 2
    total = network.n_hidden if planar else None
    with tqdm(total=total, disable=not progress, unit="neuron" if planar else "region") as bar:
        if planar:
            patterns, points, sizes = _clip_layers(network, box, max_regions, bar)
            corners = np.split(points, np.cumsum(sizes)[:-1])
            return Regions(network, box, patterns, [{"_corners": c} for c in corners])
        regions = _walk(network, box, max_regions, bar)
    if network.n_features <= _QHULL_FEATURES:
        _check_complete(regions)
    return regions


def _check_complete(regions: Regions) -> None:
    """Raise unless the volumes add up to the box's, but for what `RESOLUTION` lets pass."""
    whole = np.ptp(regions.bounds, axis=1).prod()
    missing = 1 - regions.volumes.sum() / whole
    if abs(missing) > 1e3 * RESOLUTION:
        raise RuntimeError(
            f"The {len(regions):,} regions found fill all but {missing:.2e} of the box: regions "
            "are too thin for the linear programs here. Take other bounds."
        )


def _walk(
    network: PiecewiseLinearNetwork, bounds: np.ndarray, max_regions: int, bar: tqdm
) -> Regions:
    """Return all regions, found from one to the next through facets."""
    start = _start(network, bounds)
    seen = {start.pattern.tobytes()}
    patterns, known, queue = [], [], deque([start])
    while queue:
        region = queue.popleft()
        if region.is_empty():
            continue
        if len(patterns) == max_regions:
            raise RegionBudgetError(max_regions + 1, max_regions)
        patterns.append(region.pattern)
        bar.update()
        for neighbor in region.neighbors():
            key = neighbor.pattern.tobytes()
            if key not in seen:
                seen.add(key)
                queue.append(neighbor)
        kept = ("_ball", "_corners", "volume")
        if network.n_features <= _QHULL_FEATURES:
            _ = region.volume
        known.append({name: value for name, value in vars(region).items() if name in kept})
    return Regions(network, bounds, np.array(patterns), known)


def _start(network: PiecewiseLinearNetwork, bounds: np.ndarray) -> Region:
    rng = np.random.default_rng(0)
    for pattern in network.activation_pattern(rng.uniform(*bounds.T, (100, len(bounds)))):
        region = Region._trusted(network, pattern, bounds)
        if not region.is_empty():
            return region
    raise ValueError("Every region of the box seems to be thinner than RESOLUTION.")


def _check_bounds(bounds: ArrayLike, n_features: int) -> np.ndarray:
    box = check_array(bounds, "bounds", 2)
    if box.shape != (n_features, 2):
        raise ValueError(f"bounds must have shape ({n_features}, 2), got {box.shape}.")
    if not (box[:, 0] < box[:, 1]).all():
        raise ValueError("bounds must hold a lower and a larger upper bound per feature.")
    box.flags.writeable = False
    return box
