"""What unwrapped, merged and flat networks share: names, units, decisions, habits of estimators."""

import pickle
import warnings

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from random_networks import random_network
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import check_estimator

from xai_course.networks import PiecewiseLinearNetwork
from xai_course.plotting import plot_contributions
from xai_course.unwrapping import (
    FlatClassifier,
    MergedClassifier,
    MergedRegressor,
    UnwrapperClassifier,
    UnwrapperRegressor,
)

NETWORK = random_network([3, 6, 1], seed=2)


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(300, 3)), columns=["a", "b", "c"])
    return X, NETWORK.forward(X.to_numpy())[:, 0] + rng.normal(size=300)


def models(X, y):
    unwrapper = UnwrapperRegressor(NETWORK).fit(X, y)
    merged = unwrapper.merge(2)
    return unwrapper, merged, merged.flatten(3)


# Names


def test_names_are_those_of_a_frame_and_compared(frame):
    X, y = frame
    unwrapper, merged, flat = models(X, y)
    other = X[["c", "a", "b"]]
    calls = [unwrapper.predict, unwrapper.apply, unwrapper.coverage, merged.predict, merged.apply]
    calls += [lambda rows: merged.inference(0, rows, y), flat.predict]
    for model in (unwrapper, merged, flat.network):
        assert model.feature_names_in_.tolist() == ["a", "b", "c"]
    for call in calls:
        for rows in (other, X.rename(columns={"a": "z"})):
            with pytest.raises(ValueError, match=r"feature names|columns"):
                call(rows)
        call(X.assign(a=X["a"] + 1))
    with pytest.raises(ValueError, match=r"feature names|columns"):
        merged.score(other, y)
    with pytest.raises(ValueError, match="3 features"):
        unwrapper.predict(X.to_numpy()[:, :2])


def test_rows_without_names_get_numbers_in_tables_only(frame):
    X, y = frame
    for model in models(X.to_numpy(), y)[:2]:
        assert not hasattr(model, "feature_names_in_")
        assert list(model.joint_importance(intercept=False).index) == ["x1", "x2", "x3"]
        assert model.n_features_in_ == 3
    refitted = UnwrapperRegressor(NETWORK).fit(X, y).fit(X.to_numpy(), y)
    assert not hasattr(refitted, "feature_names_in_")
    merged = MergedRegressor(NETWORK, 2).fit(X, y).fit(X.to_numpy(), y)
    assert not hasattr(merged, "feature_names_in_")


def test_a_network_knows_the_columns_it_was_trained_on(frame):
    X, y = frame
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlp = MLPRegressor(hidden_layer_sizes=(5,), max_iter=20, random_state=0).fit(X, y)
    network = PiecewiseLinearNetwork.from_sklearn(mlp)
    for kind in (UnwrapperRegressor, MergedRegressor):
        with pytest.raises(ValueError, match="columns"):
            kind(network).fit(X[["c", "a", "b"]], y)
    unwrapper = UnwrapperRegressor(network).fit(X.to_numpy(), y)
    assert list(unwrapper.joint_importance(intercept=False).index) == ["a", "b", "c"]
    np.testing.assert_allclose(UnwrapperRegressor(network).fit(X, y).predict(X), mlp.predict(X))


@pytest.mark.parametrize("names", [["price_$_per_$", "b"], ["$$", "b"], ["price ($)", "rent ($)"]])
def test_names_are_drawn_as_they_are_written(names):
    mpl.use("Agg")
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(100, 2)), columns=names)
    y = (X[names[0]] + rng.normal(size=100) > 0).astype(int)
    unwrapper = UnwrapperClassifier(random_network([2, 6, 1])).fit(X, y)
    merged = unwrapper.merge(2, penalty="l2")
    table = merged.bootstrap(0, 3, progress=False)
    draws = [part.plot_parallel_coordinates for part in (unwrapper, merged)]
    draws += [part.plot_models for part in (unwrapper, merged)]
    draws += [part.plot_importance for part in (unwrapper, merged)]
    draws += [lambda: merged.plot_profile(0), lambda: merged.plot_bootstrap(table)]
    draws += [lambda: plot_contributions(names, [1, 2], unit="x")]
    for draw in draws:
        figure = plt.figure()
        draw()
        figure.canvas.draw()  # a formula that is none would raise here
        texts = [t for t in figure.findobj(mpl.text.Text) if t.get_text() in names]
        texts = [t for t in texts if t.get_visible()]
        assert texts
        assert not any(t.get_parse_math() for t in texts)
        plt.close(figure)


# Rows that are none


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        (
            pd.DataFrame({"a": pd.date_range("2020", periods=3), "b": [1.0, 2, 3]}),
            TypeError,
            "date",
        ),
        (np.array([["1", "2"]] * 3), TypeError, "real numbers"),
        (None, ValueError, "2D"),
        (pd.DataFrame([[1.0, 2.0]] * 3, columns=["a", "a"]), ValueError, "'a' stands twice"),
    ],
)
@pytest.mark.parametrize("kind", [UnwrapperRegressor, MergedRegressor])
def test_rows_that_are_none(kind, rows, error, message):
    with pytest.raises(error, match=message):
        kind(random_network([2, 3, 1])).fit(rows, [1.0, 2.0, 3.0])


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
@pytest.mark.parametrize("kind", [UnwrapperClassifier, MergedClassifier])
def test_missing_labels(kind, missing):
    y = np.array(["no", missing, "yes"] * 5, dtype=object)
    with pytest.raises(ValueError, match=r"5 missing label.*row 1"):
        kind(random_network([2, 3, 1])).fit(np.random.default_rng(0).normal(size=(15, 2)), y)


def test_read_only_rows_of_any_precision(frame):
    X, y = frame
    single = X.to_numpy().astype(np.float32)
    single.flags.writeable = False
    for one, two in zip(models(single, y), models(single.astype(float), y), strict=True):
        np.testing.assert_array_equal(one.predict(single), two.predict(single.astype(float)))


# Units


@pytest.mark.parametrize("unit", [1e-9, 1e-3, 1e9])
@pytest.mark.parametrize("feature", [0, 1, 2])
def test_distances_between_predictions_make_a_merge_free_of_units(frame, feature, unit):
    X, y = frame[0].to_numpy(), frame[1]
    units = np.ones(3)
    units[feature] = unit
    same = PiecewiseLinearNetwork([NETWORK.weights[0] / units, NETWORK.weights[1]], NETWORK.biases)
    new = np.random.default_rng(1).normal(scale=3, size=(500, 3))
    merges = []
    for network, scale in ((NETWORK, 1.0), (same, units)):
        merged = MergedRegressor(network, 5, 3, min_samples=20, distance="predictions")
        merges.append(merged.fit(X * scale, y))
    one, two = merges
    np.testing.assert_array_equal(one.labels_, two.labels_)
    np.testing.assert_array_equal(one.apply(new), two.apply(new * units))
    assert (one.unwrapper_.apply(new) < 0).any()  # some rows vote
    np.testing.assert_allclose(one.predict(new), two.predict(new * units), rtol=1e-6, atol=1e-8)
    assert one.n_neighbors_ == two.n_neighbors_
    tables = one.summary(), two.summary()
    np.testing.assert_allclose(*(t.drop(columns="coef_norm") for t in tables), rtol=1e-6)
    regions = (part.unwrapper_.summary().astype(float) for part in merges)
    np.testing.assert_allclose(*regions, rtol=1e-6, atol=1e-9)


def test_distances_between_coefficients_have_units(frame):
    X, y = frame[0].to_numpy(), frame[1]
    units = np.array([1.0, 1e3, 1.0])
    same = PiecewiseLinearNetwork([NETWORK.weights[0] / units, NETWORK.weights[1]], NETWORK.biases)
    one = MergedRegressor(NETWORK, 5, 3).fit(X, y)
    two = MergedRegressor(same, 5, 3).fit(X * units, y)
    assert adjusted_rand_score(one.labels_, two.labels_) < 1


def test_a_feature_that_is_constant_in_training_has_no_vote(frame):
    X, y = frame[0].to_numpy(), frame[1]
    X = X * [1, 1, 0] + [0, 0, 0.7]
    merged = MergedRegressor(NETWORK, 4, 3, min_samples=10, distance="predictions").fit(X, y)
    new = 2 * X * [1, 1, 0.5]
    places = merged.unwrapper_.centers_[:, :2] / X.std(axis=0)[:2]
    regions = merged.unwrapper_.apply(new)
    assert (regions < 0).any()
    for x, cluster in zip(new[regions < 0], merged.apply(new)[regions < 0], strict=True):
        near = np.linalg.norm(places - x[:2] / X.std(axis=0)[:2], axis=1).argsort()[:3]
        voters = merged.region_labels_[near]
        votes = np.bincount(voters)
        assert cluster == next(k for k in voters if votes[k] == votes.max())


def test_the_line_of_two_classes_is_drawn_alike_in_any_unit():
    mpl.use("Agg")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    y = (X @ [1.0, 2.0] + rng.normal(size=200) > 0).astype(int)
    drawn = []
    for units in (np.ones(2), np.array([1e9, 1e-9])):
        network = PiecewiseLinearNetwork([[[1.0, 2.0]] / units], [[0.1]])
        ax = plt.figure().add_subplot()
        UnwrapperClassifier(network).fit(X * units, y).plot_models(ax=ax)
        drawn.append(ax.lines[-1].get_xydata() / units)
        plt.close("all")
    np.testing.assert_allclose(*drawn, rtol=1e-9)


# Decisions


def test_a_logit_of_zero_is_the_first_class_everywhere():
    dead = PiecewiseLinearNetwork([[[0.0, 0.0]], [[1.0]]], [[-1.0], [0.0]])
    two = PiecewiseLinearNetwork([np.zeros((1, 2)), np.zeros((2, 1))], [[0.0], [3.0, 3.0]])
    X, y = np.zeros((10, 2)), np.array(["no", "yes"] * 5)
    for network in (dead, two):
        unwrapper = UnwrapperClassifier(network).fit(X, y)
        merged = unwrapper.merge(1, min_samples=0)
        flat = FlatClassifier(network, network, {}, unwrapper.classes_)
        for model in (unwrapper, merged, flat):
            assert model.predict(X).tolist() == ["no"] * 10
            assert model.decision_function(X).tolist() == [0.0] * 10
            assert (model.predict_proba(X) == 0.5).all()
        assert network.decide(X).tolist() == [0] * 10


def test_two_logits_decide_by_their_difference():
    rng = np.random.default_rng(0)
    network, X = random_network([2, 4, 2]), rng.normal(size=(50, 2))
    unwrapper = UnwrapperClassifier(network).fit(X, rng.integers(0, 2, 50))
    logits = network.forward(X)
    np.testing.assert_array_equal(unwrapper.decision_function(X), logits[:, 1] - logits[:, 0])
    np.testing.assert_array_equal(unwrapper.predict(X), logits.argmax(axis=1))


# scikit-learn's habits


@pytest.mark.parametrize("classes", [None, np.array(["no", "yes"])])
def test_a_merged_model_is_an_estimator(frame, classes):
    X, y = frame
    y = y if classes is None else classes[(y > np.median(y)).astype(int)]
    kind = MergedRegressor if classes is None else MergedClassifier
    unwrapper = (UnwrapperRegressor if classes is None else UnwrapperClassifier)(NETWORK)
    short = unwrapper.fit(X, y).merge(3, penalty="l2", C=2.0, random_state=1)
    long = kind(NETWORK, 3, penalty="l2", C=2.0, random_state=1).fit(X, y)
    np.testing.assert_array_equal(long.coef_, short.coef_)
    np.testing.assert_array_equal(long.labels_, short.labels_)
    assert clone(short).get_params()["n_clusters"] == 3
    assert len(cross_val_score(long, X, y, cv=3)) == 3
    search = GridSearchCV(long, {"n_clusters": [1, 2]}, cv=3, error_score="raise").fit(X, y)
    assert search.best_params_["n_clusters"] in (1, 2)
    scaled = FunctionTransformer(feature_names_out="one-to-one").set_output(transform="pandas")
    pipeline = make_pipeline(scaled, clone(long)).fit(X, y)
    np.testing.assert_array_equal(pipeline.predict(X), long.predict(X))
    assert pipeline[-1].feature_names_in_.tolist() == ["a", "b", "c"]


def test_parameters_set_after_fit_wait_for_the_next(frame):
    X, y = frame
    for model in models(X, y)[:2]:
        before = model.predict(X), model.apply(X)
        model.set_params(network=random_network([3, 4, 1], seed=9))
        np.testing.assert_array_equal(model.predict(X), before[0])
        np.testing.assert_array_equal(model.apply(X), before[1])
        assert (model.fit(X, y).predict(X) != before[0]).any()


def test_everything_pickles(frame):
    X, y = frame
    for model in models(X, y):
        again = pickle.loads(pickle.dumps(model))  # noqa: S301
        np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_predict_waits_for_fit():
    for kind in (UnwrapperRegressor, UnwrapperClassifier, MergedRegressor, MergedClassifier):
        for name in ("predict", "apply", "coverage", "predict_proba", "decision_function"):
            if hasattr(kind, name):
                with pytest.raises(NotFittedError):
                    getattr(kind(NETWORK), name)(np.zeros((1, 3)))


class AnyWidth:
    """Takes a random network of the width and the classes of the rows, which the checks choose."""

    def fit(self, X, y):
        shape, given = (X if issparse(X) else np.asarray(X)).shape, self.network
        outputs = 1
        if hasattr(self, "predict_proba") and y is not None:
            n_classes = len(np.unique(np.asarray(y).astype(str)))
            outputs = n_classes if n_classes > 2 else 1
        self.network = random_network([max(1, shape[-1]), 5, outputs])
        try:
            return super().fit(X, y)
        finally:
            self.network = given


class AnyUnwrapperRegressor(AnyWidth, UnwrapperRegressor):
    pass


class AnyUnwrapperClassifier(AnyWidth, UnwrapperClassifier):
    pass


class AnyMergedRegressor(AnyWidth, MergedRegressor):
    pass


class AnyMergedClassifier(AnyWidth, MergedClassifier):
    pass


OTHER_WORDS = {
    "check_supervised_y_2d": "a column of responses is an error in this library, no warning",
    "check_requires_y_none": "the error for y=None has other words",
}
GIVEN = "an unwrapper does not learn: its network is given, here a random one"


@pytest.mark.parametrize(
    ("estimator", "declared"),
    [
        (AnyUnwrapperRegressor(NETWORK), OTHER_WORDS | {"check_regressors_train": GIVEN}),
        (AnyUnwrapperClassifier(NETWORK), OTHER_WORDS | {"check_classifiers_train": GIVEN}),
        (AnyMergedRegressor(NETWORK, min_samples=2, penalty="l2"), OTHER_WORDS),
        (AnyMergedClassifier(NETWORK, min_samples=2, penalty="l2"), OTHER_WORDS),
    ],
    ids=lambda value: type(value).__name__,
)
def test_scikit_learns_checks(estimator, declared):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(estimator, expected_failed_checks=declared, on_skip=None)
    assert {r["check_name"] for r in results if r["status"] == "xfail"} == set(declared)
    assert sum(r["status"] == "passed" for r in results) > 40
