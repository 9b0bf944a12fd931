"""Checks of input that several modules share."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["check_array", "check_whole", "held_out_split", "is_number"]


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


def check_whole(value: object, name: str, least: int) -> None:
    """Raise a `ValueError` unless `value` is a whole number from `least` on."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be a whole number from {least} on, got {value!r}.")


def is_number(value: object) -> bool:
    """Return whether this is a real number; True and False are none."""
    return isinstance(value, Real) and not isinstance(value, bool)


def held_out_split(n_rows: int, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return training and validation rows, at least one of each."""
    if n_rows < 2:
        raise ValueError(f"Training needs at least 2 rows, got {n_rows}.")
    n_held_out = min(max(1, round(fraction * n_rows)), n_rows - 1)
    order = np.random.default_rng(seed).permutation(n_rows)
    return order[n_held_out:], order[:n_held_out]
