"""One plot style for the whole book, and the plots that several chapters share.

Signed values use `SIGNED`, a diverging map centred at zero; magnitudes use `MAGNITUDE`, a
sequential map. Both can be told apart by colour-blind readers. The line colours are those of Okabe
and Ito.

Not taught: it only draws what other functions compute.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.resources import files

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from numpy.typing import ArrayLike

__all__ = [
    "CASE",
    "CLASS_0",
    "CLASS_1",
    "CLASS_1_TEXT",
    "CONTROL",
    "MAGNITUDE",
    "NETWORK",
    "OURS",
    "OURS_TEXT",
    "PAPER",
    "SIGNED",
    "TRUTH",
    "plot_contributions",
    "plot_regions",
    "plot_signed_field",
    "use_style",
]

#: The colour map of values with a sign, centred at zero.
SIGNED = "PuOr_r"
#: The colour map of values without a sign.
MAGNITUDE = "cividis"
# Okabe and Ito's orange and blue, dark enough for text-size marks on white and in grey.
POSITIVE, NEGATIVE = "#b35806", "#542788"
# One meaning for a colour in the whole book.
#: The colour of the first class.
CLASS_0 = "#0072b2"
#: The colour of the second class.
CLASS_1 = "#d55e00"
#: Its colour for letters, which are dark enough to be read on white.
CLASS_1_TEXT = "#b35000"
#: The colour of the network that is explained.
NETWORK = "#000000"
#: The colour of what this library computes.
OURS = "#009e73"
#: Its colour for letters.
OURS_TEXT = "#007a59"
#: The colour of what a paper prints.
PAPER = "#cc79a7"
#: The colour of the case that is explained, the patient, the applicant or the garment, a diamond.
CASE = "#e69f00"
#: The grey of the truth, a wide line behind.
TRUTH = "0.35"
#: The grey of a control, a thin line.
CONTROL = "0.55"
# Regions of a plane: pale, so that what is drawn on them stands out.
TINTS = ListedColormap(["#c6dbef", "#f2dfb8", "#c7e3cf", "#e0cfe6", "#d4d4d4", "#f4cfc4"])
UNSEEN = 0.4  # the grey of regions that are set apart


LETTERS_AN_INCH = 6.2  # of a line of words, beside its colour bar


def use_style() -> None:
    """Set the book's matplotlib style for this session; a notebook draws at twice the pixels."""
    plt.style.use(str(files("xai_course") / "book.mplstyle"))
    if "inline" in matplotlib.get_backend():
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("retina")


def _grid(bounds: ArrayLike, resolution: int) -> tuple[np.ndarray, list[float]]:
    (x_low, x_high), (y_low, y_high) = np.asarray(bounds, dtype=float)
    # Pixel centres, so that a picture of n pixels shows n samples and no pixel lies on an edge.
    x = x_low + (np.arange(resolution) + 0.5) * (x_high - x_low) / resolution
    y = y_low + (np.arange(resolution) + 0.5) * (y_high - y_low) / resolution
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    return points, [x_low, x_high, y_low, y_high]


def _edges(label: np.ndarray) -> np.ndarray:
    """Return for each pixel whether it touches a border, on either side of it."""
    across, along = label[:, 1:] != label[:, :-1], label[1:] != label[:-1]
    edge = np.zeros(label.shape, dtype=bool)
    for part, border in (
        (edge[:, 1:], across),
        (edge[:, :-1], across),
        (edge[1:], along),
        (edge[:-1], along),
    ):
        part |= border
    return edge


def _cover(
    ax: Axes, where: np.ndarray, grey: float, extent: list[float], interpolation: str | None = None
) -> None:
    """Lay one grey over some pixels of a picture."""
    # An RGBA image: matplotlib 3.10.0 draws an image with an array for `alpha` opaque.
    layer = np.dstack([np.full((*where.shape, 3), grey), where.astype(float)])
    ax.imshow(layer, extent=extent, origin="lower", aspect="auto", interpolation=interpolation)


def plot_regions(
    pattern: Callable[[np.ndarray], np.ndarray],
    bounds: ArrayLike,
    *,
    seen: ArrayLike | None = None,
    resolution: int = 600,
    ax: Axes | None = None,
) -> Axes:
    """Draw the regions of a network with two inputs, seen on a grid of pixels.

    The tint of a region says how many of its neurons are on, counted round in `TINTS`: whoever
    crosses a border switches one of them, so that neighbours differ. White lines part the regions.

    Parameters
    ----------
    pattern : callable
        Takes points of shape (n, 2), returns their patterns, shape (n, n_neurons).
    bounds : array_like, shape (2, 2)
        Lowest and highest value of each input.
    seen : array_like, shape (n_seen, n_neurons), optional
        Patterns to set apart: all other regions are drawn in one dark grey.
    resolution : int
        Pixels along each side. Regions smaller than a pixel can be missed.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = plt.gca() if ax is None else ax
    points, extent = _grid(bounds, resolution)
    rows = np.asarray(pattern(points), dtype=np.uint8)
    known = np.empty((0, rows.shape[1])) if seen is None else np.asarray(seen)
    tint = rows.sum(axis=1, dtype=int).reshape(resolution, resolution) % TINTS.N
    if max(rows.max(initial=0), known.max(initial=0)) <= 1:
        # Packed to bits the rows are eight times shorter to sort.
        rows, known = (np.packbits(part.astype(bool), axis=1) for part in (rows, known))
    # Each row as one item of bytes, which sorts in the same order and much faster.
    rows = np.pad(rows, ((0, 0), (0, int(rows.shape[1] == 0))))
    items = np.ascontiguousarray(rows).view(np.dtype((np.void, rows.shape[1])))
    regions, label = np.unique(items, return_inverse=True)
    label = label.reshape(resolution, resolution)
    shade = {"cmap": TINTS, "vmin": 0, "vmax": TINTS.N - 1}
    ax.imshow(tint, extent=extent, origin="lower", aspect="auto", **shade)
    if seen is not None:
        bright = {row.tobytes() for row in known.astype(np.uint8)}
        unseen = np.array([region.tobytes() not in bright for region in regions])[label]
        _cover(ax, unseen, UNSEEN, extent)
    _cover(ax, _edges(label), 1, extent, interpolation="antialiased")  # thin lines stay whole
    ax.set(xlabel="$x_1$", ylabel="$x_2$")
    ax.grid(visible=False)
    return ax


def plot_signed_field(
    function: Callable[[np.ndarray], np.ndarray],
    bounds: ArrayLike,
    *,
    label: str,
    limit: float | None = None,
    resolution: int = 300,
    ax: Axes | None = None,
) -> Axes:
    """Draw a function of two inputs on the signed map, with its zero line.

    Parameters
    ----------
    function : callable
        Takes points of shape (n, 2), returns values of shape (n,).
    bounds : array_like, shape (2, 2)
        Lowest and highest value of each input.
    label : str
        What the colour means, with its unit.
    limit : float, optional
        Largest absolute value of the colour bar. Defaults to the largest value seen.
    resolution : int
        Pixels along each side.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = plt.gca() if ax is None else ax
    points, extent = _grid(bounds, resolution)
    values = np.asarray(function(points)).reshape(resolution, resolution)
    limit = float(np.abs(values).max()) if limit is None else limit
    image = ax.imshow(values, extent=extent, origin="lower", cmap=SIGNED, vmin=-limit, vmax=limit,
                      aspect="auto")  # fmt: skip
    ax.contour(values, levels=[0.0], extent=extent, colors="black", linewidths=1.5)
    ax.figure.colorbar(image, ax=ax, label=label)
    ax.set(xlabel="$x_1$", ylabel="$x_2$")
    ax.grid(visible=False)
    return ax


def plot_contributions(
    names: Sequence[str],
    values: ArrayLike,
    *,
    unit: str,
    n_shown: int = 10,
    start: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw signed contributions as bars, the largest on top.

    Parameters
    ----------
    names : sequence of str
        One name per value.
    values : array_like, shape (n_features,)
        Contribution of each feature.
    unit : str
        Label of the axis.
    n_shown : int
        How many bars to draw; the rest is summed into one bar.
    start : float, optional
        Draw a waterfall: the first bar begins here, and each other one where the one above ends.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    values = np.asarray(values, dtype=float)
    if len(names) != len(values):
        raise ValueError(f"Got {len(names)} names for {len(values)} values.")
    ax = plt.gca() if ax is None else ax
    order = np.argsort(-np.abs(values), kind="stable")
    labels = [names[i] for i in order[:n_shown]]
    shown = list(values[order[:n_shown]])
    rest = order[n_shown:]
    if len(rest):
        labels.append(f"sum of the other {len(rest)}")
        shown.append(values[rest].sum())
    colors = [POSITIVE if value > 0 else NEGATIVE for value in shown]
    left = 0.0 if start is None else start + np.cumsum([0.0, *shown[:-1]])
    bars = ax.barh(
        range(len(shown)), shown, left=left, color=colors, edgecolor="white", linewidth=0
    )
    if len(rest):
        bars[-1].set(hatch="///", edgecolor="white", linewidth=0)  # many are no peer of one
    ax.set_yticks(range(len(shown)), labels, parse_math=False)  # a dollar sign is no formula
    ax.invert_yaxis()
    ax.axvline(0, color="black", linewidth=1)
    ax.set_xlabel(unit)
    return ax


def plot_words(
    words: Sequence[str], values: ArrayLike, *, unit: str, ax: Axes | None = None
) -> Axes:
    """Draw a text in its own order, every word on the colour of its value.

    Parameters
    ----------
    words : sequence of str
    values : array_like, shape (n_words,)
        Of either sign; the colours are centred at zero.
    unit : str
        Label of the colour bar.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    values = np.asarray(values, dtype=float)
    if len(words) != len(values):
        raise ValueError(f"Got {len(words)} words for {len(values)} values.")
    ax = plt.gca() if ax is None else ax
    most = np.abs(values).max() or 1.0
    colors = plt.cm.ScalarMappable(plt.Normalize(-most, most), SIGNED)
    ax.figure.colorbar(colors, ax=ax, label=unit)
    ax.set_axis_off()
    left, top, box = 0.0, 1.0, {"boxstyle": "square,pad=0.2", "linewidth": 0}
    # Lines break by letters: rendered widths differ between versions of matplotlib.
    room = LETTERS_AN_INCH * ax.figure.get_figwidth()
    n_letters = 0
    for word, value in zip(words, values, strict=True):
        color = "white" if abs(value) > 0.6 * most else "black"
        text = ax.text(left, top, word, color=color, va="top", parse_math=False, bbox=box)
        text.set_transform(ax.transAxes)
        text.get_bbox_patch().set_facecolor(colors.to_rgba(value))
        size = text.get_window_extent().transformed(ax.transAxes.inverted())
        if n_letters and n_letters + len(word) > room:  # the next line
            left, top, n_letters = 0.0, top - 1.8 * size.height, 0
            text.set_position((left, top))
        n_letters += len(word) + 1
        left += size.width + 0.03
    return ax
