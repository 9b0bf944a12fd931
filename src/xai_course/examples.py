"""Explaining by example: nearest rows in a space, prototypes and criticisms, a cover of balls."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import Bounds, LinearConstraint
from scipy.sparse import csr_array, eye_array, hstack
from scipy.spatial.distance import cdist

from xai_course._programs import integer_program
from xai_course._validation import check_array, check_labels, check_number, check_whole
from xai_course.networks import PiecewiseLinearNetwork

__all__ = ["conformity", "cover", "criticisms", "hidden_layers", "prototypes", "witness"]

_CHUNK = 256  # queries at once
_TIE = 1 + 1e-9  # distances closer than this count as equal, whatever the rounding


def hidden_layers(network: PiecewiseLinearNetwork, X: ArrayLike) -> list[np.ndarray]:
    """Return the outputs of every hidden layer: the spaces in which a network compares rows.

    Parameters
    ----------
    network : PiecewiseLinearNetwork
    X : array_like, shape (n_samples, n_features)

    Returns
    -------
    list of ndarray of float64, shape (n_samples, n_neurons)
        From the first hidden layer to the last.

    Raises
    ------
    TypeError, ValueError
        As for ``network.forward``.

    Notes
    -----
    Explained in the chapter *neighbours-and-prototypes*.

    Examples
    --------
    >>> network = PiecewiseLinearNetwork([[[1], [-1]], [[1, 1]]], [[0, 0], [0]])
    >>> hidden_layers(network, [[-2.0], [3.0]])
    [array([[0., 2.],
           [3., 0.]])]
    """
    outputs, layers = network.check_inputs(X), []
    steps = zip(network.activations, network.weights, network.biases, strict=False)
    for activation, weight, bias in steps:
        layers.append(outputs := activation(outputs @ weight.T + bias))
    return layers


def conformity(
    layers: Sequence[ArrayLike], labels: ArrayLike, queries: Sequence[ArrayLike], *, k: int = 10
) -> np.ndarray:
    """Return how large a share of the nearest rows has each class, averaged over layers.

    Parameters
    ----------
    layers : sequence of array_like, shape (n_rows, width)
        The rows to compare with, as each layer represents them; one table for one space.
    labels : array_like of int, shape (n_rows,)
        Class numbers from 0: true classes, or a network's decisions.
    queries : sequence of array_like, shape (n_queries, width)
        The rows that are asked about, in the same layers.
    k : int
        Rows to look at. All rows that are as near as the last one count, too, so that the order of
        the rows does not matter.

    Returns
    -------
    ndarray of float64, shape (n_queries, n_classes)
        Rows sum to 1. The entry of the decided class is the conformity of the decision.

    Raises
    ------
    TypeError, ValueError
        If the layers do not fit together, the labels are no class numbers, or there are fewer than
        `k` rows.

    Notes
    -----
    The deep k-nearest neighbours of Papernot and McDaniel (2018), Euclidean distances; as Wallace,
    Feng and Boyd-Graber (2018) use it, without calibration.

    Explained in the chapter *neighbours-and-prototypes*.

    Examples
    --------
    >>> conformity([[[0.0], [1.0], [5.0]]], [0, 1, 1], [[[0.4]]], k=2)
    array([[0.5, 0.5]])
    """
    known = [check_array(layer, f"layers[{i}]", 2) for i, layer in enumerate(layers)]
    asked = [check_array(layer, f"queries[{i}]", 2) for i, layer in enumerate(queries)]
    shapes = [layer.shape for layer in known], [layer.shape for layer in asked]
    widths = [[width for _, width in part] for part in shapes]
    if not known or widths[0] != widths[1] or any(len({n for n, _ in p}) > 1 for p in shapes):
        accepted = "the same columns in both and the same rows in all"
        raise ValueError(f"layers and queries must have {accepted}, got {shapes[0]}, {shapes[1]}.")
    classes = _class_numbers(labels, len(known[0]))
    check_whole(k, "k", 1, len(classes))
    member = np.eye(classes.max() + 1)[classes]
    shares = np.zeros((len(asked[0]), member.shape[1]))
    for rows, points in zip(known, asked, strict=True):
        for start in range(0, len(points), _CHUNK):
            distance = cdist(points[start : start + _CHUNK], rows)
            last = np.partition(distance, k - 1, axis=1)[:, k - 1 : k]
            near = (distance <= last * _TIE).astype(float)
            shares[start : start + _CHUNK] += near @ member / near.sum(axis=1, keepdims=True)
    return shares / len(known)


def prototypes(kernel: ArrayLike, n: int) -> np.ndarray:
    """Return rows whose distribution is closest to that of all rows, chosen greedily.

    Parameters
    ----------
    kernel : array_like, shape (n_rows, n_rows)
        Similarities, such as ``sklearn.metrics.pairwise.rbf_kernel(X)``.
    n : int
        How many prototypes.

    Returns
    -------
    ndarray of int64, shape (n,)
        Row numbers in the order in which they were taken; of equal rows the first.

    Raises
    ------
    TypeError, ValueError
        If the kernel is no symmetric square table, or there are fewer than `n` rows.

    Notes
    -----
    MMD-critic of Kim, Khanna and Koyejo (2016), greedily: each step takes the row that lowers the
    squared maximum mean discrepancy between the prototypes and all rows the most.

    Explained in the chapter *neighbours-and-prototypes*.

    Examples
    --------
    >>> from sklearn.metrics.pairwise import rbf_kernel
    >>> X = np.array([[0.0], [0.1], [0.2], [5.0], [5.1], [5.2]])
    >>> prototypes(rbf_kernel(X), 2)
    array([1, 4])
    """
    table = _kernel(kernel)
    check_whole(n, "n", 1, len(table))
    typical, taken = table.mean(axis=0), []
    inside, outside, to_taken = 0.0, 0.0, np.zeros(len(table))
    for size in range(1, n + 1):
        within = inside + 2 * to_taken + np.diag(table)
        gain = 2 * (outside + typical) / size - within / size**2
        gain[taken] = -np.inf
        taken.append(best := _first_best(gain))
        inside, outside = within[best], outside + typical[best]
        to_taken = to_taken + table[best]
    return np.array(taken)


def witness(kernel: ArrayLike, chosen: ArrayLike) -> np.ndarray:
    """Return, for every row, how much denser all rows are there than the chosen ones.

    Parameters
    ----------
    kernel : array_like, shape (n_rows, n_rows)
    chosen : array_like of int, shape (n,)
        Row numbers, such as from `prototypes`.

    Returns
    -------
    ndarray of float64, shape (n_rows,)
        Positive where the chosen rows leave something out, negative where they overstate it.

    Notes
    -----
    The witness function of Kim, Khanna and Koyejo (2016).

    Explained in the chapter *neighbours-and-prototypes*.
    """
    table = _kernel(kernel)
    return table.mean(axis=0) - table[_row_numbers(chosen, len(table))].mean(axis=0)


def criticisms(kernel: ArrayLike, chosen: ArrayLike, n: int) -> np.ndarray:
    """Return rows that some prototypes misrepresent, and that differ from each other.

    Parameters
    ----------
    kernel : array_like, shape (n_rows, n_rows)
    chosen : array_like of int
        Row numbers of the prototypes.
    n : int
        How many criticisms.

    Returns
    -------
    ndarray of int64, shape (n,)
        Row numbers in the order in which they were taken, none of a prototype.

    Raises
    ------
    TypeError, ValueError
        If the kernel or the prototypes do not fit, or too few rows are left.

    Notes
    -----
    Kim, Khanna and Koyejo (2016), with their regulariser: greedily the largest sum of absolute
    witness values plus the log-determinant of the criticisms' kernel.

    Explained in the chapter *neighbours-and-prototypes*.

    Examples
    --------
    >>> from sklearn.metrics.pairwise import rbf_kernel
    >>> X = np.array([[0.0], [0.1], [0.2], [5.0], [5.1], [5.2], [9.0]])
    >>> criticisms(rbf_kernel(X), [1, 4], 1)
    array([6])
    """
    table, missed = _kernel(kernel), np.abs(witness(kernel, chosen))
    closed, taken = np.isin(np.arange(len(table)), chosen), []
    check_whole(n, "n", 1, int((~closed).sum()))
    left, factor = np.diag(table).copy(), np.zeros((0, len(table)))
    for _ in range(n):
        # What is left of a row's own similarity once the taken rows explain it (Cholesky).
        gain = missed + np.log(np.maximum(left, 1e-12))
        gain[closed] = -np.inf
        taken.append(best := _first_best(gain))
        closed[best] = True
        row = (table[best] - factor[:, best] @ factor) / np.sqrt(max(left[best], 1e-12))
        factor, left = np.vstack([factor, row]), left - row**2
    return np.array(taken)


def cover(
    distances: ArrayLike, labels: ArrayLike, radius: float, *, exact: bool = False
) -> tuple[np.ndarray, np.ndarray, float]:
    """Choose rows whose balls cover their own class and keep out of the others.

    Parameters
    ----------
    distances : array_like, shape (n_rows, n_rows)
    labels : array_like of int, shape (n_rows,)
        Class numbers from 0: true classes, or a network's decisions.
    radius : float
        Of every ball.
    exact : bool
        Solve the integer program by branch and bound, instead of greedily.

    Returns
    -------
    rows, kinds : ndarray of int64, shape (n_prototypes,)
        Row number of each prototype, and the class that it stands for.
    objective : float
        Rows that no ball of their class covers, plus rows in balls of another class (once for each
        ball), plus 1 / n_rows for each prototype.

    Raises
    ------
    TypeError, ValueError
        If tables, labels or radius do not fit.
    RuntimeError
        If the integer program was not solved.

    Notes
    -----
    Bien and Tibshirani (2011), the integer program and the greedy algorithm: for each class a set
    cover whose candidates are all rows.

    Explained in the chapter *neighbours-and-prototypes*.

    Examples
    --------
    >>> X = np.array([0.0, 0.1, 0.2, 5.0, 5.1])
    >>> rows, kinds, _ = cover(abs(X[:, None] - X), [0, 0, 0, 1, 1], radius=0.3)
    >>> rows, kinds
    (array([0, 3]), array([0, 1]))
    """
    within = check_array(distances, "distances", 2) <= check_number(radius, "radius", above=0)
    if within.shape[0] != within.shape[1]:
        raise ValueError(f"distances must be a square table, got shape {within.shape}.")
    classes = _class_numbers(labels, len(within))
    rows, kinds, total = [], [], 0.0
    for kind in range(classes.max() + 1):
        own = classes == kind
        cost = 1 / len(within) + within[:, ~own].sum(axis=1)
        taken = (_exact_cover if exact else _greedy_cover)(within[:, own], cost)
        rows += taken
        kinds += [kind] * len(taken)
        total += cost[taken].sum() + (~within[np.ix_(taken, own)].any(axis=0)).sum()
    return np.array(rows, dtype=int), np.array(kinds, dtype=int), float(total)


def _greedy_cover(balls: np.ndarray, cost: np.ndarray) -> list[int]:
    missing, taken = np.ones(balls.shape[1], dtype=bool), []
    while True:
        gain = balls[:, missing].sum(axis=1) - cost
        best = _first_best(gain)
        if gain[best] <= 1e-9:
            return taken
        taken.append(best)
        missing &= ~balls[best]


def _exact_cover(balls: np.ndarray, cost: np.ndarray) -> list[int]:
    n_rows, n_own = balls.shape
    covered = hstack([csr_array(balls.T.astype(float)), eye_array(n_own)])
    whole, price = np.repeat([1, 0], [n_rows, n_own]), np.append(cost, np.ones(n_own))
    rule = LinearConstraint(covered, lb=1)
    solved = integer_program(price, constraints=rule, integrality=whole, bounds=Bounds(0, 1))
    if solved.x is None or solved.status != 0:
        raise RuntimeError(f"The integer program was not solved: {solved.message}")
    return np.flatnonzero(solved.x[:n_rows] > 0.5).tolist()


def _first_best(gain: np.ndarray) -> int:
    """Return the first of the largest, whatever the rounding."""
    return int(np.argmax(gain >= gain.max() - 1e-12))


def _kernel(kernel: ArrayLike) -> np.ndarray:
    table = check_array(kernel, "kernel", 2)
    if table.shape[0] != table.shape[1] or not np.allclose(table, table.T):
        raise ValueError(f"kernel must be a symmetric square table, got shape {table.shape}.")
    return table


def _row_numbers(chosen: ArrayLike, n_rows: int) -> np.ndarray:
    rows = np.asarray(chosen)
    fits = rows.ndim == 1 and rows.size and rows.dtype.kind in "iu"
    if not fits or not np.isin(rows, range(n_rows)).all():
        raise ValueError(f"chosen must hold row numbers up to {n_rows - 1}, got {chosen!r}.")
    return rows


def _class_numbers(labels: ArrayLike, n_rows: int) -> np.ndarray:
    found, numbers = check_labels(labels, n_rows, "labels")
    if found.dtype.kind not in "biu" or found[0] < 0:
        raise ValueError(f"labels must be class numbers from 0, got {found[:5].tolist()}.")
    return found.astype(int)[numbers]
