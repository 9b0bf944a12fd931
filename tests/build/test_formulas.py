"""Punctuation behind a formula stays with it, and no letter is lost."""

from __future__ import annotations

import pytest
from docutils import nodes
from docutils.utils import new_document
from extensions import extension

formulas = extension("formulas")


@pytest.mark.parametrize(
    ("after", "tied"), [(". Then", ["x."]), (").", ["x)."]), (" and", []), ("", [])]
)
def test_ties(after: str, tied: list[str]) -> None:
    document = new_document("page")
    document += nodes.paragraph("", "", nodes.Text("So "), nodes.math("", "x"), nodes.Text(after))
    formulas.keep_together(None, document, "page")
    assert document.astext() == f"So x{after}"
    found = [one.astext() for one in document.findall(nodes.inline) if "tied" in one["classes"]]
    assert found == tied


def test_equal_commas_stay_each_with_its_own_formula() -> None:
    """The text between two formulas is the same as the text before them."""
    parts = [("x", ", "), ("y", ", "), ("z", ", and ")]
    paragraph = nodes.paragraph("", "", nodes.Text(", "))
    for formula, after in parts:
        paragraph += [nodes.math("", formula), nodes.Text(after)]
    document = new_document("page")
    document += paragraph
    formulas.keep_together(None, document, "page")
    assert document.astext() == ", x, y, z, and "
    assert [one.astext() for one in paragraph] == [", ", "x,", " ", "y,", " ", "z,", " and "]
