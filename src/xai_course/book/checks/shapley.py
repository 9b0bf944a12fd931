"""Checks of the chapter *shapley*."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator
from xai_course.book.expect import assert_close, close_to, expect_array, expect_parts
from xai_course.exact.shapley import coalitions, shapley_weights

SLUG = "shapley"


def _of_three(on: np.ndarray, ab: int = 2, b: int = 3, ac: int = 1) -> np.floating:
    """Return the network's output for rows of zeros and ones, shape (n, 3)."""
    pair, other = (np.maximum(0, on[:, 0] + on[:, k] - 1) for k in (1, 2))
    return ab * pair + b * on[:, 1] - ac * other


def _values_and_shares(**numbers: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return all eight values, the shares, and what leaving one out takes away."""
    v = _of_three(coalitions(3).astype(float), **numbers)
    return v, shapley_weights(3) @ v, v[-1] - v[[6, 5, 3]]


def _draw_network(rng: np.random.Generator) -> dict[str, int]:
    # Twice the second pair: neither a's share nor a's part of leave one out is zero.
    ac = int(rng.integers(1, 5))
    return {"ab": 2 * ac + int(rng.integers(1, 4)), "b": int(rng.integers(3, 9)), "ac": ac}


def _right_shares(**numbers: int) -> tuple[float, ...]:
    _, shares, left_out = _values_and_shares(**numbers)
    return (*shares.tolist(), float(left_out.sum()))


@exercise(
    f"ex-{SLUG}-1",
    draw=_draw_network,
    question="f(a, b, c) = {ab} max(0, a + b - 1) + {b} b - {ac} max(0, a + c - 1).",
    right=_right_shares,
)
def share_by_hand(answer: Callable[[], Any], **numbers: int) -> str:
    """Compare with the formula, from the network itself."""
    what = "four numbers: the shares of a, b and c, and the sum of leave one out"
    *shares, alone = expect_parts(answer(), 4, what)
    v, expected, left_out = _values_and_shares(**numbers)
    if close_to(shares, left_out):
        raise CheckFailed("This is leave one out. Take the mean over all six orders.")
    if close_to(shares, v[[1, 2, 4]]):
        raise CheckFailed(
            "This is what each feature adds to nothing. Take the mean over all orders."
        )
    assert_close(shares, expected, "The shares of a, b and c")
    assert_close(alone, left_out.sum(), "The sum of leave one out")
    return "The shares add up to the output, leave one out to more."


@exercise(f"ex-{SLUG}-2")
def shapley_from_coalitions(answer: Callable[..., Any]) -> str:
    """Compare on random games of one to six players."""
    rng = student_generator(2)
    for n in (3, 1, 2, 5, 6):
        v = rng.normal(size=2**n).round(3)
        found = expect_array(answer(v.copy()), (n,), f"{n} shares for {2**n} coalitions")
        members, expected = coalitions(n), shapley_weights(n) @ v
        adds = v[-1] - v[2**n - 1 - 2 ** np.arange(n)]
        if n > 1 and close_to(found, expected - adds / n):
            raise CheckFailed(
                f"For {n} players the coalition of all others is missing: the weights of each "
                "feature must sum to 1."
            )
        if n > 1 and close_to(found, expected - (v[2 ** np.arange(n)] - v[0]) / n):
            raise CheckFailed(f"For {n} players the empty coalition is missing.")
        even = np.where(members, 1.0, -1.0).T @ v / 2 ** (n - 1)
        if n > 2 and close_to(found, even):
            raise CheckFailed(
                "All coalitions have the same weight here. Each *size* of coalition has the same "
                "total weight."
            )
        if n > 1 and close_to(found, expected[::-1]):
            raise CheckFailed("The features are in reverse order: bit 0 belongs to feature 0.")
        assert_close(found, expected, f"The shares of a game of {n} player(s)")
    return "Five random games agree, with one player and with six."


@exercise(f"ex-{SLUG}-3")
def sample_shapley(answer: Callable[..., Any]) -> str:
    """Compare with exact values, and the errors with the spread of single draws."""
    what = "two things, the shares and their standard errors"
    line, rng = np.array([1.0, -2.0, 0.5]), student_generator(3)
    x, rows = rng.normal(size=3), rng.normal(size=(1, 3))
    shares, errors = expect_parts(answer(lambda Z: Z @ line, x, rows, 20, rng), 2, what)
    if close_to(shares, line * (rows[0] - x)):
        raise CheckFailed("The shares have the wrong sign: begin with the background's row.")
    assert_close(shares, line * (x - rows[0]), "The shares of a linear function")
    assert_close(errors, np.zeros(3), "The standard errors of a linear function")
    for seed, (n, n_orders) in enumerate([(4, 2000), (3, 800)]):
        _sampled(answer, n, n_orders, student_generator(10 + seed), what)
    return "Shares and standard errors are right, with interactions and with several rows."


def _sampled(
    answer: Callable[..., Any], n: int, n_orders: int, rng: np.random.Generator, what: str
) -> None:
    W, x, rows = rng.normal(size=(6, n)), rng.normal(size=n) + 1, rng.normal(size=(5, n))

    def f(Z: Any) -> np.ndarray:
        return np.maximum(0, np.asarray(Z) @ W.T).sum(axis=1)

    shares, errors = expect_parts(answer(f, x.copy(), rows.copy(), n_orders, rng), 2, what)
    shares = expect_array(shares, (n,), f"{n} shares")
    errors = expect_array(errors, (n,), f"{n} standard errors")
    draws = _draws(f, x, rows, 4000, student_generator(0))
    mixed = np.where(coalitions(n)[:, None], x, rows)
    exact = shapley_weights(n) @ f(mixed.reshape(-1, n)).reshape(-1, len(rows)).mean(axis=1)
    one = draws.std(axis=0, ddof=1)
    if close_to(errors, one, rtol=0.2):
        raise CheckFailed(
            "These are the standard deviations of single draws. The error of their mean is smaller "
            "by the root of the number of draws."
        )
    off = np.abs(shares - exact) / (one / n_orders**0.5)
    if off.max() > 5:
        worst = int(off.argmax())
        raise CheckFailed(
            f"Over {n_orders} draws the share of feature {worst} is {shares[worst]:.4f}, and the "
            f"exact one {exact[worst]:.4f}: too far apart for chance. Does each draw take a new "
            "order and a new row of the background?"
        )
    if not close_to(errors, one / n_orders**0.5, rtol=0.25):
        raise CheckFailed(
            f"The standard errors are {np.round(errors, 4).tolist()}, and should be near "
            f"{np.round(one / n_orders**0.5, 4).tolist()}."
        )


def _draws(
    f: Callable[[Any], np.ndarray],
    x: np.ndarray,
    rows: np.ndarray,
    n_orders: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return what each feature adds in each of many random orders, all at once."""
    n = len(x)
    order = rng.permuted(np.tile(np.arange(n), (n_orders, 1)), axis=1)
    rank = np.argsort(order, axis=1)
    joined = rank[:, None] < np.arange(n + 1)[:, None]
    points = np.where(joined, x, rows[rng.integers(len(rows), size=n_orders)][:, None])
    steps = np.diff(f(points.reshape(-1, n)).reshape(n_orders, n + 1), axis=1)
    return np.take_along_axis(steps, rank, axis=1)
