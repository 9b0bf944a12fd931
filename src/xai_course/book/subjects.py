"""The three subjects that every chapter explains: one patient, one applicant, one garment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xai_course.data import Dataset, home_lending, load

__all__ = ["Case", "cases"]

_SHIRT, _T_SHIRT = 6, 0


@dataclass(frozen=True, eq=False, repr=False)
class Case:
    """One row of a data set and its story.

    Attributes
    ----------
    name : str
        ``"patient"``, ``"applicant"`` or ``"garment"``.
    dataset : Dataset
        The set that the row belongs to.
    row : int
        Row number in ``dataset.X``; it lies in the test part of the split with seed 0.
    x : ndarray of float64, shape (n_features,)
        The row.
    y : int
        Its true class.
    story : str
        Who or what it is, and the rule that chose it.
    feature_names : list of str
        One name per entry of `x`.
    """

    name: str
    dataset: Dataset
    row: int
    x: np.ndarray
    y: int
    story: str
    feature_names: list[str]

    def __repr__(self) -> str:
        return f"Case({self.name!r}: row {self.row} of {self.dataset.name}, true: {self.label})"

    @property
    def label(self) -> str:
        """The name of the true class."""
        return self.dataset.target_names[self.y]


def cases() -> dict[str, Case]:
    """Return the three running subjects of the book, the same rows in every chapter.

    A rule on the data chooses each, no model and no taste. All three lie in the test part, so no
    network of the book was trained on them, and in the middle of things, where an explanation is
    worth having.

    Returns
    -------
    dict of str to Case
        Keys ``"patient"``, ``"applicant"`` and ``"garment"``, in this order.

    Notes
    -----
    Explained in the chapter *what-is-interpretability*.

    Examples
    --------
    >>> list(cases())
    ['patient', 'applicant', 'garment']
    """
    return {case.name: case for case in (_patient(), _applicant(), _garment())}


def _nearest(candidates: np.ndarray, X: np.ndarray, target: np.ndarray, scale: np.ndarray) -> int:
    distances = np.linalg.norm((X[candidates] - target) / scale, axis=1)
    return int(candidates[np.argmin(distances)])


def _case(name: str, dataset: Dataset, row: int, story: str) -> Case:
    x, y = dataset.X[row].copy(), int(dataset.y[row])
    return Case(name, dataset, row, x, y, story, list(dataset.feature_names))


def _patient() -> Case:
    data = load("breast_cancer")
    train, test = data.split_rows(seed=0)
    X = (data.X - data.X[train].mean(axis=0)) / data.X[train].std(axis=0)
    benign, malignant = (X[train][data.y[train] == label].mean(axis=0) for label in (0, 1))
    way = (X - benign) @ (malignant - benign) / np.sum((malignant - benign) ** 2)
    candidates = test[data.y[test] == 1]
    return _case(
        "patient",
        data,
        int(candidates[np.argmin(np.abs(way[candidates] - 0.5))]),
        "A patient with a malignant breast mass that is hard to tell. Of the test part's malignant "
        "ones, it lies nearest to halfway between the mean benign and the mean malignant mass, "
        "measured along the line between the two, in standard deviations.",
    )


def _applicant() -> Case:
    data = home_lending(seed=0)
    train, test = data.split_rows(seed=0)
    middle = data.truth.segment_names.index("middle")
    segment = data.truth.segment(data.X)
    typical = np.median(data.X[train][segment[train] == middle], axis=0)
    return _case(
        "applicant",
        data,
        _nearest(test[segment[test] == middle], data.X, typical, data.X[train].std(axis=0)),
        "A borrower of middle credit quality. Of the test part, the loan of the middle segment "
        "nearest to that segment's median loan, in standard deviations.",
    )


def _garment() -> Case:
    data = load("fashion_mnist")
    train, test = data.split_rows()
    X, y = data.X[train], data.y[train]
    midpoint = (X[y == _SHIRT].mean(axis=0) + X[y == _T_SHIRT].mean(axis=0)) / 2
    return _case(
        "garment",
        data,
        _nearest(test[data.y[test] == _SHIRT], data.X, midpoint, np.ones(X.shape[1])),
        "A shirt. Of the test part's shirts, the image nearest to the point halfway between the "
        "mean shirt and the mean T-shirt.",
    )
