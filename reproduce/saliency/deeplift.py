"""DeepLIFT's rescale rule and the local linear model, each against exact integrated gradients.

Every network has its own draw of the data and its own first weights. The baseline is the mean
training row, which is zero in standardised inputs.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from captum.attr import DeepLift
from results import over_seeds

from xai_course import data, exact
from xai_course.lines import line
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.training import mlp, train_classifier

DEPTHS = (1, 2, 3, 4)
WIDTH = 20
NETWORKS = 8  # for each data set and depth
ROWS = 60  # test rows for each network
SAME = 1e-9  # relative: the rest is rounding
SETTINGS = {"epochs": 40, "batch_size": 32, "learning_rate": 3e-3, "patience": 10}


def table() -> dict[str, Any]:
    """Measure the errors relative to exact integrated gradients, by data set and depth."""
    return {
        name: {
            f"{depth} hidden layers": over_seeds(
                [_measure(name, depth, seed) for seed in range(NETWORKS)]
            )
            for depth in DEPTHS
        }
        for name in ("breast_cancer", "home_lending", "co_circles")
    }


def _draw(name: str, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return standardised training rows, labels and test rows of one draw."""
    if name == "breast_cancer":  # there is one data set, so the split is drawn
        X, X_test, y, _ = data.load(name).split(seed)
    else:
        X, X_test, y, _ = getattr(data, name)(2000, seed=seed).split(seed)
    mean, scale = X.mean(axis=0), X.std(axis=0)
    return (X - mean) / scale, y, ((X_test - mean) / scale)[:ROWS]


def _measure(name: str, depth: int, seed: int) -> dict[str, float]:
    """Train one network and compare two answers with the exact one on its test rows."""
    X, y, rows = _draw(name, seed)
    start = mlp((X.shape[1], *[WIDTH] * depth, 2), seed=seed)
    module = train_classifier(start, X, y, seed=seed, device="cpu", **SETTINGS).module.double()
    network = PiecewiseLinearNetwork.from_torch(module)
    truth = exact.integrated_gradients(network, rows, 0.0, 1)
    rescale = _rescale(module, rows)
    error, local = _error(rescale, truth), _error(exact.contributions(network, rows, 0.0, 1), truth)
    layers = np.array([_layers_that_switch(network, row) for row in rows])
    # What the chapter proves: kinks in one hidden layer at the most, and the two are one.
    if (error[layers <= 1] > SAME).any():
        raise AssertionError(f"{name}, depth {depth}, seed {seed}: the two should coincide.")
    tops = np.abs(rescale).argmax(axis=1) == np.abs(truth).argmax(axis=1)
    return {
        "rescale": float(np.median(error)),
        "rescale, 95 % quantile": float(np.quantile(error, 0.95)),
        "local model": float(np.median(local)),
        "local minus rescale": float(np.median(local) - np.median(error)),
        "coincide": float(np.mean(error <= SAME)),
        "one layer switches": float(np.mean(layers <= 1)),
        "same top feature": float(np.mean(tops)),
    }


def _rescale(module: torch.nn.Module, rows: np.ndarray) -> np.ndarray:
    """Return captum's DeepLIFT against a baseline of zeros."""
    inputs = torch.tensor(rows)
    with warnings.catch_warnings():  # captum tells that it sets hooks
        warnings.simplefilter("ignore", UserWarning)
        found = DeepLift(module).attribute(inputs, torch.zeros_like(inputs), target=1)
    return found.detach().numpy()


def _error(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the length of each row's error, relative to the length of the truth."""
    return np.linalg.norm(found - truth, axis=1) / np.linalg.norm(truth, axis=1)


def _layers_that_switch(network: PiecewiseLinearNetwork, row: np.ndarray) -> int:
    """Count the hidden layers in which a neuron changes side between zero and the row."""
    pattern = network.activation_pattern(line(network, np.zeros_like(row), row).middles)
    switches = (pattern != pattern[0]).any(axis=0)
    layers = np.split(switches, np.cumsum(network.hidden_sizes)[:-1])
    return sum(bool(layer.any()) for layer in layers)
