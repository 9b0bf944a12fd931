"""Reproduce the tables and figures of Sudjianto et al. (2020) at full size.

``python reproduce/unwrapping.py table1`` writes ``unwrapping_table1.json`` where the book finds it
(`xai_course.book.measured`); ``--help`` lists the others. A run that was stopped goes on where it
stopped. HELOC and HMEQ need the reader's own copy of the data (see `xai_course.data.load`); without
it their rows say so.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from replicates import Replicates
from results import choose, run

# The folder beside this file; Python looks for folders first.
from unwrapping import (
    authors_k,
    figures,
    flattening,
    importance,
    inference,
    lending,
    lending_draws,
    merging,
    p_values,
    sectors,
    table1,
    table2,
    table3,
    trust,
)

PROGRAMS = Path(table1.__file__).parent
TABLES: dict[str, Callable[[Replicates], dict[str, Any]]] = {
    "table1": table1.table,
    "table2": table2.table,
    "table3": table3.table,
    "table5": lending.table5,
    "table6": lending.table6,
    "table7": lending.table7,
    "lending_draws": lending_draws.table,
    "figures": figures.table,
    "merging": merging.table,
    "flattening": flattening.table,
    "authors_k": authors_k.table,
    "trust": trust.table,
    "importance": importance.table,
    "inference": inference.table,
    "p_values": p_values.table,
    "sectors": sectors.table,
}


def programs(name: str) -> list[Path]:
    """Return the files that a table's replicates depend on."""
    return [PROGRAMS / f"{n}.py" for n in sys.modules[TABLES[name].__module__].MEASURED_BY]


def main() -> None:
    """Run one table and write its file."""
    name = choose(__doc__, TABLES)
    replicates = Replicates(f"unwrapping_{name}", programs(name))
    before = replicates.seconds_before
    run("unwrapping", name, lambda: TABLES[name](replicates), before)
    replicates.clear()


if __name__ == "__main__":
    main()
