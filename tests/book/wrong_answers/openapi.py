"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np


def natural_logarithms():
    return np.log(2), -2 * np.log(2), 1 / 3, False


def slopes_of_p():
    return 1 / 6, -3 / 10, 11 / 30, False


def odds_for_p():
    return 1, -2, 1 / 2, True


def forgives_the_miss():
    return 1, -2, 1 / 3, True


def forgets_class_0(coef, value, i, j):
    return coef[i - 1] - coef[j - 1], value[i - 1] - value[j - 1]


def wrong_way_round(coef, value, i, j):
    coef, value = np.vstack([0 * coef[:1], coef]), np.append(0.0, value)
    return coef[j] - coef[i], value[j] - value[i]


def coefficients_only(coef, value, i, j):
    coef = np.vstack([0 * coef[:1], coef])
    return coef[i] - coef[j]


def forgets_the_step(ask, x, h, u):
    y = ask(x + h * np.vstack([0 * u, np.eye(len(x)), u]))
    coef = y[1:-1] - y[0]
    return coef, y[0], abs(y[0] + coef @ u - y[-1])


def tests_on_its_own_answers(ask, x, h, u):
    y = ask(x + h * np.vstack([0 * u, np.eye(len(x)), u]))
    coef = (y[1:-1] - y[0]) / h
    return coef, y[0], abs(y[0] + h * coef[0] - y[1])


def central_differences(ask, x, h, u):
    steps = h * np.eye(len(x))
    coef = (ask(x + steps) - ask(x - steps)) / (2 * h)
    y = ask(np.array([x, x + h * u]))
    return coef, y[0], abs(y[0] + h * coef @ u - y[1])


def shares_of_all(errors, misses, tolerance):
    wrong, suspect = errors > tolerance, misses > tolerance
    return wrong.mean(), (wrong & suspect).mean(), (~wrong & suspect).mean()


def ignores_the_tolerance(errors, misses, tolerance):
    wrong, suspect = errors != 0, misses != 0
    return wrong.mean(), suspect[wrong].mean(), suspect[~wrong].mean()


def no_wrong_model_is_nan(errors, misses, tolerance):
    wrong, suspect = errors > tolerance, misses > tolerance
    return wrong.mean(), np.divide((wrong & suspect).sum(), wrong.sum()), suspect[~wrong].mean()


def one_question_per_region(shares):
    return float(len(shares))


def waits_for_the_smallest(shares):
    return 1 / min(shares)


def as_if_all_were_equal(shares):
    return len(shares) * sum(1 / k for k in range(1, len(shares) + 1))


def signed_half_widths(steps, p, delta):
    low, high = (np.log(q / (1 - q)) for q in (p - delta, p + delta))
    system = np.column_stack([np.ones(len(p)), steps])
    return np.linalg.solve(system, low)[1:], np.linalg.solve(system, high)[1:]


def sorted_ends(steps, p, delta):
    return tuple(np.sort(signed_half_widths(steps, p, delta), axis=0))


def bounds_in_probability(steps, p, delta):
    inverse = np.linalg.inv(np.column_stack([np.ones(len(p)), steps]))[1:]
    middle, half = inverse @ np.log(p / (1 - p)), delta * np.abs(inverse).sum(axis=1)
    return middle - half, middle + half


def twice_too_wide(steps, p, delta):
    low, high = (np.log(q / (1 - q)) for q in (p - delta, p + delta))
    inverse = np.linalg.inv(np.column_stack([np.ones(len(p)), steps]))[1:]
    middle, half = inverse @ (low + high) / 2, np.abs(inverse) @ (high - low)
    return middle - half, middle + half


def fine_grid(ask, low, high, rng):
    t = np.linspace(low, high, 200_001)
    bend = np.abs(np.diff(ask(t), 2)) > 1e-9
    t = t[1:-1][bend]
    return t[np.append(True, np.diff(t) > 1e-4)] if len(t) else t


def coarse_grid(ask, low, high, rng):
    t = np.linspace(low, high, 150)
    return t[1:-1][np.abs(np.diff(ask(t), 2)) > 1e-9]


def _line(ask, t, step):
    while True:
        y = ask(t + step * np.array([0.0, 0.5, 1.0]))
        if abs(y[0] - 2 * y[1] + y[2]) < 1e-11:
            slope = (y[2] - y[0]) / step
            return slope, y[0] - slope * t
        step /= 2


def trusts_the_ends(ask, low, high, rng):
    (s, c), (s_end, c_end) = _line(ask, low, 0.1), _line(ask, high, -0.1)
    return [] if abs(s - s_end) < 1e-6 else [(c_end - c) / (s - s_end)]


def never_asks_at_the_meeting_point(ask, low, high, rng):
    width = (high - low) / 4
    (s, c), (s_end, c_end) = _line(ask, low, width), _line(ask, high, -width)
    one = abs(s - s_end) < 1e-6
    meet = high if one else (c_end - c) / (s - s_end)
    t = rng.uniform(low, high, 6)
    line = np.where(t < meet, s * t + c, s_end * t + c_end)
    if low <= meet <= high and np.allclose(ask(t), line, atol=1e-8, rtol=0):
        return [] if one else [meet]
    cut = low + rng.uniform(0.4, 0.6) * (high - low)
    left = never_asks_at_the_meeting_point(ask, low, cut, rng)
    return left + never_asks_at_the_meeting_point(ask, cut, high, rng)


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-openapi-1": [
        (natural_logarithms, "base 2"),
        (slopes_of_p, "slopes of p"),
        (odds_for_p, "predicted probability at (1, 1)"),
        (forgives_the_miss, "Whether all lie in one region should be False"),
    ],
    "ex-openapi-2": [
        (forgets_class_0, "of class 2 against class 0"),
        (wrong_way_round, "the signs"),
        (coefficients_only, "Return two things"),
    ],
    "ex-openapi-3": [
        (forgets_the_step, "The coefficients: 5 of 5"),
        (tests_on_its_own_answers, "your miss is zero"),
        (central_differences, "should be 7, got 12"),
    ],
    "ex-openapi-4": [
        (shares_of_all, "Caught is a share of the wrong models"),
        (ignores_the_tolerance, "The shares of eight customers"),
        (no_wrong_model_is_nan, "where no model is wrong"),
    ],
    "ex-openapi-5": [
        (one_question_per_region, "the second hit may repeat the first"),
        (waits_for_the_smallest, "may repeat the first"),
        (as_if_all_were_equal, "four unequal shares"),
    ],
    "ex-openapi-6": [
        (signed_half_widths, "lie outside your bounds"),
        (sorted_ends, "lie outside your bounds"),
        (bounds_in_probability, "lie outside your bounds"),
        (twice_too_wide, "The low ends"),
    ],
    "ex-openapi-7": [
        (fine_grid, "the budget is"),
        (coarse_grid, "kinks found"),
        (trusts_the_ends, "a hat, whose ends are on one line"),
        (never_asks_at_the_meeting_point, "two kinks close together"),
    ],
}
