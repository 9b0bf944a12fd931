"""The role ``{taxonomy}`.` `` and the directive `taxonomy-table`, both made from `taxonomy.yml`.

The role writes one line about the chapter that it stands in. The directive writes a table of all
chapters: their ``classes``, or how they keep the five ``rules``.
"""

from __future__ import annotations

from collections.abc import Iterator

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective, SphinxRole

from tools import taxonomy
from tools.chapters import BOOK, is_chapter, slug_of

CLASSES = ("chapter", "class in Fan et al.", "class in Dao and Lee", "needs")


class TaxonomyRole(SphinxRole):
    """The line of one chapter."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the line."""
        self.env.note_dependency(str(taxonomy.file_of(BOOK.root)))
        place = taxonomy.read(BOOK.root)[slug_of(self.env.docname)]
        return [nodes.inline(text=place.sentence, classes=["taxonomy"])], []


class TaxonomyTable(SphinxDirective):
    """A table of all chapters."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Write the table as MyST and have it read."""
        self.env.note_dependency(str(taxonomy.file_of(BOOK.root)))
        self.env.note_dependency(str(BOOK.root / "_toc.yml"))
        box = nodes.container(classes=["taxonomy-table"])
        rows = list(_rows(self.arguments[0]))
        cells = (f"{'* -' if k == 0 else '  -'} {one}" for row in rows for k, one in enumerate(row))
        lines = ["```{list-table}", ":header-rows: 1", "", *cells, "```"]
        self.state.nested_parse(StringList(lines, "taxonomy.yml"), 0, box)
        return box.children


def _rows(what: str) -> Iterator[tuple[str, ...]]:
    """Give the rows of a table, its head first."""
    places = taxonomy.read(BOOK.root)
    yield CLASSES if what == "classes" else ("chapter", *taxonomy.RULES)
    # A chapter without an entry is found by a rule in tests/book.
    for name in (n for n in BOOK.toc if is_chapter(n) and slug_of(n) in places):
        place, link = places[slug_of(name)], f"{{doc}}`/{name}`"
        if what == "classes":
            yield link, place.fan, place.dao, place.access
        else:
            verdicts = (f"**{place.verdicts[r]}**: {place.reasons[r]}" for r in taxonomy.RULES)
            yield link, *verdicts


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the role and the directive."""
    app.add_role("taxonomy", TaxonomyRole())
    app.add_directive("taxonomy-table", TaxonomyTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
