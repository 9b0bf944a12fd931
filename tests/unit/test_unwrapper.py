"""The unwrapper: exact, stateless in prediction, reproducible, and right in every number."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from properties import examples
from random_networks import random_network
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score

from xai_course.networks import PiecewiseLinearNetwork
from xai_course.unwrapping import UnwrapperClassifier, UnwrapperRegressor, _scores


@pytest.fixture
def regression():
    """Return a small regression problem with the network that made it."""
    rng = np.random.default_rng(1)
    network = random_network([3, 5, 4, 1], seed=1)
    X = rng.normal(size=(200, 3))
    return network, X, network.forward(X)[:, 0] + rng.normal(scale=0.1, size=200)


# The paper's numbers


def test_cocircles_is_table_1_and_figure_10(circles):
    unwrapper, X_train, X_test, y_train, y_test = circles
    summary = unwrapper.summary()
    # Sudjianto et al. (2020), Table 1, Figure 10 and Figure 12.
    assert unwrapper.n_regions_ == len(summary) == 530
    assert summary["count"].head().tolist() == [62, 60, 52, 31, 29]
    printed = {
        "response_mean": [0.532258, 0.600000, 0.480769, 0.516129, 0.655172],
        "response_std": [0.498958, 0.489898, 0.499630, 0.499740, 0.475312],
        "local_auc": [0.736677, 0.915509, 0.828148, 0.800000, 0.810526],
    }
    for column, values in printed.items():
        assert summary[column].head().round(6).tolist() == values
    # The printed global AUC ranks probabilities, which tie where the logistic function saturates.
    for region, value in enumerate([0.497650, 0.496326, 0.502093, 0.496405, 0.504409]):
        logit = X_train @ unwrapper.coef_[region, 0] + unwrapper.intercept_[region, 0]
        assert round(roc_auc_score(y_train, 1 / (1 + np.exp(-logit))), 6) == value
        ours = roc_auc_score(y_train, logit)
        assert summary.loc[region, "global_auc"] == pytest.approx(ours, abs=1e-12)
        assert abs(ours - value) < 2e-3
    assert round((summary["single_class"] | summary["single_instance"]).mean(), 3) == 0.849
    scores = unwrapper.decision_function
    assert round(roc_auc_score(y_train, scores(X_train)), 4) == 0.9215
    assert round(roc_auc_score(y_test, scores(X_test)), 4) == 0.9320
    assert unwrapper.coverage(X_test) == pytest.approx(1 - 90 / 400)


# Exactness


def test_attributes_describe_the_training_rows(regression):
    network, X, y = regression
    unwrapper = UnwrapperRegressor(network).fit(X, y)
    assert unwrapper.counts_.sum() == len(X)
    assert (np.diff(unwrapper.counts_) <= 0).all()
    np.testing.assert_array_equal(
        unwrapper.patterns_[unwrapper.labels_], network.activation_pattern(X)
    )
    local = np.einsum("nf,nf->n", unwrapper.coef_[unwrapper.labels_, 0], X)
    local += unwrapper.intercept_[unwrapper.labels_, 0]
    np.testing.assert_allclose(local, network.forward(X)[:, 0], rtol=1e-12, atol=1e-12)
    for region in range(unwrapper.n_regions_):
        rows = X[unwrapper.labels_ == region]
        assert len(rows) == unwrapper.counts_[region]
        np.testing.assert_allclose(unwrapper.centers_[region], rows.mean(axis=0))


def test_prediction_is_exact_where_no_row_was_seen(regression):
    network, X, y = regression
    unwrapper = UnwrapperRegressor(network).fit(X[:20], y[:20])
    far = 50 * X
    assert (unwrapper.apply(far) == -1).any()
    np.testing.assert_array_equal(unwrapper.predict(far), network.forward(far)[:, 0])


def test_equal_counts_stand_in_the_order_of_their_patterns(regression):
    network, X, y = regression
    forward = UnwrapperRegressor(network).fit(X, y)
    backward = UnwrapperRegressor(network).fit(X[::-1], y[::-1])
    np.testing.assert_array_equal(forward.patterns_, backward.patterns_)
    np.testing.assert_array_equal(forward.labels_, backward.labels_[::-1])
    for count in np.unique(forward.counts_):
        same = [tuple(p) for p in forward.patterns_[forward.counts_ == count]]
        assert same == sorted(same)


def test_looking_rows_up_changes_nothing_and_refit_forgets(regression):
    network, X, y = regression
    unwrapper = UnwrapperRegressor(network).fit(X, y)
    before = unwrapper.n_regions_
    unwrapper.apply(10 * X)
    unwrapper.predict(10 * X)
    assert unwrapper.n_regions_ == before
    assert (unwrapper.apply(X) == unwrapper.labels_).all()
    unwrapper.fit(X[:5], y[:5])
    assert unwrapper.counts_.sum() == 5
    assert (unwrapper.apply(X) == -1).any()


# Metrics against plain definitions


def test_regression_summary_is_its_definition(regression):
    network, X, y = regression
    unwrapper = UnwrapperRegressor(network).fit(X, y)
    summary = unwrapper.summary()
    for region, row in summary.iterrows():
        own = unwrapper.labels_ == region
        w, b = unwrapper.coef_[region, 0], unwrapper.intercept_[region, 0]
        assert row["response_mean"] == pytest.approx(y[own].mean())
        assert row["response_std"] == pytest.approx(y[own].std(), abs=1e-12)
        assert row["local_mse"] == pytest.approx(np.mean((y - X @ w - b)[own] ** 2))
        assert row["global_mse"] == pytest.approx(np.mean((y - X @ w - b) ** 2))
        assert row["single_instance"] == (own.sum() == 1)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("two_logits", [False, True])
def test_classification_summary_is_its_definition(n_classes, two_logits):
    n_outputs = 1 if n_classes == 2 and not two_logits else n_classes
    network = random_network([2, 4, n_outputs], seed=2)
    rng = np.random.default_rng(3)
    X = rng.normal(size=(300, 2)).round(1)  # rounded, so that scores tie
    y = rng.integers(0, n_classes, 300)
    unwrapper = UnwrapperClassifier(network).fit(X, y)
    logits = network.forward(X)
    for region, row in unwrapper.summary().iterrows():
        own = unwrapper.labels_ == region
        linear = X @ unwrapper.coef_[region].T
        if n_classes == 2:
            score = logits[:, -1] - (logits[:, 0] if n_outputs == 2 else 0)
            model = linear[:, -1] - (linear[:, 0] if n_outputs == 2 else 0)
            local = [roc_auc_score(y[own], score[own])] if len(set(y[own])) == 2 else []
            overall = roc_auc_score(y, model)
        else:
            present = [k for k in range(3) if 0 < (y[own] == k).sum() < own.sum()]
            local = [roc_auc_score(y[own] == k, logits[own, k]) for k in present]
            overall = np.mean([roc_auc_score(y == k, linear[:, k]) for k in range(3)])
        expected = np.mean(local) if local else np.nan
        assert row["local_auc"] == pytest.approx(expected, nan_ok=True)
        assert row["global_auc"] == pytest.approx(overall)
        assert row["single_class"] == (len(set(y[own])) == 1)


@examples(60)
@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.integers(0, 3))
def test_rankings_equal_scikit_learns(seed, n, decimals):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(4, n)).round(decimals)
    positive = rng.random(n) < 0.5
    groups, spare = rng.integers(0, 3, n), np.empty(scores.shape, dtype=np.int64)
    if positive.all() or not positive.any():
        assert np.isnan(_scores.ranking_auc(scores, positive, spare)).all()
        return
    expected = [roc_auc_score(positive, row) for row in scores]
    found = _scores.ranking_auc(scores.copy(), positive, spare)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    within = _scores.group_auc(scores[0], positive, groups, 3)
    for group, value in enumerate(within):
        own = groups == group
        if 0 < positive[own].sum() < own.sum():
            assert value == pytest.approx(roc_auc_score(positive[own], scores[0][own]))
        else:
            assert np.isnan(value)


def test_global_error_does_not_cancel():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=500), 1e4 + rng.normal(size=500)])
    y = X @ [2.0, 1.0] - 3
    error = _scores.global_mse(np.array([[2.0, 1.0]]), np.array([-3.0 + 1e-4]), X, y)
    assert error[0] == pytest.approx(1e-8, rel=1e-3)


def test_summary_of_the_largest_regions_only(circles):
    unwrapper, *_ = circles
    pd.testing.assert_frame_equal(unwrapper.summary(7), unwrapper.summary().head(7))
    assert "global_auc" not in unwrapper.summary(2, global_metrics=False)


# Importance and profile


def test_importance_is_equation_18(regression):
    network, X, y = regression
    unwrapper = UnwrapperRegressor(network).fit(pd.DataFrame(X, columns=list("abc")), y)
    shares = unwrapper.joint_importance()
    assert list(shares.index) == ["intercept", "a", "b", "c"]
    assert shares.sum() == pytest.approx(1)
    squares = (unwrapper.counts_[:, None] * unwrapper.coef_[:, 0] ** 2).sum(axis=0)
    intercept = (unwrapper.counts_ * unwrapper.intercept_[:, 0] ** 2).sum()
    assert shares["b"] == pytest.approx(squares[1] / (squares.sum() + intercept))
    constant = PiecewiseLinearNetwork([np.zeros((1, 3)), [[1.0]]], [[0.0], [0.0]])
    nothing = UnwrapperRegressor(constant).fit(X, y).joint_importance()
    assert nothing.isna().all()


def test_profile_is_equation_17(regression):
    network, X, y = regression
    unwrapper = UnwrapperRegressor(network).fit(X, y)
    profile = unwrapper.local_linear_profile("x2", n_regions=4)
    assert len(profile) == 4
    for region, line in profile.iterrows():
        own = X[unwrapper.labels_ == region, 1]
        assert line["low"] == own.min()
        assert line["high"] == own.max()
        centred = unwrapper.coef_[region, 0, 1] * (own - own.mean())
        ends = sorted([line["at_low"], line["at_high"]])
        assert [centred.min(), centred.max()] == pytest.approx(ends)
    pd.testing.assert_frame_equal(profile, unwrapper.local_linear_profile(1, n_regions=4))
    assert len(unwrapper.local_linear_profile(0, n_regions=None)) == unwrapper.n_regions_


@pytest.mark.parametrize("feature", ["x9", 3, -4, 1.5, None])
def test_unknown_feature(regression, feature):
    network, X, y = regression
    with pytest.raises(ValueError, match=r"no feature .*x1, x2, x3"):
        UnwrapperRegressor(network).fit(X, y).local_linear_profile(feature)


# scikit-learn's habits, labels, edges


@pytest.mark.parametrize("labels", [["no", "yes"], [True, False], [10, 2], [1.0, 2.0]])
def test_labels_of_any_kind(labels):
    network = random_network([2, 3, 1])
    X = np.random.default_rng(0).normal(size=(40, 2))
    middle = np.median(network.forward(X))
    network = PiecewiseLinearNetwork(
        network.weights, [network.biases[0], network.biases[1] - middle]
    )
    low, high = sorted(labels)
    y = np.where(network.forward(X)[:, 0] > 0, high, low)
    unwrapper = UnwrapperClassifier(network).fit(X, y)
    assert unwrapper.classes_.tolist() == [low, high]
    assert (unwrapper.predict(X) == y).all()
    assert unwrapper.score(X, y) == 1
    np.testing.assert_allclose(unwrapper.predict_proba(X).sum(axis=1), 1)


def test_probabilities_do_not_overflow():
    network = PiecewiseLinearNetwork([[[1e4]]], [[0.0]])
    unwrapper = UnwrapperClassifier(network).fit([[-1.0], [1.0]], [0, 1])
    assert unwrapper.predict_proba([[-1.0], [1.0]]).tolist() == [[1, 0], [0, 1]]


def test_clone_and_parameters(regression):
    network, X, y = regression
    unwrapper = UnwrapperRegressor(network)
    assert unwrapper.get_params()["network"] is network
    copy = clone(unwrapper.fit(X, y), safe=False)
    with pytest.raises(NotFittedError):
        copy.predict(X)
    assert unwrapper.fit(X, y) is unwrapper


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        *((call, [np.zeros((1, 2))]) for call in ("predict", "apply", "coverage")),
        *((call, []) for call in ("summary", "joint_importance", "plot_polar")),
    ],
)
def test_not_fitted(call, arguments):
    unwrapper = UnwrapperRegressor(random_network([2, 3, 1]))
    with pytest.raises(NotFittedError):
        getattr(unwrapper, call)(*arguments)


def test_network_without_hidden_layer_is_one_region():
    unwrapper = UnwrapperRegressor(PiecewiseLinearNetwork([[[2.0]]], [[1.0]]))
    unwrapper.fit([[1.0], [2.0]], [3.0, 5.0])
    assert unwrapper.counts_.tolist() == [2]
    assert unwrapper.summary()["global_mse"].tolist() == pytest.approx([0], abs=1e-25)
    assert unwrapper.coverage([[7.0]]) == 1


@pytest.mark.parametrize(
    ("X", "y", "error", "message"),
    [
        (np.zeros((0, 2)), [], ValueError, "0 sample"),
        (np.zeros((2, 2)), [1.0], ValueError, "X has 2 rows, but y has 1"),
        (np.zeros((2, 3)), [1.0, 2.0], ValueError, "X has 3 features"),
        (np.zeros((2, 2)), [1.0, np.nan], ValueError, "y must be finite"),
        (np.zeros((2, 2)), [[1.0], [2.0]], ValueError, "y must have 1 dimension"),
        ([[np.inf, 0]], [1.0], ValueError, "X contains infinity"),
    ],
)
def test_bad_rows(X, y, error, message):
    with pytest.raises(error, match=message):
        UnwrapperRegressor(random_network([2, 3, 1])).fit(X, y)


@pytest.mark.parametrize(
    ("sizes", "y", "message"),
    [
        ([2, 3, 1], [0, 0, 0], r"y holds 1 class.es., 0, but the network tells 2 apart"),
        ([2, 3, 1], [0, 1, 2], "3 class.es., 0, 1, 2, but the network tells 2 apart"),
        ([2, 3, 3], [0, 1, 1], "2 class.es., 0, 1, but the network tells 3 apart"),
        ([2, 3, 1], [0.0, np.nan, 1.0], "1 missing label"),
    ],
)
def test_bad_classes(sizes, y, message):
    with pytest.raises(ValueError, match=message):
        UnwrapperClassifier(random_network(sizes)).fit(np.eye(3, 2), y)


def test_wrong_network():
    with pytest.raises(TypeError, match="got str"):
        UnwrapperRegressor("network").fit([[1.0]], [1.0])
    with pytest.raises(ValueError, match="1 output, got 2"):
        UnwrapperRegressor(random_network([2, 3, 2])).fit(np.eye(2), [0.0, 1.0])


def test_coverage_of_nothing(regression):
    network, X, y = regression
    with pytest.raises(ValueError, match="0 sample"):
        UnwrapperRegressor(network).fit(X, y).coverage(X[:0])


# Pictures


@pytest.fixture
def _no_window():
    mpl.use("Agg")
    yield
    plt.close("all")


@pytest.mark.usefixtures("_no_window")
def test_pictures_of_a_classifier(circles):
    unwrapper, *_ = circles
    lines = unwrapper.plot_parallel_coordinates(n_regions=None).lines
    assert len(lines) == round(530 * (1 - 0.849)) + 1  # and the zero line
    plt.figure()
    crosses, dots = unwrapper.plot_polar().collections
    assert len(crosses.get_offsets()) == 450
    assert len(dots.get_offsets()) == 80
    plt.figure()
    own, every, luck = unwrapper.plot_extrapolation(5).lines
    summary = unwrapper.summary(5)
    assert own.get_xdata().tolist() == summary["local_auc"].tolist()
    assert every.get_xdata().tolist() == summary["global_auc"].tolist()
    assert luck.get_xdata() == [0.5, 0.5]
    plt.figure()
    assert unwrapper.plot_regions().images
    with pytest.raises(ValueError, match="polar axes"):
        unwrapper.plot_polar(ax=plt.figure().add_subplot())


@pytest.mark.usefixtures("_no_window")
def test_pictures_of_a_regression(regression):
    network, X, y = regression
    unwrapper = UnwrapperRegressor(network).fit(X, y)
    ax = plt.figure().add_subplot()
    assert unwrapper.plot_profile("x1", n_regions=6, ax=ax) is ax
    assert len(ax.lines) == 6
    plt.figure()
    assert unwrapper.plot_extrapolation().get_xscale() == "log"
    plt.figure()
    widths = [bar.get_width() for bar in unwrapper.plot_importance(n_features=2).patches]
    expected = unwrapper.joint_importance().sort_values(ascending=False)[:2]
    assert widths == pytest.approx(expected.tolist())
    plt.figure()
    assert unwrapper.plot_polar().name == "polar"
    with pytest.raises(ValueError, match="needs 2 inputs, the network has 3"):
        unwrapper.plot_regions()
