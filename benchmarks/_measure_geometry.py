"""Find all regions of a network in a square box, once, in one of three ways, and report."""

from __future__ import annotations

import sys
from collections.abc import Callable

import _probe
import numpy as np

GRID = 1000
WARM_UP_NEURONS = 4


def ours(weights: list[np.ndarray], biases: list[np.ndarray], half: float) -> int:
    """Return the number of regions that the library finds."""
    from xai_course.networks import PiecewiseLinearNetwork

    network = PiecewiseLinearNetwork(weights, biases)
    return len(network.enumerate_regions([[-half, half]] * network.n_features, 10**7))


def regioncam(weights: list[np.ndarray], biases: list[np.ndarray], half: float) -> int:
    """Return the number of regions that regioncam finds, in float32."""
    import regioncam as peer

    camera = peer.Regioncam(size=half)
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        camera.linear(np.ascontiguousarray(weight.T, dtype=np.float32), bias.astype(np.float32))
        camera.relu()
    return camera.num_faces


def affinitree(weights: list[np.ndarray], biases: list[np.ndarray], half: float) -> int:
    """Return the number of leaves of affinitree's decision tree within the box."""
    from affinitree import AffFunc, AffTree, Polytope, schema

    d = weights[0].shape[1]
    box = Polytope.hyperrectangle(d, [(-half, half)] * d)
    tree = AffTree.from_poly(box, AffFunc.identity(d))
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        tree.apply_func(AffFunc.from_mats(weight, bias))
        for neuron in range(len(bias)):
            tree.compose(schema.partial_ReLU(len(bias), neuron), prune=True)
    return tree.num_terminals()


def grid(weights: list[np.ndarray], biases: list[np.ndarray], half: float) -> int:
    """Return the number of patterns on a grid of a million points, a bit for each neuron."""
    axis = np.linspace(-half, half, GRID)
    found = []
    for x in axis:
        signal, bits = np.column_stack([np.full(GRID, x), axis]), []
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            z = signal @ weight.T + bias
            bits.append(z >= 0)
            signal = np.maximum(z, 0)
        found.append(np.unique(np.packbits(np.concatenate(bits, axis=1), axis=1), axis=0))
    return len(np.unique(np.concatenate(found), axis=0))


WAYS: dict[str, Callable[..., int]] = {
    "ours": ours, "regioncam": regioncam, "affinitree": affinitree, "grid": grid,
}  # fmt: skip


def main(path: str, way: str) -> None:
    """Measure one way on the network of a data file."""
    data = _probe.load(path)
    weights, biases = _probe.layers(data)
    half = float(data["half"])
    small = ([weights[0][:WARM_UP_NEURONS], np.ones((1, WARM_UP_NEURONS))],
             [biases[0][:WARM_UP_NEURONS], np.zeros(1)])  # fmt: skip
    try:
        WAYS[way](*small, half)
    except ImportError as error:
        _probe.report({"missing": str(error)})
        return
    before = _probe.memory(peak=False)
    regions, figures = _probe.measure(lambda: WAYS[way](weights, biases, half), before)
    _probe.report({**figures, "regions": regions})


if __name__ == "__main__":
    main(*sys.argv[1:])
