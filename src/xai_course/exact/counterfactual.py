"""The nearest input that a piecewise linear classifier decides otherwise, with a certificate.

**How.** Walking along rays, and then from region to region, finds a counterfactual. Its distance is
the radius of a ball, and only what is in that ball matters. There, two linear programs per neuron
bound its input, and most neurons of a small ball turn out to be on or off throughout. What is left
is a mixed-integer program with one binary variable for each of the others, which HiGHS solves. All
distances are measured in a *frame*: the input is ``x + step * y``, and the ball is ``|y| <= 1``, so
no tolerance depends on the features' units.

Explained in the chapter *ground-truth*.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import Bounds, LinearConstraint, OptimizeResult, linprog, nnls
from scipy.sparse import block_array

from xai_course._programs import integer_program
from xai_course._validation import check_array, check_bounds, check_number, check_whole
from xai_course.networks import PiecewiseLinearNetwork

__all__ = ["Counterfactual", "nearest_counterfactual"]

# The wanted class leads by at least this share of the size of the logits at x. So there is a
# nearest counterfactual, and rounding cannot take the lead away.
MARGIN = 1e-8
# What is nearer by less than this share of the distance is not searched for. HiGHS takes 1e-6 for
# zero, so a smaller share would have it return solutions that are none.
GAP = 1e-5
_EXACT = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
_MOST_STEPS = 200  # regions that one walk looks at


@dataclass(frozen=True, eq=False)
class Counterfactual:
    """The nearest counterfactual that was found, and a bound on the distance of all others.

    Attributes
    ----------
    x : ndarray of float64, shape (n_features,)
        The network decides for the wanted class here. NaN if none was found.
    distance : float
        How far it is. Infinite if none was found.
    lower_bound : float
        No counterfactual is nearer. Infinite if it is proved that there is none.
    certified : bool
        Whether this is the answer: `lower_bound` is within 1e-5 of `distance`, relative to it, or
        there is no counterfactual. Otherwise the time ended first.
    seconds : float
        What it took, on the clock.
    """

    x: np.ndarray
    distance: float
    lower_bound: float
    certified: bool
    seconds: float


def nearest_counterfactual(
    network: PiecewiseLinearNetwork,
    x: ArrayLike,
    target: int | None = None,
    *,
    norm: float = 1,
    bounds: ArrayLike | None = None,
    immutable: Sequence[int] = (),
    integer: Sequence[int] = (),
    scale: ArrayLike | None = None,
    time_limit: float = 20.0,
) -> Counterfactual:
    """Return the nearest input that the network decides for another class.

    Parameters
    ----------
    network : PiecewiseLinearNetwork
        A classifier whose activations are continuous. One output is the logit of class 1 of two.
    x : array_like, shape (n_features,)
        The input to start from.
    target : int, optional
        The class that is wanted. By default any other class than the one decided at `x`.
    norm : {1, 2, np.inf}
        How ``(x' - x) / scale`` is measured.
    bounds : array_like, shape (n_features, 2), optional
        A finite box for the counterfactual. Without one, the first counterfactual that is found
        limits the search.
    immutable : sequence of int
        Features that stay as in `x`, whatever their bounds.
    integer : sequence of int
        Features that are whole numbers in the counterfactual. With standardised inputs use the
        network in the data's own units, and the standard deviations as `scale`.
    scale : array_like of positive numbers, shape (n_features,), optional
        The unit in which each feature's change is measured. Defaults to ones.
    time_limit : float
        Seconds on the clock, after which the best answer so far is returned.

    Returns
    -------
    Counterfactual
        If there is no counterfactual within the bounds, and this is proved, both distances are
        infinite and `certified` is true.

    Raises
    ------
    TypeError, ValueError
        If an argument is none of the above, `x` or the bounds are not finite, or an activation
        jumps. Also if no counterfactual is found and there are no bounds to end the search.

    Notes
    -----
    A counterfactual is the nearest input with another decision (Wachter et al. 2018, section III).
    Only inputs count where the wanted class leads every other (without `target`: where some class
    leads the one decided at `x`) by 1e-8 of the size of the logits at `x`, which is the largest sum
    of the absolute terms that make up one of them. The open set without this margin has no nearest
    point, and at a tie the first class wins.

    ReLU neurons as a mixed-integer program, with bounds from linear programs: Tjeng et al. (2019),
    sections 3 and 4. The L2 ball is cut out by tangents of each feature's square, which are added
    where a solution undercuts them; the L2 distance to one region is a non-negative least squares
    problem (Lawson and Hanson 1974, chapter 23). Jordan et al. (2019) grow the same ball region by
    region.

    Explained in the chapter *ground-truth*.

    Examples
    --------
    >>> network = PiecewiseLinearNetwork([[[1, 1], [1, -1]], [[1, 1]]], [[0, 0], [-3]])
    >>> answer = nearest_counterfactual(network, [1.0, 0.0], norm=np.inf)
    >>> answer.x.round(3), round(answer.distance, 3), answer.certified
    (array([1.5, 0.5]), 0.5, True)
    """
    start = time.perf_counter()
    d, classes = network.n_features, np.eye(max(2, network.n_outputs))
    x = check_array(x, "x", 1)
    decided = int(network.decide(x[None])[0])
    if norm not in (1, 2, np.inf):
        raise ValueError(f"norm must be 1, 2 or np.inf, got {norm!r}.")
    if target is not None:
        target = check_whole(target, "target", 0, len(classes) - 1)
    fixed = [check_whole(i, "Each index in immutable", 0, d - 1) for i in immutable]
    whole = sorted({check_whole(i, "Each index in integer", 0, d - 1) for i in integer})
    box = np.tile([-np.inf, np.inf], (d, 1)) if bounds is None else check_bounds(bounds, d).copy()
    box[fixed] = x[fixed, None]
    box[whole] = np.column_stack([np.ceil(box[whole, 0]), np.floor(box[whole, 1])])
    unit = np.ones(d) if scale is None else check_array(scale, "scale", 1)
    if unit.shape != (d,) or (unit <= 0).any():
        raise ValueError(f"scale must hold {d} positive numbers, got {scale!r}.")
    deadline = start + check_number(time_limit, "time_limit", above=0)

    if (box[:, 0] > box[:, 1]).any():  # no whole number lies between the bounds
        return Counterfactual(np.full(d, np.nan), np.inf, np.inf, True, time.perf_counter() - start)
    search = _Search(network, x, box, unit, norm, whole, deadline)
    if target == decided and (search.admit(x) == x).all():
        return Counterfactual(x, 0.0, 0.0, True, time.perf_counter() - start)
    if target is None:
        wanted = [classes[[k]] - classes[decided] for k in range(len(classes)) if k != decided]
    else:
        wanted = [classes[target] - np.delete(classes, target, axis=0)]
    for leads in wanted:
        search.find(leads)
    if bounds is None and search.distance == np.inf:
        raise ValueError(
            "No counterfactual was found, however far from x. Give bounds, a finite box in which "
            "it can be proved that there is none."
        )
    lower = min(search.certify(leads) for leads in wanted)
    distance, lower = search.distance, float(min(lower, search.distance))
    certified = lower >= (1 - GAP) * distance
    return Counterfactual(search.best, distance, lower, certified, time.perf_counter() - start)


def _neurons(network: PiecewiseLinearNetwork) -> tuple[np.ndarray, np.ndarray, list[slice]]:
    """Return a network as neurons ``r = max(u, 0)``, with ``u`` and the logits affine in (x, r).

    A continuous piecewise linear function is the line of its first segment and, at each breakpoint,
    such a neuron times the change of slope.

    Returns
    -------
    A, a : ndarray, shape (n_neurons + n_classes, n_features + n_neurons), and one per row
    layers : list of slice
        The neurons whose ``u`` depends on those of earlier layers only.
    """
    if not all(activation.is_continuous for activation in network.activations):
        raise ValueError(f"The activations must have no jumps, got {network!r}.")
    d, k = network.n_features, network.n_features
    bends = [len(activation.breakpoints) for activation in network.activations]
    n = sum(size * each for size, each in zip(network.hidden_sizes, bends, strict=True))
    A, a, rows, layers = np.eye(d, d + n), np.zeros(d), [], []
    for i, activation in enumerate(network.activations):
        Z, z = network.weights[i] @ A, network.weights[i] @ a + network.biases[i]
        A, a = activation.slopes[0] * Z, activation.slopes[0] * z + activation.intercepts[0]
        first = k - d
        for point, change in zip(activation.breakpoints, np.diff(activation.slopes), strict=True):
            rows.append((Z, z - point))
            A, k = A + change * np.eye(len(z), d + n, k), k + len(z)
        layers.append(slice(first, k - d))
    if network.n_outputs == 1:
        rows.append((np.zeros((1, d + n)), np.zeros(1)))
    rows.append((network.weights[-1] @ A, network.weights[-1] @ a + network.biases[-1]))
    return *(np.concatenate(part) for part in zip(*rows, strict=True)), layers


class _Frame(NamedTuple):
    """The neurons and the wanted leads as functions of `y`, for inputs ``x + step * y``.

    Attributes
    ----------
    A, a : ndarray, shape (n_neurons + n_leads, n_features + n_neurons), and one per row
        The neurons' inputs ``u`` and, less the margin, multiples of the leads: ``A @ (y, r) + a``.
    layers : list of slice
    step, low, high : ndarray, shape (n_features,)
        The box of `y`, which holds the unit ball or lies in it.
    """

    A: np.ndarray
    a: np.ndarray
    layers: list[slice]
    step: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def inputs(self, y: np.ndarray) -> np.ndarray:
        """Return every neuron's ``u``."""
        r = np.zeros(self.A.shape[1] - len(y))
        for rows in self.layers:
            r[rows] = self.A[rows] @ np.r_[y, np.maximum(r, 0)] + self.a[rows]
        return r

    def intervals(self) -> tuple[np.ndarray, np.ndarray]:
        """Return bounds of every neuron's ``u`` in the box, by interval arithmetic."""
        u = np.zeros((2, self.A.shape[1] - len(self.step)))
        for rows in self.layers:
            low, high = np.concatenate([[self.low, self.high], np.maximum(u, 0)], axis=1)
            up, down = np.maximum(self.A[rows], 0), np.minimum(self.A[rows], 0)
            u[:, rows] = self.a[rows] + [up @ low + down @ high, up @ high + down @ low]
        return u[0], u[1]

    def substitute(self, on: np.ndarray, off: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return `A` and `a` after putting in ``r = u`` and ``r = 0`` for these neurons."""
        d, n = len(self.step), len(on)
        A, a, values, offsets = self.A.copy(), self.a.copy(), np.eye(d + n), np.zeros(d + n)
        for rows in [*self.layers, slice(n, None)]:
            A[rows], a[rows] = self.A[rows] @ values, self.a[rows] + self.A[rows] @ offsets
            known = np.flatnonzero((on | off)[rows]) + (rows.start or 0)
            values[d + known] = on[known, None] * A[known]
            offsets[d + known] = on[known] * a[known]
        return A, a


@dataclass
class _Search:
    """The nearest counterfactual so far, and the ways to a nearer one or to a proof."""

    network: PiecewiseLinearNetwork
    x: np.ndarray
    box: np.ndarray
    unit: np.ndarray
    norm: float
    whole: list[int]
    deadline: float

    def __post_init__(self) -> None:
        network, h = self.network, self.x
        self.best, self.distance = np.full(len(h), np.nan), np.inf
        self.neurons = _neurons(network)
        for weight, bias, activation in zip(
            network.weights, network.biases, network.activations, strict=False
        ):
            h = activation(weight @ h + bias)
        last = np.abs(network.weights[-1])
        size = (last @ np.abs(h) + np.abs(network.biases[-1])).max()
        self.margin = MARGIN * (size or last.max() or 1.0)

    def admit(self, X: np.ndarray) -> np.ndarray:
        """Return inputs moved to where counterfactuals may be: in the box, whole numbers whole."""
        X = np.array(X)
        X[..., self.whole] = np.round(X[..., self.whole])
        return np.clip(X, *self.box.T)

    def lengths(self, X: np.ndarray) -> np.ndarray:
        """Return the distance of inputs from x."""
        return np.linalg.norm((X - self.x) / self.unit, self.norm, axis=-1)

    def leads(self, X: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        """Return the smallest wanted lead at inputs."""
        return (self.network.logits(X) @ wanted.T).min(axis=1)

    def frame(self, wanted: np.ndarray) -> _Frame:
        """Return the frame in which the best distance, or else the box's farthest point, is one."""
        d, (A, a, layers) = len(self.x), self.neurons
        n, reach = len(A) - wanted.shape[1], (self.box - self.x[:, None]).T
        radius = self.distance
        if radius == np.inf:
            radius = self.lengths(self.x + np.abs(reach).max(axis=0)) or 1.0
        step = self.unit * radius
        A, a = (np.concatenate([v[:n], wanted @ v[n:]]) for v in (A, a))
        a = a + A[:, :d] @ self.x
        a[n:] -= self.margin
        # The margin is ten times what HiGHS takes for zero.
        A[n:], a[n:] = A[n:] * (1e-5 / self.margin), a[n:] * (1e-5 / self.margin)
        A[:, :d] *= step
        low, high = np.maximum(reach[0] / step, -1), np.minimum(reach[1] / step, 1)
        return _Frame(A, a, layers, step, low, np.maximum(low, high))  # they may meet at the rim

    # A counterfactual

    def find(self, wanted: np.ndarray) -> None:
        """Look along rays, and walk on from the first counterfactual on them."""
        d, (W, b) = len(self.x), (self.network.weights[0], self.network.biases[0])
        coef, _ = self.network.local_linear_models(self.network.activation_pattern(self.x[None]))
        slopes = wanted[:, -self.network.n_outputs :] @ coef[0] * self.unit
        random = np.random.default_rng(0).normal(size=(64, d))
        rays = np.concatenate([np.eye(d), -np.eye(d), slopes, np.sign(slopes), random])
        rays[:, self.box[:, 0] == self.box[:, 1]] = 0
        rays = rays[rays.any(axis=1)] * self.unit
        rays /= self.lengths(self.x + rays)[:, None]
        # The breakpoints of the first layer say how far is far.
        apart, lengths = np.abs(W @ self.x + b), np.linalg.norm(W * self.unit, axis=1)
        apart = apart[lengths > 0] / lengths[lengths > 0]
        far = np.median(apart[apart > 0]) if apart.any() else 1.0
        for t in far * np.geomspace(1e-4, 1e4, 81):
            X = self.admit(self.x + t * rays)
            X = X[self.leads(X, wanted) >= self.margin]
            if len(X):
                self.offer(X[self.lengths(X).argmin()], wanted)
                return self.walk(wanted, X[self.lengths(X).argmin()])

    def offer(self, x: np.ndarray, wanted: np.ndarray) -> bool:
        """Return whether this is a nearer counterfactual, and keep it if so."""
        x = self.admit(x)
        distance = float(self.lengths(x))
        nearer = distance < self.distance * (1 - 1e-9) and self.leads(x[None], wanted)[0] > 0
        if nearer:
            self.best, self.distance = x, distance
        return nearer

    def walk(self, wanted: np.ndarray, x: np.ndarray, on: np.ndarray | None = None) -> None:
        """Go to the nearest counterfactual of x's region, and on to regions that touch it there."""
        frame = self.frame(wanted)
        waiting = [frame.inputs((x - self.x) / frame.step) >= 0 if on is None else on]
        seen = set()
        while waiting and len(seen) < _MOST_STEPS and time.perf_counter() < self.deadline:
            on = waiting.pop(0)
            if on.tobytes() in seen:
                continue
            seen.add(on.tobytes())
            y, touched = self.nearest_in_region(frame, on, x)
            if y is not None and self.offer(self.x + frame.step * y, wanted):
                waiting = [on ^ touched, *(on ^ np.eye(len(on), dtype=bool)[touched])]

    def nearest_in_region(
        self, frame: _Frame, on: np.ndarray, x: np.ndarray
    ) -> tuple[np.ndarray | None, np.ndarray]:
        """Return the nearest `y` where these neurons are on, and which neurons are at zero there.

        Whole numbers stay as at `x`.
        """
        d, n = len(self.x), len(on)
        A, a = frame.substitute(on, ~on)
        signs = np.r_[np.where(on, 1.0, -1.0), np.ones(len(A) - n)]
        A, a, low, high = A[:, :d] * signs[:, None], a * signs, frame.low.copy(), frame.high.copy()
        low[self.whole] = high[self.whole] = ((self.admit(x) - self.x) / frame.step)[self.whole]
        y = _nearest(A, a, low, high, self.norm)
        if y is None:
            return None, on
        size = np.abs(A).sum(axis=1) + np.abs(a)
        return y, (np.abs(A @ y + a) <= 1e-8 * size)[:n]

    # The proof

    def certify(self, wanted: np.ndarray) -> float:
        """Return a lower bound on the distance of all counterfactuals; nearer ones are kept."""
        frame, found, d = self.frame(wanted), self.distance < np.inf, len(self.x)
        radius = frame.step[0] / self.unit[0]
        ball = 1 - GAP / 2 if found else 1.0
        if_none = ball * radius if found else np.inf
        points = np.outer([-1, -1 / 4, -1 / 16, 0, 1 / 16, 1 / 4, 1], np.ones(d))
        if found:
            points = np.concatenate([points, [(self.best - self.x) / frame.step]])
        low, high = frame.intervals()
        half = (time.perf_counter() + self.deadline) / 2
        for rows in 2 * frame.layers:
            model = _Model(self, frame, low, high, points, ball)
            for j in np.flatnonzero(model.free[rows]) + rows.start:
                slack = 1e-6 * max(-low[j], high[j])  # for the tolerance of HiGHS
                for sign, ends in [(1, low), (-1, high)]:
                    if (left := half - time.perf_counter()) <= 0 or not low[j] < 0 < high[j]:
                        break
                    result = model.solve(left, sign * model.A[j])
                    if result.status == 2:
                        return if_none
                    if result.status == 0:
                        end = sign * (result.fun - slack) + model.a[j]
                        ends[j] = max(ends[j], end) if sign == 1 else min(ends[j], end)
        lower, bound = -1.0, 0.0
        while bound > lower:
            lower = bound
            model = _Model(self, frame, low, high, points, ball)
            result = model.solve(max(self.deadline - time.perf_counter(), 1e-3))
            if result.status == 2:
                return if_none
            least = result.mip_dual_bound if model.whole.any() else result.fun
            if least is not None:
                least = max(0.0, least)
                bound = max(lower, radius * (least**0.5 if self.norm == 2 else least))
            if result.x is None:
                break
            x = self.x + frame.step * result.x[:d]
            self.walk(wanted, x, model.pattern(result.x))
            if self.norm != 2 or self.distance - bound <= GAP * self.distance:
                break
            points = np.concatenate([points, (np.array([x, self.best]) - self.x) / frame.step])
        return bound


class _Model:
    """The neurons in a ball as a mixed-integer program.

    Its variables are `y`, the outputs of the neurons that may be on or off, the parts of the norm,
    whether these neurons are on, and the features that are whole.
    """

    def __init__(
        self,
        search: _Search,
        frame: _Frame,
        low: np.ndarray,
        high: np.ndarray,
        points: np.ndarray,
        ball: float,
    ) -> None:
        d, n, k = len(frame.step), len(low), len(search.whole)
        self.on, off = low >= 0, (low < 0) & (high <= 0)
        self.free = free = ~(self.on | off)
        A, self.a = frame.substitute(self.on, off)
        self.A = A[:, np.r_[np.full(d, True), free]]
        U, u, low, high = self.A[:n][free], self.a[:n][free], low[free], high[free]
        norm_y, norm_s, offsets = _norm_rows(search.norm, d, points)
        m, f, ball = norm_s.shape[1], len(u), ball**2 if search.norm == 2 else ball
        one, step, x = np.eye(f), np.diag(frame.step)[search.whole], search.x[search.whole]
        inf = np.inf
        blocks = [  # coefficients, and between what they are
            ([norm_y, None, norm_s, None, None], -inf, offsets),
            ([None, None, np.ones((1, m)), None, None], -inf, [ball]),
            ([-U[:, :d], one - U[:, d:], None, None, None], u, inf),  # r >= u
            ([-U[:, :d], one - U[:, d:], None, -np.diag(low), None], -inf, u - low),  # u, where on
            ([None, one, None, -np.diag(high), None], -inf, np.zeros(f)),  # zero, where off
            ([self.A[n:, :d], self.A[n:, d:], None, None, None], -self.a[n:], inf),
            ([step, None, None, None, -np.eye(k)], -x, -x),
        ]
        ends = [np.broadcast_arrays(low, high) for _, low, high in blocks]
        self.constraints = LinearConstraint(
            block_array([row for row, *_ in blocks], format="csc"), *np.concatenate(ends, axis=1)
        )
        least = np.r_[frame.low, np.zeros(f + m + f), np.floor(x + step @ frame.low)]
        most = np.r_[frame.high, high, np.full(m, ball), np.ones(f), np.ceil(x + step @ frame.high)]
        self.bounds = Bounds(least, most)
        self.objective = np.r_[np.zeros(d + f), np.ones(m), np.zeros(f + k)]
        self.whole = np.r_[np.zeros(d + f + m), np.ones(f + k)]

    def solve(self, seconds: float, row: np.ndarray | None = None) -> OptimizeResult:
        """Minimise the norm, or this row of `A` with binaries that may be fractions."""
        program = {"constraints": self.constraints, "bounds": self.bounds}
        if row is not None:
            c = np.r_[row, np.zeros(len(self.objective) - len(row))]
            return integer_program(c, options={"time_limit": seconds}, **program)
        options = {"time_limit": seconds, "mip_rel_gap": GAP / 10}
        return integer_program(self.objective, integrality=self.whole, options=options, **program)

    def pattern(self, solution: np.ndarray) -> np.ndarray:
        """Return which neurons are on in a solution."""
        on, binaries = self.on.copy(), np.flatnonzero(self.whole)[: self.free.sum()]
        on[self.free] = solution[binaries] > 0.5
        return on


def _norm_rows(
    norm: float, d: int, points: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return ``Y, S, e`` so that ``sum(s) >= norm(y)``, squared for L2, if ``Y y + S s <= e``.

    For L2 they are the tangents at these points, and the sum may be smaller between them.
    """
    slopes, offsets = np.outer([1.0, -1.0], np.ones(d)), np.zeros((2, d))
    if norm == 2:
        slopes, offsets = 2 * points, points**2
    S = -np.ones((d, 1)) if norm == np.inf else -np.eye(d)
    return np.concatenate([*map(np.diag, slopes)]), np.tile(S, (len(slopes), 1)), offsets.ravel()


def _nearest(
    A: np.ndarray, a: np.ndarray, low: np.ndarray, high: np.ndarray, norm: float
) -> np.ndarray | None:
    """Return the smallest `y` with ``A y + a >= 0`` in a box, or None if there is none nearby."""
    d = len(low)
    if norm != 2:
        Y, S, offsets = _norm_rows(norm, d)
        rows = np.block([[-A, np.zeros((len(A), S.shape[1]))], [Y, S]])
        ends = np.concatenate([np.c_[low, high], np.tile([0, np.inf], (S.shape[1], 1))])
        cost = np.r_[np.zeros(d), np.ones(S.shape[1])]
        result = linprog(cost, rows, np.r_[a, offsets], bounds=ends, options=_EXACT)
        return result.x[:d] if result.status == 0 else None
    A, a = np.concatenate([A, np.eye(d), -np.eye(d)]), np.r_[a, -low, high]
    free, y = low < high, low.copy()
    E = np.c_[A[:, free], -a - A[:, ~free] @ low[~free]].T
    lengths = np.linalg.norm(E, axis=0)
    E, f = E / np.where(lengths > 0, lengths, 1.0), np.eye(len(E))[-1]
    try:
        rest = f - E @ nnls(E, f)[0]
    except RuntimeError:  # too many iterations
        return None
    if rest[-1] < 0.1:  # the distance is about 3 or more, or there is no such y
        return None
    y[free] = -rest[:-1] / rest[-1]
    return y
