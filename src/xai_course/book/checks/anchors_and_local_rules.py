"""Checks of the chapter *anchors-and-local-rules*."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xai_course.anchors import kl_bounds
from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator
from xai_course.book.expect import assert_close, close_to, expect_number, expect_parts
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.regions import enumerate_regions
from xai_course.rules import Rule

SLUG = "anchors-and-local-rules"


def _areas(n: int = 2, m: int = 2, slope: int = 2) -> tuple[float, ...]:
    """Return precision and coverage of both rules, and t, from the network's own regions."""
    network = PiecewiseLinearNetwork([np.eye(2), [[1, slope]]], [[0, -1 / n], [-1]])
    above, right = 1 - 1 / n, 1 - 1 / m
    wide, narrow = (_share(network, [[low, 1], [1 / n, 1]]) for low in (0, 1 / m))
    return wide, above, narrow, above * right, 1 / n + right / slope


def _draw_rules(rng: np.random.Generator) -> dict[str, int]:
    n, m, slope = rng.integers(2, [5, 5, 6]).tolist()
    return {"n": n, "m": m, "slope": slope}


def _right_rules(**numbers: int) -> tuple[float, ...]:
    return tuple(round(number, 9) for number in _areas(**numbers))


@exercise(
    f"ex-{SLUG}-1",
    draw=_draw_rules,
    question="the network says yes where max(0, x1) + {slope} max(0, x2 - 1/{n}) > 1. The rules "
    "are: if x2 > 1/{n} then yes; if x1 > 1/{m} and x2 > 1/{n} then yes; if x1 > 1/{m} and x2 > t "
    "then yes.",
    right=_right_rules,
)
def rules_by_hand(answer: Callable[[], Any], **numbers: int) -> str:
    """Compare with areas of the network's own regions."""
    what = "five numbers: precision, coverage, precision, coverage and t"
    first, covers, second, covers_too, t = expect_parts(answer(), 5, what)
    wide, above, narrow, corner, least = _areas(**numbers)
    if close_to([first, second], [above * wide, corner * narrow]):
        raise CheckFailed(
            "These are shares of the whole square. A precision is a share of what the rule covers."
        )
    if close_to(second, 1 - narrow):
        raise CheckFailed("Under the second rule this is the share of the no.")
    assert_close(first, wide, "The precision of the first rule")
    assert_close(covers, above, "The coverage of the first rule")
    assert_close(second, narrow, "The precision of the second rule")
    assert_close(covers_too, corner, "The coverage of the second rule")
    if close_to(t, 1):
        raise CheckFailed("With this t nothing is left under the rule. A smaller one is possible.")
    assert_close(t, least, "The smallest t")
    return "All five numbers are right."


def _share(network: PiecewiseLinearNetwork, box: list[list[float]]) -> float:
    parts = enumerate_regions(network, box)
    coef, intercept = network.local_linear_models(parts.patterns)
    corners, owners = parts.polygons.points, parts.polygons.owners
    z = (coef[owners, 0] * corners).sum(axis=1) + intercept[owners, 0]
    pieces, _, above = parts.polygons.cut(z, np.full(len(parts), 1e-12))
    return float(pieces.areas()[above].sum() / np.prod(np.diff(box)))


@exercise(f"ex-{SLUG}-2")
def lower_bound(answer: Callable[..., Any]) -> str:
    """Compare with the library on shares inside, at both ends, and on small and large samples."""
    tests = [(0.97, 100, 3.0), (0.5, 10, 1.0), (0.8, 1000, 12.0), (1.0, 50, 3.0), (0.0, 20, 2.0)]
    rng = student_generator(2)
    n = int(rng.integers(12, 60))
    tests.append((int(n * rng.uniform(0.7, 0.92)) / n, n, round(rng.uniform(1, 3), 1)))
    for share, n, beta in tests:
        where = f"The lower bound for a share of {share:.4g} in {n} draws, beta = {beta:g},"
        try:
            found = expect_number(answer(share, n, beta), where)
        except (ZeroDivisionError, ValueError) as error:
            if 0 < share < 1:
                raise
            raise CheckFailed(f"{where} ended with an error: {error}. Is it at an end?") from error
        low, high = (float(end) for end in kl_bounds(share, n, beta))
        if share in (0, 1):
            low = np.exp(-beta / n) if share else 0.0
        if 0 < share < 1 and close_to(found, high, atol=1e-5):
            raise CheckFailed(f"{where} is the upper end. Search below the share.")
        if 0 < share < 1 and close_to(found, share - np.sqrt(beta / (2 * n)), atol=1e-5):
            raise CheckFailed(
                f"{where} is Hoeffding's bound, which does not see how near the share is to 1. "
                "Use the divergence."
            )
        if 0 < share < 1 and close_to(found, _turned(share, n, beta), rtol=0, atol=2e-5):
            raise CheckFailed(f"{where} has the two coins of the divergence exchanged.")
        if share and close_to(found, float(kl_bounds(share, 1, beta)[0]), atol=1e-5):
            raise CheckFailed(f"{where} does not depend on the number of draws.")
        assert_close(found, low, where, tolerance=5e-6)
    return "Six bounds agree, at the ends of the scale, too."


def _turned(share: float, n: int, beta: float) -> float:
    """Return the bound with KL(q, share) instead of KL(share, q)."""
    refused, allowed = 1e-12, share
    for _ in range(40):
        q = (refused + allowed) / 2
        surprise = q * np.log(q / share) + (1 - q) * np.log((1 - q) / (1 - share))
        refused, allowed = (q, allowed) if n * surprise > beta else (refused, q)
    return allowed


@exercise(f"ex-{SLUG}-3")
def counterfactual_rules(answer: Callable[..., Any]) -> str:
    """Compare on boxes drawn at random, with bounds that x lies on, and with other labels."""
    rng = student_generator(3)
    on_a_bound = np.array([1.0, 0.0])
    edge = [
        Rule([-np.inf, -np.inf], [1, 0], "yes"),
        Rule([1, -np.inf], [np.inf, 0], "no"),  # x lies on the lower bound: broken
        Rule([1, 0], [np.inf, np.inf], "no"),
        Rule([-np.inf, 0], [1, np.inf], "no"),  # the same count as the second one
    ]
    for labels in (["no", "yes"], [0, 1, 2]):
        for _ in range(4):
            ends = np.sort(rng.normal(size=(9, 4, 2)).round(1), axis=-1)
            ends[..., 1] += 0.1
            ends[rng.random(ends.shape[:-1]) < 0.4] = [-np.inf, np.inf]
            rules = [
                Rule(*end.T, labels[k])
                for end, k in zip(ends, rng.integers(len(labels), size=9), strict=True)
            ]
            rules.append(Rule(np.full(4, -np.inf), np.append(np.full(3, np.inf), -9), labels[0]))
            _compare(answer, rules, rng.normal(size=4), labels[1])
    _compare(answer, edge, on_a_bound, "yes")
    return "Nine lists of rules agree, with equal counts and with more than two labels."


def _compare(answer: Callable[..., Any], rules: list[Rule], x: np.ndarray, label: Any) -> None:
    broken = np.array([((x <= r.low) | (x > r.high)).sum() for r in rules])
    apart = np.array([np.maximum(r.low - x, x - r.high).clip(0).sum() for r in rules])
    other = np.array([r.label != label for r in rules])
    expected = np.flatnonzero(other & (broken == broken[other].min())).tolist()
    found = answer(list(rules), x.copy(), label)
    if found is None or not hasattr(found, "__len__"):
        raise CheckFailed(f"Return a list of the rules' numbers; got {found!r}.")
    numbers = [int(k) if not isinstance(k, Rule) else k for k in found]
    if any(isinstance(k, Rule) for k in numbers):
        raise CheckFailed("Return the numbers of the rules in the list, not the rules.")
    if numbers == expected:
        return
    if set(numbers) & set(np.flatnonzero(~other).tolist()):
        raise CheckFailed(
            f"Rule {min(set(numbers) & set(np.flatnonzero(~other).tolist()))} has the label of x. "
            "Counterfactual rules have another one."
        )
    if len(numbers) == 1 and len(expected) > 1 and numbers[0] in expected:
        raise CheckFailed(f"Several rules break as few bounds: {expected}. Return all of them.")
    if numbers == [int(np.flatnonzero(other)[apart[other].argmin()])]:
        raise CheckFailed(
            "This is the nearest rule. Count the broken bounds, however far they are."
        )
    if sorted(numbers) == expected:
        raise CheckFailed(f"Return the numbers in order: {expected}, got {numbers}.")
    counts = [int(broken[k]) for k in numbers if 0 <= k < len(broken)]
    raise CheckFailed(
        f"Expected {expected}, of which x breaks {int(broken[expected[0]])} bound(s), got "
        f"{numbers}, of which it breaks {counts}. Is a bound broken where x equals low?"
    )
