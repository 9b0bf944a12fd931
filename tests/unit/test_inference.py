"""Inference: statsmodels' numbers, honest by default, and a clear error where it is not defined."""

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from random_networks import random_network
from sklearn.neural_network import MLPRegressor

from xai_course.networks import PiecewiseLinearNetwork
from xai_course.unwrapping import PostSelectionWarning, UnwrapperClassifier, UnwrapperRegressor
from xai_course.unwrapping.glm import fit_glm
from xai_course.unwrapping.inference import inference_table

COLUMNS = ["coef", "std_err", "statistic", "p_value", "ci_low", "ci_high"]


@pytest.fixture(scope="module")
def regression():
    """Return a merge of a random network, and fresh rows."""
    rng = np.random.default_rng(1)
    network = random_network([2, 8, 8, 1], seed=1)
    X = rng.normal(size=(800, 2))
    y = network.forward(X)[:, 0] + rng.normal(size=800)
    frame = pd.DataFrame(X, columns=["age", "size"])
    merged = UnwrapperRegressor(network).fit(frame[:400], y[:400]).merge(4)
    return merged, frame[400:], y[400:]


def naive(merged, cluster, **options):
    with pytest.warns(PostSelectionWarning, match="p-values may be too small"):
        return merged.inference_naive(cluster, **options)


# Table 2 of the paper


def test_table_2_is_penalised_coefficients_in_an_unpenalised_formula(merged_circles):
    merged, X, *_ = merged_circles
    printed = [
        ([5.3201, 4.3638, 4.1135], [0.9076, 0.7963, 0.8906]),
        ([5.5461, 4.4345, -3.4950], [0.8524, 0.9225, 0.9619]),
    ]
    for k, (coef, std_err) in enumerate(printed):
        own = merged.labels_ == k
        design = sm.add_constant(X[own])
        beta = np.array([*merged.intercept_[k], *merged.coef_[k, 0]])
        p = 1 / (1 + np.exp(-design @ beta))
        information = design.T @ ((p * (1 - p))[:, None] * design)
        np.testing.assert_allclose(beta, coef, atol=2e-4)
        np.testing.assert_allclose(np.sqrt(np.diag(np.linalg.inv(information))), std_err, atol=2e-4)


def test_maximum_likelihood_of_table_2(merged_circles):
    merged, X, _, y, _ = merged_circles
    table = naive(merged, 0)
    assert list(table.index) == ["intercept", "x1", "x2"]
    assert list(table.columns) == COLUMNS
    assert table["coef"].round(2).tolist() == [16.73, 13.19, 13.90]
    assert table["std_err"].round(2).tolist() == [2.05, 1.68, 1.84]
    assert table.attrs["label"] == "post-selection: p-values may be too small"
    assert table.attrs["n_rows"] == 252
    own = merged.labels_ == 0
    fit = sm.Logit(y[own], sm.add_constant(X[own])).fit(disp=0)
    np.testing.assert_allclose(table["coef"], fit.params, rtol=1e-6)
    np.testing.assert_allclose(table["std_err"], fit.bse, rtol=1e-6)
    np.testing.assert_allclose(table["statistic"], fit.tvalues, rtol=1e-6)
    np.testing.assert_allclose(table["p_value"], fit.pvalues, rtol=1e-3)
    np.testing.assert_allclose(table[["ci_low", "ci_high"]], fit.conf_int(), rtol=1e-6)


# Honest tests


@pytest.mark.parametrize("cov_type", ["nonrobust", "HC3"])
def test_honest_regression_is_statsmodels_on_the_fresh_rows(regression, cov_type):
    merged, X, y = regression
    own = merged.apply(X) == 1
    fit = sm.OLS(y[own], sm.add_constant(X[own])).fit(cov_type=cov_type, use_t=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = merged.inference(1, X, y, cov_type=cov_type, alpha=0.1)
    expected = np.column_stack(
        [fit.params, fit.bse, fit.tvalues, fit.pvalues, fit.conf_int(alpha=0.1)]
    )
    np.testing.assert_allclose(table[COLUMNS], expected, rtol=1e-8)
    assert list(table.index) == ["intercept", "age", "size"]
    assert table.attrs["label"] == "honest: on rows that chose nothing"
    assert table.attrs["n_rows"] == own.sum()


def test_robust_errors_of_a_logistic_model_use_the_leverages():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    y = (rng.random(60) < 0.5).astype(int)
    design = sm.add_constant(X)
    fit = sm.Logit(y, design).fit(disp=0)
    p = fit.predict()
    root = np.sqrt(p * (1 - p))[:, None] * design
    leverage = np.einsum("ij,jk,ik->i", root, fit.cov_params(), root)
    score = ((y - p) / (1 - leverage))[:, None] * design
    expected = np.sqrt(np.diag(fit.cov_params() @ (score.T @ score) @ fit.cov_params()))
    table = inference_table(X, y, ["a", "b"], classification=True, cov_type="HC3")
    np.testing.assert_allclose(table["std_err"], expected, rtol=1e-6)
    np.testing.assert_allclose(table["statistic"], table["coef"] / table["std_err"])
    # Without leverages it would be this, which statsmodels returns for every HC.
    plain = sm.Logit(y, design).fit(disp=0, cov_type="HC3").bse
    assert (table["std_err"] > plain).all()


def test_honest_keeps_labels_of_any_kind(merged_circles):
    merged, X, X_test, y, y_test = merged_circles
    named = UnwrapperClassifier(merged.network_).fit(X, np.where(y == 1, "yes", "no"))
    other = named.merge(10, 5, penalty="l2")
    one = merged.inference(2, X_test, y_test)
    two = other.inference(2, X_test, np.where(y_test == 1, "yes", "no"))
    pd.testing.assert_frame_equal(one, two)
    with pytest.raises(ValueError, match="y holds 'maybe', which is not one of the classes"):
        other.inference(2, X_test, np.full(len(X_test), "maybe"))


def test_honest_without_fresh_rows_says_why_and_how(regression):
    merged, X, y = regression
    for rows in ((), (X,), (None, y)):
        with pytest.raises(ValueError, match=r"neither the network nor the merge has seen.*half"):
            merged.inference(0, *rows)


def test_training_rows_as_fresh_rows_are_noticed(regression):
    merged, X, y = regression
    with pytest.warns(PostSelectionWarning, match="400 of the 400 rows are training rows"):
        merged.inference(0, pd.DataFrame(merged._X, columns=X.columns), merged._y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        three = pd.DataFrame(merged._X[:3], columns=X.columns)
        merged.inference(0, pd.concat([X, three]), np.append(y, merged._y[:3]))


def test_honest_tests_keep_their_level():
    """No feature has an effect: about 5 % of honest p-values may be below 5 %."""
    n, replicates = 300, 100
    honest, published = [], []
    for seed in range(replicates):
        rng = np.random.default_rng(seed)
        X, y = rng.normal(size=(2 * n, 2)), rng.normal(size=2 * n)
        mlp = MLPRegressor(
            hidden_layer_sizes=(10, 10), solver="lbfgs", max_iter=50, random_state=seed
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network = PiecewiseLinearNetwork.from_sklearn(mlp.fit(X[:n], y[:n]))
            merged = UnwrapperRegressor(network).fit(X[:n], y[:n]).merge(5)
            for k in range(len(merged.counts_)):
                published += list(merged.inference_naive(k)["p_value"][1:])
                honest += list(merged.inference(k, X[n:], y[n:])["p_value"][1:])
    rates = {name: np.mean(np.array(p) < 0.05) for name, p in
             (("honest", honest), ("naive", published))}  # fmt: skip
    print(f"{len(honest)} tests: {rates}")
    # Three binomial standard errors; the tests of one cluster are nearly independent.
    band = 3 * np.sqrt(0.05 * 0.95 / len(honest))
    assert len(honest) > 300
    assert abs(rates["honest"] - 0.05) < band
    assert rates["naive"] > rates["honest"]


# Where a test is not defined


def table_of(X, y, classification=False):
    names = [f"x{j + 1}" for j in range(X.shape[1])]
    return inference_table(X, y, names, classification=classification, what="Cluster 3")


@pytest.mark.parametrize("classification", [False, True])
@pytest.mark.parametrize("value", [0.0, 1.0, 4.2e9])
def test_a_constant_feature_has_no_test_and_spoils_none(classification, value):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 2))
    y = rng.integers(0, 2, 60) if classification else rng.normal(size=60)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = table_of(np.column_stack([x[:, 0], np.full(60, value), x[:, 1]]), y, classification)
    alone = table_of(x, y, classification)
    assert table.loc["x2"].isna().all()
    np.testing.assert_allclose(table.drop("x2"), alone, rtol=1e-8)


@pytest.mark.parametrize("classification", [False, True])
@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_coefficients_that_the_rows_leave_open_are_nan(classification, unit):
    rng = np.random.default_rng(0)
    x = rng.normal([5, -2, 1], size=(80, 3))
    y = rng.integers(0, 2, 80) if classification else rng.normal(size=80)
    table = table_of(np.column_stack([x, unit * (x[:, 0] - x[:, 1])]), y, classification)
    # x1, x2 and x4 depend on each other; the intercept and x3 are what they are without x4.
    alone = table_of(x, y, classification)
    assert table.loc[["x1", "x2", "x4"]].isna().all(axis=None)
    np.testing.assert_allclose(table.loc[["intercept", "x3"]], alone.loc[["intercept", "x3"]],
                               rtol=1e-6)  # fmt: skip


def test_three_flags_that_sum_to_one_leave_the_intercept_open():
    rng = np.random.default_rng(0)
    kind, x = rng.integers(0, 3, 90), rng.normal(size=90)
    y = x + rng.normal(size=90)
    table = table_of(np.column_stack([np.eye(3)[kind], x]), y)
    assert table.loc[["intercept", "x1", "x2", "x3"]].isna().all(axis=None)
    alone = table_of(np.column_stack([np.eye(3)[kind][:, :2], x]), y)
    np.testing.assert_allclose(table.loc["x4"], alone.loc["x3"], rtol=1e-8)


@pytest.mark.parametrize("unit", [1e-6, 1e3, 1e6])
def test_hc3_of_a_flag_that_one_row_has(unit):
    for seed in range(30):
        rng = np.random.default_rng(seed)
        x, flag = rng.normal(size=100), np.zeros(100)
        flag[0] = unit
        y = x + rng.normal(size=100)
        X = np.column_stack([x, flag])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            table = inference_table(X, y, ["x", "flag"], cov_type="HC3")
        # The flagged row fits itself and says nothing of the others, whose HC3 is theirs.
        design = sm.add_constant(x[1:])
        fit = sm.OLS(y[1:], design).fit(cov_type="HC3", use_t=True)
        expected = np.column_stack([fit.params, fit.bse, fit.tvalues, fit.pvalues, fit.conf_int()])
        np.testing.assert_allclose(table.loc[["intercept", "x"]], expected, rtol=1e-8)
        assert table.loc["flag"].notna().tolist() == [True] + 5 * [False]
        residual = y[0] - fit.params @ [1, x[0]]
        assert table.loc["flag", "coef"] == pytest.approx(residual / unit)
    plain = inference_table(X, y, ["x", "flag"])
    assert plain.notna().all(axis=None)


def test_hc3_where_all_rows_but_one_have_a_flag():
    rng = np.random.default_rng(0)
    x, flag = rng.normal(size=50), np.ones(50)
    flag[3] = 0
    table = inference_table(
        np.column_stack([x, flag]), x + rng.normal(size=50), ["x", "flag"], cov_type="HC3"
    )
    assert table["coef"].notna().all()
    assert table["std_err"].isna().tolist() == [True, False, True]


@pytest.mark.parametrize("cov_type", ["nonrobust", "HC3"])
@pytest.mark.parametrize(
    "response",
    [
        lambda x: x @ [3.0, -2.0] + 1,
        lambda x: (x @ [3.0, -2.0] + 1).astype(np.float32).astype(float),
        lambda x: np.full(len(x), 0.1),
        lambda x: np.zeros(len(x)),
        lambda x: 1e9 * (x @ [3.0, -2.0]) - 1e12,
    ],
)
def test_rounding_errors_are_not_tested(cov_type, response):
    x = np.random.default_rng(0).normal(size=(60, 2))
    y = response(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = inference_table(x, y, ["a", "b"], cov_type=cov_type)
    assert table.drop(columns="coef").isna().all(axis=None)
    np.testing.assert_allclose(
        x @ table["coef"].iloc[1:] + table["coef"].iloc[0], y, rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize("size", [1e-9, 1.0, 1e9])
def test_little_noise_is_tested(size):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 2))
    y = size * (x @ [3.0, 0.0] + 1000 + 1e-4 * rng.normal(size=60))
    fit = sm.OLS(y / size, sm.add_constant(x)).fit()
    table = inference_table(x, y, ["a", "b"])
    np.testing.assert_allclose(table["p_value"], fit.pvalues, rtol=1e-4)


def test_a_network_is_not_tested_against_itself():
    network = PiecewiseLinearNetwork([[[1, 0], [-1, 0]], [[1, -2]]], [[0, 0], [0.5]])
    rng = np.random.default_rng(0)
    X, new = rng.normal(size=(200, 2)), rng.normal(size=(200, 2))
    merged = UnwrapperRegressor(network).fit(X, network.forward(X)[:, 0]).merge(2)
    for k in range(2):
        table = merged.inference(k, new, network.forward(new)[:, 0])
        assert table["p_value"].isna().all()
        assert naive(merged, k)["p_value"].isna().all()


@pytest.mark.parametrize("classification", [False, True])
def test_large_means_and_odd_units_change_no_test(classification):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 2))
    y = rng.integers(0, 2, 80) if classification else rng.normal(size=80)
    plain = table_of(X, y, classification)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        moved = table_of(np.column_stack([1e6 + X[:, 0], 1e-9 * X[:, 1]]), y, classification)
    slopes = ["statistic", "p_value"]
    np.testing.assert_allclose(moved.loc["x1":, slopes], plain.loc["x1":, slopes], rtol=1e-6)
    np.testing.assert_allclose(moved.loc["x2", "coef"], 1e9 * plain.loc["x2", "coef"], rtol=1e-6)


def test_too_few_rows():
    X = np.random.default_rng(0).normal(size=(4, 3))
    with pytest.raises(ValueError, match="Cluster 3 has 4 rows, too few to test 4 coefficients"):
        table_of(X, X[:, 0])


def test_one_class():
    X = np.random.default_rng(0).normal(size=(30, 2))
    with pytest.raises(ValueError, match="Cluster 3 holds rows of one class only"):
        table_of(X, np.ones(30), classification=True)


@pytest.mark.parametrize("kind", ["complete", "quasi-complete"])
def test_separated_classes(kind):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 2))
    if kind == "complete":
        y = X[:, 0] + X[:, 1] > 0.1
    else:
        X[:, 1] = X[:, 1] > 1
        y = (X[:, 1] == 1) | (rng.random(100) < 0.5)
    with pytest.raises(ValueError, match="Cluster 3 has classes that a linear function separates"):
        table_of(X, y.astype(int), classification=True)


def test_several_classes():
    rng = np.random.default_rng(2)
    X, y = rng.normal(size=(300, 2)), rng.integers(0, 3, 300)
    merged = UnwrapperClassifier(random_network([2, 6, 3])).fit(X, y).merge(2, penalty="l2")
    for call in (merged.inference, merged.bootstrap):
        with pytest.raises(ValueError, match="two classes, got 3 classes"):
            call(0)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ([99], {}, "cluster must be a whole number from 0 to .*, got 99"),
        ([-1], {}, "cluster must be .*, got -1"),
        (["a"], {}, "cluster must be .*, got 'a'"),
        ([True], {}, "cluster must be .*, got True"),
        ([0], {"cov_type": "HC9"}, "cov_type must be 'nonrobust' or 'HC3', got 'HC9'"),
        ([0], {"alpha": 1.0}, "alpha must be a number above 0 and below 1"),
    ],
)
def test_bad_options(regression, arguments, options, message):
    merged, X, y = regression
    with pytest.raises(ValueError, match=message):
        merged.inference(*arguments, X, y, **options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y: (X, y[:-1]), "X has 400 rows, but y has 399"),
        (lambda X, y: (X.to_numpy()[:, :1], y), "X has 1 features"),
        (lambda X, y: (X[["size", "age"]], y), "feature names"),
        (lambda X, y: (X, np.where(y > 0, np.nan, y)), "y must be finite"),
        (lambda X, y: (X[:2], y[:2]), "Cluster 0 has . rows, too few"),
    ],
)
def test_bad_rows(regression, change, message):
    merged, X, y = regression
    with pytest.raises(ValueError, match=message):
        merged.inference(0, *change(X, y))


# Bootstrap


def test_bootstrap_of_least_squares_has_their_standard_errors(regression):
    merged, *_ = regression
    table = merged.bootstrap(0, 400, penalty=None, progress=False)
    levels = ["ci_low", "q25", "median", "q75", "ci_high"]
    assert list(table.columns) == ["coef", "mean", "std", *levels, "probability_zero"]
    assert (np.diff(table[levels], axis=1) > 0).all()
    expected = naive(merged, 0, cov_type="HC3")
    np.testing.assert_allclose(table["coef"], expected["coef"])
    np.testing.assert_allclose(table["std"], expected["std_err"], rtol=0.15)
    assert (table["ci_low"] < table["mean"]).all()
    assert (table["mean"] < table["ci_high"]).all()
    assert (table["probability_zero"] == 0).all()


def test_bootstrap_counts_zeros(regression):
    merged, *_ = regression
    table = merged.bootstrap(0, 50, penalty="l1", C=0.005, progress=False)
    assert 0 < table["probability_zero"].max() <= 1
    assert table.loc["intercept", "probability_zero"] == 0
    own = merged.labels_ == 0
    coef, intercept = fit_glm(merged._X[own], merged._y[own], penalty="l1", C=0.005)
    np.testing.assert_allclose(table["coef"], [*intercept, *coef[0]])


def test_bootstrap_is_reproducible(merged_circles):
    merged, *_ = merged_circles
    one = merged.bootstrap(0, 6, C=0.1, random_state=3, progress=False)
    pd.testing.assert_frame_equal(
        one, merged.bootstrap(0, 6, C=0.1, random_state=3, progress=False)
    )
    assert not one.equals(merged.bootstrap(0, 6, C=0.1, random_state=4, progress=False))


def test_bootstrap_of_the_selection_is_wider(merged_circles):
    merged, *_ = merged_circles
    fixed = merged.bootstrap(0, 40, penalty="l2", progress=False)
    redone = merged.bootstrap(0, 40, penalty="l2", resample_selection=True, progress=False)
    np.testing.assert_allclose(fixed["coef"], redone["coef"])
    assert (redone["std"] > fixed["std"]).all()


def test_bootstrap_of_the_selection_of_a_regression(regression):
    merged, *_ = regression
    table = merged.bootstrap(0, 5, penalty=None, resample_selection=True, progress=False)
    assert np.isfinite(table.to_numpy()).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_boot": 1}, "n_boot must be a whole number from 2"),
        ({"penalty": "l0"}, "penalty must be"),
        ({"C": -1.0}, "C must be a number above 0"),
        ({"alpha": 0}, "alpha must be a number above 0 and below 1"),
        ({"random_state": -1}, "random_state must be a whole number from 0"),
    ],
)
def test_bad_bootstrap_options(regression, options, message):
    with pytest.raises(ValueError, match=message):
        regression[0].bootstrap(0, **options)
