"""The network with six neurons and 22 regions of *A ReLU network is a set of linear models*."""

from __future__ import annotations

from typing import Any

import numpy as np

from xai_course.networks import PiecewiseLinearNetwork

BOX = np.array([[-1.0, 1.0], [-1.0, 1.0]])
POINT = np.array([0.2, 0.4])


def network(bias: float = -0.3) -> PiecewiseLinearNetwork:
    """Return the network of Sudjianto et al. (2020), equation 7, with the sum as its output.

    Parameters
    ----------
    bias : float
        Of all four neurons of the second layer.
    """
    first = np.array([[-1, 1], [1, 1]]) / np.sqrt(2)
    second = np.array([[1, 1 / 4], [1 / 2, 1 / 3], [1 / 3, 1 / 2], [1 / 4, 1]])
    biases = [np.zeros(2), np.full(4, bias), np.zeros(1)]
    return PiecewiseLinearNetwork([first, second, np.ones((1, 4))], biases)


def data() -> dict[str, Any]:
    """Return the network, its box and the point that a reader finds."""
    toy = network()
    return {
        "weights": [one.tolist() for one in toy.weights],
        "biases": [one.tolist() for one in toy.biases],
        "box": BOX.tolist(),
        "point": POINT.tolist(),
    }


def still() -> str:
    """Return the picture as SVG: the 22 regions, and beside them the network at the point."""
    toy = network()
    here = toy.activation_pattern(POINT[None])[0]
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 690 336" width="690" '
        f'font-family="sans-serif" font-size="13" text-anchor="middle" {_color("fill", "text")}>'
        f"{_map(toy, here)}{_drawing(toy, here)}</svg>"
    )


# The page's own colours, so that the picture needs no filter in the dark; Colab has the others.
COLORS = {
    "text": "var(--pst-color-text-base, #222832)",
    "paper": "var(--pst-color-background, #fff)",
    "muted": "var(--pst-color-text-muted, #48566b)",
    "layer": "var(--blue, #0072b2)",
    "home": "var(--case, #e69f00)",
}


def _color(what: str, name: str, opacity: float = 1.0) -> str:
    shade = f"; {what}-opacity: {opacity:g}" if opacity < 1 else ""
    return f'style="{what}: {COLORS[name]}{shade}"'


def _text(x: float, y: float, words: str) -> str:
    return f'<text x="{x:g}" y="{y:g}">{words}</text>'


def _map(toy: PiecewiseLinearNetwork, here: np.ndarray) -> str:
    """Draw the box with its regions, darker where more neurons of the second layer are on."""

    def place(points: np.ndarray) -> np.ndarray:
        return (180, 154) + (138, -138) * points

    parts = []
    for region in toy.enumerate_regions(BOX):
        is_home = (region.pattern == here).all()
        on = region.pattern[2:].sum() * region.pattern[:2].any()
        look = ("home", 0.55) if is_home else ("layer", 0.12 * on)
        corners = " ".join(f"{x:.2f},{y:.2f}" for x, y in place(region.polygon()))
        parts.append(f'<polygon points="{corners}" {_color("fill", *look)}/>')
    x, y = place(POINT)
    cross = f'<path d="M{x - 6:g},{y - 6:g}l12,12m-12,0l12,-12" stroke-width="2.5"/>'
    words = _text(180, 326, "x₁") + _text(20, 158, "x₂")
    for n in (-1, 0, 1):
        words += _text(place(np.array([n, 0]))[0], 310, str(n))
        words += _text(34, place(np.array([0, n]))[1] + 4, str(n))
    return f"<g {_color('stroke', 'muted')}>{''.join(parts)}{cross}</g>{words}"


def _drawing(toy: PiecewiseLinearNetwork, here: np.ndarray) -> str:
    """Draw the neurons: those that are on at the point are filled, with their wires."""
    sizes = [toy.n_features, *toy.hidden_sizes, toy.n_outputs]
    on = [np.ones(2), here[:2], here[2:], np.ones(1)]
    names = [["x₁", "x₂"], ["1", "2"], ["3", "4", "5", "6"], ["f"]]
    heights = [154 + (np.arange(n) - (n - 1) / 2) * (80 if n == 4 else 130) for n in sizes]
    across = [386, 480, 578, 662]
    wires = circles = ""
    for i in range(4):
        for y, is_on, name in zip(heights[i], on[i], names[i], strict=True):
            look = ("home", 0.55) if 0 < i < 3 and is_on else ("paper",)
            dashes = "" if is_on else ' stroke-dasharray="3 3"'
            disc = f'<circle cx="{across[i]}" cy="{y:g}" r="17"'
            circles += f"{disc} {_color('fill', 'paper')}/><g {_color('stroke', 'muted')}>"
            circles += (
                f"{disc}{dashes} {_color('fill', *look)}/></g>{_text(across[i], y + 4, name)}"
            )
            for end, is_end_on in zip(heights[i + 1], on[i + 1], strict=True) if i < 3 else []:
                look = ("home",) if is_on and is_end_on else ("muted", 0.3)
                ends = f'x1="{across[i]}" y1="{y:g}" x2="{across[i + 1]}" y2="{end:g}"'
                wires += f"<line {ends} {_color('stroke', *look)}/>"
    return f'<g stroke-width="1.5">{wires}</g>{circles}'
