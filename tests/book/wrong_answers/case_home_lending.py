"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd


def counts_regions(coef, counts, expected):
    has = expected != 0
    return float((np.sign(coef[:, has]) == expected[has]).all(axis=1).mean())


def demands_a_zero(coef, counts, expected):
    right = (np.sign(coef) == expected).all(axis=1)
    return float(np.average(right, weights=counts))


def lets_zero_pass(coef, counts, expected):
    return float(np.average((coef * expected >= 0).all(axis=1), weights=counts))


def averages_predictors(coef, counts, expected):
    has = expected != 0
    right = (np.sign(coef[:, has]) == expected[has]).mean(axis=1)
    return float(np.average(right, weights=counts))


def first_accepted(scores, log_odds):
    accepted = scores[log_odds <= 0]
    return float(accepted.min()) if len(accepted) else np.inf


def trusts_the_order(scores, log_odds):
    declined = np.flatnonzero(log_odds > 0)
    start = declined[-1] + 1 if len(declined) else 0
    return float(scores[start]) if start < len(scores) else np.inf


def declines_zero(scores, log_odds):
    declined = scores[log_odds >= 0]
    above = scores[scores > (declined.max() if len(declined) else -np.inf)]
    return float(above.min()) if len(above) else np.inf


def last_declined(scores, log_odds):
    return float(scores[log_odds > 0].max())


def purity(regions, segments):
    return float(pd.crosstab(regions, segments).to_numpy().max(axis=1).sum() / len(segments))


def trusts_the_numbers(regions, segments):
    return float(np.mean(regions == segments))


def recall(regions, segments):
    return float(pd.crosstab(regions, segments).to_numpy().max(axis=0).sum() / len(segments))


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-case-home-lending-1": [
        (lambda: 2 / 3, "counts regions"),
        (lambda: 5602 / 6568, "the share of Region 0"),
        (lambda: 14.7, "not a percentage"),
        (lambda: "15 %", "one number"),
    ],
    "ex-case-home-lending-2": [
        (counts_regions, "with regions of different size"),
        (demands_a_zero, "without an expected sign"),
        (lets_zero_pass, "a coefficient of zero"),
        (averages_predictors, "with regions of equal size"),
    ],
    "ex-case-home-lending-3": [
        (first_accepted, "jumps up again should be 660.0, got 620.0"),
        (trusts_the_order, "scores out of order"),
        (declines_zero, "log-odds of exactly 0"),
        (last_declined, "a curve that falls"),
    ],
    "ex-case-home-lending-4": [
        (purity, "two regions of one segment"),
        (trusts_the_numbers, "under other numbers"),
        (recall, "one region"),
    ],
}
