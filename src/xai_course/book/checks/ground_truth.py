"""Checks of the chapter *ground-truth*."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator
from xai_course.book.expect import (
    assert_close,
    close_to,
    expect_array,
    expect_number,
    expect_parts,
)

SLUG = "ground-truth"


def _four(
    w: tuple[int, int] = (2, 1), c: int = 3, d: int = 1, x: tuple[int, int] = (1, 3)
) -> tuple[list[float], ...]:
    """Return the four answers; alone neither feature switches the neuron on."""
    product, slope = np.multiply(w, x), np.array(w)
    height = product.sum() - c
    parts = product, height / product.sum() * product, np.full(2, height / 2)
    return tuple(part.tolist() for part in (*parts, (height - d) / (slope @ slope) * slope))


def _draw_neuron(rng: np.random.Generator) -> dict[str, Any]:
    while True:  # until w x ranks the features otherwise than w
        w, x = rng.permutation([1, int(rng.integers(2, 4))]).tolist(), rng.integers(1, 8, 2)
        product = np.multiply(w, x)
        if (w[0] - w[1]) * (product[0] - product[1]) < 0 and product.min() > 1:
            height = int(rng.integers(2, product.min(), endpoint=True))
            numbers = {"w": tuple(w), "x": tuple(x.tolist()), "d": int(rng.integers(1, height))}
            return {**numbers, "c": int(product.sum()) - height}


@exercise(
    f"ex-{SLUG}-1",
    draw=_draw_neuron,
    question="f(x) = max(0, {w[0]} x1 + {w[1]} x2 - {c}) - {d}, at x = {x}.",
    right=_four,
)
def four_answers(
    answer: Callable[[], Any], w: tuple[int, int] = (2, 1), d: int = 1, **numbers: Any
) -> str:
    """Compare with the four answers about one neuron."""
    parts = expect_parts(answer(), 4, "four things, each two numbers")
    names = ("local contributions", "integrated gradients", "Shapley values", "x - x'")
    expected = [np.array(part) for part in _four(w, d=d, **numbers)]
    product, along, half, change = expected
    fall = change @ w  # from f to zero; the neuron is off where f has fallen by d more
    slips: dict[str, list[tuple[Any, str]]] = {
        "local contributions": [
            (w, "That is the slope. How far is each feature from the baseline?"),
        ],
        "integrated gradients": [
            (product, "The neuron is off near the baseline; on which share of the way is it on?"),
            (product - along, "That is the share of the way on which the neuron is off."),
        ],
        "Shapley values": [
            (along, "Those follow the straight path; switch one feature at a time instead."),
            (2 * half, "Each feature gets everything in one order only: take the mean of both."),
            (0 * half, "Alone a feature does nothing, but what does it add when it comes second?"),
        ],
        "x - x'": [
            (-change, "That is x' - x: the way to the counterfactual, not from it."),
            (change * (fall + d) / fall, "There the neuron is off. The decision changes earlier."),
            (w, "That is the direction. How much does f fall on that way, and how much should it?"),
            (np.where(w == np.max(w), fall / np.max(w), 0), "There only one feature may change."),
        ],
    }
    for name, part, right in zip(names, parts, expected, strict=True):
        found = expect_array(part, (2,), f"the {name} as two numbers")
        for slip, message in slips[name]:
            if close_to(found, slip) and not close_to(found, right):
                raise CheckFailed(f"The {name}: {message}")
        assert_close(found, right, f"The {name}", 1e-6)
    return "Four right answers about one neuron, and three different rankings."


def _explain(module: Any, inputs: Any, baseline: Any, targets: Any) -> np.ndarray:
    return np.asarray(module) * (np.asarray(inputs) - baseline) * (1 + np.asarray(targets))[:, None]


def _metric(a: Any, b: Any) -> np.ndarray:
    return np.abs(np.asarray(a) - np.asarray(b)).sum(axis=1)


def _subjects(seed: int) -> list[SimpleNamespace]:
    """Return subjects with other numbers of rows, some of them without an answer."""
    rng = student_generator(seed)
    subjects = []
    for n, missing in ((4, [1]), (7, []), (5, [0, 2, 4])):
        answers = {name: rng.normal(size=(n, 3)) for name in ("shapley", "contributions")}
        answers["shapley"][missing] = np.nan
        subjects.append(
            SimpleNamespace(
                module=rng.normal(size=3),
                inputs=rng.normal(size=(n, 3)),
                baseline=rng.normal(size=3),
                targets=rng.integers(0, 3, n),
                references=answers,
            )
        )
    return subjects


@exercise(f"ex-{SLUG}-2")
def scoring_loop(answer: Callable[..., Any]) -> str:
    """Compare with the loop on subjects of several sizes, with and without missing answers."""
    for seed in range(3):
        for reference in ("contributions", "shapley"):
            subjects = _subjects(seed)
            per_row = []
            for s in subjects:
                rows = np.isfinite(s.references[reference]).all(axis=1)
                found = _explain(s.module, s.inputs, s.baseline, s.targets)
                per_row.append(_metric(found[rows], s.references[reference][rows]))
            found = answer(_explain, subjects, reference, _metric)
            if np.shape(found) == ():
                raise CheckFailed(
                    "Return one mean for each of the three subjects, not one for all: the rows of "
                    "one training belong together."
                )
            found = expect_array(found, (3,), "one mean for each subject, three numbers here")
            if np.isnan(found).any():
                raise CheckFailed(
                    "A mean is NaN: leave out the rows whose exact answer is not known."
                )
            counts = [len(s.inputs) for s in subjects]
            sums = np.array([values.sum() for values in per_row])
            if close_to(found, sums) or (
                reference == "shapley" and close_to(found, sums / np.array(counts))
            ):
                raise CheckFailed("Divide by the number of rows that count, and only those.")
            assert_close(found, [v.mean() for v in per_row], f"The means against {reference}")
    return "Three lists of three subjects, with and without missing answers."


@exercise(f"ex-{SLUG}-3")
def difference(answer: Callable[..., Any]) -> str:
    """Compare with the paired difference of the trainings' means."""
    rng = student_generator(0)
    for n_trainings, n_rows in ((3, 10), (2, 1), (8, 4)):
        hard = rng.normal(size=(n_trainings, 1))
        a, b = (hard + rng.normal(0, 0.3, (n_trainings, n_rows)) + k for k in (0.2, 0))
        parts = expect_parts(answer(a, b), 2, "two numbers, the mean difference and its error")
        mean, error = (expect_number(part, "Each of the two") for part in parts)
        gap = (a - b).mean(axis=1)
        assert_close(mean, gap.mean(), "The mean difference")
        root = np.sqrt(n_trainings)
        spread = [x.mean(axis=1).std(ddof=1) for x in (a, b)]
        slips = [
            (gap.std(ddof=1), "That is the standard deviation of the trainings, not the error."),
            (gap.std() / root, "Divide by n - 1 inside: three differences have lost their mean."),
            (
                np.hypot(*spread) / root,
                "Subtract first: what is hard for both methods is no spread of their difference.",
            ),
        ]
        if n_rows > 1:
            rows = (a - b).std(ddof=1) / np.sqrt(a.size)
            slips.append((rows, "The rows of one training are no independent witnesses."))
        for slip, message in slips:
            if close_to(error, slip):
                raise CheckFailed(f"The standard error: {message}")
        assert_close(error, gap.std(ddof=1) / root, "The standard error")
    return "Paired, by training, on three sizes."
