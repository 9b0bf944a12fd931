"""The two convolutional networks that the book ships: LeNet-5, and its piecewise linear sister.

LeNet-5 is the black box that the book distils: its tanh makes it no piecewise linear network. The
sister has ReLU and max pooling in the same places, so that its saliency can be computed exactly.
``python -m xai_course.book.convnet`` trains them again and rewrites their files.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from xai_course import data
from xai_course.book.classifiers import read_classifier, train_on_cpu, write_classifier
from xai_course.book.networks import WEIGHTS
from xai_course.training import TrainedClassifier

__all__ = ["convnet", "lenet", "load_convnet", "load_lenet"]

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

    Explained in the chapter *distillation*.
    """
    return _two_convolutions(nn.Tanh, nn.AvgPool2d, n_classes, seed)


def convnet(n_classes: int = 10, *, seed: int = 0) -> nn.Sequential:
    """Return an untrained ReLU network with max pooling, of LeNet-5's size.

    Parameters
    ----------
    n_classes : int
    seed : int
        Seed of the weights, which torch draws as it always does.

    Returns
    -------
    torch.nn.Sequential
        Takes rows of 784 pixels, shape (n_samples, 784), and gives logits. Each module is used
        once, as methods that hook modules need.

    Notes
    -----
    Piecewise linear: between two kinks of a ReLU or of a maximum it is one linear function.

    Explained in the chapter *gradients*.
    """
    return _two_convolutions(nn.ReLU, nn.MaxPool2d, n_classes, seed)


def _two_convolutions(
    activation: Callable[[], nn.Module],
    pooling: Callable[[int], nn.Module],
    n_classes: int,
    seed: int,
) -> nn.Sequential:
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Unflatten(1, (1, 28, 28)),
            nn.Conv2d(1, 6, 5, padding=2),
            activation(),
            pooling(2),
            nn.Conv2d(6, 16, 5),
            activation(),
            pooling(2),
            nn.Flatten(),
            nn.Linear(400, 120),
            activation(),
            nn.Linear(120, 84),
            activation(),
            nn.Linear(84, n_classes),
        )


_NETWORKS = {"lenet_fashion_mnist": lenet, "convnet_fashion_mnist": convnet}


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
    Explained in the chapter *distillation*.
    """
    return _load("lenet_fashion_mnist")


def load_convnet() -> TrainedClassifier:
    """Load the shipped `convnet`, trained on the book's Fashion-MNIST images.

    Returns
    -------
    TrainedClassifier
        As for `load_lenet`.

    Raises
    ------
    OSError
        If the file is missing or damaged; the message says how to repair it.

    Notes
    -----
    Explained in the chapter *gradients*.
    """
    return _load("convnet_fashion_mnist")


def _load(name: str) -> TrainedClassifier:
    return read_classifier(_NETWORKS[name](), name, f"python -m xai_course.book.convnet {name}")


def _train(name: str, progress: bool = False) -> TrainedClassifier:
    if name not in _NETWORKS:
        raise ValueError(f"There is no network {name!r}. There are {' and '.join(_NETWORKS)}.")
    X, _, y, _ = data.load("fashion_mnist").split()
    return train_on_cpu(_NETWORKS[name](), X, y, seed=0, progress=progress, **_SETTINGS)


def _main() -> None:
    parser = argparse.ArgumentParser(description="Train the convolutional networks of the book.")
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(_NETWORKS))
    parser.add_argument("--folder", type=Path, default=WEIGHTS)
    arguments = parser.parse_args()
    for name in arguments.names or _NETWORKS:
        write_classifier(arguments.folder, name, _train(name, progress=True))


if __name__ == "__main__":
    _main()
