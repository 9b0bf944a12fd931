"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np

COUNT = 784 * 256 + 256 * 64 + 64 * 10


def lets_the_neuron_pass():
    return 1.5, 0, -5.5, COUNT


def takes_the_other_branch():
    return 1.5, 1, -2.5, COUNT


def counts_neurons():
    return 1.5, 0, -2.5, 256 + 64 + 10


def multiplies_the_layers():
    return 1.5, 0, -2.5, 784 * 256 * 64 * 10


def forgets_the_constant():
    return 1.5, 0, -3.0, COUNT


def natural_logarithm(error, tenfold):
    growths = np.log(0.1 / error)
    return tenfold * growths, growths


def until_one(error, tenfold):
    return -tenfold * np.log10(error), -np.log10(error)


def half_the_error(error, tenfold):
    return tenfold * np.log10(0.1 / error), np.log10(2)


def steps_as_digits(error, tenfold):
    steps = tenfold * np.log10(0.1 / error)
    return steps, steps


def only_the_first_clock(error, tenfold):
    return 8.0, 2.0


def _fit(table, answers):
    return np.linalg.lstsq(table, answers, rcond=None)[0]


def value_at_zero(ask, x, radius, n, rng):
    rows = x + rng.uniform(-radius, radius, (n, len(x)))
    fit = _fit(np.column_stack([np.ones(n), rows]), ask(rows))
    return fit[0], fit[1:]


def without_intercept(ask, x, radius, n, rng):
    shifts = rng.uniform(-radius, radius, (n, len(x)))
    return 0.0, _fit(shifts, ask(x + shifts))


def around_zero(ask, x, radius, n, rng):
    shifts = rng.uniform(-radius, radius, (n, len(x)))
    fit = _fit(np.column_stack([np.ones(n), shifts]), ask(shifts))
    return fit[0] + fit[1:] @ x, fit[1:]


def one_by_one(ask, x, radius, n, rng):
    shifts = rng.uniform(-radius, radius, (n, len(x)))
    answers = np.array([ask((x + shift)[None])[0] for shift in shifts])
    fit = _fit(np.column_stack([np.ones(n), shifts]), answers)
    return fit[0], fit[1:]


def a_hundred_times_as_many(ask, x, radius, n, rng):
    shifts = rng.uniform(-radius, radius, (100 * n, len(x)))
    fit = _fit(np.column_stack([np.ones(100 * n), shifts]), ask(x + shifts))
    return fit[0], fit[1:]


def to_one_side_only(ask, x, radius, n, rng):
    shifts = rng.uniform(0, radius, (n, len(x)))
    fit = _fit(np.column_stack([np.ones(n), shifts]), ask(x + shifts))
    return fit[0], fit[1:]


def very_near_only(ask, x, radius, n, rng):
    shifts = rng.uniform(-radius, radius, (n, len(x))) / 1000
    fit = _fit(np.column_stack([np.ones(n), shifts]), ask(x + shifts))
    return fit[0], fit[1:]


def slopes_only(ask, x, radius, n, rng):
    return value_at_zero(ask, x, radius, n, rng)[1]


def always_the_same(ask, x, radius, n, rng):
    ask(x + rng.uniform(-radius, radius, (n, len(x))))
    return 0.0, np.zeros(len(x))


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-what-is-interpretability-1": [
        (lets_the_neuron_pass, "a neuron with a negative input"),
        (takes_the_other_branch, "The tree's answer"),
        (counts_neurons, "This counts neurons"),
        (multiplies_the_layers, "one after the other"),
        (forgets_the_constant, "also adds 0.5"),
    ],
    "ex-what-is-interpretability-2": [
        (natural_logarithm, "the base 10"),
        (until_one, "Stop at 0.1"),
        (half_the_error, "half the size"),
        (steps_as_digits, "these are steps"),
        (only_the_first_clock, "an error of 0.0001"),
    ],
    "ex-what-is-interpretability-3": [
        (value_at_zero, "what the fit says at zero"),
        (without_intercept, "The slopes of a linear function"),
        (around_zero, "drawn around x"),
        (one_by_one, "in one call"),
        (a_hundred_times_as_many, "Ask about 5 rows"),
        (to_one_side_only, "on all sides of x"),
        (very_near_only, "not what was answered there"),
        (slopes_only, "two things, the fitted value at x and the slopes"),
        (always_the_same, "The slopes of a linear function"),
    ],
}
