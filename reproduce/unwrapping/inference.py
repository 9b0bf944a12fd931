"""What a test of a merged region's coefficients is worth: levels, coverage, and the bootstrap."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from replicates import Replicates
from sklearn.neural_network import MLPClassifier, MLPRegressor
from tqdm import tqdm

from unwrapping.examples import BY_NAME, RECIPE, fit_network, train
from unwrapping.merging import tuned
from xai_course import data
from xai_course.unwrapping import MergedClassifier
from xai_course.unwrapping.inference import inference_table

ITERATIONS = (10, 25, 50, 100, 200)
NOISE, LOANS, BOSTON = 600, 20, 10
ROWS, LEVEL, BINS = 300, 0.05, 20
CROWD, CROWD_SEED = 100_000, 99
# The predictors whose coefficients differ between the true segments.
DIFFER = ("fico0", "ltv_fcast", "dlq_new_delq0", "h", "premod_ind")
SETTINGS = {
    "noise": f"two normal columns and a normal response that has nothing to do with them; a "
    f"network (10, 10) trained on {ROWS} rows by L-BFGS for so many iterations, merged to at most "
    f"5 clusters; each cluster's slopes tested on the same rows (naive) and on {ROWS} new ones "
    "(honest)",
    "tests": f"share of p-values below {LEVEL}; its standard error is that of the replicates, "
    "which need not be independent inside; design: its square over that of independent tests",
    "loans": "home_lending drawn anew; a network (5, 5) of one half, K = 3, small clusters: 100 "
    "rows or fewer; coefficients per standard deviation; the other half tests",
    "targets": f"projection: maximum likelihood with the true probabilities of {CROWD} loans; "
    "main: the slopes of the true segment that fills most of the cluster; control: the true "
    "segments, tested with the same fresh loans",
    "boston": "the largest cluster of the l1 merge with the least held-out loss; 100 resamples, of "
    "its rows or of all rows, which are merged again",
    "seeds": "a replicate's number is the seed of its data, split, network and resamples",
}
MEASURED_BY = ("examples", "merging", "inference")


def table(replicates: Replicates) -> dict[str, Any]:
    """Measure the levels of two tests, the coverage of intervals, and two bootstraps."""
    loans = [
        replicates.run(f"loans {s}", lambda s=s: quietly(lending_run, s))
        for s in tqdm(range(LOANS), desc="loans")
    ]
    boston = [
        replicates.run(f"boston {s}", lambda s=s: quietly(boston_run, s))
        for s in tqdm(range(BOSTON), desc="Boston")
    ]
    noise = {
        str(n): [
            replicates.run(f"noise {n} {s}", lambda s=s, n=n: quietly(noise_run, s, n))
            for s in tqdm(range(NOISE), desc=f"noise, {n} iterations")
        ]
        for n in ITERATIONS
    }
    return {
        "settings": SETTINGS,
        "noise": {n: levels(runs) for n, runs in noise.items()},
        "loans": {key: [run[key] for run in loans] for key in loans[0]},
        "boston": {key: [run[key] for run in boston] for key in boston[0]},
    }


def quietly(work: Any, *arguments: Any) -> Any:
    """Return what some work returns, without its warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # post-selection; training is cut short
        return work(*arguments)


# A response that is noise


def noise_run(seed: int, iterations: int) -> dict[str, list[float]]:
    """Return naive and honest p-values of all slopes of one merge; all true slopes are zero."""
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(2 * ROWS, 2)), rng.normal(size=2 * ROWS)
    mlp = MLPRegressor(
        hidden_layer_sizes=(10, 10), solver="lbfgs", max_iter=iterations, random_state=seed
    )
    rows = fit_network(mlp, X[:ROWS], X[ROWS:], y[:ROWS], y[ROWS:])
    merged = rows.unwrapper.merge(5, 1)
    found: dict[str, list[float]] = {"naive": [], "honest": []}
    for k in range(len(merged.counts_)):
        try:
            tests = merged.inference_naive(k), merged.inference(k, X[ROWS:], y[ROWS:])
        except ValueError:  # too few fresh rows
            continue
        for kind, test in zip(found, tests, strict=True):
            found[kind] += test["p_value"].iloc[1:].round(6).tolist()
    return found


def levels(runs: list[dict[str, list[float]]]) -> dict[str, Any]:
    """Return the shares of small p-values, with standard errors over replicates."""
    tests = np.array([len(run["naive"]) for run in runs])
    hits = {k: np.array([np.sum(np.less(run[k], LEVEL)) for run in runs]) for k in runs[0]}
    hits["difference"] = hits["naive"] - hits["honest"]
    found: dict[str, Any] = {"tests": int(tests.sum()), "clusters": round(tests.mean() / 2, 3)}
    for kind, hit in hits.items():
        share = hit.sum() / tests.sum()
        error = np.std(hit - share * tests, ddof=1) / np.sqrt(len(runs)) / tests.mean()
        found[kind] = {"share": round(share, 5), "error": round(error, 5)}
        if kind != "difference":
            alone = share * (1 - share) / tests.sum()
            found[kind]["design"] = round(error**2 / alone, 3)
            p_values = np.concatenate([run[kind] for run in runs])
            found[kind]["histogram"] = np.histogram(p_values, BINS, (0, 1))[0].tolist()
    return found


# Loans whose truth is known


def lending_run(seed: int) -> dict[str, Any]:
    """Return of one draw how many intervals hold what, of how many."""
    loans = data.home_lending(seed=seed)
    half = len(loans.y) // 2
    center, scale = loans.X[:half].mean(axis=0), loans.X[:half].std(axis=0)
    Z = (loans.X - center) / scale
    mlp = MLPClassifier(hidden_layer_sizes=(5, 5), random_state=seed, **RECIPE)
    rows = fit_network(mlp, Z[:half], Z[half:], loans.y[:half], loans.y[half:])
    merged = rows.unwrapper.merge(3, 1, min_samples=100, penalty="l2", C=0.1)
    found: dict[str, Any] = {"clusters": len(merged.counts_), "refused": 0, "refused naive": 0}
    hits: dict[str, list[np.ndarray]] = {
        name: [] for name in ("projection", "main", "naive", "control")
    }
    crowd = data.home_lending(CROWD, seed=CROWD_SEED)
    wanted = Targets(crowd, (crowd.X - center) / scale, merged)
    slopes = crowd.truth.coefficients.to_numpy()[:, 1:] * scale
    for k in range(len(merged.counts_)):
        projection, main = wanted.of(k)
        try:
            tested = merged.inference(k, rows.X_test, rows.y_test)
            hits["projection"].append(inside(tested, projection))
            hits["main"].append(inside(tested, slopes[main]))
        except ValueError:
            found["refused"] += 1
        try:
            hits["naive"].append(inside(merged.inference_naive(k), projection))
        except ValueError:
            found["refused naive"] += 1
    segment = loans.truth.segment(loans.X[half:])
    names = [str(j) for j in range(Z.shape[1])]
    for s in range(len(slopes)):
        own = rows.X_test[segment == s], rows.y_test[segment == s]
        tested = inference_table(*own, names, classification=True)
        hits["control"].append(inside(tested, slopes[s]))
    differ = np.isin(crowd.feature_names, DIFFER)
    for name, held in hits.items():
        both = np.array(held).reshape(-1, Z.shape[1])
        found[name] = [int(both.sum()), both.size]
        found[f"{name}, differ"] = [int(both[:, differ].sum()), both[:, differ].size]
    return found


class Targets:
    """What an interval of a cluster may be asked to hold."""

    def __init__(self, crowd: Any, Z: np.ndarray, merged: MergedClassifier) -> None:
        self.Z, self.cluster = Z, merged.apply(Z)
        self.chance, self.segment = crowd.truth.probability(crowd.X), crowd.truth.segment(crowd.X)

    def of(self, k: int) -> tuple[np.ndarray, int]:
        """Return the slopes of the cluster's best linear model, and its main segment."""
        own = self.cluster == k
        main = int(np.bincount(self.segment[own]).argmax())
        return projection(self.Z[own], self.chance[own]), main


def projection(Z: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """Return the slopes of maximum likelihood with probabilities instead of classes."""
    design = np.column_stack([np.ones(len(Z)), Z])
    beta = np.zeros(design.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-design @ beta))
        step = np.linalg.solve(
            design.T @ ((p * (1 - p))[:, None] * design), design.T @ (chance - p)
        )
        beta = beta + step
        if np.abs(step).max() < 1e-10:
            break
    return beta[1:]


def inside(table: pd.DataFrame, truth: np.ndarray) -> np.ndarray:
    """Return for each slope whether its interval holds the truth."""
    slopes = table.iloc[1:]
    return ((slopes["ci_low"] <= truth) & (truth <= slopes["ci_high"])).to_numpy()


# Boston, with and without the choice


def boston_run(seed: int) -> dict[str, Any]:
    """Return what both bootstraps say of rooms per house in the largest cluster."""
    rows = train(BY_NAME["BostonHouse"], seed)
    merged = tuned(rows, "l1")
    room = 1 + data.load("boston").feature_names.index("RM")
    found: dict[str, Any] = {
        "C": merged.C,
        "clusters": len(merged.counts_),
        "rows": int(merged.counts_[0]),
    }
    for name, again in (("kept", False), ("merged again", True)):
        boot = merged.bootstrap(
            0, 100, "l1", merged.C, resample_selection=again, random_state=seed, progress=False
        ).iloc[room]
        columns = ("coef", "std", "ci_low", "ci_high", "probability_zero")
        found |= {f"{name}, {c}": round(float(boot[c]), 5) for c in columns}
    return found
