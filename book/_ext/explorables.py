"""Bring explorables to the pages that have one, and to no other.

The directive `explorable` shows one on a page without code. Its module in
`xai_course.book.explorables` gives the data and the still picture:

    ```{explorable} regions-toy
    :alt: A square cut into 22 regions.
    ```
"""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util.docutils import SphinxDirective

from xai_course.book import explorables

FOLDER = "explorables/"  # below _static
KIT = ("kit", "networks")
SHOWN = re.compile(r'class="explorable" data-explorable="([a-z-]+)"')
LISTS = ("html_css_files", "html_js_files")


class Explorable(SphinxDirective):
    """One explorable with its still picture."""

    required_arguments = 1
    option_spec = {"alt": directives.unchanged_required}  # noqa: RUF012 (docutils wants a dict)

    def run(self) -> list[nodes.Node]:
        """Write what a cell would show."""
        name = self.arguments[0]
        module = import_module(f"{explorables.__name__}.{name.replace('-', '_')}")
        self.env.note_dependency(module.__file__)
        text = explorables.frame(name, module.data(), module.still(), self.options["alt"])
        return [nodes.raw(text=text, format="html")]


def load_nowhere(app: Sphinx, config: Config) -> None:
    """Take back what Jupyter Book does with every script and style below _static."""
    for key in LISTS:
        # A file is a name, or a name with its options.
        config[key] = [
            one
            for one in config[key]
            if not (one if isinstance(one, str) else one[0]).startswith(FOLDER)
        ]


def load_here(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document
) -> None:
    """Add to one page the kit, and of each explorable there its script and, if any, its style."""
    names = sorted(set(SHOWN.findall(context.get("body", ""))))
    files = Path(app.srcdir, "_static", FOLDER)
    for name in [*KIT, *names] if names else []:
        if (files / f"{name}.css").is_file():
            app.add_css_file(f"{FOLDER}{name}.css")
        app.add_js_file(f"{FOLDER}{name}.js", loading_method="defer")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive and both steps."""
    app.add_directive("explorable", Explorable)
    app.connect("config-inited", load_nowhere)
    app.connect("html-page-context", load_here)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
