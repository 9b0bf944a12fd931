"""Garments somewhere on a larger canvas, among pieces of other garments: the place is known.

Explained in the chapter *class-activation-maps*.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xai_course._validation import check_whole
from xai_course.data._types import Dataset
from xai_course.data.loaders import load

__all__ = ["CanvasTruth", "canvas_garments"]

_VISIBLE = 0.1  # darker pixels of a garment are background


@dataclass(frozen=True, eq=False)
class CanvasTruth:
    """Where the garments are.

    Attributes
    ----------
    boxes : ndarray of int64, shape (n_samples, 4)
        The least box around each garment: first row, first column, and the row and the column
        behind its last.
    """

    boxes: np.ndarray


def canvas_garments(
    n_train: int = 6000,
    n_test: int = 1500,
    *,
    size: int = 56,
    n_pieces: int = 12,
    piece: int = 9,
    seed: int = 0,
) -> Dataset:
    """Draw canvases that hold one whole garment and clutter, for a task of finding it.

    A canvas begins black. Square pieces, cut at random out of garments of other classes, go to
    random places; then the garment itself covers what lies behind it. The label is its class. The
    garments are those of the course's Fashion-MNIST images: training canvases hold nothing of a
    test garment, and test canvases nothing of a training garment.

    Parameters
    ----------
    n_train, n_test : int
        Numbers of canvases, from 1 on. Garments repeat only where there are more canvases.
    size : int
        Height and width of a canvas, from 28 (a garment's) on.
    n_pieces : int
        Pieces of clutter on each canvas.
    piece : int
        Height and width of a piece, from 1 to 28.
    seed : int
        Seed of the generator.

    Returns
    -------
    Dataset
        Rows of ``size * size`` pixels in [0, 1]; ``truth`` is a `CanvasTruth`.

    Raises
    ------
    ValueError
        If a number is out of range.

    Notes
    -----
    Explained in the chapter *class-activation-maps*.
    """
    sizes = [check_whole(n_train, "n_train", 1), check_whole(n_test, "n_test", 1)]
    size, piece = check_whole(size, "size", 28), check_whole(piece, "piece", 1, 28)
    n_pieces = check_whole(n_pieces, "n_pieces", 0)
    garments = load("fashion_mnist")
    X_train, X_test, y_train, y_test = garments.split()
    rng = np.random.default_rng(seed)
    drawn = [
        _draw(X.reshape(-1, 28, 28), y, n, size, n_pieces, piece, rng)
        for X, y, n in zip((X_train, X_test), (y_train, y_test), sizes, strict=True)
    ]
    canvases, labels, boxes = (np.concatenate(parts) for parts in zip(*drawn, strict=True))
    return Dataset(
        name="canvas_garments",
        X=canvases.reshape(len(canvases), size * size),
        y=labels,
        feature_names=[f"pixel_{row}_{column}" for row in range(size) for column in range(size)],
        target_names=garments.target_names,
        description="One whole garment on a canvas, among pieces of garments of other classes.",
        source="generator, of the course's Fashion-MNIST images",
        terms=garments.terms,
        n_train=sizes[0],
        image_shape=(size, size),
        truth=CanvasTruth(boxes),
    )


def _draw(
    images: np.ndarray,
    labels: np.ndarray,
    n: int,
    size: int,
    n_pieces: int,
    piece: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return canvases, the labels of their garments, and the boxes around these."""
    rows = rng.choice(len(images), n, replace=n > len(images))
    others = _of_other_classes(labels, labels[rows], n_pieces, rng)
    cut = rng.integers(0, 29 - piece, (n, n_pieces, 2))
    put = rng.integers(0, size + 1 - piece, (n, n_pieces, 2))
    corner = rng.integers(0, size - 27, (n, 2))
    canvases, boxes = np.zeros((n, size, size)), np.empty((n, 4), dtype=np.int64)
    for i, (canvas, garment, (top, left)) in enumerate(
        zip(canvases, images[rows], corner, strict=True)
    ):
        for other, (a, b), (r, c) in zip(images[others[i]], cut[i], put[i], strict=True):
            canvas[r : r + piece, c : c + piece] = other[a : a + piece, b : b + piece]
        seen = garment > _VISIBLE
        place = canvas[top : top + 28, left : left + 28]
        place[seen] = garment[seen]
        down, across = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
        boxes[i] = down[0] + top, across[0] + left, down[-1] + top + 1, across[-1] + left + 1
    return canvases, labels[rows], boxes


def _of_other_classes(
    labels: np.ndarray, own: np.ndarray, n_each: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw rows whose label differs from `own`, shape (len(own), n_each)."""
    rows = np.empty((len(own), n_each), dtype=np.int64)
    for label in np.unique(own):
        here = own == label
        rows[here] = rng.choice(np.flatnonzero(labels != label), (int(here.sum()), n_each))
    return rows
