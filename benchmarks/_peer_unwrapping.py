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
    if action in ("flatten", "bootstrap"):  # of a merged model, whose making is not timed
        merger.fit(X, y)
        result, figures = measure(lambda: step(merger, action, X, y), before)
        held_out = {"held_out": score(result, data, kind)} if action == "flatten" else {}
        return figures | held_out
    _, figures = measure(lambda: merger.fit(X, y), before)
    return figures | {"regions": unwrapper.nllms, "held_out": score(merger, data, kind)}


def merger_of(unwrapper: Any, make_merger: Any, action: str) -> Any:
    """Return the peer's merger; 5 neighbours are its default."""
    neighbors = max(1, unwrapper.nllms // 100) if action == "merge at 1 %" else 5
    return make_merger(unwrapper=unwrapper, n_neighbors=neighbors, n_clusters=10, min_samples=30)


def step(merger: Any, action: str, X: np.ndarray, y: np.ndarray) -> Any:
    """Flatten with the peer's defaults, or bootstrap a cluster 100 times, which also draws it."""
    if action == "flatten":
        flat = merger.flatten()
        flat.fit(X, y)
        return flat
    import matplotlib

    matplotlib.use("agg")
    return merger.local_inference_bootstrap(0, n_boost=100)


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
