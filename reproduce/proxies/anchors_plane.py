"""Anchors on networks with two inputs, where every rule's precision is an area.

The authors' program is measured beside ours if it is there: ``pip install --no-deps
anchor-exp==0.0.2.0``, into an environment of its own if you like. Without it the command stops.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from results import difference, spread

from xai_course.anchors import Anchor, TableConditions, find_anchor
from xai_course.book import train_model
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.regions import enumerate_regions

SEEDS, DRAWS, POINTS = range(5), range(5), 4
SIDE, CELLS, THRESHOLD = 1.5, 8, 0.95
EDGES = np.linspace(-SIDE, SIDE, CELLS + 1)
LINE = np.linspace(-SIDE, SIDE, 100 * CELLS + 1)  # its quantiles are the edges


def cell_shares(network: PiecewiseLinearNetwork) -> np.ndarray:
    """Return the share of class 1 in each cell of the grid, from the network's regions."""
    shares = np.empty((CELLS, CELLS))
    for i, j in np.ndindex(shares.shape):
        box = np.array([EDGES[[i, i + 1]], EDGES[[j, j + 1]]])
        parts = enumerate_regions(network, box)
        coef, intercept = network.local_linear_models(parts.patterns)
        corners, owners = parts.polygons.points, parts.polygons.owners
        z = (coef[owners, 0] * corners).sum(axis=1) + intercept[owners, 0]
        pieces, _, above = parts.polygons.cut(z, np.full(len(parts), 1e-12))
        shares[i, j] = pieces.areas()[above].sum() / np.prod(box[:, 1] - box[:, 0])
    return shares


def best_box(agree: np.ndarray, x: np.ndarray) -> float:
    """Return the coverage of the largest box of cells around `x` that is precise enough."""
    i, j = np.searchsorted(EDGES, x) - 1
    sums = np.zeros((CELLS + 1, CELLS + 1))
    sums[1:, 1:] = agree.cumsum(axis=0).cumsum(axis=1)
    best = 0
    for a, b in ((a, b) for a in range(i + 1) for b in range(i + 1, CELLS + 1)):
        for c, d in ((c, d) for c in range(j + 1) for d in range(j + 1, CELLS + 1)):
            size = (b - a) * (d - c)
            inside = sums[b, d] - sums[a, d] - sums[b, c] + sums[a, c]
            best = max(best, size if inside >= THRESHOLD * size else 0)
    return best / CELLS**2


def one_network(seed: int, draw: int, theirs: Callable[..., Any]) -> list[dict[str, Any]]:
    """Return what each search found for each point, with the exact numbers beside."""
    network = train_model("co_circles", hidden_sizes=(20, 20), seed=seed, split=draw).network
    share, rng = cell_shares(network), np.random.default_rng([seed, draw])
    centres = (EDGES[:-1] + EDGES[1:]) / 2
    grid = np.stack(np.meshgrid(centres, centres, indexing="ij"), axis=-1).reshape(-1, 2)
    found = []
    for x in rng.uniform(-SIDE, SIDE, (POINTS, 2)):
        label = int(network.decide(x[None])[0])
        agree = share if label else 1 - share
        conditions = TableConditions(np.column_stack([LINE, LINE]), x, CELLS)
        holds = conditions.holds(grid)
        ask = _asker(network, conditions, label, np.random.default_rng([seed, draw, 1]))
        anchors = {
            f"ours, beam {b}": find_anchor(
                lambda c, n, ask=ask: int(ask(c, n)[1].sum()), holds, beam=b
            )
            for b in (1, 4)
        }
        anchors["theirs, beam 1"] = theirs(ask, conditions)
        best = best_box(agree, x)
        for name, anchor in anchors.items():
            covered = holds[:, anchor.chosen].all(axis=1)
            found.append(
                {
                    "search": name,
                    "network": (seed, draw),
                    "certified": anchor.certified,
                    "exact": float(agree.ravel()[covered].mean()),
                    "coverage": float(covered.mean()),
                    "best": best,
                    "asked": anchor.n_asked,
                }
            )
    return found


def _asker(
    network: PiecewiseLinearNetwork,
    conditions: TableConditions,
    label: int,
    draws: np.random.Generator,
) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    def ask(chosen: tuple[int, ...], n: int) -> tuple[np.ndarray, np.ndarray]:
        rule = conditions.rule(chosen, label)
        low, high = np.maximum(rule.low, -SIDE), np.minimum(rule.high, SIDE)
        rows = draws.uniform(low, high, (n, 2))
        return rows, network.decide(rows) == label

    return ask


def their_search() -> Callable[..., Anchor]:
    """Return the beam search of the authors' program, with the settings of its tables."""
    try:
        from anchor.anchor_base import AnchorBaseBeam
    except ImportError as error:
        raise SystemExit(
            "Install their program: pip install --no-deps anchor-exp==0.0.2.0"
        ) from error

    def search(ask: Callable[..., Any], conditions: TableConditions) -> Anchor:
        asked = 0

        def sample(present: list[int], size: int, compute_labels: bool = True) -> tuple:
            nonlocal asked
            rows, good = ask(tuple(present), size)
            asked += size if compute_labels else 0
            labels = good.astype(int) if compute_labels else np.array([])
            return rows, conditions.holds(rows).astype(int), labels

        found = AnchorBaseBeam.anchor_beam(
            sample, delta=0.1, epsilon=0.15, batch_size=100, desired_confidence=THRESHOLD
        )
        chosen = tuple(sorted(set(found["feature"])))
        claimed = found["precision"][-1] if chosen else found["all_precision"]
        sure = bool(claimed >= THRESHOLD)
        return Anchor(chosen, float(claimed), 0.0, 1.0, 0.0, asked, sure)

    return search


def table() -> dict[str, Any]:
    """Return what the searches found on 25 networks, five trainings of five draws."""
    theirs = their_search()
    rows = [r for s in SEEDS for d in DRAWS for r in one_network(s, d, theirs)]
    found: dict[str, Any] = {"points": POINTS * len(SEEDS) * len(DRAWS)}
    found["possible"] = float(np.mean([r["best"] > 0 for r in rows]))
    ratios = {}
    for name in dict.fromkeys(r["search"] for r in rows):
        mine = [r for r in rows if r["search"] == name]
        sure = [r for r in mine if r["certified"]]
        ratios[name] = np.array(
            [_ratio([r for r in mine if r["network"] == n]) for n in _networks(rows)]
        )
        found[name] = {
            "certified": float(np.mean([r["certified"] for r in mine])),
            "broken": sum(bool(r["exact"] < THRESHOLD) for r in sure),
            "worst": round(min(r["exact"] for r in sure), 4),
            "n certified": len(sure),
            "coverage of the best": spread(ratios[name]),
            "asked": float(np.median([r["asked"] for r in mine])),
        }
    names = list(ratios)
    found["differences"] = {
        f"{names[1]} minus {names[0]}": difference(ratios[names[1]] - ratios[names[0]]),
        f"{names[2]} minus {names[0]}": difference(ratios[names[2]] - ratios[names[0]]),
    }
    return found


def _networks(rows: list[dict[str, Any]]) -> list[tuple[int, int]]:
    return list(dict.fromkeys(r["network"] for r in rows if r["best"] > 0))


def _ratio(rows: list[dict[str, Any]]) -> float:
    """Return the mean coverage of certified anchors as a share of the best possible one."""
    possible = [r for r in rows if r["best"] > 0]
    return float(np.mean([r["certified"] * r["coverage"] / r["best"] for r in possible]))
