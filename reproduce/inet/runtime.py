"""Figure 5 of Marton et al. (2022): milliseconds for an explanation, and when training pays.

Time of explanations is that of the process, on one thread: other work on the machine changes it
little. An I-Net has to be trained once. It pays from the network on at which training and
explanations together took less than another method's explanations.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from inet.gplearn import evolved
from inet.methods import methods
from inet.nets import VARIABLES, held_out
from xai_course.inet import InterpretationNetwork

ALONE, BATCHES = 25, 3
PRINTED = {"symbolic_regression_ms_at_5": 160_000, "i_net_ms": 3}


def figure5() -> dict[str, Any]:
    """Time every method at every n, alone and in a batch of 100."""
    torch.set_num_threads(1)
    return {str(n): _figure5(n) for n in VARIABLES} | {"printed": PRINTED}


def _figure5(n: int) -> dict[str, Any]:
    nets = held_out(n)
    table: dict[str, Any] = {}
    for name, method in methods(n).items():
        method.explain(nets[:2])  # tables that are made once
        alone = [milliseconds(lambda: method.explain(nets[k])) for k in range(ALONE)]  # noqa: B023
        batch = [milliseconds(lambda: method.explain(nets)) for _ in range(BATCHES)]  # noqa: B023
        table[name] = {
            "alone_ms": median(alone),
            "in_a_batch_of_100_ms": median(np.array(batch) / len(nets)),
        }
    seconds = [run["cpu_seconds"] for run in evolved(n)]
    table["gplearn"] = {"alone_ms": round(1000 * float(np.mean(seconds)), 1)}
    training = training_seconds(n)
    others = {
        "gplearn": table["gplearn"]["alone_ms"],
        "search": table["search"]["alone_ms"],
        "search_in_a_batch": table["search"]["in_a_batch_of_100_ms"],
        "closed_form": table["closed_form"]["alone_ms"],
    }
    own = table["learned"]
    return {
        "methods": table,
        "training_seconds": training,
        "pays_after_networks": {
            name: crossover(
                sum(training.values()),
                own["in_a_batch_of_100_ms" if name.endswith("batch") else "alone_ms"],
                other,
            )
            for name, other in others.items()
        },
    }


def training_seconds(n: int) -> dict[str, float]:
    """Return the wall clock time of the shipped I-Net: its networks on two workers, then itself."""
    log = InterpretationNetwork.from_pretrained(n).log
    return {"lambda_nets": log["lambda_nets"]["seconds"], "i_net": log["seconds"]}


def crossover(training_seconds: float, own_ms: float, other_ms: float) -> int | None:
    """Return the first number of networks at which training has paid; None if it never does."""
    if own_ms >= other_ms:
        return None
    return math.floor(1000 * training_seconds / (other_ms - own_ms)) + 1


def milliseconds(work: Callable[[], Any]) -> float:
    """Return the process time that `work` takes."""
    started = time.process_time()
    work()
    return 1000 * (time.process_time() - started)


def median(values: list[float] | np.ndarray) -> float:
    """Return the median to four significant digits."""
    return float(f"{np.median(values):.4g}")
