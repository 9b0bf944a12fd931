"""Reproduce the tables of Sudjianto et al. (2020) at full size.

``python reproduce/unwrapping.py table1`` writes ``unwrapping_table1.json`` where the book finds it
(`xai_course.book.measured`). HELOC needs the reader's own copy of the data (see
`xai_course.data.load`); without it its row says so.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from results import data_hash, spread, write
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import mean_squared_error, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import minmax_scale
from tqdm import tqdm

from xai_course import data
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.unwrapping import UnwrapperClassifier, UnwrapperRegressor

# Section 3: Adam, 2,000 epochs at most, stop after 100 without progress on 20 % of the rows.
RECIPE = {
    "max_iter": 2000,
    "early_stopping": True,
    "validation_fraction": 0.2,
    "n_iter_no_change": 100,
}


@dataclass(frozen=True)
class Example:
    """One row of Table 1."""

    name: str
    rows: Callable[[int], tuple[np.ndarray, np.ndarray]]
    hidden_sizes: tuple[int, ...]
    classification: bool
    seeds: int
    printed: dict[str, float]
    preparation: str


def chirp_wave(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return ChirpWave as the book draws it; the paper does not say how it draws x."""
    wave = data.chirp_wave(seed=seed)
    return wave.X, wave.y


def co_circles(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return CoCircles."""
    circles = data.co_circles(seed=seed)
    return circles.X, circles.y


def boston(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return Boston with predictors and response scaled to [0, 1] on all rows."""
    houses = data.load("boston")
    return minmax_scale(houses.X), minmax_scale(houses.y)


def heloc(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return HELOC with 9,871 rows and 35 columns, scaled to [0, 1] on all rows."""
    lines = data.load("heloc")
    table = pd.DataFrame(lines.X, columns=lines.feature_names)
    known = ~(table == -9).all(axis=1)
    codes = ["MaxDelq2PublicRecLast12M", "MaxDelqEver"]
    wide = pd.get_dummies(table[known], columns=codes, drop_first=True)
    return minmax_scale(wide.to_numpy(dtype=float)), lines.y[known.to_numpy()]


EXAMPLES = (
    Example(
        "ChirpWave",
        chirp_wave,
        (40,) * 4,
        False,
        20,
        {"regions": 64, "train": 0.0113, "test": 0.0117},
        "x uniform; the paper does not say",
    ),
    Example(
        "CoCircles",
        co_circles,
        (40,) * 4,
        True,
        20,
        {"regions": 530, "train": 0.9215, "test": 0.9320},
        "none",
    ),
    Example(
        "BostonHouse",
        boston,
        (20, 20),
        False,
        20,
        {"regions": 155, "train": 0.0022, "test": 0.0094},
        "predictors and response scaled to [0, 1] on all rows, before the split",
    ),
    Example(
        "FicoHeloc",
        heloc,
        (40,) * 4,
        True,
        5,
        {"regions": 7423, "train": 0.8325, "test": 0.7980},
        "588 empty rows dropped; two code columns one-hot without their first level; scaled to "
        "[0, 1] on all rows",
    ),
)


def measure(example: Example, seed: int) -> dict[str, float]:
    """Train with one seed for the data, the split and the network; count regions and score."""
    X, y = example.rows(seed)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=seed)
    model = MLPClassifier if example.classification else MLPRegressor
    mlp = model(hidden_layer_sizes=example.hidden_sizes, random_state=seed, **RECIPE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        mlp.fit(X_train, y_train)
    network = PiecewiseLinearNetwork.from_sklearn(mlp)
    unwrap = UnwrapperClassifier if example.classification else UnwrapperRegressor
    unwrapper = unwrap(network).fit(X_train, y_train)
    score = roc_auc_score if example.classification else mean_squared_error
    degenerate = unwrapper.summary(global_metrics=False).filter(like="single_").any(axis=1)
    return {
        "regions": unwrapper.n_regions_,
        "train": score(y_train, network.forward(X_train)[:, 0]),
        "test": score(y_test, network.forward(X_test)[:, 0]),
        "coverage": unwrapper.coverage(X_test),
        "degenerate": float(degenerate.mean()),
        "linear_test": _linear_control(example, X_train, X_test, y_train, y_test),
    }


def _linear_control(
    example: Example,
    X_train: np.ndarray,
    X_test: np.ndarray,
    y_train: np.ndarray,
    y_test: np.ndarray,
) -> float:
    """Return the score of one linear model, which every network should beat."""
    if example.classification:
        model = LogisticRegression(max_iter=2000).fit(X_train, y_train)
        return float(roc_auc_score(y_test, model.decision_function(X_test)))
    model = LinearRegression().fit(X_train, y_train)
    return float(mean_squared_error(y_test, model.predict(X_test)))


def table1() -> dict[str, Any]:
    """Measure Table 1: printed, ours with seed 0, the spread over seeds, a control, a verdict."""
    table = {}
    for example in EXAMPLES:
        try:
            X, y = example.rows(0)
        except OSError as error:
            table[example.name] = {"printed": example.printed, "not_run": str(error).split("\n")[0]}
            continue
        runs = [measure(example, seed) for seed in tqdm(range(example.seeds), desc=example.name)]
        ours = {key: round(runs[0][key], 4) for key in example.printed}
        table[example.name] = {
            "printed": example.printed,
            "seed_0": {key: round(float(value), 6) for key, value in runs[0].items()},
            "over_seeds": {key: spread([run[key] for run in runs]) for key in runs[0]},
            "verdict": verdict(example.printed, ours, runs),
            "shape": list(X.shape),
            "hidden_sizes": list(example.hidden_sizes),
            "preparation": example.preparation,
            "metric": "AUC" if example.classification else "MSE",
            "data_sha256": data_hash(X, y),
        }
    return table


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


TABLES = {"table1": table1}


def main() -> None:
    """Run one table and write its file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", choices=list(TABLES))
    name = parser.parse_args().table
    started = time.perf_counter()
    command = f"python reproduce/unwrapping.py {name}"
    print(write(f"unwrapping_{name}", TABLES[name](), command, started))


if __name__ == "__main__":
    main()
