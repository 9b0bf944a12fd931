"""Torch modules in and out: what is read is what the module computes, or it is refused."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from properties import examples
from random_networks import any_network, local_values, points, random_network
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from torch import nn
from torch.nn.utils import prune

from xai_course.activations import PiecewiseLinear
from xai_course.approximation import approximate
from xai_course.conversion import split_link
from xai_course.networks import PiecewiseLinearNetwork

SMOOTH = {
    "sigmoid": nn.Sigmoid(),
    "tanh": nn.Tanh(),
    "elu": nn.ELU(),
    "gelu": nn.GELU(),
    "silu": nn.SiLU(),
    "softplus": nn.Softplus(),
}

# The link at the end


@pytest.mark.parametrize(
    ("end", "link", "function"),
    [
        ([nn.Sigmoid()], nn.Sigmoid, torch.sigmoid),
        ([nn.Softmax(dim=1)], nn.Softmax, lambda z: z.softmax(1)),
        ([nn.Softmax(dim=-1), nn.Identity()], nn.Softmax, lambda z: z.softmax(1)),
        ([nn.LogSoftmax(dim=1), nn.Flatten()], nn.LogSoftmax, lambda z: z.log_softmax(1)),
        ([nn.Sequential(nn.Identity(), nn.Sequential(nn.Sigmoid()))], nn.Sigmoid, torch.sigmoid),
    ],
)
def test_a_link_at_the_end_is_split_off(end, link, function):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 5), nn.Sigmoid(), nn.Linear(5, 3), *end)
    X = torch.randn(20, 4)
    outputs = module(X)
    before, found = split_link(module)
    assert type(found) is link
    assert torch.equal(found(before(X)), outputs)
    assert torch.equal(function(before(X)), outputs)
    assert torch.equal(module(X), outputs)  # the module stays as it was
    assert before[0] is module[0]
    assert before.state_dict().keys() == module.state_dict().keys()


class Doubled(nn.Sequential):
    def forward(self, x):
        return 2 * super().forward(x)


class Moved(nn.Sigmoid):
    def forward(self, x):
        return super().forward(x) + 1


@pytest.mark.parametrize(
    "module",
    [
        nn.Sequential(nn.Linear(2, 2), nn.Sigmoid(), nn.Linear(2, 1)),
        nn.Sequential(nn.Linear(2, 2), nn.Sigmoid(), nn.ReLU()),
        nn.Sequential(nn.Linear(2, 2), nn.Softmax(dim=0)),
        Doubled(nn.Linear(2, 2), nn.Sigmoid()),
        nn.Sequential(nn.Linear(2, 2), Moved()),
        nn.Sequential(),
        nn.Linear(2, 2),
    ],
)
def test_anything_else_has_no_link(module):
    assert split_link(module) == (module, None)


def test_a_replaced_forward_is_no_link():
    module = nn.Sequential(nn.Linear(2, 2), nn.Sigmoid())
    module[1].forward = lambda z: 2 * z
    assert split_link(module) == (module, None)


@examples(60)
@given(network=any_network(), seed=st.integers(0, 2**32 - 1))
def test_torch_round_trip_is_exact(network, seed):
    X = points(network, np.random.default_rng(seed))
    copy = PiecewiseLinearNetwork.from_torch(network.to_torch())
    for a, b in zip(network.weights + network.biases, copy.weights + copy.biases, strict=True):
        assert_array_equal(a, b)
    with torch.no_grad():
        outputs = network.to_torch()(torch.tensor(X)).numpy()
    assert_allclose(outputs, network.forward(X), rtol=1e-12, atol=1e-10)


# torch


def torch_network(*layers):
    torch.manual_seed(0)
    return nn.Sequential(*layers).eval()


def assert_same_as_torch(module, X):
    network = PiecewiseLinearNetwork.from_torch(module)
    with torch.no_grad():
        expected = module.double()(torch.tensor(X)).numpy()
    assert_allclose(network.forward(X), expected, rtol=1e-12, atol=1e-12)
    assert_allclose(local_values(network, X), expected, rtol=1e-10, atol=1e-10)
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


def test_from_torch_reads_a_single_output_that_is_flattened():
    layers = [nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 1)]
    flat = PiecewiseLinearNetwork.from_torch(torch_network(*layers, nn.Flatten(0)))
    assert_array_equal(flat.weights[1], layers[2].weight.detach())


def test_from_torch_reads_a_single_linear_layer():
    assert PiecewiseLinearNetwork.from_torch(nn.Linear(3, 2)).hidden_sizes == ()


def test_to_torch_takes_a_dtype():
    network = PiecewiseLinearNetwork([np.ones((1, 2))], [np.zeros(1)])
    assert network.to_torch(torch.float32)[0].weight.dtype == torch.float32


@pytest.mark.parametrize(
    ("module", "error", "message"),
    [
        (nn.Sequential(nn.Linear(2, 2), nn.Tanh()), TypeError, r"layer '1' \(Tanh\)"),
        (nn.Sequential(nn.Sequential(nn.Conv2d(1, 1, 3))), TypeError, r"'0.0' \(Conv2d\)"),
        (nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5)), ValueError, r"call .eval\(\)"),
        (
            nn.Sequential(nn.Flatten(0), nn.Linear(2, 2)),
            ValueError,
            r"cannot be checked: for rows of shape \(257, 2\).*cannot be multiplied",
        ),
        (nn.Sequential(nn.ReLU()), ValueError, "no linear layer"),
        (nn.Sequential(nn.Linear(2, 3), nn.Linear(2, 1)), ValueError, "takes 2 inputs, but gets 3"),
        ("network", TypeError, "cannot read str"),
    ],
)
def test_from_torch_refuses_by_name(module, error, message):
    with pytest.raises(error, match=message):
        PiecewiseLinearNetwork.from_torch(module)


# What was read is what the module computes


class Residual(nn.Sequential):
    def forward(self, x):
        return x + super().forward(x)


class Centred(nn.Sequential):
    def forward(self, x):
        return super().forward(x - 3)


class Wide(nn.Sequential):
    def forward(self, x):
        return torch.cat([super().forward(x)] * 2, dim=1)


class Leaky(nn.ReLU):
    def forward(self, z):
        return torch.where(z > 0, z, 0.1 * z)


class Silent(nn.Sequential):
    def forward(self, x):
        return torch.full_like(super().forward(x), torch.nan)


def small(first=nn.Sequential, activation=nn.ReLU):
    torch.manual_seed(0)
    return first(nn.Linear(4, 5), activation(), nn.Linear(5, 1))


def changed_by(change):
    module = small()
    change(module)
    return module


def replace_forward(module):
    old = module[2].forward
    module[2].forward = lambda x: 1.001 * old(x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    ("module", "message"),
    [
        (
            nn.Sequential(Residual(nn.Linear(4, 4)), nn.Linear(4, 1)),
            r"'0' \(Residual\) has a forward",
        ),
        (small(Centred), "Centred has a forward of its own"),
        (small(Wide), r"shape \(257, 2\) instead of \(257, 1\)"),
        (small(Silent), "nan instead of"),
        (small(activation=Leaky), r"layer '1' \(Leaky\) has a forward of its own"),
        (
            changed_by(lambda m: m[0].register_forward_hook(lambda layer, i, out: 2 * out)),
            r"layer '0' \(Linear\) has hooks",
        ),
        (
            changed_by(lambda m: m.register_forward_pre_hook(lambda layer, x: (x[0] / 10,))),
            "Sequential has hooks",
        ),
    ],
)
def test_from_torch_refuses_what_computes_something_else(module, message, dtype):
    module = module.to(dtype).eval()
    with pytest.raises(ValueError, match=rf"something else than its layers.*{message}"):
        PiecewiseLinearNetwork.from_torch(module)


def test_from_torch_finds_small_differences():
    message = r"layer '2' \(Linear\) has a forward of its own"
    with pytest.raises(ValueError, match=message):
        PiecewiseLinearNetwork.from_torch(changed_by(replace_forward))
    threshold = nn.Sequential(nn.Linear(2, 2), nn.Softplus(threshold=5), nn.Linear(2, 1))
    with pytest.raises(ValueError, match="called in another way than usual"):
        PiecewiseLinearNetwork.from_torch(threshold, n_segments=5)
    shifted = nn.Sequential(nn.Linear(2, 2), nn.Sigmoid())
    shifted.register_forward_hook(lambda layer, i, out: out + 0.1)
    with pytest.raises(ValueError, match="Sequential has hooks"):
        PiecewiseLinearNetwork.from_torch(shifted)


def test_a_shift_of_inputs_is_found_whatever_their_units():
    for unit in (1e-9, 1e-3, 1e3, 1e9):
        module = small(Centred).double()
        with torch.no_grad():
            module[0].weight /= unit
        module.forward = lambda x, m=module, u=unit: nn.Sequential.forward(m, x - 3 * u)
        with pytest.raises(ValueError, match="something else"):
            PiecewiseLinearNetwork.from_torch(module)
        module.forward = lambda x, m=module: nn.Sequential.forward(m, x)
        assert PiecewiseLinearNetwork.from_torch(module).n_features == 4


class Image(nn.Sequential):
    def forward(self, x):
        return super().forward(x.reshape(len(x), 4)).squeeze(1)


class Named(nn.Linear):
    pass


def test_from_torch_accepts_what_changes_nothing():
    seen = []
    watched = changed_by(lambda m: m[0].register_forward_hook(lambda layer, i, o: seen.append(o)))
    plain = PiecewiseLinearNetwork.from_torch(small())
    torch.manual_seed(0)
    named = nn.Sequential(Named(4, 5), nn.ReLU(), Named(5, 1))
    for module in (watched, small(Image), named):
        network = PiecewiseLinearNetwork.from_torch(module)
        assert_array_equal(network.weights[0], plain.weights[0])
    assert seen


def test_a_module_that_does_not_take_rows_is_refused_in_words():
    class Picture(nn.Sequential):
        def forward(self, x):
            return super().forward(x.permute(0, 3, 1, 2))

    with pytest.raises(ValueError, match=r"cannot be checked: for rows of shape \(257, 4\)"):
        PiecewiseLinearNetwork.from_torch(small(Picture))

    class Pair(nn.Sequential):
        def forward(self, x):
            return super().forward(x), x

    with pytest.raises(ValueError, match=r"cannot be checked.*it raises TypeError"):
        PiecewiseLinearNetwork.from_torch(small(Pair))
    with pytest.raises(ValueError, match="Call `forward` with a dummy batch to initialize"):
        PiecewiseLinearNetwork.from_torch(nn.Sequential(nn.LazyLinear(2)))
    with pytest.raises(TypeError, match=r"must be real, got torch\.complex64"):
        PiecewiseLinearNetwork.from_torch(nn.Linear(2, 1, dtype=torch.complex64))
    broken = small()
    with torch.no_grad():
        broken[0].bias[1] = torch.nan
    with pytest.raises(ValueError, match=r"bias of Linear\(in_features=4.*must be finite"):
        PiecewiseLinearNetwork.from_torch(broken)


def pruned(layer):
    prune.l1_unstructured(layer, "weight", 0.5)
    return layer


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(
    "wrap",
    [
        nn.utils.weight_norm,
        nn.utils.spectral_norm,
        pruned,
        nn.utils.parametrizations.weight_norm,
        nn.utils.parametrizations.spectral_norm,
    ],
)
def test_weights_that_are_computed_are_read_as_the_module_computes_them(wrap):
    def net():
        return nn.Sequential(wrap(nn.Linear(4, 5)), nn.ReLU(), nn.Linear(5, 1))

    X = torch.randn(60, 4)
    trained, loaded = net(), net().eval()
    with torch.no_grad():
        trained(X)  # spectral norm moves its vectors in training mode
        for parameter in trained.parameters():
            parameter *= 1.5
    loaded.load_state_dict(trained.state_dict())
    network = PiecewiseLinearNetwork.from_torch(loaded)
    with torch.no_grad():
        assert_allclose(network.forward(X.numpy()), loaded(X), atol=1e-6)
    trained.train()
    before = {name: tensor.clone() for name, tensor in trained.state_dict().items()}
    PiecewiseLinearNetwork.from_torch(trained)
    assert all(torch.equal(before[name], t) for name, t in trained.state_dict().items())


def test_from_torch_leaves_the_module_and_the_random_numbers_alone():
    class Noisy(nn.Identity):
        def forward(self, x):
            torch.rand(3)
            return x

    module = nn.Sequential(nn.Linear(3, 4), Noisy(), nn.ReLU(), nn.Linear(4, 1)).train()
    module[2].eval()
    module[3].weight.requires_grad_(False)
    module(torch.ones(2, 3)).sum().backward()
    gradient = module[0].weight.grad.clone()
    torch.manual_seed(0)
    PiecewiseLinearNetwork.from_torch(module)
    drawn = torch.rand(5)
    torch.manual_seed(0)
    assert torch.equal(drawn, torch.rand(5))
    assert [part.training for part in module.modules()] == [True, True, True, False, True]
    assert torch.equal(module[0].weight.grad, gradient)
    assert module[0].weight.requires_grad
    assert not module[3].weight.requires_grad
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("default", [torch.float32, torch.float64])
def test_modules_of_any_dtype_are_read_as_they_are(dtype, default):
    module = small().to(dtype)
    try:
        torch.set_default_dtype(default)
        network = PiecewiseLinearNetwork.from_torch(module)
        with torch.no_grad():
            outputs = network.to_torch()(torch.ones(1, 4, dtype=torch.float64))
    finally:
        torch.set_default_dtype(torch.float32)
    assert_array_equal(network.weights[0], module[0].weight.detach().double())
    assert outputs.dtype == torch.float64
    assert_allclose(outputs, network.forward(np.ones((1, 4))), rtol=1e-12)


def test_rows_that_overflow_in_half_precision_do_not_count():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).half()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter *= 300
        assert not torch.isfinite(module(100 * torch.randn(50, 3).half())).all()
    assert PiecewiseLinearNetwork.from_torch(module).hidden_sizes == (4,)
    module[1].register_forward_hook(lambda layer, i, out: 0.9 * out)
    with pytest.raises(ValueError, match=r"layer '1' \(ReLU\) has hooks"):
        PiecewiseLinearNetwork.from_torch(module)


def test_a_network_ends_before_the_link():
    torch.manual_seed(0)
    body = nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 3))
    X = np.random.default_rng(0).normal(size=(50, 3))
    right = PiecewiseLinearNetwork.from_torch(body).forward(X)
    for link in (nn.Sigmoid(), nn.Softmax(dim=1), nn.LogSoftmax(dim=-1)):
        for n_segments in (None, 3):
            network = PiecewiseLinearNetwork.from_torch(nn.Sequential(body, link), n_segments)
            assert_array_equal(network.forward(X), right)
            assert len(network.activations) == 1
    inside = nn.Sequential(nn.Linear(3, 4), nn.Sigmoid(), nn.Linear(4, 2), nn.Sigmoid())
    network = PiecewiseLinearNetwork.from_torch(inside, n_segments=4)
    assert network.activations == (approximate("sigmoid", 4),)
    across_rows = nn.Sequential(body, nn.Softmax(dim=0))
    with pytest.raises(TypeError, match=r"cannot read layer '1' \(Softmax\)"):
        PiecewiseLinearNetwork.from_torch(across_rows, n_segments=3)
    image = Image(nn.Linear(4, 1), nn.Sigmoid())
    with pytest.raises(ValueError, match=r"ends in a sigmoid.*Image has a forward of its own"):
        PiecewiseLinearNetwork.from_torch(image, n_segments=3)


def test_a_second_activation_is_dropped_only_where_it_changes_nothing():
    module = nn.Sequential(nn.Linear(2, 3), nn.GELU(), nn.GELU(), nn.Linear(3, 1)).double()
    network = PiecewiseLinearNetwork.from_torch(module, n_segments=2)
    assert network.hidden_sizes == (3, 3)
    X = np.random.default_rng(0).normal(size=(200, 2))
    error = np.abs(network.forward(X) - module(torch.tensor(X)).detach().numpy())
    assert (error <= network.approximation_error_bound(X) + 1e-12).all()


def test_a_state_dict_that_was_loaded_is_what_is_read():
    def leaky(slope):
        network = PiecewiseLinearNetwork(
            [np.ones((5, 4)), np.ones((1, 5))],
            [np.arange(5.0), [0.0]],
            PiecewiseLinear.leaky_relu(slope),
        )
        return network.to_torch()

    first, second = leaky(0.3), leaky(0.01)
    second.load_state_dict(first.state_dict())
    read = PiecewiseLinearNetwork.from_torch(second)
    assert read.activations == (PiecewiseLinear.leaky_relu(0.3),)
    low = leaky(0.3).to(torch.float16)
    assert PiecewiseLinearNetwork.from_torch(low).activations[0].slopes[0] == 0.3
    copied = pickle.loads(pickle.dumps(second))  # noqa: S301
    assert copied[1].activation == read.activations[0]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_from_torch_reads_a_network_on_the_gpu():
    module = torch_network(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    on_cpu = PiecewiseLinearNetwork.from_torch(module)
    on_gpu = PiecewiseLinearNetwork.from_torch(module.cuda())
    assert_array_equal(on_cpu.weights[0], on_gpu.weights[0])


@pytest.mark.parametrize("name", list(SMOOTH))
def test_from_torch_approximates_only_when_asked(name):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 8), SMOOTH[name], nn.Linear(8, 2)).double().eval()
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
        assert_allclose(probability, mlp.predict_proba(X)[:, 1], rtol=1e-10)
    else:
        softmax = np.exp(logits - logits.max(axis=1, keepdims=True))
        softmax /= softmax.sum(axis=1, keepdims=True)
        assert_allclose(softmax, mlp.predict_proba(X), rtol=1e-10)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_from_sklearn_regressor():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 4)), rng.normal(size=60)
    mlp = MLPRegressor(hidden_layer_sizes=(8, 5), max_iter=20, random_state=0).fit(X, y)
    network = PiecewiseLinearNetwork.from_sklearn(mlp)
    assert_allclose(network.forward(X)[:, 0], mlp.predict(X), rtol=1e-12)
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


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_from_sklearn_keeps_the_names_of_the_features():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(30, 3)), columns=["age", "income", "debt"])
    mlp = MLPRegressor(hidden_layer_sizes=(4,), max_iter=5, random_state=0).fit(X, X["age"])
    network = pickle.loads(pickle.dumps(PiecewiseLinearNetwork.from_sklearn(mlp)))  # noqa: S301
    assert network.feature_names_in_.tolist() == ["age", "income", "debt"]
    assert_allclose(network.forward(X)[:, 0], mlp.predict(X))
    assert_allclose(network.forward(X.to_numpy())[:, 0], mlp.predict(X))
    with pytest.raises(ValueError, match=r"fitted on \['age', 'income', 'debt'\]"):
        network.activation_pattern(X[["debt", "income", "age"]])
    unnamed = PiecewiseLinearNetwork.from_sklearn(mlp.fit(X.to_numpy(), X["age"]))
    assert not hasattr(unnamed, "feature_names_in_")
    assert unnamed.forward(X[["debt", "income", "age"]]).shape == (30, 1)


def test_at_a_jump_the_module_takes_the_upper_segment():
    step = PiecewiseLinear([0.0, 1.0], [0.0, 0.0, 2.0], [0.0, 1.0, 5.0])
    network = PiecewiseLinearNetwork([[[1.0]], [[1.0]]], [[0.0], [0.0]], step)
    X = np.array([[-1.0], [0.0], [0.5], [1.0], [2.0]])
    found = network.to_torch()(torch.tensor(X)).detach().numpy()
    np.testing.assert_array_equal(found, network.forward(X))
    assert found.ravel().tolist() == [0.0, 1.0, 1.0, 7.0, 9.0]


def test_a_module_is_made_without_random_numbers():
    before = torch.random.get_rng_state()
    random_network([3, 4, 2]).to_torch()
    assert torch.equal(torch.random.get_rng_state(), before)
