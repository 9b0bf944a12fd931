"""Distillation: a piecewise linear network that imitates a black box, and how well it does.

The student is a plain ReLU network. Once it agrees with its teacher, its local linear models, which
are exact for the student, stand for the teacher. How far they may is what the measures below say.

Explained in the chapter *distillation*.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn

import xai_course
from xai_course._storage import sha256
from xai_course._validation import check_choice, check_labels, check_number
from xai_course.conversion import evaluating
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.training import (
    Logits,
    Settings,
    TrainedClassifier,
    as_inputs,
    class_logits,
    class_numbers,
    fit_classifier,
    listed,
    logits_of,
    prepare,
    rows_of,
)

__all__ = ["Distillation", "consistency", "distill", "error_agreement", "tangents"]

_NOISE = 0.3  # largest standard deviation, in units of the features


class Distillation(TrainedClassifier):
    """A student that imitates a teacher; `distill` returns it. See `TrainedClassifier`."""


def distill(
    teacher: Logits,
    student: nn.Module,
    X: ArrayLike,
    y: ArrayLike | None = None,
    *,
    alpha: float = 0.0,
    temperature: float = 3.0,
    augment: str | None = None,
    device: str | torch.device | None = None,
    checkpoint: str | Path | None = None,
    progress: bool = False,
    **settings: Any,
) -> Distillation:
    """Train a student to give the outputs of a teacher.

    The loss is the Kullback-Leibler divergence of the probabilities at a temperature, times the
    square of that temperature (Hinton et al. 2015).

    Parameters
    ----------
    teacher : torch.nn.Module, PiecewiseLinearNetwork, TrainedClassifier or callable
        Takes rows of features and gives logits, shape (n_samples, n_classes), or for two classes
        (n_samples, 1), the logit of the second. A sigmoid, softmax or log-softmax at the end of a
        module is recognised and left out. A callable gets and returns NumPy arrays, so that any
        classifier can be imitated; log-probabilities will do.
    student : torch.nn.Module
        A copy of it is trained, as `train_classifier` does. It must be a plain ReLU network, such
        as `xai_course.training.mlp` makes, if its local linear models are wanted.
    X : array_like, shape (n_samples, n_features)
        Inputs; they need no labels.
    y : array_like of int, shape (n_samples,), optional
        Class numbers; needed only where ``alpha > 0``.
    alpha : float
        Weight of the cross-entropy with the labels; the teacher's part weighs ``1 - alpha``.
    temperature : float
        Divides the logits of both.
    augment : {None, "noise"}
        Replace half of each batch by inputs that the teacher labels on the way: with normal noise
        of a random size up to 0.3.
    device, checkpoint, progress, **settings
        As in `train_classifier`.

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
    On the CPU equal input gives equal results bit for bit, for one number of threads. The teacher
    is asked about the rows that the student sees: in float32, or in a float64 student's precision.

    Explained in the chapter *distillation*.

    Examples
    --------
    >>> from xai_course.training import mlp
    >>> X = np.random.default_rng(0).normal(size=(400, 2))
    >>> student = distill(lambda rows: 4 * rows, mlp([2, 8, 2]), X, learning_rate=0.02)
    >>> consistency(X.argmax(axis=1), student, X) > 0.9
    True
    """
    settings = Settings(**settings)
    check_number(alpha, "alpha", least=0, most=1)
    check_number(temperature, "temperature", above=0)
    check_choice(augment, "augment", (None, "noise"))
    if augment is not None and alpha > 0:
        raise ValueError(
            f"augment={augment!r} makes rows without labels: alpha must be 0, got {alpha!r}."
        )
    if alpha > 0 and y is None:
        raise ValueError(f"alpha={alpha!r} weighs labels, so y is needed; or take alpha=0.")
    device = xai_course.device() if device is None else torch.device(device)
    if isinstance(teacher, nn.Module) and device.type != "cpu":
        teacher = copy.deepcopy(teacher).to(device)
    X, n_classes = prepare(student, X, settings.seed, "The student")
    told = logits_of(teacher, X, "The teacher")
    if (told >= 0).all() and np.allclose(told.sum(axis=1), 1):
        raise ValueError("The teacher gives probabilities, not logits; return their logarithms.")
    if n_classes != told.shape[1]:
        raise ValueError(
            f"The teacher has {told.shape[1]} classes, but the student has {n_classes}."
        )
    labels = np.zeros(len(X), int) if y is None else class_numbers(y, len(X), n_classes)
    how = {"alpha": alpha, "temperature": temperature, "augment": augment}
    identity = how | {"X": sha256({"X": X}), "y": sha256({"y": labels}), "teacher": told[:100]}
    inputs, target, labels = (
        torch.as_tensor(values, device=device) for values in (X, told.astype(X.dtype), labels)
    )

    def examples(
        rows: torch.Tensor, rng: np.random.Generator | None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        seen, answers, changed = inputs[rows], target[rows], len(rows) // 2
        if augment and rng is not None and changed:
            # Drawn by NumPy, so that each device gets the same.
            sizes = rng.uniform(size=(changed, 1))
            noise = rng.standard_normal((changed, X.shape[1]), dtype=np.float32)
            seen[:changed] += torch.as_tensor(_NOISE * sizes * noise).to(seen)
            new = logits_of(teacher, seen[:changed].cpu().numpy(), "The teacher")
            answers[:changed] = torch.as_tensor(new)
        return seen, answers, labels[rows]

    def loss_of(outputs: torch.Tensor, answers: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        ours, theirs = ((logits / temperature).log_softmax(1) for logits in (outputs, answers))
        apart = nn.functional.kl_div(ours, theirs, reduction="batchmean", log_target=True)
        to_labels = nn.functional.cross_entropy(outputs, truth)
        return alpha * to_labels + (1 - alpha) * (temperature**2 * apart)

    wanted, score = target.argmax(dim=1), "validation_consistency"
    options = {"identity": identity, "checkpoint": checkpoint, "progress": progress}
    module, log = fit_classifier(student, examples, loss_of, wanted, score, settings, **options)
    return Distillation(module, log | {"settings": log["settings"] | how})


# Agreement


def consistency(f: Any, g: Any, X: ArrayLike | None = None) -> float:
    """Return the share of rows on which two classifiers decide alike.

    Parameters
    ----------
    f, g : module, PiecewiseLinearNetwork, TrainedClassifier, estimator or array_like
        Modules and networks decide for the class of the largest logit, at a tie for the first. A
        single output is the logit of the second of two classes; a sigmoid, softmax or log-softmax
        at the end of a module is recognised. An array of shape (n_samples,) holds decisions
        already.
    X : array_like, shape (n_samples, n_features), optional
        Needed unless both are arrays.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    TypeError, ValueError
        If something gives no decisions, they differ in number or kind, one is missing, or there are
        none.

    Notes
    -----
    Decisions are compared as labels. A network knows class numbers only. They stand for themselves
    where the other side holds nothing else, and otherwise for the sorted labels of the other side:
    the ``classes_`` of an estimator, or the different values of an array, if there are as many as
    the network has classes.

    Dong et al. (2021), section 7.3. Two classifiers that learnt the same task agree often without
    knowing of each other: compare with a student that had no teacher.

    Explained in the chapter *distillation*.

    Examples
    --------
    >>> consistency(np.array([0, 1, 1, 0]), np.array([0, 1, 0, 0]))
    0.75
    """
    first, second = _labels(X, f=f, g=g)
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
    Explained in the chapter *distillation*.
    """
    first, second, truth = _labels(X, teacher=teacher, student=student, y=y)
    wrong = first != truth
    if not wrong.any():
        raise ValueError("The teacher makes no error on these rows.")
    return float((first == second)[wrong].mean())


# Tangents


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
    X = rows_of(X)
    logits_of(module, X[:1], "The module")
    with evaluating(module):
        inputs = as_inputs(module, X).requires_grad_()
        outputs = class_logits(module, inputs.clone())  # a layer may work in place
        gradients = [
            torch.autograd.grad(column.sum(), inputs, retain_graph=True)[0]
            for column in outputs.unbind(dim=1)
        ]
    coef = torch.stack(gradients, dim=1).cpu().double().numpy()
    seen, values = (tensor.detach().cpu().double().numpy() for tensor in (inputs, outputs))
    return coef, values - np.einsum("nkd,nd->nk", coef, seen)


# Decisions


def _labels(X: ArrayLike | None, **models: Any) -> list[np.ndarray]:
    """Return the decisions of several models as labels that can be compared."""
    found = {name: _decisions(model, X, name) for name, model in models.items()}
    lengths = {name: len(decisions) for name, (decisions, _) in found.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"The numbers of decisions differ: {lengths}.")
    given = [decisions for decisions, n_classes in found.values() if n_classes is None]
    labels = [
        decisions if n_classes is None else _names(models.values(), given, n_classes)[decisions]
        for decisions, n_classes in found.values()
    ]
    if len({values.dtype.kind in "biuf" for values in labels}) > 1:
        kinds = ", ".join(str(values.dtype) for values in labels)
        raise ValueError(f"The decisions differ in kind: {kinds}.")
    return labels


def _decisions(model: Any, X: ArrayLike | None, name: str) -> tuple[np.ndarray, int | None]:
    """Return decisions; with class numbers, as networks give them, also how many there are."""
    is_network = isinstance(model, nn.Module | PiecewiseLinearNetwork | TrainedClassifier)
    if X is None and (is_network or hasattr(model, "predict")):
        raise ValueError(f"X is needed: {name} is a {type(model).__name__}, not decisions.")
    if is_network:
        logits = logits_of(model, rows_of(X), name)
        return logits.argmax(axis=1), logits.shape[1]
    decisions = np.asarray(model.predict(X) if hasattr(model, "predict") else model)
    if decisions.ndim == 0:
        raise TypeError(
            f"{name} must be a torch.nn.Module, a PiecewiseLinearNetwork, an estimator with "
            f"predict, or an array of decisions, got {type(model).__name__}."
        )
    if not len(decisions):
        raise ValueError(f"{name} holds no decisions; give at least one row.")
    classes, codes = check_labels(decisions, len(decisions), name)
    return classes[codes], None


def _names(models: Iterable[Any], given: Sequence[np.ndarray], n_classes: int) -> np.ndarray:
    """Return the label of each class number, as the other models and arrays know it."""
    known = [model.classes_ for model in models if hasattr(model, "classes_")]
    names = known[0] if known else np.unique(np.concatenate([np.arange(0), *given]))
    if np.isin(names, np.arange(n_classes)).all():
        return np.arange(n_classes)
    if len(names) != n_classes:
        raise ValueError(
            f"A network with {n_classes} classes is compared with {len(names)} labels: "
            f"{listed(names)}. Give class numbers from 0 on, or an estimator with all classes."
        )
    return np.asarray(names)
