"""How far local AUCs can be believed: ten draws of the data, two widths, four kinds of interval."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from replicates import Replicates
from results import over_seeds
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from unwrapping.examples import RECIPE, Trained, fit_network
from xai_course import data

DRAWS = 10
FRESH = 200_000
FRESH_SEED = 1000  # of the fresh rows; plus the draw's number
BOOTSTRAP = 1000
MEASURED_BY = ("examples", "trust")
SETTINGS = {
    "draws": f"{DRAWS} draws of the data; a draw's number is the seed of data, split and network",
    "fresh": f"{FRESH:,} rows with the seed {FRESH_SEED} plus the draw's number",
    "large": "regions with both classes and at least 10 (circles) or 30 (loans) training rows",
    "intervals": "95 %, of the local AUC on training rows; held: the local AUC on fresh rows is in",
}


@dataclass(frozen=True)
class Case:
    """A generator, the book's network for it, and another width."""

    draw: Callable[..., data.Dataset]
    hidden_sizes: tuple[int, ...]
    other_sizes: tuple[int, ...]
    standardize: bool
    enough: int


CASES = {
    "co_circles": Case(data.co_circles, (40,) * 4, (10, 10), False, 10),
    "home_lending": Case(data.home_lending, (5, 5), (20, 20), True, 30),
}


def table(replicates: Replicates) -> dict[str, Any]:
    """Measure both data sets over the draws, and the pairs of widths."""
    found: dict[str, Any] = {}
    for name, case in CASES.items():
        runs = [
            replicates.run(f"{name} {seed}", lambda c=case, s=seed: measure(c, s))
            for seed in tqdm(range(DRAWS), desc=name)
        ]
        for run in runs:
            pairs = run["regions"].items()
            run["other width - regions"] = {k: run["other width"][k] - v for k, v in pairs}
        sizes = {"hidden_sizes": list(case.hidden_sizes), "other_sizes": list(case.other_sizes)}
        found[name] = sizes | over_seeds(runs)
    return {"settings": SETTINGS, "cases": found}


def measure(case: Case, seed: int) -> dict[str, dict[str, float]]:
    """Return what one draw of the data says about the book's network and the other width."""
    drawn, fresh = case.draw(seed=seed), case.draw(FRESH, seed=FRESH_SEED + seed)
    X, X_test, y, y_test = train_test_split(drawn.X, drawn.y, test_size=0.2, random_state=seed)
    scaler = StandardScaler(with_mean=case.standardize, with_std=case.standardize).fit(X)
    inputs = scaler.transform(X), scaler.transform(X_test)

    def train(hidden_sizes: tuple[int, ...]) -> Trained:
        mlp = MLPClassifier(hidden_sizes, random_state=seed, **RECIPE)
        return fit_network(mlp, *inputs, y, y_test)

    rows, other = train(case.hidden_sizes), train(case.other_sizes)
    log_odds = fresh.truth.log_odds(fresh.X)
    new = scaler.transform(fresh.X), fresh.y, log_odds
    linear = LogisticRegression(max_iter=500).fit(rows.X_train, rows.y_train)
    return {
        "regions": regions(rows),
        "other width": regions(other),
        "local AUC": local_auc(rows, *new, case.enough),
        "local below global": below(rows, *new, linear, case.enough),
        "held": held(rows, *new, case.enough, seed),
        "controls": {
            "test AUC, truth": rows.score(drawn.truth.log_odds(X_test)),
            "test AUC, one logistic regression": rows.score(linear.decision_function(rows.X_test)),
        },
    }


def regions(rows: Trained) -> dict[str, float]:
    """Describe the regions of one network."""
    summary = rows.unwrapper.summary(global_metrics=False)
    single = summary["single_class"]
    return {
        "regions": float(len(summary)),
        "with one class": float(single.mean()),
        "rows in these": float(summary["count"][single].sum() / len(rows.y_train)),
        "with 30 rows": float((summary["count"] >= 30).sum()),
        "coverage": float(rows.unwrapper.coverage(rows.X_test)),
        "test AUC": rows.score(rows.unwrapper.decision_function(rows.X_test)),
    }


def local_auc(
    rows: Trained, X: np.ndarray, y: np.ndarray, truth: np.ndarray, enough: int
) -> dict[str, float]:
    """Compare local AUCs with those of fresh rows, and of the truth on the same fresh rows."""
    own, local = large(rows, enough)
    members = _members(rows, X)
    scores = rows.unwrapper.decision_function(X)
    new = np.array([auc(scores[members[k]], y[members[k]]) for k in own])
    best = np.array([auc(truth[members[k]], y[members[k]]) for k in own])
    single = np.flatnonzero(rows.unwrapper.summary(global_metrics=False)["single_class"])
    shares = [y[members[k]].mean() for k in single if len(members[k]) >= 30]
    return {
        "large": float(len(own)),
        "correlation, training and fresh": _correlation(local, new),
        "correlation, network and truth, fresh": _correlation(new, best),
        "deviation, training": float(local.std(ddof=1)),
        "deviation, fresh": float(new.std(ddof=1)),
        "training minus fresh": float((local - new).mean()),
        "truth minus network, fresh": float((best - new).mean()),
        "one class in training, 30 fresh rows": float(len(shares)),
        "of these, 5 % of the other class": float(np.mean([0.05 < s < 0.95 for s in shares])),
    }


def below(
    rows: Trained,
    X: np.ndarray,
    y: np.ndarray,
    truth: np.ndarray,
    linear: LogisticRegression,
    enough: int,
) -> dict[str, float]:
    """Return the share of large regions whose local AUC is below the global one, with controls."""
    own, local = large(rows, enough)
    members, labels = _members(rows, X), rows.unwrapper.labels_
    ours = rows.unwrapper.summary()["global_auc"].to_numpy()[own]
    one = linear.decision_function(rows.X_train)
    by_one = np.array([auc(one[labels == k], rows.y_train[labels == k]) for k in own])
    best = np.array([auc(truth[members[k]], y[members[k]]) for k in own])
    return {
        "the region's own model": float((local < ours).mean()),
        "one logistic regression": float((by_one < auc(one, rows.y_train)).mean()),
        "the truth, fresh rows": float((best < auc(truth, y)).mean()),
    }


def held(
    rows: Trained, X: np.ndarray, y: np.ndarray, truth: np.ndarray, enough: int, seed: int
) -> dict[str, float]:
    """Return the share of large regions whose interval holds the AUC on fresh rows."""
    own, _ = large(rows, enough)
    members, labels = _members(rows, X), rows.unwrapper.labels_
    fresh_scores, scores = (rows.unwrapper.decision_function(Z) for Z in (X, rows.X_train))
    rng, found = np.random.default_rng(seed), []
    for k in own:
        value = auc(fresh_scores[members[k]], y[members[k]])
        mine = scores[labels == k], rows.y_train[labels == k]
        ends = bootstrap(*mine, rng), placement(*mine), score(*mine)
        found.append([(low <= value <= high, high - low) for low, high in ends])
    share, width = np.mean(found, axis=0).T.tolist()
    names = ("bootstrap", "placements", "score")
    parts = dict(zip(names, share, strict=True))
    parts |= {f"width, {name}": one for name, one in zip(names, width, strict=True)}
    return parts | {"score - bootstrap": parts["score"] - parts["bootstrap"]}


def large(rows: Trained, enough: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the regions with enough rows and both classes, and their local AUCs."""
    summary = rows.unwrapper.summary(global_metrics=False)
    own = np.flatnonzero((summary["count"] >= enough) & ~summary["single_class"])
    return own, summary["local_auc"].to_numpy()[own]


def _members(rows: Trained, X: np.ndarray) -> list[np.ndarray]:
    """Return the numbers of the rows of X in each region."""
    region = rows.unwrapper.apply(X)
    order = np.argsort(region, kind="stable")
    edges = np.searchsorted(region[order], np.arange(rows.unwrapper.n_regions_ + 1))
    return [order[low:high] for low, high in pairwise(edges)]


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1])


# One region


def wins(scores: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return which row of class 1 (down) has a higher score than which of class 0; ties: 1/2."""
    difference = scores[y == 1][:, None] - scores[y == 0]
    return (difference > 0) + (difference == 0) / 2


def auc(scores: np.ndarray, y: np.ndarray) -> float:
    """Return the AUC by ranks, which needs no array of pairs; NaN for one class."""
    n, n_positive = len(y), int(y.sum())
    if n_positive in (0, n):
        return float("nan")
    ranks = pd.Series(scores).rank().to_numpy()
    return float(
        (ranks[y == 1].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * (n - n_positive))
    )


def bootstrap(scores: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """Return the interval of rows drawn again with replacement."""
    drawn = rng.choice(len(y), size=(BOOTSTRAP, len(y)))
    values = [auc(scores[rows], y[rows]) for rows in drawn]
    low, high = np.nanquantile(values, [0.025, 0.975])
    return float(low), float(high)


def placement(scores: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return the interval of DeLong et al. (1988)."""
    table = wins(scores, y)
    parts = [table.mean(axis=1), table.mean(axis=0)]
    error = sum(p.var(ddof=1) / len(p) if len(p) > 1 else 0.25 for p in parts) ** 0.5
    return float(table.mean() - 1.96 * error), float(table.mean() + 1.96 * error)


def score(scores: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return the true values that the AUC does not contradict (Newcombe 2006, method 5)."""
    n1, n0 = int(y.sum()), int((1 - y).sum())
    true = np.linspace(0.0005, 0.9995, 1000)
    half = (n1 + n0) / 2 - 1
    shape = 1 + half * (1 - true) / (2 - true) + half * true / (1 + true)
    error = np.sqrt(true * (1 - true) * shape / (n1 * n0))
    kept = true[np.abs(wins(scores, y).mean() - true) <= 1.96 * error]
    return float(kept.min()), float(kept.max())
