"""One replicate of Table 3: a network simplified in every way, and the controls."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from unwrapping import controls
from unwrapping.examples import Example, Trained, train
from xai_course.unwrapping import SeparationWarning
from xai_course.unwrapping.flattening import single_hidden_layer

# Section 5.1: a GLM for the two simulated sets, a penalised one for the others. The paper does not
# give its strength; C = 1 is what its Table 2 turns out to hold.
PENALTY = {"ChirpWave": None, "CoCircles": None, "BostonHouse": "l2", "FicoHeloc": "l2"}
# Only Boston's merge depends much on the strength.
TUNED = ("BostonHouse",)
STRENGTHS = (0.1, 1.0, 10.0, 100.0)
SHORT, LONG = 200, 1000
RESTARTS = 3


def replicate(example: Example, seed: int) -> dict[str, float]:
    """Return one replicate of an example."""
    rows = train(example, seed)
    return measure(rows, PENALTY[example.name], seed, tune=example.name in TUNED)


def measure(rows: Trained, penalty: str | None, seed: int, tune: bool = False) -> dict[str, float]:
    """Return the test score of every model, and numbers of clusters.

    Parameters
    ----------
    rows : Trained
    penalty : {None, "l2"}
        Of the merge that is flattened and compared with K-means.
    seed : int
    tune : bool
        Whether to merge with other strengths of the penalty, too.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SeparationWarning)
        merges = {"free": _merge(rows, None), "l2": _merge(rows, "l2")}
        if tune:
            merges["tuned"] = _tuned(rows, merges["l2"])
    merged = merges["l2" if penalty else "free"]
    n_clusters = len(merged.counts_)
    flat = merged.flatten(epochs=SHORT, seed=seed)
    stopped = len(flat.log["train_loss"]) <= SHORT  # more epochs would change nothing
    models = {
        "network": rows.unwrapper,
        "merged": merged,
        "flattened": flat,
        "flattened_long": flat if stopped else merged.flatten(epochs=LONG, seed=seed),
        "slfn": _random_start(rows, n_clusters, 1, SHORT, seed),
        "slfn_restarts": _random_start(rows, n_clusters, RESTARTS, LONG, seed),
        **{f"merged_{name}": merge for name, merge in merges.items()},
    }
    outputs = {name: _outputs(model, rows) for name, model in models.items()}
    outputs["linear"] = controls.linear(rows)
    outputs["quadratic"] = controls.quadratic(rows)
    outputs["kmeans_glm"] = controls.kmeans_glm(rows, n_clusters, penalty, 1.0, seed)
    numbers = {name: rows.score(output) for name, output in outputs.items()}
    numbers |= {f"n_clusters_{name}": float(len(m.counts_)) for name, m in merges.items()}
    if tune:
        numbers["C_tuned"] = float(merges["tuned"].C)
    return numbers | {"n_clusters": float(n_clusters)}


def _random_start(rows: Trained, n_hidden: int, restarts: int, epochs: int, seed: int) -> Any:
    task = "classification" if rows.classification else "regression"
    return single_hidden_layer(
        rows.X_train, rows.y_train, n_hidden, restarts, task=task, epochs=epochs, seed=seed
    )


def _merge(rows: Trained, penalty: str | None, C: float = 1.0) -> Any:
    return rows.unwrapper.merge(n_neighbors=0.01, penalty=penalty, C=C)


def _tuned(rows: Trained, with_one: Any) -> Any:
    """Return the merge whose penalty has the least held-out loss."""
    merges = [with_one if C == 1 else _merge(rows, "l2", C) for C in STRENGTHS]
    return min(merges, key=lambda merge: merge.scores_["mean"].min())


def _outputs(model: Any, rows: Trained) -> np.ndarray:
    return (model.decision_function if rows.classification else model.predict)(rows.X_test)
