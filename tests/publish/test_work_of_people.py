"""Publishing again and cleaning never cost a teacher or a learner their work."""

from __future__ import annotations

import shutil

import pytest

from tools.clean import remove_build
from tools.publish.__main__ import main
from tools.publish.record import RECORD, work_of_people
from tools.publish.write import publish_files


@pytest.fixture
def folder(tmp_path):
    publish_files(tmp_path, {"a/one.ipynb": "1", "a/two.ipynb": "2", "a/old.ipynb": "old"})
    assert work_of_people(tmp_path) == []
    return tmp_path


def test_a_changed_file_is_kept_however_often_one_publishes(folder):
    (folder / "a/one.ipynb").write_text("a teacher's")
    for text in ("1", "new", "newer"):
        kept = publish_files(folder, {"a/one.ipynb": text, "a/two.ipynb": text})
        assert kept == ["a/one.ipynb"]
        assert (folder / "a/one.ipynb").read_text() == "a teacher's"
        assert (folder / "a/two.ipynb").read_text() == text
    assert work_of_people(folder) == [folder / "a/one.ipynb"]
    (folder / "a/one.ipynb").rename(folder / "a/mine.ipynb")
    assert publish_files(folder, {"a/one.ipynb": "new"}) == []
    assert (folder / "a/one.ipynb").read_text() == "new"


def test_what_is_no_longer_made_goes_unless_somebody_changed_it(folder):
    (folder / "a/two.ipynb").write_text("a learner's")
    (folder / "a/exam.ipynb").write_text("a teacher's own")
    publish_files(folder, {"a/one.ipynb": "1"})
    assert sorted(p.name for p in (folder / "a").iterdir()) == [
        "exam.ipynb",
        "one.ipynb",
        "two.ipynb",
    ]


def test_a_file_that_was_there_before_is_kept(tmp_path):
    (tmp_path / "one.ipynb").write_text("mine")
    assert publish_files(tmp_path, {"one.ipynb": "1"}) == ["one.ipynb"]
    (tmp_path / RECORD).write_text("{damaged")
    assert publish_files(tmp_path, {"one.ipynb": "1"}) == ["one.ipynb"]
    assert (tmp_path / "one.ipynb").read_text() == "mine"


def test_the_command_names_what_it_keeps(course, tmp_path, capsys):
    assert main(["--root", str(course), "--course", str(tmp_path)]) == 0
    assert not (tmp_path / "reader").exists()
    assignment = tmp_path / "source/small-chapter/small-chapter.ipynb"
    assignment.write_text(assignment.read_text("utf-8").replace('"points": 2', '"points": 10'))
    (tmp_path / "gradebook.db").write_text("marks")
    capsys.readouterr()
    assert main(["--root", str(course), "--course", str(tmp_path)]) == 0
    assert f"kept {assignment}: it is not as it was published" in capsys.readouterr().out
    assert '"points": 10' in assignment.read_text("utf-8")
    assert (tmp_path / "gradebook.db").read_text() == "marks"


@pytest.mark.parametrize("option", ["--output", "--course"])
def test_no_folder_of_a_person_may_lie_in_the_build(course, capsys, option):
    folder = course / "_build/mine"
    assert main(["--root", str(course), option, str(folder)]) == 1
    assert "lies in _build, which is removed and built again" in capsys.readouterr().err
    assert not folder.exists()


@pytest.mark.parametrize(
    "work",
    [
        "notebooks/nbgrader/gradebook.db",
        "notebooks/nbgrader/submitted/ada/small-chapter/small-chapter.ipynb",
        "notebooks/reader/small-chapter.ipynb",
    ],
)
def test_a_build_in_which_somebody_worked_is_not_removed(published, tmp_path, capsys, work):
    build = tmp_path / "_build"
    shutil.copytree(published, build / "notebooks")
    (build / work).parent.mkdir(parents=True, exist_ok=True)
    (build / work).write_text("work")
    assert not remove_build(build)
    assert str(build / work) in capsys.readouterr().err
    assert (build / work).read_text() == "work"
    (build / work).unlink()
    assert remove_build(build)
    assert not build.exists()
