"""What the softmax I-Net still needs until its loop is `xai_course.training`'s."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as write_safetensors
from torch import nn

from xai_course._storage import replace_file

_FORMAT = "xai-course training 1"


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
