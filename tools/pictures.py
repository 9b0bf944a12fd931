"""Compare the pictures of two runs of a notebook; as a pytest plugin, beside nbval.

nbval compares what a cell prints and leaves pictures out, because two versions of matplotlib never
draw the same pixels. Seen from afar they do: `difference` asks by how much the grey of any small
part of the picture has moved.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from nbval.plugin import IPyNbCell
from PIL import Image

PARTS = 12  # along each side
TOLERANCE = 0.1  # of the way from black to white


def difference(one: bytes, other: bytes) -> float:
    """Return how far two PNG pictures are apart: 0 for the same, 1 for black instead of white.

    Each picture is cut into `PARTS` by `PARTS` parts, whatever its size; what counts is the part
    whose mean grey differs most.
    """
    parts = [_parts(picture) for picture in (one, other)]
    return float(np.abs(parts[0] - parts[1]).max())


def _parts(picture: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(picture)) as image:
        white = Image.new("RGBA", image.size, "white")
        grey = Image.alpha_composite(white, image.convert("RGBA")).convert("L")
    return np.asarray(grey.resize((PARTS, PARTS), Image.Resampling.BOX)) / 255


def pictures(outputs: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """Yield the PNG pictures among the outputs of a cell."""
    for output in outputs:
        encoded = output.get("data", {}).get("image/png")
        if encoded:
            yield base64.b64decode(encoded)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Any:
    """Compare the pictures of a cell after nbval has run it and compared its texts."""
    result = yield
    if isinstance(item, IPyNbCell) and item.options["check"]:
        pairs = zip(pictures(item.cell.outputs), pictures(item.test_outputs), strict=True)
        for number, (expected, drawn) in enumerate(pairs, 1):
            apart = difference(expected, drawn)
            if apart > TOLERANCE:
                item.raise_cell_error(
                    f"picture {number} of this cell differs by {apart:.2f} from the book's; "
                    f"accepted: {TOLERANCE} (0 is the same, 1 is black for white)"
                )
    return result
