"""A class goes over to the next edition in mid-course; an exercise is gone, and no work is lost."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from small_book import change, nbgrader, next_edition, read

from tools.publish.__main__ import main
from tools.publish.record import digest
from tools.publish.write import handed_out, publish_files

SLUG = "small-chapter"
ASSIGNMENT = f"source/{SLUG}/{SLUG}.ipynb"
GONE = "ex-small-chapter-3"  # the next edition does not have it
ANSWERS = {
    "ex-small-chapter-1-answer": "def n_regions():\n    return 3",
    f"{GONE}-answer": "def double(x):\n    return x + x",
}


@pytest.fixture(scope="module")
def following(course, tmp_path_factory) -> Path:
    """Return the next edition of the small book."""
    return next_edition(course, tmp_path_factory.mktemp("next"))


@pytest.fixture
def begun(course, tmp_path) -> Path:
    """Return the folder of a course that its instructor has changed and added to."""
    folder = tmp_path / "my-course"
    assert main(["--root", str(course), "--course", str(folder)]) == 0
    (folder / "source/my-exam").mkdir()
    (folder / "source/my-exam/my-exam.ipynb").write_text("mine")
    return folder


def hashes(folder: Path) -> dict[str, str]:
    """Return a hash for each visible file."""
    paths = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.name[0] != "."]
    return {p.relative_to(folder).as_posix(): digest(p.read_bytes()) for p in paths}


def hand_in(folder: Path) -> None:
    """Let one student answer what a program marks."""
    notebook = read(folder / f"release/{SLUG}/{SLUG}.ipynb")
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        cell.source = ANSWERS.get(name, cell.source)
    target = folder / f"submitted/ada/{SLUG}/{SLUG}.ipynb"
    target.parent.mkdir(parents=True)
    nbformat.write(notebook, target)


def test_what_was_handed_out_stays_and_what_was_handed_in_is_graded(begun, following, capsys):
    from nbgrader.api import Gradebook

    change(begun / ASSIGNMENT, '"points": 2', '"points": 10')
    nbgrader(begun, "generate_assignment", SLUG)
    hand_in(begun)
    before = hashes(begun)
    capsys.readouterr()
    assert main(["--root", str(following), "--course", str(begun)]) == 0
    assert hashes(begun) == before
    assert f"kept {begun / ASSIGNMENT}: it was handed out." in capsys.readouterr().out
    nbgrader(begun, "autograde", SLUG, "--create")
    with Gradebook(f"sqlite:///{begun}/gradebook.db") as book:
        submission = book.find_submission(SLUG, "ada")
        assert submission.score == 10 + 1  # the instructor's points, and the exercise that is gone
        assert submission.max_score == 10 + 1 + 3 + 1


def test_a_chapter_that_was_not_handed_out_comes_from_the_next_edition(begun, following):
    assert GONE in (begun / ASSIGNMENT).read_text("utf-8")
    assert main(["--root", str(following), "--course", str(begun)]) == 0
    assert GONE not in (begun / ASSIGNMENT).read_text("utf-8")
    assert (begun / "source/my-exam/my-exam.ipynb").read_text() == "mine"


def test_a_chapter_that_the_instructor_changed_stays(begun, following, capsys):
    change(begun / ASSIGNMENT, '"points": 2', '"points": 10')
    assert main(["--root", str(following), "--course", str(begun)]) == 0
    assert f"kept {begun / ASSIGNMENT}: it is not as it was published" in capsys.readouterr().out
    assert GONE in (begun / ASSIGNMENT).read_text("utf-8")


@pytest.mark.parametrize("given", ["submitted/ada/one", "release/one", "release/ada/one"])
def test_a_chapter_that_is_gone_stays_where_it_was_handed_out(tmp_path, given):
    there = {"source/one/one.ipynb": "1", "source/two/two.ipynb": "2", "README.md": "r"}
    publish_files(tmp_path, there)
    (tmp_path / given).mkdir(parents=True)
    frozen = handed_out(tmp_path, ["README.md"])
    assert frozen == {"source/one/one.ipynb"}
    for _ in range(2):
        publish_files(tmp_path, {"README.md": "r"}, frozen)
        assert sorted(hashes(tmp_path)) == ["README.md", "source/one/one.ipynb"]


def test_the_notebook_of_a_learner_stays(course, following, tmp_path, capsys):
    assert main(["--root", str(course), "--output", str(tmp_path)]) == 0
    mine = tmp_path / f"reader/{SLUG}.ipynb"
    change(mine, "raise NotImplementedError", "return 3")
    before = mine.read_bytes()
    assert main(["--root", str(following), "--output", str(tmp_path)]) == 0
    assert mine.read_bytes() == before
    assert f"kept {mine}: it is not as it was published" in capsys.readouterr().out
    assert GONE not in (tmp_path / f"student/{SLUG}.ipynb").read_text("utf-8")
