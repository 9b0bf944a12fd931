"""How often Wachter's search is not nearest, and how plausible nearest ones are, over draws.

Both networks of a draw share its rows: their mean is one value, and standard errors are over draws.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from replicates import Replicates
from scipy.spatial import KDTree
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from xai_course import counterfactuals, data, exact, lines
from xai_course.networks import PiecewiseLinearNetwork

DRAWS, SEEDS, ROWS, STARTS, OTHERS = 6, 2, 25, 5, 3
RECIPES = {"breast cancer": {"alpha": 1.0}, "home lending": {"alpha": 1e-4}}
FAR = 0.01  # what is farther than the nearest by more than this share of it is not nearest
# A low first price would pull every start back to the row before the search begins.
PRICES, ROUNDS = [0.1] + [200.0] * (STARTS - 1), [18] + [7] * (STARTS - 1)
Rows = np.ndarray


def table() -> dict[str, Any]:
    """Return how the search and the nearest counterfactual compare, for each data set."""
    kept = Replicates("cases_counterfactuals", [Path(__file__), Path(counterfactuals.__file__)])
    found: dict[str, Any] = {"draws": DRAWS, "trainings": SEEDS, "rows": ROWS, "starts": STARTS}
    for name in RECIPES:
        draws = [kept.run(f"{name} {i}", lambda n=name, i=i: _draw(n, i)) for i in range(DRAWS)]
        found[name] = _over(draws)
    kept.clear()
    return found


def _over(draws: list[Any]) -> Any:
    """Return mean, standard error and range of every number, in the shape of one draw."""
    if isinstance(draws[0], dict):
        return {key: _over([draw[key] for draw in draws]) for key in draws[0]}
    values = np.array(draws, dtype=float)
    found = {
        "mean": values.mean(),
        "se": values.std(ddof=1) / len(values) ** 0.5,
        "min": values.min(),
        "max": values.max(),
    }
    return {key: round(float(value), 4) for key, value in found.items()}


def _mean(runs: list[Any]) -> Any:
    if isinstance(runs[0], dict):
        return {key: _mean([run[key] for run in runs]) for key in runs[0]}
    return float(np.mean(runs))


def rows_of(name: str, draw: int) -> tuple[Rows, Rows, Rows]:
    """Return standardised training rows, standardised test rows, and the training labels."""
    dataset = data.home_lending(seed=draw) if name == "home lending" else data.load("breast_cancer")
    X, X_test, y, _ = dataset.split(draw)
    mean, scale = X.mean(axis=0), X.std(axis=0)
    return (X - mean) / scale, (X_test - mean) / scale, y


def trained(name: str, Z: Rows, y: Rows, seed: int) -> PiecewiseLinearNetwork:
    """Return a network of the book's recipe for this data set."""
    how = {"early_stopping": True, "validation_fraction": 0.2, "n_iter_no_change": 100}
    mlp = MLPClassifier((5, 5), max_iter=2000, random_state=seed, **how, **RECIPES[name])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return PiecewiseLinearNetwork.from_sklearn(mlp.fit(Z, y))


def _draw(name: str, draw: int) -> dict[str, Any]:
    Z, Z_test, y = rows_of(name, draw)
    asked = Z_test[np.random.default_rng(draw).permutation(len(Z_test))[:ROWS]]
    nets = [trained(name, Z, y, seed) for seed in range(SEEDS + OTHERS)]
    others = nets[SEEDS:]
    return _mean([_one(net, others, Z, Z_test, asked, draw) for net in nets[:SEEDS]])


def _one(
    net: PiecewiseLinearNetwork,
    others: list[PiecewiseLinearNetwork],
    Z: Rows,
    Z_test: Rows,
    asked: Rows,
    draw: int,
) -> dict[str, Any]:
    mads = counterfactuals.median_absolute_deviations(Z)
    frozen = np.flatnonzero(mads == 0)  # a price without limit
    unit = np.where(mads > 0, mads, 1e-9)
    nearest = [
        exact.nearest_counterfactual(net, z, norm=1, scale=np.maximum(mads, 1e-9), immutable=frozen)
        for z in asked
    ]
    assert all(answer.certified for answer in nearest)
    best, least = np.array([a.x for a in nearest]), np.array([a.distance for a in nearest])
    decided = net.decide(asked)
    side = torch.tensor(1 - 2 * decided, dtype=torch.float64)
    module = net.to_torch()
    rng = np.random.default_rng(1000 + draw)
    starts = [asked, *(Z[rng.integers(len(Z), size=ROWS)] for _ in range(STARTS - 1))]
    starts[1:] = [np.where(mads > 0, start, asked) for start in starts[1:]]
    runs = [
        counterfactuals.wachter(
            lambda W: (side * module(W)[:, 0]).sigmoid(),
            asked, 0.51, scale=unit, start=start, price=price, rounds=rounds,
        )
        for start, price, rounds in zip(starts, PRICES, ROUNDS, strict=True)
    ]  # fmt: skip
    lengths = np.array([np.where(run.found, run.distance, np.inf) for run in runs])
    first, chosen = lengths[0], lengths.argmin(axis=0)
    several = np.array([runs[k].X[i] for i, k in enumerate(chosen)])
    pulled = np.array([_back(net, z, w) for z, w in zip(asked, several, strict=True)])
    found = {
        "search": _compare(runs[0].X, first, asked, least, unit),
        "several starts": _compare(several, lengths.min(axis=0), asked, least, unit),
        "and straight back": _compare(
            pulled,
            np.where(np.isfinite(lengths.min(axis=0)), _lengths(pulled - asked, unit), np.inf),
            asked,
            least,
            unit,
        ),
        "nearest": _compare(best, least, asked, least, unit),
    }
    slopes, _ = net.local_linear_models(net.activation_pattern(asked))
    ends, _ = net.local_linear_models(net.activation_pattern(runs[0].X))
    lost = ~runs[0].found
    found["flat"] = {
        "at the row": float((np.abs(slopes[:, 0]).max(axis=1) < 1e-9).mean()),
        "lost": float(lost.mean()),
        "lost and flat at the end": float((lost & (np.abs(ends[:, 0]).max(1) < 1e-9)).mean()),
    }
    unlike, way = _unlike(net, Z, asked, decided)
    found["plausible"] = _plausible(
        {"nearest": best, "on the way": way, "unlike": unlike, "asked": asked},
        Z, Z_test, asked, 1 - decided, others, mads,
    )  # fmt: skip
    return found


def _lengths(change: Rows, unit: Rows) -> Rows:
    return np.abs(change / unit).sum(axis=1)


def _compare(X: Rows, length: Rows, asked: Rows, least: Rows, unit: Rows) -> dict[str, float]:
    """Return how often nothing was found, and how much farther than the nearest the rest is."""
    hit = np.isfinite(length)
    more = length[hit] / least[hit] - 1
    return {
        "not found": float(1 - hit.mean()),
        "not nearest": float((more > FAR).mean()),
        "median farther": float(np.median(more)),
        "one in ten farther": float(np.quantile(more, 0.9)),
        "most farther": float(more.max()),
        "features": float((np.abs((X - asked) / unit)[hit] > FAR).sum(axis=1).mean()),
    }


def _back(net: PiecewiseLinearNetwork, x: Rows, end: Rows) -> Rows:
    """Return the first place with another decision on the straight way from x to an end."""
    path = lines.line(net, x, end)
    t = path.crossings()
    return x + (t[0] if len(t) else 1.0) * (end - x)


def _unlike(net: PiecewiseLinearNetwork, Z: Rows, asked: Rows, decided: Rows) -> tuple[Rows, Rows]:
    """Return the nearest training row of another decision, and the first flip on the way there."""
    labels, unlike = net.decide(Z), []
    for z, label in zip(asked, decided, strict=True):
        candidates = Z[labels != label]
        unlike.append(candidates[np.linalg.norm(candidates - z, axis=1).argmin()])
    pairs = zip(asked, unlike, strict=True)
    return np.array(unlike), np.array([_back(net, z, u) for z, u in pairs])


def _plausible(
    answers: dict[str, Rows],
    Z: Rows,
    Z_test: Rows,
    asked: Rows,
    wanted: Rows,
    others: list[PiecewiseLinearNetwork],
    mads: Rows,
) -> dict[str, Any]:
    """Return how far each answer is from rows of the data, and who else would agree to it."""
    tree, unit = KDTree(Z), np.where(mads > 0, mads, 1.0)
    usual = np.quantile(tree.query(Z_test)[0], 0.95)
    outside = (Z.min(axis=0), Z.max(axis=0))
    return {
        name: {
            "strange": float((tree.query(X)[0] > usual).mean()),
            "outside": float(((outside[0] > X) | (outside[1] < X)).any(axis=1).mean()),
            "largest move": float(np.abs((X - asked) / unit).max(axis=1).mean()),
            "length": float(np.abs((X - asked) / unit).sum(axis=1).mean()),
            "agreed": float(np.mean([net.decide(X) == wanted for net in others])),
        }
        for name, X in answers.items()
    }
