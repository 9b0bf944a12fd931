"""The merges of CoCircles to every K, for the reader to slide through."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from itertools import count, pairwise
from string import ascii_letters
from typing import Any

import numpy as np
from PIL import Image
from replicates import Replicates
from sklearn.model_selection import KFold
from tqdm import tqdm

from xai_course import data
from xai_course.book import load_model, train_model
from xai_course.unwrapping import MergedClassifier, UnwrapperClassifier
from xai_course.unwrapping.plots import segment

SEEDS = (0, 1, 2)
MOST = 20  # the paper's largest K
SIDE = 1.5  # half the side of the square
PIXELS, FINE = 160, 320  # across the square: of the clusters, and of the borders of regions
EVERY = 5  # row is drawn
SETTINGS = {
    "seed": "of the split and the training; 0 is the book's network",
    "merge": "T = 5, tau = 30, l2, as for Table 2; a list has an entry for each K from 1 on",
    "picture": "row by row from the top, a letter for each piece and how many pixels it takes; a "
    "piece is the pixels that share a cluster for every K, and clusters has the cluster of each",
    "borders": "of the regions that hold training rows, a PNG as base64",
    "lines": "both ends of where a cluster's model gives both rings equal odds",
    "colors": "of the clusters; the larger part of a cluster keeps its colour when K grows",
    "loss": "log-loss on held-out fifths; gap to the least, with the error of the difference; best "
    "has the least loss, and chosen is the smallest K whose gap is at most its error",
    "same side": "the share of test rows on which the merge and the network decide alike",
}
MEASURED_BY = ("sectors",)


def table(replicates: Replicates) -> dict[str, Any]:
    """Return what is drawn of every merge, for several trainings."""
    rings = data.co_circles()
    return {
        "settings": SETTINGS,
        "rows": rings.X[::EVERY].round(2).tolist(),
        "classes": rings.y[::EVERY].tolist(),
        "trainings": [
            replicates.run(f"training {s}", lambda s=s: training(s)) for s in tqdm(SEEDS)
        ],
    }


def training(seed: int) -> dict[str, Any]:
    """Return pictures and numbers of the merges of one network."""
    again = {"seed": seed, "split": seed}
    model = train_model("co_circles", **again) if seed else load_model("co_circles")
    X, X_new, y, _ = data.co_circles().split(seed)
    unwrapper = UnwrapperClassifier(model.network).fit(X, y)
    each = [unwrapper.merge(k, 5, 30, "l2") for k in range(1, MOST + 1)]
    side = unwrapper.predict(X_new)
    mean, gap, error = held_out(each)
    return {
        "seed": seed,
        "regions": unwrapper.n_regions_,
        "borders": borders(unwrapper),
        **sectors(each),
        "colors": colors([merged.labels_ for merged in each]),
        "lines": [lines(merged) for merged in each],
        "loss": mean.round(6).tolist(),
        "gap": gap.round(6).tolist(),
        "error": error.round(6).tolist(),
        "same side": [round(float(np.mean(m.predict(X_new) == side)), 6) for m in each],
        "best": int(mean.argmin()) + 1,
        "chosen": int(np.flatnonzero(gap <= error).min()) + 1,
    }


def held_out(each: Sequence[MergedClassifier]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the held-out loss of each merge, the gap to the least, and the gap's error."""
    # As `scores_` has it, which leaves out some K.
    first = each[0]
    folds = KFold(first.cv, shuffle=True, random_state=first.random_state).split(first._X)
    partitions = [merged.labels_ for merged in each]
    losses = np.array([first._fold_losses(partitions, *fold) for fold in folds])
    gaps = losses - losses[:, [losses.mean(axis=0).argmin()]]
    return losses.mean(axis=0), gaps.mean(axis=0), gaps.std(axis=0, ddof=1) / first.cv**0.5


def square(pixels: int) -> np.ndarray:
    """Return the centres of the square's pixels, the top row first."""
    axis = ((np.arange(pixels) + 0.5) / pixels * 2 - 1) * SIDE
    return np.stack(np.meshgrid(axis, -axis), axis=-1).reshape(-1, 2)


def sectors(each: Sequence[MergedClassifier]) -> dict[str, Any]:
    """Return the picture of all merges at once.

    Pixels that are in one cluster for every K are one *piece*. ``picture`` has the pieces row by
    row, a letter and how many pixels in a row; ``clusters[k]`` tells the cluster of each piece.
    """
    labels = np.array([merged.apply(square(PIXELS)) for merged in each])
    clusters, piece = np.unique(labels, axis=1, return_inverse=True)
    rows = []
    for row in piece.reshape(PIXELS, PIXELS):
        starts = np.flatnonzero(np.diff(row, prepend=-1))
        lengths = np.diff(starts, append=PIXELS)
        rows += [f"{ascii_letters[row[i]]}{n}" for i, n in zip(starts, lengths, strict=True)]
    return {"pixels": PIXELS, "picture": "".join(rows), "clusters": clusters.tolist()}


def borders(unwrapper: UnwrapperClassifier) -> str:
    """Return a picture of the borders of the regions that hold training rows, as base64 PNG."""
    region = unwrapper.apply(square(FINE)).reshape(FINE, FINE)
    edge = np.zeros(region.shape, dtype=bool)
    edge[:, 1:] |= region[:, 1:] != region[:, :-1]
    edge[1:] |= region[1:] != region[:-1]
    picture, file = Image.fromarray(edge.astype(np.uint8)).convert("P"), io.BytesIO()
    picture.putpalette([0, 0, 0, 128, 128, 128])  # a grey that is seen on white and on black
    picture.save(file, "PNG", optimize=True, transparency=0)
    return base64.b64encode(file.getvalue()).decode()


def lines(merged: MergedClassifier) -> list[list[float] | None]:
    """Return both ends of the line where each cluster's model changes its mind, if it does."""
    scale = merged._X.std(axis=0)
    found = []
    for k, (coef, intercept) in enumerate(zip(merged.coef_, merged.intercept_, strict=True)):
        ends = segment(coef[0], intercept[0], merged._X[merged.labels_ == k], scale)
        found.append(None if ends is None else ends.T.ravel().round(3).tolist())
    return found


def colors(partitions: Sequence[np.ndarray]) -> list[list[int]]:
    """Return a colour of each cluster, which its larger part keeps where a cluster is cut."""
    colors = [[0]]
    for coarse, fine in pairwise(partitions):
        own: list[int] = []
        for k in range(fine.max() + 1):
            color = colors[-1][np.bincount(coarse[fine == k]).argmax()]
            if color in own:
                color = next(c for c in count() if c not in own and c not in colors[-1])
            own.append(color)
        colors.append(own)
    return colors
