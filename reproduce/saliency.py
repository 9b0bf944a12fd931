"""Measure at full size what the chapters on saliency show.

``python reproduce/saliency.py effects`` writes ``saliency_effects.json`` where the book finds it
(`xai_course.book.measured`); ``--help`` lists the others.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

# The folder beside this file; Python looks for folders first.
import saliency
from results import choose, run

NAMES = [module.name for module in pkgutil.iter_modules(saliency.__path__)]
TABLES: dict[str, Callable[[], dict[str, Any]]] = {
    name: importlib.import_module(f"saliency.{name}").table for name in NAMES if name[0] != "_"
}


def main() -> None:
    """Make one table and write its file."""
    name = choose(__doc__, TABLES)
    run("saliency", name, TABLES[name])


if __name__ == "__main__":
    main()
