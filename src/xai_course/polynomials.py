"""Sparse polynomials on the unit cube: the language in which an I-Net explains.

Source: Marton, Luedtke and Bartelt (2022), sections 3 and 4.1. Explained in the chapters
*networks-as-data* and *symbolic-regression*, the second for the Gram matrix and the basis.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import combinations_with_replacement
from math import comb

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from xai_course._validation import check_array, check_whole

__all__ = [
    "SparsePolynomial",
    "evaluate_polynomials",
    "gram_matrix",
    "monomial_exponents",
    "monomial_indices",
    "monomial_values",
    "monomials_in_basis",
    "orthonormal_basis",
    "sample_polynomials",
]

_CHUNK = 2**22  # numbers in one temporary array


def monomial_exponents(n_variables: int, degree: int) -> np.ndarray:
    """Enumerate all monomials up to a degree, in the order of the paper's section 3.

    The exponent of the first variable falls from `degree` to 0; within it that of the second, and
    so on. The constant comes last.

    Parameters
    ----------
    n_variables : int
        Number of variables, n.
    degree : int
        Largest sum of exponents, d.

    Returns
    -------
    ndarray of int64, shape (C(n + d, d), n)
        One row of exponents per monomial; read-only.

    Raises
    ------
    ValueError
        If `n_variables` is below 1 or `degree` below 0.

    Examples
    --------
    >>> monomial_exponents(2, 1).tolist()
    [[1, 0], [0, 1], [0, 0]]
    """
    check_whole(n_variables, "n_variables", 1)
    check_whole(degree, "degree", 0)
    return _exponents(int(n_variables), int(degree))


@lru_cache(maxsize=32)
def _exponents(n_variables: int, degree: int) -> np.ndarray:
    # A monomial is a product of `degree` factors, of which the last kind, number n, is a 1.
    factors = list(combinations_with_replacement(range(n_variables + 1), degree))
    found = (np.array(factors)[:, :, None] == np.arange(n_variables)).sum(axis=1)
    found.flags.writeable = False
    return found


def monomial_indices(exponents: ArrayLike, degree: int) -> np.ndarray:
    """Return where monomials stand in the enumeration of `monomial_exponents`.

    Parameters
    ----------
    exponents : array_like of int, shape (..., n_variables)
    degree : int
        Degree of the enumeration.

    Returns
    -------
    ndarray of int64, shape (...)

    Raises
    ------
    ValueError
        If a monomial has a higher degree.
    """
    exponents = _check_exponents(exponents)
    highest = exponents.sum(axis=-1).max(initial=0)
    if highest > degree:
        raise ValueError(f"A monomial has degree {highest}, but the enumeration ends at {degree}.")
    # A monomial comes after all those that agree in the first variables and have a higher exponent
    # in the next: if k variables are still to come, that one included, and `left` degrees are left
    # after it, these are C(k + left - 1, k).
    left = degree - exponents.cumsum(axis=-1)
    still = range(exponents.shape[-1], 0, -1)
    table = np.array([[comb(k + free - 1, k) for free in range(degree + 1)] for k in still])
    return table[np.arange(len(still)), left].sum(axis=-1)


def monomial_values(X: ArrayLike, exponents: np.ndarray) -> np.ndarray:
    """Evaluate monomials at points.

    Parameters
    ----------
    X : array_like, shape (n, n_variables)
    exponents : ndarray of int, shape (m, n_variables)

    Returns
    -------
    ndarray of float64, shape (n, m)
    """
    X = check_array(X, "X", 2)
    columns = monomial_factors(_check_exponents(exponents, X.shape[1]))
    extended = np.column_stack([X, np.ones(len(X))])
    values = np.ones((len(X), len(columns)))
    for column in columns.T:
        values *= extended[:, column]
    return values


def gram_matrix(exponents: np.ndarray) -> np.ndarray:
    """Return the exact mean products of monomials under the uniform distribution on the cube.

    The mean of x^a x^b over [0, 1] is 1 / (a + b + 1), and variables are independent.

    Parameters
    ----------
    exponents : ndarray of int, shape (m, n_variables)

    Returns
    -------
    ndarray of float64, shape (m, m)

    Examples
    --------
    >>> gram_matrix(monomial_exponents(1, 2)).round(3)
    array([[0.2  , 0.25 , 0.333],
           [0.25 , 0.333, 0.5  ],
           [0.333, 0.5  , 1.   ]])
    """
    exponents = _check_exponents(exponents)
    product = np.ones((len(exponents), len(exponents)))
    for column in exponents.T:
        product /= column[:, None] + column + 1.0
    return product


def orthonormal_basis(n_variables: int, degree: int) -> np.ndarray:
    """Return products of Legendre polynomials, orthonormal under U(0, 1)^n, as monomials.

    Basis function k has the exponents of monomial k as its degrees: the shifted Legendre
    polynomials of these degrees, multiplied and scaled to mean square 1.

    Parameters
    ----------
    n_variables, degree : int

    Returns
    -------
    ndarray of float64, shape (m, m)
        Row k holds the coefficients of basis function k in the enumeration of
        `monomial_exponents`. Its inverse transposed turns monomial coefficients into
        coordinates; ``basis @ gram_matrix(exponents) @ basis.T`` is the identity.
    """
    return _product(monomial_exponents(n_variables, degree), _legendre(degree))


def monomials_in_basis(n_variables: int, degree: int) -> np.ndarray:
    """Return the coordinates of all monomials in the orthonormal basis, one monomial a row.

    The inverse of `orthonormal_basis`, taken in one variable, where it is well conditioned.
    """
    exponents = monomial_exponents(n_variables, degree)
    return _product(exponents, np.linalg.inv(_legendre(degree)))


def _legendre(degree: int) -> np.ndarray:
    """Return shifted Legendre polynomials, mean square 1 on [0, 1]; column k belongs to x^k."""
    p, k = np.ogrid[: degree + 1, : degree + 1]
    return np.sqrt(2 * p + 1) * (-1.0) ** (p + k) * special.comb(p, k) * special.comb(p + k, k)


def _product(exponents: np.ndarray, in_one_variable: np.ndarray) -> np.ndarray:
    product = np.ones((len(exponents), len(exponents)))
    for column in exponents.T:
        product *= in_one_variable[column[:, None], column]
    return product


def monomial_factors(exponents: np.ndarray) -> np.ndarray:
    """Write monomials as products of variables, padded with the number n for the factor 1.

    A monomial of degree 3 has three factors, however many variables there are.
    """
    totals, n_variables = exponents.sum(axis=-1), exponents.shape[-1]
    factors = np.full((*totals.shape, totals.max(initial=0)), n_variables)
    variables = np.broadcast_to(np.arange(n_variables), exponents.shape)
    is_factor = np.arange(factors.shape[-1]) < totals[..., None]
    factors[is_factor] = np.repeat(variables, exponents.ravel())
    return factors


def _check_exponents(exponents: ArrayLike, n_variables: int | None = None) -> np.ndarray:
    array = np.asarray(exponents)
    if array.dtype.kind not in "iu" or array.ndim < 1 or array.min(initial=0) < 0:
        raise ValueError("exponents must be whole numbers from 0 on.")
    if n_variables is not None and array.shape[-1] != n_variables:
        raise ValueError(f"X has {n_variables} columns, the monomials {array.shape[-1]} variables.")
    return array


@dataclass(frozen=True, eq=False)
class SparsePolynomial:
    """A sum of a few monomials.

    Explained in the chapter *networks-as-data*.

    Parameters
    ----------
    coef : array_like, shape (s,)
        Coefficients.
    exponents : array_like of int, shape (s, n_variables)
        Exponents of every monomial. A monomial may occur twice; its coefficients add up.

    Raises
    ------
    ValueError
        If the shapes do not fit, or a coefficient is NaN or infinite.

    Examples
    --------
    >>> g = SparsePolynomial([3.0, -4.0], [[3, 0], [0, 0]])
    >>> g([[1.0, 5.0], [0.5, 5.0]]).tolist()
    [-1.0, -3.625]
    >>> print(g)
    3 x0^3 - 4
    """

    coef: np.ndarray
    exponents: np.ndarray

    def __post_init__(self) -> None:
        coef = check_array(self.coef, "coef", 1)
        exponents = _check_exponents(self.exponents).astype(np.int64)
        if exponents.ndim != 2 or len(exponents) != len(coef):
            raise ValueError(
                f"exponents must have one row per coefficient, {len(coef)}, got {exponents.shape}."
            )
        for name, array in (("coef", coef), ("exponents", exponents)):
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    def __reduce__(self) -> tuple:
        """Make a copy by a new call: NumPy forgets in a pickle that an array is read-only."""
        return type(self), tuple(getattr(self, field.name) for field in fields(self))

    @property
    def n_variables(self) -> int:
        """Number of variables."""
        return self.exponents.shape[1]

    @property
    def degree(self) -> int:
        """Largest sum of exponents."""
        return int(self.exponents.sum(axis=1).max(initial=0))

    def __len__(self) -> int:
        """Return the number of terms."""
        return len(self.coef)

    def __call__(self, X: ArrayLike) -> np.ndarray:
        """Return the values at points: shape (n, n_variables) gives shape (n,)."""
        return monomial_values(X, self.exponents) @ self.coef

    def to_dense(self, degree: int | None = None) -> np.ndarray:
        """Return one coefficient for every monomial of the enumeration (Figure 2a).

        Parameters
        ----------
        degree : int, optional
            Degree of the enumeration; the polynomial's own if not given.

        Returns
        -------
        ndarray, shape (C(n_variables + degree, degree),)
        """
        degree = self.degree if degree is None else degree
        dense = np.zeros(comb(self.n_variables + degree, degree))
        np.add.at(dense, monomial_indices(self.exponents, degree), self.coef)
        return dense

    @classmethod
    def from_dense(cls, coefficients: ArrayLike, n_variables: int, degree: int) -> SparsePolynomial:
        """Keep the monomials whose coefficient is not zero."""
        dense = check_array(coefficients, "coefficients", 1)
        exponents = monomial_exponents(n_variables, degree)
        if len(dense) != len(exponents):
            raise ValueError(
                f"{n_variables} variable(s) and degree {degree} make {len(exponents)} monomials, "
                f"got {len(dense)} coefficient(s)."
            )
        kept = np.flatnonzero(dense)
        return cls(dense[kept], exponents[kept])

    def to_sparse(self, degree: int | None = None) -> np.ndarray:
        """Return the coefficients, then the index of each monomial (Figure 2b): shape (2 s,)."""
        degree = self.degree if degree is None else degree
        return np.concatenate([self.coef, monomial_indices(self.exponents, degree)])

    @classmethod
    def from_sparse(cls, representation: ArrayLike, n_variables: int, degree: int):
        """Read what `to_sparse` wrote."""
        values = check_array(representation, "representation", 1)
        n_terms = len(values) // 2
        coef, index = values[:n_terms], values[n_terms:]
        exponents = monomial_exponents(n_variables, degree)
        if len(values) % 2 or not np.isin(index, np.arange(len(exponents))).all():
            raise ValueError(
                "A sparse representation holds s coefficients and then s indices, whole numbers "
                f"from 0 to {len(exponents) - 1}."
            )
        return cls(coef, exponents[index.astype(int)])

    def simplified(self) -> SparsePolynomial:
        """Return the same polynomial with each monomial once, in the order of the enumeration."""
        exponents, group = np.unique(self.exponents, axis=0, return_inverse=True)
        coef = np.bincount(group, self.coef, minlength=len(exponents))
        kept = np.flatnonzero(coef)[::-1]  # the enumeration falls, and `unique` rises
        return SparsePolynomial(coef[kept], exponents[kept])

    def to_text(self, digits: int = 3, names: Sequence[str] | None = None) -> str:
        """Return the polynomial as plain text, coefficients with `digits` significant digits."""
        return self._written(digits, names, "x{}", "^{}")

    def to_latex(self, digits: int = 3, names: Sequence[str] | None = None) -> str:
        r"""Return the polynomial for a formula: ``0.5 x_{0}^{2} x_{1}``, without dollar signs."""
        return self._written(digits, names, "x_{{{}}}", "^{{{}}}")

    def _written(self, digits: int, names: Sequence[str] | None, symbol: str, power: str) -> str:
        if names is None:
            names = [symbol.format(j) for j in range(self.n_variables)]
        elif len(names) != self.n_variables:
            raise ValueError(f"names must hold {self.n_variables} name(s), got {len(names)}.")

        def term(c: float, exponents: np.ndarray) -> str:
            powers = zip(names, exponents, strict=True)
            factors = [name + (power.format(e) if e > 1 else "") for name, e in powers if e]
            size = f"{abs(c):.{digits}g}"
            if size != "1" or not factors:
                factors.insert(0, size)
            return ("-" if c < 0 else "") + " ".join(factors)

        return " + ".join(map(term, self.coef, self.exponents)).replace("+ -", "- ") or "0"

    def __str__(self) -> str:
        """Return `to_text` with three digits."""
        return self.to_text()


def sample_polynomials(
    n_polynomials: int,
    n_variables: int,
    degree: int = 3,
    sparsity: int | None = None,
    seed: int = 0,
) -> list[SparsePolynomial]:
    """Draw target functions as Algorithm 1 does, lines 3 and 4.

    Coefficients are uniform on (-1, 1); the monomials are drawn without replacement. The paper's
    urn holds one number too many, C(n + d, d) + 1; here it holds one for each monomial.

    Parameters
    ----------
    n_polynomials : int
    n_variables, degree : int
    sparsity : int, optional
        Number of terms; as many as variables if not given, as in Table 1.
    seed : int

    Returns
    -------
    list of SparsePolynomial
        The first ones do not depend on how many are drawn.

    Raises
    ------
    ValueError
        If there are fewer monomials than terms.
    """
    exponents = monomial_exponents(n_variables, degree)
    sparsity = check_sparsity(sparsity, n_variables, len(exponents))
    check_whole(n_polynomials, "n_polynomials", 0)
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n_polynomials):
        coef = rng.uniform(-1, 1, sparsity)
        chosen = rng.choice(len(exponents), sparsity, replace=False)
        found.append(SparsePolynomial(coef, exponents[chosen]))
    return found


def evaluate_polynomials(polynomials: Sequence[SparsePolynomial], X: ArrayLike) -> np.ndarray:
    """Evaluate many polynomials at once.

    Parameters
    ----------
    polynomials : sequence of SparsePolynomial
        All in the same variables; the number of terms may differ.
    X : array_like, shape (n, n_variables) or (n_polynomials, n, n_variables)
        Points for all, or for each its own.

    Returns
    -------
    ndarray of float64, shape (n_polynomials, n)

    Examples
    --------
    >>> square = SparsePolynomial([1.0], [[2]])
    >>> evaluate_polynomials([square], [[0.5], [1.0]])
    array([[0.25, 1.  ]])
    """
    X = check_points(X, "polynomial(s)", len(polynomials), {g.n_variables for g in polynomials})
    return evaluate(*stacked(polynomials), X) if polynomials else np.empty((0, X.shape[-2]))


def evaluate(coef: np.ndarray, exponents: np.ndarray, X: np.ndarray) -> np.ndarray:
    """Evaluate polynomials that are given as arrays, (N, s) and (N, s, n): see `stacked`."""
    factors = monomial_factors(exponents)
    extended = np.concatenate([X, np.ones((*X.shape[:-1], 1))], axis=-1)
    columns = np.moveaxis(extended, -1, -2)  # variables before points: rows are contiguous
    own = np.arange(len(coef))[:, None]
    values = np.empty((len(coef), X.shape[-2]))
    for part in chunks(len(coef), X.shape[-2] * coef.shape[1]):
        terms = np.repeat(coef[part, :, None], X.shape[-2], axis=2)
        for variable in np.moveaxis(factors[part], -1, 0):
            terms *= columns[variable] if X.ndim == 2 else columns[own[part], variable]
        values[part] = terms.sum(axis=1)
    return values


def check_sparsity(sparsity: int | None, n_variables: int, n_monomials: int | None = None) -> int:
    """Return the number of terms: as many as variables if not given, as in Table 1.

    Raises
    ------
    ValueError
        If it is no whole number from 1 on, or there are fewer monomials.
    """
    n_terms = check_whole(n_variables if sparsity is None else sparsity, "sparsity", 1)
    if n_monomials is not None and n_terms > n_monomials:
        raise ValueError(f"There are {n_monomials} monomials, too few for {n_terms} terms.")
    return n_terms


def chunks(n_items: int, numbers_each: int) -> Iterator[slice]:
    """Give the items in slices so short that a temporary array of them stays small."""
    at_once = max(1, _CHUNK // max(1, numbers_each))
    return (slice(first, first + at_once) for first in range(0, n_items, at_once))


def check_points(X: ArrayLike, what: str, number: int, widths: set[int]) -> np.ndarray:
    """Return points for all functions, (n, n_variables), or for each, (number, n, n_variables).

    Raises
    ------
    ValueError
        If the functions have other numbers of variables, or are not as many.
    """
    X = np.asarray(X)
    X = check_array(X, "X", 3 if X.ndim == 3 else 2)
    if not widths <= {X.shape[-1]} or (X.ndim == 3 and len(X) != number):
        raise ValueError(
            f"X of shape {X.shape} does not fit {number} {what} in "
            f"{', '.join(map(str, sorted(widths)))} variable(s)."
        )
    return X


def stacked(polynomials: Sequence[SparsePolynomial]) -> tuple[np.ndarray, np.ndarray]:
    """Return coefficients (N, s) and exponents (N, s, n); shorter ones get terms 0 at the end."""
    most = max(len(g) for g in polynomials)
    coef = np.zeros((len(polynomials), most))
    exponents = np.zeros((len(polynomials), most, polynomials[0].n_variables), dtype=np.int64)
    for k, g in enumerate(polynomials):
        coef[k, : len(g)], exponents[k, : len(g)] = g.coef, g.exponents
    return coef, exponents
