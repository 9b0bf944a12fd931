"""Polytopes in any number of dimensions, in a frame that takes the units out of every tolerance."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.spatial import ConvexHull, HalfspaceIntersection, QhullError

from xai_course.networks import PiecewiseLinearNetwork

RESOLUTION = 1e-9
# In units of the frame; a ball that reaches it is taken to be unbounded.
UNBOUNDED = 1e4

# The quick way is off by up to its tolerance of 1e-7, and says nothing about a smaller radius.
_QUICK = 1e-5
# Others for those, and for what HiGHS does not solve by the one before.
_TOLERANCES = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
_WAYS: tuple[dict[str, Any], ...] = (
    {"method": "highs", "options": _TOLERANCES},
    {"method": "highs-ds", "options": _TOLERANCES | {"presolve": False}},
    {"method": "highs-ds"},
    {"method": "highs-ipm"},
)


class Frame(NamedTuple):
    """Coordinates ``y`` in which what is looked at is about one in size: ``x = origin + scale y``.

    Attributes
    ----------
    origin, scale : ndarray, shape (n_features,)
    """

    origin: np.ndarray
    scale: np.ndarray

    @classmethod
    def of_box(cls, bounds: np.ndarray) -> Frame:
        """Return the frame in which a box is ``[-1, 1]`` in every feature."""
        half = np.ptp(bounds, axis=1) / 2
        return cls(bounds[:, 0] + half, half)

    @classmethod
    def of_network(cls, network: PiecewiseLinearNetwork) -> Frame:
        """Return the frame in which the first layer's weights of each feature have length one."""
        lengths = np.linalg.norm(network.weights[0], axis=0)
        return cls(np.zeros(network.n_features), 1 / np.where(lengths > 0, lengths, 1.0))

    @classmethod
    def of_half_spaces(cls, network: PiecewiseLinearNetwork, A: np.ndarray, b: np.ndarray) -> Frame:
        """Return the frame of a network scaled, so that borders ``A x = b`` are about one away."""
        frame = cls.of_network(network)
        lengths = np.linalg.norm(A * frame.scale, axis=1)
        apart = (lengths > 0) & (b != 0)
        unit = float(np.median(np.abs(b[apart]) / lengths[apart])) if apart.any() else 1.0
        return cls(frame.origin, frame.scale * unit)

    def enter(self, X: np.ndarray) -> np.ndarray:
        """Return points of the frame for points of the features."""
        return (X - self.origin) / self.scale

    def leave(self, Y: np.ndarray) -> np.ndarray:
        """Return points of the features for points of the frame."""
        return self.origin + self.scale * Y

    def enter_planes(self, A: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the planes ``A x = b`` as planes of the frame, of no particular length."""
        return A * self.scale, b - A @ self.origin

    def leave_planes(self, A: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return planes of the frame as planes of the features, of no particular length."""
        A = A / self.scale
        return A, b + A @ self.origin

    def network(self, network: PiecewiseLinearNetwork) -> PiecewiseLinearNetwork:
        """Return the network whose inputs are points of the frame."""
        (first, *weights), (bias, *biases) = network.weights, network.biases
        weights, biases = [first * self.scale, *weights], [bias + first @ self.origin, *biases]
        return PiecewiseLinearNetwork(weights, biases, network.activations)


def unit_rows(A: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return half-spaces with normals of unit length; a zero one says ``0 <= 1`` or ``0 <= -1``."""
    lengths = np.linalg.norm(A, axis=1)
    zero = lengths == 0
    lengths = np.where(zero, 1.0, lengths)
    return A / lengths[:, None], np.where(zero, np.where(b < 0, -1.0, 1.0), b / lengths)


class Polytope(NamedTuple):
    """The points ``A y <= b`` of a frame.

    Attributes
    ----------
    A : ndarray, shape (n_rows, n_dimensions)
        Rows of unit length, or of length zero.
    b : ndarray, shape (n_rows,)
    """

    A: np.ndarray
    b: np.ndarray

    def ball(self, growth: ArrayLike = 1.0) -> tuple[np.ndarray, float]:
        """Return centre and radius of a largest ball.

        Parameters
        ----------
        growth : float or array_like, shape (n_rows,)
            By how much each half-space shrinks as the radius grows by one, at most one. Other
            numbers than one make an ellipsoid, which is a ball in other units.

        Returns
        -------
        center : ndarray, shape (n_dimensions,)
        radius : float
            Measured, so that the ball lies inside, and at most `UNBOUNDED`; negative if there is
            none.
        """
        d, slopes = self.A.shape[1], self.A.any(axis=1)
        if (self.b[~slopes] < -RESOLUTION).any():  # a row says 0 <= -1
            return np.full(d, np.nan), -np.inf
        A, b = self.A[slopes], self.b[slopes]
        growth = np.broadcast_to(growth, self.b.shape)[slopes]
        if len(A) == 0:
            return np.zeros(d), UNBOUNDED
        center = _middle(A[:, 0], b) if d == 1 else _center(A, b, growth)
        return center, min(UNBOUNDED, float(((b - A @ center) / growth).min()))

    def section(self, normal: np.ndarray, offset: float) -> tuple[Polytope, np.ndarray]:
        """Return the part in the hyperplane ``normal @ y = offset``, and an orthonormal basis.

        The normal has unit length. A point ``t`` of the part is ``offset * normal + basis @ t``.
        """
        mirror = normal.copy()
        mirror[0] += 1.0 if normal[0] >= 0 else -1.0
        basis = (np.eye(len(normal)) - np.outer(mirror, mirror) * 2 / (mirror @ mirror))[:, 1:]
        A, b = self.A @ basis, self.b - self.A @ normal * offset
        lengths = np.linalg.norm(A, axis=1)
        parallel = lengths < RESOLUTION
        A[parallel], lengths[parallel] = 0.0, 1.0
        return Polytope(A / lengths[:, None], b / lengths), basis

    def disc(self, normal: np.ndarray, offset: float) -> tuple[np.ndarray, float]:
        """Return centre and radius of a largest disc in the hyperplane ``normal @ y = offset``."""
        part, basis = self.section(normal, offset)
        center, radius = part.ball()
        return normal * offset + basis @ center, radius

    def volume(self) -> float:
        """Return the volume of a bounded polytope with interior: Qhull's, or the sum of cones."""
        half_spaces = np.column_stack([self.A, -self.b])
        try:
            corners = HalfspaceIntersection(half_spaces, self.ball()[0]).intersections
            return float(ConvexHull(corners).volume)
        except QhullError:  # corners that nearly coincide
            return self.volume_by_cones()

    def volume_by_cones(self) -> float:
        """Return the volume as the sum of the cones over the facets, and so on in the facets.

        As Lasserre (1983); it needs nothing but balls, and takes its time.
        """
        center, radius = self.ball()
        if radius <= RESOLUTION:
            return 0.0
        n_dimensions = self.A.shape[1]
        if n_dimensions == 1:
            return 2 * radius
        rows = np.column_stack([self.A, self.b])[self.A.any(axis=1)]
        distinct = np.unique(rows.round(9), axis=0, return_index=True)[1]
        volume = 0.0
        for row in rows[distinct]:
            normal, offset = row[:-1], row[-1]
            part, _ = self.section(normal, offset)
            volume += (offset - normal @ center) * part.volume_by_cones() / n_dimensions
        return volume


def _middle(sides: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the middle of an interval, or a point deep inside if it has no end on a side."""
    low = (-b[sides < 0]).max(initial=-np.inf)
    high = b[sides > 0].min(initial=np.inf)
    if np.isinf(low):
        return np.array([high - UNBOUNDED])
    return np.array([low + UNBOUNDED if np.isinf(high) else low / 2 + high / 2])


def _center(A: np.ndarray, b: np.ndarray, growth: np.ndarray) -> np.ndarray:
    """Return the centre of a largest ball, by a linear program.

    Its radius may be negative, and is bounded, so the program has a solution whatever the rows are.
    """
    d = A.shape[1]
    cost, rows = np.append(np.zeros(d), -1.0), np.column_stack([A, growth])
    most = np.append(np.full(d, np.inf), UNBOUNDED)
    found = milp(cost, bounds=Bounds(-np.inf, most), constraints=LinearConstraint(rows, ub=b))
    if found.status == 0 and abs(found.fun) > _QUICK:
        return found.x[:-1]
    for way in _WAYS:
        bounds = np.column_stack([np.full(d + 1, -np.inf), most])
        found = linprog(cost, A_ub=rows, b_ub=b, bounds=bounds, **way)
        if found.status == 0:
            return found.x[:-1]
    raise RuntimeError(
        f"No way of HiGHS solved the linear program of a polytope with {len(A)} half-spaces in {d} "
        f"dimensions: {found.message} Its numbers may be too far apart: give bounds near the data."
    )


# --- many polytopes at once -----------------------------------------------------------------------

# Steps of the interior-point method; it needs about ten.
_MOST_STEPS = 30

# Added to the diagonal of its matrices, as a share of their traces.
_RIDGE = 1e-14

# A ball is large enough when no other one can be larger by more than this share.
_CLOSE = 0.1


def balls(
    A: np.ndarray, b: np.ndarray, start: np.ndarray, least: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find a ball in each of many polytopes of the box ``[-1, 1]``, larger than `least`.

    Parameters
    ----------
    A : ndarray, shape (n, n_rows, n_dimensions)
        Rows of unit length, the box's among them, or of length zero: those say nothing.
    b : ndarray, shape (n, n_rows)
    start : ndarray, shape (n, n_dimensions)
        A point anywhere in the box.
    least : ndarray, shape (n,)

    Returns
    -------
    centers : ndarray, shape (n, n_dimensions)
    radii : ndarray, shape (n,)
        Of a ball that lies inside, and is the largest but for a tenth. Zero where it is certain
        that there is none, NaN where nothing is.

    Notes
    -----
    A primal-dual interior-point method (Mehrotra 1992) for ``max r`` with ``A y + r <= b``, all
    polytopes side by side. It ends early, since both answers carry their proof: the ball itself, or
    multipliers ``m >= 0`` that bound all radii. With ``c = (0, ..., 0, 1)`` these are
    ``b @ m + (c - [A 1]' m) @ (y, r)``, and no coordinate of ``(y, r)`` is larger than one.
    """
    n, n_rows, d = A.shape
    centers, radii = np.zeros((n, d)), np.full(n, np.nan)
    rows = np.concatenate([A, A.any(axis=2)[:, :, None]], axis=2)
    slack = np.where(rows[:, :, -1] > 0, b - _each(A, start), np.inf)
    point = np.column_stack([start, slack.min(axis=1) - 0.1])
    shares = np.full((n, n_rows), 1 / n_rows)
    wanted, live = np.append(np.zeros(d), 1.0), np.arange(n)
    for _ in range(_MOST_STEPS):
        slack, radius = b - _each(rows, point), point[:, -1]
        missing = wanted - _each(rows.mT, shares)
        most = (shares * b).sum(axis=1) + np.abs(missing).sum(axis=1)
        is_found = (radius > least) & (most - radius <= _CLOSE * most)
        is_none = most <= least
        radii[live[is_none]] = 0.0
        radii[live[is_found]], centers[live[is_found]] = radius[is_found], point[is_found, :-1]
        on = ~(is_found | is_none)
        if not on.any():
            break
        of_live = (live, rows, b, least, point, shares, slack)
        live, rows, b, least, point, shares, slack = (part[on] for part in of_live)
        weights = shares / slack
        matrix = rows.mT @ (weights[:, :, None] * rows)
        # Where a border is met twice, rounding would make the matrix singular.
        matrix += _RIDGE * np.trace(matrix, axis1=1, axis2=2)[:, None, None] * np.eye(d + 1)
        # First straight to the border, which tells how much to stay away from it.
        ahead = _each(rows, np.linalg.solve(matrix, wanted[:, None])[:, :, 0])
        turn = weights * ahead - shares
        gap = (shares * slack).mean(axis=1)
        reach = _reach(ahead, slack), _reach(-turn, shares)
        later = ((shares + reach[1] * turn) * (slack - reach[0] * ahead)).mean(axis=1)
        aim = ((gap * (later / gap) ** 3)[:, None] + ahead * turn) / slack
        step = np.linalg.solve(matrix, (wanted - _each(rows.mT, aim))[:, :, None])[:, :, 0]
        ahead = _each(rows, step)
        turn = aim - shares + weights * ahead
        point = point + 0.98 * _reach(ahead, slack, 0.98) * step
        shares = shares + 0.98 * _reach(-turn, shares, 0.98) * turn
    return centers, radii


def _each(matrices: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    return (matrices @ vectors[:, :, None])[:, :, 0]


def _reach(step: np.ndarray, room: np.ndarray, most: float = 1.0) -> np.ndarray:
    """Return how often a step fits into the room for it, at most ``1 / most`` times."""
    return 1 / np.maximum(most, (step / room).max(axis=1, keepdims=True))
