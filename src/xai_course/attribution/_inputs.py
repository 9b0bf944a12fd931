"""What `attribute` is given beside the model: rows or texts, a target, a baseline."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from xai_course import _models
from xai_course._validation import check_array

_LEAST_IMAGE = 64  # pixels: fewer numbers in a flat row are taken for a table's


def as_image(row: np.ndarray) -> np.ndarray | None:
    """Return a row as an image of shape (n_channels, height, width), or None if it is none."""
    side = math.isqrt(row.size)
    if row.ndim == 1 and side**2 == row.size >= _LEAST_IMAGE:
        return row.reshape(1, side, side)
    return {2: row[None], 3: row}.get(row.ndim)


def read_inputs(X: Any, are_texts: bool) -> Any:
    """Return finite float64 rows, or a list of texts, or raise."""
    if np.ndim(X) and not len(X):
        raise ValueError("X must hold at least one row.")
    if are_texts:
        if isinstance(X, str) or not all(isinstance(one, str) and one.strip() for one in X):
            raise TypeError("X must be a sequence of texts with words in them, as ['one text'].")
        return list(X)
    if np.ndim(X) < 2:
        raise ValueError(f"X must have one row per input, got shape {np.shape(X)}; give X[None].")
    return check_array(X, "X", np.ndim(X))


def check_baseline(given: Any, kind: str, X: Any, method: str) -> np.ndarray | None:
    """Return one baseline per row, or the rows of a background, or None, or raise."""
    if kind == "none" or (kind == "optional" and given is None):
        if given is not None:
            raise ValueError(f"{method} compares with no baseline; leave it out.")
        return None
    if kind == "point":
        return _models.check_baseline(0.0 if given is None else given, X)
    given, shape = [] if given is None else given, X.shape[1:]
    base = check_array(given, "baseline", np.ndim(given))
    if base.size and shape in (base.shape, base.shape[1:]):
        return base.reshape(-1, *shape)
    rows = ", ".join(map(str, ("n_background", *shape)))
    raise ValueError(
        f"baseline of {method} must have shape ({rows}), rows to average over, got {base.shape}."
    )
