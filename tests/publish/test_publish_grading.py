"""The export is an nbgrader course that gives each submission the points it deserves."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from small_book import environment, read

from tools.publish.grading import make_strict

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
def test_make_strict(source, expected):
    assert make_strict(source) == expected


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
    assert 'check("ex-small-chapter-1", n_regions, strict=True)' in (
        marks["ex-small-chapter-1-check"].source
    )
    assert marks["ex-small-chapter-2-written"].metadata.nbgrader.points == 3


@pytest.fixture(scope="module")
def course_folder(published, tmp_path_factory):
    folder = tmp_path_factory.mktemp("grading") / "course"
    shutil.copytree(published / "nbgrader", folder)
    return folder


def nbgrader(folder: Path, *arguments: str) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=folder,
        env=environment() | {"HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


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
