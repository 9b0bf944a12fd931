"""What the exact answers ask of a model: outputs and gradients, of a network or a torch module."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import gen_batches

from xai_course._validation import check_array, to_numpy
from xai_course.networks import PiecewiseLinearNetwork

if TYPE_CHECKING:
    import torch

__all__ = ["Model", "check_baseline", "check_targets", "gradients", "inputs_of", "outputs"]

Model: TypeAlias = "PiecewiseLinearNetwork | torch.nn.Module"

# Numbers of the inputs of a module that are looked at together.
_AT_ONCE = 2**15


def inputs_of(model: Model, X: ArrayLike, name: str = "X") -> np.ndarray:
    """Return inputs as finite float64, shape (n_rows, ...), or raise.

    Raises
    ------
    TypeError
        If the model is neither a network nor a torch module, or the inputs are no real numbers.
    ValueError
        If an input is NaN or infinite, there is none, or the network has another width.
    """
    if isinstance(model, PiecewiseLinearNetwork):
        X = model.check_inputs(X)
    else:
        _check_module(model)
        X = to_numpy(X)
        X = check_array(X, name, max(X.ndim, 2))
    if not X.size:
        raise ValueError(f"{name} must hold at least one row, got shape {X.shape}.")
    return X


def _check_module(model: object) -> None:
    from torch import nn

    if not isinstance(model, nn.Module):
        raise TypeError(
            "The model must be a PiecewiseLinearNetwork or a torch.nn.Module, got "
            f"{type(model).__name__}."
        )
    for name, part in model.named_modules():
        changes = isinstance(part, nn.modules.batchnorm._BatchNorm) or getattr(part, "p", 0)
        if part.training and changes and "forward" in vars(type(part)) | vars(nn.Dropout):
            raise ValueError(f"{name} ({part}) is in training mode; call .eval() on the module.")


def check_baseline(baseline: ArrayLike, X: np.ndarray) -> np.ndarray:
    """Return a number, one input or one input per row as an array of the shape of `X`.

    Raises
    ------
    TypeError, ValueError
        If it is not finite or has another shape.
    """
    array = check_array(baseline, "baseline", np.ndim(baseline))
    if array.shape not in ((), X.shape[1:], X.shape):
        raise ValueError(
            f"baseline must be a number or have the shape {X.shape[1:]} of an input or "
            f"{X.shape} of all, got {array.shape}."
        )
    return np.array(np.broadcast_to(array, X.shape))


def check_targets(target: int | ArrayLike | None, n_outputs: int, n_rows: int) -> np.ndarray:
    """Return the number of the output that is asked about, one per row.

    Raises
    ------
    ValueError
        If it is no output of the model, or None where there are several outputs.
    """
    if target is None and n_outputs > 1:
        raise ValueError(
            f"The model has {n_outputs} outputs, and no target: say which to explain, for all rows "
            "(target=1) or for each (target=outputs.argmax(axis=1))."
        )
    targets = np.asarray(0 if target is None else target)
    fits = targets.dtype.kind in "iu" and targets.shape in ((), (n_rows,))
    if not fits or targets.min(initial=0) < 0 or targets.max(initial=0) >= n_outputs:
        raise ValueError(
            f"target must be a whole number from 0 to {n_outputs - 1}, or {n_rows} of them, got "
            f"{target!r}."
        )
    return np.broadcast_to(targets, n_rows).astype(np.int64)


def outputs(model: Model, X: np.ndarray) -> np.ndarray:
    """Return the outputs for checked inputs, float64 of shape (n_rows, n_outputs).

    Raises
    ------
    ValueError
        If a module does not take such inputs, or gives no rows of outputs.
    """
    if isinstance(model, PiecewiseLinearNetwork):
        return model.forward(X)
    import torch

    from xai_course.training import as_inputs

    with torch.no_grad():
        parts = [_rows(model, as_inputs(model, X[rows])) for rows in _batches(X)]
    return np.concatenate([part.double().cpu().numpy() for part in parts])


def gradients(model: Model, X: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return the gradient of each row's target output with respect to its input, like `X`.

    On a border of regions it is the gradient on the side that the model itself is on.
    """
    found = np.empty(X.shape)
    if isinstance(model, PiecewiseLinearNetwork):
        patterns = model.activation_pattern(X)
        for target in np.unique(targets):
            rows = targets == target
            found[rows] = one_output(model, target).local_linear_models(patterns[rows])[0][:, 0]
        return found
    import torch

    from xai_course.training import as_inputs

    for rows in _batches(X):
        inputs = as_inputs(model, X[rows]).clone().requires_grad_(True)
        with torch.enable_grad():
            scores = _rows(model, inputs)
            columns = torch.as_tensor(targets[rows].copy(), device=scores.device)[:, None]
            (gradient,) = torch.autograd.grad(scores.gather(1, columns).sum(), inputs)
        found[rows] = gradient.double().cpu().numpy()
    return found


def one_output(network: PiecewiseLinearNetwork, target: int) -> PiecewiseLinearNetwork:
    """Return the network that gives only this output."""
    weights = [*network.weights[:-1], network.weights[-1][[target]]]
    biases = [*network.biases[:-1], network.biases[-1][[target]]]
    return PiecewiseLinearNetwork(weights, biases, network.activations)


def tail(network: PiecewiseLinearNetwork, n: int) -> PiecewiseLinearNetwork:
    """Return what a network computes from the activations of its hidden layer `n`."""
    return PiecewiseLinearNetwork(network.weights[n:], network.biases[n:], network.activations[n:])


def _batches(X: np.ndarray) -> Iterator[slice]:
    return gen_batches(len(X), max(1, _AT_ONCE // X[0].size))


def _rows(module: torch.nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    """Return a module's outputs, one row per input."""
    try:
        scores = module(inputs)
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"The module does not take inputs of shape {tuple(inputs.shape)}: {reason}"
        ) from error
    shape = tuple(getattr(scores, "shape", ()))
    if shape == (len(inputs),):
        return scores[:, None]
    if len(shape) != 2 or shape[0] != len(inputs):
        raise ValueError(
            f"The module must give one row of outputs per input, ({len(inputs)}, n_outputs), got "
            f"{shape or type(scores).__name__}."
        )
    return scores
