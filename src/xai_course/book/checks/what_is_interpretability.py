"""Checks of the chapter *what-is-interpretability*."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from math import prod
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

SLUG = "what-is-interpretability"


def _draw_input(rng: np.random.Generator) -> dict[str, float]:
    a = float(rng.choice([0.5, 1, 2]))  # smaller than b: the first neuron is off
    return {
        "a": a,
        "b": a + int(rng.integers(1, 4)),
        "c": float(rng.choice([0.5, 1.5, 2.5])),
        "first": int(rng.choice([100, 128, 200, 300])),
        "second": int(rng.choice([20, 32, 50])),
    }


def _three_models(
    a: float = 1.0, b: float = 2.0, c: float = 0.5, first: int = 256, second: int = 64
) -> tuple[tuple[float, int, float, int], float, list[int]]:
    """Return what is right, what the first neuron would add were it on, and all sizes."""
    leaf = int(c > 1 if a <= 1 else b <= 1)
    network = 3 * max(0, a - b) - 2 * max(0, b + c - 1) + 0.5
    sizes = [784, first, second, 10]
    count = sum(m * n for m, n in pairwise(sizes))
    return (-1 + 2 * a + b - 3 * c, leaf, network, count), 3 * (a - b), sizes


@exercise(
    f"ex-{SLUG}-1",
    draw=_draw_input,
    question="a = {a}, b = {b}, c = {c}; the shop's layers have {first} and {second} neurons.",
    right=lambda **numbers: _three_models(**numbers)[0],
)
def with_a_pencil(answer: Callable[[], Any], **numbers: Any) -> str:
    """Compare with the three models, computed; name the usual slips."""
    what = "four numbers: the line, the tree, the network, and the multiplications"
    found = expect_parts(answer(), 4, what)
    right, below_zero, sizes = _three_models(**numbers)
    assert_close(found[0], right[0], "The linear model")
    assert_close(found[1], right[1], "The tree's answer")
    if close_to(found[2], right[2] + below_zero):
        raise CheckFailed("The network: a neuron with a negative input hands on zero.")
    if close_to(found[2], right[2] - 0.5):
        raise CheckFailed("The network: the last layer also adds 0.5.")
    assert_close(found[2], right[2], "The network's output")
    if close_to(found[3], sum(sizes[1:])):
        raise CheckFailed(
            "This counts neurons. Each neuron multiplies once for *every* number that it reads."
        )
    if close_to(found[3], prod(sizes)):
        raise CheckFailed("The layers come one after the other: their counts are added.")
    assert_equal(found[3], right[3], "The number of multiplications")
    return f"One neuron is off, and {right[3]:,} multiplications are too many for a pencil."


@exercise(f"ex-{SLUG}-2")
def how_far(answer: Callable[..., Any]) -> str:
    """Compare on several errors and speeds."""
    what = "two numbers, the steps until 0.1 and the further digits"
    rng = student_generator(2)
    own = [(float(10 ** -rng.uniform(2, 9)), float(rng.uniform(1.5, 9))) for _ in range(2)]
    for error, tenfold in [(1e-3, 4.0), (1e-4, 5.6), (0.03, 7.0), *own]:
        steps, digits = expect_parts(answer(error, tenfold), 2, what)
        case = f"for an error of {error:g} that grows tenfold in {tenfold:g} steps"
        steps = expect_number(steps, f"The number of steps {case}")
        digits = expect_number(digits, f"The number of digits {case}")
        growths = np.log10(0.1 / error)
        if close_to(steps, tenfold * np.log(0.1 / error)):
            raise CheckFailed(f"The steps {case}: use the logarithm to the base 10.")
        if close_to(steps, -tenfold * np.log10(error)):
            raise CheckFailed(f"The steps {case}: these lead to an error of 1. Stop at 0.1.")
        assert_close(steps, tenfold * growths, f"The steps {case}")
        if close_to(digits, tenfold * growths):
            raise CheckFailed(
                f"The digits {case}: these are steps. A digit makes the start ten times better."
            )
        if close_to(digits, np.log10(2)):
            raise CheckFailed(
                f"The digits {case}: an error of half the size buys {tenfold * np.log10(2):.1f} "
                f"steps only, and {tenfold * growths:.1f} are wanted."
            )
        assert_close(digits, growths, f"The further digits {case}")
    return "Five clocks agree. To see twice as far, you need as many digits again."


class _Asked:
    """A function of rows that remembers what it was asked."""

    def __init__(self, f: Callable[[np.ndarray], np.ndarray]) -> None:
        self.f, self.calls = f, 0
        self.rows: list[np.ndarray] = []

    def __call__(self, rows: Any) -> np.ndarray:
        rows = np.array(rows, dtype=float)
        if rows.ndim != 2:
            raise CheckFailed(f"ask takes rows, shape (n, n_features); got shape {rows.shape}.")
        self.calls += 1
        self.rows.append(rows)
        return self.f(rows)


@exercise(f"ex-{SLUG}-3")
def ask_around(answer: Callable[..., Any]) -> str:
    """Compare on linear functions, where the fit is exact, and on functions with a bend."""
    rng = student_generator(7)
    for n_features, n in ((1, 5), (3, 40), (8, 60)):
        slope, x = rng.normal(size=n_features), rng.normal(size=n_features) + 2
        asked = _Asked(lambda rows, slope=slope: 1.5 + rows @ slope)
        value, slopes = _explanation(answer, asked, x, 0.5, n)
        what = f"a linear function of {n_features} feature(s)"
        if close_to(slopes, slope) and close_to(value, 1.5):
            raise CheckFailed(
                "The slopes are right. The value is what the fit says at zero: what does it say "
                "at x?"
            )
        if close_to(slopes, -slope):
            raise CheckFailed(f"The slopes of {what} have the wrong sign.")
        assert_close(slopes, slope, f"The slopes of {what}")
        assert_close(value, 1.5 + x @ slope, f"The value at x of {what}")
    # A bend at x: the best line has half the slope, and its value at x lies above the bend.
    x = np.array([1.0, -1.0])
    asked = _Asked(lambda rows: np.maximum(0, rows[:, 0] - 1) + rows[:, 1] ** 2)
    value, slopes = _explanation(answer, asked, x, 1.0, 4000)
    if not close_to(slopes, [0.5, -2.0], atol=0.08):
        raise CheckFailed(
            f"At a bend the slopes should be near 0.5 and -2, got {np.round(slopes, 2).tolist()}: "
            "fit to rows on all sides of x, over the whole radius."
        )
    if not close_to(value, 1 + 1 / 4 + 1 / 3, atol=0.08):
        raise CheckFailed(
            f"At a bend the fitted value should be near 1.58, got {float(value):.2f}: return what "
            "the fit says at x, not what was answered there."
        )
    return "Exact for linear functions, and a fair average at a bend."


def _explanation(
    answer: Callable[..., Any], asked: _Asked, x: np.ndarray, radius: float, n: int
) -> tuple[np.floating, np.ndarray]:
    given = answer(asked, x.copy(), radius, n, student_generator(n))
    value, slopes = expect_parts(given, 2, "two things, the fitted value at x and the slopes")
    if asked.calls != 1:
        raise CheckFailed(f"Ask for all rows in one call; ask was called {asked.calls} time(s).")
    rows = asked.rows[0]
    if len(rows) != n or rows.shape[1] != len(x):
        raise CheckFailed(f"Ask about {n} rows of {len(x)} feature(s); asked about {rows.shape}.")
    far = np.abs(rows - x).max()
    if far > radius * (1 + 1e-9):
        raise CheckFailed(
            f"A row lies {far:.2f} from x in one feature, and {radius} is allowed. Are the rows "
            "drawn around x?"
        )
    shape = (len(x),)
    return (
        expect_number(value, "The value at x"),
        expect_array(slopes, shape, f"{len(x)} slope(s), one for each feature"),
    )
