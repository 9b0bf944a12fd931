"""How often a reading of the weights names the term that a polynomial slowly loses.

Forty networks of one polynomial, each with a start and rows of its own: the streams of the chapter
*watching-a-network-drift*, drawn as there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from inet.streams import BURN_IN, READER, REFERENCE, ROWS, SHARES, WATCHED, on_support
from xai_course import inet
from xai_course import polynomials as poly
from xai_course.inet.population import OnlineNets

NETWORKS, LOST = 40, 0.6
COEF = np.array([0.8, -0.6, 0.5])
TERMS = np.array([[1, 0, 0, 0, 0], [0, 1, 1, 0, 0], [0, 0, 0, 2, 0], [0, 0, 0, 0, 0]])


def drift_named() -> dict[str, Any]:
    """Return in how many networks the largest step is that of the term that was lost."""
    steps = _steps()
    lost = np.arange(NETWORKS) % len(COEF)
    return {
        "networks": NETWORKS,
        "right": int((np.abs(steps).argmax(axis=1) == lost).sum()),
        "steps": steps.round(4).tolist(),
        "lost": lost.tolist(),
    }


def _steps() -> np.ndarray:
    """Return how far each coefficient moves from the reference to the end, one row a network."""
    before = [poly.SparsePolynomial(COEF, TERMS[:3])] * NETWORKS
    losses = LOST * np.eye(len(COEF))[np.arange(NETWORKS) % len(COEF)]
    after = [poly.SparsePolynomial(COEF - loss, TERMS[:3]) for loss in losses]
    learner = OnlineNets(inet.train_lambda_nets(before, n_hidden=25, seed=3, progress=False))
    rng, reference = np.random.default_rng(4), []
    for t in range(-BURN_IN - REFERENCE, WATCHED):
        X = rng.random((NETWORKS, ROWS, 5))
        y = poly.evaluate_polynomials(before, X)
        y += SHARES["slowly"](t) * (poly.evaluate_polynomials(after, X) - y)
        learner.learn(X, y + 0.1 * rng.normal(size=y.shape))
        if -REFERENCE <= t < 0:
            reference.append(READER.moments(learner.nets))
    return on_support(READER.moments(learner.nets) - np.mean(reference, axis=0), TERMS)
