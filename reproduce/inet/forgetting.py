"""What a network forgets of a task that its stream no longer shows, read from its weights.

Marton et al. (2022) name catastrophic forgetting as a use of fast explanations and do not test it.
The last variable says which task a row belongs to. Each network has a pair of tasks, first weights
and rows of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xai_course import inet
from xai_course import polynomials as poly
from xai_course.inet.population import OnlineNets

NETWORKS, BATCHES, SECOND, ROWS, EVERY = 200, 600, 300, 32, 10
SLICE = 0.2  # where the last variable is held, within the rows of the first task, below 0.4
# The tasks of the first network; the others are random.
TERMS = [[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, 1, 0, 1]]
NAMED = (
    poly.SparsePolynomial([0.8, -0.6, 0.5], TERMS[:3]),
    poly.SparsePolynomial([-0.7, 0.6], TERMS[3:]),
)
OLD_ROWS = {"new rows only": 0, "half old rows": ROWS // 2}


def forgetting() -> dict[str, Any]:
    """Return errors, departures at the slice, and the coefficients of the first network."""
    runs = {name: _run(n_old) for name, n_old in OLD_ROWS.items()}
    last, before = slice(-5, None), slice(SECOND // EVERY - 5, SECOND // EVERY)
    table: dict[str, Any] = {"settings": {"networks": NETWORKS, "rows": ROWS}}
    moved = {}
    for name, (stream, old_task, moments) in runs.items():
        moved[name] = np.linalg.norm(moments[last].mean(0) - moments[before].mean(0), axis=1)
        table[name] = {
            "stream grows": _spread(stream[last].mean(0) / stream[before].mean(0)),
            "first task grows": _spread(old_task[last].mean(0) / old_task[before].mean(0)),
            "departure": _mean(moved[name]),
            "stream": np.median(stream, axis=1).round(5).tolist(),
            "first task": np.median(old_task, axis=1).round(5).tolist(),
            "coefficients": _coefficients(moments[:, 0]).round(3).tolist(),
        }
    table["departure lost by old rows"] = _mean(np.subtract(*moved.values()))
    return table


def _run(n_old: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Train on both tasks; return both errors and the moments of the slice, every ten batches."""
    rng = np.random.default_rng(0)
    tasks = [
        [first, *poly.sample_polynomials(NETWORKS - 1, 4, seed=k)] for k, first in enumerate(NAMED)
    ]
    remembered = rng.random((NETWORKS, 500, 5)) * [1, 1, 1, 1, 0.4]
    truth = poly.evaluate_polynomials(tasks[0], remembered[..., :4])
    hidden, output = rng.normal(size=(NETWORKS, 25, 5)), rng.normal(size=(NETWORKS, 25))
    zero = np.zeros((NETWORKS, 25)), np.zeros(NETWORKS)
    learner = OnlineNets(inet.LambdaNets(hidden / 5**0.5, zero[0], output / 5, zero[1]), 5e-3)
    reader = inet.MomentInterpretationNetwork.closed_form(4)
    seen = []
    for t in range(BATCHES):
        X = rng.random((NETWORKS, ROWS, 5))
        old = (np.arange(ROWS) < n_old) | (t < SECOND)
        X[..., 4] = 0.4 * X[..., 4] + 0.6 * ~old
        a, b = (poly.evaluate_polynomials(task, X[..., :4]) for task in tasks)
        error = learner.learn(X, np.where(old, a, b) + 0.05 * rng.normal(size=a.shape))
        if t % EVERY == EVERY - 1:
            nets = learner.nets
            off = nets.predict(remembered) - truth
            moments = reader.moments(_held(nets))
            seen.append(((error**2).mean(axis=1), (off**2).mean(axis=1), moments))
    stream, old_task, moments = map(np.array, zip(*seen, strict=True))
    return stream, old_task, moments


def _held(nets: inet.LambdaNets) -> inet.LambdaNets:
    """Return the networks of four variables in which the last variable is held."""
    biases = nets.hidden_biases + SLICE * nets.hidden_weights[..., 4]
    output = nets.output_weights, nets.output_biases
    return inet.LambdaNets(nets.hidden_weights[..., :4], biases, *output)


def _coefficients(moments: np.ndarray) -> np.ndarray:
    """Return the best coefficients of the named terms (and a constant), one row a reading."""
    index = poly.monomial_indices(np.array([*TERMS, [0, 0, 0, 0]]), 3)
    rows = poly.monomials_in_basis(4, 3)[index]
    return np.linalg.lstsq(rows.T, moments.T, rcond=None)[0].T[:, : len(TERMS)]


def _spread(values: np.ndarray) -> dict[str, float]:
    low, median, high = np.quantile(values, [0.1, 0.5, 0.9])
    return {"low": round(low, 2), "median": round(median, 2), "high": round(high, 2)}


def _mean(values: np.ndarray) -> dict[str, float]:
    return {
        "mean": round(float(values.mean()), 3),
        "se": round(float(values.std(ddof=1) / len(values) ** 0.5), 3),
    }
