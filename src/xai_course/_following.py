"""A torch module along a line: its operations in order, and the kinks that each of them adds.

Apart from `lines` because torch takes seconds to import.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from copy import copy
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import fx, nn
from torch.nn import functional as F

from xai_course.conversion import PiecewiseLinearActivation
from xai_course.training import as_inputs

__all__ = ["Follower", "activations", "part_behind"]

# Numbers of activations that are held along a part of the line; a longer part is cut in two. Larger
# parts are slower: their arrays leave the cache and are allocated anew each time.
_AT_ONCE = 2**19

# What is linear in everything that it is given, as long as the rows stay apart.
_LINEAR = {
    *(nn.Linear, nn.Conv1d, nn.Conv2d, nn.BatchNorm1d, nn.BatchNorm2d, nn.Identity),
    *(nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Flatten, nn.Unflatten, nn.ZeroPad2d),
    *(nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d),
    *(operator.add, operator.iadd, operator.sub, operator.neg, operator.getitem, getattr),
    *(torch.add, torch.sub, torch.cat, torch.flatten, torch.reshape, torch.mean, torch.sum),
    *(torch.permute, torch.transpose, torch.squeeze, torch.unsqueeze, F.linear, F.conv1d),
    *(F.conv2d, F.avg_pool1d, F.avg_pool2d, F.adaptive_avg_pool1d, F.adaptive_avg_pool2d),
    *(F.dropout, F.batch_norm, "add", "add_", "sub", "sub_", "neg", "mean", "sum", "size", "view"),
    *("reshape", "flatten", "contiguous", "permute", "transpose", "squeeze", "unsqueeze"),
}
# Linear where only one factor, and no divisor, changes along the line.
_PRODUCTS = {operator.mul, operator.imul, torch.mul, "mul", "mul_"}
_QUOTIENTS = {operator.truediv, torch.div, "div", "div_"}


def _at_zero(*_: Any, **__: Any) -> tuple[float, ...]:
    return (0.0,)


# Where an operation on single numbers bends: read from a layer, or from the arguments of a call.
_BENDS: dict[Any, Callable[..., tuple[float, ...]]] = {
    nn.Hardtanh: lambda layer: (layer.min_val, layer.max_val),  # ReLU6 is one
    PiecewiseLinearActivation: lambda layer: tuple(layer.activation.breakpoints),
    F.hardtanh: lambda _, min_val=-1.0, max_val=1.0, **__: (min_val, max_val),
    F.relu6: lambda *_, **__: (0.0, 6.0),
    **dict.fromkeys([nn.ReLU, nn.LeakyReLU, nn.PReLU, F.relu, torch.relu, "relu"], _at_zero),
    **dict.fromkeys([F.leaky_relu, F.prelu, F.relu_, torch.relu_, "relu_", "abs"], _at_zero),
    **dict.fromkeys([torch.abs, operator.abs], _at_zero),
}
# The layer of each function that takes maxima of windows.
_POOLS = {
    F.max_pool1d: nn.MaxPool1d,
    F.max_pool2d: nn.MaxPool2d,
    F.adaptive_max_pool1d: nn.AdaptiveMaxPool1d,
    F.adaptive_max_pool2d: nn.AdaptiveMaxPool2d,
}


class _Part(NamedTuple):
    """A part of the line: the next operation, the places, and what the operations gave there."""

    index: int
    t: torch.Tensor
    held: dict[fx.Node, Any]

    def refined(self, t: torch.Tensor) -> _Part:
        """Return the part with more places. Between two old ones, everything held is linear."""
        left = torch.clamp(torch.searchsorted(self.t, t, right=True) - 1, 0, len(self.t) - 2)
        share = (t - self.t[left]) / (self.t[left + 1] - self.t[left])

        def between(value: Any) -> Any:
            if not torch.is_tensor(value):
                return value
            weight = share.to(value.dtype).view(-1, *[1] * (value.dim() - 1))
            return torch.lerp(value[left], value[left + 1], weight)

        return _Part(self.index, t, {node: between(value) for node, value in self.held.items()})

    def piece(self, rows: slice) -> _Part:
        """Return some of the places."""
        held = {n: v[rows] if torch.is_tensor(v) else v for n, v in self.held.items()}
        return _Part(self.index, self.t[rows], held)

    def width(self) -> int:
        """Return how many numbers are held at each place."""
        return sum(v[0].numel() for v in self.held.values() if torch.is_tensor(v))


class _Tracer(fx.Tracer):
    """Takes our activation for one operation."""

    def is_leaf_module(self, layer: nn.Module, name: str) -> bool:
        return isinstance(layer, PiecewiseLinearActivation) or super().is_leaf_module(layer, name)


class Follower(fx.Interpreter):
    """Follows a module along lines: does its operations at all places of a part at once.

    Parameters
    ----------
    module : torch.nn.Module
        In evaluation mode.

    Raises
    ------
    TypeError
        If torch.fx cannot trace it, or an operation is not known to be piecewise linear.
    """

    def __init__(self, module: nn.Module) -> None:
        try:
            graph = _Tracer().trace(module)
        except Exception as error:
            raise TypeError(
                f"torch.fx cannot trace {type(module).__name__}, so it cannot be followed along a "
                f"line: {error}"
            ) from error
        super().__init__(module, graph=graph)
        self.nodes = list(graph.nodes)
        self.kinks = {node: self._kinks(node) for node in self.nodes}
        self.last = {one: node for node in self.nodes for one in node.all_input_nodes}

    def follow(self, start: torch.Tensor, end: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the places of all kinks between two inputs, from 0 to 1, and the outputs there.

        Parameters
        ----------
        start, end : torch.Tensor, shape (...)
            Without a dimension for rows, in the precision of the module.

        Returns
        -------
        t : torch.Tensor of float64, shape (n_places,)
        values : torch.Tensor, shape (n_places, n_outputs)
        """
        t = torch.tensor([0.0, 1.0], dtype=torch.float64, device=start.device)
        waiting, found = [_Part(0, t, {self.nodes[0]: torch.stack([start, end])})], []
        while waiting:
            part = waiting.pop()
            while part.index < len(self.nodes) - 1:
                part, rest = self._advance(part)
                waiting += rest
            (values,) = self._arguments(self.nodes[-1].args, part)
            found.append((part.t[bool(found) :], values[bool(found) :]))
        return tuple(map(torch.cat, zip(*found, strict=True)))

    def _advance(self, part: _Part) -> tuple[_Part, list[_Part]]:
        """Do the next operation, or put the second half of the part aside."""
        node = self.nodes[part.index]
        if node.op in ("placeholder", "get_attr"):
            return part._replace(index=part.index + 1), []
        while len(t := self.kinks[node](part)) > len(part.t):
            if len(t) * part.width() <= _AT_ONCE or len(t) == 3:
                part = part.refined(t)
                continue
            middle = t[len(t) // 2]
            part = part.refined(torch.unique(torch.cat([part.t, middle[None]])))
            cut = int(torch.searchsorted(part.t, middle))
            return part.piece(slice(0, cut + 1)), [part.piece(slice(cut, None))]
        value = self._run(node, part)
        if torch.is_tensor(value) and value.shape[:1] != part.t.shape:
            self._refuse(node, "mixes the rows of a batch")
        held = {n: v for n, v in part.held.items() if self.last[n] is not node}
        return _Part(part.index + 1, part.t, {**held, node: value} if node.users else held), []

    def _run(self, node: fx.Node, part: _Part) -> Any:
        args, kwargs = self._arguments(node.args, part), self._arguments(node.kwargs, part)
        value = getattr(self, node.op)(node.target, args, kwargs)
        # The number of rows changes on the way, so -1 stands for it.
        if isinstance(value, torch.Size):
            return (-1, *value[1:])
        is_rows = node.target == "size" or node.target is operator.getitem
        return -1 if isinstance(value, int) and is_rows and node.args[1] == 0 else value

    def _arguments(self, arguments: Any, part: _Part) -> Any:
        def value(node: fx.Node) -> Any:
            if node.op == "get_attr":
                return self.fetch_attr(node.target)
            held = part.held[node]
            if isinstance(held, tuple):
                return torch.Size((len(part.t), *held[1:]))
            return len(part.t) if isinstance(held, int) and held == -1 else held

        return fx.node.map_arg(arguments, value)

    def _kinks(self, node: fx.Node) -> Callable[[_Part], torch.Tensor]:
        """Return what finds the places that an operation adds, or raise an error."""
        kind, subject = node.target, node.args
        if node.op == "call_module":
            layer = self.submodules[node.target]
            subject, every = (layer,), {*_LINEAR, *_BENDS, *_POOLS.values()}
            kind = next((one for one in type(layer).__mro__ if one in every), type(layer))
        if node.op in ("placeholder", "get_attr", "output"):
            return lambda part: part.t
        if kind in _BENDS:
            if kind is PiecewiseLinearActivation and not layer.activation.is_continuous:
                self._refuse(node, "jumps")
            return partial(_crossings, node.args[0], _BENDS[kind](*subject, **node.kwargs))
        if kind in _POOLS:
            kind = _POOLS[kind]
            layer = kind(*node.args[1:], **node.kwargs)
        if kind in _POOLS.values():
            asked = copy(layer)
            asked.return_indices = True
            return partial(_turns, node.args[0], asked.forward)
        moving = [one for one in node.all_input_nodes if one.op != "get_attr"]
        if kind in _PRODUCTS:
            linear = len(moving) == 1 and sum(one is moving[0] for one in node.args) == 1
        elif kind in _QUOTIENTS:
            linear = len(moving) == 1 and node.args[1] is not moving[0]
        else:
            linear = kind in _LINEAR
        if not linear:
            self._refuse(node, "is not known to be piecewise linear")
        return lambda part: part.t

    def _refuse(self, node: fx.Node, what: str) -> None:
        name = str(node.target) if node.op != "call_function" else node.target.__name__
        layer = self.submodules.get(name)
        where = f"layer {name!r} ({type(layer).__name__})" if layer else f"operation {name!r}"
        raise TypeError(
            f"{where} of {type(self.module).__name__} {what}. A line follows Linear, Conv1d, "
            "Conv2d, ReLU, LeakyReLU, ReLU6, Hardtanh, PReLU, average and max pooling, BatchNorm "
            "and Dropout in evaluation mode, reshapes, sums, concatenation and multiples. Leave a "
            "sigmoid or softmax at the end away, so that the outputs are logits; another "
            "activation can be approximated: PiecewiseLinearNetwork.from_torch(..., n_segments)."
        )


def _clear(p: torch.Tensor, q: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Say where one number falls from clearly above zero to clearly below."""
    noise = 16 * torch.finfo(p.dtype).eps * scale
    return (p > noise) & (q < -noise)


def _places(part: _Part, piece: torch.Tensor, p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """Return the places of the part and those where numbers go from `p` to `q` through zero."""
    left, right = part.t[piece], part.t[piece + 1]
    new = left + (right - left) * (p.double() / (p.double() - q.double()))
    return torch.unique(torch.cat([part.t, new[(new > left) & (new < right)]]))


def _crossings(node: fx.Node, levels: Iterable[float], part: _Part) -> torch.Tensor:
    """Return the places, also those where one of the numbers crosses one of the levels."""
    x, found = part.held[node].flatten(1), part.t
    scale = x.abs().amax(dim=0)
    for level in levels:
        d = x - level if level else x
        falls = _clear(d[:-1], d[1:], scale + abs(level))
        piece, number = (falls | _clear(-d[:-1], -d[1:], scale + abs(level))).nonzero(as_tuple=True)
        found = torch.cat([found, _places(part, piece, d[piece, number], d[piece + 1, number])])
    return torch.unique(found)


def _turns(node: fx.Node, pool: Callable[..., Any], part: _Part) -> torch.Tensor:
    """Return the places, also those where another number of a window may become the largest.

    Where two neighbouring places have different largest numbers, these two cross in between. If a
    third is larger there, nothing bends, and the next call finds where the third takes over.
    """
    x = part.held[node]
    _, winner = pool(x)
    channels = x.dim() - (winner.dim() - 2 if winner.dim() > 2 else 1)
    x, winner = x.flatten(channels), winner.flatten(channels)
    where = (winner[1:] != winner[:-1]).nonzero(as_tuple=True)
    piece, middle = where[0], where[1:-1]
    i, j = winner[:-1][where], winner[1:][where]
    p = x[(piece, *middle, i)] - x[(piece, *middle, j)]
    q = x[(piece + 1, *middle, i)] - x[(piece + 1, *middle, j)]
    scale = x[(piece, *middle, i)].abs() + x[(piece + 1, *middle, j)].abs()
    falls = _clear(p, q, scale)
    return _places(part, piece[falls], p[falls], q[falls])


# A hidden layer


def part_behind(module: nn.Module, name: int | str) -> nn.Module:
    """Return what a module computes from the output of one of its parts.

    Raises
    ------
    ValueError
        If there is no such part, it is called more than once, or the outputs also depend on the
        input in another way.
    """
    whole = fx.GraphModule(module, _Tracer().trace(module))
    graph, nodes = whole.graph, list(whole.graph.nodes)
    found = [node for node in nodes if node.op == "call_module" and node.target == name]
    if len(found) != 1:
        names = ", ".join(repr(node.target) for node in nodes if node.op == "call_module")
        raise ValueError(
            f"layer must be the name of a part that is called once ({names}), got {name!r}."
        )
    with graph.inserting_before(nodes[0]):
        hole = graph.placeholder("activations")
    found[0].replace_all_uses_with(hole)
    graph.eliminate_dead_code()
    (_, inputs) = (node for node in graph.nodes if node.op == "placeholder")
    if inputs.users:
        raise ValueError(f"The outputs depend on the input past layer {name!r}, too.")
    graph.erase_node(inputs)
    return fx.GraphModule(whole, graph).eval()


def activations(module: nn.Module, name: str, X: np.ndarray) -> np.ndarray:
    """Return the output of a part of a module, float64 of shape (n_rows, ...)."""
    found: list[torch.Tensor] = []
    hook = module.get_submodule(name).register_forward_hook(lambda *call: found.append(call[2]))
    try:
        with torch.no_grad():
            module(as_inputs(module, X))
    finally:
        hook.remove()
    return found[0].double().cpu().numpy()
