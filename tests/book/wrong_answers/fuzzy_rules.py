"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np


def falls_in_a_straight_exponent():
    return 0.5 / 0.625, (3 + 0.25) / 0.625, 5.0, 3.25


def forgets_the_input_in_rule_two():
    return 16 / 17, 97 / 17, 50 / 9, 49 / 16


def smaller_without_dividing():
    return 16 / 17, 98 / 17, 3.125, 49 / 16


def divides_the_sum():
    return 16 / 17, 98 / 17, 50 / 9, 98 / 17


def strength_for_share():
    return 1 / 2, 98 / 17, 50 / 9, 49 / 16


def each_rule_alone(shares, X, y):
    inputs = np.column_stack([np.ones(len(X)), X])
    roots = np.sqrt(shares.T)
    return [np.linalg.lstsq(r[:, None] * inputs, r * y, rcond=None)[0] for r in roots]


def _together(shares, inputs, y):
    table = (shares[:, :, None] * inputs[:, None]).reshape(len(y), -1)
    return np.linalg.lstsq(table, y, rcond=None)[0].reshape(shares.shape[1], -1)


def constant_last(shares, X, y):
    return _together(shares, np.column_stack([X, np.ones(len(X))]), y)


def no_constant(shares, X, y):
    return _together(shares, X, y)


def numbers_only(shares, X, y):
    found = np.linalg.lstsq(shares, y, rcond=None)[0]
    return np.column_stack([found, np.zeros((len(found), X.shape[1]))])


def always_zero(shares, X, y):
    return np.zeros((shares.shape[1], X.shape[1] + 1))


def strongest_rule_only(shares, X, y):
    crisp = np.eye(shares.shape[1])[shares.argmax(axis=1)]
    return _together(crisp, np.column_stack([np.ones(len(X)), X]), y)


def largest(degrees):
    return degrees.max(axis=1)


def by_probability(degrees):
    return 1 - (1 - degrees).prod(axis=1)


def product_alone(degrees):
    return degrees.prod(axis=1)


def two_at_most(degrees):
    a, b = degrees[:, 0], degrees[:, -1]
    return a * b / (a * b + (1 - a) * (1 - b))


def one_half(degrees):
    return np.full(len(degrees), 0.5)


def all_rows_at_once(degrees):
    return degrees.prod() / (degrees.prod() + (1 - degrees).prod())


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-fuzzy-rules-1": [
        (falls_in_a_straight_exponent, "not one quarter"),
        (forgets_the_input_in_rule_two, "add the input's x1"),
        (smaller_without_dividing, "still divided by their sum"),
        (divides_the_sum, "The weighted sum"),
        (strength_for_share, "The share of rule 1"),
    ],
    "ex-fuzzy-rules-2": [
        (each_rule_alone, "Each rule is fitted for itself"),
        (constant_last, "The constant stands first"),
        (no_constant, "an array of shape"),
        (numbers_only, "The conclusions of 3"),
        (always_zero, "The conclusions of 3"),
        (strongest_rule_only, "The conclusions of 3"),
    ],
    "ex-fuzzy-rules-3": [
        (largest, "the usual fuzzy or"),
        (by_probability, "one half must change nothing"),
        (product_alone, "the odds are multiplied"),
        (two_at_most, "1 degree(s) in each row"),
        (one_half, "joined"),
        (all_rows_at_once, "6 degrees, one for each row"),
    ],
}
