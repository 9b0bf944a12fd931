"""Moments of a network in closed form: its mean products with polynomials, without a question.

A network with one hidden ReLU layer is a sum over its hidden units, and so is each of its moments.
The moment of one unit is a short cosine series whose terms are products of n factors. Monomials
share most of these, so the sums over units and terms are products of small matrices.

Explained in the chapter *interpretation-networks*.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from xai_course._validation import check_whole
from xai_course.inet.lambda_nets import LambdaNets, check_lambda_nets
from xai_course.polynomials import chunks, monomial_exponents, monomial_indices

__all__ = ["closed_form_moments"]

_SMALL = 2.0  # up to here the Bessel functions come from their power series
_SERIES = 14  # terms of it: enough for 16 digits at _SMALL
_IN_CACHE = 64  # makes pieces short enough for a CPU's cache


#: Sums over the units of N networks, amplitude times moments: weights (N, h, n), biases (N, h) and
#: amplitudes (N, h) to shape (N, m). Units bend inside the cube or have the amplitude 0.
BentMoments = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


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

    Units that are zero on the whole cube are left out, those that are positive there are affine,
    and `bent` knows the moments of the others.
    """
    weights, biases, amplitudes, output_biases = lambda_nets.weights().values()
    bends = bent_on_cube(weights, biases)
    positive = ~bends & (_range(weights, biases)[1] > 0)
    found = bent(weights, biases, np.where(bends, amplitudes, 0))
    found += affine_moments(*weighted(weights, biases, np.where(positive, amplitudes, 0)), degree)
    found[:, -1] += output_biases  # the constant is the last basis function
    return found


def weighted(
    weights: np.ndarray, biases: np.ndarray, amplitudes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return weights (N, n) and bias (N,) of the weighted sum of ``w x + b`` over the units."""
    return (amplitudes[:, None] @ weights)[:, 0], (amplitudes * biases).sum(axis=1)


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
    degree: int,
    n_terms: int | None,
    weights: np.ndarray,
    biases: np.ndarray,
    amplitudes: np.ndarray,
) -> np.ndarray:
    """Return the sums of `BentMoments` by the cosine series of `closed_form_moments`."""
    n_variables = weights.shape[2]
    if n_terms is None:
        n_terms = 64 if n_variables <= 2 else 24 if n_variables <= 4 else 12
    # A unit over its length has sum |w_j| = 1 and bends where z - z_min = hinge.
    # One of amplitude 0 may be of any size, and becomes nothing.
    size = np.abs(weights).sum(axis=2)
    length = np.where(amplitudes == 0, np.inf, size)
    scaled, hinge = weights / length[:, :, None], -_range(weights, biases)[0] / length
    heights = amplitudes * size
    exponents = monomial_exponents(n_variables, degree)
    found = np.zeros((len(weights), len(exponents)))
    for part in chunks(len(weights), _IN_CACHE * weights[0].size * n_terms):
        for parity in range(min(degree, 1) + 1):
            k = np.arange(2 - parity, n_terms + 1, 2)
            cosine = (-1.0) ** k - np.cos(np.pi * k * hinge[part, :, None])
            cosine *= 2 * heights[part, :, None] / (np.pi * k) ** 2
            arguments = np.pi / 2 * k * scaled[part].transpose(2, 0, 1)[..., None]
            _add_series(found[part], cosine, arguments, k, degree, parity)
    found *= np.sqrt(2 * exponents + 1).prod(axis=1)
    found[:, -1] += (heights * (1 - hinge) ** 2).sum(axis=1) / 2
    return found


def _add_series(
    found: np.ndarray,
    cosine: np.ndarray,
    arguments: np.ndarray,
    k: np.ndarray,
    degree: int,
    parity: int,
) -> None:
    """Add the sums over units and frequencies k of one parity to its moments, in place.

    `found` has shape (N, m), `cosine` (N, h, k), `arguments` (n, N, h, k).
    """
    factors = _bessel(arguments, degree)  # (degree + 1, n, N, h, k)
    # Every product has the j_0 of most variables. One that is zero may be any small number: it is
    # multiplied by and divided by.
    common = np.where(factors[0] == 0, 1e-30, factors[0])
    cosine = cosine * common.prod(axis=0)
    factors /= common
    factors = factors.reshape(*factors.shape[:3], -1)
    for total in range(parity, degree + 1, 2):
        # The real part of i^(k + |alpha|); both are even or both are odd.
        signed = (cosine * (-1.0) ** ((k + total) // 2)).reshape(len(cosine), 1, -1)
        recipe = _recipe(len(arguments), degree, total)
        if len(recipe.paired):
            first = factors[1].swapaxes(0, 1) * signed
            table = first @ _products(factors, recipe.partners).transpose(1, 2, 0)
            found[:, recipe.paired] += table[:, recipe.variable, recipe.partner]
        whole = _products(factors, recipe.singles)
        found[:, recipe.single] += (signed @ whole.transpose(1, 2, 0))[:, 0]


@dataclass(frozen=True)
class _Recipe:
    """How the sums for the monomials of one degree are made.

    The columns `paired` belong to monomials in which `variable` has the exponent 1. What is left of
    each is number `partner` of `partners`, the exponents of all monomials of one degree less, so
    that one matrix product of variables and partners gives them all. The columns `single` belong to
    the others, whose exponents are `singles`.
    """

    paired: np.ndarray
    variable: np.ndarray
    partner: np.ndarray
    partners: np.ndarray
    single: np.ndarray
    singles: np.ndarray


@lru_cache(maxsize=64)
def _recipe(n_variables: int, degree: int, total: int) -> _Recipe:
    exponents = monomial_exponents(n_variables, degree)
    totals = exponents.sum(axis=1)
    columns, shorter = np.flatnonzero(totals == total), np.flatnonzero(totals == total - 1)
    once = exponents[columns] == 1
    has_one = once.any(axis=1)
    paired, single = columns[has_one], columns[~has_one]
    variable = once[has_one].argmax(axis=1)
    left = exponents[paired] - np.eye(n_variables, dtype=int)[variable]
    partner = np.searchsorted(shorter, monomial_indices(left, degree))
    return _Recipe(paired, variable, partner, exponents[shorter], single, exponents[single])


def _products(factors: np.ndarray, exponents: np.ndarray) -> np.ndarray:
    """Multiply the factors of each monomial over its variables: shape (m', N, units and k)."""
    variables = np.argsort(-exponents, axis=1)  # first those that a monomial has
    powers = np.take_along_axis(exponents, variables, axis=1)
    product = factors[powers[:, 0], variables[:, 0]]
    for j in range(1, (powers > 0).sum(axis=1).max(initial=0)):
        product *= factors[powers[:, j], variables[:, j]]
    return product


def _bessel(t: np.ndarray, degree: int) -> np.ndarray:
    """Return the spherical Bessel functions j_0 to j_degree, shape (degree + 1, *t.shape).

    Near 0 downwards from the power series of the two highest, written for j_p(t) / t^p so that
    nothing is divided by t; elsewhere upwards from sin and cos, which is stable there.
    """
    found = np.empty((degree + 1, t.size))
    far = np.flatnonzero(np.abs(t) >= _SMALL)
    near = t.ravel().copy()
    near[far] = 0
    square = near**2
    above, here = (_scaled_series(square, p) for p in (degree + 1, degree))
    for p in range(degree, -1, -1):
        found[p] = here
        above *= -square
        above += (2 * p + 1) * here
        above, here = here, above
    for p in range(1, degree + 1):
        found[p:] *= near
    large = t.ravel()[far]
    previous, current = np.cos(large) / large, np.sin(large) / large
    for p in range(degree + 1):
        found[p, far] = current
        previous, current = current, (2 * p + 1) / large * current - previous
    return found.reshape(degree + 1, *t.shape)


def _scaled_series(square: np.ndarray, p: int) -> np.ndarray:
    """Return j_p(t) / t^p as a power series in t^2, by Horner's rule."""
    i = np.arange(1, _SERIES)
    ratios = -1 / (2.0 * i * (2 * p + 2 * i + 1))
    coefficients = np.cumprod([1 / np.prod(np.arange(1.0, 2 * p + 2, 2)), *ratios])
    total = np.full_like(square, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total *= square
        total += coefficient
    return total
