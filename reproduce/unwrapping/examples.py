"""The paper's four examples, and how their networks are trained."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import mean_squared_error, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import minmax_scale

from xai_course import data
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.unwrapping import UnwrapperClassifier, UnwrapperRegressor

# Section 3: Adam, 2,000 epochs at most, stop after 100 without progress on 20 % of the rows.
RECIPE = {
    "max_iter": 2000,
    "early_stopping": True,
    "validation_fraction": 0.2,
    "n_iter_no_change": 100,
}


@dataclass(frozen=True)
class Example:
    """A data set with its network and its row of Table 1."""

    name: str
    rows: Callable[[int], tuple[np.ndarray, np.ndarray]]
    hidden_sizes: tuple[int, ...]
    classification: bool
    seeds: int
    printed: dict[str, float]
    preparation: str

    @property
    def metric(self) -> str:
        """Name of the score."""
        return "AUC" if self.classification else "MSE"


@dataclass(frozen=True)
class Trained:
    """An example's rows, split with a seed, and the unwrapped network of that seed."""

    X_train: np.ndarray
    X_test: np.ndarray
    y_train: np.ndarray
    y_test: np.ndarray
    unwrapper: UnwrapperClassifier | UnwrapperRegressor

    @property
    def network(self) -> PiecewiseLinearNetwork:
        """The trained network."""
        return self.unwrapper.network

    @property
    def classification(self) -> bool:
        """Whether the response is a class."""
        return isinstance(self.unwrapper, UnwrapperClassifier)

    def score(self, outputs: np.ndarray, train: bool = False) -> float:
        """Return AUC or mean squared error of outputs for the test rows (or the training rows)."""
        score = roc_auc_score if self.classification else mean_squared_error
        return float(score(self.y_train if train else self.y_test, outputs))


def train(example: Example, seed: int) -> Trained:
    """Train with one seed for the data, the split and the network."""
    X, y = example.rows(seed)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=seed)
    model = MLPClassifier if example.classification else MLPRegressor
    mlp = model(hidden_layer_sizes=example.hidden_sizes, random_state=seed, **RECIPE)
    return fit_network(mlp, X_train, X_test, y_train, y_test)


def fit_network(
    mlp: MLPClassifier | MLPRegressor,
    X_train: np.ndarray,
    X_test: np.ndarray,
    y_train: np.ndarray,
    y_test: np.ndarray,
) -> Trained:
    """Train a network and unwrap it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        mlp.fit(X_train, y_train)
    network = PiecewiseLinearNetwork.from_sklearn(mlp)
    unwrap = UnwrapperClassifier if isinstance(mlp, MLPClassifier) else UnwrapperRegressor
    return Trained(X_train, X_test, y_train, y_test, unwrap(network).fit(X_train, y_train))


def chirp_wave(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return ChirpWave as the book draws it; the paper does not say how it draws x."""
    wave = data.chirp_wave(seed=seed)
    return wave.X, wave.y


def co_circles(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return CoCircles."""
    circles = data.co_circles(seed=seed)
    return circles.X, circles.y


def boston(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return Boston with predictors and response scaled to [0, 1] on all rows."""
    houses = data.load("boston")
    return minmax_scale(houses.X), minmax_scale(houses.y)


def heloc(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return HELOC with 9,871 rows and 35 columns, scaled to [0, 1] on all rows."""
    table, y = heloc_table()
    return minmax_scale(table.to_numpy(dtype=float)), y


def heloc_table() -> tuple[pd.DataFrame, np.ndarray]:
    """Return HELOC with 9,871 rows and 35 named columns, not scaled."""
    lines = data.load("heloc")
    table = pd.DataFrame(lines.X, columns=lines.feature_names)
    known = ~(table == -9).all(axis=1)
    codes = ["MaxDelq2PublicRecLast12M", "MaxDelqEver"]
    wide = pd.get_dummies(table[known], columns=codes, drop_first=True)
    return wide.astype(float), lines.y[known.to_numpy()]


EXAMPLES = (
    Example(
        "ChirpWave",
        chirp_wave,
        (40,) * 4,
        False,
        20,
        {"regions": 64, "train": 0.0113, "test": 0.0117},
        "x uniform; the paper does not say",
    ),
    Example(
        "CoCircles",
        co_circles,
        (40,) * 4,
        True,
        20,
        {"regions": 530, "train": 0.9215, "test": 0.9320},
        "none",
    ),
    Example(
        "BostonHouse",
        boston,
        (20, 20),
        False,
        20,
        {"regions": 155, "train": 0.0022, "test": 0.0094},
        "predictors and response scaled to [0, 1] on all rows, before the split",
    ),
    Example(
        "FicoHeloc",
        heloc,
        (40,) * 4,
        True,
        5,
        {"regions": 7423, "train": 0.8325, "test": 0.7980},
        "588 empty rows dropped; two code columns one-hot without their first level; scaled to "
        "[0, 1] on all rows",
    ),
)
BY_NAME = {example.name: example for example in EXAMPLES}
