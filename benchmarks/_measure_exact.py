"""Answer one question in one way, once, and report CPU seconds and the error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import _probe
import numpy as np
import torch
from torch import nn

from xai_course import data, exact
from xai_course.book import train_model
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.training import mlp, train_classifier

# Answers, one per row, and the seconds of each row or of all of them together.
Answer = tuple[np.ndarray, list[float]]


def timed(work: Callable[[], np.ndarray]) -> Answer:
    """Return what the work gives and its CPU seconds."""
    start = time.process_time()
    found = work()
    return found, [time.process_time() - start]


def dense(*sizes: int) -> nn.Sequential:
    """Return a network of torch's random weights."""
    return mlp(sizes, seed=0).double().eval()


def convolutional(dtype: torch.dtype) -> nn.Sequential:
    """Return a ReLU network with max pooling of LeNet-5's size, with random weights."""
    torch.manual_seed(0)
    layers = (
        *(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU()),
        nn.Linear(84, 10),
    )
    return nn.Sequential(*layers).to(dtype).eval()


class Residual(nn.Module):
    """Eight convolutions of eight maps, three blocks with sums."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.norm = nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.inner = nn.ModuleList(nn.Conv2d(8, 8, 3, padding=1) for _ in range(6))
        self.last, self.out = nn.Conv2d(8, 8, 3, stride=2, padding=1), nn.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.first(x)))
        for one, two in zip(self.inner[::2], self.inner[1::2], strict=True):
            x = torch.relu(x + two(torch.relu(one(x))))
        return self.out(torch.relu(self.last(x)).mean(dim=(2, 3)))


def integrated(module: nn.Module, X: np.ndarray, way: str) -> Answer:
    """Return how far the attributions of each row are from adding up, relative to the largest."""
    dtype = next(module.parameters()).dtype
    inputs = torch.tensor(X, dtype=dtype)

    def sampled() -> np.ndarray:
        from captum.attr import IntegratedGradients

        n_steps = int(way.split()[1])
        how = {"n_steps": n_steps, "internal_batch_size": 2**9, "method": "gausslegendre"}
        if n_steps > 1000:  # the nodes of so many steps take longer than the gradients
            how["method"] = "riemann_middle"
        return IntegratedGradients(module).attribute(inputs, target=0, **how).detach().numpy()

    def ours() -> np.ndarray:
        is_dense = X.ndim == 2
        model = PiecewiseLinearNetwork.from_torch(module) if is_dense else module
        return exact.integrated_gradients(model, X, 0.0, 0)

    found, seconds = timed(ours if way == "exact" else sampled)
    with torch.no_grad():
        change = (module(inputs) - module(torch.zeros_like(inputs)))[:, 0].double().numpy()
    flat = found.reshape(len(X), -1).astype(float)
    return np.abs(flat.sum(axis=1) - change) / np.abs(flat).max(axis=1), seconds


def shapley(size: int, way: str) -> Answer:
    """Return the largest difference between the two ways for each row."""
    network = PiecewiseLinearNetwork.from_torch(dense(8, 40, 40, 1))
    X, background = np.random.default_rng(0).normal(size=(2, 100, 8))

    def theirs(rows: int = size) -> np.ndarray:
        import shap

        masker = shap.maskers.Independent(background, max_samples=100)
        explainer = shap.explainers.Exact(lambda Z: network.forward(Z)[:, 0], masker)
        return explainer(X[:rows], silent=True).values

    ours, seconds = timed(lambda: exact.shapley(network, X[:size], background).values)
    if way == "exact":
        few = min(size, 10)
        return np.abs(ours - theirs())[:few].max(axis=1), seconds
    if way.endswith("second call"):  # the first one compiles
        theirs(2)
    found, seconds = timed(theirs)
    return np.abs(ours - found).max(axis=1), seconds


def counterfactuals(network: PiecewiseLinearNetwork, X: np.ndarray, norm: float) -> Answer:
    """Return for each row 0 if the answer is certified, else 1, and its CPU seconds."""
    failed, seconds = [], []
    # The limit of the function is one of the clock, which counts what else the machine does.
    how = {"norm": norm, "time_limit": 200.0}
    for x in X:
        answer, (took,) = timed(lambda x=x: exact.nearest_counterfactual(network, x, **how))
        failed.append(0.0 if answer.certified else 1.0)
        seconds.append(took)
    return np.array(failed), seconds


def rings(size: int) -> Answer:
    """Return the answers for points of two rings."""
    drawn = data.co_circles()
    X, X_test, y, _ = drawn.split()
    module = train_classifier(mlp((2, 32, 32, 1), seed=0), X, y, seed=0, epochs=60).module
    return counterfactuals(PiecewiseLinearNetwork.from_torch(module), X_test[:size], 2)


def main(work: str, way: str, size: str) -> None:
    """Do one work in one way."""
    rng, n = np.random.default_rng(0), int(size)
    torch.set_num_threads(1)
    if work.startswith("convolutional"):
        dtype = torch.float32 if work.endswith("32") else torch.float64
        error, seconds = integrated(convolutional(dtype), rng.uniform(size=(1, 1, 28, 28)), way)
    elif work == "residual":
        error, seconds = integrated(
            Residual().double().eval(), rng.uniform(size=(1, 1, 28, 28)), way
        )
    elif work == "rows":
        error, seconds = integrated(dense(30, 40, 40, 40, 40, 1), rng.normal(size=(n, 30)), way)
    elif work == "shapley":
        error, seconds = shapley(n, way)
    elif work.startswith("counterfactual-rings"):
        error, seconds = rings(n)
    else:
        _, width, norm = work.split("-")
        model = train_model("breast_cancer", hidden_sizes=(int(width), int(width)))
        _, X, _, _ = data.load("breast_cancer").split()
        error, seconds = counterfactuals(model.network, model.standardize(X)[:n], float(norm))
    is_share = work.startswith("counterfactual")
    _probe.report(
        {
            "seconds": float(np.median(seconds)),
            "longest": float(np.max(seconds)),
            "error": float(error.mean() if is_share else error.max()),
            "peak_mb": _probe.memory(peak=True),
        }
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
