"""Pictures that a reader can change: still in Colab and in print, alive in the book.

Each explorable is a module of this package, whose ``data`` computes what its picture needs, and a
script ``book/_static/explorables/<name>.js``, which draws it with the controls of ``kit.js``. A
page shows it with `explorable` in a folded cell::

    explorable("regions-toy", regions_toy.data(), still=figure, alt="A square cut into ...")

or, without code, with the directive of ``book/_ext/explorables.py``; then the module has a
``still``, too.
"""

from __future__ import annotations

import base64
import html
import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from xai_course.networks import PiecewiseLinearNetwork

__all__ = ["MAX_BYTES", "explorable", "frame", "packed", "packed_network", "rounded"]

MAX_BYTES = 60_000  # of data, so that a page stays light
DPI = 200  # of a still picture: two pixels for one of the page's


def explorable(name: str, data: dict[str, Any], still: Figure | str, alt: str) -> None:
    """Show an explorable in the cell that calls this.

    Parameters
    ----------
    name : str
        That of its script in ``book/_static/explorables``.
    data : dict
        What the script reads, as `json` can write it, at most `MAX_BYTES`.
    still : matplotlib.figure.Figure or str
        The picture that stays where no script runs; a string is SVG.
    alt : str
        Says what the still picture shows.

    Raises
    ------
    ValueError
        If there are too many data.
    """
    from IPython.display import display

    display({"text/html": frame(name, data, still, alt), "text/plain": alt}, raw=True)


def frame(name: str, data: dict[str, Any], still: Figure | str, alt: str) -> str:
    """Return an explorable as HTML; see `explorable`."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    if len(text) > MAX_BYTES:
        raise ValueError(f"{name} has {len(text)} bytes of data; at most {MAX_BYTES} are accepted.")
    return (
        f'<div class="explorable" data-explorable="{name}">'
        # No "<" inside, so that nothing can close the element.
        f'<script type="application/json">{text.replace("<", chr(92) + "u003c")}</script>'
        f'<div class="still">{_picture(still, html.escape(alt))}</div></div>'
    )


def _picture(still: Figure | str, alt: str) -> str:
    """Return a still picture as one element that has its alternative text."""
    if isinstance(still, str):
        return still.replace("<svg", f'<svg role="img" aria-label="{alt}"', 1)
    import matplotlib.pyplot as plt

    file = io.BytesIO()
    # A third of a PNG's bytes. The whole figure, so that its width is known.
    options = {"format": "webp", "dpi": DPI, "bbox_inches": still.bbox_inches}
    still.savefig(file, pil_kwargs={"quality": 80}, **options)
    plt.close(still)  # or the cell would show it a second time
    source = f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"
    return f'<img alt="{alt}" width="{round(100 * still.get_figwidth())}" src="{source}">'


def rounded(values: ArrayLike, digits: int = 6) -> Any:
    """Return numbers as nested lists, each with so many significant digits.

    That is short, and the same whatever the last bits are on another machine.

    Examples
    --------
    >>> rounded([[1 / 3, 2.0]], digits=3)
    [[0.333, 2.0]]
    """
    array = np.asarray(values, dtype=float)
    short = np.array([float(f"{value:.{digits}g}") for value in array.ravel()])
    return short.reshape(array.shape).tolist()


def packed(values: ArrayLike) -> str:
    """Return numbers as float32 in base64, in row-major order; ``kit.floats`` reads them.

    Weights of a network that was trained in float32 lose nothing.

    Examples
    --------
    >>> packed([1.0, -2.0])
    'AACAPwAAAMA='
    """
    return base64.b64encode(np.ascontiguousarray(values, dtype="<f4").tobytes()).decode()


def packed_network(network: PiecewiseLinearNetwork) -> dict[str, Any]:
    """Return a ReLU network as ``networks.unpacked`` reads it.

    As float32, so a large network's borders move by about 1e-6: the regions are the same, and so
    are the numbers to the digits that a page shows.
    """
    layers = [*network.weights, *network.biases]
    numbers = np.concatenate([one.ravel() for one in layers])
    return {"shapes": [list(one.shape) for one in layers], "numbers": packed(numbers)}
