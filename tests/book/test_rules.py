"""Every chapter keeps every rule of CONTRIBUTING.md."""

from __future__ import annotations

import os

import pytest
from rules import (
    ALLOWED_DIRECTIVES,
    ALLOWED_ROLES,
    BOOK_RULES,
    BUILT_RULES,
    CHAPTER_RULES,
    FRONT_MATTER_DIRECTIVES,
    BookRule,
    ChapterRule,
    tracked_files,
)

from tools.chapters import BOOK, Chapter


def report(problems: list[str]) -> str:
    """One problem a line."""
    return "\n" + "\n".join(problems)


def test_there_is_a_chapter() -> None:
    assert BOOK.chapters, "no page of _toc.yml lies in a folder of book/: nothing would be tested"


@pytest.mark.parametrize("rule", CHAPTER_RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("chapter", BOOK.chapters, ids=lambda chapter: chapter.slug)
def test_chapter_keeps_the_rule(chapter: Chapter, rule: ChapterRule) -> None:
    problems = rule(BOOK, chapter)
    assert not problems, report(problems)


@pytest.mark.parametrize("rule", BOOK_RULES, ids=lambda rule: rule.__name__)
def test_book_keeps_the_rule(rule: BookRule) -> None:
    if rule is tracked_files and not (BOOK.root / ".git").exists():
        pytest.skip("not a git checkout: nothing is tracked")
    problems = rule(BOOK)
    assert not problems, report(problems)


@pytest.mark.parametrize("rule", BUILT_RULES, ids=lambda rule: rule.__name__)
def test_built_book_keeps_the_rule(rule: BookRule) -> None:
    if not BOOK.html.exists() and not os.environ.get("CI"):
        pytest.skip("no _build/html: run `make book` first")
    problems = rule(BOOK)
    assert not problems, report(problems)


@pytest.mark.parametrize(
    ("row", "allowed"),
    [
        ("directives in chapters", ALLOWED_DIRECTIVES),
        ("further ones in front matter", FRONT_MATTER_DIRECTIVES),
        ("roles", ALLOWED_ROLES),
    ],
)
def test_contributing_names_the_allowed_markup(row: str, allowed: frozenset[str]) -> None:
    text = (BOOK.root / "CONTRIBUTING.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith(f"| {row} |")]
    assert len(lines) == 1
    assert set(lines[0].split("`")[1::2]) == allowed
