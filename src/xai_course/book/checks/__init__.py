"""Instant feedback on the book's exercises.

A notebook calls ``check("ex-<chapter>-<n>", answer)``. The checks of a chapter live in a module of
its name and compare the answer with the library or with facts of the chapter. How exercises work is
explained on the page *running*.
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["CheckFailed", "assert_close", "assert_equal", "check", "exercise"]

_CHECKS: dict[str, Callable[[Any], str]] = {}


class CheckFailed(AssertionError):
    """An answer is wrong; the message says what differs and by how much."""

    def _render_traceback_(self) -> list[str]:
        # IPython asks for this: a learner needs the message, not the library's call stack.
        return [f"CheckFailed: {self}"]


def exercise(exercise_id: str) -> Callable[[Callable[[Any], str]], Callable[[Any], str]]:
    """Register the decorated function as the check of one exercise.

    The function takes the learner's answer, raises `CheckFailed` where it is wrong, and returns one
    sentence that says what was checked.
    """

    def register(function: Callable[[Any], str]) -> Callable[[Any], str]:
        _CHECKS[exercise_id] = function
        return function

    return register


def check(exercise_id: str, answer: Any, *, strict: bool | None = None) -> None:
    """Check an answer and print the verdict.

    Parameters
    ----------
    exercise_id : str
        ``ex-<chapter>-<n>``, as printed above the exercise.
    answer : object
        What the exercise asks for, usually the function that was completed.
    strict : bool, optional
        Whether an exercise that is not attempted is an error. Defaults to the environment variable
        ``XAI_COURSE_STRICT=1``; graders set it, readers do not.

    Raises
    ------
    CheckFailed
        If the answer is wrong, or not attempted and `strict`.
    ValueError
        If there is no such exercise.

    Notes
    -----
    Only `NotImplementedError` counts as "not attempted": any other error of the answer is shown to
    the learner as it is.
    """
    function = _find(exercise_id)
    if strict is None:
        strict = os.environ.get("XAI_COURSE_STRICT") == "1"
    try:
        message = function(answer)
    except NotImplementedError:
        if strict:
            raise CheckFailed(f"{exercise_id}: Not attempted yet.") from None
        print(f"{exercise_id}: Not attempted yet.")
    except CheckFailed as error:
        raise CheckFailed(f"{exercise_id}: {error}") from None
    else:
        print(f"{exercise_id}: Passed. {message}")


def _find(exercise_id: str) -> Callable[[Any], str]:
    match = re.fullmatch(r"ex-([a-z0-9-]+)-\d+", exercise_id)
    if match is not None:
        module = f"xai_course.book.checks.{match[1].replace('-', '_')}"
        if importlib.util.find_spec(module) is not None:
            importlib.import_module(module)
    if exercise_id not in _CHECKS:
        raise ValueError(
            f"There is no exercise {exercise_id!r}. Ids look like 'ex-local-linear-models-1' and "
            "stand above each exercise."
        )
    return _CHECKS[exercise_id]


def assert_equal(actual: Any, expected: Any, what: str) -> None:
    """Raise `CheckFailed` unless ``actual == expected``.

    Parameters
    ----------
    actual, expected : object
        Compared with ``==``; `actual` comes from the learner.
    what : str
        What is compared, as the subject of the message.
    """
    if type(actual) is bool or isinstance(actual, np.bool_):
        actual = bool(actual)
        same = type(expected) is bool and actual == expected
    else:
        same = bool(np.all(actual == expected)) and np.shape(actual) == np.shape(expected)
    if not same:
        raise CheckFailed(f"{what} should be {expected!r}, got {actual!r}.")


def assert_close(actual: Any, expected: Any, what: str, tolerance: float = 1e-9) -> None:
    """Raise `CheckFailed` unless two arrays have one shape and agree to a tolerance.

    Parameters
    ----------
    actual, expected : array_like
        `actual` comes from the learner.
    what : str
        What is compared, as the subject of the message.
    tolerance : float
        Largest allowed absolute difference, relative to ``1 + abs(expected)``.
    """
    try:
        actual = np.asarray(actual, dtype=float)
    except (TypeError, ValueError):
        raise CheckFailed(
            f"{what} should be numbers, got {actual!r} of type {type(actual).__name__}."
        ) from None
    expected = np.asarray(expected, dtype=float)
    if actual.shape != expected.shape:
        raise CheckFailed(f"{what} should have shape {expected.shape}, got {actual.shape}.")
    difference = np.abs(actual - expected) / (1 + np.abs(expected))
    difference = np.where(np.isnan(difference), np.inf, difference)
    if difference.size and difference.max() > tolerance:
        worst = np.unravel_index(difference.argmax(), difference.shape)
        where = f" at index {tuple(map(int, worst))}" if worst else ""
        n_wrong = int((difference > tolerance).sum())
        raise CheckFailed(
            f"{what}: {n_wrong} of {difference.size} value(s) differ. The largest difference is"
            f"{where}: got {actual[worst]:.6g}, expected {expected[worst]:.6g}."
        )
