"""Exact answers, against sums over many points, definitions written out and captum."""

import sys
from itertools import permutations

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients, LayerIntegratedGradients
from hypothesis import given
from hypothesis import strategies as st
from properties import examples
from random_networks import any_network, piecewise, random_network
from sklearn.inspection import partial_dependence as on_a_grid
from torch import nn

from xai_course import exact
from xai_course.activations import PiecewiseLinear
from xai_course.exact.shapley import coalitions, shapley_weights
from xai_course.networks import PiecewiseLinearNetwork

SEEDS = st.integers(0, 2**32 - 1)
SUM = PiecewiseLinearNetwork([[[1, 1]], [[1]]], [[-1], [0]])  # relu(x + y - 1)


def rows(n, n_features, seed=0):
    return np.random.default_rng(seed).normal(size=(n, n_features))


def convolutional():
    torch.manual_seed(0)
    layers = nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 3)
    return nn.Sequential(*layers).double().eval()


# Integrated gradients


@examples(40)
@given(any_network(), SEEDS)
def test_integrated_gradients_are_complete(network, seed):
    X, baseline = np.random.default_rng(seed).normal(size=(2, 5, network.n_features))
    target = seed % network.n_outputs
    found = exact.integrated_gradients(network, X, baseline, target)
    change = (network.forward(X) - network.forward(baseline))[:, target]
    scale = 1 + np.abs(found).sum(axis=1)
    assert (np.abs(found.sum(axis=1) - change) < 1e-12 * scale).all()


def test_integrated_gradients_by_hand():
    # The gradient is (1, 1) after a third of the way, and zero before.
    found = exact.integrated_gradients(SUM, [[2.0, 1.0]])
    assert found == pytest.approx(np.array([[4 / 3, 2 / 3]]))


def test_integrated_gradients_are_the_limit_of_captums():
    network, X = random_network([4, 10, 10, 3]), rows(6, 4)
    targets = np.array([0, 1, 2, 0, 1, 2])
    found = exact.integrated_gradients(network, X, [1.0, 0.0, 0.0, -1.0], targets)
    sampled = IntegratedGradients(network.to_torch()).attribute(
        torch.tensor(X),
        torch.tensor([[1.0, 0.0, 0.0, -1.0]], dtype=torch.float64).expand(6, 4),
        target=torch.tensor(targets),
        n_steps=20_000,
        method="riemann_middle",
        internal_batch_size=2**15,
    )
    assert np.abs(found - sampled.numpy()).max() < 2e-4 * np.abs(found).max()
    one_by_one = [
        exact.integrated_gradients(network, X[[i]], [1.0, 0.0, 0.0, -1.0], int(targets[i]))[0]
        for i in range(6)
    ]
    assert np.allclose(found, one_by_one)


def test_integrated_gradients_of_modules():
    module, X = convolutional(), rows(2, 64).reshape(2, 1, 8, 8)
    found = exact.integrated_gradients(module, X, 0.5, 2)
    with torch.no_grad():
        change = module(torch.tensor(X)) - module(torch.full((2, 1, 8, 8), 0.5).double())
    assert np.allclose(found.sum(axis=(1, 2, 3)), change[:, 2], rtol=0, atol=1e-13)
    network = random_network([4, 10, 10, 3])
    for X in (rows(3, 4), torch.tensor(rows(3, 4))):
        as_module = exact.integrated_gradients(network.to_torch(), X, 0.0, 1)
        assert np.allclose(as_module, exact.integrated_gradients(network, X, 0.0, 1))


def test_integrated_gradients_of_a_layer():
    module, X = convolutional(), rows(2, 64).reshape(2, 1, 8, 8)
    found = exact.integrated_gradients(module, X, 0.0, 1, layer="1")
    sampled = LayerIntegratedGradients(module, module[1]).attribute(
        torch.tensor(X), torch.zeros(2, 1, 8, 8).double(), 1, n_steps=500
    )
    assert found.shape == (2, 4, 6, 6)
    assert np.abs(found - sampled.numpy()).max() < 1e-6 * np.abs(found).max()
    network, X = random_network([4, 10, 6, 3]), rows(3, 4)
    for layer, name in [(1, "1"), (2, "3")]:
        ours = exact.integrated_gradients(network, X, 0.0, 2, layer=layer)
        assert np.allclose(
            ours, exact.integrated_gradients(network.to_torch(), X, 0.0, 2, layer=name)
        )
    assert ours.shape == (3, 6)


class Skips(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.act = nn.Linear(2, 2), nn.ReLU()

    def forward(self, x):
        return x + self.act(self.inner(x))


@pytest.mark.parametrize(
    ("model", "layer", "message"),
    [
        (SUM, 2, "layer must be a whole number from 1 to 1"),
        (SUM.to_torch(), "7", "name of a part.*'0', '1', '2'"),
        (Skips().double().eval(), "act", "past layer 'act'"),
    ],
)
def test_a_layer_that_is_none(model, layer, message):
    with pytest.raises(ValueError, match=message):
        exact.integrated_gradients(model, [[1.0, 1.0]], 0.0, 0, layer=layer)


# Other explanations by gradients


def test_contributions():
    network, X = random_network([4, 8, 8, 3]), rows(5, 4)
    pattern = network.activation_pattern(X)
    coef, intercept = network.local_linear_models(pattern)
    found = exact.contributions(network, X, 0.0, 2)
    assert np.allclose(found, coef[:, 2] * X)
    assert np.allclose(found.sum(axis=1) + intercept[:, 2], network.forward(X)[:, 2])
    assert np.allclose(found, exact.contributions(network.to_torch(), X, 0.0, 2))
    assert np.allclose(exact.contributions(network, X, X, 1), 0)


@pytest.mark.parametrize("norm", [1, 2, np.inf])
@examples(20)
@given(any_network(), SEEDS)
def test_the_gradient_changes_nowhere_in_the_ball(norm, network, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(3, network.n_features))
    radius = np.minimum(exact.gradient_radius(network, X, norm), 1e3)
    steps = rng.normal(size=(200, 3, network.n_features))
    steps /= np.linalg.norm(steps, norm, axis=2, keepdims=True)
    inside = X + 0.999 * radius[:, None] * steps
    for i, x in enumerate(X):
        pattern = network.activation_pattern(inside[:, i])
        region = network.region(network.activation_pattern(x[None])[0])
        # Where rounding puts a neuron that is always zero below zero, the row is in no region.
        if radius[i] > 1e-6 and region.contains(x[None])[0]:
            assert (region.b[:, None] + 1e-9 >= region.A @ inside[:, i].T).all()
            models = network.local_linear_models(np.unique(pattern, axis=0))[0]
            assert np.allclose(models, models[0], atol=1e-9)


def test_the_radius_by_hand():
    # relu(x + y - 1) at (2, 1): the border is the line x + y = 1.
    X = [[2.0, 1.0], [1.0, 0.0]]
    assert exact.gradient_radius(SUM, X, 2) == pytest.approx([np.sqrt(2), 0])
    assert exact.gradient_radius(SUM, X, 1) == pytest.approx([2, 0])
    assert exact.gradient_radius(SUM, X, np.inf) == pytest.approx([1, 0])
    linear = PiecewiseLinearNetwork([[[1.0, 2.0]]], [[0]])
    assert exact.gradient_radius(linear, X).tolist() == [np.inf, np.inf]
    assert exact.gradient_radius(SUM, X, float("inf")) == pytest.approx([1, 0])
    with pytest.raises(ValueError, match=r"norm must be 1, 2 or np\.inf"):
        exact.gradient_radius(SUM, X, 3)


@pytest.mark.parametrize(
    "activation", [PiecewiseLinear.relu(), PiecewiseLinear.hardtanh(-0.5, 0.7)], ids=repr
)
def test_smoothgrad_is_the_mean_of_many_gradients(activation):
    network, X = piecewise([4, 9, 3], activation), rows(3, 4)
    found = exact.smoothgrad(network, X, 0.6, 2)
    noisy = X[:, None] + 0.6 * np.random.default_rng(1).normal(size=(3, 100_000, 4))
    for i, sample in enumerate(noisy):
        pattern = network.activation_pattern(sample)
        slopes = activation.slopes[pattern] * network.weights[1][2]
        draws = slopes @ network.weights[0]
        error = draws.std(axis=0) / np.sqrt(len(draws))
        assert (np.abs(found[i] - draws.mean(axis=0)) < 5 * error).all()


def test_smoothgrad_of_a_neuron_without_weights():
    network = PiecewiseLinearNetwork([[[0.0], [1.0]], [[1.0, 1.0]]], [[1, 0], [0]])
    assert exact.smoothgrad(network, [[0.0]], 1.0) == pytest.approx(np.array([[0.5]]))
    for deep in (random_network([1, 2, 2, 1]), random_network([1, 1])):
        with pytest.raises(ValueError, match="one hidden layer"):
            exact.smoothgrad(deep, [[0.0]], 1.0)
    with pytest.raises(ValueError, match="sigma"):
        exact.smoothgrad(network, [[0.0]], 0.0)


# Effects


def test_ice_is_the_network_along_a_feature():
    network, X = random_network([4, 12, 12, 2]), rows(5, 4)
    curves = exact.ice(network, X, 2, -3, 2, 1)
    grid = np.linspace(-3, 2, 200)
    for x, curve in zip(X, curves, strict=True):
        moved = np.tile(x, (200, 1))
        moved[:, 2] = grid
        assert np.abs(curve(grid) - network.forward(moved)[:, 1]).max() < 1e-10
        assert len(curve.slopes) == len(curve.x) - 1


def test_partial_dependence_is_scikit_learns_on_a_grid():
    from sklearn.neural_network import MLPRegressor

    X = rows(300, 3)
    mlp = MLPRegressor(hidden_layer_sizes=(20, 20), max_iter=50, random_state=0)
    mlp.fit(X, X[:, 0] * X[:, 1])
    curve = exact.partial_dependence(PiecewiseLinearNetwork.from_sklearn(mlp), X, 1, -2, 2)
    grid = np.linspace(-2, 2, 50)
    theirs = on_a_grid(mlp, X, [1], kind="average", custom_values={1: grid})["average"][0]
    assert np.abs(curve(grid) - theirs).max() < 1e-12
    assert (np.diff(curve.x) > 0).all()


def test_curves_by_hand():
    (curve,) = exact.ice(SUM, [[9.0, 0.0]], 0, -1, 3)
    assert curve.x.tolist() == [-1, 1, 3]
    assert curve.y.tolist() == [0, 0, 2]
    mean = exact.partial_dependence(SUM, [[9.0, 0.0], [9.0, -1.0]], 0, -1, 3)
    assert mean.x.tolist() == [-1, 1, 2, 3]
    assert mean.y == pytest.approx([0, 0, 0.5, 1.5])
    assert mean.slopes == pytest.approx([0, 0.5, 1])
    with pytest.raises(ValueError, match="between -1 and 3"):
        mean([4.0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((2, 0, 1), "feature"),
        ((0, 1, 1), "high must be a number above 1"),
        ((0, -np.inf, 1), "low"),
        ((0, 0, 1, 1), "target"),
    ],
)
def test_effects_of_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        exact.partial_dependence(SUM, [[0.0, 0.0]], *arguments)


# Shapley values


def by_orders(f, x, background):
    """The mean gain over all orders in which the features may join."""
    orders = list(permutations(range(len(x))))
    found = np.zeros(len(x))
    for order in orders:
        composed = background.copy()
        worth = f(composed).mean()
        for feature in order:
            composed[:, feature] = x[feature]
            before, worth = worth, f(composed).mean()
            found[feature] += (worth - before) / len(orders)
    return found


def test_shapley_values_are_mean_gains():
    network, X, back = random_network([5, 8, 8, 3]), rows(3, 5), rows(7, 5, 1)
    targets = [2, 0, 1]
    found = exact.shapley(network, X, back, targets)
    for x, target, values in zip(X, targets, found.values, strict=True):
        wanted = by_orders(lambda Z, k=target: network.forward(Z)[:, k], x, back)
        assert np.allclose(values, wanted, atol=1e-12)
    assert found.standard_errors is None
    outputs = network.forward(X)[np.arange(3), targets]
    assert np.allclose(found.values.sum(axis=1) + found.base, outputs)
    for other in (network.to_torch(), network.forward):
        assert np.allclose(exact.shapley(other, X, back, targets).values, found.values)


@examples(20)
@given(any_network(), SEEDS)
def test_both_ways_to_count_coalitions(network, seed):
    rng = np.random.default_rng(seed)
    X, back = rng.normal(size=(2, network.n_features)), rng.normal(size=(4, network.n_features))
    target = seed % network.n_outputs
    ours = exact.shapley(network, X, back, target).values
    plain = exact.shapley(network.forward, X, back, target).values
    assert np.allclose(ours, plain, atol=1e-9 * (1 + np.abs(plain).max()))


def test_many_coalitions_at_a_time_or_few(monkeypatch):
    network, X, back = random_network([6, 8, 2]), rows(2, 6), rows(5, 6, 1)
    whole = exact.shapley(network, X, back, 0).values
    monkeypatch.setattr(sys.modules["xai_course.exact.shapley"], "_AT_ONCE", 100)
    assert np.allclose(exact.shapley(network, X, back, 0).values, whole)
    assert np.allclose(exact.shapley(network.forward, X, back, 0).values, whole)


def test_sampled_values_keep_within_their_errors():
    network, X, back = random_network([6, 20, 1]), rows(2, 6), rows(10, 6, 1)
    known = exact.shapley(network, X, back).values
    off = []
    for seed in range(40):
        found = exact.shapley(network, X, back, n_permutations=100, random_state=seed)
        off.append((found.values - known) / found.standard_errors)
        whole = found.values.sum(axis=1) + found.base
        assert np.allclose(whole, network.forward(X)[:, 0])
    off = np.array(off)
    assert np.abs(off.mean(axis=0)).max() < 4 / np.sqrt(40)
    assert 0.85 < off.std() < 1.15
    few = exact.shapley(network, X, back, n_permutations=10)
    many = exact.shapley(network, X, back, n_permutations=20)
    assert (few.standard_errors > 1.5 * many.standard_errors).mean() > 0.5
    again = exact.shapley(network, X, back, n_permutations=100, random_state=39)
    assert np.array_equal(again.values, found.values)


def test_above_fifteen_features_permutations_are_drawn():
    def f(Z):
        return Z[:, 0] * Z[:, 1] + Z[:, 2:].sum(axis=1)

    X, back = rows(1, 20), np.zeros((1, 20))
    found = exact.shapley(f, X, back)
    assert np.allclose(found.values[0, 2:], X[0, 2:])
    assert found.standard_errors[0, 2:].max() < 1e-12
    assert found.values[0, :2] == pytest.approx([X[0, 0] * X[0, 1] / 2] * 2)


def test_images_are_rows_of_players():
    module, X = convolutional(), rows(2, 64).reshape(2, 1, 8, 8)
    found = exact.shapley(module, X, np.zeros((1, 1, 8, 8)), 1, n_permutations=2)
    with torch.no_grad():
        assert np.allclose(
            found.values.sum(axis=(1, 2, 3)) + found.base, module(torch.tensor(X))[:, 1]
        )
    assert found.standard_errors.shape == X.shape


def test_weights_of_coalitions():
    assert coalitions(2).tolist() == [[0, 0], [1, 0], [0, 1], [1, 1]]
    weights = shapley_weights(3)
    assert np.abs(weights).sum(axis=1) == pytest.approx([2, 2, 2])
    assert weights[0] == pytest.approx(np.array([-2, 2, -1, 1, -1, 1, -2, 2]) / 6)


@pytest.mark.parametrize(
    ("model", "X", "background", "more", "error", "message"),
    [
        (SUM, [[np.nan, 0]], [[0, 0]], {}, ValueError, "finite"),
        (SUM, [[0, 0]], [[0, np.inf]], {}, ValueError, "finite"),
        (SUM, [[0, 0]], [[0]], {}, ValueError, "features"),
        (sum, [[0, 0]], [[0]], {}, ValueError, "same shape"),
        (SUM, [[0, 0]], [[0, 0]], {"target": 1}, ValueError, "target"),
        (SUM, [[0, 0]], [[0, 0]], {"n_permutations": 1}, ValueError, "n_permutations"),
        (np.sum, [[0, 0]], [[0, 0]], {}, ValueError, "one output per row"),
        (3, [[0, 0]], [[0, 0]], {}, TypeError, "PiecewiseLinearNetwork"),
    ],
)
def test_shapley_values_of_bad_input(model, X, background, more, error, message):
    with pytest.raises(error, match=message):
        exact.shapley(model, X, background, **more)


@pytest.mark.parametrize(
    ("baseline", "message"), [([0.0], "shape"), (np.nan, "finite"), ([[0.0, 0.0]] * 3, "shape")]
)
@pytest.mark.parametrize("explain", [exact.integrated_gradients, exact.contributions])
def test_a_baseline_that_does_not_fit(explain, baseline, message):
    with pytest.raises(ValueError, match=f"baseline .*{message}"):
        explain(SUM, [[1.0, 1.0]], baseline)


@pytest.mark.parametrize("explain", [exact.integrated_gradients, exact.contributions])
@pytest.mark.parametrize("target", [None, 3, -1, 1.5, [0, 1]])
def test_a_target_that_is_none(explain, target):
    for model in (random_network([2, 4, 3]), random_network([2, 4, 3]).to_torch()):
        with pytest.raises(ValueError, match="target"):
            explain(model, [[1.0, 1.0]], 0.0, target)
