"""Measure the unwrapper: CPU time and memory, beside a floor and beside its peer.

``python benchmarks/unwrapping.py`` measures everything and writes `benchmark_unwrapping.json`;
``--table`` prints that file as a Markdown table. See README.md in this folder.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import itertools
import json
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from xai_course.book import measured_file

HERE = Path(__file__).resolve().parent
RESULTS = measured_file("benchmark_unwrapping")
HIDDEN_SIZES = (40, 40, 40, 40)
SEED = 0
HELD_OUT_ROWS = 2_000
# What takes longer than this is repeated less often.
LONG_SECONDS = 10
PEER_VARIABLE = "XAI_PEER_PYTHON"
PEER_VERSION = "1.3.5"
PACKAGES = ("numpy", "pandas", "scikit-learn", "scipy", "statsmodels", "xai-course")
PEER_PACKAGES = ("aletheia-dnn", "numpy", "pandas", "scikit-learn", "scipy", "statsmodels")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
NOTE = (
    "CPU seconds of one thread, not wall time, because other work may use the machine's cores. "
    "Every repeat is a process of its own; floor, ours and the peer take turns. Memory is the "
    "process's peak in MB of 10^6 bytes, and that peak less what was held once the data were read."
)

Record = dict[str, Any]


class BenchmarkError(Exception):
    """Something that the user can put right; the message says what."""


@dataclass(frozen=True)
class Work:
    """One piece of work and the most that it may take."""

    name: str
    title: str
    action: str
    kind: str
    rows: int
    features: int
    seconds: float | None = None
    megabytes: float | None = None
    peer: bool = False


def works(quick: bool) -> list[Work]:
    """Return what is measured; with `quick` on tiny data, with the same names and no target."""
    small, middle, large = (300, 400, 500) if quick else (10_000, 100_000, 1_000_000)
    regression, classification = "regression", "classification"
    ten = {"rows": small, "features": 20, "peer": True}
    hundred = {"rows": middle, "features": 20}
    every, largest = "summary", "summary of the largest"
    merge, wide = "merge", "merge at 1 %"
    listed = [
        Work("fit-10k", "fit", "fit", regression, seconds=0.25, **ten),
        Work(f"{every}-regression-10k", "summary with all global metrics, regression", every,
             regression, seconds=0.5, megabytes=500, **ten),
        Work(f"{every}-classification-10k", "summary with all global metrics, classification",
             every, classification, seconds=4, megabytes=500, **ten),
        Work("merge-regression-10k", "merge to 10 clusters, regression", merge, regression,
             seconds=6, **ten),
        Work("merge-regression-1-percent-10k", "merge to 10 clusters, regression, T = 1 %", wide,
             regression, **ten),
        Work("merge-classification-10k", "merge to 10 clusters, classification", merge,
             classification, seconds=6, **ten),
        Work("merge-classification-1-percent-10k",
             "merge to 10 clusters, classification, T = 1 %", wide, classification, **ten),
        Work("fit-100k", "fit", "fit", regression, seconds=3, **hundred),
        Work("summary-largest-regression-100k", "summary of the 1,000 largest regions, regression",
             largest, regression, seconds=10, megabytes=1000, **hundred),
        Work("summary-largest-classification-100k",
             "summary of the 1,000 largest regions, classification", largest, classification,
             seconds=10, megabytes=1000, **hundred),
        Work("fit-1m", "fit", "fit", regression, rows=large, features=35, seconds=60,
             megabytes=4000),
    ]  # fmt: skip
    if not quick:
        return listed
    return [
        Work(w.name, w.title, w.action, w.kind, w.rows, w.features, peer=w.peer) for w in listed
    ]


def chosen(names: list[str] | None, quick: bool) -> list[Work]:
    """Return the works with these names, or all of them."""
    listed = {work.name: work for work in works(quick)}
    unknown = [name for name in names or [] if name not in listed]
    if unknown:
        raise BenchmarkError(f"There is no work {unknown[0]!r}. The works: {', '.join(listed)}.")
    return [work for work in listed.values() if names is None or work.name in names]


# --- data -----------------------------------------------------------------------------------------


def make_data(rows: int, features: int) -> dict[str, np.ndarray]:
    """Return a random network, inputs, and responses that the network explains in part.

    The weights are He-normal, the biases normal with standard deviation 0.1. The response of the
    regression is the network's output and noise with standard deviation 0.1; the two classes are
    drawn with the standardised output as the logit, three times as steep.
    """
    rng = np.random.default_rng(SEED)
    sizes = (features, *HIDDEN_SIZES, 1)
    pairs = list(itertools.pairwise(sizes))
    weights = [rng.normal(0, np.sqrt(2 / n_in), (n_out, n_in)) for n_in, n_out in pairs]
    biases = [rng.normal(0, 0.1, n_out) for _, n_out in pairs]
    X = rng.normal(size=(rows + HELD_OUT_ROWS, features))
    output = forward(weights, biases, X)
    regression = output + rng.normal(0, 0.1, len(X))
    logit = 3 * (output - np.median(output)) / output.std()
    classification = (rng.random(len(X)) < 1 / (1 + np.exp(-logit))).astype(float)
    data = {f"weight{i}": weight for i, weight in enumerate(weights)}
    data |= {f"bias{i}": bias for i, bias in enumerate(biases)}
    data |= {"X": X[:rows], "X_held_out": X[rows:]}
    for kind, y in {"regression": regression, "classification": classification}.items():
        data |= {f"y_{kind}": y[:rows], f"y_held_out_{kind}": y[rows:]}
    return data


def forward(weights: list[np.ndarray], biases: list[np.ndarray], X: np.ndarray) -> np.ndarray:
    """Return the outputs of a ReLU network with one output, shape (n_rows,)."""
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        X = np.maximum(X @ weight.T + bias, 0)
    return (X @ weights[-1].T + biases[-1])[:, 0]


# --- measuring ------------------------------------------------------------------------------------


def run_script(python: str, script: str, *arguments: str) -> Record:
    """Run a measuring script in a fresh process with one thread and return what it reports."""
    environment = os.environ | dict.fromkeys(THREADS, "1") | {"PYTHONHASHSEED": "0"}
    command = [python, "-W", "ignore", str(HERE / script), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise BenchmarkError(f"{script} failed at {' '.join(arguments[1:])}: {last}")
    return json.loads(done.stdout.splitlines()[-1])


def enough(runs: list[Record], repeats: int) -> bool:
    """Return whether these are as many repeats as wanted: 3 of what takes long, or 1 if missing."""
    if runs and "missing" in runs[0]:
        return True
    long = bool(runs) and runs[0]["seconds"] > LONG_SECONDS
    return len(runs) >= (min(3, repeats) if long else repeats)


def take_turns(work: Work, data: str, peer: str | None, repeats: int) -> dict[str, list[Record]]:
    """Measure the floor, ours and the peer by turns; return the repeats of each."""
    scripts = {
        "floor": (sys.executable, "_ours_unwrapping.py", data, "floor", work.kind),
        "ours": (sys.executable, "_ours_unwrapping.py", data, work.action, work.kind),
    }
    if peer and work.peer:
        scripts["peer"] = (peer, "_peer_unwrapping.py", data, work.action, work.kind)
    runs: dict[str, list[Record]] = {name: [] for name in scripts}
    while not all(enough(runs[name], repeats) for name in scripts):
        for name, arguments in scripts.items():
            if not enough(runs[name], repeats):
                runs[name].append(run_script(*arguments))
    return runs


def figures(runs: list[Record]) -> Record:
    """Return the median and all repeats, rounded, with the memory."""
    if "missing" in runs[0]:
        return {"value": None, "repeats": [], "missing": runs[0]["missing"]}
    seconds = [round(run["seconds"], 5) for run in runs]
    found: Record = {"value": median(seconds), "repeats": seconds}
    for name in ("peak_mb", "beyond_data_mb"):
        found[name] = round(median(run[name] for run in runs), 1)
    return found | {name: runs[0][name] for name in ("regions", "held_out") if name in runs[0]}


def verdict(ours: Record, target: Record | None) -> bool | None:
    """Return whether the target is met; None without a target or a value."""
    if target is None or ours["value"] is None:
        return None
    enough_memory = target["peak_mb"] is None or ours["peak_mb"] <= target["peak_mb"]
    return bool(ours["value"] <= target["value"] and enough_memory)


def ratio(value: float | None, unit: float | None) -> float | None:
    """Return `value` / `unit` with four digits; None where one is missing."""
    return None if value is None or unit is None else float(f"{value / unit:.4g}")


def entry(work: Work, runs: dict[str, list[Record]]) -> Record:
    """Return what is stored of one work."""
    found = {name: figures(repeats) for name, repeats in runs.items()}
    ours, floor, peer = found["ours"], found["floor"], found.get("peer")
    target = None
    if work.seconds is not None:
        target = {"value": work.seconds, "peak_mb": work.megabytes}
    return {
        "name": work.name,
        "title": work.title,
        "rows": work.rows,
        "features": work.features,
        "unit": "CPU s",
        **ours,
        "floor": floor,
        "ratio_to_floor": ratio(ours["value"], floor["value"]),
        "peer": peer,
        "peer_over_ours": ratio(peer and peer["value"], ours["value"]),
        "target": target,
        "met": verdict(ours, target),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def measure(selected: list[Work], peer: str | None, repeats: int) -> list[Record]:
    """Measure the works, those with the same data together."""
    entries = []
    shapes = dict.fromkeys((work.rows, work.features) for work in selected)
    for rows, features in shapes:
        with tempfile.TemporaryDirectory() as folder:
            data = str(Path(folder) / "data.npz")
            np.savez(data, **make_data(rows, features))
            for work in selected:
                if (work.rows, work.features) == (rows, features):
                    print(f"{work.name} ...", file=sys.stderr, flush=True)
                    entries.append(entry(work, take_turns(work, data, peer, repeats)))
                    print(f"    {line(entries[-1])}", file=sys.stderr, flush=True)
    return entries


# --- where it ran ---------------------------------------------------------------------------------


def peer_python() -> tuple[str | None, dict[str, str] | None]:
    """Return the peer's Python, if the environment names one, and its versions."""
    python = os.environ.get(PEER_VARIABLE)
    if not python:
        return None, None
    code = "import importlib.metadata as m, json, sys; "
    code += "print(json.dumps({name: m.version(name) for name in sys.argv[1:]}))"
    wanted = f"a Python 3.10 that holds aletheia-dnn=={PEER_VERSION} (see benchmarks/README.md)"
    try:
        command = [python, "-c", code, *PEER_PACKAGES]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except OSError as error:
        raise BenchmarkError(
            f"{PEER_VARIABLE} must name {wanted}; {python!r} cannot be run: {error.strerror}."
        ) from error
    except subprocess.CalledProcessError as error:
        raise BenchmarkError(
            f"{PEER_VARIABLE} must name {wanted}; {python!r} lacks one of: "
            f"{', '.join(PEER_PACKAGES)}."
        ) from error
    versions = json.loads(done.stdout)
    if versions["aletheia-dnn"] != PEER_VERSION:
        raise BenchmarkError(
            f"{PEER_VARIABLE} must name {wanted}; {python!r} holds {versions['aletheia-dnn']}."
        )
    return python, versions


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


def surroundings(quick: bool, repeats: int, peer_versions: dict[str, str] | None) -> Record:
    """Return everything that an entry depends on besides the work."""
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {
        "quick": quick,
        "network": f"{list(HIDDEN_SIZES)}, one output, He-normal weights, seed {SEED}",
        "repeats": f"{repeats}; at most 3 where one takes more than {LONG_SECONDS} s",
        "machine": machine(),
        "versions": {"python": platform.python_version(), **versions},
        "peer_versions": peer_versions,
        "note": NOTE,
    }


# --- files ----------------------------------------------------------------------------------------


def read(path: Path) -> Record:
    """Return a file of results."""
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise BenchmarkError(f"There is no {path.name} yet; run the benchmark first.") from error
    except json.JSONDecodeError as error:
        raise BenchmarkError(f"{path.name} is not JSON: {error}.") from error


def write(path: Path, results: Record) -> None:
    """Write beside the file and rename, so that nothing half-written stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    part.replace(path)


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


# --- printing -------------------------------------------------------------------------------------


def table(results: Record) -> str:
    """Return the results as a Markdown table."""
    head = ("work", "rows x features", "regions", "CPU s", "peak MB", "times the floor",
            "peer, CPU s", "peer / ours", "at most", "met")  # fmt: skip
    rows = [head, ["---"] * len(head), *map(cells, results["works"])]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def cells(found: Record) -> list[str]:
    """Return one row of the table."""
    peer, target = found["peer"], found["target"]
    limit = "" if target is None else f"{target['value']:g} s"
    if target and target["peak_mb"]:
        limit += f", {target['peak_mb']:g} MB"
    return [
        found["title"],
        f"{found['rows']:,} x {found['features']}",
        f"{found['regions']:,}" if "regions" in found else "",
        number(found["value"]) or found["missing"],
        number(found.get("peak_mb")),
        number(found["ratio_to_floor"]),
        number(peer and peer["value"]),
        number(found["peer_over_ours"]),
        limit,
        {True: "yes", False: "**no**", None: ""}[found["met"]],
    ]


def number(value: float | None) -> str:
    """Return a number with three digits; nothing for None."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def line(found: Record) -> str:
    """Return one row of the table for the terminal."""
    return " | ".join(filter(None, cells(found)[2:]))


# --- the command ----------------------------------------------------------------------------------


def run(arguments: argparse.Namespace) -> None:
    """Measure and write; `--quick` writes only where `--output` says."""
    repeats = 1 if arguments.quick else 5
    selected = chosen(arguments.work, arguments.quick)
    peer, peer_versions = peer_python()
    now = surroundings(arguments.quick, repeats, peer_versions)
    output = arguments.output or (None if arguments.quick else RESULTS)
    earlier = earlier_entries(output, now) if output and arguments.work else []
    measured = {found["name"]: found for found in earlier + measure(selected, peer, repeats)}
    order = [work.name for work in works(arguments.quick) if work.name in measured]
    command = "python benchmarks/unwrapping.py" + " --quick" * arguments.quick
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    results = {"command": command, "date": today, **now}
    results["works"] = [measured[name] for name in order]
    if output:
        write(output, results)
    print(table(results))


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return an exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny data, one repeat, no target")
    parser.add_argument("--output", type=Path, help="the JSON file (default: the package's)")
    parser.add_argument("--work", nargs="+", metavar="NAME", help="only these works")
    parser.add_argument("--table", action="store_true", help="print a JSON file as Markdown")
    options = parser.parse_args(arguments)
    try:
        if options.table:
            print(table(read(options.output or RESULTS)))
        else:
            run(options)
    except BenchmarkError as error:
        print(f"unwrapping.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
