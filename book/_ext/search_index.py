"""Index the words of the book, and not its code; know what a reader may call a thing.

- Code, its output and lists of works stay out of the index.
- The keywords of `taxonomy.yml` become entries of the index, each with the chapter that explains
  the thing. Sphinx ranks an entry that is the query above all else.
- `search.js` has titles and headings come before words of the text, breaks ties in the order of
  the chapters, and takes its excerpts from prose.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import sphinx.search
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util.index_entries import split_index_msg

from tools import taxonomy
from tools.chapters import BOOK, read_toc, slug_of

SCORER = Path(__file__).with_name("search.js")
BEFORE_THE_DOMAINS_READ = 800
OUTPUT = "cell_output"  # the class of what a cell printed or drew
# Made from the chapters, which are what a reader looks for.
MADE = {"shelf", "subject", "finder", "listed"}


def is_prose(node: nodes.Node) -> bool:
    """Tell whether a node and what it holds belong into the index."""
    if isinstance(node, nodes.literal_block | nodes.citation | nodes.raw | addnodes.toctree):
        return False
    if isinstance(node, nodes.Element) and MADE & set(node.get("classes", [])):
        return False
    # A figure is part of its cell's output; its caption is prose.
    return not (isinstance(node, nodes.container) and OUTPUT in node.get("classes", [])) or any(
        node.findall(nodes.caption)
    )


def prose(doctree: nodes.document) -> nodes.document:
    """Return a copy of a page that holds prose only."""
    page = doctree.deepcopy()
    for node in list(page.findall(lambda one: not is_prose(one))):
        node.parent.remove(node)
    return page


class ProseIndex(sphinx.search.IndexBuilder):
    """Sphinx's index without code."""

    def feed(self, docname: str, filename: str, title: str, doctree: nodes.document) -> None:
        """Index the prose of a page."""
        super().feed(docname, filename, title, prose(doctree))

    def freeze(self) -> dict[str, Any]:
        """Take the entries of all pages, of which Sphinx forgets those that it did not rewrite."""
        for docname, entries in self.env.get_domain("index").entries.items():
            self._index_entries[docname] = sorted(
                (word, target, main)
                for kind, value, target, main, _ in entries
                for word in split_index_msg(kind, value)
            )
        return super().freeze()


class Keywords(SphinxTransform):
    """Write the keywords of one page into the index, all under its title."""

    default_priority = BEFORE_THE_DOMAINS_READ

    def apply(self) -> None:
        """Add one node that nobody sees."""
        self.env.note_dependency(str(taxonomy.file_of(BOOK.root)))
        words = taxonomy.read_keywords(BOOK.root).get(slug_of(self.env.docname), [])
        section = self.document.next_node(nodes.section)
        if words and section is not None:
            entries = [("single", word, "", "main", None) for word in words]
            section.insert(1, addnodes.index(entries=entries))


def write_scorer(app: Sphinx) -> None:
    """Tell the scorer the order of the pages."""
    path = Path(app.doctreedir) / SCORER.name
    path.parent.mkdir(parents=True, exist_ok=True)
    order = json.dumps(read_toc(BOOK.root))
    path.write_text(SCORER.read_text("utf-8").replace("READING_ORDER", order, 1), "utf-8")
    app.config.html_search_scorer = str(path)


def setup(app: Sphinx) -> dict[str, bool]:
    """Put the index in place of Sphinx's, which has no setting for it."""
    sphinx.search.IndexBuilder = ProseIndex
    app.add_transform(Keywords)
    app.connect("builder-inited", write_scorer)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
