"""Checks of the exercises in *Watching a network drift*."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.expect import (
    assert_close,
    assert_equal,
    close_to,
    expect_array,
    expect_number,
    shown,
)
from xai_course.inet import LambdaNets
from xai_course.polynomials import (
    SparsePolynomial,
    gram_matrix,
    monomial_exponents,
    monomials_in_basis,
)

SLUG = "watching-a-network-drift"


@exercise(f"ex-{SLUG}-1")
def rows_until_seen(answer: Callable[[], Any]) -> str:
    """Compare with the two formulas of the chapter."""
    what = "three numbers: rows in the mean, rows in the error, and the ratio"
    found = expect_array(answer(), (3,), what)
    if found[1] == 162:
        raise CheckFailed("In the error the ratio enters with its fourth power, not its second.")
    if close_to(found[2], np.sqrt(2)):
        raise CheckFailed("At a ratio of the square root of 2 both need the same number of rows.")
    assert_close(found, [81, 1458, 1], "Rows in the mean, rows in the error, and the ratio")
    return "18 times as many rows in the error, for a change of a third of the noise."


@exercise(f"ex-{SLUG}-2")
def page_hinkley(answer: Callable[..., list[int]]) -> str:
    """Compare with series made by hand, then with a plain version on random ones."""
    _alarms(answer, [0, 0, 0, 4, 0], 0.0, 2.9, [3], "of 0, 0, 0, 4, 0 with threshold 2.9")
    _alarms(answer, [0, 0, 0, 4, 0], 0.0, 3.0, [], "where the sum only reaches the threshold")
    _alarms(answer, [0, 0, 0, 4], 1.0, 1.5, [3], "where slack has lowered the sum before the jump")
    _alarms(answer, [4, 4, 0, 0, 0], 0.0, 0.1, [], "of a series that falls")
    _alarms(answer, [0, 4, 0, 4, 0, 4], 0.0, 1.0, [1, 3, 5], "with three restarts")
    rng = np.random.default_rng(2)
    for _ in range(10):
        values = rng.normal(size=120) + 2 * (np.arange(120) >= 60)
        _alarms(answer, values, 0.2, 6.0, _plain(values, 0.2, 6.0), "of a random series")
    return "The alarms are right, restarts included."


def _alarms(
    answer: Callable[..., list[int]],
    values: Any,
    slack: float,
    threshold: float,
    expected: list[int],
    where: str,
) -> None:
    found = answer(np.asarray(values, dtype=float), slack, threshold)
    if np.ndim(found) != 1:
        raise CheckFailed(f"Return a list of positions, got {shown(found)}.")
    assert_equal(found, expected, f"The alarms {where}")


def _plain(values: np.ndarray, slack: float, threshold: float) -> list[int]:
    first = 0
    for end in range(1, len(values) + 1):
        part = values[first:end]
        means = np.cumsum(part) / np.arange(1, len(part) + 1)
        sums = np.cumsum(part - means - slack)
        if sums[-1] - min(0.0, sums.min()) > threshold:
            rest = _plain(values[end:], slack, threshold)
            return [end - 1, *(end + position for position in rest)]
    return []


@exercise(f"ex-{SLUG}-3")
def named_changes(answer: Callable[..., Any]) -> str:
    """Compare with polynomials whose terms are known, then with least squares."""
    coordinates = monomials_in_basis(5, 3)
    support = [[1, 0, 0, 0, 0], [0, 1, 1, 0, 0], [0, 0, 0, 2, 0]]
    old = SparsePolynomial([0.8, -0.6, 0.5], support).to_dense(3) @ coordinates
    new = SparsePolynomial([0.7, 0.3, 0.1], support).to_dense(3) @ coordinates
    pairs = _pairs(answer(old, new, support))
    if np.allclose([c for _, c in pairs], [-0.9, 0.4, 0.1]):
        raise CheckFailed("The signs are turned: a change is after minus before.")
    names = [monomial for monomial, _ in pairs]
    order = [tuple(support[k]) for k in (1, 2, 0)]
    if names != order and sorted(names) == sorted(order):
        raise CheckFailed("The largest change in absolute size comes first.")
    assert_equal(names, order, "The monomials, the largest change first,")
    assert_close([c for _, c in pairs], [0.9, -0.4, -0.1], "The changes")
    rng = np.random.default_rng(3)
    old, new = rng.normal(size=(2, 56))
    exponents = monomial_exponents(5, 3)
    index = [5, 30, 55]
    products = coordinates[index] @ (new - old)
    expected = np.linalg.solve(gram_matrix(exponents[index]), products)
    found = dict(_pairs(answer(old, new, exponents[index].tolist())))
    found = [found.get(tuple(exponents[k].tolist()), np.nan) for k in index]
    assert_close(found, expected, "The changes of a random function on three monomials")
    return "The changes are right, also for functions that the support cannot describe."


def _pairs(found: Any) -> list[tuple[tuple[int, ...], Any]]:
    try:
        return [(tuple(int(e) for e in m), c) for m, c in found]
    except (TypeError, ValueError):
        raise CheckFailed(
            f"Return a list of pairs, a monomial and a number, got {shown(found)}."
        ) from None


@exercise(f"ex-{SLUG}-4")
def hold(answer: Callable[..., LambdaNets]) -> str:
    """Compare the slice's answers with those of the whole network."""
    rng = np.random.default_rng(4)
    shapes = (3, 6, 4), (3, 6), (3, 6), (3,)
    nets = LambdaNets(*(rng.normal(size=shape) for shape in shapes))
    X = rng.random((20, 4))
    for j, value in [(3, 0.2), (0, 0.9), (1, 0.0)]:
        found = answer(nets, j, value)
        if not isinstance(found, LambdaNets):
            raise CheckFailed(f"Return LambdaNets, got {type(found).__name__}.")
        assert_equal(found.n_variables, 3, "The number of variables that are left")
        X[:, j] = value
        what = f"The outputs with x{j} held at {value}"
        assert_close(found.predict(np.delete(X, j, axis=1)), nets.predict(X), what)
    return "Three slices give what the whole networks give."


@exercise(f"ex-{SLUG}-5")
def batches_ahead(answer: Callable[..., float]) -> str:
    """Compare with statistics made by hand, then with random ones."""
    calm = np.linspace(0, 1, 40).reshape(4, 10)
    zero, nine = np.zeros(10), np.full(10, 9.0)
    late, soon = np.array([zero, zero, zero, nine]), np.array([zero, nine, nine, nine])
    assert_equal(_number(answer, calm, calm, late, soon, 1), 2.0, "The lead of coefficients")
    loud = 100 + calm
    found = _number(answer, calm, loud, soon, late, 1)
    assert_equal(found, -np.inf, "The lead where undisturbed coefficients are as loud as an alarm")
    found = _number(answer, loud, loud, late, soon, 1)
    if np.isnan(found):
        raise CheckFailed("Infinity minus infinity is not a number: return 0 there.")
    assert_equal(found, 0.0, "The lead where neither detector finds anything")
    early = soon.copy()
    early[0, :4] = 9  # four streams with an alarm before the change
    assert_equal(_number(answer, calm, calm, late, early, 1), 2.0, "The lead with early alarms")
    rng = np.random.default_rng(5)
    for _ in range(10):
        arrays = [rng.exponential(size=(30, 40)) for _ in range(4)]
        arrays[2][12:] += 4
        arrays[3][12:] += rng.uniform(3, 6)
        expected = _lead(*arrays, 10)
        assert_close(_number(answer, *arrays, 10), expected, "The lead in random streams")
    return "The comparison is fair on hand-made and random streams."


def _number(answer: Callable[..., float], *arguments: Any) -> float:
    with np.errstate(invalid="ignore"):
        return expect_number(answer(*arguments), "The lead")


def alarm_threshold(statistic: np.ndarray, false_alarms: float = 0.1) -> float:
    """Return the level that this share of undisturbed streams ever exceeds."""
    return float(np.quantile(statistic.max(axis=0), 1 - false_alarms))


def detection_delays(statistic: np.ndarray, threshold: float, change: int) -> np.ndarray:
    """Return the batches from a change to the first alarm of each stream."""
    alarms = statistic > threshold
    first = np.where(alarms.any(axis=0), alarms.argmax(axis=0), np.inf)
    return np.where(first < change, np.nan, first - change)


def _lead(
    calm_error: np.ndarray, calm_coef: np.ndarray, error: np.ndarray, coef: np.ndarray, change: int
) -> float:
    medians = [
        np.nanmedian(detection_delays(values, alarm_threshold(calm, 0.1), change))
        for calm, values in ((calm_error, error), (calm_coef, coef))
    ]
    return 0.0 if np.isinf(medians).all() else medians[0] - medians[1]
