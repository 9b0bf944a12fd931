"""What a reader's browser makes of the built book.

Needs Chromium and `_build/html`. Where one is missing the tests are skipped and say how to get it;
with CI=true they fail instead, so that nothing is skipped unseen.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import yaml
from playwright.sync_api import Browser, Locator
from visits import HTML, NARROW, ROOT, Visit, chapters, pages, settle, visit

from tools.chapters import is_chapter
from tools.edition import edition_of

pytestmark = pytest.mark.browser
on_every_page = pytest.mark.parametrize("name", pages())
on_every_chapter = pytest.mark.parametrize("name", chapters())
FIRST_CHAPTER = "explanations/what-is-interpretability"
SLOWEST = 10_000  # ms until a search has answered


@pytest.fixture(scope="module")
def visits(browser: Browser, base: str) -> Callable[[str], Visit]:
    """Visit a page when a test first asks for it."""
    seen: dict[str, Visit] = {}

    def get(name: str) -> Visit:
        if name not in seen:
            seen[name] = visit(browser, base, name)
        return seen[name]

    return get


def lines(problems: list[str]) -> str:
    return "\n" + "\n".join(problems)


@on_every_page
def test_nothing_fails_and_nothing_leaves_the_machine(name, visits) -> None:
    seen = visits(name)
    assert not seen.errors, lines(seen.errors)
    assert not seen.failed, lines(seen.failed)
    assert not seen.blocked, lines(seen.blocked)


@on_every_page
def test_maths_is_typeset(name, visits) -> None:
    seen = visits(name)
    assert seen.n_typeset == seen.n_formulas
    assert not seen.raw_maths, lines(seen.raw_maths)


def test_some_page_has_maths(visits) -> None:
    """Otherwise the test above would prove nothing."""
    assert any(visits(name).n_formulas for name in chapters())


@on_every_page
def test_pictures_load_are_described_and_fit(name, visits) -> None:
    images = visits(name).images
    problems = [f"not loaded: {one['src']}" for one in images if not one["loaded"]]
    problems += [f"no alt text: {one['src']}" for one in images if not one["alt"].strip()]
    problems += [f"wider than its column: {one['src']}" for one in images if not one["inside"]]
    assert not problems, lines(problems)


@pytest.mark.parametrize("theme", ["light", "dark"])
@on_every_page
def test_accessible(name, theme, visits) -> None:
    """No serious or critical finding of axe-core, with all hints and solutions open."""
    found = visits(name).violations[theme]
    assert not found, lines(found)


@on_every_page
def test_no_name_is_given_twice(name) -> None:
    names = re.findall(r' id="([^"]+)"', (HTML / f"{name}.html").read_text("utf-8"))
    assert len(names) == len(set(names)), [one for one in set(names) if names.count(one) > 1]


@on_every_page
def test_fits_a_telephone(name, visits) -> None:
    seen = visits(name)
    assert seen.narrow_width <= NARROW, lines(seen.overflowing)


@on_every_chapter
def test_opens_from_the_disk(name, page) -> None:
    """Maths and pictures need no server."""
    page.goto((HTML / f"{name}.html").as_uri())
    settle(page)
    formulas = page.locator("article .math").count()
    typeset = page.locator("article .math mjx-container:has(svg)").count()
    loaded = page.eval_on_selector_all(
        "article img", "all => all.map(one => one.complete && one.naturalWidth > 0)"
    )
    assert typeset == formulas > 0
    assert loaded
    assert all(loaded)


def test_search_finds_a_glossary_term(page, base) -> None:
    page.goto(f"{base}glossary.html")
    term = page.locator("dl.glossary dt").first.evaluate("one => one.firstChild.textContent")
    page.goto(f"{base}search.html")
    field = page.locator("input[name=q]:visible").first
    field.fill(term.strip())
    field.press("Enter")
    page.locator("ul.search li a").first.wait_for(timeout=SLOWEST)
    found = page.locator("ul.search li a").evaluate_all("all => all.map(one => one.href)")
    assert any("glossary.html" in address for address in found), found


def repository() -> str:
    """`owner/name` as _config.yml has it."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    return "/".join(config["repository"]["url"].rstrip("/").split("/")[-2:])


@on_every_page
def test_colab_button(name, visits) -> None:
    """A chapter's button opens the published notebook; the landing page has the first chapter's."""
    shown = {"intro": FIRST_CHAPTER}.get(name, name)
    slug = shown.rpartition("/")[2]
    place = f"{repository()}/blob/notebooks/{edition_of(ROOT)}/reader/{slug}.ipynb"
    wanted = [f"https://colab.research.google.com/github/{place}"] if is_chapter(shown) else []
    assert visits(name).colab == wanted
    published = ROOT / "_build" / "notebooks" / "reader"
    if wanted and published.exists():
        assert (published / f"{slug}.ipynb").exists()


def content(solution: Locator) -> Locator:
    return solution.locator(":scope > :not(.admonition-title)").first


@on_every_chapter
def test_solutions_are_folded_and_open(name, page, base) -> None:
    page.goto(f"{base}{name}.html")
    settle(page)
    solutions = page.locator("article .solution").all()
    assert solutions
    assert not any(content(one).is_visible() for one in solutions)
    # The words of its line open a solution, and say which one it is.
    lines = [one.locator(":scope > summary") for one in solutions]
    assert len({line.inner_text() for line in lines}) == len(lines)
    lines[0].click()
    assert content(solutions[0]).is_visible()
    for key, visible in [("Enter", True), ("Space", False)]:
        lines[-1].focus()
        page.keyboard.press(key)
        assert content(solutions[-1]).is_visible() is visible


@on_every_chapter
def test_exercises_are_numbered_headings(name, page, base) -> None:
    page.goto(f"{base}{name}.html")
    chapter = page.locator("article h1 .section-number").inner_text().strip(". ")
    heads = page.locator("article .exercise > :is(h3, h4)").all_inner_texts()
    assert [head.partition(":")[0] for head in heads] == [
        f"Exercise {chapter}.{n}" for n in range(1, len(heads) + 1)
    ]
    assert heads


@on_every_chapter
def test_no_formula_without_need_is_a_stop_of_the_tab_key(name, page, base) -> None:
    page.goto(f"{base}{name}.html")
    settle(page)
    stops = page.locator("article .math [tabindex='0'], article .math[tabindex='0']")
    needless = stops.evaluate_all(
        "all => all.filter(one => one.scrollWidth <= one.clientWidth).length"
    )
    assert needless == 0


@pytest.mark.parametrize("asked", ["", "?print=solutions"])
def test_print_has_solutions_where_they_are_asked_for(asked, page, base) -> None:
    page.goto(f"{base}{chapters()[0]}.html{asked}")
    settle(page)
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    solution = page.locator("article .solution").first
    assert content(solution).is_visible() is bool(asked)
    assert page.locator("article .exercise").first.is_visible()


@on_every_chapter
def test_hints_are_folded_and_open(name, page, base) -> None:
    page.goto(f"{base}{name}.html")
    hints = page.locator("article details.sd-dropdown")
    assert hints.count() > 0
    assert hints.evaluate_all("all => all.every(one => !one.open)")
    hints.first.locator("summary").focus()
    page.keyboard.press("Enter")
    assert hints.first.evaluate("one => one.open")
