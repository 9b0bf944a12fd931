"""What is explained: trained networks, rows, and the exact answers to four questions about them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from itertools import chain, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xai_course._storage import load_arrays
from xai_course._validation import check_choice

if TYPE_CHECKING:
    from torch import nn

__all__ = ["NETWORKS", "REFERENCES", "Subject", "load_subjects", "make_module"]

FILE = Path(__file__).parent / "networks.safetensors"
KIND = "scoreboard 1"
COMMAND = "python reproduce/scoreboard.py networks"

#: The exact answers by name, with the question that each one answers.
REFERENCES = {
    "contributions": "what does each feature add to the local linear model, from the baseline on?",
    "integrated_gradients": "how does the change from the baseline divide along the straight path?",
    "shapley": "how does it divide over all orders in which the features may change?",
    "counterfactual": "in which direction is the nearest input that is decided otherwise?",
}


def _dense(*sizes: int) -> nn.Sequential:
    from torch import nn

    layers = [(nn.Linear(a, b), nn.ReLU()) for a, b in pairwise(sizes)]
    return nn.Sequential(*list(chain(*layers))[:-1])


def _convolutional() -> nn.Sequential:
    from torch import nn

    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(400, 64), nn.ReLU(), nn.Linear(64, 10)),
    )


# What each network is, and what makes an untrained one.
_MAKERS: dict[str, tuple[str, Callable[[], nn.Sequential]]] = {
    "rings": (
        "two inputs, 16 + 16 ReLU neurons, two rings of points",
        partial(_dense, 2, 16, 16, 1),
    ),
    "diabetes": ("ten inputs, 16 + 16, diabetes above the median", partial(_dense, 10, 16, 16, 1)),
    "breast_cancer": ("thirty inputs, 12 + 12, breast cancer", partial(_dense, 30, 12, 12, 1)),
    "garments": ("784 inputs, 64 + 32, Fashion-MNIST", partial(_dense, 784, 64, 32, 10)),
    "garments_convolutional": (
        "28 x 28 pixels, two convolutions with max pooling, Fashion-MNIST",
        _convolutional,
    ),
}
#: The networks by name, with what each is.
NETWORKS = {name: about for name, (about, _) in _MAKERS.items()}


def make_module(name: str) -> nn.Sequential:
    """Return the untrained module of one of `NETWORKS`, in evaluation mode."""
    return _MAKERS[name][1]().eval()


@dataclass(frozen=True, eq=False)
class Subject:
    """One trained network with its rows and the exact answers.

    Attributes
    ----------
    network : str
        One of `NETWORKS`.
    seed : int
        Of the training, and of the draw of its data.
    module : torch.nn.Module
        In evaluation mode and float32; gives logits. A single output is that of the second class.
    inputs : ndarray of float32, shape (n_rows, ...)
        Rows that the network was not trained on.
    baseline : ndarray of float32, shape (...)
        The mean of standardised features; a black image.
    targets : ndarray of int64, shape (n_rows,)
        The output that is explained: the decided class, or the single output.
    references : dict of str to ndarray of float64, shape (n_rows, ...)
        The exact answers. Missing where none could be computed; a row of NaN where one could not.
    shapley_error : float
        Of Shapley values that were sampled, the length of their standard errors relative to that of
        the values; 0 where all coalitions were counted.
    """

    network: str
    seed: int
    module: nn.Module
    inputs: np.ndarray
    baseline: np.ndarray
    targets: np.ndarray
    references: dict[str, np.ndarray]
    shapley_error: float


def load_subjects(
    networks: Collection[str] | None = None, seeds: Collection[int] | None = None
) -> list[Subject]:
    """Return the networks of the scoreboard, as shipped.

    Parameters
    ----------
    networks : collection of str, optional
        Names in `NETWORKS`. All by default.
    seeds : collection of int, optional
        All by default.

    Returns
    -------
    list of Subject
        By network, and by seed.

    Raises
    ------
    ValueError
        If a network or a seed is unknown.
    OSError
        If the file is missing or damaged.

    Notes
    -----
    Made by ``python reproduce/scoreboard.py networks``. Explained in the chapter *ground-truth*.

    Examples
    --------
    >>> load_subjects()[0].network
    'rings'
    """
    for name in networks or ():
        check_choice(name, "network", NETWORKS)
    try:
        arrays, record = load_arrays(FILE, KIND)
    except OSError as error:
        raise OSError(
            f"{error}\nInstall the package again, or make the file with {COMMAND!r}."
        ) from error
    grouped: dict[tuple[str, int], dict[str, np.ndarray]] = {}
    for key, array in arrays.items():
        network, seed, name = key.split("/")
        grouped.setdefault((network, int(seed)), {})[name] = array
    known = sorted({seed for _, seed in grouped})
    for seed in seeds or ():
        check_choice(seed, "seed", known)
    return [
        _subject(network, seed, grouped[network, seed], record[f"{network}/{seed}"])
        for network in NETWORKS
        for seed in known
        if (network, seed) in grouped
        and network in (networks or NETWORKS)
        and seed in (seeds or known)
    ]


def _subject(
    network: str, seed: int, held: dict[str, np.ndarray], record: dict[str, Any]
) -> Subject:
    import torch

    module = make_module(network)
    weights = {name: torch.from_numpy(held[f"module.{name}"]) for name in module.state_dict()}
    module.load_state_dict(weights)
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    references = {
        name: held[f"reference.{name}"].astype(np.float64)
        for name in REFERENCES
        if f"reference.{name}" in held
    }
    inputs, baseline, targets = (held[key] for key in ("inputs", "baseline", "targets"))
    error = record["shapley_standard_error"] or 0.0
    return Subject(network, seed, module, inputs, baseline, targets, references, error)
