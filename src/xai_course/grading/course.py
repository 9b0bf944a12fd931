"""What a course folder holds: assignments with their solutions, and what students handed in."""

from __future__ import annotations

import ast
import copy
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import nbformat

from xai_course._storage import replace_file
from xai_course.book.names import needed

SOLUTION = re.compile(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION\n?", re.DOTALL)
HIDDEN = re.compile(r"### BEGIN HIDDEN TESTS\n(.*?)### END HIDDEN TESTS\n?", re.DOTALL)
TITLE = re.compile(r"\*\*Exercise (\S+)\. (.+?)\*\*")
MAGIC = re.compile(r"^(\s*)[%!].*$", re.MULTILINE)
BLANK = "Your answer:"
NAME = re.compile(r'^STUDENT = ".*"$', re.MULTILINE)


class CourseError(ValueError):
    """A folder or a file is not as a course has it; the message says which and what to do."""


@dataclass
class Exercise:
    """One exercise of an assignment; `answer` names the function, `guide` is for who marks."""

    identifier: str
    title: str = ""
    question: str = ""
    answer: str = ""
    hidden: str = ""
    points: int = 0
    guide: str = ""
    written: str = ""  # the id of the cell for an answer in prose
    written_points: int = 0


class Code(NamedTuple):
    """A code cell as students get it."""

    id: str
    source: str
    is_lesson: bool  # no set-up, stub or check


@dataclass
class Assignment:
    """A chapter as it was given out; `cells` are those with code."""

    slug: str
    notebook: nbformat.NotebookNode
    cells: list[Code] = field(default_factory=list)
    exercises: dict[str, Exercise] = field(default_factory=dict)


@dataclass
class Submission:
    """What one student handed in: code to run, prose, and what was mended or strange."""

    cells: list[str]
    prose: dict[str, str]
    remarks: list[str]


def write(path: Path, text: str) -> None:
    """Write a file of a course, whose folder need not be there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, text.encode())


def read_assignment(course: Path, slug: str) -> Assignment:
    """Read an assignment from ``source/SLUG/SLUG.ipynb``.

    Raises
    ------
    CourseError
        If it is not there, or is no notebook of a course.
    """
    path = course / "source" / slug / f"{slug}.ipynb"
    try:
        notebook = nbformat.read(path, 4)
    except FileNotFoundError:
        known = sorted(p.name for p in (course / "source").glob("*") if p.is_dir())
        raise CourseError(
            f"There is no assignment {slug!r} in {course}, but: {', '.join(known) or 'none'}. "
            "`make course DIR=...` writes them."
        ) from None
    found, title, question = Assignment(slug, notebook), "", ""
    for cell in notebook.cells:
        if title_here := TITLE.search(cell.source):
            title, question = title_here[2], TITLE.sub("", cell.source).strip()
        identifier, _, part = grade_id_of(cell).rpartition("-")
        if part:
            new = Exercise(identifier, title, question)
            exercise = found.exercises.setdefault(identifier, new)
            points = cell.metadata.nbgrader.get("points", 0)
        if part == "check":
            call = next(c for c in ast.walk(ast.parse(cell.source)) if _is_check(c))
            exercise.answer, exercise.points = ast.unparse(call.args[1]), points
            exercise.hidden = "".join(HIDDEN.findall(cell.source))
        elif part == "written":
            exercise.guide = cell.source.removeprefix(BLANK).strip()
            exercise.written, exercise.written_points = cell.id, points
        if cell.cell_type == "code":
            tags = cell.metadata.get("tags", [])
            is_lesson = not {"exercise", "check"} & set(tags) and not cell.id.startswith("set-up")
            found.cells.append(Code(cell.id, without_answers(cell.source), is_lesson))
    return found


def grade_id_of(cell: dict[str, Any]) -> str:
    """Return nbgrader's name of a cell, or nothing."""
    return cell.get("metadata", {}).get("nbgrader", {}).get("grade_id", "")


def _is_check(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and getattr(node.func, "id", "") == "check"


def without_answers(source: str) -> str:
    """Return a cell as students get it."""
    return HIDDEN.sub("", SOLUTION.sub("", source)).rstrip("\n")


def release(assignment: Assignment, student: str = "") -> str:
    """Return the text of a notebook to hand out: no solution, no hidden test, no model answer.

    With a student, the notebook bears the name, and exercises that ask for values have own numbers.
    """
    notebook = copy.deepcopy(assignment.notebook)
    for cell in notebook.cells:
        cell.source = without_answers(cell.source)
        if grade_id_of(cell).endswith("-written"):
            cell.source = BLANK
        if student:
            cell.source = NAME.sub(f"STUDENT = {json.dumps(student)}", cell.source)
    notebook.metadata["xai_course"]["variant"] = "student"
    return nbformat.writes(notebook, version=4) + "\n"


def read_submission(folder: Path, assignment: Assignment) -> Submission:
    """Read what a student put into a folder, and mend what can be.

    Code that was not handed out is the student's, wherever it stands and whatever its marks; of
    what was handed out, the given text counts. So copied, moved, deleted and renamed cells and
    lost metadata do no harm.

    Raises
    ------
    CourseError
        If there is no notebook, more than one, a damaged one, or one of another chapter.
    """
    notebooks = sorted(p for p in folder.glob("*.ipynb") if p.is_file())
    if len(notebooks) != 1:
        names = ", ".join(p.name for p in notebooks) or "no notebook"
        raise CourseError(f"one notebook is needed here, and there is: {names}")
    (path,), remarks = notebooks, []
    if path.name != f"{assignment.slug}.ipynb":
        remarks.append(f"the file is named {path.name}")
    try:
        cells = json.loads(path.read_text("utf-8"))["cells"]
        cells = [{**c, "source": _text(c["source"]), "id": c.get("id", "")} for c in cells]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CourseError(f"{path.name} is damaged and cannot be read ({error})") from error
    handed_out = {cell.source.strip() for cell in assignment.cells}
    ids = {cell.id for cell in assignment.notebook.cells}
    if not any(c["source"].strip() in handed_out or c["id"] in ids for c in cells):
        raise CourseError(f"{path.name} has no cell of {assignment.slug}: is it another chapter's?")
    return Submission(_code_to_run(code, assignment), _prose(cells, assignment, remarks), remarks)


def _text(source: Any) -> str:
    return "".join(source) if isinstance(source, list) else str(source)


def _code_to_run(code: list[dict[str, Any]], assignment: Assignment) -> list[str]:
    """Return the student's cells, and the lesson's that they need, in their order."""
    ids = {cell.id: i for i, cell in enumerate(assignment.cells)}
    given = {cell.source.strip(): i for i, cell in enumerate(assignment.cells)}
    order = [(i, 0, cell.source) for i, cell in enumerate(assignment.cells) if cell.is_lesson]
    place = -1
    for number, cell in enumerate(code, start=1):
        there = given.get(cell["source"].strip())
        place = ids.get(cell["id"], place) if there is None else there
        if there is None:
            order.append((place, number, MAGIC.sub(r"\1pass", cell["source"])))
    sources = [source for *_, source in sorted(order)]
    answers = {one.answer for one in assignment.exercises.values() if one.answer}
    keep = needed(sources, answers)
    # What is no Python is kept: its error is what the student must hear.
    return [s for s, wanted in zip(sources, keep, strict=True) if wanted or not _is_python(s)]


def _is_python(source: str) -> bool:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError):
        return False
    return True


def _prose(
    cells: list[dict[str, Any]], assignment: Assignment, remarks: list[str]
) -> dict[str, str]:
    """Return the answers in prose; one whose cell has lost its id is found by its heading."""
    found: dict[str, str] = {}
    for exercise in assignment.exercises.values():
        if not exercise.written:
            continue
        wanted = f"{exercise.identifier}-written"
        same = [c for c in cells if c["id"] == exercise.written or grade_id_of(c) == wanted]
        texts = [t for c in same if (t := c["source"].strip().removeprefix(BLANK).strip())]
        if not same and (texts := _below_heading(cells, exercise.identifier)):
            remarks.append(f"the answer in prose to {exercise.identifier} was found by its heading")
        found[exercise.identifier] = "\n\n".join(dict.fromkeys(texts))
    return found


def _below_heading(cells: list[dict[str, Any]], identifier: str) -> list[str]:
    inside, texts = False, []
    for cell in cells:
        if title := TITLE.search(cell["source"]):
            inside = f"ex-{title[1]}" == identifier
        elif inside and cell["source"].lstrip().startswith(BLANK):
            texts.append(cell["source"].strip().removeprefix(BLANK).strip())
    return [text for text in texts if text]
