"""TracIn against the same descent without a row, which is what it estimates."""

from __future__ import annotations

from typing import Any

import numpy as np
from results import difference, over_seeds
from scipy.special import expit

from cases._small_nets import SmallNet
from cases.influence_networks import N_DRAWS, agreement, chosen, likeness, rows_of, solved


def table() -> dict[str, Any]:
    """Return the correlations over the rows left out, and pairwise differences over draws."""
    runs = [descent(seed) for seed in range(N_DRAWS)]
    return {
        "settings": {"network": "30-5-5-1, 500 steps of descent, 5 checkpoints", "draws": N_DRAWS},
        "correlation": over_seeds(runs),
        "TracIn less": {
            name: difference([run["TracIn"] - run[name] for run in runs])
            for name in runs[0]
            if name != "TracIn"
        },
    }


def descent(seed: int) -> dict[str, Any]:
    """Return how TracIn's sum over checkpoints agrees with the same descent without a row."""
    X, X_test, y = rows_of(seed)
    net, everything = SmallNet((30, 5, 5, 1), 0.0), np.ones(len(X))
    start = net.start(seed)
    path = net.descend(start, X, y, everything)
    theta = path[-1]
    rows = chosen(np.abs(expit(net.logits(theta, X)) - y), np.random.default_rng(seed))
    says, true = net.logits(theta, X_test), []
    for i in rows:
        kept = everything.copy()
        kept[i] = 0
        true.append(net.logits(net.descend(start, X, y, kept)[-1], X_test) - says)
    J, residual = net.slopes(theta, X), expit(net.logits(theta, X)) - y
    damped = net.gauss_newton(theta, X)
    guesses = {
        "TracIn": sum(
            ((expit(net.logits(t, X)) - y)[:, None] * net.slopes(t, X))[rows]
            @ net.slopes(t, X_test).T
            for t in path
        ),
        "gauss-newton, damping 10": solved(
            damped, 10, (J * residual[:, None])[rows], net.slopes(theta, X_test)
        ),
        "control: signed likeness of inputs": likeness(X[rows], y[rows], X_test),
    }
    return {
        name: agreement(guess, np.array(true))["correlation"] for name, guess in guesses.items()
    }
