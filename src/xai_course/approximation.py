"""Piecewise linear approximations of smooth activations, and how far a network may be off.

Explained in the chapters *piecewise-linear-networks* and *certified-approximation*.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import erf, expit

from xai_course._validation import check_choice, check_number, check_whole
from xai_course.activations import MOST_SEGMENTS, PiecewiseLinear

__all__ = ["SMOOTH_ACTIVATIONS", "Approximation", "SmoothActivation", "approximate", "elu"]

# Two errors are a tie when they differ by less than this share; rounding moves them by far less.
_TIE = 1e-6

# And two lines are parallel when their slopes differ by less than this share of the steepest.
_PARALLEL = 1e-8

# Where a smooth activation is taken for its asymptote.
_FAR = 1e4

_Line = tuple[float, float]  # slope and intercept


@dataclass(frozen=True)
class SmoothActivation:
    """A smooth activation with a straight line to approach on either side.

    All that is said of its approximations rests on what is stated here.

    Parameters
    ----------
    function : callable
        Takes and returns an array of numbers. What holds it can be pickled only if the function
        can: one with a name can, a lambda cannot.
    left, right : tuple of two floats
        Slope and intercept of the asymptotes at minus and plus infinity.
    derivative : callable
        Takes and returns an array.
    inflections : tuple of float
        Where the function changes between convex and concave, in order; () for nowhere.
    name : str
        How it is printed.

    Raises
    ------
    TypeError, ValueError
        If the function does not approach the two lines.

    Examples
    --------
    >>> arctan = SmoothActivation(
    ...     np.arctan, (0, -np.pi / 2), (0, np.pi / 2), lambda z: 1 / (1 + z**2), inflections=(0.0,)
    ... )
    >>> approximate(arctan, 3).breakpoints.round(6)
    array([-1.570796,  1.570796])
    """

    function: Callable[[Any], Any]
    left: _Line
    right: _Line
    derivative: Callable[[Any], Any]
    inflections: tuple[float, ...]
    name: str = "this activation"

    def __post_init__(self) -> None:
        for side, line, sign in (("left", self.left, -1), ("right", self.right, 1)):
            with np.errstate(all="ignore"):
                near, far = (abs(self.above(line, sign * x)) for x in (30.0, 300.0))
            if not far <= 0.5 * near + 1e-9:
                raise ValueError(
                    f"The function does not approach its {side} asymptote {line[0]:g} * z + "
                    f"{line[1]:g}: it is {far:.3g} away at z = {sign * 300}."
                )

    def __call__(self, z: ArrayLike) -> np.ndarray:
        """Return the values, in the shape of `z`."""
        return np.asarray(self.function(np.asarray(z, dtype=float)))

    @cached_property
    def lipschitz(self) -> float:
        """The largest slope in size, which is that of an inflection or of an asymptote."""
        return max(map(abs, (self.left[0], self.right[0], *self.slope(self.inflections))))

    def slope(self, z: ArrayLike) -> np.ndarray:
        """Return the derivative, in the shape of `z`."""
        return np.asarray(self.derivative(np.asarray(z, dtype=float)))

    def tangent(self, x: float) -> _Line:
        """Return slope and intercept of the tangent at `x`; at infinity, of the asymptote."""
        if np.isinf(x):
            return self.left if x < 0 else self.right
        slope = float(self.slope(x))
        return slope, float(self.function(x)) - slope * x

    def above(self, line: _Line, x: float) -> float:
        """Return how far it is above a line at `x`; at infinity, above a parallel one."""
        if np.isinf(x):
            return self.tangent(x)[1] - line[1]
        return float(self.function(x)) - line[0] * x - line[1]

    def steepest(self, low: ArrayLike, high: ArrayLike) -> np.ndarray:
        """Return the largest slope in size on each interval from `low` to `high`."""
        # Between inflections the slope runs one way.
        turns = (np.clip(x, low, high) for x in self.inflections)
        return np.abs(self.slope([low, *turns, high])).max(axis=0)


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
#: The smooth activations that `approximate` knows by name.
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
        turns = target.inflections or (0.0,)
        breakpoints = _meetings(target, lines)
        breakpoints[np.isnan(breakpoints)] = turns[len(turns) // 2]
        slopes, intercepts = np.transpose(lines)
        name = f"{target.name} in {len(lines)} pieces"
        super().__init__(breakpoints, slopes, intercepts, name=name)
        self.target = target
        self.max_error = max(error for _, error in _errors(self))

    def error_after(self, z: np.ndarray | None, reach: np.ndarray) -> np.ndarray:
        """Return how far outputs are from the target's; see `PiecewiseLinear.error_after`."""
        if z is None:
            return self.target.lipschitz * reach + self.max_error
        steepest = self.target.steepest(z - reach, z + reach)
        return steepest * reach + np.abs(self.target(z) - self(z))


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
    tangents = _greedy_tangents
    if isinstance(activation, str):
        check_choice(activation, "activation", SMOOTH_ACTIVATIONS)
        activation, tangents = SMOOTH_ACTIVATIONS[activation], _known_tangents
    if not isinstance(activation, SmoothActivation):
        raise TypeError(
            "activation must be a name or a SmoothActivation, which says what lines a function "
            f"approaches on either side; got {type(activation).__name__}."
        )
    check_choice(knots, "knots", ("tangents", "equioscillating"))
    least = 2 if knots == "tangents" else 2 + len(activation.inflections)
    name = f"n_segments for {activation.name} with {knots} knots"
    n_segments = check_whole(n_segments, name, least, MOST_SEGMENTS)
    found = tangents(activation, n_segments)
    if knots == "tangents":
        return found
    return Approximation(_equioscillating(activation, n_segments, found.max_error), activation)


def _greedy_tangents(target: SmoothActivation, n_segments: int) -> Approximation:
    """Return the function of Algorithm 1."""
    points = [-np.inf, np.inf]  # where each line touches the target
    found = Approximation([target.tangent(x) for x in points], target)
    while found.n_segments < n_segments:
        errors = {x: error for x, error in _errors(found) if x not in points}
        limit = found.max_error * (1 + _TIE)
        for x in _worst_first(errors):
            more = sorted([*points, x])
            lines = [target.tangent(x) for x in more]
            if not (np.diff(_meetings(target, lines)) > 0).all():
                continue  # the function would jump
            option = Approximation(lines, target)
            if option.max_error <= limit:
                break
        else:
            raise ValueError(
                f"{found.n_segments} pieces are as near to {target.name} as tangents come, off by "
                f"{found.max_error:.3g}; take fewer, or correct its derivative or inflections."
            )
        points, found = more, option
    return found


# Many networks ask for the same activation by its name; arrays cannot be written to.
_known_tangents = lru_cache(maxsize=128)(_greedy_tangents)


def _worst_first(errors: dict[float, float]) -> Iterator[float]:
    """Yield the places by falling error, of those that tie the smallest first."""
    while errors:
        largest = max(errors.values())
        worst = min(x for x, error in errors.items() if error >= largest * (1 - _TIE))
        del errors[worst]
        yield worst


def _meetings(target: SmoothActivation, lines: Sequence[_Line]) -> np.ndarray:
    """Return where each line meets the next; NaN for ones that are parallel, up to rounding."""
    slopes, intercepts = np.array(lines, dtype=float).T
    turns = np.diff(slopes)
    turns[np.abs(turns) <= _PARALLEL * target.lipschitz] = np.nan
    return (intercepts[:-1] - intercepts[1:]) / turns


def _errors(found: Approximation) -> Iterator[tuple[float, float]]:
    """Yield all places where the error may be largest in size, and the error there.

    On a piece, and between inflections, the slope of the target runs one way. So its error is
    largest at an end or where the two slopes agree.
    """
    target = found.target
    for low, high in pairwise(sorted({-np.inf, *found.breakpoints, *target.inflections, np.inf})):
        s = found.segment(low)
        line = found.slopes[s], found.intercepts[s]
        places = (low, high, _where_slope(target, line[0], low, high))
        yield from ((x, abs(target.above(line, x))) for x in places if x is not None)


def _where_slope(target: SmoothActivation, slope: float, low: float, high: float) -> float | None:
    """Return where the target has a slope, between two places where its slope runs one way."""
    low, high = np.clip([low, high], -_FAR, _FAR)
    a, b = target.slope([low, high]) - slope
    if a * b >= 0:
        return None
    return brentq(lambda x: target.slope(x) - slope, low, high, xtol=1e-14)


# The least largest error. A line within `delta` of a convex part is a tangent moved up by `delta`,
# so that there the pieces are tangents whose neighbours meet `2 * delta` below the function.


def _equioscillating(target: SmoothActivation, n_segments: int, high: float) -> list[_Line]:
    """Return the lines whose largest error is least, by bisection on that error below `high`."""
    low, best = 0.0, None
    while high - low > 1e-13:
        delta = (low + high) / 2
        lines = _fewest_within(target, delta)
        if lines is not None and len(lines) > n_segments:
            low = delta
        else:
            high, best = delta, lines
    if best is None:
        raise ValueError(
            f"There are no {n_segments} equioscillating pieces for {target.name}; take more."
        )
    return best


def _fewest_within(target: SmoothActivation, delta: float) -> list[_Line] | None:
    """Return the fewest lines that stay within `delta` of the target.

    None where that is too wide for a line that touches it on both sides of an inflection.
    """
    lines: list[_Line] = []
    start = -np.inf
    edges = [-np.inf, *target.inflections, np.inf, np.inf]
    for low, turn, high in zip(edges, edges[1:], edges[2:], strict=False):
        shift = delta if target.tangent(turn)[0] > target.tangent(low)[0] else -delta
        touching = _crossing(target, low, turn, high, 2 * shift)
        if touching is None or touching[0] <= start:
            return None
        stop, after = touching
        points = _touch_points(target, start, stop, 2 * shift)
        lines += [(slope, height + shift) for slope, height in map(target.tangent, points)]
        start = after
    return [*lines, (target.right[0], target.right[1] + shift)]


def _touch_points(target: SmoothActivation, start: float, stop: float, gap: float) -> list[float]:
    """Return the fewest places, `start` first, whose tangents and that at `stop` stay close.

    Neighbouring tangents meet at most `gap` away from the target.
    """

    def excess(x: float, point: float) -> float:
        return target.above(target.tangent(point), x) / gap - 1

    points, end = [start], min(stop, _FAR)
    last = target.tangent(stop)
    while True:
        line = target.tangent(points[-1])
        if line[0] == last[0]:
            raise ValueError(
                f"The slope of {target.name} jumps, or an inflection is missing; take tangents."
            )
        meet = (line[1] - last[1]) / (last[0] - line[0])
        if excess(meet, points[-1]) <= 1e-12:
            return points
        knot = brentq(excess, max(points[-1], -_FAR), meet, args=(points[-1],), xtol=1e-14)
        if excess(knot, end) <= 0:
            return points
        points.append(brentq(partial(excess, knot), knot, end, xtol=1e-14))


def _crossing(
    target: SmoothActivation, low: float, turn: float, high: float, gap: float
) -> Sequence[float] | None:
    """Return two places of one slope, before and after an inflection, with tangents `gap` apart."""
    if np.isinf(turn):
        return turn, turn  # the last line is parallel to the asymptote
    steepest = target.tangent(turn)[0]
    ends = target.slope(np.clip([low, high], -_FAR, _FAR))
    flattest = min(ends, key=lambda slope: abs(slope - steepest))

    def places(slope: float) -> list[float]:
        return [_where_slope(target, slope, *part) for part in ((low, turn), (turn, high))]

    def miss(slope: float) -> float:
        before, after = (target.tangent(x)[1] for x in places(slope))
        return (after - before) / gap - 1

    # Not quite at the ends, where the slope is that of one place only.
    a, b = (flattest + share * (steepest - flattest) for share in (1e-9, 1 - 1e-9))
    return None if miss(a) * miss(b) > 0 else places(brentq(miss, a, b, xtol=1e-15))
