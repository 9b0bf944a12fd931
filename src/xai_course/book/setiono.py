"""The small networks that the chapter on rules opens: three tanh units under Setiono's penalty.

All 27 weights lie in one vector, so that a vector of zeros and ones says which connections are
left. Which connection is cut next may hang on the last digit of a weight, so the networks are
shipped. ``python -m xai_course.book.setiono`` trains and prunes them again and rewrites their file.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy
from matplotlib.axes import Axes
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from xai_course import data
from xai_course.book.networks import WEIGHTS, read_weights, write_weights

__all__ = [
    "N_WEIGHTS",
    "Pruned",
    "clusters",
    "fit",
    "layers",
    "load_pruned",
    "logits",
    "nearest",
    "plot_kept",
    "prune",
    "train_pruned",
    "with_ones",
]

_NAME, _N_SEEDS, _FLOOR = "iris_pruned", 20, 0.95

_INPUTS, _UNITS, _CLASSES = 4, 3, 3
_FIRST = _UNITS * (_INPUTS + 1)
N_WEIGHTS = _FIRST + _CLASSES * (_UNITS + 1)


def with_ones(A: ArrayLike) -> np.ndarray:
    """Return the rows with a one behind each, for the biases."""
    return np.column_stack([A, np.ones(len(np.asarray(A)))])


def layers(w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both layers of a vector of weights, biases in the last column.

    Parameters
    ----------
    w : ndarray, shape (27,)

    Returns
    -------
    hidden : ndarray, shape (3, 5)
    output : ndarray, shape (3, 4)
    """
    return w[:_FIRST].reshape(_UNITS, -1), w[_FIRST:].reshape(_CLASSES, -1)


def logits(w: np.ndarray, X: ArrayLike) -> np.ndarray:
    """Return the outputs of the three classes, shape (n_samples, 3)."""
    hidden, output = layers(w)
    return with_ones(np.tanh(with_ones(X) @ hidden.T)) @ output.T


def clusters(values: ArrayLike, width: float) -> np.ndarray:
    """Return the averages of clusters of numbers, in increasing order.

    Parameters
    ----------
    values : array_like, shape (n,)
        Read in this order. The first opens a cluster; each later one joins the cluster whose first
        value is nearest, if that is no farther than the width, and otherwise opens a new one.
    width : float

    Returns
    -------
    ndarray, shape (n_clusters,)

    Notes
    -----
    Setiono and Liu (1995), step 1 of their algorithm for rules. Explained in the chapter *rules*.
    """
    groups: dict[float, list[float]] = {}  # by the first value of each
    for value in np.asarray(values, dtype=float).tolist():
        near = min(groups, key=lambda one: abs(one - value), default=np.inf)
        groups.setdefault(near if abs(near - value) <= width else value, []).append(value)
    return np.sort([np.mean(group) for group in groups.values()])


def nearest(values: ArrayLike, averages: np.ndarray) -> np.ndarray:
    """Return the number of the average that is nearest to each value."""
    return np.abs(np.subtract.outer(np.asarray(values), averages)).argmin(axis=1)


def fit(w: np.ndarray, kept: np.ndarray, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Train from a start, with a softmax, its cross-entropy and a penalty.

    Parameters
    ----------
    w : ndarray, shape (27,)
        Where to start.
    kept : ndarray, shape (27,)
        1 for a connection, 0 where there is none.
    X : ndarray, shape (n_samples, 4)
    y : ndarray of int, shape (n_samples,)
        Class numbers 0, 1 and 2.

    Returns
    -------
    ndarray, shape (27,)
        Zero where `kept` is.

    Notes
    -----
    The penalty is that of Setiono (1997), "A penalty-function approach for pruning feedforward
    neural networks", with 0.1, 0.02 and 10 as its constants. L-BFGS goes on until the gradient is
    zero to 1e-8.

    Explained in the chapter *rules*.
    """
    start = (kept, X, np.eye(_CLASSES)[y])
    options = {"maxiter": 5000, "maxfun": 10_000, "gtol": 1e-8, "ftol": 1e-14}
    found = minimize(_loss, w * kept, start, "L-BFGS-B", jac=True, options=options)
    return kept * found.x


def prune(
    w: np.ndarray, X: np.ndarray, y: np.ndarray, floor: float = _FLOOR
) -> tuple[np.ndarray, np.ndarray]:
    """Cut connections, weakest first, and retrain, while enough rows get their class.

    Parameters
    ----------
    w : ndarray, shape (27,)
        Trained weights.
    X, y
        As in `fit`.
    floor : float
        The least share of rows that get their class.

    Returns
    -------
    w : ndarray, shape (27,)
    kept : ndarray, shape (27,)
        1 for a connection that is left, and for all biases.

    Notes
    -----
    A connection from an input has the effect of its weight times the largest weight behind its
    unit; one to a class that of its weight. All effects up to 0.4 are cut at once, otherwise the
    smallest, with those that tie. After Setiono (1997), section 3.

    Explained in the chapter *rules*.
    """
    kept = np.ones(len(w))
    biases = np.append(
        np.tile(np.arange(_INPUTS + 1) == _INPUTS, _UNITS),
        np.tile(np.arange(_UNITS + 1) == _UNITS, _CLASSES),
    )
    while True:
        hidden, output = (np.abs(layer) for layer in layers(w))
        effect = np.append(hidden * output[:, :-1].max(axis=0)[:, None], output)
        effect[(kept == 0) | biases] = np.inf
        cut = effect <= max(0.4, effect.min() * (1 + 1e-4))
        if cut.all():  # nothing is left
            return w, kept
        trial = np.where(cut, 0, kept)
        new = fit(w, trial, X, y)
        if (logits(new, X).argmax(axis=1) == y).mean() < floor:
            return w, kept
        w, kept = new, trial


class Pruned(NamedTuple):
    """A network of Iris before and after pruning; inputs are standardised on the training rows."""

    full: np.ndarray
    w: np.ndarray
    kept: np.ndarray


def train_pruned(seed: int) -> Pruned:
    """Train and prune on the training rows of this split, from weights of this seed."""
    iris = data.load("iris")
    X, _, y, _ = iris.split(seed)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    start = np.random.default_rng(seed).uniform(-1, 1, N_WEIGHTS)
    full = fit(start, np.ones(N_WEIGHTS), Z, y)
    return Pruned(full, *prune(full, Z, y))


def load_pruned() -> list[Pruned]:
    """Load the shipped networks, one for each of the seeds 0 to 19.

    Raises
    ------
    OSError
        If the file is missing or damaged; the message says how to repair it.

    Notes
    -----
    Explained in the chapter *rules*.
    """
    tensors, _ = read_weights(_NAME, "python -m xai_course.book.setiono")
    columns = (tensors[name] for name in Pruned._fields)
    return [Pruned(*row) for row in zip(*columns, strict=True)]


def _loss(
    w: np.ndarray, kept: np.ndarray, X: np.ndarray, Y: np.ndarray
) -> tuple[float, np.ndarray]:
    """Return the loss and its gradient."""
    hidden, output = layers(w * kept)
    A = np.tanh(with_ones(X) @ hidden.T)
    z, size = with_ones(A) @ output.T, 10 * w**2
    error = softmax(z, axis=1) - Y
    first = ((error @ output[:, :-1]) * (1 - A**2)).T @ with_ones(X)
    slope = np.concatenate([first.ravel(), (error.T @ with_ones(A)).ravel()])
    penalty = (0.1 * size / (1 + size) + 0.02 * w**2).sum()
    of_penalty = 2 * w / (1 + size) ** 2 + 0.04 * w
    return float(penalty - (Y * log_softmax(z, axis=1)).sum()), (slope + of_penalty) * kept


def plot_kept(ax: Axes, kept: np.ndarray, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Draw the connections that are left as solid lines, and those that were cut as dotted ones."""
    hidden, output = (layer[:, :-1] for layer in layers(kept))
    for x, table in ((0, hidden), (1, output.T)):
        for j, i in np.ndindex(table.shape):
            unit, other = j - 1, i - (table.shape[1] - 1) / 2
            style = {"lw": 2, "color": "black"} if table[j, i] else {"ls": ":", "color": "0.6"}
            ax.plot([x, x + 1], [unit, other] if x else [other, unit], **style)
    for x, names, side in ((-0.04, inputs, "right"), (2.04, outputs, "left")):
        for i, name in enumerate(names):
            ax.text(x, i - (len(names) - 1) / 2, name, ha=side, va="center")
    ax.plot([1, 1, 1], [-1, 0, 1], "o", ms=9, mfc="white", mec="black")
    ax.set(xlim=(-0.7, 2.7))
    ax.axis("off")


def _main() -> None:
    parser = argparse.ArgumentParser(description="Train and prune the networks of Iris.")
    parser.add_argument("--folder", type=Path, default=WEIGHTS)
    arguments = parser.parse_args()
    start = time.perf_counter()
    rows = [train_pruned(seed) for seed in range(_N_SEEDS)]
    tensors = {name: np.array([getattr(r, name) for r in rows]) for name in Pruned._fields}
    log: dict[str, Any] = {
        "settings": {"seeds": _N_SEEDS, "floor": _FLOOR, "penalty": [0.1, 0.02, 10]},
        "versions": {"numpy": np.__version__, "scipy": scipy.__version__},
        "seconds": round(time.perf_counter() - start, 1),
    }
    write_weights(arguments.folder, _NAME, tensors, log)
    print(f"{_NAME}: {[int(r.kept.sum()) - 6 for r in rows]} connections left, {log['seconds']} s")


if __name__ == "__main__":
    _main()
