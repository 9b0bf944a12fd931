"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.linear_model import Ridge


def without_weights(Z, y, s, penalty):
    middle, level = Z.mean(axis=0), y.mean()
    left = (Z - middle).T @ (Z - middle) + penalty * np.eye(Z.shape[1])
    w = np.linalg.solve(left, (Z - middle).T @ (y - level))
    return w, level - middle @ w


def plain_means(Z, y, s, penalty):
    middle, level = Z.mean(axis=0), y.mean()
    Zc = Z - middle
    left = Zc.T @ (s[:, None] * Zc) + penalty * np.eye(Z.shape[1])
    w = np.linalg.solve(left, Zc.T @ (s * (y - level)))
    return w, level - middle @ w


def intercept_penalised(Z, y, s, penalty):
    A = np.column_stack([Z, np.ones(len(Z))])
    w = np.linalg.solve(A.T @ (s[:, None] * A) + penalty * np.eye(A.shape[1]), A.T @ (s * y))
    return w[:-1], w[-1]


def calls_the_library(Z, y, s, penalty):
    fit = Ridge(alpha=penalty).fit(Z, y, sample_weight=s)
    return fit.coef_, fit.intercept_


def coefficients_only(Z, y, s, penalty):
    return intercept_penalised(Z, y, s, penalty)[0]


def not_divided(W, b, x):
    return np.abs(W @ x + b).min()


def forgets_the_bias(W, b, x):
    return np.min(np.abs(W @ x) / np.linalg.norm(W, axis=1))


def divides_by_zero(W, b, x):
    with np.errstate(all="ignore"):
        lengths = np.linalg.norm(W, axis=1)
        return np.min(np.where(lengths > 0, np.abs(W @ x + b) / lengths, np.abs(b)))


def largest_distance(W, b, x):
    return np.max(np.abs(W @ x + b) / np.linalg.norm(W, axis=1))


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-clime-1": [
        (lambda: ([-2, 2], [2], [0], 4), "DB12 should not hold 2"),
        (lambda: ([-2], [2], [0, 2], 4), "DB23 should not hold 2"),
        (lambda: ([-2], [2], [0], 3), "one class wins in two parts"),
        (lambda: ([-2], [], [0], 4), "The places in DB13"),
        (lambda: ([-2], [2], [0]), "four things"),
    ],
    "ex-clime-2": [
        (not_divided, "Divide by its length"),
        (forgets_the_bias, "The distance"),
        (largest_distance, "The distance"),
        (divides_by_zero, "beside a neuron with zero weights"),
        (lambda W, b, x: 1.0, "The distance"),
    ],
    "ex-clime-3": [
        (without_weights, "The coefficients with weights"),
        (plain_means, "The coefficients with weights"),
        (intercept_penalised, "The coefficients with a penalty"),
        (coefficients_only, "Return two things"),
        (calls_the_library, "without scikit-learn"),
    ],
}
