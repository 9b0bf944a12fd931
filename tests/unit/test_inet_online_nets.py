"""Networks that go on learning, and the tests that watch them."""

from functools import partial

import numpy as np
import pytest
import random_networks
import torch

from xai_course.inet import LambdaNets
from xai_course.inet.population import OnlineNets

random_nets = partial(random_networks.random_nets, n_nets=3, n_hidden=7, n_variables=4)


def as_torch(nets, index):
    layers = torch.nn.Linear(nets.n_variables, nets.n_hidden), torch.nn.Linear(nets.n_hidden, 1)
    module = torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1]).double()
    with torch.no_grad():
        layers[0].weight.copy_(torch.tensor(nets.hidden_weights[index]))
        layers[0].bias.copy_(torch.tensor(nets.hidden_biases[index]))
        layers[1].weight.copy_(torch.tensor(nets.output_weights[index : index + 1]))
        layers[1].bias.copy_(torch.tensor(nets.output_biases[index : index + 1]))
    return module


def test_learning_is_what_torch_does():
    start = random_nets()
    learner = OnlineNets(start, learning_rate=0.01)
    modules = [as_torch(start, i) for i in range(len(start))]
    optimisers = [torch.optim.Adam(m.parameters(), lr=0.01) for m in modules]
    rng = np.random.default_rng(1)
    for _ in range(30):
        X, y = rng.random((3, 8, 4)), rng.normal(size=(3, 8))
        found = learner.learn(X, y)
        for i, (module, optimiser) in enumerate(zip(modules, optimisers, strict=True)):
            difference = module(torch.tensor(X[i]))[:, 0] - torch.tensor(y[i])
            np.testing.assert_allclose(found[i], difference.detach(), atol=1e-10)
            optimiser.zero_grad()
            difference.square().mean().backward()
            optimiser.step()
    expected = LambdaNets.from_networks(modules)
    np.testing.assert_allclose(learner.nets.parameters(), expected.parameters(), atol=1e-10)


def test_the_start_is_left_alone_and_nets_are_copies():
    start = random_nets()
    before = start.parameters()
    learner = OnlineNets(start)
    seen = learner.nets
    learner.learn(np.ones((3, 2, 4)), np.zeros((3, 2)))
    np.testing.assert_array_equal(start.parameters(), before)
    np.testing.assert_array_equal(seen.parameters(), before)
    assert (learner.nets.parameters() != before).any()


def test_wrong_batches_are_named():
    learner = OnlineNets(random_nets())
    with pytest.raises(ValueError, match=r"X of shape \(N, n, 4\)"):
        learner.learn(np.ones((3, 2, 5)), np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"\(3, 2, 4\) and \(3, 3\)"):
        learner.learn(np.ones((3, 2, 4)), np.zeros((3, 3)))
    with pytest.raises(ValueError, match="learning_rate must be a number above 0"):
        OnlineNets(random_nets(), learning_rate=0)
