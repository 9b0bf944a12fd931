"""Measure the unwrapper: CPU time and memory, beside a floor and beside its peer.

``python benchmarks/unwrapping.py`` measures everything and writes `benchmark_unwrapping.json`;
``--table`` prints that file as a Markdown table. See README.md in this folder.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from _command import (
    Benchmark,
    BenchmarkError,
    Record,
    main,
    markdown,
    met,
    number,
    ratio,
    run_script,
    tell,
    today,
)

HIDDEN_SIZES = (40, 40, 40, 40)
SEED = 0
HELD_OUT_ROWS = 2_000
# What takes longer than this is repeated less often.
LONG_SECONDS = 10
PEER_VARIABLE = "XAI_PEER_PYTHON"
PEER_VERSION = "1.3.5"
PACKAGES = ("numpy", "pandas", "scikit-learn", "scipy", "statsmodels", "xai-course")
PEER_PACKAGES = ("aletheia-dnn", "numpy", "pandas", "scikit-learn", "scipy", "statsmodels")
NOTE = (
    "CPU seconds of one thread, not wall time, because other work may use the machine's cores. "
    "Every repeat is a process of its own; floor, ours and the peer take turns. Memory is the "
    "process's peak in MB of 10^6 bytes, and that peak less what was held once the data were read."
)


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
        Work("flatten-regression-10k", "flatten 10 clusters, regression", "flatten", regression,
             **ten),
        Work("bootstrap-regression-10k", "bootstrap the largest cluster, 100 times, regression",
             "bootstrap", regression, **ten),
        Work("bootstrap-classification-10k",
             "bootstrap the largest cluster, 100 times, classification", "bootstrap",
             classification, **ten),
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
        "date": today(),
    }


def measure(selected: list[Work], quick: bool) -> list[Record]:
    """Measure the works, those with the same data together."""
    peer, _ = peer_python()
    entries = []
    shapes = dict.fromkeys((work.rows, work.features) for work in selected)
    for rows, features in shapes:
        with tempfile.TemporaryDirectory() as folder:
            data = str(Path(folder) / "data.npz")
            np.savez(data, **make_data(rows, features))
            for work in selected:
                if (work.rows, work.features) == (rows, features):
                    tell(f"{work.name} ...")
                    entries.append(entry(work, take_turns(work, data, peer, repeats(quick))))
                    tell(f"    {' | '.join(filter(None, cells(entries[-1])[2:]))}")
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


def repeats(quick: bool) -> int:
    """Return how often what takes short is repeated."""
    return 1 if quick else 5


def conditions(quick: bool) -> Record:
    """Return what an entry depends on besides the work."""
    return {
        "network": f"{list(HIDDEN_SIZES)}, one output, He-normal weights, seed {SEED}",
        "repeats": f"{repeats(quick)}; at most 3 where one takes more than {LONG_SECONDS} s",
        "peer_versions": peer_python()[1],
    }


# --- printing -------------------------------------------------------------------------------------


def table(results: Record) -> str:
    """Return the results as a Markdown table."""
    head = ("work", "rows x features", "regions", "CPU s", "peak MB", "times the floor",
            "peer, CPU s", "peer / ours", "at most", "met")  # fmt: skip
    return markdown(head, map(cells, results["works"]))


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
        met(found["met"]),
    ]


BENCHMARK = Benchmark(
    program="unwrapping",
    works=works,
    measure=measure,
    table=table,
    packages=PACKAGES,
    note=NOTE,
    conditions=conditions,
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
