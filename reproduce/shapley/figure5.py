"""Figure 5 of Fan et al. (2021): Shapley values of house prices, as published and repaired."""

from __future__ import annotations

from math import comb
from typing import Any

import numpy as np
from results import spread
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from xai_course.data import load

N_SEEDS, N_ROWS, N_BACKGROUND = 10, 300, 20
FEW_SEEDS, FEW_ROWS = 5, 100
AGE = 1  # the column HouseAge
N = 8
MASKS = (np.arange(2**N)[:, None] >> np.arange(N) & 1).astype(bool)


def coalition_values(model: Any, rows: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Return the mean prediction of each coalition, shape (n_rows, 256)."""
    mixed = np.where(MASKS[:, None, :], rows[:, None, None, :], background)
    y = np.concatenate([model.predict(part.reshape(-1, N)) for part in mixed])
    return y.reshape(len(rows), len(MASKS), len(background)).mean(axis=2)


def attributions(v: np.ndarray, without: int | None = None) -> np.ndarray:
    """Return Shapley values; `without` leaves out the coalitions of this size, as a script may."""
    sizes, values = MASKS.sum(axis=1), []
    for j in range(N):
        outside = np.flatnonzero(~MASKS[:, j])
        weight = np.array([1 / (N * comb(N - 1, size)) for size in sizes[outside]])
        weight[sizes[outside] == without] = 0
        values.append((v[:, outside | 1 << j] - v[:, outside]) @ weight)
    return np.column_stack(values)


def judge(model: Any, X: np.ndarray, y: np.ndarray, background: np.ndarray) -> dict[str, Any]:
    """Return what each way to share says about house age, and what it leaves unshared."""
    rows, found = X[:N_ROWS], {"r2": model.score(X, y)}
    bases = {"zero": np.zeros((1, N)), "mean": background.mean(axis=0, keepdims=True)}
    bases["rows"] = background[:N_BACKGROUND]
    for name, base in bases.items():
        v = coalition_values(model, rows, base)
        share = v[:, -1] - v[:, 0]
        for kind, without in (("published", N - 1), ("all", None)):
            phi = attributions(v, without)
            found[f"{name} {kind}"] = {
                "unshared": float(np.median(np.abs(phi.sum(axis=1) - share) / np.abs(share))),
                "unshared of all": float(1 - phi.sum() / share.sum()),
                "age positive": (phi[:, AGE] > 0).mean(),
                "age mean": phi[:, AGE].mean(),
                "age size": np.abs(phi[:, AGE]).mean(),
                "place size": np.abs(phi[:, 6:]).sum(axis=1).mean(),
                "all sizes": np.abs(phi).sum(axis=1).mean(),
            }
    older, younger = rows.copy(), rows.copy()
    older[:, AGE] += 5
    younger[:, AGE] -= 5
    slope = model.predict(older) - model.predict(younger)
    return found | {"ten years": slope.mean(), "ten years positive": (slope > 0).mean()}


def gather(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the spread of each number over the runs, with all of its values."""
    return {
        key: gather([run[key] for run in runs])
        if isinstance(runs[0][key], dict)
        else spread([run[key] for run in runs])
        | {"values": [round(float(run[key]), 4) for run in runs]}
        for key in runs[0]
    }


def figure5() -> dict[str, Any]:
    """Train the published network on raw and on scaled inputs, and share its predictions."""
    houses = load("california_housing", "full")
    X, y = houses.X, houses.y - houses.y.mean()
    runs: dict[str, list[dict[str, Any]]] = {"as published": [], "raw": [], "scaled": []}
    linear = []
    for seed in range(N_SEEDS):
        order = np.random.default_rng(seed).permutation(len(X))
        train, test = order[len(X) // 5 :], order[: len(X) // 5]
        background = X[train]
        raw = MLPRegressor(activation="logistic", random_state=seed).fit(X, y)
        runs["as published"].append(judge(raw, X[test], y[test], background))
        raw = MLPRegressor(activation="logistic", random_state=seed).fit(X[train], y[train])
        runs["raw"].append(judge(raw, X[test], y[test], background))
        net = MLPRegressor(activation="logistic", random_state=seed)
        scaled = make_pipeline(StandardScaler(), net).fit(X[train], y[train])
        runs["scaled"].append(judge(scaled, X[test], y[test], background))
        linear.append(10 * LinearRegression().fit(X[train], y[train]).coef_[AGE])
    table = {name: gather(found) for name, found in runs.items()}
    return table | {"linear ten years": spread(linear), "rows": N_ROWS, "background": N_BACKGROUND}


def seeds() -> dict[str, Any]:
    """Train the published network on the rows that come with the package, one draw a seed."""
    houses = load("california_housing")
    found: dict[str, list[float]] = {"published": [], "mean": [], "ten years": []}
    shares = {}
    for seed in range(FEW_SEEDS):
        X, X_test, y, y_test = houses.split(seed)
        model = MLPRegressor(activation="logistic", random_state=seed).fit(X, y)
        judged = judge(model, X_test[:FEW_ROWS], y_test[:FEW_ROWS], X)
        found["published"].append(float(judged["zero published"]["age positive"]))
        found["mean"].append(float(judged["mean all"]["age positive"]))
        found["ten years"].append(float(judged["ten years"]))
    # Of the last training also the shares themselves, beside those of a repaired one.
    rows, origin = X_test[:FEW_ROWS], np.zeros((1, N))
    shares["as published"] = attributions(coalition_values(model, rows, origin), N - 1)
    net = MLPRegressor(activation="logistic", tol=1e-3, max_iter=500, random_state=seed)
    repaired = make_pipeline(StandardScaler(), net).fit(X, y)
    middle = X.mean(axis=0, keepdims=True)
    shares["repaired"] = attributions(coalition_values(repaired, rows, middle))
    return {"ages": found, "shares": {k: np.round(v, 4).tolist() for k, v in shares.items()}}
