"""What the teaching kit is made of: numbers that are computed, a drawing, a file, a recipe."""

from __future__ import annotations

import csv
import io
import math
import re
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from test_way_in import extension

from tools import teaching
from tools.chapters import BOOK, Page

PAGES = BOOK.source / teaching.FOLDER
SVG = "{http://www.w3.org/2000/svg}"
needs_graph = extension("needs_graph")
NUMERICAL = [one for one in teaching.read_questions(BOOK.root) if one.kind == "numerical"]


def block(page: str, number: int) -> list[str]:
    """Return the lines of one block of commands on a page."""
    found = [one for one in Page(PAGES / f"{page}.md", page).walk() if one.kind == "fence"]
    text = (PAGES / f"{page}.md").read_text("utf-8")
    blocks = re.findall(r"```bash\n(.*?)```", text, flags=re.DOTALL)
    assert len(blocks) == len(found)
    return blocks[number].splitlines()


@pytest.mark.parametrize("question", NUMERICAL, ids=lambda one: one.objective[0])
def test_a_numerical_answer_is_the_formulas(question: teaching.Question) -> None:
    names = {"math": math, "max": max, "abs": abs}
    computed = eval(question.formula, {"__builtins__": {}}, names)  # noqa: S307
    decimals = len(str(question.value).partition(".")[2])
    assert round(computed, decimals) == question.value


def test_the_file_holds_every_exercise() -> None:
    rows = list(csv.DictReader(io.StringIO(teaching.outcomes_csv(BOOK))))
    assert {row["exercise"] for row in rows} == set(teaching.tasks(BOOK))
    assert sum(not row["minutes"].isdigit() for row in rows) == 0


def test_points_are_those_of_the_instructors_notebooks() -> None:
    """A part that a program marks and a part that a person marks are each worth the difficulty."""
    for chapter in BOOK.chapters:
        for exercise in chapter.exercises:
            task = teaching.tasks(BOOK)[exercise.identifier]
            parts = (len(exercise.checks) > 0) + exercise.is_open
            assert task.points == task.difficulty * parts > 0


def test_the_plan_of_the_project_is_that_of_the_syllabus() -> None:
    text = (PAGES / "project.md").read_text("utf-8")
    planned = {int(w): int(m) for w, m in re.findall(r"^\| (\d+) \| (\d+) \|", text, re.MULTILINE)}
    sessions = teaching.read_syllabi(BOOK.root)["twelve"].sessions
    assert planned == {n: one.project for n, one in enumerate(sessions, 1) if one.project}


@pytest.mark.parametrize("left", [[], ["An outer & long chapter of a part"]])
def test_a_drawing_holds_its_boxes_and_says_what_it_shows(left: list[str]) -> None:
    right = [f"Chapter {number}" for number in range(9)]
    edges = [(one, right[-1], True) for one in (*left, *right[:-1])] + [(right[0], right[1], False)]
    words = needs_graph.in_words("A part", edges)
    drawing = ElementTree.fromstring(needs_graph.draw(left, right, edges, words).replace(
        "<svg", f'<svg xmlns="{SVG[1:-1]}"', 1))  # fmt: skip
    height = float(drawing.get("height"))
    assert f"Chapter 8 needs {' and '.join([*left, *right[:-1]])}." in drawing.get("aria-label")
    assert "Chapter 1 is helped by Chapter 0." in drawing.get("aria-label")
    assert len(drawing.findall(f".//{SVG}path")) == len(edges)
    for box in drawing.iter(f"{SVG}rect"):
        x, y, width, tall = (float(box.get(key)) for key in ("x", "y", "width", "height"))
        assert x >= 0
        assert y >= 0
        assert x + width <= needs_graph.WIDTH
        assert y + tall <= height
    for path in drawing.iter(f"{SVG}path"):
        numbers = [float(one) for one in re.findall(r"[-\d.]+", path.get("d"))]
        # A curve's middle lies at three quarters of the way to its two control points.
        assert numbers[0] + 0.75 * (max(numbers[2], numbers[4]) - numbers[0]) < needs_graph.WIDTH


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


def test_the_recipe_for_a_private_copy_works_as_it_is_written(tmp_path: Path) -> None:
    public, private = tmp_path / "public", tmp_path / "private.git"
    git(tmp_path, "init", "--quiet", "--initial-branch=main", "public")
    (public / "book.md").write_text("first edition\n")
    git(public, "add", ".")
    git(public, "commit", "--quiet", "-m", "First")
    git(tmp_path, "init", "--quiet", "--bare", "private.git")
    make, update = "\n".join(block("exam", 0)), "\n".join(block("exam", 2))
    for address, place in (
        ("https://github.com/xai-course/xai-course.git", public),
        ("git@your-host:you/my-course.git", private),
    ):
        assert make.count(address) == 1
        make = make.replace(address, str(place))
    subprocess.run(["bash", "-euc", make], cwd=tmp_path, check=True, capture_output=True)
    copy = tmp_path / "my-course"
    (copy / "exam.md").write_text("mine\n")
    git(copy, "add", ".")
    git(copy, "commit", "--quiet", "-m", "Mine")
    (public / "book.md").write_text("second edition\n")
    git(public, "commit", "--quiet", "--all", "-m", "Second")
    git(copy, "config", "user.name", "Ada")
    git(copy, "config", "user.email", "ada@example.org")
    update = update.replace("git merge", "git merge --no-edit")
    subprocess.run(["bash", "-euc", update], cwd=copy, check=True, capture_output=True)
    assert (copy / "book.md").read_text() == "second edition\n"
    assert (copy / "exam.md").read_text() == "mine\n"
    git(copy, "push", "--quiet")


@pytest.mark.parametrize(("page", "number"), [("exam", 1), ("slides", 0), ("slides", 1)])
def test_commands_of_the_kit_exist(page: str, number: int) -> None:
    """What they do is tested elsewhere: publishing, the rules of chapters and the slides."""
    targets = re.findall(r"^([a-z]+):", (BOOK.root / "Makefile").read_text("utf-8"), re.MULTILINE)
    for line in block(page, number):
        words = line.split()
        if words[0] == "make":
            assert words[1] in targets
        else:
            assert words[:2] == [".venv/bin/python", "-m"]
            assert words[2] in {"pytest", "tools.slides"}
