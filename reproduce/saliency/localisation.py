"""Weak localisation: how well maps find garments whose boxes are known.

Five replicates, each with canvases, two networks and an untrained one of its own. Every map gets
the threshold that is best for it on training canvases.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from replicates import Replicates
from results import over_seeds
from scipy.ndimage import uniform_filter
from torch import nn

from xai_course.book.localiser import localiser, train_localiser
from xai_course.data import Dataset, canvas_garments
from xai_course.metrics import (
    box_of_map,
    intersection_over_union,
    pointing_hits,
    rank_correlation,
)

N_REPLICATES = 5
N_TUNING = 200  # training canvases on which thresholds are chosen
WINDOW = 21  # pixels: about as wide as a garment
COMPARED = ("cam, runner-up", "cam, random class", "all maps alike", "brightness, wide")
SHARES = np.arange(0.1, 1.0, 0.1).round(1)


def table() -> dict[str, Any]:
    """Return the scores of all maps, and pairwise differences from the class activation map.

    A run that was stopped goes on where it stopped.
    """
    kept = Replicates("saliency_localisation", [Path(__file__)])
    runs = [kept.run(str(seed), lambda s=seed: measure(s)) for seed in range(N_REPLICATES)]
    kept.clear()
    return summary(runs)


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the spread of all scores over replicates."""
    return {
        "settings": {
            "replicates": N_REPLICATES,
            "training_canvases": runs[0]["sizes"][0],
            "test_canvases": runs[0]["sizes"][1],
            "canvases_for_thresholds": N_TUNING,
            "thresholds": SHARES.tolist(),
        },
        "accuracy": over_seeds([run["accuracy"] for run in runs]),
        "scores": over_seeds([run["scores"] for run in runs]),
        "cam_minus": {
            name: {
                score: difference([run["scores"] for run in runs], "cam", name, score)
                for score in ("overlap", "at_least_half", "pointing")
            }
            for name in runs[0]["scores"]
            if name != "cam"
        },
        "rank_correlation": over_seeds([run["rank_correlation"] for run in runs]),
        "misclassified": over_seeds([run["misclassified"] for run in runs])
        | {
            "right_minus_wrong": {
                score: difference([run["misclassified"] for run in runs], "right", "wrong", score)
                for score in ("overlap", "at_least_half", "pointing")
            }
        },
        "planted": over_seeds([run["planted"] for run in runs]),
        "two_garments": over_seeds([run["two_garments"] for run in runs]),
    }


def difference(runs: list[dict[str, Any]], one: str, other: str, score: str) -> dict[str, float]:
    """Return the mean of the pairwise differences over replicates, and its standard error."""
    pairs = [run[one][score] - run[other][score] for run in runs]
    error = np.std(pairs, ddof=1) / np.sqrt(len(pairs))
    return {"mean": round(float(np.mean(pairs)), 4), "standard_error": round(float(error), 4)}


def measure(seed: int, **sizes: int) -> dict[str, Any]:
    """Train and score one replicate."""
    canvases = canvas_garments(seed=seed, **sizes)
    trained = {p: train_localiser(canvases, p, seed=seed) for p in ("average", "max")}
    networks = {p: one.module for p, one in trained.items()}
    networks["untrained"] = localiser(seed=1000 + seed).eval()
    train, test = canvases.split_rows()
    rng = np.random.default_rng(seed)
    tuning = rng.choice(train, min(N_TUNING, len(train)), replace=False)
    boxes, y = canvases.truth.boxes, canvases.y
    tuned = maps_of(networks, canvases.X[tuning], y[tuning], rng)
    tested = maps_of(networks, canvases.X[test], y[test], rng)
    scores = {name: score(tuned[name], boxes[tuning], tested[name], boxes[test]) for name in tested}
    scores["centre box"] = centre(boxes[train], boxes[test], canvases.image_shape)
    right = trained["average"].predict(canvases.X[test]) == y[test]
    share = scores["cam"]["share"]
    return {
        "sizes": [len(train), len(test)],
        "accuracy": {
            p: float((one.predict(canvases.X[test]) == y[test]).mean())
            for p, one in trained.items()
        },
        "scores": scores,
        "rank_correlation": {
            name: float(rank_correlation(tested["cam"], tested[name]).mean())
            for name in (
                "cam, runner-up",
                "cam, random class",
                "all maps alike",
                "brightness, wide",
            )
        }
        | {
            f"contrast, {which}": float(
                rank_correlation(tested["contrast"], tested[f"contrast, {which}"]).mean()
            )
            for which in ("runner-up", "random class")
        },
        "misclassified": {
            "rows": int((~right).sum()),
            "right": plain(tested["cam, predicted"][right], boxes[test][right], share),
            "wrong": plain(tested["cam, predicted"][~right], boxes[test][~right], share),
        },
        "planted": planted(networks["average"], canvases, test, share),
        "two_garments": two_garments(networks, canvases.X[test], y[test], rng),
    }


# Maps


def parts(module: nn.Module, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the last maps, shape (n, 32, height, width), and the weights, shape (10, 32)."""
    with torch.no_grad():
        rows = torch.as_tensor(X, dtype=torch.float32).split(256)
        if X.ndim == 3:  # pictures, not rows of pixels
            rows, module = [part[:, None] for part in rows], module[1:]
        features = torch.cat([module[:-3](part) for part in rows]).double().numpy()
    (last,) = (part for part in module[-3:] if hasattr(part, "weight"))
    return features, last.weight.detach().double().numpy().reshape(10, 32)


def class_maps(module: nn.Module, X: np.ndarray) -> np.ndarray:
    """Return the class activation maps of all classes, shape (n, 10, height, width)."""
    features, weights = parts(module, X)
    return np.einsum("ck,nkij->ncij", weights, features)


def gradients(module: nn.Module, X: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the absolute gradient of the target's logit, shape (n, 56, 56)."""
    found = []
    for rows, goal in zip(np.array_split(X, 12), np.array_split(target, 12), strict=True):
        inputs = torch.tensor(rows, dtype=torch.float32, requires_grad=True)
        logits = module(inputs)[torch.arange(len(goal)), torch.as_tensor(goal)]
        found.append(torch.autograd.grad(logits.sum(), inputs)[0].abs().double().numpy())
    return np.concatenate(found).reshape(-1, 56, 56)


def coarse(images: np.ndarray) -> np.ndarray:
    """Return means over blocks of 4 by 4: the resolution of a class activation map."""
    return images.reshape(-1, 14, 4, 14, 4).mean(axis=(2, 4))


def enlarge(maps: np.ndarray) -> np.ndarray:
    """Return maps of 14 by 14 in 56 by 56, bilinear as captum's and everybody's."""
    values = torch.as_tensor(maps)[:, None]
    how = {"mode": "bilinear", "align_corners": False}
    return nn.functional.interpolate(values, size=(56, 56), **how)[:, 0].numpy()


def maps_of(
    networks: dict[str, nn.Module], X: np.ndarray, y: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return every kind of map of every canvas, in the size of the canvas."""
    rows = np.arange(len(y))
    features, _ = parts(networks["average"], X)
    cam = class_maps(networks["average"], X)
    score = cam.mean(axis=(2, 3))
    score += networks["average"][-1].bias.detach().numpy()
    others = np.where(np.eye(10, dtype=bool)[y], -np.inf, score)
    second, some = others.argmax(axis=1), (y + rng.integers(1, 10, len(y))) % 10
    contrast = cam - cam.mean(axis=1, keepdims=True)
    slope = gradients(networks["average"], X, y)
    return {
        "cam": enlarge(cam[rows, y]),
        "contrast": enlarge(contrast[rows, y]),
        "score map, max pooling": enlarge(class_maps(networks["max"], X)[rows, y]),
        "gradient": slope,
        "gradient, as coarse": enlarge(coarse(slope)),
        "all maps alike": enlarge(features.mean(axis=1)),
        "cam, predicted": enlarge(cam[rows, score.argmax(axis=1)]),
        "cam, runner-up": enlarge(cam[rows, second]),
        "cam, random class": enlarge(cam[rows, some]),
        "contrast, runner-up": enlarge(contrast[rows, second]),
        "contrast, random class": enlarge(contrast[rows, some]),
        "cam, untrained": enlarge(class_maps(networks["untrained"], X)[rows, y]),
        "brightness": enlarge(coarse(X)),
        "brightness, wide": uniform_filter(X.reshape(-1, 56, 56), (0, WINDOW, WINDOW)),
    }


# Scores


def score(
    tuned: np.ndarray, tuned_boxes: np.ndarray, maps: np.ndarray, boxes: np.ndarray
) -> dict[str, float]:
    """Return the scores with the threshold that is best on other canvases."""
    overlaps = [overlap(tuned, tuned_boxes, share).mean() for share in SHARES]
    return plain(maps, boxes, float(SHARES[np.argmax(overlaps)]))


def plain(maps: np.ndarray, boxes: np.ndarray, share: float) -> dict[str, float]:
    """Return the scores with a given threshold."""
    found = overlap(maps, boxes, share)
    return {
        "overlap": float(found.mean()),
        "at_least_half": float((found >= 0.5).mean()),
        "pointing": float(pointing_hits(maps, boxes).mean()),
        "share": share,
    }


def overlap(maps: np.ndarray, boxes: np.ndarray, share: float) -> np.ndarray:
    """Return the overlap of the box of each map's positive part with the true one."""
    found = [box_of_map(one, share) for one in np.maximum(maps, 0)]
    return intersection_over_union(found, boxes)


def centre(known: np.ndarray, boxes: np.ndarray, shape: tuple[int, int]) -> dict[str, float]:
    """Return the scores of one box in the middle, of the mean size of the known boxes."""
    half = (known[:, 2:] - known[:, :2]).mean(axis=0) / 2
    middle = np.array(shape) / 2
    box = np.tile(np.concatenate([middle - half, middle + half]), (len(boxes), 1))
    found = intersection_over_union(box, boxes)
    inside = (boxes[:, :2] <= middle) & (middle < boxes[:, 2:])
    hits = inside.all(axis=1).mean()
    return {
        "overlap": float(found.mean()),
        "at_least_half": float((found >= 0.5).mean()),
        "pointing": float(hits),
        "share": 0.0,
    }


# Two garments, one picture


def two_garments(
    networks: dict[str, nn.Module], X: np.ndarray, y: np.ndarray, rng: np.random.Generator
) -> dict[str, float]:
    """Return how often a map is largest in the half that holds the garment of its class.

    Two canvases with garments of different classes stand side by side; the networks take pictures
    of any width. Each pair counts twice, once for each class.
    """
    partner = np.array([rng.choice(np.flatnonzero(y != label)) for label in y])
    images = X.reshape(-1, 56, 56)
    pairs = np.concatenate([images, images[partner]], axis=2)
    found = {}
    for name in ("average", "max"):
        found[name] = halves(class_maps(networks[name], pairs), y, y[partner])
    maps = class_maps(networks["average"], pairs)
    found["contrast"] = halves(maps - maps.mean(axis=1, keepdims=True), y, y[partner])
    alike = parts(networks["average"], pairs)[0].mean(axis=1, keepdims=True)
    found["all maps alike"] = halves(np.repeat(alike, 10, axis=1), y, y[partner])
    return found


def halves(maps: np.ndarray, left: np.ndarray, right: np.ndarray) -> float:
    """Return the share of maps of both classes that are largest in their own half."""
    rows = np.arange(len(maps))
    sides = [
        maps[rows, label].max(axis=1)[:, half].max(axis=1)
        - maps[rows, label].max(axis=1)[:, other].max(axis=1)
        for label, half, other in (
            (left, slice(0, 14), slice(14, 28)),
            (right, slice(14, 28), slice(0, 14)),
        )
    ]
    return float((np.array(sides) > 0).mean())


# One network, two maps


def planted(module: nn.Module, canvases: Dataset, test: np.ndarray, share: float) -> dict[str, Any]:
    """Subtract one number from every weight of the last layer: no probability changes."""
    features, weights = parts(module, canvases.X[test])
    other = weights - 10 * np.abs(weights).max()
    cam = np.einsum("nk,nkij->nij", other[canvases.y[test]], features)
    means = features.mean(axis=(2, 3))
    odds = [logits - logits[:, :1] for logits in (means @ weights.T, means @ other.T)]
    return {
        "largest_change_of_a_log_odds": float(np.abs(odds[0] - odds[1]).max()),
        **plain(enlarge(cam), canvases.truth.boxes[test], share),
    }
