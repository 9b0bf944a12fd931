"""Students that one can read: against scikit-learn, and against the objective, written out."""

from itertools import product

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

from xai_course.families.additive import AdditiveRegressor
from xai_course.families.decision_set import DecisionSet, candidates


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(120, 3))


# Curves


@parametrize_with_checks([AdditiveRegressor()])
def test_scikit_learns_conventions(estimator, check):
    check(estimator)


def test_curves_are_scikit_learns_boosting(X):
    y = X[:, 0] ** 2 + np.sin(3 * X[:, 1])
    ours = AdditiveRegressor(n_rounds=80, rate=0.3).fit(X, y)
    theirs = GradientBoostingRegressor(
        n_estimators=80, learning_rate=0.3, max_depth=1, random_state=0
    ).fit(X, y)
    new = np.random.default_rng(1).normal(size=(500, 3))
    assert np.allclose(ours.predict(new), theirs.predict(new), atol=1e-12)
    assert np.allclose(ours.predict(X), theirs.predict(X), atol=1e-12)  # ties at the rows


def test_contributions_add_up_and_have_mean_zero(X):
    ours = AdditiveRegressor(n_rounds=50).fit(X, X @ [1.0, -2.0, 0.0])
    parts = ours.contributions(X)
    assert np.allclose(ours.base_ + parts.sum(axis=1), ours.predict(X))
    assert np.allclose(parts.mean(axis=0), 0)
    assert all(len(v) == len(t) + 1 and (np.diff(t) > 0).all() for t, v in ours.steps_)


def test_a_curve_sees_its_own_feature_only(X):
    ours = AdditiveRegressor().fit(X, np.maximum(X[:, 0], X[:, 1]))
    moved = X.copy()
    moved[:, 1] += 1
    change = ours.contributions(moved) - ours.contributions(X)
    assert not change[:, [0, 2]].any()
    assert change[:, 1].any()


def test_a_constant_has_no_steps(X):
    ours = AdditiveRegressor().fit(X, np.full(120, 2.5))
    assert all(len(places) == 0 for places, _ in ours.steps_)
    assert np.allclose(ours.predict(X), 2.5)


# Decision sets


def worth(rules, X, p, wrong, price):
    """The objective of the chapter, row by row."""
    covers = np.array([rule.covers(X) for rule in rules]).reshape(len(rules), len(X))
    count = covers.sum(axis=0)
    total = (count > 0).sum() - (count * (count - 1) / 2).sum()
    for rule, rows in zip(rules, covers, strict=True):
        other = (1 - p if rule.label else p)[rows].sum()
        total -= wrong * other + price * len(X) / 100 * rule.n_conditions
    return total


def test_every_rule_is_the_best_next_one(X):
    from xai_course.rules import Rule

    p = 1 / (1 + np.exp(-3 * X[:, 0] * X[:, 1]))
    fitted = DecisionSet(n_rules=4, n_cuts=2, wrong=2.0, price=0.1).fit(X, p)
    chosen = list(fitted.rules_)
    assert len(chosen) >= 2
    every = [Rule(*bounds, label) for bounds, label in product(candidates(X, 2), (0, 1))]
    for k in range(len(chosen)):
        best = max(worth([*chosen[:k], rule], X, p, 2.0, 0.1) for rule in every)
        assert worth(chosen[: k + 1], X, p, 2.0, 0.1) == pytest.approx(best, abs=1e-2)
        assert best > worth(chosen[:k], X, p, 2.0, 0.1)


def test_it_finds_the_rules_that_made_the_labels(X):
    cuts = np.quantile(X, 0.5, axis=0)
    y = ((X[:, 0] > cuts[0]) & (X[:, 2] <= cuts[2])).astype(int)
    fitted = DecisionSet(n_cuts=1).fit(X, y)
    assert (fitted.predict(X) == y).all()
    assert fitted.rules_.conflicts(X) == 0


def test_candidates_are_not_empty_and_bound_two_features_at_most(X):
    bounds = list(candidates(X, 3))
    assert len(bounds) == 18 + 3 * 36
    assert all((low < high).all() for low, high in bounds)
    assert max(int((np.isfinite(low) | np.isfinite(high)).sum()) for low, high in bounds) == 2


def test_no_rule_is_worth_an_infinite_price(X):
    fitted = DecisionSet(price=1e6).fit(X, np.full(120, 0.9))
    assert len(fitted.rules_) == 0
    assert (fitted.predict(X) == 1).all()


@pytest.mark.parametrize("p", [np.full(120, 1.5), np.full(120, -0.1)])
def test_probabilities_lie_between_0_and_1(X, p):
    with pytest.raises(ValueError, match="p must be probabilities"):
        DecisionSet().fit(X, p)


def test_options_are_checked_and_an_unfitted_set_says_so(X):
    with pytest.raises(ValueError, match="n_rules"):
        DecisionSet(n_rules=0).fit(X, np.ones(len(X)))
    with pytest.raises(ValueError, match="wrong"):
        DecisionSet(wrong=-1).fit(X, np.ones(len(X)))
    with pytest.raises(NotFittedError):
        clone(DecisionSet(wrong=3)).predict(X)
