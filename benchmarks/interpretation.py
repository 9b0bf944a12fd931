"""Measure the explanation of networks by their weights, beside methods that ask the networks.

``python benchmarks/interpretation.py`` measures everything and writes
`benchmark_interpretation.json`; ``--table`` prints that file as a Markdown table. See README.md in
this folder.
"""

from __future__ import annotations

import itertools
import sys
from dataclasses import dataclass
from statistics import median

from _command import Benchmark, Record, main, markdown, number, ratio, run_script, tell

SCRIPT = "_measure_interpretation.py"
REPEATS = 3
NOTE = (
    "CPU milliseconds of one thread for each network, the median of the repeats; every repeat is a "
    "process of its own, and the ways take turns. The others ask each network 512 questions, or as "
    "many as they are named with. The error is the mean absolute one on 2,000 uniform points."
)


MORE = "greedy, 4096"  # as many questions as make it as accurate as the closed form


@dataclass(frozen=True)
class Work:
    """Networks of one number of variables, as many as are explained together."""

    n_variables: int
    n_networks: int
    ways: tuple[str, ...] = ("I-Net", "closed form", "greedy", MORE)

    @property
    def name(self) -> str:
        """How the command names it."""
        return f"{self.n_variables}-variables-{self.n_networks}"


ALL = ("I-Net", "closed form", "greedy", MORE, "pursuit", "lasso")
WORKS = tuple(
    Work(n, number, ALL if number == 1 else Work.ways)
    for n, number in itertools.product((5, 10, 15), (1, 1_000))
)


def measure(works: list[Work], quick: bool) -> list[Record]:
    """Measure the works one after another."""
    entries = []
    for work in works:
        tell(f"{work.name} ...")
        entries.append(entry(work, 1 if quick else REPEATS))
    return entries


def entry(work: Work, repeats: int) -> Record:
    """Measure the ways by turns and return what is stored."""
    runs: dict[str, list[Record]] = {way: [] for way in work.ways}
    for _, way in itertools.product(range(repeats), work.ways):
        arguments = (way, str(work.n_variables), str(work.n_networks))
        runs[way].append(run_script(sys.executable, SCRIPT, *arguments))
    found = {}
    for way, repeated in runs.items():
        each = [1e3 * run["seconds"] / work.n_networks for run in repeated]
        found[way] = {"value": round(median(each), 4), "error": round(repeated[0]["error"], 5)}
    over = ratio(found["greedy"]["value"], found["I-Net"]["value"])
    return {"name": work.name, "n_variables": work.n_variables, "n_networks": work.n_networks,
            "unit": "CPU ms a network", "ways": found, "greedy_over_inet": over}  # fmt: skip


def table(results: Record) -> str:
    """Return the results as a Markdown table."""
    head = ("variables", "networks together", *(f"{way}, ms" for way in ALL), "greedy / I-Net",
            *(f"{way}, error" for way in ALL))  # fmt: skip
    rows = []
    for entry in results["works"]:
        parts = [entry["ways"].get(way) or {} for way in ALL]
        rows.append(
            [
                str(entry["n_variables"]),
                f"{entry['n_networks']:,}",
                *(number(part.get("value")) for part in parts),
                number(entry["greedy_over_inet"]),
                *(number(part.get("error")) for part in parts),
            ]
        )
    return markdown(head, rows)


BENCHMARK = Benchmark(
    program="interpretation",
    works=lambda quick: (Work(5, 1), Work(5, 4)) if quick else WORKS,
    measure=measure,
    table=table,
    packages=("numpy", "scipy", "scikit-learn", "torch", "xai-course"),
    note=NOTE,
    conditions=lambda quick: {"repeats": 1 if quick else REPEATS},
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
