"""The role ``{runtime}`page` ``: how long the page's last execution took, as measured.

Write ``{runtime}`.` `` for the page itself.
"""

from __future__ import annotations

from docutils import nodes
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole
from sphinx.util.logging import getLogger

logger = getLogger(__name__)


class runtime(nodes.Inline, nodes.Element):
    """A place where the measured seconds go."""


class RuntimeRole(SphinxRole):
    """Leave a mark, because the page is executed after its text is parsed."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the mark."""
        page = self.env.docname if self.text == "." else self.text
        return [runtime(page=page)], []


def fill_in(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Replace every mark by the measured seconds."""
    for mark in list(doctree.findall(runtime)):
        data = NbMetadataCollector.get_exec_data(app.env, mark["page"])
        if data is None or data.get("runtime") is None:
            logger.warning("No execution of %r to time.", mark["page"], location=docname)
            seconds = "not measured"
        else:
            seconds = f"{data['runtime']:.0f}\N{NO-BREAK SPACE}s"
        mark.replace_self(nodes.inline(text=seconds, classes=["measured-runtime"]))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the role."""
    app.add_node(runtime)
    app.add_role("runtime", RuntimeRole())
    app.connect("doctree-resolved", fill_in)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
