"""The marks of a class: read from records and the marker's tables, written for platforms."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from xai_course._storage import replace_file
from xai_course.book.checks import is_individual, right_answer
from xai_course.grading.course import CourseError, read_assignment

CLASS = "class.csv"  # student, name, email, id: the first is the folder's name in `submitted`


def chapters(course: Path) -> list[str]:
    """Return the assignments that the course has."""
    return sorted(path.parent.name for path in (course / "source").glob("*/*.ipynb"))


def record_path(course: Path, student: str, slug: str) -> Path:
    """Return where the record of one submission lies."""
    return course / "gradebook" / student / f"{slug}.json"


def read_records(course: Path) -> list[dict[str, Any]]:
    """Return all records, with the points and comments of who marked the prose."""
    by_hand = read_marking(course)
    records = []
    for path in sorted((course / "gradebook").glob("*/*.json")):
        record = json.loads(path.read_text("utf-8"))
        record["by_hand"] = {
            identifier: by_hand.get((record["student"], identifier))
            for identifier in record.get("prose", {})
        }
        records.append(record)
    return records


def read_table(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file; none where it is missing."""
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        return []
    return list(csv.DictReader(io.StringIO(text)))


def read_class(course: Path) -> list[dict[str, str]]:
    """Return the class list; without one, whoever has handed something in."""
    rows = read_table(course / CLASS)
    if rows and "student" not in rows[0]:
        raise CourseError(f"{course / CLASS} needs a column `student`; it has {', '.join(rows[0])}")
    return rows or [
        {"student": folder.name}
        for folder in sorted((course / "submitted").glob("*"))
        if folder.is_dir()
    ]


def read_marking(course: Path) -> dict[tuple[str, str], tuple[float, str]]:
    """Return points and comment for each student and exercise from the CSV files in ``marking``."""
    found = {}
    for path in sorted((course / "marking").rglob("*.csv")):
        for row in read_table(path):
            try:
                if row["points"].strip():
                    points = float(row["points"])
                    found[row["student"], row["exercise"]] = points, row.get("comment") or ""
            except (KeyError, ValueError, AttributeError) as error:
                raise CourseError(
                    f"{path} has a row that is none of student, exercise, points, comment: {row}"
                ) from error
    return found


def total(record: dict[str, Any], *, automatic: bool = False) -> float | str:
    """Return the points of one record: blank where it failed, or an answer waits for a person."""
    if record["state"] == "failed":
        return ""
    points = float(sum(one["points"] for one in record["exercises"].values()))
    if automatic:
        return points
    if waiting(record):
        return ""
    return points + sum(one[0] for one in record["by_hand"].values() if one is not None)


def waiting(record: dict[str, Any]) -> list[str]:
    """Return the exercises whose answer in prose nobody has marked yet."""
    prose = record.get("prose", {})
    return [one for one, text in prose.items() if text and record["by_hand"][one] is None]


def write_all(course: Path, *, automatic: bool = False) -> None:
    """Write ``marks.csv`` and a table for each platform.

    Parameters
    ----------
    course : Path
    automatic : bool
        Whether the platforms get the points that the program gave, without those for prose.
    """
    records = read_records(course)
    slugs = [slug for slug in chapters(course) if any(r["chapter"] == slug for r in records)]
    assignments = {slug: read_assignment(course, slug) for slug in slugs}
    of = {
        slug: sum(
            one.points + (0 if automatic else one.written_points) for one in a.exercises.values()
        )
        for slug, a in assignments.items()
    }
    _write(
        course / "marks.csv",
        ["student", "chapter", "state", "automatic", "total", "of", "to mark", "says"],
        [
            [
                r["student"],
                r["chapter"],
                r["state"],
                total(r, automatic=True),
                total(r),
                of[r["chapter"]],
                " ".join(waiting(r)),
                r.get("says", "; ".join(r.get("remarks", []))),
            ]
            for r in records
        ],
    )
    got = {(r["student"], r["chapter"]): total(r, automatic=automatic) for r in records}
    people = read_class(course)

    def points(one: dict[str, str]) -> list[float | str]:
        return [got.get((one["student"], slug), "") for slug in slugs]

    def cells(one: dict[str, str], *columns: str) -> list[str]:
        # A name that is not listed is the folder's; other columns stay blank.
        return [one.get(c) or (one["student"] if c in ("name", "id") else "") for c in columns]

    _write(
        course / "marks-canvas.csv",
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *slugs],
        [["Points Possible", "", "", "", "", *of.values()]]
        + [
            [*cells(one, "name", "canvas", "id", "email", "section"), *points(one)]
            for one in people
        ],
    )
    _write(
        course / "marks-moodle.csv",
        ["Email address", "ID number", *slugs],
        [[*cells(one, "email", "id"), *points(one)] for one in people],
    )
    _write(
        course / "marks-gradescope.csv",
        ["Name", "SID", "Email", *(c for slug in slugs for c in (slug, f"{slug} - Max Points"))],
        [
            [*cells(one, "name", "id", "email")]
            + [c for slug, p in zip(slugs, points(one), strict=True) for c in (p, of[slug])]
            for one in people
        ],
    )
    _write(
        course / "key.csv",
        ["student", "exercise", "right answer"],
        [
            [one["student"], exercise.identifier, str(answer)]
            for slug in slugs
            for exercise in assignments[slug].exercises.values()
            if exercise.answer and is_individual(exercise.identifier)
            for one in people
            for answer in [_own_answer(course, slug, exercise.identifier, one["student"])]
        ],
    )
    n_waiting = sum(bool(waiting(record)) for record in records)
    n_failed = sum(record["state"] == "failed" for record in records)
    counts = f"{len(records)} records, {n_failed} failed, {n_waiting} wait for a marker"
    print(f"{counts}: {course / 'marks.csv'}")


def _own_answer(course: Path, slug: str, identifier: str, student: str) -> Any:
    """Return what is right for a student: the text's answer, unless there was an own notebook."""
    is_own = (course / "release" / student / slug).is_dir()
    return right_answer(identifier, student=student if is_own else "")


def _write(path: Path, head: list[str], rows: Iterable[Iterable[Any]]) -> None:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerows([head, *([_plain(cell) for cell in row] for row in rows)])
    replace_file(path, text.getvalue().encode())


def _plain(cell: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula, a number without a needless .0."""
    if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@"):
        return f"'{cell}"
    return int(cell) if isinstance(cell, float) and cell.is_integer() else cell
