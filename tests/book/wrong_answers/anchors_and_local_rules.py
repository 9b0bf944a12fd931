"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np


def shares_of_the_square():
    return 1 / 4, 1 / 2, 3 / 16, 1 / 4, 3 / 4


def the_no():
    return 1 / 2, 1 / 2, 1 / 4, 1 / 4, 3 / 4


def an_empty_rule():
    return 1 / 2, 1 / 2, 3 / 4, 1 / 4, 1


def the_other_network():
    return 3 / 4, 1 / 2, 1, 1 / 4, 1 / 2


def _halved(kept, start, end):
    inside, outside = start, end
    for _ in range(50):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if kept(middle) else (inside, middle)
    return inside


def _kl(p, q):
    q = min(max(q, 1e-15), 1 - 1e-15)
    yes = p * np.log(p / q) if p > 0 else 0.0
    return yes + ((1 - p) * np.log((1 - p) / (1 - q)) if p < 1 else 0.0)


def upper_end(share, n, beta):
    return _halved(lambda q: n * _kl(share, q) <= beta, share, 1.0)


def hoeffding(share, n, beta):
    return share - np.sqrt(beta / (2 * n))


def coins_exchanged(share, n, beta):
    return _halved(lambda q: n * _kl(q, share) <= beta, share, 0.0)


def forgets_the_draws(share, n, beta):
    return _halved(lambda q: _kl(share, q) <= beta, share, 0.0)


def always_the_share(share, n, beta):
    return share


def for_a_share_of_one_only(share, n, beta):
    return np.exp(-beta / n)


def breaks_at_the_ends(share, n, beta):
    if share in (0, 1):
        raise ZeroDivisionError("division by zero")
    return _halved(lambda q: n * _kl(share, q) <= beta, share, 0.0)


def _broken(rule, x):
    return int(((x <= rule.low) | (x > rule.high)).sum())


def own_label_too(rules, x, label):
    counts = [_broken(rule, x) for rule in rules]
    return [k for k, count in enumerate(counts) if count == min(counts)]


def the_first_one(rules, x, label):
    others = [k for k, rule in enumerate(rules) if rule.label != label]
    return [min(others, key=lambda k: _broken(rules[k], x))]


def the_nearest(rules, x, label):
    others = [k for k, rule in enumerate(rules) if rule.label != label]
    far = [np.maximum(rules[k].low - x, x - rules[k].high).clip(0).sum() for k in others]
    return [others[int(np.argmin(far))]]


def closed_below(rules, x, label):
    others = [k for k, rule in enumerate(rules) if rule.label != label]
    counts = [int(((x < rules[k].low) | (x > rules[k].high)).sum()) for k in others]
    return [k for k, count in zip(others, counts, strict=True) if count == min(counts)]


def all_others(rules, x, label):
    return [k for k, rule in enumerate(rules) if rule.label != label]


def the_rules_themselves(rules, x, label):
    return [rules[k] for k in all_others(rules, x, label)]


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-anchors-and-local-rules-1": [
        (shares_of_the_square, "share of what the rule covers"),
        (the_no, "share of the no"),
        (an_empty_rule, "With this t nothing is left"),
        (the_other_network, "The precision of the first rule"),
    ],
    "ex-anchors-and-local-rules-2": [
        (upper_end, "Search below the share"),
        (hoeffding, "Hoeffding's bound"),
        (coins_exchanged, "two coins of the divergence exchanged"),
        (forgets_the_draws, "does not depend on the number of draws"),
        (always_the_share, "The lower bound for a share of 0.97"),
        (for_a_share_of_one_only, "got 0.970446, expected 0.9086"),
        (breaks_at_the_ends, "Is it at an end?"),
    ],
    "ex-anchors-and-local-rules-3": [
        (own_label_too, "has the label of x"),
        (the_first_one, "Return all of them"),
        (the_nearest, "Count the broken bounds"),
        (closed_below, "Is a bound broken where x equals low?"),
        (all_others, "of which it breaks"),
        (the_rules_themselves, "not the rules"),
    ],
}
