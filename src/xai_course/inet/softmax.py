"""The paper's I-Net: a network that reads weights and answers with coefficients and softmaxes.

Source: Marton, Luedtke and Bartelt (2022), section 3, Figure 3 and Table 2. Explained in the
chapter *interpretation-networks*.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as write_safetensors
from torch import nn
from tqdm import tqdm

from xai_course._storage import replace_file
from xai_course._training import _Checkpoint, _copy_of, _reproducible, _sha256, _State
from xai_course._validation import check_whole
from xai_course.inet.lambda_nets import LambdaNets, check_lambda_nets
from xai_course.inet.polynomials import SparsePolynomial, monomial_exponents, monomial_values
from xai_course.training import held_out_split

__all__ = ["PAPER_SETTINGS", "SoftmaxInterpretationNetwork", "train_softmax_network"]

_FORMAT = "xai-course softmax I-Net 1"
_ENCODERS = ("flat", "canonical", "sum")
_MAP = (128, 128)  # the small map of one neuron, of the encoder "sum"
_ENTROPY = 0.03  # weight of the entropy at the end of training with `straight_through`
_HARD_FROM = 0.5  # share of the epochs after which `straight_through` takes the arg-max
_CHECKPOINT_SECONDS = 20.0  # the paper's size writes 200 MB
_CHUNK = 1024  # networks per forward pass without gradient

#: Table 2, for `train_softmax_network`. The paper says "early stopping" and no more; the patience
#: is ours, that of its lambda-nets. The paper has 45,000 lambda-nets.
PAPER_SETTINGS: dict[str, Any] = {
    "encoder": "flat",
    "hidden": (4096, 2048, 1024, 512),
    "epochs": 500,
    "patience": 10,
    "batch_size": 256,
    "learning_rate": 1e-4,
    "n_points": 500,
}


def train_softmax_network(
    lambda_nets: LambdaNets,
    *,
    degree: int = 3,
    sparsity: int | None = None,
    encoder: str = "flat",
    hidden: Sequence[int] = (1024, 512, 256),
    straight_through: bool = False,
    released_loss: bool = False,
    epochs: int = 40,
    batch_size: int = 256,
    learning_rate: float = 5e-4,
    n_points: int = 500,
    patience: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    checkpoint: str | Path | None = None,
    progress: bool = True,
) -> SoftmaxInterpretationNetwork:
    """Train the paper's I-Net on lambda-nets.

    The loss is the paper's: the mean absolute difference between network and polynomial on
    `n_points` uniform points, drawn anew for every step. No target polynomial is used. Adam takes
    the steps. `PAPER_SETTINGS` holds Table 2; the defaults are a size for two CPU cores.

    Parameters
    ----------
    lambda_nets : LambdaNets
        Networks to learn from.
    degree : int
        Largest degree of a monomial, d.
    sparsity : int, optional
        Number of terms, s; as many as variables if not given, as in Table 1.
    encoder : {"flat", "canonical", "sum"}
        What reads the weights. ``"flat"`` is the paper's: all parameters in one row. The same
        after `LambdaNets.canonical` is ``"canonical"``. Both read networks of one width only.
        ``"sum"`` puts each canonical neuron through one small map, weighs it with its output
        weight and adds up: any width, any order of the neurons.
    hidden : sequence of int
        Hidden ReLU layers between the encoder and the output layer of Figure 3.
    straight_through : bool
        Train towards one monomial per softmax. The mean entropy of the softmaxes joins the loss
        with a weight that rises from 0 to 0.03; in the second half of the epochs the polynomial
        takes the most likely monomial, with the gradient of the softmax.
    released_loss : bool
        The loss of the authors' published code instead of a softmax mixture: the most likely
        monomial without a gradient, so that coefficients are trained and the softmax layer is not.
    epochs, batch_size : int
        Most epochs, and lambda-nets per step.
    learning_rate : float
        Of Adam. It falls to zero along half a cosine, unless `patience` is given.
    n_points : int
        Points per step, M.
    patience : int, optional
        The paper's early stopping: a tenth of the networks is held out, the learning rate is
        constant, training ends after so many epochs without a lower error on them, and the best
        weights are taken. Not with `straight_through`, whose schedule needs all epochs.
    seed : int
    device : str
        Where torch computes: ``"cpu"`` or ``"cuda"``.
    checkpoint : path, optional
        File that a stopped call goes on from.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    SoftmaxInterpretationNetwork

    Raises
    ------
    TypeError
        If `lambda_nets` are no `LambdaNets`.
    ValueError
        If a setting is unknown or out of its range.
    OSError
        If the checkpoint belongs to another run, is damaged or cannot be written.
    """
    settings = _settings(lambda_nets, degree, sparsity, encoder, hidden)
    plan = _Plan(
        straight_through=bool(straight_through),
        released_loss=bool(released_loss),
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        n_points=n_points,
        patience=patience,
        seed=seed,
    )
    inputs = _inputs(lambda_nets, encoder)
    with _reproducible([seed, 0], torch.device("cpu")):
        module = _Module(settings)
    module.standardise_like(inputs)
    run = _Run(plan, settings, lambda_nets, inputs, torch.device(device))
    log = run.train(module, None if checkpoint is None else Path(checkpoint), progress)
    return SoftmaxInterpretationNetwork(settings, module.cpu().eval(), log)


class SoftmaxInterpretationNetwork:
    """An I-Net whose output layer is that of Figure 3.

    Made by `train_softmax_network` or `load`.

    Attributes
    ----------
    n_variables, degree, sparsity : int
    encoder : str
    n_hidden : int or None
        Width of the networks it reads; None where it reads any.
    n_parameters : int
        Number of weights and biases of the I-Net itself.
    log : dict
        ``train_loss`` of every epoch (None for the state before the first), and with `patience`
        also ``validation_loss`` and ``best_epoch``.
    """

    def __init__(self, settings: _Shape, module: _Module, log: dict[str, Any]) -> None:
        self._shape, self._module, self.log = settings, module, log
        self.n_variables, self.degree = settings.n_variables, settings.degree
        self.sparsity, self.encoder = settings.sparsity, settings.encoder
        self.n_hidden = settings.n_hidden
        self.n_parameters = sum(p.numel() for p in module.parameters())

    def __repr__(self) -> str:
        """Return what it reads and what it writes."""
        return (
            f"SoftmaxInterpretationNetwork({self.encoder!r}, {self.n_variables} variable(s), "
            f"degree {self.degree}, {self.sparsity} term(s), {self.n_parameters} parameters)"
        )

    def outputs(self, lambda_nets: LambdaNets) -> tuple[np.ndarray, np.ndarray]:
        """Return the output layer of Figure 3.

        Parameters
        ----------
        lambda_nets : LambdaNets
            N networks.

        Returns
        -------
        coef : ndarray of float64, shape (N, s)
            The linear outputs.
        chance : ndarray of float64, shape (N, s, m)
            The softmaxes over the monomials, in the order of `monomial_exponents`.

        Raises
        ------
        TypeError, ValueError
            If these are no networks that the I-Net can read.
        """
        self._shape.check(lambda_nets)
        inputs = torch.as_tensor(_inputs(lambda_nets, self.encoder))
        with torch.no_grad():
            parts = [self._module(part) for part in inputs.split(_CHUNK)]
        coef, logits = (torch.cat(part).double() for part in zip(*parts, strict=True))
        return coef.numpy(), logits.softmax(dim=2).numpy()

    def explain(self, lambda_nets: LambdaNets) -> list[SparsePolynomial]:
        """Return the s-term polynomial of every network: each softmax gives its likeliest monomial.

        The softmaxes are independent, so a monomial may come twice; its coefficients add up.
        """
        coef, chance = self.outputs(lambda_nets)
        exponents = monomial_exponents(self.n_variables, self.degree)
        return [
            SparsePolynomial(c, exponents[k])
            for c, k in zip(coef, chance.argmax(axis=2), strict=True)
        ]

    def soft(self, lambda_nets: LambdaNets) -> list[SparsePolynomial]:
        """Return the polynomial that the loss saw: all monomials, mixed by the softmaxes.

        It has C(n + d, d) terms, not s. Without `straight_through` it is what was trained.
        """
        coef, chance = self.outputs(lambda_nets)
        dense = np.einsum("ns,nsm->nm", coef, chance)
        exponents = monomial_exponents(self.n_variables, self.degree)
        return [SparsePolynomial(row, exponents) for row in dense]

    def save(self, path: str | Path) -> None:
        """Write the I-Net to a safetensors file, whole or not at all."""
        tensors = {k: t.contiguous() for k, t in self._module.state_dict().items()}
        text = json.dumps({"shape": asdict(self._shape), "log": self.log})
        metadata = {"format": _FORMAT, "state": text, "sha256": _sha256(tensors)}
        replace_file(Path(path), write_safetensors(tensors, metadata))

    @classmethod
    def load(cls, path: str | Path) -> SoftmaxInterpretationNetwork:
        """Read what `save` wrote.

        Raises
        ------
        OSError
            If the file is missing, damaged or something else.
        """
        try:
            with safe_open(path, "pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if metadata.get("format") != _FORMAT:
                raise ValueError("it is no I-Net with a softmax output layer")
            if metadata["sha256"] != _sha256(tensors):
                raise ValueError("its SHA-256 is wrong")
            record = json.loads(metadata["state"])
            shape = _Shape(**{**record["shape"], "hidden": tuple(record["shape"]["hidden"])})
            module = _Module(shape)
            module.load_state_dict(tensors)
        except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise OSError(f"The I-Net {path} cannot be read: {error}.") from error
        return cls(shape, module.eval(), record["log"])


# What it reads and writes


@dataclass(frozen=True, kw_only=True)
class _Shape:
    """All that decides the layers."""

    n_variables: int
    degree: int
    sparsity: int
    encoder: str
    hidden: tuple[int, ...]
    n_hidden: int | None

    def check(self, lambda_nets: LambdaNets) -> None:
        """Raise an error unless the I-Net can read these networks."""
        check_lambda_nets(lambda_nets, self.n_variables)
        if self.n_hidden is not None and lambda_nets.n_hidden != self.n_hidden:
            raise ValueError(
                f"An I-Net with the encoder {self.encoder!r} reads networks of one width: "
                f"{self.n_hidden} hidden neurons, got {lambda_nets.n_hidden}. The encoder 'sum' "
                "reads any width."
            )

    @property
    def n_inputs(self) -> int:
        """Numbers per network, or with the encoder ``"sum"`` per neuron without its amplitude."""
        if self.n_hidden is None:
            return self.n_variables + 1
        return self.n_hidden * (self.n_variables + 2) + 1


def _settings(
    lambda_nets: LambdaNets, degree: int, sparsity: int | None, encoder: str, hidden: Sequence[int]
) -> _Shape:
    check_lambda_nets(lambda_nets)
    if encoder not in _ENCODERS:
        raise ValueError(f"encoder must be one of {', '.join(_ENCODERS)}, got {encoder!r}.")
    check_whole(degree, "degree", 1)
    sparsity = lambda_nets.n_variables if sparsity is None else sparsity
    check_whole(sparsity, "sparsity", 1)
    if not len(hidden):
        raise ValueError("hidden must name at least one layer, got none.")
    for width in hidden:
        check_whole(width, "hidden", 1)
    return _Shape(
        n_variables=lambda_nets.n_variables,
        degree=int(degree),
        sparsity=int(sparsity),
        encoder=encoder,
        hidden=tuple(int(width) for width in hidden),
        n_hidden=None if encoder == "sum" else lambda_nets.n_hidden,
    )


def _inputs(lambda_nets: LambdaNets, encoder: str) -> np.ndarray:
    """Return what the I-Net reads: (N, p), or for ``"sum"`` one row per neuron, (N, h + 1, n + 2).

    A row of ``"sum"`` holds the canonical weights and bias, then the amplitude. The output bias is
    one more neuron, with weights 0 and bias 1. Neurons that are silent on the cube get amplitude 0.
    """
    if encoder == "flat":
        return lambda_nets.parameters().astype(np.float32)
    nets = lambda_nets.canonical()
    if encoder == "canonical":
        return nets.parameters().astype(np.float32)
    n_nets, width, n_variables = nets.hidden_weights.shape
    rows = np.zeros((n_nets, width + 1, n_variables + 2), dtype=np.float32)
    rows[:, :-1, :-2], rows[:, :-1, -2] = nets.hidden_weights, nets.hidden_biases
    highest = nets.hidden_biases + np.maximum(nets.hidden_weights, 0).sum(axis=2)
    rows[:, :-1, -1] = np.where(highest > 0, nets.output_weights, 0)
    rows[:, -1, -2], rows[:, -1, -1] = 1, nets.output_biases
    return rows


class _Module(nn.Module):
    """Encoder, hidden layers and the output layer of Figure 3."""

    def __init__(self, shape: _Shape) -> None:
        super().__init__()
        self.sparsity = shape.sparsity
        n_monomials = len(monomial_exponents(shape.n_variables, shape.degree))
        self.register_buffer("mean", torch.zeros(shape.n_inputs, dtype=torch.float32))
        self.register_buffer("sd", torch.ones(shape.n_inputs, dtype=torch.float32))
        self.register_buffer("amplitude", torch.ones((), dtype=torch.float32))
        self.sums = shape.encoder == "sum"
        self.map = _layers((shape.n_inputs, *_MAP)) if self.sums else nn.Identity()
        width = _MAP[-1] if self.sums else shape.n_inputs
        self.body = _layers((width, *shape.hidden))
        self.coef = _linear(shape.hidden[-1], shape.sparsity)
        self.index = _linear(shape.hidden[-1], shape.sparsity * n_monomials)

    def standardise_like(self, inputs: np.ndarray) -> None:
        """Keep mean and standard deviation of the training inputs."""
        values = torch.as_tensor(inputs).double()
        if self.sums:
            values = values.flatten(0, 1)
            size = values[:, -1].square().mean().sqrt()
            self.amplitude.copy_(torch.where(size > 0, size, 1.0))
            values = values[:, :-1]
        self.mean.copy_(values.mean(dim=0))
        spread = values.std(dim=0, correction=0)
        # A number that never changes is left as it is.
        varies = spread > 1e-6 * values.abs().amax(dim=0)
        self.sd.copy_(torch.where(varies, spread, 1.0))

    def forward(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return coefficients (B, s) and logits of the monomials (B, s, m)."""
        if self.sums:
            neurons, amplitude = inputs[:, :, :-1], inputs[:, :, -1:] / self.amplitude
            signal = (self.map((neurons - self.mean) / self.sd) * amplitude).sum(dim=1)
        else:
            signal = (inputs - self.mean) / self.sd
        signal = self.body(signal)
        return self.coef(signal), self.index(signal).unflatten(1, (self.sparsity, -1))


def _layers(widths: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for k in range(len(widths) - 1):
        layers += [_linear(widths[k], widths[k + 1]), nn.ReLU()]
    return nn.Sequential(*layers)


def _linear(n_inputs: int, n_outputs: int) -> nn.Linear:
    """Return a layer with the first weights of the authors' Keras: Glorot uniform, biases 0."""
    layer = nn.Linear(n_inputs, n_outputs, dtype=torch.float32)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


# Training


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """How an I-Net is trained: all that decides the result beside layers and lambda-nets."""

    straight_through: bool
    released_loss: bool
    epochs: int
    batch_size: int
    learning_rate: float
    n_points: int
    patience: int | None
    seed: int

    def __post_init__(self) -> None:
        for name, least in (("epochs", 0), ("batch_size", 1), ("n_points", 1), ("seed", 0)):
            check_whole(getattr(self, name), name, least)
        if not isinstance(self.learning_rate, float | int) or not 0 < self.learning_rate < np.inf:
            raise ValueError(
                f"learning_rate must be a positive number, got {self.learning_rate!r}."
            )
        if self.straight_through and self.released_loss:
            raise ValueError("straight_through and released_loss exclude each other.")
        if self.patience is not None:
            check_whole(self.patience, "patience", 1)
            if self.straight_through:
                raise ValueError(
                    "patience does not go with straight_through: its schedule needs all epochs."
                )

    def rate(self, done: float) -> float:
        """Return the learning rate after a share of all steps."""
        if self.patience is not None:
            return self.learning_rate
        return self.learning_rate * (1 + np.cos(np.pi * done)) / 2


class _Run:
    """One training: lambda-nets on the device, and the loop over epochs."""

    def __init__(
        self,
        plan: _Plan,
        shape: _Shape,
        lambda_nets: LambdaNets,
        inputs: np.ndarray,
        device: torch.device,
    ) -> None:
        self.plan, self.shape, self.device = plan, shape, device
        self.exponents = monomial_exponents(shape.n_variables, shape.degree)
        arrays = {"inputs": inputs} | lambda_nets._arrays()
        self.tensors = {
            name: torch.as_tensor(np.asarray(arrays[name], dtype=np.float32), device=device)
            for name in ("inputs", *_WEIGHTS)
        }
        self.train_nets, self.held_out = np.arange(len(lambda_nets)), np.arange(0)
        if plan.patience is not None:
            self.train_nets, self.held_out = held_out_split(len(lambda_nets), 0.1, plan.seed)

    def train(self, module: _Module, path: Path | None, progress: bool) -> dict[str, Any]:
        """Train the module in place; return the log."""
        module.to(self.device).train()
        optimizer = torch.optim.Adam(module.parameters(), lr=self.plan.learning_rate, eps=1e-7)
        log: dict[str, Any] = {"train_loss": [None], "validation_loss": [], "best_epoch": 0}
        identity = self._identity(module)
        state = _State(module, optimizer, log, _copy_of(module.state_dict()))
        file = None if path is None else _Checkpoint(path, identity, None)
        if file is None or not file.read_into(state):
            self._judge(state)
            if file is not None:
                file.write(state)  # before the first epoch, so that a bad folder costs no time
        written = time.monotonic()
        epochs = range(state.epoch + 1, self.plan.epochs + 1)
        for epoch in tqdm(epochs, desc="epochs", disable=not progress, ascii=True):
            patience = self.plan.patience
            if patience is not None and state.epoch - state.log["best_epoch"] >= patience:
                break
            state.log["train_loss"].append(self._epoch(state, epoch))
            self._judge(state)
            if file is not None and time.monotonic() - written >= _CHECKPOINT_SECONDS:
                file.write(state)
                written = time.monotonic()
        if file is not None:
            file.write(state)
        module.load_state_dict(state.best)
        return state.log

    def _epoch(self, state: _State, epoch: int) -> float:
        """Go through the lambda-nets once; return the mean absolute error on the way."""
        total, size = 0.0, self.plan.batch_size
        with _reproducible([self.plan.seed, 1, epoch], self.device) as rng:
            order = rng.permutation(self.train_nets)
            for first in range(0, len(order), size):
                done = (epoch - 1 + first / len(order)) / self.plan.epochs
                for group in state.optimizer.param_groups:
                    group["lr"] = self.plan.rate(done)
                nets = order[first : first + size]
                state.optimizer.zero_grad()
                error, entropy = self._loss(state.module, nets, self._points(rng), done)
                (error + _ENTROPY * done * entropy).backward()
                state.optimizer.step()
                total += float(error.detach()) * len(nets)
        return total / len(order)

    def _points(self, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Return uniform points with a last column of 1, and the monomials there."""
        X = rng.random((self.plan.n_points, self.shape.n_variables), dtype=np.float32)
        values = monomial_values(X, self.exponents).astype(np.float32)
        X = np.column_stack([X, np.ones(len(X), dtype=np.float32)])
        return tuple(torch.as_tensor(a, device=self.device) for a in (X, values))

    def _loss(
        self,
        module: _Module,
        nets: np.ndarray,
        points: tuple[torch.Tensor, torch.Tensor],
        done: float,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the paper's loss, and the mean entropy of the softmaxes where it is wanted."""
        X, values = points
        index = torch.as_tensor(nets, device=self.device)
        inputs, weights, biases, output, bias = (t[index] for t in self.tensors.values())
        hidden = torch.cat([weights, biases[:, :, None]], dim=2) @ X.T
        truth = torch.bmm(output[:, None], hidden.clamp_min_(0))[:, 0] + bias[:, None]
        coef, logits = module(inputs)
        chance = logits.softmax(dim=2)
        entropy = coef.new_zeros(())
        if self.plan.released_loss:
            chance = _arg_max(chance).detach()
        if self.plan.straight_through:
            entropy = -(chance * logits.log_softmax(dim=2)).sum(dim=2).mean()
            if done >= _HARD_FROM:
                chance = _arg_max(chance)
        dense = torch.einsum("ns,nsm->nm", coef, chance)
        return (dense @ values.T - truth).abs().mean(), entropy

    def _judge(self, state: _State) -> None:
        """Keep the weights of this epoch, with `patience` only if they are the best so far."""
        if self.plan.patience is not None:
            points = self._points(np.random.default_rng([self.plan.seed, 2]))
            with torch.no_grad():
                total = sum(
                    float(self._loss(state.module, part, points, 0.0)[0]) * len(part)
                    for part in np.split(self.held_out, range(_CHUNK, len(self.held_out), _CHUNK))
                )
            losses = state.log["validation_loss"]
            losses.append(total / len(self.held_out))
            if losses[-1] > losses[state.log["best_epoch"]]:
                return
        state.log["best_epoch"] = state.epoch
        state.best = _copy_of(state.module.state_dict())

    def _identity(self, module: _Module) -> dict[str, Any]:
        """Return what a checkpoint must have in common with this run."""
        values = {**asdict(self.shape), **asdict(self.plan), "device": self.device.type}
        values["hidden"] = list(values["hidden"])  # as JSON gives it back
        hashes = {
            "lambda_nets": _sha256({k: t for k, t in self.tensors.items() if k != "inputs"}),
            "first weights": _sha256(module.state_dict()),
        }
        return values | hashes


_WEIGHTS = ("hidden_weights", "hidden_biases", "output_weights", "output_biases")


def _arg_max(chance: torch.Tensor) -> torch.Tensor:
    """Return 1 for the likeliest monomial and 0 for the others, with the gradient of `chance`."""
    hard = torch.zeros_like(chance).scatter_(2, chance.argmax(dim=2, keepdim=True), 1.0)
    return hard + chance - chance.detach()
