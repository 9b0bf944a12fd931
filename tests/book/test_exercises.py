"""Every exercise teaches: the stub waits, the solution passes, and wrong answers get help.

The planted wrong answers of a chapter lie in `wrong_answers/<slug with underscores>.py`:
`WRONG_ANSWERS: dict[str, list[tuple[answer, piece of the message]]]`.
"""

from __future__ import annotations

import ast
import copy
import importlib.util
import re
import socket
import symtable
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
import torch

from tools.chapters import BOOK, Book, Cell, Chapter, Exercise
from xai_course.book.checks import CheckFailed, is_individual, right_answer, verdict, your_numbers
from xai_course.grading.wire import Peer, WireError

Namespace = dict[str, Any]
WRONG_FOLDER = Path(__file__).parent / "wrong_answers"
MIN_WRONG = 2
STUDENTS = tuple(f"student {i}" for i in range(8))
FEW = 3  # of the students, where a check takes seconds
MIN_VARIANTS = 5
NUMBER = r"(?<![\w.])-?\d+(?:\.\d+)?(?!\w|\.\d)"  # a number that is no part of a name


def run(cells: list[Cell], namespace: Namespace) -> Namespace:
    """Execute cells in a copy of a namespace, as a kernel would."""
    namespace = dict(namespace)
    for cell in cells:
        exec(compile(cell.source, f"cell {cell.number}", "exec"), namespace)
    return namespace


def answer_name(exercise: Exercise) -> str:
    """Name the object that the exercise's check is given."""
    calls = [n for n in ast.walk(ast.parse(exercise.checks[0].source)) if isinstance(n, ast.Call)]
    call = next(call for call in calls if ast.unparse(call.func) == "check")
    return ast.unparse(call.args[1])


def variables(source: str) -> tuple[set[str], set[str]]:
    """Name the notebook's variables that a cell reads, and those that it assigns."""
    tables = [symtable.symtable(source, "cell", "exec")]
    top = tables[0].get_symbols()
    read = {symbol.get_name() for symbol in top if symbol.is_referenced()}
    for table in tables:  # functions and comprehensions, at every depth
        tables.extend(table.get_children())
        if table is not tables[0]:
            read |= {one.get_name() for one in table.get_symbols() if one.is_global()}
    return read, {symbol.get_name() for symbol in top if symbol.is_assigned()}


def needed_cells(chapter: Chapter, exercise: Exercise) -> list[Cell]:
    """The first cell, and the cells of the lesson above that assign what the exercise reads.

    A solution may try an answer on the chapter's data; executing the whole chapter for it would
    take half a minute.
    """
    inside = {c.number for e in chapter.exercises for c in (*e.cells, *e.solution_cells)}
    lesson = (cell for cell in chapter.cells[1:] if cell.number not in inside)
    above = [cell for cell in lesson if cell.line < exercise.line]
    needed: list[Cell] = []
    wanted: set[str] = set()
    for cell in reversed([*above, *exercise.cells, *exercise.solution_cells]):
        read, assigned = variables(cell.source)
        if cell not in above or assigned & wanted:
            # What a cell reads and assigns is taken for its own, as a loop's variable is.
            wanted = (wanted | read) - assigned
            needed[:0] = [cell] if cell in above else []
    return [chapter.cells[0], *needed]


def load_wrong_answers(chapter: Chapter, folder: Path = WRONG_FOLDER) -> dict[str, list]:
    """Import a chapter's planted wrong answers."""
    path = folder / f"{chapter.slug.replace('-', '_')}.py"
    assert path.exists(), f"{path.name} is missing: plant {MIN_WRONG} wrong answers an exercise"
    spec = importlib.util.spec_from_file_location(f"wrong_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.WRONG_ANSWERS


def with_stub(book: Book) -> list[tuple[Chapter, Exercise]]:
    """Give the exercises that a reader answers in code."""
    return [(c, e) for c in book.chapters for e in c.exercises if e.stubs]


# --- what is proved for one exercise; test_exercises_can_fail.py gives each a reason to fail ------


def stub_waits(exercise: Exercise, namespace: Namespace, output: Callable[[], str]) -> None:
    """An untouched stub is no error for a reader, and one for a grader."""
    stubbed = run(exercise.stubs, namespace)
    answer, check = stubbed[answer_name(exercise)], stubbed["check"]
    output()
    check(exercise.identifier, answer, strict=False)
    assert "Not attempted yet" in output()
    with pytest.raises(CheckFailed, match="Not attempted yet"):
        check(exercise.identifier, answer, strict=True)


def solution_passes(exercise: Exercise, namespace: Namespace, output: Callable[[], str]) -> None:
    """The solution passes the check that the reader gets, and every hidden test."""
    solved = run(exercise.solutions, run(exercise.stubs, namespace))
    output()
    run([c for c in exercise.solution_cells if "check" in c.tags], solved)
    assert f"{exercise.identifier}: Passed" in output()
    run(exercise.hidden_tests, solved)
    name = answer_name(exercise)
    run(exercise.hidden_tests, {**solved, name: from_elsewhere(solved[name])})  # as a grader does


def in_place(solution: Callable) -> Callable:
    """Overwrite what the solution was given, once it has its result."""

    def answer(*arguments: Any, **options: Any) -> Any:
        result = solution(*arguments, **options)
        # A tensor that was computed with a gradient has no deep copy.
        result = result.clone() if torch.is_tensor(result) else copy.deepcopy(result)
        for argument in arguments:
            if isinstance(argument, np.ndarray):
                argument[...] = 1
            elif isinstance(argument, list):
                argument.clear()
        return result

    return answer


def in_form(convert: Callable[[Any], Any]) -> Callable[[Callable], Callable]:
    """Convert every number and array of what a solution returns."""

    def of(result: Any) -> Any:
        if isinstance(result, tuple | list):
            return type(result)(of(part) for part in result)
        numbers = isinstance(result, np.ndarray | np.generic | float | int)
        return convert(result) if numbers and result is not None else result

    return lambda solution: lambda *arguments, **options: of(solution(*arguments, **options))


def tensor(numbers: Any) -> Any:
    """Return a tensor, with a gradient where there can be one."""
    made = torch.as_tensor(numbers, dtype=torch.float64 if isinstance(numbers, float) else None)
    return made.requires_grad_() if made.is_floating_point() else made


def single(numbers: Any) -> Any:
    """Return float32 in place of float64."""
    array = np.asarray(numbers)
    return array.astype(np.float32)[()] if array.dtype == float else numbers


def other_sequence(solution: Callable) -> Callable:
    """Return lists in place of tuples, and tuples in place of lists."""

    def of(result: Any) -> Any:
        swap = {list: tuple, tuple: list}.get(type(result))
        return swap(map(of, result)) if swap else result

    return lambda *arguments, **options: of(solution(*arguments, **options))


def from_elsewhere(solution: Callable) -> Callable:
    """Answer over the wire of the grader, which carries data alone."""
    here, there = socket.socketpair()

    def listen() -> None:
        with suppress(WireError):  # in the end the check hangs up
            Peer(there, solution).listen()

    threading.Thread(target=listen, daemon=True).start()
    return Peer(here).function(0)


RIGHT_WAYS = {
    "working in place": in_place,
    "as lists": in_form(lambda numbers: np.asarray(numbers).tolist()),
    "as tensors": in_form(tensor),
    "in float32": in_form(single),
    "in another sequence": other_sequence,
    "from another process": from_elsewhere,
}


def every_right_way_passes(exercise: Exercise, namespace: Namespace) -> None:
    """A right answer passes in whatever form it comes."""
    solved = run(exercise.solutions, run(exercise.stubs, namespace))
    for way, change in RIGHT_WAYS.items():
        try:
            solved["check"](exercise.identifier, change(solved[answer_name(exercise)]), strict=True)
        except CheckFailed as error:
            raise AssertionError(f"{way}: {error}") from error


def wrong_answers_get_help(
    exercise: Exercise, namespace: Namespace, wrong: list[tuple[Callable, str]]
) -> None:
    """Each planted wrong answer fails, with a message that helps."""
    assert len(wrong) >= MIN_WRONG, f"{exercise.identifier}: plant {MIN_WRONG} or more"
    for answer, piece in wrong:
        assert piece.strip(), f"{exercise.identifier}: say what the message must contain"
        with pytest.raises(CheckFailed) as caught:
            namespace["check"](exercise.identifier, answer, strict=True)
        assert piece in str(caught.value)


def solution_keeps_the_stub(exercise: Exercise) -> None:
    """A reader's signature and docstring are the solution's."""
    solution = "\n".join(cell.source for cell in exercise.solutions).splitlines()
    for cell in exercise.stubs:
        kept = [line for line in cell.source.splitlines() if "NotImplementedError" not in line]
        missing = [line for line in kept if line.strip() and line not in solution]
        # A comment tells the reader what to do; the solution has done it.
        missing = [line for line in missing if not line.strip().startswith("#")]
        assert not missing, f"{exercise.identifier}: not in the solution: {missing}"


def hidden_tests_can_fail(
    exercise: Exercise, namespace: Namespace, wrong: list[tuple[Callable, str]]
) -> None:
    """Hidden tests fail on the stub and on a planted wrong answer."""
    stubbed = run(exercise.stubs, namespace)
    with pytest.raises((AssertionError, NotImplementedError)):
        run(exercise.hidden_tests, stubbed)
    name = answer_name(exercise)
    caught = 0
    for answer, _ in wrong:
        try:
            run(exercise.hidden_tests, {**stubbed, name: answer})
        except Exception:  # a wrong answer may fail in any way
            caught += 1
    assert caught, f"{exercise.identifier}: the hidden test accepts every planted wrong answer"


def every_student_can_pass(exercise: Exercise, namespace: Namespace) -> None:
    """The solution passes on the instances of each student, or each has an answer by hand."""
    solution = run(exercise.solutions, run(exercise.stubs, namespace))[answer_name(exercise)]
    if is_individual(exercise.identifier):
        for student in STUDENTS:
            own = right_answer(exercise.identifier, student=student)
            verdict(exercise.identifier, lambda own=own: own, student=student)
    else:
        for student in STUDENTS[:FEW]:
            verdict(exercise.identifier, solution, student=student)


def wrong_answers_fail_every_student(
    exercise: Exercise,
    wrong: list[tuple[Callable, str]],
    students: tuple[str, ...] = STUDENTS[:FEW],
) -> None:
    """A planted wrong answer passes for no student; without arguments, neither does another's."""
    identifier = exercise.identifier
    if is_individual(identifier):
        own = {student: right_answer(identifier, student=student) for student in STUDENTS}
        wrong = [*wrong, *(((lambda answer=answer: answer), "") for answer in own.values())]
        assert len({repr(answer) for answer in own.values()}) >= MIN_VARIANTS, (
            f"{identifier}: {len(STUDENTS)} students share fewer than {MIN_VARIANTS} answers"
        )
    for student in students:
        for answer, _ in wrong:
            if is_individual(identifier) and written(answer()) == written(own[student]):
                continue  # another's answer, or a slip with the text's numbers, may be right
            try:
                verdict(identifier, answer, student=student)
            except Exception:  # a wrong answer may fail in any way
                continue
            raise AssertionError(f"{identifier}: a wrong answer passes for {student}")


def first_message_tells_nothing(
    identifier: str, wrong: list[tuple[Callable, str]], stub: str = ""
) -> None:
    """What is said at the first wrong answer by hand holds no number of the right one.

    A number that the wrong answer has itself, or that the stub gives, may be named.
    """
    right = numbers_in(repr(plain_numbers(right_answer(identifier))))
    for answer, _ in wrong:
        with pytest.raises(CheckFailed) as caught:
            verdict(identifier, answer)
        given = numbers_in(repr(plain_numbers(answer()))) | numbers_in(stub)
        told = (numbers_in(str(caught.value)) & right) - given
        assert not told, f"{identifier}: the first message tells {sorted(told)}: {caught.value}"


def numbers_in(text: str) -> set[float]:
    """Return the numbers written in a text, except those that are part of a name."""
    return {float(n) for n in re.findall(NUMBER, text)}


def written(value: Any) -> str:
    """Return a value as text, with three decimals of each number."""
    return re.sub(NUMBER, lambda n: f"{float(n[0]):.3f}", repr(plain_numbers(value)))


def plain_numbers(value: Any) -> Any:
    """Return a value whose text shows plain numbers."""
    return value.tolist() if hasattr(value, "tolist") else (
        [plain_numbers(part) for part in value] if isinstance(value, tuple | list) else value
    )  # fmt: skip


# --- the real chapters ----------------------------------------------------------------------------

READERS = Path(__file__).resolve().parents[2] / "_build" / "notebooks" / "reader"
CASES = with_stub(BOOK)
on_every_exercise = pytest.mark.parametrize(
    ("chapter", "exercise"),
    CASES,
    ids=[exercise.identifier for _, exercise in CASES],
    scope="module",  # so that the proofs of one exercise follow each other and share its set-up
)


@pytest.fixture(scope="module")
def defined(chapter: Chapter, exercise: Exercise) -> Namespace:
    """What the chapter defines above an exercise, as far as the exercise needs it."""
    import matplotlib

    matplotlib.use("agg")
    return run(needed_cells(chapter, exercise), {"__name__": "__main__"})


@pytest.fixture
def namespace(defined: Namespace) -> Iterator[Namespace]:
    """The same for one proof, which may define names of its own."""
    yield dict(defined)
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.fixture
def output(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """Give what was printed since the last call."""
    return lambda: capsys.readouterr().out


def test_there_are_exercises() -> None:
    assert CASES, "no chapter has an exercise with a stub: nothing would be tested"


@on_every_exercise
def test_stub_waits(chapter, exercise, namespace, output) -> None:
    stub_waits(exercise, namespace, output)


@on_every_exercise
def test_solution_passes(chapter, exercise, namespace, output) -> None:
    solution_passes(exercise, namespace, output)
    every_right_way_passes(exercise, namespace)


@on_every_exercise
def test_wrong_answers_get_help(chapter, exercise, namespace) -> None:
    wrong = load_wrong_answers(chapter).get(exercise.identifier, [])
    wrong_answers_get_help(exercise, namespace, wrong)


@on_every_exercise
def test_every_student_can_pass(chapter, exercise, namespace) -> None:
    every_student_can_pass(exercise, namespace)
    wrong = load_wrong_answers(chapter).get(exercise.identifier, [])
    wrong_answers_fail_every_student(exercise, wrong)


# By hand or to interpret: who answers without arguments could hand the answer on.
FIXED = [(c, e) for c, e in CASES if "():\n" in e.stubs[-1].source]


@pytest.mark.parametrize(("chapter", "exercise"), FIXED, ids=[e.identifier for _, e in FIXED])
def test_answers_without_arguments_are_drawn_and_not_told(chapter, exercise, capsys) -> None:
    assert is_individual(exercise.identifier), f"{exercise.identifier}: see draw, question, right"
    wrong = load_wrong_answers(chapter).get(exercise.identifier, [])
    first_message_tells_nothing(exercise.identifier, wrong, exercise.stubs[-1].source)
    your_numbers(exercise.identifier, student="")
    assert "those of the text" in capsys.readouterr().out
    your_numbers(exercise.identifier, student="S 1")
    assert numbers_in(capsys.readouterr().out)


@on_every_exercise
def test_solution_keeps_the_stub(chapter, exercise) -> None:
    solution_keeps_the_stub(exercise)


@pytest.mark.parametrize(
    ("chapter", "exercise"),
    [(c, e) for c, e in CASES if e.hidden_tests],
    ids=[e.identifier for _, e in CASES if e.hidden_tests],
    scope="module",
)
def test_hidden_tests_can_fail(chapter, exercise, namespace) -> None:
    wrong = load_wrong_answers(chapter).get(exercise.identifier, [])
    hidden_tests_can_fail(exercise, namespace, wrong)


@pytest.mark.parametrize("chapter", BOOK.chapters, ids=lambda chapter: chapter.slug)
def test_wrong_answers_name_real_exercises(chapter: Chapter) -> None:
    known = {exercise.identifier for exercise in chapter.exercises if exercise.stubs}
    assert set(load_wrong_answers(chapter)) == known


@pytest.mark.parametrize("chapter", BOOK.chapters, ids=lambda chapter: chapter.slug)
def test_readers_get_every_stub_and_no_answer(chapter: Chapter) -> None:
    """Who skips every exercise loses nothing: stage `colab` runs this notebook as it is."""
    path = READERS / f"{chapter.slug}.ipynb"
    given = {c.source for c in nbformat.read(path, 4).cells if c.cell_type == "code"}
    for exercise in chapter.exercises:
        assert {cell.source for cell in (*exercise.stubs, *exercise.checks)} <= given
        answers = (*exercise.solutions, *exercise.hidden_tests)
        assert not given & {cell.source for cell in answers}
