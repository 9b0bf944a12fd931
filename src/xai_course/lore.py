"""LORE: neighbours of one input, bred on both sides of a network's decision."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from xai_course._validation import check_array, check_whole

__all__ = ["genetic_neighbourhood"]


def genetic_neighbourhood(
    decide: Callable[[np.ndarray], np.ndarray],
    X: ArrayLike,
    x: ArrayLike,
    rng: np.random.Generator,
    *,
    size: int = 1000,
    generations: int = 10,
    crossover: float = 0.5,
    mutation: float = 0.2,
) -> np.ndarray:
    """Return rows near `x`, half of them bred for its decision and half for another one.

    Parameters
    ----------
    decide : callable
        Rows to decisions.
    X : array_like, shape (n_rows, n_features)
        Rows whose values a mutation draws from, each feature on its own.
    x : array_like, shape (n_features,)
        The row to explain.
    rng : numpy.random.Generator
    size : int
        How many rows, rounded down to a multiple of 4.
    generations : int
    crossover : float
        The chance that two parents swap a stretch of features.
    mutation : float
        The chance that a row mutates, and then that each of its features does.

    Returns
    -------
    ndarray of float64, shape (size, n_features)
        First those bred for the decision of `x`, then those bred for another one.

    Notes
    -----
    Guidotti et al. (2018), Algorithm 2 and the two fitness functions: 1 for the wanted decision,
    plus 1 minus the distance to `x`, minus 1 for `x` itself. The distance is the root of the mean
    square, each feature in units of its range in `X`. Parents win tournaments of three; there is no
    hall of fame, and many rows are copies. Explained in the chapter *anchors-and-local-rules*.
    """
    X, x = check_array(X, "X", 2), check_array(x, "x", 1)
    n, d = check_whole(size, "size", 4) // 4, len(x)
    span = np.ptp(X, axis=0)
    span[span == 0] = 1
    label, halves = decide(x[None])[0], []
    for same in (True, False):
        rows = np.tile(x, (2 * n, 1))
        for _ in range(generations):
            near = 1 - np.sqrt((((rows - x) / span) ** 2).mean(axis=1))
            fitness = ((decide(rows) == label) == same) + near - (rows == x).all(axis=1)
            entrants = rng.integers(2 * n, size=(2 * n, 3))
            first = fitness[entrants].argmax(axis=1)
            one, two = np.split(rows[entrants[np.arange(2 * n), first]], 2)
            start, stop = np.sort(rng.integers(d + 1, size=(n, 2)), axis=1).T[..., None]
            swap = (start <= np.arange(d)) & (np.arange(d) < stop)
            swap &= rng.random((n, 1)) < crossover
            rows = np.concatenate([np.where(swap, two, one), np.where(swap, one, two)])
            hit = (rng.random((2 * n, 1)) < mutation) & (rng.random((2 * n, d)) < mutation)
            rows = np.where(hit, X[rng.integers(len(X), size=rows.shape), np.arange(d)], rows)
        halves.append(rows)
    return np.concatenate(halves)
