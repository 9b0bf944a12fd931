"""Errata: the list of the book is sound, and the pages and the change log say what it says."""

from __future__ import annotations

import pytest
from small_book import ROOT

from tools.chapters import BOOK
from tools.edition import edition_of
from tools.errata import BETWEEN, EMPTY, NONE, SOURCE, Erratum, changelog, read, show

ERRATUM = Erratum("v0.1", "part/slug", "a < b", "b < a", "One point more.")


def test_the_change_log_says_what_the_list_says():
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert BETWEEN.findall(text) == [changelog(read(ROOT))], "run `python -m tools.errata`"


def test_errata_of_this_edition_are_of_pages_that_there_are():
    now = edition_of(ROOT)
    assert {erratum.page for erratum in read(ROOT) if erratum.edition == now} <= set(BOOK.toc)


def test_every_page_has_one_place_for_its_errata(course):
    for page in ("intro", "errata", "part/small-chapter"):
        text = (course / f"_build/html/{page}.html").read_text("utf-8")
        assert len(BETWEEN.findall(text)) == 1, page
    assert NONE in (course / "_build/html/errata.html").read_text("utf-8")
    assert EMPTY in (course / "_build/html/part/small-chapter.html").read_text("utf-8")


def test_an_erratum_is_shown_on_its_page_and_in_the_list_of_its_edition(tmp_path):
    pages = {name: tmp_path / f"{name}.html" for name in ("part/slug", "part/other", "errata")}
    for path in pages.values():
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"<p>before</p>{EMPTY}<p>after</p>")
    for _ in range(2):
        show(tmp_path, "v0.1", [ERRATUM])
        text = pages["part/slug"].read_text()
        assert text.count("a &lt; b") == 1
        assert text.startswith("<p>before</p>")
        assert text.endswith("<p>after</p>")
        assert 'href="part/slug.html"' in pages["errata"].read_text()
        assert EMPTY in pages["part/other"].read_text()
    show(tmp_path, "v0.2", [ERRATUM])
    assert EMPTY in pages["part/slug"].read_text()
    assert NONE in pages["errata"].read_text()


def test_the_change_log_names_edition_and_page():
    assert "- v0.1, `part/slug`: it says: a < b Right is: b < a" in changelog([ERRATUM])


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{edition: v0.1}", "must have the keys edition, page, wrong, right, classes"),
        ("{edition: 0.1, page: p, wrong: w, right: r, classes: c}", "names no edition: 0.1"),
        ("a", "entry 1 must have the keys"),
    ],
)
def test_a_list_that_is_wrong_is_an_error(tmp_path, entry, message):
    (tmp_path / SOURCE).parent.mkdir()
    (tmp_path / SOURCE).write_text(f"- {entry}\n")
    with pytest.raises(ValueError, match=message):
        read(tmp_path)
