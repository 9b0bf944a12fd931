"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np


def the_other_class():
    return 1, 1 / 2, 2 / 3, 1 / 3


def without_relu():
    return 0, 0, 1 / 3, 2 / 3


def the_twin_is_the_same():
    return 0, 1 / 2, 1 / 3, 1 / 3


def the_example_again():
    return 1 / 2, 1, 2 / 3, 2 / 3


def _near(rows, queries, k):
    apart = ((np.asarray(queries)[:, None] - np.asarray(rows)) ** 2).sum(axis=2)
    return apart.argsort(axis=1)[:, :k]


def _shares(layers, labels, queries, decided, k):
    return [
        (labels[_near(a, b, k)] == decided[:, None]).mean(axis=1)
        for a, b in zip(layers, queries, strict=True)
    ]


def adds_the_layers(layers, labels, queries, decided, k):
    return np.sum(_shares(layers, labels, queries, decided, k), axis=0)


def last_layer_only(layers, labels, queries, decided, k):
    return _shares(layers, labels, queries, decided, k)[-1]


def one_long_row(layers, labels, queries, decided, k):
    return _shares([np.hstack(layers)], labels, [np.hstack(queries)], decided, k)[0]


def the_commonest_class(layers, labels, queries, decided, k):
    every = [
        np.mean(_shares(layers, labels, queries, np.full(len(decided), c), k), axis=0)
        for c in range(labels.max() + 1)
    ]
    return np.max(every, axis=0)


def counts_rows(layers, labels, queries, decided, k):
    return k * np.mean(_shares(layers, labels, queries, decided, k), axis=0)


def always_certain(layers, labels, queries, decided, k):
    return np.ones(len(decided))


def _greedy(kernel, m, worth):
    taken: list[int] = []
    for _ in range(m):
        left = [i for i in range(len(kernel)) if i not in taken]
        taken.append(max(left, key=lambda i: worth([*taken, i])))
    return taken


def most_typical(kernel, m):
    return np.argsort(-kernel.mean(axis=0), kind="stable")[:m]


def again_and_again(kernel, m):
    return [int(kernel.mean(axis=0).argmax())] * m


def farthest_apart(kernel, m):
    return _greedy(kernel, m, lambda rows: -kernel[np.ix_(rows, rows)].mean())


def in_order_of_the_table(kernel, m):
    def worth(rows):
        return 2 * kernel[rows].mean() - kernel[np.ix_(rows, rows)].mean()

    return sorted(_greedy(kernel, m, worth))


def first_rows(kernel, m):
    return np.arange(m)


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-neighbours-and-prototypes-1": [
        (the_other_class, "shares of the other class"),
        (without_relu, "a ReLU is never negative"),
        (the_twin_is_the_same, "twin, three rows"),
        (the_example_again, "input, two rows"),
    ],
    "ex-neighbours-and-prototypes-2": [
        (adds_the_layers, "sums over the layers"),
        (last_layer_only, "Only the last layer"),
        (one_long_row, "one long row"),
        (the_commonest_class, "the commonest class"),
        (counts_rows, "numbers of rows"),
        (always_certain, "The shares with"),
    ],
    "ex-neighbours-and-prototypes-3": [
        (most_typical, "most like all others"),
        (again_and_again, "taken twice"),
        (farthest_apart, "The prototypes, 4 of 12"),
        (in_order_of_the_table, "The rows are right, and their order"),
        (first_rows, "The prototypes, 4 of 12"),
    ],
}
