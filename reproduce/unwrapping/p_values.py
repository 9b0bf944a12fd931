"""The p-values behind the levels of `inference.py`, one by one, for the reader to draw again."""

from __future__ import annotations

from typing import Any

import numpy as np
from replicates import Replicates
from tqdm import tqdm

from unwrapping import inference
from unwrapping.inference import BINS, ITERATIONS, NOISE

LETTERS = "abcdefghijklmnopqrst"
SETTINGS = {
    "noise": inference.SETTINGS["noise"],
    "seeds": inference.SETTINGS["seeds"],
    "words": "a word for each network, in the order of their seeds, and a letter for each test: a "
    f"for a p-value below 1/{BINS}, b for one below 2/{BINS}, and so on",
}
MEASURED_BY = ("p_values", *inference.MEASURED_BY)


def table(replicates: Replicates) -> dict[str, Any]:
    """Return all p-values of slopes that are zero, on the rows that trained and on fresh ones."""
    noise = {
        str(n): [
            replicates.run(f"{n} {s}", lambda s=s, n=n: words(s, n))
            for s in tqdm(range(NOISE), desc=f"{n} iterations")
        ]
        for n in ITERATIONS
    }
    return {
        "settings": SETTINGS,
        "noise": {
            n: {kind: " ".join(run[kind] for run in runs) for kind in runs[0]}
            for n, runs in noise.items()
        },
    }


def words(seed: int, iterations: int) -> dict[str, str]:
    """Return the p-values of one network, a letter each."""
    run = inference.quietly(inference.noise_run, seed, iterations)
    return {kind: word(p_values) for kind, p_values in run.items()}


def word(p_values: list[float]) -> str:
    """Return the bin of each p-value as a letter.

    Examples
    --------
    >>> word([0.049, 0.05, 1.0])
    'abt'
    """
    inner = np.linspace(0, 1, BINS + 1)[1:-1]
    return "".join(LETTERS[k] for k in np.searchsorted(inner, p_values, side="right"))
