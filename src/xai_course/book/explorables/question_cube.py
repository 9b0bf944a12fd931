"""Questions in a cube around a row, from which OpenAPI recovers the local model of CoCircles."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from xai_course.book.explorables import packed_network
from xai_course.networks import PiecewiseLinearNetwork

DRAWS = 8  # other questions to ask


def data(network: PiecewiseLinearNetwork, rows: ArrayLike, corners: ArrayLike) -> dict[str, Any]:
    """Return the network behind the counter, rows to explain, the boundary, and the questions.

    Parameters
    ----------
    network : PiecewiseLinearNetwork
        With two inputs and one output.
    rows : array_like, shape (n, 2)
    corners : array_like, shape (n_corners, 2)
        Of the recovered decision boundary, in their order around it.

    Notes
    -----
    Three offsets from the row, in units of the cube's edge, belong to one draw of the questions:
    two to solve with, besides the row itself, and one to test with.
    """
    offsets = np.random.default_rng(0).uniform(-0.5, 0.5, (DRAWS, 3, 2))
    return {
        "network": packed_network(network),
        "rows": np.asarray(rows, dtype=float).round(4).tolist(),
        "corners": np.asarray(corners, dtype=float).round(4).tolist(),
        "offsets": offsets.round(4).tolist(),
        "box": [[-1.5, 1.5], [-1.5, 1.5]],
    }
