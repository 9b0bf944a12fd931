"""Which names a notebook's cells read and bind, seen in their bytecode and without running them."""

from __future__ import annotations

import ast
import builtins
import dis
from collections.abc import Iterator
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
    changed
        Not bound, but what they stand for is changed: by an item, an attribute or a method.
    """

    read: frozenset[str]
    used: frozenset[str]
    bound: frozenset[str]
    changed: frozenset[str] = frozenset()


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
    changed = frozenset(_changed(ast.parse(source)))
    return Names(
        frozenset(read - KNOWN), frozenset(used - bound - KNOWN), frozenset(bound), changed
    )


def _changed(tree: ast.Module) -> Iterator[str]:
    for statement in tree.body:
        for node in ast.walk(statement):
            part = getattr(
                node, "value", None
            )  # of `part[...]`, `part.x` and a call as a statement
            is_target = isinstance(getattr(node, "ctx", None), ast.Store | ast.Del)
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                part, is_target = node.value.func, True
            while is_target and isinstance(part, ast.Attribute | ast.Subscript):
                part = part.value
            if is_target and isinstance(part, ast.Name):
                yield part.id


def _inside(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _inside(constant)


def needed(cells: list[str], wanted: set[str]) -> list[bool]:
    """Tell which cells of a notebook must run so that some names have their last values.

    A cell counts where it binds a wanted name, or changes what the name stands for. What the code
    of functions reads is wanted, too, even from cells that stand below them.
    """
    found = [names(source) for source in cells]
    while True:
        open_, keep = set(wanted), [False] * len(cells)
        for index in range(len(cells) - 1, -1, -1):
            one = found[index]
            if open_ & (one.bound | one.changed):
                keep[index] = True
                open_ = open_ - one.bound | one.read | one.used
        below = open_ & {name for one in found for name in one.bound} - wanted
        if not below:
            return keep
        wanted = wanted | below
