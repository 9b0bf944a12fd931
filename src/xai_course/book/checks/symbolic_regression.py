"""Checks of the chapter *symbolic-regression*."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator
from xai_course.book.expect import (
    assert_close,
    assert_equal,
    close_to,
    expect_array,
    expect_number,
    expect_parts,
)
from xai_course.polynomials import gram_matrix, monomial_exponents

SLUG = "symbolic-regression"


def _hump(m: int = 0, k: int = 1) -> tuple[np.ndarray, np.ndarray, float]:
    """Return mean products of 1, x, x^2, and of f = k x - k x^2 - m with them and with itself."""
    gram, coef = gram_matrix(np.arange(3)[:, None]), np.array([-m, k, -k])
    return gram, gram @ coef, coef @ gram @ coef


def _greedy(**numbers: int) -> tuple[int, int, float, float]:
    (gram, r, square), order = _hump(**numbers), []
    for _ in range(2):
        order.append(int(_best_next(gram, r, order)))
    return *order, *(float(_explained(gram, r, order[:n]) / square) for n in (1, 2))


def _draw_hump(rng: np.random.Generator) -> dict[str, int]:
    m = int(rng.integers(2, 4))
    # Between 4 m and 7 m the mean is so small that x^2 comes first. Of 3 m the shares are the
    # text's, and of 8 m they happen to add up.
    allowed = {*range(m + 1, 4 * m + 1), *range(7 * m, 9 * m + 1)} - {3 * m, 8 * m}
    return {"m": m, "k": int(rng.choice(sorted(allowed)))}


@exercise(
    f"ex-{SLUG}-1",
    draw=_draw_hump,
    question="f(x) = {k} x - {k} x^2 - {m}.",
    right=_greedy,
)
def greedy_by_hand(answer: Callable[[], Any], **numbers: int) -> str:
    """Compare with the greedy search on exact mean products; name the usual slips."""
    gram, r, square = _hump(**numbers)
    *order, one, both = _greedy(**numbers)
    first, second, after_one, after_two = expect_parts(
        answer(), 4, "four numbers: two powers and two shares"
    )
    if close_to(first, 1):
        raise CheckFailed("Another monomial explains more than x: compare all three.")
    assert_equal(first, order[0], "The power of the first monomial")
    if close_to(second, 1):
        raise CheckFailed("Beside the constant, x explains nothing: the hump is symmetric.")
    assert_equal(second, order[1], "The power of the second monomial")
    if close_to(after_one, one * square):
        raise CheckFailed("Divide what is explained by the mean square of f.")
    assert_close(after_one, one, "The share after the first monomial")
    if close_to(after_two, one + _explained(gram, r, order[1:]) / square) or close_to(after_two, 1):
        raise CheckFailed(
            "What two monomials explain alone does not add up. Fit both together: does the second "
            "step reach the whole?"
        )
    assert_close(after_two, both, "The share after both monomials")
    return "The constant first, then x^2, and the two do not reach the whole."


@exercise(f"ex-{SLUG}-2")
def n_nodes(answer: Callable[..., int]) -> str:
    """Compare with trees that are built and counted."""
    assert_equal(answer([[2, 1]]), 7, "The nodes of one term of degree 3")
    assert_equal(answer([[0, 0]]), 1, "The nodes of a constant")
    assert_equal(answer([[1, 0], [0, 0]]), 5, "The nodes of a line")
    rng = student_generator(2)
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
def next_monomial(answer: Callable[..., int]) -> str:
    """Compare on exact and on sampled mean products, with none, some and most chosen."""
    powers = gram_matrix(np.arange(4)[:, None])
    _compare_next(answer, powers, powers[1] + powers[3], [])
    _compare_next(answer, powers, powers[1] + powers[3], [2])
    rng = student_generator(3)
    gram = gram_matrix(monomial_exponents(2, 3))
    for size in (0, 1, 2, 3, 3, 4, 9):
        r = gram @ rng.normal(size=10)
        _compare_next(answer, gram, r, rng.permutation(10)[:size].tolist())
    for size in (1, 2, 3, 4):
        values = rng.normal(size=(40, 8)) * rng.uniform(0.2, 5, 8) + rng.normal(size=8)
        r = values.T @ np.abs(values[:, :3]).sum(axis=1) / 40
        _compare_next(answer, values.T @ values / 40, r, rng.permutation(8)[:size].tolist())
    return "The next monomial is right in 13 cases, with none to nine chosen."


def _compare_next(
    answer: Callable[..., int], gram: np.ndarray, r: np.ndarray, chosen: list[int]
) -> None:
    expected, m = _best_next(gram, r, chosen), len(r)
    found = expect_number(answer(gram.copy(), r.copy(), list(chosen)), "the number of one monomial")
    where = f"with {chosen} chosen of {m} monomials" if chosen else f"with none of {m} chosen"
    if found in chosen:
        raise CheckFailed(f"Monomial {found:.0f} is chosen already, {where}.")
    if found != expected:
        left = r - gram[:, chosen] @ np.linalg.solve(gram[np.ix_(chosen, chosen)], r[chosen])
        free = np.isin(np.arange(m), chosen, invert=True)
        points = np.where(free, np.abs(left) / np.sqrt(np.diag(gram)), -1).argmax()
        alone = np.where(free, r**2 / np.diag(gram), -1).argmax()
        if found == points:
            hint = " This is pursuit: it does not ask what is left after all are fitted anew."
        elif found == alone:
            hint = " Do not judge a monomial alone: fit it together with the chosen ones."
        else:
            hint = ""
        raise CheckFailed(f"Monomial {expected} explains most {where}, got {found:g}.{hint}")


def _best_next(gram: np.ndarray, r: np.ndarray, chosen: list[int]) -> int:
    free = [k for k in range(len(r)) if k not in chosen]
    return max(free, key=lambda k: _explained(gram, r, [*chosen, k]))


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
    rng = student_generator(4)
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
