"""One browser for a module of tests, and the built book on a local address."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from visits import CHROMIUM_OPTIONS, HOW_TO_INSTALL, HTML, served, watched

from tools.pdf import chromium


def require(there: bool, how: str) -> None:
    """Skip without what a test needs; fail in CI."""
    if not there:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"BROWSER TESTS NOT RUN: {how}")


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    require(HTML.exists(), f"no {HTML.name}: run `make book`")
    with served(HTML) as address:
        yield address


# For a module, not a session: while it is open no other test could start an event loop.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = chromium()
    require(executable is not None, f"no Chromium: {HOW_TO_INSTALL}")
    with sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_OPTIONS)
        yield one
        one.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page, with no other test's cache."""
    with watched(browser) as watch:
        yield watch.context.new_page()
