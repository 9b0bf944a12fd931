"""Checks of the chapter *masks-and-rationales*."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import softmax

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

SLUG = "masks-and-rationales"


@exercise(f"ex-{SLUG}-1")
def occlusion(answer: Callable[..., Any]) -> str:
    """Compare on sums and maxima, with squares that overlap, leave gaps and have another colour."""
    rng = student_generator(1)
    weights = rng.normal(size=(6, 8))
    linear = lambda images: (images * weights).sum((1, 2))  # noqa: E731
    crooked = lambda images: np.maximum(images[:, 1:4].max((1, 2)), 1.1 * images[:, 0, 0])  # noqa: E731
    tests = [
        (linear, 2, 2, 0.0, "squares side by side"),
        (linear, 1, 1, 0.0, "single pixels"),
        (crooked, 3, 1, 0.0, "squares that overlap"),
        (linear, 2, 1, 0.5, "the colour 0.5"),
        (crooked, 2, 4, 0.0, "squares with gaps between"),
        (linear, 4, 3, 0.0, "squares that would leave the picture"),
    ]
    for f, window, stride, fill, name in tests:
        image = rng.uniform(0.2, 1, size=(6, 8))
        what = "one number per pixel, shape (6, 8)"
        found = expect_array(answer(f, image, window, stride, fill), (6, 8), what)
        total, times = _falls(f, image, window, stride, fill)
        expected = total / np.maximum(times, 1)
        if not close_to(found, expected):
            if close_to(found, -expected):
                raise CheckFailed("The signs: a fall is the score before minus the score after.")
            if close_to(found, total):
                raise CheckFailed(f"With {name}: the mean of the falls, not their sum.")
        assert_close(found, expected, f"The numbers with {name}")
    return "Right on six settings: overlaps, gaps and another colour included."


def _falls(
    f: Callable[[np.ndarray], np.ndarray], image: np.ndarray, window: int, stride: int, fill: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum of the falls and the number of squares for each pixel."""
    total, times = np.zeros(image.shape), np.zeros(image.shape)
    for i in range(0, image.shape[0] - window + 1, stride):
        for j in range(0, image.shape[1] - window + 1, stride):
            square = np.zeros(image.shape, bool)
            square[i : i + window, j : j + window] = True
            both = f(np.array([image, np.where(square, fill, image)]))
            total += square * (both[0] - both[1])
            times += square
    return total, times


_ERRORS = (0.1, 0.1, 0.02, 0.7)


def _prices(
    errors: tuple[float, ...] = _ERRORS, word: float = 0.05
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the costs without breaks, the ends, and where nothing is as cheap as A, B and C."""
    free, ends = np.array(errors) + word * np.array([2, 3, 5, 0]), np.array([4, 2, 2, 0])
    return free, ends, (free[3] - free[:3]) / ends[:3]


def _costs_letter_price(end: float = 0.1, **numbers: Any) -> tuple[list[float], str, float]:
    free, ends, prices = _prices(**numbers)
    return (
        (free + end * ends).round(9).tolist(),
        "ABCD"[free.argmin()],
        float(prices.max().round(9)),
    )


def _draw_errors(rng: np.random.Generator) -> dict[str, Any]:
    while True:  # until no two are equally cheap, and A is not the last that gives way
        errors = rng.integers([5, 5, 1, 60], [21, 21, 9, 91]) / 100
        word, end = rng.integers(2, 7) / 100, rng.integers(2, 5) / 20
        free, _, prices = _prices(errors, word)
        if np.diff(np.sort(free)).min() > 0.009 and np.ptp(prices[1:]) > 0.009 and prices.argmax():
            return {"errors": tuple(errors.tolist()), "word": float(word), "end": float(end)}


@exercise(
    f"ex-{SLUG}-2",
    draw=_draw_errors,
    question="the errors of A, B, C and D are {errors[0]}, {errors[1]}, {errors[2]} and "
    "{errors[3]}, lambda_1 = {word}, and in (1) lambda_2 = {end}.",
    right=_costs_letter_price,
)
def the_price(
    answer: Callable[[], Any],
    errors: tuple[float, ...] = _ERRORS,
    word: float = 0.05,
    end: float = 0.1,
) -> str:
    """Compare with the formula, one number at a time."""
    what = "three things: four costs, a letter and a price of breaks"
    costs, letter, price = expect_parts(answer(), 3, what)
    free, ends, prices = _prices(errors, word)
    right = free + end * ends
    if close_to(costs, free + end * ends / 2):
        raise CheckFailed("Each piece has two ends: |z_t - z_(t-1)| is 1 at both.")
    if close_to(costs, right - errors):
        raise CheckFailed("These are the prices alone. The cost has the reader's error as well.")
    assert_close(costs, right, "The costs of A, B, C and D")
    assert_equal(str(letter).strip().upper(), "ABCD"[free.argmin()], "The cheapest without breaks")
    if close_to(price, prices[0]):
        raise CheckFailed("At this price nothing is as cheap as A, but another is cheaper still.")
    assert_close(price, prices.max(), "The price from which on nothing is the cheapest")
    return "Costs, letter and price are right."


@exercise(f"ex-{SLUG}-3")
def linear_penalty(answer: Callable[..., Any]) -> str:
    """Compare with the closed form on several sizes, on a sure classifier and on part of a row."""
    rng = student_generator(3)
    for n, d, k in [(1, 3, 2), (7, 4, 3), (5, 6, 10)]:
        W, b, X = rng.normal(size=(k, d)), rng.normal(size=k), rng.normal(size=(n, d))
        A = np.arange(d) % 2.0
        found = expect_number(answer(W, b, X, A), "The penalty")
        gradient = W.sum(axis=0) - k * softmax(X @ W.T + b, axis=1) @ W
        right = ((A * gradient) ** 2).sum(axis=1).mean()
        slips = {
            "the gradient of all inputs; only those with A = 1 count": (gradient**2).sum(1).mean(),
            "the sum over the rows, not the mean": n * right if n > 1 else np.nan,
            "the square of the summed gradient": ((A * gradient).sum(1) ** 2).mean(),
        }
        for slip, value in slips.items():
            if close_to(found, value) and not close_to(found, right):
                raise CheckFailed(f"With {n} rows, {d} inputs and {k} classes this is {slip}.")
        assert_close(found, right, f"The penalty of {n} rows, {d} inputs and {k} classes")
    with np.errstate(all="ignore"):
        sure = answer(np.eye(3), np.zeros(3), np.array([[900.0, 0, 0]]), np.ones(3))
    if not np.isfinite(expect_number(sure, "The penalty")):
        raise CheckFailed("For a logit of 900 the penalty is not finite: subtract the largest.")
    assert_close(sure, 6, "The penalty of a sure classifier")
    return "Right on three sizes, and where the classifier is sure."


@exercise(f"ex-{SLUG}-4")
def second_opinion(answer: Callable[..., Any]) -> str:
    """Compare on drawn decisions, on networks that never agree and on masks that do nothing."""
    rng = student_generator(4)
    for n in (6, 40, 200):
        own, own_after, other, other_after = rng.integers(3, size=(4, n))
        other[: n // 2] = own[: n // 2]
        own_after[0] = (own[0] + 1) % 3  # at least one flip
        flips = (own == other) & (own_after != own)
        right = (other_after != other)[flips].mean()
        found = expect_number(answer(own, own_after, other, other_after), "The share")
        all_flips = own_after != own
        slips = {
            "This is a share of all pictures; take the flips alone.": (
                ((other_after != other) & flips).mean()
            ),
            "Count only pictures on which the two agreed before.": (
                (other_after != other)[all_flips].mean()
            ),
            "The second network's decision may change to another class.": (
                (other_after == own_after)[flips].mean()
            ),
        }
        for slip, value in slips.items():
            if close_to(found, value) and not close_to(found, right):
                raise CheckFailed(slip)
        assert_close(found, right, f"The share for {n} pictures")
    same = np.arange(4)
    with np.errstate(all="ignore"):
        none = expect_number(answer(same, same, same, same + 1), "The share")
    if not np.isnan(none):
        raise CheckFailed(f"No mask changed a decision, so the share is nan; got {none:g}.")
    return "Right on three sets of decisions, and where nothing flipped."
