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


def _questions(x, edge, rng, half=0.5):
    d = len(x)
    steps = np.vstack([np.zeros(d), rng.uniform(-half, half, (d + 1, d))])
    return steps, np.column_stack([np.ones(d + 2), steps])


def _ratios(P):
    return np.log(P[:, 1:] / P[:, :1])


def forgets_the_edge(ask, x, edge, rng):
    steps, system = _questions(x, edge, rng)
    y = _ratios(ask(x + edge * steps))
    solution = np.linalg.solve(system[:-1], y[:-1])
    return solution[1:].T, solution[0], np.abs(system[-1] @ solution - y[-1]).max()


def tests_on_a_used_equation(ask, x, edge, rng):
    steps, system = _questions(x, edge, rng)
    y = _ratios(ask(x + edge * steps))
    solution = np.linalg.solve(system[:-1], y[:-1])
    return solution[1:].T / edge, solution[0], np.abs(system[0] @ solution - y[0]).max()


def tests_one_class_only(ask, x, edge, rng):
    steps, system = _questions(x, edge, rng)
    y = _ratios(ask(x + edge * steps))
    solution = np.linalg.solve(system[:-1], y[:-1])
    return solution[1:].T / edge, solution[0], abs(system[-1] @ solution - y[-1])[0]


def twice_the_cube(ask, x, edge, rng):
    steps, system = _questions(x, edge, rng, half=1.0)
    y = _ratios(ask(x + edge * steps))
    solution = np.linalg.solve(system[:-1], y[:-1])
    return solution[1:].T / edge, solution[0], np.abs(system[-1] @ solution - y[-1]).max()


def probabilities_are_not_linear(ask, x, edge, rng):
    steps, system = _questions(x, edge, rng)
    y = ask(x + edge * steps)[:, 1:]
    solution = np.linalg.solve(system[:-1], y[:-1])
    return solution[1:].T / edge, solution[0], np.abs(system[-1] @ solution - y[-1]).max()


def along_the_axes(ask, x, edge, rng):
    steps = np.vstack([0 * x, np.eye(len(x)) / 2, rng.uniform(-0.5, 0.5, len(x))])
    y = _ratios(ask(x + edge * steps))
    coef = 2 * (y[1:-1] - y[0]).T / edge
    return coef, y[0], np.abs(y[0] + edge * coef @ steps[-1] - y[-1]).max()


def central_differences(ask, x, edge, rng):
    shift = edge / 2 * np.eye(len(x))
    coef = ((_ratios(ask(x + shift)) - _ratios(ask(x - shift))) / edge).T
    return coef, _ratios(ask(x[None]))[0], 0.0


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


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-openapi-1": [
        (natural_logarithms, "base 2"),
        (slopes_of_p, "slopes of p"),
        (odds_for_p, "These are the odds"),
        (forgives_the_miss, "Whether all lie in one region"),
    ],
    "ex-openapi-2": [
        (forgets_the_edge, "divide by the edge"),
        (tests_on_a_used_equation, "your miss is zero"),
        (tests_one_class_only, "for all classes"),
        (twice_the_cube, "no question may be"),
        (probabilities_are_not_linear, "The coefficients for 3 feature(s)"),
        (along_the_axes, "at random from the whole cube"),
        (central_differences, "The number of questions"),
    ],
    "ex-openapi-3": [
        (fine_grid, "the budget is"),
        (coarse_grid, "kinks found"),
        (trusts_the_ends, "a hat, whose ends are on one line"),
        (never_asks_at_the_meeting_point, "two kinks close together"),
    ],
    "ex-openapi-4": [
        (signed_half_widths, "lie outside your bounds"),
        (sorted_ends, "lie outside your bounds"),
        (bounds_in_probability, "lie outside your bounds"),
        (twice_too_wide, "The low ends"),
    ],
}
