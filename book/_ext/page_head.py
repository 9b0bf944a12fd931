"""Say in every page's head what the page is about: for search engines, and where a link is shared.

The description is the page's first paragraph, for a chapter its promise. The template
`book/_templates/layout.html` puts the tags where the theme's own would stand.
"""

from __future__ import annotations

from html import escape
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

CARD = "_static/social-card.png"  # python -m tools.social_card
CARD_ALT = "The title of the book beside a square that six neurons cut into 22 regions."
AFTER_OTHERS = 900
# docutils writes it after Sphinx has written one.
SECOND_VIEWPORT = '<meta name="viewport" content="width=device-width, initial-scale=1" />'


def description_of(doctree: nodes.document) -> str:
    """Return the first paragraph of a page that stands in no box."""
    for paragraph in doctree.findall(nodes.paragraph):
        if isinstance(paragraph.parent, nodes.section | nodes.container):
            return " ".join(paragraph.astext().split())
    return ""


def tags(title: str, description: str, address: str, card: str) -> str:
    """Write the tags of one page."""
    named = {"description": description, "twitter:card": "summary_large_image"}
    properties = {
        "og:type": "website",
        "og:title": title,
        "og:description": description,
        "og:url": address,
        "og:image": card,
        "og:image:alt": CARD_ALT,
    }
    lines = [f'<meta name="{key}" content="{escape(text)}"/>' for key, text in named.items()]
    lines += [
        f'<meta property="{key}" content="{escape(text)}"/>' for key, text in properties.items()
    ]
    return "\n  ".join(lines)


def write_head(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document
) -> None:
    """Add the tags of one page, and leave one viewport."""
    context["page_head"] = ""
    context["metatags"] = context.get("metatags", "").replace(SECOND_VIEWPORT, "")
    if doctree is not None:  # not the search page, nor the index
        base = app.config.html_baseurl
        title = app.env.titles[pagename].astext()
        address = f"{base}{app.builder.get_target_uri(pagename)}"
        context["page_head"] = tags(title, description_of(doctree), address, base + CARD)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the hook."""
    app.connect("html-page-context", write_head, priority=AFTER_OTHERS)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
