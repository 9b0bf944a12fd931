"""The program behind the measurement of the chapter on LIME, on cases with a known answer."""

from itertools import combinations

import numpy as np
import pytest
from lime.lime_tabular import LimeTabularExplainer

from xai_course.networks import PiecewiseLinearNetwork


@pytest.fixture
def lime(reproduce):
    return reproduce("proxies.lime")


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    return np.column_stack(
        [rng.normal(size=(400, 2)), rng.integers(0, 2, 400), rng.normal(size=400)]
    )


def test_numbers_give_the_slopes_of_a_linear_function(lime):
    slope, rng = np.array([2.0, -1.0, 0.5]), np.random.default_rng(0)
    for how in ({}, {"spread": 0.01}, {"width": 1.0}):
        found = lime.lime_numbers(lambda A: A @ slope + 3, np.ones(3), 20000, rng, **how)
        assert np.allclose(found, slope, atol=2e-3), how


def test_numbers_give_the_mean_slope_of_a_kink(lime):
    # A hinge at its kink: half of the noise sees the slope 1, whatever the spread.
    rng = np.random.default_rng(1)
    found = lime.lime_numbers(lambda A: np.maximum(0, A[:, 0]), np.zeros(2), 100000, rng)
    assert np.allclose(found, [0.5, 0], atol=0.01)


def test_a_narrow_kernel_says_that_nothing_matters(lime):
    rng = np.random.default_rng(2)
    found = lime.lime_numbers(lambda A: A.sum(axis=1), np.zeros(30), 5000, rng, width=0.4)
    assert np.abs(found).max() < 1e-4


def test_bins_agree_with_the_package_in_the_mean(lime, rows):
    f = lambda A: A[:, 0] + 2 * np.maximum(0, A[:, 1] + A[:, 3])  # noqa: E731
    bins, rng, x = lime.Bins(rows), np.random.default_rng(3), rows[7]
    ours = np.mean([lime.lime_bins(f, x, bins, 5000, rng) for _ in range(8)], axis=0)
    theirs = []
    for seed in range(8):
        explainer = LimeTabularExplainer(
            rows, mode="regression", feature_selection="none", random_state=seed
        )
        told = explainer.explain_instance(x, f, num_features=4, num_samples=5000).local_exp[1]
        theirs.append([weight for _, weight in sorted(told)])
    assert np.allclose(ours, np.mean(theirs, axis=0), atol=0.06)
    assert np.abs(ours[:2]).max() > 0.5


def test_a_bin_with_one_value_keeps_it(lime):
    Z = np.array([[5.0]] * 8 + [[6.0], [7.0]])
    drawn, which = lime.Bins(Z).rows(200, np.random.default_rng(0))
    assert set(drawn[which == 0]) == {5.0}
    assert ((drawn[which == 1] > 5) & (drawn[which == 1] <= 7)).all()


def test_effects_of_a_sum_are_its_terms(lime, rows):
    bins = lime.Bins(rows)
    f = lambda A: 3 * A[:, 0] + np.sin(A[:, 1])  # noqa: E731
    table = lime.effects(f, bins, np.random.default_rng(0), n=20000)
    drawn, number = bins.rows(20000, np.random.default_rng(1))
    means = [3 * drawn[number[:, 0] == b, 0].mean() for b in range(4)]
    assert np.allclose(np.diff(table[0]), np.diff(means), atol=0.1)
    assert np.abs(np.ptp(table[3])) < 1e-9


def test_greedy_is_near_the_best_and_covers(lime):
    rng = np.random.default_rng(4)
    W = rng.normal(size=(12, 9)) * (rng.random((12, 9)) < 0.3)
    found = lime.greedy(W, 3)
    best = max(lime.covered(W, list(some)) for some in combinations(range(12), 3))
    assert 0.63 * best <= lime.covered(W, found) <= best
    assert len(set(found)) == 3
    assert np.isclose(lime.covered(W, list(range(12))), 1)


def test_the_patchwork_of_a_linear_network_has_no_error(lime):
    net = PiecewiseLinearNetwork([[[1.0, 2.0]]], [[0.5]])
    Z = np.random.default_rng(5).normal(size=(50, 2))
    f = lambda A: net.forward(A)[:, 0]  # noqa: E731
    coef = np.tile([1.0, 2.0], (3, 1))
    assert lime.patchwork(f, Z[:3], coef, f(Z[:3]), Z) < 1e-12
    assert lime.patchwork(f, Z[:3], 0 * coef, f(Z[:3]), Z) > 0.3


def test_scores_are_zero_for_the_truth_and_one_for_no_change(lime):
    truth = [lime.two(np.array([0.3, 1.0, -2.0, 0.5]))]
    assert lime.scores(truth, truth)["error"] < 1e-9
    still = [lime.two(np.full(4, 0.3))]
    assert np.isclose(lime.scores(truth, still)["error"], 1)
