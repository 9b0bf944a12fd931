"""Show the edition's errata on the pages concerned and on the page *Errata*: see `tools.errata`.

Every page carries the marks between which errata are written, so that those found later can be
written into an edition that is out. The directive `errata` marks the place of the list.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from tools.errata import EMPTY, PAGE, read, show

AFTER_OTHERS = 900


class ErrataList(SphinxDirective):
    """The place of the list of all errata of this edition."""

    def run(self) -> list[nodes.Node]:
        """Write the marks."""
        return [nodes.raw("", EMPTY, format="html")]


def mark(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document
) -> None:
    """Mark the top of one page as the place of its errata."""
    if doctree is not None and pagename != PAGE:
        context["body"] = EMPTY + context["body"]


def write(app: Sphinx, error: Exception | None) -> None:
    """Write the errata into the built pages."""
    if error is None and app.builder.format == "html":
        show(Path(app.outdir), app.config.edition, read(Path(app.srcdir).parent))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive and the hooks."""
    app.add_directive("errata", ErrataList)
    app.connect("html-page-context", mark, priority=AFTER_OTHERS)
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
