"""How an output changes with one feature: curves with all their kinks instead of a grid.

Explained in the chapter *effects*.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from xai_course._models import check_targets
from xai_course._validation import check_number, check_whole
from xai_course.lines import kinks
from xai_course.networks import PiecewiseLinearNetwork

__all__ = ["Curve", "ice", "partial_dependence"]


@dataclass(frozen=True, eq=False)
class Curve:
    """A continuous piecewise linear function on an interval.

    Attributes
    ----------
    x, y : ndarray of float64, shape (n_pieces + 1,)
        The ends and the kinks, increasing in `x`, and the values there.

    Examples
    --------
    >>> Curve(np.array([0.0, 1.0, 3.0]), np.array([0.0, 2.0, 2.0])).slopes
    array([2., 0.])
    """

    x: np.ndarray
    y: np.ndarray

    @property
    def slopes(self) -> np.ndarray:
        """The slope of each piece, shape (n_pieces,)."""
        return np.diff(self.y) / np.diff(self.x)

    def __call__(self, x: ArrayLike) -> np.ndarray:
        """Return the values, in the shape of `x`.

        Raises
        ------
        ValueError
            If a place lies outside of the interval.
        """
        x = np.asarray(x, dtype=float)
        if not ((x >= self.x[0]) & (x <= self.x[-1])).all():
            raise ValueError(f"x must lie between {self.x[0]:g} and {self.x[-1]:g}.")
        return np.interp(x, self.x, self.y)


def ice(
    network: PiecewiseLinearNetwork,
    X: ArrayLike,
    feature: int,
    low: float,
    high: float,
    target: int | ArrayLike | None = None,
) -> list[Curve]:
    """Return the individual conditional expectation of one feature, one curve per row.

    Parameters
    ----------
    network : PiecewiseLinearNetwork
        With continuous activations.
    X : array_like, shape (n_rows, n_features)
    feature : int
        The column that moves; the others stay as they are in the row.
    low, high : float
        Where it starts and ends.
    target : int or array_like, shape (n_rows,), optional
        The output; needed where there are several.

    Returns
    -------
    list of Curve
        The network's output along the way, with all its kinks.

    Raises
    ------
    TypeError, ValueError
        If the rows, the feature, the interval or the target are not as described.

    Notes
    -----
    Goldstein et al. (2015), computed along lines instead of at the points of a grid.

    Explained in the chapter *effects*.

    Examples
    --------
    >>> network = PiecewiseLinearNetwork([[[1, 1]], [[1]]], [[-1], [0]])  # relu(x + y - 1)
    >>> curve = ice(network, [[0.0, 0.5]], feature=0, low=-1, high=2)[0]
    >>> curve.x, curve.slopes
    (array([-1. ,  0.5,  2. ]), array([0., 1.]))
    """
    X = network.check_inputs(X)
    feature = check_whole(feature, "feature", 0, network.n_features - 1)
    low = check_number(low, "low")
    high = check_number(high, "high", above=low)
    targets = check_targets(target, network.n_outputs, len(X))
    start, end = X.copy(), X.copy()
    start[:, feature], end[:, feature] = low, high
    found = zip(*kinks(network, start, end), targets, strict=True)
    return [Curve(low + t * (high - low), values[:, k]) for t, values, k in found]


def partial_dependence(
    network: PiecewiseLinearNetwork,
    X: ArrayLike,
    feature: int,
    low: float,
    high: float,
    target: int | None = None,
) -> Curve:
    """Return the partial dependence on one feature: the mean of the curves of `ice`.

    Parameters
    ----------
    network, X, feature, low, high, target
        As for `ice`, with at least one row.

    Returns
    -------
    Curve
        Its kinks are those of all rows.

    Raises
    ------
    TypeError, ValueError
        As for `ice`.

    Notes
    -----
    Friedman (2001), section 8.2. The mean of piecewise linear functions bends where one of them
    does, by a share of the row's change of slope.

    Explained in the chapter *effects*.

    Examples
    --------
    >>> network = PiecewiseLinearNetwork([[[1, 1]], [[1]]], [[-1], [0]])  # relu(x + y - 1)
    >>> partial_dependence(network, [[0.0, 0.0], [0.0, 1.0]], feature=0, low=-1, high=2).slopes
    array([0. , 0.5, 1. ])
    """
    curves = ice(network, X, feature, low, high, target)
    if not curves:
        raise ValueError("X must hold at least one row.")
    x = np.concatenate([curve.x[1:-1] for curve in curves])
    bends = np.concatenate([np.diff(curve.slopes) for curve in curves]) / len(curves)
    x, which = np.unique(x, return_inverse=True)
    first = np.mean([curve.slopes[0] for curve in curves])
    slopes = first + np.append(0.0, np.bincount(which, bends, len(x)).cumsum())
    x = np.concatenate([[low], x, [high]]).astype(float)
    start = np.mean([curve.y[0] for curve in curves])
    return Curve(x, start + np.append(0.0, (slopes * np.diff(x)).cumsum()))
