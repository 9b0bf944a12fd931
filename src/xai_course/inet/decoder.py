"""From moments to a sparse polynomial: which s monomials describe a function best, and how.

The function enters only through its mean products with the monomials, so the search asks it
nothing. Explained in the chapter *symbolic-regression*.
"""

from __future__ import annotations

import numpy as np

from xai_course._validation import check_array, check_whole

__all__ = ["best_monomials"]

_LEAST_GAIN = 1e-10  # of the largest explained part: smaller gains are rounding
_INDEPENDENT = 1e-9  # squared sine of a monomial to the chosen ones below which it adds nothing
_KICKED = 3  # monomials in a kick
_CHUNK = 2**22  # numbers in one temporary array


def best_monomials(
    gram: np.ndarray,
    correlations: np.ndarray,
    n_terms: int,
    max_swaps: int | None = None,
    n_kicks: int = 2,
) -> tuple[np.ndarray, np.ndarray]:
    """Choose monomials by orthogonal least squares, then by single swaps, with a few kicks.

    First the monomial that lowers the mean squared error most joins, `n_terms` times, with all
    coefficients fitted anew at each step. Then the best exchange of one chosen monomial for
    another is made, until none lowers the error. A kick then drops three monomials at random, lets
    the search go on without them, and is taken back unless the error is lower. Every error is exact
    under the distribution of `gram`; the search is local, so a better set may exist.

    Parameters
    ----------
    gram : ndarray, shape (m, m)
        Mean products of the monomials.
    correlations : ndarray, shape (N, m)
        Mean products of N functions with the monomials.
    n_terms : int
        Number of monomials, s.
    max_swaps : int, optional
        Largest number of exchanges for each function; 0 gives the greedy choice. By default
        ``20 + 5 n_terms``, which is hardly ever reached.
    n_kicks : int
        Number of kicks. They drop the same places of all functions, so that none depends on the
        others; without swaps there are none.

    Returns
    -------
    chosen : ndarray of int64, shape (N, n_terms)
        Monomials of each function, in the order of the enumeration.
    coef : ndarray, shape (N, n_terms)
        Their least-squares coefficients.

    Raises
    ------
    ValueError
        If the shapes do not fit, a value is NaN or infinite, or there are too few monomials.
    """
    gram, correlations = check_array(gram, "gram", 2), check_array(correlations, "correlations", 2)
    check_whole(n_terms, "n_terms", 1)
    m = len(gram)
    if gram.shape != (m, m) or correlations.shape[1] != m:
        raise ValueError(
            f"gram must be square with one column per column of correlations, got shapes "
            f"{gram.shape} and {correlations.shape}."
        )
    if n_terms > m:
        raise ValueError(f"There are {m} monomials, too few for {n_terms} terms.")
    max_swaps = 20 + 5 * n_terms if max_swaps is None else max_swaps
    check_whole(max_swaps, "max_swaps", 0)
    check_whole(n_kicks, "n_kicks", 0)
    # Monomials of length 1, so that gains compare and the small ones lose no digits.
    length = np.sqrt(np.diag(gram))
    gram, correlations = gram / np.outer(length, length), correlations / length
    chosen = np.empty((len(correlations), n_terms), dtype=np.int64)
    at_once = max(1, _CHUNK // (m * n_terms))
    for first in range(0, len(correlations), at_once):
        part = slice(first, first + at_once)
        chosen[part], _ = _greedy(gram, correlations[part], n_terms)
        _swap(gram, correlations[part], chosen[part], max_swaps)
        if max_swaps and n_terms < m:
            _kick(gram, correlations[part], chosen[part], max_swaps, n_kicks)
    chosen.sort(axis=1)
    inside = gram[chosen[:, :, None], chosen[:, None, :]]
    coef = np.linalg.solve(inside, np.take_along_axis(correlations, chosen, 1)[:, :, None])
    return chosen, coef[:, :, 0] / length[chosen]


def _greedy(
    gram: np.ndarray,
    correlations: np.ndarray,
    n_terms: int,
    kept: np.ndarray | None = None,
    banned: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Add the monomial with the largest gain until there are `n_terms`; shape (N, n_terms).

    The search begins with the monomials `kept`, shape (N, k), and adds none of those `banned`.
    Also says of which functions that was possible, with monomials that add something, shape (N,).
    """
    n_functions, m = correlations.shape
    rows = np.arange(n_functions)
    residual = correlations.copy()  # mean products of what is not yet explained
    free = np.ones((n_functions, m))  # squared length of what each monomial would add
    directions = np.empty((n_terms, n_functions, m))
    chosen = np.empty((n_functions, n_terms), dtype=np.int64)
    n_kept = 0 if kept is None else kept.shape[1]
    possible = np.ones(n_functions, dtype=bool)
    for step in range(n_terms):
        if step < n_kept:
            best = kept[:, step]
        else:
            gain = _gain(residual, free)
            if banned is not None:
                np.put_along_axis(gain, banned, -2.0, axis=1)
            best = gain.argmax(axis=1)
            possible &= gain[rows, best] >= 0
        chosen[:, step] = best
        # Gram-Schmidt: mean products of all monomials with the new orthonormal direction
        new = gram[best]
        for k in range(step):
            new = new - directions[k] * directions[k][rows, best][:, None]
        length = np.sqrt(np.maximum(free[rows, best], _INDEPENDENT))[:, None]
        new = new / length
        directions[step] = new
        residual -= new * (residual[rows, best][:, None] / length)
        free -= new**2
    return chosen, possible


def _gain(residual: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Return how much of the mean square each monomial would explain; a dependent one nothing."""
    return np.where(free > _INDEPENDENT, residual**2 / np.maximum(free, _INDEPENDENT), -1.0)


def _swap(gram: np.ndarray, correlations: np.ndarray, chosen: np.ndarray, max_swaps: int) -> None:
    """Exchange one monomial at a time, in place, as long as that explains more."""
    active = np.arange(len(chosen))
    for _ in range(max_swaps):
        if not len(active):
            return
        active = active[_best_swap(gram, correlations, chosen, active)]


def _kick(
    gram: np.ndarray, correlations: np.ndarray, chosen: np.ndarray, max_swaps: int, n_kicks: int
) -> None:
    """Leave local optima, in place: without some of the chosen monomials the search goes on."""
    n_terms, rng = chosen.shape[1], np.random.default_rng(0)
    size = min(_KICKED, n_terms, len(gram) - n_terms)
    best = _explained(gram, correlations, chosen)
    for _ in range(n_kicks):
        out = rng.choice(n_terms, size, replace=False)
        kept, banned = np.delete(chosen, out, axis=1), chosen[:, out]
        trial, possible = _greedy(gram, correlations, n_terms, kept, banned)
        trial[~possible] = chosen[~possible]
        _swap(gram, correlations, trial, max_swaps)
        found = _explained(gram, correlations, trial)
        better = found > best * (1 + _LEAST_GAIN)
        chosen[better], best[better] = trial[better], found[better]


def _explained(gram: np.ndarray, correlations: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return the part of the mean square that the chosen monomials explain, shape (N,)."""
    among = np.take_along_axis(correlations, chosen, 1)[:, :, None]
    inside = gram[chosen[:, :, None], chosen[:, None, :]]
    return (among * np.linalg.solve(inside, among)).sum(axis=(1, 2))


def _best_swap(
    gram: np.ndarray, correlations: np.ndarray, chosen: np.ndarray, active: np.ndarray
) -> np.ndarray:
    """Make the best exchange of each active function; return which of them gained."""
    support, target = chosen[active], correlations[active]
    inverse = np.linalg.inv(gram[support[:, :, None], support[:, None, :]])
    among = np.take_along_axis(target, support, 1)
    coef = np.matmul(inverse, among[:, :, None])[:, :, 0]
    products = gram[support]  # (A, s, m)
    residual = target - np.matmul(coef[:, None, :], products)[:, 0]
    dual = np.matmul(inverse, products)  # (A, s, m)
    free = 1.0 - (dual * products).sum(axis=1)
    # Without monomial i: its dual direction is free again, and its part of the fit is missing.
    own = np.diagonal(inverse, axis1=1, axis2=2)
    loss = coef**2 / own
    dual *= (1 / np.sqrt(own))[:, :, None]
    without = dual * (coef / np.sqrt(own))[:, :, None]
    without += residual[:, None, :]
    np.square(dual, out=dual)
    dual += free[:, None, :]
    gain = _gain(without, dual)
    gain -= loss[:, :, None]
    flat = gain.reshape(len(active), -1)
    best = flat.argmax(axis=1)
    explained = (coef * among).sum(axis=1)
    improved = flat[np.arange(len(active)), best] > _LEAST_GAIN * np.maximum(explained, 1e-300)
    rows = np.flatnonzero(improved)
    out, into = np.divmod(best[rows], gram.shape[0])
    chosen[active[rows], out] = into
    return improved
