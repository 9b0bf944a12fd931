"""How a reproduced number is written down: value, spread, settings, data, machine, duration."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from xai_course._storage import replace_file
from xai_course.book import measured_file

FOLDER = measured_file("any").parent
WORK = Path(__file__).resolve().parent / "trained"  # what a stopped run goes on with
PACKAGES = ("numpy", "scikit-learn", "scipy", "torch", "xai-course")

INSIDE = "inside our range over seeds"


# Numbers


def spread(values: ArrayLike) -> dict[str, Any]:
    """Return mean, standard deviation (n - 1), range and number of values, one for each seed."""
    return _numbers(values, 6, ("mean", "sd", "min", "max"))


def summary(values: ArrayLike) -> dict[str, Any]:
    """Return mean, median, standard deviation (n - 1), largest value and number of values."""
    return _numbers(values, 5, ("mean", "median", "sd", "max"))


def _numbers(values: ArrayLike, digits: int, names: tuple[str, ...]) -> dict[str, Any]:
    array = np.asarray(values, dtype=float)
    found = {
        "mean": array.mean(),
        "median": np.median(array),
        "sd": array.std(ddof=1) if len(array) > 1 else None,
        "min": array.min(),
        "max": array.max(),
    }
    rounded = {n: None if found[n] is None else round(float(found[n]), digits) for n in names}
    return rounded | {"n": len(array)}


def difference(values: ArrayLike) -> dict[str, float]:
    """Return the mean of pairwise differences and its standard error."""
    found = np.asarray(values, dtype=float)
    error = found.std(ddof=1) / len(found) ** 0.5
    return {"mean": round(float(found.mean()), 5), "se": round(float(error), 5)}


def over_seeds(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the spread of every number, in the shape of one run."""
    return {
        key: over_seeds([run[key] for run in runs])
        if isinstance(value, dict)
        else spread([run[key] for run in runs])
        for key, value in runs[0].items()
    }


def verdict(printed: float, ours: dict[str, Any]) -> str:
    """Say in words how a printed value compares with the spread of ours."""
    if ours["min"] <= printed <= ours["max"]:
        return INSIDE
    side = "above" if ours["mean"] > printed else "below"
    return f"not reproduced: ours is {side}, by {abs(ours['mean'] - printed):.3g}"


def data_hash(*arrays: np.ndarray) -> str:
    """Return a SHA-256 of the numbers that went in."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


# Commands


def choose(description: str, names: Iterable[str]) -> str:
    """Return the name on the command line."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("table", choices=list(names))
    return parser.parse_args().table


def run(
    paper: str, name: str, make: Callable[[], dict[str, Any]], seconds_before: float = 0.0
) -> None:
    """Make a table of a paper, time it and write it down; print where."""
    started = time.perf_counter() - seconds_before
    table = make()
    seconds = time.perf_counter() - started
    print(write(f"{paper}_{name}", table, f"python reproduce/{paper}.py {name}", seconds))


def write(name: str, table: dict[str, Any], command: str, seconds: float) -> Path:
    """Write `table` where `xai_course.book.measured` finds it, beside what produced it.

    Parameters
    ----------
    name : str
        File name without suffix.
    table : dict
        What was measured; plain numbers, strings, lists and dicts.
    command : str
        How to make the file again.
    seconds : float
        How long it took.
    """
    return write_record(FOLDER / f"{name}.json", table, command, seconds)


def write_record(path: Path, table: dict[str, Any], command: str, seconds: float) -> Path:
    """Write `table` into a file, beside what produced it, as `write` does."""
    record = made_by(command, seconds) | {"table": table}
    replace_file(path, f"{json.dumps(record, indent=1)}\n".encode())
    return path


def made_by(command: str, seconds: float) -> dict[str, Any]:
    """Return how a result was made: the command, the day, the duration, the machine, versions."""
    return {
        "command": command,
        "date": datetime.now(UTC).date().isoformat(),
        "minutes": round(seconds / 60, 1),
        "machine": f"{platform.system()} on {platform.machine()}, {os.cpu_count()} CPU cores",
        "versions": {"python": platform.python_version(), **{p: version(p) for p in PACKAGES}},
    }
