"""Mark one submission: run it in a sandbox, call its answers, compare what they return."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from xai_course.book.checks import CheckFailed, is_individual, verdict
from xai_course.book.expect import forbidden
from xai_course.book.names import names, needed
from xai_course.grading.course import Assignment, Exercise, Submission
from xai_course.grading.sandbox import Limits, sandbox
from xai_course.grading.wire import WireError

RIGHT, WRONG, ERROR, STOPPED, BLANK = "right", "wrong", "error", "stopped", "not attempted"


class Run:
    """A submission that runs, and is started again without what ended it."""

    def __init__(self, cells: list[str], limits: Limits, **where: Any) -> None:
        self.cells, self.limits, self.where = cells, limits, where
        self.until = time.monotonic() + limits.total
        self.problems: dict[int, str] = {}  # by cell
        self.stack, self.sandbox = ExitStack(), None

    def start(self) -> None:
        """Run all cells but those that ended it before; an error of one does not stop the next."""
        while time.monotonic() < self.until:
            self.close()
            run = sandbox(self.limits, until=self.until, **self.where)
            self.sandbox = self.stack.enter_context(run)
            for index, source in enumerate(self.cells):
                if self.problems.get(index, "").startswith(STOPPED):
                    continue
                try:
                    self.sandbox.run_cell(source, f"cell {index + 1}")
                except WireError as error:
                    self.problems[index] = f"{STOPPED}: a cell {self.reason(error)}"
                    break
                except Exception as error:
                    self.problems[index] = f"{type(error).__name__}: {error}"
            else:
                return
        self.close()
        raise TimeoutError(f"{STOPPED}: all of it took over {self.limits.total:.0f} s")

    def close(self) -> None:
        """End the process."""
        self.stack.close()
        self.sandbox = None

    def reason(self, error: WireError) -> str:
        """Say why the process no longer answers."""
        return self.sandbox.stopped or str(error).removeprefix("it ")

    def problems_of(self, name: str) -> list[str]:
        """Return what went wrong in cells that should bind a name; an error in them keeps it."""
        binds = [f"def {name}(" in source or f"{name} =" in source for source in self.cells]
        return [says for index, says in self.problems.items() if binds[index]]

    def function(self, name: str) -> Callable[..., Any]:
        """Return a function of the submission, which works on copies and returns data."""
        if self.sandbox is None:
            self.start()
        remote = self.sandbox.get(name)

        def answer(*arguments: Any, **options: Any) -> Any:
            rules = forbidden()
            try:
                return remote(rules, *arguments, **options)
            except AssertionError as error:
                if str(error) in dict(rules).values():
                    raise CheckFailed(str(error)) from None
                raise

        return answer


def grade(
    assignment: Assignment,
    submission: Submission,
    student: str,
    *,
    own_numbers: bool = False,
    limits: Limits,
    **where: Any,
) -> dict[str, dict[str, Any]]:
    """Return for each exercise its state, its points and a sentence for the student.

    Parameters
    ----------
    assignment, submission
        From `course`.
    student : str
        The instances of functions are drawn for this name.
    own_numbers : bool
        Whether the student's notebook bore the name: what asks for values has own numbers then.
    limits : Limits
    **where
        Options of `sandbox`.
    """
    run = Run(submission.cells, limits, **where)
    marks: dict[str, dict[str, Any]] = {}
    try:
        for exercise in assignment.exercises.values():
            if exercise.answer:
                state, says = _mark(run, assignment, exercise, student, own_numbers)
                points = exercise.points if state == RIGHT else 0
                marks[exercise.identifier] = {"state": state, "points": points, "says": says}
    finally:
        run.close()
    return marks


def _mark(
    run: Run, assignment: Assignment, exercise: Exercise, student: str, own_numbers: bool
) -> tuple[str, str]:
    identifier = exercise.identifier
    try:
        try:
            answer = run.function(exercise.answer)
        except KeyError:
            told = run.problems_of(exercise.answer)
            return (ERROR, told[-1]) if told else (BLANK, f"{exercise.answer} is missing.")
        checked = verdict(identifier, answer, student=student, own_numbers=own_numbers)
        if exercise.hidden and not (own_numbers and is_individual(identifier)):
            _run_hidden(assignment, exercise, answer)
        return RIGHT, checked
    except NotImplementedError:
        return BLANK, "The stub is as it was handed out."
    except TimeoutError as error:
        return STOPPED, str(error)
    except WireError as error:
        reason = run.reason(error)
        run.close()
        return STOPPED, f"The function {reason}."
    except CheckFailed as error:
        return WRONG, str(error)
    except Exception as error:
        return ERROR, f"{type(error).__name__}: {error}"


_LESSONS: dict[tuple[str, str], dict[str, Any]] = {}  # one process grades many submissions


def _run_hidden(assignment: Assignment, exercise: Exercise, answer: Callable[..., Any]) -> None:
    """Run a hidden test here, with what it needs of the lesson, which is the instructor's code."""
    key = assignment.slug, exercise.identifier
    if key not in _LESSONS:
        lesson = [cell.source for cell in assignment.cells if cell.is_lesson]
        of_test = names(exercise.hidden)
        keep = needed(lesson, set((of_test.read | of_test.used) - {exercise.answer}))
        _LESSONS[key] = {"__name__": "__main__"}
        for source, wanted in zip(lesson, keep, strict=True):
            if wanted:
                exec(source, _LESSONS[key])
    try:
        exec(exercise.hidden, _LESSONS[key] | {exercise.answer: answer})
    except AssertionError as error:
        raise CheckFailed("It passes the check that you see, and fails a hidden test.") from error
