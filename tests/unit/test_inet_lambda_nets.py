"""Stacks of lambda-nets: the same functions as the single networks, whatever their weights."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from properties import examples
from random_networks import random_nets, rescaled
from sklearn.neural_network import MLPClassifier, MLPRegressor

from xai_course.inet.lambda_nets import LambdaNets, binary_unit
from xai_course.networks import PiecewiseLinearNetwork

seeds = st.integers(0, 2**32 - 1)


def points(n_variables=3, n=9, seed=1):
    return np.random.default_rng(seed).uniform(-1, 2, (n, n_variables))


def torch_net(n_inputs, *hidden, n_outputs=1, activation=torch.nn.ReLU, seed=0):
    torch.manual_seed(seed)
    sizes, layers = [n_inputs, *hidden], []
    for a, b in zip(sizes, hidden, strict=False):
        layers += [torch.nn.Linear(a, b), activation()]
    return torch.nn.Sequential(*layers, torch.nn.Linear(sizes[-1], n_outputs)).double()


def fitted(kind=MLPRegressor, **options):
    X = points(n=40)
    y = X[:, 0] if kind is MLPRegressor else X[:, 0] > 0
    model = kind(random_state=0, max_iter=5, **options)
    with pytest.warns(UserWarning, match="Maximum iterations"):
        return model.fit(X, y)


# Values


@examples(25)
@given(seed=seeds, n_hidden=st.integers(1, 8), n_variables=st.integers(1, 4))
def test_predict_equals_every_single_network(seed, n_hidden, n_variables):
    nets = random_nets(3, n_hidden, n_variables, seed)
    X = points(n_variables, seed=seed)
    found = nets.predict(X)
    for k in range(3):
        network = nets.to_network(k)
        assert isinstance(network, PiecewiseLinearNetwork)
        assert_allclose(found[k], network.forward(X)[:, 0], atol=1e-12)
        with torch.no_grad():
            ours = network.to_torch().double()(torch.as_tensor(X)).numpy()
        assert_allclose(found[k], ours[:, 0], atol=1e-5)  # the module holds float32 weights


def test_each_network_may_have_its_own_rows():
    nets = random_nets()
    X = np.stack([points(seed=k) for k in range(4)])
    assert_allclose(nets.predict(X), [nets[k].predict(X[k])[0] for k in range(4)], atol=1e-12)


def test_predict_in_chunks(monkeypatch):
    nets, X = random_nets(7), points()
    expected = nets.predict(X), nets.predict(np.stack([X] * 7))
    monkeypatch.setattr("xai_course.polynomials._CHUNK", 100)
    assert_allclose(nets.predict(X), expected[0], atol=1e-13)
    assert_allclose(nets.predict(np.stack([X] * 7)), expected[1], atol=1e-13)


@pytest.mark.parametrize("shape", [(9, 2), (3, 9, 3), (9,)])
def test_predict_refuses_rows_that_do_not_fit(shape):
    with pytest.raises(ValueError, match="shape"):
        random_nets().predict(np.ones(shape))


def test_predict_refuses_nan():
    with pytest.raises(ValueError, match="finite"):
        random_nets().predict([[0, np.nan, 1]])


# Weights as a vector, and as a stack


def test_parameters_come_in_the_stated_order():
    nets = LambdaNets([[[1, 2], [3, 4], [5, 6]]], [[7, 8, 9]], [[10, 11, 12]], [13])
    assert nets.parameters().tolist() == [list(range(1, 14))]
    assert random_nets(4, 25, 5).parameters().shape == (4, 25 * 7 + 1)


def test_a_stack_is_indexed():
    nets = random_nets(test_error=np.arange(4.0), epochs=np.arange(4))
    assert (len(nets), nets.n_hidden, nets.n_variables) == (4, 6, 3)
    assert repr(nets) == "LambdaNets(4 x 3 -> 6 relu -> 1)"
    for index, expected in [
        (2, [2]),
        (-1, [3]),
        (np.int64(1), [1]),
        (slice(1, 3), [1, 2]),
        ([3, 0], [3, 0]),
        (np.array([True, False, False, True]), [0, 3]),
    ]:
        assert nets[index].test_error.tolist() == expected
        assert_array_equal(nets[index].parameters(), nets.parameters()[expected])
    with pytest.raises(IndexError, match=r"4 network\(s\), got the number 4"):
        nets[4]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_weights": np.ones((4, 6))}, "hidden_weights must have 3 dimension"),
        ({"hidden_biases": np.ones((4, 5))}, r"hidden_biases .* \(4, 6\), got \(4, 5\)"),
        ({"output_weights": np.ones((3, 6))}, r"output_weights .* \(4, 6\), got \(3, 6\)"),
        ({"output_biases": np.ones(5)}, r"output_biases .* \(4,\), got \(5,\)"),
        ({"output_biases": [0, 0, 0, np.nan]}, "output_biases must be finite, got 1 NaN"),
        ({"hidden_weights": np.full((4, 6, 3), np.inf)}, "hidden_weights must be finite"),
        ({"test_error": [1.0]}, r"test_error must have shape \(4,\), got \(1,\)"),
        ({"epochs": [1.0]}, r"epochs must have shape \(4,\), got \(1,\)"),
    ],
)
def test_a_stack_refuses(change, message):
    nets = random_nets()
    names = ("hidden_weights", "hidden_biases", "output_weights", "output_biases")
    with pytest.raises(ValueError, match=message):
        LambdaNets(**{name: getattr(nets, name) for name in names} | change)


# Symmetries


@given(seed=seeds)
def test_symmetries_keep_the_functions(seed):
    nets, X = random_nets(seed=seed), points()
    for other in (nets.canonical(), nets.permuted(seed), rescaled(nets, seed)):
        assert not np.allclose(other.parameters(), nets.parameters())
        assert_allclose(other.predict(X), nets.predict(X), atol=1e-9)


@given(seed=seeds)
def test_canonical_is_the_same_for_all_orders_and_scales(seed):
    nets = random_nets(seed=seed)
    canonical = nets.canonical().parameters()
    assert_allclose(nets.permuted(seed).canonical().parameters(), canonical, atol=1e-12)
    assert_allclose(rescaled(nets, seed).canonical().parameters(), canonical, atol=1e-10)
    assert_allclose(nets.canonical().canonical().parameters(), canonical, atol=1e-12)


def test_canonical_neurons_have_length_one_and_fall_in_size():
    nets = random_nets().canonical()
    length = (nets.hidden_weights**2).sum(axis=2) + nets.hidden_biases**2
    assert_allclose(length, 1)
    assert (np.diff(np.abs(nets.output_weights), axis=1) <= 0).all()


def test_canonical_keeps_a_neuron_of_zeros_and_its_sign():
    nets = LambdaNets([[[0, 0], [3, 0]]], [[0, 4]], [[7, -1]], [2]).canonical()
    assert nets.hidden_weights.tolist() == [[[0.6, 0], [0, 0]]]
    assert nets.hidden_biases.tolist() == [[0.8, 0]]
    assert nets.output_weights.tolist() == [[-5, 0]]


def test_permuted_moves_whole_neurons_and_repeats():
    nets = random_nets(n_hidden=12)
    moved = nets.permuted(3)
    assert_array_equal(moved.parameters(), nets.permuted(3).parameters())
    for k in range(len(nets)):
        rows = [
            np.column_stack([a.hidden_weights[k], a.hidden_biases[k], a.output_weights[k]])
            for a in (nets, moved)
        ]
        assert sorted(rows[0].tolist()) == sorted(rows[1].tolist())
    orders = [
        [nets.hidden_biases[k].tolist().index(b) for b in moved.hidden_biases[k]] for k in range(4)
    ]
    assert len({tuple(order) for order in orders}) == 4  # each network its own order


# Inputs outside the unit cube


@given(seed=seeds)
def test_on_unit_box(seed):
    nets = random_nets(seed=seed)
    bounds = np.array([[-2, 1], [10, 30], [0, 1]])
    X = np.random.default_rng(seed).uniform(bounds[:, 0], bounds[:, 1], (8, 3))
    scaled = (X - bounds[:, 0]) / (bounds[:, 1] - bounds[:, 0])
    assert_allclose(nets.on_unit_box(bounds).predict(scaled), nets.predict(X), atol=1e-9)


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        (np.zeros((2, 2)), r"shape \(3, 2\), got \(2, 2\)"),
        ([[0, 1]] * 2 + [[1, 1]], "a lower and a larger"),
        ([[0, 1]] * 2 + [[1, 0]], "a lower and a larger"),
    ],
)
def test_on_unit_box_refuses(bounds, message):
    with pytest.raises(ValueError, match=message):
        random_nets().on_unit_box(bounds)


# Networks from elsewhere


def test_networks_of_any_origin_and_width():
    ours = random_nets(1, 4, seed=2).to_network(0)
    module = torch_net(3, 7)
    model = fitted(hidden_layer_sizes=(5,))
    nets = LambdaNets.from_networks([ours, module, model])
    X = points()
    assert (len(nets), nets.n_hidden) == (3, 7)
    assert_allclose(nets.predict(X)[0], ours.forward(X)[:, 0], atol=1e-12)
    with torch.no_grad():
        assert_allclose(nets.predict(X)[1], module(torch.as_tensor(X)).numpy()[:, 0], atol=1e-12)
    assert_allclose(nets.predict(X)[2], model.predict(X), atol=1e-12)
    assert (nets.output_weights[0, 4:] == 0).all()  # silent neurons fill up


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (lambda: torch_net(3, 4, 4), r"Network 1 has 2 hidden layer\(s\).*Flatten"),
        (lambda: torch_net(3), r"Network 1 has 0 hidden layer\(s\)"),
        (lambda: torch_net(3, 4, n_outputs=2), r"Network 1 .* \['relu'\], and 2 output\(s\)"),
        (lambda: torch_net(2, 4), r"must have the same inputs, got \[2, 3\]"),
        (lambda: torch_net(3, 4, activation=torch.nn.LeakyReLU), r"Network 1 .*\['leaky_relu"),
        (lambda: torch_net(3, 4, activation=torch.nn.Tanh), "Tanh"),
        (lambda: fitted(hidden_layer_sizes=(4, 4)), "Network 1 has 2 hidden layer"),
        (lambda: fitted(hidden_layer_sizes=(4,), activation="tanh"), "tanh"),
    ],
)
def test_other_networks_are_refused_by_name(network, message):
    with pytest.raises((ValueError, TypeError), match=message):
        LambdaNets.from_networks([torch_net(3, 4), network()])


def test_nan_weights_are_refused():
    module = torch_net(3, 4)
    with torch.no_grad():
        module[0].weight[0, 0] = torch.nan
    with pytest.raises(ValueError, match=re.compile("finite|NaN")):
        LambdaNets.from_networks([module])


def test_no_networks():
    with pytest.raises(ValueError, match="At least one network"):
        LambdaNets.from_networks([])


def test_an_unfitted_model_is_named():
    with pytest.raises(ValueError, match="not fitted"):
        LambdaNets.from_networks([MLPRegressor()])


@pytest.mark.parametrize("thing", [3, "net", None, np.ones(3)])
def test_what_is_no_network_is_refused(thing):
    with pytest.raises(TypeError):
        LambdaNets.from_networks([thing])


def test_a_classifier_is_read_by_its_logit():
    model = fitted(MLPClassifier, hidden_layer_sizes=(4,))
    nets = LambdaNets.from_networks([model])
    probability = 1 / (1 + np.exp(-nets.predict(points())[0]))
    assert_allclose(probability, model.predict_proba(points())[:, 1], atol=1e-12)


def test_the_unit_of_values_is_a_power_of_1024():
    for values, unit in [
        ([0.0], 1.0),
        ([], 1.0),
        ([31.0, -0.001], 1.0),
        ([1 / 31], 1.0),
        ([-33.0], 1024.0),
        ([1 / 33], 1 / 1024),
        ([1e-9], 1024.0**-3),
        ([1e9], 1024.0**3),
    ]:
        assert binary_unit(np.array(values)) == unit
    values = np.random.default_rng(0).normal(size=100) * 1e-9
    unit = binary_unit(values)
    assert_array_equal(values / unit * unit, values)
