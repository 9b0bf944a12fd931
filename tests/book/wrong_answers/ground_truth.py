"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np


def slope_for_contributions():
    return (2, 1), (0.8, 1.2), (1, 1), (0.4, 0.2)


def always_on():
    return (2, 3), (2, 3), (1, 1), (0.4, 0.2)


def shapley_along_the_path():
    return (2, 3), (0.8, 1.2), (0.8, 1.2), (0.4, 0.2)


def neuron_off():
    return (2, 3), (0.8, 1.2), (1, 1), (0.8, 0.4)


def towards_the_counterfactual():
    return (2, 3), (0.8, 1.2), (1, 1), (-0.4, -0.2)


def direction_only():
    return (2, 3), (0.8, 1.2), (1, 1), (2, 1)


def three_of_four():
    return (2, 3), (0.8, 1.2), (1, 1)


def keeps_unknown_rows(explain, subjects, reference, metric):
    return [
        metric(explain(s.module, s.inputs, s.baseline, s.targets), s.references[reference]).mean()
        for s in subjects
    ]


def unknown_as_zero(explain, subjects, reference, metric):
    return [
        metric(
            explain(s.module, s.inputs, s.baseline, s.targets),
            np.nan_to_num(s.references[reference]),
        ).mean()
        for s in subjects
    ]


def pools_all_rows(explain, subjects, reference, metric):
    found = [
        metric(explain(s.module, s.inputs, s.baseline, s.targets), s.references[reference])
        for s in subjects
    ]
    return np.nanmean(np.concatenate(found))


def divides_by_all_rows(explain, subjects, reference, metric):
    found = [
        metric(explain(s.module, s.inputs, s.baseline, s.targets), s.references[reference])
        for s in subjects
    ]
    return [np.nansum(values) / len(values) for values in found]


def first_reference_only(explain, subjects, reference, metric):
    means = []
    for s in subjects:
        answer = s.references["contributions"]
        found = explain(s.module, s.inputs, s.baseline, s.targets)
        means.append(metric(found, answer).mean())
    return means


def baseline_of_zero(explain, subjects, reference, metric):
    means = []
    for s in subjects:
        answer = s.references[reference]
        rows = np.isfinite(answer).all(axis=1)
        found = explain(s.module, s.inputs, 0 * s.baseline, s.targets)
        means.append(metric(found[rows], answer[rows]).mean())
    return means


def standard_deviation(a, b):
    gap = (a - b).mean(axis=1)
    return gap.mean(), gap.std(ddof=1)


def population_spread(a, b):
    gap = (a - b).mean(axis=1)
    return gap.mean(), gap.std() / np.sqrt(len(gap))


def unpaired(a, b):
    spreads = [x.mean(axis=1).std(ddof=1) for x in (a, b)]
    return (a - b).mean(), np.hypot(*spreads) / np.sqrt(len(a))


def rows_as_trainings(a, b):
    return (a - b).mean(), (a - b).std(ddof=1) / np.sqrt(a.size)


def over_the_rows(a, b):
    gap = (a - b).mean(axis=0)
    return gap.mean(), gap.std(ddof=1) / np.sqrt(len(gap)) if len(gap) > 1 else 0.0


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-ground-truth-1": [
        (slope_for_contributions, "That is the slope"),
        (always_on, "off near the baseline"),
        (shapley_along_the_path, "one feature at a time"),
        (neuron_off, "changes earlier"),
        (towards_the_counterfactual, "not from it"),
        (direction_only, "How much does f fall"),
        (three_of_four, "four things"),
    ],
    "ex-ground-truth-2": [
        (keeps_unknown_rows, "leave out the rows"),
        (unknown_as_zero, "The means against shapley"),
        (pools_all_rows, "one mean for each"),
        (divides_by_all_rows, "the number of rows that count"),
        (first_reference_only, "The means against shapley"),
        (baseline_of_zero, "The means against contributions"),
    ],
    "ex-ground-truth-3": [
        (standard_deviation, "not the error"),
        (population_spread, "n - 1"),
        (unpaired, "Subtract first"),
        (rows_as_trainings, "no independent witnesses"),
        (over_the_rows, "The standard error"),
    ],
}
