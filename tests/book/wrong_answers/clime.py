"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import log_softmax, softmax
from sklearn.linear_model import Ridge


def _parts(student, teacher, labels, T):
    log_p, log_q = log_softmax(teacher / T, axis=1), log_softmax(student / T, axis=1)
    taught = np.sum(np.exp(log_p) * (log_p - log_q), axis=1).mean()
    told = -log_softmax(student, axis=1)[np.arange(len(labels)), labels].mean()
    return told, taught


def no_square(student, teacher, labels, alpha, T):
    told, taught = _parts(student, teacher, labels, T)
    return alpha * told + (1 - alpha) * taught


def alpha_on_the_teacher(student, teacher, labels, alpha, T):
    told, taught = _parts(student, teacher, labels, T)
    return (1 - alpha) * told + alpha * T**2 * taught


def divergence_reversed(student, teacher, labels, alpha, T):
    told, _ = _parts(student, teacher, labels, T)
    _, taught = _parts(teacher, student, labels, T)
    return alpha * told + (1 - alpha) * T**2 * taught


def overflows(student, teacher, labels, alpha, T):
    p = np.exp(teacher / T) / np.exp(teacher / T).sum(axis=1, keepdims=True)
    q = np.exp(student / T) / np.exp(student / T).sum(axis=1, keepdims=True)
    told = -np.log(softmax(student, axis=1))[np.arange(len(labels)), labels].mean()
    return alpha * told + (1 - alpha) * T**2 * np.sum(p * np.log(p / q), axis=1).mean()


def negative_least(a, b):
    return a + b - 1, 1 - abs(a - b)


def both_right(a, b):
    return max(0.0, a + b - 1), min(a, b)


def independent(a, b):
    return a * b, 1 - abs(a - b)


def without_weights(Z, y, s, penalty):
    fit = Ridge(alpha=penalty).fit(Z, y)
    return fit.coef_, fit.intercept_


def intercept_penalised(Z, y, s, penalty):
    A = np.column_stack([Z, np.ones(len(Z))])
    w = np.linalg.solve(A.T @ (s[:, None] * A) + penalty * np.eye(A.shape[1]), A.T @ (s * y))
    return w[:-1], w[-1]


def coefficients_only(Z, y, s, penalty):
    return Ridge(alpha=penalty).fit(Z, y, sample_weight=s).coef_


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
        (lambda: 2 * np.log(2), "multiplied by log 2"),
        (lambda: 2 / np.log(0.5), "A temperature is positive"),
        (lambda: 2.0, "expected 2.88539"),
    ],
    "ex-clime-2": [
        (no_square, "too small by T squared"),
        (alpha_on_the_teacher, "The loss with the label only"),
        (divergence_reversed, "The loss with the teacher only, at T = 1"),
        (overflows, "Use log_softmax"),
    ],
    "ex-clime-3": [
        (negative_least, "the least is negative"),
        (both_right, "they agree there, too"),
        (independent, "The bounds for accuracies 0.8916 and 0.898"),
    ],
    "ex-clime-4": [
        (without_weights, "The coefficients with weights"),
        (intercept_penalised, "The coefficients with a penalty"),
        (coefficients_only, "Return two things"),
    ],
    "ex-clime-5": [
        (not_divided, "Divide by its length"),
        (forgets_the_bias, "The distance"),
        (largest_distance, "The distance"),
        (divides_by_zero, "beside a neuron with zero weights"),
    ],
}
