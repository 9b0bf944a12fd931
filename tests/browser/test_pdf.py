"""The book as one PDF: names that are unique, links that lead on, an outline."""

from __future__ import annotations

import re

import pytest
from bs4 import BeautifulSoup
from visits import HTML, chapters

from tools import pdf

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def two() -> list[str]:
    """Return two chapters that stand side by side."""
    return chapters()[:2]


def document(pages: list[str], solutions: bool = False) -> BeautifulSoup:
    return BeautifulSoup(pdf.whole_book(HTML, pages, solutions), "html.parser")


def test_every_link_inside_has_its_target(two) -> None:
    soup = document(two)
    names = [one["id"] for one in soup.select("[id]")]
    assert len(names) == len(set(names))
    inside = {one["href"][1:] for one in soup.select("a[href^='#']")}
    assert inside
    assert inside <= set(names)


def test_pictures_and_sheets_are_found(two) -> None:
    soup = document(two)
    addresses = [one["src"] for one in soup.select("[src]")]
    addresses += [one["href"] for one in soup.select("link")]
    assert addresses
    lost = [a for a in addresses if not (HTML.parent / a.partition("?")[0]).is_file()]
    assert not lost


def test_links_to_pages_that_are_not_printed_are_not_dead(two) -> None:
    links = [one["href"] for one in document(two).select("a[href]")]
    outside = [link for link in links if link.endswith(".html") and "://" not in link]
    assert outside
    assert all((HTML.parent / link).is_file() for link in outside)


@pytest.mark.parametrize("solutions", [False, True])
def test_solutions_are_printed_where_asked(solutions, two) -> None:
    found = document(two, solutions).select("details.solution")
    assert found
    assert all(one.has_attr("open") is solutions for one in found)


def test_the_pdf_has_an_outline_and_pages(two, page, tmp_path) -> None:
    path = HTML.parent / "two.html"
    path.write_text(pdf.whole_book(HTML, two, False), "utf-8")
    pdf.print_pdf(page, path, tmp_path / "two.pdf")
    path.unlink()
    made = (tmp_path / "two.pdf").read_bytes()
    assert b"/Outlines" in made
    assert len(re.findall(rb"/Type\s*/Page\b", made)) > len(two)
    assert [one.name for one in tmp_path.iterdir()] == ["two.pdf"]
