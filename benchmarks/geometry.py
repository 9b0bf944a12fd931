"""Measure the enumeration of regions: ours, beside `regioncam` and a dense grid.

``python benchmarks/geometry.py`` measures everything and writes `benchmark_geometry.json`;
``--table`` prints that file as a Markdown table. See README.md in this folder.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from _command import Benchmark, Record, main, markdown, met, number, ratio, run_script, tell

from xai_course.book import load_model
from xai_course.networks import PiecewiseLinearNetwork

SCRIPT = "_measure_geometry.py"
REPEATS = 5
PACKAGES = ("numpy", "scipy", "xai-course", "regioncam", "affinitree")
NOTE = (
    "CPU seconds of one thread, the median of the repeats; every repeat is a process of its own, "
    "and the ways take turns. regioncam computes in float32, the others in float64. The grid has a "
    "million points and sees only the regions that hold one. affinitree gives a decision tree."
)


@dataclass(frozen=True)
class Work:
    """A network, the box ``[-half, half]`` in every feature, and the most that ours may take."""

    name: str
    title: str
    half: float
    hidden_sizes: tuple[int, ...] = ()  # none: the book's network of the two circles
    n_features: int = 2
    seconds: float | None = None

    @property
    def ways(self) -> tuple[str, ...]:
        """What is measured: one peer knows the plane only, the other has no polygons."""
        return ("ours", *(("regioncam", "grid") if self.n_features == 2 else ("affinitree",)))

    def network(self) -> PiecewiseLinearNetwork:
        """Return the network: the book's, or a He-normal one with seed 0."""
        if not self.hidden_sizes:
            return load_model("co_circles").network
        rng = np.random.default_rng(0)
        pairs = list(itertools.pairwise((self.n_features, *self.hidden_sizes, 1)))
        weights = [rng.normal(0, np.sqrt(2 / n_in), (n_out, n_in)) for n_in, n_out in pairs]
        biases = [rng.normal(0, 0.1, n_out) for _, n_out in pairs]
        return PiecewiseLinearNetwork(weights, biases)


WORKS = (
    Work("co-circles-1", "two circles, 4 x 40 neurons, [-1, 1]^2", 1.0, seconds=1),
    Work("co-circles-1.5", "two circles, 4 x 40 neurons, [-1.5, 1.5]^2", 1.5, seconds=1),
    Work("random-2x100", "random, 2 x 100 neurons, [-1, 1]^2", 1.0, (100, 100)),
    Work("random-8x40", "random, 8 x 40 neurons, [-1, 1]^2", 1.0, (40,) * 8),
    Work("random-3d", "random, 2 x 8 neurons, [-1, 1]^3", 1.0, (8, 8), n_features=3),
    Work("random-3d-16", "random, 16 neurons, [-1, 1]^3", 1.0, (16,), n_features=3),
    Work("random-3d-32", "random, 32 neurons, [-1, 1]^3", 1.0, (32,), n_features=3),
    Work("random-4d-16", "random, 16 neurons, [-1, 1]^4", 1.0, (16,), n_features=4),
    Work("random-4d-2x16", "random, 2 x 16 neurons, [-1, 1]^4", 1.0, (16, 16), n_features=4),
    Work("random-6d-16", "random, 16 neurons, [-1, 1]^6", 1.0, (16,), n_features=6),
    Work("random-10d-16", "random, 16 neurons, [-1, 1]^10", 1.0, (16,), n_features=10),
)
QUICK = (
    Work("quick-2d", "random, 1 x 8 neurons, [-1, 1]^2", 1.0, (8,), seconds=1),
    Work("quick-3d", "random, 1 x 4 neurons, [-1, 1]^3", 1.0, (4,), n_features=3),
)


def measure(works: list[Work], quick: bool) -> list[Record]:
    """Measure the works one after another."""
    entries = []
    for work in works:
        tell(f"{work.name} ...")
        entries.append(entry(work, repeats(quick)))
    return entries


def repeats(quick: bool) -> int:
    """Return how often each way is measured."""
    return 1 if quick else REPEATS


def entry(work: Work, repeats: int) -> Record:
    """Measure the ways by turns and return what is stored."""
    network = work.network()
    data = {f"weight{i}": weight for i, weight in enumerate(network.weights)}
    data |= {f"bias{i}": bias for i, bias in enumerate(network.biases)}
    runs: dict[str, list[Record]] = {way: [] for way in work.ways}
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "data.npz")
        np.savez(path, half=work.half, **data)
        for _, way in itertools.product(range(repeats), work.ways):
            runs[way].append(run_script(sys.executable, SCRIPT, path, way))
    found: Record = {way: figures(repeated) for way, repeated in runs.items()}
    value = found["ours"]["value"]
    over = {f"{way}_over_ours": ratio(found[way]["value"], value) for way in work.ways[1:]}
    enough = None if work.seconds is None else bool(value <= work.seconds)
    return {
        "name": work.name, "title": work.title, "unit": "CPU s", **found, **over,
        "target": work.seconds, "met": enough,
    }  # fmt: skip


def figures(runs: list[Record]) -> Record:
    """Return the median, all repeats, the memory and the number of regions."""
    if "missing" in runs[0]:
        return {"value": None, "repeats": [], "missing": runs[0]["missing"]}
    (regions,) = {run["regions"] for run in runs}
    seconds = [round(run["seconds"], 5) for run in runs]
    memory = round(median(run["beyond_data_mb"] for run in runs), 1)
    return {"value": median(seconds), "repeats": seconds, "beyond_data_mb": memory,
            "regions": regions}  # fmt: skip


def table(results: Record) -> str:
    """Return the results as a Markdown table."""
    peers = ("regioncam", "affinitree", "grid")
    head = ("work", "regions", *(f"{peer}'s" for peer in peers), "CPU s",
            *(f"{peer}, CPU s" for peer in peers), *(f"{peer} / ours" for peer in peers),
            "at most, s", "met")  # fmt: skip
    rows = []
    for entry in results["works"]:
        parts = [entry.get(way) or {} for way in ("ours", *peers)]
        counts = [f"{part['regions']:,}" if "regions" in part else "" for part in parts]
        ratios = [entry.get(f"{way}_over_ours") for way in peers]
        values = [part.get("value") for part in parts]
        shown = map(number, [*values, *ratios, entry["target"]])
        rows.append([entry["title"], *counts, *shown, met(entry["met"])])
    return markdown(head, rows)


BENCHMARK = Benchmark(
    program="geometry",
    works=lambda quick: QUICK if quick else WORKS,
    measure=measure,
    table=table,
    packages=PACKAGES,
    note=NOTE,
    conditions=lambda quick: {"repeats": repeats(quick)},
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
