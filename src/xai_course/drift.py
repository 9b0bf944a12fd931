"""When a stream has changed: cumulative sums, departures, thresholds and delays.

Source: Page (1954). Explained in the chapter *watching-a-network-drift*.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from xai_course._validation import check_number, check_whole

__all__ = ["alarm_threshold", "cusum", "departure", "detection_delays"]


def cusum(values: ArrayLike, n_reference: int, slack: float = 0.5) -> np.ndarray:
    """Return Page's two-sided cumulative sum of one or several series.

    Each value is expressed in standard deviations of the reference. Two sums begin at zero and
    never fall below it: one adds the deviations, the other one subtracts them, and both lose
    `slack` with every value.

    Parameters
    ----------
    values : array_like, shape (T, ...)
        Time runs along the first axis.
    n_reference : int
        How many values at the beginning say what is normal, at least 2.
    slack : float
        In standard deviations. Half of the smallest shift that matters is usual.

    Returns
    -------
    ndarray, shape (T - n_reference, ...)
        The larger of the two sums after each value that follows the reference.

    Raises
    ------
    ValueError
        If nothing follows the reference, or a series is constant in it.

    Examples
    --------
    >>> cusum([0.0, 2.0, 1.0, 4.0, 4.0], n_reference=3).round(2)
    array([2.5, 5. ])
    """
    reference, watched = _parts(values, n_reference)
    check_number(slack, "slack", least=0)
    spread = reference.std(axis=0, ddof=1)
    if not np.all(spread > 0):
        raise ValueError("A series is constant in the reference, which gives no scale.")
    found, up, down = [], 0.0, 0.0
    for z in (watched - reference.mean(axis=0)) / spread:
        up = np.maximum(0, up + z - slack)
        down = np.maximum(0, down - z - slack)
        found.append(np.maximum(up, down))
    return np.array(found)


def departure(vectors: ArrayLike, n_reference: int) -> np.ndarray:
    """Return how far moving vectors, shape (T, ..., d), are from their mean over the reference.

    Returns
    -------
    ndarray, shape (T - n_reference, ...)
        Lengths.

    Raises
    ------
    ValueError
        If nothing follows the reference.
    """
    reference, watched = _parts(vectors, n_reference)
    return np.linalg.norm(watched - reference.mean(axis=0), axis=-1)


def _parts(values: ArrayLike, n_reference: int) -> tuple[np.ndarray, np.ndarray]:
    values = np.asarray(values, dtype=float)
    check_whole(n_reference, "n_reference", 2)
    if len(values) <= n_reference:
        raise ValueError(f"{len(values)} values, and n_reference is {n_reference}: none follows.")
    return values[:n_reference], values[n_reference:]


def alarm_threshold(statistic: ArrayLike, false_alarms: float = 0.1) -> float:
    """Return the level that a share of undisturbed streams, shape (T, N), exceeds at some time."""
    return float(np.quantile(np.max(statistic, axis=0), 1 - false_alarms))


def detection_delays(statistic: ArrayLike, threshold: float, change: int) -> np.ndarray:
    """Return the steps from a change to the first alarm of each stream.

    Parameters
    ----------
    statistic : array_like, shape (T, N)
    threshold : float
        More than this is an alarm.
    change : int
        The row in which something changes.

    Returns
    -------
    ndarray, shape (N,)
        Infinity where no alarm came, NaN where one came before the change.
    """
    alarms = np.asarray(statistic) > threshold
    first = np.where(alarms.any(axis=0), alarms.argmax(axis=0), np.inf)
    return np.where(first < change, np.nan, first - change)
