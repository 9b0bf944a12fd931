"""The I-Net of Marton et al. (2022) as its authors ran it, at n = 5, over seeds of the I-Net.

Layers, rate, batch, points and the 45,000 networks are those of Table 2. What the published code
adds to the paper: all lambda-nets start from the same first weights
(``fixed_seed_lambda_training``), and the loss takes the arg-max of each softmax. Three things
differ: the lambda-nets stop by the paper's rule on rows that a stack of networks shares; the 500
epochs are `EPOCHS`, with the best weights on a tenth of the networks that is held out; products of
matrices are rounded to bfloat16 in training, which takes two thirds of the time.

``python -m inet.authors SEED``, in the folder `reproduce`, trains one beforehand; a stopped run
goes on at its last checkpoint.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from replicates import Replicates
from results import WORK, spread, summary

from inet.fidelity import recall
from inet.nets import NOISE, SHARED_SEED, held_out, points, targets
from inet.runtime import ALONE, median, milliseconds
from xai_course.inet import LambdaNets, fidelity_error, train_lambda_nets
from xai_course.inet.baselines import Constant
from xai_course.inet.softmax_net import SoftmaxInterpretationNetwork, train_softmax_network
from xai_course.polynomials import sample_polynomials

N = 5
N_TRAIN = 45_000
SEEDS = (0, 1, 2)  # every further one takes half an hour of computing
EPOCHS = 60
SETTINGS = {
    "hidden": (4096, 2048, 1024, 512),
    "epochs": EPOCHS,
    "patience": EPOCHS,
    "learning_rate": 1e-4,
    "batch_size": 256,
    "n_points": 500,
    "released_loss": True,
}
PRINTED = {"mean_of_100_networks": "Figure 6 only", "example_at_5": 0.0068}


def authors_network() -> dict[str, Any]:
    """Read the held-out networks that share the first weights with the I-Nets of all seeds."""
    torch.set_num_threads(1)
    tests, X = {noise: held_out(N, noise, "shared") for noise in NOISE}, points(N)
    found = [_measure(seed, tests, X) for seed in SEEDS]
    constant = fidelity_error(tests[0.0], Constant().explain(tests[0.0]), X)
    return {
        "seeds": found,
        "error": spread([one["error"]["mean"] for one in found]),
        "constant": summary(constant),
        "settings": {k: list(v) if isinstance(v, tuple) else v for k, v in SETTINGS.items()}
        | {
            "training_nets": N_TRAIN,
            "initialisation": "shared",
            "products": "bfloat16",
            "seeds": list(SEEDS),
        },
        "printed": PRINTED,
    }


def _measure(seed: int, tests: dict[float, LambdaNets], X: np.ndarray) -> dict[str, Any]:
    network, seconds = i_net(seed)
    explained = {noise: network.explain(nets) for noise, nets in tests.items()}
    errors = {noise: fidelity_error(tests[noise], found, X) for noise, found in explained.items()}
    alone = [milliseconds(lambda: network.explain(tests[0.0][k])) for k in range(ALONE)]  # noqa: B023
    log = network.log
    return {
        "error": summary(errors[0.0]),
        "with_noise": {f"{noise:g}": summary(found) for noise, found in errors.items()},
        "more_with_noise": {f"{n:g}": summary(found - errors[0.0]) for n, found in errors.items()},
        "alone_ms": median(alone),
        "target_monomials_found": round(recall(explained[0.0], targets(N)), 4),
        "train_loss": [log["train_loss"][k] for k in (1, -1)],
        "validation_loss": log["validation_loss"],
        "best_epoch": log["best_epoch"],
        "parameters": network.n_parameters,
        "cpu_seconds": seconds,
    }


def i_net(seed: int) -> tuple[SoftmaxInterpretationNetwork, float]:
    """Return the I-Net of one seed and the seconds of its last call, trained now or before."""
    path = WORK / f"softmax-authors-{seed}.safetensors"
    kept = Replicates(f"inet_{path.stem}", [Path(__file__)])
    if not path.exists():
        kept.done.clear()
    seconds = kept.run("cpu_seconds", lambda: _train(seed, path))
    return SoftmaxInterpretationNetwork.load(path), seconds


def _train(seed: int, path: Path) -> float:
    nets = train_lambda_nets(
        sample_polynomials(N_TRAIN, N, seed=1),
        recipe="paper",
        initialisation="shared",
        seed=SHARED_SEED,
        folder=WORK / "lambda-nets-5-authors",
    )
    started = time.process_time()
    torch.set_float32_matmul_precision("medium")
    try:
        network = train_softmax_network(
            nets, seed=seed, checkpoint=path.with_suffix(".part"), **SETTINGS
        )
    finally:
        torch.set_float32_matmul_precision("highest")
    network.save(path)
    return round(time.process_time() - started, 1)


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(i_net(int(sys.argv[1]))[0].log, flush=True)
