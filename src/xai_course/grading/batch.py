"""Grade every submission of a class, each for itself, and remember what was done."""

from __future__ import annotations

import hashlib
import json
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from xai_course import __version__
from xai_course.grading.course import (
    Assignment,
    CourseError,
    read_assignment,
    read_submission,
    write,
)
from xai_course.grading.grade import grade
from xai_course.grading.marks import chapters, record_path
from xai_course.grading.sandbox import Limits

FAILED = "failed"  # could not be graded: no marks, which is not the mark 0


def grade_class(
    course: Path,
    slugs: list[str],
    *,
    limits: Limits,
    jobs: int = 2,
    again: bool = False,
    isolated: bool = True,
) -> list[dict[str, Any]]:
    """Grade what lies in ``submitted/STUDENT/SLUG`` and write a record of each.

    What was graded before and has not changed is left alone, so that a batch that was interrupted
    goes on where it was. Whatever one submission does, the next one is graded.

    Raises
    ------
    CourseError
        If a chapter has no assignment or is of another edition, or nothing was handed in.
    """
    assignments = {slug: read_assignment(course, slug) for slug in slugs or chapters(course)}
    waiting = [
        (folder.parent.name, folder.name)
        for folder in sorted((course / "submitted").glob("*/*"))
        if folder.is_dir() and folder.name in assignments
    ]
    if not waiting:
        raise CourseError(
            f"Nothing to grade: put notebooks into {course}/submitted/STUDENT/CHAPTER"
        )
    stamps = {key: _stamp(course, *key) for key in waiting}
    todo = [k for k in waiting if again or _old(course, *k).get("stamp") != stamps[k]]
    if len(todo) < len(waiting):
        print(f"{len(waiting) - len(todo)} not changed since they were graded")
    _check_editions([assignments[slug] for slug in sorted({slug for _, slug in todo})])
    done = []
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        places = {
            pool.submit(grade_one, course, *key, limits, isolated, slot): key
            for slot, key in enumerate(todo)
        }
        for future in as_completed(places):
            student, slug = places[future]
            try:
                record = future.result()
            except Exception as error:  # of the grader itself, or a worker that was killed
                record = {"state": FAILED, "says": f"{type(error).__name__}: {error}"}
            record |= {"student": student, "chapter": slug, "stamp": stamps[student, slug]}
            text = json.dumps(record, indent=1, ensure_ascii=False)
            write(record_path(course, student, slug), text)
            print(f"{student} {slug}: {_line(record)}", flush=True)
            done.append(record)
    return done


def _check_editions(assignments: list[Assignment]) -> None:
    """Refuse chapters that were handed out from another edition, whose checks are others."""
    editions = {one.slug: one.notebook.metadata.get("xai_course", {}) for one in assignments}
    other = [
        f"{slug} ({metadata['edition']})"
        for slug, metadata in editions.items()
        if metadata.get("edition", __version__) != __version__
    ]
    if other:
        raise CourseError(
            f"This is the grader of the edition {__version__}. Grade these chapters with the "
            f"environment of theirs, and name the others here: {', '.join(other)}"
        )


def grade_one(
    course: Path, student: str, slug: str, limits: Limits, isolated: bool, slot: int
) -> dict[str, Any]:
    """Return the record of one submission, without reading any other."""
    begin = time.monotonic()
    assignment = read_assignment(course, slug)
    try:
        submission = read_submission(course / "submitted" / student / slug, assignment)
    except CourseError as error:
        return {"state": FAILED, "says": str(error)}
    marks = grade(
        assignment,
        submission,
        student,
        own_numbers=(course / "release" / student / slug).is_dir(),
        limits=limits,
        isolated=isolated,
        slot=slot % 1000,
    )
    return {
        "state": "graded",
        "exercises": marks,
        "prose": submission.prose,
        "remarks": submission.remarks,
        "seconds": round(time.monotonic() - begin, 1),
    }


def _line(record: dict[str, Any]) -> str:
    if record["state"] == FAILED:
        return f"FAILED, no mark: {record['says']}"
    exercises = record["exercises"].values()
    stopped = [one["says"] for one in exercises if one["state"] == "stopped"]
    text = f"{sum(one['points'] for one in exercises):g} points in {record['seconds']} s"
    return "; ".join([text, *dict.fromkeys(stopped), *record["remarks"]])


def _old(course: Path, student: str, slug: str) -> dict[str, Any]:
    try:
        return json.loads(record_path(course, student, slug).read_text("utf-8"))
    except (OSError, ValueError):
        return {}


def _stamp(course: Path, student: str, slug: str) -> str:
    """Return a hash of all that a mark depends on: the assignment and what was handed in."""
    digest = hashlib.sha256((course / "source" / slug / f"{slug}.ipynb").read_bytes())
    for path in sorted((course / "submitted" / student / slug).glob("*.ipynb")):
        digest.update(path.name.encode() + (path.read_bytes() if path.is_file() else b""))
    return digest.hexdigest()
