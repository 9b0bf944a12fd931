"""Joint importance beside a known truth, over draws of the book's home loans and trainings."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
from replicates import Replicates
from results import difference, spread
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from unwrapping.lending_draws import DRAWS, KINDS, draw, logistic, train
from xai_course import data

REPEATS = 5
# The sign that the truth gives these predictors everywhere.
SIGNS = {"fico0": -1, "ltv_fcast": 1, "dlq_new_delq0": -1, "orig_cltv": 1}
SHOWN = ("fico0", "orig_fico", "ltv_fcast", "orig_cltv", "dlq_new_delq0", "premod_ind")
SETTINGS = {
    "draws": "10,000 loans each, 8,000 for training; seeds 100 to 119 of the generator",
    "network": "5 + 5 neurons, 2,000 epochs at most, patience 100 on 20 % of the rows; seeds 0 to "
    "19, one a draw",
    "shares": "of 21 standardised predictors; slopes: joint importance, for the regression its "
    "squared coefficients; shuffled: half the mean squared change of the output when one column "
    "is shuffled, 5 times, on the training rows",
    "gaps": "half the sum of absolute differences between the shares",
    "differences": "mean over draws of network minus regression, and its standard error",
    "truths": "quality: data.home_lending, which suits a regression, since score and ratio enter "
    "in the same proportion in every segment; economy: the same loans, segments cut by the "
    "economy, another proportion in each",
}
MEASURED_BY = ("lending_draws", "importance")


def table(replicates: Replicates) -> dict[str, Any]:
    """Measure every draw of both truths."""
    runs: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
    for number, kind in tqdm(list(product(range(DRAWS), KINDS)), desc="draws"):
        key = f"{kind} {number}"
        runs[kind].append(replicates.run(key, lambda k=kind, n=number: measure(k, n)))
    return {"settings": SETTINGS, "truths": {kind: row(found) for kind, found in runs.items()}}


def row(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return spreads over the draws of one truth, and pairwise differences with their errors."""
    parts = ("auc", "gap", "wrong sign", "intercept", "shares", "ranks", "slopes and shuffled")
    return {
        "over_draws": {part: _spreads([run[part] for run in runs]) for part in parts},
        "network minus regression": {
            part: paired([run[part]["network"] - run[part]["regression"] for run in runs])
            for part in ("auc", "gap")
        },
    }


def _spreads(runs: list[Any]) -> Any:
    if not isinstance(runs[0], dict):
        return spread(runs)
    return {key: _spreads([run[key] for run in runs]) for key in runs[0]}


def paired(values: list[float]) -> dict[str, float]:
    """Return the mean of pairwise differences, its standard error, and how many are negative."""
    return difference(values) | {"below": sum(value < 0 for value in values)}


def measure(kind: str, number: int) -> dict[str, Any]:
    """Draw loans, fit a network and a regression, and compare both with the truth."""
    X, X_test, y, y_test, truth, _ = draw(kind, 100 + number)
    names = data.home_lending(1).feature_names
    scaler = StandardScaler().fit(X)
    Z, Z_test = scaler.transform(X), scaler.transform(X_test)
    unwrapper, line = train(Z, y, number), logistic(Z, y)
    beta = truth.coefficients
    if kind == "quality":
        beta = beta[names].to_numpy()
    true_slopes = (beta * scaler.scale_)[truth.segment(X)]
    joint = unwrapper.joint_importance().to_numpy()
    shares = {
        "network": share(joint[1:]),
        "network shuffled": shuffled(unwrapper.decision_function, Z, number),
        "regression": share(line.coef_[0] ** 2),
        "truth": share((true_slopes**2).mean(axis=0)),
        "truth shuffled": shuffled(truth.log_odds, X, number),
    }
    slopes = unwrapper.coef_[unwrapper.labels_, 0]
    answers = {
        "network": unwrapper.decision_function(Z_test),
        "regression": line.decision_function(Z_test),
        "truth": truth.log_odds(X_test),
    }
    ranks = {who: np.argsort(np.argsort(-values)) + 1 for who, values in shares.items()}
    return {
        "auc": {who: float(roc_auc_score(y_test, out)) for who, out in answers.items()},
        "gap": {who: gap(values, shares["truth shuffled"]) for who, values in shares.items()},
        "slopes and shuffled": {
            who: gap(shares[who], shares[f"{who} shuffled"]) for who in ("network", "truth")
        },
        "wrong sign": {
            name: float(np.mean(slopes[:, names.index(name)] * sign < 0))
            for name, sign in SIGNS.items()
        },
        "intercept": intercepts(unwrapper, joint[0]),
        "shares": {
            who: {name: float(values[names.index(name)]) for name in SHOWN}
            for who, values in shares.items()
        },
        "ranks": {
            who: {name: int(values[names.index(name)]) for name in SHOWN}
            for who, values in ranks.items()
        },
    }


def intercepts(unwrapper: Any, joint: float) -> dict[str, float]:
    """Compare the intercepts of the rows' models with the network's answer at zero."""
    zero = np.zeros((1, unwrapper.n_features_in_))
    own = unwrapper.intercept_[unwrapper.labels_, 0]
    return {
        "joint importance": float(joint),
        "network at zero": float(unwrapper.decision_function(zero)[0]),
        "root mean square": float(np.mean(own**2) ** 0.5),
        "rows of the region of zero": float(np.mean(unwrapper.labels_ == unwrapper.apply(zero)[0])),
    }


def shuffled(function: Callable[[np.ndarray], np.ndarray], X: np.ndarray, seed: int) -> np.ndarray:
    """Return each feature's share of half the mean squared change when its column is shuffled."""
    rng, before, effect = np.random.default_rng(seed), function(X), []
    for j in range(X.shape[1]):
        other, change = X.copy(), 0.0
        for _ in range(REPEATS):
            other[:, j] = rng.permutation(X[:, j])
            change += np.mean((function(other) - before) ** 2) / 2
        effect.append(change)
    return share(np.array(effect))


def share(values: np.ndarray) -> np.ndarray:
    """Return values scaled to add up to one."""
    return values / values.sum()


def gap(first: np.ndarray, second: np.ndarray) -> float:
    """Return half the sum of absolute differences: 0 for equal shares, 1 for none in common."""
    return float(np.abs(first - second).sum() / 2)
