"""The part *Library* holds every public name, and leads from each to the chapter on it."""

from __future__ import annotations

import doctest
import importlib
import inspect
import os
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

import pytest
from sphinx.util.inventory import InventoryFile

from tools import library
from tools.chapters import BOOK, Chapter

NAMES = sorted(set(library.public_names().values()))
SLUGS = {chapter.slug for chapter in BOOK.chapters}


def missing(names: Iterable[str], inventory: dict[str, dict[str, tuple[str, ...]]]) -> set[str]:
    """Which names have no entry."""
    there = {name for kind, found in inventory.items() if kind.startswith("py:") for name in found}
    return set(names) - there


def listed(folder: Path) -> list[str]:
    """The names that the pages of a folder list, modules left out."""
    texts = (page.read_text("utf-8") for page in folder.glob("*.md"))
    lines = [line for text in texts for line in re.findall(r"^xai_course[.\w]+$", text, re.M)]
    return [name for name in lines if not inspect.ismodule(library.find(name))]


def untaught(names: Iterable[str]) -> set[str]:
    """Which names neither have a chapter nor say why not."""
    return {name for name in names if library.taught(name) == ([], "")}


def strange_chapters(texts: Iterable[str]) -> set[str]:
    """What docstrings call a chapter, and is none."""
    named = (found for text in texts for found in library.CHAPTERS.findall(" ".join(text.split())))
    return {slug for found in named for slug in library.slugs(found)} - SLUGS


def not_run(names: Iterable[str]) -> set[str]:
    """Which names have an example that no doctest of their module holds."""
    missed = set()
    for name in names:
        module = importlib.import_module(library.home(name))
        run = {one.name for one in doctest.DocTestFinder().find(module) if one.examples}
        value = library.find(name)
        members = vars(value) if inspect.isclass(value) else ()
        parts = [value, *(getattr(value, one) for one in members)]
        named = {
            f"{module.__name__}.{one.__qualname__}": inspect.getdoc(one) or ""
            for one in parts
            if hasattr(one, "__qualname__") and getattr(one, "__module__", "") == module.__name__
        } or {name: library.described(name)}
        missed |= {one for one, text in named.items() if ">>>" in text} - run
    return missed


def unlinked(chapter: Chapter, html: str) -> list[str]:
    """Which public names a chapter imports for its readers without a link to their entries."""
    shown = [cell.source for cell in chapter.cells if "remove-cell" not in cell.tags]
    meant = set(library.meanings_of(shown).values()) & set(library.public_names())
    links = set(re.findall(r'href="[^"]*library/[^"]*#([^"]+)"', html))
    return sorted(name for name in meant if not {quote(name), library.public_names()[name]} & links)


def test_there_are_names() -> None:
    assert {"xai_course.networks.PiecewiseLinearNetwork", "xai_course.exact.ice"} <= set(NAMES)


def test_every_name_is_listed_once() -> None:
    """Seen before the book is built."""
    assert sorted(listed(BOOK.source / "library")) == NAMES


def test_every_name_has_a_chapter_or_says_why_not() -> None:
    assert not untaught(NAMES)


def test_every_constant_says_what_it_is() -> None:
    assert not [name for name in NAMES if not library.described(name)]


def test_every_chapter_that_a_docstring_names_is_there() -> None:
    files = (BOOK.root / "src" / "xai_course").rglob("*.py")
    assert not strange_chapters(file.read_text("utf-8") for file in files)


def test_every_example_is_run() -> None:
    """By the stage *library*, with ``--doctest-modules src``."""
    assert not not_run(NAMES)


@pytest.fixture(scope="module")
def html() -> Path:
    if not BOOK.html.exists() and not os.environ.get("CI"):
        pytest.skip("no _build/html: run `make book` first")
    return BOOK.html


def test_every_name_has_an_entry(html) -> None:
    with (html / "objects.inv").open("rb") as file:
        inventory = InventoryFile.load(file, "", lambda base, name: name)
    assert not missing(NAMES, inventory)


@pytest.mark.parametrize("chapter", BOOK.chapters, ids=lambda chapter: chapter.slug)
def test_a_chapter_links_the_names_that_it_imports(html, chapter) -> None:
    page = (html / f"{chapter.name}.html").read_text("utf-8")
    assert not unlinked(chapter, page)


# --- and each of these can fail -------------------------------------------------------------------


def test_a_missing_entry_is_seen() -> None:
    inventory = {"py:function": {"xai_course.exact.ice": ()}, "std:doc": {"xai_course.lines": ()}}
    assert missing(["xai_course.exact.ice", "xai_course.lines"], inventory) == {"xai_course.lines"}


def test_a_name_that_is_listed_twice_is_seen(tmp_path) -> None:
    (tmp_path / "a.md").write_text("```{api}\nxai_course.exact.ice\nxai_course.regions\n```\n")
    (tmp_path / "b.md").write_text("Not `xai_course.lines.line`.\n\nxai_course.exact.ice\n")
    assert listed(tmp_path) == ["xai_course.exact.ice"] * 2


@pytest.fixture
def planted(monkeypatch):
    """A public constant with a comment of the test's own."""

    def plant(text: str) -> str:
        monkeypatch.setattr(library, "described", lambda name: text)
        monkeypatch.setattr(library, "_above", lambda name: ["The module."])
        return "xai_course.activations.MOST_SEGMENTS"

    return plant


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A thing.", True),
        ("A thing. Not taught: no.", True),
        ("A thing. Explained in: regions.", True),
        ("A thing. Explained in the chapter *regions*.", False),
        ("A thing. Explained in the chapters *regions*, *trees* and\n*lime*.", False),
        ("A thing. Not taught: it only checks input.", False),
    ],
)
def test_a_name_without_a_chapter_is_seen(planted, text, found) -> None:
    name = planted(text)
    assert untaught([name]) == ({name} if found else set())


def test_a_chapter_that_is_none_is_seen() -> None:
    texts = ["Explained in the chapters *regions* and\n    *forests*.", "see the chapter *woods*"]
    assert strange_chapters(texts) == {"forests", "woods"}


def test_an_example_that_is_not_run_is_seen(planted) -> None:
    name = planted(">>> MOST_SEGMENTS\n256")
    assert not_run([name]) == {name}


def test_a_name_without_a_link_is_seen() -> None:
    chapter = next(one for one in BOOK.chapters if one.slug == "effects")
    everything = "".join(f'<a href="../library/a.html#{name}">' for name in NAMES)
    assert not unlinked(chapter, everything)
    obscure = "xai_course.effects.obscure"
    assert unlinked(chapter, everything.replace(f"#{obscure}", "#")) == [obscure]


# --- how words find a name ------------------------------------------------------------------------

PLACES = {
    "lib.exact.ice": 1,
    "lib.exact.effects.ice": 1,
    "lib.networks.Network": 2,
    "lib.networks.Network.fit": 3,
    "lib.networks.Network.local_models": 4,
    "lib.lines.line": 5,
    "lib.a.table": 6,
    "lib.b.table": 7,
    "lib.nets.Other": 8,
    "lib.nets.Other.fit": 9,
    "lib.nets.Other.n_layers": 10,
}


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ("lib.exact.ice", 1),
        ("exact.ice", 1),
        ("exact.ice(network, X)", 1),
        ("Network", 2),
        ("Network.fit", 3),
        ("network.local_models(patterns)", 4),
        ("local_models", 4),
        ("Other.n_layers", 10),
        ("n_layers", None),  # or an argument
        ("line", None),  # any variable may be called so
        ("fit", None),
        ("network.fit", None),
        ("table", None),
        ("exact.ice + 1", None),
        ("numpy.ice", None),
    ],
)
def test_words_find_what_they_certainly_mean(words, place) -> None:
    names = library.Names(PLACES, {"lib.nets.Other.n_layers"})
    assert names.find(words, {"network": ""}) == place


def test_words_mean_what_the_page_imports() -> None:
    code = ["from lib.lines import line\nfrom lib import a, exact as e", "%shell"]
    names = library.Names(PLACES)
    meanings = library.meanings_of(code)
    assert [names.find(words, meanings) for words in ("line", "a.table", "e.ice")] == [5, 6, 1]
    assert names.spoken(meanings) == {"line": 5, "a.table": 6, "e.ice": 1, "e.effects.ice": 1}
    assert names.find("line", library.meanings_of([*code, "line = 1"])) is None
    assert names.find("table", {}, bare=True) is None
    assert names.find("line", {}, bare=True) == 5
