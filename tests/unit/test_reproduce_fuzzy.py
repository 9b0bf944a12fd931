"""The programs behind ``python reproduce/proxies.py fuzzy_...``, on small cases."""

import numpy as np
import pytest
import torch


@pytest.fixture
def patients(reproduce):
    return reproduce("proxies.fuzzy_patients")


@pytest.fixture
def deep(reproduce):
    return reproduce("proxies.fuzzy_deep")


def test_rules_fitted_one_by_one_are_weighted_least_squares(patients):
    X, _, _, y = patients.drawn(0)
    rules = patients.TakagiSugenoRegressor(n_epochs=0).fit(X, y)
    alone, (shares, _) = patients.one_by_one(rules, X, y), rules.explain(X)
    inputs, root = np.column_stack([np.ones(len(X)), X]), np.sqrt(shares[:, [2]])
    best = np.linalg.lstsq(root * inputs, root[:, 0] * y, rcond=None)[0]
    np.testing.assert_allclose(alone.consequents_[2], best, atol=1e-4)
    assert np.abs(rules.consequents_[2] - best).max() > 0.01  # the joint fit is another one


def test_the_strongest_rule_is_the_one_with_the_largest_share(patients):
    X, _, _, y = patients.drawn(0)
    rules = patients.TakagiSugenoRegressor(n_epochs=0).fit(X, y)
    says, share = patients.strongest(rules, X[:5])
    shares, every = rules.explain(X[:5])
    for i in range(5):
        k = shares[i].argmax()
        assert (says[i], share[i]) == (every[i, k], shares[i, k])


def test_degrees_are_joined_as_named(patients):
    joined = patients.read(np.array([[[0.9], [0.8]]]))
    expected = [36 / 37, 0.9, 0.98, 0.8, 0.85]
    np.testing.assert_allclose([v[0, 0] for v in joined.values()], expected)


@pytest.mark.parametrize(("name", "n_weights"), [("houses", 151), ("waves", 149)])
def test_all_networks_have_as_many_weights(deep, monkeypatch, name, n_weights):
    monkeypatch.setattr(deep, "N_STEPS", 2)
    X = torch.tensor(deep.rows_of(name, 0)[0][:60], dtype=torch.float32)
    for kind in (deep.ONE, deep.TWO, deep.GREEDY, deep.MLP):
        model = deep.make(kind, deep.SIZES[name], X, X[:, 0], 0.01, 0)
        assert sum(p.numel() for p in model.parameters()) == n_weights


def test_a_radial_unit_is_one_half_at_its_width(deep):
    X = torch.randn(30, 2)
    layer = deep.Radial(X, 3, 0)
    away = layer.centers.data + torch.tensor([1.0, 0.0]) * layer.logs.data.exp()[:, None]
    torch.testing.assert_close(layer(away).diagonal(), torch.full((3,), 0.5))
