"""`make book` on throw-away copies: the broken fails, and a change in `src` reaches the page."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tools.build_book import MEASURED, data_beside, fingerprint  # noqa: E402

HEAD = """\
---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# A page
"""
CELL = "\n```{{code-cell}} ipython3\n{}\n```\n"


@pytest.fixture
def book(tmp_path):
    """Return a copy of the project with one tiny page, and a way to build it."""
    for name in ("_config.yml", "pyproject.toml", "constraints/lock.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("book/_ext", "book/_static", "book/_templates", "src"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "book" / "references.bib", tmp_path / "book")
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: intro\nparts:\n  - caption: Part\n    chapters:\n"
        "      - file: part/page\n"
    )
    (tmp_path / "book" / "part").mkdir()
    (tmp_path / "book" / "intro.md").write_text("# Start\n")
    return tmp_path


def write_page(book, *parts):
    (book / "book" / "part" / "page.md").write_text(HEAD + "".join(parts))


def build(book):
    return subprocess.run(
        [sys.executable, str(ROOT / "tools" / "build_book.py"), "--root", str(book)],
        env=os.environ | {"PYTHONPATH": str(book / "src")},
        capture_output=True,
        text=True,
        timeout=120,
    )


def html(book):
    return (book / "_build" / "html" / "part" / "page.html").read_text()


def test_a_change_in_src_reaches_the_page(book):
    module = book / "src" / "xai_course" / "answer.py"
    other = book / "src" / "xai_course" / "other.py"
    module.write_text("VALUE = 'before-the-change'\n")
    other.write_text("VALUE = 1\n")
    write_page(book, CELL.format("from xai_course import answer\nprint(answer.VALUE)"))
    first = build(book)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "before-the-change" in html(book)
    assert re.search(r"part/page +\d+\.\d", first.stdout)
    assert first.stdout.rstrip().endswith("_build/html/intro.html")

    other.write_text("VALUE = 2\n")
    module_untouched = build(book)
    assert module_untouched.returncode == 0
    assert "Executing notebook" not in module_untouched.stderr + module_untouched.stdout

    module.write_text("VALUE = 'after-the-change'\n")
    assert build(book).returncode == 0
    assert "after-the-change" in html(book)


def test_a_checkout_that_moved_shows_no_old_numbers(book, tmp_path_factory):
    module = Path("src", "xai_course", "answer.py")
    (book / module).write_text("VALUE = 'before-the-change'\n")
    write_page(book, CELL.format("from xai_course import answer\nprint(answer.VALUE)"))
    assert build(book).returncode == 0
    moved = shutil.copytree(book, tmp_path_factory.mktemp("elsewhere") / "copy")
    (moved / module).write_text("VALUE = 'after-the-change'\n")
    assert build(moved).returncode == 0
    assert "after-the-change" in html(moved)


def test_a_page_that_ran_is_kept_though_the_book_is_not_built(book):
    write_page(book, CELL.format("print('it ran')"), "\nSee {ref}`nowhere`.\n")
    assert build(book).returncode != 0
    assert "it ran" in (book / "_build" / "executed" / "part" / "page.ipynb").read_text()


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([CELL.format("1 / 0")], "ZeroDivisionError"),
        (["\nSee {ref}`nowhere`.\n"], "nowhere"),
        (["\nSee {doc}`missing-page`.\n"], "missing-page"),
        (["\nSee {cite:t}`nobody2000`.\n"], "nobody2000"),
        (["\n### A heading that skips a level\n"], "Non-consecutive header level"),
        (["\n```{unknown-directive}\n```\n"], "unknown-directive"),
    ],
    ids=["failing cell", "broken reference", "missing page", "citation", "warning", "directive"],
)
def test_what_is_broken_fails(book, parts, message):
    write_page(book, *parts)
    result = build(book)
    assert result.returncode != 0
    assert message in result.stdout + result.stderr


def test_a_cell_over_its_limit_fails(book):
    config = book / "_config.yml"
    config.write_text(config.read_text().replace("timeout: 60", "timeout: 2"))
    write_page(book, CELL.format("import time\ntime.sleep(10)"))
    result = build(book)
    assert result.returncode != 0
    assert "CellTimeoutError" in result.stdout + result.stderr


@pytest.mark.parametrize("part", [CELL.format("1 / 0"), "\nSee {ref}`nowhere`.\n"])
def test_a_second_run_does_not_look_green(book, part):
    write_page(book, part)
    assert build(book).returncode != 0
    assert build(book).returncode != 0


def test_a_backend_in_the_environment_keeps_no_picture_out(book, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    write_page(book, CELL.format("import matplotlib.pyplot as plt\nplt.plot([0, 1]);"))
    assert build(book).returncode == 0
    assert "_images/" in html(book)


# What a page depends on


PAGES = {
    "measured": "from xai_course.book import measured\nmeasured('one')",
    "several": "from xai_course import book\nfor k in 5, 6: book.measured(f'table{k}_x')",
    "any": "from xai_course.book import measured\nname = 'one'\nmeasured(name)",
    "network": "from xai_course.networks import PiecewiseLinearNetwork",
    "model": "from xai_course.book import load_model",
    "inet": "from xai_course import inet",
    "data": "from xai_course.data import load",
    "style": "from xai_course import plotting",
}


@pytest.mark.parametrize(
    ("changed", "pages"),
    [
        ("book/measured/one.json", {"measured", "any"}),
        ("book/measured/table5_x.json", {"several", "any"}),
        ("book/measured/table5_y.json", {"any"}),
        ("book/weights/home_lending.safetensors", {"model"}),
        ("inet/moments.py", {"inet"}),
        ("inet/weights/5.safetensors", {"inet"}),
        ("data/datasets.toml", {"data", "model"}),
        ("book.mplstyle", {"style"}),
        ("book/measured/README", set()),
    ],
)
def test_a_page_depends_on_what_it_uses(book, changed, pages):
    for name, code in PAGES.items():
        (book / "book" / "part" / f"{name}.md").write_text(HEAD + CELL.format(code))
    before = {name: fingerprint(book, f"part/{name}") for name in PAGES}
    with (book / "src" / "xai_course" / changed).open("ab") as file:
        file.write(b" ")
    after = {name: fingerprint(book, f"part/{name}") for name in PAGES}
    assert {name for name in PAGES if before[name] != after[name]} == pages


def test_every_data_file_is_named_by_a_module_beside_it():
    """So that a page is executed again when it changes."""
    library = ROOT / "src" / "xai_course"
    named = {file for module in library.rglob("*.py") for file in data_beside(module)}
    there = {f for f in library.rglob("*") if f.is_file() and f.suffix not in {".py", ".pyc"}}
    unread = {f for f in there - named if "LICENSE" not in f.name and f.parent.name != MEASURED}
    assert not unread
