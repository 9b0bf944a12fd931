"""A decision set: a few rules, each true by itself, chosen by what they cover, miss and cost.

Explained in the chapter *distilled-proxies*.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import check_is_fitted

from xai_course._validation import check_array, check_number, check_whole
from xai_course.rules import Rule, RuleList

__all__ = ["DecisionSet", "candidates"]


def candidates(X: np.ndarray, n_cuts: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the bounds of all rules with one or two conditions at quantiles of two features."""
    free = np.full(X.shape[1], np.inf)
    single = []
    for j, cuts in enumerate(np.quantile(X, np.arange(1, n_cuts + 1) / (n_cuts + 1), axis=0).T):
        for cut in np.unique(cuts[cuts < X[:, j].max()]):
            below, above = free.copy(), -free
            below[j], above[j] = cut, cut
            single += [(j, -free, below), (j, above, free)]
    yield from ((low, high) for _, low, high in single)
    for (i, low, high), (j, lower, upper) in combinations(single, 2):
        if i != j:
            yield np.maximum(low, lower), np.minimum(high, upper)


class DecisionSet(BaseEstimator):
    """Rules of at most two conditions, added one by one while the next is worth its price.

    Parameters
    ----------
    n_rules : int
        Most rules.
    n_cuts : int
        Conditions stand at so many quantiles of each feature.
    wrong, price : float
        What a disagreement costs, and each condition in per cent of the rows. A newly covered row
        gains 1, and a row that another rule covers already costs 1 for each such rule.

    Attributes
    ----------
    rules_ : RuleList
        In the order of choice. Rows that no rule covers get the default: what most of them have.

    Raises
    ------
    TypeError, ValueError
        In `fit`, if an option is not accepted, or rows or probabilities are not as described.
    sklearn.exceptions.NotFittedError
        In `predict`, before `fit`.

    Notes
    -----
    After Lakkaraju et al. (2017), simplified: one level of rules, all pairs of conditions instead
    of frequent ones, and greedy choice instead of smooth local search.

    Explained in the chapter *distilled-proxies*.

    Examples
    --------
    >>> X = np.random.default_rng(0).uniform(size=(500, 2))
    >>> model = DecisionSet(n_rules=1).fit(X, (X[:, 0] > 0.6).astype(float))
    >>> model.predict([[0.1, 0.5], [0.9, 0.5]])
    array([0, 1])
    """

    def __init__(
        self, n_rules: int = 6, n_cuts: int = 4, wrong: float = 3.0, price: float = 0.5
    ) -> None:
        self.n_rules, self.n_cuts, self.wrong, self.price = n_rules, n_cuts, wrong, price

    def fit(self, X: ArrayLike, p: ArrayLike) -> Self:
        """Choose rules on rows (n_rows, n_features) and probabilities (n_rows,) of class 1."""
        for name in ("n_rules", "n_cuts"):
            check_whole(getattr(self, name), name, 1)
        for name in ("wrong", "price"):
            check_number(getattr(self, name), name, least=0)
        X, p = check_array(X, "X", 2), check_array(p, "p", 1)
        check_consistent_length(X, p)
        if (p < 0).any() or (p > 1).any():
            raise ValueError(f"p must be probabilities, got {p.min():g} to {p.max():g}.")
        bounds = list(candidates(X, self.n_cuts))
        covers = np.array([((low < X) & (high >= X)).all(axis=1) for low, high in bounds])
        covers = covers.astype(np.float32)
        miss = np.array([p, 1 - p], dtype=np.float32) @ covers.T  # when class 0, class 1 is said
        n_conditions = [np.isfinite(b).sum() for b in bounds]
        cost = self.wrong * miss.min(axis=0) + self.price * len(X) / 100 * np.array(n_conditions)
        often, chosen = np.zeros(len(X), dtype=np.float32), []
        while len(chosen) < self.n_rules:
            gain = np.round(covers @ (1.0 * (often == 0) - often) - cost, 3)
            best = int(gain.argmax())
            if gain[best] <= 0:
                break
            chosen.append(Rule(*bounds[best], int(miss[:, best].argmin())))
            often += covers[best]
        rest = p[often == 0] if (often == 0).any() else p
        self.rules_ = RuleList(tuple(chosen), int(rest.mean() > 0.5))
        return self

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the class of each row, shape (n_rows,): that of the first rule that covers it."""
        check_is_fitted(self)
        return self.rules_.predict(X)
