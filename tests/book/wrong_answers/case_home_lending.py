"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd


def _audit(right, counts):
    return np.average(right, axis=0, weights=counts), np.average(right.all(axis=1), weights=counts)


def counts_regions(coef, counts, expected):
    has = expected != 0
    return _audit(np.sign(coef[:, has]) == expected[has], np.ones(len(coef)))


def demands_a_zero(coef, counts, expected):
    shares, faultless = _audit(np.sign(coef) == expected, counts)
    return shares[expected != 0], faultless


def all_predictors(coef, counts, expected):
    return _audit(np.sign(coef) == expected, counts)


def lets_zero_pass(coef, counts, expected):
    has = expected != 0
    return _audit(coef[:, has] * expected[has] >= 0, counts)


def averages_predictors(coef, counts, expected):
    has = expected != 0
    shares, _ = _audit(np.sign(coef[:, has]) == expected[has], counts)
    return shares, shares.mean()


def multiplies_shares(coef, counts, expected):
    has = expected != 0
    shares, _ = _audit(np.sign(coef[:, has]) == expected[has], counts)
    return shares, shares.prod()


def the_first_table(coef, counts, expected):
    return np.array([1.0, 0.5, 1.0]), 0.5


def shares_only(coef, counts, expected):
    return counts_regions(coef, counts, expected)[0]


def purity(regions, segments):
    return float(pd.crosstab(regions, segments).to_numpy().max(axis=1).sum() / len(segments))


def trusts_the_numbers(regions, segments):
    return float(np.mean(regions == segments))


def recall(regions, segments):
    return float(pd.crosstab(regions, segments).to_numpy().max(axis=0).sum() / len(segments))


def greedy(regions, segments):
    counts, total = pd.crosstab(regions, segments).to_numpy(), 0
    while counts.size:
        i, j = np.unravel_index(counts.argmax(), counts.shape)
        total += counts[i, j]
        counts = np.delete(np.delete(counts, i, axis=0), j, axis=1)
    return float(total / len(segments))


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-case-home-lending-1": [
        (lambda: (0.125, 1 / 3, 0.3), "divide it by the sum of squares"),
        (lambda: (0.1, 2 / 3, 0.3), "before the merge"),
        (lambda: (0.1, 1 / 3, -0.3), "a plus"),
        (lambda: (-0.55, 1, 0.75), "The slope of the merged line"),
        (lambda: (0.1, 1 / 2, 0.3), "The share with the right sign"),
        (lambda: 0.1, "three numbers"),
    ],
    "ex-case-home-lending-2": [
        (counts_regions, "with regions of different size"),
        (demands_a_zero, "without an expected sign"),
        (all_predictors, "with an expected sign"),
        (lets_zero_pass, "a coefficient of zero"),
        (averages_predictors, "The faultless share with regions of equal size"),
        (multiplies_shares, "The faultless share with faults in different predictors"),
        (the_first_table, "with regions of different size"),
        (shares_only, "two things"),
    ],
    "ex-case-home-lending-3": [
        (purity, "two regions of one segment"),
        (trusts_the_numbers, "under other numbers"),
        (recall, "one region"),
        (greedy, "the largest cell in the way"),
    ],
}
