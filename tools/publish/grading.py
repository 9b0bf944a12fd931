"""Export a chapter as the source of an nbgrader assignment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from importlib.resources import files
from typing import Any

from tools.publish.chapter import Chapter, Code, Exercise, Text
from tools.publish.errors import PublishError
from tools.publish.variants import ANSWER, Cell, exercise_cells, layout, with_option

CONFIG = f'''"""nbgrader's settings for the exercises of the book, written by tools.publish."""

c = get_config()  # noqa: F821 (nbgrader provides it)

c.CourseDirectory.course_id = "xai-course"
# The stub stands above the solution, so that nothing needs to take the solution's place.
c.ClearSolutions.code_stub = {{"python": ""}}
c.ClearSolutions.text_stub = "{ANSWER}"
c.ExecutePreprocessor.timeout = 300
# A test that a student deleted comes back, and with it the points of a right answer.
c.OverwriteCells.add_missing_cells = True
'''

README = """# A course made from the book

Each folder in `source` is one chapter of the book as an assignment. With the book's library and its
extra `grading` installed:

    python -m xai_course.grading release . SLUG    # release/SLUG: no solutions, no hidden tests
    python -m xai_course.grading grade .           # marks submitted/STUDENT/SLUG/*.ipynb
    python -m xai_course.grading marks .           # once more, after the prose is marked

After the first, hand out `release/SLUG/SLUG.ipynb`, which also runs in Colab, and put what comes
back in `submitted/STUDENT/SLUG/`. The second writes `feedback/STUDENT/SLUG.html`, the answers in
prose beside their guides in `marking/SLUG/EXERCISE.html`, and the marks in `marks.csv` and in a
table for each platform. A class list, `class.csv`, has the columns `student` (the folder's name),
`name`, `email` and `id`; with it, `release --individual` writes a notebook for each student.

A part of an exercise that a program marks, and a part that a person marks, are each worth the
exercise's difficulty in points; change `points` in `source` for others.

The same folder works with nbgrader: `nbgrader generate_assignment SLUG`, then
`python check_submissions.py` and `nbgrader autograde SLUG --create`. nbgrader runs submissions with
your rights.

Writing a new edition into this folder keeps every file that you changed.
"""
CHECK = "check_submissions.py"


def course_files() -> dict[str, str]:
    """Return what a course holds beside its assignments: settings, instructions, the check."""
    check = files("tools.publish").joinpath(CHECK).read_text("utf-8")
    return {"nbgrader_config.py": CONFIG, "README.md": README, CHECK: check}


def assignment_cells(chapter: Chapter) -> list[Cell]:
    """Return the student's cells of a chapter, with the answers that nbgrader will hide."""
    exercises = iter(chapter.exercises)
    cells: list[Cell] = []
    written: set[str] = set()
    for cell in layout(chapter, "student"):
        label = cell.key.partition("/")[0] if cell.role in ("exercise", "answer") else None
        if label is None:
            cells.append(cell)
        elif label not in written:
            written.add(label)
            cells.extend(_graded(next(exercises)))
    return cells


def _graded(exercise: Exercise) -> list[Cell]:
    cells: list[Cell] = []
    solution = exercise.solution.items
    stubs = _tagged(exercise.items, "exercise")
    checks = _tagged(exercise.items, "check")
    if len(checks) > 1 or bool(checks) != bool(stubs):
        raise PublishError(f"{exercise.label} needs its stubs and one check to be graded")
    for cell in exercise_cells(exercise, "student"):
        tags = cell.metadata.get("tags", [])
        if "exercise" in tags and cell.source == stubs[-1].source:
            answer = "\n\n".join(code.source for code in _tagged(solution, "solution"))
            cells.append(_answer_cell(exercise, cell, answer))
        elif "check" in tags:
            hidden = [code.source for code in _tagged(solution, "hidden-test")]
            cells.append(_test_cell(exercise, cell, hidden))
        elif cell.role == "answer":
            model = "\n\n".join(item.markdown for item in solution if isinstance(item, Text))
            cells.append(_written_cell(exercise, cell, model))
        else:
            cells.append(cell)
    return cells


def _answer_cell(exercise: Exercise, cell: Cell, answer: str) -> Cell:
    source = f"{cell.source}\n### BEGIN SOLUTION\n{answer}\n### END SOLUTION"
    marks = _marks(f"{exercise.label}-answer", grade=False, solution=True)
    return replace(cell, source=source, metadata={**cell.metadata, **marks})


def _test_cell(exercise: Exercise, cell: Cell, hidden: list[str]) -> Cell:
    # The import comes again, so that an answer cannot bring its own `check`.
    strict = with_option(cell.source, "strict", "True")
    source = f"from xai_course.book import check\n\n{strict}"
    if hidden:
        tests = "\n".join(hidden)
        source += f"\n### BEGIN HIDDEN TESTS\n{tests}\n### END HIDDEN TESTS"
    marks = _marks(
        f"{exercise.label}-check", grade=True, solution=False, points=exercise.difficulty
    )
    return replace(cell, source=source, metadata={**cell.metadata, **marks})


def _written_cell(exercise: Exercise, cell: Cell, model: str) -> Cell:
    marks = _marks(
        f"{exercise.label}-written", grade=True, solution=True, points=exercise.difficulty
    )
    return replace(cell, source=f"{ANSWER}\n\n{model}", metadata={**cell.metadata, **marks})


def _marks(
    grade_id: str, *, grade: bool, solution: bool, points: int | None = None
) -> dict[str, Any]:
    """Return nbgrader's metadata, schema 3. What is graded and no answer is locked and restored."""
    marks: dict[str, Any] = {
        "grade": grade,
        "grade_id": grade_id,
        "locked": grade and not solution,
        "schema_version": 3,
        "solution": solution,
        "task": False,
    }
    if points is not None:
        marks["points"] = points
    return {"nbgrader": marks}


def _tagged(items: Iterable[Text | Code], tag: str) -> list[Code]:
    return [item for item in items if isinstance(item, Code) and tag in item.tags]
