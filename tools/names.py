"""What the cells of a notebook lack once other cells are gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from xai_course.book.names import names


def missing_names(cells: Sequence[tuple[str, bool]]) -> dict[int, dict[str, int | None]]:
    """Find what the kept cells of a notebook lack once the other cells are gone.

    Parameters
    ----------
    cells
        The source of each cell, in order, and whether the cell is kept.

    Returns
    -------
    dict
        For the index of each kept cell that lacks something: the names, each with the index of the
        dropped cell that gave it its value, or None where no cell before did.
    """
    found = [names(source) for source, _ in cells]
    kept = {name for one, (_, keep) in zip(found, cells, strict=True) if keep for name in one.bound}
    last: dict[str, int] = {}
    lacking: dict[int, dict[str, int | None]] = {}
    for index, (one, (_, keep)) in enumerate(zip(found, cells, strict=True)):
        if keep:
            unbound = (one.read - last.keys()) | (one.used - last.keys() - kept)
            dropped = {n for n in (one.read | one.used) & last.keys() if not cells[last[n]][1]}
            if unbound | dropped:
                lacking[index] = {name: last.get(name) for name in sorted(unbound | dropped)}
        last |= dict.fromkeys(one.bound, index)
    return lacking


def needs(lost: Mapping[str, int | None], lines: Sequence[int]) -> str:
    """Say in words what a cell lacks, and what to do; `lines` are the cells' lines."""
    parts = [
        f"{name!r}, which no cell before it defines"
        if index is None
        else f"{name!r}, which the cell of line {lines[index]} defines and no reader gets"
        for name, index in lost.items()
    ]
    return f"{', and '.join(parts)}; accepted: names that a published cell defines"
