"""A course of one chapter, and students who hand in what students hand in."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

SLUG = "local-linear-models"
ID = f"ex-{SLUG}"

LESSON = """import numpy as np
import torch

tumours = None  # what a lesson needs minutes for, and no exercise needs at all
"""
LONG_LESSON = "import time\n\ntime.sleep(3600)\nseen = 1"
LIFTED = '''def one_neuron_lifted():
    """Return five integers."""
'''
MODEL = '''def local_model(pattern, weights, biases):
    """Return coef and intercept."""
'''
DISTANCE = '''def distance_to_border(W, b, x, d):
    """Return the smallest t > 0 where a sign changes."""
'''
STUB = "    raise NotImplementedError"
RIGHT = {
    f"{ID}-1": LIFTED + "    return 7, 4, 4, 1, 1",
    f"{ID}-2": MODEL
    + """    coef, intercept = weights[0], biases[0]
    for on, W, b in zip(pattern, weights[1:], biases[1:]):
        coef, intercept = W @ (on[:, None] * coef), W @ (on * intercept) + b
    return coef, intercept""",
    f"{ID}-3": DISTANCE
    + """    start, rate = W @ x + b, W @ d
    with np.errstate(divide="ignore", invalid="ignore"):
        t = -start / rate
    ahead = t[np.isfinite(t) & (t > 0)]
    return float(ahead.min()) if len(ahead) else np.inf""",
}
POINTS = {f"{ID}-1": 2, f"{ID}-2": 3, f"{ID}-3": 4}
ALL = sum(POINTS.values())
HIDDEN = {
    f"{ID}-1": "assert list(one_neuron_lifted()) == [7, 4, 4, 1, 1]",
    f"{ID}-2": "assert np.allclose(local_model([], [np.eye(2)], [np.ones(2)])[1], 1)",
    f"{ID}-3": (
        "at = (np.eye(2), np.array([-1.0, -2.0]), np.zeros(2), np.ones(2))\n"
        "assert distance_to_border(*at) == 1"
    ),
}
FUNCTIONS = {
    f"{ID}-1": ("one_neuron_lifted", LIFTED),
    f"{ID}-2": ("local_model", MODEL),
    f"{ID}-3": ("distance_to_border", DISTANCE),
}


def marks(name: str, points: int | None = None) -> dict:
    """Return a cell's metadata as the publisher writes it."""
    grade = {"grade_id": name, "schema_version": 3}
    tag = {"answer": ["exercise"], "check": ["check"]}.get(name.rpartition("-")[2], [])
    return {"nbgrader": grade | ({"points": points} if points else {}), "tags": tag}


def make_course(folder: Path) -> Path:
    """Write ``source/SLUG/SLUG.ipynb`` as `make course` does."""
    cells = [
        new_code_cell("raise RuntimeError('no network here')", id="set-up-1"),
        new_code_cell('STUDENT = ""', id="student-1"),
        new_code_cell(LESSON, id="text-1"),
        new_code_cell(LONG_LESSON, id="text-2"),
    ]
    for number, (label, (name, head)) in enumerate(FUNCTIONS.items()):
        title = f"**Exercise {label.removeprefix('ex-')}. Number {number}**\n\nThe question."
        body = RIGHT[label].removeprefix(head)
        answer = f"{head}{STUB}\n### BEGIN SOLUTION\n{head}{body}\n### END SOLUTION"
        test = f"from xai_course.book import check\n\ncheck({label!r}, {name}, student=STUDENT)"
        test += f"\n### BEGIN HIDDEN TESTS\n{HIDDEN[label]}\n### END HIDDEN TESTS"
        cells += [
            new_markdown_cell(title, id=f"question-{number}"),
            new_code_cell(answer, id=f"answer-{number}", metadata=marks(f"{label}-answer")),
            new_code_cell(
                test, id=f"check-{number}", metadata=marks(f"{label}-check", POINTS[label])
            ),
        ]
    guide = "Your answer:\n\n**Model answer.** A region is convex."
    cells.append(new_markdown_cell(guide, id="written-3", metadata=marks(f"{ID}-3-written", 4)))
    notebook = new_notebook(cells=cells, metadata={"xai_course": {"edition": "0.1.0"}})
    path = folder / "source" / SLUG / f"{SLUG}.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(notebook, path)
    return folder


def handed_in(answers: dict[str, str], *more: str, prose: str = "") -> nbformat.NotebookNode:
    """Return a notebook with answers, by exercise, and cells of the student's own before them."""
    cells = [new_code_cell(LESSON, id="text-1"), new_code_cell(LONG_LESSON, id="text-2")]
    cells += [new_code_cell(source, id=f"own-{i}") for i, source in enumerate(more)]
    for number, (label, (name, head)) in enumerate(FUNCTIONS.items()):
        source = answers.get(label, head + STUB)
        test = f"from xai_course.book import check\n\ncheck({label!r}, {name}, student=STUDENT)"
        cells += [
            new_code_cell(source, id=f"answer-{number}", metadata=marks(f"{label}-answer")),
            new_code_cell(test, id=f"check-{number}", metadata=marks(f"{label}-check", 1)),
        ]
    text = f"Your answer:\n\n{prose}"
    cells.append(new_markdown_cell(text, id="written-3", metadata=marks(f"{ID}-3-written", 4)))
    return new_notebook(cells=cells)


def submit(
    course: Path, student: str, notebook: nbformat.NotebookNode | str, name: str = f"{SLUG}.ipynb"
) -> None:
    """Put a notebook where the grader looks for it."""
    folder = course / "submitted" / student / SLUG
    folder.mkdir(parents=True, exist_ok=True)
    text = notebook if isinstance(notebook, str) else json.dumps(notebook)
    (folder / name).write_text(text, "utf-8")
