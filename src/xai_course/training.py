"""Training of torch modules: it can be stopped, resumed and repeated, and keeps the best epoch.

Explained in the chapter *distillation*.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn

import xai_course
from xai_course._loop import Learner, Settings, Step, half_cosine, learn
from xai_course._storage import DamagedFileError, load_arrays, save_arrays, sha256
from xai_course._validation import check_array, check_labels, check_whole
from xai_course.conversion import evaluating, split_link
from xai_course.networks import PiecewiseLinearNetwork, one_a_class

__all__ = [
    "Settings",
    "Step",
    "TrainedClassifier",
    "half_cosine",
    "mlp",
    "reproducible",
    "train",
    "train_classifier",
]

CHUNK = 512  # rows per evaluation: convolutions over thousands of images leave the CPU's cache
_KIND = "checkpoint 1"


@contextmanager
def reproducible(entropy: Sequence[int], device: torch.device) -> Iterator[np.random.Generator]:
    """Seed torch from `entropy` inside the block, and give a NumPy generator of the same source.

    Not taught: it only keeps random numbers apart.
    """
    numpy_seed, torch_seed = np.random.SeedSequence(entropy).spawn(2)
    cuda = [device] if device.type == "cuda" else []
    cudnn = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True)
    with torch.random.fork_rng(cuda), cudnn:
        torch.manual_seed(int(torch_seed.generate_state(1, np.uint64)[0] >> np.uint64(1)))
        yield np.random.default_rng(numpy_seed)


# Torch modules

Loss = Callable[[nn.Module, np.ndarray, Step], torch.Tensor]
Judge = Callable[[nn.Module], Mapping[str, float]]


def train(
    module: nn.Module,
    loss: Loss,
    items: np.ndarray | int,
    settings: Settings,
    *,
    judge: Judge | None = None,
    rate: Callable[[float], float] | None = None,
    epsilon: float = 1e-8,
    device: str | torch.device = "cpu",
    checkpoint: str | Path | None = None,
    identity: Mapping[str, Any] | None = None,
    pause: float = 0.0,
    progress: bool = False,
) -> tuple[nn.Module, dict[str, Any]]:
    """Take steps of Adam and keep the weights of the epoch that `judge` likes best.

    Parameters
    ----------
    module : torch.nn.Module
        A copy of it is trained. In half precision the copy is trained in float32, since Adam's
        squares of gradients vanish in it, and rounded at the end.
    loss : callable
        Gets the module, the items of a batch and a `Step`; returns the mean loss.
    items : ndarray or int
        What is trained on, as `loss` understands it: numbers of rows, say. A number `n` stands for
        0 to ``n - 1``.
    settings : Settings
    judge : callable, optional
        Gets the module in evaluation mode, without gradients, before training and after each epoch.
        Returns what to log; the least ``validation_loss`` is the best. Without a judge the last
        weights are kept.
    rate : callable, optional
        Learning rate after so many epochs (a fraction). By default the half cosine that falls to
        zero over all epochs.
    epsilon : float
        Adam's.
    device : str or torch.device
    checkpoint : path, optional
        File for the state. If it exists, training goes on from it and ends with the result of a run
        that was never stopped.
    identity : mapping, optional
        What tells this run from another, beside settings and first weights. Arrays are equal if
        they differ by less than 0.001: a teacher's logits, which rounding may change.
    pause : float
        Least number of seconds between two writings of the checkpoint.
    progress : bool
        Show a progress bar.

    Returns
    -------
    module : torch.nn.Module
        On the CPU, in evaluation mode.
    log : dict
        ``settings``; ``train_loss``, the mean loss on the way, and what `judge` returns, one value
        per epoch. Entry 0 is before training, where ``train_loss`` is None unless `judge` gives it.
        With a judge also ``best_epoch``.

    Raises
    ------
    TypeError, ValueError
        If the module cannot be trained.
    OSError
        If the checkpoint is damaged, belongs to another run or can't be written. It stays as it
        was.

    Notes
    -----
    A last batch of a single item joins the one before it where the module has batch normalisation,
    which a single item would stop.
    """
    device = torch.device(device)
    items = np.arange(items) if np.ndim(items) == 0 else items
    norms = (isinstance(part, nn.modules.batchnorm._BatchNorm) for part in module.modules())
    least = 2 if any(norms) else 1
    if min(len(items), settings.batch_size) < least:
        raise ValueError(
            f"A batch needs at least {least} row(s), two for batch normalisation; got "
            f"{len(items)} row(s) to train on and batch_size={settings.batch_size}."
        )
    state = _State(module, loss, judge, device, epsilon)
    run = {**asdict(settings), "device": device.type, **(identity or {})}
    file = _Checkpoint(checkpoint, run, pause, state)
    how = {"rate": rate, "least": least, "progress": progress}
    learn(state, items, settings, after=file.write, **how)
    return state.result(module), {"settings": asdict(settings), **state.log}


class _State(Learner):
    """A module, its optimiser and its log: all that changes from epoch to epoch."""

    def __init__(
        self, module: nn.Module, loss: Loss, judge: Judge | None, device: torch.device, eps: float
    ) -> None:
        super().__init__()
        self.loss, self.judge_of, self.device = loss, judge or (lambda _: {}), device
        self.module = copy.deepcopy(module).to(device)
        if any(tensor.dtype in (torch.float16, torch.bfloat16) for tensor in _tensors(module)):
            self.module.float()
        if not any(parameter.requires_grad for parameter in self.module.parameters()):
            raise ValueError("The module has no weights to train: it has none, or all are frozen.")
        self.optimizer = torch.optim.Adam(self.module.parameters(), eps=eps)  # `step` sets the rate

    @contextmanager
    def epoch_of(self, entropy: Sequence[int]) -> Iterator[np.random.Generator]:
        self.module.train()
        with reproducible(entropy, self.device) as rng:
            yield rng

    def step(self, batch: np.ndarray, step: Step, rate: float) -> float:
        self.optimizer.param_groups[0]["lr"] = rate
        self.optimizer.zero_grad()
        value = self.loss(self.module, batch, step)
        value.backward()
        self.optimizer.step()
        return float(value.detach())

    def judge(self) -> Mapping[str, float]:
        self.module.eval()
        with torch.no_grad():
            return self.judge_of(self.module)

    def weights(self) -> dict[str, torch.Tensor]:
        return {name: v.clone() for name, v in self.module.state_dict().items()}

    def result(self, start: nn.Module) -> nn.Module:
        """Return the module to keep, in the precision of the one that training began with."""
        module = copy.deepcopy(start).cpu()
        module.load_state_dict(self.best or self.module.state_dict())
        module.zero_grad()
        return module.eval()

    def arrays(self) -> dict[str, np.ndarray]:
        """Return everything but the log, under names that `load` knows."""
        parts = {"module": self.module.state_dict(), "best": self.best or {}}
        parts |= self.optimizer.state_dict()["state"]
        return {
            f"{part}/{name}": tensor.detach().cpu().numpy()
            for part, tensors in parts.items()
            for name, tensor in tensors.items()
        }

    def load(self, arrays: Mapping[str, np.ndarray], log: dict[str, Any]) -> None:
        """Take over what `arrays` gave."""
        parts: dict[str, dict[str, torch.Tensor]] = {"best": {}}
        for key, array in arrays.items():
            part, name = key.split("/", 1)
            parts.setdefault(part, {})[name] = torch.tensor(array)
        self.module.load_state_dict(parts.pop("module"))
        self.best, self.log = parts.pop("best") or None, log
        moments = {int(number): values for number, values in parts.items()}
        self.optimizer.load_state_dict(self.optimizer.state_dict() | {"state": moments})


def _tensors(module: nn.Module) -> Iterator[torch.Tensor]:
    return chain(module.parameters(), module.buffers())


class _Checkpoint:
    """A file that holds a state, and what tells its run from another; or no file."""

    def __init__(
        self, path: str | Path | None, identity: dict[str, Any], pause: float, state: _State
    ) -> None:
        self.path, self.pause, self.state = path and Path(path), pause, state
        if self.path:
            self.identity = identity | {"first weights": sha256(state.arrays())}
            if self.path.exists():
                self._read()
        self.epoch, self.due = state.epoch, time.monotonic() + pause

    def _read(self) -> None:
        """Go on from the file, unless it is of another run."""
        try:
            arrays, record = load_arrays(self.path, _KIND)
        except DamagedFileError as error:
            way_out = "Remove the file to start again, or name another."
            raise DamagedFileError(f"{error} {way_out}") from error
        theirs = record["identity"]
        differing = [k for k, v in self.identity.items() if not _is_same(v, theirs.get(k))]
        if differing:
            raise OSError(
                f"The checkpoint {self.path} belongs to another run: it differs in "
                f"{', '.join(differing)}. It was left as it is; repeat that run's call, or name "
                "another file."
            )
        self.state.load(arrays, record["log"])

    def write(self, now: bool = False) -> None:
        """Replace the file, unless it is too early; whatever goes wrong, the old one stays."""
        epoch = self.state.epoch
        if self.path and self.epoch != epoch and (now or time.monotonic() >= self.due):
            known = {k: np.asarray(v).tolist() for k, v in self.identity.items()}
            record = {"identity": known, "log": self.state.log}
            save_arrays(self.path, _KIND, self.state.arrays(), record)
            self.epoch, self.due = epoch, time.monotonic() + self.pause


def _is_same(ours: Any, theirs: Any) -> bool:
    if not isinstance(ours, np.ndarray):
        return np.asarray(ours).tolist() == theirs
    return ours.shape == np.shape(theirs) and np.allclose(ours, theirs, rtol=1e-3, atol=1e-3)


# Classifiers


@dataclass(frozen=True, eq=False)
class TrainedClassifier:
    """A trained classifier; `train_classifier` returns it.

    Attributes
    ----------
    module : torch.nn.Module
        On the CPU, in evaluation mode, with the weights of the epoch of the least validation loss.
    log : dict
        ``settings``; ``best_epoch``; ``train_loss``, ``validation_loss`` and
        ``validation_accuracy`` (after `distill` ``validation_consistency``), one value per epoch.
        Entry 0 is before training, where ``train_loss`` is None.
    """

    module: nn.Module
    log: dict[str, Any]

    @property
    def network(self) -> PiecewiseLinearNetwork:
        """The module as a piecewise linear network.

        Raises
        ------
        TypeError
            If it is not a plain ReLU network; the message names the layer.
        """
        return PiecewiseLinearNetwork.from_torch(self.module)

    def logits(self, X: ArrayLike) -> np.ndarray:
        """Return the logits, float64, shape (n_samples, n_classes)."""
        return logits_of(self.module, rows_of(X), "The module")

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the class numbers, shape (n_samples,); at a tie the first."""
        return self.logits(X).argmax(axis=1)


def mlp(sizes: Sequence[int], *, seed: int = 0) -> nn.Sequential:
    """Return an untrained plain ReLU network.

    Parameters
    ----------
    sizes : sequence of int
        Widths from the input to the output, at least two.
    seed : int
        Seed of the weights, which torch draws as it always does.

    Returns
    -------
    torch.nn.Sequential
        Alternating `nn.Linear` and `nn.ReLU`.

    Raises
    ------
    ValueError
        If there are fewer than two sizes, or one is no whole number from 1 on.

    Notes
    -----
    Explained in the chapter *distillation*.

    Examples
    --------
    >>> mlp([4, 16, 3])
    Sequential(
      (0): Linear(in_features=4, out_features=16, bias=True)
      (1): ReLU()
      (2): Linear(in_features=16, out_features=3, bias=True)
    )
    """
    if len(sizes) < 2:
        raise ValueError(f"sizes must hold at least two widths, got {tuple(sizes)}.")
    sizes = [check_whole(size, "sizes", 1) for size in sizes]
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        layers = [nn.Linear(n_in, n_out) for n_in, n_out in pairwise(sizes)]
    steps = [step for layer in layers for step in (layer, nn.ReLU())]
    return nn.Sequential(*steps[:-1])


def train_classifier(
    module: nn.Module,
    X: ArrayLike,
    y: ArrayLike,
    *,
    device: str | torch.device | None = None,
    checkpoint: str | Path | None = None,
    progress: bool = False,
    **settings: Any,
) -> TrainedClassifier:
    """Train a classifier on labels alone: a teacher, or a student that never had one.

    The latter is the control of every distillation: the same network, rows and batches.

    Parameters
    ----------
    module : torch.nn.Module
        Takes rows of features and gives one output per class, or one output for two classes. A
        sigmoid, softmax or log-softmax at its end is recognised: what comes before it is trained as
        logits. A copy of it is trained. Lazy layers get their first weights, which the seed
        decides, in the module itself.
    X : array_like, shape (n_samples, n_features)
    y : array_like of int, shape (n_samples,)
        Class numbers.
    device : str or torch.device, optional
        Defaults to `xai_course.device`.
    checkpoint : path, optional
        File (safetensors) for the state after each epoch. If it exists, training goes on from it
        and ends with the result of a run that was never stopped.
    progress : bool
        Show a progress bar.
    **settings
        ``epochs``, ``batch_size``, ``learning_rate``, ``validation_fraction``, ``patience`` and
        ``seed``: see `Settings`. The learning rate falls to zero along half a cosine.

    Returns
    -------
    TrainedClassifier

    Raises
    ------
    TypeError, ValueError
        If an option is not accepted, the rows are not finite or the module does not take them.
    OSError
        If the checkpoint is damaged, belongs to another run or can't be written. It stays as it
        was.

    Notes
    -----
    On the CPU equal input gives equal results bit for bit, for one number of threads. Rows are kept
    in float32, for a module in float64 in float64.

    Explained in the chapter *distillation*.

    Examples
    --------
    >>> from xai_course.distillation import consistency
    >>> X = np.random.default_rng(0).normal(size=(400, 2))
    >>> model = train_classifier(mlp([2, 8, 2]), X, X.argmax(axis=1), learning_rate=0.02)
    >>> consistency(model, X.argmax(axis=1), X) > 0.9
    True
    """
    settings = Settings(**settings)
    device = xai_course.device() if device is None else torch.device(device)
    X, n_classes = prepare(module, X, settings.seed, "The module")
    labels = class_numbers(y, len(X), n_classes)
    identity = {"X": sha256({"X": X}), "y": sha256({"y": labels})}
    inputs, wanted = (torch.as_tensor(values, device=device) for values in (X, labels))

    def examples(rows: torch.Tensor, _: object) -> tuple[torch.Tensor, ...]:
        return inputs[rows], wanted[rows]

    loss_of, score = nn.functional.cross_entropy, "validation_accuracy"
    options = {"identity": identity, "checkpoint": checkpoint, "progress": progress}
    done = fit_classifier(module, examples, loss_of, wanted, score, settings, **options)
    return TrainedClassifier(*done)


def fit_classifier(
    module: nn.Module,
    examples: Callable[[torch.Tensor, np.random.Generator | None], tuple[torch.Tensor, ...]],
    loss_of: Callable[..., torch.Tensor],
    wanted: torch.Tensor,
    score: str,
    settings: Settings,
    **options: Any,
) -> tuple[nn.Module, dict[str, Any]]:
    """Train a module whose outputs are logits, and judge it by held-out rows.

    Parameters
    ----------
    module : torch.nn.Module
    examples : callable
        Gets numbers of rows and, in training, a generator; returns inputs and what `loss_of` needs
        to know about them.
    loss_of : callable
        Gets logits and that knowledge; returns the mean loss.
    wanted : tensor of int, shape (n_samples,)
        The decisions that count as right, on the device where training is to be.
    score : str
        Name in the log of the share of right decisions.
    settings : Settings
    **options
        ``identity``, ``checkpoint`` and ``progress`` of `train`.

    Returns
    -------
    module : torch.nn.Module
    log : dict
        As from `train`.
    """
    learn, held_out = settings.split(len(wanted))

    def answer(
        module: nn.Module, rows: np.ndarray, rng: np.random.Generator | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        inputs, *known = examples(torch.as_tensor(rows, device=wanted.device), rng)
        logits = class_logits(module, inputs)
        return logits, loss_of(logits, *known)

    def judge(module: nn.Module) -> dict[str, float]:
        loss, equal = 0.0, 0
        for rows in np.split(held_out, range(CHUNK, len(held_out), CHUNK)):
            logits, mean = answer(module, rows, None)
            loss += float(mean) * len(rows)
            equal += int((logits.argmax(dim=1) == wanted[rows]).sum())
        return {"validation_loss": loss / len(held_out), score: equal / len(held_out)}

    def loss(module: nn.Module, rows: np.ndarray, step: Step) -> torch.Tensor:
        return answer(module, rows, step.rng)[1]

    return train(module, loss, learn, settings, judge=judge, device=wanted.device, **options)


# What goes in

# What takes rows of features and gives rows of logits.
Logits = nn.Module | PiecewiseLinearNetwork | TrainedClassifier | Callable[[np.ndarray], ArrayLike]


def rows_of(X: ArrayLike) -> np.ndarray:
    """Return rows of features as a float64 array with at least one row and one feature."""
    X = check_array(X, "X", 2)
    if 0 in X.shape:
        raise ValueError(f"X must hold at least one row and one feature, got shape {X.shape}.")
    return X


def class_numbers(y: ArrayLike, n_rows: int, n_classes: int) -> np.ndarray:
    """Return labels that are class numbers from 0 on, as int64."""
    classes, codes = check_labels(y, n_rows)
    if not np.isin(classes, np.arange(n_classes)).all():
        raise ValueError(
            f"y must hold class numbers from 0 to {n_classes - 1}, got {listed(classes)}."
        )
    return classes.astype(np.int64)[codes]


def listed(values: np.ndarray) -> str:
    """Return the first values for a message."""
    return ", ".join(map(repr, values[:5].tolist())) + (", ..." if len(values) > 5 else "")


def prepare(module: nn.Module, X: ArrayLike, seed: int, name: str) -> tuple[np.ndarray, int]:
    """Return the rows in the precision of a module to train, and its number of classes."""
    X = rows_of(X)
    if not isinstance(module, nn.Module):
        raise TypeError(f"{name} must be a torch.nn.Module, got {type(module).__name__}.")
    with reproducible([seed, 0], torch.device("cpu")):  # lazy layers draw their first weights
        n_classes = logits_of(module, X[:2], name).shape[1]
    is_double = as_inputs(module, X[:1]).dtype is torch.float64
    return X.astype(np.float64 if is_double else np.float32), n_classes


def logits_of(model: Logits, X: np.ndarray, name: str) -> np.ndarray:
    """Return the logits of a model as float64, or say why it has none for these rows.

    Parameters
    ----------
    model : torch.nn.Module, PiecewiseLinearNetwork, TrainedClassifier or callable
        A sigmoid, softmax or log-softmax at the end of a module is taken off.
    X : ndarray, shape (n_samples, n_features)
    name : str
        For messages.

    Returns
    -------
    ndarray of float64, shape (n_samples, n_classes)
        A single output is the logit of the second of two classes; that of the first is zero.

    Raises
    ------
    TypeError, ValueError
        If it is no such model, does not take the rows, or gives something else.
    """
    if isinstance(model, nn.Module):
        model = partial(_module_logits, model)
    elif isinstance(model, PiecewiseLinearNetwork | TrainedClassifier):
        model = model.logits
    elif not callable(model):
        raise TypeError(
            f"{name} must be a torch.nn.Module, a PiecewiseLinearNetwork, a TrainedClassifier or a "
            f"callable that gives logits, got {type(model).__name__}."
        )
    try:
        logits = np.asarray(model(X.copy()), dtype=np.float64)  # it may work in place
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{name} does not take rows of {X.shape[1]} features: {reason}") from error
    if logits.ndim != 2 or len(logits) != len(X) or not logits.shape[1]:
        raise ValueError(
            f"{name} must give logits of shape ({len(X)}, n_classes), got {logits.shape}."
        )
    if not np.isfinite(logits).all():
        raise ValueError(f"{name} gives NaN or infinite logits for some rows.")
    return one_a_class(logits)


def _module_logits(module: nn.Module, X: np.ndarray) -> np.ndarray:
    with evaluating(module), torch.no_grad():
        parts = [
            class_logits(module, as_inputs(module, rows)).cpu().double().numpy()
            for rows in np.split(X, range(CHUNK, len(X), CHUNK))
        ]
    return np.concatenate(parts)


def class_logits(module: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    """Return the logits of all classes: a single output is that of the second of two."""
    logits = split_link(module)[0](inputs)
    if logits.ndim != 2 or logits.shape[1] != 1:
        return logits
    return torch.cat([torch.zeros_like(logits), logits], dim=1)


def as_inputs(module: nn.Module, X: np.ndarray) -> torch.Tensor:
    """Return rows on the device and in the precision of a module's weights."""
    floats = (tensor for tensor in _tensors(module) if tensor.is_floating_point())
    weight = next(floats, torch.zeros(0))
    return torch.as_tensor(X, device=weight.device, dtype=weight.dtype)
