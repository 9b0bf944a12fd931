"""The moment map: a small network that reads one hidden unit and writes its moments.

Explained in the chapter *interpretation-networks*.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn

from xai_course._storage import sha256
from xai_course.inet.lambda_nets import LambdaNets, binary_unit
from xai_course.inet.moments import affine_moments, bent_on_cube, series_moments, weighted
from xai_course.polynomials import chunks, monomial_exponents, monomial_factors, monomial_indices
from xai_course.training import Settings, Step, train

__all__ = ["MomentMap", "scaled_units", "train_moment_map"]

_PAUSE = 60.0  # seconds between two checkpoints


class MomentMap(nn.Module):
    """Reads one hidden unit, writes its moments.

    The unit is scaled to weights of length 1 and flipped so that ``z = w x + b`` is positive at
    the centre of the cube. As ``relu(z) = z / 2 + |z| / 2`` and the first part is affine, only the
    moments of ``|z| / 2`` are learned, which the flip does not change.

    Two things are known and built in. Reflecting x_j changes the sign of w_j, and of a moment of
    odd degree in x_j; and a variable without weight has no moment. So the moment of the basis
    function with degrees a_j is the product of w_j^a_j times a function of the squares of the
    weights. That function is smooth, and a perceptron learns it.
    """

    def __init__(self, n_variables: int, degree: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.n_variables, self.degree, self.hidden = n_variables, degree, tuple(hidden)
        exponents = monomial_exponents(n_variables, degree)
        factors = torch.as_tensor(monomial_factors(exponents))
        self.register_buffer("factors", factors, persistent=False)
        layers: list[nn.Module] = []
        for first, second in pairwise((n_variables + 1, *hidden, len(exponents))):
            layers += [nn.Linear(first, second, dtype=torch.float32), nn.GELU()]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, directions: torch.Tensor, centres: torch.Tensor) -> torch.Tensor:
        """Map weights of length 1, shape (k, n), and values at the centre, shape (k, 1)."""
        # Scaled to a spread of about one each.
        squares = self.n_variables * directions.square()
        found = self.layers(torch.cat([squares, math.sqrt(12) * centres], dim=1))
        extended = torch.cat([directions, torch.ones_like(centres)], dim=1)
        for column in self.factors.T:
            found = found * extended.index_select(1, column)  # faster than extended[:, column]
        return found

    def moments(
        self, weights: np.ndarray, biases: np.ndarray, amplitudes: np.ndarray
    ) -> np.ndarray:
        """Return the sums of moments over the units of each network: see `BentMoments`."""
        found = affine_moments(*weighted(weights, biases, amplitudes / 2), self.degree)
        kept = amplitudes != 0
        owner, device = np.nonzero(kept)[0], next(self.parameters()).device
        *units, length = scaled_units(weights[kept], biases[kept])
        heights = (amplitudes[kept] * length)[:, None]
        for part in chunks(len(owner), 16 * found.shape[1]):
            with torch.inference_mode():
                read = self(*(torch.as_tensor(u[part], device=device) for u in units))
            nets, starts = np.unique(owner[part], return_index=True)
            found[nets] += np.add.reduceat(heights[part] * read.cpu().numpy(), starts, axis=0)
        return found


def scaled_units(
    weights: np.ndarray, biases: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what the map reads, as float32: directions (k, n), centres (k, 1); and lengths (k,).

    The value of ``z`` at the centre of the cube is divided by the length of the weights, and both
    change their sign where it is negative.
    """
    length = np.sqrt((weights**2).sum(axis=1))
    centre = biases + weights.sum(axis=1) / 2
    scale = (np.where(centre < 0, -1.0, 1.0) / length)[:, None]
    directions, centres = weights * scale, centre[:, None] * scale
    return directions.astype(np.float32), centres.astype(np.float32), length


def train_moment_map(
    lambda_nets: LambdaNets,
    degree: int,
    hidden: Sequence[int],
    n_nets: int,
    plan: Settings,
    *,
    device: str,
    **running: Any,
) -> tuple[MomentMap, dict[str, Any]]:
    """Learn the map from networks whose moments are known; `running` is handed on to `train`.

    A step, on `n_nets` networks, is an epoch of the loop. All its randomness comes from the seed
    and its number. The loss is the mean squared error of whole networks' projections, plus that of
    their units.
    """
    pool = _Pool(lambda_nets, degree)
    with torch.random.fork_rng([]):
        torch.manual_seed(plan.seed)
        module = MomentMap(lambda_nets.n_variables, degree, hidden)

    def loss(module: MomentMap, _: np.ndarray, step: Step) -> torch.Tensor:
        rng = np.random.default_rng([plan.seed, round(step.done)])
        batch = (torch.as_tensor(values, device=device) for values in pool.batch(rng, n_nets))
        directions, centres, targets, amplitude, owner = batch
        error = (module(directions, centres) - targets) * amplitude[:, None]
        sums = error.new_zeros(n_nets, error.shape[1]).index_add_(0, owner, error)
        return (sums.square().sum() + error.square().sum()) / n_nets

    identity = {
        "shape": [lambda_nets.n_variables, degree, *hidden],
        "n_nets": n_nets,
        "lambda_nets": sha256({"parameters": lambda_nets.parameters()}),
    }
    running |= {"device": device, "identity": identity, "pause": _PAUSE}
    started = time.perf_counter()
    module, log = train(module, loss, 1, plan, **running)
    every = max(1, plan.epochs // 50)
    ends = list(range(every, plan.epochs + 1, every))
    losses = [float(np.mean(log["train_loss"][end - every + 1 : end + 1])) for end in ends]
    seconds = round(time.perf_counter() - started, 1)
    return module, {"step": ends, "loss": losses, "seconds": seconds}


class _Pool:
    """Units of the training networks that bend inside the cube, with their true moments."""

    def __init__(self, lambda_nets: LambdaNets, degree: int) -> None:
        kept = bent_on_cube(lambda_nets.hidden_weights, lambda_nets.hidden_biases)
        if not kept.any():
            raise ValueError("No hidden unit of these networks bends inside the unit cube.")
        weights, biases = lambda_nets.hidden_weights[kept], lambda_nets.hidden_biases[kept]
        self.directions, self.centres, length = scaled_units(weights, biases)
        amplitude = lambda_nets.output_weights[kept] * length
        # Adam adds an absolute number to its divisor, so the outputs get a unit of their own.
        self.amplitude = (amplitude / binary_unit(amplitude)).astype(np.float32)
        # Entry i says which rows of the arrays are units of network i.
        self.rows = np.split(np.arange(len(weights)), kept.sum(axis=1).cumsum()[:-1])
        self.exponents, self.degree = monomial_exponents(lambda_nets.n_variables, degree), degree
        self.targets = np.empty((len(weights), len(self.exponents)), dtype=np.float32)
        for part in chunks(len(weights), len(self.exponents)):
            odd = affine_moments(weights[part], biases[part], degree) / 2
            units = weights[part, None], biases[part, None], np.ones_like(biases[part, None])
            even = series_moments(degree, None, *units) - odd
            self.targets[part] = even / length[part, None]

    def batch(self, rng: np.random.Generator, size: int) -> tuple[np.ndarray, ...]:
        """Return directions, centres, targets, amplitudes and the network of each unit."""
        rows = [self.rows[net] for net in rng.integers(0, len(self.rows), size)]
        owner = np.repeat(np.arange(size), list(map(len, rows)))
        rows = np.concatenate(rows)
        order = rng.permutation(self.exponents.shape[1])
        # New variable j is old variable order[j]; a function's old degrees are put back in place.
        source = monomial_indices(self.exponents[:, np.argsort(order)], self.degree)
        directions = self.directions[rows][:, order]
        targets = self.targets[rows][:, source]
        return directions, self.centres[rows], targets, self.amplitude[rows], owner
