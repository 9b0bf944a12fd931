"""What a penalty on the gradient in the corners does for garments without a tag.

Every draw takes other garments, tags and weights; differences are taken within a draw, and a
standard error is over draws.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from saliency._draws import over_draws
from xai_course import data
from xai_course.right_reasons import train_right_reasons
from xai_course.training import mlp

DRAWS = 8
WEIGHT = 10.0  # of the penalty
SIDE = 28

CORNERS = np.pad(np.zeros((20, 28)), ((4, 4), (0, 0)))
CORNERS[np.ix_([*range(4), *range(24, 28)], [*range(4), *range(24, 28)])] = 1
CENTRE = np.pad(np.ones((8, 8)), 10)  # as many pixels


Numbers = dict[str, float]


def table() -> dict[str, Any]:
    """Return the share of right decisions for each training and each kind of test."""
    return {"draws": DRAWS, **over_draws([_draw(number) for number in range(DRAWS)])}


def tagged(X: np.ndarray, shade: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return garments with a square of four by four pixels of a grey in one corner each."""
    images = X.reshape(-1, SIDE, SIDE).copy()
    tops, lefts = rng.choice([0, 24], size=(2, len(X)))
    for image, top, left, grey in zip(images, tops, lefts, shade, strict=True):
        image[top : top + 4, left : left + 4] = grey
    return images.reshape(len(X), -1)


def _draw(draw: int) -> dict[str, Numbers]:
    X, test, y, wanted = data.load("fashion_mnist").split()
    rng = np.random.default_rng(draw)
    rows = rng.choice(len(X), 3000, replace=False)
    plain, y = X[rows], y[rows]
    shown = tagged(plain, 1 - y / 10, rng)
    tests = {
        "tag as in training": tagged(test, 1 - wanted / 10, rng),
        "no tag": test,
        "tag at random": tagged(test, rng.permutation(1 - wanted / 10), rng),
    }
    no_corners = 1 - CORNERS.ravel()
    runs = {
        "no tag in training": (plain, 0.0, CORNERS, 1.0),
        "tag": (shown, 0.0, CORNERS, 1.0),
        "tag, corners forbidden": (shown, WEIGHT, CORNERS, 1.0),
        "tag, centre forbidden": (shown, WEIGHT, CENTRE, 1.0),
        "tag, corners erased": (shown * no_corners, 0.0, CORNERS, no_corners),
    }
    found = {}
    for name, (images, weight, forbidden, erase) in runs.items():
        start = mlp([784, 50, 30, 10], seed=draw)
        how = {"epochs": 10, "batch_size": 64, "learning_rate": 2e-3, "seed": draw}
        net = train_right_reasons(start, images, y, forbidden.ravel(), weight, **how)
        found[name] = {
            t: float((net.predict(Z * erase) == wanted).mean()) for t, Z in tests.items()
        }
    control = found["tag"]
    for name in list(runs)[2:]:
        found[f"{name} - tag"] = {t: found[name][t] - control[t] for t in tests}
    return found
