"""Flattening: merged models as a network with one hidden layer, and that network from scratch.

Source: Sudjianto et al. (2020), section 5.3. Explained in the chapter *unwrapping-flattening*.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import expit
from sklearn.base import BaseEstimator

from xai_course._loop import Learner, Settings, learn
from xai_course._perceptrons import Perceptrons
from xai_course._validation import check_choice, check_labels, check_rows, check_whole
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.unwrapping.glm import fit_glm
from xai_course.unwrapping.partition import Classification, Regression, check_response

if TYPE_CHECKING:
    from xai_course.unwrapping.merging import Merged

__all__ = [
    "FlatClassifier",
    "FlatNetwork",
    "FlatRegressor",
    "flatten",
    "flatten_models",
    "single_hidden_layer",
]

# The same for flattened and for random starts.
_SETTINGS = {"patience": 20, "batch_size": 64, "validation_fraction": 0.2}


@dataclass(frozen=True, eq=False, repr=False)
class FlatNetwork:
    """A trained network with one hidden layer.

    `flatten` and `single_hidden_layer` return its subclasses.

    Attributes
    ----------
    network : PiecewiseLinearNetwork
        With the weights of the epoch that had the least validation loss. Where the training rows
        were a DataFrame, it knows the names of the columns (``feature_names_in_``) and compares
        them with those of new rows.
    network_before_ : PiecewiseLinearNetwork
        The network as training found it.
    log : dict
        ``train_loss`` and ``validation_loss`` (mean squared errors or log-losses; entry 0 is before
        training), ``best_epoch``, ``settings``; for `single_hidden_layer` also ``restart`` (the
        chosen one) and ``restart_losses``.
    classes_ : ndarray or None, shape (2,)

    Notes
    -----
    Sudjianto et al. (2020), section 5.3. Explained in the chapter *unwrapping-flattening*.
    """

    network: PiecewiseLinearNetwork
    network_before_: PiecewiseLinearNetwork
    log: dict[str, Any]
    classes_: np.ndarray | None = None

    def _outputs(self, X: ArrayLike) -> np.ndarray:
        return self.network.forward(X)


class FlatRegressor(Regression, FlatNetwork):
    """A trained regression network with one hidden layer; see `FlatNetwork`."""


class FlatClassifier(Classification, FlatNetwork):
    """A trained network for two classes with one hidden layer; see `FlatNetwork`."""


def flatten(merged: Merged, epochs: int = 200, **settings: Any) -> FlatRegressor | FlatClassifier:
    """Turn the clusters' models into a network with one hidden layer, and train that on.

    Parameters
    ----------
    epochs : int
        At most; 0 leaves the network as it starts.
    **settings
        Of the training, as in `xai_course.training.Settings`: ``patience`` (20), ``learning_rate``
        (0.001), ``batch_size`` (64), ``validation_fraction`` (0.2) and ``seed`` (0).

    Returns
    -------
    FlatRegressor or FlatClassifier

    Raises
    ------
    ValueError
        If an option is not accepted, or there are more than two classes.

    Notes
    -----
    Sudjianto et al. (2020), Algorithm 2: each cluster's model is a hidden neuron, a GLM on the
    neurons' outputs is the output layer. Explained in the chapter *unwrapping-flattening*.
    """
    merged._check_two_classes("flatten")
    settings["classes"] = getattr(merged, "classes_", None)
    settings["feature_names"] = getattr(merged, "feature_names_in_", None)
    models = merged.coef_[:, 0], merged.intercept_[:, 0]
    return flatten_models(*models, merged._X, merged._y, epochs=epochs, **settings)


def flatten_models(
    coef: np.ndarray,
    intercept: np.ndarray,
    X: np.ndarray,
    y: np.ndarray,
    *,
    classes: np.ndarray | None = None,
    feature_names: np.ndarray | None = None,
    epochs: int = 200,
    **settings: Any,
) -> FlatRegressor | FlatClassifier:
    """Make a network of one hidden layer of linear models, and train it on.

    Parameters
    ----------
    coef : ndarray, shape (n_clusters, n_features)
    intercept : ndarray, shape (n_clusters,)
    X : ndarray, shape (n_samples, n_features)
    y : ndarray, shape (n_samples,)
        Responses, or 0 and 1.
    classes : ndarray or None, shape (2,)
        None for a regression.
    feature_names : ndarray of str or None, shape (n_features,)
    epochs, **settings
        As in `flatten`.

    Returns
    -------
    FlatRegressor or FlatClassifier

    Notes
    -----
    Sudjianto et al. (2020), Algorithm 2. Steps 1 and 2 are the hidden layer, step 3 is the output
    layer's maximum-likelihood fit on the rows that training uses, step 4 is the training.

    Explained in the chapter *unwrapping-flattening*.
    """
    how = Settings(epochs=epochs, **_SETTINGS | settings)
    rows = how.split(len(X))[0]
    hidden = np.maximum(X[rows] @ coef.T + intercept, 0.0)
    weight, bias = fit_glm(hidden, y[rows], None if classes is None else 2)
    start = PiecewiseLinearNetwork([coef, weight], [intercept, bias])
    return _Training(start, X, y.astype(float), how, classes, feature_names).run()


def single_hidden_layer(
    X: ArrayLike,
    y: ArrayLike,
    n_hidden: int,
    restarts: int = 5,
    *,
    task: str | None = None,
    epochs: int = 1000,
    **settings: Any,
) -> FlatRegressor | FlatClassifier:
    """Train a network with one hidden layer from random weights, several times, and keep the best.

    The network that a flattened one is compared with: of the same size, trained in the same way,
    on the same rows for the same `seed`. It may train for more epochs because it starts from
    nothing, and it has restarts because a narrow network from random weights often fails.

    Parameters
    ----------
    X : array_like or DataFrame, shape (n_samples, n_features)
    y : array_like, shape (n_samples,)
    n_hidden : int
        Hidden neurons.
    restarts : int
        Random starts; the one with the least validation loss is kept.
    task : {None, "regression", "classification"}
        None takes a response with two different values as classes, any other as numbers.
    epochs, **settings
        As in `flatten`.

    Returns
    -------
    FlatRegressor or FlatClassifier

    Raises
    ------
    TypeError, ValueError
        If an option is not accepted, the rows are not finite, or a classification has other than
        two classes.

    Notes
    -----
    SLFN in Sudjianto et al. (2020), Table 3. Weights and biases start uniform within one over the
    root of the number of inputs of the layer, as torch's do.

    Explained in the chapter *unwrapping-flattening*.
    """
    how = Settings(epochs=epochs, **_SETTINGS | settings)
    check_whole(n_hidden, "n_hidden", 1)
    check_whole(restarts, "restarts", 1)
    given = BaseEstimator()
    X = check_rows(given, X, reset=True)
    response, classes = _response(y, task, len(X))
    rng = np.random.default_rng([how.seed, 2])
    names = getattr(given, "feature_names_in_", None)
    starts = [_random_network(X.shape[1], n_hidden, rng) for _ in range(restarts)]
    runs = [_Training(start, X, response, how, classes, names).run() for start in starts]
    losses = [min(run.log["validation_loss"]) for run in runs]
    chosen = int(np.argmin(losses))
    runs[chosen].log.update(restart=chosen, restart_losses=losses)
    return runs[chosen]


@dataclass(eq=False)
class _Training(Learner):
    """A network with one hidden layer: mean squared error, or log-loss of its logit."""

    start: PiecewiseLinearNetwork
    X: np.ndarray
    y: np.ndarray
    how: Settings
    classes: np.ndarray | None
    names: np.ndarray | None

    def run(self) -> FlatRegressor | FlatClassifier:
        """Return the network of the best epoch, and the losses."""
        (W, v), (b, c) = self.start.weights, self.start.biases
        self.network = Perceptrons([W[None], b[None], v, c])
        rows, held_out = self.how.split(len(self.X))
        self.judged = {"train_loss": rows, "validation_loss": held_out}
        self.is_classifier = self.classes is not None
        batches = np.random.default_rng([self.how.seed, 1])
        learn(self, rows, self.how, rate=lambda _: self.how.learning_rate, generator=batches)
        W, b, v, c = self.best
        network = PiecewiseLinearNetwork([W[0], v], [b[0], c])
        if self.names is not None:
            network.feature_names_in_ = self.names
        kind = FlatClassifier if self.is_classifier else FlatRegressor
        log = {"settings": asdict(self.how), **self.log}
        return kind(network, self.start, log, self.classes)

    def step(self, batch: np.ndarray, step: object, rate: float) -> float:
        X, y = self.X[None, batch], self.y[batch]
        hidden, outputs = self.network.forward(X)
        slopes = ((expit(outputs) - y) if self.is_classifier else 2 * (outputs - y)) / len(y)
        self.network.step(X, hidden, slopes, rate)
        return np.nan  # `judge` gives the loss on all rows, after the epoch

    def judge(self) -> dict[str, float]:
        return {name: self._loss(rows) for name, rows in self.judged.items()}

    def _loss(self, rows: np.ndarray) -> float:
        outputs, y = self.network.forward(self.X[None, rows])[1][0], self.y[rows]
        loss = np.logaddexp(0, outputs) - y * outputs if self.is_classifier else (outputs - y) ** 2
        return float(loss.mean())

    def weights(self) -> list[np.ndarray]:
        return self.network.copy()


def _response(y: ArrayLike, task: str | None, n_rows: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Return numbers and None, or 0 and 1 and the two labels."""
    check_choice(task, "task", (None, "regression", "classification"))
    two = pd.Series(np.ravel(y)).nunique() == 2
    if task == "regression" or (task is None and not two):
        return check_response(y, n_rows), None
    classes, codes = check_labels(y, n_rows)
    if len(classes) != 2:
        raise ValueError(f"A classification takes two classes, got {len(classes)}.")
    return codes.astype(float), classes


def _random_network(
    n_features: int, n_hidden: int, rng: np.random.Generator
) -> PiecewiseLinearNetwork:
    layers = [(n_hidden, n_features), (1, n_hidden)]
    bounds = [1 / np.sqrt(n_features), 1 / np.sqrt(n_hidden)]
    weights = [rng.uniform(-b, b, size) for b, size in zip(bounds, layers, strict=True)]
    biases = [rng.uniform(-b, b, size[0]) for b, size in zip(bounds, layers, strict=True)]
    return PiecewiseLinearNetwork(weights, biases)
