"""Reproduce the tables and figures of Dong et al. (2021) at full size.

``python reproduce/clime.py table2`` writes ``clime_table2.json`` where the book
finds it (`xai_course.book.measured`). All images come from
`xai_course.data.load` with ``subset="full"``. What is trained stays in ``reproduce/trained``, so
that a stopped run goes on, and a table that shares its networks with another trains nothing; the
minutes in a result are those of its last call.
"""

from __future__ import annotations

# The folder beside this file; Python looks for folders first.
from clime.approximation import table1
from clime.dnet import fashion_dnet, rows_dnet, toy_dnet
from clime.draws import draws
from clime.figure6 import figure6
from clime.lime import table3
from clime.students import figure8, table2
from results import choose, run

TABLES = {
    "table1": table1,
    "table2": table2,
    "figure8": figure8,
    "table3": table3,
    "toy_dnet": toy_dnet,
    "rows_dnet": rows_dnet,
    "fashion_dnet": fashion_dnet,
    "figure6": figure6,
    "draws": draws,
}


def main() -> None:
    """Run one table and write its file."""
    name = choose(__doc__, TABLES)
    run("clime", name, TABLES[name])


if __name__ == "__main__":
    main()
