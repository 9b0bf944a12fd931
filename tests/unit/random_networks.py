"""Networks for tests that need any network, not a trained one."""

from itertools import pairwise

import numpy as np

from xai_course.networks import PiecewiseLinearNetwork


def random_network(sizes, seed=0):
    """Return a network with normal parameters; `sizes` runs from the input to the output."""
    rng = np.random.default_rng(seed)
    return PiecewiseLinearNetwork(
        [rng.normal(size=(b, a)) for a, b in pairwise(sizes)],
        [rng.normal(size=b) for b in sizes[1:]],
    )
