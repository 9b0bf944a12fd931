"""Table 3: network, merged, flattened and random start of the same size, with controls."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from replicates import Replicates
from results import spread
from tqdm import tqdm

from unwrapping import simplify
from unwrapping.examples import BY_NAME

PRINTED_REPLICATES = 100
PRINTED = {
    "ChirpWave": {
        "network": (0.0486, 0.0356),
        "merged": (0.0721, 0.0540),
        "flattened": (0.0839, 0.0323),
        "slfn": (0.3351, 0.1021),
        "n_clusters": (10.28, 2.4498),
    },
    "CoCircles": {
        "network": (0.9174, 0.0157),
        "merged": (0.8720, 0.0288),
        "flattened": (0.8845, 0.0296),
        "slfn": (0.8280, 0.1387),
        "n_clusters": (9.38, 2.9691),
    },
    "BostonHouse": {
        "network": (0.0074, 0.0027),
        "merged": (0.0079, 0.0021),
        "flattened": (0.0087, 0.0031),
        "slfn": (0.0132, 0.0087),
        "n_clusters": (3.95, 1.2913),
    },
    "FicoHeloc": {
        "network": (0.8002, 0.0091),
        "merged": (0.8050, 0.0088),
        "flattened": (0.7962, 0.0107),
        "slfn": (0.7545, 0.1102),
        "n_clusters": (1.55, 1.0897),
    },
}
COLUMNS = ("network", "merged", "flattened", "slfn", "n_clusters")
CONTROLS = ("linear", "quadratic", "kmeans_glm", "slfn_restarts")
AGREES = "agrees within two standard errors"
NEAR = "by less than the printed standard deviation"
FAR = "by more than the printed standard deviation"
PAIRS = (
    ("merged", "network"),
    ("merged", "linear"),
    ("merged", "quadratic"),
    ("merged", "kmeans_glm"),
    ("flattened", "slfn"),
    ("flattened", "slfn_restarts"),
    ("flattened_long", "slfn_restarts"),
    ("merged", "flattened"),
)
# The quick ones first.
ORDER = ("BostonHouse", "CoCircles", "FicoHeloc", "ChirpWave")
SETTINGS = {
    "merge": "K of 1 to 10, 15, 20 by the held-out loss of 5 folds of the training rows; "
    "T = 1 % of the regions, raised until they connect; small clusters: 30 rows or fewer",
    "merged": "ChirpWave, CoCircles: merged_free; BostonHouse, FicoHeloc: merged_l2",
    "merged_free, merged_l2": "without a penalty, and l2 with C = 1; each with its own K",
    "merged_tuned": f"BostonHouse only: l2, C of {simplify.STRENGTHS} by the same held-out loss",
    "flattened, slfn": f"Adam, rate 0.001, batches of 64, {simplify.SHORT} epochs at most, "
    "patience 20 on 20 % of the training rows, the best epoch kept; slfn: one random start",
    "flattened_long": f"as flattened, {simplify.LONG} epochs at most",
    "slfn_restarts": f"as slfn, the best of {simplify.RESTARTS} random starts by validation loss, "
    f"{simplify.LONG} epochs at most",
    "n_hidden": "flattened and slfn have as many hidden neurons as merged has clusters",
    "linear": "one linear or logistic model; the latter with scikit-learn's C = 1",
    "quadratic": "one GLM on standardised squares and products, ridge by cross-validation",
    "kmeans_glm": "K-means on the predictors with the K and the penalty of merged, a GLM in each",
    "seeds": "a replicate's number is the seed of its data, split, network and everything else",
}
MEASURED_BY = ("examples", "controls", "simplify")


def table(replicates: Replicates) -> dict[str, Any]:
    """Measure Table 3: printed, ours over replicates, controls, verdict."""
    rows: dict[str, Any] = {}
    for name in ORDER:
        example, printed = BY_NAME[name], PRINTED[name]
        try:
            example.rows(0)
        except OSError as error:
            rows[name] = {"printed": _printed(printed), "not_run": str(error).split("\n")[0]}
            continue
        runs = [
            replicates.run(f"{name} {seed}", lambda e=example, s=seed: simplify.replicate(e, s))
            for seed in tqdm(range(example.seeds), desc=name)
        ]
        rows[name] = row(example.metric, printed, runs)
    return {"settings": SETTINGS, "rows": {name: rows[name] for name in PRINTED}}


def row(
    metric: str, printed: dict[str, tuple[float, float]], runs: list[dict[str, float]]
) -> dict[str, Any]:
    """Return one data set's row of the table from its replicates."""
    over = {key: [run[key] for run in runs] for key in runs[0]}
    summary = {key: spread(values) for key, values in over.items()}
    pairs = {f"{a} - {b}": paired(over[a], over[b], metric) for a, b in PAIRS}
    others = [key for key in summary if key not in COLUMNS + CONTROLS]
    return {
        "metric": metric,
        "replicates": len(runs),
        "printed": _printed(printed),
        "ours": {key: summary[key] for key in COLUMNS},
        "controls": {key: summary[key] for key in CONTROLS},
        "variants": {key: summary[key] for key in others},
        "pairs": pairs,
        "columns": {key: compare(printed[key], summary[key]) for key in COLUMNS},
        "verdict": verdict(metric, printed, summary, pairs),
        "runs": {key: [round(value, 6) for value in values] for key, values in over.items()},
    }


def _printed(printed: dict[str, tuple[float, float]]) -> dict[str, dict[str, float]]:
    return {key: {"mean": mean, "sd": sd} for key, (mean, sd) in printed.items()}


def paired(a: list[float], b: list[float], metric: str) -> dict[str, Any]:
    """Return the differences of two models on the same replicates, and how often a is better."""
    difference = np.subtract(a, b)
    gain = difference if metric == "AUC" else -difference
    return spread(list(difference)) | {
        "better": int((gain > 0).sum()),
        "equal": int((gain == 0).sum()),
    }


def compare(printed: tuple[float, float], ours: dict[str, Any]) -> str:
    """Say how our mean compares with a printed mean, given both spreads."""
    mean, sd = printed
    gap = abs(ours["mean"] - mean)
    error = math.sqrt(sd**2 / PRINTED_REPLICATES + (ours["sd"] or 0) ** 2 / ours["n"])
    if gap <= 2 * error:
        return AGREES
    side = "higher" if ours["mean"] > mean else "lower"
    if gap <= sd:
        return f"{side} than printed, {NEAR}"
    return f"{side} than printed, {FAR}"


def verdict(
    metric: str,
    printed: dict[str, tuple[float, float]],
    summary: dict[str, dict[str, Any]],
    pairs: dict[str, dict[str, Any]],
) -> str:
    """Say in words which columns come out, and what is left of the paper's conclusions."""
    wins = {name: f"{pair['better']} of {pair['n']}" for name, pair in pairs.items()}
    merged = (
        f"merged has a better {metric} than the network in {wins['merged - network']} replicates, "
        f"than K-means with as many clusters in {wins['merged - kmeans_glm']}, than one quadratic "
        f"model in {wins['merged - quadratic']}, than one linear model in "
        f"{wins['merged - linear']}"
    )
    flattened = (
        f"flattened is better than one random start in {wins['flattened - slfn']}, than the best "
        f"of {simplify.RESTARTS} long ones in {wins['flattened - slfn_restarts']} (when trained "
        f"as long itself: {wins['flattened_long - slfn_restarts']})"
    )
    return "; ".join([*_against_printed(printed, summary), merged, flattened])


def _against_printed(
    printed: dict[str, tuple[float, float]], summary: dict[str, dict[str, Any]]
) -> list[str]:
    words = {key: compare(printed[key], summary[key]) for key in COLUMNS}
    kinds = {
        "agree with the printed means": AGREES,
        "differ by less than the printed standard deviation": NEAR,
        "not reproduced": FAR,
    }
    parts = []
    for text, ending in kinds.items():
        keys = [key for key in COLUMNS if words[key].endswith(ending)]
        if keys:
            parts.append(f"{text}: {', '.join(keys)}")
    merges = [key for key in summary if key.startswith("merged_")]
    found = [key for key in merges if compare(printed["merged"], summary[key]) == AGREES]
    parts.append(
        f"of {', '.join(merges)}, those that agree with the printed merged: "
        f"{', '.join(found) or 'none'}"
    )
    return parts
