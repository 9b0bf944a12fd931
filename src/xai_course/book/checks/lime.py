"""Checks of the chapter *lime*."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator
from xai_course.book.expect import (
    Counted,
    assert_close,
    assert_equal,
    close_to,
    expect_array,
    expect_number,
    expect_parts,
    plain,
)

SLUG = "lime"


def _lines(
    both: int = 3, first: int = -1, second: int = -2, none: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what the network says, and intercept and weights of the narrow and the wide line."""
    rows, says = np.array([[1, 1, 1], [1, 1, 0], [1, 0, 1], [1, 0, 0]]), [both, first, second, none]
    return (
        np.array(says),
        np.linalg.solve(rows[:3], says[:3]),
        np.linalg.lstsq(rows, says, rcond=None)[0],
    )


def _draw_log_odds(rng: np.random.Generator) -> dict[str, int]:
    # The words always help each other: no slip is right by chance.
    first, second = rng.choice(np.arange(-5, 0), 2, replace=False).tolist()
    both, none = rng.integers(1, [6, 4]).tolist()
    return {"both": both, "first": first, "second": second, "none": none}


def _right_words(**numbers: int) -> tuple[float, ...]:
    _, narrow, wide = _lines(**numbers)
    return tuple((np.concatenate([narrow[1:], wide[1:], narrow[:1]]).round(9) + 0.0).tolist())


@exercise(
    f"ex-{SLUG}-1",
    draw=_draw_log_odds,
    question="the log-odds are {both} with both words, {first} with the first word only, "
    "{second} with the second only, and {none} with none.",
    right=_right_words,
)
def two_words(answer: Callable[[], Any], **numbers: int) -> str:
    """Compare with weighted fits of the four rows."""
    what = "five numbers: the narrow weights, the wide weights, and the narrow line at nothing"
    found = expect_array(expect_parts(answer(), 5, what), (5,), what)
    says, narrow, wide = _lines(**numbers)
    if close_to(found[:2], wide[1:]) and close_to(found[2:4], narrow[1:]):
        raise CheckFailed("Narrow and wide are exchanged.")
    if close_to(found[:2], narrow[:0:-1]):
        raise CheckFailed(
            "The narrow weights are exchanged: to hide the first word leaves the second one."
        )
    if close_to(found[:2], says[[1, 2]] - says[3]):
        raise CheckFailed(
            "This is what each word adds to nothing. The narrow kernel knows only rows in which at "
            "most one word is hidden."
        )
    assert_close(found[:2], narrow[1:], "The narrow weights")
    assert_close(found[2:4], wide[1:], "The wide weights")
    if close_to(found[4], says[3]):
        raise CheckFailed(
            "This is what the network says at nothing. What does the narrow line say there?"
        )
    assert_close(found[4], narrow[0], "The narrow line at nothing")
    return "Right: narrow and wide kernels answer two questions."


@exercise(f"ex-{SLUG}-2")
def lime(answer: Callable[..., Any]) -> str:
    """Compare with the normal equations on random networks and masks."""
    rng = student_generator(2)
    for n, m, width in ((40, 5, 0.25), (9, 12, 0.4), (200, 3, 0.1), (30, 6, 5.0)):
        masks = rng.integers(0, 2, (n, m)).astype(float)
        masks[0] = 1
        inner, outer = rng.normal(size=(2, m, 4))

        def function(M: np.ndarray, inner: Any = inner, outer: Any = outer) -> np.ndarray:
            return 7 + np.maximum(0, M @ inner - 0.3) @ outer[0]

        ask = Counted(function)
        what = "two things, the weights of the parts and the intercept"
        weights, intercept = expect_parts(answer(ask, masks.copy(), width), 2, what)
        _compare(weights, intercept, masks, function(masks), width)
        if ask.asked > 5 * n:
            raise CheckFailed(
                f"There were {n} masks, and the network was asked {ask.asked} times. Ask about the "
                "given masks, once."
            )
    return "Four networks agree, with few masks and with many."


def _compare(weights: Any, intercept: Any, masks: Any, says: Any, width: float) -> None:
    n, m = masks.shape
    weights = expect_array(weights, (m,), f"{m} weights for {m} parts")
    intercept = expect_number(plain(intercept), "The intercept")
    away = 1 - np.sqrt(masks.mean(axis=1))
    near = np.exp(-(away**2) / (2 * width**2))
    slips = {
        "All masks count the same here. Weigh them by the kernel.": (np.ones(n), 1.0),
        "The 2 below the fraction is missing in the kernel.": (near**2, 1.0),
        "The kernel takes the square of the distance.": (np.exp(-away / (2 * width**2)), 1.0),
        "The distance is one minus the root of the share that is shown.": (
            np.exp(-((1 - masks.mean(axis=1)) ** 2) / (2 * width**2)),
            1.0,
        ),
        "The squared weights have no price here.": (near, 1e-10),
    }
    right = _ridge(masks, says, near, 1.0)
    for message, (kernel, price) in slips.items():
        slip = _ridge(masks, says, kernel, price)
        if close_to(weights, slip[0], 1e-4, 1e-6) and not close_to(slip[0], right[0], 1e-3, 1e-5):
            raise CheckFailed(message)
    columns = np.column_stack([masks, np.ones(n)])
    left = columns.T @ (near[:, None] * columns) + np.eye(m + 1)
    if close_to(weights, np.linalg.solve(left, columns.T @ (near * says))[:m]):
        raise CheckFailed("The intercept costs nothing, and here it is priced like a weight.")
    assert_close(weights, right[0], f"The weights of {m} parts", 1e-6)
    assert_close(intercept, right[1], "The intercept", 1e-6)


def _ridge(Z: Any, y: Any, s: Any, price: float) -> tuple[np.ndarray, float]:
    middle, level = np.average(Z, axis=0, weights=s), np.average(y, weights=s)
    left = (Z - middle).T @ (s[:, None] * (Z - middle)) + price * np.eye(Z.shape[1])
    weights = np.linalg.solve(left, (Z - middle).T @ (s * (y - level)))
    return weights, level - middle @ weights


@exercise(f"ex-{SLUG}-3")
def pick(answer: Callable[..., Any]) -> str:
    """Compare with a plain greedy search on sparse tables, one of them large."""
    rng = student_generator(3)
    for n, d, kept, budget in ((8, 6, 2, 3), (30, 12, 3, 4), (5, 9, 2, 5), (1000, 40, 4, 5)):
        W = rng.normal(size=(n, d)) * 3 ** rng.normal(size=d)
        hidden = np.argsort(np.argsort(rng.random((n, d)), axis=1), axis=1) >= kept
        W[hidden] = 0.0
        found = expect_parts(answer(W.copy(), budget), budget, f"{budget} row numbers")
        _compare_rows(found, W, budget)
    few = np.array([[0.0, 0.0, 9.0], [4.0, -4.0, 0.0]])  # the root decides
    _compare_rows(expect_parts(answer(few.copy(), 1), 1, "one row number"), few, 1)
    twice = np.array([[0.0, 2.0, 0.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -0.5]])
    assert_equal(answer(twice.copy(), 3), [0, 1, 3], "The rows of a table with two equal ones")
    return "Four random tables agree, one with a thousand rows."


def _compare_rows(found: Any, W: np.ndarray, budget: int) -> None:
    size = np.abs(W)
    right = _greedy(size > 0, np.sqrt(size.sum(axis=0)), budget)
    slips = {
        "These are the rows that cover most each by itself. Count only what is not covered yet.": (
            np.argsort(-((size > 0) @ np.sqrt(size.sum(axis=0))), kind="stable")[:budget]
        ),
        "These rows have the largest weights. Coverage asks which features are mentioned.": (
            np.argsort(-size.sum(axis=1), kind="stable")[:budget]
        ),
        "Here all features are worth the same. A feature is worth the root of its weights' sum.": (
            _greedy(size > 0, np.ones(W.shape[1]), budget)
        ),
        "Here a feature is worth the sum of its weights. Take the root.": (
            _greedy(size > 0, size.sum(axis=0), budget)
        ),
        "Positive weights only count here. Take absolute values.": (
            _greedy(W > 0, np.sqrt(np.maximum(W, 0).sum(axis=0)), budget)
        ),
        "Negative weights cancel positive ones here. Take absolute values first.": (
            _greedy(size > 0, np.sqrt(np.abs(W.sum(axis=0))), budget)
        ),
    }
    rows = expect_array(found, (budget,), f"{budget} row numbers").astype(int).tolist()
    for message, slip in slips.items():
        if rows == list(slip) and list(slip) != right:
            raise CheckFailed(message)
    if len(set(rows)) < budget:
        raise CheckFailed(f"A row was taken twice: {rows}.")
    assert_equal(rows, right, f"The rows of a table with {len(W)} rows")


def _greedy(used: np.ndarray, worth: np.ndarray, budget: int) -> list[int]:
    left, chosen = worth.copy(), []
    for _ in range(budget):
        gain = used @ left
        gain[chosen] = -np.inf
        chosen.append(int(gain.argmax()))
        left[used[chosen[-1]]] = 0
    return chosen
