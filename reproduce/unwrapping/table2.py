"""Table 2: tests of the two largest merged regions of CoCircles, as published and as they are."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from replicates import Replicates
from results import data_hash, spread
from tqdm import tqdm

from unwrapping.examples import BY_NAME, Trained, train
from xai_course.unwrapping import MergedClassifier, PostSelectionWarning

PRINTED = {
    "Region 1": {
        "coef": [5.3201, 4.3638, 4.1135],
        "std_err": [0.9076, 0.7963, 0.8906],
        "z": [5.8616, 5.4802, 4.6188],
        "p_value": [0.0, 0.0, 0.0],
    },
    "Region 2": {
        "coef": [5.5461, 4.4345, -3.4950],
        "std_err": [0.8524, 0.9225, 0.9619],
        "z": [6.5064, 4.8069, -3.6335],
        "p_value": [0.0, 0.0, 0.0003],
    },
}
TERMS = ["intercept", "x1", "x2"]
TOLERANCE = 2e-4
SEEDS = 20
SETTINGS = {
    "merge": "K = 10, T = 5 (1 % of 530 regions), small clusters: 30 rows or fewer",
    "published_way": "coefficients of scikit-learn's ridge penalty C = 1; standard errors of the "
    "formula for the unpenalised fit, evaluated at them",
    "maximum_likelihood": "the unpenalised fit with its own standard errors",
    "honest": "the unpenalised fit on test rows, which chose nothing",
    "seeds": "data, split and network; 0 is the paper's network",
}
MEASURED_BY = ("examples", "table2")


def table(replicates: Replicates) -> dict[str, Any]:
    """Measure Table 2 both ways with seed 0, and over seeds how far the ways are apart."""
    example = BY_NAME["CoCircles"]
    runs = [
        replicates.run(f"seed {seed}", lambda s=seed: measure(train(example, s)))
        for seed in tqdm(range(SEEDS), desc="CoCircles")
    ]
    rows = {}
    for k, (region, printed) in enumerate(PRINTED.items()):
        tested = [run["regions"][k] for run in runs if run["regions"][k].get("maximum_likelihood")]
        ours = runs[0]["regions"][k]
        rows[region] = {
            "printed": printed,
            "ours": {key: ours[key] for key in ("published_way", "maximum_likelihood")},
            "controls": {
                "score_at_printed": ours["score_at_printed"],
                "honest": ours["honest"],
                "over_seeds": {
                    "likelihood_over_ridge": spread([ratio(run, "coef") for run in tested]),
                    "std_err_ratio": spread([ratio(run, "std_err") for run in tested]),
                    "outside_ridge_interval": spread([float(outside(run)) for run in tested]),
                    "not_tested": len(runs) - len(tested),
                },
            },
            "n_rows": ours["n_rows"],
            "verdict": verdict(printed, ours),
        }
    return {
        "settings": SETTINGS,
        "terms": TERMS,
        "counts": runs[0]["counts"],
        "data_sha256": data_hash(*example.rows(0)),
        "rows": rows,
    }


def measure(rows: Trained) -> dict[str, Any]:
    """Return the tests of the two largest merged regions."""
    merged = rows.unwrapper.merge(10, n_neighbors=5, min_samples=30, penalty="l2")
    return {
        "counts": merged.counts_.tolist(),
        "regions": [_region(merged, rows, k) for k in range(2)],
    }


def _region(merged: MergedClassifier, rows: Trained, k: int) -> dict[str, Any]:
    own = merged.labels_ == k
    design = np.column_stack([np.ones(own.sum()), rows.X_train[own]])
    ridge = np.append(merged.intercept_[k], merged.coef_[k, 0])
    std_err = np.sqrt(np.diag(np.linalg.inv(information(design, ridge))))
    printed = np.array(list(PRINTED.values())[k]["coef"])
    return {
        "n_rows": int(own.sum()),
        "published_way": _columns(ridge, std_err),
        "maximum_likelihood": _test(merged, k),
        "honest": _test(merged, k, rows.X_test, rows.y_test),
        "score_at_printed": _round(design.T @ (rows.y_train[own] - expit(design @ printed))),
    }


def expit(logits: np.ndarray) -> np.ndarray:
    """Return probabilities."""
    return 1 / (1 + np.exp(-logits))


def information(design: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """Return the Fisher information of a logistic model, the paper's inverse covariance."""
    p = expit(design @ beta)
    return design.T @ ((p * (1 - p))[:, None] * design)


def _test(merged: MergedClassifier, k: int, *fresh: np.ndarray) -> dict[str, Any] | None:
    """Return the library's test; None where it refuses one, as for separated classes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PostSelectionWarning)
        try:
            test = merged.inference(k, *fresh) if fresh else merged.inference_naive(k)
        except ValueError:
            return None
    columns = _columns(test["coef"].to_numpy(), test["std_err"].to_numpy())
    return columns | {"p_value": _round(test["p_value"], 6), "n_rows": test.attrs["n_rows"]}


def _columns(coef: np.ndarray, std_err: np.ndarray) -> dict[str, list[float]]:
    return {
        "coef": _round(coef),
        "std_err": _round(std_err),
        "z": _round(coef / std_err),
    }


def ratio(region: dict[str, Any], column: str) -> float:
    """Return how many times larger the likelihood's column is, the median over the terms."""
    likelihood, ridge = region["maximum_likelihood"][column], region["published_way"][column]
    return float(np.median(np.abs(np.divide(likelihood, ridge))))


def outside(region: dict[str, Any]) -> int:
    """Return how many estimates lie outside the 95 % intervals that the published way gives."""
    ridge = region["published_way"]
    distance = np.abs(np.subtract(region["maximum_likelihood"]["coef"], ridge["coef"]))
    return int((distance > 1.96 * np.array(ridge["std_err"])).sum())


def verdict(printed: dict[str, list[float]], ours: dict[str, Any]) -> str:
    """Say in words whether the printed table comes out, and by which way."""
    parts = []
    for way, name in (
        ("published_way", "ridge coefficients with unpenalised standard errors"),
        ("maximum_likelihood", "maximum likelihood"),
    ):
        test = ours[way]
        if test is None:
            parts.append(f"{name}: not defined")
            continue
        gap = max(np.abs(np.subtract(test[key], printed[key])).max() for key in ("coef", "std_err"))
        same = "the printed numbers" if gap <= TOLERANCE else "not the printed numbers"
        parts.append(f"{name}: {same} (largest difference {gap:.4f})")
    if ours["maximum_likelihood"]:
        parts.append(
            f"{outside(ours)} of 3 maximum-likelihood estimates lie outside the intervals that the "
            "published way gives"
        )
    return "; ".join(parts)


def _round(values: Any, digits: int = 4) -> list[float]:
    return [round(float(value), digits) for value in values]
