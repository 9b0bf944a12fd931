"""Measure the same work with aletheia-dnn, the method's authors' package.

The benchmark runs this with the Python that `XAI_PEER_PYTHON` names, on the same file of data.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from _probe import WARM_UP_ROWS, layers, load, measure, memory, report


def unwrap(data: dict[str, np.ndarray], action: str, kind: str) -> dict[str, Any]:
    """Measure `fit`, or a step that follows it; fitting is then not timed."""
    import aletheia

    name = {"regression": "Regressor", "classification": "Classifier"}[kind]
    weights, biases = layers(data)
    network = {"weights": [w.T for w in weights], "biases": biases}
    make = getattr(aletheia, f"Unwrapper{name}")
    before = memory(peak=False)
    X, y = data["X"], data[f"y_{kind}"].reshape(-1, 1)
    # A first step on few rows loads what is loaded late.
    few = X[:WARM_UP_ROWS], y[:WARM_UP_ROWS]
    small, unwrapper = make(**network), make(**network)
    small.fit(*few)
    if action == "fit":
        _, figures = measure(lambda: unwrapper.fit(X, y), before)
        return figures | {"regions": unwrapper.nllms}
    unwrapper.fit(X, y)
    if action == "summary":
        small.summary()
        _, figures = measure(unwrapper.summary, before)
        return figures | {"regions": unwrapper.nllms}
    make_merger = getattr(aletheia, f"Merger{name}")
    merger_of(small, make_merger, action).fit(*few)
    merger = merger_of(unwrapper, make_merger, action)
    _, figures = measure(lambda: merger.fit(X, y), before)
    return figures | {"regions": unwrapper.nllms, "held_out": score(merger, data, kind)}


def merger_of(unwrapper: Any, make_merger: Any, action: str) -> Any:
    """Return the peer's merger; 5 neighbours are its default."""
    neighbors = {"merge": 5, "merge at 1 %": max(1, unwrapper.nllms // 100)}[action]
    return make_merger(unwrapper=unwrapper, n_neighbors=neighbors, n_clusters=10, min_samples=30)


def score(merged: Any, data: dict[str, np.ndarray], kind: str) -> float:
    """Return the merged model's mean squared error or AUC on rows that nothing was fitted to."""
    from sklearn.metrics import mean_squared_error, roc_auc_score

    X, y = data["X_held_out"], data[f"y_held_out_{kind}"]
    if kind == "regression":
        return float(mean_squared_error(y, np.ravel(merged.predict(X))))
    return float(roc_auc_score(y, merged.predict_proba(X)[:, 1]))


if __name__ == "__main__":
    path, action, kind = sys.argv[1:]
    report(unwrap(load(path), action, kind))
