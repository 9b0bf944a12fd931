"""Every explorable of the built book: alive, still, small, and three of them driven."""

from __future__ import annotations

import re

import pytest
from driving import CHECKS, check_numbers, explorables, opened
from playwright.sync_api import Browser, expect
from visits import HTML, NARROW, ROOT, pages

pytestmark = pytest.mark.browser
EVERY = explorables()
SMALLEST = 9  # CSS pixels of a letter
TOUCH = {"viewport": {"width": NARROW, "height": 844}, "has_touch": True, "is_mobile": True}
KIT = {"kit", "networks"}
LETTERS = """all => all.map(one => {
    const picture = one.ownerSVGElement;
    const scale = picture.getBoundingClientRect().width / picture.viewBox.baseVal.width;
    return parseFloat(getComputedStyle(one).fontSize) * scale;
})"""
on_every_one = pytest.mark.parametrize(("name", "page"), EVERY)


@pytest.mark.parametrize("name", CHECKS)
def test_it_says_what_python_computes(name: str, browser: Browser, base: str) -> None:
    page = dict(EVERY)[name]
    with opened(browser, f"{base}{page}.html", name) as shown:
        CHECKS[name](shown)


def test_numbers_are_written_as_python_writes_them(browser: Browser, base: str) -> None:
    name, page = EVERY[0]
    with opened(browser, f"{base}{page}.html", name) as shown:
        check_numbers(shown)


@on_every_one
def test_without_scripts_the_still_picture_is_there(name: str, page: str, browser: Browser) -> None:
    address = (HTML / f"{page}.html").as_uri()
    with opened(browser, address, name, java_script_enabled=False) as shown:
        still = shown.box.locator(".still > *")
        expect(still).to_be_visible()
        words = still.get_attribute("alt") or still.get_attribute("aria-label")
        assert len(words) > 20
        expect(shown.box.locator(".live")).to_have_count(0)


@on_every_one
def test_from_the_disk_it_is_alive_and_print_gets_the_still(
    name: str, page: str, browser: Browser
) -> None:
    with opened(browser, (HTML / f"{page}.html").as_uri(), name) as shown:
        expect(shown.box.locator(".live")).to_be_visible()
        expect(shown.box.locator(".still")).to_be_hidden()
        shown.page.emulate_media(media="print")
        expect(shown.box.locator(".live")).to_be_hidden()
        expect(shown.box.locator(".still")).to_be_visible()


@on_every_one
def test_on_a_telephone_it_can_be_read(name: str, page: str, browser: Browser) -> None:
    with opened(browser, (HTML / f"{page}.html").as_uri(), name, **TOUCH) as shown:
        assert min(shown.box.locator(".live svg text").evaluate_all(LETTERS)) >= SMALLEST
        assert shown.page.evaluate("document.documentElement.scrollWidth") <= NARROW


def test_a_finger_on_the_point_drags_it_and_beside_it_scrolls(browser: Browser) -> None:
    name, page = "regions-toy", dict(EVERY)["regions-toy"]
    with opened(browser, (HTML / f"{page}.html").as_uri(), name, **TOUCH) as shown:
        handle = shown.box.locator(".handle")
        handle.scroll_into_view_if_needed()
        finger = shown.page.context.new_cdp_session(shown.page)

        def swipe(aside: float, down: float) -> tuple[list[float], float]:
            """Return the point's place and how far the page went, after a swipe of the finger."""
            box = handle.locator(".ring").bounding_box()
            x, y = box["x"] + box["width"] / 2 + aside, box["y"] + box["height"] / 2
            before = shown.page.evaluate("scrollY")
            for step in range(4):
                kind = "touchMove" if step else "touchStart"
                points = [{"x": x, "y": y + step * down / 3}]
                finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
            finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
            return shown.place("Input of the network"), shown.page.evaluate("scrollY") - before

        place, scrolled = swipe(0, 60)
        assert scrolled == 0
        assert place[0] == pytest.approx(0.2, abs=0.02)
        assert -0.2 < place[1] < 0.1
        after, scrolled = swipe(-100, -60)
        assert after == place
        assert scrolled > 20  # a quick finger throws the page farther than it goes


@pytest.mark.parametrize("page", pages())
def test_only_pages_with_an_explorable_load_its_scripts(page: str) -> None:
    path = HTML / f"{page}.html"
    if not path.exists():
        pytest.skip(f"{page} was not built")
    loaded = re.findall(r'src="[^"]*_static/explorables/([a-z-]+)\.js', path.read_text("utf-8"))
    here = [name for name, where in EVERY if where == page]
    assert set(loaded) == ({*KIT, *here} if here else set())


def test_every_script_is_shown_on_a_page() -> None:
    scripts = {path.stem for path in (ROOT / "book/_static/explorables").glob("*.js")}
    assert scripts - KIT == {name for name, _ in EVERY}
