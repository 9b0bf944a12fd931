"""One build of a small book that uses everything a chapter may use, shared by all tests here."""

from __future__ import annotations

import shutil

import pytest
from small_book import ROOT, build, copy_course


@pytest.fixture(scope="session")
def course(tmp_path_factory):
    """Return the built small book. Tests must not change it: they copy what they damage."""
    folder = copy_course(tmp_path_factory.mktemp("course"))
    result = build(folder)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


@pytest.fixture(scope="session")
def published(course, tmp_path_factory):
    """Return the folder of the notebooks published from the small book."""
    from tools.publish.__main__ import main

    output = tmp_path_factory.mktemp("notebooks")
    assert main(["--root", str(course), "--output", str(output)]) == 0
    return output


@pytest.fixture(scope="session", params=["small", "real"])
def any_book(request, tmp_path_factory):
    """Return (project, notebooks) of the small book and of the real one, where that is built."""
    from tools.publish.__main__ import main, publish
    from tools.publish.built import FIRST
    from tools.publish.errors import PublishError
    from tools.publish.project import Project

    if request.param == "small":
        return Project.read(request.getfixturevalue("course")), request.getfixturevalue("published")
    try:
        publish(Project.read(ROOT), ROOT / "_build")
    except PublishError as error:
        if FIRST in str(error):
            pytest.skip(str(error))
        raise
    output = tmp_path_factory.mktemp("real")
    assert main(["--output", str(output)]) == 0
    return Project.read(ROOT), output


@pytest.fixture
def damaged(course, tmp_path):
    """Return a copy of the built book that a test may change."""
    for name in ("book", "constraints", "_build/html/part", "_build/jupyter_execute"):
        shutil.copytree(course / name, tmp_path / name)
    shutil.copytree(course / "_build/html/_images", tmp_path / "_build/html/_images")
    for name in ("_config.yml", "_toc.yml", "pyproject.toml", "_build/html/objects.inv"):
        shutil.copy(course / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def edit(damaged):
    """Return a function that changes prose of the chapter and publishes everything."""
    from tools.publish.__main__ import publish
    from tools.publish.project import Project

    chapter = damaged / "book/part/small-chapter.md"

    def change(old: str, new: str) -> dict[str, str]:
        text = chapter.read_text("utf-8")
        assert old in text
        chapter.write_text(text.replace(old, new), "utf-8")
        return publish(Project.read(damaged), damaged / "_build")

    return change
