"""A partition: rows in parts, with a linear model in each.

The unwrapper's parts are the regions of a network, a merged model's are clusters of regions. Tables
and pictures are the same for both. What depends on the kind of response stands in `Regression` and
`Classification`.

Source: Sudjianto et al. (2020). Explained in the chapters *unwrapping-interpretation* and
*unwrapping-diagnostics*.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from xai_course._validation import check_array, check_labels, check_rows
from xai_course.networks import one_a_class
from xai_course.unwrapping import _scores, plots

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Classification", "Partition", "Regression", "check_response"]


def check_response(y: ArrayLike, n_rows: int) -> np.ndarray:
    """Return one finite number for each row, or raise.

    Not taught: it only checks input.
    """
    y = check_array(y, "y", 1)
    if len(y) != n_rows:
        raise ValueError(f"X has {n_rows} rows, but y has {len(y)}.")
    return y


class Partition(BaseEstimator):
    """What an unwrapped and a merged network share.

    A subclass sets `network_`, `coef_`, `intercept_`, `labels_`, `counts_`, `centers_`, the name of
    its parts `_part`, and the training rows `_X` and `_y`, which tables and pictures are made of.
    """

    def apply(self, X: ArrayLike) -> np.ndarray:
        """Return the part of each row: its region, of a merged model its cluster.

        Parameters
        ----------
        X : array_like or DataFrame, shape (n_samples, n_features)

        Returns
        -------
        ndarray of int64, shape (n_samples,)
            Where no training row had the pattern: -1 for the unwrapper; for a merged model the
            cluster of most of the ``n_neighbors_`` nearest region centres, of the nearest among
            equals. Nothing is added to the fitted object.

        Notes
        -----
        Sudjianto et al. (2020), section 5.1.
        """
        return self._apply(check_rows(self, X))

    @property
    def _names(self) -> list[str]:
        """Return the features' names for tables; x1, x2, ... where the rows had none."""
        numbered = [f"x{j + 1}" for j in range(self.n_features_in_)]
        of_network = getattr(self.network_, "feature_names_in_", numbered)
        return list(getattr(self, "feature_names_in_", of_network))

    # Tables

    def joint_importance(self, intercept: bool = True) -> pd.Series:
        """Return the joint importance of the intercept and of each feature.

        Parameters
        ----------
        intercept : bool
            Whether the intercept is among the shares. It is each local model's value at zero, where
            the network may say otherwise, and zero is a choice: leave it out to compare features.

        Returns
        -------
        Series
            Indexed by ``"intercept"`` and the feature names; not negative; sums to 1. For several
            outputs the squares are summed over the outputs. NaN where all coefficients are zero.

        Notes
        -----
        Sudjianto et al. (2020), eq. 18: squared coefficients weighted by the regions' counts. It
        depends on the units of the features: standardise them first. Explained in the chapter
        *unwrapping-interpretation*.
        """
        check_is_fitted(self)
        squares = np.concatenate([self.intercept_[:, :, None], self.coef_], axis=2) ** 2
        sizes = np.einsum("r,rof->f", self.counts_.astype(float), squares)
        weights = pd.Series(sizes, ["intercept", *self._names], name="importance")
        weights = weights if intercept else weights.iloc[1:]
        return weights / weights.sum()

    def local_linear_profile(
        self, feature: int | str, n_regions: int | None = 30, output: int = 0
    ) -> pd.DataFrame:
        """Return one line per region: the feature's share of the local model, centred.

        Parameters
        ----------
        feature : int or str
            Column number or feature name.
        n_regions : int, optional
            How many of the largest regions (of a merged model: clusters); None for all.
        output : int
            Output of the model.

        Returns
        -------
        DataFrame
            Indexed by region: ``count``, ``slope``, ``center`` (the feature's mean in the region),
            ``low`` and ``high`` (its range there), ``at_low`` and ``at_high`` (the line at its
            ends). The line is ``slope * (x - center)``.

        Notes
        -----
        Sudjianto et al. (2020), Definition 2, eq. 17.
        """
        check_is_fitted(self)
        j = self._feature(feature)
        table = pd.DataFrame(index=pd.RangeIndex(len(self.counts_), name=self._part))
        table["count"] = self.counts_
        table["slope"] = self.coef_[:, output, j]
        table["center"] = self.centers_[:, j]
        of_feature = pd.Series(self._X[:, j]).groupby(self.labels_)
        table[["low", "high"]] = of_feature.agg(["min", "max"])
        for end in ("low", "high"):
            table[f"at_{end}"] = table["slope"] * (table[end] - table["center"])
        return table[:n_regions]

    def _feature(self, feature: int | str) -> int:
        names = self._names
        if isinstance(feature, str) and feature in names:
            return names.index(feature)
        if isinstance(feature, int | np.integer) and -len(names) <= feature < len(names):
            return int(feature) % len(names)
        raise ValueError(
            f"There is no feature {feature!r}; the network has {len(names)}: {', '.join(names)}."
        )

    def _summary(self, n_parts: int | None = None, global_metrics: bool = True) -> pd.DataFrame:
        """Return one row per part: how large, what responses, how good its model is."""
        check_is_fitted(self)
        parts = pd.RangeIndex(len(self.counts_), name=self._part)[:n_parts]
        mean, std = self._response_moments()
        table = pd.DataFrame({"count": self.counts_[parts]}, index=parts)
        table["response_mean"], table["response_std"] = mean[parts], std[parts]
        table[f"local_{self._metric}"] = self._local_metric()[parts]
        if global_metrics:
            table[f"global_{self._metric}"] = self._global_metric(parts)
        return table

    def _mean_in_parts(self, values: np.ndarray) -> np.ndarray:
        return _scores.group_mean(values, self.labels_, len(self.counts_))

    # Pictures

    def plot_importance(
        self, n_features: int = 10, ax: Axes | None = None, *, intercept: bool = True
    ) -> Axes:
        """Draw the joint importance (Sudjianto et al. 2020, Figures 6 and 7, left)."""
        return plots.importance(self.joint_importance(intercept), n_features, ax)

    def plot_profile(
        self,
        feature: int | str,
        n_regions: int | None = 30,
        output: int = 0,
        ax: Axes | None = None,
        *,
        ylabel: str = "share of the output, centred",
    ) -> Axes:
        """Draw the local linear profile of a feature with the rows below (Figures 4 to 7, 14)."""
        slopes = self.local_linear_profile(feature, n_regions, output)["slope"]
        j = self._feature(feature)
        rows = [self._X[self.labels_ == part, j] for part in slopes.index]
        return plots.profile(slopes.to_numpy(), rows, self._names[j], ylabel, ax)

    def plot_models(self, n_regions: int | None = 30, ax: Axes | None = None) -> Axes:
        """Draw the models of the largest regions with their rows (Figures 4, 5, 14, 15 and 18).

        A regression with one input is drawn as it is. With two inputs and two classes, a line is
        where the log-odds are zero; a region whose rows lie all on one side of it has no line.

        Raises
        ------
        ValueError
            If the network has other inputs or classes.
        """
        check_is_fitted(self)
        return plots.models(self, n_regions, ax)


class Regression(RegressorMixin):
    """What a partition with numbers as responses adds."""

    _metric = "mse"
    _n_classes = None

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the predictions, shape (n_samples,)."""
        return self._outputs(X)[:, 0]

    def _check_response(self, y: ArrayLike, n_rows: int) -> np.ndarray:
        n = self.network_.n_outputs
        if n != 1:
            raise ValueError(f"A regression takes a network with 1 output, got {n}.")
        return self._encode(y, n_rows)

    _encode = staticmethod(check_response)

    def _loss(self, outputs: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (outputs[:, 0] - y) ** 2

    def _response_moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation (dividing by the count) of the parts' responses."""
        mean = self._mean_in_parts(self._y)
        return mean, np.sqrt(self._mean_in_parts((self._y - mean[self.labels_]) ** 2))

    def _local_metric(self) -> np.ndarray:
        return self._mean_in_parts(self._loss(self._own_outputs(), self._y))

    def _global_metric(self, parts: np.ndarray) -> np.ndarray:
        return _scores.global_mse(self.coef_[parts, 0], self.intercept_[parts, 0], self._X, self._y)


class Classification(ClassifierMixin):
    """What a partition with labels as responses adds."""

    _metric = "auc"

    @property
    def _n_classes(self) -> int:
        return len(self.classes_)

    def _logits(self, X: ArrayLike) -> np.ndarray:
        return one_a_class(self._outputs(X))

    def decision_function(self, X: ArrayLike) -> np.ndarray:
        """Return the logits: of the second of two classes, shape (n_samples,), else one a class."""
        logits = self._logits(X)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Return the probabilities, shape (n_samples, n_classes)."""
        return softmax(self._logits(X), axis=1)

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the classes as labels, shape (n_samples,); the first of equal logits."""
        best = self._logits(X).argmax(axis=1)  # before the classes are, which wait for `fit`
        return self.classes_[best]

    def _check_response(self, y: ArrayLike, n_rows: int) -> np.ndarray:
        classes, codes = check_labels(y, n_rows)
        expected = max(2, self.network_.n_outputs)
        if len(classes) != expected:
            found = f"{len(classes)} class(es), {', '.join(map(repr, classes.tolist()[:10]))}"
            raise ValueError(f"y holds {found}, but the network tells {expected} apart.")
        self.classes_ = classes
        return codes

    def _encode(self, y: ArrayLike, n_rows: int) -> np.ndarray:
        classes, codes = check_labels(y, n_rows)
        known = self.classes_.tolist()
        for label in classes.tolist():
            if label not in known:
                raise ValueError(f"y holds {label!r}, which is not one of the classes {known}.")
        return np.searchsorted(self.classes_, classes)[codes]

    def _loss(self, outputs: np.ndarray, y: np.ndarray) -> np.ndarray:
        return -log_softmax(one_a_class(outputs), axis=1)[np.arange(len(y)), y]

    def _class_shares(self) -> np.ndarray:
        return self._mean_in_parts((self._y[:, None] == range(len(self.classes_))).astype(float))

    def _response_moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the share of the second of two classes, else of the largest, and its deviation."""
        shares = self._class_shares()
        share = shares[:, 1] if len(self.classes_) == 2 else shares.max(axis=1)
        return share, np.sqrt(share * (1 - share))

    def _ranked(self, outputs: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return the scores and the rows of the class that they rank: the second of two, or each.

        The second axis of `outputs` runs over the outputs.
        """
        if len(self.classes_) > 2:
            return [(outputs[:, k], self._y == k) for k in range(len(self.classes_))]
        second = outputs[:, -1] - (outputs[:, 0] if outputs.shape[1] == 2 else 0)
        return [(second, self._y == 1)]

    def _local_metric(self) -> np.ndarray:
        ranked = self._ranked(self._own_outputs())
        n = len(self.counts_)
        return _mean([_scores.group_auc(s, own, self.labels_, n) for s, own in ranked])

    def _global_metric(self, parts: np.ndarray) -> np.ndarray:
        ranked = self._ranked(self.coef_[parts])
        return _mean([_scores.global_auc(coef, self._X, own) for coef, own in ranked])


def _mean(scores: list[np.ndarray]) -> np.ndarray:
    """Return the mean over the classes of each part's scores, of those that are defined."""
    return pd.DataFrame(np.transpose(scores)).mean(axis=1).to_numpy()
