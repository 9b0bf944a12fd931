"""The nearest input that a piecewise linear classifier decides otherwise, with a certificate."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import Bounds, LinearConstraint, OptimizeResult, linprog, milp, nnls

from xai_course._validation import check_array, check_bounds, check_number, check_whole
from xai_course.networks import PiecewiseLinearNetwork

__all__ = ["Counterfactual", "nearest_counterfactual"]

# The wanted class leads by at least this share of the size of the logits at x, so that the set of
# counterfactuals is closed and rounding cannot take the lead away.
_MARGIN = 1e-6
# A distance is certified when the lower bound is nearer to it than this share. Only what is nearer
# than a tenth of the share is searched for. HiGHS counts 1e-6 as whole, and as zero.
_GAP = 1e-5
_EXACT = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
_MOST_STEPS = 200  # regions that the search for a first counterfactual looks at


@dataclass(frozen=True, eq=False)
class Counterfactual:
    """What `nearest_counterfactual` found, and how near the nearest may be at most.

    Attributes
    ----------
    x : ndarray of float64, shape (n_features,)
        The counterfactual; NaN if none was found.
    distance : float
        Its distance; infinite if none was found.
    lower_bound : float
        No counterfactual is nearer. Infinite if it is proved that there is none.
    certified : bool
        Whether the two distances are equal, to 1e-5 of the distance.
    seconds : float
        What the search took, on the clock.
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
    """Return the nearest input that a classifier decides otherwise."""
    start = time.perf_counter()
    d, n_classes = network.n_features, max(2, network.n_outputs)
    row = check_array(x, "x", 1)
    network.check_inputs(row[None])
    if norm not in (1, 2, np.inf):
        raise ValueError(f"norm must be 1, 2 or np.inf, got {norm!r}.")
    if target is not None:
        target = check_whole(target, "target", 0, n_classes - 1)
    fixed, whole = ([check_whole(i, "index", 0, d - 1) for i in ii] for ii in (immutable, integer))
    box = np.tile([-np.inf, np.inf], (d, 1)) if bounds is None else check_bounds(bounds, d).copy()
    box[fixed] = row[fixed, None]
    unit = np.ones(d) if scale is None else check_array(scale, "scale", 1)
    if unit.shape != (d,) or (unit <= 0).any():
        raise ValueError(f"scale must hold {d} positive numbers, got {scale!r}.")
    deadline = start + check_number(time_limit, "time_limit", above=0)

    decided = int(network.decide(row[None])[0])
    inside = ((box[:, 0] <= row) & (row <= box[:, 1])).all() and (row[whole] % 1 == 0).all()
    if target == decided and inside:
        return Counterfactual(row, 0.0, 0.0, True, time.perf_counter() - start)
    if target is None:  # to lead over the class decided is to have another one decided
        others = [k for k in range(n_classes) if k != decided]
        wanted = [np.eye(n_classes)[[k]] - np.eye(n_classes)[decided] for k in others]
    else:
        wanted = [np.eye(n_classes)[target] - np.delete(np.eye(n_classes), target, axis=0)]
    search = _Search(network, row, box, unit, norm, whole, deadline)
    for leads in wanted:
        search.find(leads)
    if search.best is None and bounds is None:
        raise ValueError(
            "No counterfactual was found, and without bounds nothing limits the search; give bounds."
        )
    lower = min(search.certify(leads) for leads in wanted)
    best = np.full(d, np.nan) if search.best is None else search.best
    distance, lower = search.distance, min(lower, search.distance)
    certified = lower == distance or distance - lower <= _GAP * distance
    return Counterfactual(best, distance, lower, certified, time.perf_counter() - start)


class _Units(NamedTuple):
    """A network as neurons ``r = max(u, 0)``, where ``u`` and the logits are affine in ``(x, r)``.

    A continuous piecewise linear activation is its first segment's line, plus such a neuron at each
    breakpoint, times the change of slope.
    """

    A: np.ndarray  # (n_units, n_features + n_units), then the rows of the logits
    a: np.ndarray
    layers: list[slice]

    @classmethod
    def of(cls, network: PiecewiseLinearNetwork) -> _Units:
        d = network.n_features
        if not all(activation.is_continuous for activation in network.activations):
            raise ValueError(f"The activations must be continuous, got {network!r}.")
        sizes = zip(network.hidden_sizes, network.activations, strict=True)
        n = sum(size * (activation.n_segments - 1) for size, activation in sizes)
        rows, offsets, layers, k = [], [], [], 0
        out, off = np.eye(d, d + n), np.zeros(d)
        for weight, bias, activation in zip(
            network.weights, network.biases, network.activations, strict=False
        ):
            z, b = weight @ out, weight @ off + bias
            out, off = activation.slopes[0] * z, activation.slopes[0] * b + activation.intercepts[0]
            first = k
            for point, change in zip(
                activation.breakpoints, np.diff(activation.slopes), strict=True
            ):
                rows.append(z)
                offsets.append(b - point)
                out += change * np.eye(len(b), d + n, d + k)
                k += len(b)
            layers.append(slice(first, k))
        rows.append(network.weights[-1] @ out)
        offsets.append(network.weights[-1] @ off + network.biases[-1])
        if network.n_outputs == 1:
            rows.insert(-1, np.zeros((1, d + n)))
            offsets.insert(-1, np.zeros(1))
        return cls(np.concatenate(rows), np.concatenate(offsets), layers)


class _Frame(NamedTuple):
    """The neurons and leads around x: ``x + step * y``, where the search needs ``|y| <= 1`` only.

    Attributes
    ----------
    A, a : ndarray, shape (n_units + n_leads, n_features + n_units), and (n_units + n_leads,)
        The inputs of the neurons, then the leads of the wanted class, are ``A @ (y, r) + a``.
    layers : list of slice
    step, low, high : ndarray, shape (n_features,)
        The box of `y`.
    """

    A: np.ndarray
    a: np.ndarray
    layers: list[slice]
    step: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def substitute(self, on: np.ndarray, off: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return `A` and `a` with ``r = u`` and ``r = 0`` put in for these neurons."""
        (n, d), A, a = (len(on), len(self.step)), self.A.copy(), self.a.copy()
        values, offsets = np.eye(d + n), np.zeros(d + n)
        for rows in [*self.layers, slice(n, None)]:
            A[rows], a[rows] = self.A[rows] @ values, self.a[rows] + self.A[rows] @ offsets
            for j in range(*rows.indices(n)):
                if on[j] or off[j]:
                    values[d + j], offsets[d + j] = on[j] * A[j], on[j] * a[j]
        return A, a

    def intervals(self) -> tuple[np.ndarray, np.ndarray]:
        """Return bounds of the neurons' inputs in the box, by interval arithmetic."""
        d, n = len(self.step), self.A.shape[1] - len(self.step)
        low, high = np.r_[self.low, np.zeros(n)], np.r_[self.high, np.zeros(n)]
        u = np.zeros((2, n))
        for rows in self.layers:
            up, down = np.maximum(self.A[rows], 0), np.minimum(self.A[rows], 0)
            u[:, rows] = up @ low + down @ high + self.a[rows], up @ high + down @ low + self.a[rows]
            low[d:], high[d:] = np.maximum(u, 0)
        return u[0], u[1]


class _Search:
    """The nearest counterfactual found so far, and what is needed to find nearer ones."""

    def __init__(self, network, x, box, unit, norm, whole, deadline) -> None:
        self.network, self.x, self.box, self.unit = network, x, box, unit
        self.norm, self.whole, self.deadline = norm, whole, deadline
        self.units = _Units.of(network)
        self.best, self.distance = None, np.inf
        values = self.values(self.units.A, self.units.a, self.units.layers, x)
        A, a = self.units.A[-network.n_outputs:], self.units.a[-network.n_outputs:]
        size = (np.abs(A) @ np.abs(np.r_[x, np.maximum(values,0)]) + np.abs(a)).max()
        self.margin = _MARGIN * (size or np.abs(A).max() or 1.0)

    @staticmethod
    def values(A, a, layers, y):
        d, n = len(y), A.shape[1] - len(y)
        u = np.zeros(n)
        for rows in layers:
            u[rows] = A[rows] @ np.r_[y, np.maximum(u, 0)] + a[rows]
        return u

    def lengths(self, D: np.ndarray) -> np.ndarray:
        return np.linalg.norm(D, self.norm, axis=-1)

    def leads(self, X, wanted):
        return (self.network.logits(X) @ wanted.T).min(axis=1)

    def inside(self, X):
        X = np.clip(X, *self.box.T)
        X[..., self.whole] = np.round(X[..., self.whole])
        return X

    def frame(self, wanted) -> _Frame:
        radius = self.distance
        if not np.isfinite(radius):
            radius = self.lengths(np.abs(self.box - self.x[:, None]).max(axis=1) / self.unit)
        step, d = self.unit * radius, len(self.x)
        n = len(self.units.A) - wanted.shape[1]
        A = np.concatenate([self.units.A[:n], wanted @ self.units.A[n:]])
        a = np.r_[self.units.a[:n], wanted @ self.units.a[n:] - self.margin]
        low, high = (self.box - self.x[:, None]).T / step
        return _Frame(
            np.concatenate([A[:, :d] * step, A[:, d:]], axis=1), a + A[:, :d] @ self.x,
            self.units.layers, step, np.maximum(low, -1), np.minimum(high, 1),
        )

    # A first counterfactual

    def find(self, wanted) -> None:
        """Look along rays, then walk from region to region."""
        d = len(self.x)
        coef, _ = self.network.local_linear_models(self.network.activation_pattern(self.x[None]))
        coef = coef[0] if len(coef[0]) > 1 else np.concatenate([0 * coef[0], coef[0]])
        slopes = wanted @ coef * self.unit
        D = np.concatenate([np.eye(d), -np.eye(d), slopes, np.sign(slopes),
                            np.random.default_rng(0).normal(size=(64, d))])
        D = D * (self.box[:, 0] < self.box[:, 1])
        D = D[D.any(axis=1)]
        D /= self.lengths(D)[:, None]
        planes = self.units.A[self.units.layers[0]] if self.units.layers else self.units.A
        offs = self.units.a[self.units.layers[0]] if self.units.layers else self.units.a
        near = np.abs(planes[:, :d] @ self.x + offs)
        lengths = np.linalg.norm(planes[:, :d] * self.unit, axis=1)
        ok = (near > 0) & (lengths > 0)
        base = np.median(near[ok] / lengths[ok]) if ok.any() else 1.0
        for t in base * np.geomspace(1e-4, 1e4, 81):
            X = self.inside(self.x + t * self.unit * D)
            reached = self.leads(X, wanted) >= self.margin
            if reached.any():
                X = X[reached]
                i = self.lengths((X - self.x) / self.unit).argmin()
                self.offer(X[i], wanted)
                u = self.values(self.units.A, self.units.a, self.units.layers, X[i])
                self.walk(wanted, u >= 0, X[i])
                return

    def offer(self, x, wanted) -> bool:
        x = self.inside(x)
        distance = self.lengths((x - self.x) / self.unit)
        if not distance < self.distance * (1 - 1e-9) or not self.leads(x[None], wanted)[0] > 0:
            return False
        self.best, self.distance = x, float(distance)
        return True

    def walk(self, wanted, on, x) -> None:
        frame, seen, waiting = self.frame(wanted), set(), [on]
        while waiting and len(seen) < _MOST_STEPS and time.perf_counter() < self.deadline:
            on = waiting.pop(0)
            if on.tobytes() in seen:
                continue
            seen.add(on.tobytes())
            y, tight = self.nearest_in(frame, on, x)
            if y is not None and self.offer(self.x + frame.step * y, wanted):
                waiting = [on ^ tight, *(on ^ np.eye(len(on), dtype=bool)[tight])]

    def nearest_in(self, frame, on, x):
        """Return the nearest counterfactual in the region where these neurons are on."""
        d, n = len(self.x), len(on)
        A, a = frame.substitute(on, ~on)
        signs = np.r_[np.where(on, 1.0, -1.0), np.ones(len(A) - n)]
        A, a = A[:, :d] * signs[:, None], a * signs  # A y + a >= 0
        low, high = frame.low.copy(), frame.high.copy()
        low[self.whole] = high[self.whole] = ((np.round(x) - self.x) / frame.step)[self.whole]
        y = _least(A, a, low, high) if self.norm == 2 else _program(A, a, low, high, self.norm)
        if y is None:
            return None, None
        near = np.abs(A @ y + a) <= 1e-8 * (np.abs(A).sum(axis=1) + np.abs(a))
        return y, near[:n]

    # The certificate

    def certify(self, wanted) -> float:
        frame = self.frame(wanted)
        radius = self.lengths(frame.step[:1] / self.unit[:1])
        found = np.isfinite(self.distance)
        low, high = frame.intervals()
        points = np.array([[0.0], [1 / 16], [1 / 4], [1.0]]) * np.ones(len(self.x))
        points = np.concatenate([points, -points[1:]])
        if self.best is not None:
            points = np.concatenate([points, [(self.best - self.x) / frame.step]])
        ball = 1 - _GAP / 10 if found else 1 + 1e-9
        lower = 0.0
        # tighten
        for rows in 2 * frame.layers:
            model = _Model.of(self, frame, low, high, points, ball)
            for j in range(rows.start, rows.stop):
                if low[j] < 0 < high[j]:
                    if time.perf_counter() > self.deadline: break
                    slack = 1e-6 * max(-low[j], high[j])
                    for sign in (1, -1):
                        r = model.solve(sign * model.U[j])
                        if r.status == 2:
                            return ball * radius if found else np.inf
                        if r.status == 0 and sign == 1:
                            low[j] = max(low[j], r.fun + model.u[j] - slack)
                        elif r.status == 0:
                            high[j] = min(high[j], -r.fun + model.u[j] + slack)
        while True:
            model = _Model.of(self, frame, low, high, points, ball)
            left = self.deadline - time.perf_counter()
            if left <= 0: return lower
            r = model.solve(None, left)
            if r.status == 2:
                return ball * radius if found else np.inf
            bound = r.mip_dual_bound if model.whole.any() else r.fun
            if bound is not None:
                lower = max(lower, radius * (np.sqrt(max(bound,0)) if self.norm == 2 else bound))
            if r.x is None: return lower
            d=len(self.x); n=len(low)
            y = r.x[:d]
            on = np.where((low < 0) & (high > 0), r.x[-(n+len(self.whole)):][:n] > .5, low >= 0)
            self.walk(wanted, on, self.x + frame.step * y)
            if self.norm != 2 or self.distance - lower <= _GAP * self.distance: return lower
            points = np.concatenate([points, [y, (self.best - self.x) / frame.step]])


class _Model(NamedTuple):
    c: np.ndarray
    A: np.ndarray
    lb: np.ndarray
    ub: np.ndarray
    low: np.ndarray
    high: np.ndarray
    whole: np.ndarray
    U: np.ndarray
    u: np.ndarray

    @classmethod
    def of(cls, search, frame, low, high, points, ball):
        d, n, k = len(frame.step), len(low), len(search.whole)
        on, off = low >= 0, (high <= 0) & (low < 0)
        free = ~on & ~off
        U, u = frame.substitute(on, off)
        y_rows, s_rows, offsets = _norm_rows(search.norm, d, points)
        m = s_rows.shape[1]
        I, l, h = np.eye(n)[free], np.diag(low)[free], np.diag(high)[free]
        def block(y=0, r=0, s=0, b=0, w=0):
            rows = max(len(v) for v in (y, r, s, b, w) if not np.isscalar(v))
            return np.concatenate([np.zeros((rows, c)) if np.isscalar(v) else v for v, c in ((y,d),(r,n),(s,m),(b,n),(w,k))], axis=1)
        pad = lambda V: np.concatenate([V, np.zeros((len(V), m + n + k))], axis=1)
        V = pad(U)
        parts = [
            (block(y=y_rows, s=s_rows), -np.inf, offsets),
            (block(s=np.ones((1, m))), -np.inf, [ball ** 2 if search.norm == 2 else ball]),
            (block(r=I) - V[:n][free], u[:n][free], np.inf),
            (block(r=I, b=-l) - V[:n][free], -np.inf, u[:n][free] - low[free]),
            (block(r=I, b=-h), -np.inf, np.zeros(free.sum())),
            (V[n:], -u[n:], np.inf),
            (block(y=np.diag(frame.step)[search.whole], w=-np.eye(k)), -search.x[search.whole], -search.x[search.whole]),
        ]
        parts = [(R, np.broadcast_to(lo, len(R)), np.broadcast_to(hi, len(R))) for R, lo, hi in parts if len(R)]
        A, lb, ub = (np.concatenate(p) for p in zip(*parts))
        c = np.r_[np.zeros(d + n), np.ones(m), np.zeros(n + k)]
        vlow = np.r_[frame.low, np.zeros(n), np.zeros(m), np.zeros(n), np.full(k, -np.inf)]
        vhigh = np.r_[frame.high, np.where(free, np.maximum(high, 0), 0), np.full(m, ball), 1.0 * free, np.full(k, np.inf)]
        whole = np.r_[np.zeros(d + n + m), 1 * free, np.ones(k)]
        return cls(c, A, lb, ub, vlow, vhigh, whole, V, u)

    def solve(self, c=None, time_limit=None):
        options = {} if time_limit is None else {"time_limit": time_limit, "mip_rel_gap": 1e-6}
        return milp(
            self.c if c is None else c,
            constraints=LinearConstraint(self.A, self.lb, self.ub),
            bounds=Bounds(self.low, self.high),
            integrality=self.whole if c is None else None,
            options=options,
        )


def _norm_rows(norm, d, points):
    """Rows ``Y y + S s <= offsets``."""
    slopes, offsets = (2 * points, points**2) if norm == 2 else (np.array([[1.0]*d, [-1.0]*d]), np.zeros((2, d)))
    Y = np.concatenate([np.diag(s) for s in slopes])
    S = -np.tile(np.ones((d, 1)) if norm == np.inf else np.eye(d), (len(slopes), 1))
    return Y, S, offsets.ravel()


def _program(A, a, low, high, norm):
    d = len(low)
    Y, S, offsets = _norm_rows(norm, d, None)
    m = S.shape[1]
    r = linprog(
        np.r_[np.zeros(d), np.ones(m)],
        np.block([[-A, np.zeros((len(A), m))], [Y, S]]), np.r_[a, offsets],
        bounds=np.r_[np.c_[low, high], np.tile([0, np.inf], (m, 1))], method="highs", options=_EXACT,
    )
    return r.x[:d] if r.status == 0 else None


def _least(A, a, low, high):
    d = len(low)
    free = low < high
    A = np.concatenate([A, np.eye(d), -np.eye(d)]); a = np.r_[a, -low, high]
    a = a + A[:, ~free] @ low[~free]
    E = np.c_[A[:, free], -a].T
    lengths = np.linalg.norm(E, axis=0)
    E = E / np.where(lengths > 0, lengths, 1)
    try:
        weights, _ = nnls(E, np.eye(len(E))[-1])
    except RuntimeError:
        return None
    rest = E @ weights - np.eye(len(E))[-1]
    if -rest[-1] < 0.1: 
        return None
    y = low.copy(); y[free] = rest[:-1] / -rest[-1]
    return np.clip(y, low, high)
