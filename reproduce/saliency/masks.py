"""What masks take away, seen by the network they were learned on and by others.

Every draw trains two networks of each kind, dense and convolutional, on disjoint halves of the
garments. Differences are taken within a draw, and a standard error is over draws.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from saliency._draws import over_draws
from xai_course import data
from xai_course.book.convnet import convnet
from xai_course.masks import learn_masks
from xai_course.training import TrainedClassifier, mlp, train_classifier

DRAWS = 6
GARMENTS = 60  # that get masks, in each draw
SIDE = 28
SMOOTH = {"side": 7, "area_price": 0.3, "edge_price": 0.5, "jitter": 2}
FREE = {"side": SIDE, "area_price": 3.0, "edge_price": 0.0, "jitter": 0}
MASKS = {"smooth": SMOOTH, "free": FREE}
KINDS: dict[str, Callable[[int], nn.Module]] = {
    "dense": lambda seed: mlp([784, 256, 64, 10], seed=seed),
    "convolutional": lambda seed: convnet(seed=seed),
}

Numbers = dict[str, float]


def table() -> dict[str, Any]:
    """Return for each kind of network and mask who changes the decision."""
    found = over_draws([_draw(number) for number in range(DRAWS)])
    return {"draws": DRAWS, "garments": GARMENTS, **found}


def _draw(draw: int) -> dict[str, Numbers]:
    networks, X = _networks(draw)
    images, rng = X.reshape(-1, SIDE, SIDE), np.random.default_rng([draw, 1])
    found = {}
    for kind, other_kind in (("dense", "convolutional"), ("convolutional", "dense")):
        own = networks[kind][0]
        others = {"own": own, "same kind": networks[kind][1], "other kind": networks[other_kind][1]}
        for name, how in MASKS.items():
            masks = learn_masks(own, images, random_state=draw, **how)
            control = images * _control(masks.keep, images, how["side"], rng)
            row = f"{kind}, {name}"
            found[row] = _effects(others, images, masks.images, masks.target)
            found[row]["deleted"] = float((1 - masks.keep).mean())
            found[f"{row}, elsewhere"] = _effects(others, images, control, masks.target)
    return found


def _networks(draw: int) -> tuple[dict[str, list[nn.Module]], np.ndarray]:
    """Return two networks of each kind, trained on disjoint garments, and garments all know."""
    X, test, y, wanted = data.load("fashion_mnist").split()
    halves = np.random.default_rng(draw).permutation(len(X)).reshape(2, -1)
    trained = {
        kind: [_classifier(start, X[rows], y[rows], 2 * draw + i) for i, rows in enumerate(halves)]
        for kind, start in KINDS.items()
    }
    every = [network for pair in trained.values() for network in pair]
    known = np.all([network.predict(test) == wanted for network in every], axis=0)
    chosen = np.random.default_rng([draw, 2]).permutation(np.flatnonzero(known))[:GARMENTS]
    whole = {
        kind: [nn.Sequential(nn.Flatten(), network.module) for network in pair]
        for kind, pair in trained.items()
    }
    return whole, test[chosen]


def _classifier(
    start: Callable[[int], nn.Module], X: np.ndarray, y: np.ndarray, seed: int
) -> TrainedClassifier:
    settings = {"epochs": 12, "batch_size": 64, "learning_rate": 2e-3, "seed": seed}
    return train_classifier(start(seed), X, y, device="cpu", **settings)


def _control(
    keep: np.ndarray, images: np.ndarray, side: int, rng: np.random.Generator
) -> np.ndarray:
    """Return masks that delete as much elsewhere: of the next garment, or at other lit pixels."""
    if side < SIDE:
        return np.roll(keep, 1, axis=0)
    moved = keep.copy()
    for mask, image in zip(moved, images, strict=True):
        lit = np.flatnonzero(image > 0.05)
        mask.flat[lit] = rng.permutation(mask.flat[lit])
    return moved


def _effects(
    networks: dict[str, nn.Module], images: np.ndarray, masked: np.ndarray, target: np.ndarray
) -> Numbers:
    found = {"change": float(np.abs(masked - images).mean() / images.mean())}
    rows = np.arange(len(target)), target
    for name, network in networks.items():
        before, after = (_probability(network, X) for X in (images, masked))
        found[f"{name}, drop"] = float((before[rows] - after[rows]).mean())
        found[f"{name}, flipped"] = float((after.argmax(1) != target).mean())
    for name in list(networks)[1:]:
        found[f"own - {name}"] = found["own, drop"] - found[f"{name}, drop"]
    return found


def _probability(network: nn.Module, images: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return network(torch.tensor(images, dtype=torch.float32)).softmax(1).double().numpy()
