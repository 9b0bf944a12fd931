"""What each method is, what it is asked, and the quiet in which it answers."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from xai_course.attribution._models import check_outputs

if TYPE_CHECKING:
    import torch
    from torch import nn

NEEDED = "needed"  # an option without a default

# What captum says whenever it works as it should, and matplotlib when shap is imported.
_WARNINGS = (
    r"\s*Setting forward, backward hooks and attributes on non-linear",
    r"Setting backward hooks on ReLU activations",
    r"Input Tensor \d+ did not already require gradients",
    r"The set_\w+ function will be deprecated",
)


@dataclass(frozen=True)
class Method:
    """What a method needs, and what it promises.

    Attributes
    ----------
    answer : callable
        The method, asked a `Question`; called by `attribute`.
    library : str
        The module that is imported for it.
    takes : {"module", "network", "function", "trees", "texts"}
        *module* and *network*: a piecewise linear network or a torch module; *function*: these, a
        fitted estimator or any function of rows; *trees*: a fitted estimator of scikit-learn, made
        of trees; *texts*: a function of texts.
    baseline : {"none", "point", "background", "optional"}
        *point*: one input for each row, by default 0; *background*: several rows, which must be
        given; *optional*: the same, but there is an answer without them.
    complete : bool
        Whether the values of a row promise to add up to f(x) - f(baseline), exactly or as the
        number of samples grows.
    options : dict
        The names of the options with their defaults.
    """

    answer: Callable[..., Any]
    library: str
    takes: str
    baseline: str = "none"
    complete: bool = False
    options: dict[str, Any] = field(default_factory=dict)

    def settings(self, given: dict[str, Any]) -> dict[str, Any]:
        """Return all options, or raise a `TypeError` that names those that there are."""
        settings = self.options | given
        needed = [name for name, value in settings.items() if value is NEEDED]
        if needed or len(settings) > len(self.options):
            raise TypeError(
                f"The options of this method are: {', '.join(self.options) or 'none'}; needed: "
                f"{', '.join(needed) or 'no more'}. Got: {', '.join(given) or 'none'}."
            )
        return settings


@dataclass(frozen=True)
class Question:
    """What is asked: a model, rows and one of its outputs.

    `module` is a copy that the libraries may change, and None for a mere function.
    """

    given: Any
    module: nn.Module | None
    function: Callable[[Any], Any]
    wants: str
    random_state: int
    X: Any
    baseline: np.ndarray | None
    target: int

    def ask(self, X: Any) -> np.ndarray:
        """Return the outputs, shape (n_rows, n_outputs)."""
        return check_outputs(self.function(X), len(X), self.module is None, self.wants)

    def ask_flat(self, rows: np.ndarray) -> np.ndarray:
        """Return the output that is explained for flattened inputs, shape (n_rows,)."""
        return self.ask(np.reshape(rows, (-1, *self.X.shape[1:])))[:, self.target]

    def tensor(self, X: np.ndarray) -> torch.Tensor:
        """Return inputs as the module takes them."""
        from xai_course.training import as_inputs

        return as_inputs(self.module, X.copy())


def flat(rows: np.ndarray) -> np.ndarray:
    """Return each row as a vector."""
    return rows.reshape(len(rows), -1)


@contextmanager
def quiet_and_seeded(library: str, random_state: int) -> Iterator[None]:
    """Import a library and seed the global generators for a while, without the usual warnings."""
    import torch

    state = np.random.get_state()  # noqa: NPY002
    try:
        with warnings.catch_warnings(), torch.random.fork_rng(), torch.enable_grad():
            for message in _WARNINGS:
                warnings.filterwarnings("ignore", message)
            importlib.import_module(library)
            np.random.seed(random_state)  # noqa: NPY002
            torch.manual_seed(random_state)
            yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
