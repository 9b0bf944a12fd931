"""Visit every page of the built book once in Chromium and note all that the tests ask about.

One visit serves many tests, so that the whole book takes seconds and not minutes.
"""

from __future__ import annotations

import functools
import http.server
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, Route

from tools.chapters import is_chapter

ROOT = Path(__file__).resolve().parents[2]
# Another built book can be looked at: XAI_COURSE_HTML=FOLDER pytest tests/browser
HTML = Path(os.environ.get("XAI_COURSE_HTML", ROOT / "_build" / "html"))
SCREENSHOTS = ROOT / "_build" / "screenshots"
EVERY_PICTURE = "XAI_COURSE_SCREENSHOTS" in os.environ  # else none of a dark telephone
NARROW = 390  # CSS pixels: a common telephone
HOW_TO_INSTALL = "install it with `apt-get install chromium`, or put one on PATH"

CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Wanted: an element that reaches beyond the window and does not scroll inside its own box.
OVERFLOWING = """width => [...document.querySelectorAll('body *')].filter(one => {
    const box = one.getBoundingClientRect();
    if (box.width === 0 || box.right <= width + 1) return false;
    for (let up = one; up && up !== document.body; up = up.parentElement)
        if (getComputedStyle(up).overflowX !== 'visible') return false;
    return getComputedStyle(one).position !== 'fixed';
}).map(one => `${one.tagName} .${one.className} ${Math.round(one.getBoundingClientRect().right)}px`)
"""
# Code and its output may show TeX as it is written.
RAW_MATHS = r"""() => {
    const article = document.querySelector('article')?.cloneNode(true);
    article?.querySelectorAll('pre, code, script, mjx-container').forEach(one => one.remove());
    return (article?.textContent.match(/\\[(\[].{0,40}/g) || []);
}"""
IMAGES = """() => [...document.querySelectorAll('article img')].map(one => ({
    src: one.getAttribute('src'), alt: one.getAttribute('alt') || '', loaded: one.naturalWidth > 0,
    inside: one.offsetWidth <= 1 + (one.closest('figure, p, div')?.clientWidth || Infinity),
}))"""
OPEN_ALL = """() => {
    document.querySelectorAll('details').forEach(one => one.open = true);
}"""
COLAB = """() => [...document.querySelectorAll('a[href*="colab.research.google.com"]')]
    .map(one => one.href)"""
STILL = "*, ::before, ::after { transition: none !important; animation: none !important }"


def pages() -> list[str]:
    """The names of all pages of the book, and of the two that Sphinx adds."""

    def names(node: dict[str, Any]) -> Iterator[str]:
        yield from (node[key] for key in ("root", "file") if key in node)
        for key in ("parts", "chapters", "sections"):
            for child in node.get(key, []):
                yield from names(child)

    if HTML != ROOT / "_build" / "html":
        inside = [path.relative_to(HTML) for path in HTML.rglob("*.html")]
        return sorted(
            str(p.with_suffix("")) for p in inside if p.parts[0] not in {"_static", "index.html"}
        )
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    return [*names(toc), "search", "genindex"]


def chapters() -> list[str]:
    """The pages that are notebooks."""
    return [name for name in pages() if is_chapter(name)]


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Say nothing: pytest's output is for failures."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on a free port of this machine; give its address."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@dataclass
class Watched:
    """A browser context that lets nothing leave this machine and remembers who tried."""

    context: BrowserContext
    blocked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Look at every request."""
        self.context.route("**/*", self._answer)

    def _answer(self, route: Route) -> None:
        url = urlsplit(route.request.url)
        if url.scheme in {"file", "data", "blob"} or url.hostname == "127.0.0.1":
            route.continue_()
        else:
            self.blocked.append(route.request.url)
            route.abort()


@contextmanager
def watched(browser: Browser, **options: Any) -> Iterator[Watched]:
    """Open a context with an empty cache, and close it afterwards."""
    options.setdefault("viewport", {"width": 1280, "height": 900})
    with browser.new_context(reduced_motion="reduce", **options) as context:
        yield Watched(context)


def settle(page: Page) -> None:
    """Wait until the page's maths is typeset, if it has any."""
    page.wait_for_load_state("load")
    if page.locator(".math").count():
        page.wait_for_function("() => window.MathJax?.startup?.promise")
        page.evaluate("() => window.MathJax.startup.promise.then(() => true)")


@dataclass
class Visit:
    """What one page did and looked like."""

    name: str
    errors: list[str] = field(default_factory=list)
    blocked: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    n_formulas: int = 0
    n_typeset: int = 0
    raw_maths: list[str] = field(default_factory=list)
    images: list[dict[str, Any]] = field(default_factory=list)
    colab: list[str] = field(default_factory=list)  # where links to Colab lead
    violations: dict[str, list[str]] = field(default_factory=dict)  # theme -> what axe found
    narrow_width: int = 0
    overflowing: list[str] = field(default_factory=list)


def _listen(page: Page, seen: Visit) -> None:
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    page.on("console", lambda m: seen.errors.append(m.text) if m.type == "error" else None)
    page.on("response", lambda r: seen.failed.append(r.url) if r.status >= 400 else None)


def _set_theme(page: Page, theme: str) -> None:
    page.evaluate(
        "theme => Object.assign(document.documentElement.dataset, {theme, mode: theme})", theme
    )


def _axe(page: Page, theme: str, with_code: bool) -> list[str]:
    """Give serious and critical findings, one line an element.

    Most elements of a chapter are the coloured words of its code, which take most of axe's time.
    One style makes them on all pages: one page is looked at with its code.
    """
    # `preload` would fetch style sheets again, some under a wrong address.
    options = {"resultTypes": ["violations"], "preload": False}
    if theme == "dark":  # all but its colours has been looked at
        options["runOnly"] = ["color-contrast"]
    context = None if with_code else {"include": [["html"]], "exclude": [["pre"]]}
    response = Axe().run(page, context=context, options=options).response
    return [
        f"{found['impact']} {found['id']}: {node['target']} {node['html'][:120]}"
        for found in response["violations"]
        if found["impact"] in {"serious", "critical"}
        for node in found["nodes"]
    ]


def _screenshots(page: Page, folder: Path, kind: str, themes: tuple[str, ...]) -> None:
    """Take the page, for people to look at."""
    for theme in themes:
        _set_theme(page, theme)
        page.screenshot(path=folder / f"{kind}-{theme}.png", full_page=True)


def _measure(page: Page, seen: Visit) -> None:
    seen.n_formulas = page.locator("article .math").count()
    seen.n_typeset = page.locator("article .math mjx-container:has(svg)").count()
    seen.raw_maths = page.evaluate(RAW_MATHS)
    seen.images = page.evaluate(IMAGES)
    seen.colab = page.evaluate(COLAB)
    for theme in ("light", "dark"):
        _set_theme(page, theme)
        with_code = not is_chapter(seen.name) or seen.name == chapters()[0]
        seen.violations[theme] = _axe(page, theme, with_code)


def visit(browser: Browser, base: str, name: str, screenshots: Path = SCREENSHOTS) -> Visit:
    """Look at one page: as it opens, with everything unfolded, and on a telephone."""
    seen = Visit(name)
    folder = screenshots / name.replace("/", "--")
    folder.mkdir(parents=True, exist_ok=True)
    with watched(browser) as watch:
        page = watch.context.new_page()
        _listen(page, seen)
        page.goto(f"{base}{name}.html")
        settle(page)
        page.add_style_tag(content=STILL)
        errors, failed = list(seen.errors), list(seen.failed)
        _screenshots(page, folder, "desktop", ("light", "dark"))
        page.evaluate(OPEN_ALL)
        _measure(page, seen)
        page.set_viewport_size({"width": NARROW, "height": 844})
        seen.narrow_width = page.evaluate("document.documentElement.scrollWidth")
        seen.overflowing = page.evaluate(OVERFLOWING, NARROW)
        _screenshots(page, folder, "narrow", ("light", "dark") if EVERY_PICTURE else ("light",))
        seen.blocked, seen.errors, seen.failed = watch.blocked, errors, failed
    return seen
