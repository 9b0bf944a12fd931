"""Tests that ask for at least m of n conditions, and a search for a good one.

Explained in the chapter *trees*.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from sklearn.tree import DecisionTreeClassifier

__all__ = ["Test", "best_test"]


class Test(NamedTuple):
    """At least `m` of the conditions hold; each is a feature, a threshold, and whether above it."""

    m: int
    conditions: tuple[tuple[int, float, bool], ...]

    def holds(self, X: np.ndarray) -> np.ndarray:
        """Return for each row whether the test holds, bool of shape (n_rows,)."""
        return sum((X[:, j] > t) == above for j, t, above in self.conditions) >= self.m

    def text(self, names: Sequence[str], digits: int = 3) -> str:
        """Return the test in words, such as ``"2 of (age > 3, fee <= 1, debt > 9)"``."""
        each = [f"{names[j]} {'>' if above else '<='} {t:.{digits}g}" for j, t, above in self[1]]
        return each[0] if len(each) == 1 else f"{self.m} of ({', '.join(each)})"


def best_test(X: np.ndarray, y: np.ndarray, n_conditions: int = 1) -> Test | None:
    """Return the m-of-n test that hill climbing finds, or None where none gains 0.01 bits.

    It begins with the condition that gains most, and then adds one condition after another, with
    the same `m` or with one more, while that gains 0.01 bits.

    Parameters
    ----------
    X : ndarray, shape (n_rows, n_features)
    y : ndarray of int, shape (n_rows,)
        Class numbers.
    n_conditions : int
        Most conditions.

    Notes
    -----
    Craven and Shavlik (1996), who search with a beam of two. Explained in the chapter *trees*.
    """
    stumps = [DecisionTreeClassifier(criterion="entropy", max_depth=1) for _ in X.T]
    stumps = [stump.fit(X[:, [j]], y).tree_ for j, stump in enumerate(stumps)]
    splits = [(j, s.threshold[0]) for j, s in enumerate(stumps) if s.node_count > 1]
    each = [(j, float(threshold), above) for j, threshold in splits for above in (True, False)]
    best, least, tests = None, 0.01, [Test(1, (condition,)) for condition in each]
    while tests:
        gains = np.round([_gain(test.holds(X), y) for test in tests], 9)
        if gains.max() < least:
            break
        best, least = tests[gains.argmax()], gains.max() + 0.01
        taken = {j for j, *_ in best.conditions}
        free = [c for c in each if c[0] not in taken and len(taken) < n_conditions]
        tests = [Test(m, (*best.conditions, c)) for c in free for m in (best.m, best.m + 1)]
    return best


def _gain(holds: np.ndarray, y: np.ndarray) -> float:
    after = sum(len(part) * _entropy(part) for part in (y[holds], y[~holds]))
    return _entropy(y) - after / len(y)


def _entropy(y: np.ndarray) -> float:
    shares = np.unique(y, return_counts=True)[1] / max(1, len(y))
    return -float(shares @ np.log2(shares))
