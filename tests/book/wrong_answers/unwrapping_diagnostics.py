"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np


def regions(labels, y, keep):
    numbers, counts = np.unique(labels, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return [int(numbers[i]) for i in order if keep(counts[i], y[labels == numbers[i]])]


def ignores_the_classes(labels, y, minimum):
    return regions(labels, y, lambda count, own: count >= minimum)


def more_than_the_minimum(labels, y, minimum):
    return regions(labels, y, lambda count, own: count > minimum and 0 < own.mean() < 1)


def in_order_of_number(labels, y, minimum):
    return sorted(regions(labels, y, lambda count, own: count >= minimum and 0 < own.mean() < 1))


def number_of_regions(labels, y, minimum):
    return len(ignores_the_classes(labels, y, minimum))


def all_at_once(coefs, intercepts, X, y):
    return ((X @ coefs.T + intercepts - y[:, None]) ** 2).mean(axis=0)


def sums(coefs, intercepts, X, y):
    return ((X @ coefs.T + intercepts - y[:, None]) ** 2).sum(axis=0)


def forgets_the_intercepts(coefs, intercepts, X, y):
    return ((X @ coefs.T - y[:, None]) ** 2).mean(axis=0)


def one_error(coefs, intercepts, X, y):
    return np.mean((X @ coefs.T + intercepts - y[:, None]) ** 2)


def spread(n_positive, n_negative):
    return np.sqrt((n_positive + n_negative + 1) / (12 * n_positive * n_negative))


def multiplies(auc, n_positive, n_negative):
    return (auc - 0.5) * spread(n_positive, n_negative)


def forgets_one_half(auc, n_positive, n_negative):
    return auc / spread(n_positive, n_negative)


def always_positive(auc, n_positive, n_negative):
    return np.abs(auc - 0.5) / spread(n_positive, n_negative)


def variance(auc, n_positive, n_negative):
    return (auc - 0.5) / spread(n_positive, n_negative) ** 2


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-unwrapping-diagnostics-1": [
        (lambda: 4 / 6, "a tie counts one half"),
        (lambda: 0.5, "a tie counts one half"),
        (lambda: 3.5, "divide by the number of pairs"),
        (lambda: 2.5 / 6, "class 0 above class 1"),
        (lambda: "0.58?", "should be numbers"),
    ],
    "ex-unwrapping-diagnostics-2": [
        (ignores_the_classes, "four rows of one class"),
        (more_than_the_minimum, "at least 3"),
        (in_order_of_number, "in another order"),
        (number_of_regions, "list of region numbers, got 3"),
    ],
    "ex-unwrapping-diagnostics-3": [
        (all_at_once, "an array of models times rows is held"),
        (sums, "divide by the number of rows"),
        (forgets_the_intercepts, "4 of 4 value(s) differ"),
        (one_error, "should have shape (4,), got ()"),
    ],
    "ex-unwrapping-diagnostics-4": [
        (multiplies, "divide, do not multiply"),
        (forgets_one_half, "got 2, expected 1"),
        (always_positive, "got 1.09"),
        (variance, "got 2, expected 1"),
    ],
}
