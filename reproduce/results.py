"""How a reproduced number is written down: value, spread, settings, data, machine, duration."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from xai_course.book import measured_file

FOLDER = measured_file("any").parent
PACKAGES = ("numpy", "scikit-learn", "scipy", "torch", "xai-course")


def spread(values: list[float]) -> dict[str, Any]:
    """Return mean, standard deviation (n - 1), range and number of some values."""
    array = np.asarray(values, dtype=float)
    return {
        "mean": round(float(array.mean()), 6),
        "sd": round(float(array.std(ddof=1)), 6) if len(array) > 1 else None,
        "min": round(float(array.min()), 6),
        "max": round(float(array.max()), 6),
        "n": len(array),
    }


def data_hash(*arrays: np.ndarray) -> str:
    """Return a SHA-256 of the numbers that went in."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def write(name: str, table: dict[str, Any], command: str, started: float) -> Path:
    """Write `table` where `xai_course.book.measured` finds it, beside what produced it.

    Parameters
    ----------
    name : str
        File name without suffix.
    table : dict
        What was measured; plain numbers, strings, lists and dicts.
    command : str
        How to make the file again.
    started : float
        `time.perf_counter` at the start.
    """
    record = {
        "command": command,
        "date": datetime.now(UTC).date().isoformat(),
        "minutes": round((time.perf_counter() - started) / 60, 1),
        "machine": f"{platform.system()} on {platform.machine()}, {os.cpu_count()} CPU cores",
        "versions": {"python": platform.python_version(), **{p: version(p) for p in PACKAGES}},
        "table": table,
    }
    path = FOLDER / f"{name}.json"
    draft = path.with_suffix(".part")
    draft.write_text(json.dumps(record, indent=1) + "\n")
    draft.replace(path)
    return path
