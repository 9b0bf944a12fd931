"""Merging by K: the clusters of CoCircles, their models and their loss, for 1 to 20 clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from xai_course.book import measured
from xai_course.unwrapping import MergedClassifier

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["data", "still"]


def data() -> dict[str, Any]:
    """Return the merges of three trainings; ``settings`` says what each number is.

    Notes
    -----
    Sixty merges take too long for a page: ``python reproduce/unwrapping.py sectors`` makes them.
    """
    return measured("unwrapping_sectors")


def still(merged: MergedClassifier) -> Figure:
    """Return the picture of one merge of the book's network, beside the loss of every K."""
    import matplotlib.pyplot as plt

    from xai_course.plotting import OURS

    fig, (clusters, losses) = plt.subplots(1, 2, figsize=(7, 3.4))
    merged.plot_regions([[-1.5, 1.5], [-1.5, 1.5]], clusters)
    merged.plot_models(ax=clusters)
    for k, center in enumerate(merged.centers_):
        place = 1.37 * center / np.hypot(*center)
        clusters.text(*place, k + 1, weight="bold", ha="center", va="center")
    n_regions, n_clusters = merged.unwrapper_.n_regions_, len(merged.counts_)
    clusters.set(title=f"{n_regions} regions, {n_clusters} clusters", xlabel="x1", ylabel="x2")
    book = data()["trainings"][0]
    ks, loss = range(1, 1 + len(book["loss"])), np.array(book["loss"])
    losses.errorbar(ks, loss, book["error"], fmt="o", ms=4, color=OURS)
    losses.plot(merged.n_cut_, loss[merged.n_cut_ - 1], "o", ms=10, mfc="none", mec="black", mew=2)
    losses.axhline(loss.min(), color="gray", lw=0.8, ls="--")
    losses.set(title="held-out loss", xlabel="K", xticks=[1, 5, 10, 15, 20])
    return fig
