"""The ladder at n = 5: what an I-Net with the paper's output layer reaches, and what limits it.

All rungs learn from the same target polynomials and are read on the same 100 held-out networks,
with the polynomial of the softmaxes ("soft", all monomials) and with its likeliest monomials
("hard", s terms) apart. Seeds vary the I-Net's own first weights and points.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from _inet_methods import methods
from _inet_nets import dense_errors, errors, points, summary, targets
from _inet_rungs import EPOCHS, N, N_TRAIN, RATE, RUNGS, SEEDS, measured, test_nets
from _inet_train import training_seconds
from results import spread

PAPER = {"hidden": [4096, 2048, 1024, 512], "epochs": 500, "training_nets": 45_000}


def ladder() -> dict[str, Any]:
    """Train the rungs, and read all held-out networks with each and with the I-Nets of moments."""
    torch.set_num_threads(1)
    rungs = {
        rung: _over_seeds([measured(rung, seed) for seed in SEEDS]) | _how(rung) for rung in RUNGS
    }
    X, tests = points(N), test_nets()
    for name in ("learned", "closed_form"):
        found = {
            key: {"hard": summary(errors(nets, methods(N)[name].explain(nets), X))}
            for key, nets in tests.items()
        }
        rungs[name] = {"errors": found}
    rungs["learned"]["training_seconds"] = training_seconds(N)
    scale = {
        key: {
            "constant": summary(errors(nets, methods(N)["constant"].explain(nets), X)),
            "dense": summary(dense_errors(nets, X, 3)),
            "target": summary(errors(nets, targets(N), X)),
        }
        for key, nets in tests.items()
    }
    settings = {
        "training_nets": N_TRAIN,
        "hidden": [1024, 512, 256],
        "epochs": EPOCHS,
        "learning_rate": RATE,
        "seeds": list(SEEDS),
        "of_the_paper": PAPER,
    }
    return {"rungs": rungs, "scale": scale, "settings": settings}


def _how(rung: str) -> dict[str, Any]:
    return dict(zip(("encoder", "training_nets", "straight_through"), RUNGS[rung], strict=True))


def _over_seeds(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Return mean errors over the networks, with their spread over the I-Net's seeds."""
    own = ("cpu_seconds", "on_training_nets_soft", "target_monomials_found")
    return {
        "parameters": found[0]["parameters"],
        **{key: spread([one[key] for one in found]) for key in own},
        "errors": {
            name: {
                kind: spread([one["errors"][name][kind]["mean"] for one in found])
                | {"sd_over_networks": float(np.mean([o["errors"][name][kind]["sd"] for o in found]))}
                for kind in ("soft", "hard")
            }
            for name in found[0]["errors"]
        },
    }
