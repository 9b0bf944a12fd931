"""The programs behind the tables on influence, on small cases with a known answer."""

import numpy as np
import pytest
from scipy.special import expit


@pytest.fixture
def nets(reproduce):
    return reproduce("cases._small_nets")


@pytest.fixture
def networks(reproduce):
    return reproduce("cases.influence_networks")


def problem(n=25, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    return X, (X[:, 0] + X[:, 1] ** 2 > 0.8).astype(int), rng


@pytest.mark.parametrize("neurons", ["relu", "tanh"])
def test_gradients_of_a_small_net_are_slopes(nets, neurons):
    X, y, rng = problem()
    net = nets.SmallNet((3, 4, 2, 1), 0.3, neurons)
    theta = net.start(1) + rng.normal(size=net.n_weights) / 10  # biases of 0 lie on kinks
    kept = rng.integers(0, 2, size=len(X)) * 1.0
    value, gradient = net.loss(theta, X, y, kept)
    losses = np.logaddexp(0, net.logits(theta, X)) - y * net.logits(theta, X)
    assert value == pytest.approx(kept @ losses + 0.15 * theta @ theta)
    steps = 1e-6 * np.eye(len(theta))
    moved = [net.loss(theta + e, X, y, kept)[0] - net.loss(theta - e, X, y, kept)[0] for e in steps]
    np.testing.assert_allclose(gradient, np.array(moved) / 2e-6, atol=1e-6)
    J = net.slopes(theta, X)
    rates = [net.logits(theta + e, X) - net.logits(theta - e, X) for e in steps]
    np.testing.assert_allclose(J, np.array(rates).T / 2e-6, atol=1e-6)
    residual = (expit(net.logits(theta, X)) - y) * kept
    np.testing.assert_allclose(residual @ J + 0.3 * theta, gradient)


@pytest.mark.parametrize("neurons", ["relu", "tanh"])
def test_the_curvature_is_the_slope_of_the_gradient_away_from_kinks(nets, neurons):
    X, y, rng = problem()
    net = nets.SmallNet((3, 4, 1), 0.3, neurons)
    theta, everything = net.start(2), np.ones(len(X))
    H, e = net.curvature(theta, X, y), 1e-6 * rng.normal(size=net.n_weights)
    moved = net.loss(theta + e, X, y, everything)[1] - net.loss(theta - e, X, y, everything)[1]
    np.testing.assert_allclose(H @ e, moved / 2, atol=1e-9)


def test_a_net_without_hidden_neurons_is_convex_and_influence_is_near_retraining(nets, networks):
    X, y, _ = problem(60)
    net, everything = nets.SmallNet((3, 1), 2.0), np.ones(60)
    theta = net.minimum(net.start(0), X, y, everything)
    np.testing.assert_allclose(net.curvature(theta, X, y), net.gauss_newton(theta, X), atol=1e-6)
    pushes = net.slopes(theta, X) * (expit(net.logits(theta, X)) - y)[:, None]
    guess = networks.solved(net.gauss_newton(theta, X), 0, pushes, net.slopes(theta, X[:7]))
    true = []
    for i in range(60):
        kept = everything.copy()
        kept[i] = 0
        weights = net.minimum(net.start(5), X, y, kept)
        true.append(net.logits(weights, X[:7]) - net.logits(theta, X[:7]))
    found = networks.agreement(guess, np.array(true))
    assert found["correlation"] > 0.98
    assert 0.8 < found["slope"] < 1


def test_descent_stores_evenly_spaced_checkpoints(nets):
    X, y, _ = problem()
    net, everything = nets.SmallNet((3, 2, 1), 0.0), np.ones(25)
    path = net.descend(net.start(0), X, y, everything, n_steps=20, n_checkpoints=4)
    assert len(path) == 4
    by_hand = net.start(0)
    for _ in range(5):
        by_hand = by_hand - 0.1 / 25 * net.loss(by_hand, X, y, everything)[1]
    np.testing.assert_allclose(path[0], by_hand)


def test_the_control_pulls_a_like_row_towards_its_label(networks):
    X = np.array([[1.0, 0.0], [0.0, 2.0]])
    np.testing.assert_allclose(networks.likeness(X, np.array([1, 0]), X), [[-1, 0], [0, 1]])


def test_rows_to_leave_out_are_loud_ones_and_others(networks):
    rows = networks.chosen(np.arange(100.0), np.random.default_rng(0))
    assert rows[:12].tolist() == list(range(99, 87, -1))
    assert len(set(rows.tolist())) == 24


def test_planted_labels_are_wrong_and_a_perfect_score_finds_them(reproduce):
    flips, rng = reproduce("cases.influence_flips"), np.random.default_rng(0)
    true = rng.integers(0, 10, size=200)
    y = flips.planted(true, 10, rng)
    is_wrong = y != true
    assert is_wrong.sum() == 20
    found = flips.judged({"perfect": is_wrong * 1.0, "none": np.zeros(200)}, is_wrong, rng)
    assert found["perfect"] == 1
    assert found["none"] < 0.5
    Z = np.repeat(np.eye(2), 20, axis=0) + rng.normal(size=(40, 2)) * 1e-3
    y = np.repeat([0, 1], 20)
    y[3] = 1
    assert flips.disagreement(Z, y)[3] == 1


def test_one_draw_of_each_table(reproduce, networks, monkeypatch):
    monkeypatch.setattr(networks, "N_LOUD", 2)
    monkeypatch.setattr(networks, "N_OTHERS", 1)
    monkeypatch.setattr(networks, "N_SEEDS", 2)
    one = networks.draw(0, "tanh", 10.0)
    assert one["hessian, damping 0"]["continued"]["correlation"] > 0.9
    assert one["neurons at a kink"] == 0
    heads = reproduce("cases.influence_heads").draw(0)
    assert heads["newton"]["error"] < heads["influence"]["error"] < 0.2
    assert heads["turned by 40"]["held up"] > heads["turned by 40"]["random"]
    assert set(reproduce("cases.influence_flips").patients(0)) > {"loss of the network", "chance"}
    assert set(reproduce("cases.influence_tracin").descent(0)) > {"TracIn"}
