"""Measure one piece of work of `xai_course.unwrapping`, or of the floor; see unwrapping.py."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from _probe import WARM_UP_ROWS, layers, load, measure, memory, report

# Rows at a time in the floor.
FLOOR_BLOCK = 1_000


def floor(data: dict[str, np.ndarray]) -> dict[str, Any]:
    """Measure a plain NumPy forward pass that also reads the patterns.

    In blocks of rows that stay in the processor's cache: on all rows at once it takes twice as
    long or more, and a floor that is too slow would flatter everything above it.
    """
    weights, biases = layers(data)

    def forward(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        output = np.empty((len(X), len(biases[-1])))
        patterns = np.empty((len(X), sum(map(len, biases[:-1]))), dtype=bool)
        for start in range(0, len(X), FLOOR_BLOCK):
            rows = slice(start, start + FLOOR_BLOCK)
            signal, on = X[rows], []
            for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
                z = signal @ weight.T + bias
                on.append(z >= 0)
                signal = np.maximum(z, 0)
            output[rows] = signal @ weights[-1].T + biases[-1]
            patterns[rows] = np.concatenate(on, axis=1)
        return output, patterns

    before = memory(peak=False)
    forward(data["X"][:WARM_UP_ROWS])
    return measure(lambda: forward(data["X"]), before)[1]


def unwrap(data: dict[str, np.ndarray], action: str, kind: str) -> dict[str, Any]:
    """Measure `fit`, or a step that follows it; fitting is then not timed."""
    from xai_course.networks import PiecewiseLinearNetwork
    from xai_course.unwrapping import UnwrapperClassifier, UnwrapperRegressor

    make = {"regression": UnwrapperRegressor, "classification": UnwrapperClassifier}[kind]
    before = memory(peak=False)
    X, y = data["X"], data[f"y_{kind}"]
    network = PiecewiseLinearNetwork(*layers(data))
    # A first step on few rows loads what is loaded late.
    small, unwrapper = make(network).fit(X[:WARM_UP_ROWS], y[:WARM_UP_ROWS]), make(network)
    if action == "fit":
        _, figures = measure(lambda: unwrapper.fit(X, y), before)
        return figures | {"regions": unwrapper.n_regions_}
    if action.startswith("merge") and not hasattr(unwrapper, "merge"):
        return {"missing": "merge is not there yet"}
    unwrapper.fit(X, y)
    if action in ("flatten", "bootstrap"):  # of a merged model, whose making is not timed
        small, unwrapper = (one.merge(n_clusters=10) for one in (small, unwrapper))
    step(small, action)
    result, figures = measure(lambda: step(unwrapper, action), before)
    if action == "bootstrap":
        return figures
    if action == "flatten":
        return figures | {"held_out": score(result, data, kind)}
    figures["regions"] = unwrapper.n_regions_
    if action.startswith("merge"):
        figures["held_out"] = score(result, data, kind)
    return figures


def step(unwrapper: Any, action: str) -> Any:
    """Take the step that is measured."""
    if action == "summary":
        return unwrapper.summary()
    if action == "summary of the largest":
        return unwrapper.summary(n_regions=1000)
    if action == "merge":
        return unwrapper.merge(n_clusters=10)
    if action == "merge at 1 %":
        return unwrapper.merge(n_clusters=10, n_neighbors=max(1, unwrapper.n_regions_ // 100))
    if action == "flatten":
        return unwrapper.flatten()
    if action == "bootstrap":
        return unwrapper.bootstrap(0, n_boot=100, progress=False)
    raise ValueError(f"There is no action {action!r}.")


def score(merged: Any, data: dict[str, np.ndarray], kind: str) -> float:
    """Return the merged model's mean squared error or AUC on rows that nothing was fitted to."""
    from sklearn.metrics import mean_squared_error, roc_auc_score

    X, y = data["X_held_out"], data[f"y_held_out_{kind}"]
    if kind == "regression":
        return float(mean_squared_error(y, merged.predict(X)))
    return float(roc_auc_score(y, merged.predict_proba(X)[:, 1]))


if __name__ == "__main__":
    path, action, kind = sys.argv[1:]
    arrays = load(path)
    report(floor(arrays) if action == "floor" else unwrap(arrays, action, kind))
