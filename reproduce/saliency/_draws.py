"""Means over draws of the data, with their standard errors."""

from __future__ import annotations

import numpy as np

Numbers = dict[str, float]


def over_draws(draws: list[dict[str, Numbers]]) -> dict[str, dict[str, Numbers]]:
    """Return mean and standard error of every number, in the shape of one draw."""
    return {
        row: {name: mean([draw[row][name] for draw in draws]) for name in numbers}
        for row, numbers in draws[0].items()
    }


def mean(values: list[float]) -> Numbers:
    """Return the mean of one value a draw, and its standard error."""
    error = np.std(values, ddof=1) / np.sqrt(len(values))
    return {"mean": round(float(np.mean(values)), 4), "se": round(float(error), 4)}
