"""The regions of the CoCircles network, and the walk from a row to the end of its region."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from xai_course.book.explorables import packed, packed_network
from xai_course.networks import PiecewiseLinearNetwork


def data(
    network: PiecewiseLinearNetwork, rows: ArrayLike, test_rows: ArrayLike, bounds: ArrayLike
) -> dict[str, Any]:
    """Return a network with two inputs and one output, its rows and its box."""
    return {
        "network": packed_network(network),
        "rows": packed(rows),
        "tests": packed(test_rows),
        "box": np.asarray(bounds, dtype=float).tolist(),
    }
