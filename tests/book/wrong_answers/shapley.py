"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from itertools import permutations
from math import comb, factorial
from typing import Any

import numpy as np


def leaves_one_out():
    return 1, 5, -1, 5


def adds_to_nothing():
    return 0, 3, 0, 5


def shares_the_pairs_whole():
    return 1, 5, -1 / 2, 5


def forgets_the_second_sum():
    return 1 / 2, 4, -1 / 2, 4


def _formula(v, weight):
    n = len(v).bit_length() - 1
    return np.array(
        [
            sum(
                weight(n, bin(S).count("1")) * (v[S | 1 << i] - v[S])
                for S in range(2**n)
                if not S >> i & 1
            )
            for i in range(n)
        ]
    )


def _right(n, size):
    return factorial(size) * factorial(n - size - 1) / factorial(n)


def without_all_others(v):
    return _formula(v, lambda n, size: _right(n, size) if size < n - 1 else 0)


def without_the_empty_one(v):
    return _formula(v, lambda n, size: _right(n, size) if size else 0)


def all_alike(v):
    return _formula(v, lambda n, size: 1 / 2 ** (n - 1))


def one_size_too_far(v):
    return _formula(v, lambda n, size: 1 / (n * comb(n, size)))


def first_bit_last(v):
    return _formula(v, _right)[::-1]


def three_players_at_most(v):
    n = min(3, len(v).bit_length() - 1)
    shares = np.zeros(n)
    for order in permutations(range(n)):
        S = 0
        for i in order:
            shares[i] += (v[S | 1 << i] - v[S]) / factorial(n)
            S |= 1 << i
    return shares


def _walk(f, x, row, order):
    points = [row.copy()]
    for i in order:
        points.append(points[-1].copy())
        points[-1][i] = x[i]
    adds = np.empty(len(x))
    adds[order] = np.diff(f(np.array(points)))
    return adds


def _summary(adds, root=True):
    adds = np.array(adds)
    return adds.mean(axis=0), adds.std(axis=0, ddof=1) / (len(adds) ** 0.5 if root else 1)


def spread_of_single_draws(f, x, background, n_orders, rng):
    draws = [
        _walk(f, x, background[rng.integers(len(background))], rng.permutation(len(x)))
        for _ in range(n_orders)
    ]
    return _summary(draws, root=False)


def always_the_same_order(f, x, background, n_orders, rng):
    order = np.arange(len(x))
    draws = [_walk(f, x, background[rng.integers(len(background))], order) for _ in range(n_orders)]
    return _summary(draws)


def always_the_first_row(f, x, background, n_orders, rng):
    return _summary([_walk(f, x, background[0], rng.permutation(len(x))) for _ in range(n_orders)])


def the_mean_row(f, x, background, n_orders, rng):
    row = background.mean(axis=0)
    return _summary([_walk(f, x, row, rng.permutation(len(x))) for _ in range(n_orders)])


def the_wrong_way(f, x, background, n_orders, rng):
    draws = [
        _walk(f, background[rng.integers(len(background))], x, rng.permutation(len(x)))
        for _ in range(n_orders)
    ]
    return _summary(draws)


def shares_only(f, x, background, n_orders, rng):
    return spread_of_single_draws(f, x, background, n_orders, rng)[0]


def no_errors(f, x, background, n_orders, rng):
    shares, errors = spread_of_single_draws(f, x, background, n_orders, rng)
    return shares, 0 * errors


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-shapley-1": [
        (leaves_one_out, "This is leave one out"),
        (adds_to_nothing, "adds to nothing"),
        (shares_the_pairs_whole, "The shares of a, b and c"),
        (forgets_the_second_sum, "The sum of leave one out"),
    ],
    "ex-shapley-2": [
        (without_all_others, "the coalition of all others is missing"),
        (without_the_empty_one, "the empty coalition is missing"),
        (all_alike, "All coalitions have the same weight"),
        (one_size_too_far, "The shares of a game of 3"),
        (first_bit_last, "bit 0 belongs to feature 0"),
        (three_players_at_most, "5 shares for 32 coalitions"),
    ],
    "ex-shapley-3": [
        (spread_of_single_draws, "standard deviations of single draws"),
        (always_the_same_order, "a new order and a new row"),
        (always_the_first_row, "a new order and a new row"),
        (the_mean_row, "a new order and a new row"),
        (the_wrong_way, "begin with the background's row"),
        (shares_only, "two things, the shares and their standard errors"),
        (no_errors, "The standard errors are"),
    ],
}
