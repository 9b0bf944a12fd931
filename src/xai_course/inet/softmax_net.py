"""The paper's I-Net: a network that reads weights and answers with coefficients and softmaxes.

Source: Marton, Luedtke and Bartelt (2022), section 3, Figure 3 and Table 2. Explained in the
chapter *interpretation-networks*.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from xai_course._storage import load_arrays, save_arrays, sha256
from xai_course._validation import check_choice, check_whole
from xai_course.inet.lambda_nets import LambdaNets, check_lambda_nets
from xai_course.polynomials import (
    SparsePolynomial,
    check_sparsity,
    monomial_exponents,
    monomial_values,
)
from xai_course.training import Settings, Step, reproducible, train

__all__ = ["SoftmaxInterpretationNetwork", "train_softmax_network"]

_KIND = "softmax I-Net 2"
_SETTINGS = {"epochs": 40, "batch_size": 256, "learning_rate": 5e-4, "patience": None}
_MAP = (128, 128)  # the small map of one neuron, of the encoder "sum"
_ENTROPY = 0.03  # weight of the entropy at the end of training with `straight_through`
_HARD_FROM = 0.5  # share of the epochs after which `straight_through` takes the arg-max
_PAUSE = 20.0  # seconds between two checkpoints: the paper's size writes 200 MB
_CHUNK = 1024  # networks per forward pass without gradient


def train_softmax_network(
    lambda_nets: LambdaNets,
    *,
    degree: int = 3,
    sparsity: int | None = None,
    encoder: str = "flat",
    hidden: Sequence[int] = (1024, 512, 256),
    straight_through: bool = False,
    released_loss: bool = False,
    n_points: int = 500,
    device: str = "cpu",
    checkpoint: str | Path | None = None,
    progress: bool = True,
    **settings: Any,
) -> SoftmaxInterpretationNetwork:
    """Train the paper's I-Net on lambda-nets.

    The loss is the paper's: the mean absolute difference between network and polynomial on
    `n_points` uniform points, drawn anew for every step. No target polynomial is used. Adam takes
    the steps. The defaults are a size for two CPU cores. Table 2 has 45,000 lambda-nets and
    ``hidden=(4096, 2048, 1024, 512), epochs=500, batch_size=256, learning_rate=1e-4`` with "early
    stopping"; ``patience=10`` is what the paper says of its lambda-nets.

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
    n_points : int
        Points per step, M.
    device : str
        Where torch computes: ``"cpu"`` or ``"cuda"``.
    checkpoint : path, optional
        File that a stopped call goes on from.
    progress : bool
        Whether to show a progress bar.
    **settings
        As in `xai_course.training.Settings`: ``epochs`` (40), ``batch_size`` (256 lambda-nets),
        ``learning_rate`` (0.0005, which falls to zero along half a cosine), ``seed`` (0), and
        ``patience`` (None). With `patience` training stops early as in the paper: a tenth of the
        networks is held out, the learning rate is constant, training ends after so many epochs
        without a lower error on them, and the best weights are taken. Not with `straight_through`,
        whose schedule needs all epochs.

    Returns
    -------
    SoftmaxInterpretationNetwork

    Raises
    ------
    TypeError
        If `lambda_nets` are no `LambdaNets`, or there is no such setting.
    ValueError
        If a setting is unknown or out of its range.
    OSError
        If the checkpoint belongs to another run, is damaged or cannot be written.
    """
    check_lambda_nets(lambda_nets)
    plan = Settings(**_SETTINGS | settings)
    if straight_through and plan.patience is not None:
        raise ValueError(
            "patience does not go with straight_through: its schedule needs all epochs."
        )
    design = _Design(
        n_variables=lambda_nets.n_variables,
        degree=degree,
        sparsity=check_sparsity(sparsity, lambda_nets.n_variables),
        encoder=encoder,
        hidden=list(hidden),
        n_hidden=None if encoder == "sum" else lambda_nets.n_hidden,
        n_points=n_points,
        straight_through=bool(straight_through),
        released_loss=bool(released_loss),
    )
    objective = _Objective(lambda_nets, design, plan, device)
    with reproducible([plan.seed, 0], torch.device("cpu")):
        module = _Module(design)
    module.standardise_like(_inputs(lambda_nets, encoder))
    module, log = train(
        module,
        objective.loss,
        objective.nets,
        plan,
        judge=None if plan.patience is None else objective.judge,
        rate=None if plan.patience is None else lambda done: plan.learning_rate,
        epsilon=1e-7,
        device=device,
        checkpoint=checkpoint,
        identity=asdict(design) | {"lambda_nets": sha256(lambda_nets.weights())},
        pause=_PAUSE,
        progress=progress,
    )
    return SoftmaxInterpretationNetwork(design, module, log)


class SoftmaxInterpretationNetwork:
    """The paper's I-Net: a network reads the weights and answers with the layer of Figure 3.

    Ours is `MomentInterpretationNetwork`. Made by `train_softmax_network` or `load`.

    By definition the answer depends on the unit of the outputs. To a network that reads weights,
    the same function in another unit is another input, and not one like those it was trained on.
    Bring the outputs to one unit before training and before reading.

    Attributes
    ----------
    n_variables, degree, sparsity : int
    encoder : str
    n_hidden : int or None
        Width of the networks it reads; None where it reads any.
    n_parameters : int
        Number of weights and biases of the I-Net itself.
    log : dict
        ``settings``; ``train_loss`` of every epoch (None for the state before the first), with
        the entropy if it is trained; and with `patience` also ``validation_loss`` and
        ``best_epoch``.
    """

    def __init__(self, design: _Design, module: _Module, log: dict[str, Any]) -> None:
        self._design, self._module, self.log = design, module, log
        self.n_variables, self.degree = design.n_variables, design.degree
        self.sparsity, self.encoder = design.sparsity, design.encoder
        self.n_hidden = design.n_hidden
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
        self._design.check(lambda_nets)
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
        return list(map(SparsePolynomial, coef, exponents[chance.argmax(axis=2)]))

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
        arrays = {name: tensor.numpy() for name, tensor in self._module.state_dict().items()}
        record = {"design": asdict(self._design), "log": self.log}
        save_arrays(Path(path), _KIND, arrays, record)

    @classmethod
    def load(cls, path: str | Path) -> SoftmaxInterpretationNetwork:
        """Read what `save` wrote.

        Raises
        ------
        OSError
            If the file is missing, damaged or something else.
        """
        arrays, record = load_arrays(Path(path), _KIND)
        design = _Design(**record["design"])
        module = _Module(design)
        module.load_state_dict({name: torch.as_tensor(array) for name, array in arrays.items()})
        return cls(design, module.eval(), record["log"])


# What it reads and writes


@dataclass(frozen=True, kw_only=True)
class _Design:
    """All that decides the layers and the loss: see `train_softmax_network`."""

    n_variables: int
    degree: int
    sparsity: int
    encoder: str
    hidden: list[int]
    n_hidden: int | None
    n_points: int
    straight_through: bool
    released_loss: bool

    def __post_init__(self) -> None:
        check_choice(self.encoder, "encoder", ("flat", "canonical", "sum"))
        check_whole(self.degree, "degree", 1)
        check_whole(self.n_points, "n_points", 1)
        if self.straight_through and self.released_loss:
            raise ValueError("straight_through and released_loss exclude each other.")
        if not self.hidden:
            raise ValueError("hidden must name at least one layer, got none.")
        for width in self.hidden:
            check_whole(width, "hidden", 1)

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


def _inputs(lambda_nets: LambdaNets, encoder: str) -> np.ndarray:
    """Return what the I-Net reads: (N, p), or for ``"sum"`` one row per neuron, (N, h + 1, n + 2).

    A row of ``"sum"`` holds the canonical weights and bias, then the amplitude. The output bias is
    one more neuron, with weights 0 and bias 1. Neurons that are silent on the cube get amplitude 0.
    """
    nets = lambda_nets if encoder == "flat" else lambda_nets.canonical()
    if encoder != "sum":
        return nets.parameters().astype(np.float32)
    highest = nets.hidden_biases + np.maximum(nets.hidden_weights, 0).sum(axis=2)
    amplitudes = np.where(highest > 0, nets.output_weights, 0)
    neurons = np.dstack([nets.hidden_weights, nets.hidden_biases, amplitudes])
    rows = np.pad(neurons, ((0, 0), (0, 1), (0, 0)))
    rows[:, -1, -2], rows[:, -1, -1] = 1, nets.output_biases
    return rows.astype(np.float32)


class _Module(nn.Module):
    """Encoder, hidden layers and the output layer of Figure 3."""

    def __init__(self, design: _Design) -> None:
        super().__init__()
        n_monomials = len(monomial_exponents(design.n_variables, design.degree))
        self.register_buffer("mean", torch.zeros(design.n_inputs, dtype=torch.float32))
        self.register_buffer("sd", torch.ones(design.n_inputs, dtype=torch.float32))
        self.register_buffer("amplitude", torch.ones((), dtype=torch.float32))
        self.sums = design.encoder == "sum"
        self.map = _layers((design.n_inputs, *_MAP)) if self.sums else nn.Identity()
        width = _MAP[-1] if self.sums else design.n_inputs
        self.body = _layers((width, *design.hidden))
        self.coef = _linear(design.hidden[-1], design.sparsity)
        self.index = _linear(design.hidden[-1], design.sparsity * n_monomials)

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
        return self.coef(signal), self.index(signal).unflatten(1, (self.coef.out_features, -1))


def _layers(widths: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for n_inputs, n_outputs in pairwise(widths):
        layers += [_linear(n_inputs, n_outputs), nn.ReLU()]
    return nn.Sequential(*layers)


def _linear(n_inputs: int, n_outputs: int) -> nn.Linear:
    """Return a layer with the first weights of the authors' Keras: Glorot uniform, biases 0."""
    layer = nn.Linear(n_inputs, n_outputs, dtype=torch.float32)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


# Training


class _Objective:
    """The paper's loss on uniform points, with the ways to train towards single monomials."""

    def __init__(
        self, lambda_nets: LambdaNets, design: _Design, plan: Settings, device: str
    ) -> None:
        self.design, self.plan, self.device = design, plan, device
        self.nets, self.held_out = np.arange(len(lambda_nets)), None
        if plan.patience is not None:
            self.nets, self.held_out = plan.split(len(lambda_nets))
        self.exponents = monomial_exponents(design.n_variables, design.degree)
        arrays = [_inputs(lambda_nets, design.encoder), *lambda_nets.weights().values()]
        self.tensors = [torch.as_tensor(a, dtype=torch.float32, device=device) for a in arrays]

    def loss(self, module: _Module, nets: np.ndarray, step: Step) -> torch.Tensor:
        """Return what is trained: the error on fresh points, and the entropy where it counts."""
        done = step.done / self.plan.epochs
        error, entropy = self.parts(module, nets, self.points(step.rng), done)
        return error + _ENTROPY * done * entropy

    def judge(self, module: _Module) -> dict[str, float]:
        """Return the error of the held-out networks on points that are always the same."""
        points = self.points(np.random.default_rng([self.plan.seed, 2]))
        groups = np.split(self.held_out, range(_CHUNK, len(self.held_out), _CHUNK))
        total = sum(float(self.parts(module, nets, points)[0]) * len(nets) for nets in groups)
        return {"validation_loss": total / len(self.held_out)}

    def points(self, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Return uniform points with a last column of 1, and the monomials there."""
        X = rng.random((self.design.n_points, self.design.n_variables), dtype=np.float32)
        values = monomial_values(X, self.exponents).astype(np.float32)
        X = np.column_stack([X, np.ones(len(X), dtype=np.float32)])
        return tuple(torch.as_tensor(a, device=self.device) for a in (X, values))

    def parts(
        self,
        module: _Module,
        nets: np.ndarray,
        points: tuple[torch.Tensor, torch.Tensor],
        done: float = 0.0,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the paper's loss, and the mean entropy of the softmaxes where it is wanted."""
        X, values = points
        index = torch.as_tensor(nets, device=self.device)
        inputs, weights, biases, output, bias = (tensor[index] for tensor in self.tensors)
        hidden = torch.cat([weights, biases[:, :, None]], dim=2) @ X.T
        truth = torch.bmm(output[:, None], hidden.clamp_min_(0))[:, 0] + bias[:, None]
        coef, logits = module(inputs)
        chance = logits.softmax(dim=2)
        entropy = coef.new_zeros(())
        if self.design.released_loss:
            chance = _arg_max(chance).detach()
        if self.design.straight_through:
            entropy = -(chance * logits.log_softmax(dim=2)).sum(dim=2).mean()
            if done >= _HARD_FROM:
                chance = _arg_max(chance)
        dense = torch.einsum("ns,nsm->nm", coef, chance)
        return (dense @ values.T - truth).abs().mean(), entropy


def _arg_max(chance: torch.Tensor) -> torch.Tensor:
    """Return 1 for the likeliest monomial and 0 for the others, with the gradient of `chance`."""
    hard = torch.zeros_like(chance).scatter_(2, chance.argmax(dim=2, keepdim=True), 1.0)
    return hard + chance - chance.detach()
