"""Takagi-Sugeno rules against sums written out by hand, and what learning must and must not do."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score

from xai_course.families.takagi_sugeno import TakagiSugenoRegressor


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (80, 2))
    return X, np.sin(3 * X[:, 0]) * X[:, 1]


def by_hand(model, x):
    """Answer for one row, rule by rule, with products and a weighted mean."""
    total = weight = 0.0
    for sets, after in zip(model.index_, model.consequents_, strict=True):
        strength = 1.0
        for j, k in enumerate(sets):
            c, w, b = (p[j, k] for p in (model.centers_, model.widths_, model.shapes_))
            far = abs((x[j] - c) / w)
            gauss = model.membership == "gaussian"
            strength *= 2.0 ** -(far**2) if gauss else 1 / (1 + far ** (2 * b))
        says = after[0] + sum(p * v for p, v in zip(after[1:], x, strict=False))
        total, weight = total + strength * says, weight + strength
    return total / weight


@pytest.mark.parametrize("membership", ["gaussian", "bell"])
@pytest.mark.parametrize("order", [0, 1])
def test_the_answer_is_the_weighted_mean_of_the_rules(rows, membership, order):
    X, y = rows
    model = TakagiSugenoRegressor(3, membership, order, n_epochs=7).fit(X, y)
    assert model.consequents_.shape == (9, 1 + 2 * order)
    np.testing.assert_allclose(model.predict(X[:9]), [by_hand(model, x) for x in X[:9]], atol=1e-9)
    shares, says = model.explain(X)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_allclose((shares * says).sum(axis=1), model.predict(X))


def test_neighbouring_sets_start_even_and_cross_at_one_half(rows):
    X, y = rows
    model = TakagiSugenoRegressor(3, n_epochs=0).fit(X, y)
    np.testing.assert_allclose(model.centers_, np.linspace(X.min(axis=0), X.max(axis=0), 3).T)
    np.testing.assert_allclose(2 * model.widths_, np.diff(model.centers_)[:, [0, 1, 1]])


def test_the_conclusions_are_least_squares(rows):
    X, y = rows
    model = TakagiSugenoRegressor(2, n_epochs=3).fit(X, y)
    shares, _ = model.explain(X)
    table = np.einsum("nk,nj->nkj", shares, np.column_stack([np.ones(80), X])).reshape(80, -1)
    best = np.linalg.lstsq(table, y, rcond=None)[0]
    assert model.errors_[-1] == pytest.approx(np.sqrt(np.mean((table @ best - y) ** 2)), rel=1e-4)


@pytest.mark.parametrize("membership", ["gaussian", "bell"])
def test_learning_moves_the_conditions_and_lowers_the_error(rows, membership):
    X, y = rows
    model = TakagiSugenoRegressor(3, membership, n_epochs=40, step=0.02).fit(X, y)
    assert model.errors_.shape == (41,)
    assert model.errors_[-1] < 0.8 * model.errors_[0]


def test_a_step_has_the_stated_length(rows):
    X, y = rows
    before, after = (TakagiSugenoRegressor(2, n_epochs=n, step=0.3).fit(X, y) for n in (0, 1))
    moved = [getattr(after, p) - getattr(before, p) for p in ("centers_", "widths_", "shapes_")]
    assert np.linalg.norm(np.concatenate(moved)) == pytest.approx(0.3)


def test_rules_of_known_data_are_found():
    X = np.random.default_rng(1).uniform(-1, 1, (60, 1))
    model = TakagiSugenoRegressor(2, n_epochs=0).fit(X, 3 - 2 * X[:, 0])
    np.testing.assert_allclose(model.predict(X), 3 - 2 * X[:, 0], atol=1e-5)
    np.testing.assert_allclose(model.consequents_, [[3, -2], [3, -2]], atol=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_sets": 1}, "n_sets must be a whole number"),
        ({"membership": "triangle"}, "membership must be 'gaussian' or 'bell'"),
        ({"order": 2}, "order must be a whole number from 0 to 1"),
        ({"n_epochs": -1}, "n_epochs"),
        ({"step": 0}, "step must be a number above 0"),
    ],
)
def test_what_is_not_accepted_is_named(rows, options, message):
    with pytest.raises(ValueError, match=message):
        TakagiSugenoRegressor(**options).fit(*rows)


def test_a_constant_feature_does_no_harm():
    X = np.column_stack([np.linspace(0, 1, 20), np.ones(20)])
    assert np.isfinite(TakagiSugenoRegressor(n_epochs=5).fit(X, X[:, 0]).predict(X)).all()


def test_too_many_rules_are_refused_with_a_way_out():
    X = np.random.default_rng(0).normal(size=(30, 12))
    with pytest.raises(ValueError, match=r"12 features make 4096 rules.*fewer features"):
        TakagiSugenoRegressor().fit(X, X[:, 0])


def test_it_is_an_estimator(rows):
    X, y = rows
    model = TakagiSugenoRegressor(n_epochs=2)
    with pytest.raises(NotFittedError):
        model.predict(X)
    named = pd.DataFrame(X, columns=["texture", "area"])
    np.testing.assert_array_equal(
        clone(model).fit(named, y).predict(named), model.fit(X, y).predict(X)
    )
    with pytest.raises(ValueError, match="feature names"):
        clone(model).fit(named, y).predict(named[["area", "texture"]])
    with pytest.raises(ValueError, match="3 features"):
        model.predict(np.ones((2, 3)))
    assert cross_val_score(TakagiSugenoRegressor(3, n_epochs=20), X, y).mean() > 0.5
    again = pickle.loads(pickle.dumps(model))  # noqa: S301
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
