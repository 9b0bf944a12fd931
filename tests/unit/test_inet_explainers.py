"""What every explainer promises: what it refuses, units of the outputs, pickles, precision."""

from __future__ import annotations

import pickle
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import random_networks
import torch

from xai_course.inet import (
    InterpretationNetwork,
    LambdaNets,
    closed_form_moments,
    fidelity_error,
    train_interpretation_network,
    train_lambda_nets,
)
from xai_course.inet.baselines import (
    Constant,
    GreedySwaps,
    LassoRefit,
    LinearModel,
    OrthogonalMatchingPursuit,
    SymbolicRegression,
)
from xai_course.inet.moment_net import Explanation
from xai_course.inet.population import OnlineNets, Recipe
from xai_course.inet.softmax_net import train_softmax_network
from xai_course.polynomials import SparsePolynomial, sample_polynomials

QUICK = {"hidden": (16,), "batch_size": 8, "progress": False}
EXPLAINERS = {
    "constant": lambda nets: Constant(),
    "linear": lambda nets: LinearModel(),
    "gplearn": lambda nets: SymbolicRegression(
        population_size=50, generations=3, n_queries=50, progress=False
    ),
    "pursuit": lambda nets: OrthogonalMatchingPursuit(),
    "pursuit, raw columns": lambda nets: OrthogonalMatchingPursuit(unit_norm=False),
    "lasso": lambda nets: LassoRefit(),
    "greedy swaps": lambda nets: GreedySwaps(),
    "greedy swaps, exact": lambda nets: GreedySwaps(gram="exact"),
    "closed form": lambda nets: InterpretationNetwork.closed_form(3),
    "learned moments": lambda nets: train_interpretation_network(nets, steps=20, **QUICK),
    "softmax": lambda nets: train_softmax_network(nets, epochs=1, **QUICK),
}
# What these answer is no multiple of the outputs: see their documentation.
OF_ONE_UNIT = {"softmax", "gplearn"}


random_nets = partial(random_networks.random_nets, n_nets=12, seed=1)


def times(nets: LambdaNets, unit: float) -> LambdaNets:
    weights = nets.weights()
    for name in ("output_weights", "output_biases"):
        weights[name] = unit * weights[name]
    return LambdaNets(**weights)


@pytest.fixture(scope="module", params=EXPLAINERS)
def explainer(request):
    return request.param, EXPLAINERS[request.param](random_nets())


# What is explained


@pytest.mark.parametrize("kind", ["network", "module", "array", "None"])
def test_what_is_no_stack_of_networks_is_named_by_its_type(explainer, kind):
    network = random_nets().to_network(0)
    given = {"network": network, "module": network.to_torch(), "array": np.ones(4), "None": None}
    name = type(given[kind]).__name__
    with pytest.raises(TypeError, match=rf"lambda_nets must be LambdaNets, got {name}; .*from_net"):
        explainer[1].explain(given[kind])


def test_an_empty_stack_is_refused(explainer):
    with pytest.raises(ValueError, match="At least one lambda-net is needed, got none"):
        explainer[1].explain(random_nets()[:0])


@pytest.mark.parametrize("name", ["closed form", "learned moments", "softmax"])
def test_networks_of_other_variables_are_refused(name):
    reader = EXPLAINERS[name](random_nets())
    with pytest.raises(ValueError, match=r"reads networks of 3 variable\(s\), got 4"):
        reader.explain(random_nets(n_variables=4))


@pytest.mark.parametrize(
    "call",
    [
        train_interpretation_network,
        train_softmax_network,
        closed_form_moments,
        OnlineNets,
        InterpretationNetwork.closed_form(3).moments,
    ],
)
def test_whatever_reads_networks_refuses_alike(call):
    with pytest.raises(TypeError, match="LambdaNets, got PiecewiseLinearNetwork"):
        call(random_nets().to_network(0))
    with pytest.raises(ValueError, match="At least one lambda-net"):
        call(random_nets()[:0])


def test_the_moment_network_is_made_of_numbers():
    for bad in ((0,), (2.5,), (2, -1), (2, 3, 0)):
        with pytest.raises(ValueError, match="must be a whole number"):
            InterpretationNetwork(*bad)
    with pytest.raises(TypeError):
        InterpretationNetwork(1, 2, 3, 4)


@pytest.mark.parametrize("kind", ["closed form", "greedy swaps"])
def test_powers_of_one_variable_are_used_until_float64_cannot_tell_them_apart(kind):
    nets = random_nets(n_variables=1)

    def explained(degree, sparsity):
        if kind == "closed form":
            return InterpretationNetwork.closed_form(1, degree, sparsity).explain(nets)
        return GreedySwaps(degree=degree, sparsity=sparsity).explain(nets)

    X = (np.arange(1000)[:, None] + 0.5) / 1000
    basis = np.polynomial.legendre.legvander(2 * X[:, 0] - 1, 7)
    fitted = basis @ np.linalg.lstsq(basis, nets.predict(X).T, rcond=None)[0]
    best = np.abs(fitted.T - nets.predict(X)).mean(axis=1)
    all_eight, nine_of_ten = explained(7, 8), explained(9, 9)
    np.testing.assert_allclose(fidelity_error(nets, all_eight, X), best, rtol=0.05, atol=1e-5)
    assert (fidelity_error(nets, nine_of_ten, X) < 1.5 * best + 1e-5).all()
    assert all(len(np.unique(g.exponents)) == 9 for g in nine_of_ten)
    with pytest.raises(ValueError, match=r"all others depend on them.*too few for 10 terms"):
        explained(9, 10)


# Units


@pytest.mark.parametrize("unit", [1e-9, 1e-5, 3.0, 1e9])
def test_explanations_do_not_depend_on_the_unit_of_the_outputs(explainer, unit):
    name, reader = explainer
    if name in OF_ONE_UNIT:
        return
    nets = random_nets()
    X = np.random.default_rng(2).random((100, 3))
    for one, other in zip(reader.explain(nets), reader.explain(times(nets, unit)), strict=True):
        assert len(one) == len(other)
        size = np.abs(one(X)).max()
        np.testing.assert_allclose(other(X) / unit, one(X), atol=1e-6 * size)


@pytest.mark.parametrize("unit", [1e-9, 1e9])
def test_symbolic_regression_finds_small_and_large_networks(unit):
    plane = LambdaNets([[[1.0, 1.0]]], [[0.0]], [[1.0]], [0.0])  # x0 + x1
    search = SymbolicRegression(population_size=100, generations=3, n_queries=50, progress=False)
    (found,) = search.explain(times(plane, unit))
    X = np.random.default_rng(2).random((100, 2))
    # What is left of the unit beside the power of 1024 is a constant that evolution has to meet.
    error = np.abs(found(X) / unit - X.sum(axis=1)).mean()
    assert error < 0.6 * np.abs(X.sum(axis=1) - np.median(X.sum(axis=1))).mean()


@pytest.mark.parametrize("unit", [1e-9, 1e9])
def test_a_moment_map_learns_from_outputs_of_any_unit(unit):
    nets = train_lambda_nets(
        sample_polynomials(30, 2, seed=3),
        recipe=Recipe(learning_rate=0.02, epochs=10, cosine=True),
        n_samples=400,
        progress=False,
    )
    exact = closed_form_moments(nets)

    def miss(unit):
        reader = train_interpretation_network(times(nets, unit), steps=150, **QUICK)
        return np.abs(reader.moments(nets) - exact).mean()

    assert miss(unit) == pytest.approx(miss(1.0), rel=0.05)


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
@pytest.mark.parametrize("n", [1, 7])
def test_a_constant_is_a_constant_in_any_unit(explainer, n, unit):
    name, reader = explainer
    if name in OF_ONE_UNIT | {"greedy swaps, exact"}:  # its queries do not average like the cube
        return
    value = 0.1 * unit * n
    nets = LambdaNets(np.zeros((1, 2, 3)), np.ones((1, 2)), np.array([[0.3, -0.3]]) * unit, [value])
    (found,) = reader.explain(nets)
    X = np.random.default_rng(2).random((50, 3))
    np.testing.assert_allclose(found(X), value, rtol=1e-9)
    if isinstance(found, Explanation):
        assert found.fits


def test_a_small_error_beside_a_constant_network_is_not_hidden():
    class Wrong:
        """A map that misses every moment."""

        hidden = ()

        def moments(self, weights, biases, amplitudes):
            return amplitudes.sum(axis=1, keepdims=True) * np.ones(20)

    # Two units that cancel: the network is 0.3, its learned moments are not.
    cancel = LambdaNets([[[1.0, 0, 0], [-1.0, 0, 0]]], [[-0.5, 0.5]], [[1.0, 0.5]], [0.3])
    reader = InterpretationNetwork(3, module=Wrong())
    assert not reader.explain(cancel)[0].fits


@pytest.mark.parametrize("error", [1 / 3, 0.3333, 0.34, 0.5])
def test_a_third_of_the_constants_error_is_the_most_that_fits(error):
    g = Explanation([1.0], [[1]], estimated_error=1.0, relative_error=error)
    assert g.fits == (error <= 1 / 3)


# Pickles


def test_explainers_survive_a_pickle(explainer):
    _, reader = explainer
    nets = random_nets(n_nets=3)
    again = pickle.loads(pickle.dumps(reader))  # noqa: S301
    for one, other in zip(reader.explain(nets), again.explain(nets), strict=True):
        assert type(one) is type(other)
        np.testing.assert_array_equal(one.coef, other.coef)
        np.testing.assert_array_equal(one.exponents, other.exponents)


@pytest.mark.parametrize(
    "value",
    [
        random_nets(),
        LambdaNets(*random_nets(n_nets=2).weights().values(), [0.1, 0.2], [3, 4]),
        SparsePolynomial([1.0, 2.0], [[1, 0], [0, 2]]),
        Explanation([1.0], [[1]], estimated_error=0.1, relative_error=0.2),
    ],
    ids=lambda value: type(value).__name__,
)
def test_networks_and_polynomials_survive_a_pickle_and_polynomials_stay_frozen(value):
    for one in (value, pickle.loads(pickle.dumps(value))):  # noqa: S301
        for name, known in vars(value).items():
            found = getattr(one, name)
            np.testing.assert_array_equal(found, known)
            if isinstance(value, SparsePolynomial) and isinstance(found, np.ndarray):
                with pytest.raises(ValueError, match="read-only"):
                    found[...] = 0


def test_a_polynomial_keeps_no_array_of_the_caller():
    coef, exponents = np.ones(1), np.array([[2, 0]])
    g = SparsePolynomial(coef, exponents)
    coef[:], exponents[:] = 5, 1
    assert str(g) == "x0^2"


# Precision


@pytest.mark.parametrize("default", [torch.float64, torch.float16], ids=str)
@pytest.mark.parametrize("kind", ["lambda-nets", "moments", "softmax", "softmax, sum"])
def test_torchs_default_precision_changes_nothing(default, kind):
    nets = random_nets()

    def trained():
        if kind == "lambda-nets":
            found = train_lambda_nets(sample_polynomials(2, 2), n_samples=64, progress=False)
            return [found.parameters()]
        if kind == "moments":
            reader = train_interpretation_network(nets, steps=5, **QUICK)
            return [tensor.numpy() for tensor in reader.module.state_dict().values()]
        encoder = "sum" if kind.endswith("sum") else "flat"
        reader = train_softmax_network(
            nets, epochs=2, encoder=encoder, straight_through=True, **QUICK
        )
        return list(reader.outputs(nets))

    expected = trained()
    torch.set_default_dtype(default)
    try:
        found = trained()
    finally:
        torch.set_default_dtype(torch.float32)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16], ids=str)
def test_networks_of_any_precision_are_read(dtype):
    module = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.ReLU(), torch.nn.Linear(5, 1))
    read = LambdaNets.from_networks([module.to(dtype)])
    expected = torch.cat([p.detach().double().ravel() for p in module.parameters()]).numpy()
    np.testing.assert_array_equal(read.parameters()[0], expected)


# What is imported


def test_nothing_slow_is_imported_before_it_is_called():
    code = """
import sys
import xai_course.inet, xai_course.inet.baselines
slow = {"torch", "gplearn", "matplotlib"} & set(sys.modules)
assert not slow, slow
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
