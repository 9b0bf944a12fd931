"""Which names a notebook's cells read and bind, seen in their bytecode and without running them."""

from __future__ import annotations

import builtins
import dis
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import CodeType

KNOWN = frozenset(dir(builtins)) | {"__name__", "__file__", "display", "get_ipython"}


@dataclass(frozen=True)
class Names:
    """The global names of one cell.

    Attributes
    ----------
    read
        Read at once, before the cell itself binds them.
    used
        Read by functions, whenever these are called.
    bound
        Bound by the cell: assigned, imported or defined.
    """

    read: frozenset[str]
    used: frozenset[str]
    bound: frozenset[str]


def names(source: str) -> Names:
    """Return the names of one cell; none where it is not plain Python."""
    try:
        code = compile(source, "cell", "exec")
    except SyntaxError:
        return Names(frozenset(), frozenset(), frozenset())
    read, bound = set(), set()
    for step in dis.get_instructions(code):
        if step.opname in ("STORE_NAME", "STORE_GLOBAL"):
            bound.add(step.argval)
        elif step.opname in ("LOAD_NAME", "LOAD_GLOBAL") and step.argval not in bound:
            read.add(step.argval)
    used = set()
    for inner in _inside(code):
        for step in dis.get_instructions(inner):
            if step.opname == "STORE_GLOBAL":
                bound.add(step.argval)
            elif step.opname in ("LOAD_NAME", "LOAD_GLOBAL"):
                used.add(step.argval)
    return Names(frozenset(read - KNOWN), frozenset(used - bound - KNOWN), frozenset(bound))


def _inside(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _inside(constant)


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
