"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from scipy.optimize import linprog


def follows_the_gradient():
    return (-0.5, 3), (-0.5, 3), 1


def ignores_the_price():
    return (1, 1), (1, 1), 1


def neuron_always_on():
    return (1, 1), (-0.5, 3), 2 / 3


def sum_for_the_largest():
    return (1, 1), (-0.5, 3), 1.5


def _rounds(x, minimise, objective, enough, limit=1e6, price=0.1, factor=2.0):
    found = np.array(x)
    for _ in range(200):
        if price > limit:
            return None
        found = minimise(partial(objective, price=price), found)
        if enough(found):
            return found
        price *= factor
    return found


def one_price(score, x, wanted, units, epsilon, minimise):
    return minimise(lambda z: 0.1 * (score(z) - wanted) ** 2 + sum(abs(z - x) / units), x)


def high_price_at_once(score, x, wanted, units, epsilon, minimise):
    return minimise(lambda z: 1e6 * (score(z) - wanted) ** 2 + sum(abs(z - x) / units), x)


def without_units(score, x, wanted, units, epsilon, minimise):
    return _rounds(
        x,
        minimise,
        lambda z, price: price * (score(z) - wanted) ** 2 + sum(abs(z - x)),
        lambda z: abs(score(z) - wanted) <= epsilon,
    )


def squared_changes(score, x, wanted, units, epsilon, minimise):
    return _rounds(
        x,
        minimise,
        lambda z, price: price * (score(z) - wanted) ** 2 + sum(((z - x) / units) ** 2),
        lambda z: abs(score(z) - wanted) <= epsilon,
    )


def never_gives_up(score, x, wanted, units, epsilon, minimise):
    return _rounds(
        x,
        minimise,
        lambda z, price: price * (score(z) - wanted) ** 2 + sum(abs(z - x) / units),
        lambda z: abs(score(z) - wanted) <= epsilon,
        limit=np.inf,
        factor=1.0001,
    )


def best_so_far(score, x, wanted, units, epsilon, minimise):
    found = without_units(score, x, wanted, np.ones(2), epsilon, minimise)
    return np.array(x) if found is None else found


def constant(score, x, wanted, units, epsilon, minimise):
    return np.array([1.0, 0.5])


def _program(A, b, w, c, x, units, bounds=(None, None), cost=None):
    n = len(x)
    eye, none = np.eye(n), np.zeros_like(A)
    rows = np.vstack(
        [np.c_[A, none], np.r_[w, np.zeros(n)][None], np.c_[eye, -eye], np.c_[-eye, -eye]]
    )
    limits = np.r_[b, -c, x, -x]
    cost = 1 / units if cost is None else cost
    solved = linprog(np.r_[np.zeros(n), cost], rows, limits, bounds=bounds)
    return solved.x[:n] if solved.status == 0 else None


def positive_only(A, b, w, c, x, units):
    return _program(A, b, w, c, x, units, bounds=(0, None))


def all_units_one(A, b, w, c, x, units):
    return _program(A, b, w, c, x, units, cost=np.ones(len(x)))


def units_the_wrong_way(A, b, w, c, x, units):
    return _program(A, b, w, c, x, units, cost=units)


def forgets_the_region(A, b, w, c, x, units):
    return _program(A[:0], b[:0], w, c, x, units)


def forgets_the_decision(A, b, w, c, x, units):
    return _program(A, b, 0 * w, 0.0, x, units)


def foot_of_the_perpendicular(A, b, w, c, x, units):
    return x - w * (w @ x + c) / (w @ w)


def always_an_answer(A, b, w, c, x, units):
    found = _program(A, b, w, c, x, units)
    return x if found is None else found


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-counterfactuals-1": [
        (follows_the_gradient, "try to change the other feature"),
        (ignores_the_price, "does not use the half price"),
        (neuron_always_on, "on from the start"),
        (sum_for_the_largest, "The L∞ distance"),
    ],
    "ex-counterfactuals-2": [
        (one_price, "raise the price until"),
        (high_price_at_once, "The counterfactual"),
        (without_units, "divided by the units"),
        (squared_changes, "The counterfactual"),
        (never_gives_up, "The search does not end"),
        (best_so_far, "divided by the units"),
        (constant, "The counterfactual"),
    ],
    "ex-counterfactuals-3": [
        (positive_only, "would do"),
        (all_units_one, "each divided by its unit"),
        (units_the_wrong_way, "each divided by its unit"),
        (forgets_the_region, "outside of the region"),
        (forgets_the_decision, "not granted"),
        (foot_of_the_perpendicular, "would do"),
        (always_an_answer, "return None"),
    ],
}
