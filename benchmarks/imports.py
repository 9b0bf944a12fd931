"""Measure what importing the library costs, beside what it stands on and its peers.

``python benchmarks/imports.py`` measures everything and writes `benchmark_imports.json`;
``--table`` prints that file as a Markdown table. See README.md in this folder.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from dataclasses import dataclass
from statistics import median

from _command import Benchmark, Record, main, markdown, number

REPEATS = 7
NOTE = "CPU seconds of a whole Python process that imports one module; the modules take turns."
COUNT = "; import sys; print(len(sys.modules))"


@dataclass(frozen=True)
class Work:
    """A module."""

    name: str
    group: str = "ours"

    @property
    def statement(self) -> str:
        """What is run."""
        return f"import {self.name}" if self.name != "nothing" else "pass"


WORKS = (
    *(Work(name, "ground") for name in ("nothing", "numpy", "sklearn", "torch")),
    *(Work(f"xai_course{name}") for name in ("", ".networks", ".regions", ".decisionnet")),
    *(Work(f"xai_course.{name}") for name in ("unwrapping", "inet", "data", "distillation")),
    *(Work(name, "peer") for name in ("captum.attr", "lime.lime_tabular", "shap")),
)


def measure(works: list[Work], quick: bool) -> list[Record]:
    """Import each module by turns, in fresh processes."""
    seconds: dict[str, list[float]] = {work.name: [] for work in works}
    modules: dict[str, int] = {}
    for _ in range(1 if quick else REPEATS + 1):
        for work in works:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            done = subprocess.run([sys.executable, "-c", work.statement + COUNT],
                                  capture_output=True, text=True, check=False)  # fmt: skip
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            if done.returncode == 0:
                taken = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
                seconds[work.name].append(round(taken, 4))
                modules[work.name] = int(done.stdout)
    return [figures(work, seconds[work.name], modules.get(work.name)) for work in works]


def figures(work: Work, seconds: list[float], modules: int | None) -> Record:
    """Return what is stored, without the first turn, which fills the file system's cache."""
    if modules is None:
        return {"name": work.name, "group": work.group, "value": None, "missing": "not installed"}
    repeats = seconds[1:] or seconds
    return {"name": work.name, "group": work.group, "unit": "CPU s",
            "value": round(median(repeats), 3), "repeats": repeats, "modules": modules}  # fmt: skip


def table(results: Record) -> str:
    """Return the results as a Markdown table."""
    rows = [
        [f"`{entry['name']}`", number(entry["value"]) or entry["missing"],
         f"{entry['modules']:,}" if entry.get("modules") else ""]
        for entry in results["works"]
    ]  # fmt: skip
    return markdown(("import", "CPU s", "modules"), rows)


BENCHMARK = Benchmark(
    program="imports",
    works=lambda quick: WORKS[:3] if quick else WORKS,
    measure=measure,
    table=table,
    packages=("numpy", "scikit-learn", "torch", "captum", "lime", "shap", "xai-course"),
    note=NOTE,
    conditions=lambda quick: {"repeats": 1 if quick else REPEATS},
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
