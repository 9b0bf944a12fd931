"""Merging: the regions of a network in a few clusters, each with a linear model of its own."""

from __future__ import annotations

import warnings
from dataclasses import KW_ONLY, dataclass
from functools import cache
from numbers import Integral
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.sparse import csr_array
from scipy.sparse.csgraph import minimum_spanning_tree
from sklearn.model_selection import KFold
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.validation import check_is_fitted

from xai_course._validation import check_choice, check_number, check_rows, check_whole
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.unwrapping import flattening, glm, plots
from xai_course.unwrapping import inference as testing
from xai_course.unwrapping.partition import Classification, Partition, Regression
from xai_course.unwrapping.unwrapper import UnwrapperClassifier, UnwrapperRegressor
from xai_course.unwrapping.ward import ward_tree

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["MergedClassifier", "MergedRegressor"]

# Sudjianto et al. (2020), section 5.1.
_GRID = (*range(1, 11), 15, 20)

# With the fewest neighbours that connect, often 2, regions merge along chains, and the merged model
# predicts new rows worse (benchmarks/unwrapping.py); from here on more neighbours change little.
_FEWEST_NEIGHBORS = 10


@dataclass(eq=False, repr=False)
class Merged(Partition):
    """What the two merged models share."""

    network: PiecewiseLinearNetwork
    n_clusters: int | None = None
    n_neighbors: int | float | None = None
    min_samples: int = 30
    penalty: str | None = None
    _: KW_ONLY
    C: float = 1.0
    distance: str = "coefficients"
    one_standard_error: bool = False
    cv: int = 5
    random_state: int | None = 0

    _part: ClassVar[str] = "cluster"
    _unwrapper_type: ClassVar[type[UnwrapperRegressor] | type[UnwrapperClassifier]]

    def fit(self, X: ArrayLike, y: ArrayLike) -> Merged:
        """Unwrap the network on the rows, and merge its regions (Algorithm 1).

        Parameters
        ----------
        X : array_like or DataFrame, shape (n_samples, n_features)
            Inputs in the units that the network takes. Column names become feature names.
        y : array_like, shape (n_samples,)

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            As for the unwrapper's `fit`, or if an option is not accepted; the message names it.

        Warns
        -----
        SeparationWarning
            If the classes of a cluster are separated and there is no penalty.
        """
        return self._merge(self._unwrapper_type(self.network).fit(X, y))

    def _merge(self, source: UnwrapperRegressor | UnwrapperClassifier) -> Merged:
        self.unwrapper_ = source
        vars(self).pop("feature_names_in_", None)
        shared = ("network_", "n_features_in_", "feature_names_in_", "classes_", "_X", "_y")
        vars(self).update({name: vars(source)[name] for name in shared if name in vars(source)})
        self._check_options()
        # Distances between rows: in the features' own units, or in standard deviations.
        scale = glm.standardise(self._X)[2]
        self._unit = scale if self.distance == "predictions" else np.ones_like(scale)
        places = source.centers_ / self._unit
        graph, self.n_neighbors_ = _neighbor_graph(places, self.n_neighbors)
        self._neighbors = NearestNeighbors(n_neighbors=self.n_neighbors_).fit(places)
        tree = ward_tree(self._models(), graph) if len(places) > 1 else []
        if self.n_clusters is None:
            self.scores_ = self._score_grid(tree)
            self.n_cut_ = _choose(self.scores_, self.one_standard_error)
        else:
            self.scores_, self.n_cut_ = None, int(self.n_clusters)
        self.region_labels_ = self._clusters(tree, self.n_cut_)
        self.labels_ = self.region_labels_[source.labels_]
        self.counts_ = np.bincount(self.labels_)
        self.centers_ = self._mean_in_parts(self._X)
        fits = [self._fit_rows(self.labels_ == k) for k in range(len(self.counts_))]
        self.coef_, self.intercept_ = (np.stack(part) for part in zip(*fits, strict=True))
        self._warn_of_separation()
        return self

    def _models(self) -> np.ndarray:
        """Return the regions' models as points, whose distances Ward's linkage takes."""
        source = self.unwrapper_
        models = np.concatenate([source.intercept_[:, :, None], source.coef_], axis=2)
        if models.shape[1] > 1:
            # Models that differ by the same shift of all logits are the same classifier.
            models = models - models.mean(axis=1, keepdims=True)
        if self.distance == "predictions":
            # |rows @ (a - b)| = |triangle @ (a - b)| with rows = orthogonal @ triangle: distances
            # between predictions on all training rows, at the price of those between models.
            rows = np.column_stack([np.ones(len(self._X)), self._X])
            models = models @ (np.linalg.qr(rows, mode="r") / np.sqrt(len(rows))).T
        return models.reshape(len(models), -1)

    def _clusters(self, tree: ArrayLike, n_clusters: int) -> np.ndarray:
        """Return the cluster of each region, without small clusters, the largest first."""
        counts, places = self.unwrapper_.counts_, self.unwrapper_.centers_ / self._unit
        labels = _cut(tree, len(counts), n_clusters)
        labels = _absorb(labels, counts, places, self.min_samples)
        # Equal sizes stay in the order of their largest regions.
        sizes = pd.Series(counts).groupby(labels, sort=False).sum()
        ranked = sizes.sort_values(ascending=False, kind="stable")
        return ranked.index.get_indexer(labels)

    def _fit_rows(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return glm.fit_glm(self._X[rows], self._y[rows], self._n_classes, self.penalty, self.C)

    def _score_grid(self, tree: ArrayLike) -> pd.DataFrame:
        """Return mean and standard error over folds of the held-out loss for each K."""
        grid = [k for k in _GRID if k <= len(self.unwrapper_.counts_)]
        partitions = [self._clusters(tree, k)[self.unwrapper_.labels_] for k in grid]
        folds = KFold(self.cv, shuffle=True, random_state=self.random_state).split(self._X)
        losses = np.array([self._fold_losses(partitions, *fold) for fold in folds])
        table = pd.DataFrame(index=pd.Index(grid, name="K"))
        table["n_clusters"] = [labels.max() + 1 for labels in partitions]
        table["mean"] = losses.mean(axis=0)
        table["se"] = losses.std(axis=0, ddof=1) / np.sqrt(self.cv)
        gaps = losses - losses[:, [losses.mean(axis=0).argmin()]]
        table["gap_se"] = gaps.std(axis=0, ddof=1) / np.sqrt(self.cv)
        return table

    def _fold_losses(
        self, partitions: list[np.ndarray], train: np.ndarray, test: np.ndarray
    ) -> list[float]:
        # The cuts of one tree share most of their clusters.
        fit = cache(lambda rows: self._fit_rows(np.frombuffer(rows, train.dtype)))
        losses = []
        for labels in partitions:
            loss = 0.0
            for k in range(labels.max() + 1):
                held_out = test[labels[test] == k]
                own = train[labels[train] == k]
                # Nothing is known about a cluster without a row to learn from.
                coef, intercept = fit((own if len(own) else train).tobytes())
                loss += self._loss(self._X[held_out] @ coef.T + intercept, self._y[held_out]).sum()
            losses.append(loss / len(test))
        return losses

    # New rows

    def _apply(self, X: np.ndarray) -> np.ndarray:
        regions = self.unwrapper_._apply(X)
        clusters = self.region_labels_[regions]
        unseen = np.flatnonzero(regions < 0)
        if len(unseen):
            nearest = self._neighbors.kneighbors(X[unseen] / self._unit, return_distance=False)
            voters = self.region_labels_[nearest]
            votes = (voters[:, :, None] == np.arange(len(self.counts_))).sum(axis=1)
            # The first voter with the most votes is the nearest one.
            winner = np.take_along_axis(votes, voters, axis=1).argmax(axis=1)
            clusters[unseen] = voters[np.arange(len(unseen)), winner]
        return clusters

    def _outputs(self, X: ArrayLike) -> np.ndarray:
        """Return the outputs before the link, shape (n_samples, n_outputs)."""
        X = check_rows(self, X)
        return self._linear(X, self._apply(X))

    def _own_outputs(self) -> np.ndarray:
        return self._linear(self._X, self.labels_)

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
        table = self._summary()
        table.insert(1, "n_regions", np.bincount(self.region_labels_))
        table["coef_norm"] = np.linalg.norm(self.coef_, axis=(1, 2))
        return table

    inference = testing.inference
    inference_naive = testing.inference_naive
    bootstrap = testing.bootstrap
    flatten = flattening.flatten

    # Pictures

    def plot_regions(self, bounds: ArrayLike | None = None, ax: Axes | None = None) -> Axes:
        """Draw the clusters of a network with two inputs (Sudjianto et al. 2020, Figure 15)."""
        check_is_fitted(self)
        codes = np.tri(len(self.counts_))  # as many ones as its number says: a tint for each
        return plots.regions(lambda X: codes[self._apply(X)], self._X, bounds, ax, resolution=300)

    def plot_parallel_coordinates(
        self, n_regions: int | None = None, output: int = 0, ax: Axes | None = None
    ) -> Axes:
        """Draw each cluster's coefficients as a line (Figures 16, 17 and 23)."""
        check_is_fitted(self)
        coef, counts = self.coef_[:n_regions, output], self.counts_[:n_regions]
        return plots.parallel_coordinates(coef, counts, self._names, ax, apart=True)

    plot_bootstrap = staticmethod(plots.bootstrap)

    # Checks

    def _check_options(self) -> None:
        if self.n_clusters is None:
            check_whole(self.cv, "cv (folds of the rows)", 2, len(self._X))
        else:
            n_regions = self.unwrapper_.n_regions_
            check_whole(self.n_clusters, "n_clusters (of the regions)", 1, n_regions)
        if isinstance(self.n_neighbors, Integral):
            check_whole(self.n_neighbors, "n_neighbors", 1)
        elif self.n_neighbors is not None:
            name = "n_neighbors, a whole number or a share of the regions,"
            check_number(self.n_neighbors, name, above=0, most=1)
        check_whole(self.min_samples, "min_samples", 0)
        glm.check_penalty(self.penalty, self.C, self._n_classes)
        check_choice(self.distance, "distance", ("coefficients", "predictions"))

    def _check_cluster(self, cluster: int, what: str) -> None:
        self._check_two_classes(what)
        check_whole(cluster, "cluster", 0, len(self.counts_) - 1)

    def _check_two_classes(self, what: str) -> None:
        check_is_fitted(self)
        n = self._n_classes
        if n is not None and n > 2:
            raise ValueError(f"{what} takes a regression or two classes, got {n} classes.")

    def _warn_of_separation(self) -> None:
        if self._n_classes is None or self.penalty is not None:
            return
        # The linear program is spared where no logit is as large as those of a separated fit.
        is_large = (np.abs(self._own_outputs()) > glm.LARGE_LOGIT).any(axis=1)
        separated = []
        for k, count in enumerate(self.counts_):
            own = self.labels_ == k
            if is_large[own].any() and glm.is_separated(self._X[own], self._y[own]):
                separated.append(f"{k} ({count} rows)")
        if separated:
            warnings.warn(
                f"A linear function separates the classes of cluster {', '.join(separated)}: the "
                "maximum-likelihood coefficients are infinite, and those kept are only large. "
                "Merge to fewer clusters, or set penalty='l2'.",
                glm.SeparationWarning,
                stacklevel=4,
            )


class MergedRegressor(Regression, Merged):
    """The regions of a regression network in a few clusters, each with a linear model.

    ``unwrapper.merge(...)`` is the short cut where the regions are known already.

    Parameters
    ----------
    network : PiecewiseLinearNetwork
        With one output.
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
        Of the refitted models, in the features' own units; None is maximum likelihood. "l1" takes
        a regression or two classes.
    C : float
        Weight of the data against the penalty, as in scikit-learn's ``LogisticRegression``. The
        ridge regression's ``alpha`` is ``1 / C``, the lasso's ``1 / (C * rows)``.
    distance : {"coefficients", "predictions"}
        What Ward's linkage compares. "coefficients", as published, are intercepts and coefficients;
        neighbours, small clusters and votes go by the distances between rows as they are. All of
        that depends on the units of the features by definition. "predictions" are those on the
        training rows, and distances between rows are in standard deviations: no unit changes
        anything.
    one_standard_error : bool
        Whether ``n_clusters=None`` takes the smallest K within one standard error of the best.
    cv : int
        Folds of the held-out loss. The clusters stay, the models are refitted.
    random_state : int, RandomState or None
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
        ``mean`` and ``se`` of the held-out loss over the folds; less is better. ``gap_se`` is the
        standard error of the difference to the best K over the same folds. The loss is the
        squared error, or for classes the log-loss. That is an average over rows, which is what
        the models were fitted by; an AUC would also compare logits of different clusters.

    Notes
    -----
    Sudjianto et al. (2020), section 5.1, Algorithm 1. Held-out rows took part in choosing the
    clusters, so `scores_` compares values of K and is no estimate of the error on new rows.

    With ``distance="coefficients"``, standardise the features first. Rows that lie in far groups
    need a T about as large as the second largest group, and merging is slow then.

    The training rows are kept, since tables, pictures, tests and flattening are made of them: a
    pickle holds them. There are no sample weights, and `cv` takes no splitter.

    Explained in the chapter *unwrapping-merging*.

    Examples
    --------
    >>> from xai_course.networks import PiecewiseLinearNetwork
    >>> network = PiecewiseLinearNetwork([[[1], [-1]], [[1, 1]]], [[0, 0], [0]])
    >>> X = np.linspace(-1, 1, 50)[:, None]
    >>> merged = MergedRegressor(network, 2, min_samples=5).fit(X, abs(X[:, 0]))
    >>> merged.coef_[:, 0, 0].round(6)
    array([-1.,  1.])
    """

    _unwrapper_type = UnwrapperRegressor


class MergedClassifier(Classification, Merged):
    """The regions of a classification network in a few clusters, each with a logistic model.

    Parameters and attributes are those of `MergedRegressor`; there is one linear model per cluster
    for two classes (the logit of the second), else one per class.

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


def _neighbor_graph(
    centers: np.ndarray, n_neighbors: int | float | None
) -> tuple[csr_array | None, int]:
    """Return a symmetric graph of nearest centres that is connected, and its T."""
    size, most = len(centers), len(centers) - 1
    if most == 0:
        return None, 1
    wanted = _FEWEST_NEIGHBORS if n_neighbors is None else n_neighbors
    if not isinstance(wanted, Integral):
        wanted = int(np.ceil(wanted * size))
    n, is_connected = max(16, wanted), False
    while not is_connected:
        n = min(n, most)
        nearest = NearestNeighbors(n_neighbors=n).fit(centers).kneighbors(return_distance=False)
        ends, ranks = np.arange(0, size * n + 1, n), np.tile(np.arange(1, n + 1), size)
        # SciPy's graphs are counted in 32 bits; older versions refuse others.
        indices = nearest.ravel().astype(np.int32)
        graph = csr_array((ranks, indices, ends.astype(np.int32)), shape=(size, size))
        # A tree of the smallest ranks: the largest of them is the fewest neighbours that connect.
        tree = minimum_spanning_tree(graph)
        is_connected, n = tree.nnz == most, 2 * n
    n = max(min(wanted, most), int(tree.max()))
    graph.data = graph.data <= n
    graph.eliminate_zeros()
    return graph + graph.T, n


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
    """Return labels in which every small cluster has joined the nearest large one."""
    _, labels = np.unique(labels, return_inverse=True)
    sizes = np.bincount(labels, counts)
    sums = np.stack([np.bincount(labels, counts * column) for column in centers.T], axis=1)
    middle = sums / sizes[:, None]
    large = np.flatnonzero(sizes > min_samples)
    if not len(large):
        return np.zeros_like(labels)
    nearest = NearestNeighbors(n_neighbors=1).fit(middle[large]).kneighbors(middle)[1][:, 0]
    target = np.where(sizes > min_samples, np.arange(len(sizes)), large[nearest])
    return target[labels]


def _choose(scores: pd.DataFrame, one_standard_error: bool) -> int:
    best = scores["mean"].idxmin()
    limit = scores.loc[best, "mean"] + (scores.loc[best, "se"] if one_standard_error else 0.0)
    return int(scores.index[scores["mean"] <= limit].min())
