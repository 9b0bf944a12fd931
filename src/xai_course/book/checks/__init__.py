"""Instant feedback on the book's exercises.

A notebook calls ``check("ex-<chapter>-<n>", answer)``. The checks of a chapter live in a module of
its name and compare the answer with the library or with facts of the chapter. How exercises work is
explained on the page *running*.

An answer without arguments, by hand or from a table, is asked for with numbers of its own for each
student of a class, and functions are tried on instances of their own (`xai_course.book.draws`).

A check is given the learner's function in a wrapper (`_Answer`), so that no check need think of it:
the function works on copies, may return lists, tensors or tables, and is told when it returns
nothing. What a check cannot read fails as a wrong answer does; an error of the learner's own code
is shown as it is.
"""

from __future__ import annotations

import copy
import importlib.util
import inspect
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from xai_course.book.draws import for_student, generator
from xai_course.book.expect import CheckFailed, plain, shown

__all__ = [
    "CheckFailed",
    "Unreadable",
    "check",
    "exercise",
    "is_individual",
    "right_answer",
    "verdict",
    "your_numbers",
]

PATIENCE = 3  # wrong tries after which a reader is told what is right
# What a check may meet in a result of another form. A mistake of a check is none of these.
_UNREADABLE = (TypeError, ValueError, LookupError, ArithmeticError, AttributeError)


@dataclass(frozen=True)
class _Check:
    """What is registered for one exercise; the fields are the parameters of `exercise`."""

    function: Callable[..., str]
    none_is_an_answer: bool
    draw: Callable[[Any], dict[str, Any]] | None
    question: str
    right: Callable[..., Any] | None


_CHECKS: dict[str, _Check] = {}
_TRIES: Counter[str] = Counter()


def exercise(
    exercise_id: str,
    *,
    none_is_an_answer: bool = False,
    draw: Callable[[Any], dict[str, Any]] | None = None,
    question: str = "",
    right: Callable[..., Any] | None = None,
) -> Callable[[Callable[..., str]], Callable[..., str]]:
    """Register the decorated function as the check of one exercise.

    The function takes the learner's answer, raises `CheckFailed` where it is wrong, and returns one
    sentence that says what was checked. Where an answer may return None, say so: everywhere else
    that is a forgotten ``return``.

    Parameters
    ----------
    exercise_id : str
    none_is_an_answer : bool
    draw : callable, optional
        For an answer without arguments: takes a NumPy generator and returns the numbers of one
        student, as keyword arguments of the decorated function, whose defaults are the text's.
    question : str, optional
        The sentence that gives a student these numbers, with their names in braces.
    right : callable, optional
        Returns the right answer for the same keyword arguments and defaults.
    """
    if (draw is None) != (right is None) or (draw is None) != (not question):
        raise ValueError(f"{exercise_id}: `draw`, `question` and `right` come together.")

    def register(function: Callable[..., str]) -> Callable[..., str]:
        _CHECKS[exercise_id] = _Check(function, none_is_an_answer, draw, question, right)
        return function

    return register


def check(
    exercise_id: str, answer: Any, *, strict: bool | None = None, student: str | None = None
) -> None:
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
    student : str, optional
        A name from a class list: the numbers and the instances are drawn for this student, and
        what is right is never told. The empty name has the numbers of the text.

    Raises
    ------
    CheckFailed
        If the answer is wrong, or not attempted and `strict`. Of an answer without arguments a
        reader is told what is wrong, and after three tries what is right.
    ValueError
        If there is no such exercise.

    Notes
    -----
    Only `NotImplementedError` counts as "not attempted": any other error of the answer is shown to
    the learner as it is.
    """
    if strict is None:
        strict = os.environ.get("XAI_COURSE_STRICT") == "1"
    try:
        message = verdict(exercise_id, answer, student=student or "")
    except NotImplementedError:
        if strict:
            raise CheckFailed(f"{exercise_id}: Not attempted yet.") from None
        print(f"{exercise_id}: Not attempted yet.")
    except Unreadable as error:
        raise CheckFailed(f"{exercise_id}: {error}") from error.__cause__
    except CheckFailed as error:
        _TRIES[exercise_id] += 1
        tells = student is None and _TRIES[exercise_id] >= PATIENCE
        is_told = tells or not _is_by_hand(answer)
        raise CheckFailed(f"{exercise_id}: {error.told if is_told else error}") from None
    else:
        del _TRIES[exercise_id]
        print(f"{exercise_id}: Passed. {message}")


class Unreadable(CheckFailed):
    """A check cannot read what an answer returned."""


def verdict(exercise_id: str, answer: Any, *, student: str = "", own_numbers: bool = True) -> str:
    """Return what was checked of a right answer; graders and `check` share it.

    Parameters
    ----------
    exercise_id, answer
        As in `check`.
    student : str
        The instances of functions are drawn for this student.
    own_numbers : bool
        Whether the numbers of an answer without arguments are drawn, too; else they are the text's.

    Raises
    ------
    CheckFailed
        If the answer is wrong.
    NotImplementedError
        If it is not attempted.
    """
    registered = _find(exercise_id)
    if not callable(answer):
        raise CheckFailed(
            f"Give the function itself, by its name and without calling it; got {shown(answer)}."
        )
    wrapped = _Answer(answer, none_is_an_answer=registered.none_is_an_answer)
    numbers = _drawn(exercise_id, student) if own_numbers else {}
    try:
        with for_student(student):
            return registered.function(wrapped, **numbers)
    except (CheckFailed, NotImplementedError):
        raise
    except _UNREADABLE as error:
        if error is wrapped.error:
            raise
        raise Unreadable(
            f"Your function returned {shown(wrapped.result)}, and the check cannot "
            f"read that ({error}). Look again at what the exercise asks you to return."
        ) from error


def is_individual(exercise_id: str) -> bool:
    """Tell whether an exercise has numbers that are drawn for each student."""
    return _find(exercise_id).draw is not None


def your_numbers(exercise_id: str, *, student: str) -> None:
    """Print the numbers of an exercise that are drawn for a student.

    Parameters
    ----------
    exercise_id : str
    student : str
        A name from a class list, in any case; the empty name has the numbers of the text.

    Raises
    ------
    ValueError
        If there is no such exercise.
    """
    numbers = _drawn(exercise_id, student)
    if numbers:
        sentence = _find(exercise_id).question.format(**numbers)
        print(f"For {student.strip()}, in place of the numbers above: {sentence}")
        print("Hints and solutions keep to the numbers of the text; your answer needs these.")
    else:
        print("The numbers are those of the text.")


def right_answer(exercise_id: str, *, student: str = "") -> Any:
    """Return the right answer of an exercise with such numbers, for the instructor.

    Parameters
    ----------
    exercise_id, student
        As in `your_numbers`.

    Returns
    -------
    object
        What the learner's function should return.

    Raises
    ------
    ValueError
        If there is no such exercise, or if its answer is no constant.
    """
    right = _find(exercise_id).right
    if right is None:
        raise ValueError(f"{exercise_id} has no numbers that are drawn for each student.")
    return right(**_drawn(exercise_id, student))


def _drawn(exercise_id: str, student: str) -> dict[str, Any]:
    found = _find(exercise_id)
    if found.draw is None or found.right is None or not student.strip():
        return {}
    # Nobody's answer stands on the page.
    source, of_text = generator(exercise_id, student), repr(found.right())
    while True:
        numbers = found.draw(source)
        if repr(found.right(**numbers)) != of_text:
            return numbers


def _is_by_hand(answer: Any) -> bool:
    try:
        return not inspect.signature(answer).parameters
    except (TypeError, ValueError):
        return False


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


def _find(exercise_id: str) -> _Check:
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
