"""Anchors of garments: how many of sixteen patches hold a decision in place, over two searches."""

from __future__ import annotations

from typing import Any

import numpy as np
from results import spread

from xai_course.anchors import Anchor, find_anchor
from xai_course.book import cases, load_model

N_GARMENTS, SEARCHES = 12, 2
PATCH = (np.arange(28)[:, None] // 7 * 4 + np.arange(28) // 7).ravel()


def anchor_of(x: np.ndarray, others: np.ndarray, seed: int) -> Anchor:
    """Return the patches that hold the decision while other garments shine through the rest."""
    network, rng = load_model("fashion_mnist").network, np.random.default_rng(seed)
    label = network.decide(x[None])[0]

    def agrees(chosen: tuple[int, ...], n: int) -> int:
        kept = rng.random((n, 16)) < 0.5
        kept[:, chosen] = True
        rows = np.where(kept[:, PATCH], x, others[rng.integers(len(others), size=n)])
        return int((network.decide(rows) == label).sum())

    return find_anchor(agrees, rng.random((10_000, 16)) < 0.5, beam=1)


def table() -> dict[str, Any]:
    """Return sizes of the anchors and their overlap, for test garments and for the book's shirt."""
    shirt = cases()["garment"]
    data = shirt.dataset
    train, test = data.split_rows()
    rows = np.random.default_rng(0).choice(test, N_GARMENTS, replace=False)
    pairs = [
        [anchor_of(data.X[r], data.X[train], s) for s in range(SEARCHES)]
        for r in (shirt.row, *rows)
    ]
    sets = [[set(a.chosen) for a in pair] for pair in pairs]
    alike = [len(a & b) / max(1, len(a | b)) for a, b in sets]
    return {
        "garments": N_GARMENTS,
        "names": [data.target_names[data.y[r]] for r in rows],
        "shirt": {
            "patches": [len(a.chosen) for a in pairs[0]],
            "certified": [a.certified for a in pairs[0]],
            "alike": round(alike[0], 3),
        },
        "patches": [len(pair[0].chosen) for pair in pairs[1:]],
        "certified": float(np.mean([a.certified for pair in pairs[1:] for a in pair])),
        "alike": spread(alike[1:]),
        "identical": float(np.mean([a == b for a, b in sets[1:]])),
    }
