"""Draw which chapter needs which as SVG, narrow enough for a telephone.

Colours come from the page's style sheet, so that the drawing follows the light and the dark mode.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from html import escape

WIDTH = 352
BOX_HEIGHT, GAP, LINE = 44, 10, 16
LEFT, LEFT_WIDTH = 2, 138  # the boxes of what other parts have to offer
RIGHT, RIGHT_WIDTH = 176, 138
LETTERS = 19  # that fit into a line of a box
ALONE, ALONE_WIDTH, ALONE_LETTERS = 2, 244, 36  # where there is no left column
ARC, ARC_A_ROW = 14, 7  # how far an arrow between two boxes of a column swings out
TIP = 6

Edge = tuple[str, str, bool]  # what is needed, what needs it, whether it does more than help


def draw(left: list[str], right: list[str], edges: Iterable[Edge], words: str) -> str:
    """Return a drawing: what is needed from elsewhere on the left, in its order; its words."""
    x, width, letters = (
        (RIGHT, RIGHT_WIDTH, LETTERS) if left else (ALONE, ALONE_WIDTH, ALONE_LETTERS)
    )
    rows = max(len(left), len(right))
    height = rows * (BOX_HEIGHT + GAP) - GAP + 4
    places = {name: _row(k, len(left), rows) for k, name in enumerate(left)}
    own = {name: _row(k, len(right), rows) for k, name in enumerate(right)}
    lines = []
    for needed, needing, is_needed in edges:
        if needed in own:
            rise = ARC + ARC_A_ROW * abs(right.index(needing) - right.index(needed))
            path = _arc(x + width, own[needed], own[needing], min(rise, WIDTH - x - width - 3))
        else:
            path = _curve(LEFT + LEFT_WIDTH, places[needed], x, own[needing])
        lines.append(f'<g class="{"needed" if is_needed else "helps"}">{path}</g>')
    boxes = [_box(name, LEFT, y, LEFT_WIDTH, LETTERS, "outside") for name, y in places.items()]
    boxes += [_box(name, x, y, width, letters, "own") for name, y in own.items()]
    return (
        f'<svg role="img" viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" height="{height:g}" '
        f'aria-label="{escape(words)}">{"".join([*lines, *boxes])}</svg>'
    )


def _row(number: int, count: int, rows: int) -> float:
    """Return the middle of a box; the shorter column stands in the middle of the longer one."""
    return (number + (rows - count) / 2) * (BOX_HEIGHT + GAP) + BOX_HEIGHT / 2 + 2


def _box(name: str, x: float, y: float, width: float, letters: int, kind: str) -> str:
    parts = textwrap.wrap(name, letters)
    first = y - LINE * (len(parts) - 1) / 2 + 4.5
    text = "".join(
        f'<text x="{x + width / 2:g}" y="{first + LINE * k:g}">{escape(part)}</text>'
        for k, part in enumerate(parts)
    )
    frame = f'x="{x}" y="{y - BOX_HEIGHT / 2:g}" width="{width}" height="{BOX_HEIGHT}" rx="6"'
    return f'<g class="{kind}"><rect {frame}/>{text}</g>'


def _curve(x0: float, y0: float, x1: float, y1: float) -> str:
    middle, end = (x0 + x1) / 2, x1 - TIP
    line = f'<path d="M{x0:g} {y0:g}C{middle:g} {y0:g} {middle:g} {y1:g} {end:g} {y1:g}"/>'
    return line + _tip(x1, y1, -TIP)


def _arc(x: float, y0: float, y1: float, rise: float) -> str:
    # Arrows leave a box below its middle and arrive above it, so that two of them stay apart.
    y0, y1, far = y0 + 9, y1 - 9, x + 4 * rise / 3
    line = f'<path d="M{x:g} {y0:g}C{far:g} {y0:g} {far:g} {y1:g} {x + TIP:g} {y1:g}"/>'
    return line + _tip(x, y1, TIP)


def _tip(x: float, y: float, length: float) -> str:
    return f'<polygon points="{x:g},{y:g} {x + length:g},{y - 4:g} {x + length:g},{y + 4:g}"/>'


def in_words(part: str, edges: Iterable[Edge]) -> str:
    """Return what a drawing shows."""
    by_needing: dict[tuple[str, bool], list[str]] = {}
    for needed, needing, is_needed in edges:
        by_needing.setdefault((needing, is_needed), []).append(needed)
    return f"{part}. " + " ".join(_sentences(by_needing)) if by_needing else f"{part}."


def _sentences(by_needing: dict[tuple[str, bool], list[str]]) -> Iterator[str]:
    for (needing, is_needed), needed in by_needing.items():
        verb = "needs" if is_needed else "is helped by"
        yield f"{needing} {verb} {' and '.join(needed)}."
