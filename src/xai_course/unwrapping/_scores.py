"""Scores of many linear models on many rows, without a loop over models.

A summary of 10,000 regions on 10,000 rows asks for 10,000 errors or rankings. Errors follow from
one small matrix; rankings from one sort per model, done many models at a time.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

# Blocks of this many scores are sorted at a time, and stay in the processor's cache.
_BLOCK = 2**19


def group_mean(values: np.ndarray, labels: np.ndarray, n_groups: int) -> np.ndarray:
    """Return the mean of `values` (n,) or (n, k) in each group of `labels` (n,)."""
    counts = np.bincount(labels, minlength=n_groups)
    columns = values.reshape(len(values), -1).T
    sums = np.stack([np.bincount(labels, column, n_groups) for column in columns], axis=1)
    return (sums / counts[:, None]).reshape(n_groups, *values.shape[1:])


def global_mse(coef: np.ndarray, intercept: np.ndarray, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the mean squared error on all rows of each model.

    Parameters
    ----------
    coef : ndarray, shape (n_models, n_features)
    intercept : ndarray, shape (n_models,)
    X : ndarray, shape (n_samples, n_features)
    y : ndarray, shape (n_samples,)

    Notes
    -----
    With the least squares fit ``b`` and the Gram matrix ``G`` of the rows, the error of a model is
    ``error(b) + (model - b) G (model - b)``: a sum of terms that cannot cancel.
    """
    rows = np.column_stack([np.ones(len(X)), X])
    size = np.linalg.norm(rows, axis=0)
    size[size == 0] = 1.0
    best = np.linalg.lstsq(rows / size, y, rcond=None)[0] / size
    # The rotation that diagonalises G spares the error the squared condition number.
    triangle = np.linalg.qr(rows, mode="r") / np.sqrt(len(X))
    away = (np.column_stack([intercept, coef]) - best) @ triangle.T
    return np.mean((y - rows @ best) ** 2) + np.einsum("rd,rd->r", away, away)


def global_auc(coef: np.ndarray, X: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Return the AUC on all rows of each linear model ``X @ coef[r]``.

    Parameters
    ----------
    coef : ndarray, shape (n_models, n_features)
        Intercepts do not change a ranking.
    X : ndarray, shape (n_samples, n_features)
    positive : ndarray of bool, shape (n_samples,)

    Returns
    -------
    ndarray of float64, shape (n_models,)
        NaN where `positive` has one value only.
    """
    step = max(1, _BLOCK // max(1, len(X)))
    scores, spare = np.empty((step, len(X))), np.empty((step, len(X)), dtype=np.int64)
    found = np.empty(len(coef))
    for start in range(0, len(coef), step):
        models = slice(start, start + step)
        n = len(coef[models])
        block = np.matmul(coef[models], X.T, out=scores[:n])
        found[models] = ranking_auc(block, positive, spare[:n])
    return found


def ranking_auc(scores: np.ndarray, positive: np.ndarray, spare: np.ndarray) -> np.ndarray:
    """Return the AUC of each row of `scores`, shape (n_models, n_samples); ties count one half.

    The scores are sorted where they are, and `spare` is room of the same shape for whole numbers:
    memory that is asked for anew for each block would take longer than the rest.
    """
    n_positive = int(positive.sum())
    n_pairs = n_positive * (len(positive) - n_positive)
    if n_pairs == 0:
        return np.full(len(scores), np.nan)
    keys, ranks = _sortable(scores, spare), np.arange(len(positive))
    keys |= positive
    keys.sort(axis=1)
    wins = (np.bitwise_and(keys, 1, out=spare) @ ranks).astype(float)
    # Pairs that tie are won in this order, and lost where the label counts the other way.
    apart = np.bitwise_xor(keys[:, 1:], keys[:, :-1], out=spare[:, 1:])
    tied = (apart == 1).any(axis=1)
    lost = np.sort(keys[tied] ^ 1, axis=1) & 1 == 0
    wins[tied] = (wins[tied] + lost @ ranks) / 2
    return (wins - n_positive * (n_positive - 1) / 2) / n_pairs


def _sortable(scores: np.ndarray, spare: np.ndarray) -> np.ndarray:
    """Return integers in the order of the scores, with the last bit free for the label.

    The bits of a positive float are in its order, those of a negative one in reverse. Scores that
    differ in their last bit only become ties.
    """
    scores += 0.0  # which makes -0.0 and 0.0 one number
    bits = scores.view(np.int64)
    np.right_shift(bits, 63, out=spare)
    spare &= 0x7FFFFFFFFFFFFFFF
    bits ^= spare
    bits &= ~1
    return bits


def group_auc(
    scores: np.ndarray, positive: np.ndarray, labels: np.ndarray, n_groups: int
) -> np.ndarray:
    """Return the AUC of `scores` (n,) within each group of `labels` (n,); NaN for one class."""
    ranks = pd.Series(scores).groupby(labels).rank().to_numpy()
    n_positive = np.bincount(labels, positive, n_groups)
    n_negative = np.bincount(labels, ~positive, n_groups)
    wins = np.bincount(labels, positive * ranks, n_groups) - n_positive * (n_positive + 1) / 2
    n_pairs = n_positive * n_negative
    return np.divide(wins, n_pairs, out=np.full(n_groups, np.nan), where=n_pairs > 0)
