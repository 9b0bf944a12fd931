"""Each proof about exercises passes a good chapter and catches one that breaks it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import test_exercises as proofs

from tools.chapters import Book, Chapter, Exercise
from xai_course.book.checks import CheckFailed, exercise
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


WRONG = [(lambda: 1, "should be 2"), (lambda: 3, "got 3")]


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
    with pytest.raises(AssertionError, match="should be 2"):
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
