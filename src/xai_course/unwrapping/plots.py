"""The unwrapper's pictures. Each takes what it draws and axes, and returns the axes.

Names of features are drawn as they are written (``parse_math=False``): a dollar sign is no formula.

Source: the figures of Sudjianto et al. (2020). Explained in the chapters
*unwrapping-interpretation* and *unwrapping-diagnostics*.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.decomposition import PCA

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.projections.polar import PolarAxes

    from xai_course.unwrapping.partition import Partition

__all__ = [
    "bootstrap",
    "extrapolation",
    "importance",
    "logarithmic",
    "models",
    "parallel_coordinates",
    "polar",
    "polar_marks",
    "profile",
    "regions",
    "segment",
]


def _axes(ax: Axes | None) -> Axes:
    """Return axes to draw on; matplotlib is imported when something is drawn."""
    import matplotlib.pyplot as plt

    return plt.gca() if ax is None else ax


def _colors(n: int) -> np.ndarray:
    """Return a colour for each model, from dark for the largest to one that still shows."""
    from matplotlib import colormaps

    from xai_course.plotting import MAGNITUDE

    return colormaps[MAGNITUDE](np.linspace(0, 0.6, n))


def importance(shares: pd.Series, n_features: int, ax: Axes | None) -> Axes:
    """Draw joint importances as bars, the largest on top."""
    ax = _axes(ax)
    shown = shares.sort_values(ascending=False, kind="stable")[:n_features]
    ax.barh(range(len(shown)), shown.to_numpy(), color=_colors(3)[1])
    ax.set_yticks(range(len(shown)), shown.index, parse_math=False)
    ax.invert_yaxis()
    ax.set_xlabel("joint importance (share of squared coefficients)")
    return ax


def profile(
    slopes: np.ndarray, rows: Sequence[np.ndarray], name: str, ylabel: str, ax: Axes | None
) -> Axes:
    """Draw a local linear profile: one line per model, and below it where all their rows lie.

    A line is wider where the model has more rows, and its colour says whether it rises or falls.
    """
    from xai_course.plotting import NEGATIVE, POSITIVE

    ax = _axes(ax)
    ax.tick_params(labelbottom=False)
    below = ax.inset_axes([0, -0.32, 1, 0.2], sharex=ax)
    most = max(map(len, rows))
    for slope, values in zip(slopes, rows, strict=True):
        ends = np.array([values.min(), values.max()])
        color = POSITIVE if slope > 0 else NEGATIVE if slope < 0 else "0.35"
        look = {"color": color, "marker": "o" if ends[0] == ends[1] else ""}
        width = 1 + 3 * (len(values) / most) ** 0.5
        ax.plot(ends, slope * (ends - values.mean()), alpha=0.8, linewidth=width, **look)
    below.hist(np.concatenate(rows), bins=40, color="0.6")
    below.grid(visible=False)
    below.set(yticks=[], ylabel="rows")
    below.set_xlabel(name, parse_math=False)
    ax.set_ylabel(ylabel)
    return ax


def models(partition: Partition, n_parts: int | None, ax: Axes | None) -> Axes:
    """Draw the linear models of the largest parts as long as their rows reach, and these rows.

    A regression with one input is drawn as it is. With two inputs and two classes, a line is where
    the log-odds are zero; a model whose rows lie all on one side of it has no line. Models
    that were refitted have another colour than those of the network.
    """
    from xai_course.plotting import CLASS_0, CLASS_1, NETWORK, OURS

    names, n_classes = partition._names, partition._n_classes
    if (len(names), n_classes) not in ((1, None), (2, 2)):
        raise ValueError(
            "plot_models needs a regression with 1 input or two classes with 2 inputs, got "
            f"{n_classes or 'no'} classes and {len(names)} inputs."
        )
    ax = _axes(ax)
    coef, intercept = partition.coef_[:n_parts], partition.intercept_[:n_parts]
    if coef.shape[1] == 2:  # a logit for each class
        coef, intercept = np.diff(coef, axis=1), np.diff(intercept, axis=1)
    X, y, labels = partition._X, partition._y, partition.labels_
    shown = labels < len(coef)
    style = {"linestyle": "", "markersize": 3, "markeredgewidth": 0}
    ax.set_xlabel(names[0], parse_math=False)
    if n_classes is None:
        ax.plot(X[shown, 0], y[shown], color="0.6", marker="o", **style)
        ax.set_ylabel("response")
    else:
        for label, color, marker in (0, CLASS_0, "o"), (1, CLASS_1, "^"):
            ax.plot(*X[shown & (y == label)].T, color=color, marker=marker, **style)
        ax.set_ylabel(names[1], parse_math=False)
    scale = X.std(axis=0)
    scale[scale == 0] = 1.0
    color = OURS if partition._part == "cluster" else NETWORK  # refitted, or the network itself
    for k in range(len(coef)):
        line = segment(coef[k, 0], intercept[k, 0], X[labels == k], scale)
        if line is not None:
            ax.plot(*line, color=color, linewidth=3, solid_capstyle="butt")
    return ax


def segment(w: np.ndarray, b: float, x: np.ndarray, scale: np.ndarray) -> np.ndarray | None:
    """Return both ends of a model's line, shape (2, 2), as far as its rows reach along it.

    With two inputs, the ends depend on their units: they are sought in units of `scale`.
    """
    if len(w) == 1:
        ends = np.array([x.min(), x.max()])
        return np.stack([ends, w[0] * ends + b])
    w, x = w * scale, x / scale
    values = x @ w + b
    if values.min() >= 0 or values.max() <= 0:
        return None
    feet = x - np.outer(values / (w @ w), w)
    along = feet @ [-w[1], w[0]]
    return scale[:, None] * feet[[along.argmin(), along.argmax()]].T


def parallel_coordinates(
    coef: np.ndarray, counts: np.ndarray, names: Sequence[str], ax: Axes | None, apart: bool = False
) -> Axes:
    """Draw each model's coefficients as a line over the features.

    Larger regions are darker; or, to tell a few models apart, each has a colour and a label.
    """
    ax = _axes(ax)
    for k, color in reversed(list(enumerate(_colors(len(counts))))):
        look = {"color": "black", "alpha": 0.15 + 0.75 * counts[k] / counts.max()}
        if apart:
            look = {"color": color, "alpha": 0.9, "label": f"{k} ({counts[k]} rows)"}
        ax.plot(range(len(names)), coef[k], **look)
    ax.axhline(0, color="black", linewidth=1)
    rotation = 90 if len(names) > 6 else 0
    ax.set_xticks(range(len(names)), names, rotation=rotation, parse_math=False)
    ax.set(ylabel="coefficient", xlim=(-0.2, len(names) - 0.8))
    if apart:
        ax.legend(reverse=True, title="cluster", loc="upper left", bbox_to_anchor=(1, 1))
    return ax


def polar(
    coef: np.ndarray, counts: np.ndarray, degenerate: np.ndarray, log: bool, ax: Axes | None
) -> PolarAxes:
    """Draw the direction of each model's coefficients, with the region's count as the radius.

    More than two features are projected on the first two principal components of the directions.
    """
    import matplotlib.pyplot as plt

    ax = plt.gcf().add_subplot(projection="polar") if ax is None else ax
    if ax.name != "polar":
        raise ValueError("plot_polar needs polar axes: plt.subplot(projection='polar').")
    length = np.linalg.norm(coef, axis=1, keepdims=True)
    unit = coef / np.where(length > 0, length, 1)
    if unit.shape[1] > 2:
        unit = PCA(2, svd_solver="full").fit_transform(unit)
    up = unit[:, 1] if unit.shape[1] > 1 else np.zeros(len(unit))
    polar_marks(np.arctan2(up, unit[:, 0]), counts, degenerate, ax)
    if log:
        logarithmic(ax, counts.max())
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=2)
    return ax


def polar_marks(
    angle: ArrayLike, counts: ArrayLike, degenerate: ArrayLike, ax: PolarAxes, sizes: ArrayLike = 14
) -> PolarAxes:
    """Mark regions by direction and count; those of one row or one class are crosses."""
    angle, counts, degenerate = map(np.asarray, (angle, counts, degenerate))
    sizes = np.broadcast_to(sizes, angle.shape)
    for chosen, color, marker, label in (
        (degenerate, "0.5", "x", "one row or one class"),
        (~degenerate, "black", "o", "others"),
    ):
        look = {"s": sizes[chosen], "c": color, "marker": marker}
        ax.scatter(angle[chosen], counts[chosen], alpha=0.7, label=label, **look)
    return ax


def logarithmic(ax: PolarAxes, largest: int) -> PolarAxes:
    """Give polar axes a logarithmic radius for counts, from just below one.

    Not taught: it only sets up axes.
    """
    ax.set_rscale("log")
    ax.set_rlabel_position(110)
    ax.set_rlim(0.6, 1.15 * largest)
    ticks = [10**power for power in range(len(str(largest)))]
    ax.set_rticks(ticks, [f"{tick} row" + "s" * (tick > 1) for tick in ticks])
    return ax


def extrapolation(summary: pd.DataFrame, metric: str, ax: Axes | None) -> Axes:
    """Draw local beside global performance of each region, one row a region, largest on top.

    Errors have a logarithmic axis; an AUC has a line at one half, where luck is.
    """
    from xai_course.plotting import NETWORK

    ax = _axes(ax)
    own, every = (summary[f"{whose}_{metric}"].to_numpy() for whose in ("local", "global"))
    place = np.arange(len(summary))
    ax.hlines(place, own, every, color="0.6")
    ax.plot(own, place, "o", color=NETWORK, label="own rows")
    ax.plot(every, place, "s", color=NETWORK, markerfacecolor="white", label="all rows")
    if metric == "auc":
        ax.axvline(0.5, color=NETWORK, linewidth=1, linestyle="--")
    elif min(own.min(), every.min()) > 0:
        ax.set_xscale("log")
    ax.set_yticks(place, summary.index)
    ax.invert_yaxis()
    ax.set(xlabel=metric.upper(), ylabel="region, largest on top")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return ax


def regions(
    pattern: Callable[[np.ndarray], np.ndarray],
    X: np.ndarray,
    bounds: ArrayLike | None,
    ax: Axes | None,
    **options: Any,
) -> Axes:
    """Draw the regions of a plane around the rows; `options` are those of `plot_regions`."""
    from xai_course.plotting import plot_regions

    if X.shape[1] != 2:
        raise ValueError(f"plot_regions needs 2 inputs, the network has {X.shape[1]}.")
    if bounds is None:
        low, high = X.min(axis=0), X.max(axis=0)
        margin = 0.05 * np.where(high > low, high - low, np.where(high, np.abs(high), 1))
        bounds = np.column_stack([low - margin, high + margin])
    return plot_regions(pattern, bounds, ax=ax, **options)


def bootstrap(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw what `bootstrap` returned: coefficients with their spread, and how often each is zero.

    As in Sudjianto et al. (2020), Figure 19, with a row for each coefficient. The thick line holds
    the middle half with the median as a bar, the thin one is the table's interval; a cross is the
    fit on all rows.
    """
    from xai_course.plotting import NETWORK

    ax = _axes(ax)
    place = np.arange(len(table))
    ax.hlines(place, table["ci_low"], table["ci_high"], color=NETWORK, linewidth=1)
    ax.hlines(place, table["q25"], table["q75"], color="0.6", linewidth=9)
    ax.plot(table["median"], place, "|", color=NETWORK, markersize=11, markeredgewidth=2)
    ax.plot(table["coef"], place, "x", color=NETWORK)
    ax.axvline(0, color="black", linewidth=1)
    ax.set_yticks(place, table.index, parse_math=False)
    ax.invert_yaxis()
    ax.set_xlabel("coefficient")
    beside = ax.inset_axes([1.04, 0, 0.25, 1], sharey=ax)
    beside.barh(place, table["probability_zero"], height=0.6, color=_colors(3)[1])
    beside.set(xlim=(0, 1), xlabel="P(zero)")
    beside.tick_params(labelleft=False)
    return ax
