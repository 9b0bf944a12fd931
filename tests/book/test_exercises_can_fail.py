"""Each proof about exercises passes a good chapter and catches one that breaks it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import test_exercises as proofs

from tools.chapters import Book, Chapter, Exercise
from xai_course.book import checks
from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator
from xai_course.book.expect import assert_equal

FIXTURE = Path(__file__).parent / "fixtures" / "repo"  # a checkout that keeps every rule
FIRST = "ex-good-chapter-1"
HIDDEN = "assert n_regions() == 2"
STUB_LINE = '    """Return the number of regions."""\n    raise NotImplementedError'


@exercise(FIRST)
def check_regions(answer: Callable[[], int]) -> str:
    """The fixture chapter's check."""
    assert_equal(answer(), 2, "The number of regions")
    return "Two of them."


WRONG = [(lambda: 1, "1 is not right"), (lambda: 3, "3 is not right")]


@pytest.fixture(autouse=True)
def _first_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every test begin with the first try, and with the checks as they are."""
    monkeypatch.setattr(checks, "_TRIES", Counter())
    monkeypatch.setattr(checks, "_CHECKS", dict(checks._CHECKS))


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., tuple[Chapter, Exercise]]:
    """Read the fixture chapter after one replacement; give it and its first exercise."""
    text = Book(FIXTURE).chapters[0].path.read_text(encoding="utf-8")

    def one(old: str = "", new: str = "") -> tuple[Chapter, Exercise]:
        assert old in text
        path = tmp_path / "good-chapter.md"
        path.write_text(text.replace(old, new) if old else text, encoding="utf-8")
        chapter = Chapter(path, "toy-part/good-chapter")
        return chapter, chapter.exercises[0]

    return one


@pytest.fixture
def output(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    return lambda: capsys.readouterr().out


def first_cell(chapter: Chapter) -> proofs.Namespace:
    return proofs.run(chapter.cells[:1], {})


def test_good_exercise_passes(read, output) -> None:
    chapter, one = read()
    namespace = first_cell(chapter)
    proofs.stub_waits(one, namespace, output)
    proofs.solution_passes(one, namespace, output)
    proofs.every_right_way_passes(one, namespace)
    proofs.wrong_answers_get_help(one, namespace, WRONG)
    proofs.solution_keeps_the_stub(one)
    proofs.hidden_tests_can_fail(one, namespace, WRONG)


def test_stub_that_answers_is_caught(read, output) -> None:
    chapter, one = read(STUB_LINE, "    return 2")
    with pytest.raises(AssertionError, match="Not attempted"):
        proofs.stub_waits(one, first_cell(chapter), output)


def test_wrong_solution_is_caught(read, output) -> None:
    chapter, one = read("    return 2\n", "    return 5\n")
    with pytest.raises(AssertionError, match="5 is not right"):
        proofs.solution_passes(one, first_cell(chapter), output)


def test_a_check_that_refuses_a_right_way_is_caught(read) -> None:
    chapter, one = read()
    namespace = first_cell(chapter)

    def only_int(identifier: str, answer: Callable[[], int], *, strict: bool) -> None:
        if type(answer()) is not int:
            raise CheckFailed("no int")

    namespace["check"] = only_int
    with pytest.raises(AssertionError, match="as tensors: no int"):
        proofs.every_right_way_passes(one, namespace)


def test_solution_without_check_is_caught(read, output) -> None:
    chapter, one = read(f'check("{FIRST}", n_regions)', "print(n_regions)")
    with pytest.raises(AssertionError, match="Passed"):
        proofs.solution_passes(one, first_cell(chapter), output)


def test_wrong_hidden_test_is_caught(read, output) -> None:
    chapter, one = read(HIDDEN, "assert n_regions() == 7")
    with pytest.raises(AssertionError):
        proofs.solution_passes(one, first_cell(chapter), output)


@pytest.mark.parametrize("new", ["assert True", "assert callable(n_regions)"])
def test_hidden_test_that_cannot_fail_is_caught(new, read) -> None:
    chapter, one = read(HIDDEN, new)
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        proofs.hidden_tests_can_fail(one, first_cell(chapter), WRONG)


def test_hidden_test_that_accepts_every_wrong_answer_is_caught(read) -> None:
    chapter, one = read(HIDDEN, "assert isinstance(n_regions(), int)")
    with pytest.raises(AssertionError, match="accepts every planted"):
        proofs.hidden_tests_can_fail(one, first_cell(chapter), WRONG)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (WRONG[:1], "plant 2"),
        ([(lambda: 2, "should be"), WRONG[0]], "DID NOT RAISE"),
        ([(lambda: 1, "a helpful word"), WRONG[0]], "a helpful word"),
        ([(lambda: 1, " "), WRONG[0]], "must contain"),
    ],
)
def test_useless_wrong_answers_are_caught(wrong, message, read) -> None:
    chapter, one = read()
    with pytest.raises((AssertionError, pytest.fail.Exception), match=message):
        proofs.wrong_answers_get_help(one, first_cell(chapter), wrong)


def test_cells_that_an_exercise_needs(read) -> None:
    """Only what its solution uses, and what that needs; never the whole chapter."""
    chapter, one = read(HIDDEN, "assert n_regions() == len(np.unique(np.sign(grid))) - 1")
    assert [cell.number for cell in proofs.needed_cells(chapter, one)] == [1, 2]
    assert [cell.number for cell in proofs.needed_cells(*read())] == [1]


def test_other_signature_in_the_solution_is_caught(read) -> None:
    _, one = read("def n_regions():\n" + STUB_LINE, "def n_regions(x):\n" + STUB_LINE)
    with pytest.raises(AssertionError, match="not in the solution"):
        proofs.solution_keeps_the_stub(one)


def test_missing_wrong_answers_are_caught(read, tmp_path) -> None:
    chapter, _ = read()
    with pytest.raises(AssertionError, match=r"good_chapter\.py is missing"):
        proofs.load_wrong_answers(chapter, tmp_path)


# --- numbers and instances of each student --------------------------------------------------------


def number(rng: Any) -> dict[str, int]:
    return {"n": int(rng.integers(1, 10**6))}


def register(
    *, draw: Any = number, right: Any = lambda n=2: n, accepts: Any = int.__eq__, tells: str = ""
) -> None:
    """Register the fixture's exercise anew, with a number for each student and one flaw at most."""

    @exercise(FIRST, draw=draw, question="n = {n}.", right=right)
    def _(answer: Callable[[], int], n: int = 2) -> str:
        found = answer()
        if not accepts(found, n):
            raise CheckFailed(f"Not {found}.{tells}")
        return "As many as there are."


@pytest.mark.parametrize("prepare", [register, lambda: None], ids=["drawn", "the text's"])
def test_a_good_exercise_for_a_class_passes(prepare, read) -> None:
    chapter, one = read()
    prepare()
    proofs.every_student_can_pass(one, first_cell(chapter))
    proofs.wrong_answers_fail_every_student(one, WRONG)


def test_an_answer_for_the_instructor_that_the_check_refuses_is_caught(read) -> None:
    chapter, one = read()
    register(right=lambda n=2: n + 1)
    with pytest.raises(CheckFailed, match="Not "):
        proofs.every_student_can_pass(one, first_cell(chapter))


def test_instances_on_which_the_solution_fails_are_caught(read) -> None:
    chapter, one = read()

    @exercise(FIRST)
    def _(answer: Callable[[], int]) -> str:
        assert_equal(answer(), 2 if student_generator(0).random() > 0.5 else 0, "The number")
        return "Two of them."

    proofs.run([*one.stubs, *one.solutions], first_cell(chapter))["check"](FIRST, lambda: 2)
    with pytest.raises(CheckFailed, match="The number: 2 is not right"):
        proofs.every_student_can_pass(one, first_cell(chapter))


def test_a_check_that_accepts_the_answer_of_another_student_is_caught(read) -> None:
    _, one = read()
    register(accepts=lambda found, n: found % 2 == n % 2)
    with pytest.raises(AssertionError, match="a wrong answer passes for student"):
        proofs.wrong_answers_fail_every_student(one, [])


def test_instances_on_which_a_wrong_answer_passes_are_caught(read) -> None:
    _, one = read()
    with pytest.raises(AssertionError, match="a wrong answer passes for student 0"):
        proofs.wrong_answers_fail_every_student(one, [*WRONG, (lambda: 2, "")])


@pytest.mark.parametrize("kinds", [1, proofs.MIN_VARIANTS - 1])
def test_too_few_different_answers_are_caught(kinds, read) -> None:
    _, one = read()
    register(draw=lambda rng: {"n": int(rng.integers(kinds))})
    with pytest.raises(AssertionError, match="share fewer than 5 answers"):
        proofs.wrong_answers_fail_every_student(one, WRONG)


def test_a_first_message_that_tells_is_caught() -> None:
    register()
    proofs.first_message_tells_nothing(FIRST, WRONG)
    for tells in (" It is 2.", " Both pieces, 2 of them, count.", " Expected 2.0, or (1, 2)."):
        register(tells=tells)
        with pytest.raises(AssertionError, match=r"the first message tells \[2.0\]"):
            proofs.first_message_tells_nothing(FIRST, WRONG)


def test_a_first_message_may_repeat_the_answer_and_name_things() -> None:
    register(tells=" Look at x2, and at 2d.")
    proofs.first_message_tells_nothing(FIRST, WRONG)
    register(right=lambda n=2: (n, 1), tells="")
    proofs.first_message_tells_nothing(FIRST, WRONG)


def test_a_wrong_answer_that_passes_has_no_message() -> None:
    register()
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        proofs.first_message_tells_nothing(FIRST, [(lambda: 2, "")])
