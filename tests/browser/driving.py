"""Open an explorable, drive it by mouse and keys, and compare what it says with Python.

Each check is a function of an open picture that asserts, so that `test_explorables_can_fail.py` can
give it a picture whose script is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Locator, Page, expect
from scipy.special import softmax
from visits import HTML, ROOT, settle, watched

from xai_course import data
from xai_course.book import load_model
from xai_course.book.explorables import regions_toy
from xai_course.networks import PiecewiseLinearNetwork

MINUS = "\N{MINUS SIGN}"
IN_A_CELL = re.compile(r'explorable\(\s*"([a-z-]+)"')
BY_DIRECTIVE = re.compile(r"^```\{explorable\} ([a-z-]+)$", re.MULTILINE)
FORMATS = [".0f", ".1f", ".2f", "+.3f", ",.0f", ",.2f", ".1e", ".0e", ".1g", ".3g", ".0%", ".1%"]
NUMBERS = [
    0,
    1,
    0.5,
    1.5,
    2.5,
    -2.5,
    8.5,
    9.5,
    0.125,
    0.375,
    -0.125,
    0.05,
    1e-5,
    123456.789,
    -1e-9,
    1e15,
]


def explorables() -> list[tuple[str, str]]:
    """Return the name and the page of each explorable in the book's sources."""
    found = []
    for path in sorted((ROOT / "book").rglob("*.md")):
        text = path.read_text("utf-8")
        page = path.relative_to(ROOT / "book").with_suffix("").as_posix()
        found += [(one, page) for one in IN_A_CELL.findall(text) + BY_DIRECTIVE.findall(text)]
    return found


@dataclass
class Shown:
    """An explorable on its page."""

    page: Page
    box: Locator
    problems: list[str] = field(default_factory=list)

    @property
    def data(self) -> dict[str, Any]:
        """What Python wrote into the page."""
        return json.loads(self.box.locator(":scope > script").inner_text())

    def said(self, name: str) -> str:
        """Return the words of one part of what is written below the picture."""
        return self.box.locator(f'.live [data-name="{name}"]').inner_text()

    def handle(self, label: str) -> Locator:
        return self.box.get_by_role("slider", name=label, exact=True)

    def place(self, label: str) -> list[float]:
        """Return where a handle is, in the data's units: one number for each way it moves."""
        place = json.loads(self.handle(label).get_attribute("data-at"))
        return [one for one in place if one is not None]

    def press(self, label: str, *keys: str) -> None:
        """Give a handle the focus, and press keys."""
        self.handle(label).focus()
        for key in keys:
            self.page.keyboard.press(key)

    def drag(self, label: str, right: float, down: float) -> None:
        """Drag a handle by some pixels."""
        handle = self.handle(label)
        handle.scroll_into_view_if_needed()
        box = handle.locator(".ring").bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.pull((x, y), (x + right, y + down))

    def pull(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Press the mouse at one place of the window, and let it go at another."""
        self.page.mouse.move(*start)
        self.page.mouse.down()
        self.page.mouse.move(*end, steps=4)
        self.page.mouse.up()


@contextmanager
def opened(
    browser: Browser,
    address: str,
    name: str,
    spoil: tuple[str, str, str] | None = None,
    **options: Any,
) -> Iterator[Shown]:
    """Open the page of an explorable, and afterwards ask for what failed on it.

    Parameters
    ----------
    spoil : tuple of str, optional
        A script's name, a piece of it and what stands there instead.
    options
        Of the browser's context.
    """
    with watched(browser, **options) as watch:
        page = watch.context.new_page()
        shown = Shown(page, page.locator(f'[data-explorable="{name}"]'))
        page.on("pageerror", lambda error: shown.problems.append(str(error)))
        page.on("console", lambda m: shown.problems.append(m.text) if m.type == "error" else None)
        if spoil:
            _replace(page, *spoil)
        page.goto(address)
        if options.get("java_script_enabled", True):
            settle(page)
        yield shown
    assert not shown.problems
    assert not watch.blocked


def _replace(page: Page, script: str, right: str, wrong: str) -> None:
    """Give a page a script with one piece changed."""
    text = (HTML / "_static" / "explorables" / f"{script}.js").read_text("utf-8")
    if text.count(right) != 1:  # no AssertionError, which a test of a wrong script waits for
        raise ValueError(f"{right!r} does not stand once in {script}.js")
    answer = {"body": text.replace(right, wrong), "content_type": "text/javascript"}
    page.route(f"**/{script}.js*", lambda route: route.fulfill(**answer))


# --- the kit --------------------------------------------------------------------------------------


def check_numbers(shown: Shown) -> None:
    """Numbers are written as Python writes them."""
    rng = np.random.default_rng(0)
    many = rng.normal(size=200) * 10.0 ** rng.integers(-8, 8, 200)
    numbers = [
        *NUMBERS,
        *(rng.integers(-800, 800, 100) / 16),
        *many,
    ]  # sixteenths: many exact halves
    numbers = [float(one) for one in numbers]
    script = "([xs, specs]) => xs.map(x => specs.map(spec => xaiExplorables.format(x, spec)))"
    written = shown.page.evaluate(script, [numbers, FORMATS])
    wanted = [[format(x, spec) for spec in FORMATS] for x in numbers]
    assert written == wanted


# --- the toy network ------------------------------------------------------------------------------

INPUT = "Input of the network"


def _areas(shown: Shown) -> np.ndarray:
    """Return the areas of the regions that are drawn, in units of the input."""
    outline = "all => all.map(one => one.getAttribute('d'))"
    areas = []
    for path in shown.box.locator(".region").evaluate_all(outline):
        corners = np.array(re.findall(r"[-\d.]+", path), dtype=float).reshape(-1, 2) / 138
        x, y = (corners - corners[0]).T
        areas.append(abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) / 2)
    return np.sort(areas)


def _check_toy(shown: Shown, toy: PiecewiseLinearNetwork) -> None:
    """Compare words and picture with the library at the place where the handle is."""
    x = np.array(shown.place(INPUT))
    pattern = toy.activation_pattern(x[None])[0]
    coef, intercept = toy.local_linear_models(pattern[None])
    (a, b), c = coef[0, 0], intercept[0, 0]
    regions = toy.enumerate_regions(regions_toy.BOX)
    read = shown.box.locator(".read").inner_text()
    first, second = (", ".join(map(str, part)) for part in (pattern[:2], pattern[2:]))
    assert f"Pattern ({first}; {second}), one of {len(regions)} regions." in read

    def term(value: float) -> str:
        return f"{MINUS if value < 0 else '+'} {abs(value):.3f}"

    start = f"{MINUS if a < 0 else ''}{abs(a):.3f}"
    value = toy.forward(x[None])[0, 0]
    assert f"f = {start} x₁ {term(b)} x₂ {term(c)}; here f = {value:.3f}." in read
    is_trivial = not (pattern[:2].any() and pattern[2:].any())
    assert ("trivial" in read) == is_trivial
    assert shown.box.locator(".neuron.on").count() == pattern.sum()
    home = shown.box.locator(".region.home")
    expect(home).to_have_count(1)
    np.testing.assert_allclose(_areas(shown), np.sort(regions.volumes), atol=2e-3)


def check_toy(shown: Shown) -> None:
    """Drive the point and the biases."""
    toy = regions_toy.network()
    assert shown.place(INPUT) == [0.2, 0.4]
    _check_toy(shown, toy)
    for keys, place in [
        (["ArrowRight", "Shift+ArrowUp"], [0.22, 0.6]),
        (["Home", "ArrowDown"], [-1.0, 0.58]),
        (["End", "PageDown", "ArrowLeft"], [0.98, -1.0]),
        (["PageUp", "Shift+ArrowLeft"], [0.78, 1.0]),
    ]:
        shown.press(INPUT, *keys)
        assert shown.place(INPUT) == place
        _check_toy(shown, toy)
    for right, down in [(-80, 40), (-90, 90), (30, 60)]:
        before = shown.place(INPUT)
        shown.drag(INPUT, right, down)
        moved = np.subtract(shown.place(INPUT), before)
        assert moved[0] * right > 0 > moved[1] * down
        _check_toy(shown, toy)
    expect(shown.box.locator("[aria-live]")).to_contain_text("Pattern (")
    bias = shown.handle("Bias")
    for value in (0.05, -0.6, 0.3):
        bias.fill(str(value))
        _check_toy(shown, regions_toy.network(value))
    shown.box.get_by_label("neuron 6 alone").check()
    biases = [toy.biases[0], [-0.3, -0.3, -0.3, 0.3], toy.biases[2]]
    _check_toy(shown, PiecewiseLinearNetwork(toy.weights, biases))


# --- the walk to a facet --------------------------------------------------------------------------

ROW, DIRECTION = "The row", "Direction of the walk"


@cache
def circles() -> tuple[PiecewiseLinearNetwork, np.ndarray, Any, np.ndarray]:
    """Return the network, its training rows, its regions, and the rows of each."""
    network, rows = load_model("co_circles").network, data.co_circles().split()[0]
    regions = network.enumerate_regions([[-1.5, 1.5]] * 2)
    return network, rows, regions, np.bincount(regions.locate(rows), minlength=len(regions))


def _check_walk(shown: Shown) -> None:
    """Compare with the half-spaces of the library's region."""
    network, _, regions, counts = circles()
    x, angle = np.array(shown.place(ROW)), np.deg2rad(shown.place(DIRECTION)[0])
    u = np.array([np.cos(angle), np.sin(angle)])
    pattern = network.activation_pattern(x[None])[0]
    region = network.region(pattern)
    speed = region.A @ u
    far = np.min((region.b - region.A @ x)[speed > 0] / speed[speed > 0])
    behind = network.activation_pattern((x + (far + 1e-7) * u)[None])[0]
    (neuron,) = np.flatnonzero(behind != pattern)
    layer, number = divmod(neuron, 40)
    turns = "on" if behind[neuron] else "off"
    words = f"neuron {number + 1} of layer {layer + 1} turns {turns}."
    assert shown.said("verdict").startswith(f"The region ends after {far:.4f}: {words}")
    coef, _ = network.local_linear_models(np.array([pattern, behind]))
    places = x, x + (far + 1e-7) * u
    for side, slope, point in zip(("before", "after"), coef[:, 0] @ u, places, strict=True):
        assert shown.said(f"slope-{side}") == f"{slope:+.3f}"
        assert shown.said(f"rows-{side}") == str(counts[regions.locate(point[None])[0]])


def check_walk(shown: Shown) -> None:
    """Drive the row and the direction; step over a border; ask for many rows."""
    _, rows, regions, counts = circles()
    np.testing.assert_allclose(shown.place(ROW), rows[0], atol=1e-7)
    _check_walk(shown)
    for keys in (["ArrowRight"], ["ArrowUp", "ArrowUp"], ["Shift+ArrowLeft"], ["Home"]):
        shown.press(DIRECTION, *keys)
        _check_walk(shown)
    shown.press(DIRECTION, "ArrowLeft")
    assert shown.place(DIRECTION) == [357]  # round and round
    for keys in (["ArrowLeft"], ["ArrowDown", "Shift+ArrowRight"], ["Shift+ArrowRight"] * 3):
        shown.press(ROW, *keys)
        _check_walk(shown)
    for right, down in [(25, -30), (60, 35)]:
        shown.drag(ROW, right, down)
        _check_walk(shown)
    shown.drag(DIRECTION, -130, 70)
    assert 180 < shown.place(DIRECTION)[0] < 270
    _check_walk(shown)
    slope = shown.said("slope-after")
    shown.box.get_by_role("button", name="Step over the border").click()
    _check_walk(shown)
    assert shown.said("slope-before") == slope
    drawn = shown.box.locator("svg").first.locator("path.rows")
    polygons = "one => one.getAttribute('d').split('Z').length - 1"
    assert drawn.evaluate(polygons) == (counts > 0).sum()
    shown.box.get_by_label("colour only regions").check()
    shown.handle("training rows:").fill("10")
    assert drawn.evaluate(polygons) == (counts >= 10).sum()
    named = ["none", "tests", "rows"]
    svg = shown.box.locator("svg").first
    assert sum(svg.locator(f"path.{one}").evaluate(polygons) for one in named) == len(regions)


# --- the cube of questions ------------------------------------------------------------------------

EDGE = "Edge of the cube"


def _check_cube(shown: Shown, row: int, draw: int, digits: int | None) -> None:
    """Recover the model as the page *A model behind a counter* does, and compare."""
    network = circles()[0]
    x, offsets = np.array(shown.data["rows"][row]), np.array(shown.data["offsets"][draw])
    edge = 2.0 ** shown.place(EDGE)[0]
    logits = network.forward(np.vstack([x, x + edge * offsets]))
    P = softmax(np.column_stack([np.zeros(4), logits]), axis=1)
    P = P if digits is None else P.round(digits)
    verdict = shown.said("verdict")
    if (P == 0).any():
        assert verdict == "An answer rounds to zero: there is no equation."
        return
    ratios = np.log(P[:, 1]) - np.log(P[:, 0])
    rises = ratios[1:] - ratios[0]
    slopes = np.linalg.solve(offsets[:2], rises[:2])
    miss = abs(offsets[2] @ slopes - rises[2])
    by, agree = (f"{miss:.1e}", "do not agree") if miss >= 1e-9 else ("less than 1e-09", "agree")
    assert verdict.startswith(f"The last answer misses the line by {by}: the answers {agree}.")
    assert verdict.endswith("They all round to the same number.") == (not rises[:2].any())
    first, second = slopes / edge
    assert shown.said("found") == f"Recovered slopes: {first:+.3f} and {second:+.3f}."
    if shown.box.get_by_label("show what the service hides").is_checked():
        hidden = network.local_linear_models(network.activation_pattern(x[None]))[0][0, 0]
        error = np.abs(slopes / edge - hidden).max() / np.abs(hidden).max()
        words = f"Hidden slopes: {hidden[0]:+.3f} and {hidden[1]:+.3f}."
        if error > 1e-6:  # below, the two ways of rounding weights and sums differ
            words += f" Error: {error:.1e} of the largest."
        assert shown.said("secret").startswith(words)
    else:
        assert shown.said("secret") == ""
    for hidden in shown.box.locator(".borders, .line.hidden, .line.error").all():
        expect(hidden).to_be_visible(visible=shown.said("secret") != "")


def check_cube(shown: Shown) -> None:
    """Drive the edge, the row, the digits and the questions."""
    assert shown.place(EDGE)[0] == 0
    _check_cube(shown, 0, 0, None)
    shown.box.get_by_label("show what the service hides").check()
    for keys in (["ArrowLeft"], ["ArrowLeft"] * 3, ["Shift+ArrowLeft"], ["ArrowRight"] * 9):
        shown.press(EDGE, *keys)
        _check_cube(shown, 0, 0, None)
    shown.drag(EDGE, 20, -10)
    _check_cube(shown, 0, 0, None)
    shown.box.get_by_role("button", name="Other questions").click()
    _check_cube(shown, 0, 1, None)
    shown.handle("Row").fill("40")
    _check_cube(shown, 40, 1, None)
    shown.box.locator("svg").first.scroll_into_view_if_needed()
    dot = shown.box.locator("circle.row").nth(7).bounding_box()
    shown.page.mouse.click(dot["x"] + dot["width"] / 2, dot["y"] + dot["height"] / 2)
    assert shown.handle("Row").input_value() == "7"
    _check_cube(shown, 7, 1, None)
    shown.box.get_by_label("show what the service hides").uncheck()
    for digits in (8, 4, 2):
        shown.handle("The service rounds to").fill(str(digits))
        for keys in (["End"], ["ArrowLeft"] * 5, ["Shift+ArrowLeft"], ["Home"]):
            shown.press(EDGE, *keys)
            _check_cube(shown, 7, 1, digits)
    expect(shown.box.locator("[aria-live]")).to_contain_text("They all round to the same number.")


CHECKS = {"regions-toy": check_toy, "walk-to-facet": check_walk, "question-cube": check_cube}
