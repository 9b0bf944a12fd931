"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats

from xai_course.unwrapping.inference import inference_table


def score_of(X, y, intercept, slopes):
    return X.T @ (y - 1 / (1 + np.exp(-(X @ slopes + intercept))))


def strength_of(X, y, intercept, slopes):
    return score_of(X, y, intercept, slopes) @ slopes / (slopes @ slopes)


def penalty_strength(X, y, intercept, slopes):
    strength = strength_of(X, y, intercept, slopes)
    return np.inf if strength < 0.1 else strength


def never_infinite(X, y, intercept, slopes):
    return 1 / max(strength_of(X, y, intercept, slopes), 1e-12)


def infinite_where_exact(X, y, intercept, slopes):
    score = score_of(X, y, intercept, slopes)
    return np.inf if np.abs(score).max() < 1e-6 else slopes @ slopes / (score @ slopes)


def forgets_the_intercept(X, y, intercept, slopes):
    strength = strength_of(X, y, intercept, slopes)
    return np.inf if strength < 0.1 else 1 / strength_of(X, y, 0.0, slopes)


def first_slope_only(X, y, intercept, slopes):
    if strength_of(X, y, intercept, slopes) < 0.1:
        return np.inf
    return slopes[0] / score_of(X, y, intercept, slopes)[0]


def mean_of_ratios(X, y, intercept, slopes):
    if strength_of(X, y, intercept, slopes) < 0.1:
        return np.inf
    return np.mean(slopes / score_of(X, y, intercept, slopes))


def other_way_round(X, y, intercept, slopes):
    if strength_of(X, y, intercept, slopes) < 0.1:
        return np.inf
    score = score_of(X, y, intercept, slopes)
    return score @ slopes / (score @ score)


def always_one(X, y, intercept, slopes):
    return np.inf if strength_of(X, y, intercept, slopes) < 0.1 else 1.0


def p_values(X, y, column="p_value"):
    return inference_table(X, y, [str(j) for j in range(X.shape[1])])[column].to_numpy()[1:]


def halves(y, rng):
    return np.array_split(rng.permutation(len(y)), 2)


def naive(fit, X, y, cluster, rng):
    own = fit(X, y)(X) == cluster
    return p_values(X[own], y[own])


def tests_what_chose(fit, X, y, cluster, rng):
    a, _ = halves(y, rng)
    own = fit(X[a], y[a])(X[a]) == cluster
    return p_values(X[a][own], y[a][own])


def tests_on_everything(fit, X, y, cluster, rng):
    a, _ = halves(y, rng)
    own = fit(X[a], y[a])(X) == cluster
    return p_values(X[own], y[own])


def first_half(fit, X, y, cluster, rng):
    n = len(y) // 2
    own = fit(X[:n], y[:n])(X[n:]) == cluster
    return p_values(X[n:][own], y[n:][own])


def two_networks(fit, X, y, cluster, rng):
    a, b = halves(y, rng)
    own = fit(X[b], y[b])(X[b]) == cluster
    fit(X[a], y[a])
    return p_values(X[b][own], y[b][own])


def mixes_up_the_rows(fit, X, y, cluster, rng):
    a, b = halves(y, rng)
    own = fit(X[a], y[b[: len(a)]])(X[b]) == cluster
    return p_values(X[b][own], y[b][own])


def forgets_the_cluster(fit, X, y, cluster, rng):
    a, b = halves(y, rng)
    fit(X[a], y[a])
    return p_values(X[b], y[b])


def normal_instead_of_t(fit, X, y, cluster, rng):
    a, b = halves(y, rng)
    own = fit(X[a], y[a])(X[b]) == cluster
    return 2 * stats.norm.sf(np.abs(p_values(X[b][own], y[b][own], "statistic")))


def with_the_intercept(fit, X, y, cluster, rng):
    a, b = halves(y, rng)
    own = fit(X[a], y[a])(X[b]) == cluster
    names = [str(j) for j in range(X.shape[1])]
    return inference_table(X[b][own], y[b][own], names)["p_value"]


def a_few_fresh_rows(fit, X, y, cluster, rng):
    order = rng.permutation(len(y))
    a, b = order[:-20], order[-20:]
    own = fit(X[a], y[a])(X[b]) == cluster
    return p_values(X[b][own], y[b][own])


def half_of_the_fresh_rows(fit, X, y, cluster, rng):
    a, b = halves(y, rng)
    b = b[:-2]
    own = fit(X[a], y[a])(X[b]) == cluster
    return p_values(X[b][own], y[b][own])


def all_significant(fit, X, y, cluster, rng):
    return np.zeros(X.shape[1])


SE = np.sqrt(5 / 72)

WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-unwrapping-inference-1": [
        (lambda: (4, 5, 4 / 5), "This is the slope's variance"),
        (lambda: (4, np.sqrt(2.5), 4 / np.sqrt(2.5)), "divided by n - d - 1"),
        (lambda: (4, np.sqrt(10 / 3), 4 / np.sqrt(10 / 3)), "The standard error"),
        (lambda: (4, np.sqrt(5), 0.216), "t: "),
        (lambda: (5, np.sqrt(5), np.sqrt(5)), "The slope"),
        (lambda: (4, np.sqrt(5)), "Return three numbers"),
    ],
    "ex-unwrapping-inference-2": [
        (penalty_strength, "return C"),
        (never_infinite, "12 decimals should be inf"),
        (infinite_where_exact, "2 decimals should be inf"),
        (forgets_the_intercept, "The C of a ridge with C = 1.0"),
        (first_slope_only, "one slope alone"),
        (mean_of_ratios, "The C of a ridge with C = 1.0"),
        (other_way_round, "fit the scores by lambda beta"),
        (always_one, "The C of a ridge with C = 1.0"),
        (lambda X, y, intercept, slopes: np.inf, "The C of a ridge with C = 1.0"),
    ],
    "ex-unwrapping-inference-3": [
        (naive, "`fit` saw all rows"),
        (tests_what_chose, "rows that chose the cluster"),
        (tests_on_everything, "also those that chose it"),
        (first_half, "draw the halves at random"),
        (two_networks, "called 2 times"),
        (mixes_up_the_rows, "do not belong together"),
        (forgets_the_cluster, "fresh rows of all clusters"),
        (normal_instead_of_t, "a regression has t"),
        (with_the_intercept, "one for each slope"),
        (a_few_fresh_rows, "should choose"),
        (half_of_the_fresh_rows, "The p-values on the fresh rows"),
        (all_significant, "called 0 times"),
    ],
    "ex-unwrapping-inference-4": [
        (lambda: (0, 0, np.log(2.25), 5 / 72, np.log(2.25) / SE), "This is the variance"),
        (lambda: (0, 0, 2.25, SE, 2.25 / SE), "the slope is its logarithm"),
        (lambda: (0, 0, 0, SE, 0), "The region's slope"),
        (lambda: (np.log(2), np.log(0.5), np.log(2.25), SE, 3.08), "The slope in risky"),
        (lambda: (0, 0, np.log(2.25), SE, 0.0021), "The region's z"),
        (lambda: (np.log(2.25), SE, 3.08), "Return five numbers"),
    ],
}
