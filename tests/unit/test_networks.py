"""The core: a network equals its local linear models, whatever the network and the point."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from torch import nn

from xai_course import networks
from xai_course.networks import PiecewiseLinearNetwork

finite = st.floats(-3, 3, allow_nan=False, width=64)


@st.composite
def random_networks(draw, max_depth=4, max_width=12, max_outputs=10):
    """Draw random sizes; sometimes kill a layer, duplicate a neuron or round the parameters."""
    n_features = draw(st.integers(1, 6))
    hidden = draw(st.lists(st.integers(1, max_width), min_size=0, max_size=max_depth))
    sizes = [n_features, *hidden, draw(st.integers(1, max_outputs))]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    weights = [rng.normal(size=(b, a)) / np.sqrt(a) for a, b in pairwise(sizes)]
    biases = [rng.normal(size=b) * 0.5 for b in sizes[1:]]
    quirk = draw(st.sampled_from(["none", "dead", "duplicate", "ties"]))
    if hidden and quirk == "dead":
        layer = draw(st.integers(0, len(hidden) - 1))
        biases[layer] = np.full(hidden[layer], -1e3)
    elif hidden and quirk == "duplicate":
        weights[0][-1], biases[0][-1] = weights[0][0], biases[0][0]
    elif quirk == "ties":  # small integers: many inputs z are exactly zero
        weights = [np.round(w) for w in weights]
        biases = [np.round(b) for b in biases]
    return PiecewiseLinearNetwork(weights, biases)


def points(network, rng, n=20):
    """Return random points, far points, and points with whole coordinates, where ties happen."""
    X = rng.normal(size=(n, network.n_features))
    return np.concatenate([X, 100 * X, np.round(2 * X)])


def local_values(network, X):
    coef, intercept = network.local_linear_models(network.activation_pattern(X))
    return np.einsum("nof,nf->no", coef, X) + intercept


@settings(max_examples=150, deadline=None)
@given(network=random_networks(), seed=st.integers(0, 2**32 - 1))
def test_local_linear_model_equals_network_at_any_point(network, seed):
    X = points(network, np.random.default_rng(seed))
    scale = 1 + np.abs(X).max()
    np.testing.assert_allclose(
        local_values(network, X), network.forward(X), rtol=1e-10, atol=1e-10 * scale
    )


@settings(max_examples=60, deadline=None)
@given(network=random_networks(), seed=st.integers(0, 2**32 - 1))
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


@settings(max_examples=60, deadline=None)
@given(network=random_networks(), seed=st.integers(0, 2**32 - 1))
def test_torch_round_trip_is_exact(network, seed):
    X = points(network, np.random.default_rng(seed))
    copy = PiecewiseLinearNetwork.from_torch(network.to_torch())
    for a, b in zip(network.weights + network.biases, copy.weights + copy.biases, strict=True):
        np.testing.assert_array_equal(a, b)
    with torch.no_grad():
        outputs = network.to_torch()(torch.tensor(X)).numpy()
    np.testing.assert_allclose(outputs, network.forward(X), rtol=1e-12, atol=1e-10)


@settings(max_examples=40, deadline=None)
@given(network=random_networks(), seed=st.integers(0, 2**32 - 1))
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
    assert peak - sum(r.nbytes for r in result) < 5 * networks._CHUNK_BYTES


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
        ([[0, 2]], ValueError, "0 and 1 only"),
        ([[0, 1, 1]], ValueError, r"\(n_patterns, 2\), got \(1, 3\)"),
        ([[0.5, 0.0]], ValueError, "0 and 1 only"),
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
        ([np.ones((2, 3))], [np.zeros(3)], r"biases\[0\] has shape \(3,\)"),
        ([np.full((1, 2), np.nan)], [np.zeros(1)], r"weights\[0\] must be finite"),
        ([np.ones((0, 2))], [np.zeros(0)], "no empty dimension"),
    ],
)
def test_bad_parameters(weights, biases, message):
    with pytest.raises(ValueError, match=message):
        PiecewiseLinearNetwork(weights, biases)


def test_unknown_activation_is_named():
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


# torch


def torch_network(*layers):
    torch.manual_seed(0)
    return nn.Sequential(*layers).eval()


def assert_same_as_torch(module, X):
    network = PiecewiseLinearNetwork.from_torch(module)
    with torch.no_grad():
        expected = module.double()(torch.tensor(X)).numpy()
    np.testing.assert_allclose(network.forward(X), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(local_values(network, X), expected, rtol=1e-10, atol=1e-10)
    return network


@pytest.mark.parametrize(
    ("layers", "hidden"),
    [
        ([nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)], (8,)),
        ([nn.Flatten(), nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 1)], (8,)),
        ([nn.Linear(4, 6, bias=False), nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2)], (5,)),
        ([nn.ReLU(), nn.Linear(4, 3)], (4,)),
        ([nn.Linear(4, 3), nn.ReLU()], (3,)),
        ([nn.Linear(4, 3), nn.ReLU(), nn.Identity(), nn.ReLU(), nn.Linear(3, 2)], (3,)),
        ([nn.Sequential(nn.Linear(4, 3), nn.ReLU()), nn.Sequential(nn.Linear(3, 2))], (3,)),
        ([nn.Linear(4, 2)], ()),
    ],
)
def test_from_torch_reads_what_it_promises(layers, hidden):
    X = np.random.default_rng(1).normal(size=(30, 4))
    assert assert_same_as_torch(torch_network(*layers), X).hidden_sizes == hidden


def test_from_torch_reads_a_layer_that_stands_in_two_places():
    relu = nn.ReLU()
    layers = [nn.Linear(4, 6), relu, nn.Linear(6, 5), relu, nn.Linear(5, 1)]
    X = np.random.default_rng(1).normal(size=(30, 4))
    assert assert_same_as_torch(torch_network(*layers), X).hidden_sizes == (6, 5)


def test_from_torch_reads_a_single_linear_layer():
    assert PiecewiseLinearNetwork.from_torch(nn.Linear(3, 2)).hidden_sizes == ()


def test_to_torch_takes_a_dtype():
    network = PiecewiseLinearNetwork([np.ones((1, 2))], [np.zeros(1)])
    assert network.to_torch(torch.float32)[0].weight.dtype == torch.float32


@pytest.mark.parametrize(
    ("module", "error", "message"),
    [
        (nn.Sequential(nn.Linear(2, 2), nn.Sigmoid()), TypeError, r"layer '1' \(Sigmoid\)"),
        (nn.Sequential(nn.Sequential(nn.Conv2d(1, 1, 3))), TypeError, r"'0.0' \(Conv2d\)"),
        (nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5)), ValueError, r"call .eval\(\)"),
        (nn.Sequential(nn.Flatten(0), nn.Linear(2, 2)), ValueError, "start_dim=1"),
        (nn.Sequential(nn.ReLU()), ValueError, "no linear layer"),
        (nn.Sequential(nn.Linear(2, 3), nn.Linear(2, 1)), ValueError, "takes 2 inputs, but gets 3"),
        ("network", TypeError, "cannot read str"),
    ],
)
def test_from_torch_refuses_by_name(module, error, message):
    with pytest.raises(error, match=message):
        PiecewiseLinearNetwork.from_torch(module)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_from_torch_reads_a_network_on_the_gpu():
    module = torch_network(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    on_cpu = PiecewiseLinearNetwork.from_torch(module)
    on_gpu = PiecewiseLinearNetwork.from_torch(module.cuda())
    np.testing.assert_array_equal(on_cpu.weights[0], on_gpu.weights[0])


# scikit-learn


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("activation", ["relu", "identity"])
def test_from_sklearn_classifier(n_classes, activation):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 4)), rng.integers(0, n_classes, 60)
    mlp = MLPClassifier((8, 5), activation=activation, max_iter=20, random_state=0).fit(X, y)
    logits = PiecewiseLinearNetwork.from_sklearn(mlp).forward(X)
    if n_classes == 2:
        probability = 1 / (1 + np.exp(-logits[:, 0]))
        np.testing.assert_allclose(probability, mlp.predict_proba(X)[:, 1], rtol=1e-10)
    else:
        softmax = np.exp(logits - logits.max(axis=1, keepdims=True))
        softmax /= softmax.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(softmax, mlp.predict_proba(X), rtol=1e-10)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_from_sklearn_regressor():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 4)), rng.normal(size=60)
    mlp = MLPRegressor(hidden_layer_sizes=(8, 5), max_iter=20, random_state=0).fit(X, y)
    network = PiecewiseLinearNetwork.from_sklearn(mlp)
    np.testing.assert_allclose(network.forward(X)[:, 0], mlp.predict(X), rtol=1e-12)
    assert network.hidden_sizes == (8, 5)


def test_from_sklearn_refuses_by_name():
    with pytest.raises(TypeError, match="LogisticRegression"):
        PiecewiseLinearNetwork.from_sklearn(LogisticRegression())
    with pytest.raises(NotFittedError):
        PiecewiseLinearNetwork.from_sklearn(MLPClassifier())
    X, y = np.arange(8.0).reshape(4, 2), [0, 1, 0, 1]
    with pytest.warns(ConvergenceWarning):
        mlp = MLPClassifier((2,), activation="tanh", max_iter=1).fit(X, y)
    with pytest.raises(ValueError, match="'tanh'"):
        PiecewiseLinearNetwork.from_sklearn(mlp)
