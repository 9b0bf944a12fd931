"""Piecewise linear activations: Algorithm 1, its error, and networks that use them."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from random_networks import random_network
from scipy.optimize import differential_evolution
from sklearn.neural_network import MLPRegressor
from torch import nn

from xai_course.activations import (
    SMOOTH_ACTIVATIONS,
    PiecewiseLinear,
    SmoothActivation,
    approximate,
    elu,
)
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.unwrapping import UnwrapperRegressor

NAMES = list(SMOOTH_ACTIVATIONS)
TORCH = {
    "sigmoid": nn.Sigmoid(),
    "tanh": nn.Tanh(),
    "elu": nn.ELU(),
    "gelu": nn.GELU(),
    "silu": nn.SiLU(),
    "softplus": nn.Softplus(),
}
LINE = np.linspace(-40, 40, 160_001)


def on_grid(found):
    """Return the largest error on a grid and on both sides of each breakpoint."""
    z = np.concatenate([LINE, found.breakpoints, np.nextafter(found.breakpoints, -np.inf)])
    return np.abs(found(z) - found.target(z)).max()


# The functions themselves


@pytest.mark.parametrize("name", NAMES)
def test_smooth_activations_agree_with_torch(name):
    z = torch.linspace(-20, 20, 4001, dtype=torch.float64, requires_grad=True)
    value = TORCH[name](z)
    (slope,) = torch.autograd.grad(value.sum(), z)
    assert_allclose(SMOOTH_ACTIVATIONS[name](z.detach()), value.detach(), atol=1e-9)
    off_zero = z.detach().numpy() != 0
    ours = SMOOTH_ACTIVATIONS[name].slope(z.detach())
    assert_allclose(ours[off_zero], slope.numpy()[off_zero], atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_stated_inflections_are_those_found_numerically(name):
    known = SMOOTH_ACTIVATIONS[name]
    found = SmoothActivation(known.function, known.left, known.right)
    assert_allclose(found.inflections, known.inflections, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_lipschitz_constant_is_the_steepest_slope(name):
    slopes = np.abs(SMOOTH_ACTIVATIONS[name].slope(LINE))
    assert SMOOTH_ACTIVATIONS[name].lipschitz == pytest.approx(slopes.max(), abs=1e-6)


def test_relu_leaky_relu_and_hardtanh():
    z = np.array([-2.0, -1.0, 0.0, 0.5, 1.0, 3.0])
    assert_array_equal(PiecewiseLinear.relu()(z), np.maximum(z, 0))
    assert_allclose(PiecewiseLinear.leaky_relu(0.2)(z), np.where(z > 0, z, 0.2 * z))
    assert_array_equal(PiecewiseLinear.hardtanh()(z), np.clip(z, -1, 1))
    assert PiecewiseLinear.hardtanh().segment(z).tolist() == [0, 1, 1, 1, 2, 2]
    assert PiecewiseLinear.relu().is_relu
    assert not PiecewiseLinear.leaky_relu().is_relu


def test_many_segments_are_found_as_few_are():
    many = approximate("tanh", 40)
    z = np.concatenate([LINE, many.breakpoints])
    by_comparison = (z[:, None] >= many.breakpoints).sum(axis=1)
    assert_array_equal(many.segment(z), by_comparison)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.0], [1.0], [0.0, 0.0]), "1 breakpoints need 2 slopes"),
        (([1.0, 0.0], [0.0] * 3, [0.0] * 3), "must increase"),
        (([np.nan], [0.0] * 2, [0.0] * 2), "breakpoints must be finite"),
        ((np.arange(256.0), [0.0] * 257, [0.0] * 257), "256 segments at most, got 257"),
    ],
)
def test_bad_pieces(arguments, message):
    with pytest.raises(ValueError, match=message):
        PiecewiseLinear(*arguments)


# Algorithm 1


def test_known_hard_functions():
    step = approximate("sigmoid", 2)
    assert step([-1e-9, 0.0]).tolist() == [0.0, 1.0]
    assert not step.is_continuous
    assert step.max_error == 0.5
    hard = approximate("sigmoid", 3)
    assert_allclose(hard.breakpoints, [-2, 2], atol=1e-12)
    assert_allclose(hard.slopes, [0, 0.25, 0])
    assert_allclose(approximate("tanh", 3)(LINE), np.clip(LINE, -1, 1), atol=1e-12)
    for alpha in (0.5, 1.0, 2.0):
        assert_allclose(approximate(elu(alpha), 2)(LINE), np.maximum(LINE, -alpha))
    for name in ("gelu", "silu", "softplus"):
        assert approximate(name, 2).is_relu


def test_the_smaller_place_comes_first_on_ties():
    four, five = approximate("sigmoid", 4), approximate("sigmoid", 5)
    assert_allclose(four.breakpoints[-1], 2, atol=1e-12)  # the right half is still the hard one
    assert_allclose(five.breakpoints, -five.breakpoints[::-1], atol=1e-12)


@pytest.mark.parametrize("name", [*NAMES, elu(0.5), elu(2.0)])
@pytest.mark.parametrize("n", [2, 3, 4, 5, 6, 9, 12, 20])
def test_max_error_is_the_largest_error(name, n):
    found = approximate(name, n)
    assert found.n_segments == n
    assert found.max_error == pytest.approx(on_grid(found), rel=1e-5)
    assert found.max_error >= on_grid(found) * (1 - 1e-12)
    assert found.is_continuous or (n == 2 and found.target.left[0] == found.target.right[0])


@pytest.mark.parametrize("name", NAMES)
def test_error_falls_with_the_number_of_pieces_and_like_its_square(name):
    errors = [approximate(name, n).max_error for n in range(2, 18)]
    assert (np.diff(errors) <= 1e-9 * np.abs(errors[:-1])).all()
    ratio = approximate(name, 33).max_error / approximate(name, 65).max_error
    assert 3 < ratio < 5  # 1/n^2 would give 3.9


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", [5, 7, 12])
def test_equioscillating_error_is_reached_on_every_piece(name, n):
    best = approximate(name, n, knots="equioscillating")
    assert best.is_continuous
    assert best.max_error < approximate(name, n).max_error
    ends = np.concatenate([[-40.0], best.breakpoints, [40.0]])
    for low, high in pairwise(ends):
        z = np.linspace(low, high, 20_001)
        largest = np.abs(best(z) - best.target(z)).max()
        assert largest == pytest.approx(best.max_error, rel=1e-5)


def test_equioscillating_error_is_the_least_that_a_search_finds():
    """A plain optimiser over knots and heights, which knows nothing of tangents."""
    z = np.linspace(0, 8, 16_001)
    best = approximate("tanh", 5, knots="equioscillating")

    def error(free):  # odd, as tanh is
        inner, step, height, top = free
        return np.abs(np.interp(z, [0, inner, inner + step], [0, height, top]) - np.tanh(z)).max()

    limits = [(0.1, 2), (0.1, 2), (0.1, 1), (0.5, 1.2)]
    found = differential_evolution(error, limits, rng=0, tol=1e-10, maxiter=300)
    assert found.fun == pytest.approx(best.max_error, rel=1e-3)


@settings(max_examples=25, deadline=None)
@given(shift=st.floats(-3, 3), scale=st.floats(0.3, 4), n=st.integers(3, 9))
def test_shifting_and_stretching_the_activation_moves_the_knots(shift, scale, n):
    moved = SmoothActivation(lambda z: np.tanh((z - shift) / scale), (0, -1), (0, 1))
    plain, found = approximate("tanh", n), approximate(moved, n)
    assert_allclose(found.breakpoints, plain.breakpoints * scale + shift, atol=2e-3 * scale)
    assert found.max_error == pytest.approx(plain.max_error, rel=1e-2)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.sin, 4), TypeError, "a callable without asymptotes"),
        ((3, 4), TypeError, "got int"),
        (("swish", 4), ValueError, "sigmoid, tanh, elu.*'swish'"),
        (("sigmoid", 1), ValueError, "from 2 to 256 for sigmoid with tangents knots, got 1"),
        (("sigmoid", 2.0), ValueError, "whole number"),
        (("sigmoid", 2, "equioscillating"), ValueError, "from 3 to 256"),
        (("gelu", 4, "equioscillating"), ValueError, "no equioscillating.*4 pieces; take more"),
        (("sigmoid", 3, "splines"), ValueError, "knots must be"),
    ],
)
def test_bad_approximations(arguments, error, message):
    with pytest.raises(error, match=message):
        approximate(*arguments)


@pytest.mark.parametrize(
    ("function", "right"), [(np.sin, (0, 0)), (np.exp, (1, 0)), (np.tanh, (0, 2)), (np.log, (0, 0))]
)
def test_functions_that_do_not_approach_the_stated_line(function, right):
    with pytest.raises(ValueError, match=r"does not approach its (left|right) asymptote"):
        SmoothActivation(function, (0, -1), right)


def test_an_activation_that_is_piecewise_linear_already_says_so():
    clip = SmoothActivation(lambda z: np.maximum(z, 0), (0, 0), (1, 0), inflections=())
    with pytest.raises(ValueError, match="exact with 2 pieces"):
        approximate(clip, 3)


# Networks with them


def piecewise(sizes, activation, seed=0):
    base = random_network(sizes, seed)
    return PiecewiseLinearNetwork(base.weights, base.biases, activation)


ACTIVATIONS = st.sampled_from(
    [
        PiecewiseLinear.leaky_relu(0.1),
        PiecewiseLinear.hardtanh(),
        approximate("sigmoid", 2),
        approximate("tanh", 5),
        approximate("gelu", 6),
        approximate("softplus", 12),
    ]
)


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 7), min_size=3, max_size=5),
    activation=ACTIVATIONS,
    seed=st.integers(0, 2**32 - 1),
)
def test_local_linear_models_equal_the_network(sizes, activation, seed):
    network = piecewise(sizes, activation, seed)
    X = np.random.default_rng(seed).normal(size=(40, sizes[0]))
    coef, intercept = network.local_linear_models(network.activation_pattern(X))
    local = np.einsum("nof,nf->no", coef, X) + intercept
    assert_allclose(local, network.forward(X), rtol=1e-9, atol=1e-9)
    with torch.no_grad():
        outputs = network.to_torch()(torch.tensor(X)).numpy()
    assert_allclose(outputs, network.forward(X), rtol=1e-10, atol=1e-10)
    assert PiecewiseLinearNetwork.from_torch(network.to_torch()).activations == network.activations


def test_one_activation_per_layer():
    given_ones = [PiecewiseLinear.relu(), approximate("tanh", 3)]
    network = piecewise([2, 3, 4, 1], given_ones)
    X = 3 * np.random.default_rng(0).normal(size=(50, 2))
    hidden = np.maximum(X @ network.weights[0].T + network.biases[0], 0)
    hidden = np.clip(hidden @ network.weights[1].T + network.biases[1], -1, 1)
    assert_allclose(network.forward(X), hidden @ network.weights[2].T + network.biases[2])
    assert network.activation_pattern(X)[:, 3:].max() == 2
    with pytest.raises(ValueError, match="or 2 of them, one per hidden layer"):
        piecewise([2, 3, 4, 1], given_ones[:1])
    with pytest.raises(ValueError, match="whole numbers from 0 to 2 only"):
        network.local_linear_models(np.full((1, 7), 3))
    with pytest.raises(ValueError, match="whole numbers from 0 to 2 only"):
        network.local_linear_models(np.full((1, 7), 2))  # a ReLU neuron has no segment 2


@pytest.mark.parametrize("name", NAMES)
def test_from_torch_approximates_only_when_asked(name):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 8), TORCH[name], nn.Linear(8, 2)).double().eval()
    with pytest.raises(TypeError, match="n_segments=3, say"):
        PiecewiseLinearNetwork.from_torch(module)
    X = np.random.default_rng(0).normal(size=(200, 3))
    with torch.no_grad():
        smooth = module(torch.tensor(X)).numpy()
    errors = []
    for n in (2, 5, 20):
        network = PiecewiseLinearNetwork.from_torch(module, n_segments=n)
        assert network.activations[0] == approximate(name, n)
        error = np.abs(network.forward(X) - smooth)
        assert (error <= network.approximation_error_bound(X) + 1e-12).all()
        errors.append(error.max())
    assert errors[0] > errors[2]


@pytest.mark.parametrize(
    ("layer", "pieces"),
    [
        (nn.LeakyReLU(0.3), PiecewiseLinear.leaky_relu(0.3)),
        (nn.Hardtanh(-2, 0.5), PiecewiseLinear.hardtanh(-2, 0.5)),
        (nn.ReLU6(), PiecewiseLinear.hardtanh(0, 6)),
    ],
)
def test_from_torch_reads_piecewise_linear_activations(layer, pieces):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 5), layer, layer, nn.Linear(5, 1)).double().eval()
    network = PiecewiseLinearNetwork.from_torch(module)
    assert network.activations == (pieces, pieces)
    X = 3 * np.random.default_rng(0).normal(size=(50, 3))
    with torch.no_grad():
        assert_allclose(network.forward(X), module(torch.tensor(X)).numpy(), atol=1e-12)


def test_from_torch_names_variants_it_does_not_know():
    for layer in (nn.GELU("tanh"), nn.Softplus(beta=2), nn.PReLU()):
        with pytest.raises(TypeError, match=type(layer).__name__):
            PiecewiseLinearNetwork.from_torch(nn.Sequential(nn.Linear(2, 2), layer), n_segments=5)


@pytest.mark.parametrize("activation", ["logistic", "tanh"])
def test_from_sklearn_approximates_when_asked(activation):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(80, 3)), rng.normal(size=80)
    mlp = MLPRegressor(
        hidden_layer_sizes=(6, 4), activation=activation, max_iter=500, random_state=0, tol=1e-2
    )
    mlp.fit(X, y)
    network = PiecewiseLinearNetwork.from_sklearn(mlp, n_segments=65)
    assert_allclose(network.forward(X)[:, 0], mlp.predict(X), atol=0.02)


# The certified bound


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(NAMES), n=st.integers(2, 9), depth=st.integers(1, 3), seed=st.integers(0)
)
def test_bound_holds_at_rows_and_anywhere(name, n, depth, seed):
    rng = np.random.default_rng(seed)
    network = piecewise([3, *[5] * depth, 2], approximate(name, n), seed)
    X = 3 * rng.normal(size=(100, 3))
    signal = X
    for weight, bias in zip(network.weights[:-1], network.biases[:-1], strict=True):
        signal = SMOOTH_ACTIVATIONS[name](signal @ weight.T + bias)
    smooth = signal @ network.weights[-1].T + network.biases[-1]
    error = np.abs(smooth - network.forward(X))
    at_rows, anywhere = network.approximation_error_bound(X), network.approximation_error_bound()
    assert (error <= at_rows + 1e-9).all()
    assert (at_rows <= anywhere + 1e-9).all()


def test_bound_of_one_layer_is_tight():
    network = PiecewiseLinearNetwork([[[1.0]], [[2.0]]], [[0.0], [0.0]], approximate("tanh", 5))
    assert network.approximation_error_bound()[0] == pytest.approx(
        2 * network.activations[0].max_error
    )
    assert_allclose(
        network.approximation_error_bound([[0.3]])[0, 0],
        2 * abs(np.tanh(0.3) - network.activations[0](0.3)),
    )


def test_bound_of_a_piecewise_linear_network_is_zero():
    assert (piecewise([2, 3, 1], "relu").approximation_error_bound() == 0).all()
    step = PiecewiseLinear([0.0], [0.0, 0.0], [0.0, 1.0])
    with pytest.raises(ValueError, match="jumps and approximates nothing"):
        piecewise([2, 3, 1], step).approximation_error_bound()


def test_unwrapper_takes_an_approximated_network():
    network = piecewise([2, 6, 5, 1], approximate("tanh", 5))
    X = np.random.default_rng(0).normal(size=(2000, 2))
    unwrapper = UnwrapperRegressor(network).fit(X, network.forward(X)[:, 0])
    assert unwrapper.patterns_.max() > 1
    assert unwrapper.n_regions_ == len(np.unique(network.activation_pattern(X), axis=0))
    assert_array_equal(unwrapper.patterns_[unwrapper.apply(X)], network.activation_pattern(X))
    assert_allclose(unwrapper.predict(X), network.forward(X)[:, 0], rtol=1e-9, atol=1e-9)
    summary = unwrapper.summary()
    assert summary["local_mse"].max() < 1e-15
