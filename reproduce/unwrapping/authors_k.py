"""CoCircles merged with the authors' own way to choose K, from the README of their program."""

from __future__ import annotations

from typing import Any

import numpy as np
from replicates import Replicates
from results import spread
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from tqdm import tqdm

from unwrapping.examples import BY_NAME, train
from xai_course.unwrapping import UnwrapperClassifier

SEEDS = 20
GRID = (*range(1, 11), 15, 20)
SETTINGS = {
    "K": f"of {GRID}, by the AUC on a fifth of the training rows; regions and merges of the other "
    "four fifths, with the network of all training rows",
    "merge": "T = 1 % of the regions, rounded; small clusters: 30 rows or fewer; l2 with C = 1",
    "source": "https://github.com/SelfExplainML/Aletheia, README.md",
}
PRINTED = {
    "AUC": {"mean": 0.8720, "sd": 0.0288},
    "clusters": {"mean": 9.38, "sd": 2.9691},
    "network": {"mean": 0.9174, "sd": 0.0157},
}
MEASURED_BY = ("examples", "authors_k")


def table(replicates: Replicates) -> dict[str, Any]:
    """Measure Table 3's merged networks for CoCircles over seeds, printed numbers beside."""
    runs = [replicates.run(str(s), lambda s=s: measure(s)) for s in tqdm(range(SEEDS))]
    found = {key: [run[key] for run in runs] for key in runs[0]}
    summary = {key: spread(values) for key, values in found.items()}
    return {"settings": SETTINGS, "printed": PRINTED, "ours": summary, "runs": found}


def measure(seed: int) -> dict[str, float]:
    """Return the chosen K of one seed, what is left of it, and the test AUCs."""
    rows = train(BY_NAME["CoCircles"], seed)
    T = max(1, round(0.01 * rows.unwrapper.n_regions_))
    own, held = train_test_split(np.arange(len(rows.X_train)), test_size=0.2, random_state=seed)
    part = UnwrapperClassifier(rows.network).fit(rows.X_train[own], rows.y_train[own])
    X, y = rows.X_train[held], rows.y_train[held]
    merges = [part.merge(k, T, 30, "l2") for k in GRID]
    scores = [roc_auc_score(y, merge.decision_function(X)) for merge in merges]
    K = GRID[int(np.argmax(scores))]
    merged = rows.unwrapper.merge(K, T, 30, "l2")
    return {
        "K": float(K),
        "clusters": float(len(merged.counts_)),
        "AUC": round(rows.score(merged.decision_function(rows.X_test)), 6),
        "network": round(rows.score(rows.network.forward(rows.X_test)[:, 0]), 6),
    }
