"""Pages that people get: feedback for each student, answers in prose for the marker."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import Any

from xai_course._storage import replace_file
from xai_course.grading.course import Assignment, Exercise, read_assignment
from xai_course.grading.marks import read_records

STYLE = """<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 48rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .5rem; }
th, td { border-bottom: 1px solid #8886; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font: inherit; margin: 0; }
article { border: 1px solid #8886; border-radius: .4rem; padding: 1rem; margin: 1rem 0; }
textarea { width: 100%; box-sizing: border-box; }
</style>"""
# The form keeps what was typed in the browser until the table is saved, and reads it again.
FORM = """<script>
const key = location.pathname, form = document.querySelector("form");
const kept = JSON.parse(localStorage.getItem(key) || "{}");
for (const field of form.elements) if (field.name in kept) field.value = kept[field.name];
form.oninput = () => localStorage.setItem(
  key, JSON.stringify(Object.fromEntries(new FormData(form))));
form.onsubmit = (event) => {
  event.preventDefault();
  const quote = (text) => '"' + text.replaceAll('"', '""') + '"';
  const rows = [["student", "exercise", "points", "comment"]];
  for (const one of form.querySelectorAll("article")) {
    const [points, comment] = one.querySelectorAll("input, textarea");
    rows.push([one.dataset.student, form.dataset.exercise, points.value, comment.value]);
  }
  const link = document.createElement("a");
  link.download = form.dataset.exercise + ".csv";
  link.href = URL.createObjectURL(new Blob([rows.map((r) => r.map(quote).join(",")).join("\\n")]));
  link.click();
};
</script>"""


def write_all(course: Path) -> None:
    """Write ``feedback/STUDENT/CHAPTER.html`` and ``marking/CHAPTER/EXERCISE.html``."""
    records = read_records(course)
    for slug in sorted({record["chapter"] for record in records}):
        assignment = read_assignment(course, slug)
        of_chapter = [record for record in records if record["chapter"] == slug]
        for record in of_chapter:
            page = feedback(assignment, record)
            _write(course / "feedback" / record["student"] / f"{slug}.html", page)
        for exercise in assignment.exercises.values():
            if exercise.written:
                name = f"{exercise.identifier}.html"
                _write(course / "marking" / slug / name, marking(exercise, of_chapter))


def feedback(assignment: Assignment, record: dict[str, Any]) -> str:
    """Return the page of one student: states, points and what was said; no test and no answer."""
    if record["state"] == "failed":
        body = f"<p>This notebook could not be graded: {escape(record['says'])}</p>"
        return _page(f"{assignment.slug}: {record['student']}", body)
    rows = []
    for one in assignment.exercises.values():
        got = record["exercises"].get(one.identifier)
        if got is not None:
            rows.append(
                [one.title, got["state"], f"{got['points']:g} of {one.points}", got["says"]]
            )
        if one.written:
            points, says = record["by_hand"].get(one.identifier) or (None, "")
            is_there = bool(record["prose"].get(one.identifier))
            state = "not attempted" if not is_there else "marked" if points is not None else "waits"
            shown = f"{points or 0:g} of {one.written_points}" if state != "waits" else "to come"
            rows.append([f"{one.title}, in words", state, shown, says])
    cells = "".join(
        "<tr>" + "".join(f"<td><pre>{escape(str(c))}</pre></td>" for c in row) + "</tr>"
        for row in rows
    )
    head = "<tr><th scope=col>" + "<th scope=col>".join(
        ["Exercise", "State", "Points", "What was said"]
    )
    remarks = "".join(f"<p>{escape(one)}.</p>" for one in record["remarks"])
    body = f"{remarks}<table>{head}</tr>{cells}</table>"
    return _page(f"{assignment.slug}: {record['student']}", body)


def marking(exercise: Exercise, records: list[dict[str, Any]]) -> str:
    """Return the page of one exercise: the guide, all answers, and a form that writes a table."""
    parts = []
    for record in records:
        text = record.get("prose", {}).get(exercise.identifier)
        if text:
            points, says = record["by_hand"].get(exercise.identifier) or ("", "")
            name = escape(record["student"], quote=True)
            parts.append(
                f'<article data-student="{name}"><h2>{name}</h2><pre>{escape(text)}</pre>'
                f'<p><label>Points of {exercise.written_points}: <input name="p-{name}" '
                f'type="number" min="0" max="{exercise.written_points}" step="0.5" '
                f'value="{points}"></label></p><label>Comment<textarea name="c-{name}" rows="2">'
                f"{escape(says)}</textarea></label></article>"
            )
    guide = "".join(
        f"<details open><summary>{name}</summary><pre>{_bold(text)}</pre></details>"
        for name, text in (("Question", exercise.question), ("Guide", exercise.guide))
    )
    body = (
        f'{guide}<form data-exercise="{exercise.identifier}">{"".join(parts)}'
        "<p><button>Save the table</button> and put it into the folder of this page.</p></form>"
    )
    return _page(f"{exercise.identifier}: {exercise.title}", body + FORM)


def _bold(text: str) -> str:
    return re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", escape(text))


def _page(title: str, body: str) -> str:
    title = escape(title)
    return (
        f"<!doctype html><html lang=en><title>{title}</title>{STYLE}<h1>{title}</h1>{body}</html>"
    )


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, text.encode())
