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
from typing import Any

from xai_course.book.expect import CheckFailed, plain, shown

__all__ = ["CheckFailed", "check", "exercise"]

_CHECKS: dict[str, Callable[[Any], str]] = {}
_NONE_IS_AN_ANSWER: set[str] = set()
# What a check may meet in a result of another form. A mistake of a check is none of these.
_UNREADABLE = (TypeError, ValueError, LookupError, ArithmeticError, AttributeError)


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
    except _UNREADABLE as error:
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
        return plain(self.result)


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
