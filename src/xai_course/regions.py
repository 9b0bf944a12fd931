"""The geometry of piecewise linear networks: regions, their borders and their neighbours.

A pattern fixes the segment of every hidden neuron, so every neuron's input is an affine function
of ``x``, and the region is where each of them stays on its segment: a polytope.

**Numerical policy.** Two tolerances, each with one job. Neither depends on the features' units.

`ROUNDING` bounds what float64 arithmetic can tell. It is carried through the layers with the
affine maps, as an estimate of the rounding error of each of their numbers. A point lies *on* a
neuron's hyperplane when its distance is within that estimate, and a neuron is *constant* on a
region when its coefficients are. Clipping in one and two dimensions uses nothing coarser: it cuts a
polygon only where a corner lies clearly on either side, and always through corners that lie on the
line, so the pieces tile the box whatever the tolerance is.

`RESOLUTION` bounds what linear programs can tell, in a *frame*: coordinates in which the box is
``[-1, 1]`` in every feature. Without a box, the first layer's weights of each feature have length
one there, and the region's borders are about one away. In three and more dimensions a region counts
when it holds a ball of that radius, and a facet when it holds such a disc; thinner ones are stepped
over.

**Degenerate cases.** A region without interior is none: a pattern that occurs on borders only, as
ties may give, is not listed. A neuron that sits on a breakpoint throughout a region is on the upper
segment (``z >= breakpoint``), as in Sudjianto et al. (2020), Definition 1; where such a ``z`` comes
out of cancelling terms, the network's own rounding errors may put single points of the region on
the lower segment, and those lie in no region of the list. A constant neuron, a
dead layer or a duplicate adds no border of its own; neurons that share a hyperplane share the
facet. A hyperplane that only touches the box cuts nothing.

Explained in the chapter *regions*.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from xai_course._polygons import ROUNDING, Polygons
from xai_course._polytopes import RESOLUTION, UNBOUNDED, Frame, Polytope, balls, unit_rows
from xai_course._validation import check_array, check_bounds, check_whole
from xai_course.activations import PiecewiseLinear, read_only
from xai_course.networks import PiecewiseLinearNetwork

__all__ = ["Facet", "Region", "RegionBudgetError", "Regions", "enumerate_regions"]

_AT_ONCE = 2**18  # numbers of half-spaces that are looked at together

_BOX = -1  # stands where a neuron's number would, for a side of the box


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
        super().__init__(found, max_regions)
        self.found, self.max_regions = found, max_regions

    def __str__(self) -> str:
        return (
            f"There are more than max_regions={self.max_regions:,} regions: at least "
            f"{self.found:,} lie within the bounds. Take smaller bounds or a larger max_regions."
        )


# --- affine maps through the layers ---------------------------------------------------------------


class _Maps(NamedTuple):
    """Affine maps of ``(x, 1)`` and the rounding error of their numbers, both (..., n, width)."""

    value: np.ndarray
    error: np.ndarray

    @classmethod
    def of_inputs(cls, frame: Frame) -> _Maps:
        """Return the maps from points of a frame to the inputs."""
        value = np.column_stack([np.diag(frame.scale), frame.origin])
        return cls(value, np.zeros_like(value))

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
        self, network: PiecewiseLinearNetwork, pattern: ArrayLike, bounds: ArrayLike | None = None
    ) -> None:
        self.network = network
        self.pattern = network.check_patterns(np.asarray(pattern)[None])[0].copy()
        read_only(self.pattern)
        self.bounds = None if bounds is None else check_bounds(bounds, network.n_features)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.network, self.pattern, self.bounds)

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
        maps, first = _Maps.of_inputs(Frame(np.zeros(d), np.ones(d))), 0
        found = [(np.empty((0, d)), np.empty(0), np.empty(0, dtype=int))]
        by_layer = np.split(self.pattern, np.cumsum(network.hidden_sizes, dtype=int))
        for layer, activation in enumerate(network.activations):
            segments = by_layer[layer]
            maps = maps.through(network.weights[layer], network.biases[layer])
            normals, offsets, neurons = _segment_ends(maps, activation, segments)
            found.append((normals, offsets, first + neurons))
            maps, first = maps.activated(activation, segments), first + len(segments)
        if self.bounds is not None:
            sides = np.concatenate([-np.eye(d), np.eye(d)])
            ends = np.concatenate([-self.bounds[:, 0], self.bounds[:, 1]])
            found.append((sides, ends, np.full(2 * d, _BOX)))
        joined = tuple(np.concatenate(parts) for parts in zip(*found, strict=True))
        read_only(*joined)
        return joined

    @cached_property
    def coef(self) -> np.ndarray:
        """Coefficients of the local linear model."""
        return self.network.local_linear_models(self.pattern[None])[0][0]

    @cached_property
    def intercept(self) -> np.ndarray:
        """Intercept of the local linear model."""
        return self.network.local_linear_models(self.pattern[None])[1][0]

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

    def is_empty(self) -> bool:
        """Return whether the region has no interior, as far as can be told.

        With one or two features and bounds: whether its polygon is no thicker than rounding errors.
        Else: whether it holds no ball of radius `RESOLUTION` in its frame; see the module.
        """
        return self._is_empty

    @cached_property
    def _is_empty(self) -> bool:
        if self._is_planar:
            return len(self._corners) == 0
        return self._framed[1].ball()[1] <= RESOLUTION

    def chebyshev_center(self) -> tuple[np.ndarray, float]:
        """Return centre and radius of a largest ball in the region, in the features' units.

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
        rows, polytope = self._framed
        lengths = np.linalg.norm(self.A[rows] * self._frame.scale, axis=1)
        center, radius = polytope.ball(lengths.min(initial=np.inf) / lengths)
        center = self._frame.leave(center)
        if radius >= UNBOUNDED * (1 - 1e-3):  # measured, so up to rounding
            return center, np.inf
        centers = [center]
        if self._is_planar:  # the better one in a needle
            centers.append(self._corners.mean(axis=0)[: self.network.n_features])
        return max(((c, self._clearance(c)) for c in centers), key=lambda ball: ball[1])

    def _clearance(self, point: np.ndarray) -> float:
        """Return the distance from a point to the nearest border; negative outside."""
        return float((self.b - self.A @ point)[self.A.any(axis=1)].min(initial=np.inf))

    def facets(self, *, with_box: bool = True) -> list[Facet]:
        """Return the sides of the region, redundant half-spaces removed.

        Parameters
        ----------
        with_box : bool
            Whether to return those on sides of the box, too; without them it is quicker.

        Returns
        -------
        list of Facet
            In the order of `A`, so the box's sides come last. Empty if the region is.
        """
        if self.is_empty():
            return []
        rows, polytope = self._framed
        A, b, neurons = polytope.A, polytope.b, self.neurons[rows]
        done = np.zeros(len(b), dtype=bool)
        found = []
        for i, row in enumerate(rows):
            if done[i] or (neurons[i] == _BOX and not with_box):
                continue
            center, radius = polytope.disc(A[i], b[i])
            if radius <= RESOLUTION:
                continue
            same = np.abs(np.column_stack([A - A[i], b - b[i]])).max(axis=1) <= RESOLUTION
            done |= same
            shared = () if _BOX in neurons[same] else tuple(neurons[same].tolist())
            if shared or with_box:
                center = self._frame.leave(center)
                found.append(Facet(shared, self.A[row], float(self.b[row]), center))
        return found

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

        Layer by layer, a neuron whose breakpoint lies at the centre goes where the outward normal
        leads it, so that all neurons that change together do.
        """
        if not facet.neurons:
            return None
        network, frame = self.network, self._frame
        point = np.append(frame.enter(facet.center), 1.0)
        normal = facet.normal * frame.scale
        direction = np.append(normal / np.linalg.norm(normal), 0.0)
        maps, pattern = _Maps.of_inputs(frame), []
        for layer, activation in enumerate(network.activations):
            maps = maps.through(network.weights[layer], network.biases[layer])
            z, slope = maps.value @ point, maps.value @ direction
            lengths = np.linalg.norm(maps.value[:, :-1], axis=1)
            slope[np.abs(slope) <= maps.error @ np.abs(direction)] = 0.0
            above = z[:, None] - activation.breakpoints
            tolerance = maps.error @ np.abs(point) + RESOLUTION * lengths
            here = np.abs(above) <= tolerance[:, None] + ROUNDING * np.abs(activation.breakpoints)
            beyond = np.where(here, slope[:, None] >= 0, above > 0)
            pattern.append(beyond.sum(axis=1).astype(np.uint8))
            maps = maps.activated(activation, pattern[-1])
        return Region(network, np.concatenate(pattern), self.bounds)

    def neighbors(self) -> list[Region]:
        """Return the regions beyond the facets, in the order of `facets`."""
        return [self.neighbor(facet) for facet in self.facets(with_box=False)]

    # The closure in a frame that says what is small, and its corners

    @property
    def _is_planar(self) -> bool:
        """Whether corners tell all; if not, linear programs and Qhull do."""
        return self.bounds is not None and self.network.n_features <= 2

    @cached_property
    def _frame(self) -> Frame:
        if self.bounds is None:
            return Frame.of_half_spaces(self.network, self.A, self.b)
        if not self._is_planar:
            return Frame.of_box(self.bounds)
        corners = self._corners[:, : self.network.n_features]
        return Frame.of_box(np.column_stack([corners.min(axis=0), corners.max(axis=0)]))

    @cached_property
    def _framed(self) -> tuple[np.ndarray, Polytope]:
        """The half-spaces in the frame, and their numbers; none that misses a bounded region."""
        A, b = unit_rows(*self._frame.enter_planes(self.A, self.b))
        near = b <= np.abs(A).sum(axis=1) + RESOLUTION
        rows = np.flatnonzero(near | (self.bounds is None))
        return rows, Polytope(A[rows], b[rows])

    @cached_property
    def _corners(self) -> np.ndarray:
        """Corners within `bounds`, for up to two features; in 1-D as a strip of height one."""
        polygon = Polygons.of_box(self.bounds)
        farthest = np.abs(polygon.points).max(axis=0)
        for row, offset in zip(self.A, self.b, strict=True):
            normal = np.resize(np.append(row, 0.0), 2)
            tolerance = 8 * ROUNDING * np.abs(normal) @ farthest
            halves, _, above = polygon.cut(polygon.points @ normal - offset, np.array([tolerance]))
            polygon = halves.take(np.flatnonzero(~above))
            if above.all():
                break
        return polygon.points

    def polygon(self, bounds: ArrayLike | None = None) -> np.ndarray:
        """Return the corners of the closed region within the bounds, for one or two features.

        Parameters
        ----------
        bounds : array_like, shape (n_features, 2), optional
            Taken in place of the region's own.

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
        if bounds is not None:
            return Region(self.network, self.pattern, bounds).polygon()
        if self.bounds is None:
            raise ValueError("The region may be unbounded: give bounds, shape (n_features, 2).")
        if d == 2 or self.is_empty():
            return self._corners[:, :d].copy()
        ends = self._corners[:, 0]
        return np.array([[ends.min()], [ends.max()]])

    @property
    def volume(self) -> float:
        """Length, area or volume of the region, which needs bounds.

        In three and more dimensions it is Qhull's, which is quick up to about six features.
        """
        if self.bounds is None:
            raise ValueError("The volume needs bounds; make the region with bounds.")
        if self.is_empty():
            return 0.0
        if self._is_planar:
            return float(Polygons(self._corners, np.array([len(self._corners)])).areas()[0])
        return self._framed[1].volume() * float(self._frame.scale.prod())


# --- the pieces of a region -----------------------------------------------------------------------


def _segment_ends(
    maps: _Maps, activation: PiecewiseLinear, segments: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return unit normals, offsets and neurons of ``breakpoint <= z`` and ``z <= breakpoint``.

    A constant neuron says nothing, or ``0 <= -1`` if it is on another segment.
    """
    knots = activation.breakpoints
    ends = np.concatenate([[-np.inf], knots, [np.inf]])
    ends = np.column_stack([ends[segments], ends[segments.astype(int) + 1]])
    slopes, shift = maps.value[:, :-1], maps.value[:, -1]
    constant = (np.abs(slopes) <= maps.error[:, :-1]).all(axis=1)
    tolerance = maps.error[:, -1] + ROUNDING * np.abs(knots).max(initial=0)
    is_elsewhere = constant & ((shift < ends[:, 0] - tolerance) | (shift >= ends[:, 1] - tolerance))
    lengths = np.where(constant, 1.0, np.linalg.norm(slopes, axis=1))
    sides = np.array([-1.0, 1.0])
    normals = sides[:, None] * (slopes / lengths[:, None])[:, None]
    offsets = sides * (ends - shift[:, None]) / lengths[:, None]
    normals[constant], offsets[constant] = 0.0, -1.0
    is_row = np.isfinite(ends) & ~constant[:, None]
    is_row[:, 0] |= is_elsewhere
    return normals[is_row], offsets[is_row], np.nonzero(is_row)[0]


# --- all regions of a box: its parts, cut by one neuron after another -----------------------------


class _PlanarParts:
    """Polygons that tile a box of one or two features."""

    def __init__(self, bounds: np.ndarray) -> None:
        self.polygons = Polygons.of_box(bounds)
        self.farthest = np.append(np.abs(self.polygons.points).max(axis=0), 1.0)
        self.inputs = _Maps(np.eye(len(bounds), 3), np.zeros((len(bounds), 3)))

    def cut(self, maps: _Maps, knot: float) -> tuple[np.ndarray, np.ndarray]:
        """Cut each part where its map, (n_parts, 3), is at the knot; see `Polygons.cut`."""
        points, sizes = self.polygons
        a = np.repeat(maps.value, sizes, axis=0)
        z = a[:, 0] * points[:, 0] + a[:, 1] * points[:, 1] + a[:, 2] - knot
        tolerance = maps.error @ self.farthest + ROUNDING * abs(knot)
        self.polygons, origin, above = self.polygons.cut(z, tolerance)
        return origin, above


class _SolidParts:
    """Polytopes that tile the box of a frame, each with a ball in it.

    A hyperplane that cuts the ball cuts the polytope. Whether another one does is asked for many
    polytopes at once: is there a ball on the side where the known one is not?
    """

    polygons = None

    def __init__(self, bounds: np.ndarray) -> None:
        d = len(bounds)
        self.inputs = _Maps.of_inputs(Frame.of_box(bounds))
        self.centers, self.radii = np.zeros((1, d)), np.ones(1)
        # Half-spaces ``row @ (y, -1) <= 0``, and the numbers of each part's own. Number zero says
        # nothing, and fills up the row of a part that has fewer than another.
        box = np.concatenate([np.zeros((1, d)), np.eye(d), -np.eye(d)])
        self.half_spaces = np.column_stack([box, np.ones(2 * d + 1)])
        self.borders = np.arange(1, 2 * d + 1, dtype=np.int32)[None]

    def cut(self, maps: _Maps, knot: float) -> tuple[np.ndarray, np.ndarray]:
        """Cut each part where its map, (n_parts, n_features + 1), is at the knot.

        Returns
        -------
        origin, above : ndarray
            As from `Polygons.cut`.
        """
        normals, shift = maps.value[:, :-1], maps.value[:, -1] - knot
        tolerance = maps.error.sum(axis=1) + ROUNDING * abs(knot)
        lengths = np.linalg.norm(normals, axis=1)
        z = (normals * self.centers).sum(axis=1) + shift
        # On a constant map it is zero that says which segment; see the module.
        above = z - self.radii * lengths >= -tolerance
        reached = np.abs(shift) < np.abs(normals).sum(axis=1)  # never by a map of length zero
        lengths = np.where(lengths > 0, lengths, 1.0)
        least = np.maximum(RESOLUTION, tolerance / (2 * lengths))
        normals, shift = normals / lengths[:, None], shift / lengths
        z = np.clip(z / lengths, -self.radii, self.radii)
        # What is left of the ball below and above the hyperplane: a ball each.
        radii = np.stack([self.radii - z, self.radii + z]) / 2
        centers = self.centers + np.stack([-radii[1], radii[0]])[..., None] * normals
        rows = np.column_stack([normals, -shift])
        split = reached & (radii.min(axis=0) > least)
        asked = np.flatnonzero(reached & ~split)
        far = (z[asked] < 0).astype(int)
        there, radius = self._balls(asked, (1 - 2 * far)[:, None] * rows[asked], least[asked])
        found = radius > least[asked]
        asked, far = asked[found], far[found]
        split[asked], centers[far, asked], radii[far, asked] = True, there[found], radius[found]
        whole, halves = np.flatnonzero(~split), np.flatnonzero(split)
        self.centers = np.concatenate([self.centers[whole], *centers[:, halves]])
        self.radii = np.concatenate([self.radii[whole], *radii[:, halves]])
        self._add_borders(whole, halves, rows[halves])
        above = np.concatenate([above[whole], np.repeat([False, True], len(halves))])
        return np.concatenate([whole, halves, halves]), above

    def _balls(
        self, parts: np.ndarray, rows: np.ndarray, least: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return centre and radius of a ball in each of some parts, beyond a half-space of its own.

        A radius of zero says that there is none.
        """
        centers, radii = np.empty((len(parts), self.centers.shape[1])), np.empty(len(parts))
        size = max(1, _AT_ONCE // (self.half_spaces.shape[1] * (self.borders.shape[1] + 1)))
        for first in range(0, len(parts), size):
            some = slice(first, first + size)
            half_spaces = self.half_spaces[self.borders[parts[some]]]
            half_spaces = np.concatenate([half_spaces, rows[some, None]], axis=1)
            A, b = half_spaces[:, :, :-1], half_spaces[:, :, -1]
            centers[some], radii[some] = balls(A, b, self.centers[parts[some]], least[some])
            for i in first + np.flatnonzero(np.isnan(radii[some])):
                centers[i], radii[i] = Polytope(A[i - first], b[i - first]).ball()
        return centers, radii

    def _add_borders(self, whole: np.ndarray, halves: np.ndarray, rows: np.ndarray) -> None:
        """Keep whole parts as they are, and give each half its side of a hyperplane."""
        numbers = len(self.half_spaces) + np.arange(2 * len(rows))
        self.half_spaces = np.concatenate([self.half_spaces, rows, -rows])
        parts = np.concatenate([whole, halves, halves])
        self.borders = self.borders[parts]
        if self.borders[:, -1].any():
            self.borders = np.pad(self.borders, ((0, 0), (0, 1)))
        new = np.arange(len(whole), len(parts))
        self.borders[new, np.count_nonzero(self.borders[new], axis=1)] = numbers


def _split_by_layers(
    network: PiecewiseLinearNetwork, parts: _PlanarParts | _SolidParts, max_regions: int
) -> np.ndarray:
    """Cut the parts by all neurons, layer after layer; return the pattern of each."""
    patterns = np.empty((1, 0), dtype=np.uint8)
    maps = _Maps(*(m[None] for m in parts.inputs))
    for layer, activation in enumerate(network.activations):
        maps = maps.through(network.weights[layer], network.biases[layer])
        parents = np.arange(len(patterns))
        segments = np.zeros((len(patterns), network.hidden_sizes[layer]), dtype=np.uint8)
        for neuron in range(network.hidden_sizes[layer]):
            for knot in activation.breakpoints:
                of_parts = _Maps(*(m[parents, neuron] for m in maps))
                origin, above = parts.cut(of_parts, knot)
                parents, segments = parents[origin], segments[origin]
                segments[:, neuron] += above
                if len(segments) > max_regions:
                    raise RegionBudgetError(len(segments), max_regions)
        patterns = np.column_stack([patterns[parents], segments])
        if layer + 1 < len(network.activations):
            maps = _Maps(*(m[parents] for m in maps)).activated(activation, segments)
    return patterns


class Regions(Sequence[Region]):
    """All regions of a network within a box, ordered by pattern.

    Made by `enumerate_regions`. The regions are made when they are asked for, from the arrays.

    Attributes
    ----------
    network : PiecewiseLinearNetwork
    bounds : ndarray, shape (n_features, 2)
    patterns : ndarray of uint8, shape (n_regions, n_hidden)
        Distinct, in lexicographic order.
    polygons : Polygons or None
        All corners as one array, and how many each region has; for one or two features only. In
        one dimension they are strips of height one.
    """

    def __init__(
        self,
        network: PiecewiseLinearNetwork,
        bounds: np.ndarray,
        patterns: np.ndarray,
        polygons: Polygons | None = None,
    ) -> None:
        order = np.lexsort([np.zeros(len(patterns)), *patterns.T[::-1]])  # the first key is last
        self.network, self.bounds, self.patterns = network, bounds, patterns[order]
        read_only(self.bounds, self.patterns)
        self.polygons = None if polygons is None else polygons.take(order)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.network, self.bounds, self.patterns, self.polygons)

    def __len__(self) -> int:
        return len(self.patterns)

    def __getitem__(self, index: int | slice) -> Region | list[Region]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        region = Region(self.network, self.patterns[index], self.bounds)
        if self.polygons is not None:
            region._corners = self._corners[index]
        return region

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} regions of {self.network!r})"

    @cached_property
    def _corners(self) -> list[np.ndarray]:
        return np.split(self.polygons.points, self.polygons.starts[1:])

    @cached_property
    def volumes(self) -> np.ndarray:
        """Length, area or volume of each region, shape (n_regions,); they add up to the box's."""
        if self.polygons is not None:
            return self.polygons.areas()
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
        n, d = len(self), self.network.n_features
        coef, intercept = check_array(coef, "coef", 2), check_array(intercept, "intercept", 1)
        if d != 2 or coef.shape != (n, 2) or intercept.shape != (n,):
            raise ValueError(
                f"Segments need two features and one line for each of {n} regions, got {d} "
                f"features, coef of shape {coef.shape} and intercept of shape {intercept.shape}."
            )
        return self.polygons.segments(coef, intercept)


def enumerate_regions(
    network: PiecewiseLinearNetwork, bounds: ArrayLike, max_regions: int = 100_000
) -> Regions:
    """Return all regions of a network within a box.

    Parameters
    ----------
    network : PiecewiseLinearNetwork
    bounds : array_like, shape (n_features, 2)
        Lower and upper bound of every input.
    max_regions : int
        The budget.

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
    The box is cut by one neuron after another. With one or two features its parts are polygons,
    with more they are polytopes, of which one ball each is known. Where a hyperplane misses the
    ball, another one is looked for beyond it, in many parts at once (`_polytopes.balls`). A region
    is stepped over only if it holds no ball of radius `RESOLUTION`, in the frame where the box is
    ``[-1, 1]`` in every feature.

    Explained in the chapter *regions*.

    Examples
    --------
    >>> from xai_course.networks import PiecewiseLinearNetwork
    >>> network = PiecewiseLinearNetwork([[[1, 0], [0, 1]], [[1, 1]]], [[0, 0], [0]])
    >>> regions = enumerate_regions(network, [[-1, 1], [-1, 2]])
    >>> regions.volumes
    array([1., 2., 1., 2.])
    >>> regions.locate([[0.5, 1.0]])
    array([3])
    """
    box = check_bounds(bounds, network.n_features)
    check_whole(max_regions, "max_regions", 1)
    parts = _PlanarParts(box) if network.n_features <= 2 else _SolidParts(box)
    patterns = _split_by_layers(network, parts, max_regions)
    return Regions(network, box, patterns, parts.polygons)
