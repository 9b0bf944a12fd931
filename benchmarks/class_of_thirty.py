"""A class of thirty hands in two chapters, with all that classes do; grade it and print the table.

    make course DIR=../my-course
    python benchmarks/class_of_thirty.py ../my-course

The course's ``submitted`` must be empty. The seconds are of this machine, on this day.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from xai_course.grading.batch import grade_class
from xai_course.grading.course import (
    SOLUTION,
    Assignment,
    grade_id_of,
    read_assignment,
    without_answers,
)
from xai_course.grading.sandbox import Limits, check_isolation

CHAPTERS = ("local-linear-models", "shapley")
Cells = list[dict[str, Any]]


def solved(assignment: Assignment) -> Cells:
    """Return the cells of a student who has done everything right."""
    cells = copy.deepcopy(assignment.notebook.cells)
    for cell in cells:
        solution = SOLUTION.search(cell.source)
        cell.source = without_answers(cell.source)
        if solution:
            cell.source += f"\n{solution[1]}"
        if grade_id_of(cell).endswith("-written"):
            cell.source = "Your answer:\n\nIt depends on the baseline."
    return cells


def first(cells: Cells) -> dict[str, Any]:
    """Return the first cell with an answer."""
    return next(cell for cell in cells if grade_id_of(cell).endswith("-answer"))


def answers(body: str) -> Callable[[Cells], None]:
    """Return a change that gives the first function another body."""

    def change(cells: Cells) -> None:
        cell = first(cells)
        head = cell["source"].split("\n")[0]
        lines = "\n".join(f"    {line}" for line in body.split("\n"))
        cell["source"] = f"{head}\n{lines}"

    return change


def begins(source: str) -> Callable[[Cells], None]:
    """Return a change that puts a cell of the student's own first and blanks the answers."""

    def change(cells: Cells) -> None:
        for cell in cells:
            if grade_id_of(cell).endswith("-answer"):
                name = cell["source"].split("(")[0]
                cell["source"] = f"{name}(*arguments):\n    raise NotImplementedError"
        cells.insert(0, {**first(cells), "id": "own", "metadata": {}, "source": source})

    return change


def untouched(cells: Cells) -> None:
    """Do nothing: the stubs stand as they were handed out."""
    for cell in cells:
        if grade_id_of(cell).endswith("-answer"):
            name = cell["source"].split("(")[0]
            cell["source"] = f"{name}(*arguments):\n    raise NotImplementedError"


def copied(cells: Cells) -> None:
    """Copy the cell of an answer."""
    cells.append(copy.deepcopy(first(cells)))


def without(part: str) -> Callable[[Cells], None]:
    """Return a change that deletes the first cell whose name ends so."""

    def change(cells: Cells) -> None:
        cells.remove(next(cell for cell in cells if grade_id_of(cell).endswith(part)))

    return change


def no_metadata(cells: Cells) -> None:
    """Lose what another program does not keep."""
    for number, cell in enumerate(cells):
        cell["metadata"], cell["id"] = {}, f"cell-{number}"


def no_set_up(cells: Cells) -> None:
    """Delete the set-up and the lesson."""
    cells[:] = [cell for cell in cells if grade_id_of(cell)]


LOOK = "import pathlib\nraise ValueError([str(p) for p in pathlib.Path('/').rglob('{}')][:3])"
CLASS: dict[str, Callable[[Cells], None]] = {
    **{f"right {n}": lambda cells: None for n in range(1, 9)},
    "untouched": untouched,
    "one wrong": answers("return 0, 0, 0, 0, 0"),
    "reads expected": answers(
        "import sys\nframe = sys._getframe()\nwhile frame:\n"
        "    if 'expected' in frame.f_locals: return frame.f_locals['expected']\n"
        "    frame = frame.f_back"
    ),
    "check deleted": without("-check"),
    "answer deleted": without("-answer"),
    "metadata gone": no_metadata,
    "infinite loop": answers("while True: pass"),
    "50 MB of output": answers("for i in range(50): print('x' * 2**20)\nreturn 0, 0, 0, 0, 0"),
    "inspects the check": answers(
        "import inspect, xai_course.book.checks.shapley as c\nreturn inspect.getsource(c)"
    ),
    "reads the solutions": answers(LOOK.format("source/*/*.ipynb")),
    "reads classmates": answers(LOOK.format("submitted")),
    "changes the gradebook": answers(LOOK.format("gradebook")),
    "prints environment": answers("import os\nraise ValueError(dict(os.environ))"),
    "calls the network": answers(
        "import socket\nreturn socket.create_connection(('127.0.0.1', 80), 5)"
    ),
    "forty processes": answers(
        "import subprocess, time\nx = [subprocess.Popen(['sleep', '999']) for i in range(40)]\n"
        "time.sleep(9)"
    ),
    "2.1 GB of memory": answers("x = b'1' * 2_200_000_000\nimport time\ntime.sleep(3)"),
    "AST transformer": begins(
        "import ast, builtins\nclass Drop(ast.NodeTransformer):\n"
        "    def visit_Assert(self, node): return ast.Pass()\n"
        "get_ipython().ast_transformers.append(Drop())"
    ),
    "os._exit": answers("import os\nos._exit(0)"),
    "syntax error": answers("return (1"),
    "copied cell": copied,
    "no set-up": no_set_up,
}
STRANGE = {"damaged JSON": "{", "empty folder": ""}


def hand_in(course: Path) -> None:
    """Write every submission of the class."""
    for slug in CHAPTERS:
        assignment = read_assignment(course, slug)
        for student, change in CLASS.items():
            cells = json.loads(json.dumps(solved(assignment)))
            change(cells)
            name = f"{slug} (1).ipynb" if student == "right 8" else f"{slug}.ipynb"
            _write(course / "submitted" / student / slug / name, json.dumps({"cells": cells}))
        for student, text in STRANGE.items():
            path = course / "submitted" / student / slug / f"{slug}.ipynb"
            if text:
                _write(path, text)
            path.parent.mkdir(parents=True, exist_ok=True)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def main() -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("course", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    if (options.course / "submitted").exists():
        print("`submitted` must not be there yet: this class would mix with another one.")
        return 1
    hand_in(options.course)
    check_isolation()
    begin = time.monotonic()
    records = grade_class(options.course, list(CHAPTERS), limits=Limits(), jobs=options.jobs)
    seconds = time.monotonic() - begin
    print(f"\n{'student':24}" + "".join(f"{slug:>34}" for slug in CHAPTERS))
    for student in [*CLASS, *STRANGE]:
        row = {r["chapter"]: r for r in records if r["student"] == student}
        print(f"{student:24}" + "".join(f"{_cell(row[slug]):>34}" for slug in CHAPTERS))
    print(f"\n{len(records)} submissions in {seconds:.0f} s")
    return 0


def _cell(record: dict[str, Any]) -> str:
    if record["state"] == "failed":
        return "failed, no mark"
    exercises = record["exercises"].values()
    states = [one["state"] for one in exercises if one["state"] != "right"]
    points = sum(one["points"] for one in exercises)
    return f"{points:g} points" + (f" ({', '.join(dict.fromkeys(states))})" if states else "")


if __name__ == "__main__":
    sys.exit(main())
