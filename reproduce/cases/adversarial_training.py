"""Whether adversarial training makes saliency maps clearer and more accurate.

Stated before the run. Four trainings start from the same weights and see the same rows: ordinary;
with adversarial examples (projected gradient, five steps, 0.1 of the range of a pixel); and, as
controls, with random signs of the same size, and ordinary training over 1, 2, 4 or 8 epochs, the
first that is as accurate as the adversarial one on garments of neither part. A map is the gradient
of the leading logit minus the second, at test garments that all four decide rightly. Three
measures:

- *alignment*: the absolute cosine of picture and map, after Etmann et al. (2019). It says whether
  the map looks like the picture, and asks nothing of the network.
- *covering*: the rank correlation, over 16 blocks, of map times picture with what really happens to
  the same network's lead when the block is covered with black. Control: the picture's own ink.
- *true half*: two garments side by side, of which only the left decides the label; the share of the
  map's absolute values on the left. A map that follows ink gets one half.

Every draw takes other rows and other first weights; standard errors are over draws.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from replicates import Replicates
from results import difference
from torch import nn

from xai_course import data, exact, metrics
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.training import Settings, Step, TrainedClassifier, mlp, train

DRAWS, ROWS, GARMENTS = 8, 3000, 100
BUDGET, STEP, STEPS = 0.1, 0.04, 5
WAYS = ("ordinary", "stopped early", "random signs", "adversarial")
SETTINGS = {"batch_size": 64, "learning_rate": 1e-3, "patience": None}


def table() -> dict[str, Any]:
    """Return each measure for each training, and pairwise differences from ordinary training."""
    kept = Replicates("cases_adversarial_training", [Path(__file__)])
    found: dict[str, Any] = {"draws": DRAWS, "budget": BUDGET}
    for kind in ("dense", "convolutional", "two halves"):
        draws = [kept.run(f"{kind} {i}", lambda k=kind, i=i: _draw(k, i)) for i in range(DRAWS)]
        found[kind] = _summary(draws)
    kept.clear()
    return found


def _summary(draws: list[dict[str, dict[str, float]]]) -> dict[str, Any]:
    lines = {
        way: {m: difference([draw[way][m] for draw in draws]) for m in measures}
        for way, measures in draws[0].items()
    }
    for way in WAYS[1:]:
        pairs = {
            m: difference([draw[way][m] - draw[WAYS[0]][m] for draw in draws])
            for m in draws[0][way]
        }
        lines[f"{way} - {WAYS[0]}"] = pairs
    return lines


def _draw(kind: str, draw: int) -> dict[str, dict[str, float]]:
    X, test, y, wanted = data.load("fashion_mnist").split()
    rng = np.random.default_rng([draw, 14])
    rows = rng.choice(len(X), ROWS, replace=False)
    others = np.setdiff1d(np.arange(len(X)), rows)[:1000]
    X, y, others, y_others = X[rows], y[rows], X[others], y[others]
    if kind == "two halves":
        X, others, test = beside(X, rng), beside(others, rng), beside(test, rng)
        start: nn.Module = mlp([392, 128, 32, 10], seed=draw)
    elif kind == "dense":
        start = mlp([784, 128, 32, 10], seed=draw)
    else:
        start = small_convolutions(draw)
    modules = {way: trained(start, X, y, way, draw) for way in WAYS if way != "stopped early"}
    aim = accuracy(modules["adversarial"], others, y_others)
    for epochs in (1, 2, 4, 8):
        modules["stopped early"] = trained(start, X, y, "ordinary", draw, epochs)
        if accuracy(modules["stopped early"], others, y_others) >= aim:
            break
    modules = {way: modules[way].eval() for way in WAYS}
    predictions = {way: TrainedClassifier(m, {}).predict(test) for way, m in modules.items()}
    right = np.all([p == wanted for p in predictions.values()], axis=0)
    pictures = test[rng.permutation(np.flatnonzero(right))[:GARMENTS]]
    found = {}
    for way, module in modules.items():
        attacked = attack(module, test[:500], wanted[:500], 10, 0.025, rng)
        found[way] = {
            "accuracy": float((predictions[way] == wanted).mean()),
            "accuracy under attack": accuracy(module, attacked, wanted[:500]),
            **measures(kind, module, pictures),
        }
    if kind != "two halves":
        ordinary = modules["ordinary"]
        noise = rng.normal(0, 0.2, (50, *pictures.shape))
        smooth = np.mean([gradient(ordinary, pictures + part) for part in noise], axis=0)
        found["ordinary, SmoothGrad"] = {
            "alignment": alignment(pictures, smooth),
            **covering(ordinary, pictures, smooth),
        }
    return found


def small_convolutions(seed: int) -> nn.Module:
    """Return a small network of strided convolutions for 28 by 28 pixels."""
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Unflatten(1, (1, 28, 28)),
            nn.Conv2d(1, 12, 5, stride=3),
            nn.ReLU(),
            nn.Conv2d(12, 24, 3, stride=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(216, 10),
        )


def beside(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return small garments with another one, drawn at random, to the right of each."""
    small = X.reshape(-1, 14, 2, 14, 2).mean((2, 4))
    return np.concatenate([small, small[rng.permutation(len(X))]], axis=2).reshape(len(X), -1)


# Training


def trained(
    start: nn.Module, X: np.ndarray, y: np.ndarray, way: str, seed: int, epochs: int = 15
) -> nn.Module:
    """Train a copy; each batch is first moved as `way` says."""
    inputs, labels = torch.as_tensor(X, dtype=torch.float32), torch.as_tensor(y)

    def loss(module: nn.Module, rows: np.ndarray, step: Step) -> torch.Tensor:
        batch, wanted = inputs[rows], labels[rows]
        if way == "random signs":
            signs = torch.as_tensor(step.rng.choice([-1.0, 1.0], batch.shape))
            batch = (batch + BUDGET * signs.float()).clamp(0, 1)
        elif way == "adversarial":
            batch = _attack(module, batch, wanted, STEPS, STEP, step.rng)
        return nn.functional.cross_entropy(module(batch), wanted)

    settings = Settings(epochs=epochs, seed=seed, **SETTINGS)
    return train(start, loss, len(X), settings, device="cpu")[0]


def _attack(
    module: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    n_steps: int,
    step: float,
    rng: np.random.Generator,
) -> torch.Tensor:
    """Madry et al. (2018): a random start in the ball, then signed steps, each projected."""
    low, high = (x - BUDGET).clamp(0, 1), (x + BUDGET).clamp(0, 1)
    z = x + torch.as_tensor(rng.uniform(-BUDGET, BUDGET, x.shape), dtype=torch.float32)
    z = torch.minimum(torch.maximum(z, low), high)
    for _ in range(n_steps):
        z.requires_grad_()
        (slope,) = torch.autograd.grad(nn.functional.cross_entropy(module(z), y), z)
        z = torch.minimum(torch.maximum(z.detach() + step * slope.sign(), low), high)
    return z


def attack(
    module: nn.Module,
    X: np.ndarray,
    y: np.ndarray,
    n_steps: int,
    step: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return attacked rows."""
    x = torch.as_tensor(X, dtype=torch.float32)
    return _attack(module, x, torch.as_tensor(y), n_steps, step, rng).double().numpy()


# Measures


def accuracy(module: nn.Module, X: np.ndarray, y: np.ndarray) -> float:
    """Return the share of right decisions."""
    return float((TrainedClassifier(module, {}).predict(X) == y).mean())


def lead(module: nn.Module, x: torch.Tensor, decided: torch.Tensor, second: torch.Tensor) -> Any:
    """Return by how much one class's logit leads another's, for each row."""
    logits = module(x)
    return (logits.gather(1, decided[:, None]) - logits.gather(1, second[:, None]))[:, 0]


def two_best(module: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the two classes with the largest logits, for each row."""
    with torch.no_grad():
        best = module(x).topk(2, dim=1).indices
    return best[:, 0], best[:, 1]


def gradient(module: nn.Module, X: np.ndarray) -> np.ndarray:
    """Return the gradient of the lead at each row."""
    x = torch.tensor(X, dtype=torch.float32, requires_grad=True)
    return torch.autograd.grad(lead(module, x, *two_best(module, x)).sum(), x)[0].double().numpy()


def measures(kind: str, module: nn.Module, X: np.ndarray) -> dict[str, float]:
    """Return the measures of the gradient of one network at some garments."""
    g = gradient(module, X)
    if kind == "two halves":
        there = np.abs(g[g.any(1)])  # a few maps are zero throughout, and have no share
        on_left = there.reshape(-1, 14, 28)[:, :, :14].sum((1, 2)) / there.sum(1)
        return {"true half": float(on_left.mean())}
    found = {"alignment": alignment(X, g), **covering(module, X, g)}
    if kind == "dense":
        network = PiecewiseLinearNetwork.from_torch(module)
        found["radius"] = float(np.median(exact.gradient_radius(network, X)))
    return found


def alignment(X: np.ndarray, g: np.ndarray) -> float:
    """Return the mean absolute cosine of picture and map."""
    dot = np.abs((X * g).sum(1))
    return float((dot / np.linalg.norm(X, axis=1) / np.linalg.norm(g, axis=1)).mean())


def covering(module: nn.Module, X: np.ndarray, g: np.ndarray) -> dict[str, float]:
    """Return how map times picture, and the ink alone, rank 16 blocks as covering them does."""
    block = np.kron(np.arange(16).reshape(4, 4), np.ones((7, 7), int)).ravel()

    def rank(values: np.ndarray) -> float:
        sums = np.stack([values[:, block == b].sum(1) for b in range(16)], axis=1)
        return float(metrics.rank_correlation(sums[some], true[some]).mean())

    x = torch.as_tensor(X, dtype=torch.float32)
    classes = two_best(module, x)
    with torch.no_grad():
        before = lead(module, x, *classes)
        falls = [
            before - lead(module, x * torch.as_tensor(block != b), *classes) for b in range(16)
        ]
    true = torch.stack(falls, dim=1).double().numpy()
    some = true.std(1) > 0
    return {"covering": rank(X * g), "covering, ink": rank(X)}
