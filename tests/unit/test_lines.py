"""A network along a line, against the network itself and against kinks known by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from properties import examples
from random_networks import any_network, piecewise, random_network
from torch import nn
from torch.nn import functional as F

from xai_course.activations import PiecewiseLinear
from xai_course.approximation import approximate
from xai_course.lines import kinks, line
from xai_course.networks import PiecewiseLinearNetwork

SEEDS = st.integers(0, 2**32 - 1)
ABSOLUTE = PiecewiseLinearNetwork([[[1], [-1]], [[1, 1]]], [[0, 0], [0]])


def double(module, seed=0):
    """Return the module in float64 and evaluation mode, its statistics moved from 0 and 1."""
    torch.manual_seed(seed)
    for part in module.modules():
        if hasattr(part, "reset_parameters"):
            part.reset_parameters()
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
            part.weight.data.normal_()
    return module.double().eval()


def on_the_line(model, a, b, t):
    X = a + np.multiply.outer(t, b - a)
    if isinstance(model, PiecewiseLinearNetwork):
        return model.forward(X)
    with torch.no_grad():
        return model(torch.tensor(X)).numpy()


def check_line(model, a, b, rng, n=1000):
    """Compare values at many places, and gradients with differences within the pieces."""
    path = line(model, a, b)
    assert path.t[0] == 0
    assert path.t[-1] == 1
    assert (np.diff(path.t) > 0).all()
    t = rng.uniform(size=n)
    scale = max(1.0, np.abs(path.values).max())
    assert np.abs(path(t) - on_the_line(model, a, b, t)).max() < 1e-10 * scale
    slopes = np.diff(path.values, axis=0) / np.diff(path.t)[:, None]
    wide = np.diff(path.t) > 1e-6
    axes = tuple(range(2, path.gradients.ndim))
    along = (path.gradients * (b - a)).sum(axis=axes)
    assert np.allclose(along[wide], slopes[wide], rtol=1e-6, atol=1e-6 * scale)
    return path


@examples(40)
@given(any_network(), SEEDS)
def test_values_and_gradients_of_networks(network, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, network.n_features))
    check_line(network, a, b, rng, 200)


@examples(20)
@given(any_network(max_depth=3), SEEDS)
def test_both_ways_find_the_same_kinks(network, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, network.n_features))
    ours, theirs = line(network, a, b), line(network.to_torch(), a, b)
    # One of them may take two kinks apart, or see one that rounding makes.
    for t in ours.t:
        assert np.abs(theirs(t) - network.forward([a + t * (b - a)])).max() < 1e-9
    bends = np.abs(np.diff(ours.gradients, axis=0)).max(axis=(1, 2))
    for t in ours.t[1:-1][bends > 1e-6]:
        assert np.abs(theirs.t - t).min() < 1e-9


def test_kinks_by_hand():
    path = line(ABSOLUTE, [-1.0], [3.0])
    assert path.t.tolist() == [0, 0.25, 1]
    assert path.values.ravel().tolist() == [1, 0, 3]
    assert path.gradient().ravel().tolist() == [-1, 1]
    assert path.gradients.shape == (2, 1, 1)
    assert path([0.125]).item() == 0.5
    assert path.crossings(level=1.0) == pytest.approx([0, 0.5])
    assert path.crossings().tolist() == [0.25]
    assert path.crossings(level=5.0).size == 0


def test_all_kinks_of_the_first_layer():
    network = random_network([3, 50, 1])
    a, b = np.random.default_rng(1).normal(size=(2, 3))
    z0, z1 = (x @ network.weights[0].T + network.biases[0] for x in (a, b))
    known = np.sort((z0 / (z0 - z1))[z0 * z1 < 0])
    assert line(network, a, b).t[1:-1] == pytest.approx(known, abs=1e-12)
    assert line(network.to_torch(), a, b).t[1:-1] == pytest.approx(known, abs=1e-12)


@pytest.mark.parametrize(
    "activation",
    [
        PiecewiseLinear.leaky_relu(0.1),
        PiecewiseLinear.hardtanh(),
        PiecewiseLinear.hardtanh(-0.5, 2.0),
        approximate("tanh", 9),
    ],
    ids=repr,
)
def test_other_activations(activation):
    rng = np.random.default_rng(0)
    network = piecewise([4, 12, 12, 2], activation)
    a, b = rng.normal(size=(2, 4))
    path = check_line(network, a, b, rng)
    assert np.allclose(path.t, check_line(network.to_torch(), a, b, rng).t, atol=1e-10)


class Residual(nn.Module):
    """Two blocks with sums, functional calls, an operation used twice and sizes read on the way."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(2, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.inner = nn.Conv2d(4, 4, 3, padding=1)
        self.act = nn.ReLU()
        self.scale = nn.Parameter(torch.tensor(0.7))
        self.last = nn.Linear(4 * 9, 3)

    def forward(self, x):
        n = x.size(0)
        x = self.act(self.norm(self.first(x)))
        x = F.relu(x + 0.5 * self.act(self.inner(x)) * self.scale)
        x = torch.cat([F.max_pool2d(x, 2), F.avg_pool2d(x, kernel_size=2)], dim=1)[:, 2:6]
        return self.last(x.view(n, -1) / 2 - 0.1)


class Ways(nn.Module):
    """Calls of other kinds."""

    def __init__(self):
        super().__init__()
        self.register_buffer("one", torch.ones(1, dtype=torch.float64))

    def forward(self, x):
        x = F.leaky_relu(x, 0.2) - F.relu6(4 * x).mean(dim=2, keepdim=True)
        x = F.hardtanh(x, -1.5, 0.5) + torch.abs(x).transpose(1, 2).transpose(1, 2)
        x = F.adaptive_max_pool2d(x, 2) + F.max_pool2d(x, 3, stride=2, padding=1)[:, :, :2, :2]
        return torch.flatten(x, 1).reshape(x.shape[0], -1)


def convolutional(*layers):
    return double(nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), *layers, nn.Flatten()))


MODULES = {
    "max pooling": convolutional(nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 3, 2), nn.ReLU()),
    "wide windows": convolutional(nn.MaxPool2d(3, stride=1, padding=1), nn.ReLU()),
    "holes in windows": convolutional(nn.MaxPool2d(2, dilation=2), nn.PReLU(4), nn.Dropout(0.5)),
    "windows over the edge": convolutional(nn.LeakyReLU(), nn.MaxPool2d(3, ceil_mode=True)),
    "adaptive": convolutional(nn.AdaptiveMaxPool2d(2), nn.Hardtanh(-0.3, 0.4)),
    "averages": convolutional(nn.ReLU6(), nn.AvgPool2d(2), nn.ReLU(), nn.AdaptiveAvgPool2d(1)),
    "in place": convolutional(nn.ReLU(inplace=True), nn.Conv2d(4, 2, 2), nn.ReLU(inplace=True)),
    "residual": double(Residual()),
    "calls": Ways().eval(),
}


@pytest.mark.parametrize("name", MODULES)
def test_modules(name):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 2, 6, 6))
    path = check_line(MODULES[name], a, b, rng)
    assert len(path.t) > 4
    assert np.allclose(path.values[-1], on_the_line(MODULES[name], a, b, [1.0])[0])


@st.composite
def any_module(draw):
    """Draw a chain of convolutions with random parts between them, some with a sum around them."""
    parts, channels = [], 2
    for _ in range(draw(st.integers(1, 3))):
        wide = draw(st.integers(1, 4))
        parts.append(nn.Conv2d(channels, wide, 3, padding=1, bias=draw(st.booleans())))
        bends = nn.ReLU(), nn.LeakyReLU(0.3), nn.Hardtanh(-0.5, 0.8), nn.MaxPool2d(3, 1, 1)
        parts += [draw(st.sampled_from([nn.BatchNorm2d(wide), nn.Identity()]))]
        parts += [
            draw(st.sampled_from(bends)),
            Around(nn.Conv2d(wide, wide, 1), draw(st.booleans())),
        ]
        channels = wide
    parts += [nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * channels, 3)]
    module = double(nn.Sequential(*parts), draw(st.integers(0, 1000)))
    if draw(st.booleans()):  # ties: many inputs of neurons are exactly zero
        for parameter in module.parameters():
            parameter.data.mul_(3).round_()
    return module


class Around(nn.Module):
    """A layer with a ReLU behind it, and perhaps its input added."""

    def __init__(self, layer, adds):
        super().__init__()
        self.layer, self.adds = layer, adds

    def forward(self, x):
        return torch.relu(self.layer(x)) + (x if self.adds else 0)


@examples(25)
@given(any_module(), SEEDS)
def test_values_and_gradients_of_modules(module, seed):
    rng = np.random.default_rng(seed)
    check_line(module, *np.round(rng.normal(size=(2, 2, 5, 5)), 1), rng, 100)


def test_one_dimension():
    module = double(nn.Sequential(nn.Conv1d(2, 3, 3), nn.ReLU(), nn.MaxPool1d(2), nn.Flatten()))
    rng = np.random.default_rng(0)
    check_line(module, *rng.normal(size=(2, 2, 9)), rng)


def test_the_winner_of_a_maximum_changes():
    module = nn.Sequential(nn.MaxPool1d(3), nn.Flatten()).double()
    # Three straight lines from 0, 1, 0.6 to 2, 0, 1.1; the largest is the second, third, first.
    path = line(module, [[0.0, 1.0, 0.6]], [[2.0, 0.0, 1.1]])
    # The first and the second cross at a third, below the third.
    assert path.t == pytest.approx([0, 0.4 / 1.5, 1 / 3, 0.4, 1])
    assert path.gradients.reshape(4, 3).argmax(axis=1).tolist() == [1, 2, 2, 0]


def test_a_long_line_is_cut_and_nothing_changes(monkeypatch):
    from xai_course import _following

    a, b = np.random.default_rng(3).normal(size=(2, 2, 6, 6))
    whole = line(MODULES["residual"], a, b)
    monkeypatch.setattr(_following, "_AT_ONCE", 2000)
    cut = line(MODULES["residual"], a, b)
    assert len(whole.t) == len(cut.t)
    assert np.allclose(whole.t, cut.t, atol=1e-12)
    assert np.allclose(whole.values, cut.values)


def test_single_precision():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 2, 6, 6))
    module = double(Residual()).float()
    t = rng.uniform(size=100)
    X = torch.tensor(a + np.multiply.outer(t, b - a), dtype=torch.float32)
    with torch.no_grad():
        assert np.abs(line(module, a, b)(t) - module(X).numpy()).max() < 1e-5


def test_nothing_moves():
    for model in (ABSOLUTE, ABSOLUTE.to_torch()):
        path = line(model, [2.0], [2.0])
        assert path.t.tolist() == [0, 1]
        assert path.values.ravel().tolist() == [2, 2]
        assert path.gradient().tolist() == [[1]]


def test_dead_and_duplicate_neurons_and_ties():
    weights = [[[1.0], [1.0], [0.0], [-1.0]], [[1.0, 1.0, 1.0, 1.0]]]
    network = PiecewiseLinearNetwork(weights, [[0, 0, -1, 0], [0]])
    for model in (network, network.to_torch()):
        assert line(model, [-1.0], [1.0]).t.tolist() == [0, 0.5, 1]
        assert line(model, [0.0], [1.0]).t.tolist() == [0, 1]


def test_many_lines_are_those_one_by_one():
    network = random_network([5, 20, 20, 3])
    A, B = np.random.default_rng(0).normal(size=(2, 700, 5))
    t, values = kinks(network, A, B)
    for i in range(0, 700, 37):
        path = line(network, A[i], B[i])
        assert np.allclose(path.t, t[i])
        assert np.allclose(path.values, values[i])


def test_the_module_stays_as_it_is():
    module = double(Residual())
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    line(module, *np.random.default_rng(0).normal(size=(2, 2, 6, 6)))
    assert all(torch.equal(module.state_dict()[name], tensor) for name, tensor in before.items())
    assert all(parameter.grad is None for parameter in module.parameters())


class Square(nn.Module):
    def forward(self, x):
        return x * x


class Branch(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


class Mixed(nn.Module):
    def forward(self, x):
        return x - x.mean(dim=0)


class Aliased(nn.Module):
    """Changes what it has put aside, which a list of operations does not show."""

    def forward(self, x):
        kept = x.view(x.size(0), -1)
        torch.relu_(kept[:, :1])
        return kept


MODULE = ABSOLUTE.to_torch()


@pytest.mark.parametrize(
    ("model", "a", "b", "error", "message"),
    [
        (ABSOLUTE, [0.0], [np.nan], ValueError, "finite"),
        (ABSOLUTE, [0.0, 1.0], [0.0, 2.0], ValueError, "1 inputs"),
        (MODULE, [0.0, 1.0], [0.0, 2.0], ValueError, "does not take inputs"),
        (MODULE, [0.0], [0.0, 2.0], ValueError, "same shape"),
        ("network", [0.0], [1.0], TypeError, "PiecewiseLinearNetwork or a torch.nn.Module"),
        (
            nn.Sequential(MODULE, nn.Sigmoid()),
            [0.0],
            [1.0],
            TypeError,
            "layer '1' .Sigmoid.* logits",
        ),
        (nn.Sequential(MODULE, nn.GELU()), [0.0], [1.0], TypeError, "n_segments"),
        (Square(), [0.0], [1.0], TypeError, "operation 'mul' of Square"),
        (Branch(), [0.0], [1.0], TypeError, "cannot trace Branch"),
        (Mixed(), [0.0], [1.0], TypeError, "mixes the rows|computes something else"),
        (Aliased(), [-1.0, 0.0], [1.0, 0.0], ValueError, "computes something else"),
        (nn.Sequential(MODULE, nn.Dropout()).train(), [0.0], [1.0], ValueError, "call .eval"),
        (nn.BatchNorm1d(1).double(), [0.0], [1.0], ValueError, "call .eval"),
    ],
    ids=str,
)
def test_what_cannot_be_followed_is_named(model, a, b, error, message):
    with pytest.raises(error, match=message):
        line(model, a, b)


def test_an_activation_that_jumps():
    step = PiecewiseLinear([0.0], [0.0, 0.0], [0.0, 1.0])
    network = PiecewiseLinearNetwork([[[1.0]], [[1.0]]], [[0], [0]], step)
    with pytest.raises(ValueError, match="jumps"):
        line(network, [-1.0], [1.0])
    with pytest.raises(TypeError, match="jumps"):
        line(network.to_torch(), [-1.0], [1.0])


def test_what_a_path_is_asked():
    path = line(random_network([2, 4, 3]), [0.0, 0.0], [1.0, 1.0])
    assert "3 outputs" in repr(path)
    for target in (None, 3, -1, 0.5):
        with pytest.raises(ValueError, match="target"):
            path.gradient(target)
    with pytest.raises(ValueError, match="between 0 and 1"):
        path(1.1)
