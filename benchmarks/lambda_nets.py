"""Measure the training of lambda-nets: ours, beside a plain torch loop and scikit-learn.

``python benchmarks/lambda_nets.py`` measures everything and writes `benchmark_lambda_nets.json`;
``--table`` prints that file as a Markdown table. See README.md in this folder.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from statistics import mean, median, pstdev

from _command import Benchmark, Record, main, markdown, met, number, ratio, run_script, tell

SCRIPT = "_measure_lambda_nets.py"
PACKAGES = ("joblib", "numpy", "scikit-learn", "torch", "xai-course")
SECONDS = 360  # for all networks of the largest work, with two cores to themselves
TEST_ERROR = 0.0105  # their mean
TIMES = 400  # as fast as the plain loop with two workers, at a test error not above it by 5 %
WORSE = 1.05
JUDGED = ("two-workers-5", "plain-5", "stacked-5")
NOTE = (
    "CPU seconds per network, the median of the turns: the ways take turns in fresh processes of "
    "one thread. Not wall time, because other work may use the machine's cores; wall seconds stand "
    "beside. Errors are mean absolute errors on test rows, against the targets without noise: mean "
    "and standard deviation over the networks, and the mean over those polynomials that the ways "
    "have in common. What two workers take with two cores to themselves is half the CPU seconds."
)


@dataclass(frozen=True)
class Work:
    """Networks in so many variables, trained in one way, in turns."""

    name: str
    title: str
    n_variables: int
    way: str
    n_nets: int  # in a turn
    turns: int = 1
    n_jobs: int = 1
    common: int = 0  # the first networks of a turn, whose polynomials the other ways have too


def works(quick: bool) -> list[Work]:
    """Return what is measured; with `quick` few networks, under the same names."""
    few, many, every, turns = (1, 4, 8, 1) if quick else (2, 256, 45_000, 4)
    ours, turn = "stacked, one worker", {"turns": turns, "common": few}
    return [
        Work("stacked-5", ours, 5, "stacked", many, **turn),
        Work("plain-5", "plain torch loop", 5, "plain", few, **turn),
        Work("sklearn-5", "scikit-learn, squared loss", 5, "sklearn", few, **turn),
        Work("stacked-10", ours, 10, "stacked", many),
        Work("stacked-15", ours, 15, "stacked", many),
        Work("two-workers-5", "stacked, two workers", 5, "stacked", every, n_jobs=2),
    ]


def measure(listed: list[Work], quick: bool) -> list[Record]:
    """Measure the works by turns and return what is stored."""
    runs: dict[str, list[Record]] = {work.name: [] for work in listed}
    most = max(work.turns for work in listed)
    for turn in range(most):
        for work in listed:
            if turn >= most - work.turns:  # what has one turn comes last
                tell(f"{work.name}, turn {turn + 1} ...")
                numbers = map(str, (turn, work.n_nets, work.n_jobs))
                arguments = (str(work.n_variables), work.way, *numbers)
                runs[work.name].append(run_script(sys.executable, SCRIPT, *arguments))
    return [entry(work, runs[work.name]) for work in listed]


def entry(work: Work, runs: list[Record]) -> Record:
    """Return what is stored of one work."""
    errors = [error for run in runs for error in run["errors"]]
    common = [error for run in runs for error in run["errors"][: work.common]]
    seconds = [float(f"{run['cpu'] / work.n_nets:.4g}") for run in runs]
    return {
        "name": work.name, "title": work.title, "n_variables": work.n_variables,
        "workers": work.n_jobs, "nets": len(errors),
        "epochs": round(mean(run["epochs"] for run in runs)),
        "unit": "CPU s per network", "value": median(seconds), "repeats": seconds,
        "nets_per_second": ratio(1, median(seconds)),
        "cpu": round(sum(run["cpu"] for run in runs), 1),
        "wall": round(sum(run["wall"] for run in runs), 1),
        "test_error": round(mean(errors), 5), "sd": round(pstdev(errors), 5),
        "common": [round(error, 5) for error in common],
    }  # fmt: skip


def targets(entries: list[Record]) -> list[Record]:
    """Return what was to be reached, what was, and whether that is enough."""
    found = {entry["name"]: entry for entry in entries}
    if not set(JUDGED) <= set(found):
        return []
    every, plain, ours = (found[name] for name in JUDGED)
    quality = ratio(mean(ours["common"]), mean(plain["common"]))
    times = ratio(plain["value"], every["value"] / every["workers"])
    seconds = round(every["cpu"] / every["workers"], 1)
    return [
        verdict(f"{every['nets']:,} networks, s", seconds, SECONDS),
        verdict("their mean test error", every["test_error"], TEST_ERROR),
        verdict("test error over the plain loop's", quality, WORSE),
        {**verdict("times the plain loop", -times, -TIMES), "value": times, "limit": TIMES},
    ]


def verdict(what: str, value: float, limit: float) -> Record:
    """Return whether a value keeps to its upper limit."""
    return {"what": what, "value": value, "limit": limit, "met": bool(value <= limit)}


def table(results: Record) -> str:
    """Return the results as two Markdown tables."""
    head = ("n", "way", "networks", "epochs", "CPU s per network", "networks per CPU s", "wall s",
            "test error", "sd")  # fmt: skip
    rows = []
    for found in results["works"]:
        speed = [number(found[name]) for name in ("value", "nets_per_second", "wall")]
        errors = [f"{found[name]:.4f}" for name in ("test_error", "sd")]
        counts = [f"{found[name]:,}" for name in ("nets", "epochs")]
        rows.append([str(found["n_variables"]), found["title"], *counts, *speed, *errors])
    reached = [
        [one["what"], number(one["value"]), number(one["limit"]), met(one["met"])]
        for one in results["targets"]
    ]
    return f"{markdown(head, rows)}\n\n{markdown(('target', 'reached', 'limit', 'met'), reached)}"


BENCHMARK = Benchmark(
    program="lambda_nets",
    works=works,
    measure=measure,
    table=table,
    packages=PACKAGES,
    note=NOTE,
    conclude=lambda entries: {"targets": targets(entries)},
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
