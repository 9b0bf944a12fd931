"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np


def regions(labels, y, keep):
    numbers, counts = np.unique(labels, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return [int(numbers[i]) for i in order if keep(counts[i], y[labels == numbers[i]])]


def ignores_the_classes(labels, y, minimum):
    return regions(labels, y, lambda count, own: count >= minimum)


def more_than_the_minimum(labels, y, minimum):
    return regions(labels, y, lambda count, own: count > minimum and 0 < own.mean() < 1)


def in_order_of_number(labels, y, minimum):
    return sorted(regions(labels, y, lambda count, own: count >= minimum and 0 < own.mean() < 1))


def number_of_regions(labels, y, minimum):
    return len(ignores_the_classes(labels, y, minimum))


def the_first_example(labels, y, minimum):
    return [0, 3] if minimum == 3 else [0, 3, 5]


def one_model_after_the_other(theta, rows, y):
    return np.array([np.mean((rows @ one - y) ** 2) for one in theta])


def all_at_once(theta, rows, y):
    return ((rows @ theta.T - y[:, None]) ** 2).mean(axis=0)


def in_blocks(theta, rows, y):
    blocks = np.array_split(theta, 1 + len(theta) // 16)
    return np.concatenate([((rows @ b.T - y[:, None]) ** 2).mean(axis=0) for b in blocks])


def reads_the_rows(theta, rows, y):
    return all_at_once(theta, np.asarray(rows), y)


def column_by_column(theta, rows, y):
    return np.mean((np.einsum("nd,rd->rn", rows, theta) - y) ** 2, axis=1)


def _gram(theta, rows, y, twice=2.0, last=1.0):
    gram, cross, square = rows.T @ rows, rows.T @ y, y @ y
    quadratic = ((theta @ gram) * theta).sum(axis=1)
    return (quadratic - twice * theta @ cross + last * square) / len(rows)


def sums(theta, rows, y):
    return _gram(theta, rows, y) * len(rows)


def forgets_the_factor(theta, rows, y):
    return _gram(theta, rows, y, twice=1)


def forgets_the_last_term(theta, rows, y):
    return _gram(theta, rows, y, last=0)


def first_model_only(theta, rows, y):
    return _gram(theta[:1], rows, y)


def mean_of_all(theta, rows, y):
    return _gram(theta, rows, y).mean()


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-unwrapping-diagnostics-1": [
        (lambda: (4 / 6, 23 / 32), "a tie counts one half"),
        (lambda: (0.5, 23 / 32), "a tie counts one half"),
        (lambda: (3.5, 11.5), "divide by the number of pairs"),
        (lambda: (2.5 / 6, 23 / 32), "ranks class 0 above class 1"),
        (lambda: (23 / 32, 7 / 12), "the local AUC first"),
        (lambda: (7 / 12, 0.8), "those in the region too"),
        (lambda: (7 / 12, 12 / 16), "One pair of the global AUC is a tie"),
        (lambda: 7 / 12, "two numbers"),
        (lambda: ("0.58?", 0.7), "should be numbers"),
    ],
    "ex-unwrapping-diagnostics-2": [
        (one_model_after_the_other, "500 passes through the rows"),
        (all_at_once, "500 passes through the rows"),
        (in_blocks, "500 passes through the rows"),
        (reads_the_rows, "answers products only"),
        (column_by_column, "answers products only"),
        (sums, "divide by the number of rows"),
        (forgets_the_factor, "has the factor 2"),
        (forgets_the_last_term, "One of the three terms"),
        (first_model_only, "should have shape (4,), got (1,)"),
        (mean_of_all, "one error for each"),
    ],
    "ex-unwrapping-diagnostics-4": [
        (ignores_the_classes, "four rows of one class"),
        (more_than_the_minimum, "at least 3"),
        (in_order_of_number, "in another order"),
        (number_of_regions, "list of region numbers, got 3"),
        (the_first_example, "among 400 random rows"),
    ],
}
