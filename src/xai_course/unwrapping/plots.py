"""The unwrapper's pictures. Each takes plain arrays and axes, and returns the axes."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.projections.polar import PolarAxes
from numpy.typing import ArrayLike
from scipy.stats import gaussian_kde
from sklearn.decomposition import PCA

from xai_course.networks import PiecewiseLinearNetwork
from xai_course.plotting import NEGATIVE, POSITIVE, plot_regions

__all__ = ["extrapolation", "importance", "parallel_coordinates", "polar", "profile", "regions"]


def importance(shares: pd.Series, n_features: int, ax: Axes | None) -> Axes:
    """Draw joint importances as bars, the largest on top."""
    ax = plt.gca() if ax is None else ax
    shown = shares.sort_values(ascending=False, kind="stable")[:n_features]
    ax.barh(range(len(shown)), shown.to_numpy())
    ax.set_yticks(range(len(shown)), shown.index)
    ax.invert_yaxis()
    ax.set_xlabel("joint importance (share of squared coefficients)")
    return ax


def profile(lines: pd.DataFrame, rows: Sequence[np.ndarray], name: str, ax: Axes | None) -> Axes:
    """Draw a local linear profile: one line per region, and below it where the region's rows lie.

    Each density is scaled to the same height, so it shows where the rows are and not how many.
    """
    ax = plt.gca() if ax is None else ax
    colors = plt.get_cmap("viridis")(np.linspace(0, 0.9, max(len(lines), 1)))
    below = ax.inset_axes([0, -0.32, 1, 0.2], sharex=ax)
    for color, (_, line), values in zip(colors, lines.iterrows(), rows, strict=True):
        ends = [line["low"], line["high"]], [line["at_low"], line["at_high"]]
        ax.plot(*ends, color=color, marker="" if line["low"] < line["high"] else ".")
        if np.ptp(values) > 0:
            grid = np.linspace(values.min(), values.max(), 80)
            density = gaussian_kde(values)(grid)
            below.fill_between(grid, density / density.max(), color=color, alpha=0.3, linewidth=0)
    below.set(xlabel=name, yticks=[], ylabel="rows")
    ax.set_ylabel("share of the output, centred")
    ax.tick_params(labelbottom=False)
    return ax


def parallel_coordinates(
    coef: np.ndarray, counts: np.ndarray, names: Sequence[str], ax: Axes | None
) -> Axes:
    """Draw each model's coefficients as a line over the features, larger regions darker."""
    ax = plt.gca() if ax is None else ax
    largest = counts.max() if len(counts) else 1
    for line, count in list(zip(coef, counts, strict=True))[::-1]:
        ax.plot(range(len(names)), line, color="#0072B2", alpha=0.15 + 0.75 * count / largest)
    ax.axhline(0, color="black", linewidth=1)
    ax.set_xticks(range(len(names)), names, rotation=90 if len(names) > 6 else 0)
    ax.set(ylabel="coefficient", xlim=(-0.2, len(names) - 0.8))
    return ax


def polar(
    coef: np.ndarray, counts: np.ndarray, degenerate: np.ndarray, ax: Axes | None
) -> PolarAxes:
    """Draw the direction of each model's coefficients, with the region's count as the radius.

    More than two features are projected on the first two principal components of the directions.
    """
    if ax is None:
        ax = plt.gcf().add_subplot(projection="polar")
    if not isinstance(ax, PolarAxes):
        raise ValueError("plot_polar needs polar axes: plt.subplot(projection='polar').")
    length = np.linalg.norm(coef, axis=1, keepdims=True)
    unit = coef / np.where(length > 0, length, 1)
    if unit.shape[1] == 1:
        unit = np.column_stack([unit, np.zeros(len(unit))])
    elif unit.shape[1] > 2:
        unit = PCA(2, svd_solver="full").fit_transform(unit)
    angle = np.arctan2(unit[:, 1], unit[:, 0])
    for chosen, color, marker, label in (
        (degenerate, POSITIVE, "x", "one row or one class"),
        (~degenerate, NEGATIVE, "o", "others"),
    ):
        ax.scatter(
            angle[chosen], counts[chosen], c=color, marker=marker, s=14, alpha=0.7, label=label
        )
    ax.legend(loc="upper left", bbox_to_anchor=(1.02, 1))
    return ax


def extrapolation(summary: pd.DataFrame, metric: str, ax: Axes | None) -> Axes:
    """Draw local beside global performance of each region."""
    ax = plt.gca() if ax is None else ax
    place = np.arange(len(summary))
    ax.bar(place - 0.2, summary[f"local_{metric}"], width=0.4, label="own rows")
    ax.bar(place + 0.2, summary[f"global_{metric}"], width=0.4, label="all rows", hatch="//")
    ax.set_xticks(place, summary.index)
    ax.set(xlabel="region, largest first", ylabel=metric.upper())
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return ax


def regions(
    network: PiecewiseLinearNetwork,
    X: np.ndarray,
    patterns: np.ndarray,
    bounds: ArrayLike | None,
    ax: Axes | None,
) -> Axes:
    """Draw the regions of a network with two inputs; those without a training row are dark."""
    if bounds is None:
        low, high = X.min(axis=0), X.max(axis=0)
        margin = 0.05 * np.where(high > low, high - low, 1)
        bounds = np.column_stack([low - margin, high + margin])
    return plot_regions(network.activation_pattern, bounds, seen=patterns, ax=ax)
