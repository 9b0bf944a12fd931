"""Piecewise linear functions, and networks that have them as activations."""

import copy
import io
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from properties import examples
from random_networks import piecewise

from xai_course.activations import PiecewiseLinear
from xai_course.approximation import approximate, elu
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.unwrapping import UnwrapperRegressor


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
    z = np.concatenate([np.linspace(-40, 40, 1001), many.breakpoints])
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


def test_continuity_is_judged_by_the_terms_that_meet():
    for unit in (1e-12, 1e-9, 1.0, 1e9):
        for size in (1e-9, 1.0, 1e9):
            bend = PiecewiseLinear(
                [3 * unit], [0.1 / unit * size, 0.3 / unit * size], [0.7 * size, 0.1 * size]
            )
            jump = PiecewiseLinear(
                [3 * unit],
                [0.1 / unit * size, 0.3 / unit * size],
                [0.7 * size, (0.1 + 1e-6) * size],
            )
            assert bend.is_continuous
            assert not jump.is_continuous
    assert not PiecewiseLinear([0.0], [1.0, 1.0], [0.0, 1e-12]).is_continuous
    assert PiecewiseLinear.relu().is_continuous
    assert PiecewiseLinear.hardtanh(-1e-9, 1e-9).is_continuous
    assert PiecewiseLinear([], [2.0], [1.0]).is_continuous


def test_equality_looks_at_all_three_arrays():
    pieces = [[0.0], [1.0, 2.0], [3.0, 3.0]]
    assert PiecewiseLinear(*pieces, name="this") == PiecewiseLinear(*pieces, name="that")
    assert hash(PiecewiseLinear(*pieces)) == hash(PiecewiseLinear(*pieces))
    for i in range(3):
        other = copy.deepcopy(pieces)
        other[i][0] -= 1
        assert PiecewiseLinear(*pieces) != PiecewiseLinear(*other)
    assert PiecewiseLinear(*pieces) != "relu"
    relu = PiecewiseLinear([-0.0], [-0.0, 1.0], [0.0, -0.0])
    assert relu.is_relu
    assert hash(relu) == hash(PiecewiseLinear.relu())


def test_names_are_printed():
    assert (
        repr(PiecewiseLinear.leaky_relu(0.25)) == "PiecewiseLinear('leaky_relu(0.25)', 2 segments)"
    )
    assert repr(PiecewiseLinear([], [1.0], [0.0])) == "PiecewiseLinear(1 segments)"
    assert PiecewiseLinear.hardtanh(-2, 0.5).name == "hardtanh(-2,0.5)"


# Copies and pickles

EVERY_KIND = ["sigmoid", "tanh", "elu", "gelu", "silu", "softplus", elu(0.5)]
WAYS = {
    "pickle": lambda thing: pickle.loads(pickle.dumps(thing)),  # noqa: S301
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
    "joblib": lambda thing: through_file(thing, joblib.dump, joblib.load),
}


def through_file(thing, dump, load):
    file = io.BytesIO()
    dump(thing, file)
    file.seek(0)
    return load(file)


@pytest.mark.parametrize("kind", EVERY_KIND, ids=lambda one: getattr(one, "name", str(one)))
def test_a_module_is_saved_whole_and_its_weights_are_loaded(kind):
    network, other = (piecewise([2, 4, 1], approximate(kind, 5), seed) for seed in (0, 1))
    torch.save(network.to_torch(), io.BytesIO())
    state = through_file(network.to_torch().state_dict(), torch.save, load_weights)
    module = other.to_torch()
    module.load_state_dict(state)
    X = torch.tensor(3 * np.random.default_rng(0).normal(size=(50, 2)))
    assert torch.equal(module(X), network.to_torch()(X))


def load_weights(file):
    return torch.load(file, weights_only=True)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", EVERY_KIND, ids=lambda one: getattr(one, "name", str(one)))
def test_copies_compute_the_same_and_stay_read_only(kind, way):
    network = piecewise([2, 4, 1], approximate(kind, 5))
    copied = WAYS[way](network)
    X = 3 * np.random.default_rng(0).normal(size=(50, 2))
    assert_array_equal(copied.forward(X), network.forward(X))
    assert_array_equal(copied.approximation_error_bound(X), network.approximation_error_bound(X))
    (activation,) = copied.activations
    assert activation == network.activations[0]
    assert activation.max_error == network.activations[0].max_error
    arrays = [*copied.weights, *copied.biases]
    arrays += [activation.breakpoints, activation.slopes, activation.intercepts]
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 0
    module = WAYS[way](network.to_torch())
    assert_allclose(module(torch.tensor(X)).detach(), network.forward(X), atol=1e-12)
    assert PiecewiseLinearNetwork.from_torch(module).activations == network.activations


def test_another_process_reads_the_pickle(tmp_path):
    network = piecewise([2, 4, 4, 1], [approximate("sigmoid", 4), approximate(elu(2.0), 3)])
    joblib.dump(network, tmp_path / "network")
    program = (
        f"import joblib; network = joblib.load({str(tmp_path / 'network')!r})\n"
        "print(repr(network.forward([[1.0, 2.0]]).item()))\n"
        "import sys; assert 'torch' not in sys.modules"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert float(found.stdout) == network.forward([[1.0, 2.0]]).item()


# Networks with them

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


@examples(60)
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
    with pytest.raises(ValueError, match="whole numbers from 0 to 2"):
        network.local_linear_models(np.full((1, 7), 3))
    with pytest.raises(ValueError, match="whole numbers from 0 to 2"):
        network.local_linear_models(np.full((1, 7), 2))  # a ReLU neuron has no segment 2


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
