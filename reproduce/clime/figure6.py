"""Figure 6 of Dong et al. (2021): maps of a sigmoid network, and of networks that stand for it.

The paper shows maps side by side. Here they are measured, direction and length, and two stand-ins
are added that were made from answers in place of weights: a student, and a control without teacher.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from replicates import Replicates
from results import over_seeds
from tqdm import tqdm

from clime.draws import DRAWS, RECIPE, SIZES, local
from xai_course import data
from xai_course.distillation import distill, tangents
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.training import mlp, train_classifier

PIECES = (3, 5, 9, 33)
IMAGES = 150


def one_draw(seed: int) -> dict[str, Any]:
    """Train the networks of one draw and compare their maps on test images."""
    torch.set_num_threads(1)
    X, X_test, y, _ = data.load("fashion_mnist").split(seed)
    options, start = {"seed": seed, **RECIPE}, mlp(SIZES, seed=seed)
    for layer in (1, 3):
        start[layer] = torch.nn.Sigmoid()
    smooth = train_classifier(start, X, y, **options)
    stand_ins = {
        f"{n} pieces": PiecewiseLinearNetwork.from_torch(smooth.module, n_segments=n)
        for n in PIECES
    }
    pupil = distill(smooth.module, mlp(SIZES, seed=seed), X, temperature=1.0, **options)
    alone = train_classifier(mlp(SIZES, seed=seed), X, y, **options)
    stand_ins |= {"student": pupil.network, "no teacher": alone.network}
    images, rows, said = X_test[:IMAGES], np.arange(IMAGES), smooth.predict(X_test[:IMAGES])
    truth = tangents(smooth.module, images)[0][rows, said] * images
    found = {}
    for name, network in stand_ins.items():
        decided = network.forward(images).argmax(axis=1)
        maps = local(network, images)[0][rows, said] * images
        found[name] = {"same decision": float(np.mean(decided == said)), **compare(truth, maps)}
    return found


def compare(truth: np.ndarray, maps: np.ndarray) -> dict[str, float]:
    """Return medians over the rows: the cosine of two maps, and the error in units of the length.

    A map of zeros has no direction: it counts as a cosine of 0, and its share is given.
    """
    lengths, own = np.linalg.norm(truth, axis=1), np.linalg.norm(maps, axis=1)
    cosines = (truth * maps).sum(axis=1) / np.where(own > 0, lengths * own, 1)
    return {
        "cosine": float(np.median(cosines)),
        "error": float(np.median(np.linalg.norm(maps - truth, axis=1) / lengths)),
        "length": float(np.median(own / lengths)),
        "empty": float(np.mean(own == 0)),
    }


def figure6() -> dict[str, Any]:
    """Measure ten draws; a run that was stopped goes on."""
    kept = Replicates("clime_figure6", [Path(__file__)])
    runs = [
        kept.run(str(seed), lambda seed=seed: one_draw(seed))
        for seed in tqdm(range(DRAWS), desc="figure6")
    ]
    kept.clear()
    settings = {"sizes": SIZES, "images": IMAGES, **RECIPE}
    return {"over_draws": over_seeds(runs), "settings": settings, "draws": DRAWS}
