"""Runs that are told apart by a seed, kept one by one, and the data that all of them begin with."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from replicates import Replicates
from results import data_hash
from tqdm import tqdm

from unwrapping.examples import BY_NAME
from xai_course import data
from xai_course.unwrapping import SeparationWarning


def over_seeds(
    replicates: Replicates, name: str, work: Callable[[int], Any], n: int
) -> dict[str, list[Any]]:
    """Return each number of `work` as a list with one entry for each of the seeds 0 to n - 1."""
    runs = [
        replicates.run(f"{name} {seed}", lambda s=seed: quietly(work, s))
        for seed in tqdm(range(n), desc=name)
    ]
    return {key: [run[key] for run in runs] for key in runs[0]}


def quietly(work: Callable[[int], Any], seed: int) -> dict[str, float]:
    """Return the rounded numbers of one run, without warnings of separable classes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SeparationWarning)
        found = work(seed)
    return {key: round(float(value), 6) for key, value in found.items()}


def hashes() -> list[str]:
    """Return what tells the drawn data apart: circles, wave and loans."""
    lending = data.home_lending()
    drawn = [BY_NAME[name].rows(0) for name in ("CoCircles", "ChirpWave")]
    return [data_hash(*rows) for rows in [*drawn, (lending.X, lending.y)]]
