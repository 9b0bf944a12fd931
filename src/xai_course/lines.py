"""A network along a line: a piecewise linear function of one number, with all its kinks.

From the kinks follow integrated gradients, effect curves and the point where a decision changes,
all without sampling.

Explained in the chapter *gradients*.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import gen_batches

from xai_course._models import Model, check_targets, gradients, inputs_of, outputs
from xai_course._validation import to_numpy
from xai_course.networks import PiecewiseLinearNetwork

__all__ = ["PiecewiseLinearPath", "kinks", "line"]

# Kinks that are closer together than this share of the line are one, by rounding.
_ONE = 2**-46

# Inputs of all neurons of the widest layer that are held at once.
_AT_ONCE = 2**22


class PiecewiseLinearPath:
    """The outputs of a model on the way from one input to another.

    Made by `line`.

    Attributes
    ----------
    model : PiecewiseLinearNetwork or torch.nn.Module
    start, end : ndarray of float64, shape (...)
        The two inputs.
    t : ndarray of float64, shape (n_pieces + 1,)
        Increasing from 0 to 1: the ends, and each place between them where a neuron changes its
        segment or a maximum its winner. Max pooling adds a few where nothing bends.
    values : ndarray of float64, shape (n_pieces + 1, n_outputs)
        The outputs there. In between they are linear.

    Notes
    -----
    Explained in the chapter *gradients*.
    """

    def __init__(
        self, model: Model, start: np.ndarray, end: np.ndarray, t: np.ndarray, values: np.ndarray
    ) -> None:
        self.model, self.start, self.end = model, start, end
        self.t, self.values = t, values

    def __repr__(self) -> str:
        return f"PiecewiseLinearPath({len(self.t) - 1} pieces, {self.values.shape[1]} outputs)"

    @property
    def middles(self) -> np.ndarray:
        """One input in the middle of each piece, shape (n_pieces, ...)."""
        middle = (self.t[1:] + self.t[:-1]) / 2
        return self.start + np.multiply.outer(middle, self.end - self.start)

    def gradient(self, target: int | None = None) -> np.ndarray:
        """Return the gradient of one output on each piece.

        Parameters
        ----------
        target : int, optional
            Needed where there are several outputs.

        Returns
        -------
        ndarray of float64, shape (n_pieces, ...)

        Raises
        ------
        ValueError
            If it is no output.
        """
        middles = self.middles
        targets = check_targets(target, self.values.shape[1], len(middles))
        return gradients(self.model, middles, targets)

    @cached_property
    def gradients(self) -> np.ndarray:
        """The gradients of all outputs, shape (n_pieces, n_outputs, ...)."""
        return np.stack([self.gradient(k) for k in range(self.values.shape[1])], axis=1)

    def __call__(self, t: ArrayLike) -> np.ndarray:
        """Return the outputs at places between 0 and 1, shape (n_places, n_outputs)."""
        t = np.atleast_1d(np.asarray(t, dtype=float))
        if not ((t >= 0) & (t <= 1)).all():
            raise ValueError("A place on the line must lie between 0 and 1.")
        return np.stack([np.interp(t, self.t, column) for column in self.values.T], axis=1)

    def crossings(self, target: int | None = None, level: float = 0.0) -> np.ndarray:
        """Return where one output crosses or touches a level, increasing.

        A piece that lies on the level throughout counts with both its ends.
        """
        (k,) = check_targets(target, self.values.shape[1], 1)
        d = self.values[:, k] - level
        crossing = np.flatnonzero(d[:-1] * d[1:] < 0)
        share = d[crossing] / (d[crossing] - d[crossing + 1])
        between = self.t[crossing] + share * (self.t[crossing + 1] - self.t[crossing])
        return np.sort(np.concatenate([self.t[d == 0], between]))


def line(model: Model, a: ArrayLike, b: ArrayLike) -> PiecewiseLinearPath:
    """Follow a model on the straight line from one input to another.

    Parameters
    ----------
    model : PiecewiseLinearNetwork or torch.nn.Module
        A network's activations must be continuous. A module is read with `torch.fx` and evaluated
        as it is, in its own precision, so ``module.double()`` gives more digits; it must be in
        evaluation mode, and made of linear and convolutional layers, ReLU, LeakyReLU, ReLU6,
        Hardtanh, PReLU, average and max pooling, BatchNorm, Dropout, reshapes, sums (as in residual
        networks) and concatenation.
    a, b : array_like, shape (...)
        The two inputs, without a dimension for rows.

    Returns
    -------
    PiecewiseLinearPath

    Raises
    ------
    TypeError
        If the model is of another kind, or holds an operation that is not known to be piecewise
        linear; the message names it.
    ValueError
        If the inputs are not finite, their shapes differ or do not fit the model, an activation
        jumps, or a module computes something else than its operations say.

    Notes
    -----
    The idea is ExactLine of Sotoudeh and Thakur (2019): between the kinks of the layers so far
    everything is linear, so the kinks of the next layer come from values at those places alone. The
    effort grows with the number of kinks times the size of the network.

    Explained in the chapter *gradients*.

    Examples
    --------
    The absolute value, from -1 to 3:

    >>> network = PiecewiseLinearNetwork([[[1], [-1]], [[1, 1]]], [[0, 0], [0]])
    >>> path = line(network, [-1.0], [3.0])
    >>> path.t, path.gradient().ravel()
    (array([0.  , 0.25, 1.  ]), array([-1.,  1.]))
    """
    a, b = inputs_of(model, to_numpy(a)[None], "a"), inputs_of(model, to_numpy(b)[None], "b")
    if a.shape != b.shape:
        raise ValueError(f"a and b must have the same shape, got {a.shape[1:]} and {b.shape[1:]}.")
    (t,), (values,) = kinks(model, a, b)
    return PiecewiseLinearPath(model, a[0], b[0], t, values)


def kinks(model: Model, A: np.ndarray, B: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the kinks of many lines, and the outputs there; see `line`.

    Parameters
    ----------
    model : PiecewiseLinearNetwork or torch.nn.Module
    A, B : ndarray of float64, shape (n_lines, ...)
        Checked inputs.

    Returns
    -------
    t : list of ndarray, shape (n_pieces + 1,)
    values : list of ndarray, shape (n_pieces + 1, n_outputs)
    """
    follow = _kinks_of_network if isinstance(model, PiecewiseLinearNetwork) else _kinks_of_module
    t, values = [], []
    for places, outputs_there in follow(model, A, B):
        apart = np.diff(places, append=np.inf) > _ONE
        apart[0] = True
        t.append(places[apart])
        values.append(outputs_there[apart])
    return t, values


def _kinks_of_network(
    network: PiecewiseLinearNetwork, A: np.ndarray, B: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Go through the layers with the places of many lines below each other."""
    for activation in network.activations:
        if not activation.is_continuous:
            raise ValueError(f"{activation!r} jumps; a line needs continuous activations.")
    sizes = network.hidden_sizes
    at_once = max(1, _AT_ONCE // (8 * sum(sizes, 1) * max(sizes, default=1)))
    for lines in gen_batches(len(A), at_once):
        h = np.stack([A[lines], B[lines]], axis=1).reshape(-1, network.n_features)
        n = len(h) // 2
        row, t = np.repeat(np.arange(n), 2), np.tile([0.0, 1.0], n)
        for weight, bias, activation in zip(
            network.weights, network.biases, network.activations, strict=False
        ):
            row, t, z = _refine(row, t, h @ weight.T + bias, activation.breakpoints)
            h = activation(z)
        values = h @ network.weights[-1].T + network.biases[-1]
        starts = np.searchsorted(row, np.arange(1, n))
        yield from zip(np.split(t, starts), np.split(values, starts), strict=True)


def _refine(
    row: np.ndarray, t: np.ndarray, z: np.ndarray, levels: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Add the places where a column of `z` crosses a level; between two places it is linear."""
    same = row[1:] == row[:-1]
    at, where = [np.arange(len(t))], [t]
    for level in levels:
        above = z >= level
        piece, neuron = np.nonzero((above[1:] != above[:-1]) & same[:, None])
        p, q = z[piece, neuron] - level, z[piece + 1, neuron] - level
        at.append(piece)
        where.append(t[piece] + p / (p - q) * (t[piece + 1] - t[piece]))
    at, where = np.concatenate(at), np.concatenate(where)
    order = np.lexsort([where, row[at]])
    at, where = at[order], where[order]
    fresh = np.append(True, (np.diff(where) != 0) | np.diff(row[at]).astype(bool))
    at, where = at[fresh], where[fresh]
    # The last place of a line is the end of no piece but its own.
    after = np.minimum(at + 1, len(t) - 1)
    length = np.where(row[after] == row[at], t[after] - t[at], 1.0)
    share = ((where - t[at]) / np.where(length > 0, length, 1.0))[:, None]
    return row[at], where, z[at] + share * (z[after] - z[at])


def _kinks_of_module(
    module: Model, A: np.ndarray, B: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    import torch

    from xai_course._following import Follower
    from xai_course.training import as_inputs

    outputs(module, A[:1])  # says what is wrong with the inputs, if anything
    follower = Follower(module)
    for a, b in zip(A, B, strict=True):
        with torch.no_grad():
            places, found = follower.follow(*as_inputs(module, np.stack([a, b])))
        t, values = places.cpu().numpy(), found.double().cpu().numpy().reshape(len(places), -1)
        _compare(PiecewiseLinearPath(module, a, b, t, values), torch.finfo(found.dtype).eps)
        yield t, values


def _compare(path: PiecewiseLinearPath, precision: float) -> None:
    """Raise an error if the module gives something else on the line than its operations."""
    t = np.linspace(0.03, 0.97, 5)
    module = outputs(path.model, path.start + np.multiply.outer(t, path.end - path.start))
    if np.abs(module - path(t)).max() > np.sqrt(precision) * np.abs(path.values).max():
        raise ValueError(
            f"{type(path.model).__name__} computes something else than its operations say, through "
            "hooks, random numbers or changes in place, so it cannot be followed along a line."
        )
