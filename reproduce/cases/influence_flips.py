"""Planted wrong labels: which score finds them, against controls that need no influence."""

from __future__ import annotations

from typing import Any

import numpy as np
from results import difference, over_seeds
from scipy.special import expit
from sklearn.neighbors import NearestNeighbors
from sklearn.neural_network import MLPClassifier

from cases._small_nets import SmallNet
from cases.influence_networks import rows_of
from xai_course.data import load
from xai_course.influence import fit_head

SHARE, N_TABLES, N_GARMENTS, N_IMAGES = 0.1, 20, 10, 2000


def table() -> dict[str, Any]:
    """Return the share of planted labels among as many rows as were planted, over draws."""
    found: dict[str, Any] = {
        "settings": {"share of wrong labels": SHARE, "patients": N_TABLES, "garments": N_GARMENTS}
    }
    for name, one, n in (("patients", patients, N_TABLES), ("garments", garments, N_GARMENTS)):
        runs = [one(seed) for seed in range(n)]
        found[name] = over_seeds(runs)
        found[f"{name}, less the loss of the network"] = {
            score: difference([run[score] - run["loss of the network"] for run in runs])
            for score in runs[0]
            if score != "loss of the network"
        }
    return found


def planted(y: np.ndarray, n_classes: int, rng: np.random.Generator) -> np.ndarray:
    """Return labels of which a share is wrong."""
    wrong = y.copy()
    rows = rng.choice(len(y), round(SHARE * len(y)), replace=False)
    wrong[rows] = (y[rows] + rng.integers(1, n_classes, len(rows))) % n_classes
    return wrong


def judged(scores: dict[str, np.ndarray], is_wrong: np.ndarray, rng: Any) -> dict[str, float]:
    """Return for each score the share of wrong labels in as many rows from the top."""
    shuffled = rng.permutation(len(is_wrong))  # ties fall at random
    n = int(is_wrong.sum())
    return {
        name: float(is_wrong[shuffled[np.argsort(-s[shuffled], kind="stable")[:n]]].mean())
        for name, s in scores.items()
    }


def disagreement(Z: np.ndarray, y: np.ndarray, k: int = 10) -> np.ndarray:
    """Return the share of the nearest rows that have another label."""
    near = NearestNeighbors(n_neighbors=k + 1).fit(Z).kneighbors(Z, return_distance=False)[:, 1:]
    return (y[near] != y[:, None]).mean(axis=1)


def patients(seed: int) -> dict[str, float]:
    """Return one draw on breast cancer: split, planted labels, first weights."""
    rng = np.random.default_rng(seed)
    X, _, true = rows_of(seed)
    y = planted(true, 2, rng)
    net, everything = SmallNet((30, 5, 5, 1), 1.0), np.ones(len(X))
    start = net.start(seed)
    path = net.descend(start, X, y, everything)
    theta = path[-1]
    scores = {}
    residual = expit(net.logits(theta, X)) - y
    J = net.slopes(theta, X)
    whole = np.linalg.solve(net.gauss_newton(theta, X) + 10 * np.eye(J.shape[1]), J.T)
    scores["self-influence, whole network, damped"] = residual**2 * np.einsum("np,pn->n", J, whole)
    scores["self-influence, TracIn"] = sum(
        (expit(net.logits(t, X)) - y) ** 2 * (net.slopes(t, X) ** 2).sum(axis=1) for t in path
    )
    Z = net.hidden(theta, X)[-2]
    scores |= of_head(Z, y, 1.0)
    scores["loss of the network"] = np.abs(residual)
    scores["neighbours disagree, hidden"] = disagreement(Z, y)
    scores["neighbours disagree, inputs"] = disagreement(X, y)
    scores["chance"] = rng.random(len(y))
    return judged(scores, y != true, rng)


def of_head(Z: np.ndarray, y: np.ndarray, penalty: float) -> dict[str, np.ndarray]:
    """Return the scores that come from a head fitted to the minimum."""
    head = fit_head(Z, y, penalty)
    return {
        "self-influence, head": head.self_influence("influence"),
        "loss when left out, head": head.losses(Z, y) + head.self_influence(),
        "loss of the head": head.losses(Z, y),
    }


def garments(seed: int) -> dict[str, float]:
    """Return one draw on garments; the network learns from the wrong labels, too."""
    rng = np.random.default_rng(seed)
    X, _, true, _ = load("fashion_mnist").split()
    rows = rng.choice(len(X), N_IMAGES, replace=False)
    X, true = X[rows], true[rows]
    y = planted(true, 10, rng)
    mlp = MLPClassifier((64,), early_stopping=True, max_iter=60, random_state=seed).fit(X, y)
    Z = np.maximum(0, X @ mlp.coefs_[0] + mlp.intercepts_[0])
    scores = of_head(Z, y, 10.0)
    scores["loss of the network"] = -mlp.predict_log_proba(X)[np.arange(len(y)), y]
    scores["neighbours disagree, hidden"] = disagreement(Z, y)
    scores["neighbours disagree, inputs"] = disagreement(X, y)
    scores["chance"] = rng.random(len(y))
    return judged(scores, y != true, rng)
