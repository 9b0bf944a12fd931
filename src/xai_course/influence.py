"""What a linear head owes to each of its training rows: influence, Newton's step, refitting.

Explained in the chapter *influence*.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import cho_factor, cho_solve
from scipy.special import log_softmax

from xai_course._validation import check_array, check_choice, check_number, check_whole
from xai_course.training import class_numbers

__all__ = ["FittedHead", "fit_head"]

_CHUNK = 500  # rows at a time: blocks of n_weights x n_classes numbers for each of them


def fit_head(
    Z: ArrayLike, y: ArrayLike, penalty: float = 1.0, n_classes: int | None = None
) -> FittedHead:
    """Fit a softmax layer to the minimum of its loss, to machine precision.

    The loss is the *sum* of the rows' cross-entropies plus ``penalty / 2`` times the squared
    weights, biases included. It has one minimum, so that a head without a row is well defined.

    Parameters
    ----------
    Z : array_like, shape (n_samples, n_features)
        Such as the last hidden layer of a network.
    y : array_like of int, shape (n_samples,)
        Class numbers from 0 on.
    penalty : float
        Above zero.
    n_classes : int, optional
        Defaults to the largest class number and one.

    Returns
    -------
    FittedHead

    Raises
    ------
    TypeError, ValueError
        If the rows are not finite, the labels are no class numbers, or `penalty` is not above zero.

    Notes
    -----
    Explained in the chapter *influence*.

    Examples
    --------
    >>> head = fit_head([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1])
    >>> head.logits([[1.5]]).argmax(axis=1).shape
    (1,)
    """
    Z = check_array(Z, "Z", 2)
    check_number(penalty, "penalty", above=0)
    if n_classes is None:
        n_classes = max(2, int(np.max(y, initial=0)) + 1)
    y = class_numbers(y, len(Z), check_whole(n_classes, "n_classes", 2))
    start = FittedHead(np.zeros((n_classes, Z.shape[1] + 1)), Z, y, float(penalty))
    return start._minimised(np.ones(len(Z)), new_curvature=True)


@dataclass(frozen=True, eq=False, repr=False)
class FittedHead:
    """A softmax layer at the minimum of its loss, with the rows that it was fitted to.

    Attributes
    ----------
    weights : ndarray of float64, shape (n_classes, n_features + 1)
        The last column is the bias.
    Z : ndarray of float64, shape (n_samples, n_features)
    y : ndarray of int64, shape (n_samples,)
    penalty : float
    """

    weights: np.ndarray
    Z: np.ndarray
    y: np.ndarray
    penalty: float

    def logits(self, Z: ArrayLike) -> np.ndarray:
        """Return the logits, shape (n_rows, n_classes)."""
        return _with_one(check_array(Z, "Z", 2)) @ self.weights.T

    def losses(self, Z: ArrayLike, y: ArrayLike) -> np.ndarray:
        """Return the cross-entropy of each row, shape (n_rows,)."""
        logits = self.logits(Z)
        y = class_numbers(y, len(logits), len(self.weights))
        return -log_softmax(logits, axis=1)[np.arange(len(y)), y]

    def weights_without(self, step: str = "newton") -> np.ndarray:
        """Return the weights without each training row in turn, by one step from the weights.

        Parameters
        ----------
        step : {"newton", "influence"}
            ``"influence"`` solves with the curvature of the loss of *all* rows, as in Koh and Liang
            (2017); ``"newton"`` takes the row's curvature off first. Both at the price of one
            factorisation.

        Returns
        -------
        ndarray of float64, shape (n_samples, n_classes, n_features + 1)
        """
        check_choice(step, "step", ("newton", "influence"))
        n_classes, width = self.weights.shape
        inverse = cho_solve(self._factor, np.eye(self.weights.size))
        inverse = inverse.reshape(n_classes, width, n_classes, width)
        _, p = self._residuals(self.weights)
        Z1, found = self._Z1, []
        for rows in np.split(np.arange(len(Z1)), range(_CHUNK, len(Z1), _CHUNK)):
            z, push = Z1[rows], p[rows] - np.eye(n_classes)[self.y[rows]]
            towards = np.tensordot(z, inverse, (1, 3))  # row, class, feature, class
            if step == "newton":  # (H - z z' (x) S)^-1 of a vector z (x) r is H^-1 of another one
                within = np.einsum("nabc,nb->nac", towards, z)
                shape = p[rows, :, None] * (np.eye(n_classes) - p[rows, None, :])
                left = np.eye(n_classes) - shape @ within
                push = np.linalg.solve(left, push[:, :, None])[:, :, 0]
            found.append(np.einsum("nabc,nc->nab", towards, push))
        return self.weights + np.concatenate(found)

    def refit_without(self, rows: int | Sequence[int]) -> FittedHead:
        """Return the true head without one row or several, fitted to the new minimum.

        Raises
        ------
        ValueError
            If a row does not exist, or none is left.
        """
        kept = np.ones(len(self.Z))
        rows = np.atleast_1d(np.asarray(rows))
        if rows.dtype.kind not in "iu" or not np.isin(rows, np.arange(len(kept))).all():
            raise ValueError(f"rows must be numbers from 0 to {len(kept) - 1}, got {rows}.")
        kept[rows] = 0
        if not kept.any():
            raise ValueError("rows must leave at least one row, got all of them.")
        fitted = self._minimised(kept)
        stay = kept > 0
        return FittedHead(fitted.weights, self.Z[stay], self.y[stay], self.penalty)

    def self_influence(self, step: str = "newton") -> np.ndarray:
        """Return by how much the loss of each training row grows when the row is left out.

        Returns
        -------
        ndarray of float64, shape (n_samples,)
        """
        without = self.weights_without(step)
        logits = np.einsum("ncd,nd->nc", without, self._Z1)
        alone = -log_softmax(logits, axis=1)[np.arange(len(self.y)), self.y]
        return alone - self.losses(self.Z, self.y)

    # The loss

    @cached_property
    def _Z1(self) -> np.ndarray:
        return _with_one(self.Z)

    def _residuals(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        log_p = log_softmax(self._Z1 @ weights.T, axis=1)
        return -log_p[np.arange(len(self.y)), self.y], np.exp(log_p)

    def _curvature(self, weights: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, bool]:
        n_classes, width = weights.shape
        _, p = self._residuals(weights)
        shape = p[:, :, None] * (np.eye(n_classes) - p[:, None, :]) * kept[:, None, None]
        Z1 = self._Z1
        pairs = (Z1[:, :, None] * Z1[:, None, :]).reshape(len(Z1), -1)
        H = (shape.reshape(len(Z1), -1).T @ pairs).reshape(n_classes, n_classes, width, width)
        H = H.transpose(0, 2, 1, 3).reshape(weights.size, weights.size)
        return cho_factor(H + self.penalty * np.eye(len(H)))

    @cached_property
    def _factor(self) -> tuple[np.ndarray, bool]:
        return self._curvature(self.weights, np.ones(len(self.Z)))

    def _minimised(self, kept: np.ndarray, new_curvature: bool = False) -> FittedHead:
        """Return the head at the minimum over the rows that are kept, from these weights."""
        Z1, one = self._Z1, np.eye(len(self.weights))[self.y]
        weights, factor, before = self.weights, None if new_curvature else self._factor, np.inf
        for _ in range(200):
            losses, p = self._residuals(weights)
            value = kept @ losses + self.penalty / 2 * np.sum(weights**2)
            gradient = (kept[:, None] * (p - one)).T @ Z1 + self.penalty * weights
            size = np.abs(gradient).max()
            if size < 1e-9 * max(1.0, np.abs(Z1).max()):
                break
            if factor is None or size > before / 4:  # the old curvature leads too slowly
                factor = self._curvature(weights, kept)
            before, step = size, cho_solve(factor, gradient.ravel()).reshape(weights.shape)
            for length in 0.5 ** np.arange(30):
                new = weights - length * step
                now = kept @ self._residuals(new)[0] + self.penalty / 2 * np.sum(new**2)
                if now <= value + 1e-12 * abs(value):  # no worse than rounding
                    break
            weights = new
        return FittedHead(weights, self.Z, self.y, self.penalty)


def _with_one(Z: np.ndarray) -> np.ndarray:
    return np.column_stack([Z, np.ones(len(Z))])
