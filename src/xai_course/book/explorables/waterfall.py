"""The waterfall: one row's answer, added up from a baseline of the reader's choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from xai_course import exact
from xai_course.networks import PiecewiseLinearNetwork

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["data", "dots", "still"]

MARKERS = "sDo^v"


def data(
    networks: Sequence[PiecewiseLinearNetwork],
    x: ArrayLike,
    baselines: Mapping[str, ArrayLike],
    names: Sequence[str],
) -> dict[str, Any]:
    """Return what every network's answer about one row is made of, from every baseline.

    Parameters
    ----------
    networks : sequence of PiecewiseLinearNetwork
        With one output each; the reader calls them seed 0, seed 1, and so on.
    x : array_like, shape (n_features,)
    baselines : mapping of str to array_like, shape (n_features,)
        Where an account begins, by what that is called.
    names : sequence of str
        Of the features.

    Returns
    -------
    dict
        ``names`` and ``baselines``; and for each of ``networks`` the output at `x` (``end``), those
        at the baselines (``starts``) and the integrated gradients from each (``shares``).
    """
    x, starts = np.asarray(x, dtype=float), np.array(list(baselines.values()), dtype=float)
    accounts = []
    for network in networks:
        rows = np.repeat(x[None], len(starts), axis=0)
        one = {"end": network.forward(x[None])[0, 0], "starts": network.forward(starts)[:, 0]}
        one["shares"] = exact.integrated_gradients(network, rows, starts)
        # Four digits more than are shown.
        accounts.append({key: np.round(value, 6).tolist() for key, value in one.items()})
    return {"names": list(names), "baselines": list(baselines), "networks": accounts}


def still(shown: dict[str, Any]) -> Figure:
    """Return the picture of the first network's accounts from the first three baselines."""
    labels = [f"from the {name}" for name in shown["baselines"][:3]]
    return dots(shown["networks"][0]["shares"][:3], labels, shown["names"])


def dots(shares: ArrayLike, labels: Sequence[str], names: Sequence[str]) -> Figure:
    """Return a picture with one kind of mark for each row of shares, the largest features on top.

    Parameters
    ----------
    shares : array_like, shape (n_kinds, n_features)
    labels : sequence of str
        Of the rows.
    names : sequence of str
        Of the features.
    """
    import matplotlib.pyplot as plt

    shares = np.asarray(shares, dtype=float)
    top = np.argsort(-np.abs(shares).max(axis=0))[:10]
    fig, ax = plt.subplots(figsize=(6, 4))
    for row, label, marker in zip(shares[:, top], labels, MARKERS, strict=False):
        ax.plot(row, range(len(top)), marker, label=label)
    ax.set_yticks(range(len(top)), [names[j] for j in top])
    ax.invert_yaxis()
    ax.axvline(0, color="black", linewidth=1)
    ax.set_xlabel("change in log-odds of malignant")
    fig.legend(loc="outside lower center", ncols=5 if len(labels) > 3 else 1)
    return fig
