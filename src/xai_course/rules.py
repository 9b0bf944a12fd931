"""Rules that bound single features: one rule, an ordered list of rules, the rules of a tree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import is_classifier
from sklearn.tree import BaseDecisionTree
from sklearn.utils.validation import check_is_fitted

from xai_course._validation import check_array

__all__ = ["Rule", "RuleList", "rules_of_tree"]


@dataclass(frozen=True, eq=False)
class Rule:
    """If every feature lies in its interval, then the label.

    Attributes
    ----------
    low, high : ndarray of float64, shape (n_features,)
        The rule covers the rows with ``low < x <= high``, as a decision tree splits; -inf and inf
        leave a feature free.
    label : object
        What the rule decides: a class, or a number.

    Raises
    ------
    ValueError
        If the bounds are not two vectors of one length, one of them is NaN, or an interval is
        empty; the message names the feature.

    Notes
    -----
    Explained in the chapter *anchors-and-local-rules*.

    Examples
    --------
    >>> rule = Rule([-np.inf, 2.0], [1.5, np.inf], "benign")
    >>> print(rule)
    if x0 <= 1.5 and x1 > 2 then benign
    >>> rule.covers([[1.5, 3.0], [1.5, 2.0]])
    array([ True, False])
    """

    low: np.ndarray
    high: np.ndarray
    label: Any

    def __post_init__(self) -> None:
        low, high = (np.array(bound, dtype=np.float64) for bound in (self.low, self.high))
        if low.ndim != 1 or low.shape != high.shape:
            raise ValueError(
                f"low and high must be two vectors of one length, got shapes {low.shape} and "
                f"{high.shape}."
            )
        empty = ~(low < high)
        if empty.any():
            k = int(empty.argmax())
            raise ValueError(
                f"low must be below high in every feature; feature {k} has {low[k]:g} and "
                f"{high[k]:g}."
            )
        for name, bound in (("low", low), ("high", high)):
            bound.flags.writeable = False
            object.__setattr__(self, name, bound)

    @property
    def n_conditions(self) -> int:
        """How many bounds the rule has; an interval with two ends counts twice."""
        return int(np.isfinite(self.low).sum() + np.isfinite(self.high).sum())

    def covers(self, X: ArrayLike) -> np.ndarray:
        """Return which rows the rule speaks about, bool of shape (n_rows,).

        Raises
        ------
        TypeError, ValueError
            If the rows are not finite numbers, or have another number of features.
        """
        rows = check_array(X, "X", 2)
        if rows.shape[1] != len(self.low):
            raise ValueError(f"X must have {len(self.low)} features, got {rows.shape[1]}.")
        return ((self.low < rows) & (rows <= self.high)).all(axis=1)

    def coverage(self, X: ArrayLike) -> float:
        """Return the share of the rows that the rule covers."""
        return float(self.covers(X).mean())

    def precision(self, X: ArrayLike, decisions: ArrayLike) -> float:
        """Return the share of the covered rows whose decision is the rule's label.

        Parameters
        ----------
        X : array_like, shape (n_rows, n_features)
        decisions : array_like, shape (n_rows,)
            What the network decides about the rows, or their true classes.

        Returns
        -------
        float
            NaN if the rule covers no row.
        """
        covered, found = self.covers(X), np.asarray(decisions)
        if found.shape != covered.shape:
            raise ValueError(
                f"decisions must have shape {covered.shape}, one for each row, got {found.shape}."
            )
        return float((found[covered] == self.label).mean()) if covered.any() else float("nan")

    def conditions(self, names: Sequence[str] | None = None, digits: int = 4) -> list[str]:
        """Return the conditions as text, such as ``"1.2 < age <= 3"``, with `digits` digits."""
        names = [f"x{k}" for k in range(len(self.low))] if names is None else names
        if len(names) != len(self.low):
            raise ValueError(f"names must hold {len(self.low)} names, got {len(names)}.")
        texts = []
        for name, low, high in zip(names, self.low, self.high, strict=True):
            above, below = f"{low:.{digits}g}", f"{high:.{digits}g}"
            if np.isfinite(low) and np.isfinite(high):
                texts.append(f"{above} < {name} <= {below}")
            elif np.isfinite(low):
                texts.append(f"{name} > {above}")
            elif np.isfinite(high):
                texts.append(f"{name} <= {below}")
        return texts

    def text(self, names: Sequence[str] | None = None, digits: int = 4) -> str:
        """Return the rule as one line; ``str(rule)`` calls the features x0, x1, ..."""
        conditions = " and ".join(self.conditions(names, digits)) or "anything"
        return f"if {conditions} then {self.label}"

    def __str__(self) -> str:
        return self.text()


@dataclass(frozen=True, eq=False)
class RuleList:
    """Rules in order: the first one that covers a row decides, `default` if none does.

    Attributes
    ----------
    rules : tuple of Rule
    default : object
        The label of rows that no rule covers.

    Raises
    ------
    ValueError
        If the rules have different numbers of features.

    Notes
    -----
    Explained in the chapter *rules*.

    Examples
    --------
    >>> short = Rule((-np.inf,), (2.0,), "short")
    >>> rules = RuleList((short,), default="long")
    >>> rules.predict([[1.0], [3.0]]).tolist()
    ['short', 'long']
    """

    rules: tuple[Rule, ...]
    default: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "rules", tuple(self.rules))
        widths = sorted({len(rule.low) for rule in self.rules})
        if len(widths) > 1:
            raise ValueError(f"All rules must have the same features, got rules of {widths}.")

    def __len__(self) -> int:
        return len(self.rules)

    def __iter__(self) -> Iterator[Rule]:
        return iter(self.rules)

    def __getitem__(self, number: int) -> Rule:
        return self.rules[number]

    def _covers(self, X: ArrayLike) -> np.ndarray:
        none = np.zeros((0, len(check_array(X, "X", 2))), dtype=bool)
        return np.array([rule.covers(X) for rule in self.rules]) if self.rules else none

    def which(self, X: ArrayLike) -> np.ndarray:
        """Return the number of the rule that decides each row, int64; -1 where none covers it."""
        covers = self._covers(X)
        never = np.ones((1, covers.shape[1]), dtype=bool)  # so that there is a first one
        first = np.concatenate([covers, never]).argmax(axis=0)
        return np.where(first == len(self), -1, first)

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the label of each row, shape (n_rows,)."""
        which = self.which(X)
        # The default may be of another kind, such as None among numbers.
        default = [self.default] if (which == -1).any() else []
        return np.array([*(rule.label for rule in self.rules), *default])[which]

    def uncovered(self, X: ArrayLike) -> float:
        """Return the share of the rows that no rule covers."""
        return float((self.which(X) == -1).mean())

    def conflicts(self, X: ArrayLike) -> float:
        """Return the share of the rows that rules with different labels cover."""
        covers = self._covers(X)
        labels = {rule.label for rule in self.rules}
        spoken = [
            covers[[rule.label == label for rule in self.rules]].any(axis=0) for label in labels
        ]
        return float((np.sum(spoken, axis=0) > 1).mean()) if spoken else 0.0


def rules_of_tree(tree: BaseDecisionTree, labels: Sequence[Any] | None = None) -> RuleList:
    """Return the leaves of a fitted tree as rules, from left to right; no two cover the same row.

    Parameters
    ----------
    tree : DecisionTreeClassifier or DecisionTreeRegressor
        With one output.
    labels : sequence, optional
        Names to use for the tree's classes, in the order of ``tree.classes_``.

    Returns
    -------
    RuleList
        ``predict`` agrees with the tree's on rows of float32, to which scikit-learn's trees round.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If the tree is not fitted.
    ValueError
        If it has several outputs, or `labels` does not name every class.

    Notes
    -----
    Explained in the chapter *trees*.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> tree = DecisionTreeClassifier(max_depth=1).fit([[0.0], [1.0]], [0, 1])
    >>> print(*rules_of_tree(tree, ["low", "high"]), sep="; ")
    if x0 <= 0.5 then low; if x0 > 0.5 then high
    """
    check_is_fitted(tree)
    if tree.n_outputs_ != 1:
        raise ValueError(f"The tree must have one output, got {tree.n_outputs_}.")
    if is_classifier(tree):
        names = list(tree.classes_ if labels is None else labels)
        if len(names) != len(tree.classes_):
            raise ValueError(f"labels must name {len(tree.classes_)} classes, got {len(names)}.")
        values = [names[k] for k in tree.tree_.value[:, 0, :].argmax(axis=1)]
    else:
        values = tree.tree_.value[:, 0, 0].tolist()
    free = np.full(tree.n_features_in_, np.inf)
    return RuleList(tuple(_leaves(tree.tree_, values, 0, -free, free)))


def _leaves(
    nodes: Any, values: list[Any], node: int, low: np.ndarray, high: np.ndarray
) -> Iterator[Rule]:
    left, right = nodes.children_left[node], nodes.children_right[node]
    if left == right:  # both -1: a leaf
        yield Rule(low, high, values[node])
        return
    feature, threshold = nodes.feature[node], nodes.threshold[node]
    below, above = high.copy(), low.copy()
    below[feature], above[feature] = threshold, threshold
    yield from _leaves(nodes, values, left, low, below)
    yield from _leaves(nodes, values, right, above, high)
