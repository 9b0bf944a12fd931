"""Do one piece of work of one size, once, and report its CPU seconds and its size."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Sequence
from typing import Any

import _probe
import numpy as np

from xai_course.inet import InterpretationNetwork, LambdaNets
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.unwrapping import UnwrapperClassifier, UnwrapperRegressor

# What returns a size of its own, such as regions, says so; else the size is what was asked for.
Work = Callable[[], Any]


def network_of(sizes: Sequence[int]) -> PiecewiseLinearNetwork:
    """Return a He-normal network with seed 0."""
    rng, pairs = np.random.default_rng(0), list(itertools.pairwise(sizes))
    weights = [rng.normal(0, np.sqrt(2 / n_in), (n_out, n_in)) for n_in, n_out in pairs]
    return PiecewiseLinearNetwork(weights, [rng.normal(0, 0.1, n_out) for _, n_out in pairs])


def unwrapped(kind: type, rows: int, width: int = 40, depth: int = 4, features: int = 20) -> Any:
    """Return an unwrapper and its rows, not fitted."""
    network, rng = network_of([features, *[width] * depth, 1]), np.random.default_rng(1)
    X = rng.normal(size=(rows, features))
    output = network.forward(X)[:, 0]
    y = output + rng.normal(0, 0.1, rows)
    return kind(network), X, (y > np.median(y)).astype(int) if kind is UnwrapperClassifier else y


def fit(**shape: int) -> Work:
    """Return the fit of an unwrapper."""
    unwrapper, X, y = unwrapped(UnwrapperRegressor, **{"rows": 10_000} | shape)
    return lambda: unwrapper.fit(X, y)


def summary(kind: type, rows: int) -> Work:
    """Return the summary of a fitted unwrapper."""
    unwrapper, X, y = unwrapped(kind, rows)
    return unwrapper.fit(X, y).summary


def merge(rows: int) -> Work:
    """Return the merge of a fitted unwrapper to ten clusters."""
    unwrapper, X, y = unwrapped(UnwrapperRegressor, rows)
    unwrapper.fit(X, y)
    return lambda: unwrapper.merge(n_clusters=10)


def enumerate_regions(features: int, width: int) -> Work:
    """Return the enumeration of a network's regions in a box."""
    network = network_of([features, width, 1])
    return lambda: len(network.enumerate_regions([[-1, 1]] * features, 10**7))


def explain(networks: int) -> Work:
    """Return the explanation of many networks of five variables."""
    rng = np.random.default_rng(0)
    shapes = ((networks, 25, 5), (networks, 25), (networks, 25), networks)
    nets = LambdaNets(*(rng.normal(size=shape) for shape in shapes))
    reader = InterpretationNetwork.from_pretrained(5)
    return lambda: reader.explain(nets)


WORKS: dict[str, Callable[[int], Work]] = {
    "fit, rows": lambda n: fit(rows=n),
    "fit, neurons a layer": lambda n: fit(width=n),
    "fit, depth": lambda n: fit(depth=n),
    "fit, inputs": lambda n: fit(features=n),
    "summary of a regression, rows": lambda n: summary(UnwrapperRegressor, n),
    "summary of classes, rows": lambda n: summary(UnwrapperClassifier, n),
    "merge, rows": merge,
    "regions of two inputs, neurons": lambda n: enumerate_regions(2, n),
    "regions of four inputs, neurons": lambda n: enumerate_regions(4, n),
    "explanation of networks, networks": explain,
}


def main(name: str, warm_up: str, size: str) -> None:
    """Do the work once on the smallest size, then measure it."""
    WORKS[name](int(warm_up))()
    work = WORKS[name](int(size))
    found, figures = _probe.measure(work, _probe.memory(peak=False))
    counted = found if isinstance(found, int) else int(size)
    _probe.report({**figures, "size": counted})


if __name__ == "__main__":
    main(*sys.argv[1:])
