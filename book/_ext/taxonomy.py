"""The role ``{taxonomy}`.` `` and the directive `taxonomy-table`, both made from `taxonomy.yml`.

The role writes one line about the chapter that it stands in. The directive writes one of three
tables: the ``classes`` of all chapters, how they keep the five ``rules``, or all methods of one
survey, ``methods Fan`` or ``methods Dao``.
"""

from __future__ import annotations

from collections.abc import Iterator

from docutils import nodes
from docutils.statemachine import StringList
from mdit_py_plugins.anchors.index import slugify
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective, SphinxRole

from tools import taxonomy
from tools.chapters import BOOK, is_chapter, slug_of


class TaxonomyRole(SphinxRole):
    """The line of one chapter."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the line."""
        self.env.note_dependency(str(taxonomy.file_of(BOOK.root)))
        place = taxonomy.read(BOOK.root)[slug_of(self.env.docname)]
        return [nodes.inline(text=place.sentence, classes=["taxonomy"])], []


class TaxonomyTable(SphinxDirective):
    """A table of all chapters, or of all methods."""

    required_arguments = 1
    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Write the table as MyST and have it read."""
        self.env.note_dependency(str(taxonomy.file_of(BOOK.root)))
        self.env.note_dependency(str(taxonomy.values_file(BOOK.root)))
        self.env.note_dependency(str(BOOK.root / "_toc.yml"))
        what, *which = self.arguments
        rows = TABLES[what](*which)
        cells = (f"{'* -' if k == 0 else '  -'} {one}" for row in rows for k, one in enumerate(row))
        head = ["```{list-table}", ":header-rows: 1", *OPTIONS.get(what, []), ""]
        lines = [*head, *cells, "```"]
        box = nodes.container(classes=["taxonomy-table"])
        self.state.nested_parse(StringList(lines, "taxonomy.yml"), 0, box)
        return box.children


def _pages() -> Iterator[tuple[str, taxonomy.Place]]:
    """Give the pages that are there, in reading order."""
    places = taxonomy.read(BOOK.root)
    # A chapter without an entry is found by a rule in tests/book.
    for name in BOOK.toc:
        if is_chapter(name) and slug_of(name) in places:
            yield name, places[slug_of(name)]


def _link(name: str) -> str:
    return f"{{doc}}`/{name}`"


def _classes() -> Iterator[tuple[str, ...]]:
    yield "chapter", "class in Fan et al.", "class in Dao and Lee", "needs"
    for name, place in _pages():
        yield _link(name), place.fan, place.dao, place.access


def _rules() -> Iterator[tuple[str, ...]]:
    # Five more columns would not fit beside the chapters: each rule is a line of one column.
    yield "chapter", "verdicts"
    for name, place in _pages():
        verdicts = (f"*{r}*: **{place.verdicts[r]}**, {place.reasons[r]}" for r in taxonomy.RULES)
        yield _link(name), "\n    ".join(f"- {one}" for one in verdicts)


def _methods(survey: str) -> Iterator[tuple[str, ...]]:
    yield "class", "method", "in the survey", "in this book"
    by_slug = {slug_of(name): name for name in BOOK.toc if is_chapter(name)}
    before = ""
    for method in taxonomy.read_methods(BOOK.root):
        if method.survey != survey:
            continue
        where = f"planned: {method.page}"
        if method.page in by_slug:
            # As MyST makes the anchors of headings.
            where = f"[{method.section}](/{by_slug[method.page]}.md#{slugify(method.section)})"
        yield "" if method.family == before else method.family, method.name, method.source, where
        before = method.family


OPTIONS = {"rules": [":widths: 1 4", ":class: verdicts"]}
TABLES = {"classes": _classes, "rules": _rules, "methods": _methods}


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the role and the directive."""
    app.add_role("taxonomy", TaxonomyRole())
    app.add_directive("taxonomy-table", TaxonomyTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
