"""Train lambda-nets in one of three ways, and report seconds and test errors.

The plain loop is what a careful reader would write: a `torch.nn` module, Adam, batches cut from
rows that are shuffled once an epoch, early stopping with the best weights kept.
"""

from __future__ import annotations

import copy
import math
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import _probe
import numpy as np
import torch
from torch import nn

from xai_course.inet import train_lambda_nets
from xai_course.inet.population import RECIPES
from xai_course.polynomials import SparsePolynomial, sample_polynomials

N_TRAIN, N_VALID, N_TEST = 2813, 937, 1250


def draw(g: SparsePolynomial, seed: list[int]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return rows and targets for training, validation and testing."""
    X = np.random.default_rng(seed).random((N_TRAIN + N_VALID + N_TEST, g.n_variables))
    rows, targets = torch.tensor(X, dtype=torch.float32), torch.tensor(g(X), dtype=torch.float32)
    sizes = (N_TRAIN, N_VALID, N_TEST)
    return list(zip(rows.split(sizes), targets.split(sizes), strict=True))


def plain(g: SparsePolynomial, seed: list[int]) -> tuple[float, int]:
    """Train one network with the paper's recipe; return its test error and its epochs."""
    torch.manual_seed(seed[-1])
    recipe, width = RECIPES["paper"], 5 * len(g)
    (X, y), (X_valid, y_valid), (X_test, y_test) = draw(g, seed)
    module = nn.Sequential(nn.Linear(g.n_variables, width), nn.ReLU(), nn.Linear(width, 1))
    for layer in (module[0], module[2]):
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)
    loss, optimizer = nn.L1Loss(), torch.optim.Adam(module.parameters(), recipe.learning_rate)
    least, waited, best = math.inf, 0, module.state_dict()
    for epoch in range(recipe.epochs):  # noqa: B007
        order = torch.randperm(N_TRAIN)
        rows, targets = X[order], y[order]
        for first in range(0, N_TRAIN, recipe.batch_size):
            batch = slice(first, first + recipe.batch_size)
            optimizer.zero_grad()
            loss(module(rows[batch])[:, 0], targets[batch]).backward()
            optimizer.step()
        with torch.no_grad():
            error = float(loss(module(X_valid)[:, 0], y_valid))
        waited += 1
        if error < least - recipe.min_delta:
            least, waited, best = error, 0, copy.deepcopy(module.state_dict())
        if waited == recipe.patience:
            break
    module.load_state_dict(best)
    with torch.no_grad():
        return float(loss(module(X_test)[:, 0], y_test)), epoch + 1


def sklearn(g: SparsePolynomial, seed: list[int]) -> tuple[float, int]:
    """Train one `MLPRegressor`, which knows the squared loss only, with the same settings."""
    from sklearn.neural_network import MLPRegressor

    recipe = RECIPES["paper"]
    (X, y), (X_valid, y_valid), (X_test, y_test) = draw(g, seed)
    network = MLPRegressor(
        hidden_layer_sizes=(5 * len(g),), batch_size=recipe.batch_size,
        learning_rate_init=recipe.learning_rate,
        max_iter=recipe.epochs, early_stopping=True, n_iter_no_change=recipe.patience, tol=0,
        validation_fraction=N_VALID / (N_TRAIN + N_VALID), random_state=seed[-1],
    )  # fmt: skip
    network.fit(torch.cat([X, X_valid]).numpy(), torch.cat([y, y_valid]).numpy())
    error = np.abs(network.predict(X_test.numpy()) - y_test.numpy()).mean()
    return float(error), network.n_iter_


def stacked(
    polynomials: list[SparsePolynomial], seed: int, n_jobs: int
) -> tuple[np.ndarray, np.ndarray]:
    """Train all networks with the library; return their test errors and epochs."""
    nets = train_lambda_nets(polynomials, seed=seed, n_jobs=n_jobs, progress=False)
    if n_jobs > 1:
        from joblib.externals.loky import get_reusable_executor

        get_reusable_executor().shutdown(wait=True)  # so that their seconds count
    return nets.test_error, nets.epochs


def one_by_one(way: Callable, polynomials: list[SparsePolynomial], seed: int) -> Any:
    """Train network after network."""
    return zip(*(way(g, [seed, k]) for k, g in enumerate(polynomials)), strict=True)


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def main(n_variables: int, way: str, turn: int, n_nets: int, n_jobs: int) -> None:
    """Train networks; in a turn all ways begin with the same polynomials."""
    torch.set_num_threads(1)
    polynomials = sample_polynomials(n_nets, n_variables, seed=turn)
    train_lambda_nets(polynomials[:2], progress=False)  # loads what is loaded late
    cpu, wall = cpu_seconds(), time.perf_counter()
    if way == "stacked":
        errors, epochs = stacked(polynomials, turn, n_jobs)
    else:
        errors, epochs = one_by_one(WAYS[way], polynomials, turn)
    cpu, wall = cpu_seconds() - cpu, time.perf_counter() - wall
    errors = [round(float(error), 6) for error in errors]
    _probe.report({"cpu": cpu, "wall": wall, "errors": errors, "epochs": float(np.mean(epochs))})


WAYS = {"plain": plain, "sklearn": sklearn}

if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:]))
