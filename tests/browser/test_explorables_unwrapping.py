"""The waterfall, merging and the p-values, driven by mouse and keys and compared with Python.

The data that a page holds are compared with the library in `tests/unit`. Here Python reads them
from the page, and says what the picture should show.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from string import ascii_lowercase

import numpy as np
import pytest
from driving import Shown, explorables, opened
from playwright.sync_api import Browser, Locator, expect

pytestmark = pytest.mark.browser
PAGES = dict(explorables())
THUMB = 8  # half the width of a slider's thumb, in pixels


@pytest.fixture
def shown(request, browser: Browser, base: str) -> Iterator[Shown]:
    """Open the page of an explorable."""
    with opened(browser, f"{base}{PAGES[request.param]}.html", request.param) as one:
        yield one


def of(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("shown", [name], indirect=True)


def texts(found: Locator) -> list[str]:
    return found.all_text_contents()


def slider(shown: Shown) -> Locator:
    return shown.box.locator("input[type=range]")


def read(shown: Shown) -> Locator:
    return shown.box.locator(".read")


def press(shown: Shown, *keys: str) -> None:
    """Press keys, whatever has the focus."""
    for key in keys:
        shown.page.keyboard.press(key)


def slide(shown: Shown, share: float) -> None:
    """Drag the slider's thumb to a share of its way."""
    thumb = slider(shown)
    thumb.scroll_into_view_if_needed()
    box = thumb.bounding_box()
    value, least, most = (
        float(thumb.evaluate(f"one => one.{key}")) for key in ("value", "min", "max")
    )
    y = box["y"] + box["height"] / 2

    def place(part: float) -> float:
        return box["x"] + THUMB + part * (box["width"] - 2 * THUMB)

    shown.pull((place((value - least) / (most - least)), y), (place(share), y))


# The waterfall


def wanted_bars(data: dict, seed: int, baseline: int) -> list[str]:
    """Return the numbers beside the bars, from the baseline's answer to the patient's."""
    one = data["networks"][seed]
    shares = np.array(one["shares"][baseline])
    order = np.argsort(-np.abs(shares), kind="stable")
    top, rest = shares[order[:10]], shares[order[10:]].sum()
    return [f"{value:+.2f}" for value in [one["starts"][baseline], *top, rest, one["end"]]]


def check_bars(shown: Shown, seed: int, baseline: int) -> None:
    """Compare the numbers beside the bars, and the words below, with the data."""
    values = texts(shown.box.locator("text.value"))
    assert values == wanted_bars(shown.data, seed, baseline)
    said, sum_ = read(shown).inner_text(), sum(shown.data["networks"][seed]["shares"][baseline])
    assert said.startswith(f"Seed {seed}, {shown.data['baselines'][baseline]}: ")
    assert said.endswith(f" add up to {sum_:+.2f}.")


@of("waterfall")
def test_the_waterfall_restacks_and_its_end_stays(shown: Shown) -> None:
    goal = shown.box.locator(".goal")
    place = goal.get_attribute("x1")
    for baseline, name in enumerate(shown.data["baselines"]):
        shown.box.get_by_label(name, exact=True).check()
        check_bars(shown, 0, baseline)
        assert goal.get_attribute("x1") == place


@of("waterfall")
def test_the_waterfall_goes_by_keys(shown: Shown) -> None:
    shown.box.get_by_label(shown.data["baselines"][0], exact=True).focus()
    press(shown, "ArrowDown", "ArrowDown")
    check_bars(shown, 0, 2)
    press(shown, "Tab", "ArrowRight", "ArrowRight", "ArrowRight")
    check_bars(shown, 3, 2)
    said = shown.box.locator("[aria-live=polite]")
    expect(said).to_contain_text(f"Seed 3, {shown.data['baselines'][2]}")


@of("waterfall")
def test_each_bar_begins_where_the_last_one_ended(shown: Shown) -> None:
    bars = shown.box.locator("rect").evaluate_all(
        "all => all.map(one => [one.x.baseVal.value, one.width.baseVal.value])"
    )
    start, *steps, end = bars
    here = start[0] + start[1] / 2
    shares = np.array(shown.data["networks"][0]["shares"][0])
    signs = np.sign(shares[np.argsort(-np.abs(shares), kind="stable")][:10]).tolist()
    for (left, width), sign in zip(steps, [*signs, 1], strict=True):  # the rest is positive
        assert (left if sign > 0 else left + width) == pytest.approx(here, abs=0.01)
        here = left + width if sign > 0 else left
    assert here == pytest.approx(end[0] + end[1] / 2, abs=0.01)


# Merging by K


def check_merge(shown: Shown, k: int, training: int) -> None:
    """Compare words and picture with the data for one K."""
    one = shown.data["trainings"][training]
    said = read(shown).inner_text()
    assert said.startswith(f"Seed {training}, {one['regions']} regions, K = {k}: ")
    assert f"Held-out loss {one['loss'][k - 1]:.4f}, " in said
    assert f" on {one['same side'][k - 1]:.1%} of the test rows." in said
    gap = f"{one['gap'][k - 1]:.4f} ± {one['error'][k - 1]:.4f} above the least"
    assert (gap in said) == (k != one["best"])
    map_, chart = shown.box.locator("svg").all()
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
def test_merging_goes_by_mouse(shown: Shown) -> None:
    check_merge(shown, 10, 0)
    ring = shown.box.locator(".here")
    places = [ring.get_attribute("cx")]
    for share, k in ((1.0, 20), (0.0, 1), (5 / 19, 6)):
        slide(shown, share)
        check_merge(shown, k, 0) if k > 1 else expect(read(shown)).to_contain_text("one cluster.")
        places.append(ring.get_attribute("cx"))
    assert len(set(places)) == 4


@of("merging")
def test_merging_goes_by_keys(shown: Shown) -> None:
    slider(shown).focus()
    press(shown, "ArrowLeft", "ArrowLeft", "ArrowLeft")
    check_merge(shown, 7, 0)
    said = shown.box.locator("[aria-live=polite]")
    expect(said).to_contain_text("K = 7: seven clusters. Held-out loss")
    press(shown, "Tab", "Space")
    expect(shown.box.locator("image")).to_be_visible()
    press(shown, "Tab", "Enter")
    check_merge(shown, 7, 1)
    press(shown, "Enter")
    check_merge(shown, 7, 2)
    press(shown, "Enter")
    check_merge(shown, 7, 0)


# P-values


def check_tests(shown: Shown, n: int, kind: str, draw: int) -> None:
    """Compare words and bars with the data for one draw."""
    one = shown.data["trainings"][str(n)][kind]
    words, size = one["words"].split(" "), shown.data["draw"]
    own, every = "".join(words[draw * size : (draw + 1) * size]), "".join(words)
    said = read(shown).inner_text()
    assert said.startswith(f"{n} iterations, tested on ")
    assert ("fresh rows." in said) == (kind == "honest")
    assert f"in draw {draw + 1}, {size} networks: " in said
    assert f"{own.count('a')} of {len(own)} tests, {own.count('a') / len(own):.1%}. " in said
    assert f"{every.count('a')} of {len(every):,}, {every.count('a') / len(every):.1%} ± " in said
    assert f" ± {one['error']:.1%}." in said
    shares = np.array([own.count(letter) for letter in ascii_lowercase[:20]]) / len(own)
    tops, heights = (
        shown.box.locator("svg")
        .first.locator("rect")
        .evaluate_all("all => ['y', 'height'].map(key => all.map(one => +one.getAttribute(key)))")
    )
    assert np.array(heights) / sum(heights) == pytest.approx(shares)
    assert min(tops) > 40  # below the title


@of("p-values")
def test_p_values_go_by_mouse(shown: Shown) -> None:
    check_tests(shown, 25, "naive", 0)
    slide(shown, 1.0)
    check_tests(shown, 200, "naive", 0)
    slide(shown, 0.0)
    check_tests(shown, 10, "naive", 0)
    shown.box.get_by_label("fresh rows").check()
    check_tests(shown, 10, "honest", 0)
    again = shown.box.get_by_role("button", name="Draw again")
    for draw in (*range(1, 10), 0):
        again.click()
        check_tests(shown, 10, "honest", draw)


@of("p-values")
def test_p_values_go_by_keys(shown: Shown) -> None:
    slider(shown).focus()
    assert slider(shown).get_attribute("aria-valuetext") == "25 iterations"
    press(shown, "ArrowRight")
    check_tests(shown, 50, "naive", 0)
    press(shown, "Tab", "ArrowDown")
    check_tests(shown, 50, "honest", 0)
    press(shown, "Tab", "Enter", "Enter")
    check_tests(shown, 50, "honest", 2)
    said = shown.box.locator("[aria-live=polite]")
    expect(said).to_contain_text("50 iterations, tested on fresh rows. Share below 0.05 in draw 3")


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
    with (
        pytest.raises(AssertionError),
        opened(browser, f"{base}{PAGES[name]}.html", name, (name, *fault)) as one,
    ):
        CHECKS[name](one)
