"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from xai_course.book.checks.watching_a_network_drift import alarm_threshold, detection_delays
from xai_course.inet import LambdaNets
from xai_course.polynomials import gram_matrix, monomial_indices, monomials_in_basis


def without_restart(values, slack, threshold):
    means = np.cumsum(values) / np.arange(1, len(values) + 1)
    sums = np.cumsum(values - means - slack)
    lowest = np.minimum(np.minimum.accumulate(sums), 0)
    return np.flatnonzero(sums - lowest > threshold).tolist()


def without_minimum(values, slack, threshold):
    alarms, count, total, moved = [], 0, 0.0, 0.0
    for position, value in enumerate(values):
        count, total = count + 1, total + value
        moved += value - total / count - slack
        if moved > threshold:
            alarms.append(position)
            count, total, moved = 0, 0.0, 0.0
    return alarms


def reaching_is_enough(values, slack, threshold):
    alarms, count, total, moved, lowest = [], 0, 0.0, 0.0, 0.0
    for position, value in enumerate(values):
        count, total = count + 1, total + value
        moved += value - total / count - slack
        lowest = min(lowest, moved)
        if moved - lowest >= threshold:
            alarms.append(position)
            count, total, moved, lowest = 0, 0.0, 0.0, 0.0
    return alarms


def first_alarm_only(values, slack, threshold):
    found = without_restart(values, slack, threshold)
    return found[0] if found else -1


def changes(before, after, support):
    index = monomial_indices(np.array(support), 3)
    products = monomials_in_basis(5, 3)[index] @ (np.asarray(after) - before)
    return np.linalg.solve(gram_matrix(np.array(support)), products)


def as_pairs(values, support):
    pairs = [(tuple(m), float(c)) for m, c in zip(support, values, strict=True)]
    return sorted(pairs, key=lambda pair: -abs(pair[1]))


def turned(before, after, support):
    return as_pairs(changes(after, before, support), support)


def not_sorted(before, after, support):
    values = changes(before, after, support)
    return [(tuple(m), float(c)) for m, c in zip(support, values, strict=True)]


def sorted_by_sign(before, after, support):
    return sorted(not_sorted(before, after, support), key=lambda pair: -pair[1])


def without_gram(before, after, support):
    index = monomial_indices(np.array(support), 3)
    return as_pairs(monomials_in_basis(5, 3)[index] @ (np.asarray(after) - before), support)


def numbers_only(before, after, support):
    return changes(before, after, support)


def column_dropped(nets, j, value):
    weights = np.delete(nets.hidden_weights, j, axis=2)
    return LambdaNets(weights, nets.hidden_biases, nets.output_weights, nets.output_biases)


def into_the_output(nets, j, value):
    shift = value * nets.hidden_weights[:, :, j].sum(axis=1)
    weights = np.delete(nets.hidden_weights, j, axis=2)
    return LambdaNets(weights, nets.hidden_biases, nets.output_weights, nets.output_biases + shift)


def column_kept(nets, j, value):
    weights = nets.hidden_weights.copy()
    biases = nets.hidden_biases + value * weights[:, :, j]
    weights[:, :, j] = 0
    return LambdaNets(weights, biases, nets.output_weights, nets.output_biases)


def just_weights(nets, j, value):
    return np.delete(nets.hidden_weights, j, axis=2)


def medians(calm, values, change):
    return np.nanmedian(detection_delays(values, alarm_threshold(calm, 0.1), change))


def one_threshold_for_both(calm_error, calm_coef, error, coef, change):
    return medians(calm_error, error, change) - medians(calm_error, coef, change)


def coefficients_minus_error(calm_error, calm_coef, error, coef, change):
    return medians(calm_coef, coef, change) - medians(calm_error, error, change)


def forgets_infinity(calm_error, calm_coef, error, coef, change):
    return medians(calm_error, error, change) - medians(calm_coef, coef, change)


def early_alarms_count_as_zero(calm_error, calm_coef, error, coef, change):
    late = [
        np.median(np.nan_to_num(detection_delays(v, alarm_threshold(c), change), posinf=np.inf))
        for c, v in ((calm_error, error), (calm_coef, coef))
    ]
    return 0.0 if np.isinf(late).all() else late[0] - late[1]


def stream_by_stream(calm_error, calm_coef, error, coef, change):
    late = detection_delays(error, alarm_threshold(calm_error), change)
    return late - detection_delays(coef, alarm_threshold(calm_coef), change)


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-watching-a-network-drift-1": [
        (lambda: (81, 162, 1), "fourth power"),
        (lambda: (81, 1458, np.sqrt(2)), "same number of rows"),
        (lambda: (9, 18, 1), "got 18, expected 1458"),
        (lambda: (81, 1458), "Return three numbers"),
    ],
    "ex-watching-a-network-drift-2": [
        (without_restart, "with three restarts"),
        (without_minimum, "slack has lowered"),
        (reaching_is_enough, "only reaches the threshold"),
        (first_alarm_only, "Return a list of positions"),
    ],
    "ex-watching-a-network-drift-3": [
        (turned, "after minus before"),
        (not_sorted, "largest change in absolute size"),
        (sorted_by_sign, "largest change in absolute size"),
        (without_gram, "The changes"),
        (numbers_only, "Return a list of pairs"),
    ],
    "ex-watching-a-network-drift-4": [
        (column_dropped, "x3 held at 0.2"),
        (into_the_output, "x3 held at 0.2"),
        (column_kept, "should be 3, got 4"),
        (just_weights, "Return LambdaNets"),
    ],
    "ex-watching-a-network-drift-5": [
        (one_threshold_for_both, "as loud as an alarm"),
        (coefficients_minus_error, "should be 2.0, got -2.0"),
        (forgets_infinity, "Infinity minus infinity"),
        (early_alarms_count_as_zero, "random streams"),
        (stream_by_stream, "should be one number"),
    ],
}
