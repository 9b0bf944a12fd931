"""TREPAN: a tree that asks a classifier about rows of its own wherever its nodes lack data.

Explained in the chapter *trees*.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from xai_course._validation import check_array, check_whole
from xai_course.families.m_of_n import Test, best_test

__all__ = ["Trepan", "draw_queries"]


Path = tuple[tuple[Test, bool], ...]  # the tests on the way, and their outcomes


class Leaf(NamedTuple):
    """What a leaf decides, on the way of which tests, and from which rows."""

    path: Path
    label: int
    worth: float  # training rows here, times the share of `y` that is decided otherwise
    rows: np.ndarray
    source: np.ndarray  # rows whose marginals the queries come from
    X: np.ndarray  # rows and queries
    y: np.ndarray  # the classifier's answers


class Trepan(BaseEstimator):
    """A tree of m-of-n tests, grown best first on the answers of a classifier.

    Parameters
    ----------
    decide : callable
        Takes rows (n, n_features) and returns class numbers (n,).
    n_splits : int
        Largest number of tests.
    n_queries : int
        What every node has before it is split: its training rows, filled up by drawn ones.
    n_conditions : int
        Most conditions of one test.
    random_state : int

    Attributes
    ----------
    leaves_ : list of Leaf
        From left to right; the side where a test holds comes first.

    Raises
    ------
    TypeError, ValueError
        In `fit`, if an option is not accepted, or the rows are not finite numbers.
    sklearn.exceptions.NotFittedError
        In `predict` and `text`, before `fit`.

    Notes
    -----
    Craven and Shavlik (1996), simplified in three points. Queries are drawn from the marginals and
    thrown away where they violate the path. A test grows by hill climbing (published: with a beam
    of two) as long as it gains 0.01 bits (published: as a statistical test decides). A node has
    marginals of its own from 30 rows on (published: if they differ significantly).

    Explained in the chapter *trees*.

    Examples
    --------
    >>> X = np.random.default_rng(0).uniform(size=(200, 2))
    >>> tree = Trepan(lambda rows: (rows[:, 0] > 0.5).astype(int), n_splits=1).fit(X)
    >>> tree.predict([[0.1, 0.9], [0.9, 0.1]])
    array([0, 1])
    """

    def __init__(
        self,
        decide: Callable[[np.ndarray], np.ndarray],
        n_splits: int = 7,
        n_queries: int = 1000,
        n_conditions: int = 1,
        random_state: int = 0,
    ) -> None:
        self.n_splits, self.n_queries, self.n_conditions = n_splits, n_queries, n_conditions
        self.decide, self.random_state = decide, random_state

    def fit(self, X: ArrayLike) -> Self:
        """Grow the tree on rows (n_rows, n_features), which need no labels."""
        for name, least in (("n_splits", 1), ("n_queries", 2), ("n_conditions", 1)):
            check_whole(getattr(self, name), name, least)
        X, rng = check_array(X, "X", 2), np.random.default_rng(self.random_state)
        self.leaves_ = leaves = [self._leaf((), X, X, rng)]
        while len(leaves) <= self.n_splits and any(leaf.worth for leaf in leaves):
            k = int(np.argmax([leaf.worth for leaf in leaves]))
            leaf, test = leaves[k], best_test(leaves[k].X, leaves[k].y, self.n_conditions)
            leaves[k] = leaf._replace(worth=0.0)
            if test is not None:
                sides = [(leaf.rows[test.holds(leaf.rows) == s], (test, s)) for s in (True, False)]
                leaves[k : k + 1] = [
                    self._leaf((*leaf.path, step), rows, leaf.source, rng) for rows, step in sides
                ]
        return self

    def _leaf(
        self, path: Path, rows: np.ndarray, source: np.ndarray, rng: np.random.Generator
    ) -> Leaf:
        source = rows if len(rows) >= 30 else source
        X = draw_queries(path, source, max(0, self.n_queries - len(rows)), rng)
        X = np.concatenate([rows, X])
        y = np.asarray(self.decide(X)) if len(X) else np.zeros(1, dtype=int)
        counts = np.bincount(y)
        worth = len(rows) * (1 - counts.max() / len(y))
        return Leaf(path, int(counts.argmax()), worth, rows, source, X, y)

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the class number of every row, int64 of shape (n_rows,)."""
        check_is_fitted(self)
        X = check_array(X, "X", 2)
        labels = np.empty(len(X), dtype=np.int64)
        for leaf in self.leaves_:
            labels[_on_path(leaf.path, X)] = leaf.label
        return labels

    def text(self, names: Sequence[str], labels: Sequence[str]) -> str:
        """Return the tree as indented lines."""
        check_is_fitted(self)
        lines, before = [], ()
        for leaf in self.leaves_:
            shared = sum(a == b for a, b in zip(before, leaf.path, strict=False))
            for depth, (test, holds) in list(enumerate(leaf.path))[shared:]:
                lines.append("    " * depth + (f"if {test.text(names)}:" if holds else "else:"))
            lines.append("    " * len(leaf.path) + labels[leaf.label])
            before = leaf.path
        return "\n".join(lines)


def _on_path(path: Path, X: np.ndarray) -> np.ndarray:
    return np.all([np.ones(len(X), bool), *(test.holds(X) == s for test, s in path)], axis=0)


def draw_queries(path: Path, X: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw each feature from its own values in `X`; keep the rows that satisfy a path of tests.

    Returns at most `n` rows, shape (n_found, n_features), fewer where the path is hard to meet.
    A feature with more than ten values gets normal noise, as large as its standard deviation over
    the root of the number of rows.
    """
    many = np.array([len(np.unique(column)) > 10 for column in X.T])
    spread = many * X.std(axis=0) / len(X) ** 0.5
    found, tries = X[:0], 50
    while len(found) < n and (tries := tries - 1):
        new = X[rng.integers(len(X), size=(n, X.shape[1])), np.arange(X.shape[1])]
        new += spread * rng.normal(size=new.shape)
        found = np.concatenate([found, new[_on_path(path, new)]])[:n]
    return found
