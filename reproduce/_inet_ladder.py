"""The ladder at n = 5: what an I-Net with the paper's output layer reaches, and what limits it.

All rungs learn from the same target polynomials and are read on the same 100 held-out networks,
with the polynomial of the softmaxes ("soft", dense) and with its likeliest monomials ("hard", s
terms) apart. Seeds vary the I-Net's own first weights and points.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _inet_nets import (
    NOISE,
    SHARED_SEED,
    WORK,
    dense_errors,
    errors,
    held_out,
    points,
    summary,
    targets,
)
from replicates import Replicates
from results import spread

from xai_course.inet import (
    LambdaNets,
    SparsePolynomial,
    monomial_indices,
    sample_polynomials,
    train_lambda_nets,
    train_softmax_network,
)

N = 5
N_TRAIN = 20_480  # shards of 256; the paper has 45,000
N_POLYNOMIALS = 45_000
SEEDS = (0, 1, 2)
EPOCHS = {"flat": 30, "canonical": 30, "sum": 20}
RATE = {"flat": 5e-4, "canonical": 5e-4, "sum": 1e-3}
RUNGS = {
    "flat, shared": ("flat", "shared", False),
    "flat, shared, straight-through": ("flat", "shared", True),
    "flat": ("flat", "independent", False),
    "flat, straight-through": ("flat", "independent", True),
    "canonical": ("canonical", "independent", False),
    "canonical, straight-through": ("canonical", "independent", True),
    "sum": ("sum", "independent", False),
    "sum, straight-through": ("sum", "independent", True),
}


def training_nets(initialisation: str) -> LambdaNets:
    """Return the networks that the I-Nets learn from: cheap recipe, seeds 1 and 2."""
    shared = initialisation == "shared"
    return train_lambda_nets(
        sample_polynomials(N_POLYNOMIALS, N, seed=1)[:N_TRAIN],
        recipe="cheap",
        initialisation=initialisation,
        seed=SHARED_SEED if shared else 1,
        folder=WORK / ("lambda-nets-5-shared" if shared else "lambda-nets-5"),
    )


def i_net(rung: str, seed: int, nets: LambdaNets | None = None):
    """Return the I-Net of one rung, trained now or in a call before."""
    encoder, initialisation, straight_through = RUNGS[rung]
    nets = training_nets(initialisation) if nets is None else nets
    name = rung.replace(", ", "-")
    return train_softmax_network(
        nets,
        encoder=encoder,
        straight_through=straight_through,
        epochs=EPOCHS[encoder],
        learning_rate=RATE[encoder],
        seed=seed,
        checkpoint=WORK / f"softmax-{name}-{seed}.safetensors",
    )


def ladder() -> dict[str, Any]:
    """Train the rungs, and read all held-out networks with each."""
    torch.set_num_threads(1)
    kept = Replicates("inet_ladder", [Path(__file__)])
    X = points(N)
    tests = {
        "independent": held_out(N),
        "shared": held_out(N, 0.0, "shared"),
        **{f"noise {z:g}": held_out(N, z) for z in NOISE[1:]},
        **{f"shared, noise {z:g}": held_out(N, z, "shared") for z in NOISE[1:]},
    }
    table: dict[str, Any] = {}
    for rung in RUNGS:
        found = {seed: kept.run(f"{rung}, {seed}", lambda: _one(rung, seed, tests, X))  # noqa: B023
                 for seed in SEEDS}  # fmt: skip
        table[rung] = _over_seeds(list(found.values()))
    record = {
        "rungs": table,
        "scale": {
            name: {
                "constant": summary(_constant_errors(nets, X)),
                "dense": summary(dense_errors(nets, X, 3)),
                "target": summary(errors(nets, targets(N), X)),
            }
            for name, nets in tests.items()
        },
        "settings": {
            "training_nets": N_TRAIN,
            "hidden": [1024, 512, 256],
            "epochs": EPOCHS,
            "learning_rate": RATE,
            "seeds": list(SEEDS),
            "printed_by_the_paper": {"hidden": [4096, 2048, 1024, 512], "epochs": 500,
                                     "training_nets": 45_000},
        },
    }  # fmt: skip
    return record


def _one(rung: str, seed: int, tests: dict[str, LambdaNets], X: np.ndarray) -> dict[str, Any]:
    """Train one I-Net; return its errors on every test set and what it cost."""
    nets = training_nets(RUNGS[rung][1])
    started = time.process_time()
    network = i_net(rung, seed, nets)
    seconds = time.process_time() - started
    sample = nets[:1000]
    record: dict[str, Any] = {
        "cpu_seconds": round(seconds, 1),
        "parameters": network.n_parameters,
        "training_nets_soft": float(errors(sample, network.soft(sample), X).mean()),
        "recall": _recall(network.explain(tests["independent"]), targets(N)),
        "tests": {},
    }
    for name, test in tests.items():
        polynomials = {"soft": network.soft(test), "hard": network.explain(test)}
        record["tests"][name] = {
            key: summary(errors(test, g, X)) for key, g in polynomials.items()
        }
    return record


def _over_seeds(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Return mean errors over 100 networks, with their spread over the I-Net's seeds."""
    over = {
        name: {
            kind: spread([one["tests"][name][kind]["mean"] for one in found])
            for kind in ("soft", "hard")
        }
        for name in found[0]["tests"]
    }
    return {
        "parameters": found[0]["parameters"],
        **{key: spread([one[key] for one in found])
           for key in ("cpu_seconds", "training_nets_soft", "recall")},
        "over_seeds": over,
        "seed_0": found[0]["tests"],
    }  # fmt: skip


def _recall(found: list[SparsePolynomial], wanted: list[SparsePolynomial]) -> float:
    """Return the mean share of a target's monomials that its explanation has."""
    shares = []
    for ours, own in zip(found, wanted, strict=True):
        own_set = set(monomial_indices(own.exponents, 3))
        shares.append(len(own_set & set(monomial_indices(ours.exponents, 3))) / len(own_set))
    return float(np.mean(shares))


def _constant_errors(nets: LambdaNets, X: np.ndarray) -> np.ndarray:
    values = nets.predict(X)
    return np.abs(values - np.median(values, axis=1)[:, None]).mean(axis=1)
