"""The paper's own I-Net with 10 and 15 variables: flat weights in, softmaxes out.

Smaller than the paper's and on fewer networks, so the errors say what this budget reaches. Every
lambda-net has first weights of its own. At five variables see `_inet_ladder`.
"""

from __future__ import annotations

import time
from typing import Any

import torch
from results import WORK, summary

from inet.nets import held_out, points
from xai_course.inet import fidelity_error, train_lambda_nets
from xai_course.inet.baselines import Constant
from xai_course.inet.softmax_net import SoftmaxInterpretationNetwork, train_softmax_network
from xai_course.polynomials import sample_polynomials

TRAINING_NETS = {10: 6_000, 15: 4_000}
SETTINGS = {"encoder": "flat", "epochs": 40, "learning_rate": 5e-4, "seed": 0}


def paper_network() -> dict[str, Any]:
    """Train one for each number of variables; return its soft and its hard errors."""
    torch.set_num_threads(1)
    return {str(n): _measure(n) for n in TRAINING_NETS} | {
        "settings": SETTINGS | {"training_nets": TRAINING_NETS, "hidden": [1024, 512, 256]}
    }


def _measure(n: int) -> dict[str, Any]:
    network, seconds = _i_net(n)
    tests, X = held_out(n), points(n)
    return {
        "soft": summary(fidelity_error(tests, network.soft(tests), X)),
        "hard": summary(fidelity_error(tests, network.explain(tests), X)),
        "constant": summary(fidelity_error(tests, Constant().explain(tests), X)),
        "parameters": network.n_parameters,
        "cpu_seconds": seconds,
        "on_training_nets_soft": network.log["train_loss"][-1],
    }


def _i_net(n: int) -> tuple[SoftmaxInterpretationNetwork, float | None]:
    """Return the I-Net and the seconds of its training; None if it was there already."""
    path = WORK / f"softmax-paper-{n}.safetensors"
    if path.exists():
        return SoftmaxInterpretationNetwork.load(path), None
    nets = train_lambda_nets(
        sample_polynomials(TRAINING_NETS[n], n, seed=1), seed=1, folder=WORK / f"lambda-nets-{n}"
    )
    started = time.process_time()
    network = train_softmax_network(nets, **SETTINGS)
    seconds = round(time.process_time() - started, 1)
    network.save(path)
    return network, seconds
