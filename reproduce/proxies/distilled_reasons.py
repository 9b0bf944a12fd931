"""Whether an additive student's curves move as the network does when one feature is moved.

A replicate is one split of the rows and one training of the network. The effect of a feature is the
mean change of the network's logit when that feature alone goes from its 10 % to its 90 % quantile:
a difference of two values of the exact partial dependence. Students are trained on labels, on the
network's logits at the rows, and on its logits at shuffled rows, in which every feature is drawn by
itself. A training whose network decides for one class on all of its rows is passed over.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from replicates import Replicates
from results import difference
from scipy.stats import spearmanr
from sklearn.linear_model import LinearRegression

from proxies.distilled import ROWS, SETS, Score, agreement
from xai_course.book import train_model
from xai_course.families.additive import AdditiveRegressor
from xai_course.networks import PiecewiseLinearNetwork

REPLICATES, SHUFFLED, OFF, RATE = 12, 2000, 2000, 0.3


def effects(score: Score, X: np.ndarray) -> np.ndarray:
    """Return the mean change of a score when one feature alone goes from its 10 % to 90 %."""
    found = []
    for j, (low, high) in enumerate(np.quantile(X, [0.1, 0.9], axis=0).T):
        start, end = X.copy(), X.copy()
        start[:, j], end[:, j] = low, high
        found.append((score(end) - score(start)).mean())
    return np.array(found)


def shuffled(X: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw each feature by itself from its values in `X`."""
    return X[rng.integers(len(X), size=(n, X.shape[1])), np.arange(X.shape[1])]


def students(network: PiecewiseLinearNetwork, X: np.ndarray, y: np.ndarray, seed: int) -> dict:
    """Return the scores of all students."""
    z, off = network.forward(X)[:, 0], shuffled(X, SHUFFLED, np.random.default_rng(seed))
    told = network.forward(off)[:, 0]
    return {
        "curves on labels": AdditiveRegressor(rate=RATE).fit(X, 2.0 * y - 1).predict,
        "curves on answers": AdditiveRegressor(rate=RATE).fit(X, z).predict,
        "curves on shuffled rows": AdditiveRegressor(rate=RATE).fit(off, told).predict,
        "line on answers": LinearRegression().fit(X, z).predict,
        "line on shuffled rows": LinearRegression().fit(off, told).predict,
    }


def replicate(name: str, seed: int) -> dict[str, list[float]] | None:
    """Return for each student: correlation of the effects, fidelity on the data, off the data."""
    X, tests, y, _ = SETS[name]().split(seed)
    sizes = (8, 8) if name == "breast_cancer" else None
    model = train_model(name, hidden_sizes=sizes, seed=seed, split=seed)
    X, y, tests = model.standardize(X[:ROWS]), y[:ROWS], model.standardize(tests[:OFF])
    network = model.network

    def logit(Z: np.ndarray) -> np.ndarray:
        return network.forward(Z)[:, 0]

    if len(np.unique(network.decide(X))) == 1:
        return None
    off = shuffled(tests, OFF, np.random.default_rng(1000 + seed))
    exact, found = effects(logit, X), {}
    for kind, score in students(network, X, y, seed).items():
        alike = spearmanr(effects(score, X), exact).statistic
        on, away = (agreement(score, logit(Z), Z) for Z in (tests, off))
        found[kind] = [float(alike), on, away]
    return found


def table() -> dict[str, Any]:
    """Return means, and pairwise differences from the curves on the answers at the rows."""
    replicates = Replicates("proxies_distilled_reasons", [Path(__file__)])
    result: dict[str, Any] = {"replicates": REPLICATES}
    for name in SETS:
        runs, passed_over = replicates.first(REPLICATES, name, replicate)
        values = {kind: np.array([run[kind] for run in runs]) for kind in runs[0]}
        base = values["curves on answers"]
        result[name] = {
            "passed over": passed_over,
            "mean": {kind: [difference(column) for column in v.T] for kind, v in values.items()},
            "more than on answers": {
                kind: [difference(column) for column in (v - base).T] for kind, v in values.items()
            },
        }
    replicates.clear()
    return result
