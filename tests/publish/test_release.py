"""A release, rehearsed end to end on 127.0.0.1 with the commands of `publish.yml`.

The library is built, the notebooks are published with its hash, both branches are pushed; then a
machine without the library opens a published notebook, whose first cell installs it, and runs it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from small_book import FIXTURES, ROOT, change, next_edition, read

from tools.edition import edition_name, newest
from tools.publish import branches
from tools.publish.__main__ import main
from tools.publish.errors import PublishError
from tools.publish.project import Project
from tools.publish.record import digest
from tools.publish.wheel import Wheel, build_wheel

EDITION, NEXT = "v9.8.7", "v9.9"
NOTEBOOK = f"{EDITION}/reader/small-chapter.ipynb"
REPOSITORY = "xai-course/xai-course"
# The build needs setuptools, which is here; pip would fetch another one.
OFFLINE = "--pip-option=--no-build-isolation"


def contents(folder: Path) -> dict[str, str]:
    """Return a hash for every file in a folder."""
    paths = [p for p in folder.rglob("*") if p.is_file() and ".git" not in p.parts]
    return {p.relative_to(folder).as_posix(): digest(p.read_bytes()) for p in sorted(paths)}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Serve a folder on 127.0.0.1; return the folder and the address."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    folder = tmp_path_factory.mktemp("served")
    serving = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{serving.server_address[1]}"
    serving.shutdown()


@pytest.fixture(scope="module")
def project(course, server, tmp_path_factory) -> Path:
    """Return the small book, built, whose repository is the served folder."""
    root = tmp_path_factory.mktemp("project") / "book"
    shutil.copytree(course, root, ignore=shutil.ignore_patterns(".doctrees", ".jupyter_cache"))
    change(root / "_config.yml", "https://github.com", server[1])
    return root


class Origin:
    """What is public: a repository with the two branches, and the files of the releases."""

    def __init__(self, folder: Path, served: Path):
        self.folder, self.served, self.count = folder, served, 0
        self.address = str(folder / "origin.git")
        branches.git(None, "init", "-q", "--bare", self.address)

    def publish(self, root: Path, release: Path | None) -> int:
        """Do what the workflow does with a release; without one, write the errata."""
        self.count += 1
        into = str(self.folder / f"branches-{self.count}")
        named = [str(release)] if release else []
        where = ["--root", str(root), "--origin", self.address, "--into", into]
        if branches.main([*named, *where]):
            return 1
        if release is not None:
            assets = self.served / REPOSITORY / "releases/download" / Project.read(root).edition
            shutil.copytree(release / "assets", assets, dirs_exist_ok=True)
        return branches.main([*where, "--push"])

    def branch(self, name: str) -> Path:
        """Return a branch as a stranger gets it."""
        self.count += 1
        folder = self.folder / f"clone-{self.count}"
        branches.git(None, "clone", "-q", "--branch", name, self.address, str(folder))
        return folder


@pytest.fixture(scope="module")
def released(project, tmp_path_factory) -> Path:
    """Return the folder of the first release."""
    folder = tmp_path_factory.mktemp("release")
    assert main(["--root", str(project), "--release", str(folder), OFFLINE]) == 0
    return folder


@pytest.fixture(scope="module")
def origin(project, released, server, tmp_path_factory) -> Origin:
    """Return what is public after the first release. Tests must not publish to it."""
    result = Origin(tmp_path_factory.mktemp("public"), server[0])
    assert result.publish(project, released) == 0
    return result


@pytest.fixture
def machine(tmp_path) -> Path:
    """Return the Python of an environment that holds what is here, but not the library."""
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True
    )
    python = tmp_path / "venv/bin/python"
    packages = tmp_path / "packages"
    packages.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not re.match(r"__editable__|xai.course|torch(\b|-)|__pycache__", path.name):
            (packages / path.name).symlink_to(path)
    (packages / "torch.py").symlink_to(FIXTURES / "lib/torch.py")
    site = next((tmp_path / "venv/lib").glob("python*/site-packages"))
    (site / "packages.pth").write_text(f"{packages}\n")
    return python


def quiet(tmp_path: Path) -> dict[str, str]:
    """Return an environment without this checkout, without an index and with an own kernel."""
    hidden = ("PYTHONPATH", "XAI_COURSE_SOURCE", "XAI_COURSE_STRICT", "MPLBACKEND")
    here = {"PIP_NO_INDEX": "1", "PIP_RETRIES": "0", "JUPYTER_PATH": str(tmp_path / "jupyter")}
    return {key: value for key, value in os.environ.items() if key not in hidden} | here


RUN = """
import sys, nbformat, nbclient

notebook = nbformat.read(sys.argv[1], as_version=4)
nbclient.NotebookClient(notebook, timeout=120, kernel_name="machine").execute()
nbformat.write(notebook, sys.argv[1])
"""


def run_notebook(path: Path, python: Path, tmp_path: Path) -> str:
    """Run a notebook on the machine; return what it printed."""
    kernel = tmp_path / "jupyter/kernels/machine"
    kernel.mkdir(parents=True)
    start = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(
        json.dumps({"argv": start, "display_name": "machine", "language": "python"})
    )
    copy = shutil.copy(path, tmp_path)
    result = subprocess.run(
        [sys.executable, "-c", RUN, copy],
        cwd=tmp_path,
        env=quiet(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    cells = read(Path(copy)).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    return "".join(output.get("text", "") for output in outputs)


def first_cell(notebook: Path) -> str:
    """Return the first code of a notebook."""
    return next(cell.source for cell in read(notebook).cells if cell.cell_type == "code")


def open_notebook(notebook: Path, python: Path, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Run the first cell of a notebook on the machine."""
    return subprocess.run(
        [python, "-c", first_cell(notebook)],
        cwd=tmp_path,
        env=quiet(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )


# --- the rehearsal --------------------------------------------------------------------------------


def test_a_published_notebook_installs_its_edition_and_runs(origin, released, machine, tmp_path):
    notebook = origin.branch("notebooks") / NOTEBOOK
    wheel = next((released / "assets").glob("*.whl"))
    assert f"{EDITION}/{wheel.name}#sha256={digest(wheel.read_bytes())}" in first_cell(notebook)
    printed = run_notebook(notebook, machine, tmp_path)
    assert "xai_course 9.8.7 · numpy" in printed
    assert "Not attempted yet" in printed
    assert list((tmp_path / "venv").rglob("site-packages/xai_course/__init__.py"))


def test_pages_lead_to_notebooks_and_notebooks_to_pages(origin):
    site, notebooks = origin.branch("site"), origin.branch("notebooks")
    page = (site / EDITION / "part/small-chapter.html").read_text("utf-8")
    named = re.search(
        r"colab\.research\.google\.com/github/[\w./-]*?/blob/notebooks/([^\"]+)", page
    )
    assert named[1] == NOTEBOOK
    assert (notebooks / named[1]).is_file()
    head = read(notebooks / NOTEBOOK).cells[0].source
    base = re.escape("https://xai-course.github.io/xai-course/")
    pages = re.findall(rf"{base}([\w./-]+\.html)", head)
    assert pages == [f"{EDITION}/part/small-chapter.html", f"{EDITION}/errata.html"]
    assert all((site / name).is_file() for name in pages)
    assert f"/blob/{EDITION}/book/part/small-chapter.md" in head
    assert 'url=/xai-course/latest/"' in (site / "index.html").read_text()
    assert 'href="/xai-course/v9.8.7/"' in (site / "404.html").read_text()


def test_a_damaged_library_is_not_installed(origin, machine, tmp_path):
    wheel = next(origin.served.rglob("xai_course-9.8.7-*.whl"))
    good = wheel.read_bytes()
    try:
        wheel.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        result = open_notebook(origin.branch("notebooks") / NOTEBOOK, machine, tmp_path)
    finally:
        wheel.write_bytes(good)
    last = result.stderr.strip().split("\n")[-1]
    assert last.startswith("RuntimeError: xai_course was not installed: what is at xai-course @ ")
    assert "is not what this edition was published with, so it was not installed." in last
    assert not list((tmp_path / "venv").rglob("site-packages/xai_course*"))


def test_a_library_that_is_not_there_is_named(origin, machine, tmp_path):
    wheel = next(origin.served.rglob("xai_course-9.8.7-*.whl"))
    away = wheel.rename(wheel.with_suffix(".away"))
    try:
        result = open_notebook(origin.branch("notebooks") / NOTEBOOK, machine, tmp_path)
    finally:
        away.rename(wheel)
    last = result.stderr.strip().split("\n")[-1]
    assert last.startswith("RuntimeError: xai_course was not installed: nothing is at xai-course @")


def test_the_branches_hold_nothing_of_instructors(origin, released):
    assert {path.name for path in (released / "notebooks").iterdir()} == {"reader", "student"}
    for folder in ("instructor", "nbgrader"):
        assert (released / f"assets/{folder}.tar.gz").is_file()
        assert not list(origin.branch("notebooks").rglob(folder))


def test_the_sums_are_right_and_an_archive_is_always_the_same(released, project, tmp_path):
    from tools.publish.release import pack

    sums = (released / "assets/SHA256SUMS").read_text().split()
    for wanted, name in zip(sums[::2], sums[1::2], strict=True):
        assert digest((released / "assets" / name).read_bytes()) == wanted
    pack(released / "site", tmp_path / "again.tar.gz")
    assert digest((tmp_path / "again.tar.gz").read_bytes()) in sums
    (project / "README.md").chmod(0o600)
    before = os.umask(0o077)
    try:
        wheel = build_wheel(project, tmp_path, "--no-build-isolation")
    finally:
        os.umask(before)
    assert digest(wheel.read_bytes()) in sums


# --- one edition after the other ------------------------------------------------------------------


@pytest.fixture(scope="module")
def second(project, tmp_path_factory) -> Path:
    """Return the project of the next edition."""
    return next_edition(project, tmp_path_factory.mktemp("second"))


@pytest.fixture(scope="module")
def both(project, second, released, server, tmp_path_factory) -> Origin:
    """Return what is public after a second release."""
    origin = Origin(tmp_path_factory.mktemp("both"), server[0])
    assert origin.publish(project, released) == 0
    folder = tmp_path_factory.mktemp("release-2")
    assert main(["--root", str(second), "--release", str(folder), OFFLINE]) == 0
    assert origin.publish(second, folder) == 0
    return origin


def test_an_edition_does_not_move_when_the_next_comes(both, origin):
    for name in ("notebooks", "site"):
        before, after = origin.branch(name), both.branch(name)
        assert contents(after / EDITION) == contents(before / EDITION)
        assert contents(before / "latest") == contents(before / EDITION)
        assert contents(after / "latest") == contents(after / NEXT) != contents(after / EDITION)


def test_an_edition_that_is_out_is_not_replaced(both, project, released, tmp_path, capsys):
    assert both.publish(project, released) == 0  # the same again: a workflow that was run again
    changed = tmp_path / "release"
    shutil.copytree(released, changed)
    change(changed / NOTEBOOK.replace(EDITION, "notebooks"), "A small chapter", "Another")
    before = contents(both.branch("notebooks"))
    capsys.readouterr()
    assert both.publish(project, changed) == 1
    assert "the edition v9.8.7 is out and is not this one" in capsys.readouterr().err
    assert contents(both.branch("notebooks")) == before


def test_a_correction_of_an_old_edition_is_not_the_latest(tmp_path):
    for name in ("v0.9", "v0.10", "v0.9.1", "latest"):
        (tmp_path / name).mkdir()
    assert newest(tmp_path) == "v0.10"
    names = {version: edition_name(version) for version in ("0.1.0", "0.1.1", "1.0")}
    assert names == {"0.1.0": "v0.1", "0.1.1": "v0.1.1", "1.0": "v1.0"}


def test_an_erratum_reaches_the_edition_that_is_out(both, second):
    entry = {
        "edition": EDITION,
        "page": "part/small-chapter",
        "wrong": "Two hinges make four <regions>.",
        "right": "They make three.",
        "classes": "Exercise 1 counts for all.",
    }
    path = second / "book/errata.yml"
    path.write_text(yaml.safe_dump([entry]), "utf-8")
    before = contents(both.branch("site"))
    try:
        assert both.publish(second, None) == 0
        site = both.branch("site")
    finally:
        path.unlink()
    after = contents(site)
    moved = {name for name in after if after[name] != before[name]}
    assert moved == {f"{EDITION}/part/small-chapter.html", f"{EDITION}/errata.html"}
    page = (site / EDITION / "part/small-chapter.html").read_text("utf-8")
    assert "Two hinges make four &lt;regions&gt;." in page
    assert 'href="../errata.html"' in page
    assert "No errata" not in (site / EDITION / "errata.html").read_text("utf-8")
    assert "No errata are known." in (site / NEXT / "errata.html").read_text("utf-8")
    assert both.publish(second, None) == 0  # and it goes when it is taken out of the list
    assert contents(both.branch("site")) == before


# --- faults ---------------------------------------------------------------------------------------


def test_a_release_is_made_in_an_empty_folder(project, tmp_path, capsys):
    (tmp_path / "mine").touch()
    assert main(["--root", str(project), "--release", str(tmp_path)]) == 1
    assert "is not empty" in capsys.readouterr().err


def test_notebooks_may_be_written_with_the_library_of_a_release(project, released, tmp_path):
    wheel = next((released / "assets").glob("*.whl"))
    out = tmp_path / "notebooks"
    assert main(["--root", str(project), "--output", str(out), "--wheel", str(wheel)]) == 0
    assert contents(out / "reader") == contents(released / "notebooks/reader")


def test_the_wheel_must_be_of_this_version(tmp_path):
    with pytest.raises(PublishError, match=r"1\.0-py3\.whl is not the library of version 9\.8\.7"):
        Wheel.read(tmp_path / "xai_course-1.0-py3.whl", "9.8.7")


def test_a_token_is_not_printed(project, capsys, tmp_path):
    origin = str(tmp_path / "x-access-token:secret@nowhere")
    assert branches.main(["--root", str(project), "--origin", origin, "--into", "x"]) == 1
    assert "secret" not in capsys.readouterr().err


def test_the_workflow_runs_the_commands_of_this_rehearsal():
    text = (ROOT / ".github/workflows/publish.yml").read_text("utf-8")
    steps = [
        "make release DIR=",
        "-m tools.publish.branches release",
        "gh release upload",
        "--push",
    ]
    places = [text.index(step) for step in steps]
    assert places == sorted(places)
    assert 'tools.publish --release "$(DIR)"' in (ROOT / "Makefile").read_text("utf-8")
    assert "git " not in text
