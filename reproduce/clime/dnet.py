"""The two DNets of Dong et al. (2021), section 7.2, with what the paper leaves out.

The paper copies "all of the decision boundary hyperplanes", which it finds with a method that looks
at the regions of samples. It labels the states with the training rows, and asks the network about
the others. So accuracies agree almost by construction. Here each DNet also answers alone, and in
the plane each cell is checked.

Which regions are looked at is our reading, and so is when one of them gives a hyperplane: when the
boundary runs through it, wherever its rows are ("data" here), or between its rows ("divided"). Both
are measured, and all regions beside them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from results import data_hash, over_seeds, verdict
from sklearn.datasets import make_circles, make_moons
from sklearn.linear_model import LogisticRegression
from tqdm import tqdm

from xai_course import data
from xai_course.decisionnet import DecisionNet
from xai_course.networks import PiecewiseLinearNetwork

N_ROWS = 10_000
N_NEW_ROWS = 9_999  # without noise the same number would give the same points
TOY_SIZES, TOY_SEEDS, TOY_EPOCHS = (2, 10, 10, 10, 2), range(10), 30
FEWER_ROWS = (30, 100, 1000, N_ROWS)
FASHION_SIZES, FASHION_EPOCHS = (784, 10, 10, 4, 2), 10
T_SHIRT, TROUSER = 0, 1
PRINTED = {
    "toy": {"neurons": 15, "accuracy": 1.0},
    "fashion": {"neurons": 5, "accuracy": 0.998},
}
# Printed for images, where Adam is our guess; taken for the toy sets too, which name no settings.
LEARNING_RATE, BATCH_SIZE = 3e-3, 128
SECONDS = {"toy": 2.0, "fashion": 60.0}

Rows = tuple[np.ndarray, np.ndarray]

# The paper says "a toy dataset" of scikit-learn; the first two are the defaults of their functions.
TOY_SETS: dict[str, tuple[str, Callable[[int, int], Rows]]] = {
    "circles": (
        "make_circles: radii 1 and 0.8, no noise",
        lambda n, seed: make_circles(n, random_state=seed),
    ),
    "moons": (
        "make_moons: no noise",
        lambda n, seed: make_moons(n, random_state=seed),
    ),
    "noisy_circles": (
        "make_circles: radii 1 and 0.5, noise 0.05",
        lambda n, seed: make_circles(n, noise=0.05, factor=0.5, random_state=seed),
    ),
    "noisy_moons": (
        "make_moons: noise 0.1",
        lambda n, seed: make_moons(n, noise=0.1, random_state=seed),
    ),
}


def train(
    sizes: tuple[int, ...], X: np.ndarray, y: np.ndarray, seed: int, epochs: int
) -> PiecewiseLinearNetwork:
    """Train a ReLU network with one output per class."""
    torch.manual_seed(seed)
    layers = [torch.nn.Linear(n, m) for n, m in pairwise(sizes)]
    steps = [step for layer in layers for step in (layer, torch.nn.ReLU())][:-1]
    module = torch.nn.Sequential(*steps)
    optimizer = torch.optim.Adam(module.parameters(), lr=LEARNING_RATE)
    inputs, labels = torch.tensor(X, dtype=torch.float32), torch.tensor(y)
    for _ in range(epochs):
        for rows in torch.randperm(len(inputs)).split(BATCH_SIZE):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(module(inputs[rows]), labels[rows]).backward()
            optimizer.step()
    return PiecewiseLinearNetwork.from_torch(module)


def n_parameters(sizes: tuple[int, ...]) -> int:
    """Count the weights and biases of a dense network."""
    return sum((n + 1) * m for n, m in pairwise(sizes))


def measure(dnet: DecisionNet, X: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Score a DNet on rows that it was not made from."""
    decisions, alone = dnet.network.decide(X), dnet.predict(X, fallback="nearest")
    known = dnet.apply(X) >= 0
    return {
        "neurons": dnet.n_neurons_,
        "states": len(dnet.states_),
        "regions_looked_at": dnet.n_regions_,
        "parameters": dnet.coef_.size + dnet.intercept_.size,
        "accuracy": float((dnet.predict(X) == y).mean()),
        "accuracy_alone": float((alone == y).mean()),
        "agreement": float((dnet.predict(X) == decisions).mean()),
        "agreement_alone": float((alone == decisions).mean()),
        "agreement_where_known": float((alone == decisions)[known].mean()),
        "coverage": float(known.mean()),
    }


def verdicts(name: str, ours: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Say in words how each printed value compares with the range over seeds."""
    return {key: verdict(value, ours[key]) for key, value in PRINTED[name].items()}


# The toy networks


def toy_dnet() -> dict[str, Any]:
    """Measure the toy DNet: regions of the rows, against all regions of their box."""
    return {name: _toy_set(name) for name in TOY_SETS}


def _toy_set(name: str) -> dict[str, Any]:
    description, draw = TOY_SETS[name]
    runs: dict[str, list[dict[str, float]]] = {"data": [], "divided": [], "all": []}
    controls = []
    for seed in tqdm(TOY_SEEDS, desc=name):
        (X, y), (X_new, y_new) = draw(N_ROWS, seed), draw(N_NEW_ROWS, seed + 1000)
        network = train(TOY_SIZES, X, y, seed, TOY_EPOCHS)
        line = LogisticRegression().fit(X, y)
        controls.append(
            {
                "network_train_accuracy": float((network.decide(X) == y).mean()),
                "network_accuracy": float((network.decide(X_new) == y_new).mean()),
                "logistic_regression_accuracy": float(line.score(X_new, y_new)),
            }
        )
        for regions, found in runs.items():
            found.append(_toy_run(network, X, y, X_new, y_new, regions, _box(X)))
    ours = {regions: over_seeds(found) for regions, found in runs.items()}
    X, y = draw(N_ROWS, 0)
    return {
        "printed": PRINTED["toy"],
        "over_seeds": ours,
        "controls": over_seeds(controls),
        "verdict": {r: verdicts("toy", ours[r]) for r in ("data", "divided")},
        "certified_seeds": {r: sum(int(run["certified"]) for run in runs[r]) for r in runs},
        "neurons_of_each_seed": {r: [run["neurons"] for run in runs[r]] for r in runs},
        "within_seconds": ours["all"]["seconds"]["max"] <= SECONDS["toy"],
        "set": description,
        "settings": _settings(TOY_SIZES, TOY_EPOCHS),
        "network_parameters": n_parameters(TOY_SIZES),
        "seeds": list(TOY_SEEDS),
        "data_sha256": data_hash(X, y),
    }


def rows_dnet() -> dict[str, Any]:
    """Measure DNets of the same networks of circles, made from ever more of their rows."""
    _, draw = TOY_SETS["circles"]
    runs = {n: {regions: [] for regions in ("data", "all")} for n in FEWER_ROWS}
    for seed in tqdm(TOY_SEEDS, desc="fewer rows"):
        (X, y), new = draw(N_ROWS, seed), draw(N_NEW_ROWS, seed + 1000)
        network = train(TOY_SIZES, X, y, seed, TOY_EPOCHS)
        for n, by_reading in runs.items():
            for regions, found in by_reading.items():
                found.append(_toy_run(network, X[:n], y[:n], *new, regions, _box(X)))
    return {
        str(n): {regions: over_seeds(found) for regions, found in by_reading.items()}
        for n, by_reading in runs.items()
    }


def _box(X: np.ndarray) -> np.ndarray:
    return np.column_stack([X.min(axis=0), X.max(axis=0)])


def _toy_run(
    network: PiecewiseLinearNetwork,
    X: np.ndarray,
    y: np.ndarray,
    X_new: np.ndarray,
    y_new: np.ndarray,
    regions: str,
    box: np.ndarray,
) -> dict[str, float]:
    """Build a DNet, check its cells in a box, and time both together."""
    started = time.perf_counter()
    bounds = box if regions == "all" else None
    dnet = DecisionNet.from_network(network, X, y, regions=regions, bounds=bounds)
    checked = dnet.certify(box)
    seconds = time.perf_counter() - started
    anywhere = np.random.default_rng(0).uniform(*box.T, (100_000, 2))
    wrong = dnet.predict(anywhere, fallback="nearest") != network.decide(anywhere)
    known = dnet.apply(anywhere) >= 0
    return measure(dnet, X_new, y_new) | {
        "cells": checked.n_cells,
        "mixed_cells": checked.n_cells - checked.n_pure,
        "seen_area": checked.seen_area,
        "missing_length": checked.missing_length,
        "silently_wrong_area": float((wrong & known).mean()),
        "wrong_area_alone": float(wrong.mean()),
        "certified": float(checked.holds),
        "seconds": seconds,
    }


def _settings(sizes: tuple[int, ...], epochs: int) -> dict[str, Any]:
    return {
        "sizes": list(sizes),
        "optimizer": "Adam",
        "learning_rate": LEARNING_RATE,
        "batch_size": BATCH_SIZE,
        "epochs": epochs,
    }


# T-shirts and trousers

# The paper does not say how it scales the pixels, which come from 0 to 1 here.
PIXELS: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray], range]] = {
    "unit": ("from 0 to 1", lambda X: X, range(10)),
    "signed": ("from -1 to 1", lambda X: 2 * X - 1, range(5)),
    "normalised": ("less 0.286, by 0.353, as is usual", lambda X: (X - 0.286) / 0.353, range(5)),
}


def fashion_dnet() -> dict[str, Any]:
    """Measure the DNet of T-shirts and trousers, on all their images."""
    X, X_test, y, y_test = data.load("fashion_mnist", subset="full").split()
    chosen, chosen_test = (np.isin(labels, [T_SHIRT, TROUSER]) for labels in (y, y_test))
    parts = X[chosen], y[chosen], X_test[chosen_test], y_test[chosen_test]
    return {pixels: _fashion(pixels, *parts) for pixels in PIXELS}


def _fashion(
    pixels: str, X: np.ndarray, y: np.ndarray, X_test: np.ndarray, y_test: np.ndarray
) -> dict[str, Any]:
    description, scale, seeds = PIXELS[pixels]
    X, X_test = scale(X), scale(X_test)
    runs: dict[str, list[dict[str, float]]] = {"data": [], "divided": []}
    controls = []
    line = LogisticRegression(max_iter=1000).fit(X, y)
    for seed in tqdm(seeds, desc=f"T-shirts and trousers, {pixels}"):
        network = train(FASHION_SIZES, X, y, seed, FASHION_EPOCHS)
        controls.append(
            {
                "network_train_accuracy": float((network.decide(X) == y).mean()),
                "network_accuracy": float((network.decide(X_test) == y_test).mean()),
                "logistic_regression_accuracy": float(line.score(X_test, y_test)),
            }
        )
        for regions, found in runs.items():
            found.append(_fashion_run(network, X, y, X_test, y_test, regions))
    ours = {regions: over_seeds(found) for regions, found in runs.items()}
    return {
        "printed": PRINTED["fashion"],
        "over_seeds": ours,
        "controls": over_seeds(controls),
        "verdict": {regions: verdicts("fashion", ours[regions]) for regions in runs},
        "neurons_of_each_seed": {r: [run["neurons"] for run in runs[r]] for r in runs},
        "within_seconds": ours["data"]["seconds"]["max"] <= SECONDS["fashion"],
        "pixels": description,
        "settings": _settings(FASHION_SIZES, FASHION_EPOCHS),
        "network_parameters": n_parameters(FASHION_SIZES),
        "rows": {"train": len(X), "test": len(X_test)},
        "seeds": list(seeds),
        "data_sha256": data_hash(X, y),
    }


def _fashion_run(
    network: PiecewiseLinearNetwork,
    X: np.ndarray,
    y: np.ndarray,
    X_test: np.ndarray,
    y_test: np.ndarray,
    regions: str,
) -> dict[str, float]:
    """Build a DNet, timed, and see how much of the boundary it has."""
    started = time.perf_counter()
    dnet = DecisionNet.from_network(network, X, y, regions=regions)
    seconds = time.perf_counter() - started
    return measure(dnet, X_test, y_test) | {
        "mixed_states": dnet.n_mixed_states_,
        "flips_on_neurons": flips_on_neurons(dnet, X_test),
        "seconds": seconds,
    }


def flips_on_neurons(dnet: DecisionNet, X: np.ndarray, n_pairs: int = 1000) -> float:
    """Return how often the decision, on the way between two rows, changes on a hyperplane.

    No cell of 784 features can be checked. But between two rows of different decisions lies a
    point of the boundary; bisection finds one, and the hyperplanes hold it or do not.
    """
    rng, decisions = np.random.default_rng(0), dnet.network.decide(X)
    first, second = (X[rng.choice(np.flatnonzero(decisions == k), n_pairs)] for k in (0, 1))
    for _ in range(60):
        middle = (first + second) / 2
        is_second = (dnet.network.decide(middle) == 1)[:, None]
        first, second = np.where(is_second, first, middle), np.where(is_second, middle, second)
    distance = np.abs(second @ dnet.coef_.T + dnet.intercept_).min(axis=1, initial=np.inf)
    return float((distance < 1e-6).mean())
