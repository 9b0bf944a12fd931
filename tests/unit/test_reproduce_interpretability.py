"""The programs behind the tables of `reproduce/interpretability.py`, on small cases."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from xai_course.networks import PiecewiseLinearNetwork


@pytest.fixture
def programs(reproduce):
    return reproduce("interpretability")


def network(n_features=4, seed=0):
    rng = np.random.default_rng(seed)
    return PiecewiseLinearNetwork(
        [rng.normal(size=(5, n_features)), rng.normal(size=(1, 5))],
        [rng.normal(size=5), np.zeros(1)],
    )


def plane(slope):
    """Return a network that is linear wherever it is asked here."""
    return PiecewiseLinearNetwork(
        [np.eye(len(slope)), np.asarray(slope)[None]],
        [np.full(len(slope), 100.0), np.array([-100.0 * sum(slope)])],
    )


def test_slopes_are_differences_of_answers(programs):
    net, x, h = network(), np.random.default_rng(1).normal(size=4), 1e-6 * np.eye(4)
    expected = (net.forward(x + h) - net.forward(x - h))[:, 0] / 2e-6
    np.testing.assert_allclose(programs.slopes(net, x), expected, atol=1e-8)


def test_interface_rounds_and_never_says_certain(programs):
    net = plane([1.0])
    found = programs.interface(net, np.array([[-50.0], [0.0], [50.0]]), 2)
    shown = 1 / (1 + np.exp(-found))
    np.testing.assert_allclose(shown, [0.005, 0.5, 0.995], atol=1e-12)


def test_caller_is_exact_for_a_plane_with_all_digits(programs):
    net, x = plane([1.0, -2.0, 0.5]), np.array([0.1, 0.2, 0.3])
    value, slope = programs.call(net, x, 60, 12, np.random.default_rng(0))
    assert value == pytest.approx(net.forward(x[None])[0, 0], abs=1e-9)
    np.testing.assert_allclose(slope, [1.0, -2.0, 0.5], atol=1e-9)


def test_an_exact_explanation_of_a_plane_keeps_every_rule(programs):
    slope, tests = np.array([1.0, -2.0, 0.5]), np.random.default_rng(0).normal(size=(30, 3))
    net = plane(slope)
    one = programs.Split(tests, tests, tests, tests, None, net, np.arange(10))
    verdict = programs.judge(
        lambda i: (net.forward(tests[i][None])[0, 0], slope), one, np.random.default_rng(0)
    )
    expected = dict.fromkeys(("neighbours", "decisions", "completeness", "reward"), 1.0)
    assert verdict == pytest.approx(expected | {"exactness": 0.0}, abs=1e-9)


def test_wrong_slopes_turn_no_decision(programs):
    slope, tests = np.array([1.0, -2.0, 0.5]), np.random.default_rng(0).normal(size=(30, 3))
    net = plane(slope)
    one = programs.Split(tests, tests, tests, tests, None, net, np.arange(10))
    verdict = programs.judge(
        lambda i: (net.forward(tests[i][None])[0, 0], -slope), one, np.random.default_rng(0)
    )
    assert verdict["reward"] == 0
    assert verdict["exactness"] > 0.1


def test_neurons_of_separate_paths_have_separate_jobs(programs):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    mlp = MLPClassifier((4, 4), max_iter=5).fit(X, X[:, 0] > 0)
    together = programs.changes(mlp, X, X)
    mlp.coefs_[1] = np.eye(4)
    mlp.intercepts_[1] = np.zeros(4)
    assert programs.changes(mlp, X, X) < 1e-12 < 0.001 < together


def test_linear_fit_predicts_a_smooth_model(programs):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    model = LogisticRegression().fit(X, X[:, 0] + 0.1 * rng.normal(size=200) > 0)
    assert programs.predicts(model, X, rng) > 0.8
