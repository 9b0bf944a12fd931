"""The explainers of shap against exact Shapley values: how far off, and at what cost."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
import shap
import torch
from results import over_seeds, spread
from scipy.stats import spearmanr
from sklearn.ensemble import RandomForestRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler

from xai_course import exact
from xai_course.data import load
from xai_course.networks import PiecewiseLinearNetwork

N_SEEDS, N_ROWS, N_BACKGROUND = 5, 30, 100
Explain = Callable[[np.ndarray], np.ndarray]


def network_explainers(network: PiecewiseLinearNetwork, B: np.ndarray) -> dict[str, Explain]:
    """Return functions of rows; each gives the attributions of one explainer."""

    def f(X: np.ndarray) -> np.ndarray:
        return network.forward(X)[:, 0]

    module = network.to_torch().double()
    base = torch.tensor(B)
    masker = shap.maskers.Independent(B, max_samples=len(B))

    def kernel(nsamples: int) -> Explain:
        explainer = shap.KernelExplainer(f, B, seed=0)
        return lambda X: explainer.shap_values(X, nsamples=nsamples, silent=True)

    def exact_shap(X: np.ndarray) -> np.ndarray:
        return shap.explainers.Exact(f, masker)(X).values

    def permutation(X: np.ndarray) -> np.ndarray:
        return shap.explainers.Permutation(f, masker, seed=0)(X, silent=True).values

    def sampled(X: np.ndarray) -> np.ndarray:
        return exact.shapley(network, X, B, n_permutations=100, random_state=0).values

    def deep(X: np.ndarray) -> np.ndarray:
        return shap.DeepExplainer(module, base).shap_values(torch.tensor(X))[..., 0]

    def gradient(X: np.ndarray) -> np.ndarray:
        # It draws its points in float32, whatever it is given.
        explainer = shap.GradientExplainer(network.to_torch().float(), base.float())
        return explainer.shap_values(torch.tensor(X).float(), nsamples=200, rseed=0)[..., 0]

    return {
        "ours: exact.shapley": lambda X: exact.shapley(network, X, B).values,
        "ours: 100 permutations": sampled,
        "shap: Exact": exact_shap,
        "shap: Permutation": permutation,
        "shap: Kernel": kernel(2064),
        "shap: Kernel, 64 coalitions": kernel(64),
        "shap: Deep": deep,
        "shap: Gradient": gradient,
    }


def forest_explainers(forest: RandomForestRegressor, B: np.ndarray) -> dict[str, Explain]:
    """Return the two ways of shap's explainer of trees, after the exact values."""
    inside = shap.TreeExplainer(forest, B, feature_perturbation="interventional")
    path = shap.TreeExplainer(forest, feature_perturbation="tree_path_dependent")
    return {
        "forest, ours: exact.shapley": lambda X: exact.shapley(forest.predict, X, B).values,
        "forest, shap: Tree, interventional": lambda X: inside.shap_values(X),
        "forest, shap: Tree, path-dependent": lambda X: path.shap_values(X),
    }


def compare(explainers: dict[str, Explain], X: np.ndarray) -> dict[str, dict[str, float]]:
    """Return error, ranks and milliseconds of CPU a row of each explainer against the first."""
    found, truth = {}, None
    for name, explain in explainers.items():
        explain(X[:1])  # compilers and caches
        started = time.process_time()
        values = explain(X)
        milliseconds = 1000 * (time.process_time() - started) / len(X)
        truth = values if truth is None else truth
        error = np.abs(values - truth).sum(axis=1) / np.abs(truth).sum(axis=1)
        ranks = [spearmanr(abs(a), abs(b)).statistic for a, b in zip(values, truth, strict=True)]
        found[name] = {
            "error": float(error.mean()),
            "worst": float(error.max()),
            "rank": float(np.mean(ranks)),
            "ms": milliseconds,
        }
    return found


def explainers() -> dict[str, Any]:
    """Compare over trainings, each with its own split, background and rows."""
    warnings.filterwarnings("ignore")  # shap warns about torch's hooks
    houses, runs, scores = load("california_housing"), [], []
    for seed in range(N_SEEDS):
        X, X_test, y, y_test = houses.split(seed)
        scaler = StandardScaler().fit(X)
        Z, Z_test = scaler.transform(X), scaler.transform(X_test)
        mlp = MLPRegressor(hidden_layer_sizes=(40, 40), random_state=seed, max_iter=300).fit(Z, y)
        forest = RandomForestRegressor(50, max_depth=8, random_state=seed).fit(Z, y)
        B, rows = Z[:N_BACKGROUND], Z_test[:N_ROWS]
        network = PiecewiseLinearNetwork.from_sklearn(mlp)
        runs.append(
            compare(network_explainers(network, B), rows)
            | compare(forest_explainers(forest, B), rows)
        )
        scores.append(mlp.score(Z_test, y_test))
    table = over_seeds(runs)
    for name, row in table.items():
        first = "forest, ours: exact.shapley" if "forest" in name else "ours: exact.shapley"
        row["times ours"] = round(row["ms"]["mean"] / table[first]["ms"]["mean"], 2)
    return {"r2": spread(scores), "shap": version("shap"), "explainers": table}
