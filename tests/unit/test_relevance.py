"""Deep Taylor decomposition: by hand, against captum, and what it refuses."""

import numpy as np
import pytest
import torch
from torch import nn

from xai_course.networks import PiecewiseLinearNetwork
from xai_course.relevance import deep_taylor


def test_one_neuron_by_hand():
    # z = 2 * 0.6 - 0.3 - 0.3 = 0.6; the corner is (0, 1), so the shares are as 1.2 to 0.7.
    network = PiecewiseLinearNetwork([[[2, -1]], [[1]]], [[-0.3], [0]])
    found = deep_taylor(network, [[0.6, 0.3]])
    assert np.allclose(found, 0.6 * np.array([[1.2, 0.7]]) / 1.9)


def test_another_range_is_another_corner():
    network = PiecewiseLinearNetwork([[[2, -1]], [[1]]], [[3], [0]])
    found = deep_taylor(network, [[0.0, 0.5]], low=-1, high=2)
    assert np.allclose(found, 2.5 * np.array([[2.0, 1.5]]) / 3.5)


@pytest.fixture
def convolutional():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Unflatten(1, (1, 6, 6)), nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(3, 4, 2), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(4, 5), nn.ReLU(),
        nn.Dropout(), nn.Linear(5, 3),
    ).eval()  # fmt: skip


def test_a_convolutional_network_conserves_and_has_no_negative_relevance(convolutional):
    X = np.random.default_rng(0).uniform(size=(40, 36))
    for layer in convolutional:
        if hasattr(layer, "bias"):
            layer.bias.data.zero_()
    scores = convolutional(torch.tensor(X, dtype=torch.float32)).detach().numpy()
    target = scores.argmax(axis=1)
    kept = scores.max(axis=1) > 1e-3
    assert kept.any()
    found = deep_taylor(convolutional, X[kept], target[kept])
    assert found.min() >= 0
    assert np.allclose(found.sum(axis=1), scores.max(axis=1)[kept], rtol=1e-4)


def test_behind_the_first_layer_it_is_captums_rule(convolutional):
    """captum has z+ and not z-B: hold the two together where the first layer is z+, too."""
    from captum.attr import LRP
    from captum.attr._utils.lrp_rules import Alpha1_Beta0_Rule

    # Without negative weights in the first layer, z-B with low 0 is z+.
    dense = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 7), nn.ReLU(), nn.Linear(7, 3))
    dense = dense.double()
    dense[0].weight.data.abs_()
    X = np.random.default_rng(1).uniform(size=(20, 6))
    target = np.arange(20) % 3
    found = deep_taylor(dense, X, target)
    for layer in dense[::2]:
        layer.rule = Alpha1_Beta0_Rule(set_bias_to_zero=True)
    theirs = LRP(dense).attribute(torch.tensor(X), target=torch.tensor(target))
    assert np.allclose(found, theirs.detach(), atol=1e-8)


def test_the_module_stays_as_it_was(convolutional):
    before = {name: value.clone() for name, value in convolutional.state_dict().items()}
    deep_taylor(convolutional, np.full((2, 36), 0.5), 0)
    after = convolutional.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert convolutional[1].weight.grad is None


def test_bad_input():
    network = PiecewiseLinearNetwork([[[2, -1]], [[1]]], [[0], [0]])
    with pytest.raises(ValueError, match=r"between low = 0 and high = 1, got values from -1 to 2"):
        deep_taylor(network, [[-1.0, 2.0]])
    with pytest.raises(TypeError, match=r"no rule for the layer Tanh\(\)"):
        deep_taylor(nn.Sequential(nn.Linear(2, 2), nn.Tanh()), [[0.1, 0.2]], 0)
    two = PiecewiseLinearNetwork([[[2, -1]], [[1], [2]]], [[0], [0, 0]])
    with pytest.raises(ValueError, match="say which to explain"):
        deep_taylor(two, [[0.1, 0.2]])
