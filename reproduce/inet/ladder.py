"""The ladder at n = 5: what an I-Net with the paper's output layer reaches, and what limits it.

All rungs learn from the same target polynomials and are read on the same 100 held-out targets,
with the polynomial of the softmaxes ("soft", all monomials) and with its likeliest monomials
("hard", s terms) apart. Seeds vary the I-Net's own first weights and points.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from results import spread, summary

from inet.fidelity import recall
from inet.methods import methods
from inet.nets import NOISE, dense_errors, held_out, points, targets
from inet.rungs import EPOCHS, N_TRAIN, RATE, RUNGS, N, i_net
from inet.runtime import training_seconds
from xai_course.inet import LambdaNets, fidelity_error

SEEDS = (0,)  # every further one takes ten minutes of computing
PAPER = {"hidden": [4096, 2048, 1024, 512], "epochs": 500, "training_nets": 45_000}


def ladder() -> dict[str, Any]:
    """Train the rungs, and read all held-out networks with each and with the I-Nets of moments."""
    torch.set_num_threads(1)
    X, tests = points(N), test_nets()
    rungs = {rung: _rung(rung, tests, X) for rung in RUNGS}
    for name in ("learned", "closed_form"):
        found = {
            key: {"hard": summary(fidelity_error(nets, methods(N)[name].explain(nets), X))}
            for key, nets in tests.items()
        }
        rungs[name] = {"errors": found}
    rungs["learned"]["training_seconds"] = training_seconds(N)
    scale = {
        key: {
            "constant": summary(fidelity_error(nets, methods(N)["constant"].explain(nets), X)),
            "dense": summary(dense_errors(nets, X, 3)),
            "target": summary(fidelity_error(nets, targets(N), X)),
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


def test_nets() -> dict[str, LambdaNets]:
    """Return the held-out networks of both kinds of first weights, at every noise."""
    return {
        f"{initialisation}, noise {noise:g}": held_out(N, noise, initialisation)
        for initialisation in ("independent", "shared")
        for noise in NOISE
    }


def _rung(rung: str, tests: dict[str, LambdaNets], X: np.ndarray) -> dict[str, Any]:
    """Return mean errors over the networks, with their spread over the I-Net's seeds."""
    networks, costs = zip(*(i_net(rung, seed) for seed in SEEDS), strict=True)
    found: dict[str, Any] = {}
    for name, nets in tests.items():
        soft = [fidelity_error(nets, one.soft(nets), X) for one in networks]
        hard = [fidelity_error(nets, one.explain(nets), X) for one in networks]
        found[name] = {"soft": _over_seeds(soft), "hard": _over_seeds(hard)}
    encoder, initialisation, straight_through = RUNGS[rung]
    own = tests[f"{initialisation}, noise 0"]
    shares = [recall(one.explain(own), targets(N)) for one in networks]
    return {
        "encoder": encoder,
        "training_nets": initialisation,
        "straight_through": straight_through,
        "parameters": costs[0]["parameters"],
        "cpu_seconds": spread([cost["cpu_seconds"] for cost in costs]),
        "on_training_nets_soft": spread([cost["on_training_nets_soft"] for cost in costs]),
        "target_monomials_found": spread(shares),
        "errors": found,
    }


def _over_seeds(values: list[np.ndarray]) -> dict[str, Any]:
    sds = [one.std(ddof=1) for one in values]
    over = spread([one.mean() for one in values])
    return over | {"sd_over_networks": round(float(np.mean(sds)), 5)}
