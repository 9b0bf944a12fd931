"""Calls between the grader and a submission's process, of which only data ever travels.

Either side may hand the other a function: the other gets a stand-in that calls back. A message is a
line of JSON. Nothing is unpickled, so all that a submission can send is an answer.
"""

from __future__ import annotations

import base64
import builtins
import json
import time
from collections.abc import Callable
from dataclasses import is_dataclass
from inspect import signature
from pkgutil import resolve_name
from socket import socket
from types import SimpleNamespace
from typing import Any

import numpy as np

MAX_BYTES = 2**26  # one message
NUMBERS_AND_TEXT = "biufcU"  # kinds of arrays; others could hold code
COLLECTIONS = {"tuple": tuple, "set": set, "frozenset": frozenset, "dict": dict}
# What is rebuilt on the other side, where it checks itself, from its constructor's parameters.
CLASSES = (
    "xai_course.networks:PiecewiseLinearNetwork",
    "xai_course.activations:PiecewiseLinear",
    "xai_course.approximation:SmoothActivation",
    "xai_course.inet.lambda_nets:LambdaNets",
    "xai_course.rules:Rule",
    "xai_course.book.instruments:CountedRows",
)
ATTRIBUTES = {"activation": "activations"}  # that fill a parameter of another name
LAYERS = {"Sequential", "Linear", "ReLU", "Tanh", "Sigmoid", "Flatten"}  # of torch
ERRORS = {
    name: kind
    for name, kind in vars(builtins).items()
    if isinstance(kind, type) and issubclass(kind, Exception)
}


class WireError(RuntimeError):
    """A side has ended, or sends what is no message."""


class Peer:
    """One side of the wire.

    Parameters
    ----------
    connection : socket
    *given : callable
        What the other side may call from the beginning, as its ``function(0)`` and so on.
    """

    def __init__(self, connection: socket, *given: Callable[..., Any]) -> None:
        self.connection, self.lines = connection, connection.makefile("rb")
        self.given = list(given)  # what the other side may call
        self.raised: list[Exception] = []  # what was raised here on behalf of the other side
        self.changing: list[np.random.Generator] = []  # in what is being packed or unpacked
        self.waiting: list[float] = []  # since when calls wait for their answers

    # --- calls ---

    def function(self, number: int) -> Callable[..., Any]:
        """Return a stand-in for a function that the other side has given."""

        def function(*arguments: Any, **options: Any) -> Any:
            self.changing = changing = []
            question = _packed({"call": number, "with": self.encode((arguments, options))})
            self.waiting.append(time.monotonic())
            try:
                self._send(question)
                reply = self.listen()
            finally:
                self.waiting.pop()
            # Generators that were handed over have moved on there.
            for generator, state in zip(changing, reply["now"], strict=True):
                generator.bit_generator.state = state
            result, back = self.decode(reply["return"]), self.decode(reply["back"])
            leaves = [one for one in arguments if _has_gradient(one)]
            return _traced(result, back, leaves) if back and leaves else result

        return function

    def listen(self) -> dict[str, Any]:
        """Serve the other side; return what it replies."""
        while True:
            match self._receive():
                case {"call": int(number), "with": sent}:
                    try:
                        reply = _packed(self._reply(number, sent))
                    except Exception as error:
                        reply = _packed(self._report(error))
                    self._send(reply)
                case {"return": _, "now": list(), "back": _} as reply:
                    return reply
                case {"error": str(name), "says": str(says), "mine": mine, "theirs": theirs}:
                    raise self._error(name, says, mine, theirs)
                case _:
                    raise WireError("it sent what is no message")

    def _reply(self, number: int, sent: Any) -> dict[str, Any]:
        self.changing = changing = []
        arguments, options = self.decode(sent)
        result = self.given[number](*arguments, **options)
        now = [generator.bit_generator.state for generator in changing]
        back = _way_back(result, arguments) if _has_gradient(result) else None
        return {"return": self.encode(result), "now": now, "back": self.encode(back)}

    def _report(self, error: Exception) -> dict[str, Any]:
        """Return an error as the other side can hear it: of a built-in kind."""
        self.raised.append(error)
        mine, theirs = len(self.raised) - 1, getattr(error, "mine", None)
        name = next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins")
        return {"error": name, "says": str(error)[:2000], "mine": mine, "theirs": theirs}

    def _error(self, name: str, says: str, mine: Any, theirs: Any) -> Exception:
        """Return an error of the other side; one that began here is the same again."""
        if isinstance(theirs, int) and 0 <= theirs < len(self.raised):
            return self.raised[theirs]
        try:
            error = ERRORS[name](says)
        except (KeyError, TypeError):  # UnicodeDecodeError and its like want more than a sentence
            error = RuntimeError(f"{name}: {says}")
        error.mine = mine  # type: ignore[attr-defined]
        return error

    # --- values ---

    def encode(self, value: Any) -> Any:
        """Return a value as JSON can hold it."""
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, np.ndarray | np.generic):
            if value.dtype.kind not in NUMBERS_AND_TEXT:
                return self.encode(value.tolist())
            raw = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
            return {"array": raw, "dtype": value.dtype.str, "shape": list(value.shape)}
        if isinstance(value, list):
            return [self.encode(part) for part in value]
        for name, kind in COLLECTIONS.items():
            if isinstance(value, kind):
                parts = map(list, value.items()) if kind is dict else value
                return {"collection": name, "of": self.encode(list(parts))}
        if isinstance(value, np.random.Generator):
            self.changing.append(value)
            return {"generator": value.bit_generator.state}
        if hasattr(value, "detach"):
            array = self.encode(value.detach().cpu().numpy())
            return {"tensor": array, "gradient": _has_gradient(value)}
        if hasattr(value, "to_numpy"):
            return self.encode(value.to_numpy())
        return self._encode_object(value)

    def _encode_object(self, value: Any) -> Any:
        names = [f"{kind.__module__}:{kind.__qualname__}" for kind in type(value).__mro__]
        if known := next((name for name in names if name in CLASSES), None):
            parameters = signature(resolve_name(known)).parameters
            parts = {one: getattr(value, ATTRIBUTES.get(one, one)) for one in parameters}
            return {"class": known, "of": self.encode(parts)}
        if hasattr(value, "modules") and {type(one).__name__ for one in value.modules()} <= LAYERS:
            parts = list(value.children()) or list(value.parameters())
            return {"layer": type(value).__name__, "of": self.encode(parts)}
        is_record = is_dataclass(value) and not isinstance(value, type)
        if is_record or isinstance(value, SimpleNamespace):
            return {"namespace": self.encode(vars(value))}
        if callable(value):
            self.given.append(value)
            return {"function": len(self.given) - 1}
        raise TypeError(f"{type(value).__name__} is no data: return numbers, arrays, lists or text")

    def decode(self, value: Any) -> Any:
        """Return what `encode` was given; anything else is an error."""
        match value:
            case list():
                return [self.decode(part) for part in value]
            case {"array": raw, "dtype": name, "shape": shape}:
                dtype = np.dtype(name)
                if dtype.kind not in NUMBERS_AND_TEXT:
                    raise WireError("an array holds numbers or text")
                return np.frombuffer(base64.b64decode(raw), dtype).reshape(shape).copy()[()]
            case {"collection": name, "of": parts} if name in COLLECTIONS:
                return COLLECTIONS[name](self.decode(parts))
            case {"generator": state}:
                bits = np.random.PCG64()
                bits.state = state
                self.changing.append(np.random.Generator(bits))
                return self.changing[-1]
            case {"tensor": array, "gradient": bool(gradient)}:
                import torch

                return torch.as_tensor(self.decode(array)).requires_grad_(gradient)
            case {"class": name, "of": parts} if name in CLASSES:
                return resolve_name(name)(**self.decode(parts))
            case {"layer": name, "of": parts} if name in LAYERS:
                return _layer(name, self.decode(parts))
            case {"namespace": named}:
                return SimpleNamespace(**self.decode(named))
            case {"function": int(number)}:
                return self.function(number)
            case dict():
                raise WireError(f"no message has a {next(iter(value), None)!r}")
        return value

    # --- bytes ---

    def _send(self, message: bytes) -> None:
        try:
            self.connection.sendall(message)
        except OSError as error:
            raise WireError("it has ended") from error

    def _receive(self) -> Any:
        try:
            line = self.lines.readline(MAX_BYTES)
        except OSError:  # it ended before it had read everything
            line = b""
        if len(line) == MAX_BYTES:
            raise WireError("it sent too large a message")
        if not line.endswith(b"\n"):
            raise WireError("it has ended")
        try:
            return json.loads(line)
        except (ValueError, RecursionError) as error:
            raise WireError("it sent what is no message") from error


def _packed(message: dict[str, Any]) -> bytes:
    """Return a message as it travels."""
    line = json.dumps(message).encode() + b"\n"
    if len(line) >= MAX_BYTES:
        raise ValueError("this is too large to be sent")
    return line


def _layer(name: str, parts: list[Any]) -> Any:
    """Return a layer of torch from its parts: other layers, or the tensors of one."""
    from torch import nn

    if name != "Linear":
        return getattr(nn, name)(*parts)
    weight, *bias = parts
    layer = nn.Linear(*weight.T.shape, bias=bool(bias), dtype=weight.dtype)
    for own, sent in zip(layer.parameters(), parts, strict=True):
        own.data = sent.detach()
    return layer


# --- gradients ---


def _has_gradient(value: Any) -> bool:
    return getattr(value, "requires_grad", False) is True


def _way_back(result: Any, arguments: list[Any]) -> Callable[[Any], list[Any]]:
    """Return the function that takes gradients of a result to those of the arguments."""
    from torch.autograd import grad

    leaves = [one for one in arguments if _has_gradient(one)]
    return lambda along: list(grad(result, leaves, along, retain_graph=True, allow_unused=True))


def _traced(result: Any, back: Callable[[Any], list[Any]], leaves: list[Any]) -> Any:
    """Return a tensor through which gradients go back to the other side."""
    from torch.autograd import Function

    class Remote(Function):
        @staticmethod
        def forward(context: Any, *inputs: Any) -> Any:
            return result.detach()

        @staticmethod
        def backward(context: Any, along: Any) -> Any:
            return tuple(back(along))

    return Remote.apply(*leaves)
