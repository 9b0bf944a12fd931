"""The sparse decoder: never worse than greedy, usually the best of all supports."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from properties import examples

from xai_course.inet.sparse_regression import _swap, best_monomials
from xai_course.polynomials import (
    gram_matrix,
    monomial_exponents,
    monomial_indices,
    sample_polynomials,
)

seeds = st.integers(0, 2**32 - 1)


def problems(n_functions, n_variables, degree, seed):
    """Return the Gram matrix and the correlations of random dense polynomials."""
    gram = gram_matrix(monomial_exponents(n_variables, degree))
    dense = np.random.default_rng(seed).normal(size=(n_functions, len(gram)))
    return gram, dense @ gram


def explained(gram, correlations, chosen):
    """Return how much of the mean square the best combination of some monomials explains."""
    target = correlations[chosen]
    return target @ np.linalg.solve(gram[np.ix_(chosen, chosen)], target)


def each(gram, correlations, supports):
    return np.array([explained(gram, c, s) for c, s in zip(correlations, supports, strict=True)])


@examples(25)
@given(seed=seeds, n_terms=st.integers(1, 6))
def test_swaps_never_lose(seed, n_terms):
    gram, correlations = problems(10, 3, 3, seed)
    greedy = best_monomials(gram, correlations, n_terms, max_swaps=0, width=1)[0]
    swapped = best_monomials(gram, correlations, n_terms, width=1)[0]
    gain = each(gram, correlations, swapped) - each(gram, correlations, greedy)
    assert gain.min() > -1e-9


def test_swaps_gain():
    gram, correlations = problems(100, 3, 3, 0)
    greedy = best_monomials(gram, correlations, 4, max_swaps=0, width=1)[0]
    swapped = best_monomials(gram, correlations, 4, width=1)[0]
    gain = each(gram, correlations, swapped) - each(gram, correlations, greedy)
    assert (gain > 1e-6).mean() > 0.3


@pytest.mark.parametrize(("n", "degree", "n_terms"), [(2, 3, 2), (2, 3, 3), (3, 2, 3)])
def test_against_all_supports(n, degree, n_terms):
    gram, correlations = problems(60, n, degree, 1)
    supports = [list(s) for s in combinations(range(len(gram)), n_terms)]
    best = np.array([max(explained(gram, c, s) for s in supports) for c in correlations])
    found = each(gram, correlations, best_monomials(gram, correlations, n_terms)[0])
    assert (found <= best * (1 + 1e-9)).all()
    assert (found >= best * (1 - 1e-9)).mean() > 0.7


def test_one_term_is_always_the_best():
    gram, correlations = problems(50, 3, 3, 2)
    chosen = best_monomials(gram, correlations, 1)[0][:, 0]
    assert_array_equal(chosen, (correlations**2 / np.diag(gram)).argmax(axis=1))


@pytest.mark.parametrize(("n", "n_terms"), [(2, 2), (3, 3), (5, 3)])
def test_exact_sparse_polynomials_are_recovered(n, n_terms):
    exponents = monomial_exponents(n, 3)
    gram = gram_matrix(exponents)
    targets = sample_polynomials(60, n, sparsity=n_terms, seed=n)
    dense = np.array([g.to_dense(3) for g in targets])
    chosen, coef = best_monomials(gram, dense @ gram, n_terms)
    right = 0
    for k, g in enumerate(targets):
        own = g.simplified()
        index = monomial_indices(own.exponents, 3)
        if set(index) == set(chosen[k]):
            right += 1
            assert_allclose(coef[k], own.coef, atol=1e-6)
    assert right > 0.8 * len(targets)  # the search is greedy: a few end beside the target


@given(seed=seeds)
def test_coefficients_are_least_squares(seed):
    gram, correlations = problems(4, 2, 3, seed)
    chosen, coef = best_monomials(gram, correlations, 3)
    for k in range(4):
        left = gram[np.ix_(chosen[k], chosen[k])] @ coef[k]
        assert_allclose(left, correlations[k, chosen[k]], atol=1e-8)


def test_all_monomials_give_the_polynomial_back():
    gram = gram_matrix(monomial_exponents(2, 2))
    dense = np.array([[1.0, -2, 3, 0.5, 0, -1]])
    chosen, coef = best_monomials(gram, dense @ gram, 6)
    assert chosen.tolist() == [list(range(6))]
    assert_allclose(coef, dense, atol=1e-8)


def test_order_is_the_enumerations_and_no_monomial_twice():
    chosen, _ = best_monomials(*problems(50, 3, 3, 4), 5)
    assert (np.diff(chosen, axis=1) > 0).all()


@pytest.mark.parametrize("chunk", [2**22, 200])
def test_a_batch_equals_one_at_a_time(monkeypatch, chunk):
    gram, correlations = problems(15, 3, 3, 5)
    alone = [best_monomials(gram, c[None], 4) for c in correlations]
    monkeypatch.setattr("xai_course.polynomials._CHUNK", chunk)
    chosen, coef = best_monomials(gram, correlations, 4)
    assert_array_equal(chosen, np.concatenate([a for a, _ in alone]))
    assert_allclose(coef, np.concatenate([b for _, b in alone]), rtol=1e-8, atol=1e-10)


def test_scale_of_the_function_does_not_matter():
    gram, correlations = problems(20, 3, 3, 6)
    chosen, coef = best_monomials(gram, correlations, 4)
    for factor in (1e-6, 1e6):
        other, scaled = best_monomials(gram, factor * correlations, 4)
        assert_array_equal(other, chosen)
        assert_allclose(scaled, factor * coef, rtol=1e-6)


def test_dependent_monomials_are_not_taken_together():
    base = gram_matrix(monomial_exponents(2, 1))
    twice = np.ix_([0, 0, 1, 2], [0, 0, 1, 2])  # the first monomial stands there two times
    gram = base[twice]
    correlations = np.array([[1.0, 1.0, 0.3, 0.2]])
    chosen, coef = best_monomials(gram, correlations, 3)
    assert not {0, 1} <= set(chosen[0])
    assert np.isfinite(coef).all()


def test_the_zero_function():
    gram = gram_matrix(monomial_exponents(2, 2))
    _, coef = best_monomials(gram, np.zeros((2, 6)), 3)
    assert_allclose(coef, 0)


def test_no_functions():
    gram = gram_matrix(monomial_exponents(2, 2))
    chosen, coef = best_monomials(gram, np.zeros((0, 6)), 3)
    assert chosen.shape == coef.shape == (0, 3)


@pytest.mark.parametrize(
    ("gram", "correlations", "n_terms", "options", "message"),
    [
        (np.ones((3, 2)), np.ones((1, 2)), 1, {}, "gram must be square"),
        (np.eye(3), np.ones((1, 2)), 1, {}, "one column per column"),
        (np.eye(3), np.ones(3), 1, {}, "correlations must have 2 dimension"),
        (np.eye(3), [[1, np.nan, 1]], 1, {}, "correlations must be finite"),
        (np.eye(3), np.ones((1, 3)), 4, {}, "There are 3 monomials, too few for 4 terms"),
        (np.eye(3), np.ones((1, 3)), 0, {}, "n_terms must be a whole number"),
        (np.ones((3, 3)), np.ones((1, 3)), 2, {}, "After 1 monomials .* too few for 2 terms"),
        (np.diag([1.0, 0, 1]), np.ones((1, 3)), 1, {}, "Monomial 1 has no length"),
        (np.diag([1.0, 1, -1]), np.ones((1, 3)), 1, {}, "Monomial 2 has no length"),
        (np.eye(3), np.ones((1, 3)), 1, {"max_swaps": -1}, "max_swaps must be a whole number"),
    ],
)
def test_refuses(gram, correlations, n_terms, options, message):
    with pytest.raises(ValueError, match=message):
        best_monomials(gram, correlations, n_terms, **options)


def test_a_wider_first_search_finds_more_sparse_polynomials():
    gram = gram_matrix(monomial_exponents(5, 3))
    dense = np.array([g.to_dense(3) for g in sample_polynomials(100, 5, seed=8)])
    found = {}
    for width in (1, 2):
        chosen, _ = best_monomials(gram, dense @ gram, 5, width=width)
        truth = [np.flatnonzero(row).tolist() for row in dense]
        found[width] = np.mean([c.tolist() == t for c, t in zip(chosen, truth, strict=True)])
    assert found[2] > found[1] + 0.1


@pytest.mark.parametrize(("gain", "swapped"), [(1e-6, True), (1e-9, True), (1e-12, False)])
@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
def test_the_least_gain_is_a_share_of_what_is_explained(gain, swapped, unit):
    # Two monomials of length 1; the second explains a little more than the chosen first.
    correlations = unit * np.array([[1.0, np.sqrt(1 + gain)]])
    chosen = np.array([[0]])
    _swap(np.eye(2), correlations, chosen, 3)
    assert chosen.tolist() == [[int(swapped)]]


@pytest.mark.parametrize("sine", [1e-4, 1e-5])
def test_a_monomial_nearly_along_the_chosen_ones_adds_nothing(sine):
    # The second monomial is the first, turned by a small angle; the third is independent.
    gram = np.array([[1, np.sqrt(1 - sine**2), 0], [np.sqrt(1 - sine**2), 1, 0], [0, 0, 1]])
    chosen, _ = best_monomials(gram, np.array([[1.0, 0.5, 0.1]]), 2, max_swaps=0, width=1)
    assert (chosen[0].tolist() == [0, 1]) == (sine == 1e-4)
