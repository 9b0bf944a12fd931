"""Ship MathJax with the book, so that maths is typeset offline and from a plain folder.

The package sphinx-mathjax-offline carries MathJax 3. Only its SVG bundle is copied (one file, 2 MB
instead of 24 MB), which needs no fonts and therefore also works from ``file://``.
"""

from __future__ import annotations

import shutil
from importlib.metadata import files
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

BUNDLE = "tex-svg.js"


def copy_mathjax(app: Sphinx, exception: Exception | None) -> None:
    """Copy the bundle to where `mathjax_path` points."""
    if exception is not None or app.builder.format != "html":
        return
    listed = files("sphinx-mathjax-offline") or []
    source = next(file.locate() for file in listed if file.name == BUNDLE)
    target = Path(app.outdir) / "_static" / "mathjax" / BUNDLE
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def only_with_maths(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document
) -> None:
    """Take the bundle from a page without a formula.

    Sphinx counts the formulas of all pages below for the landing page, which has none itself.
    """
    if 'class="math' not in context.get("body", ""):
        context["script_files"] = [one for one in context["script_files"] if not _is_maths(one)]


def _is_maths(script: Any) -> bool:
    body = script.attributes.get("body") or ""
    return body.startswith("window.MathJax") or str(script.filename or "").endswith(BUNDLE)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    app.connect("html-page-context", only_with_maths, priority=900)  # after Sphinx has added it
    app.connect("build-finished", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
