"""Three explorables driven by mouse and keys, their numbers compared with Python's.

The data that a page holds are compared with the library in `tests/unit`. Here Python reads them
from the page, and says what the picture should show.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from string import ascii_lowercase

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from visits import HTML, settle, watched

pytestmark = pytest.mark.browser
PAGES = {
    "waterfall": "piecewise-linear/local-linear-models",
    "merging": "piecewise-linear/unwrapping-merging",
    "p-values": "piecewise-linear/unwrapping-inference",
}
SMALLEST = 9  # CSS pixels of a letter


class Shown:
    """An explorable on its page."""

    def __init__(self, page: Page, name: str) -> None:
        self.page, self.box = page, page.locator(f'[data-explorable="{name}"]')
        self.data = json.loads(self.box.locator(":scope > script").inner_text())
        self.live, self.read = self.box.locator(".live"), self.box.locator(".read")
        self.slider = self.box.locator("input[type=range]")

    def press(self, *keys: str) -> None:
        """Press keys, whatever has the focus."""
        for key in keys:
            self.page.keyboard.press(key)

    def drag(self, share: float) -> None:
        """Drag the slider's thumb to a share of its width."""
        self.slider.scroll_into_view_if_needed()
        box = self.slider.bounding_box()
        value, least, most = (
            float(self.slider.evaluate(f"one => one.{key}")) for key in ("value", "min", "max")
        )
        thumb, y = 8, box["y"] + box["height"] / 2
        room = box["width"] - 2 * thumb

        def place(part: float) -> float:
            return box["x"] + thumb + part * room

        self.page.mouse.move(place((value - least) / (most - least)), y)
        self.page.mouse.down()
        self.page.mouse.move(place(share), y, steps=4)
        self.page.mouse.up()


@contextmanager
def shown(browser: Browser, base: str, name: str, fault: tuple[str, str] = ("", "")) -> Iterator:
    """Open the page of an explorable, its script with a fault or none; nothing may fail there."""
    problems: list[str] = []
    watch = watched(browser)
    page = watch.context.new_page()
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
    script = (HTML / "_static" / "explorables" / f"{name}.js").read_text("utf-8")
    assert fault[0] in script
    faulty = script.replace(*fault, 1)
    page.route(
        f"**/{name}.js*", lambda route: route.fulfill(body=faulty, content_type="text/javascript")
    )
    page.goto(f"{base}{PAGES[name]}.html")
    settle(page)
    yield Shown(page, name)
    watch.context.close()
    assert not problems
    assert not watch.blocked


@pytest.fixture
def opened(request, browser: Browser, base: str) -> Iterator[Shown]:
    """Open the page of an explorable."""
    with shown(browser, base, request.param) as one:
        yield one


def of(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("opened", [name], indirect=True)


def texts(found: Locator) -> list[str]:
    return found.all_text_contents()


# The waterfall


def wanted_bars(data: dict, seed: int, baseline: int) -> list[str]:
    """Return the numbers beside the bars, from the baseline's answer to the patient's."""
    one = data["networks"][seed]
    shares = np.array(one["shares"][baseline])
    order = np.argsort(-np.abs(shares), kind="stable")
    top, rest = shares[order[:10]], shares[order[10:]].sum()
    return [f"{value:+.2f}" for value in [one["starts"][baseline], *top, rest, one["end"]]]


def check_bars(opened: Shown, seed: int, baseline: int) -> None:
    """Compare the numbers beside the bars, and the words below, with the data."""
    values = texts(opened.box.locator("text.value"))
    assert values == wanted_bars(opened.data, seed, baseline)
    said, sum_ = opened.read.inner_text(), sum(opened.data["networks"][seed]["shares"][baseline])
    assert said.startswith(f"Seed {seed}, {opened.data['baselines'][baseline]}: ")
    assert said.endswith(f" add up to {sum_:+.2f}.")


@of("waterfall")
def test_the_waterfall_restacks_and_its_end_stays(opened: Shown) -> None:
    goal = opened.box.locator(".goal")
    place = goal.get_attribute("x1")
    for baseline, name in enumerate(opened.data["baselines"]):
        opened.box.get_by_label(name, exact=True).check()
        check_bars(opened, 0, baseline)
        assert goal.get_attribute("x1") == place


@of("waterfall")
def test_the_waterfall_goes_by_keys(opened: Shown) -> None:
    opened.box.get_by_label(opened.data["baselines"][0], exact=True).focus()
    opened.press("ArrowDown", "ArrowDown")
    check_bars(opened, 0, 2)
    opened.press("Tab", "ArrowRight", "ArrowRight", "ArrowRight")
    check_bars(opened, 3, 2)
    said = opened.box.locator("[aria-live=polite]")
    expect(said).to_contain_text(f"Seed 3, {opened.data['baselines'][2]}")


@of("waterfall")
def test_each_bar_begins_where_the_last_one_ended(opened: Shown) -> None:
    bars = opened.box.locator("rect").evaluate_all(
        "all => all.map(one => [one.x.baseVal.value, one.width.baseVal.value])"
    )
    start, *steps, end = bars
    here = start[0] + start[1] / 2
    shares = np.array(opened.data["networks"][0]["shares"][0])
    signs = np.sign(shares[np.argsort(-np.abs(shares), kind="stable")][:10]).tolist()
    for (left, width), sign in zip(steps, [*signs, 1], strict=True):  # the rest is positive
        assert (left if sign > 0 else left + width) == pytest.approx(here, abs=0.01)
        here = left + width if sign > 0 else left
    assert here == pytest.approx(end[0] + end[1] / 2, abs=0.01)


# Merging by K


def check_merge(opened: Shown, k: int, training: int) -> None:
    """Compare words and picture with the data for one K."""
    one = opened.data["trainings"][training]
    said = opened.read.inner_text()
    assert said.startswith(f"Seed {training}, {one['regions']} regions, K = {k}: ")
    assert f"Held-out loss {one['loss'][k - 1]:.4f}, " in said
    assert f" on {one['same side'][k - 1]:.1%} of the test rows." in said
    gap = f"{one['gap'][k - 1]:.4f} ± {one['error'][k - 1]:.4f} above the least"
    assert (gap in said) == (k != one["best"])
    map_, chart = opened.box.locator("svg").all()
    fills = (
        map_.locator("g")
        .first.locator("path")
        .evaluate_all("all => new Set(all.map(one => one.getAttribute('fill'))).size")
    )
    assert fills == len(one["colors"][k - 1])
    lines = [ends for ends in one["lines"][k - 1] if ends]
    assert map_.locator("line").count() == len(lines)
    x1, y1 = (float(map_.locator("line").first.get_attribute(key)) for key in ("x1", "y1"))
    assert [x1, y1] == pytest.approx([(lines[0][0] + 1.5) / 3 * 320, (1.5 - lines[0][1]) / 3 * 320])
    marks = [f"least loss: K = {one['best']}", f"chosen: K = {one['chosen']}"]
    if one["best"] == one["chosen"]:
        marks = [f"least loss, and chosen: K = {one['best']}"]
    assert texts(chart.locator("text.mark")) == marks


@of("merging")
def test_merging_goes_by_mouse(opened: Shown) -> None:
    check_merge(opened, 10, 0)
    ring = opened.box.locator(".here")
    places = [ring.get_attribute("cx")]
    for share, k in ((1.0, 20), (0.0, 1), (5 / 19, 6)):
        opened.drag(share)
        check_merge(opened, k, 0) if k > 1 else expect(opened.read).to_contain_text("one cluster.")
        places.append(ring.get_attribute("cx"))
    assert len(set(places)) == 4


@of("merging")
def test_merging_goes_by_keys(opened: Shown) -> None:
    opened.slider.focus()
    opened.press("ArrowLeft", "ArrowLeft", "ArrowLeft")
    check_merge(opened, 7, 0)
    said = opened.box.locator("[aria-live=polite]")
    expect(said).to_contain_text("K = 7: seven clusters. Held-out loss")
    opened.press("Tab", "Space")
    expect(opened.box.locator("image")).to_be_visible()
    opened.press("Tab", "Enter")
    check_merge(opened, 7, 1)
    opened.press("Enter")
    check_merge(opened, 7, 2)
    opened.press("Enter")
    check_merge(opened, 7, 0)


# P-values


def check_tests(opened: Shown, n: int, kind: str, draw: int) -> None:
    """Compare words and bars with the data for one draw."""
    one = opened.data["trainings"][str(n)][kind]
    words, size = one["words"].split(" "), opened.data["draw"]
    own, every = "".join(words[draw * size : (draw + 1) * size]), "".join(words)
    said = opened.read.inner_text()
    assert said.startswith(f"{n} iterations, tested on ")
    assert ("fresh rows." in said) == (kind == "honest")
    assert f"in draw {draw + 1}, {size} networks: " in said
    assert f"{own.count('a')} of {len(own)} tests, {own.count('a') / len(own):.1%}. " in said
    assert f"{every.count('a')} of {len(every):,}, {every.count('a') / len(every):.1%} ± " in said
    assert f" ± {one['error']:.1%}." in said
    shares = np.array([own.count(letter) for letter in ascii_lowercase[:20]]) / len(own)
    heights = (
        opened.box.locator("svg")
        .first.locator("rect")
        .evaluate_all("all => all.map(one => Number(one.getAttribute('height')))")
    )
    assert np.array(heights) / sum(heights) == pytest.approx(shares)
    tops = (
        opened.box.locator("svg")
        .first.locator("rect")
        .evaluate_all("all => all.map(one => Number(one.getAttribute('y')))")
    )
    assert min(tops) > 40  # below the title


@of("p-values")
def test_p_values_go_by_mouse(opened: Shown) -> None:
    check_tests(opened, 25, "naive", 0)
    opened.drag(1.0)
    check_tests(opened, 200, "naive", 0)
    opened.drag(0.0)
    check_tests(opened, 10, "naive", 0)
    opened.box.get_by_label("fresh rows").check()
    check_tests(opened, 10, "honest", 0)
    again = opened.box.get_by_role("button", name="Draw again")
    for draw in (*range(1, 10), 0):
        again.click()
        check_tests(opened, 10, "honest", draw)


@of("p-values")
def test_p_values_go_by_keys(opened: Shown) -> None:
    opened.slider.focus()
    assert opened.slider.get_attribute("aria-valuetext") == "25 iterations"
    opened.press("ArrowRight")
    check_tests(opened, 50, "naive", 0)
    opened.press("Tab", "ArrowDown")
    check_tests(opened, 50, "honest", 0)
    opened.press("Tab", "Enter", "Enter")
    check_tests(opened, 50, "honest", 2)
    said = opened.box.locator("[aria-live=polite]")
    expect(said).to_contain_text("50 iterations, tested on fresh rows. Share below 0.05 in draw 3")


# All three


@pytest.mark.parametrize("name", PAGES)
def test_from_the_disk_on_a_telephone_letters_can_be_read(name: str, browser: Browser) -> None:
    watch = watched(browser, viewport={"width": 390, "height": 844})
    page = watch.context.new_page()
    page.goto((HTML / f"{PAGES[name]}.html").as_uri())
    settle(page)
    box = page.locator(f'[data-explorable="{name}"]')
    expect(box.locator(".live")).to_be_visible()
    expect(box.locator(".still")).to_be_hidden()
    sizes = box.locator("svg text").evaluate_all(
        """all => all.map(one => parseFloat(getComputedStyle(one).fontSize)
            * one.ownerSVGElement.getBoundingClientRect().width
            / one.ownerSVGElement.viewBox.baseVal.width)"""
    )
    width = page.evaluate("document.documentElement.scrollWidth")
    page.emulate_media(media="print")
    expect(box.locator(".still")).to_be_visible()
    expect(box.locator(".live")).to_be_hidden()
    watch.context.close()
    assert min(sizes) >= SMALLEST
    assert width <= 390


@pytest.mark.parametrize("name", PAGES)
def test_without_scripts_the_still_picture_stays(name: str, browser: Browser) -> None:
    watch = watched(browser, java_script_enabled=False)
    page = watch.context.new_page()
    page.goto((HTML / f"{PAGES[name]}.html").as_uri())
    box = page.locator(f'[data-explorable="{name}"]')
    expect(box.locator(".still [alt], .still [role=img]")).to_be_visible()
    expect(box.locator(".live")).to_have_count(0)
    watch.context.close()


# The checks can fail: a fault in a script, and which check must see it

CHECKS: dict[str, Callable[[Shown], None]] = {
    "waterfall": lambda one: check_bars(one, 0, 0),
    "merging": lambda one: check_merge(one, 10, 0),
    "p-values": lambda one: check_tests(one, 25, "naive", 0),
}
FAULTS = [
    ("waterfall", ("Math.abs(shares[b]) - Math.abs(shares[a])", "a - b")),
    ("waterfall", ('"+.2f"', '"+.1f"')),
    ("waterfall", ("starts[state.baseline]", "starts[1]")),
    ("merging", ("format(one.loss[i]", "format(one.loss[0]")),
    ("merging", ("one.lines[i]", "one.lines[0]")),
    ("merging", ("hue(colors[cluster[piece]])", "hue(0)")),
    ("p-values", ("(state.draw + 1) * data.draw", "2 * data.draw")),
    ("p-values", ("y(0) - y(share)", "y(0) - y(0.05)")),
    ("p-values", ("every[0] / sum(every)", "own[0] / sum(own)")),
]


@pytest.mark.parametrize(("name", "fault"), FAULTS, ids=[right for _, (right, _) in FAULTS])
def test_a_fault_in_a_script_is_seen(name, fault, browser: Browser, base: str) -> None:
    with shown(browser, base, name, fault) as one, pytest.raises(AssertionError):
        CHECKS[name](one)
