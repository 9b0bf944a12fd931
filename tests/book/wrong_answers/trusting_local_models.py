"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score


def parts(scores, y, tie=0.5):
    gap = scores[y == 1][:, None] - scores[y == 0]
    wins = (gap > 0) + tie * (gap == 0)
    return wins, wins.mean(axis=1), wins.mean(axis=0)


def error_of(*placements, ddof=1):
    return np.sqrt(sum(p.var(ddof=ddof) / len(p) for p in placements))


def drops_the_ties(scores, y):
    wins, *both = parts(scores, y, tie=0)
    return wins.mean(), error_of(*both)


def forgets_the_root(scores, y):
    wins, *both = parts(scores, y)
    return wins.mean(), error_of(*both) ** 2


def divides_by_the_number(scores, y):
    wins, *both = parts(scores, y)
    return wins.mean(), error_of(*both, ddof=0)


def by_luck(scores, y):
    n_1, n_0 = y.sum(), (1 - y).sum()
    return roc_auc_score(y, scores), np.sqrt((n_1 + n_0 + 1) / (12 * n_1 * n_0))


def of_pairs(scores, y):
    wins = parts(scores, y)[0]
    return wins.mean(), error_of(wins.ravel())


def of_a_share(scores, y):
    auc = roc_auc_score(y, scores)
    return auc, np.sqrt(auc * (1 - auc) / len(y))


def one_class_only(scores, y):
    wins, of_defaults, _ = parts(scores, y)
    return wins.mean(), error_of(of_defaults)


def the_other_class_only(scores, y):
    wins, _, of_others = parts(scores, y)
    return wins.mean(), error_of(of_others)


def of_single_rows(scores, y):
    wins, *both = parts(scores, y)
    return wins.mean(), np.sqrt(sum(p.var(ddof=1) for p in both))


def upside_down(scores, y):
    wins, *both = parts(-scores, y)
    return wins.mean(), error_of(*both)


def auc_only(scores, y):
    return roc_auc_score(y, scores)


def the_example(scores, y):
    return 7 / 12, 0.3118


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-trusting-local-models-1": [
        (lambda: (1 / 720, 40 / 720, 1.96), "only the places of the two classes matter"),
        (lambda: (1 / 64, 40 / 64, 1.96), "How many places have a default"),
        (lambda: (1 / 10, 4, 1.96), "perfect is only the first"),
        (lambda: (1 / 20, 1, 1.96), "The mean number of perfect regions"),
        (lambda: (1 / 20, 2, 3.928), "from one half"),
        (lambda: (1 / 20, 2, 7.714), "not by the variance"),
        (lambda: (1 / 20, 2), "three numbers"),
    ],
    "ex-trusting-local-models-2": [
        (drops_the_ties, "a tie counts one half"),
        (forgets_the_root, "take its root"),
        (divides_by_the_number, "var(ddof=1)"),
        (by_luck, "whatever the scores say"),
        (of_pairs, "takes the pairs for independent"),
        (of_a_share, "a share of independent rows"),
        (one_class_only, "Only the defaults' placements"),
        (the_other_class_only, "Only the placements of class 0"),
        (of_single_rows, "divide by the number of rows"),
        (upside_down, "ranks class 0 above class 1"),
        (auc_only, "two numbers, the AUC and its standard error"),
        (the_example, "The AUC of 2 rows of class 1"),
    ],
}
