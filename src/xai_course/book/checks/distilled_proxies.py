"""Checks of the chapter *distilled-proxies*."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator
from xai_course.book.expect import (
    assert_close,
    assert_equal,
    close_to,
    expect_array,
    expect_number,
    expect_parts,
)

SLUG = "distilled-proxies"


def _remains(values: np.ndarray) -> np.ndarray:
    """Return what each of the four splits leaves."""
    halves = (np.split(values, [k]) for k in range(1, 5))
    return np.array([sum(((part - part.mean()) ** 2).sum() for part in two) for two in halves])


def _leaves(soft: Sequence[float] = (0.05, 0.1, 0.45, 0.6, 0.6)) -> tuple[np.ndarray, ...]:
    """Return the labels of both leaves, and what each split leaves of the decisions."""
    labels = np.array(soft)
    first = int(_remains(labels).argmin()) + 1
    return labels[:first], labels[first:], _remains(1.0 * (labels > 0.5))


def _draw_labels(rng: np.random.Generator) -> dict[str, tuple[float, ...]]:
    while True:
        soft = np.sort(rng.choice(np.delete(np.arange(1, 20), 9), 5)) / 20
        low, high, hard = _leaves(soft)
        least, second = np.sort(_remains(soft))[:2]
        is_even = np.isclose([low.mean(), high.mean()], 0.5).any()
        if (
            hard.any()
            and hard.argmin() + 1 != len(low)
            and 0 < least < second - 0.005
            and not is_even
        ):
            return {"soft": tuple(soft.tolist())}


def _right_split(**numbers: Any) -> tuple[float, float, int]:
    low, high, _ = _leaves(**numbers)
    left = sum(((part - part.mean()) ** 2).sum() for part in (low, high))
    others = sum(((part > 0.5) != (part.mean() > 0.5)).sum() for part in (low, high))
    return len(low) + 0.5, round(float(left), 9), int(others)


@exercise(
    f"ex-{SLUG}-1",
    draw=_draw_labels,
    question="the soft labels of the five patients are {soft}.",
    right=_right_split,
)
def soft_split(answer: Callable[[], Any], **numbers: Any) -> str:
    """Compare with all four splits, of the soft labels and of the decisions."""
    what = "three numbers: the place, what remains, and the number of other decisions"
    place, left, others = expect_parts(answer(), 3, what)
    place, others = expect_number(place, "The place"), expect_number(others, "The number")
    low, high, hard = _leaves(**numbers)
    right = _right_split(**numbers)
    if close_to(place, hard.argmin() + 1.5):
        raise CheckFailed(
            "This is where the decisions are split. The tree learns the soft labels: which split "
            "leaves less of them?"
        )
    assert_close(place, right[0], "The place of the split")
    if close_to(left, right[1] / 5):
        raise CheckFailed("This is the mean of the squares over the five patients; give their sum.")
    if close_to(left, low.var() + high.var()):
        raise CheckFailed("These are two variances. Each patient's square counts: add the squares.")
    assert_close(left, right[1], "What remains", 1e-6)
    assert_equal(others, right[2], "The number of other decisions")
    return "The split that leaves least of the soft labels is not that of the decisions."


@exercise(f"ex-{SLUG}-2")
def grow(answer: Callable[..., Any]) -> str:
    """Add up the steps and compare with boosting, for stumps of two kinds and several rates."""
    for seed, (n, rate) in enumerate([(1, 0.5), (12, 0.3), (25, 1.0), (40, 0.1)]):
        rng = student_generator(seed)
        X = rng.normal(size=(60, 3))
        z = 2 * X[:, 0] + np.sin(3 * X[:, 1]) + 1.5
        _grown(answer, X, z, n, rate, _at_quantiles)
    _grown(answer, X, z, 20, 0.4, _in_turn(3))
    return "Five models agree, with several rates and two kinds of stumps."


def _grown(
    answer: Callable[..., Any], X: np.ndarray, z: np.ndarray, n: int, rate: float, stump: Any
) -> None:
    seen: list[np.ndarray] = []

    def watched(rows: Any, rest: Any) -> tuple[int, float, float, float]:
        seen.append(np.asarray(rest, dtype=float))
        if len(seen) > 3 * n:
            raise CheckFailed(f"The stump was asked more than {3 * n} times for {n} rounds.")
        return stump(np.asarray(rows), np.asarray(rest))

    base, steps = expect_parts(answer(X.copy(), z.copy(), n, rate, watched), 2, "two: base, steps")
    base = expect_number(base, "The base")
    if len(steps) != n:
        raise CheckFailed(f"There should be {n} steps, one for each round; got {len(steps)}.")
    steps = [expect_array(step, (4,), "a step: feature, place, low and high") for step in steps]
    if not seen:
        raise CheckFailed("The stump that is handed over was never asked.")
    assert_close(base, z.mean(), "The base, the mean of the targets")
    rest = z - z.mean()
    if close_to(seen[0], z):
        raise CheckFailed("The first stump must see the targets without the base.")
    for k, (j, place, low, high) in enumerate(steps):
        i, where, below, above = stump(X, rest)
        if close_to([low, high], [below, above]) and rate != 1:
            raise CheckFailed("The steps are not shortened: return them as they were added.")
        if not close_to([j, place, low, high], [i, where, rate * below, rate * above]):
            if k and len(seen) > k and close_to(seen[k], seen[0]):
                raise CheckFailed("Every stump sees the same: take each step from what is left.")
            raise CheckFailed(
                f"With the rate {rate}, step {k} should be feature {i} at {where:.4g} with "
                f"{rate * below:.4g} and {rate * above:.4g}, got {j:.0f}, {place:.4g}, {low:.4g} "
                f"and {high:.4g}. Does the stump see what the shortened steps have left?"
            )
        rest = rest - np.where(X[:, i] <= where, rate * below, rate * above)


def _at_quantiles(X: np.ndarray, rest: np.ndarray) -> tuple[int, float, float, float]:
    best, found = np.inf, (0, 0.0, 0.0, 0.0)
    for j in range(X.shape[1]):
        for place in np.quantile(X[:, j], [0.2, 0.4, 0.6, 0.8]):
            low, high = _means(X[:, j], rest, place)
            left = ((rest - np.where(X[:, j] <= place, low, high)) ** 2).sum()
            if left < best - 1e-9:
                best, found = left, (j, float(place), low, high)
    return found


def _in_turn(n_features: int) -> Callable[[np.ndarray, np.ndarray], tuple]:
    """Return a stump that is not the best one; which feature it takes depends on the targets."""

    def stump(X: np.ndarray, rest: np.ndarray) -> tuple[int, float, float, float]:
        j = int(np.abs(1e4 * rest[0])) % n_features
        return (j, 0.1, *_means(X[:, j], rest, 0.1))

    return stump


def _means(x: np.ndarray, rest: np.ndarray, place: float) -> tuple[float, float]:
    return float(rest[x <= place].mean()), float(rest[x > place].mean())


@exercise(f"ex-{SLUG}-3", none_is_an_answer=True)
def next_rule(answer: Callable[..., Any]) -> str:
    """Compare with the objective of the whole set, computed with and without each rule."""
    rng, stopped = student_generator(3), 0
    for _ in range(30):
        covers = rng.uniform(size=(7, 40)) < rng.uniform(0.1, 0.6, size=(7, 1))
        miss = rng.binomial(covers.sum(axis=1), 0.3)
        n_conditions, w, c = rng.integers(1, 4, size=7), float(rng.choice([0.5, 2])), 1.5
        chosen = rng.permutation(7)[: rng.integers(0, 4)].tolist()
        gains = _gains(covers, miss, n_conditions, chosen, w, c)
        best = int(np.argmax(gains)) if gains.max() > 0 else None
        if np.sort(gains)[-1] - np.sort(gains)[-2] < 1e-6 or abs(gains.max()) < 1e-6:
            continue  # no tie depends on rounding
        stopped += best is None
        found = answer(covers.copy(), miss.copy(), n_conditions.copy(), list(chosen), w, c)
        if found is None and best is None:
            continue
        where = f"With the chosen rules {chosen}, w = {w} and c = {c}"
        if found is None:
            raise CheckFailed(
                f"{where} rule {best} raises the value by {gains[best]:.1f}, and the answer is "
                "None. Is its `return` missing?"
            )
        number = expect_number(found, "The number of the rule")
        if best is None:
            raise CheckFailed(f"{where} no rule raises the value: return None, not {number:.0f}.")
        if int(number) in chosen:
            raise CheckFailed(f"{where} rule {number:.0f} was chosen already.")
        if number != best:
            _explain(where, int(number), best, (covers, miss, n_conditions, chosen, w, c))
    return f"Thirty sets were continued rightly; at {stopped} of them no rule was worth its price."


def _value(
    covers: np.ndarray, miss: Any, n_conditions: Any, chosen: list[int], w: float, c: float
) -> float:
    count = covers[chosen].sum(axis=0)
    pairs = (count * (count - 1) / 2).sum()
    covered = (count > 0).sum() - pairs
    return float(covered - w * miss[chosen].sum() - c * n_conditions[chosen].sum())


def _gains(covers: np.ndarray, miss: Any, n: Any, chosen: list[int], w: float, c: float) -> Any:
    before = _value(covers, miss, n, chosen, w, c)
    return np.array(
        [
            -np.inf if r in chosen else _value(covers, miss, n, [*chosen, r], w, c) - before
            for r in range(len(covers))
        ]
    )


def _explain(where: str, found: int, best: int, game: tuple) -> None:
    covers, miss, n_conditions, chosen, w, c = game
    slips = {
        "wrong rows cost nothing": (covers, 0 * miss, n_conditions, chosen, w, c),
        "conditions cost nothing": (covers, miss, 0 * n_conditions, chosen, w, c),
        "the chosen rules play no part": (covers, miss, n_conditions, [], w, c),
    }
    alike = [slip for slip, other in slips.items() if int(np.argmax(_gains(*other))) == found]
    hint = f" It would be right if {alike[0]}." if alike else ""
    raise CheckFailed(f"{where} rule {best} is worth most, got {found}.{hint}")
