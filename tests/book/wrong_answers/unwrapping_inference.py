"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np


def parts(X, y):
    design = np.column_stack([np.ones(len(X)), X])
    inverse = np.linalg.inv(design.T @ design)
    return design, inverse, y - design @ (inverse @ design.T @ y)


def hc0(X, y):
    design, inverse, residual = parts(X, y)
    scaled = residual[:, None] * design
    return np.sqrt(np.diag(inverse @ scaled.T @ scaled @ inverse))


def classic(X, y):
    design, inverse, residual = parts(X, y)
    return np.sqrt(residual @ residual / (len(y) - design.shape[1]) * np.diag(inverse))


def hc2(X, y):
    design, inverse, residual = parts(X, y)
    leverage = ((design @ inverse) * design).sum(axis=1)
    scaled = (residual / np.sqrt(1 - leverage))[:, None] * design
    return np.sqrt(np.diag(inverse @ scaled.T @ scaled @ inverse))


def without_intercept(X, y):
    return hc2(X, y)[1:]


def no_correction(p_values, alpha=0.05):
    return np.asarray(p_values) < alpha


def bonferroni(p_values, alpha=0.05):
    return np.asarray(p_values) <= alpha / len(p_values)


def does_not_stop(p_values, alpha=0.05):
    rank = np.argsort(np.argsort(p_values))
    return np.asarray(p_values) <= alpha / (len(p_values) - rank)


def sorted_stars(p_values, alpha=0.05):
    ordered = np.sort(p_values)
    passed = ordered <= alpha / (len(ordered) - np.arange(len(ordered)))
    return np.cumprod(passed).astype(bool)


def score_of(X, y, intercept, slopes):
    return X.T @ (y - 1 / (1 + np.exp(-(X @ slopes + intercept))))


def penalty_strength(X, y, intercept, slopes):
    score = score_of(X, y, intercept, slopes)
    return np.inf if np.abs(score).max() < 1e-6 else score @ slopes / (slopes @ slopes)


def never_infinite(X, y, intercept, slopes):
    return float(slopes @ slopes) / max(score_of(X, y, intercept, slopes) @ slopes, 1e-12)


def forgets_the_intercept(X, y, intercept, slopes):
    score = score_of(X, y, intercept, slopes)
    if np.abs(score).max() < 1e-6:
        return np.inf
    score = score_of(X, y, 0.0, slopes)
    return slopes @ slopes / (score @ slopes)


def plain_interval(hits, trials, z=1.96):
    share = hits / trials
    half = z * np.sqrt(share * (1 - share) / trials)
    return share - half, share + half


def forgets_to_shrink(hits, trials, z=1.96):
    share = hits / trials
    center = share + z**2 / (2 * trials)
    half = z * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    return center - half, center + half


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-unwrapping-inference-1": [
        (lambda: (np.log(6), np.sqrt(7 / 12)), "34 loans"),
        (lambda: (np.log(6), 7 / 48), "This is the variance"),
        (lambda: (4 * np.log(6), np.sqrt(7 / 48)), "The slope"),
        (lambda: np.log(6), "Return two numbers"),
    ],
    "ex-unwrapping-inference-2": [
        (hc0, "This is HC0"),
        (classic, "classic errors"),
        (hc2, "The errors of 1 feature(s)"),
        (without_intercept, "Return 1 error(s), one per feature"),
    ],
    "ex-unwrapping-inference-3": [
        (no_correction, "nothing passes"),
        (bonferroni, "0.02 is second of three"),
        (does_not_stop, "Stop at the first"),
        (sorted_stars, "should be [True, False, True]"),
    ],
    "ex-unwrapping-inference-4": [
        (penalty_strength, "return C"),
        (never_infinite, "should be inf"),
        (forgets_the_intercept, "The C of a ridge with C = 1.0"),
    ],
    "ex-unwrapping-inference-5": [
        (plain_interval, "plain interval"),
        (forgets_to_shrink, "0 hits in 20 trials"),
        (lambda hits, trials, z=1.96: hits / trials, "Return two numbers"),
    ],
}
