"""The unwrapper: a ReLU network on a data set as a table of local linear models.

Source: Sudjianto et al. (2020). Explained in the chapters *unwrapping-interpretation* and
*unwrapping-diagnostics*.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from xai_course._validation import check_rows
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.unwrapping import plots
from xai_course.unwrapping.partition import Classification, Partition, Regression

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from xai_course.unwrapping.merging import MergedClassifier, MergedRegressor

__all__ = ["UnwrapperClassifier", "UnwrapperRegressor"]


class _Unwrapper(Partition):
    """What the two unwrappers share."""

    _part = "region"

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
            width or length, or no row, the columns are not those that the network was trained on,
            or (classification) `y` has one class only.
        """
        if not isinstance(self.network, PiecewiseLinearNetwork):
            raise TypeError(
                "network must be a PiecewiseLinearNetwork (from_torch and from_sklearn make one), "
                f"got {type(self.network).__name__}."
            )
        self.network_ = self.network
        self._X = check_rows(self, X, reset=True)
        patterns = self.network.activation_pattern(X)  # which compares the names it knows with X's
        self._y = self._check_response(y, len(patterns))
        keys = _keys(self.network, patterns)
        regions = pd.Series(np.arange(len(keys))).groupby(keys).agg(["size", "first"])
        # By count, descending; equal counts in the order of their patterns.
        regions = regions.sort_values("size", ascending=False, kind="stable")
        self._index = regions.index
        self.patterns_ = patterns[regions["first"]]
        self.coef_, self.intercept_ = self.network.local_linear_models(self.patterns_)
        self.counts_ = regions["size"].to_numpy()
        self.labels_ = self._index.get_indexer(keys)
        self.centers_ = self._mean_in_parts(self._X)
        return self

    @property
    def n_regions_(self) -> int:
        """Number of regions that hold a training row."""
        check_is_fitted(self)
        return len(self.counts_)

    # New rows

    def _apply(self, X: np.ndarray) -> np.ndarray:
        return self._index.get_indexer(_keys(self.network_, self.network_.activation_pattern(X)))

    def coverage(self, X: ArrayLike) -> float:
        """Return the share of rows whose pattern a training row had."""
        return float(np.mean(self.apply(X) >= 0))

    def _outputs(self, X: ArrayLike) -> np.ndarray:
        X = check_rows(self, X)  # before the network is asked for, which waits for `fit`
        return self.network_.forward(X)

    def _own_outputs(self) -> np.ndarray:
        return self.network_.forward(self._X)

    # Tables

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
        table = self._summary(n_regions, global_metrics)
        table["single_instance"] = table["count"] == 1
        if self._n_classes is not None:
            table["single_class"] = self._single_class()[: len(table)]
        return table

    def _single_class(self) -> np.ndarray:
        return (self._class_shares() == 1).any(axis=1)

    def _degenerate(self) -> np.ndarray:
        """Return which regions hold a single row or rows of a single class."""
        check_is_fitted(self)
        single = self.counts_ == 1
        return single if self._n_classes is None else single | self._single_class()

    # Simplification

    def merge(
        self,
        n_clusters: int | None = None,
        n_neighbors: int | float | None = None,
        min_samples: int = 30,
        penalty: str | None = None,
        **options: Any,
    ) -> MergedRegressor | MergedClassifier:
        """Merge the regions into a few clusters, and refit a linear model in each.

        The short cut for ``MergedRegressor(network, ...).fit(X, y)``, without unwrapping again.

        Parameters
        ----------
        n_clusters, n_neighbors, min_samples, penalty, **options
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
        check_is_fitted(self)
        # Merging is made of unwrapping; this short cut is the one look upwards.
        from xai_course.unwrapping.merging import MergedClassifier, MergedRegressor

        kind = MergedRegressor if self._n_classes is None else MergedClassifier
        merged = kind(self.network_, n_clusters, n_neighbors, min_samples, penalty, **options)
        # Refitting the unwrapper replaces its attributes, and must not change this model.
        return merged._merge(copy(self))

    # Pictures

    def plot_parallel_coordinates(
        self, n_regions: int | None = 30, output: int = 0, ax: Axes | None = None
    ) -> Axes:
        """Draw each region's coefficients as a line; degenerate regions are left out (Figure 8)."""
        keep = np.flatnonzero(~self._degenerate())[:n_regions]
        coef, counts = self.coef_[keep, output], self.counts_[keep]
        return plots.parallel_coordinates(coef, counts, self._names, ax)

    def plot_polar(self, output: int = 0, ax: Axes | None = None, *, log: bool = False) -> Axes:
        """Draw the direction of each region's coefficients and its count (Figure 12).

        Directions depend on the units of the features. Where a few regions are large, ``log=True``
        gives the small ones room.
        """
        degenerate = self._degenerate()
        return plots.polar(self.coef_[:, output], self.counts_, degenerate, log, ax)

    def plot_extrapolation(self, n_regions: int = 10, ax: Axes | None = None) -> Axes:
        """Draw local beside global performance of the largest regions (Figure 13)."""
        return plots.extrapolation(self.summary(n_regions), self._metric, ax)

    def plot_regions(self, bounds: ArrayLike | None = None, ax: Axes | None = None) -> Axes:
        """Draw the training rows' regions of a network with two inputs (Figure 5, middle)."""
        check_is_fitted(self)
        pattern = self.network_.activation_pattern
        return plots.regions(pattern, self._X, bounds, ax, seen=self.patterns_)


class UnwrapperRegressor(Regression, _Unwrapper):
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
        Only where the rows were a DataFrame; the columns of new rows are compared with them. Tables
        call features without names x1, x2, ..., or as the network does.
    n_regions_ : int

    Notes
    -----
    `summary` has the columns ``count``, ``response_mean``, ``response_std``, ``local_mse``,
    ``global_mse`` and ``single_instance`` (Sudjianto et al. 2020, Figure 11).

    Predictions are the network's, exact for every row; `coverage` tells for how many rows the
    training data had the region. The training rows are kept, since tables and pictures are made of
    them: a pickle holds them.

    Examples
    --------
    >>> network = PiecewiseLinearNetwork([[[1], [-1]], [[1, 1]]], [[0, 0], [0]])
    >>> unwrapper = UnwrapperRegressor(network).fit([[1.0], [2.0], [-1.0]], [1.0, 2.0, 1.0])
    >>> unwrapper.coef_[:, 0, 0]
    array([ 1., -1.])
    >>> unwrapper.predict([[-5.0]])
    array([5.])
    """


class UnwrapperClassifier(Classification, _Unwrapper):
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

    Examples
    --------
    >>> network = PiecewiseLinearNetwork([[[1], [-1]], [[1, 1]]], [[0, 0], [-1]])  # |x| - 1
    >>> X = np.linspace(-2, 2, 9)[:, None]
    >>> unwrapper = UnwrapperClassifier(network).fit(X, np.where(abs(X[:, 0]) > 1, "out", "in"))
    >>> unwrapper.counts_, unwrapper.predict([[-3.0], [0.5]]).tolist()
    (array([4, 4, 1]), ['out', 'in'])
    """


def _keys(network: PiecewiseLinearNetwork, patterns: np.ndarray) -> np.ndarray:
    """Return each pattern as bytes, of bits where every neuron has two segments."""
    if all(activation.n_segments == 2 for activation in network.activations):
        patterns = np.packbits(patterns, axis=1)
    return np.array([row.tobytes() for row in patterns], dtype=object)
