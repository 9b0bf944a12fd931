"""Deep Taylor decomposition: relevance from the last layer to the first, by positive weights."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from xai_course._models import Model, check_targets, inputs_of
from xai_course._validation import check_number
from xai_course.networks import PiecewiseLinearNetwork

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["deep_taylor"]

_NOT_ZERO = 1e-9  # as in captum; it takes no more than this part of a relevance


def deep_taylor(
    model: Model,
    X: ArrayLike,
    target: int | ArrayLike | None = None,
    *,
    low: float = 0.0,
    high: float = 1.0,
) -> np.ndarray:
    """Share a score out over the inputs by deep Taylor decomposition.

    Parameters
    ----------
    model : PiecewiseLinearNetwork or torch.nn.Sequential
        Of linear layers, convolutions, pooling, ReLU, dropout in evaluation mode, and layers that
        only reshape.
    X : array_like, shape (n_rows, ...)
        Between `low` and `high`.
    target : int or array_like of int, shape (n_rows,), optional
        The output, for all rows or for each. Not needed for a single output.
    low, high : float
        Ends of the range of every input, such as those of a pixel.

    Returns
    -------
    ndarray of float64, shaped like `X`
        Nowhere negative where the score is positive. A row adds up to its score, except for what
        belongs to a neuron that is on by its bias alone.

    Raises
    ------
    TypeError, ValueError
        If a layer has no rule here, an input leaves the range, or a target is missing.

    Notes
    -----
    Montavon et al. (2017), section 5: the z+ rule in every layer with weights but the first, and
    there the z-B rule. Biases get nothing. In max pooling the largest input gets all.

    Explained in the chapter *relevance-propagation*.

    Examples
    --------
    >>> network = PiecewiseLinearNetwork([[[1, 1], [1, -1]], [[1, 1]]], [[0, 0], [0]])
    >>> deep_taylor(network, [[0.6, 0.2]]).round(3)
    array([[0.771, 0.429]])
    """
    import torch

    X = inputs_of(model, X)
    low, high = check_number(low, "low"), check_number(high, "high")
    if not low <= X.min() <= X.max() <= high:
        raise ValueError(
            f"X must lie between low = {low:g} and high = {high:g}, got values from {X.min():g} to "
            f"{X.max():g}; name the range of your inputs."
        )
    layers = _layers(model)
    inputs = [torch.as_tensor(X, dtype=torch.float64)]
    with torch.no_grad():
        for layer in layers:
            inputs.append(layer(inputs[-1]))
    scores = inputs.pop()
    targets = torch.as_tensor(check_targets(target, scores.shape[1], len(X)).copy())
    relevance = torch.zeros_like(scores).scatter_(1, targets[:, None], 1) * scores
    first = next((layer for layer in layers if hasattr(layer, "weight")), None)
    for layer, given in zip(reversed(layers), reversed(inputs), strict=True):
        kind = type(layer).__name__
        if kind in _RESHAPES:
            relevance = relevance.reshape(given.shape)
        elif layer is first:
            relevance = _share_in_box(layer, given, relevance, low, high)
        elif kind not in _PASSES:
            relevance = _share(_cut(layer, low=0.0), (given,), relevance)
    return relevance.numpy()


_RESHAPES = {"Flatten", "Unflatten"}
_PASSES = {"ReLU", "Dropout", "Identity"}
_SHARES = {"Linear", "Conv1d", "Conv2d", "MaxPool1d", "MaxPool2d", "AvgPool1d", "AvgPool2d"} | {
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
}


def _layers(model: Model) -> list[nn.Module]:
    """Return copies of a chain's layers in float64, or raise."""
    from torch import nn

    is_network = isinstance(model, PiecewiseLinearNetwork)
    module = model.to_torch() if is_network else model
    layers = list(module) if isinstance(module, nn.Sequential) else [module]
    for layer in layers:
        if type(layer).__name__ not in _RESHAPES | _PASSES | _SHARES:
            raise TypeError(
                f"deep_taylor has no rule for the layer {layer}: give it a torch.nn.Sequential of "
                f"{', '.join(sorted(_RESHAPES | _PASSES | _SHARES))}."
            )
    return [copy.deepcopy(layer).double().cpu().eval() for layer in layers]


def _cut(layer: nn.Module, low: float = -np.inf, high: float = np.inf) -> nn.Module:
    """Return a layer without its bias, its weights cut off at `low` and `high`."""
    layer = copy.deepcopy(layer)
    if hasattr(layer, "weight"):
        layer.weight.data.clamp_(low, high)
        layer.bias = None
    return layer


def _share(
    layer: Callable[..., torch.Tensor], given: tuple[torch.Tensor, ...], relevance: torch.Tensor
) -> torch.Tensor:
    """Share out in proportion to what each input brought, summed over the arguments."""
    import torch

    given = tuple(part.clone().requires_grad_() for part in given)
    z = layer(*given)
    s = (relevance / (z + _NOT_ZERO)).detach()
    gradients = torch.autograd.grad((z * s).sum(), given)
    return sum(part * g for part, g in zip(given, gradients, strict=True)).detach()


def _share_in_box(
    layer: nn.Module, given: torch.Tensor, relevance: torch.Tensor, low: float, high: float
) -> torch.Tensor:
    """Share out by the distance to the corner that speaks most against each neuron."""
    import torch

    plain, up, down = _cut(layer), _cut(layer, low=0.0), _cut(layer, high=0.0)
    corners = torch.full_like(given, low), torch.full_like(given, high)
    return _share(lambda x, a, b: plain(x) - up(a) - down(b), (given, *corners), relevance)
