"""Explainers that ask: a short polynomial from a network's answers on the unit cube.

They share the face of an I-Net, ``explain(lambda_nets)``. An I-Net reads the weights and asks
nothing; these ask each network a few hundred or thousand questions.

Source: Marton, Luedtke and Bartelt (2022), section 4 and Appendix A. Explained in the chapter
*symbolic-regression*.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from numbers import Integral
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import qmc
from sklearn import linear_model
from tqdm import tqdm

from xai_course._validation import check_array, check_choice, check_number, check_whole
from xai_course.inet.lambda_nets import LambdaNets, binary_unit, check_lambda_nets
from xai_course.inet.sparse_regression import best_monomials
from xai_course.polynomials import (
    SparsePolynomial,
    check_sparsity,
    gram_matrix,
    monomial_exponents,
    monomial_values,
)

if TYPE_CHECKING:
    from gplearn.genetic import SymbolicRegressor

_ROUNDING = 1e-12  # of the largest answer: a smaller spread is none

__all__ = [
    "Constant",
    "Evolution",
    "GreedySwaps",
    "LassoRefit",
    "LinearModel",
    "OrthogonalMatchingPursuit",
    "SymbolicRegression",
    "expand_program",
    "query_points",
]


def query_points(
    n_points: int, n_variables: int, seed: int = 0, points: str = "sobol"
) -> np.ndarray:
    """Return points of the unit cube at which to ask a network.

    Parameters
    ----------
    n_points : int
    n_variables : int
    seed : int
    points : {"sobol", "uniform"}
        Scrambled Sobol points, which cover the cube evenly, or independent uniform ones.

    Returns
    -------
    ndarray of float64, shape (n_points, n_variables)
        The first ones do not depend on how many are drawn.

    Raises
    ------
    ValueError
        If a number is too small or `points` is unknown.
    """
    check_whole(n_points, "n_points", 1)
    check_whole(n_variables, "n_variables", 1)
    check_whole(seed, "seed", 0)
    check_choice(points, "points", ("sobol", "uniform"))
    if points == "uniform":
        return np.random.default_rng(seed).random((n_points, n_variables))
    sequence = qmc.Sobol(n_variables, rng=seed)
    return sequence.random_base2(int(n_points - 1).bit_length())[:n_points]


@dataclass(frozen=True, kw_only=True)
class _Baseline:
    """What all have in common: the questions, and one polynomial for each network.

    All networks get the same questions, so an explanation does not depend on the others.
    """

    degree: int = 3
    sparsity: int | None = None
    n_queries: int = 512
    seed: int = 0

    def __post_init__(self) -> None:
        check_whole(self.degree, "degree", 0)
        check_sparsity(self.sparsity, 1)
        check_whole(self.n_queries, "n_queries", 1)
        check_whole(self.seed, "seed", 0)

    def explain(self, lambda_nets: LambdaNets) -> list[SparsePolynomial]:
        """Return one polynomial for each network.

        Parameters
        ----------
        lambda_nets : LambdaNets
            Networks with inputs on the unit cube; `LambdaNets.on_unit_box` brings others there.

        Returns
        -------
        list of SparsePolynomial

        Raises
        ------
        TypeError
            If `lambda_nets` is something else.
        ValueError
            If there is no network, or there are fewer monomials than terms, or fewer queries than
            the fit needs.
        """
        check_lambda_nets(lambda_nets)
        X = query_points(self.n_queries, lambda_nets.n_variables, self.seed)
        answers = lambda_nets.predict(X)
        units = np.array([binary_unit(y) for y in answers])
        pairs = zip(units, self._fit(X, answers / units[:, None]), strict=True)
        return [SparsePolynomial(unit * g.coef, g.exponents) for unit, g in pairs]

    def _fit(self, X: np.ndarray, answers: np.ndarray) -> list[SparsePolynomial]:
        """Return a polynomial for each row of `answers`, shape (N, n_queries)."""
        raise NotImplementedError

    def _candidates(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
        """Return exponents of all monomials, their values, (n_queries, m), and how many to take."""
        exponents = monomial_exponents(X.shape[1], self.degree)
        n_terms = check_sparsity(self.sparsity, X.shape[1], len(exponents))
        _enough(X, n_terms)
        return exponents, monomial_values(X, exponents), n_terms


@dataclass(frozen=True, kw_only=True)
class Constant(_Baseline):
    """The median of the answers: no constant has a lower mean absolute error on them.

    Parameters
    ----------
    degree, sparsity : int, optional
        Not used; there so that every explainer is made alike.
    n_queries : int
        Questions to each network.
    seed : int
    """

    def _fit(self, X: np.ndarray, answers: np.ndarray) -> list[SparsePolynomial]:
        exponents = np.zeros((1, X.shape[1]), dtype=np.int64)
        return [SparsePolynomial([c], exponents) for c in np.median(answers, axis=1)]


@dataclass(frozen=True, kw_only=True)
class LinearModel(_Baseline):
    """Least squares on the variables and a constant, with scikit-learn: n + 1 terms.

    Parameters
    ----------
    degree, sparsity : int, optional
        Not used; there so that every explainer is made alike.
    n_queries : int
        Questions to each network, more than variables.
    seed : int
    """

    def _fit(self, X: np.ndarray, answers: np.ndarray) -> list[SparsePolynomial]:
        exponents = monomial_exponents(X.shape[1], 1)
        _enough(X, len(exponents))
        model = linear_model.LinearRegression().fit(X, answers.T)
        coef = np.column_stack([model.coef_, model.intercept_])
        return [SparsePolynomial(c, exponents) for c in coef]


@dataclass(frozen=True, kw_only=True)
class OrthogonalMatchingPursuit(_Baseline):
    """Add the monomial that correlates most with what is left, s times (scikit-learn).

    Parameters
    ----------
    degree : int
        Degree of the monomials.
    sparsity : int, optional
        Number of terms, the constant counted like any other; as many as variables by default.
    n_queries : int
        Questions to each network.
    seed : int
    unit_norm : bool
        Whether the columns are brought to length 1 first, as the method's theory wants. Without
        it a long column, such as the constant's, is preferred.
    """

    unit_norm: bool = True

    def _fit(self, X: np.ndarray, answers: np.ndarray) -> list[SparsePolynomial]:
        _, values, n_terms = self._candidates(X)
        length = np.linalg.norm(values, axis=0) if self.unit_norm else 1.0
        columns = values / length
        model = linear_model.OrthogonalMatchingPursuit(n_nonzero_coefs=n_terms, fit_intercept=False)
        with warnings.catch_warnings():
            # A network that fewer terms describe exactly ends the pursuit early, and rightly so.
            warnings.filterwarnings("ignore", r"\s*Orthogonal matching pursuit ended")
            coef = [model.fit(columns, y).coef_ / length for y in answers]
        return [SparsePolynomial.from_dense(c, X.shape[1], self.degree) for c in coef]


@dataclass(frozen=True, kw_only=True)
class LassoRefit(_Baseline):
    """The s largest coefficients of a lasso, fitted again by least squares (scikit-learn).

    Parameters
    ----------
    degree : int
        Degree of the monomials.
    sparsity : int, optional
        Number of terms, the constant counted like any other; as many as variables by default.
    n_queries : int
        Questions to each network.
    seed : int
    alpha : float
        Weight of the penalty, for answers divided by their standard deviation.
    """

    alpha: float = 1e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number(self.alpha, "alpha", above=0)

    def _fit(self, X: np.ndarray, answers: np.ndarray) -> list[SparsePolynomial]:
        exponents, values, n_terms = self._candidates(X)
        model = linear_model.Lasso(self.alpha, fit_intercept=False, max_iter=20_000)
        found = np.zeros((len(answers), len(exponents)))
        for k, y in enumerate(answers):
            spread = y.std()
            varies = spread > _ROUNDING * np.abs(y).max()
            coef = model.fit(values, y / spread if varies else y).coef_
            largest = np.sort(np.argsort(-np.abs(coef), kind="stable")[:n_terms])
            found[k, largest] = np.linalg.lstsq(values[:, largest], y, rcond=None)[0]
        return [SparsePolynomial.from_dense(c, X.shape[1], self.degree) for c in found]


@dataclass(frozen=True, kw_only=True)
class GreedySwaps(_Baseline):
    """Orthogonal least squares there and back, then exchanges: `best_monomials`.

    It ends where no single exchange helps. A better set that differs in two monomials stays
    unseen, even where it fits exactly; with ``width=1`` that is common.

    Parameters
    ----------
    degree : int
        Degree of the monomials.
    sparsity : int, optional
        Number of terms, the constant counted like any other; as many as variables by default.
    n_queries : int
        Questions to each network.
    seed : int
    gram : {"sample", "exact"}
        Mean products of the monomials over the queries, so that the fit is least squares on them,
        or over the cube.
    max_swaps : int, optional
        Most exchanges; with 0 and ``width=1`` the choice is greedy.
    width : int
        How many times more monomials the greedy search takes before it drops some again.
    """

    gram: str = "sample"
    max_swaps: int | None = None
    width: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(self.gram, "gram", ("sample", "exact"))
        check_whole(self.width, "width", 1)

    def _fit(self, X: np.ndarray, answers: np.ndarray) -> list[SparsePolynomial]:
        exponents, values, n_terms = self._candidates(X)
        exact = self.gram == "exact"
        gram = gram_matrix(exponents) if exact else values.T @ values / len(values)
        correlations = answers @ values / len(values)
        chosen, coef = best_monomials(gram, correlations, n_terms, self.max_swaps, self.width)
        found = np.zeros((len(answers), len(exponents)))
        np.put_along_axis(found, chosen, coef, axis=1)
        return [SparsePolynomial.from_dense(c, X.shape[1], self.degree) for c in found]


# Genetic programming


@dataclass(frozen=True, eq=False)
class Evolution:
    """What one run of symbolic regression found, and how.

    Parameters
    ----------
    polynomial : SparsePolynomial
        The best program of all generations, expanded.
    program : str
        The same as gplearn writes it.
    errors : ndarray, shape (n_generations,)
        Lowest mean absolute error of each generation.
    stopped : {"no gain", "time", "generations", "exact"}
        What ended the run.
    seconds : float
        Seconds by the clock of the method.
    """

    polynomial: SparsePolynomial
    program: str
    errors: np.ndarray
    stopped: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class SymbolicRegression(_Baseline):
    """Genetic programming with gplearn and the settings of Appendix A.

    Sums, differences and products only, so that every program is a polynomial. Two stopping rules
    stand around gplearn, as in the paper: no gain, and a time limit. The best program of all
    generations is expanded exactly. It can have any degree and any number of terms; only the
    penalty on length and the first generation's depth keep it short.

    Parameters
    ----------
    degree : int, optional
        Not used; there so that every explainer is made alike.
    sparsity : int, optional
        Terms that the first programs may have at most, s: their depth is ``log2(s)``, rounded
        down. As many as variables by default.
    n_queries : int
        Questions to each network.
    seed : int
        Of the queries and of the evolution, which is the same whoever else is explained.
    population_size : int
        Programs in a generation.
    generations : int
        Most generations.
    patience : int
        Stop after so many generations in a row without a lower error.
    time_limit : float
        Seconds for a network, by `clock`. A generation that has begun is finished; with the limit
        reached the result depends on the machine. The paper's limit is 60 minutes.
    parsimony : float
        Penalty on the length of a program, in the choice of parents only.
    progress : bool
        Whether to show a progress bar for each network.
    clock : callable
        What `time_limit` and the seconds are read from, wall-clock time by default.
        ``time.process_time`` counts what this program computes, whatever else the machine does.

    Notes
    -----
    By definition the search depends on the unit of the answers: constants in a first program lie
    between -1 and 1, and `parsimony` is a number of that unit. `explain` divides the answers by a
    power of 1024, so that very small and very large ones are found; `evolve` takes them as they
    are.
    """

    n_queries: int = 5000
    population_size: int = 5000
    generations: int = 100
    patience: int = 10
    time_limit: float = 3600.0
    parsimony: float = 0.001
    progress: bool = True
    clock: Callable[[], float] = field(default=monotonic, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("population_size", "generations", "patience"):
            check_whole(getattr(self, name), name, 1)
        check_number(self.time_limit, "time_limit", above=0)
        check_number(self.parsimony, "parsimony", least=0)

    def _fit(self, X: np.ndarray, answers: np.ndarray) -> list[SparsePolynomial]:
        return [
            self.evolve(X, y, f"network {number} of {len(answers)}").polynomial
            for number, y in enumerate(answers, 1)
        ]

    def evolve(self, X: ArrayLike, y: ArrayLike, name: str = "evolution") -> Evolution:
        """Search a formula for any answers, and tell how the search went.

        Parameters
        ----------
        X : array_like, shape (n, n_variables)
        y : array_like, shape (n,)
        name : str
            Title of the progress bar.

        Returns
        -------
        Evolution

        Raises
        ------
        ValueError
            If X and y differ in length, are empty, or hold NaN or infinite values.
        """
        X, y = check_array(X, "X", 2), check_array(y, "y", 1)
        if len(X) != len(y) or not X.size:
            raise ValueError(f"X and y must have the same rows, got shapes {X.shape}, {y.shape}.")
        start = self.clock()
        search = self._regressor(X.shape[1])
        errors, best = [], None
        generations = range(1, self.generations + 1)
        bar = tqdm(generations, desc=name, unit="gen", disable=not self.progress, ascii=True)
        for generation in bar:
            with warnings.catch_warnings():
                # gplearn 0.4.2, the newest for scikit-learn 1.6, calls a method deprecated there.
                warnings.filterwarnings("ignore", "`BaseEstimator._validate_data`", FutureWarning)
                # One generation more: gplearn's own way to go on from the last population.
                search.set_params(generations=generation).fit(X, y)
            found = search._program
            errors.append(found.raw_fitness_)
            if best is None or found.raw_fitness_ < best.raw_fitness_:
                best, best_at = found, generation
            bar.set_postfix_str(f"error {best.raw_fitness_:.4f}")
            seconds = self.clock() - start
            stopped = self._reason(best.raw_fitness_, generation - best_at, seconds)
            if stopped:
                break
        polynomial = expand_program(best.program, X.shape[1])
        reason = stopped or "generations"
        return Evolution(polynomial, str(best), np.array(errors), reason, seconds)

    def _regressor(self, n_variables: int) -> SymbolicRegressor:
        from gplearn.genetic import SymbolicRegressor

        n_terms = check_sparsity(self.sparsity, n_variables)
        depth = max(1, n_terms.bit_length() - 1)  # log2, rounded down
        return SymbolicRegressor(
            population_size=self.population_size,
            tournament_size=min(20, self.population_size),
            function_set=("add", "sub", "mul"),
            metric="mean absolute error",
            init_depth=(depth, depth),
            parsimony_coefficient=self.parsimony,
            random_state=self.seed,
            warm_start=True,
            low_memory=True,
        )

    def _reason(self, error: float, waited: int, seconds: float) -> str | None:
        """Return why to stop after this generation, or None to go on."""
        if error == 0:
            return "exact"
        if waited >= self.patience:
            return "no gain"
        return "time" if seconds >= self.time_limit else None


def expand_program(program: list[Any], n_variables: int) -> SparsePolynomial:
    """Multiply out a gplearn program of sums, differences and products.

    Parameters
    ----------
    program : list
        Nodes in prefix order, as in ``SymbolicRegressor()._program.program``: functions, variables
        as whole numbers, constants.
    n_variables : int

    Returns
    -------
    SparsePolynomial
        Each monomial once, of any degree, in the order of `monomial_exponents`.

    Raises
    ------
    ValueError
        If the program holds another function, an unknown variable, or is incomplete.
    """
    check_whole(n_variables, "n_variables", 1)
    *variables, one = np.eye(n_variables + 1, n_variables, dtype=np.int64)
    stack: list[SparsePolynomial] = []
    for node in reversed(program):  # from the leaves: a function finds its arguments on the stack
        name = getattr(node, "name", None)
        if name is not None:
            if name not in _OPERATIONS:
                raise ValueError(
                    f"Only {', '.join(_OPERATIONS)} make polynomials, but the program has {name}."
                )
            if len(stack) < 2:
                raise ValueError("The program is incomplete.")
            stack.append(_OPERATIONS[name](stack.pop(), stack.pop()))
        elif isinstance(node, Integral):
            if not 0 <= node < n_variables:
                raise ValueError(f"The program has the variable {node} of {n_variables}.")
            stack.append(SparsePolynomial([1.0], [variables[node]]))
        else:
            stack.append(SparsePolynomial([node], [one]))
    if len(stack) != 1:
        raise ValueError("The program is incomplete.")
    return stack[0].simplified()


def _add(f: SparsePolynomial, g: SparsePolynomial, sign: float = 1.0) -> SparsePolynomial:
    coef = np.concatenate([f.coef, sign * g.coef])
    return SparsePolynomial(coef, np.concatenate([f.exponents, g.exponents])).simplified()


def _multiply(f: SparsePolynomial, g: SparsePolynomial) -> SparsePolynomial:
    exponents = f.exponents[:, None] + g.exponents
    coef = np.outer(f.coef, g.coef).ravel()
    return SparsePolynomial(coef, exponents.reshape(len(coef), f.n_variables)).simplified()


_OPERATIONS = {"add": _add, "sub": partial(_add, sign=-1.0), "mul": _multiply}


def _enough(X: np.ndarray, n_terms: int) -> None:
    if len(X) < n_terms:
        raise ValueError(f"{len(X)} queries are too few to fit {n_terms} terms; raise n_queries.")
