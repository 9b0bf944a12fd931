"""Reproduce the figures and Table 3 of Marton et al. (2022) at full size.

``python reproduce/inet.py figure6`` writes ``inet_figure6.json`` where the book finds it
(`xai_course.book.measured`). Networks and finished runs stay in ``reproduce/trained`` and beside
the results, so that a stopped run goes on; the minutes in a result are those of its last call.
"""

from __future__ import annotations

import argparse
import time

from _inet_fidelity import figure6, figure7, table3
from _inet_ladder import ladder
from _inet_nets import lambda_nets
from _inet_runtime import figure5
from results import write

TABLES = {
    "lambda_nets": lambda_nets,
    "ladder": ladder,
    "figure5": figure5,
    "figure6": figure6,
    "figure7": figure7,
    "table3": table3,
}


def main() -> None:
    """Run one table and write its file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", choices=[name.replace("_", "-") for name in TABLES])
    name = parser.parse_args().table
    started = time.perf_counter()
    table = TABLES[name.replace("-", "_")]()
    command = f"python reproduce/inet.py {name}"
    print(write(f"inet_{name.replace('-', '_')}", table, command, started))


if __name__ == "__main__":
    main()
