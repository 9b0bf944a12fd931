"""Measure at full size what the chapters of the part "Cases" show.

``python reproduce/cases.py adversarial_training`` writes ``cases_adversarial_training.json`` where
the book finds it (`xai_course.book.measured`); ``--help`` lists the others.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

# The folder beside this file; Python looks for folders first.
import cases
from results import choose, run

NAMES = [module.name for module in pkgutil.iter_modules(cases.__path__)]
TABLES: dict[str, Callable[[], dict[str, Any]]] = {
    name: importlib.import_module(f"cases.{name}").table for name in NAMES if name[0] != "_"
}


def main() -> None:
    """Make one table and write its file."""
    name = choose(__doc__, TABLES)
    run("cases", name, TABLES[name])


if __name__ == "__main__":
    main()
