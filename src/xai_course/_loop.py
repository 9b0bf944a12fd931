"""The one training loop, whatever takes the steps: batches, learning rate, best epoch, patience.

All randomness of an epoch comes from the seed and the epoch's number, so that the state between two
epochs is weights, optimiser and log, and no generator has to be saved.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from xai_course._validation import check_number, check_whole


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a module is trained: all that decides the result beside loss, data and first weights.

    Attributes
    ----------
    epochs : int
        At most; 0 leaves the module as it is.
    batch_size : int
        Items per step of Adam.
    learning_rate : float
        Adam's at the start.
    validation_fraction : float
        Share of the items that decide which epoch is kept; they are not trained on.
    patience : int or None
        Stop after so many epochs without a smaller validation loss; None never stops.
    seed : int
        Decides the validation items, the batches, any dropout and what else is drawn on the way.

    Raises
    ------
    ValueError
        If a value is not accepted.
    """

    epochs: int = 30
    batch_size: int = 128
    learning_rate: float = 1e-3
    validation_fraction: float = 0.1
    patience: int | None = 10
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("epochs", 0), ("batch_size", 1), ("seed", 0)):
            check_whole(getattr(self, name), name, least)
        if self.patience is not None:
            check_whole(self.patience, "patience", 1)
        check_number(self.learning_rate, "learning_rate", above=0)
        check_number(self.validation_fraction, "validation_fraction", above=0, below=1)

    def split(self, n_items: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers of training and validation items, at least one of each."""
        if n_items < 2:
            raise ValueError(f"Training needs at least 2 rows, got {n_items}.")
        n_held_out = min(max(1, round(self.validation_fraction * n_items)), n_items - 1)
        order = np.random.default_rng(self.seed).permutation(n_items)
        return order[n_held_out:], order[:n_held_out]


def half_cosine(done: float, total: float = 1.0) -> float:
    """Return a factor that falls from 1 to 0 along half a cosine while `done` goes to `total`.

    Not taught: a schedule of the step size, as torch has it.
    """
    return (1 + np.cos(np.pi * done / total)) / 2


class Step(NamedTuple):
    """Where training is: `rng` draws what this step needs, `done` counts the epochs so far."""

    rng: np.random.Generator
    done: float


@dataclass(eq=False)
class Learner(ABC):
    """What learns: its weights, and how good they are.

    Attributes
    ----------
    log : dict
        One value per epoch; entry 0 is before training. With ``validation_loss`` from `judge` also
        ``best_epoch``.
    best : object
        What `weights` gave after that epoch; None if nobody judges.
    """

    log: dict[str, Any] = field(default_factory=lambda: {"train_loss": []}, init=False)
    best: Any = field(default=None, init=False)

    @property
    def epoch(self) -> int:
        """Number of epochs done."""
        return len(self.log["train_loss"]) - 1

    @abstractmethod
    def step(self, batch: np.ndarray, step: Step, rate: float) -> float:
        """Take one step with a learning rate; return the loss before it."""

    @abstractmethod
    def weights(self) -> Any:
        """Return a copy of the weights."""

    @abstractmethod
    def judge(self) -> Mapping[str, float]:
        """Return what to log after an epoch; the least ``validation_loss`` is the best."""

    def epoch_of(self, entropy: Sequence[int]) -> AbstractContextManager[np.random.Generator]:
        """Return a context for one epoch, which gives the generator that its steps draw from."""
        return nullcontext(np.random.default_rng(entropy))

    def finish_epoch(self, train_loss: float | None) -> None:
        """Log what is known, and keep the weights if they are the best."""
        for name, value in {"train_loss": train_loss, **self.judge()}.items():
            self.log.setdefault(name, []).append(value)
        losses = self.log.get("validation_loss")
        if losses and (self.best is None or losses[-1] < losses[self.log["best_epoch"]]):
            self.log["best_epoch"], self.best = self.epoch, self.weights()


def learn(
    learner: Learner,
    items: np.ndarray,
    settings: Settings,
    *,
    rate: Callable[[float], float] | None = None,
    generator: np.random.Generator | None = None,
    least: int = 1,
    after: Callable[..., None] = lambda now=False: None,
    progress: bool = False,
) -> None:
    """Run the epochs that are left; `train` tells what the options are.

    Parameters
    ----------
    learner : Learner
    items : ndarray
        What is trained on.
    settings : Settings
    rate, progress
        As in `xai_course.training.train`.
    generator : numpy.random.Generator, optional
        Draws all epochs' batches. By default each epoch has its own, so that it can be resumed.
    least : int
        Items that a batch needs; a smaller rest stays in the batch before.
    after : callable
        Called after each epoch; before the first and after the last with ``now=True``.
    """
    rate = rate or (lambda done: settings.learning_rate * half_cosine(done, settings.epochs))
    if not learner.log["train_loss"]:
        learner.finish_epoch(None)
        after(now=True)  # before the first epoch, so that a bad folder costs no time
    epochs = range(learner.epoch + 1, settings.epochs + 1)
    for epoch in tqdm(epochs, desc="epochs", disable=not progress, ascii=True):
        waited = epoch - 1 - learner.log.get("best_epoch", epoch - 1)
        if settings.patience and waited >= settings.patience:
            break
        total, seen = 0.0, 0
        with learner.epoch_of([settings.seed, 1, epoch]) as rng:
            order = (generator or rng).permutation(items)
            ends = range(settings.batch_size, len(order) - least + 1, settings.batch_size)
            for batch in np.split(order, ends):
                step = Step(rng, epoch - 1 + seen / len(order))
                total += learner.step(batch, step, rate(step.done)) * len(batch)
                seen += len(batch)
        learner.finish_epoch(total / len(order))
        after()
    after(now=True)
