"""Masks before a second network, rationales before a second reader, and reasons that are forbidden.

Every draw takes other garments or messages and trains every network anew. Differences are taken
within a draw, and a standard error is over draws.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from xai_course import data
from xai_course.book.convnet import convnet
from xai_course.data import shop_messages
from xai_course.masks import learn_masks
from xai_course.rationales import train_reader, train_selector
from xai_course.right_reasons import train_right_reasons
from xai_course.training import TrainedClassifier, mlp, train_classifier

DRAWS = 8
GARMENTS = 60  # that get masks, in each draw
SIDE = 28
SMOOTH = {"side": 7, "area_price": 0.3, "edge_price": 0.5, "jitter": 2}
FREE = {"side": SIDE, "area_price": 3.0, "edge_price": 0.0, "jitter": 0}
MASKS = {"smooth": SMOOTH, "free": FREE}
KINDS: dict[str, Callable[[int], nn.Module]] = {
    "dense": lambda seed: mlp([784, 256, 64, 10], seed=seed),
    "convolutional": lambda seed: convnet(seed=seed),
}
PRICES = {"length": (0.02, 0.0), "length and breaks": (0.02, 0.1)}
AGREEMENTS = (0.5, 0.8)
MESSAGES = 2000
WEIGHT = 10.0  # of the penalty on forbidden reasons

Numbers = dict[str, float]


def table() -> dict[str, Any]:
    """Return the three measurements, each with means and standard errors over draws."""
    return {
        "draws": DRAWS,
        "garments": GARMENTS,
        "messages": MESSAGES,
        "masks": _over_draws([_masks(draw) for draw in range(DRAWS)]),
        "rationales": {
            str(agreement): _over_draws([_rationales(draw, agreement) for draw in range(DRAWS)])
            for agreement in AGREEMENTS
        },
        "reasons": _over_draws([_reasons(draw) for draw in range(DRAWS)]),
    }


def _over_draws(draws: list[dict[str, Numbers]]) -> dict[str, dict[str, Numbers]]:
    """Return mean and standard error of every number, in the shape of one draw."""
    return {
        row: {name: _mean([draw[row][name] for draw in draws]) for name in numbers}
        for row, numbers in draws[0].items()
    }


def _mean(values: list[float]) -> Numbers:
    array = np.asarray(values, dtype=float)
    error = array.std(ddof=1) / np.sqrt(len(array))
    return {"mean": round(float(array.mean()), 4), "se": round(float(error), 4)}


# Masks: does a second network, trained on other garments, see what the mask took away?


def _masks(draw: int) -> dict[str, Numbers]:
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


# Rationales: can a reader who took no part in the training decide from them?


def _rationales(draw: int, agreement: float) -> dict[str, Numbers]:
    seen = shop_messages(MESSAGES, agreement, 2 * draw)
    fresh = shop_messages(MESSAGES, 0.5, 2 * draw + 1)
    how = seen.codes, seen.y, len(seen.vocabulary)
    judge, teacher = (train_reader(*how, seed=1000 + 2 * draw + i) for i in (0, 1))
    whole = fresh.codes > 0
    found = {
        "whole message": {"judge": float((judge.predict(fresh.codes, whole) == fresh.y).mean())}
    }
    for prices_name, (length, breaks) in PRICES.items():
        for reader_name, reader in (("together", None), ("fixed reader", teacher)):
            prices = {"length_price": length, "break_price": breaks}
            selector, own = train_selector(*how, reader=reader, seed=draw, **prices)
            keep = selector.select(fresh.codes)
            name = f"{reader_name}, {prices_name}"
            right = own.predict(fresh.codes, keep) == fresh.y
            found[name] = _judged(keep, fresh.truth) | {
                "own": float(right.mean()),
                "judge": float((judge.predict(fresh.codes, keep) == fresh.y).mean()),
                "empty and right": float((right & ~keep.any(1)).mean()),
            }
            found[name]["gap"] = found[name]["own"] - found[name]["judge"]
    return found


def _judged(keep: np.ndarray, truth: np.ndarray) -> Numbers:
    """Return how selections compare with the phrases that decide."""
    hits = (keep & truth).sum()
    ends = np.diff(np.pad(keep, ((0, 0), (1, 1))).astype(int), axis=1)
    return {
        "words": float(keep.sum(1).mean()),
        "pieces": float((ends == 1).sum(1).mean()),
        "empty": float((~keep.any(1)).mean()),
        "precision": float(hits / max(keep.sum(), 1)),
        "recall": float(hits / truth.sum()),
    }


# Reasons: what a penalty on the gradient in the corners does for garments without a decoy.

CORNERS = np.pad(np.zeros((20, 28)), ((4, 4), (0, 0)))
CORNERS[np.ix_([*range(4), *range(24, 28)], [*range(4), *range(24, 28)])] = 1
CENTRE = np.pad(np.ones((8, 8)), 10)  # as many pixels


def decoyed(X: np.ndarray, shade: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return garments with a square of four by four pixels of a grey in one corner each."""
    images = X.reshape(-1, SIDE, SIDE).copy()
    tops, lefts = rng.choice([0, 24], size=(2, len(X)))
    for image, top, left, grey in zip(images, tops, lefts, shade, strict=True):
        image[top : top + 4, left : left + 4] = grey
    return images.reshape(len(X), -1)


def _reasons(draw: int) -> dict[str, Numbers]:
    X, test, y, wanted = data.load("fashion_mnist").split()
    rng = np.random.default_rng(draw)
    rows = rng.choice(len(X), 3000, replace=False)
    plain, y = X[rows], y[rows]
    shown = decoyed(plain, 1 - y / 10, rng)
    tests = {
        "decoy as in training": decoyed(test, 1 - wanted / 10, rng),
        "no decoy": test,
        "decoy at random": decoyed(test, rng.permutation(1 - wanted / 10), rng),
    }
    no_corners = 1 - CORNERS.ravel()
    runs = {
        "no decoy in training": (plain, 0.0, CORNERS, 1.0),
        "decoy": (shown, 0.0, CORNERS, 1.0),
        "decoy, corners forbidden": (shown, WEIGHT, CORNERS, 1.0),
        "decoy, centre forbidden": (shown, WEIGHT, CENTRE, 1.0),
        "decoy, corners erased": (shown * no_corners, 0.0, CORNERS, no_corners),
    }
    found = {}
    for name, (images, weight, forbidden, erase) in runs.items():
        start = mlp([784, 50, 30, 10], seed=draw)
        how = {"epochs": 10, "batch_size": 64, "learning_rate": 2e-3, "seed": draw}
        net = train_right_reasons(start, images, y, forbidden.ravel(), weight, **how)
        found[name] = {
            t: float((net.predict(Z * erase) == wanted).mean()) for t, Z in tests.items()
        }
    control = found["decoy"]
    for name in list(runs)[2:]:
        found[f"{name} - decoy"] = {t: found[name][t] - control[t] for t in tests}
    return found
