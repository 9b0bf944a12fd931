"""The export is an nbgrader course that gives each submission the points it deserves."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from small_book import nbgrader, read

from tools.publish.variants import with_option

SLUG = "small-chapter"
RIGHT = {
    "ex-small-chapter-1-answer": "def n_regions():\n    return 3",
    "ex-small-chapter-3-answer": "def double(x):\n    return x + x",
}
WRONG = {
    # Right enough for the visible check, not for the hidden test.
    "ex-small-chapter-1-answer": "def n_regions():\n    return 4",
    "ex-small-chapter-3-answer": "def double(x):\n    return 0\n\ncheck = lambda *a, **k: None",
    # Tests are locked: nbgrader puts them back.
    "ex-small-chapter-1-check": "pass",
    "ex-small-chapter-3-check": "pass",
}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('check("a", f)', 'check("a", f, strict=True)'),
        ('x = 1\ncheck("ä", f,)', 'x = 1\ncheck("ä", f, strict=True,)'),
        ('check(\n    "a",\n    answer=f,\n)', 'check(\n    "a",\n    answer=f, strict=True,\n)'),
        ('check("a", f, strict=False)', 'check("a", f, strict=False)'),
        ("other(f)", "other(f)"),
    ],
)
def test_with_option(source, expected):
    assert with_option(source, "strict", "True") == expected


def test_cell_metadata(published):
    notebook = read(published / f"nbgrader/source/{SLUG}/{SLUG}.ipynb")
    marks = {c.metadata.nbgrader.grade_id: c for c in notebook.cells if "nbgrader" in c.metadata}
    assert list(marks) == [
        "ex-small-chapter-1-answer",
        "ex-small-chapter-1-check",
        "ex-small-chapter-2-written",
        "ex-small-chapter-3-answer",
        "ex-small-chapter-3-check",
        "ex-small-chapter-3-written",
    ]
    assert marks["ex-small-chapter-1-check"].metadata.nbgrader == {
        "grade": True,
        "grade_id": "ex-small-chapter-1-check",
        "locked": True,
        "points": 2,
        "schema_version": 3,
        "solution": False,
        "task": False,
    }
    assert 'check("ex-small-chapter-1", n_regions, student=STUDENT, strict=True)' in (
        marks["ex-small-chapter-1-check"].source
    )
    assert marks["ex-small-chapter-2-written"].metadata.nbgrader.points == 3


@pytest.fixture(scope="module")
def course_folder(published, tmp_path_factory):
    folder = tmp_path_factory.mktemp("grading") / "course"
    shutil.copytree(published / "nbgrader", folder)
    return folder


@pytest.fixture(scope="module")
def released(course_folder):
    nbgrader(course_folder, "generate_assignment", SLUG)
    return course_folder / f"release/{SLUG}/{SLUG}.ipynb"


def test_release_holds_the_stub_and_no_secret(released, published):
    student = {cell.id: cell for cell in read(published / f"student/{SLUG}.ipynb").cells}
    for cell in read(released).cells:
        marks = cell.metadata.get("nbgrader", {})
        if marks.get("grade_id", "").endswith("-check"):
            assert "HIDDEN" not in cell.source
            assert "assert" not in cell.source
        else:
            assert cell.source.strip() == student[cell.id].source.strip()


def submit(course: Path, released: Path, student: str, answers: dict[str, str]) -> None:
    notebook = nbformat.read(released, as_version=4)
    for cell in notebook.cells:
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        cell.source = answers.get(grade_id, cell.source)
    folder = course / "submitted" / student / SLUG
    folder.mkdir(parents=True)
    nbformat.write(notebook, folder / f"{SLUG}.ipynb")


def test_scores(course_folder, released):
    from nbgrader.api import Gradebook

    for student, answers in (("right", RIGHT), ("untouched", {}), ("wrong", WRONG)):
        submit(course_folder, released, student, answers)
    nbgrader(course_folder, "autograde", SLUG, "--create")
    with Gradebook(f"sqlite:///{course_folder}/gradebook.db") as book:
        scores = {
            student: book.find_submission(SLUG, student).score
            for student in ("right", "untouched", "wrong")
        }
        assert book.find_assignment(SLUG).max_score == 7
        written = book.find_submission(SLUG, "right").max_written_score
    assert scores == {"right": 3, "untouched": 0, "wrong": 0}
    assert written == 4


def lose(folder: Path, student: str, change) -> None:
    """Damage one submission as `change` does to its list of cells."""
    path = folder / "submitted" / student / SLUG / f"{SLUG}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    change(notebook.cells)
    nbformat.write(notebook, path)


def place(cells, name: str) -> int:
    return next(
        i for i, c in enumerate(cells) if c.metadata.get("nbgrader", {}).get("grade_id") == name
    )


def copy_cell(cells) -> None:
    cell = nbformat.from_dict(cells[place(cells, "ex-small-chapter-1-answer")])
    cell.id, cell.source = "a-copy", "1 / 0"
    cells.insert(0, cell)


def delete(*names: str):
    def change(cells) -> None:
        for name in names:
            del cells[place(cells, name)]

    return change


def forget_marks(cells) -> None:
    for cell in cells:
        cell.metadata.pop("nbgrader", None)


DAMAGE = {
    # student: what happened, the points in the end, what the check says
    "copied": (copy_cell, 3, "a copy of ex-small-chapter-1-answer does not count"),
    "deleted": (delete("ex-small-chapter-1-check"), 3, "put ex-small-chapter-1-check back"),
    "both": (
        delete("ex-small-chapter-1-answer", "ex-small-chapter-1-check"),
        1,
        "put ex-small-chapter-1-answer back; put ex-small-chapter-1-check back",
    ),
    "marks": (forget_marks, 3, "restored the marks of ex-small-chapter-1-answer"),
    "good": (lambda cells: None, 3, "good"),
}


def test_damaged_submissions_are_graded(published, tmp_path, released):
    """None of them ends the batch, and a right answer keeps its points."""
    from nbgrader.api import Gradebook

    folder = tmp_path / "course"
    shutil.copytree(published / "nbgrader", folder)
    nbgrader(folder, "generate_assignment", SLUG)
    for student, (change, _, _) in DAMAGE.items():
        submit(folder, released, student, RIGHT)
        lose(folder, student, change)
    for student, name, text in (
        ("renamed", f"{SLUG} (1).ipynb", released.read_text("utf-8")),
        ("unreadable", f"{SLUG}.ipynb", "{"),
        ("strange", f"{SLUG}.ipynb", '{"cells": [], "metadata": {}}'),
    ):
        (folder / "submitted" / student / SLUG).mkdir(parents=True)
        (folder / "submitted" / student / SLUG / name).write_text(text, "utf-8")
    command = [sys.executable, str(folder / "check_submissions.py")]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 1
    for student, (_, _, said) in DAMAGE.items():
        assert f"{student}/{SLUG}: {said}" in checked.stdout
    assert f"renamed/{SLUG}: renamed {SLUG} (1).ipynb" in checked.stdout
    for student, why in (("unreadable", "is no readable"), ("strange", "no cell of this")):
        assert re.search(rf"{student}/{SLUG}: CANNOT BE GRADED: .*{why}", checked.stdout)
        shutil.rmtree(folder / "submitted" / student)
    again = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert again.count(": good") == len(DAMAGE) + 1
    nbgrader(folder, "autograde", SLUG, "--create")
    with Gradebook(f"sqlite:///{folder}/gradebook.db") as book:
        for student, (_, points, _) in DAMAGE.items():
            assert book.find_submission(SLUG, student).score == points, student


def test_nbgrader_alone_puts_a_deleted_test_back(course_folder, released):
    """The setting in the course's folder, for whoever forgets the check."""
    from nbgrader.api import Gradebook

    submit(course_folder, released, "deleted", RIGHT)
    lose(course_folder, "deleted", delete("ex-small-chapter-1-check"))
    nbgrader(course_folder, "autograde", SLUG, "--create", "--student", "deleted")
    with Gradebook(f"sqlite:///{course_folder}/gradebook.db") as book:
        assert book.find_submission(SLUG, "deleted").score == 3
