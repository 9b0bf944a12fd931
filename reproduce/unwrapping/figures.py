"""What the book draws of HELOC's figures: aggregates, because the rows have no open licence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from replicates import Replicates
from results import data_hash
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from unwrapping.examples import BY_NAME, Trained, heloc_table, train

SEED = 0
TOP_REGIONS = 10
TOP_MODELS = 30
BINS = 10
# Regions below this many rows are only counted, by direction.
FEW_ROWS = 5
DIRECTIONS = 72
SMALL_CLUSTER = 30
MEASURED_BY = ("examples", "figures")

PRINTED = {
    "figure 7": "no numbers in the text; the profile shows the top 10 regions",
    "figure 9": "x15, x4, x6, x18 and x27 are said to be important",
    "figure 12": {"regions": 7423, "degenerate": 0.982},
    "figure 13": {
        "good locally and globally": [3, 2, 9],
        "poor locally, good globally": [0, 1, 4, 5, 6, 8],
    },
    "figure 17": {"n_clusters": 1},
}


def table(replicates: Replicates) -> dict[str, Any]:
    """Measure HELOC's panels of Figures 7, 9, 12, 13 and 17 with seed 0."""
    try:
        names = list(heloc_table()[0].columns)
    except OSError as error:
        return {"not_run": str(error).split("\n")[0], "printed": PRINTED}
    return replicates.run("heloc", lambda: _measure(names))


def _measure(names: list[str]) -> dict[str, Any]:
    rows = train(BY_NAME["FicoHeloc"], SEED)
    parts = {
        "figure 7": importance_and_profile(rows, names),
        "figure 9": coefficients(rows, names),
        "figure 12": directions(rows),
        "figure 13": extrapolation(rows),
        "figure 17": merged_coefficients(rows, names),
    }
    return {
        "seed": SEED,
        "features": names,
        "test_auc": round(rows.score(rows.unwrapper.decision_function(rows.X_test)), 4),
        "n_train": len(rows.X_train),
        "data_sha256": data_hash(*BY_NAME["FicoHeloc"].rows(SEED)),
        "preparation": BY_NAME["FicoHeloc"].preparation,
        "figures": {key: {"printed": PRINTED[key], **part} for key, part in parts.items()},
    }


def degenerate(rows: Trained) -> np.ndarray:
    """Return which regions hold a single row or a single class."""
    summary = rows.unwrapper.summary(global_metrics=False)
    return summary.filter(like="single_").any(axis=1).to_numpy()


def importance_and_profile(rows: Trained, names: list[str]) -> dict[str, Any]:
    """Return the joint importances, and lines and bins of the top feature in the top regions."""
    unwrapper = rows.unwrapper
    shares = unwrapper.joint_importance()
    shares.index = ["intercept", *names]
    shares = shares.sort_values(ascending=False)
    top = shares.drop("intercept").index[0]
    j = names.index(top)
    edges = np.linspace(0, 1, BINS + 1)
    lines = unwrapper.local_linear_profile(j, TOP_REGIONS)
    regions = []
    for region, line in lines.iterrows():
        values = rows.X_train[unwrapper.labels_ == region, j]
        bins = np.histogram(values, edges)[0]
        held = np.flatnonzero(bins)
        regions.append(
            {
                "count": int(line["count"]),
                "slope": _round(line["slope"]),
                "center": _round(line["center"]),
                # The edges of the bins that hold rows, not the rows' own range.
                "low": _round(edges[held[0]]),
                "high": _round(edges[held[-1] + 1]),
                "bin_counts": bins.tolist(),
            }
        )
    signs = np.sign(unwrapper.coef_[:, 0, j])
    falling = float(unwrapper.counts_[signs < 0].sum() / unwrapper.counts_.sum())
    return {
        "ours": {
            "importance": {name: _round(share, 5) for name, share in shares.items()},
            "top_feature": top,
            "bin_edges": [_round(edge) for edge in edges],
            "regions": regions,
            "rows_with_falling_line": _round(falling),
        },
        "controls": {"logistic_top_features": logistic_top(rows, names)},
        "verdict": f"nothing printed to compare with; {top} is the most important feature here, "
        f"and {_share(falling)} of the training rows lie in a region whose line for it falls",
    }


def logistic_top(rows: Trained, names: list[str], n: int = 10) -> dict[str, float]:
    """Return the largest coefficients of one logistic model on the same rows."""
    model = LogisticRegression(max_iter=2000).fit(rows.X_train, rows.y_train)
    coef = pd.Series(model.coef_[0], index=names)
    largest = coef.abs().sort_values(ascending=False).index[:n]
    return {name: _round(coef[name]) for name in largest}


def coefficients(rows: Trained, names: list[str]) -> dict[str, Any]:
    """Return the models of the largest regions with rows of both classes."""
    unwrapper = rows.unwrapper
    chosen = np.flatnonzero(~degenerate(rows))[:TOP_MODELS]
    coef = unwrapper.coef_[chosen, 0]
    order = np.argsort(-np.abs(coef).mean(axis=0), kind="stable")
    agree = np.maximum((coef > 0).mean(axis=0), (coef < 0).mean(axis=0))
    said = [14, 3, 5, 17, 26]
    among = [f"x{j + 1}" for j in said if j in order[:5]]
    return {
        "ours": {
            "count": unwrapper.counts_[chosen].tolist(),
            "coef": {names[j]: [_round(value) for value in coef[:, j]] for j in order},
            "same_sign_share": {names[j]: _round(agree[j]) for j in order},
        },
        "controls": {"columns_named_in_the_paper": {f"x{j + 1}": names[j] for j in said}},
        "verdict": "cannot be compared column by column, since the paper does not give the order "
        f"of its 35 columns; in our order {len(among)} of the five columns that it names are among "
        f"our five with the largest mean size ({', '.join(names[j] for j in order[:5])})",
    }


def directions(rows: Trained) -> dict[str, Any]:
    """Return the directions of the models: each larger region, and numbers of small ones."""
    unwrapper = rows.unwrapper
    coef, counts, dull = unwrapper.coef_[:, 0], unwrapper.counts_, degenerate(rows)
    unit = coef / np.linalg.norm(coef, axis=1, keepdims=True)
    pca = PCA(2, svd_solver="full").fit(unit)
    plane = pca.transform(unit)
    angle = np.arctan2(plane[:, 1], plane[:, 0])
    few = counts < FEW_ROWS
    edges = np.linspace(-np.pi, np.pi, DIRECTIONS + 1)
    small = [
        {
            "count": int(count),
            "degenerate": bool(flag),
            "regions_by_direction": np.histogram(
                angle[few & (counts == count) & (dull == flag)], edges
            )[0].tolist(),
        }
        for count in range(1, FEW_ROWS)
        for flag in (True, False)
        if (few & (counts == count) & (dull == flag)).any()
    ]
    share = float(dull.mean())
    printed = PRINTED["figure 12"]["degenerate"]
    return {
        "ours": {
            "regions": unwrapper.n_regions_,
            "degenerate": _round(share),
            "rows_in_degenerate_regions": _round(counts[dull].sum() / counts.sum()),
            "variance_of_two_components": _round(pca.explained_variance_ratio_.sum()),
            "large": {
                "angle": [_round(value) for value in angle[~few]],
                "count": counts[~few].tolist(),
                "degenerate": dull[~few].tolist(),
            },
            "direction_edges": [_round(edge) for edge in edges],
            "small": small,
        },
        "controls": {"share_of_regions_with_one_row": _round((counts == 1).mean())},
        "verdict": f"same in kind: {_share(share)} of the regions hold one row or one class, "
        f"printed {_share(printed)}; other network, since Table 1's region count differs too",
    }


def extrapolation(rows: Trained) -> dict[str, Any]:
    """Return local and global AUC of the largest regions."""
    summary = rows.unwrapper.summary(TOP_REGIONS)
    better = int((summary["global_auc"] > summary["local_auc"]).sum())
    return {
        "ours": {
            "count": summary["count"].tolist(),
            "response_mean": [_round(value) for value in summary["response_mean"]],
            "local_auc": [_round(value) for value in summary["local_auc"]],
            "global_auc": [_round(value) for value in summary["global_auc"]],
            "global_above_local": better,
        },
        "controls": {"local_auc_error": local_auc_error(summary)},
        "verdict": f"{better} of the 10 models have a better AUC on all rows than on their own, as "
        "6 of the paper's 10 are said to have; with 8 to 44 rows a region, a local AUC is a "
        "rough number: see local_auc_error",
    }


def local_auc_error(summary: pd.DataFrame) -> list[float]:
    """Return the standard errors of the local AUCs (Hanley and McNeil, 1982)."""
    auc = summary["local_auc"].to_numpy()
    bad = summary["count"].to_numpy() * summary["response_mean"].to_numpy()
    good = summary["count"].to_numpy() - bad
    variance = auc * (1 - auc)
    variance = variance + (bad - 1) * (auc / (2 - auc) - auc**2)
    variance = variance + (good - 1) * (2 * auc**2 / (1 + auc) - auc**2)
    return [_round(value) for value in np.sqrt(np.maximum(variance, 0) / (bad * good))]


def merged_coefficients(rows: Trained, names: list[str]) -> dict[str, Any]:
    """Return the merged models, with the paper's settings."""
    merged = rows.unwrapper.merge(n_neighbors=0.01, penalty="l2", min_samples=SMALL_CLUSTER)
    order = np.argsort(-np.abs(merged.coef_[:, 0]).mean(axis=0), kind="stable")
    n_clusters = len(merged.counts_)
    logistic = rows.unwrapper.merge(1, n_neighbors=0.01, penalty="l2")
    auc = [_round(rows.score(m.decision_function(rows.X_test))) for m in (merged, logistic)]
    grid = merged.scores_.reset_index()
    same = "same as printed" if n_clusters == 1 else "not the one cluster that is printed"
    return {
        "ours": {
            "n_clusters": n_clusters,
            "K": merged.n_cut_,
            "n_neighbors": merged.n_neighbors_,
            "count": merged.counts_.tolist(),
            "intercept": [_round(value) for value in merged.intercept_[:, 0]],
            "coef": {names[j]: [_round(value) for value in merged.coef_[:, 0, j]] for j in order},
            "test_auc": auc[0],
            "held_out_log_loss": {
                key: [round(float(value), 5) for value in grid[key]]
                for key in ("K", "n_clusters", "mean", "se")
            },
        },
        "controls": {"one_logistic_model_test_auc": auc[1]},
        "verdict": f"{same}: {n_clusters} cluster(s) with seed {SEED}; test AUC {auc[0]} against "
        f"{auc[1]} of one logistic model with the same penalty",
    }


def _round(value: float, digits: int = 4) -> float:
    return round(float(value), digits)


def _share(value: float) -> str:
    return f"{value:.1%}"
