"""Checks of the chapter *interpretation-networks*."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.expect import assert_close, expect_array
from xai_course.inet import LambdaNets, closed_form_moments
from xai_course.polynomials import gram_matrix, monomial_exponents, monomials_in_basis

SLUG = "interpretation-networks"


@exercise(f"ex-{SLUG}-1")
def two_polynomials(answer: Callable[[], Any]) -> str:
    """Compare with arg-max and mixture."""
    coef = np.array([3.0, -2.0])
    chance = np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]])
    hard, soft = coef @ np.eye(3)[chance.argmax(axis=1)], coef @ chance
    found = expect_array(answer(), (2, 3), "two polynomials of three coefficients each")
    if np.allclose(found, [soft, hard]):
        raise CheckFailed("Hard and soft are swapped: the hard one has one monomial per term.")
    if np.allclose(found[0], (coef * chance.max(axis=1)) @ np.eye(3)[chance.argmax(axis=1)]):
        raise CheckFailed("The hard polynomial keeps the whole coefficient, whatever the share.")
    if np.allclose(found[1], np.abs(coef) @ chance):
        raise CheckFailed("Mind the sign of the second coefficient in the mixture.")
    assert_close(found[0], hard, "The hard polynomial")
    assert_close(found[1], soft, "The soft polynomial")
    return "Both are right: the same output, two polynomials."


@exercise(f"ex-{SLUG}-2")
def network_mean(answer: Callable[..., Any]) -> str:
    """Compare with the closed form, case by case and then on random networks."""
    single = {
        "of a unit that is on everywhere": (0.5, 1.0),
        "of a unit that is off everywhere": (0.5, -1.0),
        "of a unit that bends and rises": (2.0, -0.5),
        "of a unit that bends and falls": (-2.0, 0.5),
        "of a unit that falls and is on everywhere": (-1.0, 3.0),
        "of a unit with weight 0": (0.0, 2.0),
    }
    for case, (w, b) in single.items():
        _compare_mean(answer, np.array([w]), np.array([b]), np.array([2.0]), 0.0, case)
    _compare_mean(answer, np.array([1.0]), np.array([-2.0]), np.array([2.0]), 0.7, "(output bias)")
    rng = np.random.default_rng(2)
    for width in (3, 15):
        w, b, a = rng.normal(size=(3, width))
        _compare_mean(answer, w, b, a, rng.normal(), f"of a network with {width} units")
    return "The mean is exact for each kind of unit and for whole networks."


def _compare_mean(
    answer: Callable[..., Any],
    w: np.ndarray,
    b: np.ndarray,
    a: np.ndarray,
    bias: float,
    what: str,
) -> None:
    nets = LambdaNets(w[None, :, None], b[None], a[None], [bias])
    expected = closed_form_moments(nets, degree=1)[0, -1]
    assert_close(answer(w, b, a, bias), expected, f"The mean {what}", tolerance=1e-8)


@exercise(f"ex-{SLUG}-3")
def refit(answer: Callable[..., Any]) -> str:
    """Compare the polynomials, not the coefficients: a doubled monomial may be split at will."""
    rng = np.random.default_rng(3)
    exponents = monomial_exponents(2, 2)
    gram = gram_matrix(exponents)
    nets = LambdaNets(*(rng.normal(size=s) for s in ((4, 5, 2), (4, 5), (4, 5), (4,))))
    correlations = closed_form_moments(nets, degree=2) @ monomials_in_basis(2, 2).T
    chosen = np.array([[0, 1, 5], [2, 3, 4], [5, 1, 2], [4, 4, 1]])
    what = "one coefficient per term, shape (4, 3)"
    found = expect_array(answer(gram, correlations, chosen), chosen.shape, what)
    for row, (k, c, coef) in enumerate(zip(chosen, correlations, found, strict=True)):
        what = f"The polynomial of network {row}, with monomials {k.tolist()},"
        expected = np.linalg.pinv(gram[np.ix_(k, k)]) @ c[k]
        full = np.linalg.solve(gram, c)[k]
        if len(set(k)) == 3 and np.allclose(coef, full, atol=1e-8):
            raise CheckFailed("These come from the fit of all monomials. Fit the chosen ones only.")
        if np.allclose(coef, c[k]):
            raise CheckFailed("Mean products are no coefficients: monomials are not orthogonal.")
        totals = np.zeros((2, len(exponents)))
        np.add.at(totals[0], k, coef)
        np.add.at(totals[1], k, expected)
        assert_close(totals[0], totals[1], what, tolerance=1e-7)
    return "Four networks agree, one with a monomial that is named twice."
