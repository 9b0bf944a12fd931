"""Repair what the theme gets wrong for keyboards, screen readers and the browser's console.

Each repair names the defect that it answers; `tests/browser` shows every one of them when it is
taken away. Repairs of colours and widths are in `book/_static/book.css`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

# docutils writes a list whose items are no list items (axe: aria-required-children, critical).
CITATION_ROLE, LIST_ITEM_ROLE = ' role="doc-biblioentry"', ' role="listitem"'
TOGGLE, NAMED_TOGGLE = "<summary>", '<summary aria-label="The pages below this one">'


def choose_default_mode(app: Sphinx, config: Config) -> None:
    """Say how a page starts; the theme logs an error where it finds an empty mode."""
    config.html_context.setdefault("default_mode", "auto")


def is_thebe(script: Any) -> bool:
    """Whether a script belongs to thebe, which the book never starts."""
    body = script.attributes.get("body") or ""
    return "THEBE_JS_URL" in body or "thebe" in str(script.filename or "")


def with_named_toggles(write: Callable[..., Any]) -> Callable[..., str]:
    """Name the sidebar's toggles, which are an icon alone (axe: summary-name, serious)."""
    return lambda *args, **options: str(write(*args, **options)).replace(TOGGLE, NAMED_TOGGLE)


def repair_page(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document
) -> None:
    """Repair one page before it is written.

    Thebe's constants are written twice, which stops the page's scripts with "already declared".
    """
    context["script_files"] = [one for one in context["script_files"] if not is_thebe(one)]
    context["generate_toctree_html"] = with_named_toggles(context["generate_toctree_html"])
    if "body" in context:
        context["body"] = context["body"].replace(CITATION_ROLE, LIST_ITEM_ROLE)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the repairs."""
    app.connect("config-inited", choose_default_mode)
    app.connect("html-page-context", repair_page, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
