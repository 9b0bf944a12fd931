"""The marks of a class: read from records and the marker's tables, written for platforms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from xai_course.book.checks import is_individual, right_answer
from xai_course.grading.course import CourseError, read_assignment, write

CLASS = "class.csv"  # the column `student` is the folder's name in `submitted`
COLUMNS = ["student", "name", "email", "id", "canvas", "section"]
NOTHING: dict[str, Any] = {"exercises": {}, "prose": {}, "remarks": []}  # what a failed one has
# Whose names the columns of a person have on a platform.
CANVAS = {
    "name": "Student",
    "canvas": "ID",
    "id": "SIS User ID",
    "email": "SIS Login ID",
    "section": "Section",
}
MOODLE = {"email": "Email address", "id": "ID number"}
GRADESCOPE = {"name": "Name", "id": "SID", "email": "Email"}


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
        record = NOTHING | json.loads(path.read_text("utf-8"))
        record["by_hand"] = {e: by_hand.get((record["student"], e)) for e in record["prose"]}
        records.append(record)
    return records


def read_class(course: Path) -> pd.DataFrame:
    """Return the class list; without one, whoever has handed something in."""
    try:
        people = _read(course / CLASS)
    except FileNotFoundError:
        people = pd.DataFrame()
    if len(people) and "student" not in people:
        raise CourseError(f"{course / CLASS} needs a column `student`; it has {', '.join(people)}")
    if people.empty:
        folders = sorted(p.name for p in (course / "submitted").glob("*") if p.is_dir())
        people = pd.DataFrame({"student": folders}, dtype=str)
    people = people.reindex(columns=COLUMNS, fill_value="")
    for column in ("name", "id"):
        people[column] = people[column].where(people[column] != "", people["student"])
    return people


def read_marking(course: Path) -> dict[tuple[str, str], tuple[float, str]]:
    """Return points and comment for each student and exercise from the CSV files in ``marking``."""
    found = {}
    for path in sorted((course / "marking").rglob("*.csv")):
        try:
            for row in _read(path).itertuples():
                if not row.points.strip():
                    continue
                found[row.student, row.exercise] = float(row.points), getattr(row, "comment", "")
        except (AttributeError, ValueError) as error:
            raise CourseError(
                f"{path} has a row that is none of student, exercise, points, comment ({error})"
            ) from error
    return found


def _read(path: Path) -> pd.DataFrame:
    options = {"dtype": str, "keep_default_na": False, "encoding": "utf-8-sig"}
    try:
        # Else a comma at the end of each row would make the first column an index.
        return pd.read_csv(path, index_col=False, **options).fillna("")
    except pd.errors.EmptyDataError:
        return pd.DataFrame()
    except ValueError as error:
        raise CourseError(f"{path} is no table with commas: {error}") from error


def total(record: dict[str, Any], *, automatic: bool = False) -> float | str:
    """Return the points of one record: blank where it failed, or an answer waits for a person."""
    if record["state"] == "failed" or (waiting(record) and not automatic):
        return ""
    points = sum(one["points"] for one in record["exercises"].values())
    by_hand = sum(one[0] for one in record["by_hand"].values() if one is not None)
    return points if automatic else points + by_hand


def waiting(record: dict[str, Any]) -> list[str]:
    """Return the exercises whose answer in prose nobody has marked yet."""
    return [one for one, text in record["prose"].items() if text and not record["by_hand"][one]]


def write_all(course: Path, *, automatic: bool = False) -> None:
    """Write ``marks.csv``, ``key.csv`` and a table for each platform.

    Parameters
    ----------
    course : Path
    automatic : bool
        Whether the platforms get the points that the program gave, without those for prose.
    """
    records, people = read_records(course), read_class(course)
    slugs = [slug for slug in chapters(course) if any(r["chapter"] == slug for r in records)]
    exercises = {slug: read_assignment(course, slug).exercises.values() for slug in slugs}
    of = {
        slug: sum(one.points + (0 if automatic else one.written_points) for one in exercises[slug])
        for slug in slugs
    }
    marks = [
        {
            "student": record["student"],
            "chapter": record["chapter"],
            "state": record["state"],
            "automatic": total(record, automatic=True),
            "total": total(record),
            "of": of[record["chapter"]],
            "to mark": " ".join(waiting(record)),
            "says": record.get("says", "; ".join(record["remarks"])),
        }
        for record in records
    ]
    _write(course / "marks.csv", pd.DataFrame(marks))

    got = {(r["student"], r["chapter"]): total(r, automatic=automatic) for r in records}
    points = pd.DataFrame(
        {slug: [got.get((student, slug), "") for student in people.student] for slug in slugs},
        index=people.index,
    )
    canvas = people[list(CANVAS)].rename(columns=CANVAS).join(points)
    possible = dict.fromkeys(canvas, "") | {"Student": "Points Possible"} | of
    _write(course / "marks-canvas.csv", pd.concat([pd.DataFrame([possible]), canvas]))
    moodle = people[list(MOODLE)].rename(columns=MOODLE).join(points)
    _write(course / "marks-moodle.csv", moodle)
    gradescope = people[list(GRADESCOPE)].rename(columns=GRADESCOPE)
    for slug in slugs:
        gradescope[slug], gradescope[f"{slug} - Max Points"] = points[slug], of[slug]
    _write(course / "marks-gradescope.csv", gradescope)
    key = [
        {
            "student": student,
            "exercise": exercise.identifier,
            "right answer": str(_own_answer(course, slug, exercise.identifier, student)),
        }
        for slug in slugs
        for exercise in exercises[slug]
        if exercise.answer and is_individual(exercise.identifier)
        for student in people.student
    ]
    _write(course / "key.csv", pd.DataFrame(key, columns=["student", "exercise", "right answer"]))
    n_waiting = sum(bool(waiting(record)) for record in records)
    n_failed = sum(record["state"] == "failed" for record in records)
    counts = f"{len(records)} records, {n_failed} failed, {n_waiting} wait for a marker"
    print(f"{counts}: {course / 'marks.csv'}")


def _own_answer(course: Path, slug: str, identifier: str, student: str) -> Any:
    """Return what is right for a student: the text's answer, unless there was an own notebook."""
    is_own = (course / "release" / student / slug).is_dir()
    return right_answer(identifier, student=student if is_own else "")


def _write(path: Path, table: pd.DataFrame) -> None:
    write(path, table.astype(object).map(_plain).to_csv(index=False, lineterminator="\n"))


def _plain(cell: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula, a number without a needless .0."""
    if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@"):
        return f"'{cell}"
    return int(cell) if isinstance(cell, float) and cell.is_integer() else cell
