"""The core: a network equals its local linear models, whatever the network and the point."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from properties import examples
from random_networks import any_network, local_values, points

from xai_course import networks
from xai_course.networks import PiecewiseLinearNetwork

finite = st.floats(-3, 3, allow_nan=False, width=64)


@examples(150)
@given(network=any_network(), seed=st.integers(0, 2**32 - 1))
def test_local_linear_model_equals_network_at_any_point(network, seed):
    X = points(network, np.random.default_rng(seed))
    scale = 1 + np.abs(X).max()
    np.testing.assert_allclose(
        local_values(network, X), network.forward(X), rtol=1e-10, atol=1e-10 * scale
    )


@examples(60)
@given(network=any_network(), seed=st.integers(0, 2**32 - 1))
def test_coefficients_equal_autograd(network, seed):
    X = np.random.default_rng(seed).normal(size=(8, network.n_features))
    coef, _ = network.local_linear_models(network.activation_pattern(X))
    module = network.to_torch()
    inputs = torch.tensor(X, requires_grad=True)
    z_smallest = min((np.abs(z).min() for z in hidden_inputs(network, X)), default=1.0)
    for k in range(network.n_outputs):
        (gradient,) = torch.autograd.grad(module(inputs)[:, k].sum(), inputs)
        if z_smallest > 0:  # at a tie torch's gradient picks the other side
            np.testing.assert_allclose(coef[:, k], gradient.numpy(), rtol=1e-10, atol=1e-10)


def hidden_inputs(network, X):
    return list(network._preactivations(X))[:-1]


@examples(40)
@given(network=any_network(), seed=st.integers(0, 2**32 - 1))
def test_moving_inside_a_region_keeps_the_model(network, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(6, network.n_features))
    Y = X + 1e-3 * rng.normal(size=X.shape)
    same = (network.activation_pattern(X) == network.activation_pattern(Y)).all(axis=1)
    coef, intercept = network.local_linear_models(network.activation_pattern(X[same]))
    predicted = np.einsum("nof,nf->no", coef, Y[same]) + intercept
    np.testing.assert_allclose(predicted, network.forward(Y[same]), rtol=1e-10, atol=1e-10)


def test_neuron_is_on_at_zero():
    network = PiecewiseLinearNetwork([[[1.0]], [[1.0]]], [[0.0], [0.0]])
    assert network.activation_pattern([[0.0], [-1e-300], [1e-300]]).tolist() == [[1], [0], [1]]


def test_dead_layer_gives_a_constant_model():
    network = PiecewiseLinearNetwork(
        [np.ones((3, 2)), np.ones((2, 3)), np.ones((1, 2))],
        [np.full(3, -100.0), np.array([1.0, -1.0]), np.array([0.5])],
    )
    pattern = network.activation_pattern(np.zeros((1, 2)))
    coef, intercept = network.local_linear_models(pattern)
    assert pattern.tolist() == [[0, 0, 0, 1, 0]]
    assert (coef == 0).all()
    assert intercept.item() == 1.5


def test_network_without_hidden_layer_has_one_region():
    network = PiecewiseLinearNetwork([[[2.0, -1.0]]], [[3.0]])
    assert network.activation_pattern(np.ones((4, 2))).shape == (4, 0)
    coef, intercept = network.local_linear_models(np.zeros((4, 0)))
    assert coef.tolist() == [[[2.0, -1.0]]] * 4
    assert intercept.tolist() == [[3.0]] * 4


def test_no_rows():
    network = PiecewiseLinearNetwork([np.ones((3, 2)), np.ones((1, 3))], [np.zeros(3), np.zeros(1)])
    assert network.forward(np.zeros((0, 2))).shape == (0, 1)
    assert network.activation_pattern(np.zeros((0, 2))).shape == (0, 3)
    assert network.local_linear_models(np.zeros((0, 3)))[0].shape == (0, 1, 2)


def test_chunks_do_not_change_the_result(monkeypatch):
    rng = np.random.default_rng(0)
    sizes = [5, 7, 6, 3]
    network = PiecewiseLinearNetwork(
        [rng.normal(size=(b, a)) for a, b in pairwise(sizes)],
        [rng.normal(size=b) for b in sizes[1:]],
    )
    X = rng.normal(size=(50, 5))
    whole = (network.forward(X), *network.local_linear_models(network.activation_pattern(X)))
    monkeypatch.setattr(networks, "_CHUNK_BYTES", 8 * 7 * 3 * 4)
    parts = (network.forward(X), *network.local_linear_models(network.activation_pattern(X)))
    assert len(list(network._row_chunks(50, copies=3))) == 13
    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-13)


def test_memory_beside_the_result_stays_flat():
    import tracemalloc

    rng = np.random.default_rng(0)
    network = PiecewiseLinearNetwork(
        [rng.normal(size=(200, 4)), rng.normal(size=(200, 200)), rng.normal(size=(1, 200))],
        [np.zeros(200), np.zeros(200), np.zeros(1)],
    )
    patterns = rng.integers(0, 2, size=(200_000, 400), dtype=np.uint8)
    tracemalloc.start()
    result = network.local_linear_models(patterns)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # In one piece the gated coefficients alone would take 200,000 * 200 * 8 bytes = 320 MB.
    assert peak - sum(r.nbytes for r in result) <= 2 * patterns.nbytes


@examples(100)
@given(hnp.arrays(np.float64, st.tuples(st.integers(0, 3), st.integers(0, 5)), elements=finite))
def test_wrong_width_names_both(X):
    network = PiecewiseLinearNetwork([np.ones((2, 4)), np.ones((1, 2))], [np.zeros(2), np.zeros(1)])
    if X.shape[1] == 4:
        assert network.forward(X).shape == (len(X), 1)
    else:
        with pytest.raises(ValueError, match=f"X has {X.shape[1]} features.*4 inputs"):
            network.forward(X)


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ([[np.nan, 0.0]], ValueError, "finite, got 1 NaN"),
        ([[np.inf, np.nan]], ValueError, "finite, got 2"),
        ([0.0, 1.0], ValueError, r"2 dimension.*\(2,\)"),
        ([["a", "b"]], TypeError, "real numbers"),
        ([[1j, 0]], TypeError, "real numbers"),
    ],
)
def test_bad_inputs(X, error, message):
    network = PiecewiseLinearNetwork([np.ones((1, 2))], [np.zeros(1)])
    with pytest.raises(error, match=message):
        network.forward(X)


@pytest.mark.parametrize(
    ("patterns", "error", "message"),
    [
        ([[0, 2]], ValueError, "whole numbers from 0 to 1"),
        ([[0, 1, 1]], ValueError, r"\(n_patterns, 2\), got \(1, 3\)"),
        ([[0.5, 0.0]], ValueError, "whole numbers from 0 to 1"),
        ([["on", "off"]], TypeError, "dtype"),
    ],
)
def test_bad_patterns(patterns, error, message):
    network = PiecewiseLinearNetwork([np.ones((2, 2)), np.ones((1, 2))], [np.zeros(2), np.zeros(1)])
    with pytest.raises(error, match=message):
        network.local_linear_models(patterns)


@pytest.mark.parametrize(
    ("weights", "biases", "message"),
    [
        ([], [], "at least one layer"),
        ([np.ones((2, 2))], [np.zeros(2), np.zeros(1)], "got 1 and 2"),
        ([np.ones((2, 3)), np.ones((1, 4))], [np.zeros(2), np.zeros(1)], r"weights\[1\].*\(1, 4\)"),
        ([np.ones((2, 3))], [np.zeros(3)], r"biases\[0\] must have shapes.*\(2, 3\) and \(3,\)"),
        ([np.full((1, 2), np.nan)], [np.zeros(1)], r"weights\[0\] must be finite"),
        ([np.ones((0, 2))], [np.zeros(0)], "no empty dimension"),
    ],
)
def test_bad_parameters(weights, biases, message):
    with pytest.raises(ValueError, match=message):
        PiecewiseLinearNetwork(weights, biases)


@pytest.mark.parametrize("activation", ["sigmoid", 3, None, [np.tanh], np.tanh])
def test_unknown_activation_is_named(activation):
    message = r"'relu', a PiecewiseLinear .*approximate makes.*or 1 of them.*got "
    with pytest.raises(ValueError, match=message):
        PiecewiseLinearNetwork([[[1.0]]] * 2, [[0.0]] * 2, activation)
    with pytest.raises(ValueError, match="'sigmoid'"):
        PiecewiseLinearNetwork([[[1.0]]], [[0.0]], activation="sigmoid")


def test_parameters_are_copies_and_read_only():
    weight = np.ones((1, 2))
    network = PiecewiseLinearNetwork([weight], [[0.0]])
    weight[:] = 5
    assert network.forward([[1.0, 1.0]]).item() == 2.0
    with pytest.raises(ValueError, match="read-only"):
        network.weights[0][:] = 0


def test_repr_names_the_sizes():
    network = PiecewiseLinearNetwork([np.ones((3, 2)), np.ones((1, 3))], [np.zeros(3), np.zeros(1)])
    assert repr(network) == "PiecewiseLinearNetwork(2 -> 3 -> 1, activation='relu')"
