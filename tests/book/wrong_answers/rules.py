"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import linprog


def all_that_suffice():
    return 3, 31, 5, 2


def every_set_tried():
    return 2, 32, 5, 2


def rounded_down():
    return 2, 31, 4, 3


def forgets_one_input():
    return 2, 31, 5, 1


def stops_at_three():
    return 2, 26, 5, 2


def _grouped(values, width, mark, choose):
    groups = []
    for value in values:
        gaps = [abs(value - mark(group)) for group in groups]
        near = [k for k, gap in enumerate(gaps) if gap <= width]
        if near:
            groups[choose(near, gaps)].append(value)
        else:
            groups.append([value])
    return groups


def _nearest(near, gaps):
    return min(near, key=lambda k: gaps[k])


def _means(groups):
    return sorted(sum(group) / len(group) for group in groups)


def with_running_averages(values, width):
    return _means(_grouped(values, width, np.mean, _nearest))


def joins_the_oldest(values, width):
    return _means(_grouped(values, width, lambda g: g[0], lambda near, gaps: near[0]))


def sorts_first(values, width):
    return _means(_grouped(np.sort(values), width, lambda g: g[0], _nearest))


def first_values(values, width):
    return sorted(group[0] for group in _grouped(values, width, lambda g: g[0], _nearest))


def one_cluster(values, width):
    return [np.mean(values)]


def decreasing(values, width):
    return _means(_grouped(values, width, lambda g: g[0], _nearest))[::-1]


def border_excluded(values, width):
    return _means(_grouped(values, width - 1e-9, lambda g: g[0], _nearest))


def _programs(c, low, high, W, b, z_low, z_high, bounds=True, offset=True):
    A = np.concatenate([W, -W])
    shift = b if offset else 0 * b
    table = {"A_ub": A, "b_ub": np.concatenate([z_high - shift, shift - z_low])}
    if bounds:
        table["bounds"] = np.column_stack([low, high])
    return [linprog(sign * c, **table) for sign in (1, -1)]


def the_box_alone(c, low, high, W, b, z_low, z_high):
    return c @ np.where(c > 0, low, high), c @ np.where(c > 0, high, low)


def without_bounds(*layer):
    down, up = _programs(*layer, bounds=False)
    return None if down.status else (down.fun, -up.fun if up.status == 0 else 1e9)


def without_offset(*layer):
    down, up = _programs(*layer, offset=False)
    return None if down.status == 2 else (down.fun, -up.fun)


def sign_not_turned(*layer):
    down, up = _programs(*layer)
    return None if down.status == 2 else (down.fun, up.fun)


def largest_first(*layer):
    down, up = _programs(*layer)
    return None if down.status == 2 else (-up.fun, down.fun)


def zero_for_none(*layer):
    down, up = _programs(*layer)
    return (0.0, 0.0) if down.status == 2 else (down.fun, -up.fun)


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-rules-1": [
        (all_that_suffice, "A set that contains a rule is none"),
        (every_set_tried, "The full set is not tried"),
        (rounded_down, "How many of the five must hold"),
        (forgets_one_input, "The inputs that differ"),
        (stops_at_three, "Rules themselves are tried"),
    ],
    "ex-rules-2": [
        (with_running_averages, "not to its running average"),
        (joins_the_oldest, "not the first one that is near enough"),
        (sorts_first, "in the order given"),
        (first_values, "not their first values"),
        (one_cluster, "2 averages"),
        (decreasing, "increasing order"),
        (border_excluded, "averages"),
    ],
    "ex-rules-3": [
        (the_box_alone, "W @ a + b is limited, too"),
        (without_bounds, "Are the bounds of a given"),
        (without_offset, "belongs to the other side"),
        (sign_not_turned, "turned back"),
        (largest_first, "The least value comes first"),
        (zero_for_none, "Return None"),
    ],
}
