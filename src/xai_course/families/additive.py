"""An additive model: one curve for each feature, grown by boosting stumps."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.utils.validation import check_is_fitted, validate_data

__all__ = ["AdditiveRegressor"]


class AdditiveRegressor(RegressorMixin, BaseEstimator):
    """A constant plus one curve for each feature, which are stairs.

    Parameters
    ----------
    n_rounds : int
        Number of stumps: each is a step of one curve.
    rate : float
        Every step is made so much smaller than the least squares would have it.
    random_state : int
        Decides between features that are equally good.

    Attributes
    ----------
    base_ : float
        The mean prediction over the rows of `fit`.
    steps_ : list of (ndarray, ndarray)
        For each feature the places of its steps, increasing, shape (n_steps,), and the curve's
        values on the n_steps + 1 intervals between them; a place belongs to the interval on its
        left. Each curve has mean zero over the rows of `fit`.

    Raises
    ------
    ValueError
        If the rows or the targets are not finite numbers, or an option is not accepted.

    Notes
    -----
    Gradient boosting of Friedman (2001) with trees of two leaves. Tan et al. (2018) train such
    models, and splines, on the answers of a network.

    Explained in the chapter *distilled-proxies*.

    Examples
    --------
    >>> X = np.random.default_rng(0).uniform(-1, 1, size=(500, 2))
    >>> y = X[:, 0] ** 2 + abs(X[:, 1])
    >>> AdditiveRegressor().fit(X, y).score(X, y) > 0.95
    True
    """

    def __init__(self, n_rounds: int = 200, rate: float = 0.1, random_state: int = 0) -> None:
        self.n_rounds, self.rate, self.random_state = n_rounds, rate, random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Grow the curves on rows (n_rows, n_features) and targets (n_rows,)."""
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        how = {"n_estimators": self.n_rounds, "learning_rate": self.rate, "max_depth": 1}
        boosted = GradientBoostingRegressor(**how, random_state=self.random_state).fit(X, y)
        found: list[dict[float, float]] = [{} for _ in X.T]
        left = np.zeros(X.shape[1])
        for stump in boosted.estimators_[:, 0]:
            if stump.tree_.node_count == 3:
                j, place = stump.tree_.feature[0], float(stump.tree_.threshold[0])
                low, high = self.rate * stump.tree_.value[1:, 0, 0]
                found[j][place] = found[j].get(place, 0.0) + high - low
                left[j] += low
        self.steps_ = []
        for j, steps in enumerate(found):
            values = left[j] + np.append(0.0, np.cumsum([steps[t] for t in sorted(steps)]))
            self.steps_.append((np.array(sorted(steps)), values))
        means = self._terms(X).mean(axis=0)
        self.steps_ = [(t, v - m) for (t, v), m in zip(self.steps_, means, strict=True)]
        self.base_ = float(boosted.predict(X).mean())
        return self

    def _terms(self, X: np.ndarray) -> np.ndarray:
        X = X.astype(np.float32)  # scikit-learn's trees round, too
        columns = zip(X.T, self.steps_, strict=True)
        return np.column_stack([v[np.searchsorted(t, column)] for column, (t, v) in columns])

    def contributions(self, X: ArrayLike) -> np.ndarray:
        """Return the height of each curve at each row, shape (n_rows, n_features)."""
        check_is_fitted(self)
        return self._terms(validate_data(self, X, dtype=np.float64, reset=False))

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the base plus all contributions, shape (n_rows,)."""
        terms = self.contributions(X)
        return self.base_ + terms.sum(axis=1)
