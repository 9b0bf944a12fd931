"""Counterfactuals for any differentiable score, found by search: no certificate.

`xai_course.exact.nearest_counterfactual` finds the nearest one of a piecewise linear network, and
proves it. What is here needs gradients, or only the layers above a feature map.

Explained in the chapter *counterfactuals*.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn

from xai_course._validation import check_array, check_choice, check_number, check_whole

__all__ = ["Search", "Swaps", "median_absolute_deviations", "swap_cells", "wachter"]

Score = Callable[[torch.Tensor], torch.Tensor]


def median_absolute_deviations(X: ArrayLike) -> np.ndarray:
    """Return each feature's median distance from its median.

    Parameters
    ----------
    X : array_like, shape (n_samples, n_features)

    Returns
    -------
    ndarray of float64, shape (n_features,)
        Zero where more than half of the rows have one value.

    Raises
    ------
    TypeError, ValueError
        If the rows are not finite numbers, or there are none.

    Notes
    -----
    The unit of each feature in Wachter et al. (2018), equation 4. Explained in the chapter
    *counterfactuals*.

    Examples
    --------
    >>> median_absolute_deviations([[0.0, 1.0], [1.0, 1.0], [5.0, 4.0]])
    array([1., 0.])
    """
    X = check_array(X, "X", 2)
    if not len(X):
        raise ValueError("X must hold at least one row, got none.")
    return np.median(np.abs(X - np.median(X, axis=0)), axis=0)


@dataclass(frozen=True, eq=False)
class Search:
    """What `wachter` found, one entry per row.

    Attributes
    ----------
    X : ndarray of float64, shape (n_samples, n_features)
        The inputs where the search ended.
    distance : ndarray of float64, shape (n_samples,)
    score : ndarray of float64, shape (n_samples,)
    price : ndarray of float64, shape (n_samples,)
        The last lambda.
    found : ndarray of bool, shape (n_samples,)
        Whether the score is within epsilon of the wanted one.
    """

    X: np.ndarray
    distance: np.ndarray
    score: np.ndarray
    price: np.ndarray
    found: np.ndarray


def wachter(
    score: Score,
    X: ArrayLike,
    wanted: float,
    *,
    epsilon: float = 0.01,
    scale: ArrayLike | None = None,
    norm: int = 1,
    start: ArrayLike | None = None,
    price: float = 0.1,
    factor: float = 2.0,
    rounds: int = 18,
    steps: int = 200,
    learning_rate: float = 0.05,
) -> Search:
    """Search near each row for an input with the wanted score, by gradient descent.

    Parameters
    ----------
    score : callable
        Takes a float64 tensor (n_samples, n_features) and returns one number per row, (n_samples,).
    X : array_like, shape (n_samples, n_features)
        The rows to start from.
    wanted : float
        The score y' that each counterfactual is to have.
    epsilon : float
        How far from it the score may end.
    scale : array_like of positive numbers, shape (n_features,), optional
        The unit of each feature's change; the paper takes `median_absolute_deviations`. Ones by
        default.
    norm : {1, 2}
        Distances are the sum of the absolute changes in these units, or the root of the sum of
        their squares.
    start : array_like, shape (n_samples, n_features), optional
        Where the search begins. By default at `X`.
    price : float
        The first lambda.
    factor : float
        Lambda is multiplied by it, at most `rounds` - 1 times, for the rows not within epsilon.
    rounds, steps : int
        Rounds, and steps of gradient descent in each.
    learning_rate : float
        Adam's at the beginning of a round, in units of `scale`. It falls to zero within the round.

    Returns
    -------
    Search

    Raises
    ------
    TypeError, ValueError
        If an argument is none of the above, or `score` returns another shape.

    Notes
    -----
    Wachter, Mittelstadt and Russell (2018), equations 1, 2 and 4: minimise
    ``lambda * (score(x') - wanted)**2 + distance(x, x')``, and raise lambda until the score is
    within epsilon. They use Adam; the schedule of lambda is ours. With ``norm=2`` and as `score`
    the lead of one class, wanted 0, it is the penalty form of the search for a flip point
    (Yousefzadeh and O'Leary 2019).

    Explained in the chapter *counterfactuals*.

    Examples
    --------
    >>> found = wachter(lambda Z: Z @ Z.new_tensor([1.0, 2.0]), [[0.0, 0.0]], 1.0)
    >>> found.X.round(1), found.found
    (array([[0. , 0.5]]), array([ True]))
    """
    X = check_array(X, "X", 2)
    begin = X if start is None else check_array(start, "start", 2)
    if begin.shape != X.shape:
        raise ValueError(f"start must have the shape of X, {X.shape}, got {begin.shape}.")
    unit = np.ones(X.shape[1]) if scale is None else check_array(scale, "scale", 1)
    if unit.shape != X.shape[1:] or (unit <= 0).any():
        raise ValueError(f"scale must hold {X.shape[1]} positive numbers, got {scale!r}.")
    check_choice(norm, "norm", (1, 2))
    check_number(wanted, "wanted")
    for value, name in ((epsilon, "epsilon"), (price, "price"), (learning_rate, "learning_rate")):
        check_number(value, name, above=0)
    check_number(factor, "factor", above=1)
    for value, name in ((rounds, "rounds"), (steps, "steps")):
        check_whole(value, name, 1)

    origin, units = torch.tensor(X), torch.tensor(unit)
    change = ((torch.tensor(begin) - origin) / units).requires_grad_()
    prices, found = torch.full((len(X),), float(price), dtype=torch.float64), torch.zeros(len(X))
    for _ in range(rounds):
        kept, optimizer = change.detach().clone(), torch.optim.Adam([change], learning_rate)
        for step in range(steps):
            optimizer.param_groups[0]["lr"] = learning_rate * (1 - step / steps)
            miss = _score(score, origin + units * change) - wanted
            total = (prices * miss**2 + _length(change, norm)).sum()
            change.grad = torch.autograd.grad(total, change)[0]
            optimizer.step()
        with torch.no_grad():
            done = found > 0
            change[done] = kept[done]  # this row had its answer in an earlier round
            reached = _score(score, origin + units * change)
            found = ((reached - wanted).abs() <= epsilon).double()
            if found.all():
                break
            prices[found == 0] *= factor
    with torch.no_grad():
        ends = origin + units * change
        parts = (ends, _length(change, norm), reached, prices)
    return Search(*(part.numpy() for part in parts), found.numpy() > 0)


def _score(score: Score, Z: torch.Tensor) -> torch.Tensor:
    values = score(Z)
    if not isinstance(values, torch.Tensor) or values.shape != Z.shape[:1]:
        got = getattr(values, "shape", type(values).__name__)
        raise ValueError(f"score must return a tensor of shape ({len(Z)},), got {got}.")
    return values


def _length(change: torch.Tensor, norm: int) -> torch.Tensor:
    if norm == 1:
        return change.abs().sum(dim=1)
    return (change.square().sum(dim=1) + 1e-24).sqrt()  # the root has no slope at zero


@dataclass(frozen=True, eq=False)
class Swaps:
    """What `swap_cells` did, in order.

    Attributes
    ----------
    cells : list of (int, int)
        Each swap: the query's cell, and the other image's cell whose features it got. Cells are
        numbered row by row.
    probabilities : ndarray of float64, shape (n_swaps + 1,)
        The target's probability before the first swap and after each.
    features : ndarray of float64, shape (n_channels, height, width)
        What the swaps leave.
    found : bool
        Whether the head now decides for the target.
    """

    cells: list[tuple[int, int]]
    probabilities: np.ndarray
    features: np.ndarray
    found: bool


def swap_cells(
    head: nn.Module, query: ArrayLike, other: ArrayLike, target: int, max_swaps: int | None = None
) -> Swaps:
    """Give a query cells of another image's features, one by one, until the decision changes.

    Parameters
    ----------
    head : torch.nn.Module
        The layers above the features, in evaluation mode: takes (n, n_channels, height, width),
        returns logits.
    query, other : array_like, shape (n_channels, height, width)
        Features of two images, in the precision of the head's weights.
    target : int
        The class that is wanted, usually the one decided for the other image.
    max_swaps : int, optional
        By default as many as there are cells.

    Returns
    -------
    Swaps

    Raises
    ------
    TypeError, ValueError
        If the features are not finite numbers of one shape, or `target` is no class of the head.

    Notes
    -----
    Goyal et al. (2019), section 3: each step tries every cell of the query with every cell of the
    other image, and takes the pair with the largest log-probability of the target. No cell of the
    query is replaced twice.

    Explained in the chapter *counterfactuals*.
    """
    now, other = check_array(query, "query", 3), check_array(other, "other", 3)
    if now.shape != other.shape:
        raise ValueError(f"query and other must have one shape, got {now.shape}, {other.shape}.")
    shape, n = now.shape, now[0].size
    now, other = now.reshape(shape[0], n), other.reshape(shape[0], n)
    logits = _logits(head, now.reshape(1, *shape))
    check_whole(target, "target", 0, logits.shape[1] - 1)
    most = n if max_swaps is None else check_whole(max_swaps, "max_swaps", 1, n)
    cells, free = [], np.ones(n, dtype=bool)
    probabilities = [float(logits.softmax(1)[0, target])]
    while logits.argmax() != target and len(cells) < most:
        tried = np.tile(now, (n, n, 1, 1))
        for i in range(n):
            tried[i, :, :, i] = other.T
        gains = _logits(head, tried.reshape(-1, *shape)).log_softmax(1)[:, target].reshape(n, n)
        gains[~torch.tensor(free)] = -torch.inf
        i, j = (int(k) for k in divmod(int(gains.argmax()), n))
        now, free[i] = tried[i, j], False
        logits = _logits(head, now.reshape(1, *shape))
        cells.append((i, j))
        probabilities.append(float(logits.softmax(1)[0, target]))
    found = bool(logits.argmax() == target)
    return Swaps(cells, np.array(probabilities), now.reshape(shape).copy(), found)


def _logits(head: nn.Module, features: np.ndarray) -> torch.Tensor:
    weight = next(head.parameters())
    with torch.no_grad():
        return head(torch.as_tensor(features, dtype=weight.dtype)).double()
