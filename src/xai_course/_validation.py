"""All checks of input: numbers, choices, arrays, the rows and labels that an estimator is given."""

from __future__ import annotations

import math
from collections.abc import Collection
from numbers import Integral, Real
from operator import ge, gt, le, lt
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

# Numbers and choices


def check_number(
    value: object,
    name: str,
    *,
    above: float | None = None,
    least: float | None = None,
    below: float | None = None,
    most: float | None = None,
) -> float:
    """Return a finite number within bounds: `above` and `below` are excluded.

    Raises
    ------
    ValueError
        If it is none; the message names the bounds.
    """
    limits = [("above", above, gt), ("from", least, ge), ("below", below, lt), ("up to", most, le)]
    limits = [limit for limit in limits if limit[1] is not None]
    is_number = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or not all(holds(value, end) for _, end, holds in limits):
        bounds = " and ".join(f"{word} {end:g}" for word, end, _ in limits)
        accepted = f"a number {bounds}" if limits else "a finite number"
        raise ValueError(f"{name} must be {accepted}, got {value!r}.")
    return float(value)


def check_whole(value: object, name: str, least: int, most: int | None = None) -> int:
    """Return a whole number from `least` to `most`.

    Raises
    ------
    ValueError
        If it is none; the message names the bounds.
    """
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):
        bounds = f"from {least} on" if most is None else f"from {least} to {most}"
        raise ValueError(f"{name} must be a whole number {bounds}, got {value!r}.")
    return int(value)


def check_choice(value: object, name: str, choices: Collection[object]) -> None:
    """Raise a `ValueError` that lists the choices unless `value` is one of them."""
    if not any(value is choice or (type(value) is str and value == choice) for choice in choices):
        *first, last = map(repr, choices)
        listed = f"{', '.join(first)} or {last}" if first else last
        raise ValueError(f"{name} must be {listed}, got {value!r}.")


# Arrays


def check_array(values: ArrayLike, name: str, ndim: int) -> np.ndarray:
    """Return `values` as a finite float64 array with `ndim` dimensions, never the caller's own.

    Raises
    ------
    TypeError
        If the values are not real numbers.
    ValueError
        If the number of dimensions differs, or a value is NaN or infinite.
    """
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "buifO":
            raise TypeError(f"no real numbers: {array.dtype}")
        array = array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must hold real numbers, got {_kind(values)}.") from error
    if array.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} dimension(s), got shape {array.shape}.")
    if not np.isfinite(array).all():
        n_bad = int((~np.isfinite(array)).sum())
        raise ValueError(f"{name} must be finite, got {n_bad} NaN or infinite value(s).")
    return array


def to_numpy(values: Any) -> np.ndarray:
    """Return an array, also of a tensor that is on a device or carries a gradient."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)


def check_bounds(bounds: ArrayLike, n_features: int) -> np.ndarray:
    """Return a box as a read-only array, shape (n_features, 2), or raise."""
    box = check_array(bounds, "bounds", 2)
    if box.shape != (n_features, 2):
        raise ValueError(f"bounds must have shape ({n_features}, 2), got {box.shape}.")
    if not (box[:, 0] < box[:, 1]).all():
        raise ValueError("bounds must hold a lower and a larger upper bound per feature.")
    box.flags.writeable = False
    return box


def _kind(values: object) -> str:
    dtype = getattr(values, "dtype", None)
    return type(values).__name__ if dtype is None else f"{type(values).__name__} of {dtype}"


# What an estimator is given


def check_rows(estimator: BaseEstimator, X: Any, *, reset: bool = False) -> np.ndarray:
    """Return the rows as a finite float64 array, as scikit-learn's `validate_data` does.

    Parameters
    ----------
    estimator : BaseEstimator
    X : array_like or DataFrame, shape (n_samples, n_features)
    reset : bool
        In `fit`: take over the number of features, and the names of a DataFrame's columns as
        ``feature_names_in_``. Otherwise both are compared with those of `fit`.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        Without `reset`, if `fit` was not called before.
    TypeError, ValueError
        If the rows are not finite real numbers, or have other columns or another order than in
        `fit`.
    """
    if not reset:
        check_is_fitted(estimator)
    # Dates and texts of digits would be converted without a word.
    for dtype in X.dtypes if isinstance(X, pd.DataFrame) else [getattr(X, "dtype", None)]:
        if getattr(dtype, "kind", "O") in "USMm":
            raise TypeError(f"X must hold real numbers, got {dtype}.")
    if reset and isinstance(X, pd.DataFrame) and not X.columns.is_unique:
        twice = X.columns[X.columns.duplicated()][0]
        raise ValueError(f"The columns of X must have different names; {twice!r} stands twice.")
    return validate_data(estimator, X, reset=reset, dtype=np.float64, copy=True)


def check_labels(y: Any, n_rows: int, name: str = "y") -> tuple[np.ndarray, np.ndarray]:
    """Return the sorted classes, and the number of each row's class.

    Raises
    ------
    TypeError, ValueError
        If there is not one label for each row, or one is missing (None, NaN, NA), or the labels are
        no classes.
    """
    labels = np.asarray(y)
    if labels.ndim != 1:
        raise ValueError(f"{name} must have 1 dimension(s), got shape {labels.shape}.")
    if len(labels) != n_rows:
        raise ValueError(f"X has {n_rows} rows, but {name} has {len(labels)}.")
    missing = pd.isna(labels)
    if missing.any():
        raise ValueError(
            f"{name} has {int(missing.sum())} missing label(s), the first in row "
            f"{int(missing.argmax())}; drop those rows."
        )
    if labels.dtype == object:  # texts, or pandas' nullable numbers
        labels = pd.Series(labels).infer_objects().to_numpy()
        if labels.dtype == object and pd.api.types.infer_dtype(labels) != "string":
            raise TypeError(f"{name} must hold labels of one kind, such as numbers or texts.")
    check_classification_targets(labels)
    return np.unique(labels, return_inverse=True)
