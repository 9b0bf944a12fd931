"""What every loader and generator returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

__all__ = ["Dataset"]


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """A numeric data set with what is known about it.

    Attributes
    ----------
    name : str
        Name that `xai_course.data.load` accepts, or the generator's name.
    X : ndarray of float64, shape (n_samples, n_features)
        Predictors in their original units; images are rows of pixels in [0, 1], row after row.
        A column with categories takes one 0/1 column per category, named ``column=category``.
    y : ndarray, shape (n_samples,)
        int64 class numbers, or float64 values for regression.
    feature_names : list of str
        One name per column of `X`.
    target_names : list of str
        Name of each class; for regression the one name of the target.
    description : str
        What a row is, what `y` means, and what to beware of.
    source : str
        Where the data come from.
    terms : str
        Terms of use as far as the source states them.
    n_train : int or None
        Rows before it are the official training part. None where there is no official split.
    image_shape : tuple of int or None
        Height and width in pixels, for images.
    table : DataFrame or None
        The predictors before categories were spread over columns; None where `X` says it all.
    truth : object or None
        What generated `y`, for generated sets.
    words : list of str or None
        Each feature in a few words, for tables and pictures; None where `feature_names` will do.
    """

    name: str
    X: np.ndarray
    y: np.ndarray
    feature_names: list[str]
    target_names: list[str]
    description: str
    source: str
    terms: str
    n_train: int | None = None
    image_shape: tuple[int, int] | None = None
    table: pd.DataFrame | None = None
    truth: Any = None
    words: list[str] | None = None

    def __repr__(self) -> str:
        rows, columns = self.X.shape
        parts = f", first {self.n_train} for training" if self.n_train else ""
        return f"Dataset({self.name!r}: {rows} rows, {columns} features, {self.task}{parts})"

    @property
    def task(self) -> str:
        """``"classification"`` or ``"regression"``."""
        return "classification" if self.y.dtype.kind == "i" else "regression"

    @property
    def frame(self) -> pd.DataFrame:
        """The predictors as a table, with categories where the set has them."""
        if self.table is not None:
            return self.table.copy()
        return pd.DataFrame(self.X.copy(), columns=self.feature_names)

    def split_rows(self, seed: int = 0, test_size: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
        """Return the row numbers of the training and the test part.

        Parameters
        ----------
        seed : int
            Seed of the random split. An official split leaves it unused.
        test_size : float
            Share of test rows, in (0, 1). An official split leaves it unused.

        Returns
        -------
        train, test : ndarray of int64
            The official split where there is one; else a random permutation, as in the papers.
        """
        rows = np.arange(len(self.y))
        if self.n_train is not None:
            return rows[: self.n_train], rows[self.n_train :]
        train, test = train_test_split(rows, test_size=test_size, random_state=seed)
        return train, test

    def split(
        self, seed: int = 0, test_size: float = 0.2
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return ``X_train, X_test, y_train, y_test`` of the rows that `split_rows` names."""
        train, test = self.split_rows(seed, test_size)
        return self.X[train], self.X[test], self.y[train], self.y[test]
