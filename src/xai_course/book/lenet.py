"""LeNet-5, the black box that the book distils, and the one that it ships.

Its tanh makes it no piecewise linear network, so nothing in `xai_course.networks` can read it.
``python -m xai_course.book.lenet`` trains the shipped one again and rewrites its file.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from xai_course import data
from xai_course.book.networks import WEIGHTS, read_weights, write_weights
from xai_course.training import TrainedClassifier, train_classifier

__all__ = ["lenet", "load_lenet"]

_NAME = "lenet_fashion_mnist"
_SETTINGS = {"epochs": 30, "batch_size": 64, "learning_rate": 1e-3, "patience": 10}


def lenet(n_classes: int = 10, *, seed: int = 0) -> nn.Sequential:
    """Return an untrained LeNet-5 for images of 28 by 28 pixels.

    Parameters
    ----------
    n_classes : int
    seed : int
        Seed of the weights, which torch draws as it always does.

    Returns
    -------
    torch.nn.Sequential
        Takes rows of 784 pixels, shape (n_samples, 784), and gives logits. 61,706 parameters for
        ten classes.

    Notes
    -----
    LeCun et al. (1998) with the output layer that Dong et al. (2021), section 7.3, put in its
    place: ten logits for a softmax. The average pooling has no weights, and each map of the second
    convolution sees all six of the first; the rest is the original, tanh included.

    Explained in the chapter *clime*.
    """
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Unflatten(1, (1, 28, 28)),
            nn.Conv2d(1, 6, 5, padding=2),
            nn.Tanh(),
            nn.AvgPool2d(2),
            nn.Conv2d(6, 16, 5),
            nn.Tanh(),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(400, 120),
            nn.Tanh(),
            nn.Linear(120, 84),
            nn.Tanh(),
            nn.Linear(84, n_classes),
        )


def load_lenet() -> TrainedClassifier:
    """Load the shipped LeNet-5, trained on the book's Fashion-MNIST images.

    Returns
    -------
    TrainedClassifier
        `module` takes rows of 784 pixels in [0, 1] and gives ten logits; `log` holds the settings,
        the versions and the loss and the score of each epoch.

    Raises
    ------
    OSError
        If the file is missing or damaged; the message says how to repair it.

    Notes
    -----
    Explained in the chapter *clime*.
    """
    tensors, log = read_weights(_NAME, "python -m xai_course.book.lenet")
    module = lenet()
    module.load_state_dict({name: torch.from_numpy(array) for name, array in tensors.items()})
    return TrainedClassifier(module.eval(), log)


def _train(progress: bool = False) -> TrainedClassifier:
    X, _, y, _ = data.load("fashion_mnist").split()
    start = time.perf_counter()
    trained = train_classifier(lenet(), X, y, seed=0, device="cpu", progress=progress, **_SETTINGS)
    log = trained.log | {
        "training_rows": len(y),
        "seconds": round(time.perf_counter() - start, 1),
        "versions": {"numpy": np.__version__, "torch": torch.__version__},
    }
    return TrainedClassifier(trained.module, log)


def _main() -> None:
    parser = argparse.ArgumentParser(description="Train the book's LeNet and write its file.")
    parser.add_argument("--folder", type=Path, default=WEIGHTS)
    folder = parser.parse_args().folder
    trained = _train(progress=True)
    weights = {name: tensor.numpy() for name, tensor in trained.module.state_dict().items()}
    write_weights(folder, _NAME, weights, trained.log)
    print(f"{_NAME}: best epoch {trained.log['best_epoch']}, {trained.log['seconds']} s")


if __name__ == "__main__":
    _main()
