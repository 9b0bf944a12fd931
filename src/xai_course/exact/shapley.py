"""Shapley values: all coalitions where they can be counted, permutations with errors elsewhere.

Explained in the chapter *shapley*.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import factorial

import numpy as np
from numpy.typing import ArrayLike

from xai_course._models import Model, check_targets, inputs_of, one_output, outputs, tail
from xai_course._validation import check_array, check_whole
from xai_course.networks import PiecewiseLinearNetwork

__all__ = ["MOST_FEATURES", "ShapleyValues", "coalitions", "shapley", "shapley_weights"]

#: Up to this number of features all coalitions are evaluated, which are 32,768 for each row of the
#: background.
MOST_FEATURES = 15
_PERMUTATIONS = 1000

# Numbers of composed inputs that are held at once: few enough for the cache.
_AT_ONCE = 2**17

_Function = Callable[[np.ndarray], ArrayLike]


@dataclass(frozen=True, eq=False)
class ShapleyValues:
    """Shapley values of some rows.

    Attributes
    ----------
    values : ndarray of float64, shape (n_rows, ...)
        In the shape of the rows. They add up to the output minus `base`.
    standard_errors : ndarray or None
        Of sampled values, in the same shape; None where all coalitions were counted.
    base : ndarray of float64, shape (n_rows,)
        The mean output of the background.
    """

    values: np.ndarray
    standard_errors: np.ndarray | None
    base: np.ndarray


def coalitions(n_features: int) -> np.ndarray:
    """Return all subsets of the features, shape (2 ** n_features, n_features) of bool.

    Feature `i` is in coalition `c` where bit `i` of `c` is set.

    Examples
    --------
    >>> coalitions(2).astype(int).tolist()
    [[0, 0], [1, 0], [0, 1], [1, 1]]
    """
    return (np.arange(2**n_features)[:, None] >> np.arange(n_features)) % 2 == 1


def shapley_weights(n_features: int) -> np.ndarray:
    """Return the matrix that turns the values of all coalitions into Shapley values.

    Parameters
    ----------
    n_features : int

    Returns
    -------
    ndarray of float64, shape (n_features, n_coalitions)
        Shapley (1953): a coalition `S` of the others has the weight ``|S|! (d - |S| - 1)! / d!``,
        positive with the feature and negative without it.
    """
    members, d = coalitions(n_features), n_features
    weights = np.array([factorial(s) * factorial(d - s - 1) / factorial(d) for s in range(d)])
    size = members.sum(axis=1)
    with_it = weights[size - 1]
    without = -weights[np.minimum(size, d - 1)]
    return np.where(members, with_it[:, None], without[:, None]).T


def shapley(
    model: Model | _Function,
    X: ArrayLike,
    background: ArrayLike,
    target: int | ArrayLike | None = None,
    *,
    n_permutations: int | None = None,
    random_state: int = 0,
) -> ShapleyValues:
    """Return interventional Shapley values.

    Parameters
    ----------
    model : PiecewiseLinearNetwork, torch.nn.Module or callable
        A callable takes rows like `X` and gives one output per row, or one row of outputs.
    X : array_like, shape (n_rows, ...)
        Every number of a row is a player.
    background : array_like, shape (n_background, ...)
        Where the features outside of a coalition come from: the coalition's value is the mean
        output over these rows.
    target : int or array_like, shape (n_rows,), optional
        The output that is explained; needed where there are several.
    n_permutations : int, optional
        Sample that many permutations, each of them also backwards, instead of counting all
        coalitions. By default all coalitions up to 15 features, and 1,000 permutations above.
    random_state : int
        Seed of the permutations.

    Returns
    -------
    ShapleyValues

    Raises
    ------
    TypeError, ValueError
        If the model, the rows, the background or the target is not as described, or
        `n_permutations` is no whole number from 2 on.

    Notes
    -----
    Shapley (1953); Lundberg and Lee (2017) with the interventional value function of Janzing et al.
    (2020). Each permutation meets one row of the background, in turn; a permutation and its reverse
    count as one draw for the standard error (Mitchell et al. 2022, section 4.1), which leaves the
    spread between the background's rows out as soon as each is met twice.

    Explained in the chapter *shapley*.

    Examples
    --------
    >>> shapley(lambda rows: rows[:, 0] * rows[:, 1], [[2.0, 3.0]], [[0.0, 0.0]]).values
    array([[3., 3.]])
    """
    X, background, outputs_of = _read(model, X, background)
    targets = check_targets(target, outputs_of(background[:1]).shape[1], len(X))
    rows, back = X.reshape(len(X), -1), background.reshape(len(background), -1)
    if n_permutations is None and rows.shape[1] > MOST_FEATURES:
        n_permutations = _PERMUTATIONS
    if n_permutations is not None:
        n_permutations = check_whole(n_permutations, "n_permutations", 2)
    values, errors = np.empty(rows.shape), np.empty(rows.shape)
    base = np.empty(len(X))
    for k in np.unique(targets):
        asked = targets == k

        def f(composed: np.ndarray, k: int = int(k)) -> np.ndarray:
            return outputs_of(composed.reshape(-1, *X.shape[1:]))[:, k]

        base[asked] = f(back).mean()
        if n_permutations is not None:
            rng = np.random.default_rng(random_state)
            found = [_by_permutations(f, x, back, n_permutations, rng) for x in rows[asked]]
            values[asked], errors[asked] = map(np.array, zip(*found, strict=True))
        elif isinstance(model, PiecewiseLinearNetwork):
            values[asked] = _of_network(one_output(model, int(k)), rows[asked], back)
        else:
            values[asked] = _by_coalitions(f, rows[asked], back)
    errors = None if n_permutations is None else errors.reshape(X.shape)
    return ShapleyValues(values.reshape(X.shape), errors, base)


def _read(
    model: Model | _Function, X: ArrayLike, background: ArrayLike
) -> tuple[np.ndarray, np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """Return the rows and the background, checked, and what gives the outputs of rows."""
    if callable(model) and not hasattr(model, "named_modules"):
        X = check_array(X, "X", max(np.ndim(X), 2))
        background, outputs_of = check_array(background, "background", X.ndim), _of_function
    else:
        X, background = inputs_of(model, X), inputs_of(model, background, "background")
        outputs_of = outputs
    if background.shape[1:] != X.shape[1:] or not len(background) or not len(X):
        raise ValueError(
            "X and background must hold at least one row each, of the same shape, got "
            f"{X.shape} and {background.shape}."
        )
    return X, background, partial(outputs_of, model)


def _of_function(model: _Function, Z: np.ndarray) -> np.ndarray:
    """Return a function's outputs, shape (n_rows, n_outputs)."""
    found = np.asarray(model(Z.copy()), dtype=float)
    if found.ndim not in (1, 2) or len(found) != len(Z):
        raise ValueError(
            f"The model must give one output per row, ({len(Z)},), or one row of outputs, got "
            f"shape {found.shape}."
        )
    return found.reshape(len(Z), -1)


def _by_coalitions(
    f: Callable[[np.ndarray], np.ndarray], X: np.ndarray, background: np.ndarray
) -> np.ndarray:
    members, weights = coalitions(X.shape[1]), shapley_weights(X.shape[1])
    step = max(1, _AT_ONCE // background.size)
    found = np.empty(X.shape)
    for i, x in enumerate(X):
        worth = np.concatenate(
            [
                f(np.where(some[:, None], x, background)).reshape(len(some), -1).mean(axis=1)
                for some in np.split(members, range(step, len(members), step))
            ]
        )
        found[i] = weights @ worth
    return found


def _of_network(
    network: PiecewiseLinearNetwork, X: np.ndarray, background: np.ndarray
) -> np.ndarray:
    """Count all coalitions; the first layer's products are sums over features, made once."""
    members, weights = coalitions(X.shape[1]), shapley_weights(X.shape[1])
    first, bias = network.weights[0], network.biases[0]
    if not network.hidden_sizes:
        return first[0] * (X - background.mean(axis=0))
    activation = network.activations[0]
    behind = tail(network, 1)
    step = max(1, _AT_ONCE // (len(background) * len(bias)))
    found = np.zeros(X.shape)
    for start in range(0, len(members), step):
        some = members[start : start + step]
        absent = (~some)[:, None] * background @ first.T + bias
        for i, x in enumerate(X):
            z = absent + (some * x @ first.T)[:, None]
            worth = behind.forward(activation(z).reshape(-1, len(bias)))
            found[i] += weights[:, start : start + step] @ worth.reshape(len(some), -1).mean(axis=1)
    return found


def _by_permutations(
    f: Callable[[np.ndarray], np.ndarray],
    x: np.ndarray,
    background: np.ndarray,
    n_permutations: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    d = len(x)
    draws = np.empty((n_permutations, d))
    visits = rng.permutation(len(background))  # where there are fewer permutations than rows, some
    from_row = rng.permutation(visits[np.arange(n_permutations) % len(background)])
    step = max(1, _AT_ONCE // (2 * d * d))
    for rows in np.split(np.arange(n_permutations), range(step, n_permutations, step)):
        order = rng.permuted(np.tile(np.arange(d), (len(rows), 1)), axis=1)
        rank = np.argsort(order, axis=1)  # when each feature joins
        joined = rank[:, None] < np.arange(d + 1)[:, None]
        both = np.stack([joined, ~joined[:, ::-1]])  # the reverse lets the last join first
        composed = np.where(both, x, background[from_row[rows]][:, None])
        steps = np.diff(f(composed.reshape(-1, d)).reshape(2, len(rows), d + 1), axis=2)
        gains = np.take_along_axis(steps[0], rank, 1)
        backwards = np.take_along_axis(steps[1], d - 1 - rank, 1)
        draws[rows] = (gains + backwards) / 2
    return draws.mean(axis=0), _standard_error(draws, from_row)


def _standard_error(draws: np.ndarray, stratum: np.ndarray) -> np.ndarray:
    """Return the standard error of the mean of draws that visit the strata equally often."""
    n, strata = len(draws), np.unique(stratum)
    if n < 2 * len(strata):  # too few to tell the strata's own spread: an upper bound, then
        return draws.std(axis=0, ddof=1) / np.sqrt(n)
    within = np.concatenate([d - d.mean(axis=0) for d in (draws[stratum == s] for s in strata)])
    return np.sqrt((within**2).sum(axis=0) / (n - len(strata)) / n)
