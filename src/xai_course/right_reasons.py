"""Training that forbids reasons: a penalty on the gradient where it should not be."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn

from xai_course._validation import check_array, check_number
from xai_course.training import Settings, Step, TrainedClassifier, class_numbers, prepare, train

__all__ = ["reasons_penalty", "train_right_reasons"]


def reasons_penalty(
    module: nn.Module, inputs: torch.Tensor, forbidden: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return log-probabilities, and how strongly they lean on what is forbidden.

    Parameters
    ----------
    module : torch.nn.Module
        Gives logits.
    inputs : tensor, shape (n_rows, ...)
    forbidden : tensor
        1 where an input must not matter, else 0; like one row, or like all rows.

    Returns
    -------
    log_probabilities : tensor, shape (n_rows, n_classes)
    penalty : tensor
        Mean over the rows of the squared gradient of the summed log-probabilities, over what is
        forbidden. It can be differentiated again.

    Notes
    -----
    The second term of equation 1 of Ross, Hughes and Doshi-Velez (2017), which sums over the rows
    where this takes the mean.

    Explained in the chapter *masks-and-rationales*.
    """
    inputs = inputs.detach().requires_grad_()
    log_probabilities = module(inputs).log_softmax(1)
    (gradient,) = torch.autograd.grad(log_probabilities.sum(), inputs, create_graph=True)
    return log_probabilities, ((forbidden * gradient) ** 2).flatten(1).sum(1).mean()


def train_right_reasons(
    module: nn.Module,
    X: ArrayLike,
    y: ArrayLike,
    forbidden: ArrayLike,
    weight: float,
    **settings: Any,
) -> TrainedClassifier:
    """Train a classifier whose gradient must vanish where reasons are forbidden.

    Parameters
    ----------
    module : torch.nn.Module
        Takes rows of features and gives one output per class. A copy of it is trained.
    X : array_like, shape (n_samples, n_features)
    y : array_like of int, shape (n_samples,)
    forbidden : array_like, shape (n_features,) or (n_samples, n_features)
        1 where a feature must not matter, else 0.
    weight : float
        Of the penalty; 0 is ordinary training.
    **settings
        Of `xai_course.training.Settings`. There is no validation: the last weights are kept.

    Returns
    -------
    TrainedClassifier

    Raises
    ------
    TypeError, ValueError
        If an option is not accepted or the shapes do not fit.

    Notes
    -----
    Ross, Hughes and Doshi-Velez (2017), equation 1, without their penalty on the weights.

    Explained in the chapter *masks-and-rationales*.
    """
    check_number(weight, "weight", least=0)
    settings = Settings(**{"patience": None, **settings})
    X, n_classes = prepare(module, X, settings.seed, "The module")
    labels = torch.as_tensor(class_numbers(y, len(X), n_classes))
    A = np.asarray(forbidden, dtype=float)
    A = check_array(A, "forbidden", 2 if A.ndim == 2 else 1)
    if A.shape not in {X.shape, X.shape[1:]}:
        raise ValueError(f"forbidden must have shape {X.shape[1:]} or {X.shape}, got {A.shape}.")
    inputs = torch.as_tensor(X)
    where = torch.as_tensor(np.broadcast_to(A, X.shape).astype(X.dtype))

    def loss(module: nn.Module, rows: np.ndarray, _: Step) -> torch.Tensor:
        if not weight:
            return nn.functional.cross_entropy(module(inputs[rows]), labels[rows])
        log_probabilities, penalty = reasons_penalty(module, inputs[rows], where[rows])
        return nn.functional.nll_loss(log_probabilities, labels[rows]) + weight * penalty

    return TrainedClassifier(*train(module, loss, len(X), settings))
