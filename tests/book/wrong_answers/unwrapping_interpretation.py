"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np


def _shares(coef, intercept, weights):
    weighted = weights @ np.column_stack([intercept, coef]) ** 2
    return weighted / weighted.sum()


def _lines(coef, labels, X, j, center):
    regions = [X[labels == k, j] for k in range(len(coef))]
    ends = np.array([[x.min() - center(x), x.max() - center(x)] for x in regions])
    return coef[:, [j]] * ends


def _both(coef, intercept, labels, X, j, center=np.mean):
    shares = _shares(coef, intercept, np.bincount(labels))
    return shares, _lines(coef, labels, X, j, center)


def regions_alike(coef, intercept, labels, X, j):
    shares = _shares(coef, intercept, np.ones(len(coef)))
    return shares, _lines(coef, labels, X, j, np.mean)


def not_centred(coef, intercept, labels, X, j):
    return _both(coef, intercept, labels, X, j, lambda x: 0.0)


def centred_on_all_rows(coef, intercept, labels, X, j):
    return _both(coef, intercept, labels, X, j, lambda x: X[:, j].mean())


def centred_in_the_middle(coef, intercept, labels, X, j):
    return _both(coef, intercept, labels, X, j, lambda x: (x.min() + x.max()) / 2)


def always_the_first_feature(coef, intercept, labels, X, j):
    return _both(coef, intercept, labels, X, 0)


def largest_region_first(coef, intercept, labels, X, j):
    counts = -np.sort(-np.bincount(labels))
    return _shares(coef, intercept, counts), _lines(coef, labels, X, j, np.mean)


def not_squared(coef, intercept, labels, X, j):
    weighted = np.bincount(labels) @ np.abs(np.column_stack([intercept, coef]))
    return weighted / weighted.sum(), _lines(coef, labels, X, j, np.mean)


def features_only(coef, intercept, labels, X, j):
    shares, lines = _both(coef, intercept, labels, X, j)
    return shares[1:] / shares[1:].sum(), lines


def shares_alone(coef, intercept, labels, X, j):
    return _both(coef, intercept, labels, X, j)[0]


def not_scaled(coef, intercept, labels, X, j):
    squares = np.column_stack([intercept, coef]) ** 2
    return np.bincount(labels) @ squares, _lines(coef, labels, X, j, np.mean)


def right_sign(slopes, counts, sign):
    right = slopes * sign > 0
    return right.mean(), np.average(right, weights=counts)


def zeros_are_wrong(slopes, counts, sign):
    wrong = slopes * sign <= 0
    return wrong.mean(), np.average(wrong, weights=counts)


def swapped(slopes, counts, sign):
    wrong = slopes * sign < 0
    return np.average(wrong, weights=counts), wrong.mean()


def only_rows(slopes, counts, sign):
    return np.average(slopes * sign < 0, weights=counts)


def numbers_of_rows(slopes, counts, sign):
    wrong = slopes * sign < 0
    return wrong.mean(), counts[wrong].sum()


def always_negative(slopes, counts, sign):
    wrong = slopes > 0
    return wrong.mean(), np.average(wrong, weights=counts)


def _squares(intercepts, slopes):
    squares = (np.column_stack([intercepts, slopes]) ** 2).sum(axis=0)
    return squares / squares.sum()


def _at_average(X, outputs, gradients):
    return outputs - (gradients * (X - X.mean(axis=0))).sum(axis=1)


def no_intercept(X, outputs, gradients):
    squares = ((gradients * X.std(axis=0)) ** 2).sum(axis=0)
    return squares / squares.sum()


def output_for_intercept(X, outputs, gradients):
    return _squares(outputs, gradients * X.std(axis=0))


def intercept_of_these_units(X, outputs, gradients):
    return _squares(outputs - (gradients * X).sum(axis=1), gradients * X.std(axis=0))


def with_units(X, outputs, gradients):
    return _squares(_at_average(X, outputs, gradients), gradients)


def as_if_standardised(X, outputs, gradients):
    return _squares(outputs - (gradients * X).sum(axis=1), gradients)


def by_the_range(X, outputs, gradients):
    return _squares(_at_average(X, outputs, gradients), gradients * np.ptp(X, axis=0))


def divided(X, outputs, gradients):
    return _squares(_at_average(X, outputs, gradients), gradients / X.std(axis=0))


def square_of_the_mean(X, outputs, gradients):
    slopes = gradients * X.std(axis=0)
    both = np.column_stack([_at_average(X, outputs, gradients), slopes])
    squares = both.mean(axis=0) ** 2
    return squares / squares.sum()


def no_shares(X, outputs, gradients):
    slopes = gradients * X.std(axis=0)
    return (np.column_stack([_at_average(X, outputs, gradients), slopes]) ** 2).mean(axis=0)


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-unwrapping-interpretation-1": [
        (regions_alike, "Every region counts the same"),
        (not_centred, "not centred"),
        (centred_on_all_rows, "mean of all rows"),
        (centred_in_the_middle, "in the middle of their range"),
        (always_the_first_feature, "The ends of the lines of feature 2"),
        (largest_region_first, "The shares: "),
        (not_squared, "The shares: "),
        (features_only, "4 shares, the intercept's first"),
        (shares_alone, "two things, the shares and the ends"),
        (not_scaled, "add up to 1"),
    ],
    "ex-unwrapping-interpretation-2": [
        (right_sign, "The share of regions with four regions"),
        (zeros_are_wrong, "got 0.5, expected 0.25"),
        (swapped, "swapped"),
        (only_rows, "Return two shares"),
        (numbers_of_rows, "The share of rows"),
        (always_negative, "The share of regions with four regions and sign +1"),
    ],
    "ex-unwrapping-interpretation-3": [
        (no_intercept, "Return 2 shares, the intercept's first"),
        (output_for_intercept, "The output is no intercept"),
        (intercept_of_these_units, "that of another zero"),
        (with_units, "depend on units. How far"),
        (as_if_standardised, "where zero is"),
        (by_the_range, "The shares: "),
        (divided, "The shares: "),
        (square_of_the_mean, "The shares: "),
        (no_shares, "add up to 1"),
    ],
}
