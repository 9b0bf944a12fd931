"""Checks of the exercises in *Watching a network drift*."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xai_course import drift
from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator
from xai_course.book.expect import (
    assert_close,
    assert_equal,
    close_to,
    expect_array,
    expect_number,
    forbid,
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
def cusum(answer: Callable[..., Any]) -> str:
    """Compare with a series made by hand, then with the library on random ones."""
    hand = [-1.0, 0.0, 1.0, 1.5, 2.0, 0.0, -1.5, -3.0]
    _sums(answer, hand, 3, 0.5, "of the series -1, 0, 1, 1.5, 2, 0, -1.5, -3")
    for seed, (n, n_reference, slack) in enumerate([(60, 20, 0.5), (200, 40, 0.25), (30, 2, 0.0)]):
        rng = student_generator([1, seed])
        values = rng.normal(3, 2, size=n)
        values[2 * n // 3 :] += 3 * rng.choice([-1, 1])
        what = f"of a random series with a reference of {n_reference} and a slack of {slack}"
        _sums(answer, values, n_reference, slack, what)
    return "Both sums are right, upwards and downwards."


def _sums(answer: Callable[..., Any], values: Any, n_reference: int, slack: float, of: str) -> None:
    values = np.asarray(values, dtype=float)
    expected = drift.cusum(values, n_reference, slack)
    alone = "Do not call the library: build the two sums yourself."
    with forbid("xai_course.drift.cusum", alone):
        found = answer(values.copy(), n_reference, slack)
    n = len(values) - n_reference
    found = expect_array(found, (n,), f"{n} numbers, one for each value after the reference")
    for message, slip in _slips(values, n_reference, slack).items():
        if close_to(found, slip) and not close_to(slip, expected):
            raise CheckFailed(message)
    assert_close(found, expected, f"The sums {of}")


def _slips(values: np.ndarray, n_reference: int, slack: float) -> dict[str, np.ndarray]:
    """Return what usual slips give, each with its message."""
    reference, watched = values[:n_reference], values[n_reference:]
    z = (watched - reference.mean()) / reference.std(ddof=1)
    up, down = _one_side(z, slack), _one_side(-z, slack)
    raw, of_all = watched - reference.mean(), (watched - values.mean()) / values.std(ddof=1)
    wide = (watched - reference.mean()) / reference.std()
    both = {
        "Divide by the standard deviation of the reference first.": raw,
        "Mean and standard deviation come from the reference alone.": of_all,
        "Use the standard deviation with n - 1 (`ddof=1`).": wide,
    }
    return {
        "This sees a rise alone. A second sum must see a fall.": up,
        "This sees a fall alone. A second sum must see a rise.": down,
        "Return the larger of the two sums, not both together.": up + down,
        "The slack is not subtracted from the downward sum.": np.maximum(up, _one_side(-z, 0)),
        "No slack is subtracted.": np.maximum(_one_side(z, 0), _one_side(-z, 0)),
        "A sum must never fall below zero.": np.maximum(
            np.cumsum(z - slack), np.cumsum(-z - slack)
        ),
    } | {
        message: np.maximum(_one_side(x, slack), _one_side(-x, slack))
        for message, x in both.items()
    }


def _one_side(z: np.ndarray, slack: float) -> np.ndarray:
    level, found = 0.0, []
    for value in z:
        level = max(0.0, level + value - slack)
        found.append(level)
    return np.array(found)


@exercise(f"ex-{SLUG}-2")
def hold(answer: Callable[..., LambdaNets]) -> str:
    """Compare the slice's answers with those of the whole network."""
    rng = student_generator(4)
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
    if names != order and sorted(names) == sorted(order) and any(c for _, c in pairs):
        raise CheckFailed("The largest change in absolute size comes first.")
    assert_equal(sorted(names), sorted(order), "The monomials, in any order,")
    assert_close([c for _, c in pairs], [0.9, -0.4, -0.1], "The changes")
    rng = student_generator(3)
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
    rng = student_generator(5)
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


def _lead(
    calm_error: np.ndarray, calm_coef: np.ndarray, error: np.ndarray, coef: np.ndarray, change: int
) -> float:
    medians = [
        np.nanmedian(drift.detection_delays(values, drift.alarm_threshold(calm), change))
        for calm, values in ((calm_error, error), (calm_coef, coef))
    ]
    return 0.0 if np.isinf(medians).all() else medians[0] - medians[1]
