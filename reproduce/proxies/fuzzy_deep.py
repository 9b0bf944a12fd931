"""RBF networks of one and of two layers, and a perceptron with as many weights.

Ten replicates for each of two data sets: another split, other first weights. A quarter of the
training rows chooses between two step sizes and is not trained on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from replicates import Replicates
from results import difference, over_seeds
from sklearn.cluster import KMeans
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from torch import nn

from xai_course import data

N_REPLICATES, N_STEPS, STEPS = 10, 1000, (0.01, 0.03)
SIZES = {"houses": (15, (10, 5)), "waves": (37, (12, 8))}  # 151 and 149 weights
ONE, TWO, GREEDY, MLP = "one layer", "two layers", "two layers, one by one", "perceptron"
PAIRS = {"two - one": (TWO, ONE), "greedy - two": (GREEDY, TWO), "two - mlp": (TWO, MLP)}


class Radial(nn.Module):
    """Units ``2 ** -(|x - c| / w) ** 2`` with centres at clusters of the rows."""

    def __init__(self, X: torch.Tensor, n_units: int, seed: int) -> None:
        super().__init__()
        found = KMeans(n_units, n_init=1, random_state=seed).fit(X.numpy())
        self.centers = nn.Parameter(torch.tensor(found.cluster_centers_, dtype=X.dtype))
        apart = torch.cdist(self.centers.data, self.centers.data).sort(dim=1).values[:, 1]
        self.logs = nn.Parameter((apart + 1e-3).log())

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        """Return the units' outputs, (n_rows, n_units)."""
        squares = (X[:, None] - self.centers).square().sum(dim=2)
        return torch.exp(-np.log(2) * squares * torch.exp(-2 * self.logs))


def trained(
    model: nn.Module, X: torch.Tensor, y: torch.Tensor, step: float, n_steps: int
) -> nn.Module:
    """Return the model after Adam on all rows, with a step that falls to zero."""
    free = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(free, lr=step)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_steps)
    for _ in range(n_steps):
        optimizer.zero_grad()
        (model(X)[:, 0] - y).square().mean().backward()
        optimizer.step()
        schedule.step()
    return model


def make(
    kind: str, sizes: Any, X: torch.Tensor, y: torch.Tensor, step: float, seed: int
) -> nn.Module:
    """Return a trained model of one kind."""
    torch.manual_seed(seed)
    n_units, (first, second) = sizes
    if kind == ONE:
        model = nn.Sequential(Radial(X, n_units, seed), nn.Linear(n_units, 1))
    elif kind == MLP:
        layers = nn.Linear(X.shape[1], first), nn.Tanh(), nn.Linear(first, second), nn.Tanh()
        model = nn.Sequential(*layers, nn.Linear(second, 1))
    else:
        below, steps = Radial(X, first, seed), N_STEPS
        if kind == GREEDY:
            steps = N_STEPS // 2
            trained(nn.Sequential(below, nn.Linear(first, 1)), X, y, step, steps)
            below.requires_grad_(False)
        with torch.no_grad():
            above = Radial(below(X), second, seed)
        model = nn.Sequential(below, above, nn.Linear(second, 1))
        return trained(model, X, y, step, steps)
    return trained(model, X, y, step, N_STEPS)


def rows_of(name: str, seed: int) -> tuple[np.ndarray, ...]:
    """Return training rows, test rows and targets of one draw."""
    if name == "houses":
        return data.load("california_housing").split(seed)
    rng = np.random.default_rng(seed)
    X = rng.uniform(-10, 10, (3000, 2))  # the target of Jang's first example, with noise
    y = np.sinc(X / np.pi).prod(axis=1)
    return X[:1600], X[1600:], y[:1600] + rng.normal(0, 0.02, 1600), y[1600:]


def measure(name: str, seed: int) -> dict[str, float]:
    """Return R² on test rows of one replicate, by model."""
    X, X_test, y, y_test = rows_of(name, seed)
    mean, scale, middle, size = X.mean(axis=0), X.std(axis=0), y.mean(), y.std()
    X, X_test, y = (X - mean) / scale, (X_test - mean) / scale, (y - middle) / size
    rows, test, target = (torch.tensor(part, dtype=torch.float32) for part in (X, X_test, y))
    n, found = len(X) * 3 // 4, {}
    for kind in (ONE, TWO, GREEDY, MLP):
        models = [make(kind, SIZES[name], rows[:n], target[:n], step, seed) for step in STEPS]
        with torch.no_grad():
            best = min(
                models, key=lambda m: (m(rows[n:])[:, 0] - target[n:]).square().mean().item()
            )
            found[kind] = r2_score((y_test - middle) / size, best(test)[:, 0].numpy())
    found["linear"] = LinearRegression().fit(X[:n], y[:n]).score(X_test, (y_test - middle) / size)
    return found


def table() -> dict[str, Any]:
    """Return R² with its spread, and pairwise differences. A stopped run goes on where it was."""
    kept, found = Replicates("proxies_fuzzy_deep", [Path(__file__)]), {}
    for name in SIZES:
        runs = [
            kept.run(f"{name} {s}", lambda n=name, s=s: measure(n, s)) for s in range(N_REPLICATES)
        ]
        pairs = {k: difference([run[a] - run[b] for run in runs]) for k, (a, b) in PAIRS.items()}
        found[name] = over_seeds(runs) | {"differences": pairs}
    kept.clear()
    return {"settings": {"replicates": N_REPLICATES, "steps": N_STEPS, "sizes": SIZES}, **found}
