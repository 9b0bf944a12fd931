"""Measure what the chapter on Shapley values shows and is too slow for a page.

``python reproduce/shapley.py figure5`` writes ``shapley_figure5.json`` where the book finds it
(`xai_course.book.measured`). It needs all rows of California housing, see
`xai_course.data.available`; ``seeds`` and ``explainers`` do with the rows that come along.
"""

from __future__ import annotations

# The folder beside this file; Python looks for folders first.
from results import choose, run
from shapley.explainers import explainers
from shapley.figure5 import figure5, seeds

TABLES = {"figure5": figure5, "seeds": seeds, "explainers": explainers}


def main() -> None:
    """Run one table and write its file."""
    name = choose(__doc__, TABLES)
    run("shapley", name, TABLES[name])


if __name__ == "__main__":
    main()
