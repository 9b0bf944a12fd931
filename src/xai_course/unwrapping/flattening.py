"""Flattening: merged models as a network with one hidden layer, and that network from scratch."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from tqdm import tqdm

from xai_course._validation import check_array, check_whole
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.unwrapping.inference import fit_glm

__all__ = ["FlatClassifier", "FlatNetwork", "FlatRegressor", "flatten", "single_hidden_layer"]


@dataclass(eq=False, repr=False)
class FlatNetwork(BaseEstimator):
    """A trained network with one hidden layer.

    `flatten` and `single_hidden_layer` return its subclasses.

    Attributes
    ----------
    network : PiecewiseLinearNetwork
        With the weights of the epoch that had the least validation loss.
    network_before_ : PiecewiseLinearNetwork
        The network as training found it.
    log : dict
        ``train_loss`` and ``validation_loss`` (mean squared errors or log-losses; entry 0 is before
        training), ``best_epoch``, ``settings``; for `single_hidden_layer` also ``restart`` (the
        chosen one) and ``restart_losses``.
    feature_names_in_ : ndarray of str, shape (n_features,)
    classes_ : ndarray or None, shape (2,)

    Notes
    -----
    Sudjianto et al. (2020), section 5.3. Explained in the chapter *unwrapping-flattening*.
    """

    network: PiecewiseLinearNetwork
    network_before_: PiecewiseLinearNetwork
    log: dict[str, Any]
    feature_names_in_: np.ndarray
    classes_: np.ndarray | None = None

    @property
    def n_features_in_(self) -> int:
        """Number of inputs."""
        return self.network.n_features

    def _output(self, X: ArrayLike) -> np.ndarray:
        return self.network.forward(X)[:, 0]


class FlatRegressor(RegressorMixin, FlatNetwork):
    """A trained regression network with one hidden layer; see `FlatNetwork`."""

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the predictions, shape (n_samples,)."""
        return self._output(X)


class FlatClassifier(ClassifierMixin, FlatNetwork):
    """A trained network for two classes with one hidden layer; see `FlatNetwork`."""

    def decision_function(self, X: ArrayLike) -> np.ndarray:
        """Return the logit of the second class, shape (n_samples,)."""
        return self._output(X)

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Return the probabilities, shape (n_samples, 2)."""
        logits = self._output(X)
        return softmax(np.column_stack([np.zeros(len(logits)), logits]), axis=1)

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the classes, shape (n_samples,)."""
        return self.classes_[(self._output(X) > 0).astype(int)]


@dataclass(frozen=True)
class _Training:
    """How a network is trained; the same for flattened and for random starts."""

    epochs: int
    patience: int
    learning_rate: float
    batch_size: int
    validation_fraction: float
    seed: int

    def __post_init__(self) -> None:
        for name, least in (("epochs", 0), ("patience", 1), ("batch_size", 1)):
            check_whole(getattr(self, name), name, least)
        if not isinstance(self.learning_rate, Real) or not 0 < self.learning_rate < np.inf:
            raise ValueError(
                f"learning_rate must be a positive number, got {self.learning_rate!r}."
            )
        if not 0 < self.validation_fraction < 1:
            raise ValueError(
                f"validation_fraction must lie between 0 and 1, got {self.validation_fraction!r}."
            )

    def split(self, n_rows: int) -> tuple[np.ndarray, np.ndarray]:
        """Return training and validation rows."""
        from xai_course.training import held_out_split  # torch takes seconds to import

        return held_out_split(n_rows, self.validation_fraction, self.seed)

    def run(
        self,
        start: PiecewiseLinearNetwork,
        X: np.ndarray,
        y: np.ndarray,
        classification: bool,
        progress: bool,
    ) -> tuple[PiecewiseLinearNetwork, dict[str, Any]]:
        """Return the network of the best epoch, and the losses."""
        import torch

        train, held_out = self.split(len(X))
        inputs, targets = torch.tensor(X), torch.tensor(y, dtype=torch.float64)
        model = start.to_torch()
        loss_of = torch.nn.BCEWithLogitsLoss() if classification else torch.nn.MSELoss()
        optimizer = torch.optim.Adam(model.parameters(), lr=self.learning_rate)
        rng = np.random.default_rng([self.seed, 1])

        def loss(rows: np.ndarray) -> float:
            with torch.no_grad():
                return float(loss_of(model(inputs[rows])[:, 0], targets[rows]))

        log: dict[str, Any] = {
            "train_loss": [loss(train)],
            "validation_loss": [loss(held_out)],
            "best_epoch": 0,
        }
        best = start
        for epoch in tqdm(range(1, self.epochs + 1), desc="epochs", disable=not progress):
            for rows in _batches(rng.permutation(train), self.batch_size):
                optimizer.zero_grad()
                loss_of(model(inputs[rows])[:, 0], targets[rows]).backward()
                optimizer.step()
            log["train_loss"].append(loss(train))
            log["validation_loss"].append(loss(held_out))
            if log["validation_loss"][-1] < log["validation_loss"][log["best_epoch"]]:
                log["best_epoch"], best = epoch, PiecewiseLinearNetwork.from_torch(model)
            elif epoch - log["best_epoch"] >= self.patience:
                break
        return best, log


def flatten(
    coef: np.ndarray,
    intercept: np.ndarray,
    X: np.ndarray,
    y: np.ndarray,
    *,
    classes: np.ndarray | None,
    feature_names: np.ndarray,
    progress: bool = False,
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
    feature_names : ndarray of str, shape (n_features,)
    progress : bool
    **settings
        ``epochs``, ``patience``, ``learning_rate``, ``batch_size``, ``validation_fraction`` and
        ``seed``, as in the merged model's `flatten`, which calls this.

    Returns
    -------
    FlatRegressor or FlatClassifier

    Notes
    -----
    Sudjianto et al. (2020), Algorithm 2. Steps 1 and 2 are the hidden layer, step 3 is the output
    layer's maximum-likelihood fit on the rows that training uses, step 4 is the training.

    Explained in the chapter *unwrapping-flattening*.
    """
    training = _Training(**settings)
    rows = training.split(len(X))[0]
    hidden = np.maximum(X[rows] @ coef.T + intercept, 0.0)
    weight, bias = fit_glm(hidden, y[rows], None if classes is None else 2)
    start = PiecewiseLinearNetwork([coef, weight], [intercept, bias])
    network, log = training.run(start, X, y, classes is not None, progress)
    return _wrap(network, start, log | {"settings": settings}, feature_names, classes)


def single_hidden_layer(
    X: ArrayLike,
    y: ArrayLike,
    n_hidden: int,
    restarts: int = 5,
    *,
    task: str | None = None,
    epochs: int = 1000,
    patience: int = 20,
    learning_rate: float = 1e-3,
    batch_size: int = 64,
    validation_fraction: float = 0.2,
    seed: int = 0,
    progress: bool = False,
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
    epochs, patience, learning_rate, batch_size, validation_fraction, seed, progress
        As in the merged model's `flatten`.

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
    training = _Training(epochs, patience, learning_rate, batch_size, validation_fraction, seed)
    check_whole(n_hidden, "n_hidden", 1)
    check_whole(restarts, "restarts", 1)
    names = getattr(X, "columns", None)
    X = check_array(X, "X", 2)
    names = [f"x{j + 1}" for j in range(X.shape[1])] if names is None else [str(n) for n in names]
    response, classes = _response(y, task)
    if len(response) != len(X):
        raise ValueError(f"X has {len(X)} rows, but y has {len(response)}.")
    rng = np.random.default_rng([seed, 2])
    starts = [_random_network(X.shape[1], n_hidden, rng) for _ in range(restarts)]
    runs = [training.run(start, X, response, classes is not None, progress) for start in starts]
    losses = [min(log["validation_loss"]) for _, log in runs]
    chosen = int(np.argmin(losses))
    network, log = runs[chosen]
    log |= {"settings": vars(training), "restart": chosen, "restart_losses": losses}
    return _wrap(network, starts[chosen], log, np.asarray(names, dtype=object), classes)


def _wrap(
    network: PiecewiseLinearNetwork,
    before: PiecewiseLinearNetwork,
    log: dict[str, Any],
    names: np.ndarray,
    classes: np.ndarray | None,
) -> FlatRegressor | FlatClassifier:
    flat = FlatRegressor if classes is None else FlatClassifier
    return flat(network, before, log, names, classes)


def _response(y: ArrayLike, task: str | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Return numbers and None, or 0 and 1 and the two labels."""
    if task not in (None, "regression", "classification"):
        raise ValueError(f"task must be None, 'regression' or 'classification', got {task!r}.")
    array = np.asarray(y)
    if array.ndim != 1:
        raise ValueError(f"y must have 1 dimension(s), got shape {array.shape}.")
    classes, codes = np.unique(array, return_inverse=True)
    if task == "regression" or (task is None and len(classes) != 2):
        return check_array(y, "y", 1), None
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError("y must not hold NaN or infinite values.")
    if len(classes) != 2:
        raise ValueError(f"A classification takes two classes, got {len(classes)}.")
    return codes.astype(float), classes


def _random_network(
    n_features: int, n_hidden: int, rng: np.random.Generator
) -> PiecewiseLinearNetwork:
    sizes = [(n_hidden, n_features), (1, n_hidden)]
    bounds = [1 / np.sqrt(n_in) for _, n_in in sizes]
    return PiecewiseLinearNetwork(
        [rng.uniform(-b, b, size) for b, size in zip(bounds, sizes, strict=True)],
        [rng.uniform(-b, b, size[0]) for b, size in zip(bounds, sizes, strict=True)],
    )


def _batches(rows: np.ndarray, size: int) -> list[np.ndarray]:
    return [rows[i : i + size] for i in range(0, len(rows), size)]
