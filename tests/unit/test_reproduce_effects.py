"""The programs behind the measurements of the chapter on effects, on cases with a known answer."""

import numpy as np
import pytest

from xai_course.data import home_lending


@pytest.fixture
def effects(reproduce):
    return reproduce("saliency.effects")


@pytest.fixture(scope="module")
def fresh():
    return home_lending(600, seed=5)


def test_the_truth_has_no_error_and_a_shifted_one_neither(effects, fresh):
    truth = fresh.truth.log_odds
    curves, steps, _ = effects._compare(lambda X: truth(X) + 3, fresh, 0)
    assert np.allclose(curves[:, 3:], 0, atol=1e-9)
    assert np.allclose(steps[:, 1], 0, atol=1e-9)
    assert (curves[:2, 0] > 0.8).all()  # the two scores
    assert curves[-1, 0] < 0.2  # the control


def test_a_wrong_slope_is_an_error_of_both_curves(effects, fresh):
    feature = effects.FEATURES.index("orig_fico")
    column = fresh.feature_names.index("orig_fico")
    wrong = lambda X: fresh.truth.log_odds(X) + 0.01 * X[:, column]  # noqa: E731
    curves, steps, _ = effects._compare(wrong, fresh, 0)
    assert np.allclose(curves[feature, 3:], 0.01 * fresh.X[:, column].std())
    assert np.allclose(steps[1:, 1], 0.01 * 2 * effects.STEP)
    assert np.isclose(steps[0, 1], 0, atol=1e-9)


def test_a_score_of_the_group_alone_is_lost_and_the_coin_is_not(effects, fresh):
    column = fresh.feature_names.index("fico0")
    _, _, groups = effects._compare(lambda X: -X[:, column], fresh, 0)
    (auc, lost, before, _), (_, by_coin, of_coin, _) = groups
    assert lost > 0.03 > 3 * abs(by_coin)
    assert before > 0.7 > of_coin
    assert 0.6 < auc < 0.9


def test_means_and_standard_errors_are_over_draws(effects):
    assert effects._mean(np.array([1.0, 3.0])) == {"mean": 2.0, "se": 1.0}


def test_the_words_are_read_rightly(reproduce):
    examples = reproduce("saliency.effects_examples")
    examples.DRAWS = 1
    found = examples._words()
    assert found["right on sentences left out"]["mean"] == 1
    assert found["output change"]["mean"] > 5
