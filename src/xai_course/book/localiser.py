"""The small fully convolutional networks that find garments on canvases.

``python -m xai_course.book.localiser`` trains the two shipped ones again and rewrites their files.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import nn

from xai_course._validation import check_choice
from xai_course.book.classifiers import read_classifier, train_on_cpu, write_classifier
from xai_course.book.networks import WEIGHTS
from xai_course.data import Dataset, canvas_garments
from xai_course.training import TrainedClassifier

__all__ = ["load_localiser", "localiser", "train_localiser"]

POOLINGS = ("average", "max")
_SETTINGS = {"epochs": 15, "batch_size": 64, "learning_rate": 1e-2, "patience": 15}


def localiser(pooling: str = "average", *, seed: int = 0) -> nn.Sequential:
    """Return an untrained network for canvases of 56 by 56 pixels.

    Parameters
    ----------
    pooling : {"average", "max"}
        ``"average"``: each of the 32 last maps is averaged, and a linear layer weighs the averages
        (Zhou et al., 2016). ``"max"``: the linear layer weighs the maps place by place, and the
        largest score of each class counts (Oquab et al., 2015).
    seed : int
        Seed of the weights, which torch draws as it always does.

    Returns
    -------
    torch.nn.Sequential
        Takes rows of 3,136 pixels and gives ten logits. All but its last three layers make 32 maps
        of 14 by 14; one place of them sees 31 by 31 pixels. 14,946 weights with either pooling.

    Raises
    ------
    ValueError
        If the pooling is unknown.

    Notes
    -----
    Explained in the chapter *class-activation-maps*.
    """
    check_choice(pooling, "pooling", POOLINGS)
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        maps = [
            nn.Unflatten(1, (1, 56, 56)),
            *(nn.Conv2d(1, 12, 5, stride=2, padding=2), nn.BatchNorm2d(12), nn.ReLU()),
            nn.MaxPool2d(2),
            *(nn.Conv2d(12, 24, 5, padding=2), nn.BatchNorm2d(24), nn.ReLU()),
            *(nn.Conv2d(24, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU()),
        ]
        if pooling == "average":
            return nn.Sequential(*maps, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10))
        return nn.Sequential(*maps, nn.Conv2d(32, 10, 1), nn.AdaptiveMaxPool2d(1), nn.Flatten())


def train_localiser(
    canvases: Dataset, pooling: str = "average", *, seed: int = 0, progress: bool = False
) -> TrainedClassifier:
    """Train a network on the labels of canvases; it is told no place.

    Parameters
    ----------
    canvases : Dataset
        From `xai_course.data.canvas_garments`, of 56 by 56 pixels; the training part is used.
    pooling : {"average", "max"}
    seed : int
        Seed of the weights, the validation rows and the batches.
    progress : bool

    Returns
    -------
    TrainedClassifier

    Raises
    ------
    ValueError
        If the pooling is unknown.
    """
    X, _, y, _ = canvases.split()
    module = localiser(pooling, seed=seed)
    return train_on_cpu(module, X, y, seed=seed, progress=progress, **_SETTINGS)


def load_localiser(pooling: str = "average") -> TrainedClassifier:
    """Load a shipped network, trained on the default canvases.

    Parameters
    ----------
    pooling : {"average", "max"}

    Returns
    -------
    TrainedClassifier

    Raises
    ------
    ValueError
        If the pooling is unknown.
    OSError
        If the file is missing or damaged; the message says how to repair it.

    Notes
    -----
    Explained in the chapter *class-activation-maps*.
    """
    command = "python -m xai_course.book.localiser"
    return read_classifier(localiser(pooling), _name(pooling), command)


def _name(pooling: str) -> str:
    return f"localiser_{pooling}"


def _main() -> None:
    parser = argparse.ArgumentParser(description="Train the book's localisers; write their files.")
    parser.add_argument("--folder", type=Path, default=WEIGHTS)
    folder = parser.parse_args().folder
    canvases = canvas_garments()
    for pooling in POOLINGS:
        trained = train_localiser(canvases, pooling, progress=True)
        write_classifier(folder, _name(pooling), trained)


if __name__ == "__main__":
    _main()
