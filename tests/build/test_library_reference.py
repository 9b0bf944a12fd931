"""The entries of the library say what the docstrings say, and link what they name."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from docutils import nodes
from docutils.utils import new_document
from extensions import extension
from sphinx.ext.napoleon import Config, NumpyDocstring

from tools import library

library_reference = extension("library_reference")
AREA = "xai_course.metrics.RemovalCurve.area"


def test_a_colon_in_the_first_line_of_a_property_begins_no_type() -> None:
    lines = ["The area under each curve: the mean output, shape (n_rows,)."]
    library_reference.link_chapters(None, "property", AREA, None, None, lines)
    read = NumpyDocstring(lines, Config(napoleon_use_rtype=False), what="property").lines()
    assert "The area under each curve: the mean output, shape (n_rows,)." in read
    assert not any("type" in line for line in read)


def test_a_docstring_links_a_name_that_the_page_has_linked_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A page links a name at its first use, each docstring on it as well."""
    monkeypatch.setattr(
        library_reference, "make_refnode", lambda *parts: nodes.reference("", "", parts[-1])
    )
    document = new_document("page")
    kinds = ([], [], [library_reference.NAME], [library_reference.NAME])
    document += [nodes.literal("", "RemovalCurve", classes=one) for one in kinds]
    names = library.Names({"xai_course.metrics.RemovalCurve": ("library/attribution", "a")})
    app = SimpleNamespace(builder=None)
    document.settings.env = SimpleNamespace(docname="page", library_names=names, app=app)
    library_reference.LinkNames(document).run()
    assert [isinstance(node, nodes.reference) for node in document] == [True, False, True, True]
