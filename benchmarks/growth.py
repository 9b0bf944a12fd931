"""Measure how cost grows with rows, neurons, depth, inputs, regions and networks.

``python benchmarks/growth.py`` measures everything and writes `benchmark_growth.json`; ``--table``
prints that file as a Markdown table. See README.md in this folder.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from statistics import median

import numpy as np
from _command import Benchmark, Record, main, markdown, number, run_script, tell

SCRIPT = "_measure_growth.py"
REPEATS = 3
LAST = 3  # points of a series that its exponent is taken from
NOTE = (
    "CPU seconds of one thread, the median of the repeats, each a process of its own. The exponent "
    "is the slope of the last three points on logarithmic scales. Sizes of enumerations are the "
    "regions that were found."
)


@dataclass(frozen=True)
class Work:
    """A series: one kind of work at several sizes."""

    name: str
    sizes: tuple[int, ...]

    @property
    def grows_with(self) -> str:
        """What the exponent is of."""
        what = self.name.rpartition(", ")[2]
        return "regions" if self.name.startswith("regions") else what


WORKS = (
    Work("fit, rows", (5_000, 10_000, 20_000, 40_000, 80_000)),
    Work("fit, neurons a layer", (20, 40, 80, 160, 320)),
    Work("fit, depth", (2, 4, 8, 16)),
    Work("fit, inputs", (10, 20, 40, 80, 160)),
    Work("summary of a regression, rows", (5_000, 10_000, 20_000, 40_000)),
    Work("summary of classes, rows", (2_500, 5_000, 10_000, 20_000)),
    Work("merge, rows", (2_000, 4_000, 8_000, 16_000, 32_000)),
    Work("regions of two inputs, neurons", (40, 80, 160, 320)),
    Work("regions of four inputs, neurons", (12, 18, 24, 32)),
    Work("explanation of networks, networks", (500, 1_000, 2_000, 4_000)),
)
QUICK = (
    Work("fit, rows", (200, 400)),
    Work("regions of two inputs, neurons", (4, 8)),
)


def measure(works: list[Work], quick: bool) -> list[Record]:
    """Measure the series one after another."""
    entries = []
    for work in works:
        tell(f"{work.name} ...")
        entries.append(entry(work, 1 if quick else REPEATS))
        tell(f"    {entries[-1]['exponent']}")
    return entries


def entry(work: Work, repeats: int) -> Record:
    """Measure one series and return what is stored."""
    smallest, points = str(work.sizes[0]), []
    for size in work.sizes:
        runs = [
            run_script(sys.executable, SCRIPT, work.name, smallest, str(size))
            for _ in range(repeats)
        ]
        points.append(
            {
                "size": runs[0]["size"],
                "value": round(median(run["seconds"] for run in runs), 5),
                "peak_mb": round(median(run["peak_mb"] for run in runs), 1),
            }
        )
    return {
        "name": work.name, "grows_with": work.grows_with, "unit": "CPU s", "points": points,
        "exponent": exponent(points),
    }  # fmt: skip


def exponent(points: list[Record]) -> float:
    """Return the slope of the last points on logarithmic scales."""
    last = points[-LAST:]
    sizes, values = (np.log([point[key] for point in last]) for key in ("size", "value"))
    return round(float(np.polyfit(sizes, values, 1)[0]), 2)


def table(results: Record) -> str:
    """Return the results as a Markdown table."""
    head = ("work", "grows with", "sizes", "CPU s", "exponent")
    rows = []
    for entry in results["works"]:
        sizes = [f"{point['size']:,}" for point in entry["points"]]
        values = [number(point["value"]) for point in entry["points"]]
        exponent = f"{entry['exponent']:.2f}"
        what = entry["name"].rpartition(", ")[0]
        rows.append([what, entry["grows_with"], ", ".join(sizes), ", ".join(values), exponent])
    return markdown(head, rows)


BENCHMARK = Benchmark(
    program="growth",
    works=lambda quick: QUICK if quick else WORKS,
    measure=measure,
    table=table,
    packages=("numpy", "scipy", "scikit-learn", "torch", "xai-course"),
    note=NOTE,
    conditions=lambda quick: {"repeats": 1 if quick else REPEATS},
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
