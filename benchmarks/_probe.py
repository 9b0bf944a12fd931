"""Measure one piece of work in this process: CPU seconds and peak memory.

Both measuring scripts use it, ours and the peer's, so it needs NumPy only and runs on Python 3.10.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

WARM_UP_ROWS = 200
_STATUS = "/proc/self/status"


def load(path: str) -> dict[str, np.ndarray]:
    """Return the arrays of a data file; nothing is unpickled."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def layers(data: dict[str, np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return weights, each (n_out, n_in), and biases of the network in a data file."""
    n_layers = sum(name.startswith("weight") for name in data)
    numbers = range(n_layers)
    return [data[f"weight{i}"] for i in numbers], [data[f"bias{i}"] for i in numbers]


def memory(peak: bool) -> float:
    """Return this process's resident memory in MB (10^6 bytes), now or at its peak.

    ``ru_maxrss`` can start at the parent's size, so Linux's own figure is used where it exists.
    """
    try:
        with open(_STATUS) as file:
            fields = dict(line.split(":", 1) for line in file)
        return int(fields["VmHWM" if peak else "VmRSS"].split()[0]) * 1024 / 1e6
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def measure(work: Callable[[], Any], before: float) -> tuple[Any, dict[str, float]]:
    """Run `work`; return its result and the figures.

    Parameters
    ----------
    work : callable
        Takes nothing.
    before : float
        Memory when the data had been read and the libraries imported, in MB.
    """
    start = time.process_time()
    result = work()
    seconds = time.process_time() - start
    peak = memory(peak=True)
    return result, {"seconds": seconds, "peak_mb": peak, "beyond_data_mb": max(0.0, peak - before)}


def report(figures: dict[str, Any]) -> None:
    """Print the figures as the last line, where the benchmark reads them."""
    print(json.dumps(figures))
