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
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike
from tqdm import tqdm

from xai_course import _polygons
from xai_course._polygons import ROUNDING
from xai_course._polytopes import RESOLUTION, UNBOUNDED, Frame, Polytope, check_bounds, unit_rows
from xai_course._validation import check_array, check_whole

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


def _inputs(frame: Frame) -> _Maps:
    """Return the maps from points of a frame to the inputs."""
    value = np.column_stack([np.diag(frame.scale), frame.origin])
    return _Maps(value, np.zeros_like(value))


def _split_layers(network: PiecewiseLinearNetwork, pattern: np.ndarray) -> list[np.ndarray]:
    """Return the pattern's part of each hidden layer."""
    ends = np.cumsum(network.hidden_sizes, dtype=int)
    return np.split(pattern, ends)[:-1]


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
        self.pattern = network.check_patterns(np.asarray(pattern)[None])[0].copy()
        self.pattern.flags.writeable = False
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
        rows, offsets, neurons = [np.empty((0, d))], [np.empty(0)], [np.empty(0, dtype=int)]
        maps, first = _inputs(Frame(np.zeros(d), np.ones(d))), 0
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
        found = np.concatenate(rows), np.concatenate(offsets), np.concatenate(neurons)
        for array in found:
            array.flags.writeable = False
        return found

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

    @cached_property
    def _shape(self) -> _Shape:
        planar = self.bounds is not None and self.network.n_features <= 2
        return _Planar(self) if planar else _Solid(self)

    def is_empty(self) -> bool:
        """Return whether the region has no interior, as far as can be told.

        With one or two features and bounds: whether its polygon is no thicker than rounding errors.
        Else: whether it holds no ball of radius `RESOLUTION` in its frame; see the module.
        """
        return self._shape.is_empty

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
        return max(self._shape.balls(), key=lambda ball: ball[1])

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
        rows, polytope = self._shape.framed
        A, b, neurons = polytope.A, polytope.b, self.neurons[rows]
        done = np.zeros(len(b), dtype=bool)
        for i, row in enumerate(rows):
            if done[i] or (neurons[i] == _BOX and not with_box):
                continue
            center, radius = polytope.disc(A[i], b[i])
            if radius <= RESOLUTION:
                continue
            same = np.abs(np.column_stack([A - A[i], b - b[i]])).max(axis=1) <= RESOLUTION
            done |= same
            on_box = _BOX in neurons[same]
            if with_box or not on_box:
                shared = () if on_box else tuple(neurons[same].tolist())
                center = self._shape.frame.leave(center)
                yield Facet(shared, self.A[row], float(self.b[row]), center)

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
        pattern = _pattern_beyond(self.network, facet, self._shape.frame)
        return Region(self.network, pattern, self.bounds)

    def neighbors(self) -> list[Region]:
        """Return the regions beyond the facets, in the order of `facets`."""
        return [self.neighbor(facet) for facet in self._iter_facets(with_box=False)]

    # Corners

    @cached_property
    def _corners(self) -> np.ndarray:
        """Corners within `bounds`, for up to two features; in 1-D as a strip of height one."""
        assert self.bounds is not None
        corners = _polygons.box_corners(self.bounds)
        farthest = np.abs(corners).max(axis=0)
        for row, offset in zip(self.A, self.b, strict=True):
            normal = np.resize(np.append(row, 0.0), 2)
            tolerance = 8 * ROUNDING * float(np.abs(normal) @ farthest)
            corners = _polygons.clip(corners, normal, offset, tolerance)
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
        box = check_bounds(bounds, self.network.n_features)
        if self.bounds is not None:
            box = np.column_stack(
                [np.maximum(box[:, 0], self.bounds[:, 0]), np.minimum(box[:, 1], self.bounds[:, 1])]
            )
        return Region(self.network, self.pattern, box)

    @property
    def volume(self) -> float:
        """Length, area or volume of the region, which needs bounds.

        In three and more dimensions it is Qhull's, which is quick up to about six features.
        """
        if self.bounds is None:
            raise ValueError("The volume needs bounds; make the region with bounds.")
        return 0.0 if self.is_empty() else self._shape.volume


# --- the two ways to look at a region -------------------------------------------------------------


class _Shape:
    """What `Region` asks about its closure; the frame says what is small."""

    is_empty: bool
    frame: Frame
    volume: float

    def __init__(self, region: Region) -> None:
        self.region = region

    @cached_property
    def framed(self) -> tuple[np.ndarray, Polytope]:
        """The half-spaces in the frame, and their numbers; none that misses a bounded region."""
        A, b = unit_rows(*self.frame.enter_planes(self.region.A, self.region.b))
        near = b <= np.abs(A).sum(axis=1) + RESOLUTION
        rows = np.flatnonzero(near | (self.region.bounds is None))
        return rows, Polytope(A[rows], b[rows])

    def balls(self) -> Iterator[tuple[np.ndarray, float]]:
        """Yield large balls in the features' units; the program's is the largest it can tell."""
        rows, polytope = self.framed
        lengths = np.linalg.norm(self.region.A[rows] * self.frame.scale, axis=1)
        center, radius = polytope.ball(lengths.min(initial=np.inf) / lengths)
        center = self.frame.leave(center)
        unbounded = radius >= UNBOUNDED * (1 - 1e-3)  # measured, so up to rounding
        yield center, np.inf if unbounded else self.clearance(center)

    def clearance(self, point: np.ndarray) -> float:
        """Return the distance from a point to the nearest border; negative outside."""
        A, b = self.region.A, self.region.b
        return float((b - A @ point)[A.any(axis=1)].min(initial=np.inf))


class _Planar(_Shape):
    """A region of one or two features within bounds, by its corners: nothing but rounding."""

    @property
    def is_empty(self) -> bool:
        return len(self.region._corners) == 0

    @cached_property
    def frame(self) -> Frame:
        corners = self.region._corners[:, : self.region.network.n_features]
        return Frame.of_box(np.column_stack([corners.min(axis=0), corners.max(axis=0)]))

    @property
    def volume(self) -> float:
        corners = self.region._corners
        return float(_polygons.areas(corners, np.array([len(corners)]))[0])

    def balls(self) -> Iterator[tuple[np.ndarray, float]]:
        """Yield one ball more, which is the better one in a needle."""
        yield from super().balls()
        middle = self.region._corners.mean(axis=0)[: self.region.network.n_features]
        yield middle, self.clearance(middle)


class _Solid(_Shape):
    """Any other region, by linear programs and Qhull."""

    @cached_property
    def frame(self) -> Frame:
        if self.region.bounds is not None:
            return Frame.of_box(self.region.bounds)
        frame = Frame.of_network(self.region.network)
        A, b = frame.enter_planes(self.region.A, self.region.b)
        lengths = np.linalg.norm(A, axis=1)
        apart = (lengths > 0) & (b != 0)
        unit = float(np.median(np.abs(b[apart]) / lengths[apart])) if apart.any() else 1.0
        return Frame(frame.origin, frame.scale * unit)

    @cached_property
    def is_empty(self) -> bool:
        return self.framed[1].ball()[1] <= RESOLUTION

    @cached_property
    def volume(self) -> float:
        return self.framed[1].volume() * float(self.frame.scale.prod())


# --- the pieces of a region -----------------------------------------------------------------------


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


def _pattern_beyond(network: PiecewiseLinearNetwork, facet: Facet, frame: Frame) -> np.ndarray:
    """Return the pattern just beyond a facet's centre.

    Layer by layer: a neuron whose breakpoint lies at the centre goes where the outward normal leads
    it, so that all neurons that change together do.
    """
    point = np.append(frame.enter(facet.center), 1.0)
    normal = facet.normal * frame.scale
    direction = np.append(normal / np.linalg.norm(normal), 0.0)
    maps = _inputs(frame)
    pattern = []
    for layer, activation in enumerate(network.activations):
        maps = maps.through(network.weights[layer], network.biases[layer])
        z, slope = maps.value @ point, maps.value @ direction
        lengths = np.linalg.norm(maps.value[:, :-1], axis=1)
        moves = np.abs(slope) > maps.error @ np.abs(direction)
        slope = np.where(moves, slope, 0.0)
        above = z[:, None] - activation.breakpoints
        tolerance = maps.error @ np.abs(point) + RESOLUTION * lengths
        here = np.abs(above) <= tolerance[:, None] + ROUNDING * np.abs(activation.breakpoints)
        beyond = np.where(here, slope[:, None] >= 0, above > 0)
        segments = beyond.sum(axis=1).astype(np.uint8)
        pattern.append(segments)
        maps = maps.activated(activation, segments)
    return np.concatenate([np.empty(0, dtype=np.uint8), *pattern])


# --- all regions of a box: its parts, cut by one neuron after another -----------------------------


class _Polygons:
    """Polygons that tile a box of one or two features."""

    def __init__(self, bounds: np.ndarray) -> None:
        self.points, self.sizes = _polygons.box_corners(bounds), np.array([4])
        self.farthest = np.append(np.abs(self.points).max(axis=0), 1.0)
        n_features = len(bounds)
        self.inputs = _Maps(np.eye(n_features, 3), np.zeros((n_features, 3)))

    def cut(self, maps: _Maps, knot: float) -> tuple[np.ndarray, np.ndarray]:
        """Cut each part where its map, (n_parts, 3), is at the knot; see `_polygons.cut`."""
        a = np.repeat(maps.value, self.sizes, axis=0)
        z = a[:, 0] * self.points[:, 0] + a[:, 1] * self.points[:, 1] + a[:, 2] - knot
        tolerance = maps.error @ self.farthest + ROUNDING * abs(knot)
        self.points, self.sizes, *found = _polygons.cut(self.points, self.sizes, z, tolerance)
        return tuple(found)


_Borders = tuple[np.ndarray, "_Borders | None"]


class _Polytopes:
    """Polytopes that tile the box of a frame, each with a ball in it.

    A hyperplane that cuts the ball cuts the polytope. Whether another one does, a linear program
    tells: it looks for a ball on the side where the known one is not.
    """

    def __init__(self, bounds: np.ndarray) -> None:
        n_features = len(bounds)
        self.inputs = _inputs(Frame.of_box(bounds))
        self.centers, self.radii = np.zeros((1, n_features)), np.ones(1)
        box = np.concatenate([np.eye(n_features), -np.eye(n_features)])
        # Half-spaces ``row @ (y, -1) <= 0``, and those of the part that it was cut from.
        self.borders: list[_Borders] = [(np.column_stack([box, np.ones(len(box))]), None)]

    def cut(self, maps: _Maps, knot: float) -> tuple[np.ndarray, np.ndarray]:
        """Cut each part where its map, (n_parts, n_features + 1), is at the knot.

        Returns
        -------
        origin, above : ndarray
            As from `_polygons.cut`.
        """
        normals, shift = maps.value[:, :-1], maps.value[:, -1] - knot
        tolerance = maps.error.sum(axis=1) + ROUNDING * abs(knot)
        lengths = np.linalg.norm(normals, axis=1)
        z = (normals * self.centers).sum(axis=1) + shift
        # On a constant map it is zero that says which segment; see the module.
        above = z - self.radii * lengths >= -tolerance
        least = np.maximum(RESOLUTION, _ratio(tolerance, 2 * lengths))
        reached = np.abs(shift) < np.abs(normals).sum(axis=1)
        normals = normals / np.where(lengths > 0, lengths, 1.0)[:, None]
        shift, z = _ratio(shift, lengths), np.clip(_ratio(z, lengths), -self.radii, self.radii)
        # What is left of the ball below and above the hyperplane: a ball each.
        radii = np.stack([self.radii - z, self.radii + z]) / 2
        centers = self.centers + np.stack([-radii[1], radii[0]])[..., None] * normals
        rows = np.column_stack([normals, -shift])
        split = radii.min(axis=0) > least
        for i in np.flatnonzero(reached & np.isfinite(least) & ~split):
            far = int(z[i] < 0)
            center, radius = _polytope(((-1) ** far * rows[i], self.borders[i])).ball()
            if radius > least[i]:
                split[i], centers[far, i], radii[far, i] = True, center, radius
        whole, halves = np.flatnonzero(~split), np.flatnonzero(split)
        self.centers = np.concatenate([self.centers[whole], *centers[:, halves]])
        self.radii = np.concatenate([self.radii[whole], *radii[:, halves]])
        parts = [(sign * rows[i], self.borders[i]) for sign in (1, -1) for i in halves]
        self.borders = [self.borders[i] for i in whole] + parts
        above = np.concatenate([above[whole], np.repeat([False, True], len(halves))])
        return np.concatenate([whole, halves, halves]), above


def _polytope(borders: _Borders | None) -> Polytope:
    found = []
    while borders is not None:
        row, borders = borders
        found.append(row)
    rows = np.vstack(found)
    return Polytope(rows[:, :-1], rows[:, -1])


def _ratio(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return ``a / b``, infinite where `b` is zero."""
    return np.divide(a, b, out=np.full(a.shape, np.inf), where=b > 0)


def _split_by_layers(
    network: PiecewiseLinearNetwork, parts: _Polygons | _Polytopes, max_regions: int, bar: tqdm
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
            bar.update()
        bar.set_postfix(regions=len(segments))
        patterns = np.column_stack([patterns[parents], segments])
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
    """

    def __init__(
        self,
        network: PiecewiseLinearNetwork,
        bounds: np.ndarray,
        patterns: np.ndarray,
        polygons: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> None:
        order = np.lexsort([np.zeros(len(patterns)), *patterns.T[::-1]])  # the first key is last
        self.network, self.bounds, self.patterns = network, bounds, patterns[order]
        self.bounds.flags.writeable = self.patterns.flags.writeable = False
        if polygons is not None:
            points, sizes = polygons
            first = (np.cumsum(sizes) - sizes)[order]
            self._sizes = sizes[order]
            self._ends = np.cumsum(self._sizes)
            shift = np.repeat(first - self._ends + self._sizes, self._sizes)
            self._points = points[shift + np.arange(len(points))]

    def __reduce__(self) -> tuple[Any, ...]:
        polygons = self.polygons if self.network.n_features <= 2 else None
        return type(self), (self.network, self.bounds, self.patterns, polygons)

    def __len__(self) -> int:
        return len(self.patterns)

    @overload
    def __getitem__(self, index: int) -> Region: ...
    @overload
    def __getitem__(self, index: slice) -> list[Region]: ...
    def __getitem__(self, index: int | slice) -> Region | list[Region]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        region = Region(self.network, self.patterns[index], self.bounds)
        if self.network.n_features <= 2:
            end = self._ends[index]
            region._corners = self._points[end - self._sizes[index] : end]
        return region

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} regions of {self.network!r})"

    @property
    def polygons(self) -> tuple[np.ndarray, np.ndarray]:
        """Corners of all polygons, one after another, and how many each has, for two features."""
        return self._points, self._sizes

    @cached_property
    def volumes(self) -> np.ndarray:
        """Length, area or volume of each region, shape (n_regions,); they add up to the box's."""
        if self.network.n_features <= 2:
            return _polygons.areas(*self.polygons)
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
        return _polygons.segments(*self.polygons, coef, intercept)


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
    The box is cut by one neuron after another. With one or two features its parts are polygons,
    with more they are polytopes, of which one ball each is known: a hyperplane that misses the ball
    costs a linear program. A region is stepped over only if it holds no ball of radius
    `RESOLUTION`, in the frame where the box is ``[-1, 1]`` in every feature.

    Explained in the chapter *regions*.
    """
    box = check_bounds(bounds, network.n_features)
    check_whole(max_regions, "max_regions", 1)
    planar = network.n_features <= 2
    parts = _Polygons(box) if planar else _Polytopes(box)
    with tqdm(total=network.n_hidden, disable=not progress, unit="neuron") as bar:
        patterns = _split_by_layers(network, parts, max_regions, bar)
    return Regions(network, box, patterns, (parts.points, parts.sizes) if planar else None)
