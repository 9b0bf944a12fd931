"""How many cells a visual counterfactual swaps, and what its picture says, over draws.

Every draw has its own garments and its own network.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from replicates import Replicates
from torch import nn

from cases.counterfactuals import _over
from xai_course import counterfactuals, data
from xai_course.book.convnet import convnet
from xai_course.training import train_classifier

DRAWS, GARMENTS, PAIRS, MIXED = 6, 4000, 60, 7
SIDE, STRIDE, WINDOW, CHANNELS = 5, 4, 16, 16  # cells a side, pixels from cell to cell and in each
SHIRT, T_SHIRT = 6, 0


def table() -> dict[str, Any]:
    """Return numbers of swaps, of controls, and what happens to the pictures."""
    kept = Replicates(
        "cases_visual_counterfactuals", [Path(__file__), Path(counterfactuals.__file__)]
    )
    draws = [kept.run(f"draw {i}", lambda i=i: _draw(i)) for i in range(DRAWS)]
    kept.clear()
    return {"draws": DRAWS, "pairs": PAIRS, **_over(draws)}


def _draw(draw: int) -> dict[str, Any]:
    garments, rng = data.load("fashion_mnist"), np.random.default_rng(draw)
    rows = rng.permutation(len(garments.y))
    seen, rest = rows[:GARMENTS], rows[GARMENTS:]
    settings = {"epochs": 10, "batch_size": 64, "learning_rate": 1e-3, "device": "cpu"}
    net = train_classifier(
        convnet(seed=draw), garments.X[seen], garments.y[seen], seed=draw, **settings
    ).module.eval()
    X, y = garments.X[rest], garments.y[rest]
    decided = _decide(net, X)
    right = decided == y
    found = {"accuracy": float(right.mean())}
    found["shirts"] = _pairs(net, X[right], y[right], rng, (SHIRT, T_SHIRT))
    found["all classes"] = _pairs(net, X[right], y[right], rng, None)
    return found


def _pairs(
    net: nn.Sequential,
    X: np.ndarray,
    y: np.ndarray,
    rng: np.random.Generator,
    classes: tuple[int, int] | None,
) -> dict[str, float]:
    body, head = net[:MIXED], net[MIXED:]
    results = []
    for _ in range(PAIRS):
        a, b = rng.choice(10, 2, replace=False) if classes is None else rng.permutation(classes)
        query, other = (X[rng.choice(np.flatnonzero(y == c))] for c in (a, b))
        with torch.no_grad():
            inputs = torch.tensor(np.stack([query, other]), dtype=torch.float32)
            features = body(inputs).double().numpy()
        greedy = counterfactuals.swap_cells(head, *features, target=int(b))
        n = len(greedy.cells)
        places = [int(i) for i in rng.permutation(SIDE**2)[:n]]
        chance = paste(query, other, [(i, i) for i in places])
        fewer = n > 2 and _two_suffice(head, *features, int(b))
        results.append(
            {
                "swaps": n,
                "one": n == 1,
                "three or more": n > 2,
                "two suffice": fewer,
                "in place, in random order": _in_place(head, *features, int(b), rng),
                "picture follows": _decide(net, paste(query, other, greedy.cells)[None])[0] == b,
                "picture at random": _decide(net, chance[None])[0] == b,
                "same place": np.mean([i == j for i, j in greedy.cells]) if n else 0,
            }
        )
    return {key: float(np.mean([result[key] for result in results])) for key in results[0]}


def _decide(net: nn.Module, X: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return net(torch.tensor(X, dtype=torch.float32)).argmax(1).numpy()


def _in_place(
    head: nn.Module, query: np.ndarray, other: np.ndarray, target: int, rng: np.random.Generator
) -> int:
    """Return how many cells it takes in random order, each replaced by the one at its place."""
    tried = np.tile(query, (SIDE**2 + 1, 1, 1, 1)).reshape(SIDE**2 + 1, CHANNELS, -1)
    for n, cell in enumerate(rng.permutation(SIDE**2), start=1):
        tried[n:, :, cell] = other.reshape(CHANNELS, -1)[:, cell]
    with torch.no_grad():
        shaped = tried.reshape(-1, *query.shape)
        decided = head(torch.tensor(shaped, dtype=torch.float32)).argmax(1).numpy()
    return int(np.argmax(decided == target))


def _two_suffice(head: nn.Sequential, query: np.ndarray, other: np.ndarray, target: int) -> bool:
    """Return whether some two swaps change the decision; the head begins with a linear layer."""
    flat, linear, *rest = head
    assert isinstance(flat, nn.Flatten)
    assert isinstance(linear, nn.Linear)
    n = SIDE**2
    W = linear.weight.detach().double().numpy().reshape(-1, CHANNELS, n)
    q, d = query.reshape(CHANNELS, n), other.reshape(CHANNELS, n)
    change = np.einsum("hci,cj->ijh", W, d) - np.einsum("hci,ci->ih", W, q)[:, None]
    with torch.no_grad():
        base = linear(flat(torch.tensor(query[None], dtype=torch.float32)))[0]
        moves, above = torch.tensor(change, dtype=torch.float32), nn.Sequential(*rest)
        for i in range(n - 1):
            later = moves[i + 1 :].reshape(-1, moves.shape[2])
            pairs = (base + moves[i][:, None] + later[None]).reshape(-1, moves.shape[2])
            if (above(pairs).argmax(1) == target).any():
                return True
    return False


def window(cell: int) -> tuple[int, int]:
    """Return the first row and column of the pixels that a cell sees; they may be negative."""
    row, column = divmod(cell, SIDE)
    return STRIDE * row - 2, STRIDE * column - 2


def paste(query: np.ndarray, other: np.ndarray, cells: list[tuple[int, int]]) -> np.ndarray:
    """Return the query's picture with the pixels that the swapped cells see, pasted in."""
    margin = WINDOW
    picture = np.pad(query.reshape(28, 28), margin)
    source = np.pad(other.reshape(28, 28), margin)
    for i, j in cells:
        (a, b), (c, d) = (np.array(window(k)) + margin for k in (i, j))
        picture[a : a + WINDOW, b : b + WINDOW] = source[c : c + WINDOW, d : d + WINDOW]
    return picture[margin:-margin, margin:-margin].reshape(-1)
