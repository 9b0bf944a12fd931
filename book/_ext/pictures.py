"""Pictures that code draws keep their size, on a telephone until their text would be too small.

MyST-NB writes width and height as a style, which would stretch a picture that does not fit. Written
as attributes they tell the browser the shape of what is to come, and `book.css` does the rest.
A heavy picture is sent as WebP, which holds the same pixels in fewer bytes.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from PIL import Image
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

STYLE = re.compile(r'style="width: (\d+)px; height: (\d+)px;"')
HEAVY = 60_000  # bytes
LEAST_TEXT = 9 / (11 * 100 / 72)  # 9 pixels, for text that is drawn with 11 points at 100 an inch


class LightPictures(SphinxPostTransform):
    """Send the heavy pictures that code drew in fewer bytes."""

    default_priority = 300  # after MyST-NB has chosen what a cell shows
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """Replace the heavy pictures of one page."""
        for image in self.document.findall(nodes.image):
            drawn = Path(self.env.srcdir, image["uri"])
            if drawn.suffix != ".png" or not drawn.is_file() or drawn.stat().st_size < HEAVY:
                continue
            if "jupyter_execute" not in drawn.parts:
                continue
            light = drawn.with_suffix(".webp")
            if not light.is_file():
                draft = light.with_suffix(".part")
                Image.open(drawn).save(draft, "WEBP", lossless=True, quality=50, method=3)
                draft.replace(light)
            image["uri"] = image["uri"].removesuffix(".png") + ".webp"
            image["candidates"] = {"*": image["uri"]}
            self.env.images.add_file(self.env.docname, image["uri"])


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
    """Register the pictures."""
    app.add_post_transform(LightPictures)
    app.connect("html-page-context", size_pictures, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
