"""What all measures share: rows, models that are functions of rows, baselines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from xai_course._validation import check_array, to_numpy

# Takes rows, shape (n_rows, ...), and gives one number for each, shape (n_rows,).
Function = Callable[[np.ndarray], ArrayLike]


def check_rows(values: ArrayLike, name: str) -> np.ndarray:
    """Return rows as a finite float64 array, shape (n_rows, ...), with at least one number."""
    if np.ndim(values) < 2:
        raise ValueError(
            f"{name} must hold rows, shape (n_rows, ...), got shape {np.shape(values)}; "
            f"give {name}[None] for a single row."
        )
    array = check_array(values, name, np.ndim(values))
    if not array.size:
        raise ValueError(f"{name} holds no numbers: its shape is {array.shape}.")
    return array


def check_pair(
    first: ArrayLike, second: ArrayLike, names: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and others of the same shape."""
    a, b = check_rows(first, names[0]), check_rows(second, names[1])
    if a.shape != b.shape:
        raise ValueError(f"{' and '.join(names)} differ in shape: {a.shape} and {b.shape}.")
    return a, b


def flat(rows: np.ndarray) -> np.ndarray:
    """Return the rows with one dimension each."""
    return rows.reshape(len(rows), -1)


def check_function(f: Any, name: str) -> None:
    """Raise a `TypeError` unless `f` is a function that takes NumPy arrays."""
    if not callable(f) or hasattr(f, "state_dict"):
        raise TypeError(
            f"{name} must be a function of NumPy rows, got {type(f).__name__}; for a torch module "
            "give one that makes a tensor of the rows and picks an output."
        )


def values_of(f: Function, X: np.ndarray) -> np.ndarray:
    """Return one number for each row, shape (n_rows,)."""
    check_function(f, "f")
    values = to_numpy(f(X))
    if values.shape not in {(len(X),), (len(X), 1)}:
        raise ValueError(
            f"f must give one number a row, shape ({len(X)},), got {values.shape}; pick one output."
        )
    return check_array(values, "what f gives", values.ndim).ravel()


def attributions_of(explain: Callable[..., ArrayLike], *arguments: Any) -> np.ndarray:
    """Return what `explain` gives for its last argument, an array of the same shape."""
    X = arguments[-1]
    values = check_rows(to_numpy(explain(*arguments)), "what explain gives")
    if values.shape != X.shape:
        raise ValueError(
            f"explain must give attributions like its rows, shape {X.shape}, got {values.shape}."
        )
    return values


def check_baselines(baseline: ArrayLike, X: np.ndarray) -> np.ndarray:
    """Return baselines, shape (n_baselines, n_rows, ...)."""
    array = check_array(baseline, "baseline", np.ndim(baseline))
    several = array if array.ndim == X.ndim + 1 else array[None]
    shape = several.shape[1:]
    if shape not in {(), X.shape[1:], (1, *X.shape[1:]), X.shape} or not len(several):
        raise ValueError(
            f"baseline must be a number, one row of shape {X.shape[1:]}, one for each row, shape "
            f"{X.shape}, or several of these, shape (n_baselines, 1 or {len(X)}, ...); "
            f"got shape {array.shape}."
        )
    several = several.reshape(len(several), *(1,) * (X.ndim - len(shape)), *shape)
    return np.broadcast_to(several, (len(several), *X.shape))


def check_row(values: ArrayLike, X: np.ndarray, name: str) -> np.ndarray:
    """Return a number or one row, not negative, as an array."""
    array = check_array(values, name, np.ndim(values))
    if array.shape not in {(), X.shape[1:]} or (array < 0).any():
        raise ValueError(
            f"{name} must be a number or an array of shape {X.shape[1:]}, from 0 on, "
            f"got {values!r}."
        )
    return array


def divide(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Return the quotient, NaN where the divisor is zero."""
    return above / np.where(below == 0, np.nan, below)


def correlation(first: np.ndarray, second: np.ndarray, scale: ArrayLike = 0.0) -> np.ndarray:
    """Return Pearson's correlation along the last axis; NaN where one side does not vary.

    What varies by less than rounding does not vary: 1e-12 of the largest value, or of `scale`.
    """
    result = 1.0
    for values in (first, second):
        away = values - values.mean(axis=-1, keepdims=True)
        size = np.linalg.norm(away, axis=-1)
        largest = np.maximum(np.abs(values).max(axis=-1), scale)
        varies = size > 1e-12 * largest * np.sqrt(values.shape[-1])
        unit = away / np.where(varies, size, np.nan)[..., None]
        result = result * unit
    return np.clip(result.sum(axis=-1), -1, 1)
