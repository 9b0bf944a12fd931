"""The unwrapper: a ReLU network on a data set as a table of local linear models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from xai_course._validation import check_array
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.unwrapping import _scores, plots

if TYPE_CHECKING:
    from xai_course.unwrapping.merging import MergedClassifier, MergedRegressor

__all__ = ["UnwrapperClassifier", "UnwrapperRegressor"]


class _Unwrapper(BaseEstimator):
    """What the two unwrappers share."""

    def __init__(self, network: PiecewiseLinearNetwork) -> None:
        self.network = network

    def fit(self, X: ArrayLike, y: ArrayLike) -> _Unwrapper:
        """List the regions of the rows with their local linear models.

        Parameters
        ----------
        X : array_like or DataFrame, shape (n_samples, n_features)
            Inputs in the units that the network takes. Column names become feature names.
        y : array_like, shape (n_samples,)
            Responses; the metrics of `summary` need them, the models do not.

        Returns
        -------
        self
            Refitting forgets everything that an earlier fit found.

        Raises
        ------
        TypeError, ValueError
            If `network` is not a `PiecewiseLinearNetwork`, `X` or `y` is not finite, has another
            width or length, or no row, or (classification) `y` has one class only.
        """
        if not isinstance(self.network, PiecewiseLinearNetwork):
            raise TypeError(
                "network must be a PiecewiseLinearNetwork (from_torch and from_sklearn make one), "
                f"got {type(self.network).__name__}."
            )
        X, names = _named(X)
        patterns = self.network.activation_pattern(X)
        y = self._check_response(y, len(X))
        packed, first, labels, counts = _unique_rows(patterns)
        # By count, descending; equal counts in the order of their patterns.
        order = np.argsort(-counts, kind="stable")
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        self.patterns_ = patterns[first[order]]
        self.coef_, self.intercept_ = self.network.local_linear_models(self.patterns_)
        self.counts_ = counts[order]
        self.labels_ = rank[labels]
        self.centers_ = _scores.group_mean(X, self.labels_, len(order))
        self.feature_names_in_ = np.asarray(names, dtype=object)
        self.n_features_in_ = X.shape[1]
        self._index = {row.tobytes(): i for i, row in enumerate(packed[order])}
        self._X, self._y = X, y
        return self

    def _check_response(self, y: ArrayLike, n_rows: int) -> np.ndarray:
        raise NotImplementedError

    @property
    def n_regions_(self) -> int:
        """Number of regions that hold a training row."""
        check_is_fitted(self)
        return len(self.counts_)

    # New rows

    def apply(self, X: ArrayLike) -> np.ndarray:
        """Return the region of each row.

        Returns
        -------
        ndarray of int64, shape (n_samples,)
            Row of ``patterns_``; -1 where no training row had the pattern. Nothing is added to the
            fitted object.
        """
        check_is_fitted(self)
        packed = np.packbits(self.network.activation_pattern(_named(X)[0]), axis=1)
        return np.array([self._index.get(row.tobytes(), -1) for row in packed], dtype=np.int64)

    def coverage(self, X: ArrayLike) -> float:
        """Return the share of rows whose pattern a training row had.

        Raises
        ------
        ValueError
            If `X` has no row.
        """
        regions = self.apply(X)
        if not len(regions):
            raise ValueError("coverage needs at least one row.")
        return float(np.mean(regions >= 0))

    def _outputs(self, X: ArrayLike) -> np.ndarray:
        check_is_fitted(self)
        return self.network.forward(_named(X)[0])

    # Tables

    def joint_importance(self, intercept: bool = True) -> pd.Series:
        """Return the joint importance of the intercept and of each feature.

        Parameters
        ----------
        intercept : bool
            Whether the intercept is among the shares. It is the output at zero, and where zero is
            depends on the units: leave it out to compare features.

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
        weights = pd.Series(
            np.einsum("r,rof->f", self.counts_.astype(float), squares),
            index=["intercept", *self.feature_names_in_],
            name="importance",
        )
        weights = weights if intercept else weights.iloc[1:]
        total = weights.sum()
        return weights / total if total else weights * np.nan

    def local_linear_profile(
        self, feature: int | str, n_regions: int | None = 30, output: int = 0
    ) -> pd.DataFrame:
        """Return one line per region: the feature's share of the local model, centred.

        Parameters
        ----------
        feature : int or str
            Column number or feature name.
        n_regions : int, optional
            How many of the largest regions; None for all.
        output : int
            Output of the network.

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
        regions = np.arange(self.n_regions_)[:n_regions]
        low, high = self._feature_range(j)
        slope, center = self.coef_[regions, output, j], self.centers_[regions, j]
        return pd.DataFrame(
            {
                "count": self.counts_[regions],
                "slope": slope,
                "center": center,
                "low": low[regions],
                "high": high[regions],
                "at_low": slope * (low[regions] - center),
                "at_high": slope * (high[regions] - center),
            },
            index=pd.Index(regions, name="region"),
        )

    def _feature_range(self, j: int) -> tuple[np.ndarray, np.ndarray]:
        low = np.full(self.n_regions_, np.inf)
        high = np.full(self.n_regions_, -np.inf)
        np.minimum.at(low, self.labels_, self._X[:, j])
        np.maximum.at(high, self.labels_, self._X[:, j])
        return low, high

    def _feature(self, feature: int | str) -> int:
        names = list(self.feature_names_in_)
        if isinstance(feature, str) and feature in names:
            return names.index(feature)
        if isinstance(feature, int | np.integer) and -len(names) <= feature < len(names):
            return int(feature) % len(names)
        raise ValueError(
            f"There is no feature {feature!r}; the network has {len(names)}: {', '.join(names)}."
        )

    def summary(self, n_regions: int | None = None, global_metrics: bool = True) -> pd.DataFrame:
        """Return one row per region: how large, what responses, how good its model is.

        Parameters
        ----------
        n_regions : int, optional
            How many of the largest regions; None for all.
        global_metrics : bool
            Whether to score each region's model on all rows too.

        Returns
        -------
        DataFrame
            Indexed by region, largest first; the columns are listed by the subclass.
        """
        check_is_fitted(self)
        regions = np.arange(self.n_regions_)[:n_regions]
        mean, std = self._response_moments()
        table = {
            "count": self.counts_[regions],
            "response_mean": mean[regions],
            "response_std": std[regions],
            f"local_{self._metric}": self._local_metric()[regions],
        }
        if global_metrics:
            table[f"global_{self._metric}"] = self._global_metric(regions)
        table["single_instance"] = self.counts_[regions] == 1
        table |= self._flags(regions)
        return pd.DataFrame(table, index=pd.Index(regions, name="region"))

    def _response_moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation (dividing by the count) of the responses."""
        response = self._numeric_response()
        mean = _scores.group_mean(response, self.labels_, self.n_regions_)
        square = _scores.group_mean((response - mean[self.labels_]) ** 2, self.labels_,
                                    self.n_regions_)  # fmt: skip
        return mean, np.sqrt(square)

    def _own_outputs(self) -> np.ndarray:
        return self.network.forward(self._X)

    # Simplification

    def merge(
        self,
        n_clusters: int | None = None,
        n_neighbors: int | float | None = None,
        min_samples: int = 30,
        penalty: str | None = None,
        *,
        C: float = 1.0,
        distance: str = "coefficients",
        one_standard_error: bool = False,
        cv: int = 5,
        seed: int = 0,
    ) -> MergedRegressor | MergedClassifier:
        """Merge the regions into a few clusters, and refit a linear model in each.

        Parameters
        ----------
        n_clusters, n_neighbors, min_samples, penalty, C, distance, one_standard_error, cv, seed
            As in `MergedRegressor`.

        Returns
        -------
        MergedRegressor or MergedClassifier
            Fitted. Refitting the unwrapper does not change it.

        Raises
        ------
        ValueError
            If an option is not accepted; the message names it.
        sklearn.exceptions.NotFittedError
            If the unwrapper is not fitted.

        Notes
        -----
        Sudjianto et al. (2020), Algorithm 1. Explained in the chapter *unwrapping-merging*.
        """
        from xai_course.unwrapping.merging import MergedClassifier, MergedRegressor

        kind = MergedClassifier if isinstance(self, UnwrapperClassifier) else MergedRegressor
        return kind(
            self,
            n_clusters,
            n_neighbors,
            min_samples,
            penalty,
            C=C,
            distance=distance,
            one_standard_error=one_standard_error,
            cv=cv,
            seed=seed,
        ).fit()

    # Pictures

    def plot_importance(
        self, n_features: int = 10, ax: Axes | None = None, *, intercept: bool = True
    ) -> Axes:
        """Draw the joint importance (Sudjianto et al. 2020, Figures 6 and 7, left)."""
        return plots.importance(self.joint_importance(intercept), n_features, ax)

    def plot_profile(
        self,
        feature: int | str,
        n_regions: int = 30,
        output: int = 0,
        ax: Axes | None = None,
        *,
        ylabel: str = "share of the output, centred",
    ) -> Axes:
        """Draw the local linear profile of a feature with the rows below (Figures 4 to 7)."""
        slopes = self.local_linear_profile(feature, n_regions, output)["slope"]
        j = self._feature(feature)
        rows = [self._X[self.labels_ == region, j] for region in slopes.index]
        return plots.profile(slopes.to_numpy(), rows, self.feature_names_in_[j], ylabel, ax)

    def plot_models(self, n_regions: int | None = 30, ax: Axes | None = None) -> Axes:
        """Draw the models of the largest regions with their rows (Figures 4 and 5, left).

        A regression with one input is drawn as it is. With two inputs and two classes, a line is
        where the log-odds are zero; a region whose rows lie all on one side of it has no line.

        Raises
        ------
        ValueError
            If the network has other inputs or classes.
        """
        check_is_fitted(self)
        return plots.models(
            self.coef_[:n_regions],
            self.intercept_[:n_regions],
            self.labels_,
            self._X,
            self._y,
            list(self.feature_names_in_),
            len(self.classes_) if hasattr(self, "classes_") else None,
            ax,
        )

    def plot_parallel_coordinates(
        self, n_regions: int | None = 30, output: int = 0, ax: Axes | None = None
    ) -> Axes:
        """Draw each region's coefficients as a line; degenerate regions are left out (Figure 8)."""
        keep = np.flatnonzero(~self._degenerate())[:n_regions]
        return plots.parallel_coordinates(
            self.coef_[keep, output], self.counts_[keep], list(self.feature_names_in_), ax
        )

    def plot_polar(self, output: int = 0, ax: Axes | None = None, *, log: bool = False) -> Axes:
        """Draw the direction of each region's coefficients and its count (Figure 12).

        Where a few regions are large, ``log=True`` gives the small ones room.
        """
        degenerate = self._degenerate()
        return plots.polar(self.coef_[:, output], self.counts_, degenerate, log, ax)

    def plot_extrapolation(self, n_regions: int = 10, ax: Axes | None = None) -> Axes:
        """Draw local beside global performance of the largest regions (Figure 13)."""
        return plots.extrapolation(self.summary(n_regions), self._metric, ax)

    def plot_regions(self, bounds: ArrayLike | None = None, ax: Axes | None = None) -> Axes:
        """Draw the training rows' regions of a network with two inputs (Figure 5, middle)."""
        check_is_fitted(self)
        pattern = self.network.activation_pattern
        return plots.regions(pattern, self._X, bounds, ax, seen=self.patterns_)

    def _degenerate(self) -> np.ndarray:
        """Return which regions hold a single row or rows of a single class."""
        check_is_fitted(self)
        flags = self._flags(np.arange(self.n_regions_))
        return np.any([self.counts_ == 1, *flags.values()], axis=0)

    # What the subclasses say

    _metric: str

    def _numeric_response(self) -> np.ndarray:
        raise NotImplementedError

    def _local_metric(self) -> np.ndarray:
        raise NotImplementedError

    def _global_metric(self, regions: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def _flags(self, regions: np.ndarray) -> dict[str, np.ndarray]:
        return {}


class UnwrapperRegressor(RegressorMixin, _Unwrapper):
    """A ReLU regression network on a data set, as local linear models.

    Parameters
    ----------
    network : PiecewiseLinearNetwork
        With one output.

    Attributes
    ----------
    patterns_ : ndarray of uint8, shape (n_regions, n_hidden)
        The training rows' patterns, the most frequent first; ties in the order of the patterns.
    coef_ : ndarray of float64, shape (n_regions, n_outputs, n_features)
    intercept_ : ndarray of float64, shape (n_regions, n_outputs)
    counts_ : ndarray of int64, shape (n_regions,)
        Training rows in each region.
    centers_ : ndarray of float64, shape (n_regions, n_features)
        Mean of each region's training rows (Sudjianto et al. 2020, eq. 19).
    labels_ : ndarray of int64, shape (n_samples,)
        Region of each training row.
    feature_names_in_ : ndarray of str, shape (n_features,)
    n_regions_ : int

    Notes
    -----
    `summary` has the columns ``count``, ``response_mean``, ``response_std``, ``local_mse``,
    ``global_mse`` and ``single_instance`` (Sudjianto et al. 2020, Figure 11).

    Predictions are the network's, exact for every row; `coverage` tells for how many rows the
    training data had the region.

    Examples
    --------
    >>> network = PiecewiseLinearNetwork([[[1], [-1]], [[1, 1]]], [[0, 0], [0]])
    >>> unwrapper = UnwrapperRegressor(network).fit([[1.0], [2.0], [-1.0]], [1.0, 2.0, 1.0])
    >>> unwrapper.coef_[:, 0, 0]
    array([ 1., -1.])
    >>> unwrapper.predict([[-5.0]])
    array([5.])
    """

    _metric = "mse"

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the network's predictions, shape (n_samples,)."""
        return self._outputs(X)[:, 0]

    def _check_response(self, y: ArrayLike, n_rows: int) -> np.ndarray:
        if self.network.n_outputs != 1:
            raise ValueError(
                f"UnwrapperRegressor takes a network with 1 output, got {self.network.n_outputs}."
            )
        y = check_array(y, "y", 1)
        _check_length(y, n_rows)
        return y

    def _numeric_response(self) -> np.ndarray:
        return self._y

    def _local_metric(self) -> np.ndarray:
        errors = (self._y - self._own_outputs()[:, 0]) ** 2
        return _scores.group_mean(errors, self.labels_, self.n_regions_)

    def _global_metric(self, regions: np.ndarray) -> np.ndarray:
        return _scores.global_mse(
            self.coef_[regions, 0], self.intercept_[regions, 0], self._X, self._y
        )


class UnwrapperClassifier(ClassifierMixin, _Unwrapper):
    """A ReLU classification network on a data set, as local linear models on the logit scale.

    Parameters
    ----------
    network : PiecewiseLinearNetwork
        With one output (the logit of the second class) or one output per class, in the order of
        the sorted labels.

    Attributes
    ----------
    classes_ : ndarray, shape (n_classes,)
        The labels, sorted; of any kind that sorts.
    patterns_, coef_, intercept_, counts_, centers_, labels_, feature_names_in_, n_regions_
        As in `UnwrapperRegressor`; with several classes one linear model per class.

    Notes
    -----
    `summary` has the columns ``count``, ``response_mean`` (share of the second class, or of the
    most frequent class where there are more than two), ``response_std``, ``local_auc``,
    ``global_auc``, ``single_instance`` and ``single_class`` (Sudjianto et al. 2020, Figure 10). The
    AUC ranks the logits; with several classes it is the mean over one class against the rest. It is
    NaN where there is one class only.
    """

    _metric = "auc"

    def decision_function(self, X: ArrayLike) -> np.ndarray:
        """Return the logits, shape (n_samples,) or (n_samples, n_classes)."""
        logits = self._outputs(X)
        return logits[:, 0] if logits.shape[1] == 1 else logits

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Return the network's probabilities, shape (n_samples, n_classes)."""
        logits = self._outputs(X)
        if logits.shape[1] == 1:
            logits = np.column_stack([np.zeros(len(logits)), logits])
        # Subtracting the largest logit leaves the ratios and cannot overflow.
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the network's classes, shape (n_samples,), as labels given to `fit`."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def _check_response(self, y: ArrayLike, n_rows: int) -> np.ndarray:
        y = np.asarray(y)
        if y.ndim != 1:
            raise ValueError(f"y must have 1 dimension(s), got shape {y.shape}.")
        _check_length(y, n_rows)
        if y.dtype.kind == "f" and not np.isfinite(y).all():
            raise ValueError("y must not hold NaN or infinite values.")
        classes, codes = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(f"y holds one class only: {classes.tolist()}.")
        expected = 2 if self.network.n_outputs == 1 else self.network.n_outputs
        if len(classes) != expected:
            raise ValueError(
                f"y holds {len(classes)} classes, but the network tells {expected} apart."
            )
        self.classes_ = classes
        return codes

    def _class_shares(self) -> np.ndarray:
        return np.stack(
            [
                _scores.group_mean((self._y == k).astype(float), self.labels_, self.n_regions_)
                for k in range(len(self.classes_))
            ],
            axis=1,
        )

    def _response_moments(self) -> tuple[np.ndarray, np.ndarray]:
        shares = self._class_shares()
        share = shares[:, 1] if len(self.classes_) == 2 else shares.max(axis=1)
        return share, np.sqrt(share * (1 - share))

    def _columns(self) -> list[tuple[int, int]]:
        """Return the pairs of output and class that an AUC averages over."""
        if self.network.n_outputs == 1:
            return [(0, 1)]
        return [(k, k) for k in range(len(self.classes_))]

    def _local_metric(self) -> np.ndarray:
        logits = self._own_outputs()
        if len(self.classes_) == 2 and logits.shape[1] == 2:
            return self._local_auc(logits[:, 1] - logits[:, 0], 1)
        return _nan_mean([self._local_auc(logits[:, o], k) for o, k in self._columns()])

    def _local_auc(self, scores: np.ndarray, k: int) -> np.ndarray:
        return _scores.group_auc(scores, self._y == k, self.labels_, self.n_regions_)

    def _global_metric(self, regions: np.ndarray) -> np.ndarray:
        coef = self.coef_[regions]
        if len(self.classes_) == 2 and coef.shape[1] == 2:
            return _scores.global_auc(coef[:, 1] - coef[:, 0], self._X, self._y == 1)
        return _nan_mean(
            [_scores.global_auc(coef[:, o], self._X, self._y == k) for o, k in self._columns()]
        )

    def _flags(self, regions: np.ndarray) -> dict[str, np.ndarray]:
        return {"single_class": (self._class_shares()[regions] == 1).any(axis=1)}


def _nan_mean(columns: list[np.ndarray]) -> np.ndarray:
    values = np.stack(columns)
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0).sum(axis=0) / known.sum(axis=0)


def _named(X: Any) -> tuple[np.ndarray, list[str]]:
    """Return the rows as an array, and the names of the columns."""
    if isinstance(X, pd.DataFrame):
        return check_array(X.to_numpy(), "X", 2), [str(name) for name in X.columns]
    X = check_array(X, "X", 2)
    return X, [f"x{j + 1}" for j in range(X.shape[1])]


def _check_length(y: np.ndarray, n_rows: int) -> None:
    if len(y) != n_rows:
        raise ValueError(f"X has {n_rows} rows, but y has {len(y)}.")
    if n_rows == 0:
        raise ValueError("X has no row.")


def _unique_rows(
    patterns: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return the packed distinct rows in order, where each occurs first, labels and counts."""
    packed = np.packbits(patterns, axis=1)
    if packed.shape[1] == 0:  # no hidden neuron, one region
        rows = len(packed)
        return packed[:1], np.zeros(1, int), np.zeros(rows, int), np.array([rows])
    # Bytes compare as one number a row, many times faster than column by column.
    rows = np.ascontiguousarray(packed).view(np.dtype((np.void, packed.shape[1]))).ravel()
    _, first, labels, counts = np.unique(
        rows, return_index=True, return_inverse=True, return_counts=True
    )
    return packed[first], first, labels.ravel(), counts
