"""Feedback on exercises: what it says, and that it never says anything else."""

import importlib
import pkgutil
import re
from collections import Counter
from contextlib import contextmanager
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch

from xai_course.book import checks
from xai_course.book.checks import CheckFailed, check, exercise, right_answer, your_numbers
from xai_course.book.draws import for_student, student_generator, student_seed
from xai_course.book.expect import (
    assert_close,
    assert_equal,
    close_to,
    expect_array,
    expect_number,
    expect_parts,
)


@pytest.fixture
def sample_exercise(monkeypatch):
    """Register an exercise whose answer is a function that returns 3."""
    monkeypatch.setattr(checks, "_CHECKS", dict(checks._CHECKS))
    monkeypatch.setattr(checks, "_TRIES", Counter())

    @exercise("ex-sample-1")
    def _(answer):
        assert_equal(answer(), 3, "The number")
        return "Three it is."

    return "ex-sample-1"


def raiser(error):
    def answer(*arguments, **options):
        raise error

    return answer


def test_right_answer(sample_exercise, capsys):
    check(sample_exercise, lambda: 3)
    assert capsys.readouterr().out == "ex-sample-1: Passed. Three it is.\n"


def test_wrong_answer_raises_with_the_id(sample_exercise):
    with pytest.raises(CheckFailed, match=r"^ex-sample-1: The number: 4 is not right\.$"):
        check(sample_exercise, lambda: 4)


def said(exercise_id, answer, **options):
    with pytest.raises(CheckFailed) as caught:
        check(exercise_id, answer, **options)
    return str(caught.value)


def test_what_is_right_is_told_after_three_tries_and_to_readers_only(sample_exercise):
    brief, told = (
        "ex-sample-1: The number: 4 is not right.",
        "ex-sample-1: The number should be 3, got 4.",
    )
    assert [said(sample_exercise, lambda: 4) for _ in range(4)] == [brief, brief, told, told]
    check(sample_exercise, lambda: 3)
    assert said(sample_exercise, lambda: 4) == brief
    for _ in range(5):
        assert said(sample_exercise, lambda: 4, student="") == brief


def test_a_function_of_instances_is_told_at_once(monkeypatch):
    monkeypatch.setattr(checks, "_CHECKS", dict(checks._CHECKS))

    @exercise("ex-sample-2")
    def _(answer):
        assert_equal(answer(2), 4, "The square of 2")

    assert said("ex-sample-2", lambda x: x).endswith("The square of 2 should be 4, got 2.")


@pytest.fixture
def drawn_exercise(monkeypatch):
    """Register an exercise by hand that has a number of its own for each student."""
    monkeypatch.setattr(checks, "_CHECKS", dict(checks._CHECKS))
    monkeypatch.setattr(checks, "_TRIES", Counter())

    @exercise(
        "ex-sample-3",
        draw=lambda rng: {"n": int(rng.integers(10, 10**6))},
        question="n = {n}.",
        right=lambda n=3: 2 * n,
    )
    def _(answer, n=3):
        assert_equal(answer(), 2 * n, "Twice the number")
        return "Twice."

    return "ex-sample-3"


def test_each_student_has_numbers_of_their_own(drawn_exercise, capsys):
    assert right_answer(drawn_exercise) == right_answer(drawn_exercise, student="") == 6
    own = {name: right_answer(drawn_exercise, student=name) for name in ("Ada", "Bo", "Cy")}
    assert len({6, *own.values()}) == 4
    assert right_answer(drawn_exercise, student="  ADA ") == own["Ada"]
    check(drawn_exercise, lambda: own["Bo"], student="bo")
    assert said(drawn_exercise, lambda: own["Bo"], student="cy").endswith(
        f": {own['Bo']} is not right."
    )
    capsys.readouterr()
    your_numbers(drawn_exercise, student="Bo")
    printed = capsys.readouterr().out
    assert f"For Bo, in place of the numbers above: n = {own['Bo'] // 2}." in printed
    assert "Hints and solutions keep to the numbers of the text" in printed


def test_numbers_of_the_text(drawn_exercise, sample_exercise, capsys):
    your_numbers(drawn_exercise, student=" ")
    your_numbers(sample_exercise, student="Bo")
    assert capsys.readouterr().out == "The numbers are those of the text.\n" * 2
    with pytest.raises(ValueError, match="no numbers that are drawn"):
        right_answer(sample_exercise)


def test_draw_question_and_right_come_together():
    with pytest.raises(ValueError, match="come together"):
        exercise("ex-sample-4", draw=lambda rng: {})


def test_instances_are_drawn_for_a_student_within_the_block_only():
    def first():
        return student_generator(2).random(), student_seed(7)

    readers = first()
    assert readers == (np.random.default_rng(2).random(), 7)
    with for_student("Ada"):
        own = first()
        with for_student("ada "):
            assert first() == own
    with for_student("Bo"):
        assert first()[0] not in (own[0], readers[0])
    assert first() == readers


def test_not_attempted_only_prints(sample_exercise, capsys):
    check(sample_exercise, raiser(NotImplementedError()))
    assert capsys.readouterr().out == "ex-sample-1: Not attempted yet.\n"


def test_not_attempted_fails_when_strict(sample_exercise, monkeypatch):
    with pytest.raises(CheckFailed, match="Not attempted yet"):
        check(sample_exercise, raiser(NotImplementedError()), strict=True)
    monkeypatch.setenv("XAI_COURSE_STRICT", "1")
    with pytest.raises(CheckFailed, match="Not attempted yet"):
        check(sample_exercise, raiser(NotImplementedError()))


@pytest.mark.parametrize("error", [NameError("x"), RuntimeError("no"), AssertionError("mine")])
def test_other_errors_of_the_answer_are_shown_as_they_are(sample_exercise, error):
    with pytest.raises(type(error)) as caught:
        check(sample_exercise, raiser(error))
    assert caught.value is error


@pytest.mark.parametrize("name", ["ex-nowhere-1", "ex-local-linear-models-99", "7", "ex-../x-1"])
def test_unknown_exercise(name):
    with pytest.raises(ValueError, match="no exercise"):
        check(name, lambda: 3)


def test_notebook_shows_the_message_without_a_traceback():
    assert CheckFailed("ex-1: wrong")._render_traceback_() == ["CheckFailed: ex-1: wrong"]


@contextmanager
def tells(pattern):
    """Expect an error whose full message, the one with the right value, matches."""
    with pytest.raises(CheckFailed) as caught:
        yield
    assert re.search(pattern, caught.value.told), caught.value.told


@pytest.mark.parametrize(
    ("actual", "expected"),
    [(3.5, 3), ("3", 3), (None, 3), (True, 1), (np.True_, 1), ([3], 3), (np.array([3, 3]), 3)],
)
def test_assert_equal_tells_values_apart(actual, expected):
    with tells("The answer should be"):
        assert_equal(actual, expected, "The answer")


@pytest.mark.parametrize(("actual", "expected"), [(3, 3), (3.0, 3), (np.int64(3), 3), (True, True)])
def test_assert_equal_accepts(actual, expected):
    assert_equal(actual, expected, "The answer")


@pytest.mark.parametrize(
    ("actual", "message"),
    [
        ([[1.0, 2.5]], r"1 of 2 value\(s\) differ.*index \(0, 1\): got 2.5, expected 2"),
        ([[np.nan, 2.0]], "got nan, expected 1"),
        ([1.0, 2.0], r"should have shape \(1, 2\), got \(2,\)"),
        ("one", "should be numbers, got 'one' of type str"),
        (None, "expected 1|should"),
    ],
)
def test_assert_close_says_what_differs(actual, message):
    with tells(message):
        assert_close(actual, [[1.0, 2.0]], "The result")


@pytest.mark.parametrize(
    ("actual", "message"),
    [
        ("1", "should be numbers, got '1' of type str"),
        (["1", "2"], "should be numbers"),
        ([[1.0], [1.0, 2.0]], "should be numbers"),
        ([None, 1.0], "should be numbers"),
        (1j, "should be numbers"),
        (torch.ones(2, requires_grad=True), r"got 1, expected 2"),
        ([np.inf, 2.0], "got inf, expected 1"),
        ([1.0, 2.0000001], "got 2.0000001, expected 2"),
    ],
)
def test_assert_close_reads_any_kind_of_answer(actual, message):
    with tells(message):
        assert_close(actual, [1.0, 2.0], "The result")


def test_assert_close_accepts_every_kind_of_numbers():
    third = Fraction(1, 3)
    for right in ([third, np.inf], torch.tensor([1 / 3, np.inf], requires_grad=True)):
        assert_close(right, [1 / 3, np.inf], "The result")
    assert_close(pd.Series([1 / 3], index=["a"]), [1 / 3], "The result")
    assert_close(np.float32(1 / 3), 1 / 3, "A number of float32")
    with tells(r"got 0\.33335\d, expected 0\.333333"):
        assert_close(np.float32(1 / 3 + 2e-5), 1 / 3, "A number of float32")


def test_assert_equal_compares_entries():
    assert_equal((0, 3), [0, 3], "The numbers")
    assert_equal(torch.tensor([0, 3]), [0, 3], "The numbers")
    assert_equal([(1, 0), (0, 1)], [[1, 0], [0, 1]], "The pairs")
    for wrong in ([0], [0, 3, 5], [[0], [0, 3]], [True, True], {0, 3}, "03"):
        with tells(r"The numbers should be \[0, 3\], got"):
            assert_equal(wrong, [0, 3], "The numbers")


def test_an_answer_may_change_what_it_is_given(monkeypatch):
    monkeypatch.setattr(checks, "_CHECKS", dict(checks._CHECKS))
    monkeypatch.setattr(checks, "_TRIES", Counter())
    given = np.arange(3.0), [1, 2]

    @exercise("ex-sample-2")
    def _(answer):
        for _ in range(2):
            assert_close(answer(*given), 6, "The sum of all")
        return "Six."

    def greedy(array, numbers):
        while numbers:
            array[0] += numbers.pop()
        return array.sum()

    check("ex-sample-2", greedy)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: expect_parts((1, 2), 3, "three things"), r"Return three things; got \(1, 2\)"),
        (lambda: expect_parts("abc", 3, "three things"), "Return three things; got 'abc'"),
        (lambda: expect_array([1, 2], (3,), "three numbers"), r"Return three numbers; got \[1, 2"),
        (lambda: expect_array("abc", (3,), "three numbers"), "Return three numbers; got 'abc'"),
        (lambda: expect_number([1.0], "The share"), r"The share should be one number, got \[1.0\]"),
        (lambda: expect_number(True, "The share"), "The share should be one number, got True"),
        (lambda: expect_number("1", "The share"), "The share should be one number, got '1'"),
        (lambda: expect_array(np.zeros(90), (3,), "three"), r"0\.0, .* \.\.\. \(ndarray\)"),
    ],
)
def test_a_result_of_another_form_is_named(call, message):
    with pytest.raises(CheckFailed, match=message):
        call()


def test_a_result_of_the_right_form_is_read():
    assert expect_parts(np.array([1, 2]), 2, "two numbers") == [1, 2]
    assert expect_array([1, 2], (2,), "two numbers").dtype == np.float64
    assert expect_number(np.float32(2), "The share") == 2.0


def test_close_to_tells_a_slip_from_anything_else():
    assert close_to([1.0, 2.0], [1, 2])
    for other in ([1.0, 3.0], [1.0], 1.0, "12", None, [[1.0], [1.0, 2.0]]):
        assert not close_to(other, [1, 2])


def test_assert_close_accepts_rounding_only():
    assert_close([1.0 + 1e-12], [1.0], "The result")
    with pytest.raises(CheckFailed):
        assert_close([1.0 + 1e-6], [1.0], "The result")


# The contract of every check


def every_exercise():
    """Return the ids of all exercises that have a check."""
    for module in pkgutil.iter_modules(checks.__path__):
        importlib.import_module(f"{checks.__name__}.{module.name}")
    return sorted(checks._CHECKS)


on_every_exercise = pytest.mark.parametrize("identifier", every_exercise())
ODD_RESULTS = [
    (None, None),
    (None, None, None),
    [[1.0], [1.0, 2.0]],
    torch.ones(2, requires_grad=True),
    (torch.ones(3, requires_grad=True), torch.ones((), requires_grad=True)),
    [],
    np.zeros(1),
    np.zeros(7),
    np.zeros((2, 3, 4)),
    "three",
    ["a", "b", "c"],
    {"a": 1.0},
    {1.5, 2.5},
    object(),
    len,
    1j,
    True,
    pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}),
]


@on_every_exercise
def test_odd_results_are_wrong_and_never_an_error(identifier):
    for result in ODD_RESULTS:
        with pytest.raises(CheckFailed, match=identifier):
            check(identifier, lambda *_, result=result, **__: result, strict=True)
    with pytest.raises(CheckFailed, match=identifier):
        check(identifier, lambda *_, **__: (letter for letter in "ab"), strict=True)


@on_every_exercise
def test_a_forgotten_return_is_answered_in_plain_words(identifier):
    may_return_none = identifier == "ex-inet-evaluation-3"
    words = "should be 3, got None" if may_return_none else "Is its `return` missing?"
    with pytest.raises(CheckFailed, match=re.escape(words)):
        check(identifier, lambda *_, **__: None, strict=True)


@on_every_exercise
def test_what_is_no_function_is_asked_for_the_function(identifier):
    for answer in (22, None, "text", [1.0], np.ones(3), torch.ones(2)):
        with pytest.raises(CheckFailed, match="Give the function itself"):
            check(identifier, answer, strict=True)


@on_every_exercise
def test_an_error_inside_the_answer_is_shown_as_it_is(identifier):
    mine = ValueError("mine")
    with pytest.raises(ValueError, match="mine") as caught:
        check(identifier, raiser(mine), strict=True)
    assert caught.value is mine
