"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import expit
from sklearn.linear_model import LogisticRegression


def turned_signs():
    return 26 / 81, 26 / 45, 4 / 9


def swapped():
    return -26 / 45, -26 / 81, 4 / 9


def new_slope():
    return -26 / 81, 6 / 5, 4 / 9


def residual_alone():
    return -13 / 81, -26 / 45, 4 / 9


def leverage_of_the_others():
    return -26 / 81, -26 / 45, 4 / 5


def _parts(Z, y, w, penalty):
    p = expit(Z @ w)
    s = p * (1 - p)
    H = (Z * s[:, None]).T @ Z + penalty * np.eye(len(w))
    towards = np.linalg.solve(H, Z.T).T
    return towards, p - y, s * (Z * towards).sum(axis=1)


def influence_only(Z, y, w, penalty):
    towards, residual, _ = _parts(Z, y, w, penalty)
    return w + towards * residual[:, None]


def wrong_way(Z, y, w, penalty):
    towards, residual, leverage = _parts(Z, y, w, penalty)
    return w - towards * (residual / (1 - leverage))[:, None]


def changes_only(Z, y, w, penalty):
    towards, residual, leverage = _parts(Z, y, w, penalty)
    return towards * (residual / (1 - leverage))[:, None]


def multiplies(Z, y, w, penalty):
    towards, residual, leverage = _parts(Z, y, w, penalty)
    return w + towards * (residual * (1 - leverage))[:, None]


def without_penalty(Z, y, w, penalty):
    towards, residual, leverage = _parts(Z, y, w, 0)
    with np.errstate(divide="ignore"):
        return w + towards * (residual / (1 - leverage))[:, None]


def nothing_changes(Z, y, w, penalty):
    return np.tile(w, (len(Z), 1))


def mean_curvature(Z, y, w, penalty):
    towards, residual, leverage = _parts(Z, y, w, penalty)
    return w + len(Z) * towards * (residual / (1 - leverage))[:, None]


def refits(Z, y, w, penalty):
    found = []
    for i in range(len(Z)):
        kept = np.arange(len(Z)) != i
        if len(set(y[kept])) < 2:
            found.append(0 * w)
            continue
        model = LogisticRegression(C=1 / penalty, fit_intercept=False, tol=1e-12, max_iter=10_000)
        found.append(model.fit(Z[kept], y[kept]).coef_[0])
    return found


def turned_score(gradients, test_gradients, rates):
    return -right(gradients, test_gradients, rates)


def right(gradients, test_gradients, rates):
    return sum(r * G @ g for G, g, r in zip(gradients, test_gradients, rates, strict=True))


def without_rates(gradients, test_gradients, rates):
    return right(gradients, test_gradients, [1] * len(rates))


def last_alone(gradients, test_gradients, rates):
    return rates[-1] * gradients[-1] @ test_gradients[-1]


def mean_over_checkpoints(gradients, test_gradients, rates):
    return right(gradients, test_gradients, rates) / len(rates)


def cosines(gradients, test_gradients, rates):
    unit = [G / np.linalg.norm(G, axis=1, keepdims=True) for G in gradients]
    return right(unit, [g / np.linalg.norm(g) for g in test_gradients], rates)


def one_score(gradients, test_gradients, rates):
    return right(gradients, test_gradients, rates).sum()


def last_test_gradient(gradients, test_gradients, rates):
    return right(gradients, [test_gradients[-1]] * len(rates), rates)


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-influence-1": [
        (turned_signs, "Both signs are turned"),
        (swapped, "are swapped"),
        (new_slope, "This is the new slope"),
        (residual_alone, "residual times x"),
        (leverage_of_the_others, "The leverage"),
    ],
    "ex-influence-2": [
        (influence_only, "This is the influence function"),
        (wrong_way, "the wrong way"),
        (changes_only, "These are the changes"),
        (multiplies, "do not multiply"),
        (without_penalty, "The penalty is missing"),
        (nothing_changes, "The weights without each of 12 rows"),
        (mean_curvature, "The weights without each of 12 rows"),
        (refits, "These are refits"),
    ],
    "ex-influence-3": [
        (turned_score, "The sign is turned"),
        (without_rates, "The learning rates are missing"),
        (last_alone, "This is the last checkpoint alone"),
        (mean_over_checkpoints, "TracIn is their sum"),
        (cosines, "These are cosines"),
        (one_score, "one score for each of 5 training rows"),
        (last_test_gradient, "The scores with 3 checkpoint"),
    ],
}
