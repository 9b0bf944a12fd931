"""What the benchmarks share: command line, fresh processes, conditions, files and tables."""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xai_course._storage import replace_file
from xai_course.book import measured_file

HERE = Path(__file__).resolve().parent
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")

Record = dict[str, Any]


class BenchmarkError(Exception):
    """Something that the user can put right; the message says what."""


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """A program of this folder.

    Parameters
    ----------
    program : str
        Its name; the results lie in ``benchmark_<program>.json``.
    works : callable
        Returns what is measured, each with a name; given whether it is a quick run.
    measure : callable
        Measures some works, given whether it is a quick run; returns an entry each.
    table : callable
        Returns a file of results as Markdown.
    packages : sequence of str
        Those whose versions matter.
    note : str
        How it was measured.
    conditions : callable
        What else an entry depends on, given whether it is a quick run.
    conclude : callable
        What follows from all entries.
    """

    program: str
    works: Callable[[bool], Sequence[Any]]
    measure: Callable[[list[Any], bool], list[Record]]
    table: Callable[[Record], str]
    packages: Sequence[str]
    note: str
    conditions: Callable[[bool], Record] = lambda quick: {}
    conclude: Callable[[list[Record]], Record] = lambda entries: {}

    @property
    def results(self) -> Path:
        """The file that the book shows."""
        return measured_file(f"benchmark_{self.program}")


# --- the command ----------------------------------------------------------------------------------


def main(benchmark: Benchmark, arguments: list[str] | None = None) -> int:
    """Run a benchmark's command and return an exit status."""
    parser = argparse.ArgumentParser(prog=f"{benchmark.program}.py", description=benchmark.note)
    parser.add_argument("--quick", action="store_true", help="tiny, once, no file")
    parser.add_argument("--output", type=Path, help="the JSON file (default: the package's)")
    parser.add_argument("--work", nargs="+", metavar="NAME", help="only these works")
    parser.add_argument("--table", action="store_true", help="print a JSON file as Markdown")
    options = parser.parse_args(arguments)
    try:
        if options.table:
            results = read(options.output or benchmark.results)
        else:
            results = run(benchmark, options.quick, options.output, options.work)
    except BenchmarkError as error:
        print(f"{benchmark.program}.py: {error}", file=sys.stderr)
        return 2
    print(benchmark.table(results))
    return 0


def run(benchmark: Benchmark, quick: bool, output: Path | None, names: list[str] | None) -> Record:
    """Measure and write; a quick run writes only where `output` says."""
    listed = {work.name: work for work in benchmark.works(quick)}
    if unknown := [name for name in names or [] if name not in listed]:
        raise BenchmarkError(f"There is no work {unknown[0]!r}. The works: {', '.join(listed)}.")
    selected = [work for name, work in listed.items() if names is None or name in names]
    now = {
        "quick": quick,
        **benchmark.conditions(quick),
        "machine": machine(),
        "versions": versions(benchmark.packages),
        "note": benchmark.note,
    }
    output = output or (None if quick else benchmark.results)
    earlier = earlier_entries(output, now) if output and names else []
    measured = {entry["name"]: entry for entry in earlier + benchmark.measure(selected, quick)}
    entries = [measured[name] for name in listed if name in measured]
    command = f"python benchmarks/{benchmark.program}.py" + " --quick" * quick
    results = {"command": command, "date": today(), **now, "works": entries}
    results |= benchmark.conclude(entries)
    if output:
        write(output, results)
    return results


def earlier_entries(path: Path, now: Record) -> list[Record]:
    """Return the entries of a file that can stand beside new ones."""
    if not path.exists():
        return []
    before = read(path)
    other = [name for name in now if before.get(name) != now[name]]
    if other:
        raise BenchmarkError(
            f"{path.name} was measured under other conditions ({', '.join(other)}), so single "
            "works cannot be added. Measure all works, or name another --output."
        )
    return before["works"]


def run_script(python: str, script: str, *arguments: str) -> Record:
    """Run a measuring script in a fresh process with one thread and return what it reports."""
    environment = os.environ | dict.fromkeys(THREADS, "1") | {"PYTHONHASHSEED": "0"}
    command = [python, "-W", "ignore", str(HERE / script), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise BenchmarkError(f"{script} failed at {' '.join(arguments[1:])}: {last}")
    return json.loads(done.stdout.splitlines()[-1])


def tell(text: str) -> None:
    """Say on stderr how far a run is."""
    print(text, file=sys.stderr, flush=True)


# --- where and when -------------------------------------------------------------------------------


def today() -> str:
    """Return the date."""
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def machine() -> Record:
    """Return the machine in words, without a name."""
    return {"processor": processor(), "cores": os.cpu_count(), "system": platform.system()}


def processor() -> str:
    """Return the model of the processor."""
    try:
        with open("/proc/cpuinfo") as file:
            models = [row.split(":", 1)[1].strip() for row in file if row.startswith("model name")]
    except OSError:
        models = []
    return models[0] if models else platform.processor() or platform.machine()


def versions(packages: Iterable[str]) -> Record:
    """Return the versions of what takes part; None for what is not installed."""
    found: Record = {"python": platform.python_version()}
    for name in packages:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found


# --- files and tables -----------------------------------------------------------------------------


def read(path: Path) -> Record:
    """Return a file of results."""
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise BenchmarkError(f"There is no {path.name} yet; run the benchmark first.") from error
    except json.JSONDecodeError as error:
        raise BenchmarkError(f"{path.name} is not JSON: {error}.") from error


def write(path: Path, results: Record) -> None:
    """Write a file of results in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, f"{json.dumps(results, indent=1)}\n".encode())


def ratio(value: float | None, unit: float | None) -> float | None:
    """Return `value` / `unit` with four digits; None where one is missing."""
    return None if value is None or unit is None else float(f"{value / unit:.4g}")


def number(value: float | None) -> str:
    """Return a number with three digits; nothing for None."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def met(verdict: bool | None) -> str:
    """Return whether a target is met, in words; nothing without a target."""
    return {True: "yes", False: "**no**", None: ""}[verdict]


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)
