"""How the shipped torch networks of the book are trained, written and read."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn

from xai_course.book.networks import read_weights, write_weights
from xai_course.training import TrainedClassifier, train_classifier

__all__ = ["read_classifier", "train_on_cpu", "write_classifier"]


def train_on_cpu(
    module: nn.Module, X: ArrayLike, y: ArrayLike, **settings: Any
) -> TrainedClassifier:
    """Train as `xai_course.training.train_classifier` does; note rows, time and versions."""
    start = time.perf_counter()
    trained = train_classifier(module, X, y, device="cpu", **settings)
    log = trained.log | {
        "training_rows": len(y),
        "seconds": round(time.perf_counter() - start, 1),
        "versions": {"numpy": np.__version__, "torch": torch.__version__},
    }
    return TrainedClassifier(trained.module, log)


def read_classifier(module: nn.Module, name: str, command: str) -> TrainedClassifier:
    """Put the shipped weights into a module of their sizes.

    Raises
    ------
    OSError
        If the file is missing or damaged; the message names `command`, which makes it again.
    """
    tensors, log = read_weights(name, command)
    module.load_state_dict({key: torch.from_numpy(array) for key, array in tensors.items()})
    return TrainedClassifier(module.eval(), log)


def write_classifier(folder: Path, name: str, trained: TrainedClassifier) -> None:
    """Write the weights and the log into `folder`, and print how the training went."""
    weights = {key: tensor.numpy() for key, tensor in trained.module.state_dict().items()}
    write_weights(folder, name, weights, trained.log)
    print(f"{name}: best epoch {trained.log['best_epoch']}, {trained.log['seconds']} s")
