"""The programs behind the measurements of the chapter on distilled proxies, on small cases."""

import numpy as np
import pytest
from scipy.special import expit

from xai_course import exact
from xai_course.networks import PiecewiseLinearNetwork


@pytest.fixture
def distilled(reproduce):
    return reproduce("proxies.distilled")


@pytest.fixture
def reasons(reproduce):
    return reproduce("proxies.distilled_reasons")


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(200, 3))


def test_every_student_learns_an_easy_network(distilled, X):
    z = 4 * X[:, 0] - 1
    new = np.random.default_rng(1).normal(size=(500, 3))
    for kind, student in distilled.STUDENTS.items():
        for target, logits in ((1.0 * (z > 0), False), (expit(z), False), (z, True)):
            fidelity = distilled.agreement(student(X, target, logits), 4 * new[:, 0] - 1, new)
            assert fidelity > (0.85 if kind in ("tree", "decision set") else 0.93), kind


def test_two_weighted_rows_are_one_soft_label(distilled, X):
    from sklearn.linear_model import LogisticRegression

    slope = np.array([1.0, -2.0, 0.5])
    make = lambda: LogisticRegression(C=1e6, max_iter=1000)  # noqa: E731
    fitted = distilled.classes(make, X, expit(X @ slope + 0.3))
    assert np.allclose(fitted.coef_[0], slope, atol=0.01)
    assert np.allclose(fitted.intercept_, 0.3, atol=0.01)


def test_drawn_rows_are_near_a_row_and_its_neighbour(distilled):
    X = np.array([[0.0, 0.0], [0.1, 0.0], [50.0, 9.0], [50.0, 9.0]])
    new = distilled.munge(X, 1000, np.random.default_rng(0))
    near = np.abs(new[:, 0]) < 5
    assert set(new[~near, 0]) == {50.0}  # twins stay what they are
    assert (new[:, 1][near] == 0).all()  # so do features in which neighbours agree
    assert np.std(new[near, 0]) > 0.02


def test_a_hot_tree_and_a_cold_tree(distilled, X):
    z = 3 * X[:, 1]
    cold, *_, hot = (distilled._softened(T, X, z, X, z) for T in distilled.TEMPERATURES)
    assert cold == [1.0, pytest.approx(np.minimum(expit(z), 1 - expit(z)).mean())]
    assert hot[1] < cold[1]


def test_effects_are_differences_of_the_exact_partial_dependence(reasons, X):
    rng = np.random.default_rng(2)
    weights = [rng.normal(size=(4, 3)), rng.normal(size=(1, 4))]
    network = PiecewiseLinearNetwork(weights, [rng.normal(size=4), rng.normal(size=1)])
    found = reasons.effects(lambda Z: network.forward(Z)[:, 0], X)
    for j, (low, high) in enumerate(np.quantile(X, [0.1, 0.9], axis=0).T):
        curve = exact.partial_dependence(network, X, j, low, high)
        assert found[j] == pytest.approx(curve.y[-1] - curve.y[0])


def test_shuffled_rows_keep_values_and_lose_what_ties_them(reasons):
    x = np.random.default_rng(3).normal(size=300)
    off = reasons.shuffled(np.column_stack([x, x]), 2000, np.random.default_rng(4))
    assert np.isin(off, x).all()
    assert abs(np.corrcoef(off.T)[0, 1]) < 0.1


def test_curves_at_shuffled_rows_find_the_feature_that_counts(reasons):
    rng = np.random.default_rng(5)
    x = rng.normal(size=400)
    X = np.column_stack([x + 0.05 * rng.normal(size=400), x])  # twins; the network sees the second
    network = PiecewiseLinearNetwork([[[0.0, 1.0]], [[2.0]]], [[0.0], [-0.5]])
    score = reasons.students(network, X, (x > 0.25).astype(int), 0)["curves on shuffled rows"]
    first, second = reasons.effects(score, X)
    assert abs(first) < 0.05 < second
