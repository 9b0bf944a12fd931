"""Reproduce the tables and figures of Dong et al. (2021) at full size.

``python reproduce/clime.py table2`` writes ``clime_table2.json`` where the book
finds it (`xai_course.book.measured`). All images come from
`xai_course.data.load` with ``subset="full"``. What is trained stays in ``reproduce/trained``, so
that a stopped run goes on, and a table that shares its networks with another trains nothing; the
minutes in a result are those of its last call.
"""

from __future__ import annotations

import argparse
import time

from _clime_approximation import table1
from _clime_dnet import fashion_dnet, toy_dnet
from _clime_lime import table3
from _clime_students import figure8, table2
from results import write

TABLES = {
    "table1": table1,
    "table2": table2,
    "figure8": figure8,
    "table3": table3,
    "toy_dnet": toy_dnet,
    "fashion_dnet": fashion_dnet,
}


def main() -> None:
    """Run one table and write its file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", choices=list(TABLES))
    name = parser.parse_args().table
    started = time.perf_counter()
    command = f"python reproduce/clime.py {name}"
    print(write(f"clime_{name}", TABLES[name](), command, started))


if __name__ == "__main__":
    main()
