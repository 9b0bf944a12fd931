"""Networks that go on learning, and tests that say when they have begun to learn something else.

Explained in the chapter *watching-a-network-drift*.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from xai_course._validation import check_array, check_whole
from xai_course.inet.lambda_nets import LambdaNets

__all__ = ["OnlineNets", "alarm_threshold", "cusum", "departure", "detection_delays"]

_DECAY = (0.9, 0.999)  # Adam's
_EPSILON = 1e-8


class OnlineNets:
    """N networks that learn side by side, one batch after the other.

    Squared error and Adam, one step for each batch, as in an online setting where a batch is seen
    once. Explained in the chapter *watching-a-network-drift*.

    Parameters
    ----------
    lambda_nets : LambdaNets
        Where the networks start. They are copied.
    learning_rate : float
        Of Adam.

    Raises
    ------
    ValueError
        If the learning rate is not a positive number.
    """

    def __init__(self, lambda_nets: LambdaNets, learning_rate: float = 2e-3) -> None:
        if not 0 < learning_rate < np.inf:
            raise ValueError(f"learning_rate must be a positive number, got {learning_rate!r}.")
        self.learning_rate = learning_rate
        self._weights = [
            np.array(part)
            for part in (
                lambda_nets.hidden_weights,
                lambda_nets.hidden_biases,
                lambda_nets.output_weights,
                lambda_nets.output_biases,
            )
        ]
        self._means = [np.zeros_like(part) for part in self._weights]
        self._squares = [np.zeros_like(part) for part in self._weights]
        self._steps = 0

    @property
    def nets(self) -> LambdaNets:
        """The networks as they are now, as a copy."""
        return LambdaNets(*(part.copy() for part in self._weights))

    def learn(self, X: ArrayLike, y: ArrayLike) -> np.ndarray:
        """Take one step on one batch for each network.

        Parameters
        ----------
        X : array_like, shape (N, n, n_variables)
        y : array_like, shape (N, n)

        Returns
        -------
        ndarray, shape (N, n)
            Prediction minus target *before* the step: test first, then train.

        Raises
        ------
        ValueError
            If the shapes do not fit, or a value is NaN or infinite.
        """
        W, b, v, c = self._weights
        X, y = check_array(X, "X", 3), check_array(y, "y", 2)
        if X.shape[0] != len(W) or X.shape[2] != W.shape[2] or y.shape != X.shape[:2]:
            raise ValueError(
                f"{len(W)} network(s) of {W.shape[2]} variable(s) need X of shape (N, n, "
                f"{W.shape[2]}) and y of shape (N, n), got {X.shape} and {y.shape}."
            )
        hidden = np.maximum(X @ W.transpose(0, 2, 1) + b[:, None], 0)
        difference = (hidden @ v[:, :, None])[:, :, 0] + c[:, None] - y
        upstream = 2 * difference / X.shape[1]
        inside = upstream[:, :, None] * v[:, None] * (hidden > 0)
        gradients = (
            inside.transpose(0, 2, 1) @ X,
            inside.sum(axis=1),
            (hidden * upstream[:, :, None]).sum(axis=1),
            upstream.sum(axis=1),
        )
        self._step(gradients)
        return difference

    def _step(self, gradients: tuple[np.ndarray, ...]) -> None:
        self._steps += 1
        first, second = (1 - decay**self._steps for decay in _DECAY)
        parts = zip(self._weights, gradients, self._means, self._squares, strict=True)
        for weights, gradient, mean, square in parts:
            mean += (1 - _DECAY[0]) * (gradient - mean)
            square += (1 - _DECAY[1]) * (gradient**2 - square)
            scale = np.sqrt(square / second) + _EPSILON
            weights -= self.learning_rate * (mean / first) / scale


def cusum(values: ArrayLike, n_reference: int, slack: float = 0.5) -> np.ndarray:
    """Return a two-sided cumulative sum of how far a series leaves its reference.

    The series is measured in standard deviations of its first `n_reference` values. What exceeds
    `slack` adds up, upwards and downwards apart, and never falls below zero. An alarm is a
    large sum. Source: Page (1954).

    Parameters
    ----------
    values : array_like, shape (T, N)
        N series.
    n_reference : int
        Length of the reference, at least 2 and below T.
    slack : float
        Deviation that counts as nothing, in standard deviations.

    Returns
    -------
    ndarray, shape (T - n_reference, N)
        The larger of the two sums, from the first value after the reference on.

    Raises
    ------
    ValueError
        If the reference does not fit, or a series is constant in it.
    """
    values = check_array(values, "values", 2)
    _check_reference(values, n_reference)
    reference = values[:n_reference]
    spread = reference.std(axis=0, ddof=1)
    if not (spread > 0).all():
        raise ValueError("A series is constant in its reference: its deviations have no unit.")
    found = np.empty_like(values[n_reference:])
    up = down = np.zeros(values.shape[1])
    for t, z in enumerate((values[n_reference:] - reference.mean(axis=0)) / spread):
        up, down = np.maximum(0, up + z - slack), np.maximum(0, down - z - slack)
        found[t] = np.maximum(up, down)
    return found


def departure(vectors: ArrayLike, n_reference: int) -> np.ndarray:
    """Return how far N moving vectors are from their own mean over the reference.

    For coordinates in an orthonormal basis this is the root mean square of the difference
    between two functions, without a question to either.

    Parameters
    ----------
    vectors : array_like, shape (T, N, m)
    n_reference : int
        Length of the reference, at least 2 and below T.

    Returns
    -------
    ndarray, shape (T - n_reference, N)
    """
    vectors = check_array(vectors, "vectors", 3)
    _check_reference(vectors, n_reference)
    centre = vectors[:n_reference].mean(axis=0)
    return np.linalg.norm(vectors[n_reference:] - centre, axis=2)


def alarm_threshold(statistic: ArrayLike, false_alarms: float = 0.1) -> float:
    """Return the level that a share `false_alarms` of undisturbed streams ever exceeds.

    Parameters
    ----------
    statistic : array_like, shape (T, N)
        Of N streams in which nothing changes. T is the time over which the share is meant.
    false_alarms : float
        Above 0 and below 1.
    """
    statistic = check_array(statistic, "statistic", 2)
    if not 0 < false_alarms < 1:
        raise ValueError(f"false_alarms must lie between 0 and 1, got {false_alarms!r}.")
    return float(np.quantile(statistic.max(axis=0), 1 - false_alarms))


def detection_delays(statistic: ArrayLike, threshold: float, change: int) -> np.ndarray:
    """Return how many batches after a change each stream raises its first alarm.

    Parameters
    ----------
    statistic : array_like, shape (T, N)
    threshold : float
        An alarm is a value above it.
    change : int
        Row of the first batch that is different.

    Returns
    -------
    ndarray, shape (N,)
        0 means in that very batch. Infinite where no alarm came; NaN where one came before the
        change, which is a false alarm and no detection.
    """
    statistic = check_array(statistic, "statistic", 2)
    check_whole(change, "change", 0)
    alarms = statistic > threshold
    first = np.where(alarms.any(axis=0), alarms.argmax(axis=0), np.inf)
    return np.where(first < change, np.nan, first - change)


def _check_reference(values: np.ndarray, n_reference: int) -> None:
    check_whole(n_reference, "n_reference", 2)
    if n_reference >= len(values):
        raise ValueError(
            f"A reference of {n_reference} leaves nothing of {len(values)} row(s) to test."
        )
