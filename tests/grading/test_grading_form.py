"""The page for the marker, used as a marker does."""

from __future__ import annotations

import os

import pytest
from classroom import ID, RIGHT, SLUG, handed_in, make_course, submit
from playwright.sync_api import sync_playwright

from tools.pdf import chromium
from xai_course.grading import marks, pages
from xai_course.grading.batch import grade_class
from xai_course.grading.sandbox import Limits

THREE = f"{ID}-3"


def test_points_are_typed_kept_saved_and_read(isolation, tmp_path):
    executable = chromium()
    if executable is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("there is no Chromium")
    course = make_course(tmp_path / "course")
    for name in ("ada", 'o\'neil "x"'):
        submit(course, name, handed_in(RIGHT, prose="Convexity, <b>of course</b>."))
    grade_class(course, [SLUG], limits=Limits())
    pages.write_all(course)
    page_file = course / "marking" / SLUG / f"{THREE}.html"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(page_file.as_uri())
        assert page.locator("article").count() == 2
        assert page.locator("article b").count() == 0  # what was handed in is text
        page.locator("article input").nth(0).fill("3.5")
        page.locator("article textarea").nth(0).fill('Say "why",\nplease.')
        for _ in range(20):  # a browser stores what it is given when it has time
            page.reload()
            if page.locator("article input").nth(0).input_value():
                break
            page.wait_for_timeout(250)
        assert page.locator("article input").nth(0).input_value() == "3.5"
        page.locator("article input").nth(1).fill("0")
        with page.expect_download() as download:
            page.get_by_role("button").click()
        download.value.save_as(page_file.with_suffix(".csv"))
        browser.close()
    read = marks.read_marking(course)
    assert read == {
        ("ada", THREE): (3.5, 'Say "why",\nplease.'),
        ('o\'neil "x"', THREE): (0.0, ""),
    }
    totals = {r["student"]: marks.total(r) for r in marks.read_records(course)}
    assert totals["ada"] == 9 + 3.5
