"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np


def no_intercept(X, outputs, gradients):
    squares = (gradients**2).sum(axis=0)
    return squares / squares.sum()


def output_for_intercept(X, outputs, gradients):
    squares = np.column_stack([outputs, gradients]) ** 2
    return squares.sum(axis=0) / squares.sum()


def square_of_the_mean(X, outputs, gradients):
    intercepts = outputs - (gradients * X).sum(axis=1)
    squares = np.column_stack([intercepts, gradients]).mean(axis=0) ** 2
    return squares / squares.sum()


def no_shares(X, outputs, gradients):
    intercepts = outputs - (gradients * X).sum(axis=1)
    return (np.column_stack([intercepts, gradients]) ** 2).mean(axis=0)


def with_units(coef, counts, X):
    weighted = counts @ coef**2
    return weighted / weighted.sum()


def by_the_range(coef, counts, X):
    weighted = counts @ (coef * np.ptp(X, axis=0)) ** 2
    return weighted / weighted.sum()


def not_squared(coef, counts, X):
    weighted = counts @ (np.abs(coef) * X.std(axis=0))
    return weighted / weighted.sum()


def regions_alike(coef, counts, X):
    weighted = ((coef * X.std(axis=0)) ** 2).sum(axis=0)
    return weighted / weighted.sum()


def divided(coef, counts, X):
    weighted = counts @ (coef / X.std(axis=0)) ** 2
    return weighted / weighted.sum()


def second_moment(coef, counts, X):
    weighted = (counts @ coef**2) * (X**2).mean(axis=0)
    return weighted / weighted.sum()


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


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-unwrapping-interpretation-1": [
        (lambda: 10 / 141, "five rows"),
        (lambda: 195 / 206, "share of the intercept"),
        (lambda: 11 / 195, "got 0.0564103, expected 0.0533981"),
        (lambda: 11.0, "expected 0.0533981"),
    ],
    "ex-unwrapping-interpretation-2": [
        (no_intercept, "Return 2 shares, the intercept's first"),
        (output_for_intercept, "The shares: 2 of 2"),
        (square_of_the_mean, "The shares: 2 of 2"),
        (no_shares, "add up to 1"),
    ],
    "ex-unwrapping-interpretation-3": [
        (with_units, "depend on units"),
        (by_the_range, "The shares: "),
        (not_squared, "two features in two regions"),
        (regions_alike, "two features in two regions"),
        (divided, "two features in two regions"),
        (second_moment, "The shares: "),
    ],
    "ex-unwrapping-interpretation-4": [
        (right_sign, "The share of regions with four regions"),
        (zeros_are_wrong, "got 0.5, expected 0.25"),
        (swapped, "swapped"),
        (only_rows, "Return two shares"),
        (numbers_of_rows, "The share of rows"),
    ],
}
