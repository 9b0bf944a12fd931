"""The programs behind the tables of `reproduce/shapley.py`, on small cases."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from xai_course import exact
from xai_course.networks import PiecewiseLinearNetwork


class Net:
    """A random network of eight inputs with scikit-learn's face."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.network = PiecewiseLinearNetwork(
            [rng.normal(size=(6, 8)), rng.normal(size=(1, 6))], [rng.normal(size=6), np.zeros(1)]
        )

    def predict(self, X):
        return self.network.forward(X)[:, 0]


@pytest.fixture
def figure5(reproduce):
    return reproduce("shapley.figure5")


@pytest.fixture
def explainers(reproduce):
    return reproduce("shapley.explainers")


def rows(n):
    return np.random.default_rng(1).normal(size=(n, 8))


def test_all_coalitions_give_the_librarys_values(figure5):
    net, X, background = Net(), rows(3), rows(9)[4:]
    v = figure5.coalition_values(net, X, background)
    np.testing.assert_allclose(v[:, -1], net.predict(X))
    expected = exact.shapley(net.network, X, background).values
    np.testing.assert_allclose(figure5.attributions(v), expected)


def test_the_published_sum_loses_an_eighth_of_a_linear_model(figure5):
    X = rows(20)
    model = LinearRegression().fit(X, X @ np.arange(1.0, 9.0) + 3)
    v = figure5.coalition_values(model, X[:4], np.zeros((1, 8)))
    shared = figure5.attributions(v, without=7).sum(axis=1)
    np.testing.assert_allclose(shared, 7 / 8 * (model.predict(X[:4]) - 3))


def test_the_judge_counts_what_is_not_shared(figure5):
    model = LinearRegression().fit(rows(20), rows(20) @ np.arange(1.0, 9.0))
    found = figure5.judge(model, rows(30), rows(30).sum(axis=1), rows(25))
    assert found["zero all"]["unshared"] == pytest.approx(0, abs=1e-12)
    assert found["zero published"]["unshared"] == pytest.approx(1 / 8)
    assert found["ten years"] == pytest.approx(20)
    assert found["ten years positive"] == 1


def test_explainers_are_compared_with_the_first(explainers):
    truth = np.tile(np.arange(1.0, 9.0), (2, 1))
    found = explainers.compare({"truth": lambda X: truth, "half": lambda X: truth / 2}, rows(2))
    assert found["truth"]["error"] == 0
    assert found["half"]["error"] == found["half"]["worst"] == 0.5
    assert found["half"]["rank"] == pytest.approx(1)


def test_shaps_exact_explainers_agree_with_ours(explainers):
    pytest.importorskip("shap")
    of = explainers.network_explainers(Net().network, rows(7))
    X = rows(2)
    truth = of["ours: exact.shapley"](X)
    np.testing.assert_allclose(of["shap: Kernel"](X), truth, atol=1e-8)
    assert not np.allclose(of["shap: Deep"](X), truth, atol=1e-3)
