"""A visit notices every defect that `test_pages.py` asks about, and reports none on a good page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from visits import NARROW, Visit, served, visit

pytestmark = pytest.mark.browser

PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwAD"
    "hgGAWjR9awAAAABJRU5ErkJggg=="
)
PAGE = """<!doctype html><html lang="en"><head><title>A page</title>
<link rel="icon" href="data:,"><meta name="viewport" content="width=device-width"></head>
<body><main><article><h1>A page</h1>{}</article></main></body></html>"""
GOOD = f'<p>Words.</p><figure><img src="{PIXEL}" alt="A pixel"></figure>'
# Each defect on its own page, and what a visit must say about it.
BROKEN = {
    "console-error": ("<script>console.error('a')</script>", "errors"),
    "page-error": ("<script>nothing_of_this_name()</script>", "errors"),
    "missing-file": ('<img src="none.png" alt="None">', "failed"),
    "external": ('<img src="https://example.org/a.png" alt="Far away">', "blocked"),
    "external-late": ("<script>fetch('https://example.org/a').catch(() => 0)</script>", "blocked"),
    "raw-maths": (r"<p>\(x^2\)</p>", "raw_maths"),
    "colab": ('<a href="https://colab.research.google.com/x">Colab</a>', "colab"),
    "wide": ('<div style="width: 900px">A wide box</div>', "overflowing"),
}
UNTYPESET = """<span class="math">x</span>
<script>MathJax = {startup: {promise: Promise.resolve()}}</script>"""
CONTRAST = '<p style="color: #ccc; background: #fff">Too pale to read</p>'
CODE = '<pre tabindex="0"><span style="color: #ccc; background: #fff">pale</span></pre>'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pages")
    bodies = {name: body for name, (body, _) in BROKEN.items()}
    bodies |= {"good": GOOD, "contrast": CONTRAST, "code": CODE, "no-alt": f'<img src="{PIXEL}">'}
    bodies["untypeset"] = UNTYPESET
    bodies["too-wide-picture"] = (
        f'<div style="width: 20px"><img src="{PIXEL}" alt="A pixel" width="90"></div>'
    )
    for name, body in bodies.items():
        (made / f"{name}.html").write_text(PAGE.format(body), encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def look(browser: Browser, folder: Path) -> Iterator:
    with served(folder) as base:
        yield lambda name: visit(browser, base, name, folder / "screenshots")


def test_good_page_has_no_defect(look, folder) -> None:
    seen: Visit = look("good")
    image = {"src": PIXEL, "alt": "A pixel", "loaded": True, "inside": True}
    expected = Visit("good", images=[image], violations={"light": [], "dark": []})
    expected.narrow_width = NARROW
    assert asdict(seen) == asdict(expected)
    pictures = {path.name for path in (folder / "screenshots" / "good").iterdir()}
    assert pictures >= {"desktop-light.png", "desktop-dark.png", "narrow-light.png"}


@pytest.mark.parametrize(("name", "noticed"), [(name, row[1]) for name, row in BROKEN.items()])
def test_defect_is_noticed(name, noticed, look) -> None:
    assert getattr(look(name), noticed)


def test_overflow_counts(look) -> None:
    assert look("wide").narrow_width > NARROW


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["contrast", "code"])
def test_pale_words_are_noticed(name, theme, look) -> None:
    assert any("color-contrast" in one for one in look(name).violations[theme])


def test_missing_alt_is_noticed(look) -> None:
    seen = look("no-alt")
    assert any("image-alt" in one for one in seen.violations["light"])
    assert [one["alt"] for one in seen.images] == [""]


def test_untypeset_maths_is_noticed(look) -> None:
    seen = look("untypeset")
    assert (seen.n_formulas, seen.n_typeset) == (1, 0)


def test_picture_wider_than_its_column_is_noticed(look) -> None:
    assert [one["inside"] for one in look("too-wide-picture").images] == [False]
