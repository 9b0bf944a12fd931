"""Merging: the regions of a network in a few clusters, each with a linear model of its own."""

from __future__ import annotations

import warnings
from bisect import bisect_left
from copy import copy
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import ArrayLike
from scipy.sparse import csr_array, csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.cluster import ward_tree
from sklearn.model_selection import KFold
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.validation import check_is_fitted

from xai_course._validation import check_whole
from xai_course.unwrapping import _scores, flattening, plots
from xai_course.unwrapping import inference as testing
from xai_course.unwrapping.inference import PostSelectionWarning, SeparationWarning, fit_glm
from xai_course.unwrapping.unwrapper import UnwrapperClassifier, UnwrapperRegressor, _named

__all__ = ["MergedClassifier", "MergedRegressor"]

# Sudjianto et al. (2020), section 5.1.
_GRID = (*range(1, 11), 15, 20)

# With the fewest neighbours that connect, often 2, regions merge along chains, and the merged model
# predicts new rows worse (benchmarks/unwrapping.py); from here on more neighbours change little.
_FEWEST_NEIGHBORS = 10

_NO_FRESH_ROWS = (
    "method='honest' needs rows X, y that neither the network nor the merge has seen: the clusters "
    "were chosen with the training responses, so p-values on the same rows may be too small. Train "
    "the network and the unwrapper on one half of the rows and pass the other half here; "
    "method='naive' is the test on the training rows, as published."
)


class _Merged(BaseEstimator):
    """What the two merged models share."""

    def __init__(
        self,
        unwrapper: UnwrapperRegressor | UnwrapperClassifier,
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
    ) -> None:
        self.unwrapper = unwrapper
        self.n_clusters = n_clusters
        self.n_neighbors = n_neighbors
        self.min_samples = min_samples
        self.penalty = penalty
        self.C = C
        self.distance = distance
        self.one_standard_error = one_standard_error
        self.cv = cv
        self.seed = seed

    def fit(self) -> _Merged:
        """Merge the regions of the fitted unwrapper (Algorithm 1).

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            If the unwrapper is of another kind, or an option is not accepted; the message names it.
        sklearn.exceptions.NotFittedError
            If the unwrapper is not fitted.

        Warns
        -----
        SeparationWarning
            If the classes of a cluster are separated and there is no penalty.
        """
        self._check_options()
        # Refitting the unwrapper replaces its attributes, and must not change this model.
        source = self._source = copy(self.unwrapper)
        self._X, self._y = source._X, source._y
        self.feature_names_in_ = source.feature_names_in_
        self.n_features_in_ = source.n_features_in_
        graph, self.n_neighbors_ = _neighbor_graph(source.centers_, self.n_neighbors)
        self._neighbors = NearestNeighbors(n_neighbors=self.n_neighbors_).fit(source.centers_)
        tree = ward_tree(self._models(), connectivity=graph)[0] if len(source.counts_) > 1 else []
        if self.n_clusters is None:
            self.scores_ = self._score_grid(tree)
            self.n_cut_ = _choose(self.scores_, self.one_standard_error)
        else:
            self.scores_, self.n_cut_ = None, int(self.n_clusters)
        self.region_labels_ = self._clusters(tree, self.n_cut_)
        self.labels_ = self.region_labels_[source.labels_]
        self.counts_ = np.bincount(self.labels_)
        self.centers_ = _scores.group_mean(self._X, self.labels_, len(self.counts_))
        fits = [self._fit_rows(self.labels_ == k) for k in range(len(self.counts_))]
        self.coef_, self.intercept_ = (np.stack(part) for part in zip(*fits, strict=True))
        self._warn_of_separation()
        return self

    def _models(self) -> np.ndarray:
        """Return the regions' models as points, whose distances Ward's linkage takes."""
        source = self._source
        models = np.concatenate([source.intercept_[:, :, None], source.coef_], axis=2)
        models = self._comparable(models)
        if self.distance == "predictions":
            # |rows @ (a - b)| = |triangle @ (a - b)| with rows = orthogonal @ triangle: distances
            # between predictions on all training rows, at the price of those between models.
            rows = np.column_stack([np.ones(len(self._X)), self._X])
            models = models @ (np.linalg.qr(rows, mode="r") / np.sqrt(len(rows))).T
        return models.reshape(len(models), -1)

    def _comparable(self, models: np.ndarray) -> np.ndarray:
        return models

    def _clusters(self, tree: ArrayLike, n_clusters: int) -> np.ndarray:
        """Return the cluster of each region, without small clusters, the largest first."""
        counts, centers = self._source.counts_, self._source.centers_
        labels = _cut(tree, len(counts), n_clusters)
        labels = _absorb(labels, counts, centers, self.min_samples)
        sizes = np.bincount(labels, counts)
        _, first = np.unique(labels, return_index=True)
        rank = np.empty(len(sizes), dtype=np.int64)
        rank[np.lexsort((first, -sizes))] = np.arange(len(sizes))
        return rank[labels]

    def _fit_rows(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return fit_glm(self._X[rows], self._y[rows], self._n_classes, self.penalty, self.C)

    def _score_grid(self, tree: ArrayLike) -> pd.DataFrame:
        """Return mean and standard error over folds of the held-out loss for each K."""
        grid = [k for k in _GRID if k <= len(self._source.counts_)]
        partitions = [self._clusters(tree, k)[self._source.labels_] for k in grid]
        folds = KFold(self.cv, shuffle=True, random_state=self.seed).split(self._X)
        losses = np.array([self._fold_losses(partitions, *fold) for fold in folds])
        return pd.DataFrame(
            {
                "n_clusters": [labels.max() + 1 for labels in partitions],
                "mean": losses.mean(axis=0),
                "se": losses.std(axis=0, ddof=1) / np.sqrt(self.cv),
            },
            index=pd.Index(grid, name="K"),
        )

    def _fold_losses(
        self, partitions: list[np.ndarray], train: np.ndarray, test: np.ndarray
    ) -> list[float]:
        fits: dict[bytes, Any] = {}  # the cuts of one tree share most of their clusters
        losses = []
        for labels in partitions:
            loss = 0.0
            for k in range(labels.max() + 1):
                held_out = test[labels[test] == k]
                own = train[labels[train] == k]
                own = own if len(own) else train  # nothing is known about such a cluster
                key = own.tobytes()
                if key not in fits:
                    fits[key] = self._fit_rows(own)
                coef, intercept = fits[key]
                loss += self._loss(self._X[held_out] @ coef.T + intercept, self._y[held_out]).sum()
            losses.append(loss / len(test))
        return losses

    # New rows

    def apply(self, X: ArrayLike) -> np.ndarray:
        """Return the cluster of each row.

        Parameters
        ----------
        X : array_like or DataFrame, shape (n_samples, n_features)

        Returns
        -------
        ndarray of int64, shape (n_samples,)
            The cluster of the row's region. Where no training row had the pattern, the cluster of
            most of the ``n_neighbors_`` nearest region centres; of the nearest among equals.

        Notes
        -----
        Sudjianto et al. (2020), section 5.1.
        """
        check_is_fitted(self)
        X = _named(X)[0]
        regions = self._source.apply(X)
        clusters = self.region_labels_[regions]
        unseen = np.flatnonzero(regions < 0)
        if len(unseen):
            nearest = self._neighbors.kneighbors(X[unseen], return_distance=False)
            voters = self.region_labels_[nearest]
            votes = (voters[:, :, None] == np.arange(len(self.counts_))).sum(axis=1)
            # The first voter with the most votes is the nearest one.
            winner = np.take_along_axis(votes, voters, axis=1).argmax(axis=1)
            clusters[unseen] = voters[np.arange(len(unseen)), winner]
        return clusters

    def _outputs(self, X: ArrayLike) -> np.ndarray:
        """Return the outputs before the link, shape (n_samples, n_outputs)."""
        clusters = self.apply(X)
        return self._linear(_named(X)[0], clusters)

    def _linear(self, X: np.ndarray, clusters: np.ndarray) -> np.ndarray:
        outputs = np.empty((len(X), self.coef_.shape[1]))
        for k, (coef, intercept) in enumerate(zip(self.coef_, self.intercept_, strict=True)):
            rows = clusters == k
            outputs[rows] = X[rows] @ coef.T + intercept
        return outputs

    # Tables

    def summary(self) -> pd.DataFrame:
        """Return one row per cluster: how large, what responses, how good its model is.

        Returns
        -------
        DataFrame
            Indexed by cluster, largest first: ``count``, ``n_regions``, ``response_mean``,
            ``response_std``, the metric of the cluster's model on its own rows (``local_mse`` or
            ``local_auc``) and on all rows (``global_...``), and ``coef_norm``.
        """
        check_is_fitted(self)
        clusters = range(len(self.counts_))
        moments = np.array([self._moments(self._y[self.labels_ == k]) for k in clusters])
        everywhere = [self._X @ self.coef_[k].T + self.intercept_[k] for k in clusters]
        own = [self.labels_ == k for k in clusters]
        return pd.DataFrame(
            {
                "count": self.counts_,
                "n_regions": np.bincount(self.region_labels_),
                "response_mean": moments[:, 0],
                "response_std": moments[:, 1],
                f"local_{self._metric}": [
                    self._score_rows(everywhere[k][own[k]], self._y[own[k]]) for k in clusters
                ],
                f"global_{self._metric}": [
                    self._score_rows(everywhere[k], self._y) for k in clusters
                ],
                "coef_norm": np.linalg.norm(self.coef_, axis=(1, 2)),
            },
            index=pd.RangeIndex(len(self.counts_), name="cluster"),
        )

    # Inference

    def inference(
        self,
        cluster: int,
        X: ArrayLike | None = None,
        y: ArrayLike | None = None,
        method: str = "honest",
        cov_type: str = "nonrobust",
        alpha: float = 0.05,
    ) -> pd.DataFrame:
        """Test the coefficients of a cluster's maximum-likelihood fit, whatever its penalty.

        Parameters
        ----------
        cluster : int
            0 is the largest.
        X, y : array_like, shapes (n_samples, n_features) and (n_samples,)
            For ``method="honest"``: rows that neither the network nor the merge has seen. Those
            that `apply` puts into the cluster are used.
        method : {"honest", "naive"}
            "naive" is the published test, on the training rows. They chose the cluster, so its
            p-values may be too small.
        cov_type : {"nonrobust", "HC3"}
            HC3 holds where the variances of the model are wrong.
        alpha : float
            One minus the level of the intervals.

        Returns
        -------
        DataFrame
            Indexed by ``"intercept"`` and the features: ``coef``, ``std_err``, ``statistic`` (t for
            a regression, z for a classification), ``p_value``, ``ci_low``, ``ci_high``. Its
            ``attrs`` hold ``label``, ``method``, ``cluster``, ``n_rows``, ``cov_type``, ``alpha``.

        Raises
        ------
        ValueError
            If an option is unknown, fresh rows are missing, there are several classes, or the fit
            is not defined: too few rows, dependent columns, one class, separated classes.

        Warns
        -----
        PostSelectionWarning
            For ``method="naive"``, and where most of the fresh rows are training rows.

        Notes
        -----
        Sudjianto et al. (2020), section 5.2. Explained in the chapter *unwrapping-inference*.
        """
        self._check_cluster(cluster)
        self._check_two_classes("inference")
        if method == "honest":
            X, y, label = *self._fresh_rows(cluster, X, y), "honest: on rows that chose nothing"
        elif method == "naive":
            if X is not None or y is not None:
                raise ValueError("method='naive' tests on the training rows and takes no X and y.")
            own = self.labels_ == cluster
            X, y, label = self._X[own], self._y[own], "post-selection: p-values may be too small"
            warnings.warn(
                f"{label}, because the same rows chose the cluster.",
                PostSelectionWarning,
                stacklevel=2,
            )
        else:
            raise ValueError(f"method must be 'honest' or 'naive', got {method!r}.")
        table = testing.inference_table(
            X,
            y,
            list(self.feature_names_in_),
            classification=self._n_classes is not None,
            cov_type=cov_type,
            alpha=alpha,
            what=f"Cluster {cluster}",
        )
        table.attrs = {
            "label": label,
            "method": method,
            "cluster": int(cluster),
            "n_rows": len(y),
            "cov_type": cov_type,
            "alpha": alpha,
        }
        return table

    def _fresh_rows(
        self, cluster: int, X: ArrayLike | None, y: ArrayLike | None
    ) -> tuple[np.ndarray, np.ndarray]:
        if X is None or y is None:
            raise ValueError(_NO_FRESH_ROWS)
        X = _named(X)[0]
        clusters = self.apply(X)
        y = self._encode(y, len(X))
        seen = {row.tobytes() for row in self._X}
        n_seen = sum(row.tobytes() in seen for row in X)
        if 2 * n_seen > len(X):
            warnings.warn(
                f"{n_seen} of the {len(X)} rows are training rows: p-values may be too small.",
                PostSelectionWarning,
                stacklevel=3,
            )
        return X[clusters == cluster], y[clusters == cluster]

    def bootstrap(
        self,
        cluster: int,
        n_boot: int = 100,
        penalty: str | None = "l1",
        C: float = 1.0,
        *,
        resample_selection: bool = False,
        alpha: float = 0.05,
        seed: int = 0,
        n_jobs: int | None = None,
        progress: bool = True,
    ) -> pd.DataFrame:
        """Refit a cluster's model on resampled rows.

        Parameters
        ----------
        cluster : int
            0 is the largest.
        n_boot : int
            Number of resamples, at least 2.
        penalty, C
            As in `merge`; the penalty depends on the units of the features.
        resample_selection : bool
            False keeps the cluster and resamples its rows, as published. True resamples all
            training rows, merges again, and takes the cluster that holds most of the original
            cluster's rows: that shows the choice's share of the uncertainty. The network stays.
        alpha : float
            One minus the level of the percentile intervals.
        seed : int
        n_jobs : int, optional
            Processes, as in joblib; the result does not depend on it.
        progress : bool
            Whether to show a progress bar.

        Returns
        -------
        DataFrame
            Indexed by ``"intercept"`` and the features: ``coef`` (on all of the cluster's rows),
            ``mean``, ``std``, ``ci_low``, ``q25``, ``median``, ``q75``, ``ci_high``,
            ``probability_zero``. `plot_bootstrap` draws it.

        Notes
        -----
        Sudjianto et al. (2020), Figure 19. Explained in the chapter *unwrapping-inference*.
        """
        self._check_cluster(cluster)
        self._check_two_classes("bootstrap")
        _check_penalty(penalty, C)
        check_whole(n_boot, "n_boot", 2)
        if not 0 < alpha < 1:
            raise ValueError(f"alpha must lie between 0 and 1, got {alpha!r}.")
        draw = self._rows_of_another_merge if resample_selection else self._rows_of_cluster

        def fit(rows: np.ndarray) -> np.ndarray:
            coef, intercept = fit_glm(self._X[rows], self._y[rows], self._n_classes, penalty, C)
            return np.concatenate([intercept, coef[0]])

        return testing.bootstrap_table(
            fit(np.flatnonzero(self.labels_ == cluster)),
            lambda rng: fit(draw(cluster, rng)),
            ["intercept", *self.feature_names_in_],
            n_boot=n_boot,
            seed=seed,
            alpha=alpha,
            n_jobs=n_jobs,
            progress=progress,
        )

    def _rows_of_cluster(self, cluster: int, rng: np.random.Generator) -> np.ndarray:
        own = np.flatnonzero(self.labels_ == cluster)
        return rng.choice(own, len(own))

    def _rows_of_another_merge(self, cluster: int, rng: np.random.Generator) -> np.ndarray:
        rows = rng.integers(len(self._X), size=len(self._X))
        while self._n_classes and len(np.unique(self._y[rows])) < self._n_classes:
            rows = rng.integers(len(self._X), size=len(self._X))
        unwrapper = type(self._source)(self._source.network)
        unwrapper.fit(self._X[rows], self._decode(self._y[rows]))
        options = self.get_params(deep=False) | {"unwrapper": unwrapper}
        if self.n_clusters is not None:
            options["n_clusters"] = min(self.n_clusters, unwrapper.n_regions_)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SeparationWarning)
            other = type(self)(**options).fit()
        chosen = np.bincount(other.apply(self._X[self.labels_ == cluster])).argmax()
        return rows[other.labels_ == chosen]

    # Pictures

    def plot_regions(
        self, bounds: ArrayLike | None = None, ax: Axes | None = None, *, resolution: int = 300
    ) -> Axes:
        """Draw the clusters of a network with two inputs (Sudjianto et al. 2020, Figure 15).

        `resolution` is the number of pixels along each side.
        """
        check_is_fitted(self)
        one_hot = np.eye(len(self.counts_))
        return plots.regions(
            lambda X: one_hot[self.apply(X)], self._X, bounds, ax, resolution=resolution
        )

    def plot_models(self, n_clusters: int | None = None, ax: Axes | None = None) -> Axes:
        """Draw the models of the largest clusters with their rows (Figures 14, 15 and 18).

        A regression with one input is drawn as it is. With two inputs and two classes, a line is
        where the log-odds are zero; a cluster whose rows lie all on one side of it has no line.

        Raises
        ------
        ValueError
            If the network has other inputs or classes.
        """
        check_is_fitted(self)
        return plots.models(
            self.coef_[:n_clusters],
            self.intercept_[:n_clusters],
            self.labels_,
            self._X,
            self._y,
            list(self.feature_names_in_),
            self._n_classes,
            ax,
        )

    def plot_profile(
        self,
        feature: int | str,
        n_clusters: int | None = None,
        output: int = 0,
        ax: Axes | None = None,
        *,
        ylabel: str = "share of the output, centred",
    ) -> Axes:
        """Draw the profile of a feature by the clusters' models (Figures 14 and 24)."""
        check_is_fitted(self)
        j = self._source._feature(feature)
        slopes = self.coef_[:n_clusters, output, j]
        rows = [self._X[self.labels_ == k, j] for k in range(len(slopes))]
        return plots.profile(slopes, rows, self.feature_names_in_[j], ylabel, ax)

    def plot_parallel_coordinates(
        self, n_clusters: int | None = None, output: int = 0, ax: Axes | None = None
    ) -> Axes:
        """Draw each cluster's coefficients as a line (Figures 16, 17 and 23)."""
        check_is_fitted(self)
        return plots.parallel_coordinates(
            self.coef_[:n_clusters, output],
            self.counts_[:n_clusters],
            list(self.feature_names_in_),
            ax,
            apart=True,
        )

    @staticmethod
    def plot_bootstrap(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
        """Draw what `bootstrap` returned: coefficients and how often each is zero (Figure 19)."""
        return plots.bootstrap(table, ax)

    # Flattening

    def flatten(
        self,
        epochs: int = 200,
        *,
        patience: int = 20,
        learning_rate: float = 1e-3,
        batch_size: int = 64,
        validation_fraction: float = 0.2,
        seed: int = 0,
        progress: bool = False,
    ) -> flattening.FlatNetwork:
        """Turn the clusters' models into a network with one hidden layer, and train that on.

        Parameters
        ----------
        epochs : int
            At most; 0 leaves the network as it starts.
        patience : int
            Epochs without a better validation loss before training stops.
        learning_rate : float
            Of Adam.
        batch_size : int
        validation_fraction : float
            Share of the training rows that choose the epoch.
        seed : int
            Of the validation rows and the order of the batches.
        progress : bool
            Whether to show a progress bar.

        Returns
        -------
        FlatRegressor or FlatClassifier

        Raises
        ------
        ValueError
            If an option is not accepted, or there are more than two classes.

        Notes
        -----
        Sudjianto et al. (2020), Algorithm 2: each cluster's model is a hidden neuron, a GLM on the
        neurons' outputs is the output layer. Explained in the chapter *unwrapping-flattening*.
        """
        check_is_fitted(self)
        self._check_two_classes("flatten")
        return flattening.flatten(
            self.coef_[:, 0],
            self.intercept_[:, 0],
            self._X,
            self._y,
            classes=getattr(self, "classes_", None),
            feature_names=self.feature_names_in_,
            epochs=epochs,
            patience=patience,
            learning_rate=learning_rate,
            batch_size=batch_size,
            validation_fraction=validation_fraction,
            seed=seed,
            progress=progress,
        )

    # Checks

    def _check_options(self) -> None:
        if not isinstance(self.unwrapper, self._unwrapper_type):
            raise TypeError(
                f"unwrapper must be an {self._unwrapper_type.__name__}, "
                f"got {type(self.unwrapper).__name__}."
            )
        check_is_fitted(self.unwrapper)
        n_regions = self.unwrapper.n_regions_
        if self.n_clusters is not None:
            check_whole(self.n_clusters, "n_clusters", 1)
            if self.n_clusters > n_regions:
                raise ValueError(
                    f"n_clusters must be at most the {n_regions} regions, got {self.n_clusters}."
                )
        _check_neighbors(self.n_neighbors)
        check_whole(self.min_samples, "min_samples", 0)
        _check_penalty(self.penalty, self.C)
        if self.distance not in ("coefficients", "predictions"):
            raise ValueError(
                f"distance must be 'coefficients' or 'predictions', got {self.distance!r}."
            )
        check_whole(self.cv, "cv", 2)
        if self.n_clusters is None and self.cv > len(self.unwrapper.labels_):
            raise ValueError(
                f"cv must be at most the {len(self.unwrapper.labels_)} training rows, "
                f"got {self.cv}."
            )

    def _check_cluster(self, cluster: int) -> None:
        check_is_fitted(self)
        whole = isinstance(cluster, Integral) and not isinstance(cluster, bool)
        if not whole or not 0 <= cluster < len(self.counts_):
            raise ValueError(
                f"There is no cluster {cluster!r}; they are 0 to {len(self.counts_) - 1}."
            )

    def _check_two_classes(self, what: str) -> None:
        if self._n_classes is not None and self._n_classes > 2:
            raise ValueError(
                f"{what} takes a regression or two classes, got {self._n_classes} classes."
            )

    # What the subclasses say

    _unwrapper_type: type
    _metric: str

    @property
    def _n_classes(self) -> int | None:
        raise NotImplementedError

    def _loss(self, outputs: np.ndarray, y: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def _moments(self, y: np.ndarray) -> tuple[float, float]:
        raise NotImplementedError

    def _score_rows(self, outputs: np.ndarray, y: np.ndarray) -> float:
        raise NotImplementedError

    def _encode(self, y: ArrayLike, n_rows: int) -> np.ndarray:
        raise NotImplementedError

    def _decode(self, y: np.ndarray) -> np.ndarray:
        return y

    def _warn_of_separation(self) -> None:
        pass


class MergedRegressor(RegressorMixin, _Merged):
    """The regions of a regression network in a few clusters, each with a linear model.

    ``unwrapper.merge(...)`` makes it.

    Parameters
    ----------
    unwrapper : UnwrapperRegressor
        Fitted.
    n_clusters : int, optional
        Number of clusters K before small ones join others. None takes the K of 1 to 10, 15 and 20
        whose refitted models have the least held-out loss; `scores_` lists them.
    n_neighbors : int or float, optional
        Nearest region centres T that a region is connected with; a float is a share of the regions
        (the paper starts with 0.01). It is raised until all regions are connected, so that 1 gives
        the fewest that connect. None starts with 10.
    min_samples : int
        A cluster with this many training rows or fewer goes to the nearest larger one.
    penalty : {None, "l2", "l1"}
        Of the refitted models; None is maximum likelihood.
    C : float
        Weight of the data against the penalty, as in scikit-learn's ``LogisticRegression``. The
        ridge regression's ``alpha`` is ``1 / C``, the lasso's ``1 / (C * rows)``.
    distance : {"coefficients", "predictions"}
        What Ward's linkage compares: intercepts and coefficients, which depend on the units of the
        features, or predictions on the training rows, which do not. Neighbours, small clusters and
        votes go by the features' own distances either way.
    one_standard_error : bool
        Whether ``n_clusters=None`` takes the smallest K within one standard error of the best.
    cv : int
        Folds of the held-out loss. The clusters stay, the models are refitted.
    seed : int
        Of the folds.

    Attributes
    ----------
    labels_ : ndarray of int64, shape (n_samples,)
        Cluster of each training row, the largest cluster first.
    region_labels_ : ndarray of int64, shape (n_regions,)
        Cluster of each of the unwrapper's regions.
    counts_ : ndarray of int64, shape (n_clusters,)
    coef_ : ndarray of float64, shape (n_clusters, n_outputs, n_features)
    intercept_ : ndarray of float64, shape (n_clusters, n_outputs)
    centers_ : ndarray of float64, shape (n_clusters, n_features)
        Mean of each cluster's training rows.
    n_neighbors_ : int
        The T in use; larger than `n_neighbors` where that did not connect the regions.
    n_cut_ : int
        The K in use; there are fewer clusters where small ones joined others.
    scores_ : DataFrame or None
        Where `n_clusters` is None: indexed by ``K``, ``n_clusters`` (without the small ones), and
        ``mean`` and ``se`` of the held-out loss over the folds; less is better. The loss is the
        squared error, or for classes the log-loss. That is an average over rows, which is what
        the models were fitted by; an AUC would also compare logits of different clusters.

    Notes
    -----
    Sudjianto et al. (2020), section 5.1, Algorithm 1. Held-out rows took part in choosing the
    clusters, so `scores_` compares values of K and is no estimate of the error on new rows.

    Neighbours are those of the features as they are: standardise them first. Rows that lie in far
    groups need a T about as large as the second largest group, and merging is slow then.

    Explained in the chapter *unwrapping-merging*.

    Examples
    --------
    >>> from xai_course.networks import PiecewiseLinearNetwork
    >>> network = PiecewiseLinearNetwork([[[1], [-1]], [[1, 1]]], [[0, 0], [0]])
    >>> X = np.linspace(-1, 1, 50)[:, None]
    >>> merged = UnwrapperRegressor(network).fit(X, abs(X[:, 0])).merge(2, min_samples=5)
    >>> merged.coef_[:, 0, 0].round(6)
    array([-1.,  1.])
    """

    _unwrapper_type = UnwrapperRegressor
    _metric = "mse"
    _n_classes = None

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the clusters' predictions, shape (n_samples,)."""
        return self._outputs(X)[:, 0]

    def _loss(self, outputs: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (outputs[:, 0] - y) ** 2

    def _moments(self, y: np.ndarray) -> tuple[float, float]:
        return float(y.mean()), float(y.std())

    def _score_rows(self, outputs: np.ndarray, y: np.ndarray) -> float:
        return float(self._loss(outputs, y).mean())

    def _encode(self, y: ArrayLike, n_rows: int) -> np.ndarray:
        return self._source._check_response(y, n_rows)


class MergedClassifier(ClassifierMixin, _Merged):
    """The regions of a classification network in a few clusters, each with a logistic model.

    ``unwrapper.merge(...)`` makes it. Parameters and attributes are those of `MergedRegressor`;
    there is one linear model per cluster for two classes (the logit of the second), else one per
    class.

    Attributes
    ----------
    classes_ : ndarray, shape (n_classes,)
        The labels, sorted.

    Notes
    -----
    A cluster whose rows are of one class has a constant model. Where a linear function separates
    the classes of a cluster and there is no penalty, a `SeparationWarning` names it.

    Explained in the chapter *unwrapping-merging*.
    """

    _unwrapper_type = UnwrapperClassifier
    _metric = "auc"

    @property
    def classes_(self) -> np.ndarray:
        """The labels, sorted, shape (n_classes,)."""
        return self._source.classes_

    @property
    def _n_classes(self) -> int:
        return len(self._source.classes_)

    def decision_function(self, X: ArrayLike) -> np.ndarray:
        """Return the logits, shape (n_samples,) for two classes, else (n_samples, n_classes)."""
        logits = self._outputs(X)
        return logits[:, 0] if logits.shape[1] == 1 else logits

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Return the probabilities, shape (n_samples, n_classes)."""
        return softmax(_all_logits(self._outputs(X)), axis=1)

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the classes, shape (n_samples,), as labels given to the unwrapper."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def _comparable(self, models: np.ndarray) -> np.ndarray:
        # Models that differ by the same shift of all logits are the same classifier.
        return models - models.mean(axis=1, keepdims=True) if models.shape[1] > 1 else models

    def _loss(self, outputs: np.ndarray, y: np.ndarray) -> np.ndarray:
        return -log_softmax(_all_logits(outputs), axis=1)[np.arange(len(y)), y]

    def _moments(self, y: np.ndarray) -> tuple[float, float]:
        shares = np.bincount(y, minlength=self._n_classes) / len(y)
        share = shares[1] if self._n_classes == 2 else shares.max()
        return float(share), float(np.sqrt(share * (1 - share)))

    def _score_rows(self, outputs: np.ndarray, y: np.ndarray) -> float:
        targets = [1] if self._n_classes == 2 else range(self._n_classes)
        aucs = [
            _scores.ranking_auc(np.ascontiguousarray(outputs[None, :, j]), y == target)[0]
            for j, target in enumerate(targets)
        ]
        known = [auc for auc in aucs if not np.isnan(auc)]
        return float(np.mean(known)) if known else np.nan

    def _encode(self, y: ArrayLike, n_rows: int) -> np.ndarray:
        y = np.asarray(y)
        if y.shape != (n_rows,):
            raise ValueError(f"y must have shape ({n_rows},), got {y.shape}.")
        unknown = sorted(set(y.tolist()) - set(self.classes_.tolist()), key=str)
        if unknown:
            raise ValueError(
                f"y holds {unknown[0]!r}, which is not one of the classes {self.classes_.tolist()}."
            )
        return np.searchsorted(self.classes_, y)

    def _decode(self, y: np.ndarray) -> np.ndarray:
        return self.classes_[y]

    def _warn_of_separation(self) -> None:
        if self.penalty is not None:
            return
        logits = self._linear(self._X, self.labels_)
        separated = []
        for k in range(len(self.counts_)):
            rows = self.labels_ == k
            X, y = self._X[rows], self._y[rows]
            classes = np.unique(y)
            if len(classes) < 2 or not testing.maybe_separated(logits[rows]):
                continue
            # With several classes, this looks at each against the rest.
            targets = classes[1:] if len(classes) == 2 else classes
            if any(testing.is_separated(X, y == target) for target in targets):
                separated.append(f"{k} ({len(y)} rows)")
        if separated:
            warnings.warn(
                f"A linear function separates the classes of cluster {', '.join(separated)}: the "
                "maximum-likelihood coefficients are infinite, and those kept are only large. "
                "Merge to fewer clusters, or set penalty='l2'.",
                SeparationWarning,
                stacklevel=4,
            )


def _all_logits(outputs: np.ndarray) -> np.ndarray:
    """Return one logit per class, where one output is that of the second of two classes."""
    return np.column_stack([np.zeros(len(outputs)), outputs]) if outputs.shape[1] == 1 else outputs


def _neighbor_graph(
    centers: np.ndarray, n_neighbors: int | float | None
) -> tuple[csr_matrix | None, int]:
    """Return a symmetric graph of nearest centres that is connected, and its T."""
    if len(centers) == 1:
        return None, 1
    most = len(centers) - 1
    wanted = _FEWEST_NEIGHBORS if n_neighbors is None else n_neighbors
    if not isinstance(wanted, Integral):
        wanted = int(np.ceil(wanted * len(centers)))
    low = high = min(int(wanted), most)
    nearest = _nearest(centers, min(max(16, high), most))
    while not _is_connected(nearest, high):
        low, high = high + 1, min(2 * high, most)
        if high > nearest.shape[1]:
            nearest = _nearest(centers, high)
    # More neighbours never disconnect, so the smallest T can be bisected.
    n = low + bisect_left(range(low, high), True, key=lambda n: _is_connected(nearest, n))
    graph = _graph(nearest, n)
    return csr_matrix(graph + graph.T), n


def _nearest(centers: np.ndarray, n: int) -> np.ndarray:
    return NearestNeighbors(n_neighbors=n).fit(centers).kneighbors(return_distance=False)


def _graph(nearest: np.ndarray, n: int) -> csr_array:
    size = len(nearest)
    ends = np.arange(0, size * n + 1, n)
    return csr_array((np.ones(size * n), nearest[:, :n].ravel(), ends), shape=(size, size))


def _is_connected(nearest: np.ndarray, n: int) -> bool:
    graph = _graph(nearest, n)
    return connected_components(graph, directed=False, return_labels=False) == 1


def _cut(tree: ArrayLike, n_leaves: int, n_clusters: int) -> np.ndarray:
    """Return a label of each leaf: the node of the tree that it belongs to.

    Row ``m`` of `tree` holds the two nodes that became node ``n_leaves + m``.
    """
    n_merges = n_leaves - n_clusters
    root = np.arange(n_leaves + n_merges)
    for m in range(n_merges - 1, -1, -1):
        root[tree[m]] = root[n_leaves + m]
    return root[:n_leaves]


def _absorb(
    labels: np.ndarray, counts: np.ndarray, centers: np.ndarray, min_samples: int
) -> np.ndarray:
    """Return labels from 0 in which every small cluster has joined the nearest large one."""
    _, labels = np.unique(labels, return_inverse=True)
    sizes = np.bincount(labels, counts)
    sums = np.stack([np.bincount(labels, counts * column) for column in centers.T], axis=1)
    middle = sums / sizes[:, None]
    large = np.flatnonzero(sizes > min_samples)
    if not len(large):
        return np.zeros_like(labels)
    nearest = NearestNeighbors(n_neighbors=1).fit(middle[large]).kneighbors(middle)[1][:, 0]
    target = np.where(sizes > min_samples, np.searchsorted(large, np.arange(len(sizes))), nearest)
    return target[labels]


def _choose(scores: pd.DataFrame, one_standard_error: bool) -> int:
    best = scores["mean"].idxmin()
    limit = scores.loc[best, "mean"]
    if one_standard_error:
        limit += scores.loc[best, "se"]
    return int(scores.index[scores["mean"] <= limit].min())


def _check_neighbors(value: object) -> None:
    if value is None:
        return
    share = isinstance(value, Real) and not isinstance(value, Integral) and 0 < value <= 1
    whole = isinstance(value, Integral) and not isinstance(value, bool) and value >= 1
    if not share and not whole:
        raise ValueError(
            "n_neighbors must be None, a whole number from 1 on or a share of the regions above 0 "
            f"and up to 1, got {value!r}."
        )


def _check_penalty(penalty: str | None, C: float) -> None:
    if penalty not in (None, "l2", "l1"):
        raise ValueError(f"penalty must be None, 'l2' or 'l1', got {penalty!r}.")
    if not isinstance(C, Real) or isinstance(C, bool) or not 0 < C < np.inf:
        raise ValueError(f"C must be a positive number, got {C!r}.")
