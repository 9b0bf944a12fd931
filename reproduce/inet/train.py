"""Train the I-Nets that come with the library, one per number of variables.

Their training networks differ in recipe and noise, so that the units that the moment map meets
differ as well; seeds are below those of every held-out network.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from results import WORK

from xai_course.inet import LambdaNets, concatenate, train_interpretation_network, train_lambda_nets
from xai_course.inet.moment_net import PRETRAINED, WEIGHTS
from xai_course.inet.population import RECIPES
from xai_course.polynomials import sample_polynomials

CHEAP = RECIPES["cheap"]
# Networks of each kind: half learnt their target well, a quarter hardly, a quarter with noise.
KINDS: dict[str, dict[str, Any]] = {
    "cheap": {"recipe": CHEAP, "share": 0.5},
    "five epochs": {"recipe": replace(CHEAP, epochs=5), "share": 0.25},
    "noise": {"recipe": CHEAP, "noise": 0.3, "share": 0.25},
}
SETTINGS: dict[int, dict[str, Any]] = {
    1: {"n_nets": 1000, "hidden": (128, 128), "steps": 4_000},
    5: {"n_nets": 2000, "hidden": (256, 256), "steps": 6_000},
    10: {"n_nets": 1200, "hidden": (256, 256), "steps": 4_000},
    15: {"n_nets": 800, "hidden": (256, 256), "steps": 3_000},
}
COMMON = {"batch_size": 32, "learning_rate": 2e-3, "seed": 0}


def training_nets(n: int, n_jobs: int = 2) -> LambdaNets:
    """Return the networks that the moment map for n variables learns from."""
    degree, sparsity = PRETRAINED[n]
    parts = []
    for seed, (name, kind) in enumerate(KINDS.items(), start=100):
        count = round(kind["share"] * SETTINGS[n]["n_nets"])
        parts.append(
            train_lambda_nets(
                sample_polynomials(count, n, degree, sparsity, seed=seed),
                recipe=kind["recipe"],
                noise=kind.get("noise", 0.0),
                seed=seed,
                folder=WORK / f"inet-{n}-{name.replace(' ', '-')}",
                shard_size=64,
                n_jobs=n_jobs,
            )
        )
    return concatenate(parts)


def train(n: int) -> Path:
    """Train the I-Net for n variables and put it where `from_pretrained` finds it."""
    degree, sparsity = PRETRAINED[n]
    options = {k: v for k, v in SETTINGS[n].items() if k != "n_nets"} | COMMON
    wall, cpu = time.perf_counter(), time.process_time()
    nets = training_nets(n)
    nets_seconds = time.perf_counter() - wall
    cpu = time.process_time()
    found = train_interpretation_network(
        nets,
        degree=degree,
        sparsity=sparsity,
        checkpoint=WORK / f"inet-{n}.safetensors",
        **options,
    )
    log = found.log | {
        "command": f"python reproduce/inet.py train {n}",
        "lambda_nets": {
            name: {
                "share": kind["share"],
                "epochs": kind["recipe"].epochs,
                "noise": kind.get("noise", 0.0),
            }
            for name, kind in KINDS.items()
        }
        | {"count": len(nets), "seconds": round(nets_seconds, 1)},
        "cpu_seconds_of_last_call": round(time.process_time() - cpu, 1),
    }
    found.log = log
    path = WEIGHTS / f"{n}.safetensors"
    found.save(path)
    return path
