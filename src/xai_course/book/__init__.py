"""The backstage: what makes a page of the book a page. No module of the library imports it.

Not taught: it holds together the book's pages.
"""

from __future__ import annotations

import importlib
import json
import statistics
from pathlib import Path
from typing import Any

# A page pays for, and depends on, only what it imports. `tools/build_book.py` reads this table.
HOMES = {
    "Case": "subjects",
    "answer": "answers",
    "cases": "subjects",
    "check": "checks",
    "load_model": "networks",
    "train_model": "networks",
    "your_numbers": "checks",
}
__all__ = ["glue", "mean_error", "mean_range", "measured", "measured_file", *HOMES]


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{HOMES[name]}"), name)


def measured(name: str) -> dict[str, Any]:
    """Return what a command of `reproduce/` or `benchmarks/` measured at full size.

    Parameters
    ----------
    name : str
        For example ``"unwrapping_table3"``.

    Returns
    -------
    dict
        The table itself; how it was made stands beside it in `measured_file`.

    Raises
    ------
    ValueError
        If there is no such file; the message names those that there are.

    Examples
    --------
    >>> measured("unwrapping_table1")["CoCircles"]["printed"]["regions"]
    530
    """
    path = measured_file(name)
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.json")))
        raise ValueError(f"There is no measurement {name!r}. There are: {known}.")
    record = json.loads(path.read_text("utf-8"))
    return record.get("table", record)


def measured_file(name: str) -> Path:
    """Return where the measurement of this name is kept, in the package."""
    return Path(__file__).parent / "measured" / f"{name}.json"


def mean_range(values: Any, digits: int = 2, scale: float = 1.0) -> str:
    """Return a mean and its range as text, such as ``"94.78 (94.50 to 95.06)"``.

    Parameters
    ----------
    values : dict or sequence of float
        As `measured` holds a spread, with ``mean``, ``min`` and ``max``; or the numbers themselves.
    digits : int
        Behind the point.
    scale : float
        Multiplies the numbers; 100 for per cent.

    Examples
    --------
    >>> mean_range([0.1, 0.3], digits=0, scale=100)
    '20 (10 to 30)'
    """
    if not isinstance(values, dict):
        values = {"mean": sum(values) / len(values), "min": min(values), "max": max(values)}
    mean, low, high = (f"{scale * values[key]:,.{digits}f}" for key in ("mean", "min", "max"))
    return f"{mean} ({low} to {high})"


def mean_error(values: Any, digits: int = 3, scale: float = 1.0, sign: str = "") -> str:
    """Return a mean and its standard error as text, such as ``"0.026 ± 0.004"``.

    Parameters
    ----------
    values : sequence of float
        Independent draws, or differences of pairs.
    digits : int
        Behind the point.
    scale : float
        Multiplies the numbers; 100 for per cent.
    sign : str
        ``"+"`` writes the sign of a positive mean, too.

    Examples
    --------
    >>> mean_error([1.0, 2.0, 3.0], digits=2)
    '2.00 ± 0.58'
    >>> mean_error([-1.001, 1.0], digits=2)  # zero has no sign
    '0.00 ± 1.00'
    """
    mean, error = statistics.fmean(values), statistics.stdev(values) / len(values) ** 0.5
    return f"{scale * mean:{sign}z,.{digits}f} ± {scale * error:,.{digits}f}"


def glue(name: str, value: object) -> None:
    """Store a value so that the page's prose can show it with the role `glue:text`.

    Parameters
    ----------
    name : str
        Unique on the page.
    value : object
        Shown as ``str(value)``: format numbers before.

    Notes
    -----
    The output has the form that MyST-NB's own ``glue`` writes. That package is part of the book's
    tool chain, which a reader in Colab does not have.
    """
    from IPython.display import display

    display(
        # The reader of this output evaluates a literal: the quotes keep "+0.50" as it is.
        {"application/papermill.record/text/plain": repr(str(value))},
        raw=True,
        metadata={"scrapbook": {"name": name, "mime_prefix": "application/papermill.record/"}},
    )
