"""Train the rungs of the ladder at n = 5, and read the held-out networks with each.

This file decides what is kept between calls: a change of it starts anew.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from _inet_nets import NOISE, SHARED_SEED, WORK, errors, held_out, points, summary, targets
from replicates import Replicates

from xai_course.inet import (
    LambdaNets,
    SparsePolynomial,
    monomial_indices,
    sample_polynomials,
    train_lambda_nets,
    train_softmax_network,
)

N = 5
N_TRAIN = 15_360  # 60 shards of 256; the paper has 45,000
EPOCHS = {"flat": 40, "canonical": 40, "sum": 25}
RATE = {"flat": 5e-4, "canonical": 5e-4, "sum": 1e-3}
SEEDS = (0, 1)
RUNGS = {
    "sum": ("sum", "independent", False),
    "sum, straight-through": ("sum", "independent", True),
    "flat": ("flat", "independent", False),
    "canonical": ("canonical", "independent", False),
    "canonical, straight-through": ("canonical", "independent", True),
    "flat, shared": ("flat", "shared", False),
    "flat, shared, straight-through": ("flat", "shared", True),
    "flat, straight-through": ("flat", "independent", True),
}


def training_nets(initialisation: str) -> LambdaNets:
    """Return the networks that the I-Nets learn from: cheap recipe, seeds 1 and 2."""
    shared = initialisation == "shared"
    return train_lambda_nets(
        sample_polynomials(N_TRAIN, N, seed=1),
        recipe="cheap",
        initialisation=initialisation,
        seed=SHARED_SEED if shared else 1,
        folder=WORK / ("lambda-nets-5-shared" if shared else "lambda-nets-5"),
    )


def test_nets() -> dict[str, LambdaNets]:
    """Return the held-out networks of both kinds of first weights, at every noise."""
    return {
        _name(initialisation, noise): held_out(N, noise, initialisation)
        for initialisation in ("independent", "shared")
        for noise in NOISE
    }


def _name(initialisation: str, noise: float) -> str:
    return f"{initialisation}, noise {noise:g}"


def measured(rung: str, seed: int) -> dict[str, Any]:
    """Return what one I-Net reached, now or in a call before."""
    kept = Replicates("inet_rungs", [Path(__file__)])
    return kept.run(f"{rung}, seed {seed}", lambda: _measure(rung, seed))


def _measure(rung: str, seed: int) -> dict[str, Any]:
    """Train one I-Net; return its errors on every test set and what it cost."""
    encoder, initialisation, straight_through = RUNGS[rung]
    nets = training_nets(initialisation)
    started = time.process_time()
    network = train_softmax_network(
        nets,
        encoder=encoder,
        straight_through=straight_through,
        epochs=EPOCHS[encoder],
        learning_rate=RATE[encoder],
        seed=seed,
    )
    seconds = time.process_time() - started
    X, sample = points(N), nets[:1000]
    found: dict[str, Any] = {
        "cpu_seconds": round(seconds, 1),
        "parameters": network.n_parameters,
        "on_training_nets_soft": float(errors(sample, network.soft(sample), X[:1000]).mean()),
        "errors": {},
    }
    for name, test in test_nets().items():
        hard = network.explain(test)
        found["errors"][name] = {
            "soft": summary(errors(test, network.soft(test), X)),
            "hard": summary(errors(test, hard, X)),
        }
        if name == _name(initialisation, 0.0):
            found["target_monomials_found"] = _recall(hard, targets(N))
    return found


def _recall(found: list[SparsePolynomial], wanted: list[SparsePolynomial]) -> float:
    """Return the mean share of a target's monomials that its explanation has."""
    shares = []
    for ours, own in zip(found, wanted, strict=True):
        indices = set(monomial_indices(own.exponents, 3))
        shares.append(len(indices & set(monomial_indices(ours.exponents, 3))) / len(indices))
    return float(np.mean(shares))


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    for k in SEEDS:
        for name in RUNGS:
            one = measured(name, k)
            print(name, k, one["cpu_seconds"], one["errors"]["independent, noise 0"], flush=True)
