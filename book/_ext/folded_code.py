"""Say what a folded cell does, where its reader decides whether to unfold it.

myst-nb writes "Show code cell source" on every folded cell. A cell that draws, makes a table,
imports, defines functions or prepares names can be told from its source and its output.
"""

from __future__ import annotations

import ast
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

BEFORE_MYST_NB = 150  # it wraps the cells at 199
MAX_NAMES = 4
UNSAID = "Show code cell {type}"  # myst-nb's own prompt


def prompt(source: str, shows: str) -> str:
    """Return the line above a folded cell.

    Parameters
    ----------
    source : str
    shows : str
        ``"picture"``, ``"table"``, ``"output"`` of another kind, or nothing.
    """
    statements = ast.parse(source).body
    if shows == "picture":
        return "Code: how this picture is drawn"
    if shows == "table":
        return "Code: how this table is made"
    if shows:
        return "Code: how this output is computed"
    if any(isinstance(one, ast.Import | ast.ImportFrom) for one in statements):
        return "Code: imports"
    defined = [s.name for s in statements if isinstance(s, ast.FunctionDef | ast.ClassDef)]
    names = defined or list(dict.fromkeys(n for s in statements for n in _assigned(s)))
    more = ", ..." if len(names) > MAX_NAMES else ""
    return f"Code: {', '.join(names[:MAX_NAMES])}{more}"


def _assigned(statement: ast.stmt) -> list[str]:
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return [
        node.id
        for target in targets
        for node in ast.walk(target)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id != "_"
    ]


class FoldedCode(SphinxPostTransform):
    """Write the prompts of one page."""

    default_priority = BEFORE_MYST_NB
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """Change the prompts that say nothing."""
        for cell in self.document.findall(nodes.container):
            if cell.get("hide_mode") == "input" and cell["prompt_show"] == UNSAID:
                cell["prompt_show"] = cell["prompt_hide"] = _prompt_of(cell)


def _prompt_of(cell: nodes.container) -> str:
    parts = {child.get("nb_element"): child for child in cell.children}
    output = parts.get("cell_code_output", nodes.container())
    if "figure" in cell["cell_metadata"].get("mystnb", {}):
        shows = "picture"
    elif next(output.findall(nodes.table), None) is not None:
        shows = "table"
    else:
        shows = "output" if output.astext() else ""
    return prompt(parts["cell_code_source"].astext(), shows)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the transform."""
    app.add_post_transform(FoldedCode)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
