"""Piecewise linear approximations of smooth activations, and how far a network may be off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import erf, expit

from xai_course._validation import check_choice, check_number, check_whole
from xai_course.activations import MOST_SEGMENTS, PiecewiseLinear

__all__ = [
    "SMOOTH_ACTIVATIONS",
    "Approximation",
    "SmoothActivation",
    "approximate",
    "elu",
    "error_after",
]

# Two errors are a tie when they differ by less than this share. Rounding, and slopes taken
# numerically, move them by 1e-8 at most.
_TIE = 1e-6

# And two lines are parallel when their slopes differ by less than this share of the steepest.
_PARALLEL = 1e-8

# Where a smooth activation is as good as its asymptote.
_FAR = 1e4

_Line = tuple[float, float]  # slope and intercept


@dataclass(frozen=True)
class SmoothActivation:
    """A smooth activation with a straight line to approach on either side.

    Parameters
    ----------
    function : callable
        Takes and returns an array of numbers. What holds it can be pickled only if the function
        can: one with a name can, a lambda cannot.
    left, right : tuple of two floats
        Slope and intercept of the asymptotes at minus and plus infinity.
    derivative : callable, optional
        Takes and returns an array. Taken numerically when it is not given.
    inflections : sequence of float, optional
        Where the function changes between convex and concave, in order. Looked for between -50 and
        50 when not given.
    name : str, optional
        How it is printed.

    Raises
    ------
    TypeError, ValueError
        If the function does not approach the two lines.

    Examples
    --------
    >>> arctan = SmoothActivation(np.arctan, left=(0, -np.pi / 2), right=(0, np.pi / 2))
    >>> approximate(arctan, 3).breakpoints.round(6)
    array([-1.570796,  1.570796])
    """

    function: Callable[[Any], Any]
    left: _Line
    right: _Line
    derivative: Callable[[Any], Any] | None = None
    inflections: Sequence[float] | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        for side, (slope, intercept), sign in (("left", self.left, -1), ("right", self.right, 1)):
            with np.errstate(all="ignore"):
                near, far = (
                    abs(float(self.function(sign * x)) - slope * sign * x - intercept)
                    for x in (30.0, 300.0)
                )
            if not far <= 0.5 * near + 1e-9:
                raise ValueError(
                    f"The function does not approach its {side} asymptote {slope:g} * z + "
                    f"{intercept:g}: it is {far:.3g} away at z = {sign * 300}."
                )
        found = self._find_inflections() if self.inflections is None else self.inflections
        object.__setattr__(self, "inflections", tuple(sorted(map(float, found))))

    def __call__(self, z: ArrayLike) -> np.ndarray:
        """Return the values, in the shape of `z`."""
        return np.asarray(self.function(np.asarray(z, dtype=float)))

    @cached_property
    def lipschitz(self) -> float:
        """The largest slope in size, which is that of an inflection or of an asymptote."""
        return max(map(abs, (self.left[0], self.right[0], *self.slope(self.inflections))))

    def slope(self, z: ArrayLike) -> np.ndarray:
        """Return the derivative, in the shape of `z`."""
        z = np.asarray(z, dtype=float)
        if self.derivative is not None:
            return np.asarray(self.derivative(z))
        h = 1e-5 * (1 + np.abs(z))
        return (self(z + h) - self(z - h)) / (2 * h)

    def tangent(self, x: float) -> _Line:
        """Return slope and intercept of the tangent at `x`; at infinity, of the asymptote."""
        if np.isinf(x):
            return self.left if x < 0 else self.right
        slope = float(self.slope(x))
        return slope, float(self.function(x)) - slope * x

    def steepest(self, low: ArrayLike, high: ArrayLike) -> np.ndarray:
        """Return the largest slope in size on each interval from `low` to `high`."""
        # Between inflections the slope runs one way.
        steepest = np.maximum(np.abs(self.slope(low)), np.abs(self.slope(high)))
        for x in self.inflections:
            inside = (np.asarray(low) < x) & (x < np.asarray(high))
            steepest = np.where(inside, np.maximum(steepest, abs(self.slope(x))), steepest)
        return steepest

    def _find_inflections(self) -> list[float]:
        grid = np.linspace(-50, 50, 20_002)  # without zero, where some have a kink
        bend = np.diff(self.slope(grid))
        bend[np.abs(bend) < 1e-9] = 0.0
        known = np.flatnonzero(bend)
        changes = [(a, b) for a, b in pairwise(known) if bend[a] * bend[b] < 0]

        def curvature(x: float) -> float:
            return float(self.slope(x + 1e-3) - self.slope(x - 1e-3))

        return [brentq(curvature, grid[a], grid[b + 1]) for a, b in changes]


# Functions with names, which pickles need.


def _sigmoid_slope(z: np.ndarray) -> np.ndarray:
    return expit(z) * expit(-z)


def _tanh_slope(z: np.ndarray) -> np.ndarray:
    return 1 - np.tanh(z) ** 2


def _gelu(z: np.ndarray) -> np.ndarray:
    return 0.5 * z * (1 + erf(z / np.sqrt(2)))


def _gelu_slope(z: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + erf(z / np.sqrt(2))) + z * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)


def _silu(z: np.ndarray) -> np.ndarray:
    return z * expit(z)


def _silu_slope(z: np.ndarray) -> np.ndarray:
    return expit(z) * (1 + z * expit(-z))


def _elu(z: np.ndarray, alpha: float) -> np.ndarray:
    return np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0)))


def _elu_slope(z: np.ndarray, alpha: float) -> np.ndarray:
    return np.where(z > 0, 1.0, alpha * np.exp(np.minimum(z, 0)))


def elu(alpha: float = 1.0) -> SmoothActivation:
    """Return ELU: ``z`` from zero on, and ``alpha * (exp(z) - 1)`` below.

    For ``alpha > 1`` it bends the other way at zero, which then counts as an inflection with the
    slope from the left.
    """
    alpha = check_number(alpha, "alpha", above=0)
    function, slope = partial(_elu, alpha=alpha), partial(_elu_slope, alpha=alpha)
    inflections = (0.0,) if alpha > 1 else ()
    return SmoothActivation(function, (0, -alpha), (1, 0), slope, inflections, f"elu({alpha:g})")


_SILU_TURN = 2.3993572805154676
SMOOTH_ACTIVATIONS: dict[str, SmoothActivation] = {
    "sigmoid": SmoothActivation(expit, (0, 0), (0, 1), _sigmoid_slope, (0.0,), "sigmoid"),
    "tanh": SmoothActivation(np.tanh, (0, -1), (0, 1), _tanh_slope, (0.0,), "tanh"),
    "elu": elu(),
    "gelu": SmoothActivation(_gelu, (0, 0), (1, 0), _gelu_slope, (-np.sqrt(2), np.sqrt(2)), "gelu"),
    "silu": SmoothActivation(_silu, (0, 0), (1, 0), _silu_slope, (-_SILU_TURN, _SILU_TURN), "silu"),
    "softplus": SmoothActivation(partial(np.logaddexp, 0), (0, 0), (1, 0), expit, (), "softplus"),
}


class Approximation(PiecewiseLinear):
    """A piecewise linear function that approximates a smooth activation; made by `approximate`.

    Attributes
    ----------
    target : SmoothActivation
        The function that this one approximates.
    max_error : float
        The largest distance from `target` on the whole line.
    """

    def __init__(self, lines: Sequence[_Line], target: SmoothActivation) -> None:
        """Join lines where they meet; two parallel ones at the inflection in the middle."""
        turns = target.inflections
        middle = turns[len(turns) // 2] if turns else 0.0
        meetings = [_meeting(target, *pair) for pair in pairwise(lines)]
        breakpoints = [middle if x is None else x for x in meetings]
        slopes, intercepts = zip(*lines, strict=True)
        name = f"{_name(target)} in {len(lines)} pieces"
        super().__init__(breakpoints, slopes, intercepts, name=name)
        self.target = target
        self.max_error = max(error for _, error in _errors(self))


def approximate(
    activation: str | SmoothActivation, n_segments: int, knots: str = "tangents"
) -> Approximation:
    """Return a piecewise linear approximation of an activation.

    Parameters
    ----------
    activation : str or SmoothActivation
        "sigmoid", "tanh", "elu", "gelu", "silu", "softplus", or any function with its asymptotes.
    n_segments : int
        Number of linear pieces, the two asymptotes among them. 2 is the hard function: the step
        for sigmoid and tanh, ``max(z, -alpha)`` for ELU, ReLU for the others. 3 is the hard sigmoid
        with breakpoints at -2 and 2, or the hard tanh.
    knots : {"tangents", "equioscillating"}
        How the pieces are chosen: by Algorithm 1, or so that the largest error is the least that a
        continuous function with this many pieces can have.

    Returns
    -------
    Approximation
        A `PiecewiseLinear` with `target` and `max_error`, the largest distance from `activation` on
        the whole line.

    Raises
    ------
    TypeError
        If `activation` is a callable without asymptotes, or of another kind.
    ValueError
        If its name is unknown or `n_segments` is too small; also if the approximation is exact with
        fewer pieces, or equioscillating knots are asked for where the slope jumps.

    Notes
    -----
    Dong et al. (2021), Algorithm 1. Its text leaves three things open. The error is taken in size,
    whatever its sign; on ties, within rounding, the smaller `z` comes first. A tangent stays above
    or below the function only where that bends one way, so each line is used between the places
    where it meets its neighbours, and the inflections are tried too; a tangent that would make the
    function jump, or the largest error grow, is passed over for the next largest error. And
    ``n_segments`` counts pieces, so that each step adds one.

    The equioscillating pieces touch ``activation + error`` where it is convex and
    ``activation - error`` where it is concave, meet at the opposite bound, and cross from one to
    the other at the inflections; the outer pieces are parallel to the asymptotes.

    Explained in the chapter *piecewise-linear-networks*.

    Examples
    --------
    >>> approximate("sigmoid", 3).breakpoints
    array([-2.,  2.])
    """
    target = _smooth(activation)
    check_choice(knots, "knots", ("tangents", "equioscillating"))
    least = 2 if knots == "tangents" else 2 + len(target.inflections)
    name = f"n_segments for {_name(target)} with {knots} knots"
    n_segments = check_whole(n_segments, name, least, MOST_SEGMENTS)
    if knots == "tangents":
        return _greedy_tangents(target, n_segments)
    return Approximation(_equioscillating(target, n_segments), target)


def _smooth(activation: object) -> SmoothActivation:
    if isinstance(activation, SmoothActivation):
        return activation
    if isinstance(activation, str):
        if activation not in SMOOTH_ACTIVATIONS:
            raise ValueError(
                f"activation must be one of {', '.join(SMOOTH_ACTIVATIONS)} or a "
                f"SmoothActivation, got {activation!r}."
            )
        return SMOOTH_ACTIVATIONS[activation]
    kind = "a callable without asymptotes" if callable(activation) else type(activation).__name__
    raise TypeError(
        f"activation must be a name or SmoothActivation(function, left, right), which says what "
        f"lines it approaches on either side; got {kind}."
    )


def _greedy_tangents(target: SmoothActivation, n_segments: int) -> Approximation:
    """Return the function of Algorithm 1."""
    points = [-np.inf, np.inf]  # where each line touches the target
    found = Approximation([target.tangent(x) for x in points], target)
    while found.n_segments < n_segments:
        errors = [(x, error) for x, error in _errors(found) if x not in points]
        if max(error for _, error in errors) < 1e-13:
            raise ValueError(f"{_name(target)} is exact with {found.n_segments} pieces.")
        options = (_with_tangent(target, points, x) for x in _worst_first(errors))
        valid = (option for option in options if option is not None)
        limit = found.max_error * (1 + _TIE)
        points, found = next(option for option in valid if option[1].max_error <= limit)
    return found


def _worst_first(errors: list[tuple[float, float]]) -> list[float]:
    """Return the places by falling error, the smaller first where errors tie."""
    ordered: list[float] = []
    left = dict(errors)
    while left:
        largest = max(left.values())
        tied = sorted(x for x, error in left.items() if error >= largest * (1 - _TIE))
        ordered += tied
        left = {x: error for x, error in left.items() if x not in tied}
    return ordered


def _with_tangent(
    target: SmoothActivation, points: list[float], x: float
) -> tuple[list[float], Approximation] | None:
    """Return the function with one more tangent; None where it would jump."""
    points = sorted([*points, x])
    lines = [target.tangent(x) for x in points]
    meetings = [_meeting(target, *pair) for pair in pairwise(lines)]
    if None in meetings or any(b <= a for a, b in pairwise(meetings)):
        return None
    return points, Approximation(lines, target)


def _meeting(target: SmoothActivation, first: _Line, second: _Line) -> float | None:
    """Return where two lines meet; None for ones that are parallel, up to rounding."""
    if abs(first[0] - second[0]) <= _PARALLEL * target.lipschitz:
        return None
    return (first[1] - second[1]) / (second[0] - first[0])


def _name(target: SmoothActivation) -> str:
    return target.name or "This activation"


def _errors(found: Approximation) -> list[tuple[float, float]]:
    """Return all places where the error may be largest in size, and the error there.

    On a piece, and between inflections, the slope of the target runs one way. So its error is
    largest at an end or where the two slopes agree.
    """
    target = found.target
    ends = [-np.inf, *found.breakpoints, np.inf]
    errors = []
    for s, (low, high) in enumerate(pairwise(ends)):
        slope, intercept = found.slopes[s], found.intercepts[s]

        def error(x: float, slope: float = slope, intercept: float = intercept) -> float:
            if np.isinf(x):
                line = target.tangent(x)
                return abs(line[1] - intercept) if np.isclose(line[0], slope) else np.inf
            return abs(float(target(x)) - slope * x - intercept)

        inside = [x for x in target.inflections if low < x < high]
        errors += [(x, error(x)) for x in (low, *inside, high)]
        for a, b in pairwise([low, *inside, high]):
            x = _where_slope(target, slope, a, b)
            if x is not None:
                errors.append((x, error(x)))
    return errors


def _where_slope(target: SmoothActivation, slope: float, low: float, high: float) -> float | None:
    """Return where the target has a slope, between two places where its slope runs one way."""
    if np.isinf(low) or np.isinf(high):
        return None  # an outer piece has the slope that the target only approaches
    a, b = target.slope([low, high]) - slope
    if a * b >= 0:
        return None
    return brentq(lambda x: target.slope(x) - slope, low, high, xtol=1e-14)


# The least largest error. A line within `delta` of a convex part is a tangent moved up by `delta`,
# so that there the pieces are tangents whose neighbours meet `2 * delta` below the function.


def _equioscillating(target: SmoothActivation, n_segments: int) -> list[_Line]:
    """Return the lines whose largest error is least, by bisection on that error."""
    low, high = 0.0, approximate(target, n_segments).max_error
    best = None
    while high - low > 1e-13:
        delta = high if best is None else (low + high) / 2
        crossings = _crossings(target, delta)
        lines = None if crossings is None else _within(target, delta, crossings, n_segments)
        if crossings is None:
            high = 0.9 * delta  # no line crosses a tunnel this wide
        elif lines is not None:
            high, best = delta, lines
        else:
            low = delta
            if best is None:
                break
    if best is None:
        raise ValueError(
            f"{_name(target)} has no equioscillating approximation with "
            f"{n_segments} pieces; take more."
        )
    return best


def _crossings(target: SmoothActivation, delta: float) -> list[tuple[float, float]] | None:
    """Return where the lines through the inflections touch; None where there are no such lines."""
    edges = [-np.inf, *target.inflections, np.inf]
    gaps = [2 * bend * delta for bend in _bends(target)[:-1]]
    found = [_crossing(target, edges[i : i + 3], gap) for i, gap in enumerate(gaps)]
    return None if None in found else found


def _bends(target: SmoothActivation) -> list[int]:
    """Return 1 for each part between inflections that is convex and -1 for each concave one."""
    slopes = [target.tangent(x)[0] for x in (-np.inf, *target.inflections, np.inf)]
    return [1 if b > a else -1 for a, b in pairwise(slopes)]


def _within(
    target: SmoothActivation, delta: float, crossings: list[tuple[float, float]], most: int
) -> list[_Line] | None:
    """Return the fewest lines that stay within `delta` of the target; None for more than `most`."""
    starts = [-np.inf, *(after for _, after in crossings)]
    stops = [*(before for before, _ in crossings), np.inf]
    bends = _bends(target)
    lines: list[_Line] = []
    for start, stop, bend in zip(starts, stops, bends, strict=True):
        if start >= stop:
            return None
        between = _tangents_between(target, start, stop, 2 * bend * delta, most - len(lines))
        if between is None:
            return None
        lines += [_moved(target.tangent(t), bend * delta) for t in (start, *between)]
    lines.append(_moved(target.right, bends[-1] * delta))
    return lines if len(lines) <= most else None


def _moved(line: _Line, shift: float) -> _Line:
    return line[0], line[1] + shift


def _tangents_between(
    target: SmoothActivation, start: float, stop: float, gap: float, most: int
) -> list[float] | None:
    """Return the fewest tangents between two so that neighbours meet at most `gap` away."""
    points: list[float] = []
    last = target.tangent(stop)
    while True:
        line = target.tangent(points[-1] if points else start)

        def excess(x: float, line: _Line = line) -> float:
            return (float(target(x)) - line[0] * x - line[1]) / gap - 1

        if line == last:
            raise ValueError(
                f"The slope of {_name(target)} jumps, and so it has no equioscillating "
                "approximation; take knots='tangents'."
            )
        meet = (line[1] - last[1]) / (last[0] - line[0])
        if excess(meet) <= 1e-12:
            return points
        if len(points) >= most:
            return None
        knot = brentq(excess, max(points[-1] if points else start, -_FAR), meet, xtol=1e-14)
        height = float(target(knot)) - gap

        def miss(t: float, knot: float = knot, height: float = height) -> float:
            slope, intercept = target.tangent(t)
            return slope * knot + intercept - height

        points.append(brentq(miss, knot, min(stop, _FAR), xtol=1e-14))


def _crossing(
    target: SmoothActivation, edges: Sequence[float], gap: float
) -> tuple[float, float] | None:
    """Return two places of one slope, before and after an inflection, with tangents `gap` apart."""
    low, inflection, high = np.clip(edges, -_FAR, _FAR)
    steepest = target.tangent(inflection)[0]
    ends = [target.tangent(x)[0] for x in (low, high)]
    flattest = min(ends, key=lambda slope: abs(slope - steepest))

    def places(slope: float) -> list[float]:
        return [
            brentq(lambda x: target.tangent(x)[0] - slope, a, b, xtol=1e-14)
            for a, b in ((low, inflection), (inflection, high))
        ]

    def miss(slope: float) -> float:
        (_, before), (_, after) = (target.tangent(x) for x in places(slope))
        return (after - before) / gap - 1

    # Not quite at the ends, where the slope is that of one place only.
    a, b = (flattest + share * (steepest - flattest) for share in (1e-9, 1 - 1e-9))
    if miss(a) * miss(b) > 0:
        return None
    before, after = places(brentq(miss, a, b, xtol=1e-15))
    return before, after


# The certified bound


def error_after(activation: PiecewiseLinear, z: np.ndarray | None, reach: np.ndarray) -> np.ndarray:
    """Return how far outputs may be off whose inputs `z` (None: any) are off by `reach`.

    Raises
    ------
    ValueError
        If the activation is neither an approximation nor continuous.
    """
    if not isinstance(activation, Approximation):
        if not activation.is_continuous:
            raise ValueError(
                f"{activation!r} jumps and approximates nothing, so there is no bound."
            )
        return np.abs(activation.slopes).max() * reach
    target = activation.target
    if z is None:
        return target.lipschitz * reach + activation.max_error
    return target.steepest(z - reach, z + reach) * reach + np.abs(target(z) - activation(z))
