"""Linear and logistic models: scikit-learn's, statsmodels' and the criterion's own minimum."""

import warnings

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.optimize import minimize
from scipy.special import logsumexp
from sklearn.linear_model import Lasso, LogisticRegression, Ridge

from xai_course.unwrapping.glm import fit_glm, is_separated


@pytest.mark.parametrize("penalty", ["l1", "l2"])
@pytest.mark.parametrize("C", [0.02, 3.0])
def test_penalised_regression_is_scikit_learns(penalty, C):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(400, 3))
    y = X @ [1.0, -2.0, 0.1] + rng.normal(size=400)
    coef, intercept = fit_glm(X, y, penalty=penalty, C=C)
    model = Ridge(alpha=1 / C) if penalty == "l2" else Lasso(alpha=1 / (C * len(X)), tol=1e-12)
    model.fit(X, y)
    np.testing.assert_allclose(coef[0], model.coef_)
    assert intercept[0] == pytest.approx(model.intercept_)
    # The criterion that both documents state: a step in any direction is no better.
    norm = {"l2": lambda b: 0.5 * b @ b, "l1": lambda b: np.abs(b).sum()}[penalty]

    def criterion(b):
        return norm(b) + C * 0.5 * np.sum((y - X @ b - intercept[0]) ** 2)

    steps = np.random.default_rng(0).normal(scale=1e-2, size=(100, 3))
    assert all(criterion(coef[0]) <= criterion(coef[0] + step) for step in steps)


def test_l1_classification_spares_the_intercept():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    y = (rng.random(300) < 0.9).astype(int)
    coef, intercept = fit_glm(X, y, 2, "l1", 1e-3)
    assert (coef == 0).all()
    assert intercept[0] == pytest.approx(np.log(y.mean() / (1 - y.mean())))


@pytest.mark.parametrize("C", [0.05, 1.0, 100.0])
def test_l1_classification_is_the_minimum(C):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 5)) * [1, 1, 5, 0.2, 1] + [0, 3, 0, 0, 0]
    y = (X[:, 0] - 0.5 * X[:, 1] + rng.logistic(size=200) > -1).astype(int)
    coef, intercept = fit_glm(X, y, 2, "l1", C)
    # The conditions of a minimum: gradients of C * loss within one, equal to the sign where not 0.
    residual = y - 1 / (1 + np.exp(-(X @ coef[0] + intercept[0])))
    gradient = C * X.T @ residual
    assert C * residual.sum() == pytest.approx(0, abs=1e-5)
    active = coef[0] != 0
    assert active.any()
    np.testing.assert_allclose(gradient[active], np.sign(coef[0][active]), atol=1e-4)
    assert (np.abs(gradient[~active]) <= 1 + 1e-6).all()


def test_one_class_is_a_constant_with_smoothed_log_odds():
    X = np.random.default_rng(0).normal(size=(20, 2))
    coef, intercept = fit_glm(X, np.ones(20, dtype=int), 2)
    assert (coef == 0).all()
    assert intercept[0] == pytest.approx(np.log(20.5 / 0.5))
    coef, intercept = fit_glm(X, np.repeat([0, 2], 10), 3, "l2")
    share = np.exp(X @ coef.T + intercept)
    share /= share.sum(axis=1, keepdims=True)
    assert 0 < share[:, 1].mean() < 0.05


@pytest.mark.parametrize("separated", [False, True])
def test_a_class_without_a_row_has_half_a_row_in_all(separated):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 2))
    y = 2 * (X[:, 0] + (0 if separated else 1) * rng.logistic(size=40) > 0)
    coef, intercept = fit_glm(X, y, 3)
    share = np.exp(X @ coef.T + intercept)
    share /= share.sum(axis=1, keepdims=True)
    assert 0.25 < share[:, 1].sum() <= 0.5


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_separation_is_found_complete_and_quasi_complete(scale):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    assert not is_separated(scale * X, rng.random(200) < 0.5)
    assert is_separated(scale * X, X @ [1.0, 2.0, -1.0] > 0.3)
    flag = X[:, 0] > 1.2  # a rare indicator with one class: quasi-complete
    positive = (rng.random(200) < 0.5) | flag
    Z = np.column_stack([X[:, 1:], flag])
    assert is_separated(scale * Z, positive)
    positive[np.flatnonzero(flag)[0]] = False
    assert not is_separated(scale * Z, positive)
    collinear = np.column_stack([X, X @ [1.0, 1.0, 1.0], np.ones(200)])
    assert not is_separated(scale * collinear, rng.random(200) < 0.5)


def test_collinear_and_constant_columns_have_a_finite_fit():
    rng = np.random.default_rng(0)
    x = rng.normal(size=50)
    X = np.column_stack([x, 2 * x, np.full(50, 3.3)])
    coef, intercept = fit_glm(X, 5 * x + 1)
    np.testing.assert_allclose(X @ coef[0] + intercept[0], 5 * x + 1)
    assert coef[0, 2] == pytest.approx(0, abs=1e-12)
    y = (x + rng.normal(size=50) > 0).astype(int)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        coef, intercept = fit_glm(X, y, 2)
    single = sm.Logit(y, sm.add_constant(x)).fit(disp=0)
    np.testing.assert_allclose(X @ coef[0] + intercept[0], single.fittedvalues, rtol=1e-5)


# Units


def rows_of(n_classes, seed=0):
    """Return rows with columns that depend on each other, and responses of a kind."""
    rng = np.random.default_rng(seed)
    X = rng.normal([0, 3, 0, 0], size=(120, 4))
    X[:, 1] += X[:, 0]
    X[:, 2] = X[:, 2] > 0.5
    score = X @ [1.0, -0.5, 1.0, 0.0] + rng.logistic(size=120)
    return X, score if n_classes is None else np.digitize(score, [-1, 1][: n_classes - 1])


def outputs(X, coef, intercept):
    z = X @ coef.T + intercept
    return np.column_stack([np.zeros(len(z)), z]) if coef.shape[0] == 1 else z


def slopes_of_the_loss(X, y, coef, intercept, n_classes):
    """Return the derivatives of the loss by the coefficients, and how far rounding may reach."""
    if n_classes is None:
        residual = (X @ coef[0] + intercept[0] - y)[:, None]
    else:
        z = outputs(X, coef, intercept)
        residual = np.exp(z - logsumexp(z, axis=1, keepdims=True)) - np.eye(n_classes)[y]
        residual = residual[:, -len(coef) :]
    lengths = np.linalg.norm(X, axis=0) * np.linalg.norm(residual, axis=0)[:, None]
    return residual.T @ X, residual.sum(axis=0), lengths


@pytest.mark.parametrize("unit", [1e-9, 1e-4, 1.0, 1e4, 1e9])
@pytest.mark.parametrize("C", [0.05, 1.0, 50.0])
@pytest.mark.parametrize(
    ("n_classes", "penalty"), [(None, "l1"), (None, "l2"), (2, "l1"), (2, "l2"), (3, "l2")]
)
def test_a_penalised_fit_is_the_minimum_in_any_unit(n_classes, penalty, C, unit):
    X, y = rows_of(n_classes)
    X[:, 0] *= unit
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        coef, intercept = fit_glm(X, y, n_classes, penalty, C)
    slope, of_intercept, lengths = slopes_of_the_loss(X, y, coef, intercept, n_classes)
    np.testing.assert_allclose(of_intercept, 0, atol=1e-5)
    rounding = 1e-7 * lengths
    if penalty == "l2":
        # The classifiers penalise what they return: for two classes the one logit.
        assert (np.abs(C * slope + coef) <= C * rounding + 1e-9 * np.abs(coef)).all()
        return
    on = coef != 0
    assert (np.abs(C * slope + np.sign(coef))[on] <= (C * rounding + 1e-7)[on]).all()
    assert (np.abs(C * slope)[~on] <= (1 + C * rounding)[~on]).all()


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("C", [1.0, 1e3])
def test_a_weak_penalty_in_odd_units_still_decides(n_classes, C):
    # The classes are separated, so that only the penalty keeps the fit finite.
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2)) * [1e3, 1e-3]
    y = np.digitize(X @ [1e-3, 1e3], [-1, 1][: n_classes - 1])
    coef, intercept = fit_glm(X, y, n_classes, "l2", C)
    slope, of_intercept, _ = slopes_of_the_loss(X, y, coef, intercept, n_classes)
    assert (np.abs(C * slope + coef) <= 1e-5 * np.abs(coef).max(axis=0)).all()
    np.testing.assert_allclose(of_intercept, 0, atol=1e-9)


def test_the_minimum_of_three_classes_is_scipys():
    X, y = rows_of(3)
    X[:, 3] *= 100

    def criterion(parameters):
        model = parameters.reshape(3, 5) / [1, 1, 1, 100, 1]
        z = outputs(X, model[:, :4], model[:, 4])
        loss = logsumexp(z, axis=1).sum() - z[np.arange(len(y)), y].sum()
        return 0.5 * (model[:, :4] ** 2).sum() + 2.0 * loss

    found = minimize(criterion, np.zeros(15), method="BFGS", options={"gtol": 1e-6})
    best = found.x.reshape(3, 5) / [1, 1, 1, 100, 1]
    coef, intercept = fit_glm(X, y, 3, "l2", 2.0)
    np.testing.assert_allclose(coef, best[:, :4], atol=1e-5)
    np.testing.assert_allclose(intercept - intercept[0], best[:, 4] - best[0, 4], atol=1e-4)
    np.testing.assert_allclose(intercept.sum(), 0, atol=1e-9)


@pytest.mark.parametrize("unit", [1e-9, 1e9])
@pytest.mark.parametrize("n_classes", [None, 2, 3])
def test_units_change_no_fit_without_a_penalty(n_classes, unit):
    X, y = rows_of(n_classes)
    coef, intercept = fit_glm(X, y, n_classes)
    scaled, same = fit_glm(X * [1, unit, 1, 1], y, n_classes)
    np.testing.assert_allclose(scaled * [1, unit, 1, 1], coef, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(same, intercept, rtol=1e-6, atol=1e-8)


def test_two_classes_are_scikit_learns():
    X, y = rows_of(2)
    model = LogisticRegression(C=0.3, tol=1e-10, max_iter=1000).fit(X, y)
    coef, intercept = fit_glm(X, y, 2, "l2", 0.3)
    np.testing.assert_allclose(coef, model.coef_, atol=1e-5)
    np.testing.assert_allclose(intercept, model.intercept_, atol=1e-5)


@pytest.mark.parametrize("n_classes", [None, 2])
def test_of_two_equal_columns_the_cheaper_unit_is_kept(n_classes):
    X, y = rows_of(n_classes)
    both = np.column_stack([X, 3 * X[:, 0]])
    coef, _ = fit_glm(both, y, n_classes, "l1", 1.0)
    cheap, _ = fit_glm(both[:, 1:], y, n_classes, "l1", 1.0)
    assert coef[0, 0] == 0
    np.testing.assert_allclose(coef[0, 1:], cheap[0], rtol=1e-6)


def test_columns_that_depend_on_each_other_do_not_explode():
    # In a cluster the columns are equal up to rounding; on new rows they are not.
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    X = np.column_stack([x, x + 1e-13 * rng.normal(size=200)])
    coef, _ = fit_glm(X, x + rng.normal(size=200))
    assert np.abs(coef).max() < 1


def test_several_classes_have_no_lasso():
    X, y = rows_of(3)
    with pytest.raises(ValueError, match=r"'l1' takes a regression or two classes, got 3.*'l2'"):
        fit_glm(X, y, 3, "l1")


def test_the_lasso_of_dependent_columns_is_a_minimum():
    for seed in range(30):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(60, 6))
        X = np.column_stack([X, X[:, :3] * rng.uniform(0.2, 5, 3), X @ rng.normal(size=(6, 2))])
        y, C = X @ rng.normal(size=11) + rng.normal(size=60), 10 ** rng.uniform(-2, 1)
        coef, intercept = fit_glm(X, y, None, "l1", C)
        model = Lasso(alpha=1 / (C * 60), tol=1e-10, max_iter=1_000_000).fit(X, y)

        def criterion(b, start, X=X, y=y, C=C):
            return np.abs(b).sum() + C * 0.5 * np.sum((y - X @ b - start) ** 2)

        best = criterion(model.coef_, model.intercept_)
        assert criterion(coef[0], intercept[0]) <= best * (1 + 1e-8)
