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


def highest_first(program):
    if isinstance(program, tuple):
        name, *arguments = program
        left, right = map(highest_first, arguments)
        return getattr(np, f"poly{name}")(left, right)
    return np.array([1.0, 0.0] if program == "x" else [float(program)])


def in_the_wrong_order(program):
    if isinstance(program, tuple):
        name, left, right = program
        left, right = in_the_wrong_order(right), in_the_wrong_order(left)
        return getattr(np.polynomial.polynomial, f"poly{name}")(left, right)
    return np.array([0.0, 1.0] if program == "x" else [float(program)])


def term_by_term(program):
    if isinstance(program, tuple):
        name, *arguments = program
        left, right = map(term_by_term, arguments)
        size = max(len(left), len(right))
        left, right = (np.pad(part, (0, size - len(part))) for part in (left, right))
        operations = {"add": np.add, "sub": np.subtract, "mul": np.multiply}
        return operations[name](left, right)
    return np.array([0.0, 1.0] if program == "x" else [float(program)])


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


def from_the_mean(network, formula, rows):
    truth = network(rows)
    return np.abs(truth - formula(rows)).mean() / np.abs(truth - truth.mean()).mean()


def absolute(network, formula, rows):
    return np.abs(network(rows) - formula(rows)).mean()


def share_explained(network, formula, rows):
    truth = network(rows)
    error = np.abs(truth - formula(rows)).mean()
    return 1 - error / np.abs(truth - np.median(truth)).mean()


def squared(network, formula, rows):
    truth = network(rows)
    return np.mean((truth - formula(rows)) ** 2) / truth.var()


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-symbolic-regression-1": [
        (lambda: 1 / 16, "mean product alone"),
        (lambda: np.sqrt(15) / 4, "Here there are two"),
        (lambda: (1 / 16) / (1 / 9 * 1 / 25), "Divide by the roots"),
        (lambda: 1.0, "The cosine"),
    ],
    "ex-symbolic-regression-2": [
        (without_constants, "one term of degree 3 should be 7, got 5"),
        (leaves_only, "should be 7, got 4"),
        (forgets_the_adds, "a line should be 5, got 4"),
    ],
    "ex-symbolic-regression-3": [
        (highest_first, "must begin with the constant"),
        (in_the_wrong_order, "2 - x"),
        (term_by_term, "3 x^2"),
    ],
    "ex-symbolic-regression-4": [
        (one_at_a_time, "can be reached"),
        (any_choice, "in more than two monomials"),
        (always_two, "where the support is right already"),
        (only_the_new, "Return 3 different monomials"),
    ],
    "ex-symbolic-regression-5": [
        (from_the_mean, "The mean is the best constant for squared errors"),
        (absolute, "Divide by the error of the best constant"),
        (share_explained, "The error of the network itself"),
        (squared, "1 too high"),
    ],
}
