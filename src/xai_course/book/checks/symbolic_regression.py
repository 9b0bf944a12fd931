"""Checks of the chapter *symbolic-regression*."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.expect import assert_close, assert_equal, close_to, expect_array, precision
from xai_course.polynomials import gram_matrix, monomial_exponents

SLUG = "symbolic-regression"


@exercise(f"ex-{SLUG}-1")
def cosine_of_twins(answer: Callable[[], float]) -> str:
    """Compare with the exact mean products; name the usual slips."""
    gram = gram_matrix(np.array([[1, 1], [2, 2]]))
    expected = gram[0, 1] / np.sqrt(gram[0, 0] * gram[1, 1])
    found = answer()
    slips = {
        gram[0, 1]: "That is the mean product alone. Divide by the roots of the mean squares.",
        np.sqrt(expected): "That is the cosine in one variable. Here there are two.",
        gram[0, 1] / (gram[0, 0] * gram[1, 1]): "Divide by the roots of the mean squares.",
    }
    for value, message in slips.items():
        if close_to(found, value):
            raise CheckFailed(message)
    assert_close(found, expected, "The cosine")
    return "The cosine is right: 15/16."


@exercise(f"ex-{SLUG}-2")
def n_nodes(answer: Callable[..., int]) -> str:
    """Compare with trees that are built and counted."""
    assert_equal(answer([[2, 1]]), 7, "The nodes of one term of degree 3")
    assert_equal(answer([[0, 0]]), 1, "The nodes of a constant")
    assert_equal(answer([[1, 0], [0, 0]]), 5, "The nodes of a line")
    rng = np.random.default_rng(2)
    for _ in range(20):
        exponents = rng.integers(0, 3, size=(rng.integers(1, 7), 4))
        expected = len(_tree(exponents))
        assert_equal(answer(exponents), expected, f"The nodes for {exponents.tolist()}")
    return "The counts are right in 23 cases."


def _tree(exponents: np.ndarray) -> list[str]:
    """Return the nodes of a sum of products, written out."""
    nodes = ["add"] * (len(exponents) - 1)
    for row in exponents:
        leaves = ["c", *(f"X{j}" for j, e in enumerate(row) for _ in range(e))]
        nodes += leaves + ["mul"] * (len(leaves) - 1)
    return nodes


@exercise(f"ex-{SLUG}-3")
def multiply_out(answer: Callable[..., Any]) -> str:
    """Compare with small programs done by hand, then with values of random ones."""
    for program, expected, what in [
        (0.5, [0.5], "a number"),
        ("x", [0, 1], "the variable"),
        (("add", "x", 2), [2, 1], "x + 2"),
        (("sub", 2, "x"), [2, -1], "2 - x"),
        (("mul", "x", ("mul", "x", 3)), [0, 0, 3], "3 x^2"),
    ]:
        _compare_coefficients(answer(program), expected, what)
    rng = np.random.default_rng(3)
    x = np.linspace(0, 1, 9)
    for _ in range(20):
        program = _random_program(rng, 4)
        coef = _coefficients(answer(program), "the program")
        values = np.polynomial.polynomial.polyval(x, coef)
        tolerance = max(1e-9, precision(coef))
        assert_close(values, _run(program, x), f"The values of {program}", tolerance)
    return "The coefficients are right for 25 programs."


def _compare_coefficients(found: Any, expected: list[float], what: str) -> None:
    coef = _coefficients(found, what)
    short = np.trim_zeros(coef, "b")
    if len(expected) > 1 and np.array_equal(np.trim_zeros(coef, "f"), expected[::-1]):
        raise CheckFailed(f"The coefficients of {what} must begin with the constant.")
    wanted = np.trim_zeros(np.array(expected, dtype=float), "b")
    assert_equal(short, wanted, f"The coefficients of {what}")


def _coefficients(found: Any, what: str) -> np.ndarray:
    n = 1 if np.ndim(found) == 0 else len(found)
    return expect_array(np.atleast_1d(found), (n,), f"a list of coefficients for {what}")


def _random_program(rng: np.random.Generator, depth: int) -> Any:
    if depth == 0 or rng.random() < 0.2:
        return "x" if rng.random() < 0.6 else round(float(rng.uniform(-1, 1)), 2)
    name = ("add", "sub", "mul")[rng.integers(3)]
    return (name, _random_program(rng, depth - 1), _random_program(rng, depth - 1))


def _run(program: Any, x: np.ndarray) -> np.ndarray:
    if isinstance(program, tuple):
        operation = {"add": np.add, "sub": np.subtract, "mul": np.multiply}[program[0]]
        return operation(_run(program[1], x), _run(program[2], x))
    return x if program == "x" else np.full_like(x, program)


@exercise(f"ex-{SLUG}-4")
def exchange_two(answer: Callable[..., Any]) -> str:
    """Compare with all choices that keep enough of the support."""
    exponents = monomial_exponents(2, 3)
    gram = gram_matrix(exponents)
    plane = gram @ np.array([0, 0, 0, 0, 0, 2, 0, 0, -3, 0.5])
    _compare_choice(answer, gram, plane, [5, 6, 7], "on the plane")
    _compare_choice(answer, gram, plane, [0, 1, 2], "on the plane, from three wrong ones")
    _compare_choice(answer, gram, plane, [5, 8, 9], "where the support is right already")
    _compare_choice(answer, gram, plane, [9, 8], "with two terms")
    rng = np.random.default_rng(4)
    for size in (2, 3, 4):
        r = gram @ rng.normal(size=10)
        support = rng.permutation(10)[:size].tolist()
        _compare_choice(answer, gram, r, support, f"in a random case with {size} terms")
    return "The best choice within two exchanges is found in seven cases."


def _compare_choice(
    answer: Callable[..., Any], gram: np.ndarray, r: np.ndarray, support: list[int], where: str
) -> None:
    size = len(support)
    near = [
        list(k) for k in combinations(range(len(r)), size) if len(set(k) & set(support)) >= size - 2
    ]
    best = max(_explained(gram, r, k) for k in near)
    found = answer(lambda k: _explained(gram, r, np.array(k, dtype=int)), len(r), support)
    what = f"{size} different monomials {where}"
    found = expect_array(found, (size,), what).astype(int).tolist()
    if len(set(found)) != size:
        raise CheckFailed(f"Return {what}; got {found}.")
    if len(set(found) & set(support)) < size - 2:
        raise CheckFailed(f"{found} differs from {support} in more than two monomials {where}.")
    if _explained(gram, r, found) < best - 1e-9 * max(abs(best), 1):
        raise CheckFailed(
            f"{found} explains {_explained(gram, r, found):.6f} {where}; within two exchanges "
            f"{best:.6f} can be reached."
        )


def _explained(gram: np.ndarray, r: np.ndarray, support: list[int]) -> float:
    return float(r[support] @ np.linalg.solve(gram[np.ix_(support, support)], r[support]))


@exercise(f"ex-{SLUG}-5")
def error_at(answer: Callable[..., float]) -> str:
    """Compare on rows with skewed values, where mean and median differ."""
    rows = np.array([[0.0], [1.0], [5.0], [30.0]])
    line, above = (lambda X: X[:, 0].copy()), (lambda X: X[:, 0] + 1)
    assert_close(answer(line, line, rows), 0.0, "The error of the network itself")
    values = rows[:, 0]
    by_mean = 1 / np.abs(values - values.mean()).mean()
    expected = 1 / np.abs(values - np.median(values)).mean()
    found = answer(line, above, rows)
    if close_to(found, by_mean):
        raise CheckFailed("The mean is the best constant for squared errors, not absolute ones.")
    if close_to(found, 1.0):
        raise CheckFailed("Divide by the error of the best constant.")
    assert_close(found, expected, "The relative error of a formula that is 1 too high")
    assert_close(answer(line, lambda X: np.full(len(X), 3.0), rows), 1.0, "The median's own error")
    rng = np.random.default_rng(5)
    X = rng.normal(size=(40, 3))
    truth, formula = np.exp(X[:, 0]), X.sum(axis=1)
    expected = np.abs(truth - formula).mean() / np.abs(truth - np.median(truth)).mean()
    found = answer(lambda X: np.exp(X[:, 0]), lambda X: X.sum(axis=1), X)
    assert_close(found, expected, "The relative error at 40 random rows")
    return "The relative error is right, also where mean and median differ."
