"""Explanations made of gradients: at the input, on the way to it, and around it.

Explained in the chapter *gradients*.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm as normal

from xai_course._models import (
    Model,
    check_baseline,
    check_targets,
    gradients,
    inputs_of,
    one_output,
    outputs,
    tail,
)
from xai_course._validation import check_number, check_whole
from xai_course.lines import PiecewiseLinearPath, kinks
from xai_course.networks import PiecewiseLinearNetwork

__all__ = ["contributions", "gradient_radius", "integrated_gradients", "smoothgrad"]

# Numbers that are held at once while gradients are summed.
_AT_ONCE = 2**22

_CONSTANT = 1e-13


def integrated_gradients(
    model: Model,
    X: ArrayLike,
    baseline: ArrayLike = 0.0,
    target: int | ArrayLike | None = None,
    *,
    layer: int | str | None = None,
) -> np.ndarray:
    """Return integrated gradients, the integral computed piece by piece.

    Parameters
    ----------
    model : PiecewiseLinearNetwork or torch.nn.Module
        As for `xai_course.lines.line`.
    X : array_like, shape (n_rows, ...)
    baseline : float or array_like, shape (...) or (n_rows, ...)
        Where the path begins.
    target : int or array_like, shape (n_rows,), optional
        The output that is explained; needed where there are several.
    layer : int or str, optional
        Explain the activations of a hidden layer instead of the inputs: the number of a network's
        hidden layer, from 1 on, or the name of a module's part, whose output is meant. The path is
        the straight line between the activations of the two inputs.

    Returns
    -------
    ndarray of float64, shape of `X` or (n_rows, ...) of the layer
        The attributions of a row add up to the difference of the outputs, up to rounding.

    Raises
    ------
    TypeError, ValueError
        As for `line`; also if the baseline has another shape, the target is no output, or there is
        no such layer.

    Notes
    -----
    Sundararajan et al. (2017), eq. 1. A gradient is constant between two kinks, so that the
    integral is a sum; see Sotoudeh and Thakur (2019).

    Explained in the chapter *gradients*.

    Examples
    --------
    >>> network = PiecewiseLinearNetwork([[[1, 1]], [[1]]], [[-1], [0]])  # relu(x + y - 1)
    >>> integrated_gradients(network, [[2.0, 1.0]])
    array([[1.33333333, 0.66666667]])
    """
    X = inputs_of(model, X)
    A = check_baseline(baseline, X)
    if layer is not None:
        model, A, X = _behind(model, layer, A, X)
    t, values = kinks(model, A, X)
    targets = check_targets(target, values[0].shape[1], len(X))
    if isinstance(model, PiecewiseLinearNetwork):
        mean = _mean_gradients(model, A, X, t, targets)
    else:
        mean = np.empty(X.shape)
        for i, of_row in enumerate(zip(A, X, t, values, strict=True)):
            path = PiecewiseLinearPath(model, *of_row)
            mean[i] = np.tensordot(np.diff(path.t), path.gradient(targets[i]), 1)
    return mean * (X - A)


def _mean_gradients(
    network: PiecewiseLinearNetwork,
    A: np.ndarray,
    B: np.ndarray,
    t: list[np.ndarray],
    targets: np.ndarray,
) -> np.ndarray:
    """Return the mean gradient on each line, for many rows at once."""
    if not network.hidden_sizes:
        return network.weights[0][targets]
    first, mean = network.hidden_sizes[0], np.empty((len(A), network.hidden_sizes[0]))
    step = max(1, _AT_ONCE // (max(map(len, t)) * max(network.n_features, first)))
    for target in np.unique(targets):
        asked, behind = np.flatnonzero(targets == target), one_output(tail(network, 1), target)
        for rows in np.split(asked, range(step, len(asked), step)):
            n_pieces = [len(t[i]) - 1 for i in rows]
            row = np.repeat(rows, n_pieces)
            width = np.concatenate([np.diff(t[i]) for i in rows])
            middle = np.concatenate([(t[i][1:] + t[i][:-1]) / 2 for i in rows])
            patterns = network.activation_pattern(A[row] + middle[:, None] * (B - A)[row])
            # All pieces share the first layer's weights, so its products can wait for the sum.
            coef = behind.local_linear_models(patterns[:, first:])[0][:, 0]
            coef *= network.activations[0].slopes[patterns[:, :first]] * width[:, None]
            mean[rows] = np.add.reduceat(coef, np.cumsum([0, *n_pieces[:-1]]), axis=0)
    return mean @ network.weights[0]


def _behind(
    model: Model, layer: int | str, A: np.ndarray, B: np.ndarray
) -> tuple[Model, np.ndarray, np.ndarray]:
    """Return the part of a model behind a layer, and the layer's activations for both inputs."""
    if not isinstance(model, PiecewiseLinearNetwork):
        from xai_course._following import activations, part_behind

        return part_behind(model, layer), *(activations(model, layer, rows) for rows in (A, B))
    n = check_whole(layer, "layer", 1, len(model.hidden_sizes))
    head = PiecewiseLinearNetwork(model.weights[:n], model.biases[:n], model.activations[: n - 1])
    return tail(model, n), *(model.activations[n - 1](head.forward(rows)) for rows in (A, B))


def contributions(
    model: Model,
    X: ArrayLike,
    baseline: ArrayLike = 0.0,
    target: int | ArrayLike | None = None,
) -> np.ndarray:
    """Return what each feature contributes to the local linear model, counted from a baseline.

    Parameters
    ----------
    model : PiecewiseLinearNetwork or torch.nn.Module
        A module in evaluation mode, of any kind that has a gradient.
    X : array_like, shape (n_rows, ...)
    baseline : float or array_like, shape (...) or (n_rows, ...)
    target : int or array_like, shape (n_rows,), optional
        The output that is explained; needed where there are several.

    Returns
    -------
    ndarray of float64, shape of `X`
        The gradient at the row times its distance from the baseline: with a baseline of zero,
        *gradient times input*. They add up to the difference of the outputs where the baseline lies
        in the row's region.

    Raises
    ------
    TypeError, ValueError
        If the model, the inputs, the baseline or the target is not as described.

    Notes
    -----
    Sudjianto et al. (2020), eq. 13 gives the local linear model. Explained in the chapter
    *gradients*.

    Examples
    --------
    >>> network = PiecewiseLinearNetwork([[[1, 1]], [[1]]], [[-1], [0]])  # relu(x + y - 1)
    >>> contributions(network, [[2.0, 1.0]])
    array([[2., 1.]])
    """
    X = inputs_of(model, X)
    targets = check_targets(target, outputs(model, X[:1]).shape[1], len(X))
    return gradients(model, X, targets) * (X - check_baseline(baseline, X))


def gradient_radius(network: PiecewiseLinearNetwork, X: ArrayLike, norm: float = 2) -> np.ndarray:
    """Return the radius of the ball around each row in which no gradient can change.

    Parameters
    ----------
    network : PiecewiseLinearNetwork
    X : array_like, shape (n_rows, n_features)
    norm : {1, 2, numpy.inf}
        Of the ball.

    Returns
    -------
    ndarray of float64, shape (n_rows,)
        The distance to the nearest border of the row's region; zero on a border, infinite where the
        region is the whole space. Every explanation that depends on the gradient alone is constant
        in the ball. Outside of it the gradient need not change: a border may carry the same
        gradient on both sides.

    Raises
    ------
    TypeError, ValueError
        If the rows are not finite numbers of the network's width, or the norm is another one.

    Notes
    -----
    A region is an intersection of half-spaces, and the distance from a point to a hyperplane is the
    slack divided by the dual norm of its normal.

    Explained in the chapter *sanity-checks*.

    Examples
    --------
    >>> network = PiecewiseLinearNetwork([[[1, 1]], [[1]]], [[-1], [0]])  # bends where x + y = 1
    >>> gradient_radius(network, [[1.0, 1.0]], norm=1)
    array([1.])
    """
    if norm not in (1, 2, np.inf):
        raise ValueError(f"norm must be 1, 2 or np.inf, got {norm!r}.")
    X = network.check_inputs(X)
    dual = {1: np.inf, 2: 2, np.inf: 1}[norm]
    return np.array([_distance_to_a_border(network, x, dual) for x in X])


def _distance_to_a_border(network: PiecewiseLinearNetwork, x: np.ndarray, dual: float) -> float:
    """Follow the affine maps of a row's region through the layers, down to the nearest border."""
    coef, value, nearest = np.eye(len(x)), x, np.inf
    for weight, bias, activation in zip(
        network.weights, network.biases, network.activations, strict=False
    ):
        coef, z = weight @ coef, weight @ value + bias
        length = np.linalg.norm(coef, dual, axis=1)
        # A neuron that rounding alone moves is constant on the region.
        moves = length > _CONSTANT * np.linalg.norm(weight, axis=1) * np.linalg.norm(coef)
        if moves.any():
            slack = np.abs(z[moves, None] - activation.breakpoints).min(axis=1, initial=np.inf)
            nearest = min(nearest, (slack / length[moves]).min())
        segment = activation.segment(z)
        coef = activation.slopes[segment][:, None] * coef
        value = activation.slopes[segment] * z + activation.intercepts[segment]
    return float(nearest)


def smoothgrad(
    network: PiecewiseLinearNetwork,
    X: ArrayLike,
    sigma: float,
    target: int | ArrayLike | None = None,
) -> np.ndarray:
    """Return SmoothGrad of a network with one hidden layer, the mean computed in closed form.

    Parameters
    ----------
    network : PiecewiseLinearNetwork
        With one hidden layer of continuous activations.
    X : array_like, shape (n_rows, n_features)
    sigma : float
        Standard deviation of the normal noise, in the units of the inputs.
    target : int or array_like, shape (n_rows,), optional
        The output that is explained; needed where there are several.

    Returns
    -------
    ndarray of float64, shape (n_rows, n_features)
        The mean of the gradient under the noise.

    Raises
    ------
    TypeError, ValueError
        If the network has another depth or an activation that jumps, or the rows, `sigma` or the
        target are not as described.

    Notes
    -----
    Smilkov et al. (2017), eq. 2, with infinitely many samples: under normal noise a neuron's input
    is normal, so that the share of each slope is a difference of normal distribution functions.

    Explained in the chapter *gradients*.

    Examples
    --------
    >>> network = PiecewiseLinearNetwork([[[1]], [[1]]], [[0], [0]])  # relu(x)
    >>> smoothgrad(network, [[0.0], [3.0]], sigma=1.0).round(3)
    array([[0.5  ],
           [0.999]])
    """
    if len(network.hidden_sizes) != 1 or not network.activations[0].is_continuous:
        raise ValueError(
            f"{network!r} must have one hidden layer of continuous activations; for others sample "
            "the noise: xai_course.attribution.attribute('smoothgrad', ...)."
        )
    X = network.check_inputs(X)
    sigma = check_number(sigma, "sigma", above=0)
    targets = check_targets(target, network.n_outputs, len(X))
    (weight, weight_out), activation = network.weights, network.activations[0]
    z = X @ weight.T + network.biases[0]
    spread = sigma * np.linalg.norm(weight, axis=1)
    # A neuron without weights does not move: all of it is below a knot or, on it or above, nothing.
    with np.errstate(divide="ignore", invalid="ignore"):
        below = np.nan_to_num(normal.cdf((activation.breakpoints[:, None, None] - z) / spread))
    shares = np.diff(below, axis=0, prepend=0.0, append=1.0)
    slope = np.tensordot(activation.slopes, shares, 1)
    return (slope * weight_out[targets]) @ weight
