"""Explorables come to the pages that have one, and to no other."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from docutils import nodes
from docutils.core import publish_doctree
from docutils.parsers.rst import directives
from extensions import extension

from tools.chapters import BOOK
from xai_course.book.explorables import frame, regions_toy

explorables = extension("explorables")


class App:
    """Sphinx, as far as a page's files go."""

    def __init__(self) -> None:
        self.srcdir, self.files = str(BOOK.source), []

    def add_css_file(self, name: str) -> None:
        self.files.append(name)

    def add_js_file(self, name: str, loading_method: str) -> None:
        assert loading_method == "defer"
        self.files.append(name)


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ("<p>No explorable, only the word.</p>", []),
        (
            '<div class="explorable" data-explorable="regions-toy"></div>' * 2,
            ["kit.css", "kit.js", "networks.js", "regions-toy.css", "regions-toy.js"],
        ),
    ],
)
def test_a_page_loads_what_it_shows(body: str, wanted: list[str]) -> None:
    app = App()
    explorables.load_here(app, "a-page", "page.html", {"body": body}, None)
    assert app.files == [f"explorables/{name}" for name in wanted]


def test_a_page_without_a_text_loads_nothing() -> None:
    app = App()
    explorables.load_here(app, "search", "search.html", {}, None)
    assert app.files == []


def test_jupyter_book_loads_them_on_every_page_and_is_told_not_to() -> None:
    """A file of its list is a name, or a name with options."""
    config = {
        "html_css_files": ["book.css", "explorables/kit.css"],
        "html_js_files": [("explorables/kit.js", {}), "other.js", ("another.js", {})],
    }
    explorables.load_nowhere(None, config)
    assert config == {
        "html_css_files": ["book.css"],
        "html_js_files": ["other.js", ("another.js", {})],
    }


def test_the_directive_writes_what_a_cell_would_show() -> None:
    read = []
    directives.register_directive("explorable", explorables.Explorable)
    source = ".. explorable:: regions-toy\n   :alt: A square cut into 22 regions.\n"
    page = publish_doctree(
        source, settings_overrides={"env": SimpleNamespace(note_dependency=read.append)}
    )
    (found,) = page.findall(nodes.raw)
    text = frame(
        "regions-toy", regions_toy.data(), regions_toy.still(), "A square cut into 22 regions."
    )
    assert found.astext() == text
    assert read == [regions_toy.__file__]
