"""What the wire carries comes out as it went in, and what is no data does not pass."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from xai_course.activations import PiecewiseLinear
from xai_course.approximation import SMOOTH_ACTIVATIONS
from xai_course.book.instruments import CountedRows
from xai_course.book.names import needed
from xai_course.grading import wire
from xai_course.grading.wire import MAX_BYTES, Peer, WireError
from xai_course.networks import PiecewiseLinearNetwork


@pytest.fixture
def far():
    """Return a function that lets another one run on the other side of a wire."""
    kept = []

    def across(function):
        here, there = socket.socketpair()
        kept.extend([here, there])

        def serve():
            with suppress(WireError):
                Peer(there, function).listen()

        threading.Thread(target=serve, daemon=True).start()
        return Peer(here).function(0)

    yield across
    for one in kept:
        one.close()


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        3,
        2**200,
        1.5,
        float("inf"),
        "ä",
        [1, [2, (3,)]],
        (1, "a"),
        {1, 2},
        {"a": 1, 2: (3,)},
        np.float32(1.5),
        np.array([], dtype=int),
    ],
)
def test_data_comes_back(far, value):
    back = far(lambda x: x)(value)
    assert type(back) is type(value)
    assert np.array_equal(back, value) if isinstance(value, np.ndarray) else back == value


@pytest.mark.parametrize("dtype", ["<f8", "<f4", "bool", "<i8", "u1", "<c16", "<U3"])
def test_arrays_come_back_exactly(far, dtype):
    value = np.arange(6).reshape(2, 3)[:, ::-1].astype(dtype)
    back = far(lambda x: x)(value)
    assert back.dtype == value.dtype
    assert np.array_equal(back, value)
    back[0, 0] = back[1, 1]  # and may be changed


def test_networks_come_back(far):
    rng = np.random.default_rng(0)
    network = PiecewiseLinearNetwork(
        [rng.normal(size=(4, 2)), rng.normal(size=(1, 4))], [np.ones(4), np.zeros(1)]
    )
    X = rng.normal(size=(5, 2))
    assert np.array_equal(far(lambda n: n.forward(X))(network), network.forward(X))
    assert np.array_equal(far(lambda n: n)(network).forward(X), network.forward(X))
    hard = PiecewiseLinear.hardtanh()
    assert np.array_equal(far(lambda a: a)(hard)(X), hard(X))
    module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    x = torch.randn(4, 2)
    assert torch.equal(far(lambda m: m)(module)(x), module(x))
    line = torch.nn.Linear(2, 1, bias=False)
    assert torch.equal(far(lambda m: m)(line).weight, line.weight)
    pool = torch.nn.MaxPool1d(2)
    assert torch.equal(far(lambda m: m)(pool)(x), pool(x))  # what is no layer of these is called
    tanh = SMOOTH_ACTIVATIONS["tanh"]
    assert far(lambda a: a.tangent(0.5))(tanh) == pytest.approx(tanh.tangent(0.5))


def test_functions_are_called_back_and_generators_go_on(far):
    def doubles(f, rng):
        return [f(rng.normal()) for _ in range(3)], f(np.arange(3)).sum()

    rng, same = np.random.default_rng(5), np.random.default_rng(5)
    found, total = far(doubles)(lambda x: 2 * x, rng)
    assert found == [2 * same.normal() for _ in range(3)]
    assert total == 6
    assert rng.normal() == same.normal()


def test_counted_rows_count_here(far):
    rows, counted = np.eye(3), []
    found = far(lambda r: r.T @ (r @ np.ones(3)))(CountedRows(rows, counted.append))
    assert np.array_equal(found, np.ones(3))
    assert counted == [1, 1]


def test_gradients_go_through(far):
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    far(lambda t: (t**3).sum())(x).backward()
    assert x.grad.tolist() == [3.0, 12.0]

    def trains(start, loss):
        w = start.clone().requires_grad_()
        loss(w).backward()
        return w.grad

    slope = far(trains)(torch.tensor([3.0]), lambda w: (w**2).sum())
    assert slope.tolist() == [6.0]


def test_errors_keep_their_kind_and_come_home(far):
    class Mine(ValueError):
        pass

    def fails():
        raise Mine("no")

    with pytest.raises(ValueError, match="no"):
        far(fails)()
    own = KeyError("of the check")

    def check(x):
        raise own

    with pytest.raises(KeyError) as caught:
        far(lambda f: f(1))(check)
    assert caught.value is own


def test_what_is_no_data_does_not_pass(far):
    with pytest.raises(TypeError, match="is no data"):
        far(object)()
    with pytest.raises(ValueError, match="too large"):
        far(lambda: "x" * (MAX_BYTES + 1))()


def hostile(sent: bytes) -> Peer:
    """Return a side that has just been sent some bytes."""
    here, there = socket.socketpair()
    there.sendall(sent)
    there.close()
    return Peer(here)


def told(**message) -> bytes:
    return json.dumps(message).encode() + b"\n"


def returned(value) -> bytes:
    return told(**{"return": value, "now": [], "back": None})


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"{",
        b"\n",
        b"{}",
        b"{\n",
        b"[1]\n",
        b"[" * 50_000 + b"\n",
        told(do="run"),
        told(call="eval"),
        told(error="ValueError"),
        told(**{"return": 1}),
        told(**{"return": 1, "now": 1, "back": None}),
    ],
)
def test_what_is_no_message_ends_the_talk(sent):
    with pytest.raises(WireError):
        hostile(sent).listen()


def test_a_message_has_an_end(monkeypatch):
    monkeypatch.setattr(wire, "MAX_BYTES", 1000)
    with pytest.raises(WireError, match="too large a message"):
        hostile(b"[" * 2000).listen()


@pytest.mark.parametrize(
    "value",
    [
        {"pickle": "gASV"},
        {"array": "AAAA", "dtype": "O", "shape": [1]},
        {"layer": "Embedding", "of": []},
        {"class": "subprocess:Popen", "of": {"dict": []}},
        {"collection": "exit", "of": []},
        {"exit": 0, "of": []},
    ],
)
def test_a_message_names_no_other_kind_and_no_function_to_call(value):
    peer = hostile(returned(value))
    with pytest.raises(WireError, match=r"no message has a|an array holds"):
        peer.decode(peer.listen()["return"])
    with pytest.raises(WireError):
        hostile(returned(value)).function(0)()


@pytest.mark.parametrize("kind", ["eval", "exec", "print", "BaseException", "nothing"])
def test_an_error_names_no_function_to_call(kind, tmp_path):
    code = f"open({str(tmp_path / 'owned')!r}, 'w')"
    message = told(error=kind, says=code, mine=0, theirs=None)
    with pytest.raises(RuntimeError, match="owned"):
        hostile(message).listen()
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["a = 1", "b = 2", "def f(): return a"], [True, False, True]),
        (["a = []", "a.append(1)", "print(a)", "f = a"], [True, True, False, True]),
        (["def f(): return g()", "def g(): return h", "h = 1"], [True, True, True]),
        (["f = 1", "f = 2"], [False, True]),
        (["import numpy as np", "x = np.ones(3)", "x[0] = 2", "f = x"], [True] * 4),
        (["this is no python", "f = 1"], [False, True]),
    ],
)
def test_which_cells_are_needed(cells, expected):
    assert needed(cells, {"f"}) == expected


def test_a_namespace_travels(far):
    back = far(lambda x: x)(SimpleNamespace(a=1, b=np.ones(2)))
    assert back.a == 1
    assert np.array_equal(back.b, np.ones(2))
