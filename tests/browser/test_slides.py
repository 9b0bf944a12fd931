"""Two weeks of slides: what is on them, nothing from the web, and all of it fits."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser
from visits import ROOT, watched

from tools import teaching
from tools.chapters import BOOK
from tools.slides.__main__ import main

WEEKS = (2, 9)
COURSE = teaching.read_syllabi(BOOK.root)["twelve"]
ROOM = 712  # of 720 pixels
# Where the lowest and the rightmost thing of each slide lies, in the slide's own pixels.
EXTENT = """() => Reveal.getSlides().map(slide => {
    const place = Reveal.getIndices(slide);
    Reveal.slide(place.h, place.v);
    const top = slide.getBoundingClientRect().top, scale = Reveal.getScale();
    let low = 0, right = 0;
    slide.querySelectorAll('*').forEach(one => {
        if (one.closest('aside') || one.closest('mjx-assistive-mml')) return;
        const box = one.getBoundingClientRect();
        low = Math.max(low, (box.bottom - top) / scale);
        right = Math.max(right, box.right / scale);
    });
    return [slide.innerText.slice(0, 60), low, right];
})"""


class Images(HTMLParser):
    """The attributes of all pictures, and what the page loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.images: list[dict[str, str | None]] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "img":
            self.images.append(given)
        if tag in {"img", "script"} and given.get("src"):
            self.loaded.append(given["src"])
        if tag == "link":
            self.loaded.append(given["href"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Slides of two weeks."""
    made = tmp_path_factory.mktemp("slides")
    build = str(ROOT / "_build")
    assert main([str(made), "--build", build, "--sessions", *map(str, WEEKS)]) == 0
    return made


@pytest.mark.parametrize("week", WEEKS)
def test_slides_hold_figures_promises_and_claims(folder: Path, week: int) -> None:
    text = (folder / f"week-{week:02}.slides.html").read_text("utf-8")
    session = COURSE.sessions[week - 1]
    chapters = [one for one in BOOK.chapters if one.slug in session.chapters]
    n_figures = sum(len(chapter.figures) for chapter in chapters)
    page = Images(text)
    assert len(page.images) == n_figures
    assert all(len(one.get("alt") or "") >= 20 for one in page.images)
    assert [one for one in page.loaded if not one.startswith(("data:", "reveal/"))] == []
    local = [one for one in page.loaded if one.startswith("reveal/")]
    assert all((folder / one).is_file() for one in local)
    assert not re.search(r"import [^;]*https?:|url\(https?:", text)
    for identifier in session.by_hand + session.discuss:
        assert identifier in text
    notebook = nbformat.read(folder / f"week-{week:02}.ipynb", as_version=4)
    everything = "\n".join(cell.source for cell in notebook.cells)
    assert "Model answer" not in everything
    assert "def " not in everything
    assert all(chapter.promise in everything for chapter in chapters)


@pytest.mark.browser
@pytest.mark.parametrize("week", WEEKS)
def test_every_slide_fits_and_nothing_comes_from_the_web(
    folder: Path, week: int, browser: Browser
) -> None:
    with watched(browser, viewport={"width": 1280, "height": 720}) as watch:
        page = watch.context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto((folder / f"week-{week:02}.slides.html").as_uri())
        page.wait_for_function("() => window.Reveal?.isReady() && window.MathJax?.startup?.promise")
        page.evaluate("() => MathJax.startup.promise.then(() => true)")
        extents = page.evaluate(EXTENT)
        assert len(extents) > 10
        assert [one for one in extents if one[1] > ROOM or one[2] > 1280] == []
        assert not errors
        assert not watch.blocked


def test_a_changed_notebook_is_kept_and_its_page_made_again(folder: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(folder / f"week-{WEEKS[0]:02}.ipynb", as_version=4)
    notebook.cells[0].source = "# A title of mine"
    nbformat.write(notebook, tmp_path / "mine.ipynb")
    assert main([str(tmp_path), "--again", str(tmp_path / "mine.ipynb")]) == 0
    assert "A title of mine" in (tmp_path / "mine.slides.html").read_text("utf-8")
