"""Tables that code prints become tables of the book: with a caption, a number, one row of heads.

pandas writes HTML of its own, which the book could neither number nor refer to. Here it becomes a
table like those of the text. The caption and the name stand in the cell's metadata, under
``table``, beside ``mystnb`` that holds those of pictures.
"""

from __future__ import annotations

import re
from typing import Any

from bs4 import BeautifulSoup, Tag
from docutils import nodes
from myst_nb.core.render import MimeData, NbElementRenderer
from sphinx.application import Sphinx

NOTHING = {"NaN", "nan", "None", "NaT", "<NA>"}  # what pandas prints where there is no value
TOGETHER = re.compile(r" ± |(?<=\d) to (?=-?\d)")  # an error and a range stay in one line
# A number may have a sign, a bracket or a currency before it, or stand for a limit.
A_NUMBER = re.compile(r"((below|above|about|at least|at most) )?[^\w]*\d")
A_WORD = re.compile(r"[^\W\d_]{3,}")  # a text may begin with a number: 784 inputs, Fashion-MNIST
HEADS = re.compile(r'<th class="(head|stub)')
Row = list[Tag]


def to_table(html: str) -> nodes.table | None:
    """Return the first table of some HTML as a table of the book; None if there is none."""
    found = BeautifulSoup(html, "html.parser").find("table")
    if found is None:
        return None
    heads, rows = _one_row_of_heads(_rows(found, "thead")), _rows(found, "tbody")
    n_columns = max(_n_cells(row) for row in heads + rows)
    rows = _in_full(rows, n_columns)
    # Names of rows are heads, too: a screen reader says them before each value.
    n_stubs = sum(cell.name == "th" for cell in rows[0]) if rows else 0
    group = nodes.tgroup(cols=n_columns)
    for column in range(n_columns):
        width = {"stub": 1} if column < n_stubs else {}
        group += nodes.colspec(colwidth=1, **width)
    if heads:
        group += nodes.thead("", *map(_row, heads))
    group += nodes.tbody("", *map(_row, rows))
    _begin_words_at_the_left(group, n_columns)
    return nodes.table("", group, classes=["dataframe"])


def _rows(table: Tag, part: str) -> list[Row]:
    return [row.find_all(["th", "td"]) for row in table.select(f"{part} tr")]


def _in_full(rows: list[Row], n_columns: int) -> list[Row]:
    """Write a name that stands for several rows into each of them.

    It is read aloud before each value, and on a telephone it stands beside it. Where a cell spans
    rows, docutils takes the first value of the next row for a head.
    """
    full: list[Row] = []
    for row in rows:
        n_missing = n_columns - _n_cells(row)
        full.append([*(full[-1][:n_missing] if full else []), *row])
    return full


def _n_cells(row: Row) -> int:
    return sum(_span(cell) for cell in row)


def _one_row_of_heads(heads: list[Row]) -> list[Row]:
    """Put the names of the index, for which pandas takes a row of their own, into the first row."""
    if len(heads) < 2 or any(_span(cell) > 1 for row in heads for cell in row):
        return heads
    *above, names = heads
    if any(_text(cell) for cell in names[_n_leading(names) :]) or len(names) != len(above[-1]):
        return heads
    merged = [name if _text(name) else cell for name, cell in zip(names, above[-1], strict=True)]
    return [*above[:-1], merged]


def _n_leading(row: Row) -> int:
    """Return up to which cell a row has text."""
    return max((k + 1 for k, cell in enumerate(row) if _text(cell)), default=0)


def _text(cell: Tag) -> str:
    text = TOGETHER.sub(lambda found: found[0].replace(" ", "\u00a0"), cell.get_text().strip())
    return "-" if text in NOTHING else text


def _begin_words_at_the_left(group: nodes.tgroup, n_columns: int) -> None:
    """Mark the columns that hold words only: numbers stand at the right, one below the other."""
    rows = [row for row in group.findall(nodes.row) if len(row) == n_columns]
    for column in range(n_columns):
        cells = [row[column] for row in rows]
        texts = [cell.astext() for cell in cells if isinstance(cell.parent.parent, nodes.tbody)]
        texts = [text for text in texts if text not in {"", "-"}]
        if texts and not any(map(_is_number, texts)):
            for cell in cells:
                cell["classes"].append("text-left")


def _is_number(text: str) -> bool:
    return A_NUMBER.match(text) is not None and len(A_WORD.findall(text)) < 3


def _span(cell: Tag) -> int:
    return int(cell.get("colspan", 1))


def _row(cells: Row) -> nodes.row:
    row = nodes.row()
    for cell in cells:
        more = _span(cell) - 1
        entry = nodes.entry("", **({"morecols": more} if more else {}))
        row += entry
        entry += nodes.paragraph("", _text(cell))
    return row


def render_text_html(self: NbElementRenderer, data: MimeData) -> list[nodes.Element]:
    """Render what a cell shows as HTML: as a table where it is one."""
    table = to_table(data.string)
    if table is None:
        return as_it_is(self, data)
    about = data.cell_metadata.get("table", {})
    if "caption" in about:
        renderer = self.renderer
        title = nodes.title()
        with renderer.current_node_context(title):
            renderer.nested_render_text(about["caption"].strip(), data.line, inline=True)
        table.insert(0, title)
    if "name" in about:
        table["names"].append(nodes.fully_normalize_name(about["name"]))
        self.renderer.document.note_explicit_target(table, table)
    return [table]


as_it_is = NbElementRenderer.render_text_html


def add_scopes(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document
) -> None:
    """Say of every head whether it names a column or a row, which docutils leaves open."""
    if "body" in context:
        scopes = {"head": "col", "stub": "row"}
        context["body"] = HEADS.sub(
            lambda found: f'<th scope="{scopes[found[1]]}" class="{found[1]}', context["body"]
        )


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the tables."""
    # MyST-NB finds other renderers only by the entry points of installed packages.
    NbElementRenderer.render_text_html = render_text_html
    app.connect("html-page-context", add_scopes, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
