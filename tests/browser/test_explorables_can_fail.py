"""The checks of the explorables notice a script that computes, moves or says the wrong thing."""

from __future__ import annotations

import pytest
from driving import CHECKS, check_numbers, explorables, opened
from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

# explorable, script, a piece of it, and what stands there instead
WRONG = [
    ("regions-toy", "networks", "+(one >= 0)", "+(one >= 0.2)"),
    ("regions-toy", "networks", "if (z[i] >= 0) parts[1]", "if (z[i] > 0) parts[1]"),
    ("regions-toy", "networks", "sum + biases[layer][i] : sum", "sum : sum"),
    ("regions-toy", "kit", "const FASTER = 10", "const FASTER = 5"),
    ("regions-toy", "regions-toy", "? bias : old", "? old : old"),
    ("walk-to-facet", "walk-to-facet", "far < end.far", "far > end.far"),
    ("walk-to-facet", "walk-to-facet", "1 - next[end.l][end.i]", "next[end.l][end.i]"),
    ("walk-to-facet", "walk-to-facet", "find(row).rows += 1", "find(row).rows += 2"),
    ("walk-to-facet", "walk-to-facet", "one.rows >= least", "one.rows > least"),
    ("walk-to-facet", "kit", "((v % 360) + 360) % 360", "Math.min(360, Math.max(0, v))"),
    ("question-cube", "question-cube", "one / edge)", "one)"),
    ("question-cube", "question-cube", "up - 1 : up) /", "up : up + 1) /"),
    ("question-cube", "question-cube", 'shown ? null : "hidden"', "null"),
    ("question-cube", "question-cube", "indexOf(Math.min", "indexOf(Math.max"),
]
WRONG_NUMBERS = [
    ("=== 0 ? kept", "=== 7 ? kept"),
    ('padStart(2, "0")', 'padStart(1, "0")'),
    ("power >= -4", "power >= -6"),
]


@pytest.mark.parametrize(("name", "script", "right", "wrong"), WRONG)
def test_a_wrong_script_is_noticed(
    name: str, script: str, right: str, wrong: str, browser: Browser, base: str
) -> None:
    address = f"{base}{dict(explorables())[name]}.html"
    with (
        pytest.raises(AssertionError),
        opened(browser, address, name, (script, right, wrong)) as shown,
    ):
        CHECKS[name](shown)


@pytest.mark.parametrize(("right", "wrong"), WRONG_NUMBERS)
def test_a_wrong_format_is_noticed(right: str, wrong: str, browser: Browser, base: str) -> None:
    name, page = explorables()[0]
    with (
        pytest.raises(AssertionError),
        opened(browser, f"{base}{page}.html", name, ("kit", right, wrong)) as shown,
    ):
        check_numbers(shown)
