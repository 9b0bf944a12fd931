"""Merging: the paper's numbers, each step against its plain definition, edges, bad input."""

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from random_networks import random_network
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import pdist
from sklearn.base import clone
from sklearn.cluster import AgglomerativeClustering
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import adjusted_rand_score, log_loss, mean_squared_error, roc_auc_score
from sklearn.model_selection import KFold
from sklearn.neighbors import kneighbors_graph

from xai_course.networks import PiecewiseLinearNetwork
from xai_course.unwrapping import (
    MergedClassifier,
    MergedRegressor,
    SeparationWarning,
    UnwrapperClassifier,
    UnwrapperRegressor,
)
from xai_course.unwrapping.merging import _neighbor_graph


@pytest.fixture(scope="module")
def regression():
    rng = np.random.default_rng(1)
    network = random_network([3, 8, 8, 1], seed=1)
    X = rng.normal(size=(400, 3))
    y = network.forward(X)[:, 0] + rng.normal(size=400)
    return UnwrapperRegressor(network).fit(X, y), X, y


@pytest.fixture(scope="module")
def three_classes():
    rng = np.random.default_rng(2)
    network = random_network([2, 6, 3], seed=2)
    X = rng.normal(size=(400, 2))
    logits = network.forward(X) + rng.gumbel(size=(400, 3))
    y = np.array(["a", "b", "c"])[logits.argmax(axis=1)]
    return UnwrapperClassifier(network).fit(X, y), X, y


# The paper's numbers


def test_cocircles_is_the_papers_merge(circles):
    unwrapper, X_train, X_test, y_train, y_test = circles
    merged = unwrapper.merge(10, 5, 30, "l2")
    assert merged.counts_.tolist() == [252, 226, 206, 203, 187, 186, 173, 167]
    assert merged.n_neighbors_ == 5
    assert merged.n_cut_ == 10
    scores = [
        roc_auc_score(y, merged.decision_function(X))
        for X, y in ((X_train, y_train), (X_test, y_test))
    ]
    # Printed in the authors' notebook: .9002 and .9015.
    assert scores == pytest.approx([0.9002, 0.9015], abs=2e-4)
    # The coefficients that Table 2 of the paper prints.
    table = np.column_stack([merged.intercept_[:2], merged.coef_[:2, 0]])
    printed = [[5.3201, 4.3638, 4.1135], [5.5461, 4.4345, -3.4950]]
    np.testing.assert_allclose(table, printed, atol=1.5e-4)


# Each step against its plain definition


@pytest.mark.parametrize("n_clusters", [1, 2, 7, 20])
def test_clusters_are_scikit_learns(circles, n_clusters):
    unwrapper, *_ = circles
    merged = unwrapper.merge(n_clusters, 5, min_samples=0, penalty="l2")
    models_ = np.column_stack([unwrapper.intercept_, unwrapper.coef_[:, 0]])
    graph = kneighbors_graph(unwrapper.centers_, 5)
    expected = AgglomerativeClustering(n_clusters, connectivity=graph + graph.T).fit_predict(
        models_
    )
    assert adjusted_rand_score(expected, merged.region_labels_) == 1
    assert len(merged.counts_) == n_clusters


def test_attributes_describe_the_clusters(regression):
    unwrapper, X, _ = regression
    merged = unwrapper.merge(6, min_samples=20)
    assert (np.diff(merged.counts_) <= 0).all()
    assert merged.counts_.min() > 20
    assert merged.coef_.shape == (len(merged.counts_), 1, 3)
    assert merged.intercept_.shape == (len(merged.counts_), 1)
    np.testing.assert_array_equal(merged.labels_, merged.region_labels_[unwrapper.labels_])
    np.testing.assert_array_equal(merged.counts_, np.bincount(merged.labels_))
    for k, center in enumerate(merged.centers_):
        np.testing.assert_allclose(center, X[merged.labels_ == k].mean(axis=0))
    assert merged.scores_ is None


def test_equal_sizes_stand_in_the_order_of_their_regions():
    network = PiecewiseLinearNetwork([[[1], [-1]], [[1, 2]]], [[0, 0], [0]])
    X = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    unwrapper = UnwrapperRegressor(network).fit(X, X[:, 0])
    assert unwrapper.merge(2, min_samples=0).region_labels_.tolist() == [0, 1]


def _connects(centers, n):
    return connected_components(kneighbors_graph(centers, n), directed=False)[0] == 1


def test_neighbors_are_ten_or_what_was_asked_for(regression):
    unwrapper, *_ = regression
    assert unwrapper.merge(3).n_neighbors_ == 10
    n = unwrapper.merge(3, 1).n_neighbors_
    assert _connects(unwrapper.centers_, n)
    assert n == 1 or not _connects(unwrapper.centers_, n - 1)
    more = unwrapper.merge(3, n + 3)
    assert more.n_neighbors_ == n + 3
    share = unwrapper.merge(3, 0.2).n_neighbors_
    assert share == np.ceil(0.2 * unwrapper.n_regions_)
    assert unwrapper.merge(3, 10**6).n_neighbors_ == unwrapper.n_regions_ - 1


@pytest.mark.parametrize("wanted", [1, 10, 17, 0.3, None])
def test_the_graph_joins_each_center_and_its_nearest(wanted):
    centers = np.random.default_rng(0).normal(size=(70, 3))
    graph, n = _neighbor_graph(centers, wanted)
    plain = kneighbors_graph(centers, n)
    np.testing.assert_array_equal(graph.toarray() > 0, (plain + plain.T).toarray() > 0)


def test_neighbors_are_raised_until_they_connect():
    # Two groups of regions far from each other: 12 and 25 of them.
    edges = np.concatenate([np.arange(12), 1000 + np.arange(25)]).astype(float)
    network = PiecewiseLinearNetwork([np.ones((37, 1)), np.ones((1, 37))], [-edges, [0.0]])
    unwrapper = UnwrapperRegressor(network).fit(edges[:, None] + 0.5, edges)
    for wanted in (None, 1, 2, 11):
        merged = unwrapper.merge(2, wanted, min_samples=0)
        assert merged.n_neighbors_ == 12
        assert _connects(unwrapper.centers_, 12)
        assert not _connects(unwrapper.centers_, 11)


def test_small_clusters_join_the_nearest_large_one(regression):
    unwrapper, X, _ = regression
    every = unwrapper.merge(12, min_samples=0)
    merged = unwrapper.merge(12, min_samples=40)
    large = np.flatnonzero(every.counts_ > 40)
    assert 1 < len(large) < 12
    for k in range(12):
        to_large = np.linalg.norm(every.centers_[large] - every.centers_[k], axis=1)
        goal = large[to_large.argmin()]
        expected = merged.labels_[every.labels_ == goal][0]
        assert (merged.labels_[every.labels_ == k] == expected).all()
    assert unwrapper.merge(12, min_samples=len(X)).counts_.tolist() == [len(X)]


def test_a_cluster_of_min_samples_rows_is_small():
    network = PiecewiseLinearNetwork([[[1], [-1]], [[1, 2]]], [[0, 0], [0]])
    X = np.concatenate([-np.ones(10), np.ones(11)])[:, None]
    unwrapper = UnwrapperRegressor(network).fit(X, X[:, 0])
    assert unwrapper.merge(2, min_samples=9).counts_.tolist() == [11, 10]
    assert unwrapper.merge(2, min_samples=10).counts_.tolist() == [21]


def test_unseen_patterns_join_by_their_nearest_centers(circles):
    unwrapper, X_train, X_test, *_ = circles
    merged = unwrapper.merge(10, 5, 30, "l2")
    np.testing.assert_array_equal(merged.apply(X_train), merged.labels_)
    regions, clusters = unwrapper.apply(X_test), merged.apply(X_test)
    assert (regions < 0).sum() == 90
    n_ties = 0
    for x, region, cluster in zip(X_test, regions, clusters, strict=True):
        if region >= 0:
            assert cluster == merged.region_labels_[region]
            continue
        distance = np.linalg.norm(unwrapper.centers_ - x, axis=1)
        voters = merged.region_labels_[distance.argsort()[:5]]
        votes = np.bincount(voters)
        best = np.flatnonzero(votes == votes.max())
        n_ties += len(best) > 1
        assert cluster == next(k for k in voters if k in best)
    assert n_ties > 0


def test_regression_models_are_least_squares(regression):
    unwrapper, X, y = regression
    merged = unwrapper.merge(5)
    prediction = merged.predict(X)
    for k in range(len(merged.counts_)):
        own = merged.labels_ == k
        fit = sm.OLS(y[own], sm.add_constant(X[own])).fit()
        both = [*merged.intercept_[k], *merged.coef_[k, 0]]
        np.testing.assert_allclose(both, fit.params, rtol=1e-9)
        np.testing.assert_allclose(prediction[own], fit.fittedvalues)


def test_classification_models_are_maximum_likelihood(circles):
    unwrapper, X, _, y, _ = circles
    merged = unwrapper.merge(10, 5)
    probability = merged.predict_proba(X)[:, 1]
    for k in range(len(merged.counts_)):
        own = merged.labels_ == k
        fit = sm.Logit(y[own], sm.add_constant(X[own])).fit(disp=0)
        both = [*merged.intercept_[k], *merged.coef_[k, 0]]
        np.testing.assert_allclose(both, fit.params, rtol=1e-6)
        np.testing.assert_allclose(probability[own], fit.predict(), rtol=1e-5)


# The number of clusters


@pytest.mark.parametrize("kind", ["regression", "circles"])
def test_scores_are_held_out_losses(kind, request):
    unwrapper, X, *rest = request.getfixturevalue(kind)
    y = rest[-2] if kind == "circles" else rest[0]
    merged = unwrapper.merge(n_neighbors=5, penalty="l2", cv=4, random_state=3)
    assert merged.scores_.index.tolist() == [*range(1, 11), 15, 20]
    assert merged.scores_.index.name == "K"
    assert merged.n_cut_ == merged.scores_["mean"].idxmin()
    assert len(merged.counts_) == merged.scores_.loc[merged.n_cut_, "n_clusters"]
    labels = unwrapper.merge(6, 5, penalty="l2").labels_
    losses = []
    for train, test in KFold(4, shuffle=True, random_state=3).split(X):
        out = np.empty(len(test))
        for k in np.unique(labels):
            own, held_out = train[labels[train] == k], labels[test] == k
            if kind == "circles":
                fit = LogisticRegression(tol=1e-8).fit(X[own], y[own])
                out[held_out] = fit.predict_proba(X[test][held_out])[:, 1]
            else:
                out[held_out] = Ridge(alpha=1).fit(X[own], y[own]).predict(X[test][held_out])
        losses.append((log_loss if kind == "circles" else mean_squared_error)(y[test], out))
    assert merged.scores_.loc[6, "mean"] == pytest.approx(np.mean(losses), rel=1e-4)
    expected = np.std(losses, ddof=1) / 2
    assert merged.scores_.loc[6, "se"] == pytest.approx(expected, rel=1e-3)


def test_a_cluster_that_a_fold_holds_out_gets_the_fit_of_all_rows():
    network = PiecewiseLinearNetwork([[[1], [-1]], [[1, 2]]], [[0, 0], [0]])
    rng = np.random.default_rng(0)
    X = np.append(rng.uniform(1, 2, 19), -1.0)[:, None]
    y = X[:, 0] ** 2
    merged = UnwrapperRegressor(network).fit(X, y).merge(min_samples=0, cv=4)
    losses = []
    for train, test in KFold(4, shuffle=True, random_state=0).split(X):
        right = train[X[train, 0] > 0]
        fits = {True: LinearRegression().fit(X[right], y[right])}
        fits[False] = LinearRegression().fit(X[train], y[train])
        if 19 in train:  # the only row of its cluster
            fits[False] = LinearRegression().fit(X[19:], y[19:])
        errors = [fits[X[i, 0] > 0].predict(X[[i]])[0] - y[i] for i in test]
        losses.append(np.mean(np.square(errors)))
    assert merged.scores_.loc[2, "mean"] == pytest.approx(np.mean(losses))
    one = []
    for train, test in KFold(4, shuffle=True, random_state=0).split(X):
        line = LinearRegression().fit(X[train], y[train])
        one.append(np.mean(np.square(line.predict(X[test]) - y[test])))
    gaps = np.subtract(losses, one) * (1 if np.mean(one) < np.mean(losses) else -1)
    worse = 2 if np.mean(one) < np.mean(losses) else 1
    expected = np.std(gaps, ddof=1) / 2
    assert merged.scores_.loc[worse, "gap_se"] == pytest.approx(expected)


def test_one_standard_error_takes_the_smallest_within_it(regression):
    unwrapper, *_ = regression
    merged = unwrapper.merge(one_standard_error=True)
    scores = merged.scores_
    best = scores["mean"].idxmin()
    limit = scores.loc[best, "mean"] + scores.loc[best, "se"]
    assert merged.n_cut_ == scores.index[scores["mean"] <= limit][0] < best
    assert scores["gap_se"][best] == 0
    # Folds that are hard for one K are hard for all.
    assert (scores["gap_se"] < 2 * scores["se"]).all()


def test_grid_ends_at_the_number_of_regions():
    network = PiecewiseLinearNetwork([[[1], [-1]], [[1, 1]]], [[0, 0], [0]])
    X = np.linspace(-1, 1, 80)[:, None]
    merged = UnwrapperRegressor(network).fit(X, np.abs(X[:, 0])).merge()
    assert merged.scores_.index.tolist() == [1, 2]
    assert merged.n_cut_ == 2
    np.testing.assert_allclose(merged.coef_[:, 0, 0], [-1, 1], atol=1e-12)


# What should change nothing


def test_order_of_rows_changes_nothing(regression):
    unwrapper, X, y = regression
    order = np.random.default_rng(0).permutation(len(X))
    other = clone(unwrapper, safe=False).fit(X[order], y[order])
    one, two = unwrapper.merge(6), other.merge(6)
    np.testing.assert_array_equal(one.labels_[order], two.labels_)
    np.testing.assert_allclose(one.coef_, two.coef_)


def test_permuted_and_rescaled_neurons_change_nothing(regression):
    unwrapper, X, y = regression
    network = unwrapper.network
    order, factor = np.random.default_rng(0).permutation(8), np.linspace(0.5, 2, 8)
    other = PiecewiseLinearNetwork(
        [
            (network.weights[0] * factor[:, None])[order],
            (network.weights[1] / factor)[:, order],
            network.weights[2],
        ],
        [(network.biases[0] * factor)[order], *network.biases[1:]],
    )
    two = UnwrapperRegressor(other).fit(X, y).merge(6)
    np.testing.assert_array_equal(unwrapper.merge(6).labels_, two.labels_)


def test_prediction_distances_are_free_of_units(regression):
    unwrapper, X, y = regression
    merged = unwrapper.merge(6, 30, distance="predictions")
    outputs = np.einsum("rf,nf->rn", unwrapper.coef_[:, 0], X) + unwrapper.intercept_
    np.testing.assert_allclose(pdist(merged._models()), pdist(outputs) / np.sqrt(len(X)), rtol=1e-8)
    # Another zero and another unit for all features: the neighbours stay, coefficients do not.
    scale, shift = 1 / 50, 7.0
    network = unwrapper.network
    first = network.weights[0] * scale
    moved = PiecewiseLinearNetwork(
        [first, *network.weights[1:]],
        [network.biases[0] - first.sum(axis=1) * shift, *network.biases[1:]],
    )
    other = UnwrapperRegressor(moved).fit(X / scale + shift, y)
    np.testing.assert_array_equal(
        merged.labels_, other.merge(6, 30, distance="predictions").labels_
    )
    assert adjusted_rand_score(unwrapper.merge(6, 30).labels_, other.merge(6, 30).labels_) < 1


def test_shift_of_all_logits_changes_nothing(three_classes):
    unwrapper, X, y = three_classes
    network = unwrapper.network
    shifted = PiecewiseLinearNetwork(
        [network.weights[0], network.weights[1] + np.linspace(0, 9, 6)],
        [network.biases[0], network.biases[1] + 5],
    )
    other = UnwrapperClassifier(shifted).fit(X, y)
    np.testing.assert_array_equal(
        unwrapper.merge(4, penalty="l2").labels_, other.merge(4, penalty="l2").labels_
    )


def test_refitting_the_unwrapper_changes_no_merge(regression):
    _, X, y = regression
    unwrapper = UnwrapperRegressor(random_network([3, 8, 8, 1], seed=1)).fit(X, y)
    merged = unwrapper.merge(5)
    before = merged.predict(X)
    unwrapper.fit(X[:50], y[:50])
    np.testing.assert_array_equal(merged.predict(X), before)


# Classes


def test_three_classes(three_classes):
    unwrapper, X, y = three_classes
    merged = unwrapper.merge(3, penalty="l2")
    assert merged.coef_.shape == (len(merged.counts_), 3, 2)
    probability = merged.predict_proba(X)
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    assert merged.decision_function(X).shape == (400, 3)
    assert merged.score(X, y) > 0.6
    for k in range(len(merged.counts_)):
        own = merged.labels_ == k
        fit = LogisticRegression(tol=1e-10, max_iter=5000).fit(X[own], y[own])
        np.testing.assert_allclose(probability[own], fit.predict_proba(X[own]), atol=1e-4)
    assert unwrapper.merge(penalty="l2").scores_["mean"].notna().all()
    assert unwrapper.merge(3, penalty="l2").summary()["local_auc"].between(0.5, 1).all()


def test_labels_and_names(circles):
    unwrapper, X, X_test, y, _ = circles
    frame = pd.DataFrame(X, columns=["east", "north"])
    named = UnwrapperClassifier(unwrapper.network).fit(frame, np.where(y == 1, "yes", "no"))
    merged = named.merge(10, 5, penalty="l2")
    assert merged.classes_.tolist() == ["no", "yes"]
    plain = unwrapper.merge(10, 5, penalty="l2")
    rows = pd.DataFrame(X_test, columns=frame.columns)
    np.testing.assert_array_equal(merged.predict(rows) == "yes", plain.predict(X_test) == 1)
    assert merged.feature_names_in_.tolist() == ["east", "north"]


def test_separated_clusters_are_named():
    network = PiecewiseLinearNetwork([[[1, 0], [-1, 0]], [[1, -1]]], [[0, 0], [0]])
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    # Right of zero x2 decides; left of it the classes are mixed.
    y = np.where(X[:, 0] > 0, X[:, 1] > 0, rng.random(300) < 0.5).astype(int)
    unwrapper = UnwrapperClassifier(network).fit(X, y)
    own = unwrapper.labels_ == unwrapper.apply([[1.0, 0.0]])[0]
    name = f"cluster {unwrapper.apply([[1.0, 0.0]])[0]} \\({own.sum()} rows\\)"
    with pytest.warns(SeparationWarning, match=name):
        merged = unwrapper.merge(2)
    assert np.isfinite(merged.coef_).all()
    assert merged.score(X[own], y[own]) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        unwrapper.merge(2, penalty="l2")
        unwrapper.merge(1)


# Tables


def test_regression_summary_is_its_definition(regression):
    unwrapper, X, y = regression
    merged = unwrapper.merge(5)
    summary = merged.summary()
    assert summary.index.name == "cluster"
    for k, row in summary.iterrows():
        own = merged.labels_ == k
        fit = LinearRegression().fit(X[own], y[own])
        assert row["count"] == own.sum()
        assert row["n_regions"] == (merged.region_labels_ == k).sum()
        assert row["response_mean"] == pytest.approx(y[own].mean())
        assert row["response_std"] == pytest.approx(y[own].std())
        assert row["local_mse"] == pytest.approx(np.mean((fit.predict(X[own]) - y[own]) ** 2))
        assert row["global_mse"] == pytest.approx(np.mean((fit.predict(X) - y) ** 2))
        assert row["coef_norm"] == pytest.approx(np.linalg.norm(fit.coef_))


def test_classification_summary_is_its_definition(circles):
    unwrapper, X, _, y, _ = circles
    merged = unwrapper.merge(10, 5)
    for k, row in merged.summary().iterrows():
        own = merged.labels_ == k
        logit = X @ merged.coef_[k, 0] + merged.intercept_[k]
        assert row["response_mean"] == pytest.approx(y[own].mean())
        assert row["local_auc"] == pytest.approx(roc_auc_score(y[own], logit[own]))
        assert row["global_auc"] == pytest.approx(roc_auc_score(y, logit))


# Edges and bad input


def test_one_region():
    network = PiecewiseLinearNetwork([[[2.0]]], [[1.0]])
    X = np.arange(40.0)[:, None]
    merged = UnwrapperRegressor(network).fit(X, 2 * X[:, 0]).merge()
    assert merged.counts_.tolist() == [40]
    assert merged.predict([[5.0]]) == pytest.approx([10])
    assert merged.n_neighbors_ == merged.n_cut_ == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_clusters": 0}, "n_clusters .of the regions. must be a whole number from 1"),
        ({"n_clusters": 2.5}, "n_clusters .of the regions. must be a whole number"),
        ({"n_clusters": True}, "n_clusters .of the regions. must be a whole number"),
        ({"n_clusters": 10**6}, "n_clusters .of the regions. must be .* to 108, got 1000000"),
        ({"n_neighbors": 0}, "n_neighbors must be a whole number from 1 on"),
        ({"n_neighbors": 1.5}, "n_neighbors, a whole number or a share .* must be .* up to 1"),
        ({"n_neighbors": "many"}, "n_neighbors, a whole number or .* got 'many'"),
        ({"n_neighbors": True}, "n_neighbors must be a whole number from 1 on, got True"),
        ({"min_samples": -1}, "min_samples must be a whole number from 0"),
        ({"penalty": "l3"}, "penalty must be None, 'l2' or 'l1', got 'l3'"),
        ({"C": 0}, "C must be a number above 0, got 0"),
        ({"C": "big"}, "C must be a number above 0, got 'big'"),
        ({"distance": "angle"}, "distance must be 'coefficients' or 'predictions'"),
        ({"cv": 1}, "cv .folds of the rows. must be a whole number from 2"),
        ({"cv": 401}, "cv .folds of the rows. must be .* from 2 to 400, got 401"),
    ],
)
def test_bad_options(regression, options, message):
    with pytest.raises(ValueError, match=message):
        regression[0].merge(**options)


def test_not_fitted_and_wrong_kind(regression):
    network = random_network([2, 3, 1])
    with pytest.raises(NotFittedError):
        UnwrapperRegressor(network).merge()
    merged = MergedRegressor(network)
    for call in (merged.apply, merged.predict):
        with pytest.raises(NotFittedError):
            call(np.zeros((1, 3)))
    for call in (merged.summary, merged.flatten):
        with pytest.raises(NotFittedError):
            call()
    for call in (merged.inference, merged.bootstrap):
        with pytest.raises(NotFittedError):
            call(0)
    for kind in (MergedClassifier, MergedRegressor):
        with pytest.raises(TypeError, match=r"must be a PiecewiseLinearNetwork.*, got int"):
            kind(3).fit(*regression[1:])


def test_bad_rows(regression):
    merged = regression[0].merge(3)
    with pytest.raises(ValueError, match="X has 2 features"):
        merged.predict(np.zeros((1, 2)))
    with pytest.raises(ValueError, match="X contains NaN"):
        merged.predict([[np.nan, 0, 0]])


def test_parameters(regression):
    unwrapper, X, y = regression
    merged = unwrapper.merge(3, penalty="l2", C=2.0)
    parameters = merged.get_params(deep=False)
    assert parameters["n_clusters"] == 3
    assert parameters["C"] == 2.0
    again = MergedRegressor(**parameters).fit(X, y)
    np.testing.assert_array_equal(again.coef_, merged.coef_)
