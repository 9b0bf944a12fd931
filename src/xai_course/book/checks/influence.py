"""Checks of the chapter *influence*."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.special import expit

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator
from xai_course.book.expect import assert_close, close_to, expect_array, expect_parts

SLUG = "influence"


def _changes(
    x: Sequence[int] = (1, 2, 2), y: Sequence[int] = (2, 2, 5)
) -> tuple[np.ndarray, float, float]:
    """Return the right answer, the first number without x, and the slope without the point."""
    slope, rest = np.dot(x, y) / np.dot(x, x), np.dot(x[:2], y[:2]) / np.dot(x[:2], x[:2])
    short = (slope * x[2] - y[2]) / np.dot(x, x)
    return np.array([short * x[2], rest - slope, x[2] ** 2 / np.dot(x, x)]), short, rest


def _draw_line(rng: np.random.Generator) -> dict[str, tuple[int, ...]]:
    while True:
        x, y = (tuple(rng.integers(low, [4, 5, 4]).tolist()) for low in ([1, 1, 2], [1, 2, 1]))
        if abs(_changes(x, y)[1]) > 0.01:
            return {"x": x, "y": y}


def _right_changes(**numbers: Any) -> tuple[float, ...]:
    return tuple(_changes(**numbers)[0].round(9).tolist())


@exercise(
    f"ex-{SLUG}-1",
    draw=_draw_line,
    question="the points are ({x[0]}, {y[0]}), ({x[1]}, {y[1]}) and ({x[2]}, {y[2]}).",
    right=_right_changes,
)
def third_point(answer: Callable[[], Any], **numbers: Any) -> str:
    """Compare with two fits of the line, from the points themselves."""
    what = "three numbers: the influence function's change, the true change, the leverage"
    guess, true, leverage = expect_parts(answer(), 3, what)
    expected, short, rest = _changes(**numbers)
    if close_to([guess, true], -expected[:2]):
        raise CheckFailed("Both signs are turned: the change is the new slope less the old one.")
    if close_to([guess, true], expected[1::-1]):
        raise CheckFailed("The two changes are swapped.")
    if close_to(true, rest):
        raise CheckFailed("This is the new slope. The true *change* is the new less the old one.")
    if close_to(guess, short):
        raise CheckFailed("The gradient of the row is its residual times x, not the residual.")
    assert_close(guess, expected[0], "The influence function's change")
    assert_close(true, expected[1], "The true change")
    assert_close(leverage, expected[2], "The leverage")
    return "The influence function sees the true change times one minus the leverage."


@exercise(f"ex-{SLUG}-2")
def weights_without(answer: Callable[..., Any]) -> str:
    """Compare with a Newton step on the other rows, one at a time."""
    for seed, (n, d, penalty) in enumerate([(12, 3, 1.0), (30, 2, 0.1), (8, 5, 4.0), (1, 1, 1.0)]):
        rng = student_generator(seed)
        Z = np.column_stack([rng.normal(size=(n, d - 1)) * 2, np.ones(n)])
        y = rng.integers(0, 2, size=n)
        w = _minimum(Z, y, np.ones(n), penalty)
        found = expect_array(answer(Z.copy(), y.copy(), w.copy(), penalty), (n, d), f"{n} rows")
        _judge(found, Z, y, w, penalty)
    return "Four problems agree, also with one row and with rows that weigh much."


def _judge(found: np.ndarray, Z: np.ndarray, y: np.ndarray, w: np.ndarray, penalty: float) -> None:
    n, d = Z.shape
    p = expit(Z @ w)
    outer = (p * (1 - p))[:, None, None] * Z[:, :, None] * Z[:, None, :]
    H, g = outer.sum(axis=0) + penalty * np.eye(d), (p - y)[:, None] * Z
    steps = np.array([np.linalg.solve(H - outer[i], g[i]) for i in range(n)])
    influence = np.linalg.solve(H, g.T).T
    if close_to(found, w + steps):
        return
    if close_to(found, steps):
        raise CheckFailed("These are the changes. Return the weights: add `w`.")
    if close_to(found, w - steps) or close_to(found, w - influence):
        raise CheckFailed("The step goes the wrong way: the row leaves, it does not come twice.")
    if close_to(found, w + influence):
        raise CheckFailed(
            "This is the influence function: the curvature is that of all rows. Divide each step "
            "by one minus the row's leverage."
        )
    bare = np.linalg.pinv(outer.sum(axis=0)) @ g.T
    leverage = np.einsum("nab,ab->n", outer, np.linalg.inv(H))
    of_bare = np.einsum("nab,ab->n", outer, np.linalg.pinv(outer.sum(axis=0)))
    with np.errstate(all="ignore"):
        if close_to(found, w + bare.T / (1 - of_bare)[:, None]):
            raise CheckFailed("The penalty is missing from the Hessian.")
    if close_to(found, w + influence * (1 + leverage)[:, None]) or close_to(
        found, w + influence * (1 - leverage)[:, None]
    ):
        raise CheckFailed("Divide by one minus the leverage; do not multiply.")
    refits = [_minimum(Z, y, (np.arange(n) != i) * 1.0, penalty) for i in range(n)]
    if close_to(found, np.array(refits), rtol=1e-4, atol=1e-6):
        raise CheckFailed(
            "These are refits. One factorisation is asked for, and one step for each."
        )
    assert_close(found, w + steps, f"The weights without each of {n} rows, penalty {penalty:g}")


def _minimum(Z: np.ndarray, y: np.ndarray, kept: np.ndarray, penalty: float) -> np.ndarray:
    """Return the minimum of the sum of the losses of the rows that are kept, and the penalty."""

    def value(w: np.ndarray) -> float:
        losses = np.logaddexp(0, Z @ w) - y * (Z @ w)
        return float(kept @ losses + penalty / 2 * w @ w)

    w = np.zeros(Z.shape[1])
    for _ in range(100):
        p = expit(Z @ w)
        H = (Z * (kept * p * (1 - p))[:, None]).T @ Z + penalty * np.eye(len(w))
        step = np.linalg.solve(H, Z.T @ (kept * (p - y)) + penalty * w)
        while value(w - step) > value(w) + 1e-12:
            step = step / 2
        w = w - step
        if np.abs(step).max() < 1e-13:
            break
    return w


@exercise(f"ex-{SLUG}-3")
def tracin(answer: Callable[..., Any]) -> str:
    """Compare on random gradients of one to four checkpoints."""
    for seed, (n_points, n, size) in enumerate([(3, 5, 4), (1, 3, 2), (4, 6, 7)]):
        rng = student_generator(seed)
        G, g = rng.normal(size=(n_points, n, size)), rng.normal(size=(n_points, size))
        rates = rng.uniform(0.1, 1, size=n_points).round(2)
        given = [*G.copy()], [*g.copy()], rates.tolist()
        found = expect_array(answer(*given), (n,), f"one score for each of {n} training rows")
        dots = np.einsum("knd,kd->kn", G, g)
        expected = rates @ dots
        if close_to(found, -expected):
            raise CheckFailed(
                "The sign is turned: a row whose gradient points along the test row's own lowers "
                "its loss, and gets a positive score."
            )
        if n_points > 1 and close_to(found, dots.sum(axis=0)):
            raise CheckFailed("The learning rates are missing.")
        if n_points > 1 and close_to(found, rates[-1] * dots[-1]):
            raise CheckFailed("This is the last checkpoint alone. Add up all of them.")
        if n_points > 1 and close_to(found, expected / n_points):
            raise CheckFailed("This is the mean over checkpoints. TracIn is their sum.")
        lengths = np.linalg.norm(G, axis=2) * np.linalg.norm(g, axis=1)[:, None]
        if close_to(found, rates @ (dots / lengths)):
            raise CheckFailed("These are cosines. TracIn takes the gradients as long as they are.")
        assert_close(found, expected, f"The scores with {n_points} checkpoint(s)")
    return "Three trainings agree, with one checkpoint and with four."
