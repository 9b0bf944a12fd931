"""Table 1 of Dong et al. (2021): smooth networks and their piecewise linear approximations.

The paper prints accuracies only. Here each row also says how many decisions change, in which
direction, whether a gain is more than chance, and what better knots and more pieces would give.
Trained networks stay in ``reproduce/trained``, so that a stopped run goes on.
"""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from results import data_hash, over_seeds, verdict
from scipy.stats import binomtest
from torch import nn
from tqdm import tqdm

from clime.students import checkpoint, rows
from xai_course._storage import load_arrays, save_arrays
from xai_course.approximation import approximate
from xai_course.networks import PiecewiseLinearNetwork

NAME = "fashion_mnist"
SEEDS = (0, 1, 2, 3, 4)
ACTIVATIONS = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "elu": nn.ELU}
SIZES = (784, 256, 64, 10)
KIND = "network of table 1, clime, 1"  # what a file of weights says it is

# The paper names no settings for these networks.
RECIPE = {"optimizer": "Adam", "learning_rate": 1e-3, "batch_size": 128, "epochs": 15}

# As printed, then the controls: more pieces, and the knots with the least largest error.
PIECES = (2, 3, 5)
MORE_PIECES = (9, 17, 33)
BEST_KNOTS = (3, 5)

PRINTED = {
    "sigmoid": {"baseline": 0.8844, "2": 0.8673, "3": 0.8813, "5": 0.8851},
    "tanh": {"baseline": 0.8148, "2": 0.8044, "3": 0.8148, "5": 0.8159},
    "elu": {"baseline": 0.9138, "2": 0.9093, "3": 0.9095, "5": 0.9091},
}

# Training


def untrained(activation: str, seed: int) -> nn.Sequential:
    """Return the network with torch's own initial weights."""
    torch.manual_seed(seed)
    linear = [nn.Linear(*pair) for pair in pairwise(SIZES)]
    smooth = ACTIVATIONS[activation]
    return nn.Sequential(*(step for layer in linear for step in (layer, smooth())))[:-1]


def trained(activation: str, seed: int) -> nn.Sequential:
    """Return the trained network of one seed, from its file if there is one."""
    module = untrained(activation, seed)
    file = checkpoint(f"smooth-{activation}-{seed}")
    if file.is_file():
        weights, recipe = load_arrays(file, KIND)
        if recipe == RECIPE:
            module.load_state_dict({name: torch.as_tensor(w) for name, w in weights.items()})
            return module.eval()
    train(module, seed)
    weights = {name: weight.numpy() for name, weight in module.state_dict().items()}
    save_arrays(file, KIND, weights, RECIPE)
    return module.eval()


def train(module: nn.Sequential, seed: int) -> None:
    """Train on all 60,000 images for a fixed number of epochs."""
    X, _, y, _ = map(torch.as_tensor, rows(NAME))
    shuffle = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(module.parameters(), lr=RECIPE["learning_rate"])
    for _ in range(RECIPE["epochs"]):
        for batch in torch.randperm(len(X), generator=shuffle).split(RECIPE["batch_size"]):
            loss = nn.functional.cross_entropy(module(X[batch]), y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


# Measuring


def logits(module: nn.Sequential, X: np.ndarray) -> np.ndarray:
    """Return the outputs of the smooth network in float64, as those of its approximations are."""
    with torch.no_grad():
        return module.double()(torch.as_tensor(X, dtype=torch.float64)).numpy()


def with_knots(module: nn.Sequential, n: int, knots: str) -> PiecewiseLinearNetwork:
    """Return the approximation of a network with `n` pieces."""
    network = PiecewiseLinearNetwork.from_torch(module, n_segments=n)
    if knots == "tangents":
        return network
    best = [approximate(a.target, n, knots=knots) for a in network.activations]
    return PiecewiseLinearNetwork(network.weights, network.biases, best)


def compare(
    network: PiecewiseLinearNetwork, smooth: np.ndarray, X: np.ndarray, y: np.ndarray
) -> dict[str, float]:
    """Compare the decisions of an approximation with the labels and with the original's."""
    ours = network.forward(X)
    before, after = smooth.argmax(axis=1), ours.argmax(axis=1)
    fixed = int(((after == y) & (before != y)).sum())
    broken = int(((after != y) & (before == y)).sum())
    changed = fixed + broken
    return {
        "accuracy": float((after == y).mean()),
        "gain": (fixed - broken) / len(y),
        "same_decision": float((after == before).mean()),
        "fixed": fixed,
        "broken": broken,
        "p_of_no_difference": float(binomtest(fixed, changed).pvalue) if changed else 1.0,
        "activation_error": network.activations[0].max_error,
        "mean_logit_error": float(np.abs(ours - smooth).mean()),
        "largest_logit_error": float(np.abs(ours - smooth).max()),
    }


def certified(
    network: PiecewiseLinearNetwork, smooth: np.ndarray, X: np.ndarray
) -> dict[str, float]:
    """Return the certified bound beside the measured error, and what it proves."""
    ours, bound = network.forward(X), network.approximation_error_bound(X)
    error = np.abs(ours - smooth)
    if not (error <= bound + 1e-9).all():
        raise AssertionError("The certified bound does not hold.")
    rows_, winner = np.arange(len(ours)), ours.argmax(axis=1)
    others = ours + bound
    others[rows_, winner] = -np.inf
    proven = ours[rows_, winner] - bound[rows_, winner] > others.max(axis=1)
    return {
        "median_bound": float(np.median(bound)),
        "median_error": float(np.median(error)),
        "bound_anywhere": float(network.approximation_error_bound().max()),
        "decisions_certified": float(proven.mean()),
    }


def measure(activation: str, seed: int) -> dict[str, Any]:
    """Measure one activation with one seed."""
    module = trained(activation, seed)
    X_train, X, y_train, y = rows(NAME)
    started, began = time.perf_counter(), time.process_time()
    smooth = logits(module, X)
    run: dict[str, Any] = {
        "baseline": {"accuracy": float((smooth.argmax(axis=1) == y).mean())},
        "tangents": {str(n): compare(with_knots(module, n, "tangents"), smooth, X, y)
                     for n in PIECES},
    }  # fmt: skip
    run["seconds"] = {
        "wall": time.perf_counter() - started,
        "processor": time.process_time() - began,
    }
    run["baseline"]["training_accuracy"] = float(
        (logits(module, X_train).argmax(axis=1) == y_train).mean()
    )
    for n in MORE_PIECES:
        run["tangents"][str(n)] = compare(with_knots(module, n, "tangents"), smooth, X, y)
    run["equioscillating"] = {
        str(n): compare(with_knots(module, n, "equioscillating"), smooth, X, y) for n in BEST_KNOTS
    }
    for n in (*PIECES, *MORE_PIECES):
        network = with_knots(module, n, "tangents")
        run["tangents"][str(n)] |= certified(network, smooth, X)
    network = with_knots(module, 3, "tangents")
    run["patterns"] = len(np.unique(network.activation_pattern(X), axis=0))
    return run


# The table


def summarise(activation: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return one row of the table: printed, ours, controls, verdicts."""
    ours = over_seeds(runs)
    accuracy = {"baseline": ours["baseline"]["accuracy"]} | {
        str(n): ours["tangents"][str(n)]["accuracy"] for n in PIECES
    }
    printed = PRINTED[activation]
    changes = {n: value - printed["baseline"] for n, value in printed.items() if n != "baseline"}
    printed_gain = {n: round(change, 6) for n, change in changes.items()}
    gains = {n: ours["tangents"][n]["gain"] for n in printed_gain}
    return {
        "printed": printed,
        "accuracy": accuracy,
        "verdict": {key: verdict(value, accuracy[key]) for key, value in printed.items()},
        "printed_gain": printed_gain,
        "verdict_of_gain": {n: verdict(value, gains[n]) for n, value in printed_gain.items()},
        "over_seeds": ours,
        "seeds_with_a_gain": {n: gains_over(runs, n) for n in ours["tangents"]},
    }


def gains_over(runs: list[dict[str, Any]], n: str) -> dict[str, int]:
    """Count the seeds with which fewer pieces beat the original, and beyond chance."""
    approximations = [run["tangents"][n] for run in runs]
    better = [a for a in approximations if a["gain"] > 0]
    return {
        "above_the_original": len(better),
        "beyond_chance_at_5_percent": sum(a["p_of_no_difference"] < 0.05 for a in better),
        "of": len(runs),
    }


def table1() -> dict[str, Any]:
    """Measure Table 1: printed, ours over seeds, controls, verdicts."""
    torch.set_num_threads(1)
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in ACTIVATIONS}
    jobs = [(name, seed) for seed in SEEDS for name in ACTIVATIONS]
    for name, seed in tqdm(jobs, desc="table1", mininterval=5):
        runs[name].append(measure(name, seed))
    X, X_test, y, y_test = rows(NAME)
    return {
        **{name: summarise(name, of_name) for name, of_name in runs.items()},
        "settings": {"sizes": SIZES, **RECIPE, "validation": "none; no test image has a say"},
        "seeds": list(SEEDS),
        "test_rows": len(y_test),
        "data_sha256": data_hash(X, y, X_test, y_test),
    }
