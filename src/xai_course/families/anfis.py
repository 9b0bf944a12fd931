"""ANFIS: fuzzy conditions that are learnt by gradients, conclusions by least squares.

Explained in the chapter *fuzzy-rules*.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

__all__ = ["even_sets", "hybrid", "shares"]

RIDGE = 1e-6  # of the least squares
Conditions = Sequence[np.ndarray]  # centres, half widths and shapes, each (n_features, n_sets)


def even_sets(X: np.ndarray, n_sets: int) -> Conditions:
    """Return sets that stand evenly over each column of `X`; neighbours cross at one half."""
    centers = np.linspace(X.min(axis=0), X.max(axis=0), n_sets).T
    widths = np.maximum(np.ptp(centers, axis=1, keepdims=True), 1e-12) / (2 * n_sets - 2)
    return centers, np.repeat(widths, n_sets, axis=1), np.full(centers.shape, 2.0)


def shares(conditions: Conditions, index: np.ndarray, X: np.ndarray, membership: str) -> np.ndarray:
    """Return the share of each rule in the answer about each row, (n_rows, n_rules).

    Parameters
    ----------
    conditions : sequence of three ndarray, shape (n_features, n_sets)
        Centres, half widths and shapes of the fuzzy sets.
    index : ndarray of int64, shape (n_rules, n_features)
        Which set of each feature a rule names.
    X : ndarray of float64, shape (n_rows, n_features)
    membership : {"gaussian", "bell"}

    Notes
    -----
    Layers 1 to 3 of Jang (1993). Explained in the chapter *fuzzy-rules*.
    """
    parts = [torch.from_numpy(part) for part in conditions]
    return _shares(parts, index, torch.from_numpy(X), membership).numpy()


def _shares(
    parts: Sequence[torch.Tensor], index: np.ndarray, X: torch.Tensor, membership: str
) -> torch.Tensor:
    centers, widths, shapes = parts
    far = ((X[:, :, None] - centers) / widths).square()
    bells = membership == "bell"
    logs = -torch.log1p((far + 1e-300) ** shapes) if bells else -far * np.log(2)
    rules = logs[:, range(X.shape[1]), torch.from_numpy(index)].sum(dim=2)
    return torch.softmax(rules, dim=1)  # products, divided by their sum


def hybrid(
    conditions: Conditions,
    index: np.ndarray,
    X: np.ndarray,
    inputs: np.ndarray,
    y: np.ndarray,
    n_epochs: int,
    step: float,
    membership: str,
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Return learnt conditions, conclusions (n_rules * n_inputs,), and the error of each epoch.

    `inputs`, (n_rows, n_inputs), is what the conclusions are linear in: a column of ones, and as
    the case may be `X`. The other parameters are those of `shares` and `TakagiSugenoRegressor`.

    Notes
    -----
    Jang (1993), section III.
    """
    rows, given, target = (torch.tensor(np.asarray(part, float)) for part in (X, inputs, y))
    free, errors = [torch.tensor(part, requires_grad=True) for part in conditions], []
    for epoch in range(n_epochs + 1):
        design = (_shares(free, index, rows, membership)[:, :, None] * given[:, None]).flatten(1)
        with torch.no_grad():
            ridge = RIDGE * torch.eye(design.shape[1], dtype=torch.float64)
            found = torch.linalg.solve(design.T @ design + ridge, design.T @ target)
        error = (design @ found - target).square().mean().sqrt()
        errors.append(error.item())
        if epoch < n_epochs:
            step *= _growth(errors)
            slopes = torch.autograd.grad(error, free, materialize_grads=True, allow_unused=True)
            size = torch.cat(slopes).norm() + 1e-300
            for part, slope in zip(free, slopes, strict=True):
                part.data -= step * slope / size
    return [part.detach().numpy() for part in free], found.numpy(), np.array(errors)


def _growth(errors: list[float]) -> float:
    """Return the factor for the step: 1.1 after four falls, 0.9 after two rises and falls."""
    falls = np.diff(errors[-5:]) < 0
    if len(falls) < 4:
        return 1.0
    return 1.1 if falls.all() else 0.9 if list(falls) in ([0, 1, 0, 1], [1, 0, 1, 0]) else 1.0
