"""Distillation: a piecewise linear network that imitates a black box, and how well it does.

The student is a plain ReLU network. Once it agrees with its teacher, its local linear models, which
are exact for the student, stand for the teacher. How far they may is what the measures below say.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike
from torch import nn

import xai_course
from xai_course._training import CHUNK, Run, Settings
from xai_course._validation import check_array
from xai_course.networks import PiecewiseLinearNetwork

__all__ = [
    "Distillation",
    "Training",
    "confusion",
    "consistency",
    "distill",
    "error_agreement",
    "local_fidelity",
    "mlp",
    "tangents",
    "train_classifier",
]

# What takes rows of features and gives rows of logits.
Logits = nn.Module | PiecewiseLinearNetwork | Callable[[np.ndarray], ArrayLike]


# Results


@dataclass(frozen=True, eq=False)
class Training:
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
        return _logits(self.module, _rows(X), "The module")

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the class numbers, shape (n_samples,)."""
        return self.logits(X).argmax(axis=1)


@dataclass(frozen=True, eq=False)
class Distillation(Training):
    """A student that imitates a teacher; `distill` returns it. See `Training`."""

    @property
    def student(self) -> nn.Module:
        """The trained student; the same as `module`."""
        return self.module


# Training


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
        If there are fewer than two sizes, or one is below 1.

    Notes
    -----
    Explained in the chapter *clime*.
    """
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"sizes must hold at least two widths from 1 on, got {tuple(sizes)}.")
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        layers = [nn.Linear(n_in, n_out) for n_in, n_out in pairwise(sizes)]
    steps = [step for layer in layers for step in (layer, nn.ReLU())]
    return nn.Sequential(*steps[:-1])


def distill(
    teacher: Logits,
    student: nn.Module,
    X: ArrayLike,
    y: ArrayLike | None = None,
    *,
    loss: str = "kd",
    alpha: float = 0.0,
    temperature: float = 3.0,
    augment: str | None = None,
    epochs: int = 30,
    batch_size: int = 128,
    learning_rate: float = 1e-3,
    validation_fraction: float = 0.1,
    patience: int = 10,
    seed: int = 0,
    device: str | torch.device | None = None,
    checkpoint: str | Path | None = None,
    progress: bool = False,
) -> Distillation:
    """Train a student to give the outputs of a teacher.

    Parameters
    ----------
    teacher : torch.nn.Module, PiecewiseLinearNetwork or callable
        Takes rows of features and gives logits, shape (n_samples, n_classes). A callable gets and
        returns NumPy arrays, so that any classifier can be imitated; log-probabilities will do.
    student : torch.nn.Module
        A copy of it is trained. It must be a plain ReLU network, such as `mlp` makes, if its local
        linear models are wanted.
    X : array_like, shape (n_samples, n_features)
        Inputs; they need no labels.
    y : array_like of int, shape (n_samples,), optional
        Class numbers; needed only where ``alpha > 0``.
    loss : {"kd", "logits"}
        How the student is held to the teacher. ``"kd"``: the Kullback-Leibler divergence of the
        probabilities at `temperature`, times its square (Hinton et al. 2015). ``"logits"``: the
        mean squared error of the logits; the teacher's are shifted to mean 0 in each row.
    alpha : float
        Weight of the cross-entropy with the labels; the teacher's part weighs ``1 - alpha``.
    temperature : float
        Divides the logits in ``"kd"``.
    augment : {None, "noise", "mixup", "shift"}
        Replace half of each batch by inputs that the teacher labels on the way: with normal noise
        of a random size up to 0.3; mixed with another row in a random ratio; or, for square
        images, moved by up to two pixels each way.
    epochs : int
        At most; 0 leaves the student as it is.
    batch_size : int
    learning_rate : float
        Adam's at the start; it falls to zero over `epochs` along half a cosine.
    validation_fraction : float
        Share of the rows that decide which epoch is kept; they are not trained on.
    patience : int
        Stop after so many epochs without a smaller validation loss.
    seed : int
        Decides the validation rows, the batches, the augmentation and any dropout.
    device : str or torch.device, optional
        Defaults to `xai_course.device`.
    checkpoint : path, optional
        File (safetensors) for the state after each epoch. If it exists, training goes on from it
        and ends with the result of a run that was never stopped.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Distillation

    Raises
    ------
    TypeError, ValueError
        If an option is not accepted, the rows are not finite, teacher or student do not take them,
        or the two differ in their number of classes.
    OSError
        If the checkpoint is damaged, belongs to another run or can't be written. It stays as it
        was.

    Notes
    -----
    Hinton et al. (2015); Dong et al. (2021), section 6, which does not say what its alpha weighs.
    On the CPU equal input gives equal results bit for bit, for one number of threads. Rows are kept
    in float32.

    Explained in the chapter *clime*.
    """
    if loss not in ("kd", "logits"):
        raise ValueError(f"loss must be 'kd' or 'logits', got {loss!r}.")
    settings = Settings(
        loss=loss,
        alpha=alpha,
        temperature=temperature,
        augment=augment,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        validation_fraction=validation_fraction,
        patience=patience,
        seed=seed,
    )
    if alpha > 0 and y is None:
        raise ValueError(f"alpha={alpha!r} weighs labels, so y is needed; or take alpha=0.")
    X, where = _rows(X), _device(device)
    if isinstance(teacher, nn.Module):
        teacher = copy.deepcopy(teacher).to(where)
    target = _logits(teacher, X, "The teacher")
    n_classes = _n_classes(student, X, "The student")
    if n_classes != target.shape[1]:
        raise ValueError(
            f"The teacher has {target.shape[1]} classes, but the student has {n_classes}."
        )
    labels = None if y is None else _labels(y, len(X), n_classes)

    def ask(inputs: torch.Tensor) -> torch.Tensor:
        logits = _logits(teacher, inputs.cpu().numpy(), "The teacher")
        return torch.as_tensor(logits, dtype=torch.float32, device=where)

    run = Run(settings, where, X, labels, target, ask)
    return Distillation(*run.train(student, _path(checkpoint), progress))


def train_classifier(
    module: nn.Module,
    X: ArrayLike,
    y: ArrayLike,
    *,
    epochs: int = 30,
    batch_size: int = 128,
    learning_rate: float = 1e-3,
    validation_fraction: float = 0.1,
    patience: int = 10,
    seed: int = 0,
    device: str | torch.device | None = None,
    checkpoint: str | Path | None = None,
    progress: bool = False,
) -> Training:
    """Train a classifier on labels alone: a teacher, or a student that never had one.

    The latter is the control of every distillation: the same network, rows and batches.

    Parameters
    ----------
    module : torch.nn.Module
        Takes rows of features and gives logits; a copy of it is trained.
    X : array_like, shape (n_samples, n_features)
    y : array_like of int, shape (n_samples,)
        Class numbers.
    epochs, batch_size, learning_rate, validation_fraction, patience, seed
        As in `distill`; so are `device`, `checkpoint` and `progress`.

    Returns
    -------
    Training

    Raises
    ------
    TypeError, ValueError, OSError
        As in `distill`.

    Notes
    -----
    Explained in the chapter *clime*.
    """
    settings = Settings(
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        validation_fraction=validation_fraction,
        patience=patience,
        seed=seed,
    )
    X = _rows(X)
    labels = _labels(y, len(X), _n_classes(module, X, "The module"))
    run = Run(settings, _device(device), X, labels)
    return Training(*run.train(module, _path(checkpoint), progress))


# Agreement


def consistency(f: Any, g: Any, X: ArrayLike | None = None) -> float:
    """Return the share of rows on which two classifiers decide alike.

    Parameters
    ----------
    f, g : torch.nn.Module, PiecewiseLinearNetwork, estimator with `predict`, or array_like
        Modules and networks decide for the largest logit, or by the sign of a single one. An array
        of shape (n_samples,) holds decisions already.
    X : array_like, shape (n_samples, n_features), optional
        Needed unless both are arrays.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    TypeError, ValueError
        If something gives no decisions, they differ in number or kind, or there are none.

    Notes
    -----
    Dong et al. (2021), section 7.3. Two classifiers that learnt the same task agree often without
    knowing of each other: compare with a student that had no teacher.

    Explained in the chapter *clime*.
    """
    first, second = _two_decisions(f, g, X)
    return float((first == second).mean())


def error_agreement(teacher: Any, student: Any, X: ArrayLike | None, y: ArrayLike) -> float:
    """Return on which share of the teacher's errors the student makes the same error.

    Parameters
    ----------
    teacher, student, X
        As `f`, `g` and `X` in `consistency`.
    y : array_like, shape (n_samples,)
        True classes.

    Returns
    -------
    float
        In [0, 1]. Two independent good classifiers have a low value, however consistent they are.

    Raises
    ------
    TypeError, ValueError
        As in `consistency`, or if the teacher makes no error.

    Notes
    -----
    Explained in the chapter *clime*.
    """
    first, second = _two_decisions(teacher, student, X)
    truth = _decisions(y, None, "y")
    _check_alike(first, truth, "decisions and y")
    wrong = first != truth
    if not wrong.any():
        raise ValueError("The teacher makes no error on these rows.")
    return float((first == second)[wrong].mean())


def confusion(
    teacher: Any,
    student: Any,
    X: ArrayLike | None = None,
    *,
    target_names: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return how often each pair of decisions occurs.

    Parameters
    ----------
    teacher, student, X
        As `f`, `g` and `X` in `consistency`.
    target_names : sequence of str, optional
        Name of each class number.

    Returns
    -------
    DataFrame of int
        Rows are the student's decisions, columns the teacher's, as in Figure 8 of Dong et al.
        (2021). Without `target_names`, the classes that occur.

    Raises
    ------
    TypeError, ValueError
        As in `consistency`, or if a class number has no name.

    Notes
    -----
    Explained in the chapter *clime*.
    """
    first, second = _two_decisions(teacher, student, X)
    classes = np.unique(np.concatenate([first, second]))
    if target_names is not None:
        if classes.dtype.kind not in "iu" or classes[0] < 0 or classes[-1] >= len(target_names):
            raise ValueError(
                f"target_names has {len(target_names)} names, but the decisions are "
                f"{classes.tolist()}."
            )
        classes = np.arange(len(target_names))
    counts = np.zeros((len(classes), len(classes)), dtype=np.int64)
    np.add.at(counts, (np.searchsorted(classes, second), np.searchsorted(classes, first)), 1)
    names = classes if target_names is None else list(target_names)
    return pd.DataFrame(
        counts, index=pd.Index(names, name="student"), columns=pd.Index(names, name="teacher")
    )


# Local fidelity


def tangents(module: nn.Module, X: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return the tangent of a differentiable classifier at each row.

    What a student's local linear models have to beat where the teacher's gradient is known.

    Parameters
    ----------
    module : torch.nn.Module
        Takes rows of features and gives logits.
    X : array_like, shape (n_samples, n_features)

    Returns
    -------
    coef : ndarray of float64, shape (n_samples, n_classes, n_features)
    intercept : ndarray of float64, shape (n_samples, n_classes)
        At row ``i`` the logits and their gradient are those of ``coef[i] @ x + intercept[i]``.

    Raises
    ------
    TypeError, ValueError
        If the rows are not finite or the module does not take them.

    Notes
    -----
    Explained in the chapter *clime*.
    """
    X = _rows(X)
    _logits(module, X[:1], "The module")
    with _evaluating(module) as (device, dtype):
        inputs = torch.as_tensor(X, device=device, dtype=dtype).requires_grad_()
        outputs = module(inputs)
        gradients = [
            torch.autograd.grad(column.sum(), inputs, retain_graph=True)[0]
            for column in outputs.unbind(dim=1)
        ]
    coef = torch.stack(gradients, dim=1).cpu().double().numpy()
    values = outputs.detach().cpu().double().numpy()
    return coef, values - np.einsum("nkd,nd->nk", coef, X.astype(np.float64))


def local_fidelity(
    teacher: Logits,
    explanation: PiecewiseLinearNetwork | Training | tuple[ArrayLike, ArrayLike],
    X: ArrayLike,
    *,
    scale: float = 0.1,
    n_samples: int = 200,
    seed: int = 0,
) -> pd.DataFrame:
    """Return how well one linear model per row describes the teacher near that row.

    Parameters
    ----------
    teacher : torch.nn.Module, PiecewiseLinearNetwork or callable
        As in `distill`.
    explanation : PiecewiseLinearNetwork, Training or pair of arrays
        A network, or what `distill` returned, is read at each row: its local linear model there.
        A pair is ``coef`` (n_samples, n_classes, n_features) and ``intercept`` (n_samples,
        n_classes), such as `tangents` gives.
    X : array_like, shape (n_samples, n_features)
        The points.
    scale : float
        Standard deviation of the normal steps away from a point, in units of the features.
    n_samples : int
        Steps per point, at least 2.
    seed : int
        Seed of the steps; they are the same for every point and every explanation.

    Returns
    -------
    DataFrame, one line per row of `X`
        ``r2``: share of the variance of the teacher's logits that the linear model explains.
        ``r2_change``: the same for their change from the point, so that an error at the point
        itself does not count. ``consistency``: share of equal decisions. Logits are taken without
        their mean over the classes, which says nothing about a decision.

    Raises
    ------
    TypeError, ValueError
        If an option or a shape is not accepted.

    Notes
    -----
    Both R2 are 1 for a perfect explanation and have no lower limit; 0 is what a constant reaches.

    Explained in the chapter *clime*.
    """
    X = _rows(X)
    if not 0 < scale < np.inf:
        raise ValueError(f"scale must be a positive number, got {scale!r}.")
    if n_samples < 2:
        raise ValueError(f"n_samples must be at least 2, got {n_samples!r}.")
    coef, intercept = _linear_models(explanation, X)
    steps = np.random.default_rng(seed).normal(scale=scale, size=(n_samples, X.shape[1]))
    lines = []
    for x, slopes, offset in zip(X.astype(np.float64), coef, intercept, strict=True):
        points = np.vstack([x, x + steps]).astype(np.float32)
        truth = _logits(teacher, points, "The teacher")
        if truth.shape[1] != len(offset):
            raise ValueError(
                f"The teacher has {truth.shape[1]} classes, but the explanation has {len(offset)}."
            )
        told = points @ slopes.T + offset
        equal = (truth[1:].argmax(axis=1) == told[1:].argmax(axis=1)).mean()
        truth, told = (v - v.mean(axis=1, keepdims=True) for v in (truth, told))
        here, change = truth[1:], truth[1:] - truth[0]
        error, change_error = told[1:] - here, told[1:] - told[0] - change
        lines.append(
            {
                "r2": _r2(error, here - here.mean(axis=0)),
                "r2_change": _r2(change_error, change),
                "consistency": float(equal),
            }
        )
    return pd.DataFrame(lines)


def _r2(error: np.ndarray, total: np.ndarray) -> float:
    squares = (total**2).sum()
    return float(1 - (error**2).sum() / squares) if squares > 0 else np.nan


def _linear_models(explanation: Any, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(explanation, Training):
        explanation = explanation.network
    if isinstance(explanation, PiecewiseLinearNetwork):
        patterns = explanation.activation_pattern(X)
        return explanation.local_linear_models(patterns)
    if not isinstance(explanation, tuple) or len(explanation) != 2:
        raise TypeError(
            "explanation must be a PiecewiseLinearNetwork, what distill returned, or a pair "
            f"(coef, intercept), got {type(explanation).__name__}."
        )
    coef = check_array(explanation[0], "coef", 3)
    intercept = check_array(explanation[1], "intercept", 2)
    n_classes = intercept.shape[1]
    if coef.shape != (len(X), n_classes, X.shape[1]) or len(intercept) != len(X):
        raise ValueError(
            f"coef and intercept have shapes {coef.shape} and {intercept.shape}, expected "
            f"({len(X)}, n_classes, {X.shape[1]}) and ({len(X)}, n_classes)."
        )
    return coef, intercept


# What goes in


def _rows(X: ArrayLike) -> np.ndarray:
    X = check_array(X, "X", 2)
    if 0 in X.shape:
        raise ValueError(f"X must hold at least one row and one feature, got shape {X.shape}.")
    return X.astype(np.float32)


def _path(checkpoint: str | Path | None) -> Path | None:
    return None if checkpoint is None else Path(checkpoint)


def _device(device: str | torch.device | None) -> torch.device:
    return xai_course.device() if device is None else torch.device(device)


def _labels(y: ArrayLike, n_rows: int, n_classes: int) -> np.ndarray:
    labels = check_array(y, "y", 1)
    if len(labels) != n_rows:
        raise ValueError(f"X has {n_rows} rows, but y has {len(labels)}.")
    if not np.isin(labels, np.arange(n_classes)).all():
        raise ValueError(
            f"y must hold class numbers from 0 to {n_classes - 1}, got values from "
            f"{labels.min():g} to {labels.max():g}."
        )
    return labels.astype(np.int64)


def _n_classes(module: nn.Module, X: np.ndarray, name: str) -> int:
    if not isinstance(module, nn.Module):
        raise TypeError(f"{name} must be a torch.nn.Module, got {type(module).__name__}.")
    return _logits(module, X[:2], name).shape[1]


def _logits(model: Logits, X: np.ndarray, name: str, least: int = 2) -> np.ndarray:
    """Return the logits of a model as float64, or say why it has none for these rows."""
    try:
        if isinstance(model, PiecewiseLinearNetwork):
            logits = model.forward(X)
        elif isinstance(model, nn.Module):
            logits = _module_logits(model, X)
        elif callable(model):
            logits = np.asarray(model(X), dtype=np.float64)
        else:
            raise TypeError(
                f"{name} must be a torch.nn.Module, a PiecewiseLinearNetwork or a callable that "
                f"gives logits, got {type(model).__name__}."
            )
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{name} does not take rows of {X.shape[1]} features: {reason}") from error
    if logits.ndim != 2 or len(logits) != len(X) or logits.shape[1] < least:
        raise ValueError(
            f"{name} must give logits of shape ({len(X)}, n_classes) with at least {least} "
            f"class(es), got {logits.shape}."
        )
    if not np.isfinite(logits).all():
        raise ValueError(f"{name} gives NaN or infinite logits for some rows.")
    return logits


def _module_logits(module: nn.Module, X: np.ndarray) -> np.ndarray:
    parts = []
    with _evaluating(module) as (device, dtype), torch.no_grad():
        for first in range(0, len(X), CHUNK):
            rows = torch.as_tensor(X[first : first + CHUNK], device=device, dtype=dtype)
            parts.append(module(rows).cpu().double().numpy())
    return np.concatenate(parts)


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[tuple[torch.device, torch.dtype]]:
    """Put a module into evaluation mode for a while; give its device and dtype."""
    modes = {part: part.training for part in module.modules()}
    parameter = next(module.parameters(), torch.zeros(0))
    module.eval()
    try:
        yield parameter.device, parameter.dtype
    finally:
        for part, training in modes.items():
            part.training = training


def _two_decisions(f: Any, g: Any, X: ArrayLike | None) -> tuple[np.ndarray, np.ndarray]:
    first, second = _decisions(f, X, "the first"), _decisions(g, X, "the second")
    _check_alike(first, second, "the two")
    return first, second


def _decisions(model: Any, X: ArrayLike | None, name: str) -> np.ndarray:
    """Return the decisions of a model on `X`, or the array that holds them."""
    is_network = isinstance(model, nn.Module | PiecewiseLinearNetwork)
    if is_network or hasattr(model, "predict"):
        if X is None:
            raise ValueError(f"X is needed: {name} is a {type(model).__name__}, not decisions.")
        if is_network:
            logits = _logits(model, _rows(X), f"{name[0].upper()}{name[1:]} network", least=1)
            return logits.argmax(axis=1) if logits.shape[1] > 1 else (logits[:, 0] > 0).astype(int)
        array = np.asarray(model.predict(X))
    elif isinstance(model, type) or callable(model) or np.ndim(model) == 0:
        raise TypeError(
            f"{name} must be a torch.nn.Module, a PiecewiseLinearNetwork, an estimator with "
            f"predict, or an array of decisions, got {type(model).__name__}."
        )
    else:
        array = np.asarray(model)
    if array.ndim != 1 or len(array) == 0:
        raise ValueError(
            f"{name} must hold one decision for each of at least one row, got shape {array.shape}."
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinite decisions.")
    return array


def _check_alike(first: np.ndarray, second: np.ndarray, names: str) -> None:
    if len(first) != len(second):
        raise ValueError(f"{names} differ in length: {len(first)} and {len(second)}.")
    numeric = [array.dtype.kind in "biuf" for array in (first, second)]
    if numeric[0] != numeric[1]:
        raise ValueError(f"{names} differ in kind: {first.dtype} and {second.dtype}.")
