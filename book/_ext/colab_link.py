"""Point the theme's Colab button at the published notebook.

The theme links the page's source, a Markdown file, which Colab cannot open. The notebooks that
Colab can open are written by ``tools.publish`` and pushed to the branch ``notebooks_branch``, each
edition into a folder of its own, so that the button of an edition's page does not move. Pages
that are not chapters are not published, so they lose the button. The directive `colab-button`
writes a button for one chapter on another page.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from tools.chapters import is_chapter, slug_of
from tools.edition import edition_of

LOGGER = logging.getLogger(__name__)
AFTER_THE_THEME = 600  # the theme adds its buttons at 501
COLAB = "https://colab.research.google.com/github"


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the settings and the hook."""
    app.add_config_value("notebooks_branch", "notebooks", "html", str)
    app.add_config_value("edition", "", "env", str)
    app.connect("config-inited", name_edition)
    app.add_directive("colab-button", ColabButton)
    app.connect("html-page-context", link_published_notebook, priority=AFTER_THE_THEME)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def name_edition(app: Sphinx, config: Config) -> None:
    """Let the extensions know the edition, and Sphinx write all pages again for another one."""
    config.edition = edition_of(Path(app.srcdir).parent)


def published(config: Config, name: str) -> str:
    """Return where this edition's notebook of a chapter lies in the repository."""
    return f"{config.notebooks_branch}/{config.edition}/reader/{slug_of(name)}.ipynb"


class ColabButton(SphinxDirective):
    """A button that opens the notebook of the named chapter; its words are the content."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Write the button."""
        address = self.config.html_theme_options["repository_url"].rstrip("/").split("/")
        path = published(self.config, self.arguments[0])
        url = f"{COLAB}/{'/'.join(address[-2:])}/blob/{path}"
        classes = ["sd-btn", "sd-btn-outline-primary"]
        button = nodes.reference(text=" ".join(self.content), refuri=url, classes=classes)
        return [nodes.paragraph("", "", button)]


def link_published_notebook(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document
) -> None:
    """Rewrite, or remove, the Colab button of one page."""
    buttons: list[dict[str, Any]] = context.get("header_buttons", [])
    if pagename not in app.env.found_docs:  # the search page and the index
        return
    if not is_chapter(pagename):
        _remove_colab(buttons)
        return
    path = published(app.config, pagename)
    repository = "/".join(context[key] for key in ("github_user", "github_repo"))
    found = [button for group in _groups(buttons) for button in group if _is_colab(button)]
    if len(found) != 1:
        LOGGER.warning(
            "a chapter needs exactly one Colab button; this page has %d",
            len(found),
            location=pagename,
            type="colab_link",
        )
        return
    found[0]["url"] = f"{COLAB}/{repository}/blob/{path}"
    _add_download(buttons, f"https://github.com/{repository}/raw/{path}")


def _groups(buttons: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    return [button["buttons"] for button in buttons if button["type"] == "group"]


def _is_colab(button: dict[str, Any]) -> bool:
    return button.get("text") == "Colab"


def _remove_colab(buttons: list[dict[str, Any]]) -> None:
    for group in _groups(buttons):
        group[:] = [button for button in group if not _is_colab(button)]
    buttons[:] = [button for button in buttons if button["type"] != "group" or button["buttons"]]


def _add_download(buttons: list[dict[str, Any]], url: str) -> None:
    for group in buttons:
        if group.get("label") == "download-buttons":
            group["buttons"].insert(
                0,
                {
                    "type": "link",
                    "url": url,
                    "text": "Notebook to run",
                    "icon": "fas fa-play",
                    "tooltip": "Download the published notebook, without outputs",
                    "label": "download-published-notebook-button",
                },
            )
