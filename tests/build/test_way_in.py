"""What the landing page, the finder, the heads of pages and the search's index are made of."""

from __future__ import annotations

import re

import pytest
from docutils import nodes
from extensions import extension
from sphinx.util.docutils import new_document

from tools import taxonomy
from tools.chapters import BOOK, slug_of

contents, finder = extension("contents"), extension("finder")
page_head, search_index = extension("page_head"), extension("search_index")


def test_every_wish_and_every_access_leads_somewhere() -> None:
    grid = finder.cells(BOOK)
    assert list(grid)[: len(taxonomy.ACCESS)] == list(taxonomy.ACCESS.values())
    for column in grid.values():
        assert list(column) == list(taxonomy.GIVES)
        assert any(column.values())
    for want in taxonomy.GIVES:
        assert any(column[want] for column in grid.values())


def test_every_chapter_stands_in_the_finder_where_its_entry_says() -> None:
    grid = finder.cells(BOOK)
    for name in map(slug_of, [chapter.name for chapter in BOOK.chapters]):
        place = taxonomy.read(BOOK.root)[name]
        found = {
            want
            for want, names in grid[taxonomy.ACCESS[place.access]].items()
            if name in map(slug_of, names)
        }
        assert found == set(place.gives)


def test_long_words_of_the_finder_break_at_a_syllable() -> None:
    titles = BOOK.short_titles
    for chapter in BOOK.chapters:
        for word in re.findall(r"\w{11,}", titles[chapter.name]):
            assert "\u00ad" in finder.breakable(word), f"{word}: add it to SYLLABLES"
    assert finder.breakable("Counterfactuals") == "Counter\u00adfactuals"


def test_all_chapters_stand_on_shelves_in_order() -> None:
    names = [chapter.name for shelf in BOOK.shelves.values() for chapter in shelf]
    assert names == [chapter.name for chapter in BOOK.chapters]
    assert max(map(len, BOOK.shelves.values())) <= 8


def test_counts_are_those_of_the_chapters() -> None:
    assert contents.COUNTS["chapters"](BOOK) == len(BOOK.chapters)
    n_exercises = sum(
        chapter.path.read_text("utf-8").count("{exercise-start}") for chapter in BOOK.chapters
    )
    assert contents.COUNTS["exercises"](BOOK) == n_exercises
    minutes = sum(round(chapter.minutes) for chapter in BOOK.chapters)
    assert contents.COUNTS["hours"](BOOK) == pytest.approx(minutes / 60, abs=1)


def document(*children: nodes.Node) -> nodes.document:
    made = new_document("page")
    made += nodes.section("", nodes.title(text="A page"), *children, ids=["a-page"])
    return made


def test_a_page_is_described_by_its_first_paragraph() -> None:
    box = nodes.admonition("", nodes.paragraph(text="At a glance."))
    page = document(box, nodes.paragraph(text="After this\nchapter."), nodes.paragraph(text="No."))
    assert page_head.description_of(page) == "After this chapter."


def test_the_tags_of_a_page_are_escaped() -> None:
    tags = page_head.tags("T", 'a "<b>"', "https://x.org/", "https://x.org/card.png")
    assert '<meta name="description" content="a &quot;&lt;b&gt;&quot;"/>' in tags
    assert '<meta property="og:image" content="https://x.org/card.png"/>' in tags


def test_the_index_holds_prose_only() -> None:
    printed = nodes.container("", nodes.paragraph(text="printed"), classes=["cell_output"])
    figure = nodes.figure("", nodes.image(uri="a.png"), nodes.caption(text="seen"))
    drawn = nodes.container("", figure, nodes.literal_block(text="array"), classes=["cell_output"])
    code = nodes.literal_block(text="import numpy")
    card = nodes.container("", nodes.paragraph(text="of a chapter"), classes=["shelf"])
    page = document(nodes.paragraph(text="words"), code, printed, drawn, card)
    kept = search_index.prose(page).astext()
    assert kept.split() == ["A", "page", "words", "seen"]
    assert "numpy" in page.astext()
