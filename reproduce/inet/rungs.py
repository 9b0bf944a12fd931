"""Train the rungs of the ladder at n = 5.

``python -m inet.rungs``, in the folder `reproduce`, trains them beforehand. This file decides what
is kept between calls: a change of it starts anew.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
from replicates import Replicates
from results import WORK

from inet.nets import SHARED_SEED, points
from xai_course.inet import LambdaNets, fidelity_error, train_lambda_nets
from xai_course.inet.softmax_net import SoftmaxInterpretationNetwork, train_softmax_network
from xai_course.polynomials import sample_polynomials

N = 5
N_TRAIN = 15_360  # 60 shards of 256; the paper has 45,000
EPOCHS = {"flat": 40, "canonical": 40, "sum": 25}
RATE = {"flat": 5e-4, "canonical": 5e-4, "sum": 1e-3}
RUNGS = {
    "flat": ("flat", "independent", False),
    "flat, shared": ("flat", "shared", False),
    "flat, shared, straight-through": ("flat", "shared", True),
    "canonical": ("canonical", "independent", False),
    "sum": ("sum", "independent", False),
    "sum, straight-through": ("sum", "independent", True),
    "canonical, straight-through": ("canonical", "independent", True),
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


def i_net(rung: str, seed: int) -> tuple[SoftmaxInterpretationNetwork, dict[str, Any]]:
    """Return an I-Net and what it cost, trained now or in a call before."""
    path = WORK / f"softmax-{rung.replace(', ', '-')}-{seed}.safetensors"
    kept = Replicates(f"inet_rung_{path.stem}", [Path(__file__)])
    if not path.exists():
        kept.done.clear()
    cost = kept.run("cost", lambda: _train(rung, seed, path))
    return SoftmaxInterpretationNetwork.load(path), cost


def _train(rung: str, seed: int, path: Path) -> dict[str, Any]:
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
    network.save(path)
    some, X = nets[:1000], points(N)[:1000]
    return {
        "cpu_seconds": round(seconds, 1),
        "parameters": network.n_parameters,
        "on_training_nets_soft": float(fidelity_error(some, network.soft(some), X).mean()),
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    for k in (0, 1):
        for name in RUNGS:
            print(name, k, i_net(name, k)[1], flush=True)
