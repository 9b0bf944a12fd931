"""What kept cells lack once hidden cells are gone."""

from __future__ import annotations

import pytest
import small_book  # noqa: F401 (puts the repository on the path)

from tools.names import missing_names
from xai_course.book.names import names

KEPT, DROPPED = True, False


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([("a = 1", KEPT), ("print(a, len([a for a in range(3)]))", KEPT)], {}),
        ([("a = 1", DROPPED), ("print(a)", KEPT)], {1: {"a": 0}}),
        ([("print(a)", KEPT), ("a = 1", KEPT)], {0: {"a": None}}),
        # A function needs a name only when it is called.
        ([("def f():\n    return a", KEPT), ("a = 1", KEPT), ("f()", KEPT)], {}),
        ([("def f():\n    return a", KEPT), ("a = 1", DROPPED)], {0: {"a": None}}),
        ([("f = lambda: [a + i for i in (1, 2)]", KEPT)], {0: {"a": None}}),
        ([("class C:\n    x = a", KEPT)], {0: {"a": None}}),
        # A hidden cell that gives a name another value.
        ([("a = 1", KEPT), ("a += 1", DROPPED), ("print(a)", KEPT)], {2: {"a": 1}}),
        ([("a = 1", DROPPED), ("a = 2", KEPT), ("print(a)", KEPT)], {}),
        ([("a = 1", DROPPED), ("a = a + 1", KEPT)], {1: {"a": 0}}),
        ([("a = 1", DROPPED), ("print(a)", DROPPED)], {}),
        ([("a = = 1", KEPT), ("display(__name__)", KEPT)], {}),
    ],
)
def test_missing_names(cells, expected):
    assert missing_names(cells) == expected


def test_names():
    found = names("import a.b as c\nfrom d import e\nfor f in g: h, *i = f")
    assert found.bound == {"c", "e", "f", "h", "i"}
    assert found.read == {"g"}
