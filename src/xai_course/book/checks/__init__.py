"""Instant feedback on the book's exercises.

A notebook calls ``check("ex-<chapter>-<n>", answer)``. The checks of a chapter live in a module of
its name and compare the answer with the library or with facts of the chapter. How exercises work is
explained on the page *running*.

A check is given the learner's function in a wrapper (`_Answer`), so that no check need think of it:
the function works on copies, may return lists, tensors or tables, and is told when it returns
nothing. What a check cannot read fails as a wrong answer does; an error of the learner's own code
is shown as it is.
"""

from __future__ import annotations

import copy
import importlib.util
import os
import re
from collections.abc import Callable, Iterator
from numbers import Real
from typing import Any

import numpy as np

__all__ = [
    "CheckFailed",
    "assert_close",
    "assert_equal",
    "check",
    "close_to",
    "exercise",
    "expect_array",
    "expect_number",
    "expect_parts",
    "precision",
]

_CHECKS: dict[str, Callable[[Any], str]] = {}
_NONE_IS_AN_ANSWER: set[str] = set()


class CheckFailed(AssertionError):
    """An answer is wrong; the message says what differs and by how much."""

    def _render_traceback_(self) -> list[str]:
        # IPython asks for this: a learner needs the message, not the library's call stack.
        return [f"CheckFailed: {self}"]


def exercise(
    exercise_id: str, *, none_is_an_answer: bool = False
) -> Callable[[Callable[[Any], str]], Callable[[Any], str]]:
    """Register the decorated function as the check of one exercise.

    The function takes the learner's answer, raises `CheckFailed` where it is wrong, and returns one
    sentence that says what was checked. Where an answer may return None, say so: everywhere else
    that is a forgotten ``return``.
    """

    def register(function: Callable[[Any], str]) -> Callable[[Any], str]:
        _CHECKS[exercise_id] = function
        if none_is_an_answer:
            _NONE_IS_AN_ANSWER.add(exercise_id)
        return function

    return register


def check(exercise_id: str, answer: Any, *, strict: bool | None = None) -> None:
    """Check an answer and print the verdict.

    Parameters
    ----------
    exercise_id : str
        ``ex-<chapter>-<n>``, as printed above the exercise.
    answer : callable
        The function that was completed.
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
    if not callable(answer):
        raise CheckFailed(
            f"{exercise_id}: Give the function itself, by its name and without calling it; "
            f"got {shown(answer)}."
        )
    wrapped = _Answer(answer, none_is_an_answer=exercise_id in _NONE_IS_AN_ANSWER)
    try:
        message = function(wrapped)
    except NotImplementedError:
        if strict:
            raise CheckFailed(f"{exercise_id}: Not attempted yet.") from None
        print(f"{exercise_id}: Not attempted yet.")
    except CheckFailed as error:
        raise CheckFailed(f"{exercise_id}: {error}") from None
    except Exception as error:
        if error is wrapped.error:
            raise
        raise CheckFailed(
            f"{exercise_id}: Your function returned {shown(wrapped.result)}, and the check cannot "
            f"read that ({error}). Look again at what the exercise asks you to return."
        ) from error
    else:
        print(f"{exercise_id}: Passed. {message}")


class _Answer:
    """The learner's function: it gets copies, and gives plain Python and NumPy.

    Attributes
    ----------
    error : Exception or None
        What the function raised, to tell its errors from those of a check.
    result : object
        What it returned last.
    """

    def __init__(self, function: Callable[..., Any], *, none_is_an_answer: bool) -> None:
        self.function, self.none_is_an_answer = function, none_is_an_answer
        self.error: Exception | None = None
        self.result: Any = None

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        # A function that is handed over may count its calls: it has no copy.
        copies = [a if callable(a) else copy.deepcopy(a) for a in arguments]
        try:
            self.result = self.function(*copies, **options)
            if isinstance(self.result, Iterator):
                self.result = list(self.result)
        except Exception as error:
            self.error = error
            raise
        if self.result is None and not self.none_is_an_answer:
            raise CheckFailed("Your function returned None. Is its `return` missing?")
        return _plain(self.result)


def _plain(result: Any) -> Any:
    """Return tensors and tables as arrays, and arrays without a dimension as numbers."""
    if type(result) in (tuple, list):
        return type(result)(map(_plain, result))
    if hasattr(result, "detach"):  # a tensor; torch is not imported for those who have none
        result = result.detach().cpu().numpy()
    elif hasattr(result, "to_numpy"):
        result = result.to_numpy()
    return result[()] if isinstance(result, np.ndarray) else result


def _find(exercise_id: str) -> Callable[[Any], str]:
    match = re.fullmatch(r"ex-([a-z0-9-]+)-\d+", exercise_id)
    if match is not None:
        module = f"{__name__}.{match[1].replace('-', '_')}"
        if importlib.util.find_spec(module) is not None:
            importlib.import_module(module)
    if exercise_id not in _CHECKS:
        raise ValueError(
            f"There is no exercise {exercise_id!r}. Ids look like 'ex-local-linear-models-1' and "
            "stand above each exercise."
        )
    return _CHECKS[exercise_id]


# What checks are made of


def assert_equal(actual: Any, expected: Any, what: str) -> None:
    """Raise `CheckFailed` unless two values, or all entries of two lists, are equal.

    Parameters
    ----------
    actual, expected : object
        `actual` comes from the learner. A list, a tuple and an array of equal entries are equal; a
        truth value equals no number.
    what : str
        What is compared, as the subject of the message.
    """
    if not _same(actual, np.asarray(expected)):
        raise CheckFailed(f"{what} should be {shown(expected)}, got {shown(actual)}.")


def _same(actual: Any, expected: np.ndarray) -> bool:
    try:
        found = np.asarray(_plain(actual))
    except ValueError:  # a ragged list
        return False
    if found.shape != expected.shape or (found.dtype == bool and expected.dtype != bool):
        return False
    return bool(np.all(found == expected))


def assert_close(actual: Any, expected: Any, what: str, tolerance: float = 1e-9) -> None:
    """Raise `CheckFailed` unless two arrays have one shape and agree to a tolerance.

    Parameters
    ----------
    actual, expected : array_like
        `actual` comes from the learner.
    what : str
        What is compared, as the subject of the message.
    tolerance : float
        Largest allowed absolute difference, relative to ``1 + abs(expected)``. It is never smaller
        than the `precision` of `actual`.
    """
    found, expected = _numbers(actual), np.asarray(expected, dtype=float)
    if found is None:
        raise CheckFailed(
            f"{what} should be numbers, got {shown(actual)} of type {type(actual).__name__}."
        )
    if found.shape != expected.shape:
        raise CheckFailed(f"{what} should have shape {expected.shape}, got {found.shape}.")
    tolerance = max(tolerance, precision(actual))
    # Equal infinities have no difference.
    with np.errstate(invalid="ignore"):
        difference = np.abs(found - expected) / (1 + np.abs(expected))
    difference = np.where(found == expected, 0, np.where(np.isnan(difference), np.inf, difference))
    if difference.size and difference.max() > tolerance:
        worst = np.unravel_index(difference.argmax(), difference.shape)
        where = f" at index {tuple(map(int, worst))}" if worst else ""
        n_wrong = int((difference > tolerance).sum())
        raise CheckFailed(
            f"{what}: {n_wrong} of {difference.size} value(s) differ. The largest difference is"
            f"{where}: {_apart(found[worst], expected[worst])}."
        )


def close_to(found: Any, value: Any, rtol: float = 1e-5, atol: float = 1e-8) -> bool:
    """Tell whether an answer has the shape and the numbers of `value`, such as a usual slip."""
    found = _numbers(found)
    return (
        found is not None
        and found.shape == np.shape(value)
        and np.allclose(found, value, rtol, atol)
    )


def precision(found: Any) -> float:
    """Return how far apart numbers of this kind may be: about 1e-5 for float32, else nothing."""
    return 1e-5 if np.asarray(_plain(found)).dtype == np.float32 else 0.0


def expect_parts(found: Any, n: int, what: str) -> list[Any]:
    """Return the parts of a tuple, list or array of `n`.

    Parameters
    ----------
    found : object
        From the learner.
    n : int
    what : str
        What the function should return, such as ``"two things, coef and intercept"``.

    Raises
    ------
    CheckFailed
        If there are no parts, or another number of them.
    """
    if not isinstance(found, tuple | list | np.ndarray) or np.ndim(found) == 0 or len(found) != n:
        raise CheckFailed(f"Return {what}; got {shown(found)}.")
    return list(found)


def expect_array(found: Any, shape: tuple[int, ...], what: str) -> np.ndarray:
    """Return numbers of this shape as float64; `what` says what they are, as in `expect_parts`."""
    array = _numbers(found)
    if array is None or array.shape != shape:
        raise CheckFailed(f"Return {what}; got {shown(found)}.")
    return array


def expect_number(found: Any, what: str) -> float:
    """Return one number that is no truth value; `what` is the subject of the message."""
    array = _numbers(found)
    if array is None or array.shape or isinstance(found, bool | np.bool_):
        raise CheckFailed(f"{what} should be one number, got {shown(found)}.")
    return float(array)


def shown(value: Any) -> str:
    """Return a value as a message shows it: plain numbers, and not too many."""
    value = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:60]} ... ({type(value).__name__})"


def _numbers(found: Any) -> np.ndarray | None:
    """Return float64 numbers, or None where there are none."""
    try:
        array = np.asarray(_plain(found))
    except ValueError:  # a ragged list
        return None
    if array.dtype == object and all(isinstance(number, Real) for number in array.flat):
        array = array.astype(float)  # fractions and the like
    return array.astype(float) if array.dtype.kind in "biuf" else None


def _apart(found: float, expected: float) -> str:
    """Return both numbers with so many digits that they differ."""
    for digits in (6, 9, 12, 17):
        pair = f"{found:.{digits}g}", f"{expected:.{digits}g}"
        if pair[0] != pair[1]:
            break
    return f"got {pair[0]}, expected {pair[1]}"
