"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from xai_course import drift
from xai_course.drift import alarm_threshold, detection_delays
from xai_course.inet import LambdaNets
from xai_course.polynomials import gram_matrix, monomial_indices, monomials_in_basis


def _both(z, slack):
    up = down = 0.0
    found = []
    for value in z:
        up, down = max(0.0, up + value - slack), max(0.0, down - value - slack)
        found.append(max(up, down))
    return found


def _scaled(values, n_reference):
    reference = values[:n_reference]
    return (values[n_reference:] - reference.mean()) / reference.std(ddof=1)


def rises_only(values, n_reference, slack=0.5):
    level, found = 0.0, []
    for z in _scaled(values, n_reference):
        level = max(0.0, level + z - slack)
        found.append(level)
    return found


def never_reset(values, n_reference, slack=0.5):
    z = _scaled(values, n_reference)
    return np.maximum(np.cumsum(z - slack), np.cumsum(-z - slack))


def without_slack(values, n_reference, slack=0.5):
    return _both(_scaled(values, n_reference), 0.0)


def always_half(values, n_reference, slack=0.5):
    return _both(_scaled(values, n_reference), 0.5)


def in_units_of_all_values(values, n_reference, slack=0.5):
    return _both((values[n_reference:] - values.mean()) / values.std(ddof=1), slack)


def in_units_of_the_label(values, n_reference, slack=0.5):
    return _both(values[n_reference:] - values[:n_reference].mean(), slack)


def divided_by_n(values, n_reference, slack=0.5):
    reference = values[:n_reference]
    return _both((values[n_reference:] - reference.mean()) / reference.std(), slack)


def with_the_reference(values, n_reference, slack=0.5):
    reference = values[:n_reference]
    return _both((values - reference.mean()) / reference.std(ddof=1), slack)


def asks_the_library(values, n_reference, slack=0.5):
    return drift.cusum(values, n_reference, slack)


def the_hand_case_only(values, n_reference, slack=0.5):
    return np.resize([1, 2.5, 2, 1, 3.5], len(values) - n_reference)


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


def no_change_at_all(before, after, support):
    return as_pairs(np.zeros(len(support)), support)


def always_two_batches(calm_error, calm_coef, error, coef, change):
    return 2.0


def threshold_from_the_changed_streams(calm_error, calm_coef, error, coef, change):
    return medians(error, error, change) - medians(coef, coef, change)


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-watching-a-network-drift-1": [
        (rises_only, "rise alone"),
        (never_reset, "never fall below zero"),
        (without_slack, "No slack"),
        (always_half, "slack of 0.25"),
        (in_units_of_all_values, "reference alone"),
        (in_units_of_the_label, "Divide by the standard deviation"),
        (divided_by_n, "ddof=1"),
        (with_the_reference, "after the reference"),
        (asks_the_library, "Do not call the library"),
        (the_hand_case_only, "random series"),
    ],
    "ex-watching-a-network-drift-2": [
        (column_dropped, "x3 held at 0.2"),
        (into_the_output, "x3 held at 0.2"),
        (column_kept, "should be 3, got 4"),
        (just_weights, "Return LambdaNets"),
    ],
    "ex-watching-a-network-drift-3": [
        (turned, "after minus before"),
        (not_sorted, "largest change in absolute size"),
        (sorted_by_sign, "largest change in absolute size"),
        (without_gram, "The changes"),
        (numbers_only, "Return a list of pairs"),
        (no_change_at_all, "got 0, expected 0.9"),
    ],
    "ex-watching-a-network-drift-4": [
        (one_threshold_for_both, "as loud as an alarm"),
        (coefficients_minus_error, "should be 2.0, got -2.0"),
        (forgets_infinity, "Infinity minus infinity"),
        (early_alarms_count_as_zero, "random streams"),
        (stream_by_stream, "should be one number"),
        (always_two_batches, "as loud as an alarm"),
        (threshold_from_the_changed_streams, "The lead"),
    ],
}
