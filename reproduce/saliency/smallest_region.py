"""How many blocks of an image must go before the decision falls: rankings against exact search.

The image is cut into 16 blocks, and a deleted block becomes black. The exact answer tries all sets
of one block, then of two, and so on; a ranking deletes its blocks in order until the decision
falls. Every draw takes other garments and trains its network anew; a standard error is over draws.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import nn

from saliency._draws import mean
from xai_course import data
from xai_course.attribution import attribute
from xai_course.masks import learn_masks
from xai_course.training import mlp, train_classifier

DRAWS = 8
GARMENTS = 40
BLOCKS = np.kron(np.arange(16).reshape(4, 4), np.ones((7, 7), int))  # of each pixel


def table() -> dict[str, Any]:
    """Return blocks too many for each ranking, and the exact number."""
    draws = [_draw(number) for number in range(DRAWS)]
    found = {name: mean([draw[name] for draw in draws]) for name in draws[0]}
    pairs = {
        f"{name} - learned mask": mean([draw[name] - draw["learned mask"] for draw in draws])
        for name in found
        if name not in {"exact", "never", "learned mask"}
    }
    return {"draws": DRAWS, "garments": GARMENTS, **found, **pairs}


def _draw(draw: int) -> dict[str, float]:
    X, test, y, wanted = data.load("fashion_mnist").split()
    rng = np.random.default_rng(draw)
    rows = rng.choice(len(X), 3000, replace=False)
    settings = {"epochs": 12, "batch_size": 64, "learning_rate": 2e-3, "seed": draw}
    start = mlp([784, 256, 64, 10], seed=draw)
    trained = train_classifier(start, X[rows], y[rows], device="cpu", **settings)
    module = nn.Sequential(nn.Flatten(), trained.module).eval()
    right = rng.permutation(np.flatnonzero(trained.predict(test) == wanted))[:GARMENTS]
    images = test[right].reshape(-1, 28, 28)
    need = np.array([exact(module, image) for image in images])
    found = {"exact": float(need[need > 0].mean()), "never": float((need == 0).mean())}
    images, need = images[need > 0], need[need > 0]
    for name, scores in rankings(module, images, rng).items():
        counts = [until(module, i, s) for i, s in zip(images, scores, strict=True)]
        found[name] = float(np.mean(counts - need))
    return found


def rankings(
    module: nn.Module, images: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return a number per block and method, the block to delete first having the largest."""
    decided = decisions(module, images)
    how = {"model": module, "X": images, "target": decided}
    maps = {
        "learned mask": 1 - learn_masks(module, images, decided).keep,
        "learned mask, no jitter": 1 - learn_masks(module, images, decided, jitter=0).keep,
        "occlusion": attribute("occlusion", window=7, stride=7, **how).values,
        "gradient x input": attribute("input_x_gradient", **how).values,
        "ink": images,
        "random": rng.uniform(size=images.shape),
    }
    return {name: _by_block(values) for name, values in maps.items()}


def _by_block(values: np.ndarray) -> np.ndarray:
    return values.reshape(-1, 4, 7, 4, 7).sum((2, 4)).reshape(-1, 16)


def decisions(module: nn.Module, images: np.ndarray) -> np.ndarray:
    """Return the class of each image."""
    with torch.no_grad():
        return module(torch.tensor(images, dtype=torch.float32)).argmax(1).numpy()


def exact(module: nn.Module, image: np.ndarray, most: int = 5) -> int:
    """Return the least number of blocks whose deletion changes the decision; 0 if above `most`."""
    decided = decisions(module, image[None])[0]
    for size in range(1, most + 1):
        sets = np.array(list(combinations(range(16), size)))
        gone = (sets[:, :, None] == np.arange(16)).any(1)
        if (decisions(module, image * ~gone[:, BLOCKS]) != decided).any():
            return size
    return 0


def until(module: nn.Module, image: np.ndarray, scores: np.ndarray) -> int:
    """Return how many blocks go, the largest scores first, before the decision changes."""
    rank = np.argsort(np.argsort(-scores, kind="stable"))
    gone = rank <= np.arange(16)[:, None]
    fallen = decisions(module, image * ~gone[:, BLOCKS]) != decisions(module, image[None])[0]
    return int(fallen.argmax()) + 1 if fallen.any() else 16
