"""How often trees of several origins decide as a network does, on and off the data.

A replicate is one split of the rows and one training of the network. Every tree has the same number
of leaves at most. Two of them never saw the network: one grows on the labels, one on the answers of
a second network, with other first weights, on the same rows. A training whose network decides for
one class on all of its rows is passed over. A run that was stopped goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from replicates import Replicates
from results import difference
from scipy.spatial import cKDTree
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from xai_course.book import train_model
from xai_course.data import Dataset, home_lending, load
from xai_course.families.trepan import Trepan, draw_queries

SETS: dict[str, Callable[[], Dataset]] = {
    "breast_cancer": lambda: load("breast_cancer"),
    "home_lending": home_lending,
}
REPLICATES = 10
LEAVES = (4, 8, 16)
OFF = 4000  # rows of each kind off the data
ADDED = 10_000  # further rows to ask about
M_OF_N = 5  # most conditions of one test
BASE = "tree on answers"

Predict = Callable[[np.ndarray], np.ndarray]


def near_rows(X: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Step from random rows in random directions, at most as far as to the row's nearest row."""
    start = rng.integers(len(X), size=n)
    reach = cKDTree(X).query(X, k=2)[0][:, 1]
    way = rng.normal(size=(n, X.shape[1]))
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    return X[start] + (reach[start] * rng.uniform(size=n))[:, None] * way


def off_the_data(X: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return rows that keep the values of single features, and rows of the box."""
    pick = rng.integers(len(X), size=(OFF, X.shape[1]))
    box = rng.uniform(X.min(axis=0), X.max(axis=0), (OFF, X.shape[1]))
    return {"shuffled": X[pick, np.arange(X.shape[1])], "box": box}


def cart(X: np.ndarray, y: np.ndarray, leaves: int) -> Predict:
    """Grow a tree best first."""
    return DecisionTreeClassifier(max_leaf_nodes=leaves, random_state=0).fit(X, y).predict


def trees(
    decide: Predict, other: Predict, X: np.ndarray, y: np.ndarray, leaves: int, seed: int
) -> dict[str, Predict]:
    """Return a classifier of each origin."""
    rng = np.random.default_rng(seed)
    near = np.concatenate([X, near_rows(X, ADDED, rng)])
    drawn = np.concatenate([X, draw_queries((), X, ADDED, rng)])

    def trepan(conditions: int) -> Predict:
        return Trepan(decide, leaves - 1, 1000, conditions, seed).fit(X).predict

    return {
        "tree on labels": cart(X, y, leaves),
        "tree on another network": cart(X, other(X), leaves),
        BASE: cart(X, decide(X), leaves),
        "near rows added": cart(near, decide(near), leaves),
        "drawn rows added": cart(drawn, decide(drawn), leaves),
        "TREPAN, one condition": trepan(1),
        "TREPAN, m of n": trepan(M_OF_N),
    }


def replicate(name: str, seed: int) -> dict[str, Any] | None:
    """Return the fidelity of every tree on three kinds of rows; None for a dead network."""
    X, X_test, y, _ = SETS[name]().split(seed)
    models = [train_model(name, seed=s, split=seed) for s in (seed, 100 + seed)]
    X, X_test = (models[0].standardize(part) for part in (X, X_test))
    decide, other = (model.network.decide for model in models)
    if any(len(np.unique(answer(X))) == 1 for answer in (decide, other)):
        return None
    rows = {"data": X_test} | off_the_data(X_test, np.random.default_rng(1000 + seed))
    found: dict[str, Any] = {}
    for leaves in LEAVES:
        for kind, predict in trees(decide, other, X, y, leaves, seed).items():
            agree = [float((predict(Z) == decide(Z)).mean()) for Z in rows.values()]
            found.setdefault(kind, []).append(agree)
    line = LogisticRegression(max_iter=2000).fit(X, decide(X))
    straight = [float((line.predict(Z) == decide(Z)).mean()) for Z in rows.values()]
    alike = [float((other(Z) == decide(Z)).mean()) for Z in rows.values()]
    mostly = [float(max(p := decide(Z).mean(), 1 - p)) for Z in rows.values()]
    box = np.random.default_rng(seed).uniform(X.min(axis=0), X.max(axis=0), (20_000, X.shape[1]))
    tree = cKDTree(X)
    within = tree.query(box)[0] <= np.median(tree.query(X, k=2)[0][:, 1])
    once = {"straight line": straight, "second network": alike, "one class": mostly}
    return found | once | {"kept": float(within.mean())}


def table() -> dict[str, Any]:
    """Return means, and pairwise differences from the plain tree on answers."""
    replicates = Replicates("proxies_trees", [Path(__file__)])
    result: dict[str, Any] = {"replicates": REPLICATES, "leaves": LEAVES, "rows": OFF}
    for name in SETS:
        runs, passed_over = replicates.first(REPLICATES, name, replicate)
        kinds = [kind for kind, value in runs[0].items() if isinstance(value, list)]
        values = {kind: np.array([run[kind] for run in runs]) for kind in kinds}
        trees_only = [kind for kind in kinds if values[kind].ndim == 3]
        result[name] = {
            "fidelity": {kind: _mean(values[kind]) for kind in kinds},
            "more than on answers": {
                kind: _differences(values[kind] - values[BASE])
                for kind in trees_only
                if kind != BASE
            },
            "passed over": passed_over,
            "kept": difference([run["kept"] for run in runs]),
        }
    replicates.clear()
    return result


def _mean(values: np.ndarray) -> list[Any]:
    return np.round(values.mean(axis=0), 4).tolist()


def _differences(values: np.ndarray) -> list[list[dict[str, float]]]:
    return [[difference(column) for column in rows.T] for rows in values.swapaxes(0, 1)]
