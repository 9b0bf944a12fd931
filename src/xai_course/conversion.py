"""Torch modules in and out, apart from `networks` because torch takes seconds to import.

Not taught: it does the work of `from_torch` and `to_torch`, the methods of a network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from itertools import chain, pairwise
from typing import Any

import numpy as np
import torch
from torch import nn

from xai_course._validation import check_array
from xai_course.activations import PiecewiseLinear
from xai_course.approximation import SMOOTH_ACTIVATIONS, SmoothActivation, approximate, elu
from xai_course.networks import PiecewiseLinearNetwork

__all__ = ["PiecewiseLinearActivation", "evaluating", "make_module", "read_module", "split_link"]

# The weight and bias of an affine map, or an activation.
_Affine = tuple[np.ndarray, np.ndarray]
_Step = _Affine | PiecewiseLinear | SmoothActivation


# Out


class PiecewiseLinearActivation(nn.Module):
    """A piecewise linear activation; its slopes and breakpoints are not trained."""

    def __init__(self, activation: PiecewiseLinear) -> None:
        super().__init__()
        self.made_of = activation
        for name in ("breakpoints", "slopes", "intercepts"):
            self.register_buffer(name, torch.tensor(getattr(activation, name), device="cpu"))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Return the values, in the shape of `z`."""
        segments = torch.bucketize(z.detach(), self.breakpoints.to(z.dtype), right=True)
        return self.slopes[segments] * z + self.intercepts[segments]

    @property
    def activation(self) -> PiecewiseLinear:
        """The function of the buffers; in full precision while they hold what it was made of."""
        held, first = self.state_dict(), PiecewiseLinearActivation(self.made_of).to(self.slopes)
        if all(torch.equal(held[name], array) for name, array in first.state_dict().items()):
            return self.made_of
        return PiecewiseLinear(**{name: _numbers(array) for name, array in held.items()})


def make_module(network: PiecewiseLinearNetwork, dtype: torch.dtype | None) -> nn.Sequential:
    """Return the layers of a network as a module; see its `to_torch`."""
    layers: list[nn.Module] = []
    parts = zip(network.weights, network.biases, [*network.activations, None], strict=True)
    for weight, bias, activation in parts:
        # Without first weights, which would take torch's random numbers.
        sizes = {"dtype": torch.float64, "device": "cpu"}
        linear = nn.utils.skip_init(nn.Linear, *weight.shape[::-1], **sizes)
        linear.load_state_dict({"weight": torch.tensor(weight), "bias": torch.tensor(bias)})
        layers.append(linear)
        if activation is not None:
            is_relu = activation.is_relu
            layers.append(nn.ReLU() if is_relu else PiecewiseLinearActivation(activation))
    return nn.Sequential(*layers).to(dtype or torch.float64).eval()


# The link at the end

# What turns logits into probabilities or their logarithms.
_LINKS = {nn.Sigmoid.forward, nn.Softmax.forward, nn.LogSoftmax.forward}


def split_link(module: nn.Module) -> tuple[nn.Module, nn.Module | None]:
    """Take the link off the end of a module, so that what is left returns logits.

    Parameters
    ----------
    module : torch.nn.Module
        Looked into as far as it is an `nn.Sequential` (they may be nested) without a forward of its
        own; `nn.Identity` and `nn.Flatten` may stand behind the link.

    Returns
    -------
    before : torch.nn.Module
        The module with `nn.Identity` in the link's place. It shares the layers of `module`, which
        stays as it is.
    link : nn.Sigmoid, nn.Softmax, nn.LogSoftmax or None
        None: the module does not end in a link, and `before` is `module`.

    Examples
    --------
    >>> before, link = split_link(nn.Sequential(nn.Linear(3, 1), nn.Sigmoid()))
    >>> link
    Sigmoid()
    >>> before[1]
    Identity()
    """
    forward = _forward(module)
    if forward in _LINKS and getattr(module, "dim", None) in (None, 1, -1):
        return nn.Identity(), module
    parts = module._modules if forward is nn.Sequential.forward else {}
    for name, part in reversed(parts.items()):
        before, link = split_link(part)
        if link is not None:
            split = copy(module)
            split._modules = {**module._modules, name: before}
            return split, link
        if not isinstance(part, nn.Identity | nn.Flatten):
            break
    return module, None


def _forward(module: nn.Module) -> Callable[..., Any]:
    return vars(module).get("forward", type(module).forward)


# In


def read_module(module: nn.Module, n_segments: int | None = None) -> list[_Step]:
    """Return the affine maps and the activations of a module, in order; see `from_torch`."""
    if not isinstance(module, nn.Module):
        raise TypeError(f"from_torch cannot read {type(module).__name__}, which is no module.")
    for layer in module.modules():
        if isinstance(layer, nn.Dropout) and layer.training and layer.p > 0:
            raise ValueError(f"{layer} is in training mode; call .eval() on the network first.")
    devices = {parameter.device for parameter in module.parameters() if parameter.is_cuda}
    with evaluating(module), torch.no_grad(), torch.random.fork_rng(devices):
        before, link = split_link(module)
        rows = _probes(module, _read(before, n_segments))
        try:
            outputs, logits = module(rows), before(rows)
            end = nn.Identity() if link is None else link
            linked = torch.allclose(type(end).forward(end, logits), outputs, equal_nan=True)
        except Exception as error:
            raise ValueError(
                f"The module cannot be checked: for rows of shape {tuple(rows.shape)} it raises "
                f"{type(error).__name__}: {error}"
            ) from error
        steps = _read(before, n_segments)  # again, for some weights are computed by each call
        _compare(steps, rows, logits if linked else outputs, module)
    if link is None and steps[-1] is SMOOTH_ACTIVATIONS["sigmoid"]:
        raise ValueError(
            f"The module ends in a sigmoid, the link, which cannot be taken off "
            f"{_likely_cause(module)}. Give from_torch the part before it."
        )
    return [
        approximate(step, n_segments) if isinstance(step, SmoothActivation) else step
        for step in steps
    ]


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Put a module into evaluation mode for a while."""
    modes = {part: part.training for part in module.modules()}
    try:
        for part in modes:
            part.training = False
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode


# What is read


def _affine(layer: nn.Linear) -> list[_Affine]:
    if not layer.weight.is_floating_point():
        raise TypeError(f"The weights of {layer} must be real, got {layer.weight.dtype}.")
    weight = check_array(_numbers(layer.weight), f"The weight of {layer}", 2)
    if layer.bias is None:
        return [(weight, np.zeros(len(weight)))]
    return [(weight, check_array(_numbers(layer.bias), f"The bias of {layer}", 1))]


# What each kind of layer does; None for a variant that cannot be read. A kind derived from one of
# these is taken for it until the outputs are compared.
_READERS: dict[type[nn.Module], Callable[[Any], list[_Step] | None]] = {
    nn.Linear: _affine,
    **dict.fromkeys([nn.Identity, nn.Dropout, nn.Flatten], lambda layer: []),
    nn.ReLU: lambda layer: [PiecewiseLinear.relu()],
    nn.LeakyReLU: lambda layer: [PiecewiseLinear.leaky_relu(layer.negative_slope)],
    nn.Hardtanh: lambda layer: [PiecewiseLinear.hardtanh(layer.min_val, layer.max_val)],
    PiecewiseLinearActivation: lambda layer: [layer.activation],
    nn.Sigmoid: lambda layer: [SMOOTH_ACTIVATIONS["sigmoid"]],
    nn.Tanh: lambda layer: [SMOOTH_ACTIVATIONS["tanh"]],
    nn.ELU: lambda layer: [elu(layer.alpha)],
    nn.GELU: lambda layer: [SMOOTH_ACTIVATIONS["gelu"]] if layer.approximate == "none" else None,
    nn.SiLU: lambda layer: [SMOOTH_ACTIVATIONS["silu"]],
    nn.Softplus: lambda layer: [SMOOTH_ACTIVATIONS["softplus"]] if layer.beta == 1 else None,
}
_KINDS = (nn.Sequential, *_READERS)


def _where(module: nn.Module, name: str) -> str:
    return f"layer {name!r} ({type(module).__name__})" if name else type(module).__name__


def _read(module: nn.Module, n_segments: int | None) -> list[_Step]:
    """Return the steps of a module, smooth activations as they are, or raise an error."""
    steps: list[_Step] = []
    for name, layer in _layers(module):
        kind = next((kind for kind in type(layer).__mro__ if kind in _READERS), None)
        found = None if kind is None else _READERS[kind](layer)
        is_smooth = bool(found) and isinstance(found[0], SmoothActivation)
        if found is None or (is_smooth and n_segments is None):
            hint = " n_segments=3, say, approximates it with three pieces." if is_smooth else ""
            raise TypeError(
                f"from_torch cannot read {_where(layer, name)}. It reads "
                f"{', '.join(kind.__name__ for kind in _KINDS)}.{hint}"
            )
        steps += found
    shapes = [step[0].shape for step in steps if isinstance(step, tuple)]
    if not shapes:
        raise ValueError("The network has no linear layer.")
    for (given, _), (_, taken) in pairwise(shapes):
        if taken != given:
            raise ValueError(f"A linear layer takes {taken} inputs, but gets {given}.")
    return steps


def _layers(module: nn.Module, name: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Yield the layers of a module, which may stand in nested nn.Sequential, with their names."""
    if not isinstance(module, nn.Sequential):
        yield name, module
        return
    # Not named_children, which lists a module that stands in two places only once.
    for key, part in module._modules.items():
        yield from _layers(part, f"{name}.{key}".lstrip("."))


# The proof

# Rounding may move a sum by this many times what it does to a plain layer.
_MARGIN = 16

# And by this share in any dtype: torch takes softplus for its asymptote from 20 on.
_LEAST_ROUNDING = 1e-8


def _probes(module: nn.Module, steps: Sequence[_Step]) -> torch.Tensor:
    """Return random rows of several sizes, in units of one and in those of the first weights."""
    weight, bias = next(step for step in steps if isinstance(step, tuple))
    normal = np.random.default_rng(0).normal(size=(64, weight.shape[1]))
    typical = np.sqrt(np.square(weight).mean(axis=0))
    fitting = normal / np.where(typical > 0, typical, 1.0)
    rows = [normal, 100 * normal, fitting, fitting * np.abs(bias).max(), 0 * normal[:1]]
    held = next(chain(module.parameters(), module.buffers()), torch.empty(0))
    most = torch.finfo(held.dtype).max / 100
    return torch.tensor(np.clip(np.concatenate(rows), -most, most)).to(held)


def _compare(
    steps: Sequence[_Step], rows: torch.Tensor, outputs: torch.Tensor, module: nn.Module
) -> None:
    """Raise an error unless the steps come to the outputs of the module, up to rounding."""
    path = list(_follow(steps, _numbers(rows), _rounding(steps, rows)))
    expected, reach = path[-1]
    found = _numbers(outputs).reshape(len(rows), -1)
    differs = f"shape {found.shape} instead of {expected.shape}"
    if found.shape == expected.shape:
        largest = np.max([np.abs(signal).max(axis=1) for signal, _ in path], axis=0)
        held = largest < torch.finfo(rows.dtype).max / 4  # rows whose numbers do not overflow
        wrong = ~(np.abs(found - expected) <= reach) & held[:, None]
        if not wrong.any():
            return
        first = np.unravel_index(wrong.argmax(), wrong.shape)
        differs = (
            f"{found[first]:.6g} instead of {expected[first]:.6g}, where rounding explains a "
            f"difference of {reach[first]:.1g}"
        )
    raise ValueError(
        f"The module computes something else than its layers say: {differs}. Likely "
        f"{_likely_cause(module)}. Express it in layers (a shift of the inputs, say, in an "
        "nn.Linear), or take it out."
    )


def _numbers(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().double().numpy()


def _rounding(steps: Sequence[_Step], rows: torch.Tensor) -> float:
    """Return the share of its terms' size by which rounding may move a sum, on this device."""
    weight, _ = next(step for step in steps if isinstance(step, tuple))
    plain = nn.functional.linear(rows, torch.tensor(weight).to(rows))
    X = _numbers(rows)
    with np.errstate(all="ignore"):
        share = np.abs(_numbers(plain) - X @ weight.T) / np.sqrt(X**2 @ (weight**2).T)
    seen = share[np.isfinite(share)].max(initial=torch.finfo(rows.dtype).eps)
    return max(_MARGIN * seen, _LEAST_ROUNDING)


def _follow(
    steps: Sequence[_Step], signal: np.ndarray, rounding: float
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the numbers after each step, and how far rounding may move each."""
    reach = np.zeros(signal.shape)
    for step in steps:
        if isinstance(step, tuple):
            weight, bias = step
            # Independent roundings of the terms add up as their squares do.
            terms = signal**2 @ (weight**2).T + bias**2
            reach = np.sqrt(reach**2 @ (weight**2).T + rounding**2 * terms)
            signal = signal @ weight.T + bias
        else:
            value = step(signal)
            unit = 1.0 if isinstance(step, SmoothActivation) else np.abs(step.intercepts).max()
            moved = [np.abs(step(signal + by) - value) for by in (-reach, reach)]
            reach = np.maximum(*moved) + rounding * (np.abs(value) + unit)
            signal = value
        yield signal, reach


def _likely_cause(module: nn.Module) -> str:
    known = {kind.forward for kind in _KINDS}
    parts = [(name, part) for name, part in module.named_modules() if isinstance(part, _KINDS)]
    causes = []
    for name, part in parts:
        if _forward(part) not in known:
            causes.append(f"{_where(part, name)} has a forward of its own")
        if part._forward_hooks or part._forward_pre_hooks:
            causes.append(f"{_where(part, name)} has hooks")
    return "because " + (" and ".join(causes) or "a layer is called in another way than usual")
