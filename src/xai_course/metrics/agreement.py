"""How far attributions agree with others, such as the exact ones.

Explained in the chapters *evaluating-explanations* and *ground-truth*.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from xai_course._validation import check_number, check_whole
from xai_course.metrics._arrays import check_pair, correlation, divide, flat


def rank_correlation(a: ArrayLike, b: ArrayLike) -> np.ndarray:
    """Return Spearman's rank correlation of two attributions, row by row.

    Parameters
    ----------
    a, b : array_like, shape (n_rows, ...)
        Attributions; what comes after the first dimension is flattened. Give their absolute values
        to compare by strength alone.

    Returns
    -------
    ndarray of float64, shape (n_rows,)
        From -1 to 1. Features that tie have the mean of their ranks. NaN where all features of a
        row tie in `a` or `b`: such a row ranks nothing, so no number would be right.

    Raises
    ------
    TypeError, ValueError
        If the attributions are not finite real numbers or differ in shape.

    Notes
    -----
    Spearman (1904). The sizes don't count, and the many features near zero count as much as the few
    that matter. Zeros that come with rounding errors are ranked by these.

    Examples
    --------
    >>> rank_correlation([[1.0, 2.0, 3.0]], [[10.0, 20.0, 15.0]])
    array([0.5])
    """
    a, b = map(flat, check_pair(a, b, ("a", "b")))
    return correlation(rankdata(a, axis=1), rankdata(b, axis=1))


def sign_agreement(a: ArrayLike, exact: ArrayLike, *, rounding: float = 1e-9) -> np.ndarray:
    """Return on which share of the features an attribution has the sign of the exact one.

    Parameters
    ----------
    a, exact : array_like, shape (n_rows, ...)
        Attributions; what comes after the first dimension is flattened.
    rounding : float
        A value is zero if it is at most this part of the largest magnitude in its row. Take about
        1e-6 where an attribution was computed in float32.

    Returns
    -------
    ndarray of float64, shape (n_rows,)
        From 0 to 1: a share of the features whose exact value is not zero. Each counts alike,
        whatever its size; a zero in `a` has no sign and does not agree. NaN where all exact values
        are zero.

    Raises
    ------
    TypeError, ValueError
        If the attributions are not finite real numbers or differ in shape, or `rounding` is not in
        [0, 1).

    Notes
    -----
    The sign agreement of Krishna et al. (2022), over all features instead of the top ones. Guessing
    reaches one half.

    Examples
    --------
    >>> sign_agreement([[1.0, -2.0, 3.0]], [[2.0, 1.0, 1.0]]).round(3)
    array([0.667])
    """
    check_number(rounding, "rounding", least=0, below=1)
    signs = []
    for values in map(flat, check_pair(a, exact, ("a", "exact"))):
        size = np.abs(values)
        signs.append(np.sign(values) * (size > rounding * size.max(axis=1, keepdims=True)))
    counted = signs[1] != 0
    return divide(((signs[0] == signs[1]) & counted).sum(axis=1), counted.sum(axis=1))


def top_k_overlap(a: ArrayLike, b: ArrayLike, k: int = 5) -> np.ndarray:
    """Return which share of the `k` strongest features two attributions have in common.

    Parameters
    ----------
    a, b : array_like, shape (n_rows, ...)
        Attributions; what comes after the first dimension is flattened. The strongest features are
        those with the largest absolute values.
    k : int
        From 1 to the number of features, where the overlap is 1 by definition.

    Returns
    -------
    ndarray of float64, shape (n_rows,)
        From 0 to 1. Features that tie for the last places share them: of three that tie for one
        place each is in by a third. A feature that is in by p and by q is common by the smaller of
        the two. So an attribution overlaps with itself by 1, and one that is constant overlaps with
        any other by ``k / n_features``, as guessing does on average.

    Raises
    ------
    TypeError, ValueError
        If the attributions are not finite real numbers or differ in shape, or there are fewer than
        `k` features.

    Notes
    -----
    The feature agreement of Krishna et al. (2022), who leave ties open. Compare with
    ``k / n_features``: with few features a high overlap says little.

    Examples
    --------
    >>> top_k_overlap([[3.0, 2.0, 1.0]], [[3.0, 1.0, 2.0]], k=2)
    array([0.5])
    """
    a, b = map(flat, check_pair(a, b, ("a", "b")))
    k = check_whole(k, "k", 1, a.shape[1])
    return np.minimum(_membership(a, k), _membership(b, k)).sum(axis=1) / k


def relative_error(a: ArrayLike, exact: ArrayLike) -> np.ndarray:
    """Return the size of an attribution's error relative to the size of the exact one.

    Parameters
    ----------
    a, exact : array_like, shape (n_rows, ...)
        Attributions; what comes after the first dimension is flattened.

    Returns
    -------
    ndarray of float64, shape (n_rows,)
        ``||a - exact|| / ||exact||`` with Euclidean norms. 0 is perfect, and an attribution of
        zeros has 1. NaN where all exact values are zero: there is no size to compare with.

    Raises
    ------
    TypeError, ValueError
        If the attributions are not finite real numbers or differ in shape.

    Notes
    -----
    It is the only one of these four that sees the scale. A method that explains in another unit,
    such as a gradient beside a contribution, has a large error for that reason alone.

    Examples
    --------
    >>> relative_error([[3.0, 5.0]], exact=[[3.0, 4.0]])
    array([0.2])
    """
    a, exact = map(flat, check_pair(a, exact, ("a", "exact")))
    return divide(np.linalg.norm(a - exact, axis=1), np.linalg.norm(exact, axis=1))


def _membership(values: np.ndarray, k: int) -> np.ndarray:
    """Return by how much each feature is among the k strongest; each row sums to k."""
    size = np.abs(values)
    border = -np.partition(-size, k - 1, axis=1)[:, k - 1 : k]
    inside, ties = size > border, size == border
    places = k - inside.sum(axis=1, keepdims=True)
    return inside + ties * (places / ties.sum(axis=1, keepdims=True))
