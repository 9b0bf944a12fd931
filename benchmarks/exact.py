"""Measure the exact answers about networks, beside those who estimate them.

``python benchmarks/exact.py`` measures everything and writes `benchmark_exact.json`; ``--table``
prints that file as a Markdown table. See README.md in this folder.
"""

from __future__ import annotations

import itertools
import sys
from dataclasses import dataclass
from statistics import median

from _command import Benchmark, Record, main, markdown, number, run_script, tell

SCRIPT = "_measure_exact.py"
REPEATS = 3
NOTE = (
    "CPU seconds of one thread, the median of the repeats; every repeat is a process of its own, "
    "and the ways take turns. The error is, for integrated gradients, how far the attributions of "
    "a row are from adding up, relative to the largest of them; for Shapley values the largest "
    "difference between the two ways; for counterfactuals the share of rows without a certificate."
)


@dataclass(frozen=True)
class Work:
    """A question, the ways to answer it, and the goal in seconds for ours, the first."""

    name: str
    title: str
    ways: tuple[str, ...]
    goal: float
    size: int
    repeats: int = REPEATS


WORKS = (
    Work("convolutional", "integrated gradients, LeNet with max pooling, float64",
         ("exact", "captum, 500 steps", "captum, 5000 steps"), 2.0, 1),
    Work("convolutional-32", "the same in float32", ("exact", "captum, 500 steps"), 1.0, 1),
    Work("residual", "integrated gradients, residual network of 8 convolutions", ("exact",), 60.0,
         1, 1),
    Work("rows", "integrated gradients, 1,000 rows of 30 features, [40]*4",
         ("exact", "captum, 50 steps"), 2.0, 1000),
    Work("shapley", "Shapley values, 100 rows of 8 features, 100 background rows, [40]*2",
         ("exact", "shap, first call", "shap, second call"), 5.0, 100),
    *(Work(f"counterfactual-{size}-{norm}",
           f"nearest counterfactual, breast cancer [{size}]*2, {word}", ("exact",), goal, 50, 1)
      for size, goal in ((5, 0.5), (20, 20.0)) for norm, word in (("1", "L1"), ("inf", "Linf"))),
    Work("counterfactual-rings-2", "nearest counterfactual, 2 inputs, 64 neurons, L2", ("exact",),
         1.0, 50, 1),
)  # fmt: skip
QUICK = tuple(
    Work(work.name, work.title, work.ways[:2], work.goal, 2, 1)
    for work in WORKS
    if work.name in ("rows", "shapley", "counterfactual-5-1")
)


def measure(works: list[Work], quick: bool) -> list[Record]:
    """Measure the works one after another."""
    entries = []
    for work in works:
        tell(f"{work.name} ...")
        runs: dict[str, list[Record]] = {way: [] for way in work.ways}
        for _, way in itertools.product(range(work.repeats), work.ways):
            runs[way].append(run_script(sys.executable, SCRIPT, work.name, way, str(work.size)))
        found = {
            way: {
                "value": round(median(run["seconds"] for run in repeated), 4),
                "longest": round(max(run["longest"] for run in repeated), 3),
                "error": float(f"{repeated[0]['error']:.3g}"),
                "peak_mb": round(max(run["peak_mb"] for run in repeated)),
            }
            for way, repeated in runs.items()
        }
        entries.append({"name": work.name, "title": work.title, "goal": work.goal,
                        "size": work.size, "unit": "CPU s", "ways": found})  # fmt: skip
    return entries


def table(results: Record) -> str:
    """Return the results as a Markdown table."""
    head = ("work", "way", "s", "goal, s", "longest row, s", "error", "MB")
    rows = [
        [entry["title"], way, number(one["value"]), number(entry["goal"]) if way == "exact" else "",
         number(one["longest"]), f"{one['error']:.2g}", number(one["peak_mb"])]
        for entry in results["works"]
        for way, one in entry["ways"].items()
    ]  # fmt: skip
    return markdown(head, rows)


BENCHMARK = Benchmark(
    program="exact",
    works=lambda quick: QUICK if quick else WORKS,
    measure=measure,
    table=table,
    packages=("numpy", "scipy", "torch", "captum", "shap", "xai-course"),
    note=NOTE,
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
