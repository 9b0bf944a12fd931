"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np


def splits_the_decisions():
    return 3.5, 0.095, 0


def takes_the_mean():
    return 2.5, 0.01625 / 5, 1


def adds_variances():
    return 2.5, 0.000625 + 0.005, 1


def forgets_the_close_call():
    return 2.5, 0.01625, 0


def one_place_off():
    return 1.5, 0.01625, 1


def _boost(X, z, n_rounds, rate, stump, *, base=None, shorten=True, follow=True, keep=True):
    base = np.mean(z) if base is None else base
    rest, steps = z - base, []
    for _ in range(n_rounds):
        j, place, low, high = stump(X, rest)
        step = (j, place, rate * low, rate * high) if shorten else (j, place, low, high)
        steps.append(step)
        if follow:
            used = step if keep else (j, place, low, high)
            rest = rest - np.where(X[:, j] <= place, used[2], used[3])
    return base, steps


def never_looks_again(X, z, n_rounds, rate, stump):
    return _boost(X, z, n_rounds, rate, stump, follow=False)


def full_steps(X, z, n_rounds, rate, stump):
    return _boost(X, z, n_rounds, rate, stump, shorten=False)


def only_scales_at_the_end(X, z, n_rounds, rate, stump):
    return _boost(X, z, n_rounds, rate, stump, keep=False)


def without_a_base(X, z, n_rounds, rate, stump):
    return _boost(X, z, n_rounds, rate, stump, base=0.0)


def steps_only(X, z, n_rounds, rate, stump):
    return _boost(X, z, n_rounds, rate, stump)[1][:3]


def one_round_only(X, z, n_rounds, rate, stump):
    return _boost(X, z, 1, rate, stump)


def grows_its_own_stumps(X, z, n_rounds, rate, stump):
    return np.mean(z), [(0, 0.0, -rate, rate)] * n_rounds


def _greedy(covers, miss, n_conditions, chosen, w, c, *, pairs=True, ban=True, stop=True):
    count = covers[chosen].sum(axis=0) if chosen else np.zeros(covers.shape[1])
    gain = covers @ np.where(count == 0, 1.0, -count if pairs else 0.0)
    gain = gain - w * miss - c * n_conditions
    if ban:
        gain[chosen] = -np.inf
    best = int(np.argmax(gain))
    return best if not stop or gain[best] > 0 else None


def forgets_the_misses(covers, miss, n_conditions, chosen, w, c):
    return _greedy(covers, 0 * miss, n_conditions, chosen, w, c)


def forgets_the_set(covers, miss, n_conditions, chosen, w, c):
    return _greedy(covers, miss, n_conditions, [], w, c)


def never_stops(covers, miss, n_conditions, chosen, w, c):
    return _greedy(covers, miss, n_conditions, chosen, w, c, stop=False)


def ignores_the_pairs(covers, miss, n_conditions, chosen, w, c):
    return _greedy(covers, miss, n_conditions, chosen, w, c, pairs=False)


def always_the_first(covers, miss, n_conditions, chosen, w, c):
    return 0


def always_none(covers, miss, n_conditions, chosen, w, c):
    return None


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-distilled-proxies-1": [
        (splits_the_decisions, "where the decisions are split"),
        (takes_the_mean, "give their sum"),
        (adds_variances, "two variances"),
        (forgets_the_close_call, "The number of other decisions"),
        (one_place_off, "The place of the split"),
    ],
    "ex-distilled-proxies-2": [
        (never_looks_again, "Every stump sees the same"),
        (full_steps, "not shortened"),
        (only_scales_at_the_end, "what the shortened steps have left"),
        (without_a_base, "the mean of the targets"),
        (steps_only, "two: base, steps"),
        (one_round_only, "one for each round"),
        (grows_its_own_stumps, "never asked"),
    ],
    "ex-distilled-proxies-3": [
        (forgets_the_misses, "wrong rows cost nothing"),
        (forgets_the_set, "chosen"),
        (never_stops, "no rule raises the value"),
        (ignores_the_pairs, "With the chosen rules"),
        (always_the_first, "With the chosen rules"),
        (always_none, "raises the value by"),
    ],
}
