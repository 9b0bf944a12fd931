"""The pictures of unwrapped and merged networks: what they draw is what the models are."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from random_networks import random_network
from sklearn.exceptions import NotFittedError

from xai_course.book import measured
from xai_course.unwrapping import MergedRegressor, UnwrapperClassifier, UnwrapperRegressor

pytestmark = pytest.mark.usefixtures("_no_window")


@pytest.fixture(autouse=True)
def _no_window():
    mpl.use("Agg")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def regression():
    """Return a regression with three named inputs, unwrapped and merged."""
    rng = np.random.default_rng(1)
    network = random_network([3, 5, 4, 1], seed=1)
    X = pd.DataFrame(rng.normal(size=(200, 3)), columns=["a", "b", "c"])
    y = network.forward(X.to_numpy())[:, 0] + rng.normal(scale=0.1, size=200)
    unwrapper = UnwrapperRegressor(network).fit(X, y)
    return unwrapper, unwrapper.merge(3, min_samples=5)


@pytest.fixture(scope="module")
def line():
    """Return a regression with one input, unwrapped and merged."""
    rng = np.random.default_rng(2)
    network = random_network([1, 6, 1], seed=2)
    X = rng.normal(size=(120, 1))
    unwrapper = UnwrapperRegressor(network).fit(X, network.forward(X)[:, 0])
    return unwrapper, unwrapper.merge(3, min_samples=5)


def below(ax):
    """Return the axes inset under others."""
    (inset,) = ax.child_axes
    return inset


# Importance


def test_importance_without_intercept_is_that_of_features(regression):
    unwrapper, _ = regression
    every, features = unwrapper.joint_importance(), unwrapper.joint_importance(intercept=False)
    assert list(features.index) == ["a", "b", "c"]
    pd.testing.assert_series_equal(features, every[1:] / every[1:].sum())
    bars = unwrapper.plot_importance(intercept=False).patches
    assert sum(bar.get_width() for bar in bars) == pytest.approx(1)
    assert len(bars) == 3


def test_importance_of_a_flat_network_is_unknown():
    network = random_network([2, 3, 1], seed=0)
    flat = type(network)([w * 0 for w in network.weights], network.biases)
    unwrapper = UnwrapperRegressor(flat).fit([[0.0, 1.0], [1.0, 0.0]], [0.0, 1.0])
    assert unwrapper.joint_importance(intercept=False).isna().all()
    assert unwrapper.joint_importance()["intercept"] == 1


# Profiles


def test_profile_draws_the_lines_of_the_table(regression):
    unwrapper, _ = regression
    ax = unwrapper.plot_profile("b", n_regions=4, ylabel="share of the price")
    table = unwrapper.local_linear_profile("b", 4)
    drawn = np.array([line.get_xydata().ravel() for line in ax.lines])
    expected = table[["low", "at_low", "high", "at_high"]].to_numpy()
    np.testing.assert_allclose(drawn, expected, atol=1e-12)
    assert ax.get_ylabel() == "share of the price"
    assert below(ax).get_xlabel() == "b"


def test_profile_of_clusters_is_centred_on_their_rows(regression):
    _, merged = regression
    ax = plt.figure().add_subplot()
    assert merged.plot_profile("b", ax=ax) is ax
    assert len(ax.lines) == len(merged.counts_)
    for k, line in enumerate(ax.lines):
        values = merged._X[merged.labels_ == k, 1]
        x, height = line.get_data()
        assert list(x) == [values.min(), values.max()]
        np.testing.assert_allclose(height, merged.coef_[k, 0, 1] * (x - values.mean()))
    assert sum(bar.get_height() for bar in below(ax).patches) == len(merged._X)
    assert len(merged.plot_profile(0, n_regions=1, ax=plt.figure().add_subplot()).lines) == 1
    with pytest.raises(ValueError, match="no feature 'd'"):
        merged.plot_profile("d")


# Coefficients


def test_parallel_coordinates_of_clusters(regression):
    _, merged = regression
    ax = merged.plot_parallel_coordinates()
    *lines, zero = ax.lines
    assert list(zero.get_ydata()) == [0, 0]
    for k, line in enumerate(reversed(lines)):
        assert list(line.get_ydata()) == merged.coef_[k, 0].tolist()
        assert line.get_label() == f"{k} ({merged.counts_[k]} rows)"
    assert [text.get_text() for text in ax.get_xticklabels()] == ["a", "b", "c"]
    assert len(merged.plot_parallel_coordinates(1, ax=plt.figure().add_subplot()).lines) == 2


def test_polar_on_a_logarithmic_scale(circles):
    ax = circles[0].plot_polar(log=True)
    assert ax.get_yscale() == "log"
    low, high = ax.get_ylim()
    assert low < 1 < circles[0].counts_.max() < high
    plt.figure()
    assert circles[0].plot_polar().get_yscale() == "linear"


# Regions and models


def test_regions_of_clusters(merged_circles):
    merged, *_ = merged_circles
    ax = merged.plot_regions([[-1, 1], [-1, 1]])
    shade = ax.images[0].get_array()
    middles = (np.arange(300) + 0.5) / 150 - 1
    points = np.stack(np.meshgrid(middles, middles), axis=-1).reshape(-1, 2)
    where = merged.apply(points)
    pairs = set(zip(where.tolist(), shade.ravel().tolist(), strict=True))
    assert len(pairs) == len(set(where.tolist())) > 3  # one shade for each cluster


def test_regions_need_two_inputs(regression):
    for model in regression:
        with pytest.raises(ValueError, match="needs 2 inputs, the network has 3"):
            model.plot_regions()


@pytest.mark.parametrize("which", [0, 1])
def test_models_of_one_input_are_their_predictions(line, which):
    model = line[which]
    ax = model.plot_models()
    rows, *lines = ax.lines
    assert len(rows.get_xdata()) == 120
    for k, drawn in enumerate(lines):
        own = model._X[model.labels_ == k]
        x, y = drawn.get_data()
        assert list(x) == [own.min(), own.max()]
        np.testing.assert_allclose(y, model.predict(x[:, None]), atol=1e-12)


def test_models_of_two_inputs_are_where_the_log_odds_are_zero(merged_circles):
    merged, *_ = merged_circles
    ax = merged.plot_models(2)
    outer, inner, *lines = ax.lines
    assert len(lines) == 2  # both clusters hold rows on both sides
    top = merged.labels_ < 2
    assert len(outer.get_xdata()) + len(inner.get_xdata()) == top.sum()
    assert len(inner.get_xdata()) == merged._y[top].sum()
    for k, drawn in enumerate(lines):
        ends = drawn.get_xydata()
        np.testing.assert_allclose(
            ends @ merged.coef_[k, 0] + merged.intercept_[k, 0], 0, atol=1e-9
        )
        # As far as the rows reach along the line, seen in standard deviations.
        unit = merged._X.std(axis=0)
        direction = (ends[1] - ends[0]) / unit
        direction /= np.linalg.norm(direction)
        reach = merged._X[merged.labels_ == k] / unit @ direction
        np.testing.assert_allclose(np.sort(ends / unit @ direction), [reach.min(), reach.max()])


def test_models_with_rows_on_one_side_have_no_line(circles):
    unwrapper, *_ = circles
    scores = unwrapper.decision_function(unwrapper._X)
    crossed = [
        len(set(np.sign(scores[unwrapper.labels_ == k]))) == 2 for k in range(unwrapper.n_regions_)
    ]
    assert len(unwrapper.plot_models(None).lines) == 2 + sum(crossed)


def test_models_of_a_logit_for_each_class():
    network = random_network([2, 4, 2], seed=3)
    X = np.random.default_rng(3).normal(size=(100, 2))
    y = network.forward(X).argmax(axis=1)
    unwrapper = UnwrapperClassifier(network).fit(X, y)
    _, _, *lines = unwrapper.plot_models(None).lines
    assert lines
    for drawn in lines:
        # The middle of a line lies in its region, which is convex, or at least close to it.
        ends = drawn.get_xydata()
        gaps = [
            (unwrapper.coef_[k] @ ends.T + unwrapper.intercept_[k][:, None])
            for k in range(unwrapper.n_regions_)
        ]
        assert min(np.abs(gap[1] - gap[0]).max() for gap in gaps) < 1e-9


def test_models_of_other_networks_are_refused(regression):
    for model in regression:
        with pytest.raises(ValueError, match="no classes and 3 inputs"):
            model.plot_models()


# The bootstrap


def test_bootstrap_draws_its_table(regression):
    _, merged = regression
    table = merged.bootstrap(0, 30, C=0.05, progress=False)
    ordered = ["ci_low", "q25", "median", "q75", "ci_high"]
    assert (np.diff(table[ordered], axis=1) >= 0).all()
    ax = plt.figure().add_subplot()
    assert merged.plot_bootstrap(table, ax) is ax
    drawn = {line.get_marker(): list(line.get_xdata()) for line in ax.lines}
    assert drawn["x"] == table["coef"].tolist()
    assert drawn["|"] == table["median"].tolist()
    interval, half = (np.array(lines.get_segments())[:, :, 0] for lines in ax.collections)
    np.testing.assert_array_equal(interval, table[["ci_low", "ci_high"]])
    np.testing.assert_array_equal(half, table[["q25", "q75"]])
    widths = [bar.get_width() for bar in below(ax).patches]
    assert widths == table["probability_zero"].tolist()
    names = [text.get_text() for text in ax.get_yticklabels()]
    assert names == ["intercept", "a", "b", "c"]


@pytest.mark.parametrize(
    "call", ["plot_regions", "plot_models", "plot_parallel_coordinates", "plot_profile"]
)
def test_not_fitted(regression, call):
    merged = MergedRegressor(regression[0].network)
    with pytest.raises(NotFittedError):
        getattr(merged, call)(*["a"] * (call == "plot_profile"))


# HELOC, whose rows stay with whoever has them


def test_heloc_holds_no_short_list_of_rows():
    figures = measured("unwrapping_figures")["figures"]
    shown = figures["figure 7"]["ours"]["regions"]
    assert all(sum(region["bin_counts"]) == region["count"] >= 5 for region in shown)
    assert min(figures["figure 9"]["ours"]["count"]) >= 5
