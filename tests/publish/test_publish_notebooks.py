"""The published notebooks: ids, secrets, set-up, links, and that they run."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from myst_nb.core.read import read_myst_markdown_notebook
from packaging.requirements import Requirement
from small_book import ROOT, environment, read

from tools.chapters import is_chapter, slug_of
from tools.publish.__main__ import main, publish
from tools.publish.project import Project
from tools.publish.record import RECORD
from tools.publish.setup_cell import colab_pins, setup_cell
from tools.publish.variants import VARIANTS
from tools.publish.wheel import Wheel
from tools.publish.write import publish_files

SLUGS = ("small-chapter", "second-chapter")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_files(published):
    expected = {f"{variant}/{slug}.ipynb" for variant in VARIANTS for slug in SLUGS}
    expected |= {f"nbgrader/{name}" for name in ("nbgrader_config.py", "README.md", RECORD)}
    expected |= {"nbgrader/check_submissions.py", RECORD}
    expected |= {"nbgrader/source/small-chapter/small-chapter.ipynb"}
    assert set(contents(published)) == expected


def test_second_run_writes_the_same_bytes_and_removes_what_is_stale(course, published, tmp_path):
    publish_files(tmp_path, {"reader/old-name.ipynb": "{}"})
    for _ in range(2):
        assert main(["--root", str(course), "--output", str(tmp_path)]) == 0
    assert contents(tmp_path) == contents(published)


def test_metadata(published):
    for variant in VARIANTS:
        metadata = read(published / variant / "small-chapter.ipynb").metadata
        assert metadata.kernelspec.name == "python3"
        assert metadata.language_info.name == "python"
        assert metadata.colab == {"provenance": []}
        assert metadata.xai_course == {
            "variant": variant,
            "edition": "9.8.7",
            "source": "part/small-chapter.md",
        }


def test_ids_are_valid_and_unique(published):
    for path in published.rglob("*.ipynb"):
        notebook = json.loads(path.read_text("utf-8"))
        assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
        ids = [cell["id"] for cell in notebook["cells"]]
        assert len(set(ids)) == len(ids)
        assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name) for name in ids)
        assert not any(cell.get("outputs") for cell in notebook["cells"])


def test_ids_outlive_changes_in_other_cells(edit, published):
    changed = json.loads(edit("Say in one sentence why.", "Say why.")["reader/small-chapter.ipynb"])
    before = [cell.id for cell in read(published / "reader/small-chapter.ipynb").cells]
    assert [cell["id"] for cell in changed["cells"]] == before
    changed = json.loads(
        edit("## The idea\n", "## The idea\n\nMore.\n")["reader/small-chapter.ipynb"]
    )
    after = [cell["id"] for cell in changed["cells"]]
    assert sum(one != other for one, other in zip(after, before, strict=True)) == 1


# Secrets

GATE = re.compile(r"^```\{solution-(start|end)\}")


def secret_lines(source: str) -> set[str]:
    """Return the lines that stand in solutions, and nowhere else, of a chapter's source."""
    inside, secret, public = False, set(), set()
    for line in source.split("\n"):
        gate = GATE.match(line)
        if gate:
            inside = gate[1] == "start"
        (secret if inside else public).add(line.strip())
    markup = re.compile(r"^(`{3,}.*|:[a-z]+:.*|)$")
    return {line for line in secret - public if not markup.match(line)}


def leaks(source: str, raw: str) -> list[str]:
    """Return the secret lines that occur in the raw JSON of a notebook.

    A short line, such as a closing bracket, counts only where it is a whole line.
    """
    cells = ("".join(cell["source"]) for cell in json.loads(raw)["cells"])
    whole = {line.strip() for cell in cells for line in cell.split("\n")}
    return [
        line
        for line in secret_lines(source)
        if line in whole or (len(line) > 12 and json.dumps(line, ensure_ascii=False)[1:-1] in raw)
    ]


def test_secret_lines_are_found(course, published):
    source = (course / "book/part/small-chapter.md").read_text("utf-8")
    secrets = secret_lines(source)
    assert "hinges = 2" in secrets
    assert 'assert n_regions() == 3, "the hidden truth"' in secrets
    assert "**Marking guide.** One point for honesty." in secrets
    assert "def n_regions():" not in secrets
    instructor = (published / "instructor/small-chapter.ipynb").read_text("utf-8")
    assert len(leaks(source, instructor)) >= len(secrets) - 1  # one line is filtered on its way


def test_students_get_no_line_of_a_solution(any_book):
    project, folder = any_book
    for docname in project.chapters:
        source = project.source(docname).read_text("utf-8")
        raw = (folder / "student" / f"{slug_of(docname)}.ipynb").read_text("utf-8")
        assert leaks(source, raw) == []
        for secret in ("hidden-test", "HIDDEN", "Marking guide", "Model answer"):
            assert secret not in raw


def test_students_get_stubs_checks_hints_and_room_to_answer(published):
    cells = read(published / "student/small-chapter.ipynb").cells
    tags = [tag for cell in cells for tag in cell.metadata.get("tags", [])]
    assert (tags.count("exercise"), tags.count("check")) == (2, 2)
    assert sum(cell.source == "Your answer:" for cell in cells) == 2
    assert sum("<summary>Hint 1</summary>" in cell.source for cell in cells) == 3


def test_readers_get_folded_solutions_and_no_hidden_test(published):
    cells = read(published / "reader/small-chapter.ipynb").cells
    folded = [cell.source for cell in cells if "<summary>Solution</summary>" in cell.source]
    assert len(folded) == 3
    assert '```python\ndef n_regions():\n    """Return' in folded[0]
    assert not any("hidden truth" in cell.source for cell in cells)
    assert sum("check" in cell.metadata.get("tags", []) for cell in cells) == 2


def test_instructors_get_everything(published):
    cells = read(published / "instructor/small-chapter.ipynb").cells
    tags = [tag for cell in cells for tag in cell.metadata.get("tags", [])]
    counts = {tag: tags.count(tag) for tag in ("exercise", "check", "solution", "hidden-test")}
    assert counts == {"exercise": 2, "check": 4, "solution": 2, "hidden-test": 2}
    assert "| 2. Explain the count | interpret | 3 | 10 | 3 | 1 and 2 |" in cells[1].source
    assert "| **Total** | | | 20 | 7 | |" in cells[1].source


# Set-up and imports


def test_setup_cell_is_the_template_and_the_first_code(course, published):
    expected = setup_cell(Project.read(course))
    for path in published.rglob("*.ipynb"):
        first = next(cell for cell in read(path).cells if cell.cell_type == "code")
        assert first.source == expected
    assert len(expected.split("\n")) <= 60
    assert "@" not in expected
    assert "# This notebook is of no release" in expected
    for forbidden in ("drive.mount", "git clone", "chdir"):
        assert forbidden not in expected


def run_setup(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment() | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_setup_cell_prints_versions_and_installs_nothing(course):
    code = setup_cell(Project.read(course))
    result = run_setup(f"import subprocess\nsubprocess.run = None\n{code}")
    assert result.returncode == 0, result.stderr
    assert "xai_course 9.8.7 · numpy" in result.stdout
    assert result.stdout.strip().endswith("on cpu")


def released_cell(course: Path) -> str:
    """Return the set-up cell of a release."""
    wheel = Wheel("xai_course-9.8.7-py3-none-any.whl", "0" * 64)
    return setup_cell(replace(Project.read(course), wheel=wheel))


def without_library(cell: str) -> str:
    """Return a set-up cell that finds no library."""
    return cell.replace('"xai_course")', '"xai_course_is_missing")')


NO_NETWORK = "WARNING: Retrying after connection broken by 'NewConnectionError('"


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (
            "ERROR: HTTP error 404 while getting https://example.org/x.tar.gz",
            "nothing is at xai-co",
        ),
        (NO_NETWORK, "no network. Connect this machine and run this cell again."),
        ("ERROR: ResolutionImpossible", "it does not fit the packages here; pip says why above."),
    ],
)
def test_setup_cell_says_what_is_wrong(course, tmp_path, said, sentence):
    failing = (
        "import subprocess, types\n"
        f"subprocess.run = lambda *_, **__: types.SimpleNamespace(returncode=1, stdout={said!r})\n"
    )
    result = run_setup(failing + without_library(released_cell(course)), TMPDIR=str(tmp_path))
    assert result.returncode == 1
    last = result.stderr.strip().split("\n")[-1]
    assert last.startswith(f"RuntimeError: xai_course was not installed: {sentence}")
    assert said in result.stdout
    assert not list(tmp_path.iterdir())  # no temporary file is left behind


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("no/such/wheel.whl", "nothing is at no/such/wheel.whl"),
        ("xai-course @ http://127.0.0.1:9/x.tar.gz", "no network"),
    ],
)
def test_pip_says_what_the_setup_cell_looks_for(course, source, sentence):
    variables = {"XAI_COURSE_SOURCE": source, "PIP_NO_INDEX": "1", "PIP_RETRIES": "0"}
    result = run_setup(without_library(released_cell(course)), **variables)
    assert f"RuntimeError: xai_course was not installed: {sentence}" in result.stderr


def test_between_two_releases_the_cell_installs_from_a_folder_or_says_what_is_missing(course):
    code = without_library(setup_cell(Project.read(course)))
    result = run_setup(code, XAI_COURSE_SOURCE="")
    assert result.returncode == 1
    assert "xai_course is missing, and this notebook of no release names none." in result.stderr
    told = "import subprocess\nsubprocess.run = lambda pip, **_: print(pip) or exit()\n"
    assert (
        "'-q', '/my/xai-course', '-c'"
        in run_setup(told + code, XAI_COURSE_SOURCE="/my/xai-course").stdout
    )


def test_setup_cell_stops_at_another_edition(course):
    code = released_cell(course).replace('EDITION, FIXED = "9.8.7"', 'EDITION, FIXED = "9.9"')
    result = run_setup(code)
    assert result.returncode == 1
    assert "This notebook is of edition 9.9, the xai_course here of 9.8.7." in result.stderr
    assert "Run `pip install 'xai-course @ https://" in result.stderr


def test_setup_cell_stops_when_the_loaded_version_is_not_the_installed_one(course):
    code = setup_cell(Project.read(course))
    result = run_setup(f"import numpy\nnumpy.__version__ = '1.0'\n{code}")
    assert result.returncode == 1
    installed = importlib.metadata.version("numpy")
    assert f"numpy {installed} was installed over 1.0: restart." in result.stderr


PIP = """
import importlib.metadata, subprocess, types

def package(name, version):
    return types.SimpleNamespace(metadata={"Name": name}, version=version)

installed = [package("pandas", "2.2.3")]
importlib.metadata.distributions = lambda: installed

def run(command, **options):
    installed[:] = [package(*pair) for pair in %r]
    return types.SimpleNamespace(returncode=0, stdout="")

subprocess.run = run
"""


@pytest.mark.parametrize(
    ("after", "fits"),
    [
        ([("pandas", "2.2.3"), ("numpy", "2.1.3")], True),
        ([("pandas", "3.0.0"), ("numpy", "2.1.3")], False),
        ([("numpy", "2.1.3")], False),
    ],
)
def test_setup_cell_adds_packages_but_moves_none(course, after, fits):
    code = without_library(released_cell(course))
    installing, _, _ = code.partition("import numpy, torch")
    result = run_setup(PIP % (after,) + installing)
    assert (result.returncode == 0) is fits
    assert fits or "does not fit" in result.stderr


def test_colab_constraints():
    path = ROOT / "constraints/colab.txt"
    assert re.search(r"\b20\d\d-\d\d-\d\d\b", path.read_text("utf-8").split("\n")[0])
    for python in ("3.12", "3.13"):
        pins = [
            p
            for p in colab_pins(path)
            if not p.marker or p.marker.evaluate({"python_version": python})
        ]
        assert len({pin.name for pin in pins}) == len(pins)
    package = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    for pin in colab_pins(path):
        version = next(iter(pin.specifier)).version
        for bound in map(Requirement, package["project"]["dependencies"]):
            assert bound.name != pin.name or bound.specifier.contains(version), pin


PROVIDED = {"sklearn": "scikit-learn", "IPython": "ipython", "interpret": "interpret-core"}


def imported(source: str) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def test_every_import_is_there_in_colab(any_book):
    package = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    there = {Requirement(text).name for text in package["project"]["dependencies"]}
    there |= {pin.name for pin in colab_pins(ROOT / "constraints/colab.txt")}
    there |= {"xai_course", "ipython"} | set(sys.stdlib_module_names)
    _, folder = any_book
    for path in folder.rglob("*.ipynb"):
        for cell in read(path).cells:
            if cell.cell_type == "code":
                lines = (line for line in cell.source.split("\n") if not line.startswith("%"))
                for name in imported("\n".join(lines)):
                    assert PROVIDED.get(name, name) in there, f"{path.name} imports {name}"


RUN = """
import asyncio, sys, nbformat, nbclient


async def run(path):
    notebook = nbformat.read(path, as_version=4)
    await nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3").async_execute()
    return str([cell.get("outputs") for cell in notebook.cells])


async def main():
    print(*await asyncio.gather(*map(run, sys.argv[1:])), sep="\\n")


asyncio.run(main())
"""


def test_run_from_top_to_bottom(published, tmp_path):
    variants = ("student", "instructor")  # the reader's is run by tools/colab_check.py
    paths = [str(published / variant / "small-chapter.ipynb") for variant in variants]
    result = subprocess.run(
        [sys.executable, "-c", RUN, *paths],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    outputs = dict(zip(variants, result.stdout.strip().split("\n"), strict=True))
    assert all("Not attempted yet" in text for text in outputs.values())
    assert [name for name, text in outputs.items() if "Correct." in text] == ["instructor"]


# Links


def test_colab_button_names_a_notebook_that_exists(course, published):
    pattern = (
        r"https://colab\.research\.google\.com/github/xai-course/xai-course/blob/notebooks/"
        r"v9\.8\.7/(.+)"
    )
    pages = course / "_build/html"
    seen = set()
    for path in sorted(pages.rglob("*.html")):
        page = BeautifulSoup(path.read_text("utf-8"), "html.parser")
        links = [a["href"] for a in page.select("a[href]") if "colab.research" in a["href"]]
        docname = path.relative_to(pages).with_suffix("").as_posix()
        chapter = is_chapter(docname) and not docname.startswith("_")
        assert len(links) == int(chapter), docname
        for link in links:
            name = re.fullmatch(pattern, link)[1]
            assert (published / name).is_file()
            seen.add(name)
            download = page.select_one(".btn-download-published-notebook-button")
            assert download["href"].endswith(f"/raw/notebooks/v9.8.7/{name}")
    assert seen == {f"reader/{slug}.ipynb" for slug in SLUGS}


def test_a_chapter_without_a_colab_button_is_a_warning(caplog):
    sys.path.insert(0, str(ROOT / "book/_ext"))
    import colab_link

    class App:
        class env:
            found_docs = {"part/slug", "front"}

        class config:
            notebooks_branch = "notebooks"
            edition = "v9.8.7"

    context = {"header_buttons": [], "github_user": "o", "github_repo": "r"}
    colab_link.LOGGER.logger.addHandler(caplog.handler)
    colab_link.link_published_notebook(App, "front", "page.html", context, None)
    assert not caplog.records
    colab_link.link_published_notebook(App, "part/slug", "page.html", context, None)
    assert {record.levelname for record in caplog.records} == {"WARNING"}


def test_links_at_the_top_and_licences_at_the_end(published):
    cells = read(published / "reader/small-chapter.ipynb").cells
    title, _, links = cells[0].source.split("\n")
    assert title == "# A small chapter"
    assert links.startswith(
        "[This page in the book](https://xai-course.github.io/xai-course/latest/part/"
        "small-chapter.html)"
        " · [Source](https://github.com/xai-course/xai-course/blob/main/book/part/small-chapter.md)"
        " · [Errata of this edition](https://xai-course.github.io/xai-course/latest/errata.html)"
        " · [Report a problem](https://github.com/xai-course/xai-course/issues/new?"
    )
    assert "CC BY 4.0" in cells[-1].source
    assert "BSD-3" in cells[-1].source


# Faults


def test_without_a_built_book(damaged, capsys):
    assert main(["--root", str(damaged), "--build", str(damaged / "nothing")]) == 1
    assert (
        capsys.readouterr().err
        == "publish: there is no built book in nothing: run `make book` first\n"
    )


@pytest.mark.parametrize(
    "name",
    [
        "jupyter_execute/part/small-chapter.ipynb",
        "jupyter_execute/part/small-chapter.glue.json",
        "html/objects.inv",
    ],
)
def test_a_damaged_build(damaged, capsys, name):
    path = damaged / "_build" / name
    path.write_bytes(path.read_bytes()[:40])
    assert main(["--root", str(damaged)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("publish: ")
    assert path.name in error
    assert "run `make book` first" in error
    assert not (damaged / "_build/notebooks").exists()


def test_one_bad_chapter_changes_no_file(damaged):
    assert main(["--root", str(damaged)]) == 0
    before = contents(damaged / "_build/notebooks")
    chapter = damaged / "book/part/second-chapter.md"
    chapter.write_text(chapter.read_text() + "\n{kbd}`x`\n")
    assert main(["--root", str(damaged)]) == 1
    assert contents(damaged / "_build/notebooks") == before


def test_the_fixture_is_read_as_the_book_reads_it(course):
    """Guard the other tests: the small chapter really has the cells they look for."""
    text = (course / "book/part/small-chapter.md").read_text("utf-8")
    notebook = read_myst_markdown_notebook(text)
    assert sum(cell.cell_type == "code" for cell in notebook.cells) == 15
    assert publish(Project.read(course), course / "_build")
