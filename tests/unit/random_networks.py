"""Networks for tests that need any network, not a trained one."""

from itertools import pairwise

import numpy as np
from hypothesis import strategies as st

from xai_course.inet import LambdaNets
from xai_course.networks import PiecewiseLinearNetwork


def random_network(sizes, seed=0):
    """Return a network with normal parameters; `sizes` runs from the input to the output."""
    rng = np.random.default_rng(seed)
    return PiecewiseLinearNetwork(
        [rng.normal(size=(b, a)) for a, b in pairwise(sizes)],
        [rng.normal(size=b) for b in sizes[1:]],
    )


def random_nets(n_nets=4, n_hidden=6, n_variables=3, seed=0, **more):
    """Return a stack of networks with normal parameters."""
    rng = np.random.default_rng(seed)
    shapes = (n_nets, n_hidden, n_variables), (n_nets, n_hidden), (n_nets, n_hidden), (n_nets,)
    return LambdaNets(*(rng.normal(size=shape) for shape in shapes), **more)


def rescaled(nets, seed):
    """Return the same functions, each neuron in another scale."""
    factors = np.exp(np.random.default_rng(seed).uniform(-3, 3, nets.hidden_biases.shape))
    return LambdaNets(
        nets.hidden_weights * factors[:, :, None],
        nets.hidden_biases * factors,
        nets.output_weights / factors,
        nets.output_biases,
    )


def piecewise(sizes, activation, seed=0):
    """Return such a network with another activation."""
    base = random_network(sizes, seed)
    return PiecewiseLinearNetwork(base.weights, base.biases, activation)


@st.composite
def any_network(draw, max_depth=4, max_width=12, max_outputs=10):
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
