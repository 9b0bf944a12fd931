"""The effect of one feature, from a model's answers to rows that could be real.

Exact individual curves, and partial dependence as their mean, are in `xai_course.exact`. Here is
what they lack: effects accumulated from small steps, and rows from which a feature is obscured.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from xai_course._validation import check_array, check_whole
from xai_course.exact import Curve

__all__ = ["accumulated_local_effects", "obscure"]


def accumulated_local_effects(
    model: Callable[[np.ndarray], ArrayLike],
    X: ArrayLike,
    feature: int,
    edges: int | ArrayLike = 20,
) -> Curve:
    """Add up what small steps of one feature do to the rows that are near.

    The column is cut into bins. Each row is moved from the lower to the upper edge of its own bin,
    and nowhere else; the mean difference is the rise of the curve across that bin.

    Parameters
    ----------
    model : callable
        Takes rows and returns one number per row.
    X : array_like, shape (n_samples, n_features)
    feature : int
        Number of the column.
    edges : int or array_like
        A number of bins with about equally many rows, or the edges themselves, rising, from at most
        the smallest to at least the largest value of the column. The curve is level across a bin
        without rows.

    Returns
    -------
    Curve
        Through the edges; its mean over the rows is zero.

    Raises
    ------
    TypeError, ValueError
        If `X` holds no finite numbers, there is no such column, or the edges are none.

    Notes
    -----
    Source: Apley and Zhu (2020), equations 15 and 16. Explained in the chapter *effects*.

    Examples
    --------
    >>> X = np.array([[0.0, 5.0], [1.0, 7.0], [2.0, 9.0]])
    >>> accumulated_local_effects(lambda X: 3 * X[:, 0] + X[:, 1], X, 0, edges=2).y
    array([-3.,  0.,  3.])
    """
    X = check_array(X, "X", 2)
    feature = check_whole(feature, "feature", 0, X.shape[1] - 1)
    column = X[:, feature]
    edges = _edges(column, edges)
    bins = np.clip(np.searchsorted(edges, column), 1, None)
    lower, upper = X.copy(), X.copy()
    lower[:, feature], upper[:, feature] = edges[bins - 1], edges[bins]
    rises = np.asarray(model(upper), dtype=float) - np.asarray(model(lower), dtype=float)
    if rises.shape != column.shape:
        raise ValueError(f"The model must return one number per row, got shape {rises.shape}.")
    rows = np.bincount(bins, minlength=len(edges))
    totals = np.bincount(bins, rises, minlength=len(edges))
    curve = np.cumsum(totals / np.maximum(rows, 1))
    return Curve(edges, curve - np.interp(column, edges, curve).mean())


def _edges(column: np.ndarray, edges: int | ArrayLike) -> np.ndarray:
    if np.ndim(edges) == 0:
        n_bins = check_whole(edges, "edges", 1)
        edges = np.unique(np.quantile(column, np.linspace(0, 1, n_bins + 1)))
    edges = check_array(edges, "edges", 1)
    if len(edges) < 2 or (np.diff(edges) <= 0).any():
        raise ValueError(f"edges must be two or more rising numbers, got {edges.tolist()[:5]}.")
    if edges[0] > column.min() or edges[-1] < column.max():
        raise ValueError(
            f"edges must reach from {column.min():g} to {column.max():g}, the column's values; "
            f"they reach from {edges[0]:g} to {edges[-1]:g}."
        )
    return edges


def obscure(X: ArrayLike, groups: ArrayLike, random_state: int = 0) -> np.ndarray:
    """Change rows so that no single column tells any more to which group a row belongs.

    In each column a row keeps its rank within its group and gets the value that this rank has in
    the median group. Rows with equal values are ranked by chance; otherwise a column with few
    values would still tell the groups apart.

    Parameters
    ----------
    X : array_like, shape (n_samples, n_features)
        Without the column that holds the groups.
    groups : array_like, shape (n_samples,)
        The value of the feature to be obscured, a few different ones.
    random_state : int
        Seed of the ranks of equal values.

    Returns
    -------
    ndarray of float64, shape (n_samples, n_features)

    Raises
    ------
    TypeError, ValueError
        If `X` holds no finite numbers, or there is another number of groups than of rows.

    Notes
    -----
    The full repair of Feldman et al. (2015), with which Adler et al. (2018) measure indirect
    influence. The rank of the i-th of n rows is the quantile (i + 1/2) / n. Columns are treated
    one by one: two of them together may still tell the groups apart. Explained in the chapter
    *effects*.

    Examples
    --------
    >>> obscure([[1.0], [2.0], [5.0], [6.0]], [0, 0, 1, 1]).ravel()
    array([3., 4., 3., 4.])
    """
    X, groups = check_array(X, "X", 2), np.asarray(groups)
    if groups.shape != X.shape[:1]:
        raise ValueError(f"groups must hold {len(X)} values, one per row, got {groups.shape}.")
    rng = np.random.default_rng(random_state)
    members = [np.flatnonzero(groups == value) for value in np.unique(groups)]
    out = np.empty_like(X)
    for column, repaired in zip(X.T, out.T, strict=True):
        for rows in members:
            ranked = rows[np.lexsort((rng.random(len(rows)), column[rows]))]
            at = (np.arange(len(rows)) + 0.5) / len(rows)
            quantiles = [np.quantile(column[other], at, method="hazen") for other in members]
            repaired[ranked] = np.median(quantiles, axis=0)
    return out
