"""Table 1: how many regions, and how good."""

from __future__ import annotations

from typing import Any

from replicates import Replicates
from results import data_hash, spread
from tqdm import tqdm

from unwrapping import controls
from unwrapping.examples import EXAMPLES, Example, train

MEASURED_BY = ("examples", "controls", "table1")


def measure(example: Example, seed: int) -> dict[str, float]:
    """Train with one seed for the data, the split and the network; count regions and score."""
    rows = train(example, seed)
    degenerate = rows.unwrapper.summary(global_metrics=False).filter(like="single_").any(axis=1)
    return {
        "regions": float(rows.unwrapper.n_regions_),
        "train": rows.score(rows.network.forward(rows.X_train)[:, 0], train=True),
        "test": rows.score(rows.network.forward(rows.X_test)[:, 0]),
        "coverage": float(rows.unwrapper.coverage(rows.X_test)),
        "degenerate": float(degenerate.mean()),
        "linear_test": rows.score(controls.linear(rows)),
    }


def table(replicates: Replicates) -> dict[str, Any]:
    """Measure Table 1: printed, ours with seed 0, the spread over seeds, a control, a verdict."""
    rows: dict[str, Any] = {}
    for example in EXAMPLES:
        try:
            X, y = example.rows(0)
        except OSError as error:
            rows[example.name] = {"printed": example.printed, "not_run": str(error).split("\n")[0]}
            continue
        runs = [
            replicates.run(f"{example.name} {seed}", lambda e=example, s=seed: measure(e, s))
            for seed in tqdm(range(example.seeds), desc=example.name)
        ]
        ours = {key: round(runs[0][key], 4) for key in example.printed}
        rows[example.name] = {
            "printed": example.printed,
            "seed_0": {key: round(value, 6) for key, value in runs[0].items()},
            "over_seeds": {key: spread([run[key] for run in runs]) for key in runs[0]},
            "verdict": verdict(example.printed, ours, runs),
            "shape": list(X.shape),
            "hidden_sizes": list(example.hidden_sizes),
            "preparation": example.preparation,
            "metric": example.metric,
            "data_sha256": data_hash(X, y),
        }
    return rows


def verdict(printed: dict[str, float], ours: dict[str, float], runs: list[dict[str, float]]) -> str:
    """Say in words how the printed row compares with seed 0 and with the range over seeds."""
    if printed == ours:
        return "same with seed 0"
    outside = [
        key
        for key, value in printed.items()
        if not min(run[key] for run in runs) <= value <= max(run[key] for run in runs)
    ]
    if not outside:
        return "not the same digits; inside our range over seeds"
    return f"not reproduced: {', '.join(outside)} outside our range over seeds"
