"""What it costs to read a network after every batch."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from sklearn.neural_network import MLPRegressor

from xai_course import inet
from xai_course.inet.baselines import GreedySwaps
from xai_course.inet.population import OnlineNets
from xai_course.polynomials import sample_polynomials

ROWS, REPEATS = 32, 200


def milliseconds(call: Callable[[], object]) -> float:
    """Return the median CPU time of one call, which other programs hardly disturb."""
    taken = []
    for _ in range(REPEATS):
        started = time.process_time()
        call()
        taken.append(1000 * (time.process_time() - started))
    return round(float(np.median(taken)), 2)


def torch_step(module: torch.nn.Module, X: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    """Return a function that takes one step of Adam on a batch."""
    inputs, targets = (torch.as_tensor(a, dtype=torch.float32) for a in (X, y))
    optimiser = torch.optim.Adam(module.parameters(), lr=2e-3)

    def step() -> None:
        optimiser.zero_grad()
        ((module(inputs)[:, 0] - targets) ** 2).mean().backward()
        optimiser.step()

    return step


def drift_cost() -> dict[str, object]:
    """Time one network of 5 inputs and 25 neurons: training, reading, asking."""
    rng = np.random.default_rng(0)
    X, y = rng.random((ROWS, 5)), rng.normal(size=ROWS)
    polynomials = sample_polynomials(1, 5, seed=0)
    net = inet.train_lambda_nets(polynomials, n_hidden=25, progress=False)
    mlp = MLPRegressor(hidden_layer_sizes=25, random_state=0).partial_fit(X, y)
    learner = OnlineNets(net)
    closed = inet.InterpretationNetwork.closed_form(5)
    learned = inet.InterpretationNetwork.from_pretrained(5)
    swaps = GreedySwaps(n_queries=512)
    module = net.to_network(0).to_torch().float()
    calls = {
        "training batch, torch": torch_step(module, X, y),
        "training batch, scikit-learn": lambda: mlp.partial_fit(X, y),
        "training batch, OnlineNets": lambda: learner.learn(X[None], y[None]),
        "moments, closed form": lambda: closed.moments(net),
        "moments, learned": lambda: learned.moments(net),
        "explanation, closed form": lambda: closed.explain(net),
        "explanation, learned": lambda: learned.explain(net),
        "greedy with swaps, 512 questions": lambda: swaps.explain(net),
    }
    for call in calls.values():
        call()  # what is made once is not timed
    return {
        "milliseconds": {name: milliseconds(call) for name, call in calls.items()},
        "settings": {"rows": ROWS, "repeats": REPEATS, "threads": torch.get_num_threads()},
    }
