"""Pages that people get: feedback for each student, answers in prose for the marker."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

from xai_course.grading.course import read_assignment, write
from xai_course.grading.marks import read_records

TEMPLATES = Environment(
    loader=PackageLoader("xai_course.grading", "templates"),
    autoescape=True,  # students write what stands on these pages
    undefined=StrictUndefined,
    trim_blocks=True,
)
TEMPLATES.filters["markdown"] = lambda text: Markup(MarkdownIt().render(text))  # the book's own


def write_all(course: Path) -> None:
    """Write ``feedback/STUDENT/CHAPTER.html`` and ``marking/CHAPTER/EXERCISE.html``.

    The first has states, points and what was said; no test and no answer. The second has the guide,
    all answers, and a form that writes a table.
    """
    feedback, marking = map(TEMPLATES.get_template, ("feedback.html", "marking.html"))
    records = read_records(course)
    for slug in sorted({record["chapter"] for record in records}):
        assignment = read_assignment(course, slug)
        of_chapter = [record for record in records if record["chapter"] == slug]
        for record in of_chapter:
            path = course / "feedback" / record["student"] / f"{slug}.html"
            write(path, feedback.render(assignment=assignment, record=record))
        for exercise in assignment.exercises.values():
            if exercise.written:
                path = course / "marking" / slug / f"{exercise.identifier}.html"
                write(path, marking.render(exercise=exercise, records=of_chapter))
