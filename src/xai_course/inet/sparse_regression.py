"""From moments to a sparse polynomial: which s monomials describe a function best, and how.

The function enters only through its mean products with the monomials, so the search asks it
nothing. Explained in the chapter *symbolic-regression*.
"""

from __future__ import annotations

import numpy as np

from xai_course._validation import check_array, check_whole
from xai_course.polynomials import chunks

__all__ = ["best_monomials"]

_LEAST_GAIN = 1e-10  # of the mean square that is explained: smaller gains are rounding
_INDEPENDENT = 1e-9  # squared sine of a monomial to the chosen ones below which it adds nothing


def best_monomials(
    gram: np.ndarray,
    correlations: np.ndarray,
    n_terms: int,
    max_swaps: int | None = None,
    width: int = 2,
) -> tuple[np.ndarray, np.ndarray]:
    """Choose monomials by orthogonal least squares, there and back, then by single swaps.

    The monomial that lowers the mean squared error most joins, ``width * n_terms`` times, with all
    coefficients fitted anew at each step. Then the one that is missed least leaves, until `n_terms`
    are left. Then the best exchange of one chosen monomial for another is made, until none lowers
    the error. Every error is exact under the distribution of `gram`; the search is local, so a
    better set may exist.

    Parameters
    ----------
    gram : ndarray, shape (m, m)
        Mean products of the monomials.
    correlations : ndarray, shape (N, m)
        Mean products of N functions with the monomials.
    n_terms : int
        Number of monomials, s.
    max_swaps : int, optional
        Largest number of exchanges for each function. By default ``20 + 5 n_terms``, which is
        hardly ever reached.
    width : int
        How many times `n_terms` monomials join first. With 1 none has to leave, and ``width=1,
        max_swaps=0`` is the greedy choice. With 2 the exchanges are seldom trapped.

    Returns
    -------
    chosen : ndarray of int64, shape (N, n_terms)
        Monomials of each function, in the order of the enumeration.
    coef : ndarray, shape (N, n_terms)
        Their least-squares coefficients.

    Raises
    ------
    ValueError
        If the shapes do not fit, a value is NaN or infinite, or there are too few monomials that
        do not depend on each other.
    """
    gram, correlations = check_array(gram, "gram", 2), check_array(correlations, "correlations", 2)
    check_whole(n_terms, "n_terms", 1)
    check_whole(width, "width", 1)
    m = len(gram)
    if gram.shape != (m, m) or correlations.shape[1] != m:
        raise ValueError(
            f"gram must be square with one column per column of correlations, got shapes "
            f"{gram.shape} and {correlations.shape}."
        )
    length = np.sqrt(np.diag(gram).clip(0))
    if not length.all():
        raise ValueError(f"Monomial {length.argmin()} has no length: gram must be positive there.")
    if n_terms > m:
        raise ValueError(f"There are {m} monomials, too few for {n_terms} terms.")
    max_swaps = 20 + 5 * n_terms if max_swaps is None else max_swaps
    check_whole(max_swaps, "max_swaps", 0)
    # Monomials of length 1, so that gains compare and the small ones lose no digits.
    gram, correlations = gram / np.outer(length, length), correlations / length
    chosen = np.empty((len(correlations), n_terms), dtype=np.int64)
    n_first = min(width * n_terms, m)
    # Few enough at a time that a step's directions stay in the processor's cache.
    for part in chunks(len(correlations), 4 * m * n_first):
        first_choice = _greedy(gram, correlations[part], n_first, n_terms)
        chosen[part] = _drop(gram, correlations[part], first_choice, n_terms)
        _swap(gram, correlations[part], chosen[part], max_swaps)
    chosen.sort(axis=1)
    inside = gram[chosen[:, :, None], chosen[:, None, :]]
    coef = np.linalg.solve(inside, np.take_along_axis(correlations, chosen, 1)[:, :, None])
    return chosen, coef[:, :, 0] / length[chosen]


def _greedy(gram: np.ndarray, correlations: np.ndarray, n_terms: int, at_least: int) -> np.ndarray:
    """Add the monomial with the largest gain, `n_terms` times; shape (N, n_terms).

    It ends after `at_least` if all others depend on the chosen ones of a function; before, that is
    an error.
    """
    n_functions, m = correlations.shape
    rows = np.arange(n_functions)
    residual = correlations.copy()  # mean products of what is not yet explained
    free = np.ones((n_functions, m))  # squared length of what each monomial would add
    directions = np.empty((n_functions, n_terms, m))
    chosen = np.empty((n_functions, n_terms), dtype=np.int64)
    for step in range(n_terms):
        gain = _gain(residual, free)
        best = gain.argmax(axis=1)
        if (gain[rows, best] < 0).any():
            if step >= at_least:
                return chosen[:, :step]
            raise ValueError(
                f"After {step} monomials all others depend on them, as far as float64 can tell, "
                f"too few for {at_least} terms. Ask for fewer."
            )
        chosen[:, step] = best
        # Gram-Schmidt: mean products of all monomials with the new orthonormal direction
        along = directions[rows, :step, best]
        new = gram[best] - (along[:, None] @ directions[:, :step])[:, 0]
        new /= np.sqrt(free[rows, best])[:, None]
        directions[:, step] = new
        residual -= new * (residual[rows, best] / np.sqrt(free[rows, best]))[:, None]
        free -= new**2
        free[rows, best] = 0  # never twice, whatever rounding leaves of it
    return chosen


def _drop(
    gram: np.ndarray, correlations: np.ndarray, chosen: np.ndarray, n_terms: int
) -> np.ndarray:
    """Leave out the monomial that is missed least until `n_terms` are left; (N, n_terms)."""
    if chosen.shape[1] == n_terms:
        return chosen
    rows = np.arange(len(chosen))
    inverse = np.linalg.inv(gram[chosen[:, :, None], chosen[:, None, :]])
    for size in range(chosen.shape[1], n_terms, -1):
        among = np.take_along_axis(correlations, chosen, 1)
        coef = np.matmul(inverse, among[:, :, None])[:, :, 0]
        own = np.diagonal(inverse, axis1=1, axis2=2)
        worst = (coef**2 / own).argmin(axis=1)
        # The inverse without a row and column: one step of elimination, then leave them out.
        column = inverse[rows, :, worst] / np.sqrt(own[rows, worst])[:, None]
        inverse = inverse - column[:, :, None] * column[:, None, :]
        stay = np.argsort(np.arange(size) == worst[:, None], axis=1, kind="stable")[:, :-1]
        chosen = np.take_along_axis(chosen, stay, 1)
        inverse = inverse[rows[:, None, None], stay[:, :, None], stay[:, None, :]]
    return chosen


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
    # A chosen one does not come in again, whatever rounding says.
    np.put_along_axis(gain, support[:, None, :], -np.inf, axis=2)
    flat = gain.reshape(len(active), -1)
    best = flat.argmax(axis=1)
    explained = (coef * among).sum(axis=1)
    improved = flat[np.arange(len(active)), best] > _LEAST_GAIN * explained
    rows = np.flatnonzero(improved)
    out, into = np.divmod(best[rows], gram.shape[0])
    chosen[active[rows], out] = into
    return improved
