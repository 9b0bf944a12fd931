"""Training a torch classifier so that it can be stopped, resumed and repeated.

All randomness of an epoch comes from the seed and the epoch's number, so that the state between two
epochs is weights, optimiser and log, and no generator has to be saved.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
from xai_course._validation import check_whole, held_out_split, is_number

__all__ = ["CHUNK", "Run", "Settings"]

CHUNK = 512  # rows per evaluation: convolutions over thousands of images leave the CPU's cache
_FORMAT = "xai-course training 1"
_NOISE = 0.3  # largest standard deviation, in units of the features
_SHIFT = 2  # pixels


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a classifier is trained: all that decides the result beside rows and first weights."""

    loss: str = "labels"
    alpha: float = 1.0
    temperature: float = 1.0
    augment: str | None = None
    epochs: int
    batch_size: int
    learning_rate: float
    validation_fraction: float
    patience: int
    seed: int

    def __post_init__(self) -> None:
        for name, least in (("epochs", 0), ("patience", 1), ("batch_size", 1), ("seed", 0)):
            check_whole(getattr(self, name), name, least)
        for name in ("learning_rate", "temperature"):
            if not is_number(value := getattr(self, name)) or not 0 < value < np.inf:
                raise ValueError(f"{name} must be a positive number, got {value!r}.")
        if not is_number(self.alpha) or not 0 <= self.alpha <= 1:
            raise ValueError(f"alpha must lie between 0 and 1, got {self.alpha!r}.")
        fraction = self.validation_fraction
        if not is_number(fraction) or not 0 < fraction < 1:
            raise ValueError(f"validation_fraction must lie between 0 and 1, got {fraction!r}.")
        if self.augment not in (None, "noise", "mixup", "shift"):
            raise ValueError(
                f"augment must be None, 'noise', 'mixup' or 'shift', got {self.augment!r}."
            )
        if self.augment is not None and self.alpha > 0:
            raise ValueError(
                f"augment={self.augment!r} makes inputs without labels, so alpha must be 0, "
                f"got {self.alpha!r}."
            )

    def split(self, n_rows: int) -> tuple[np.ndarray, np.ndarray]:
        """Return training and validation rows."""
        return held_out_split(n_rows, self.validation_fraction, self.seed)

    def objective(
        self, outputs: torch.Tensor, target: torch.Tensor | None, labels: torch.Tensor | None
    ) -> torch.Tensor:
        """Return the mean loss of some rows: the labels weigh `alpha`, the teacher the rest."""
        parts = []
        if self.alpha > 0:
            parts.append(self.alpha * nn.functional.cross_entropy(outputs, labels))
        if self.alpha < 1:
            parts.append((1 - self.alpha) * self._imitation(outputs, target))
        return sum(parts)

    def _imitation(self, outputs: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        if self.loss == "logits":
            # A constant added to a row of logits changes no probability, so the target has none.
            return nn.functional.mse_loss(outputs, target - target.mean(dim=1, keepdim=True))
        student, teacher = (
            torch.log_softmax(logits / self.temperature, dim=1) for logits in (outputs, target)
        )
        divergence = nn.functional.kl_div(student, teacher, reduction="batchmean", log_target=True)
        return self.temperature**2 * divergence

    def rate(self, epochs_done: float) -> float:
        """Return the learning rate, which falls to zero along half a cosine."""
        return self.learning_rate * (1 + np.cos(np.pi * epochs_done / self.epochs)) / 2


class Run:
    """One training: rows on the device, and the loop over epochs.

    Parameters
    ----------
    settings : Settings
    device : torch.device
    X : ndarray of float32, shape (n_samples, n_features)
    labels : ndarray of int64, shape (n_samples,), or None
    target : ndarray, shape (n_samples, n_classes), or None
        The teacher's logits.
    ask : callable, optional
        Gives the teacher's logits of new rows, both as tensors on the device; for augmentation.
    """

    def __init__(
        self,
        settings: Settings,
        device: torch.device,
        X: np.ndarray,
        labels: np.ndarray | None = None,
        target: np.ndarray | None = None,
        ask: Callable[[torch.Tensor], torch.Tensor] | None = None,
    ) -> None:
        side = math.isqrt(X.shape[1])
        if settings.augment == "shift" and side**2 != X.shape[1]:
            raise ValueError(
                f"augment='shift' takes square images, got rows of {X.shape[1]} features."
            )
        self.settings, self.device, self.ask = settings, device, ask
        self.X = torch.as_tensor(X, device=device)
        self.labels = None if labels is None else torch.as_tensor(labels, device=device)
        self.target = None
        if target is not None:
            self.target = torch.as_tensor(target, dtype=torch.float32, device=device)
        self.train_rows, self.held_out = settings.split(len(X))
        self.score = "validation_accuracy" if target is None else "validation_consistency"

    def train(
        self, start: nn.Module, checkpoint: Path | None, progress: bool
    ) -> tuple[nn.Module, dict[str, Any]]:
        """Return the module of the best epoch, on the CPU, and the log."""
        module = copy.deepcopy(start).to(self.device)
        optimizer = torch.optim.Adam(module.parameters(), lr=self.settings.learning_rate)
        log: dict[str, Any] = {
            "settings": asdict(self.settings),
            "train_loss": [None],
            "validation_loss": [],
            self.score: [],
            "best_epoch": 0,
        }
        state = _State(module, optimizer, log, _copy_of(module.state_dict()))
        file = None
        if checkpoint is not None:
            sample = None if self.target is None else self.target[:100].cpu()
            file = _Checkpoint(checkpoint, self._identity(module), sample)
        if file is None or not file.read_into(state):
            self._validate(state)
            if file is not None:
                file.write(state)  # before the first epoch, so that a bad folder costs no time
        epochs = range(state.epoch + 1, self.settings.epochs + 1)
        for epoch in tqdm(epochs, desc="epochs", disable=not progress, ascii=True):
            if state.epoch - state.log["best_epoch"] >= self.settings.patience:
                break
            state.log["train_loss"].append(self._epoch(state, epoch))
            self._validate(state)
            if file is not None:
                file.write(state)
        module.load_state_dict(state.best)
        return module.cpu().eval(), state.log

    def _epoch(self, state: _State, epoch: int) -> float:
        """Go through the training rows once; return the mean loss on the way."""
        state.module.train()
        total, size = 0.0, self.settings.batch_size
        with _reproducible([self.settings.seed, 1, epoch], self.device) as rng:
            order = rng.permutation(self.train_rows)
            for first in range(0, len(order), size):
                rate = self.settings.rate(epoch - 1 + first / len(order))
                for group in state.optimizer.param_groups:
                    group["lr"] = rate
                rows = order[first : first + size]
                state.optimizer.zero_grad()
                loss = self._loss(state.module, rows, rng)
                loss.backward()
                state.optimizer.step()
                total += float(loss.detach()) * len(rows)
        return total / len(order)

    def _loss(
        self, module: nn.Module, rows: np.ndarray, rng: np.random.Generator | None = None
    ) -> torch.Tensor:
        inputs, labels, target = self._rows(rows)
        changed = len(rows) // 2
        if self.settings.augment is not None and rng is not None and changed:
            new = _augmented(inputs[:changed], self.settings.augment, rng)
            inputs = torch.cat([new, inputs[changed:]])
            target = torch.cat([self.ask(new), target[changed:]])
        return self.settings.objective(module(inputs), target, labels)

    def _rows(
        self, rows: np.ndarray
    ) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
        index = torch.as_tensor(rows, device=self.device)
        return tuple(
            None if values is None else values[index]
            for values in (self.X, self.labels, self.target)
        )

    def _validate(self, state: _State) -> None:
        """Log loss and score on the validation rows, and keep the weights if they are the best."""
        state.module.eval()
        loss, equal = 0.0, 0
        with torch.no_grad():
            for first in range(0, len(self.held_out), CHUNK):
                rows = self.held_out[first : first + CHUNK]
                inputs, labels, target = self._rows(rows)
                outputs = state.module(inputs)
                loss += float(self.settings.objective(outputs, target, labels)) * len(rows)
                wanted = labels if target is None else target.argmax(dim=1)
                equal += int((outputs.argmax(dim=1) == wanted).sum())
        losses = state.log["validation_loss"]
        losses.append(loss / len(self.held_out))
        state.log[self.score].append(equal / len(self.held_out))
        if losses[-1] < losses[state.log["best_epoch"]]:
            state.log["best_epoch"] = state.epoch
            state.best = _copy_of(state.module.state_dict())

    def _identity(self, module: nn.Module) -> dict[str, Any]:
        """Return what a checkpoint must have in common with this run."""
        return {
            **asdict(self.settings),
            "device": self.device.type,
            "X": _sha256({"X": self.X}),
            "y": None if self.labels is None else _sha256({"y": self.labels}),
            "first weights": _sha256(module.state_dict()),
        }


def _augmented(inputs: torch.Tensor, kind: str, rng: np.random.Generator) -> torch.Tensor:
    """Return changed rows; the numbers are drawn by NumPy, so that each device gets the same."""

    def on_device(values: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(values, device=inputs.device).to(inputs.dtype)

    per_row = rng.uniform(size=(len(inputs), 1))
    if kind == "mixup":
        others = inputs[torch.as_tensor(rng.permutation(len(inputs)), device=inputs.device)]
        share = on_device(per_row)
        return share * inputs + (1 - share) * others
    if kind == "shift":
        return _shifted(inputs, rng.integers(0, 2 * _SHIFT + 1, (2, len(inputs), 1)))
    noise = rng.standard_normal(tuple(inputs.shape), dtype=np.float32)
    return inputs + on_device(_NOISE * per_row * noise)


def _shifted(inputs: torch.Tensor, offsets: np.ndarray) -> torch.Tensor:
    """Move square images by whole pixels; what comes in at the border is 0."""
    side = math.isqrt(inputs.shape[1])
    wide = nn.functional.pad(inputs.reshape(-1, side, side), (_SHIFT,) * 4)
    rows, columns = torch.as_tensor(offsets + np.arange(side), device=inputs.device)
    images = torch.arange(len(inputs), device=inputs.device)[:, None, None]
    return wide[images, rows[:, :, None], columns[:, None, :]].reshape(inputs.shape)


@contextmanager
def _reproducible(entropy: list[int], device: torch.device) -> Iterator[np.random.Generator]:
    """Seed torch from `entropy` inside the block, and give a NumPy generator of the same source."""
    numpy_seed, torch_seed = np.random.SeedSequence(entropy).spawn(2)
    cuda = [device] if device.type == "cuda" else []
    cudnn = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True)
    with torch.random.fork_rng(cuda), cudnn:
        torch.manual_seed(int(torch_seed.generate_state(1, np.uint64)[0] >> np.uint64(1)))
        yield np.random.default_rng(numpy_seed)


def _copy_of(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


def _sha256(tensors: dict[str, torch.Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name].detach().cpu().numpy())
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array)
    return digest.hexdigest()


# Between two epochs


@dataclass
class _State:
    """All that changes from epoch to epoch."""

    module: nn.Module
    optimizer: torch.optim.Optimizer
    log: dict[str, Any]
    best: dict[str, torch.Tensor]

    @property
    def epoch(self) -> int:
        """Number of epochs done."""
        return len(self.log["train_loss"]) - 1

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return everything but the log, under names that `load` knows."""
        parts = {"module": self.module.state_dict(), "best": self.best}
        parts |= {f"optimizer.{i}": s for i, s in self.optimizer.state_dict()["state"].items()}
        return {
            f"{part}/{name}": tensor.detach().cpu().contiguous()
            for part, tensors in parts.items()
            for name, tensor in tensors.items()
        }

    def load(self, tensors: dict[str, torch.Tensor], log: dict[str, Any]) -> None:
        """Take over what `tensors` gave."""
        parts: dict[str, dict[str, torch.Tensor]] = {}
        for key, tensor in tensors.items():
            part, name = key.split("/", 1)
            parts.setdefault(part, {})[name] = tensor
        self.module.load_state_dict(parts.pop("module"))
        device = next(iter(self.best.values())).device
        self.best = {name: tensor.to(device) for name, tensor in parts.pop("best").items()}
        moments = {int(part.split(".")[1]): values for part, values in parts.items()}
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        self.log = log


@dataclass
class _Checkpoint:
    """A file that holds a state, and what tells its run from another."""

    path: Path
    identity: dict[str, Any]
    teacher: torch.Tensor | None

    def write(self, state: _State) -> None:
        """Replace the file in one step; whatever goes wrong, the old one stays."""
        tensors = state.tensors()
        if self.teacher is not None:
            tensors["teacher"] = self.teacher
        text = json.dumps({"identity": self.identity, "log": state.log})
        digest = hashlib.sha256((_sha256(tensors) + text).encode()).hexdigest()
        metadata = {"format": _FORMAT, "state": text, "sha256": digest}
        try:
            replace_file(self.path, write_safetensors(tensors, metadata))
        except OSError as error:
            raise OSError(
                f"The checkpoint {self.path} could not be written after epoch {state.epoch}: "
                f"{error.strerror or error}. An older checkpoint is still there; make room or "
                "choose another folder, and call again."
            ) from error

    def read_into(self, state: _State) -> bool:
        """Load the file into `state`; return whether there was one."""
        if not self.path.exists():
            return False
        tensors, record = self._read()
        teacher = tensors.pop("teacher", None)
        was, now = record["identity"], self.identity
        other = [name for name in now if was.get(name) != now[name]]
        if self.teacher is not None and not (
            teacher is not None
            and teacher.shape == self.teacher.shape
            and torch.allclose(teacher, self.teacher, rtol=1e-3, atol=1e-3)
        ):
            other.append("teacher")
        if other:
            raise OSError(
                f"The checkpoint {self.path} belongs to another run: it differs in "
                f"{', '.join(other)}. It was left as it is; repeat that run's call, or name "
                "another file."
            )
        state.load(tensors, record["log"])
        return True

    def _read(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        try:
            with safe_open(self.path, "pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if metadata.get("format") != _FORMAT:
                raise ValueError("it is no checkpoint of this library")
            text = metadata["state"]
            digest = hashlib.sha256((_sha256(tensors) + text).encode()).hexdigest()
            if digest != metadata["sha256"]:
                raise ValueError("its SHA-256 is wrong")
            return tensors, json.loads(text)
        except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
            raise OSError(
                f"The checkpoint {self.path} cannot be read: {error}. It was left as it is; "
                "remove it to start again, or name another file."
            ) from error
