"""The network with six neurons and 22 regions of *A ReLU network is a set of linear models*."""

from __future__ import annotations

from typing import Any

import numpy as np

from xai_course.networks import PiecewiseLinearNetwork

BOX = np.array([[-1.0, 1.0], [-1.0, 1.0]])
POINT = np.array([0.2, 0.4])


def network(bias: float = -0.3) -> PiecewiseLinearNetwork:
    """Return the network of Sudjianto et al. (2020), equation 7, with the sum as its output.

    Parameters
    ----------
    bias : float
        Of all four neurons of the second layer.
    """
    first = np.array([[-1, 1], [1, 1]]) / np.sqrt(2)
    second = np.array([[1, 1 / 4], [1 / 2, 1 / 3], [1 / 3, 1 / 2], [1 / 4, 1]])
    biases = [np.zeros(2), np.full(4, bias), np.zeros(1)]
    return PiecewiseLinearNetwork([first, second, np.ones((1, 4))], biases)


def data() -> dict[str, Any]:
    """Return the network, its box and the point that a reader finds."""
    toy = network()
    return {
        "weights": [one.tolist() for one in toy.weights],
        "biases": [one.tolist() for one in toy.biases],
        "box": BOX.tolist(),
        "point": POINT.tolist(),
    }
