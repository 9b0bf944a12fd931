"""Checks of input that several modules share."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["check_array"]


def check_array(values: ArrayLike, name: str, ndim: int) -> np.ndarray:
    """Return `values` as a finite float64 array with `ndim` dimensions.

    Raises
    ------
    TypeError
        If the values are not real numbers.
    ValueError
        If the number of dimensions differs, or a value is NaN or infinite.
    """
    try:
        array = np.asarray(values)
        if array.dtype.kind == "c":
            raise TypeError("complex numbers")
        array = array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must hold real numbers, got {_kind(values)}.") from error
    if array.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} dimension(s), got shape {array.shape}.")
    if not np.isfinite(array).all():
        n_bad = int((~np.isfinite(array)).sum())
        raise ValueError(f"{name} must be finite, got {n_bad} NaN or infinite value(s).")
    return array


def _kind(values: object) -> str:
    dtype = getattr(values, "dtype", None)
    return type(values).__name__ if dtype is None else f"{type(values).__name__} of {dtype}"
