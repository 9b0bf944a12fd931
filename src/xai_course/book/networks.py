"""The networks that the whole book explains: one per running subject, trained once and shipped.

Every chapter loads the same weights, so that two explanations of "the network" speak of one thing.
``python -m xai_course.book.networks`` trains them all again and rewrites the files with their
settings and training logs.
"""

from __future__ import annotations

import argparse
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from xai_course import data
from xai_course._storage import load_arrays, save_arrays
from xai_course.networks import PiecewiseLinearNetwork

__all__ = ["TrainedModel", "load_model", "read_weights", "train_model", "write_weights"]

WEIGHTS = Path(__file__).parent / "weights"
_KIND = "trained network 1"

# The recipe of Sudjianto et al. (2020), section 3: Adam, a validation share of 20 %, stop after 100
# epochs without progress. Only the sizes and what is named here differ from model to model.
_COMMON = {"early_stopping": True, "validation_fraction": 0.2, "n_iter_no_change": 100}
_RECIPES: dict[str, dict[str, Any]] = {
    "co_circles": {"hidden_sizes": (40, 40, 40, 40), "max_iter": 2000, "standardize": False},
    "breast_cancer": {"hidden_sizes": (5, 5), "max_iter": 2000, "alpha": 1.0},
    "home_lending": {"hidden_sizes": (5, 5), "max_iter": 2000},
    "fashion_mnist": {
        "hidden_sizes": (256, 64),
        "max_iter": 100,
        "n_iter_no_change": 10,
        "standardize": False,
        "dtype": "float32",  # half the file; the shipped network *is* the rounded one
    },
}
_DRAWS = {"home_lending": 5}  # of the others one is shipped


@dataclass(frozen=True, eq=False)
class TrainedModel:
    """A trained classifier with the scaling of its inputs.

    Attributes
    ----------
    name : str
        The data set's name.
    network : PiecewiseLinearNetwork
        Takes *standardised* inputs. Its output is the logit of class 1, or one logit per class.
    mean, scale : ndarray of float64, shape (n_features,)
        Standardised inputs are ``(X - mean) / scale``; both come from the training rows. Zeros and
        ones where the data need no scaling.
    log : dict
        Settings, versions, the loss of each epoch and the validation score of each epoch.
    """

    name: str
    network: PiecewiseLinearNetwork
    mean: np.ndarray
    scale: np.ndarray
    log: dict[str, Any] = field(repr=False)

    def standardize(self, X: ArrayLike) -> np.ndarray:
        """Return the inputs that `network` takes, shape (n_samples, n_features)."""
        return (np.asarray(X, dtype=np.float64) - self.mean) / self.scale

    def in_data_units(self) -> PiecewiseLinearNetwork:
        """Return the same function as one network that takes inputs in their original units.

        The scaling is affine, so it goes into the first layer and nothing else changes: patterns
        and outputs are the same, coefficients are per original unit.
        """
        first = self.network.weights[0] / self.scale
        bias = self.network.biases[0] - first @ self.mean
        return PiecewiseLinearNetwork(
            (first, *self.network.weights[1:]), (bias, *self.network.biases[1:])
        )


def load_model(name: str, draw: int = 0) -> TrainedModel:
    """Load a shipped network.

    Parameters
    ----------
    name : str
        ``"co_circles"``, ``"breast_cancer"``, ``"home_lending"`` or ``"fashion_mnist"``.
    draw : int
        0 is the book's network. Of ``"home_lending"`` there are four more, 1 to 4: what
        `train_model` gives with this number as seed and split.

    Returns
    -------
    TrainedModel

    Raises
    ------
    ValueError
        If the name is unknown, or there is no such draw.
    OSError
        If the file is missing or damaged; the message says how to repair it.

    Notes
    -----
    Explained in the chapter *local-linear-models*.

    Examples
    --------
    >>> load_model("breast_cancer").network
    PiecewiseLinearNetwork(30 -> 5 -> 5 -> 1, activation='relu')
    """
    _check_name(name)
    if draw not in range(_DRAWS.get(name, 1)):
        raise ValueError(f"Of {name!r} {_DRAWS.get(name, 1)} network(s) are shipped; got {draw!r}.")
    tensors, log = read_weights(_file(name, draw), f"python -m xai_course.book.networks {name}")
    n_layers = sum(key.startswith("weights.") for key in tensors)
    network = PiecewiseLinearNetwork(
        [tensors[f"weights.{i}"] for i in range(n_layers)],
        [tensors[f"biases.{i}"] for i in range(n_layers)],
    )
    return TrainedModel(name, network, tensors["mean"], tensors["scale"], log)


def train_model(
    name: str, *, hidden_sizes: tuple[int, ...] | None = None, seed: int = 0, split: int = 0
) -> TrainedModel:
    """Train one of the book's networks, as it is shipped or in another size or with another seed.

    Parameters
    ----------
    name : str
        ``"co_circles"``, ``"breast_cancer"``, ``"home_lending"`` or ``"fashion_mnist"``.
    hidden_sizes : tuple of int, optional
        Neurons per hidden layer. Defaults to the shipped network's.
    seed : int
        Seed of the initial weights, the validation rows and the batches.
    split : int
        Seed of the split into training and test rows; 0 is the book's.

    Returns
    -------
    TrainedModel

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    _check_name(name)
    settings = {"alpha": 1e-4, "standardize": True, "dtype": "float64", **_COMMON, **_RECIPES[name]}
    settings |= {"hidden_sizes": tuple(hidden_sizes or settings["hidden_sizes"]), "seed": seed}
    X, _, y, _ = _dataset(name).split(split)
    scaler = StandardScaler(with_mean=settings["standardize"], with_std=settings["standardize"])
    inputs = scaler.fit_transform(X)
    mlp = MLPClassifier(
        settings["hidden_sizes"],
        random_state=seed,
        **{key: settings[key] for key in ("alpha", "max_iter", *_COMMON)},
    )
    start = time.perf_counter()
    with warnings.catch_warnings():  # reaching max_iter is a setting here, not a surprise
        warnings.simplefilter("ignore", ConvergenceWarning)
        mlp.fit(inputs, y)
    n_features = X.shape[1]
    return TrainedModel(
        name=name,
        network=PiecewiseLinearNetwork.from_sklearn(mlp),
        mean=np.zeros(n_features) if scaler.mean_ is None else scaler.mean_,
        scale=np.ones(n_features) if scaler.scale_ is None else scaler.scale_,
        log={
            "settings": settings,
            "training_rows": len(y),
            "seconds": round(time.perf_counter() - start, 1),
            "versions": {"numpy": np.__version__, "scikit-learn": sklearn.__version__},
            "loss": [round(loss, 6) for loss in mlp.loss_curve_],
            "validation_accuracy": [round(float(s), 6) for s in mlp.validation_scores_],
        },
    )


def _dataset(name: str) -> data.Dataset:
    generators = {"co_circles": data.co_circles, "home_lending": data.home_lending}
    return generators[name]() if name in generators else data.load(name)


def _check_name(name: str) -> None:
    if name not in _RECIPES:
        raise ValueError(f"There is no model {name!r}. The models are {', '.join(_RECIPES)}.")


# Files


def write_weights(folder: Path, name: str, tensors: dict[str, np.ndarray], log: dict) -> None:
    """Write the weights of a network of the book, and how it was trained, into `folder`."""
    save_arrays(folder / f"{name}.safetensors", _KIND, tensors, log)


def read_weights(name: str, command: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the weights of a shipped network and its log.

    Raises
    ------
    OSError
        If the file is missing or damaged; the message names `command`, which makes it again.
    """
    try:
        return load_arrays(WEIGHTS / f"{name}.safetensors", _KIND)
    except OSError as error:
        raise OSError(f"{error} Install xai-course again, or run: {command}") from error


def _file(name: str, draw: int) -> str:
    return f"{name}_{draw}" if draw else name


def _write(folder: Path, model: TrainedModel, draw: int = 0) -> None:
    tensors = {"mean": model.mean, "scale": model.scale}
    dtype = model.log["settings"]["dtype"]
    for i, (weight, bias) in enumerate(
        zip(model.network.weights, model.network.biases, strict=True)
    ):
        tensors |= {f"weights.{i}": weight.astype(dtype), f"biases.{i}": bias.astype(dtype)}
    write_weights(folder, _file(model.name, draw), tensors, model.log)


def _main() -> None:
    parser = argparse.ArgumentParser(description="Train the book's networks and write their files.")
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(_RECIPES))
    parser.add_argument("--folder", type=Path, default=WEIGHTS)
    arguments = parser.parse_args()
    for name in arguments.names or _RECIPES:
        for draw in range(_DRAWS.get(name, 1)):
            model = train_model(name, seed=draw, split=draw)
            _write(arguments.folder, model, draw)
            print(f"{_file(name, draw)}: {model.network!r}, {model.log['seconds']} s")


if __name__ == "__main__":
    _main()
