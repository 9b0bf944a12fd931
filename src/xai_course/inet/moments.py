"""Moments of a network in closed form: its mean products with polynomials, without a question.

A network with one hidden ReLU layer is a sum over its hidden units, and so is each of its moments.
The moment of one unit is a short cosine series whose terms are products of n factors.

Explained in the chapter *interpretation-networks*.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from xai_course._validation import check_whole
from xai_course.inet.lambda_nets import LambdaNets, check_lambda_nets
from xai_course.polynomials import chunks, monomial_exponents

__all__ = ["closed_form_moments"]

_SMALL = 2.0  # up to here the Bessel functions come from their power series
_SERIES = 14  # terms of it: enough for 16 digits at _SMALL


#: Moments of units that bend inside the cube: weights (k, n) and biases (k,) to shape (k, m).
BentMoments = Callable[[np.ndarray, np.ndarray], np.ndarray]


def closed_form_moments(
    lambda_nets: LambdaNets, degree: int = 3, n_terms: int | None = None
) -> np.ndarray:
    r"""Return the projection of each network on the polynomials, in the orthonormal basis.

    On the cube ``z = w x + b`` lies in an interval of length ``L = sum |w_j|``. There relu is a
    cosine series in ``k pi (z - z_min) / L``, and the mean of such a cosine times a product of
    Legendre polynomials of degrees :math:`\alpha_j` is, up to its sign,

    .. math:: \prod_j \sqrt{2 \alpha_j + 1} \; j_{\alpha_j}\!\left(\frac{k \pi w_j}{2 L}\right)

    with spherical Bessel functions :math:`j_p`, and zero where k and the degree differ in parity.
    A unit that is positive on the whole cube is affine and has two kinds of moments only.

    Parameters
    ----------
    lambda_nets : LambdaNets
        N networks with inputs uniform on the unit cube.
    degree : int
        Degree of the polynomials.
    n_terms : int, optional
        Last frequency of the series. By default 64 up to two variables, 24 up to four and 12
        above: the more variables share a unit, the faster the products fall.

    Returns
    -------
    ndarray of float64, shape (N, m)
        Coordinates in the basis of `orthonormal_basis`.

    Raises
    ------
    TypeError, ValueError
        If these are no networks, or a number is too small.

    Examples
    --------
    >>> from xai_course.networks import PiecewiseLinearNetwork
    >>> network = PiecewiseLinearNetwork([[[1.0]], [[1.0]]], [[0.0], [0.0]])  # x itself
    >>> closed_form_moments(LambdaNets.from_networks([network]), degree=1).round(3)
    array([[0.289, 0.5  ]])
    """
    check_lambda_nets(lambda_nets)
    if n_terms is not None:
        check_whole(n_terms, "n_terms", 1)
    return sum_over_units(lambda_nets, degree, partial(series_moments, degree, n_terms))


def sum_over_units(lambda_nets: LambdaNets, degree: int, bent: BentMoments) -> np.ndarray:
    """Add up ``output weight * moments`` over the hidden units of each network, shape (N, m).

    Units that are zero on the whole cube are left out; the others keep their order.
    """
    weights, biases, amplitudes, output_biases = lambda_nets.weights().values()
    alive = (_range(weights, biases)[1] > 0) & (amplitudes != 0)
    owner = np.nonzero(alive)[0]
    weights, biases, amplitudes = weights[alive], biases[alive], amplitudes[alive]
    found = np.zeros((len(alive), len(monomial_exponents(weights.shape[1], degree))))
    for part in chunks(len(owner), 16 * found.shape[1]):
        values = affine_moments(weights[part], biases[part], degree)
        bends = bent_on_cube(weights[part], biases[part])
        values[bends] = bent(weights[part][bends], biases[part][bends])
        nets, starts = np.unique(owner[part], return_index=True)
        found[nets] += np.add.reduceat(values * amplitudes[part, None], starts, axis=0)
    found[:, -1] += output_biases  # the constant is the last basis function
    return found


def bent_on_cube(weights: np.ndarray, biases: np.ndarray) -> np.ndarray:
    """Return which units are neither zero nor affine on the whole cube."""
    lowest, highest = _range(weights, biases)
    return (lowest < 0) & (highest > 0)


def _range(weights: np.ndarray, biases: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and the largest value of w x + b on the cube."""
    lowest = biases + np.minimum(weights, 0).sum(axis=-1)
    highest = biases + np.maximum(weights, 0).sum(axis=-1)
    return lowest, highest


def affine_moments(weights: np.ndarray, biases: np.ndarray, degree: int) -> np.ndarray:
    """Return the moments of w x + b: its value at the centre, and its slopes."""
    totals = monomial_exponents(weights.shape[1], degree).sum(axis=1)
    found = np.zeros((len(weights), len(totals)))
    found[:, -1] = biases + weights.sum(axis=1) / 2
    if degree:  # the linear functions stand in the order of the variables
        found[:, totals == 1] = weights / np.sqrt(12)
    return found


def series_moments(
    degree: int, n_terms: int | None, weights: np.ndarray, biases: np.ndarray
) -> np.ndarray:
    """Return the moments of bent units by the cosine series of `closed_form_moments`."""
    n_variables = weights.shape[1]
    if n_terms is None:
        n_terms = 64 if n_variables <= 2 else 24 if n_variables <= 4 else 12
    totals = monomial_exponents(n_variables, degree).sum(axis=1)
    k = np.arange(1, n_terms + 1)
    # A unit over its length has sum |w_j| = 1 and bends where z - z_min = hinge.
    length = np.abs(weights).sum(axis=1)
    scaled, hinge = weights / length[:, None], -_range(weights, biases)[0] / length
    found = np.zeros((len(weights), len(totals)))
    found[:, -1] = (1 - hinge) ** 2 / 2
    for part in chunks(len(weights), 48 * len(totals) * (n_terms + 1)):  # fits a CPU's cache
        cosine = 2 * ((-1.0) ** k - np.cos(np.pi * k * hinge[part, None])) / (np.pi * k) ** 2
        for parity in (0, 1):
            columns, terms = totals % 2 == parity, k % 2 == parity
            products = _products(np.pi / 2 * k[terms] * scaled[part].T[:, :, None], degree, parity)
            # The real part of i^(k + |alpha|); both are even or both are odd.
            signs = (-1.0) ** ((k[terms] + totals[columns, None]) // 2)
            found[part, columns] += np.einsum("uk,mk,muk->um", cosine[:, terms], signs, products)
    return found * length[:, None]


def _products(arguments: np.ndarray, degree: int, parity: int) -> np.ndarray:
    """Multiply sqrt(2p + 1) j_p over the variables, for all degrees of one parity.

    `arguments` has shape (n, u, k); the result (m', u, k) keeps the order of the enumeration.
    """
    factors = _bessel(arguments, degree)  # (degree + 1, n, u, k)
    factors *= np.sqrt(2 * np.arange(degree + 1) + 1.0)[:, None, None, None]
    powers = np.arange(degree, -1, -1)
    totals, products = powers, factors[powers, -1]
    for j in range(len(arguments) - 2, -1, -1):
        sums = powers[:, None] + totals
        fits = sums <= degree
        if j == 0:  # the last variable: only degrees of the wanted parity are left to make
            fits &= sums % 2 == parity
        first, rest = np.nonzero(fits)
        products = products[rest] * factors[powers[first], j]
        totals = sums[fits]
    return products[totals % 2 == parity]


def _bessel(t: np.ndarray, degree: int) -> np.ndarray:
    """Return the spherical Bessel functions j_0 to j_degree, shape (degree + 1, *t.shape).

    Upwards from sin and cos where that is stable; near 0 downwards from the power series of the
    two highest, written for j_p(t) / t^p so that nothing is divided by t.
    """
    found = np.empty((degree + 1, *t.shape))
    large = np.where(np.abs(t) < _SMALL, _SMALL, t)
    previous, current = np.cos(large) / large, np.sin(large) / large
    found[0] = current
    for p in range(degree):
        previous, current = current, (2 * p + 1) / large * current - previous
        found[p + 1] = current
    near = np.abs(t) < _SMALL
    small = t[near]
    square = small**2
    above, here = (_scaled_series(square, p) for p in (degree + 1, degree))
    for p in range(degree, -1, -1):
        found[p][near] = here * small**p
        above, here = here, (2 * p + 1) * here - square * above
    return found


def _scaled_series(square: np.ndarray, p: int) -> np.ndarray:
    """Return j_p(t) / t^p as a power series in t^2."""
    term = np.full_like(square, 1 / np.prod(np.arange(1.0, 2 * p + 2, 2)))
    total, step = term.copy(), -square / 2
    for i in range(1, _SERIES):
        term *= step
        term /= i * (2 * p + 2 * i + 1)
        total += term
    return total
