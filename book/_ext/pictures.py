"""Pictures that code draws keep their size, on a telephone until their text would be too small.

MyST-NB writes width and height as a style, which would stretch a picture that does not fit. Written
as attributes they tell the browser the shape of what is to come, and `book.css` does the rest.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

STYLE = re.compile(r'style="width: (\d+)px; height: (\d+)px;"')
LEAST_TEXT = 9 / (11 * 100 / 72)  # 9 pixels, for text that is drawn with 11 points at 100 an inch


def size_pictures(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document
) -> None:
    """Write the sizes of one page's pictures, and the least width at which one can read them."""
    if "body" in context:
        context["body"] = STYLE.sub(_attributes, context["body"])


def _attributes(style: re.Match[str]) -> str:
    width, height = int(style[1]), int(style[2])
    return f'width="{width}" height="{height}" style="--least-width: {LEAST_TEXT * width:.0f}px"'


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the sizes."""
    app.connect("html-page-context", size_pictures, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
