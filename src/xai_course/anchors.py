"""Anchors: rules that hold one decision in place, found by a search with bounds.

Explained in the chapter *anchors-and-local-rules*.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import rel_entr

from xai_course._validation import check_array, check_number, check_whole
from xai_course.rules import Rule

__all__ = ["Anchor", "TableConditions", "find_anchor", "kl_bounds"]

Chosen = tuple[int, ...]


# --- anchors --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Anchor:
    """Conditions that hold a decision in place.

    Attributes
    ----------
    chosen : tuple of int
        The numbers of the conditions; none if the decision is nearly always the same.
    precision : float
        The share of the inputs drawn under the conditions that got the decision.
    low, high : float
        Bounds of the true precision; they hold at every look, see `find_anchor`.
    coverage : float
        The share of the rows of `holds` on which all conditions hold.
    n_asked : int
        How many inputs the whole search has shown to the model.
    certified : bool
        Whether `low` reaches the threshold. If no set of conditions was certified, this is the one
        with the highest lower bound.
    """

    chosen: tuple[int, ...]
    precision: float
    low: float
    high: float
    coverage: float
    n_asked: int
    certified: bool


def kl_bounds(share: ArrayLike, n: ArrayLike, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and the highest chance that a share of successes does not contradict.

    Parameters
    ----------
    share : array_like
        The observed share, from 0 to 1.
    n : array_like
        How many were observed, at least 1.
    level : float
        Chances ``q`` are kept while ``n * KL(share, q) <= level``, where KL is the divergence of
        two coins. A larger level gives wider bounds.

    Returns
    -------
    low, high : ndarray of float64
        To about 1e-6.

    Notes
    -----
    Kaufmann and Kalyanakrishnan (2013), section 2, as used by Ribeiro et al. (2018). Explained in
    the chapter *anchors-and-local-rules*.

    Examples
    --------
    >>> low, high = kl_bounds(1.0, 100, 3.0)  # the lower one is exp(-3 / 100)
    >>> float(low.round(4)), float(high)
    (0.9704, 1.0)
    """
    share, n = np.broadcast_arrays(np.asarray(share, dtype=float), n)
    return _end(share, n, level, 0.0), _end(share, n, level, 1.0)


def _end(share: np.ndarray, n: np.ndarray, level: float, end: float) -> np.ndarray:
    """Return the chance nearest to 0 or to 1 that is kept."""
    inside, outside = share.copy(), np.full(share.shape, end)
    for _ in range(20):
        middle = (inside + outside) / 2
        kept = n * _divergence(share, middle) <= level
        inside, outside = np.where(kept, middle, inside), np.where(kept, outside, middle)
    return np.where(n * _divergence(share, end) <= level, end, inside)


def _divergence(p: np.ndarray, q: np.ndarray | float) -> np.ndarray:
    return rel_entr(p, q) + rel_entr(1 - p, 1 - q)


class _Search:
    """What has been asked so far, and the bounds that follow."""

    def __init__(self, agrees: Callable[[Chosen, int], int], batch: int, delta: float) -> None:
        self.agrees, self.batch, self.delta = agrees, batch, delta
        self.hits: dict[Chosen, int] = {}
        self.asked: dict[Chosen, int] = {}

    def ask(self, chosen: Chosen) -> None:
        self.hits[chosen] = self.hits.get(chosen, 0) + int(self.agrees(chosen, self.batch))
        self.asked[chosen] = self.asked.get(chosen, 0) + self.batch

    def shares(self, sets: list[Chosen]) -> tuple[np.ndarray, np.ndarray]:
        n = np.array([self.asked[s] for s in sets])
        return np.array([self.hits[s] for s in sets]) / n, n

    def level(self, n_sets: int, look: int) -> float:
        """Return the exploration rate of Kaufmann and Kalyanakrishnan, for all looks together."""
        rate = np.log(405.5 * n_sets * look**1.1 / self.delta)
        return float(rate + np.log(rate))

    def best(self, sets: list[Chosen], n_best: int, tolerance: float) -> list[Chosen]:
        """Return the sets of highest precision, up to a tolerance: KL-LUCB."""
        for chosen in sets:
            self.ask(chosen)
        look = 1
        while n_best < len(sets):
            share, n = self.shares(sets)
            top, rest = np.split(np.argsort(-share, kind="stable"), [n_best])
            low = _end(share[top], n[top], self.level(len(sets), look), 0.0)
            high = _end(share[rest], n[rest], self.level(len(sets), look), 1.0)
            if high.max() - low.min() <= tolerance:
                return [sets[i] for i in top]
            self.ask(sets[top[low.argmin()]])
            self.ask(sets[rest[high.argmax()]])
            look += 1
        return sets

    def settle(self, chosen: Chosen, threshold: float, n_sets: int, patience: int) -> np.ndarray:
        """Ask until the bounds lie on one side of the threshold; return share, low and high."""
        while True:
            share, n = self.shares([chosen])
            low, high = kl_bounds(share, n, self.level(n_sets, int(n[0]) // self.batch))
            if not low < threshold <= high or n >= patience:
                return np.concatenate([share, low, high])
            self.ask(chosen)


def find_anchor(
    agrees: Callable[[Chosen, int], int],
    holds: ArrayLike,
    *,
    threshold: float = 0.95,
    delta: float = 0.1,
    tolerance: float = 0.15,
    beam: int = 4,
    batch: int = 100,
    patience: int = 10_000,
) -> Anchor:
    """Search for conditions that, very probably, hold a decision in place and cover much.

    Parameters
    ----------
    agrees : callable
        ``agrees(chosen, n)`` draws ``n`` inputs on which the conditions ``chosen``, a tuple of
        numbers, hold, and returns how many of them get the decision that is to be explained.
    holds : array_like of bool, shape (n_rows, n_conditions)
        On which of some inputs, drawn without a condition, each condition holds.
    threshold : float
        The precision that is wanted, between 0 and 1.
    delta : float
        The chance of an error that is allowed in the comparisons of one size, and in all
        certificates together.
    tolerance : float
        How much worse than the best the sets in the beam may be.
    beam : int
        How many sets are kept from one size to the next.
    batch : int
        How many inputs are drawn at a time.
    patience : int
        A set is given up if so many draws have not decided it.

    Returns
    -------
    Anchor

    Raises
    ------
    TypeError, ValueError
        If an argument is out of its range.

    Notes
    -----
    Ribeiro et al. (2018), Algorithms 1 and 2. A set is certified if its lower bound reaches the
    threshold; the bounds are wide enough to be looked at after each batch. Sets that hold on no row
    of `holds`, on the same rows as a smaller one, or on no more rows than a certified one, are left
    out. The beam keeps the sets of highest precision, so the conditions of largest coverage may be
    missed. Explained in the chapter *anchors-and-local-rules*.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(size=(1000, 2))
    >>> conditions = TableConditions(X, [0.9, 0.5])  # to be explained: the first feature is large
    >>> agrees = lambda chosen, n: int((conditions.draw(chosen, n, rng)[:, 0] > 0.5).sum())
    >>> anchor = find_anchor(agrees, conditions.holds(X))
    >>> print(conditions.rule(anchor.chosen, "large"))
    if x0 > 0.5189 then large
    """
    rows = check_array(holds, "holds", 2).astype(bool)
    threshold = check_number(threshold, "threshold", above=0, below=1)
    delta = check_number(delta, "delta", above=0, below=1)
    beam, batch = check_whole(beam, "beam", 1), check_whole(batch, "batch", 1)
    search, n_sets = _Search(agrees, batch, delta), 1 + beam * rows.shape[1]
    found: dict[Chosen, tuple[bool, float, np.ndarray]] = {}
    candidates: list[Chosen] = [()]
    while candidates:
        top = search.best(candidates, min(beam, len(candidates)), tolerance)
        for chosen in top:
            bounds = search.settle(chosen, threshold, n_sets, patience)
            found[chosen] = bool(bounds[1] >= threshold), _coverage(rows, chosen), bounds
        covered = max((covered for sure, covered, _ in found.values() if sure), default=0.0)
        candidates = _one_more(top, rows, covered)
    # The certified one that covers most; without any, the one with the highest lower bound.
    chosen = max(found, key=lambda s: (found[s][0], found[s][0] and found[s][1], found[s][2][1]))
    sure, covered, bounds = found[chosen]
    return Anchor(chosen, *map(float, bounds), covered, sum(search.asked.values()), sure)


def _coverage(rows: np.ndarray, chosen: Chosen) -> float:
    return float(rows[:, chosen].all(axis=1).mean())


def _one_more(sets: list[Chosen], rows: np.ndarray, least: float) -> list[Chosen]:
    """Return the sets with one more condition that cover less, but more than `least`."""
    larger: dict[Chosen, None] = {}
    for chosen in sets:
        before = _coverage(rows, chosen)
        for k in range(rows.shape[1]):
            new = tuple(sorted({*chosen, k}))
            if least < _coverage(rows, new) < before:
                larger[new] = None
    return list(larger)


# --- rows of a table ------------------------------------------------------------------------------


class TableConditions:
    """The bounds at quantiles that hold for one row, and rows drawn under some of them.

    Parameters
    ----------
    X : array_like, shape (n_rows, n_features)
        Rows to draw from, such as the training rows.
    x : array_like, shape (n_features,)
        The row to explain.
    n_bins : int
        Each feature is cut at its quantiles into so many bins, four for quartiles.

    Notes
    -----
    What is drawn is a row of `X`; a bounded feature that lies outside its bounds gets another row's
    value from inside, as in the program of Ribeiro et al. (2018), or that of `x` if no row has one.
    Explained in the chapter *anchors-and-local-rules*.
    """

    def __init__(self, X: ArrayLike, x: ArrayLike, n_bins: int = 4) -> None:
        self.X, self.x = check_array(X, "X", 2), check_array(x, "x", 1)
        if self.X.shape[1:] != self.x.shape or not len(self.X):
            raise ValueError(
                f"X must hold rows like x, with {len(self.x)} features, got shape {self.X.shape}."
            )
        levels = np.arange(1, check_whole(n_bins, "n_bins", 2)) / n_bins
        sides = []
        for k, column in enumerate(self.X.T):
            cuts = np.unique(np.quantile(column, levels))
            for cut in cuts[cuts < column.max()]:
                below = self.x[k] <= cut
                sides.append((k, -np.inf if below else cut, cut if below else np.inf))
        self.sides = sides

    def rule(self, chosen: Sequence[int], label: object) -> Rule:
        """Return some of the conditions as one rule."""
        low, high = np.full(len(self.x), -np.inf), np.full(len(self.x), np.inf)
        for k, above, below in (self.sides[i] for i in chosen):
            low[k], high[k] = max(low[k], above), min(high[k], below)
        return Rule(low, high, label)

    def holds(self, X: ArrayLike) -> np.ndarray:
        """Return on which rows each condition holds, bool of shape (n_rows, n_conditions)."""
        covers = [self.rule([i], None).covers(X) for i in range(len(self.sides))]
        return np.array(covers).reshape(len(self.sides), -1).T

    def draw(self, chosen: Sequence[int], n: int, rng: np.random.Generator) -> np.ndarray:
        """Return `n` rows on which the chosen conditions hold."""
        rule = self.rule(chosen, None)
        rows = self.X[rng.integers(len(self.X), size=n)]
        for k in {self.sides[i][0] for i in chosen}:
            low, high = rule.low[k], rule.high[k]
            inside = self.X[(low < self.X[:, k]) & (self.X[:, k] <= high), k]
            outside = ~((low < rows[:, k]) & (rows[:, k] <= high))
            values = inside if len(inside) else self.x[k : k + 1]
            rows[outside, k] = rng.choice(values, outside.sum())
        return rows
