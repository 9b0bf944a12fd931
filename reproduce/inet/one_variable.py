"""Small I-Nets for one variable, over draws of everything: what an I-Net needs in order to work.

A draw is new target polynomials, new first weights and rows of the lambda-nets, and new first
weights and points of the I-Nets. All I-Nets of a draw read the same held-out networks, so their
errors can be compared draw by draw.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from replicates import Replicates

from xai_course.inet import (
    InterpretationNetwork,
    LambdaNets,
    fidelity_error,
    train_interpretation_network,
    train_lambda_nets,
)
from xai_course.inet.softmax_net import SoftmaxInterpretationNetwork, train_softmax_network
from xai_course.polynomials import sample_polynomials

DRAWS = 10
N_TRAIN, N_TEST = 800, 100
SHAPE = {"degree": 5, "sparsity": 3}
RECIPE = {
    "hidden": (256, 128),
    "epochs": 15,
    "batch_size": 64,
    "learning_rate": 1e-3,
    "n_points": 100,
}
STEPS, MAP = 500, (64, 64)  # of the learned moments
GRID = ((np.arange(500) + 0.5) / 500)[:, None]
# Name, first weights of the networks that it learns from, and how it is trained.
RUNGS: dict[str, tuple[str, dict[str, Any]]] = {
    "flat, own starts": ("independent", {}),
    "flat, one start": ("shared", {}),
    "published loss, one start": ("shared", {"released_loss": True}),
    "straight-through, one start": ("shared", {"straight_through": True}),
    "sorted, own starts": ("independent", {"encoder": "canonical"}),
    "sum, own starts": ("independent", {"encoder": "sum"}),
    "sum, straight-through": ("independent", {"encoder": "sum", "straight_through": True}),
}


def one_variable() -> dict[str, Any]:
    """Return the errors of all rungs, one entry for each draw."""
    torch.set_num_threads(1)
    kept = Replicates("inet_one_variable", [Path(__file__)])
    draws = [kept.run(f"draw {k}", lambda k=k: _draw(k)) for k in range(DRAWS)]
    return {
        "errors": {
            rung: {kind: [one[rung][kind] for one in draws] for kind in draws[0][rung]}
            for rung in draws[0]
        },
        "settings": RECIPE
        | {"hidden": list(RECIPE["hidden"]), "training_nets": N_TRAIN, "held_out": N_TEST},
    }


def _draw(k: int) -> dict[str, Any]:
    targets = sample_polynomials(N_TRAIN + N_TEST, 1, **SHAPE, seed=1000 + k)
    nets = {
        start: train_lambda_nets(
            targets, initialisation=start, n_samples=800, seed=k, progress=False
        )
        for start in ("independent", "shared")
    }
    tests = {start: some[N_TRAIN:] for start, some in nets.items()}
    found: dict[str, Any] = {}
    for rung, (start, options) in RUNGS.items():
        reader = train_softmax_network(
            nets[start][:N_TRAIN], seed=k, progress=False, **SHAPE, **RECIPE, **options
        )
        found[rung] = _both(reader, tests[start])
        found[rung]["trained on"] = round(reader.log["train_loss"][-1], 5)
        if rung == "flat, one start":
            found["of another start"] = _both(reader, tests["independent"])
            found["in another order"] = _both(reader, tests["shared"].permuted(seed=k))
            chance = reader.outputs(tests["shared"])[1]
            names = [len(np.unique(row)) for row in chance.argmax(axis=2)]
            found[rung]["likeliest"] = round(float(chance.max(axis=2).mean()), 4)
            found[rung]["twice"] = float(np.mean(np.array(names) < SHAPE["sparsity"]))
    learned = train_interpretation_network(
        nets["independent"][:N_TRAIN], hidden=MAP, steps=STEPS, seed=k, progress=False, **SHAPE
    )
    closed = InterpretationNetwork.closed_form(1, **SHAPE)
    for name, reader in (("learned moments", learned), ("closed form", closed)):
        found[name] = {"hard": _error(tests["independent"], reader.explain(tests["independent"]))}
    for start, name in (("independent", "constant"), ("shared", "constant, one start")):
        y = tests[start].predict(GRID)
        found[name] = {"hard": round(float(np.abs(y - np.median(y, 1, keepdims=True)).mean()), 5)}
    return found


def _both(reader: SoftmaxInterpretationNetwork, nets: LambdaNets) -> dict[str, float]:
    return {"soft": _error(nets, reader.soft(nets)), "hard": _error(nets, reader.explain(nets))}


def _error(nets: LambdaNets, polynomials: list[Any]) -> float:
    return round(float(fidelity_error(nets, polynomials, GRID).mean()), 5)
