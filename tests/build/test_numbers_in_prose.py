"""In a sentence a minus sign is one, and a number keeps its unit; what may be copied stays."""

from __future__ import annotations

import pytest
from docutils import nodes
from docutils.utils import new_document
from extensions import extension

numbers = extension("numbers_in_prose")


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ("by -0.25 (-1 to -.5)", "by \u22120.25 (\u22121 to \u2212.5)"),
        ("9-10, x-3, 1e-06, 2020-01-05", "9-10, x-3, 1e-06, 2020-01-05"),
        ("well-known - and -so on", "well-known - and -so on"),
        ("12 % of 30 s, 4 MB", "12\u00a0% of 30\u00a0s, 4\u00a0MB"),
        ("1.2 percentage points", "1.2\u00a0percentage points"),
        ("3 sets, 5 more", "3 sets, 5 more"),
        ("0.8 ± 0.1", "0.8\u00a0±\u00a00.1"),
    ],
)
def test_text(text: str, mended: str) -> None:
    assert numbers.in_a_sentence(text) == mended


def page(*parts: nodes.Node) -> nodes.document:
    document = new_document("page")
    document += parts
    numbers.mend(None, document, "page")
    return document


def test_a_unit_stays_with_a_computed_number() -> None:
    """The number is a node of its own; the same words elsewhere stay as they are."""
    parts: list[nodes.Node] = [nodes.Text("it is"), nodes.Text(" % "), nodes.inline("", "-12")]
    sentence = nodes.paragraph("", "", *parts, nodes.Text(" % "), nodes.Text("of it"))
    assert page(sentence).astext() == "it is % \u221212\u00a0% of it"


def test_code_and_tables_stay_as_they_are_printed() -> None:
    code = nodes.paragraph("", "", nodes.literal("", "f(-1) "), nodes.math("", "-2 s"))
    entry = nodes.entry("", nodes.paragraph("", "-3 %"))
    body = nodes.tbody("", nodes.row("", entry))
    caption = nodes.title("", "From -5 to 5.")
    table = nodes.table("", caption, nodes.tgroup("", body, cols=1), classes=["dataframe"])
    printed = nodes.literal_block("", "-4 %")
    told = page(code, table, printed).astext().split("\n\n")
    assert told == ["f(-1) -2 s", "From \u22125 to 5.", "-3 %", "-4 %"]
