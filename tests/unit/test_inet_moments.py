"""Moments in closed form: against averages over points, and against exact integrals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.polynomial import Polynomial
from numpy.testing import assert_allclose
from properties import examples
from random_networks import random_nets, rescaled
from scipy.special import spherical_jn
from scipy.stats import qmc

from xai_course.inet import LambdaNets, closed_form_moments
from xai_course.inet.moments import _bessel
from xai_course.polynomials import (
    SparsePolynomial,
    monomial_exponents,
    monomial_values,
    orthonormal_basis,
)


def unit_moments(weights, biases, degree=3, n_terms=None):
    """Return the moments of ReLU units, each as a network of its own."""
    ones = np.ones((len(weights), 1))
    nets = LambdaNets(weights[:, None], biases[:, None], ones, 0 * ones[:, 0])
    return closed_form_moments(nets, degree, n_terms)


seeds = st.integers(0, 2**32 - 1)


def sobol_moments(weights, biases, degree, log2=15):
    """Average relu(w x + b) times each basis function over Sobol points."""
    n = weights.shape[1]
    X = qmc.Sobol(n, seed=0).random_base2(log2)
    basis = monomial_values(X, monomial_exponents(n, degree)) @ orthonormal_basis(n, degree).T
    return np.maximum(X @ weights.T + biases, 0).T @ basis / len(X)


def integrated(weight, bias, degree):
    """Integrate relu(weight x + bias) times each basis function over [0, 1], exactly."""
    unit = Polynomial([bias, weight])
    ends = [0.0, 1.0]
    if weight and 0 < -bias / weight < 1:
        hinge = -bias / weight
        ends = [hinge, 1.0] if weight > 0 else [0.0, hinge]
    elif unit(0.5) <= 0:
        return np.zeros(degree + 1)
    found = []
    for row in orthonormal_basis(1, degree):
        integral = (unit * Polynomial(row[::-1])).integ()  # powers fall in the enumeration
        found.append(integral(ends[1]) - integral(ends[0]))
    return np.array(found)


# One variable: nothing but the cut of the series


@given(
    weight=st.floats(-3, 3), hinge=st.floats(-0.3, 1.3), degree=st.integers(0, 5), up=st.booleans()
)
def test_one_variable_equals_exact_integration(weight, hinge, degree, up):
    bias = -weight * hinge if up else weight * hinge
    found = unit_moments(np.array([[weight]]), np.array([bias]), degree)[0]
    assert_allclose(found, integrated(weight, bias, degree), atol=2e-4 * max(1, abs(weight)))


def test_more_terms_come_closer():
    weights, biases = np.array([[2.0]]), np.array([-0.7])
    exact = integrated(2.0, -0.7, 5)
    errors = [
        np.abs(unit_moments(weights, biases, 5, n_terms=k)[0] - exact).max() for k in (8, 64, 512)
    ]
    assert errors[0] > 5 * errors[1] > 25 * errors[2]
    assert errors[2] < 2e-6


@pytest.mark.parametrize(("n", "terms"), [(1, 64), (2, 64), (3, 24), (4, 24), (5, 12), (7, 12)])
def test_the_number_of_terms_if_none_is_given(n, terms):
    nets = random_nets(2, 5, n)
    found = closed_form_moments(nets)
    np.testing.assert_array_equal(found, closed_form_moments(nets, n_terms=terms))
    for other in (terms - 1, terms + 1):
        assert (closed_form_moments(nets, n_terms=other) != found).any()


# Several variables


@pytest.mark.parametrize(("n", "degree"), [(2, 3), (3, 4), (5, 3), (10, 2)])
def test_equals_averages_over_points(n, degree):
    rng = np.random.default_rng(n)
    weights = rng.normal(size=(10, n))
    biases = -(weights @ rng.random(n))  # all hinges run through the cube
    found = unit_moments(weights, biases, degree)
    assert_allclose(found, sobol_moments(weights, biases, degree), atol=5e-3)
    assert np.abs(found).max() > 0.3  # a hundred times the error of the average


@examples(25)
@given(seed=seeds, axis=st.integers(0, 2), parts=st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_a_unit_of_one_variable_has_that_variables_moments(seed, axis, parts):
    rng = np.random.default_rng(seed)
    weight, bias = rng.normal(size=2)
    weights = np.zeros((1, 3))
    weights[0, axis] = weight
    found = unit_moments(weights, np.array([bias]), 3, n_terms=128)[0]
    exponents = monomial_exponents(3, 3)
    own = exponents[:, axis] == exponents.sum(axis=1)
    assert_allclose(found[~own], 0, atol=1e-12)
    assert_allclose(found[own], integrated(weight, bias, 3), atol=3e-4)


# Units without a bend in the cube


def test_dead_units_have_no_moments():
    weights = np.array([[1.0, 1.0], [-1.0, 2.0], [0.0, 0.0], [0.0, 0.0]])
    biases = np.array([-2.5, -3.0, -1.0, 0.0])
    assert_allclose(unit_moments(weights, biases, 3), 0, atol=0)


@pytest.mark.parametrize("corner", [[0, 0], [1, 0], [0, 1], [1, 1]])
@pytest.mark.parametrize("side", [-1, 1])
def test_a_hinge_exactly_on_a_corner(corner, side):
    # zero at the corner; on the cube either positive everywhere else, or zero everywhere
    weights = side * (1.0 - 2.0 * np.array([corner])) * [[1.5, 0.5]]
    biases = -(weights @ np.array(corner, float))
    found = unit_moments(weights, biases, 3)[0]
    assert np.isfinite(found).all()
    if side < 0:
        assert_allclose(found, 0, atol=1e-12)
    else:
        assert_allclose(found, affine_moments(weights[0], biases[0], 3), atol=1e-12)


def affine_moments(weights, bias, degree):
    """Return the coordinates of the polynomial w x + b itself."""
    n = len(weights)
    g = SparsePolynomial([*weights, bias], [*np.eye(n, dtype=int), np.zeros(n, int)])
    return np.linalg.solve(orthonormal_basis(n, degree).T, g.to_dense(degree))


@given(seed=seeds, n=st.integers(1, 4), degree=st.integers(0, 3))
def test_positive_units_are_affine(seed, n, degree):
    weights = np.random.default_rng(seed).normal(size=n)
    bias = np.abs(weights).sum() + 0.1
    found = unit_moments(weights[None], np.array([bias]), degree)[0]
    expected = affine_moments(weights, bias, max(degree, 1))
    linear_or_constant = monomial_exponents(n, max(degree, 1)).sum(axis=1) <= degree
    assert_allclose(found, expected[linear_or_constant], atol=1e-12)


def test_dead_units_of_any_size_change_nothing():
    nets = LambdaNets([[[1e200, 1e200], [1.0, 2.0]]], [[-1e250, -0.5]], [[1.0, 3.0]], [0.5])
    alone = LambdaNets([[[1.0, 2.0]]], [[-0.5]], [[3.0]], [0.5])
    assert_allclose(closed_form_moments(nets), closed_form_moments(alone), atol=1e-14)


def test_constant_units():
    found = unit_moments(np.zeros((1, 3)), np.array([0.75]), 2)[0]
    assert_allclose(found, [0] * 9 + [0.75])


def test_moments_are_continuous_where_a_unit_starts_to_bend():
    weights = np.array([[1.0, -2.0]])
    below, above = (unit_moments(weights, np.array([2.0 + e]), 3) for e in (-1e-6, 1e-6))
    assert_allclose(below, above, atol=1e-5)


# Whole networks


def test_a_network_is_the_sum_of_its_units():
    nets = random_nets(3, 7, 4)
    expected = np.zeros((3, 35))
    for k in range(3):
        units = unit_moments(nets.hidden_weights[k], nets.hidden_biases[k], 3)
        expected[k] = nets.output_weights[k] @ units
    expected[:, -1] += nets.output_biases
    assert_allclose(closed_form_moments(nets), expected, atol=1e-12)


@examples(25)
@given(seed=seeds)
def test_moments_do_not_see_order_scale_or_silent_neurons(seed):
    nets = random_nets(3, 6, 3, seed)
    moments = closed_form_moments(nets)
    silent = LambdaNets(
        np.pad(nets.hidden_weights, ((0, 0), (2, 3), (0, 0))),
        np.pad(nets.hidden_biases, ((0, 0), (2, 3))),
        np.pad(nets.output_weights, ((0, 0), (2, 3))),
        nets.output_biases,
    )
    for other in (nets.permuted(seed), rescaled(nets, seed), nets.canonical(), silent):
        assert_allclose(closed_form_moments(other), moments, atol=1e-9)


def written_out(weights, bias, degree, n_terms):
    """Return the series of one unit that bends, term after term and factor after factor."""
    length = np.abs(weights).sum()
    hinge = -(bias + weights.clip(max=0).sum()) / length
    exponents = monomial_exponents(len(weights), degree)
    found = np.zeros(len(exponents))
    found[-1] = (1 - hinge) ** 2 / 2
    for m, powers in enumerate(exponents):
        for k in range(1, n_terms + 1):
            if (k + powers.sum()) % 2 == 0:
                t = np.pi * k * weights / (2 * length)
                bessel = np.sign(t) ** powers * spherical_jn(powers, np.abs(t))
                product = (np.sqrt(2 * powers + 1) * bessel).prod()
                cosine = 2 * ((-1) ** k - np.cos(np.pi * k * hinge)) / (np.pi * k) ** 2
                found[m] += (-1) ** ((k + powers.sum()) // 2) * cosine * product
    return length * found


@pytest.mark.parametrize(("n", "degree"), [(1, 5), (2, 6), (3, 5), (5, 3), (8, 3)])
def test_equals_the_series_written_out(n, degree):
    rng = np.random.default_rng(n)
    weights = rng.normal(size=(6, n))
    weights[0] = np.eye(n)[0]  # of one variable: j_0 is zero at every second frequency
    weights[1] = (np.arange(n) < 2) / min(n, 2)  # of two: at every fourth
    weights[2, 1:] /= 1e6  # hardly at all of the others
    biases = -(weights @ np.linspace(0.2, 0.9, n))
    expected = [written_out(w, b, degree, 9) for w, b in zip(weights, biases, strict=True)]
    assert_allclose(unit_moments(weights, biases, degree, n_terms=9), expected, atol=1e-13)
    first = [written_out(w, b, degree, 1) for w, b in zip(weights, biases, strict=True)]
    assert_allclose(unit_moments(weights, biases, degree, n_terms=1), first, atol=1e-13)


def test_chunks_give_the_same(monkeypatch):
    nets = random_nets(20, 6, 3)
    expected = closed_form_moments(nets)
    monkeypatch.setattr("xai_course.polynomials._CHUNK", 40)
    assert_allclose(closed_form_moments(nets), expected, atol=1e-13)


def test_a_network_without_a_live_unit_is_its_bias():
    nets = LambdaNets(-np.ones((2, 3, 2)), np.zeros((2, 3)), np.ones((2, 3)), [0.5, -2])
    assert_allclose(closed_form_moments(nets), [[0] * 9 + [0.5], [0] * 9 + [-2]], atol=0)


def test_moments_are_the_best_polynomial():
    nets = random_nets(2, 5, 2, seed=3)
    X = qmc.Sobol(2, seed=1).random_base2(14)
    values = monomial_values(X, monomial_exponents(2, 3))
    fitted = np.linalg.lstsq(values, nets.predict(X).T, rcond=None)[0].T
    found = closed_form_moments(nets) @ orthonormal_basis(2, 3)
    assert_allclose(found @ values.T, fitted @ values.T, atol=5e-3)


@pytest.mark.parametrize(
    ("weights", "biases", "options", "message"),
    [
        (np.ones((1, 2)), np.ones(1), {"n_terms": 0}, "n_terms"),
        (np.ones((1, 2)), np.ones(1), {"degree": -1}, "degree"),
    ],
)
def test_refuses(weights, biases, options, message):
    with pytest.raises(ValueError, match=message):
        unit_moments(weights, biases, **options)


# The Bessel functions


@pytest.mark.parametrize("degree", [0, 1, 3, 6])
def test_bessel_equals_scipy(degree):
    t = np.concatenate([np.linspace(-60, 60, 4001), [0, 1e-300, 1e-8, -1e-3, 2, -2, 1.999999999]])
    for p, found in enumerate(_bessel(t, degree)):
        # j_p is even or odd as p is; scipy wants t from 0 on
        expected = np.where(t < 0, (-1.0) ** p, 1.0) * spherical_jn(p, np.abs(t))
        assert_allclose(found, expected, rtol=1e-9, atol=1e-13)
