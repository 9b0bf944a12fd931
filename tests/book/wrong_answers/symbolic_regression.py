"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np


def without_constants(exponents):
    return 2 * int(np.sum(exponents)) - 1


def leaves_only(exponents):
    return int(np.sum(exponents)) + len(exponents)


def forgets_the_adds(exponents):
    return sum(2 * int(np.sum(row)) + 1 for row in exponents)


def _worth(gram, r, support):
    return r[support] @ np.linalg.solve(gram[np.ix_(support, support)], r[support])


def as_pursuit_does(gram, r, chosen):
    left = r - gram[:, chosen] @ np.linalg.solve(gram[np.ix_(chosen, chosen)], r[chosen])
    free = [k for k in range(len(r)) if k not in chosen]
    return max(free, key=lambda k: abs(left[k]) / gram[k, k] ** 0.5)


def best_alone(gram, r, chosen):
    free = [k for k in range(len(r)) if k not in chosen]
    return max(free, key=lambda k: r[k] ** 2 / gram[k, k])


def largest_product(gram, r, chosen):
    free = [k for k in range(len(r)) if k not in chosen]
    return max(free, key=lambda k: abs(r[k]))


def chosen_again(gram, r, chosen):
    return int(np.argmax(r**2 / np.diag(gram)))


def all_chosen(gram, r, chosen):
    free = [k for k in range(len(r)) if k not in chosen]
    return [*chosen, max(free, key=lambda k: _worth(gram, r, [*chosen, k]))]


def only_after_the_first(gram, r, chosen):
    if not chosen:
        return 0
    free = [k for k in range(len(r)) if k not in chosen]
    return max(free, key=lambda k: _worth(gram, r, [*chosen, k]))


def one_at_a_time(explained, m, support):
    others = set(range(m)) - set(support)
    trials = [[*(k for k in support if k != out), j] for out in support for j in others]
    return max([support, *trials], key=explained)


def any_choice(explained, m, support):
    return max(combinations(range(m), len(support)), key=explained)


def always_two(explained, m, support):
    rest = sorted(set(range(m)) - set(support))
    trials = [
        [*stay, *new]
        for stay in combinations(support, len(support) - 2)
        for new in combinations(rest, 2)
    ]
    return max(trials, key=explained)


def only_the_new(explained, m, support):
    rest = set(range(m)) - set(support)
    return max(combinations(rest, 2), key=explained)


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-symbolic-regression-1": [
        (lambda: (1, 2, 5 / 8, 1), "explains more than x"),
        (lambda: (0, 1, 5 / 6, 5 / 6), "the hump is symmetric"),
        (lambda: (0, 2, 1 / 36, 9 / 320), "Divide what is explained"),
        (lambda: (0, 2, 5 / 6, 5 / 6 + 3 / 8), "does not add up"),
        (lambda: (0, 2, 5 / 6, 1), "does not add up"),
        (lambda: (0, 0, 0, 0), "The power of the second monomial"),
    ],
    "ex-symbolic-regression-2": [
        (without_constants, "one term of degree 3 should be 7, got 5"),
        (leaves_only, "should be 7, got 4"),
        (forgets_the_adds, "a line should be 5, got 4"),
    ],
    "ex-symbolic-regression-3": [
        (as_pursuit_does, "This is pursuit"),
        (best_alone, "Do not judge a monomial alone"),
        (largest_product, "explains most with none of 4 chosen, got 0"),
        (chosen_again, "is chosen already"),
        (all_chosen, "one monomial"),
        (only_after_the_first, "explains most with none"),
    ],
    "ex-symbolic-regression-4": [
        (one_at_a_time, "can be reached"),
        (any_choice, "in more than two monomials"),
        (always_two, "where the support is right already"),
        (only_the_new, "Return 3 different monomials"),
    ],
}
