"""Wrong answers that learners really give, and what the check must tell them."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np


def _scale(network):
    return np.abs(network - np.median(network, axis=1, keepdims=True)).mean(axis=1)


def _error(network, explanation):
    return np.abs(network - explanation).mean(axis=1)


def with_the_mean(network, explanation):
    middle = network.mean(axis=1, keepdims=True)
    return _error(network, explanation) / np.abs(network - middle).mean(axis=1)


def share_removed(network, explanation):
    return 1 - _error(network, explanation) / _scale(network)


def one_median_for_all(network, explanation):
    scale = np.abs(network - np.median(network)).mean(axis=1)
    return _error(network, explanation) / scale


def perfect_where_constant(network, explanation):
    error, scale = _error(network, explanation), _scale(network)
    return np.divide(error, scale, out=np.zeros_like(error), where=scale > 0)


def the_scale_is_never_small(network, explanation):
    return _error(network, explanation) / np.maximum(_scale(network), 1e-3)


def all_in_one(network, explanation):
    return np.full(len(network), _error(network, explanation).mean() / _scale(network).mean())


def divides_by_zero(network, explanation):
    return _error(network, explanation) / _scale(network)


def forgets_never(training_s, own_ms, other_ms):
    return math.floor(1000 * training_s / abs(other_ms - own_ms + 1e-12)) + 1


def forgets_the_unit(training_s, own_ms, other_ms):
    gain = other_ms - own_ms
    return None if gain <= 0 else math.floor(training_s / gain) + 1


def rounds_up(training_s, own_ms, other_ms):
    gain = other_ms - own_ms
    return None if gain <= 0 else math.ceil(1000 * training_s / gain)


def forgets_own_time(training_s, own_ms, other_ms):
    return None if own_ms >= other_ms else math.floor(1000 * training_s / other_ms) + 1


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-inet-evaluation-1": [
        (lambda: (1 / 6, 1 / 3), "Divide by its error"),
        (lambda: (1 / 6, 1 / 6 / np.sqrt(1 / 12)), "standard deviation"),
        (lambda: (1 / 30, 2 / 15), "The error"),
        (lambda: 1 / 6, "Return two numbers"),
    ],
    "ex-inet-evaluation-2": [
        (with_the_mean, "is the median"),
        (share_removed, "the share that is left"),
        (one_median_for_all, "The shares"),
        (divides_by_zero, "constant network"),
        (perfect_where_constant, "infinitely worse than the constant"),
        (the_scale_is_never_small, "infinitely worse than the constant"),
        (all_in_one, "The shares"),
    ],
    "ex-inet-evaluation-3": [
        (forgets_never, "return None"),
        (forgets_the_unit, "Training is in seconds"),
        (rounds_up, "not yet taken less time"),
        (forgets_own_time, "60 s, 0.5 ms and 1.25 ms"),
        (lambda training_s, own_ms, other_ms: 3, "return None"),
    ],
}
