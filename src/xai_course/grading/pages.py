"""Pages that people get: feedback for each student, answers in prose for the marker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from xai_course.grading.course import Assignment, Exercise, read_assignment, write
from xai_course.grading.marks import read_records

TEMPLATES = Environment(
    loader=PackageLoader("xai_course.grading", "templates"),
    autoescape=True,  # students write what stands on these pages
    undefined=StrictUndefined,
    trim_blocks=True,
)


TEMPLATES.filters["markdown"] = lambda text: Markup(MarkdownIt().render(text))  # the book's own


def write_all(course: Path) -> None:
    """Write ``feedback/STUDENT/CHAPTER.html`` and ``marking/CHAPTER/EXERCISE.html``."""
    records = read_records(course)
    for slug in sorted({record["chapter"] for record in records}):
        assignment = read_assignment(course, slug)
        of_chapter = [record for record in records if record["chapter"] == slug]
        for record in of_chapter:
            path = course / "feedback" / record["student"] / f"{slug}.html"
            write(path, feedback(assignment, record))
        for exercise in assignment.exercises.values():
            if exercise.written:
                path = course / "marking" / slug / f"{exercise.identifier}.html"
                write(path, marking(exercise, of_chapter))


def feedback(assignment: Assignment, record: dict[str, Any]) -> str:
    """Return the page of one student: states, points and what was said; no test and no answer."""
    page = TEMPLATES.get_template("feedback.html")
    return page.render(assignment=assignment, record=record)


def marking(exercise: Exercise, records: list[dict[str, Any]]) -> str:
    """Return the page of one exercise: the guide, all answers, and a form that writes a table."""
    return TEMPLATES.get_template("marking.html").render(exercise=exercise, records=records)
