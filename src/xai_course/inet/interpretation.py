"""I-Nets that read moments: from a network's weights to a sparse polynomial.

A network with one hidden layer is a sum over its hidden units. A small network, the moment map,
reads one unit and writes its mean products with the orthonormal polynomials; their sum is the
projection of the whole network, and `best_monomials` makes it sparse. The map sees weights only,
and any number of units.

It is the answer to the I-Net of Marton, Luedtke and Bartelt (2022), whose own architecture is
`xai_course.inet.softmax`. Explained in the chapter *interpretation-networks*.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as write_safetensors
from scipy.stats import qmc
from torch import nn
from tqdm import tqdm

from xai_course import _shipped
from xai_course._storage import replace_file
from xai_course._validation import check_array, check_whole
from xai_course.inet.decoder import best_monomials
from xai_course.inet.lambda_nets import LambdaNets, binary_unit, check_lambda_nets
from xai_course.inet.moments import (
    BentMoments,
    affine_moments,
    bent_on_cube,
    closed_form,
    sum_over_units,
)
from xai_course.inet.polynomials import (
    SparsePolynomial,
    evaluate_polynomials,
    monomial_exponents,
    monomial_factors,
    monomial_indices,
    monomials_in_basis,
)

__all__ = [
    "PRETRAINED",
    "Explanation",
    "InterpretationNetwork",
    "fidelity_error",
    "train_interpretation_network",
]

#: Degree and sparsity of the shipped I-Nets by number of variables (Table 1 of the paper).
PRETRAINED = {1: (5, 3), 5: (3, 5), 10: (3, 10), 15: (3, 15)}
_COMMAND = "python reproduce/inet.py train"
_CHECK_POINTS = 256
_SAVE_SECONDS = 60.0
_ROUNDING = 1e-9  # of the largest value: a smaller spread is none
_POOR = 1 / 3  # of the best constant's error: above it no sparse polynomial fits
_FORMAT = "xai-course interpretation network 1"


@dataclass(frozen=True, eq=False)
class Explanation(SparsePolynomial):
    """A sparse polynomial that knows how well it describes its network.

    The explanation itself comes from the weights alone. Its error is then measured on 256
    quasi-random points of the cube, which took no part in finding it.

    Parameters
    ----------
    coef, exponents
        See `SparsePolynomial`.
    estimated_error : float
        Mean absolute difference from the network.
    relative_error : float
        The same in units of the error of the best constant.
    """

    estimated_error: float = float("nan")
    relative_error: float = float("nan")

    @property
    def fits(self) -> bool:
        """Whether the error is at most a third of that of the best constant."""
        return self.relative_error <= _POOR

    def __str__(self) -> str:
        """Return the polynomial and its error, with a warning if it does not fit."""
        note = f"MAE about {self.estimated_error:.2g}"
        if not self.fits:
            note += (
                f", {self.relative_error:.0%} of a constant's: no polynomial of {len(self)} terms "
                "was found that describes this network"
            )
        return f"{self.to_text()}  ({note})"


def fidelity_error(
    lambda_nets: LambdaNets, polynomials: Sequence[SparsePolynomial], X: ArrayLike
) -> np.ndarray:
    """Return the mean absolute error between each network and its explanation (section 2.2).

    Parameters
    ----------
    lambda_nets : LambdaNets
        N networks.
    polynomials : sequence of N SparsePolynomial
    X : array_like, shape (n, n_variables) or (N, n, n_variables)

    Returns
    -------
    ndarray, shape (N,)
    """
    if len(polynomials) != len(lambda_nets):
        raise ValueError(
            f"There are {len(lambda_nets)} network(s) but {len(polynomials)} polynomial(s)."
        )
    difference = lambda_nets.predict(X) - evaluate_polynomials(polynomials, X)
    return np.abs(difference).mean(axis=1)


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
        self.register_buffer(
            "factors", torch.as_tensor(monomial_factors(exponents)), persistent=False
        )
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
            found = found * extended[:, column]
        return found

    def moments(self, weights: np.ndarray, biases: np.ndarray) -> np.ndarray:
        """Return the moments of units that bend inside the cube: see `BentMoments`."""
        *units, length = scaled_units(weights, biases)
        device = next(self.parameters()).device
        with torch.inference_mode():
            even = self(*(torch.as_tensor(u, device=device) for u in units)).cpu().numpy()
        return length[:, None] * even + affine_moments(weights, biases, self.degree) / 2


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
    return (
        (weights * scale).astype(np.float32),
        (centre[:, None] * scale).astype(np.float32),
        length,
    )


class InterpretationNetwork:
    """Explains networks with one hidden ReLU layer by sparse polynomials, from weights alone.

    Inputs are taken to be uniform on the unit cube; `LambdaNets.on_unit_box` brings networks with
    other inputs there. Make one with `from_pretrained`, `closed_form` or
    `train_interpretation_network`. Explained in the chapter *interpretation-networks*.

    Attributes
    ----------
    n_variables, degree, sparsity : int
        Variables, largest degree and number of terms of the polynomials.
    module : MomentMap or None
        The learned map; None for the closed form.
    log : dict
        Settings and course of the training.
    """

    def __init__(
        self,
        bent_moments: BentMoments,
        n_variables: int,
        degree: int,
        sparsity: int,
        module: MomentMap | None = None,
        log: dict[str, Any] | None = None,
    ) -> None:
        check_whole(sparsity, "sparsity", 1)
        self.n_variables, self.degree, self.sparsity = n_variables, degree, sparsity
        self.module, self.log = module, log or {}
        self._exponents = monomial_exponents(n_variables, degree)
        self._bent_moments = bent_moments

    def __repr__(self) -> str:
        """Return what it reads and writes."""
        kind = "closed form" if self.module is None else f"moment map {self.module.hidden}"
        return (
            f"InterpretationNetwork({kind}, n_variables={self.n_variables}, "
            f"degree={self.degree}, sparsity={self.sparsity})"
        )

    @classmethod
    def closed_form(
        cls,
        n_variables: int,
        degree: int = 3,
        sparsity: int | None = None,
        n_terms: int | None = None,
    ) -> InterpretationNetwork:
        """Return the I-Net whose moments are computed, not learned: see `unit_moments`."""
        sparsity = n_variables if sparsity is None else sparsity
        return cls(closed_form(degree, n_terms), n_variables, degree, sparsity)

    @classmethod
    def from_pretrained(cls, n_variables: int) -> InterpretationNetwork:
        """Load the I-Net that comes with the library for 1, 5, 10 or 15 variables.

        Raises
        ------
        ValueError
            If there is none for this number of variables.
        OSError
            If its file is missing or damaged.
        """
        if n_variables not in PRETRAINED:
            raise ValueError(
                f"There are trained I-Nets for {', '.join(map(str, PRETRAINED))} variables, not "
                f"for {n_variables!r}. InterpretationNetwork.closed_form needs no training, and "
                "train_interpretation_network makes your own."
            )
        tensors, log = _shipped.read(_shipped.FOLDER, f"inet_{n_variables}", _COMMAND)
        return cls._from_tensors({k: torch.as_tensor(v) for k, v in tensors.items()}, log)

    @classmethod
    def _from_module(
        cls, module: MomentMap, sparsity: int, log: dict[str, Any]
    ) -> InterpretationNetwork:
        module = module.eval()
        return cls(module.moments, module.n_variables, module.degree, sparsity, module, log)

    @classmethod
    def _from_tensors(
        cls, tensors: dict[str, torch.Tensor], log: dict[str, Any]
    ) -> InterpretationNetwork:
        shape = log["network"]
        module = MomentMap(shape["n_variables"], shape["degree"], shape["hidden"])
        module.load_state_dict(tensors)
        return cls._from_module(module, shape["sparsity"], log)

    def tensors(self) -> dict[str, np.ndarray]:
        """Return the weights of the moment map by name, as float32 arrays."""
        if self.module is None:
            raise ValueError("The closed form has no weights.")
        return {k: v.detach().cpu().numpy().copy() for k, v in self.module.state_dict().items()}

    def save(self, path: str | Path) -> None:
        """Write weights, settings and log into one safetensors file, in one step."""
        tensors = {k: torch.as_tensor(v) for k, v in self.tensors().items()}
        _write(Path(path), tensors, {"log": self.log})

    @classmethod
    def load(cls, path: str | Path) -> InterpretationNetwork:
        """Read what `save` wrote.

        Raises
        ------
        OSError
            If the file is missing, damaged, or no I-Net.
        """
        tensors, record = _read(Path(path))
        try:
            return cls._from_tensors(tensors, record["log"])
        except (KeyError, TypeError, RuntimeError) as error:
            raise OSError(f"{path} is no trained I-Net: {error}") from error

    @cached_property
    def _coordinates(self) -> np.ndarray:
        """All monomials in the orthonormal basis, one a row."""
        return monomials_in_basis(self.n_variables, self.degree)

    @cached_property
    def _gram(self) -> np.ndarray:
        return self._coordinates @ self._coordinates.T

    def moments(self, lambda_nets: LambdaNets) -> np.ndarray:
        """Return the projections on the orthonormal polynomials, shape (N, m).

        Raises
        ------
        ValueError
            If the networks have another number of variables.
        """
        check_lambda_nets(lambda_nets, self.n_variables)
        return sum_over_units(lambda_nets, self.degree, self._bent_moments)

    def explain(
        self,
        lambda_nets: LambdaNets,
        sparsity: int | None = None,
        X: ArrayLike | None = None,
    ) -> list[Explanation]:
        """Return one sparse polynomial for each network.

        Parameters
        ----------
        lambda_nets : LambdaNets
            Networks of any width and training; not a copy of those the I-Net was trained on.
        sparsity : int, optional
            Number of terms, if other than the I-Net's.
        X : array_like, shape (n, n_variables), optional
            Inputs on which the networks are used. They do not change the explanation; they are
            checked to lie in the cube for which it holds.

        Returns
        -------
        list of Explanation

        Raises
        ------
        ValueError
            If the number of variables differs, or an input lies outside the unit cube.
        """
        if X is not None:
            self._check_box(X)
        moments = self.moments(lambda_nets)
        correlations = moments @ self._coordinates.T
        n_terms = self.sparsity if sparsity is None else sparsity
        chosen, coef = best_monomials(self._gram, correlations, n_terms)
        pairs = zip(coef, self._exponents[chosen], strict=True)
        polynomials = [SparsePolynomial(c, e) for c, e in pairs]
        points = _check_points(self.n_variables)
        values = lambda_nets.predict(points)
        error = np.abs(values - evaluate_polynomials(polynomials, points)).mean(axis=1)
        scale = np.abs(values - np.median(values, axis=1, keepdims=True)).mean(axis=1)
        # A constant network differs from its median by rounding; an error beside it must not hide.
        scale = np.maximum(scale, _ROUNDING * np.abs(values).max(axis=1))
        relative = np.divide(error, scale, out=np.zeros_like(error), where=error > 0)
        return [
            Explanation(g.coef, g.exponents, float(e), float(r))
            for g, e, r in zip(polynomials, error, relative, strict=True)
        ]

    def _check_box(self, X: ArrayLike) -> None:
        X = check_array(X, "X", 2)
        if X.shape[1] != self.n_variables:
            raise ValueError(f"X must have {self.n_variables} column(s), got {X.shape[1]}.")
        outside = ((X < 0) | (X > 1)).any(axis=0)
        if outside.any():
            worst = int(np.flatnonzero(outside)[0])
            raise ValueError(
                f"This I-Net explains networks on the unit cube, but column {worst} of X runs "
                f"from {X[:, worst].min():.4g} to {X[:, worst].max():.4g}. Scale the inputs: "
                "LambdaNets.on_unit_box(bounds) gives the same networks on the unit cube."
            )


@lru_cache(maxsize=8)
def _check_points(n_variables: int) -> np.ndarray:
    return qmc.Sobol(n_variables, seed=2022).random(_CHECK_POINTS)


# Training


def train_interpretation_network(
    lambda_nets: LambdaNets,
    *,
    degree: int = 3,
    sparsity: int | None = None,
    hidden: Sequence[int] = (256, 256),
    steps: int = 2000,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
    seed: int = 0,
    device: str = "cpu",
    checkpoint: str | Path | None = None,
    progress: bool = True,
) -> InterpretationNetwork:
    """Learn the moment map from networks whose moments are known in closed form.

    The loss is the mean squared error of whole networks' projections, plus that of their units.
    Each batch is seen with its variables in random order, which changes weights and moments in a
    known way; so a few thousand networks are enough.

    Parameters
    ----------
    lambda_nets : LambdaNets
        Training networks.
    degree, sparsity : int
        Of the polynomials; `sparsity` is the number of variables if not given.
    hidden : sequence of int
        Widths of the hidden layers of the moment map.
    steps : int
        Steps of Adam; the learning rate falls to zero along half a cosine.
    batch_size : int
        Networks per step.
    learning_rate : float
    seed : int
    device : str
    checkpoint : path, optional
        File that is written about every minute. The same call goes on from it.
    progress : bool

    Returns
    -------
    InterpretationNetwork

    Raises
    ------
    ValueError
        If a setting is out of its range, or no unit of the networks bends inside the cube.
    OSError
        If the checkpoint is damaged, belongs to another run or cannot be written.
    """
    check_lambda_nets(lambda_nets)
    sparsity = lambda_nets.n_variables if sparsity is None else sparsity
    for name, value in (("steps", steps), ("batch_size", batch_size), ("sparsity", sparsity)):
        check_whole(value, name, 1)
    check_whole(seed, "seed", 0)
    if not 0 < learning_rate < np.inf:
        raise ValueError(f"learning_rate must be a positive number, got {learning_rate!r}.")
    pool = _Pool(lambda_nets, degree)
    shape = {
        "n_variables": lambda_nets.n_variables,
        "degree": degree,
        "sparsity": sparsity,
        "hidden": [int(width) for width in hidden],
    }
    settings = {
        "steps": steps,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "seed": seed,
        "lambda_nets": hashlib.sha256(lambda_nets.parameters().tobytes()).hexdigest(),
    }
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        module = MomentMap(lambda_nets.n_variables, degree, shape["hidden"]).to(device)
    run = _MomentTraining(module, pool, settings, {"network": shape, "settings": settings})
    log = run.train(None if checkpoint is None else Path(checkpoint), progress)
    return InterpretationNetwork._from_module(module.cpu(), sparsity, log)


class _Pool:
    """Units of the training networks that bend inside the cube, with their true moments."""

    def __init__(self, lambda_nets: LambdaNets, degree: int) -> None:
        n_nets, width, n_variables = lambda_nets.hidden_weights.shape
        weights = lambda_nets.hidden_weights.reshape(-1, n_variables)
        biases = lambda_nets.hidden_biases.ravel()
        kept = np.flatnonzero(bent_on_cube(weights, biases))
        if not len(kept):
            raise ValueError("No hidden unit of these networks bends inside the unit cube.")
        weights, biases = weights[kept], biases[kept]
        self.directions, self.centres, length = scaled_units(weights, biases)
        amplitude = lambda_nets.output_weights.ravel()[kept] * length
        # Adam adds an absolute number to its divisor, so the outputs get a unit of their own.
        self.amplitude = (amplitude / binary_unit(amplitude)).astype(np.float32)
        # Row i of `first` is where the units of network i begin.
        self.first = np.searchsorted(kept // width, np.arange(n_nets + 1))
        self.exponents, self.degree = monomial_exponents(n_variables, degree), degree
        self.targets = np.empty((len(kept), len(self.exponents)), dtype=np.float32)
        exact = closed_form(degree)
        for start in range(0, len(kept), 4096):
            part = slice(start, start + 4096)
            odd = affine_moments(weights[part], biases[part], degree) / 2
            even = exact(weights[part], biases[part]) - odd
            self.targets[part] = even / length[part, None]

    def batch(self, rng: np.random.Generator, size: int) -> tuple[np.ndarray, ...]:
        """Return directions, centres, targets, amplitudes and the network of each unit."""
        nets = rng.integers(0, len(self.first) - 1, size)
        counts = self.first[nets + 1] - self.first[nets]
        owner = np.repeat(np.arange(size), counts)
        start = np.repeat(self.first[nets] - (np.cumsum(counts) - counts), counts)
        rows = start + np.arange(len(owner))
        order = rng.permutation(self.exponents.shape[1])
        # New variable j is old variable order[j]; a function's old degrees are put back in place.
        source = monomial_indices(self.exponents[:, np.argsort(order)], self.degree)
        directions = self.directions[rows][:, order]
        targets = self.targets[rows][:, source]
        return directions, self.centres[rows], targets, self.amplitude[rows], owner


class _MomentTraining:
    """Steps of Adam; all randomness of a step comes from the seed and its number."""

    def __init__(
        self, module: MomentMap, pool: _Pool, settings: dict[str, Any], log: dict[str, Any]
    ) -> None:
        self.module, self.pool, self.settings = module, pool, settings
        self.log = log | {"step": [], "loss": [], "seconds": 0.0}
        self.optimizer = torch.optim.Adam(module.parameters(), lr=settings["learning_rate"])
        self.done = 0

    def train(self, checkpoint: Path | None, progress: bool) -> dict[str, Any]:
        """Take all steps and return the log."""
        if checkpoint is not None and checkpoint.exists():
            self._resume(checkpoint)
        elif checkpoint is not None:
            self._save(checkpoint)  # before the first step, so that a bad folder costs no time
        steps = self.settings["steps"]
        saved = started = time.perf_counter()
        before = self.log["seconds"]
        losses: list[float] = []
        bar = tqdm(total=steps, initial=self.done, unit="step", disable=not progress, ascii=True)
        with bar:
            while self.done < steps:
                losses.append(self._step())
                bar.update()
                now = time.perf_counter()
                self.log["seconds"] = round(before + now - started, 1)
                if self.done % max(1, steps // 50) == 0:
                    self.log["step"].append(self.done)
                    self.log["loss"].append(float(np.mean(losses)))
                    losses = []
                if checkpoint is not None and (now - saved > _SAVE_SECONDS or self.done == steps):
                    self._save(checkpoint)
                    saved = now
        return self.log

    def _step(self) -> float:
        settings = self.settings
        rate = settings["learning_rate"] * (1 + np.cos(np.pi * self.done / settings["steps"])) / 2
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        rng = np.random.default_rng([settings["seed"], self.done])
        device = next(self.module.parameters()).device
        directions, centres, targets, amplitude, owner = (
            torch.as_tensor(values, device=device)
            for values in self.pool.batch(rng, settings["batch_size"])
        )
        error = (self.module(directions, centres) - targets) * amplitude[:, None]
        sums = error.new_zeros(settings["batch_size"], error.shape[1])
        sums.index_add_(0, owner, error)
        loss = (sums.square().sum() + error.square().sum()) / settings["batch_size"]
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.done += 1
        return float(loss.detach())

    def _identity(self) -> dict[str, Any]:
        return {"network": self.log["network"], "settings": self.settings}

    def _save(self, path: Path) -> None:
        tensors = {f"module/{k}": v for k, v in self.module.state_dict().items()}
        for i, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"{i}/{name}": value for name, value in state.items()}
        record = {"identity": self._identity(), "done": self.done, "log": self.log}
        _write(path, tensors, record)

    def _resume(self, path: Path) -> None:
        tensors, record = _read(path)
        if record.get("identity") != json.loads(json.dumps(self._identity())):
            raise OSError(
                f"The checkpoint {path} belongs to another run. It was left as it is; repeat that "
                "run's call, or name another file."
            )
        parts: dict[str, dict[str, torch.Tensor]] = {}
        for key, tensor in tensors.items():
            part, name = key.split("/", 1)
            parts.setdefault(part, {})[name] = tensor
        self.module.load_state_dict(parts.pop("module"))
        groups = self.optimizer.state_dict()["param_groups"]
        state = {int(i): values for i, values in parts.items()}
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        self.done, self.log = record["done"], record["log"]


# Files


def _write(path: Path, tensors: dict[str, torch.Tensor], record: dict[str, Any]) -> None:
    tensors = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    text = json.dumps(record)
    metadata = {"format": _FORMAT, "record": text, "sha256": _sha256(tensors, text)}
    try:
        replace_file(path, write_safetensors(tensors, metadata))
    except OSError as error:
        raise OSError(
            f"{path} could not be written: {error.strerror or error}. An older file is still "
            "there; make room or choose another folder, and call again."
        ) from error


def _read(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if metadata.get("format") != _FORMAT:
            raise ValueError("it was not written by this library")
        if metadata["sha256"] != _sha256(tensors, metadata["record"]):
            raise ValueError("its SHA-256 is wrong")
        return tensors, json.loads(metadata["record"])
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise OSError(f"{path} cannot be read: {error}. It was left as it is.") from error


def _sha256(tensors: dict[str, torch.Tensor], text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name].numpy())
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array)
    return digest.hexdigest()
