"""The teaching kit's data: outcomes, syllabi, exam questions, and what each chapter needs.

The pages below `book/teaching/`, the slides and the rules of `tests/book` read them here. Minutes
and points are counted from the chapters' exercises.
"""

from __future__ import annotations

import csv
import io
import posixpath
import re
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import yaml

from tools.chapters import META, Book, Chapter, slug_of

FOLDER = "teaching"  # below book/
SENTENCE_END = re.compile(r"(?<=[.;])\s")
CSV_NAME = "outcomes.csv"
COLUMNS = (
    "outcome", "outcome text", "chapter", "chapter title", "objective", "objective text",
    "exercise", "exercise title", "kind", "difficulty", "minutes", "points",
)  # fmt: skip


# --- what the chapters say --------------------------------------------------------------------


@dataclass(frozen=True)
class Task:
    """An exercise with the numbers of its first line."""

    identifier: str
    title: str
    page: str  # the chapter's name
    kind: str
    difficulty: int
    minutes: int
    points: int
    objectives: tuple[int, ...]


@dataclass(frozen=True)
class Need:
    """One chapter that another one needs, or is helped by."""

    page: str
    is_needed: bool
    is_announced: bool  # the box says that it comes later


def tasks(book: Book) -> dict[str, Task]:
    """Return all exercises by their ids, in reading order."""
    found = (_task(chapter, one) for chapter in book.chapters for one in chapter.exercises)
    return {task.identifier: task for task in found}


def _task(chapter: Chapter, exercise: Any) -> Task:
    meta = META.fullmatch(exercise.blocks[0].text)
    difficulty = int(meta["difficulty"])
    parts = bool(exercise.checks) + exercise.is_open  # each that is marked, as in the notebooks
    served = tuple(int(number) for number in re.findall(r"\d+", meta["objectives"]))
    return Task(
        exercise.identifier, exercise.title, chapter.name, meta["kind"], difficulty,
        int(meta["minutes"]), difficulty * parts, served,
    )  # fmt: skip


def needs(chapter: Chapter) -> list[Need]:
    """Return the chapters that a chapter's box names under *Prerequisites*."""
    found = []
    for sentence in SENTENCE_END.split(_prerequisites(chapter)[0]):
        for target in _prerequisites(chapter)[1]:
            if re.search(rf"(?<![\w/-]){re.escape(target)}(?![\w-])", sentence):
                page = posixpath.normpath(
                    posixpath.join(posixpath.dirname(f"/{chapter.name}"), target)
                )
                words = sentence.replace(target, "")
                found.append(Need(page[1:], "helps" not in words, "later" in words))
    return found


def besides(chapter: Chapter) -> str:
    """Return what a chapter's box asks for beside other chapters."""
    text, links = _prerequisites(chapter)
    kept = []
    for sentence in re.split(r"(?<=[.;])\s", text.strip()):
        if not any(link in sentence for link in links):
            kept.append(sentence.strip(" .;"))
    said = ". ".join(one[:1].upper() + one[1:] for one in kept if one)
    return said + "." if said else ""


def _prerequisites(chapter: Chapter) -> tuple[str, list[str]]:
    """Return the words of the entry *Prerequisites*, and the pages it links to."""
    line, entries, _ = chapter.glance
    box = next((block for block in chapter.blocks if line and block.line == line), None)
    links, inside = [], False
    for block in box.blocks if box else []:
        label = block.strong[0].rstrip(":. ") if block.strong else ""
        if label and block.text.startswith(block.strong[0]):
            inside = label == "Prerequisites"
        links += [one.target for one in block.roles if inside and one.name == "doc"]
    return entries.get("Prerequisites", ""), links


# --- outcomes ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """One thing that a student can do at the end, and the objectives that lead there."""

    name: str
    text: str
    objectives: tuple[tuple[str, int], ...]  # slug and number


@dataclass(frozen=True)
class Served:
    """One objective of a chapter below an outcome, with its exercises."""

    outcome: Outcome
    chapter: Chapter
    number: int
    text: str
    tasks: tuple[Task, ...]


def read_outcomes(root: Path) -> list[Outcome]:
    """Read `outcomes.yml`."""
    return [
        Outcome(
            name,
            given["text"].strip(),
            tuple((slug, number) for slug, of in given["objectives"].items() for number in of),
        )
        for name, given in _read(root, "outcomes").items()
    ]


def served(book: Book, outcome: Outcome) -> Iterator[Served]:
    """Give the objectives of an outcome in reading order; what is no more is left to the rule."""
    everything = tasks(book).values()
    for chapter in book.chapters:
        for number, text in enumerate(chapter.glance[2], 1):
            if (chapter.slug, number) in outcome.objectives:
                of = (one for one in everything if one.page == chapter.name)
                mine = tuple(one for one in of if number in one.objectives)
                yield Served(outcome, chapter, number, text.rstrip(";."), mine)


def outcomes_csv(book: Book) -> str:
    """Return the map from outcomes to objectives to exercises, a line an exercise."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for number, outcome in enumerate(read_outcomes(book.root), 1):
        for row in served(book, outcome):
            left = [number, outcome.text, row.chapter.slug, row.chapter.blocks[0].text]
            for one in row.tasks:
                right = [one.identifier, one.title, one.kind, one.difficulty, one.minutes]
                writer.writerow([*left, row.number, row.text, *right, one.points])
    return text.getvalue()


# --- syllabi ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Session:
    """One week or meeting."""

    title: str
    question: str
    chapters: tuple[str, ...]  # slugs
    by_hand: tuple[str, ...]  # ids of exercises
    discuss: tuple[str, ...]
    homework: tuple[str, ...]
    project: int = 0  # minutes

    @property
    def exercises(self) -> tuple[str, ...]:
        """All ids."""
        return self.by_hand + self.discuss + self.homework


@dataclass(frozen=True)
class Syllabus:
    """One course."""

    name: str
    title: str
    hours: tuple[float, float]
    sessions: tuple[Session, ...]


@dataclass(frozen=True)
class Load:
    """Minutes and points of one session, or of several."""

    reading: int = 0
    in_class: int = 0
    homework: int = 0
    project: int = 0
    points: int = 0

    @property
    def minutes(self) -> int:
        """All minutes."""
        return self.reading + self.in_class + self.homework + self.project

    def __add__(self, other: Load) -> Load:
        """Add up two sessions."""
        return Load(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


def read_syllabi(root: Path) -> dict[str, Syllabus]:
    """Read `syllabi.yml`."""
    keys = ("chapters", "by_hand", "discuss", "homework")
    return {
        name: Syllabus(
            name,
            given["title"],
            tuple(given["hours"]),
            tuple(
                Session(
                    one["title"],
                    one["question"].strip(),
                    *(tuple(one.get(key, ())) for key in keys),
                    one.get("project", 0),
                )
                for one in given["sessions"]
            ),
        )
        for name, given in _read(root, "syllabi").items()
    }


def load(book: Book, session: Session, known: dict[str, Task]) -> Load:
    """Count the minutes and points of one session."""
    by_slug = {chapter.slug: chapter for chapter in book.chapters}

    def minutes(ids: tuple[str, ...]) -> int:
        return sum(known[one].minutes for one in ids if one in known)

    return Load(
        sum(round(by_slug[slug].minutes) for slug in session.chapters if slug in by_slug),
        minutes(session.by_hand + session.discuss),
        minutes(session.homework),
        session.project,
        sum(known[one].points for one in session.exercises if one in known),
    )


# --- exam questions ---------------------------------------------------------------------------

QUESTION_KINDS = ("short answer", "numerical", "what is wrong with this claim")


@dataclass(frozen=True)
class Question:
    """One exam question."""

    part: str  # the caption of a part
    kind: str
    objective: tuple[str, int]
    minutes: int
    points: int
    text: str
    answer: str
    formula: str = ""  # of a numerical question: Python that gives `value`
    value: float | None = None


def read_questions(root: Path) -> list[Question]:
    """Read `questions.yml`."""
    found = []
    for part, questions in _read(root, "questions").items():
        for one in questions:
            slug, _, number = one["objective"].rpartition("-")
            found.append(
                Question(
                    part, one["kind"], (slug, int(number)), one["minutes"], one["points"],
                    one["question"].strip(), one["answer"].strip(),
                    one.get("formula", ""), one.get("value"),
                )
            )  # fmt: skip
    return found


def _read(root: Path, name: str) -> dict[str, Any]:
    path = root / "book" / FOLDER / f"{name}.yml"
    return yaml.safe_load(path.read_text(encoding="utf-8")) or {}


def page_of(book: Book, slug: str) -> str:
    """Return the name of the page with this slug."""
    return next(name for name in book.toc if slug_of(name) == slug)
