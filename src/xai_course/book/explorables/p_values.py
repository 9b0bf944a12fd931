"""P-values of slopes that are zero, on the rows that trained the network and on fresh ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xai_course.book import measured

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["DRAW", "data", "still"]

DRAW = 60  # networks of the 600 in one draw of the reader's


def data() -> dict[str, Any]:
    """Return all measured p-values, and the shares of small ones with their errors.

    Returns
    -------
    dict
        ``draw``, how many networks the reader draws at a time; ``trainings``, by iterations and
        then by ``naive`` and ``honest``: ``words``, one for each network with a letter for each
        test (``a`` is a p-value below 0.05, ``b`` one below 0.1, and so on), and the standard
        error of the share below 0.05 of all tests.
    """
    words, levels = measured("unwrapping_p_values")["noise"], measured("unwrapping_inference")
    trainings = {
        n: {
            kind: {"words": text, "error": levels["noise"][n][kind]["error"]}
            for kind, text in kinds.items()
        }
        for n, kinds in words.items()
    }
    return {"draw": DRAW, "trainings": trainings}


def still() -> Figure:
    """Return the picture of all draws: the p-values after 25 iterations, and the small ones."""
    import matplotlib.pyplot as plt

    from xai_course.plotting import OURS, PAPER

    levels = measured("unwrapping_inference")["noise"]
    fig, (spread, small) = plt.subplots(1, 2, figsize=(7, 3))
    names = {"naive": "same rows", "honest": "fresh rows"}
    for color, marker, shift, kind in (PAPER, "s", 0.96, "naive"), (OURS, "o", 1.04, "honest"):
        counts = np.array(levels["25"][kind]["histogram"])
        spread.stairs(counts / counts.sum(), np.linspace(0, 1, 21), color=color, lw=1.5)
        share, error = ([one[kind][key] for one in levels.values()] for key in ("share", "error"))
        at, bars = np.array([*levels], float) * shift, np.multiply(2, error)
        look = {"fmt": marker, "color": color, "label": names[kind]}
        small.errorbar(at, share, bars, **look)
    small.set(xscale="log", xlabel="iterations", title="share of p-values below 0.05")
    small.set_xticks([int(n) for n in levels], list(levels))
    spread.set(xlabel="p-value", title="share of the tests, 25 iterations")
    for ax in (spread, small):
        ax.axhline(0.05, color="black", linewidth=0.8)
        ax.set_ylim(0, 0.1)
        ax.yaxis.set_major_formatter("{x:.0%}")
    small.legend(loc="lower left")
    return fig
