"""Feedback on exercises: what it says, and that it never says anything else."""

import numpy as np
import pytest

from xai_course.book import checks
from xai_course.book.checks import CheckFailed, assert_close, assert_equal, check, exercise


@pytest.fixture
def sample_exercise(monkeypatch):
    """Register an exercise whose answer is a function that returns 3."""
    monkeypatch.setattr(checks, "_CHECKS", dict(checks._CHECKS))

    @exercise("ex-sample-1")
    def _(answer):
        assert_equal(answer(), 3, "The number")
        return "Three it is."

    return "ex-sample-1"


def raiser(error):
    def answer():
        raise error

    return answer


def test_right_answer(sample_exercise, capsys):
    check(sample_exercise, lambda: 3)
    assert capsys.readouterr().out == "ex-sample-1: Passed. Three it is.\n"


def test_wrong_answer_raises_with_the_id(sample_exercise):
    with pytest.raises(CheckFailed, match=r"^ex-sample-1: The number should be 3, got 4\.$"):
        check(sample_exercise, lambda: 4)


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


@pytest.mark.parametrize(
    ("actual", "expected"),
    [(3.5, 3), ("3", 3), (None, 3), (True, 1), (np.True_, 1), ([3], 3), (np.array([3, 3]), 3)],
)
def test_assert_equal_tells_values_apart(actual, expected):
    with pytest.raises(CheckFailed, match="The answer should be"):
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
    with pytest.raises(CheckFailed, match=message):
        assert_close(actual, [[1.0, 2.0]], "The result")


def test_assert_close_accepts_rounding_only():
    assert_close([1.0 + 1e-12], [1.0], "The result")
    with pytest.raises(CheckFailed):
        assert_close([1.0 + 1e-6], [1.0], "The result")
