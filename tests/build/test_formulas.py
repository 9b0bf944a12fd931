"""Punctuation behind a formula stays with it, and no letter is lost."""

from __future__ import annotations

import importlib.util

import pytest
from docutils import nodes
from docutils.utils import new_document

from tools.chapters import BOOK

SPEC = importlib.util.spec_from_file_location("formulas", BOOK.source / "_ext/formulas.py")
formulas = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(formulas)


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
