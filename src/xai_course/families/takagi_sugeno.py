"""Takagi-Sugeno rules: fuzzy conditions and linear conclusions, learnt as in ANFIS."""

from __future__ import annotations

from itertools import product
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import validate_data

from xai_course._validation import check_choice, check_number, check_rows, check_whole
from xai_course.families.anfis import even_sets, hybrid, shares

__all__ = ["TakagiSugenoRegressor"]

MOST = 2000  # columns of the least squares: more take minutes


class TakagiSugenoRegressor(RegressorMixin, BaseEstimator):
    """Rules *if x1 is low and x2 is high then y = a linear function of x*, mixed by degree.

    Each input has a few fuzzy sets, and there is a rule for each combination of them. At the start
    the sets stand evenly over the range of the rows, and neighbours cross at one half.

    Parameters
    ----------
    n_sets : int
        Fuzzy sets of each input: ``n_sets ** n_features`` rules.
    membership : {"gaussian", "bell"}
        ``2 ** -((x - c) / w) ** 2``, or Jang's ``1 / (1 + |(x - c) / w| ** (2 b))``, b starting
        at 2. Either is one half at the distance w from c.
    order : {0, 1}
        What stands behind a rule: a number, or a linear function.
    n_epochs : int
        Steps of the hybrid learning; 0 leaves the conditions where they start.
    step : float
        Length of the first step in the space of c, w and b, so in the units of the inputs.

    Attributes
    ----------
    centers_, widths_, shapes_ : ndarray of float64, shape (n_features, n_sets)
        Of the memberships; `shapes_` holds b.
    index_ : ndarray of int64, shape (n_rules, n_features)
        Which set of each input a rule names.
    consequents_ : ndarray of float64, shape (n_rules, 1) or (n_rules, n_features + 1)
        The constant behind each rule, then the coefficients.
    errors_ : ndarray of float64, shape (n_epochs + 1,)
        Root mean squared error on the rows of `fit`, before each step and at the end.

    Raises
    ------
    TypeError, ValueError
        If an option or a row is not accepted, or there would be too many rules.

    Notes
    -----
    Takagi and Sugeno (1985). Hybrid learning as in Jang (1993): in each epoch least squares for
    the consequents, then a gradient step of given length for the conditions; the length grows by a
    tenth after four falls of the error, and shrinks by a tenth after two turns. Here the least
    squares are solved at once, with a ridge of 1e-6, and not row by row.

    Explained in the chapter *fuzzy-rules*.

    Examples
    --------
    >>> X = np.linspace(-2, 2, 50)[:, None]
    >>> model = TakagiSugenoRegressor(n_sets=2, n_epochs=50).fit(X, X[:, 0] ** 2)
    >>> model.score(X, X[:, 0] ** 2) > 0.99
    True
    """

    def __init__(
        self,
        n_sets: int = 2,
        membership: str = "gaussian",
        order: int = 1,
        n_epochs: int = 100,
        step: float = 0.1,
    ) -> None:
        self.n_sets = n_sets
        self.membership = membership
        self.order = order
        self.n_epochs = n_epochs
        self.step = step

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fit the rules to rows (n_rows, n_features) and numbers (n_rows,)."""
        check_whole(self.n_sets, "n_sets", 2)
        check_whole(self.n_epochs, "n_epochs", 0)
        check_choice(self.membership, "membership", ("gaussian", "bell"))
        check_whole(self.order, "order", 0, 1)
        check_number(self.step, "step", above=0)
        _, y = validate_data(self, X, y, y_numeric=True)
        X = check_rows(self, X)
        n_rules = self.n_sets ** X.shape[1]
        if (size := n_rules * (1 + self.order * X.shape[1])) > MOST:
            raise ValueError(
                f"{self.n_sets} sets for {X.shape[1]} features make {n_rules} rules with {size} "
                f"numbers; accepted: up to {MOST}. Take fewer features or sets."
            )
        self.index_ = np.array(list(product(range(self.n_sets), repeat=X.shape[1])))
        inputs = np.column_stack([np.ones(len(X)), X])[:, : 1 + self.order * X.shape[1]]
        conditions = even_sets(X, self.n_sets)
        how = self.n_epochs, self.step, self.membership
        learnt, found, self.errors_ = hybrid(conditions, self.index_, X, inputs, y, *how)
        self.centers_, self.widths_, self.shapes_ = learnt
        self.consequents_ = found.reshape(n_rules, -1)
        return self

    def explain(self, X: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Return each rule's share in the answer, and what it would answer alone.

        Both have the shape (n_rows, n_rules); the shares of a row add up to 1.
        """
        X = check_rows(self, X)
        conditions = self.centers_, self.widths_, self.shapes_
        says = np.column_stack([np.ones(len(X)), X])[:, : self.consequents_.shape[1]]
        return shares(conditions, self.index_, X, self.membership), says @ self.consequents_.T

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the mean of what the rules say, weighted by their shares, (n_rows,)."""
        parts, says = self.explain(X)
        return (parts * says).sum(axis=1)
