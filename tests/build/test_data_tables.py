"""Tables that pandas prints become tables of the book."""

from __future__ import annotations

import numpy as np
import pandas as pd
from docutils import nodes
from extensions import extension

data_tables = extension("data_tables")


def rows(table: nodes.table, part: type[nodes.Element]) -> list[list[str]]:
    """Return the texts of a table's head or body."""
    return [[cell.astext() for cell in row] for row in next(table.findall(part)).children]


def test_values_and_names_stay_where_they_are():
    frame = pd.DataFrame({"a": [1, np.nan], "b": ["x < y", None]}, index=["one", "two"])
    table = data_tables.to_table(frame.to_html())
    assert rows(table, nodes.thead) == [["", "a", "b"]]
    assert rows(table, nodes.tbody) == [["one", "1.0", "x < y"], ["two", "-", "-"]]
    stubs = [spec.get("stub", 0) for spec in table.findall(nodes.colspec)]
    assert stubs == [1, 0, 0]


def test_the_name_of_the_index_takes_no_row():
    frame = pd.DataFrame({"a": [1]}, index=pd.Index([5], name="K"))
    assert rows(data_tables.to_table(frame.to_html()), nodes.thead) == [["K", "a"]]


def test_heads_of_two_levels_stay_two():
    columns = pd.MultiIndex.from_product([["left", "right"], ["a", "b"]])
    table = data_tables.to_table(pd.DataFrame(np.eye(2, 4), columns=columns).to_html())
    assert rows(table, nodes.thead) == [["", "left", "right"], ["", "a", "b", "a", "b"]]
    spans = [cell.get("morecols") for cell in table.findall(nodes.entry)][:3]
    assert spans == [None, 1, 1]


def test_a_name_for_several_rows_stands_in_each():
    index = pd.MultiIndex.from_product([["K = 2"], ["x", "y"], [0, 1]])
    table = data_tables.to_table(pd.DataFrame({"a": [1, 2, 3, 4]}, index=index).to_html())
    names = [["K = 2", "x", "0"], ["K = 2", "x", "1"], ["K = 2", "y", "0"], ["K = 2", "y", "1"]]
    assert rows(table, nodes.tbody) == [[*name, str(i + 1)] for i, name in enumerate(names)]
    assert not any("morerows" in cell for cell in table.findall(nodes.entry))


def test_an_error_stays_with_its_value():
    table = data_tables.to_table(pd.DataFrame({"a": ["1.0 ± 0.1"]}).to_html())
    assert rows(table, nodes.tbody) == [["0", "1.0\u00a0±\u00a00.1"]]


def test_the_ends_of_a_range_stay_together():
    table = data_tables.to_table(pd.DataFrame({"change": ["0.5 (-0.2 to 1.1)"]}).to_html())
    assert "(-0.2\u00a0to\u00a01.1)" in table.astext()


def test_words_begin_at_the_left_and_numbers_end_at_the_right():
    frame = pd.DataFrame(
        {
            "word": ["yes", None],
            "rule": ["x > 3", "y < 2"],
            "text": ["784 inputs, Fashion-MNIST", "two inputs"],
            "value": ["-0.5", "none"],
            "range": ["[0, 1]", "3 of 4"],
            "limit": ["below 1e-6", "above 3"],
            "nothing": [None, np.nan],
        },
        index=["one", "two"],
    )
    table = data_tables.to_table(frame.to_html())
    marked = [["text-left" in cell["classes"] for cell in row] for row in table.findall(nodes.row)]
    assert marked == [[*[True] * 4, *[False] * 4]] * 3


def test_other_html_is_left_alone():
    assert data_tables.to_table("<p>No table.</p>") is None


def test_scopes():
    html = '<th class="head stub"><p>K</p></th><th class="stub"><p>1</p></th>'
    context = {"body": html}
    data_tables.add_scopes(None, "page", "page.html", context, None)
    assert context["body"].count('scope="col"') == context["body"].count('scope="row"') == 1
