"""The directive `finder`: what I want by what I have; each cell names the chapters.

It is made from the keys `access` and `gives` of `taxonomy.yml`, and from its list `data`. On a
narrow screen each row becomes a block: `book/_static/front.css`.
"""

from __future__ import annotations

import re

from contents import link
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from tools import taxonomy
from tools.chapters import BOOK, Book, slug_of

# A browser without a dictionary would break a long word anywhere, and show no hyphen.
SYLLABLES = """
Adver-sarial Counter-factuals diag-nostics Distil-lation Evalu-ating expla-nations
Flat-tening Hyper-planes Import-ance inte-grated Inter-pretation interpret-ability
Neigh-bours proto-types ration-ales regres-sion score-board
"""
MAY_BREAK = {word.replace("-", ""): word.replace("-", "\u00ad") for word in SYLLABLES.split()}


class Finder(SphinxDirective):
    """The two-way grid."""

    def run(self) -> list[nodes.Node]:
        """Write the table."""
        book = Book(BOOK.root)
        self.env.note_dependency(str(taxonomy.file_of(book.root)))
        self.env.note_dependency(str(book.root / "_toc.yml"))
        columns = cells(book)
        widths = [nodes.colspec(colwidth=1, stub=int(k == 0)) for k in range(len(columns) + 1)]
        head = _row("I want", *(f"I have {have}" for have in columns))
        body = [
            _row(want, *(_links(book, have, column[want]) for have, column in columns.items()))
            for want in taxonomy.GIVES
        ]
        group = nodes.tgroup(
            "", *widths, nodes.thead("", head), nodes.tbody("", *body), cols=len(widths)
        )
        return [nodes.table("", group, classes=["finder"])]


def cells(book: Book) -> dict[str, dict[str, list[str]]]:
    """Return the names of the pages by what one has, and by what one wants."""
    places = taxonomy.read(book.root)
    kinds = taxonomy.read_data(book.root)
    # A chapter without an entry is found by a rule in tests/book.
    pages = [name for name in book.toc if slug_of(name) in places]

    def column(holds: set[str]) -> dict[str, list[str]]:
        return {
            want: [n for n in pages if slug_of(n) in holds and want in places[slug_of(n)].gives]
            for want in taxonomy.GIVES
        }

    by_access = {
        have: column({slug for slug, place in places.items() if place.access == access})
        for access, have in taxonomy.ACCESS.items()
    }
    return by_access | {kind: column(set(slugs)) for kind, slugs in kinds.items()}


def breakable(title: str) -> str:
    """Write soft hyphens, which are seen only where a line ends, into the long words of a title."""
    return re.sub(r"\w+", lambda word: MAY_BREAK.get(word[0], word[0]), title)


def _row(*given: str | nodes.Node) -> nodes.row:
    parts = [nodes.paragraph(text=one) if isinstance(one, str) else one for one in given]
    return nodes.row("", *(nodes.entry("", *([part] if part else [])) for part in parts))


def _links(book: Book, have: str, names: list[str]) -> nodes.Node:
    """Return the links of one cell below what one has, which a wide screen shows in the head."""
    if not names:
        return nodes.paragraph()
    label = nodes.paragraph(text=f"with {have}", classes=["finder-have"])
    items = [
        nodes.list_item("", nodes.paragraph("", "", link(name, breakable(book.short_titles[name]))))
        for name in names
    ]
    return nodes.container("", label, nodes.bullet_list("", *items))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("finder", Finder)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
