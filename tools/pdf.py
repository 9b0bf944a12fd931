"""The book as one PDF: all built pages in reading order, printed by Chromium.

``python -m tools.pdf`` reads `_build/html` and writes `_build/book.pdf`, with an outline and page
numbers. ``--solutions`` prints hints and solutions, too.
"""

from __future__ import annotations

import argparse
import posixpath
import shutil
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup, Tag
from playwright.sync_api import Page, sync_playwright

from tools.chapters import BOOK

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HALF_AN_HOUR = 1_800_000  # ms, on a machine that does other things, too
SCALE = 0.8  # letters of 16 pixels on a screen have 9.6 points on paper
SCREEN_ONLY = "script, .headerlink, button, .explorable-controls"
NUMBERS = (
    '<div style="font-size: 9px; width: 100%; text-align: center; font-family: sans-serif">'
    '<span class="pageNumber"></span></div>'
)
STYLE = """
article { break-before: page; }
body, .bd-article-container { max-width: none; padding: 0; }
html { scroll-padding: 0; }
"""


def chromium() -> str | None:
    """Return where a Chromium is, if there is one."""
    return next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)


def whole_book(html: Path, pages: list[str], solutions: bool) -> str:
    """Return one HTML document that holds the articles of some built pages.

    Parameters
    ----------
    html : Path
        The folder with the built pages. The document is to lie beside it.
    pages : list of str
        Names of pages in reading order, such as ``"part/slug"``.
    solutions : bool
        Whether hints and solutions are printed.
    """
    first = BeautifulSoup((html / f"{pages[-1]}.html").read_text("utf-8"), "html.parser")
    sheets = {
        _from_beside(html, pages[-1], one["href"]) for one in first.select("link[rel=stylesheet]")
    }
    articles = [_article(html, page, set(pages), solutions) for page in pages]
    links = "".join(f'<link rel="stylesheet" href="{sheet}">' for sheet in sorted(sheets))
    mathjax = f"{html.name}/_static/mathjax/tex-svg.js"
    return (
        f'<!doctype html><html lang="en" data-theme="light" data-mode="light" '
        f'data-print="{"solutions" if solutions else "handout"}"><head><meta charset="utf-8">'
        f"<title>{first.title.get_text().rpartition('—')[2].strip()}</title>{links}"
        f"<style>{STYLE}</style>"
        "<script>MathJax = {options: {enableMenu: false, processHtmlClass: 'math'}}</script>"
        f'<script src="{mathjax}"></script></head><body>'
        f'<div class="bd-article-container">{"".join(articles)}</div></body></html>'
    )


def _article(html: Path, page: str, pages: set[str], solutions: bool) -> str:
    """Return one page's article, its names and links made unique in the whole book."""
    soup = BeautifulSoup((html / f"{page}.html").read_text("utf-8"), "html.parser")
    article = soup.select_one("article")
    for one in article.select(SCREEN_ONLY):
        one.decompose()
    if solutions:
        for one in article.select("details.solution, details.sd-dropdown"):
            one["open"] = ""
    for one in article.select("[id]"):
        one["id"] = _name(page, one["id"])
    for one in article.select("[src]"):
        one["src"] = _from_beside(html, page, one["src"])
    for one in article.select("a[href]"):
        one["href"] = _link(html, page, pages, one)
    article["id"] = _name(page, "")
    return str(article)


def _name(page: str, name: str) -> str:
    return f"{page}--{name}".replace("/", "-")


def _from_beside(html: Path, page: str, address: str) -> str:
    """Return a page's relative address as seen from beside the folder of all pages."""
    if urlsplit(address).scheme:
        return address
    return posixpath.normpath(posixpath.join(html.name, posixpath.dirname(page), address))


def _link(html: Path, page: str, pages: set[str], link: Tag) -> str:
    """Return where a link leads to: inside the document, wherever that is possible."""
    parts = urlsplit(link["href"])
    if parts.scheme:
        return link["href"]
    target = posixpath.normpath(posixpath.join(posixpath.dirname(page), unquote(parts.path)))
    other = target.removesuffix(".html") if parts.path else page
    if other in pages:
        return "#" + _name(other, parts.fragment)
    return _from_beside(html, page, link["href"])


def print_pdf(page: Page, document: Path, target: Path) -> None:
    """Print one document on A4 and write it beside its place before it is moved there."""
    page.goto(document.as_uri(), timeout=HALF_AN_HOUR)
    page.evaluate("() => MathJax.startup.promise")
    page.evaluate("() => document.fonts.ready")
    draft = target.with_suffix(".part")
    page.pdf(
        path=draft,
        format="A4",
        scale=SCALE,
        margin={"top": "18mm", "bottom": "18mm", "left": "20mm", "right": "20mm"},
        print_background=True,
        display_header_footer=True,
        header_template="<span></span>",
        footer_template=NUMBERS,
        outline=True,
        tagged=True,
    )
    draft.replace(target)


def main() -> int:
    """Print the book and return an exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--solutions", action="store_true", help="with hints and solutions")
    parser.add_argument("--output", type=Path, default=BOOK.root / "_build" / "book.pdf")
    parser.add_argument("pages", nargs="*", help="part/slug; all pages where none is named")
    given = parser.parse_args()
    html = BOOK.root / "_build" / "html"
    pages = given.pages or list(BOOK.toc)
    missing = [page for page in pages if not (html / f"{page}.html").is_file()]
    browser = chromium()
    if missing or browser is None:
        need = (
            f"{missing[0]} is not built. First: make book"
            if missing
            else (f"No Chromium here; accepted: a program named {', '.join(CHROMIUM_NAMES)}")
        )
        print(need, file=sys.stderr)
        return 1
    document = html.parent / "book.html"
    document.write_text(whole_book(html, pages, given.solutions), "utf-8")
    with sync_playwright() as playwright:
        # A container's shared memory is often too small for so long a document.
        options = ["--no-sandbox", "--disable-dev-shm-usage"]
        chrome = playwright.chromium.launch(executable_path=browser, args=options)
        page = chrome.new_page()
        page.set_default_timeout(HALF_AN_HOUR)
        print_pdf(page, document, given.output)
        chrome.close()
    document.unlink()
    print(f"{len(pages)} pages of the book are in {given.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
