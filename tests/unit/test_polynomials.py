"""Sparse polynomials: the paper's enumeration, both representations, exact means."""

import re
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.polynomial.legendre import leggauss
from numpy.testing import assert_allclose, assert_array_equal
from properties import examples

from xai_course.polynomials import (
    SparsePolynomial,
    evaluate_polynomials,
    gram_matrix,
    monomial_exponents,
    monomial_indices,
    monomial_values,
    monomials_in_basis,
    orthonormal_basis,
    sample_polynomials,
)

# Section 3 of the paper: the monomials of a cubic in two variables, in order.
PAPER = [[3, 0], [2, 1], [2, 0], [1, 2], [1, 1], [1, 0], [0, 3], [0, 2], [0, 1], [0, 0]]
# Figure 2: 3 x0^3 + x0 - 5 x0 x1^2 - 3 x1 - 4
FIGURE_2 = SparsePolynomial([3, 1, -5, -3, -4], [[3, 0], [1, 0], [1, 2], [0, 1], [0, 0]])
DENSE = [3, 0, 0, -5, 0, 1, 0, 0, -3, -4]

shapes = st.tuples(st.integers(1, 5), st.integers(0, 4))


def random_polynomial(n_variables, degree, seed, terms=6):
    """Return a polynomial whose monomials may repeat."""
    rng = np.random.default_rng(seed)
    exponents = monomial_exponents(n_variables, degree)
    return SparsePolynomial(
        rng.normal(size=terms), exponents[rng.integers(len(exponents), size=terms)]
    )


def by_hand(g, x):
    """Evaluate term by term."""
    return sum(c * np.prod([v**e for v, e in zip(x, a, strict=True)]) for c, a in terms_of(g))


def terms_of(g):
    return zip(g.coef.tolist(), g.exponents.tolist(), strict=True)


def quadrature(n_variables, n_points=6):
    """Return points and weights of a Gauss rule on the cube, exact up to degree 11 a variable."""
    nodes, weights = leggauss(n_points)
    axes = np.meshgrid(*[(nodes + 1) / 2] * n_variables, indexing="ij")
    parts = np.meshgrid(*[weights / 2] * n_variables, indexing="ij")
    return np.stack(axes, axis=-1).reshape(-1, n_variables), np.prod(parts, axis=0).ravel()


# The enumeration


def test_enumeration_is_the_papers():
    assert monomial_exponents(2, 3).tolist() == PAPER


@pytest.mark.parametrize("n", [1, 2, 5, 10, 15])
@pytest.mark.parametrize("d", [0, 1, 3])
def test_counts(n, d):
    assert len(monomial_exponents(n, d)) == comb(n + d, d)


@given(shape=shapes)
def test_enumeration_is_complete_and_lexicographic(shape):
    n, d = shape
    rows = [tuple(row) for row in monomial_exponents(n, d).tolist()]
    assert rows == sorted(set(rows), reverse=True)
    assert max(map(sum, rows)) == d
    assert len(rows) == comb(n + d, d)


@given(shape=shapes)
def test_indices_undo_the_enumeration(shape):
    exponents = monomial_exponents(*shape)
    assert_array_equal(monomial_indices(exponents, shape[1]), np.arange(len(exponents)))


def test_indices_keep_the_shape_and_follow_the_degree():
    assert monomial_indices([[[1, 0], [0, 0]]], 3).tolist() == [[5, 9]]
    assert monomial_indices([1, 0], 1) == 0


def test_enumeration_can_not_be_written_to():
    with pytest.raises(ValueError, match="read-only"):
        monomial_exponents(2, 3)[0, 0] = 7
    assert monomial_exponents(2, 3).tolist() == PAPER


@pytest.mark.parametrize(
    ("n", "d", "message"),
    [(0, 3, "n_variables"), (2, -1, "degree"), (2.0, 3, "n_variables"), (True, 3, "n_variables")],
)
def test_enumeration_refuses(n, d, message):
    with pytest.raises(ValueError, match=f"{message} must be a whole number"):
        monomial_exponents(n, d)


@pytest.mark.parametrize(
    ("exponents", "message"),
    [
        ([[4, 0]], "has degree 4, but the enumeration ends at 3"),
        ([[-1, 0]], "whole numbers from 0 on"),
        ([[0.5, 0]], "whole numbers from 0 on"),
    ],
)
def test_indices_refuse(exponents, message):
    with pytest.raises(ValueError, match=message):
        monomial_indices(exponents, 3)


# Representations (Figure 2)


def test_figure_2_dense():
    assert FIGURE_2.to_dense().tolist() == DENSE
    back = SparsePolynomial.from_dense(DENSE, 2, 3)
    assert sorted(terms_of(back)) == sorted(terms_of(FIGURE_2))


def test_figure_2_sparse():
    assert FIGURE_2.to_sparse().tolist() == [3, 1, -5, -3, -4, 0, 5, 3, 8, 9]
    back = SparsePolynomial.from_sparse(FIGURE_2.to_sparse(), 2, 3)
    assert list(terms_of(back)) == list(terms_of(FIGURE_2))


@given(shape=shapes, more=st.integers(0, 2), seed=st.integers(0, 2**32 - 1))
def test_representations_keep_the_polynomial(shape, more, seed):
    n, d = shape
    g = random_polynomial(n, d, seed)
    X = np.random.default_rng(seed).random((5, n))
    dense = SparsePolynomial.from_dense(g.to_dense(d + more), n, d + more)
    sparse = SparsePolynomial.from_sparse(g.to_sparse(d + more), n, d + more)
    for other in (dense, sparse, g.simplified()):
        assert_allclose(other(X), g(X), atol=1e-12)


def test_duplicates_add():
    g = SparsePolynomial([1, 2, -3, 0.5], [[1, 0], [1, 0], [1, 0], [0, 1]])
    assert g.to_dense(1).tolist() == [0, 0.5, 0]
    assert list(terms_of(g.simplified())) == [(0.5, [0, 1])]
    assert_allclose(g([[0.3, 0.8]]), [0.4])
    assert len(g) == 4


def test_simplified_is_in_the_order_of_the_enumeration():
    g = SparsePolynomial([1, 2, 3], [[0, 0], [0, 1], [2, 0]]).simplified()
    assert g.exponents.tolist() == [[2, 0], [0, 1], [0, 0]]
    assert g.coef.tolist() == [3, 2, 1]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1, 2, 0], "s coefficients and then s indices"),
        ([1, 10], "from 0 to 9"),
        ([1, -1], "from 0 to 9"),
        ([1, 0.5], "whole numbers"),
        ([np.nan, 1], "finite"),
    ],
)
def test_from_sparse_refuses(values, message):
    with pytest.raises(ValueError, match=message):
        SparsePolynomial.from_sparse(values, 2, 3)


def test_from_dense_refuses_another_length():
    with pytest.raises(ValueError, match=r"make 10 monomials, got 9 coefficient\(s\)"):
        SparsePolynomial.from_dense(np.ones(9), 2, 3)


@pytest.mark.parametrize(
    ("coef", "exponents", "message"),
    [
        ([1, 2], [[1, 0]], "one row per coefficient"),
        ([1], [1], "one row per coefficient"),
        ([np.inf], [[1, 0]], "finite"),
        ([1], [[-1, 0]], "whole numbers"),
        ([1], [[0.0, 1.0]], "whole numbers"),
    ],
)
def test_polynomial_refuses(coef, exponents, message):
    with pytest.raises(ValueError, match=message):
        SparsePolynomial(coef, exponents)


# Text


def test_text():
    assert str(FIGURE_2) == "3 x0^3 + x0 - 5 x0 x1^2 - 3 x1 - 4"
    assert FIGURE_2.to_text(names=["age", "bmi"]).startswith("3 age^3 + age - 5 age bmi^2")
    assert str(SparsePolynomial([-1, 1], [[1, 0], [0, 0]])) == "-x0 + 1"
    assert SparsePolynomial([1 / 3], [[2]]).to_text(digits=2) == "0.33 x0^2"
    assert str(SparsePolynomial([], np.empty((0, 2), int))) == "0"


def test_latex():
    assert FIGURE_2.to_latex() == "3 x_{0}^{3} + x_{0} - 5 x_{0} x_{1}^{2} - 3 x_{1} - 4"


def test_names_must_fit():
    with pytest.raises(ValueError, match=r"2 name\(s\), got 1"):
        FIGURE_2.to_text(names=["x"])


@given(shape=shapes, seed=st.integers(0, 2**32 - 1))
def test_text_says_the_polynomial(shape, seed):
    n, d = shape
    g = random_polynomial(n, d, seed)
    python = re.sub(r"(?<=[\dx]) (?=x)", "*", g.to_text(digits=17)).replace("^", "**")
    x = np.random.default_rng(seed).random(n)
    value = eval(python, {f"x{j}": x[j] for j in range(n)})  # noqa: S307
    assert value == pytest.approx(by_hand(g, x), abs=1e-12)


# Evaluation


@given(shape=shapes, seed=st.integers(0, 2**32 - 1))
def test_values_are_those_by_hand(shape, seed):
    g = random_polynomial(*shape, seed)
    X = np.random.default_rng(seed).uniform(-2, 2, (4, shape[0]))
    X[0] = 0  # 0^0 is 1 here
    assert_allclose(g(X), [by_hand(g, x) for x in X], rtol=1e-10, atol=1e-10)


@given(seed=st.integers(0, 2**32 - 1), own_points=st.booleans())
def test_many_at_once_equal_one_at_a_time(seed, own_points):
    rng = np.random.default_rng(seed)
    polynomials = [random_polynomial(3, 3, seed + k, terms=k) for k in (4, 1, 0, 6)]
    X = rng.random((4, 7, 3) if own_points else (7, 3))
    rows = X if own_points else [X] * 4
    expected = [g(own) for g, own in zip(polynomials, rows, strict=True)]
    assert_allclose(evaluate_polynomials(polynomials, X), expected, atol=1e-12)


def test_many_at_once_in_chunks(monkeypatch):
    monkeypatch.setattr("xai_course.polynomials._CHUNK", 50)
    polynomials = sample_polynomials(9, 3, seed=1)
    X = np.random.default_rng(0).random((11, 3))
    assert_allclose(evaluate_polynomials(polynomials, X), [g(X) for g in polynomials], atol=1e-13)


def test_the_polynomial_zero():
    zero = SparsePolynomial.from_dense(np.zeros(10), 2, 3)
    X = np.ones((3, 2))
    assert len(zero) == 0
    assert zero.degree == 0
    assert zero(X).tolist() == [0, 0, 0]
    assert evaluate_polynomials([zero, FIGURE_2], X).tolist() == [[0] * 3, [-8] * 3]
    assert zero.to_dense(3).tolist() == [0] * 10


def test_no_polynomials():
    assert evaluate_polynomials([], np.ones((3, 2))).shape == (0, 3)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.ones((4, 3)), "does not fit 1 polynomial"),
        (np.ones((2, 4, 2)), "does not fit 1 polynomial"),
        (np.ones(2), "dimension"),
        ([[np.nan, 1]], "finite"),
    ],
)
def test_many_at_once_refuse(X, message):
    with pytest.raises(ValueError, match=message):
        evaluate_polynomials([FIGURE_2], X)


def test_wrong_width_is_named():
    with pytest.raises(ValueError, match=r"X has 3 columns, the monomials 2 variables"):
        FIGURE_2(np.ones((4, 3)))


# Exact means


@pytest.mark.parametrize(("n", "d"), [(1, 5), (2, 4), (3, 3)])
def test_gram_matrix_equals_quadrature(n, d):
    exponents = monomial_exponents(n, d)
    X, weights = quadrature(n)
    values = monomial_values(X, exponents)
    assert_allclose(gram_matrix(exponents), values.T @ (values * weights[:, None]), atol=1e-14)


@pytest.mark.parametrize(("n", "d"), [(1, 5), (2, 3), (5, 3), (10, 2), (3, 0)])
def test_basis_is_orthonormal(n, d):
    basis = orthonormal_basis(n, d)
    gram = basis @ gram_matrix(monomial_exponents(n, d)) @ basis.T
    assert_allclose(gram, np.eye(len(basis)), atol=1e-9)


@pytest.mark.parametrize(("n", "d"), [(1, 5), (2, 3), (5, 3)])
def test_monomials_in_basis_undo_the_basis(n, d):
    basis, back = orthonormal_basis(n, d), monomials_in_basis(n, d)
    assert_allclose(back @ basis, np.eye(len(basis)), atol=1e-10)
    assert_allclose(back @ back.T, gram_matrix(monomial_exponents(n, d)), atol=1e-14)


def test_last_basis_function_is_the_constant():
    assert orthonormal_basis(2, 3)[-1].tolist() == [0] * 9 + [1]
    assert_allclose(orthonormal_basis(1, 1), np.sqrt(3) * np.array([[2, -1], [0, 3**-0.5]]))


# Drawing


@examples(25)
@given(n=st.integers(1, 6), seed=st.integers(0, 2**32 - 1))
def test_drawn_without_replacement_and_within_bounds(n, seed):
    for g in sample_polynomials(5, n, degree=3, seed=seed):
        assert len(g) == n == len(np.unique(g.exponents, axis=0))
        assert (np.abs(g.coef) < 1).all()
        assert g.degree <= 3


def test_every_monomial_can_be_drawn_and_no_more():
    drawn = sample_polynomials(2000, 2, degree=3, sparsity=1, seed=0)
    counts = np.bincount([monomial_indices(g.exponents, 3)[0] for g in drawn], minlength=10)
    assert len(counts) == 10
    # 2,000 draws from ten: five standard deviations around 200
    assert (np.abs(counts - 200) < 5 * np.sqrt(2000 * 0.1 * 0.9)).all()


def test_first_polynomials_do_not_depend_on_how_many_are_drawn():
    few, many = sample_polynomials(3, 5, seed=4), sample_polynomials(8, 5, seed=4)
    for a, b in zip(few, many, strict=False):
        assert_array_equal(a.coef, b.coef)
        assert_array_equal(a.exponents, b.exponents)
    other = sample_polynomials(1, 5, seed=5)[0]
    assert not np.array_equal(other.coef, few[0].coef)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_polynomials": 1, "n_variables": 2, "sparsity": 11}, "There are 10 monomials"),
        ({"n_polynomials": 1, "n_variables": 2, "sparsity": 0}, "sparsity must be"),
        ({"n_polynomials": -1, "n_variables": 2}, "n_polynomials must be"),
        ({"n_polynomials": 1, "n_variables": 0}, "n_variables must be"),
    ],
)
def test_drawing_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        sample_polynomials(**arguments)


def test_points_of_each_polynomial_must_be_as_many_as_the_polynomials():
    three = sample_polynomials(3, 2)
    assert evaluate_polynomials(three, np.ones((3, 4, 2))).shape == (3, 4)
    with pytest.raises(ValueError, match=r"shape \(2, 4, 2\) does not fit 3 polynomial"):
        evaluate_polynomials(three, np.ones((2, 4, 2)))
