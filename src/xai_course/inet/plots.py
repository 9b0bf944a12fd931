"""Drawings of what an I-Net reads and writes.

They show the ideas of Figures 1 and 3 of Marton, Luedtke and Bartelt (2022) with numbers of real
networks. Explained in the chapter *networks-as-data*.
"""

from __future__ import annotations

from math import comb

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from xai_course._validation import check_whole
from xai_course.inet.lambda_nets import LambdaNets
from xai_course.inet.polynomials import SparsePolynomial
from xai_course.plotting import NEGATIVE, POSITIVE, SIGNED

__all__ = ["plot_output_layer", "plot_translation"]

_CELL = {"boxstyle": "round,pad=0.02,rounding_size=0.08", "linewidth": 0.8}


def plot_translation(
    lambda_nets: LambdaNets, polynomial: SparsePolynomial, *, ax: Axes | None = None
) -> Axes:
    """Draw how an I-Net translates: weights in, a sparse representation out, read as a formula.

    Parameters
    ----------
    lambda_nets : LambdaNets
        One network; its weights are drawn as coloured cells, row after row.
    polynomial : SparsePolynomial
        What the network is translated into.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If there is not exactly one network, or its variables are not the polynomial's.
    """
    if len(lambda_nets) != 1 or lambda_nets.n_variables != polynomial.n_variables:
        raise ValueError(
            f"One network and a polynomial in its variables are needed, got {len(lambda_nets)} "
            f"network(s) of {lambda_nets.n_variables} and a polynomial in "
            f"{polynomial.n_variables} variable(s)."
        )
    ax = _canvas(ax, (0, 16), (0, 4.6))
    weights = lambda_nets.parameters()[0]
    columns = int(np.ceil(np.sqrt(len(weights))))
    cells = np.full(columns * int(np.ceil(len(weights) / columns)), np.nan)
    cells[: len(weights)] = weights
    limit = np.abs(weights).max()
    extent = (0.2, 3.6, 0.6, 4.0)
    ax.imshow(cells.reshape(-1, columns), cmap=SIGNED, vmin=-limit, vmax=limit, extent=extent)
    ax.set(xlim=(0, 16), ylim=(0, 4.6))  # imshow had moved the limits
    ax.text(1.9, 4.15, rf"$\theta_\lambda$: {len(weights)} weights", ha="center")
    _box(ax, 5.0, 1.5, 2.4, 1.6, r"I-Net $\mathcal{I}$")
    for start, end in ((3.75, 4.85), (7.55, 8.65)):
        _arrow(ax, start, 2.3, end, 2.3)
    sparse = polynomial.to_sparse(max(3, polynomial.degree))
    for row, values in enumerate(np.split(sparse, 2)):
        for column, value in enumerate(values):
            text = f"{value:.2f}" if row == 0 else f"{value:.0f}"
            color = (POSITIVE if value >= 0 else NEGATIVE) if row == 0 else "black"
            _box(ax, 8.8 + 1.4 * column, 2.45 - row, 1.25, 0.75, text, color=color)
    width = 8.8 + 0.7 * len(polynomial)
    ax.text(width, 4.15, rf"$\theta_g$: {len(sparse)} numbers", ha="center")
    ax.text(width, 3.45, "coefficients", ha="center", fontsize="small")
    ax.text(width, 1.02, "numbers of their monomials", ha="center", fontsize="small")
    ax.text(8.0, 0.15, f"$g = {polynomial.to_latex(2)}$", ha="center")
    return ax


def plot_output_layer(
    n_variables: int, degree: int, sparsity: int, *, ax: Axes | None = None
) -> Axes:
    """Draw the paper's output layer: s linear neurons, and s groups of neurons with a softmax.

    Parameters
    ----------
    n_variables, degree, sparsity : int
        n, d and s.
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If a number is not a whole one, or below 1.
    """
    for name, value in [("n_variables", n_variables), ("degree", degree), ("sparsity", sparsity)]:
        check_whole(value, name, 1)
    n_monomials = comb(n_variables + degree, degree)
    ax = _canvas(ax, (0, 12), (0, 2 * sparsity + 1.2))
    top = 2 * sparsity
    _box(ax, 0.2, top / 2 - 0.9, 2.3, 1.8, "last hidden\nlayer")
    # The bars are a softmax of random inputs: their heights only show that they share one unit.
    rng = np.random.default_rng(0)
    for k in range(sparsity):
        y = top - k - 0.6
        _arrow(ax, 2.6, top / 2, 4.2, y)
        ax.plot(4.5, y, "o", markersize=9, color=POSITIVE)
        ax.text(5.0, y, rf"$c^{{({k + 1})}}$: one linear neuron", va="center", fontsize="small")
        y = sparsity - k - 1
        _arrow(ax, 2.6, top / 2, 4.2, y + 0.3)
        share = np.exp(rng.normal(0, 2, n_monomials))
        left = 4.4 + 3.2 * np.arange(n_monomials) / n_monomials
        height = 0.72 * share / share.max()
        ax.bar(left, height, 2.4 / n_monomials, bottom=y, color=NEGATIVE, align="edge")
        ax.text(
            7.8, y + 0.3, f"index {k + 1}: softmax of {n_monomials}", va="center", fontsize="small"
        )
    total = sparsity * (1 + n_monomials)
    ax.text(
        6.0, top + 0.45, f"{sparsity} + {sparsity} x {n_monomials} = {total} outputs", ha="center"
    )
    return ax


def _canvas(ax: Axes | None, x: tuple[float, float], y: tuple[float, float]) -> Axes:
    """Return axes without axes, of fixed size in their own units."""
    ax = plt.gca() if ax is None else ax
    ax.set(xlim=x, ylim=y)
    ax.axis("off")
    return ax


def _box(
    ax: Axes, x: float, y: float, width: float, height: float, text: str, color: str = "black"
) -> None:
    ax.add_patch(FancyBboxPatch((x, y), width, height, facecolor="white", edgecolor="0.4", **_CELL))
    ax.text(x + width / 2, y + height / 2, text, ha="center", va="center", color=color)


def _arrow(ax: Axes, x: float, y: float, to_x: float, to_y: float) -> None:
    style = {"arrowstyle": "-|>", "color": "0.4", "linewidth": 0.8}
    ax.annotate("", xy=(to_x, to_y), xytext=(x, y), arrowprops=style)
