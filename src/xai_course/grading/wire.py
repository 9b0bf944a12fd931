"""Calls between the grader and a submission's process, of which only data ever travels.

Either side may hand the other a function: the other gets a stand-in that calls back. Nothing is
unpickled, so all that a submission can send is an answer.
"""

from __future__ import annotations

import base64
import builtins
import json
import os
import select
import struct
import time
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from importlib import import_module
from select import PIPE_BUF
from types import SimpleNamespace
from typing import Any, BinaryIO

import numpy as np

MAX_BYTES = 2**26  # one message
NUMBERS_AND_TEXT = "biufcU"  # kinds of arrays; others could hold code
# What is rebuilt on the other side, where it checks itself: the constructor's parameters, and after
# an equals sign the attribute that fills one, where it has another name.
CLASSES = {
    "xai_course.networks:PiecewiseLinearNetwork": "weights biases activation=activations",
    "xai_course.activations:PiecewiseLinear": "breakpoints slopes intercepts name",
    "xai_course.approximation:SmoothActivation": (
        "function left right derivative inflections name"
    ),
    "xai_course.inet.lambda_nets:LambdaNets": (
        "hidden_weights hidden_biases output_weights output_biases test_error epochs"
    ),
    "xai_course.rules:Rule": "low high label",
    "xai_course.book.instruments:CountedRows": "table counted",
}
LAYERS = ("ReLU", "Tanh", "Sigmoid", "Flatten")  # without numbers of their own
ERRORS = {
    name: kind
    for name, kind in vars(builtins).items()
    if isinstance(kind, type) and issubclass(kind, Exception)
}


class WireError(RuntimeError):
    """A side has died, waits too long or sends what is no message."""


class Peer:
    """One side of the wire.

    Parameters
    ----------
    reader, writer : binary files, unbuffered
    serve : callable, optional
        Answers what the other side asks in its own words (messages with the key ``"do"``).
    """

    def __init__(
        self,
        reader: BinaryIO,
        writer: BinaryIO,
        serve: Callable[[dict[str, Any]], Any] | None = None,
    ) -> None:
        self.reader, self.writer, self.serve = reader, writer, serve
        self.given: list[Callable[..., Any]] = []  # what the other side may call
        self.raised: list[Exception] = []  # what was raised here on behalf of the other side
        self.traced: list[tuple[Any, list[Any]]] = []  # tensors that gradients may go back through
        self.changing: list[Any] = []  # what a call that is being packed or unpacked may change
        self.deadline = np.inf

    # --- calls ---

    def ask(self, message: dict[str, Any]) -> Any:
        """Send a question and serve the other side until its answer comes."""
        self._send(_packed(message))
        return self.listen()

    def listen(self) -> Any:
        """Serve the other side; return when it answers."""
        while True:
            message = self._receive()
            if "return" in message:
                return self.decode(message["return"])
            if "raise" in message:
                raise self._error(message)
            try:
                reply = _packed({"return": self.encode(self._serve(message))})
            except Exception as error:
                self.raised.append(error)
                reply = _packed(
                    {"raise": _builtin(error), "says": str(error)[:2000]}
                    | {"mine": len(self.raised) - 1, "theirs": getattr(error, "mine", None)}
                )
            self._send(reply)

    def _serve(self, message: dict[str, Any]) -> Any:
        if "call" in message:
            self.changing = changing = []
            arguments, options = self.decode(message["with"])
            result = self.given[message["call"]](*arguments, **options)
            if traced := _has_gradient(result):
                self.traced.append((result, [one for one in arguments if _has_gradient(one)]))
            number = len(self.traced) - 1 if traced else None
            return {"result": result, "now": [_state(one) for one in changing], "traced": number}
        if "back" in message:
            from torch.autograd import grad

            (result, leaves), along = self.traced[message["back"]], self.decode(message["along"])
            return list(grad(result, leaves, along, retain_graph=True, allow_unused=True))
        if self.serve is None:
            raise WireError("this side answers calls only")
        return self.serve(message)

    def _error(self, message: dict[str, Any]) -> Exception:
        """Return an error of the other side; one that began here is the same again."""
        theirs, says = message.get("theirs"), str(message.get("says", ""))
        if isinstance(theirs, int) and 0 <= theirs < len(self.raised):
            return self.raised[theirs]
        kind = ERRORS.get(str(message["raise"]), RuntimeError)
        try:
            error = kind(says)
        except TypeError:  # UnicodeDecodeError and its like want more than a sentence
            error = RuntimeError(f"{message['raise']}: {says}")
        error.mine = message.get("mine")  # type: ignore[attr-defined]
        return error

    # --- values ---

    def encode(self, value: Any) -> Any:
        """Return a value as JSON can hold it."""
        if value is None or isinstance(value, bool | int | float | str):
            # A subclass of a number or a text travels as what it is at heart.
            kinds = (bool, int, float, str)
            return next((kind(value) for kind in kinds if isinstance(value, kind)), None)
        if isinstance(value, np.ndarray | np.generic):
            if value.dtype.kind not in NUMBERS_AND_TEXT:
                return self.encode(value.tolist())
            raw = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
            return {"array": raw, "dtype": value.dtype.str, "shape": list(value.shape)}
        if type(value) in (list, tuple, set, frozenset):
            parts = [self.encode(part) for part in value]
            return parts if type(value) is list else {type(value).__name__: parts}
        if isinstance(value, dict):
            return {"dict": [[self.encode(k), self.encode(v)] for k, v in value.items()]}
        if isinstance(value, SimpleNamespace):
            return {"namespace": self.encode(vars(value))}
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
            if hasattr(value, "counted"):
                self.changing.append(value)
            attributes = [getattr(value, one) for one in _parameters(known).values()]
            return {"class": known, "of": self.encode(attributes)}
        if type(value).__name__ == "Sequential":
            layers = [(type(layer).__name__, list(layer.parameters())) for layer in value]
            if {name for name, _ in layers} <= {"Linear", *LAYERS}:
                return {"layers": self.encode(layers)}
        if is_dataclass(value) and not isinstance(value, type):
            named = {one.name: getattr(value, one.name) for one in fields(value)}
            return {"namespace": self.encode(named)}
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
            case {"tuple": parts}:
                return tuple(map(self.decode, parts))
            case {"set": parts}:
                return set(map(self.decode, parts))
            case {"frozenset": parts}:
                return frozenset(map(self.decode, parts))
            case {"dict": pairs}:
                return {self.decode(k): self.decode(v) for k, v in pairs}
            case {"namespace": named}:
                return SimpleNamespace(**self.decode(named))
            case {"generator": state}:
                bits = np.random.PCG64()
                bits.state = state
                self.changing.append(np.random.Generator(bits))
                return self.changing[-1]
            case {"tensor": array, "gradient": bool(gradient)}:
                import torch

                return torch.as_tensor(self.decode(array)).requires_grad_(gradient)
            case {"class": name, "of": parts} if name in CLASSES:
                module, _, kind = name.partition(":")
                arguments = dict(zip(_parameters(name), self.decode(parts), strict=True))
                made = getattr(import_module(module), kind)(**arguments)
                if hasattr(made, "counted"):
                    self.changing.append(made)
                return made
            case {"layers": layers}:
                return _layers(self.decode(layers))
            case {"function": int(number)}:
                return self._stand_in(number)
            case dict():
                raise WireError(f"no message has a {next(iter(value), None)!r}")
        return value

    def _stand_in(self, number: int) -> Callable[..., Any]:
        def function(*arguments: Any, **options: Any) -> Any:
            self.changing = changing = []
            reply = self.ask({"call": number, "with": self.encode((arguments, options))})
            for one, state in zip(changing, reply["now"], strict=True):
                _set_state(one, state)
            leaves = [one for one in arguments if _has_gradient(one)]
            if reply["traced"] is None or not leaves:
                return reply["result"]
            return self._traced(reply["traced"], reply["result"], leaves)

        return function

    def _traced(self, number: int, result: Any, leaves: list[Any]) -> Any:
        """Return a tensor through which gradients go back to the other side."""
        import torch

        class Remote(torch.autograd.Function):
            @staticmethod
            def forward(context: Any, *inputs: Any) -> Any:
                return result.detach()

            @staticmethod
            def backward(context: Any, along: Any) -> Any:
                found = self.ask({"back": number, "along": self.encode(along)})
                return found[0] if len(found) == 1 else tuple(found)

        return Remote.apply(*leaves)

    # --- bytes ---

    def _send(self, message: bytes) -> None:
        data = memoryview(message)
        try:
            while data:
                self._when_ready(writing=True)
                data = data[os.write(self.writer.fileno(), data[:PIPE_BUF]) :]  # never blocks
        except OSError as error:
            raise WireError("it has ended") from error

    def _receive(self) -> dict[str, Any]:
        (length,) = struct.unpack("<I", self._read(4))
        if length > MAX_BYTES:
            raise WireError("it sent too large a message")
        try:
            message = json.loads(self._read(length))
        except (ValueError, RecursionError) as error:
            raise WireError("it sent what is no message") from error
        if not isinstance(message, dict):
            raise WireError("it sent what is no message")
        return message

    def _read(self, n: int) -> bytes:
        parts = bytearray()
        while len(parts) < n:
            self._when_ready()
            part = os.read(self.reader.fileno(), min(n - len(parts), 2**16))
            if not part:
                raise WireError("it has ended")
            parts += part
        return bytes(parts)

    def _when_ready(self, *, writing: bool = False) -> None:
        wait = None if self.deadline == np.inf else max(0.0, self.deadline - time.monotonic())
        files = [[], [self.writer]] if writing else [[self.reader], []]
        if not any(select.select(*files, [], wait)):
            raise WireError("it did not end in time")


def _has_gradient(value: Any) -> bool:
    return bool(getattr(value, "requires_grad", False)) and hasattr(value, "detach")


def _state(value: Any) -> Any:
    if isinstance(value, np.random.Generator):
        return value.bit_generator.state
    return value.counted


def _set_state(value: Any, state: Any) -> None:
    """Let what was handed over be as the other side left it."""
    if isinstance(value, np.random.Generator):
        value.bit_generator.state = state
    else:
        value.counted[:] = state


def _builtin(error: Exception) -> str:
    """Return the name of the error, or of the built-in one that it is a kind of."""
    return next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins")


def _packed(message: dict[str, Any]) -> bytes:
    """Return a message as it travels: its length, and JSON."""
    text = json.dumps(message).encode()
    if len(text) > MAX_BYTES:
        raise ValueError("this is too large to be sent")
    return struct.pack("<I", len(text)) + text


def _parameters(name: str) -> dict[str, str]:
    """Return the parameters of a class, each with the attribute that fills it."""
    pairs = [one.partition("=") for one in CLASSES[name].split()]
    return {parameter: attribute or parameter for parameter, _, attribute in pairs}


def _layers(parts: list[tuple[str, list[Any]]]) -> Any:
    """Return a torch module of plain layers, for instance [("Linear", [W, b]), ("ReLU", [])]."""
    import torch

    made = torch.nn.Sequential()
    for name, tensors in parts:
        if name == "Linear":
            weight, *bias = tensors
            size = weight.shape[1], weight.shape[0]
            layer = torch.nn.Linear(*size, bias=bool(bias), dtype=weight.dtype)
            for own, sent in zip(layer.parameters(), tensors, strict=True):
                own.data = sent.detach()
        elif name in LAYERS:
            layer = getattr(torch.nn, name)()
        else:
            raise WireError(f"no message has a layer {name!r}")
        made.append(layer)
    return made
