"""A comma or full stop stays on the line of the formula before it."""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.application import Sphinx

PUNCTUATION = re.compile(r"[.,;:?!)]+")


def keep_together(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Tie the formulas of one page to the punctuation behind them."""
    for formula in list(doctree.findall(nodes.math)):
        after = formula.next_node(descend=False, siblings=True)
        mark = PUNCTUATION.match(after) if isinstance(after, nodes.Text) else None
        if mark is None:
            continue
        parent = formula.parent
        # By place: texts are compared as strings, and an earlier ", " would be taken for this one.
        place = parent.index(formula)
        parent[place + 1] = nodes.Text(after[mark.end() :])
        tied = nodes.inline("", classes=["tied"])
        parent[place] = tied
        tied += [formula, nodes.Text(mark[0])]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the ties."""
    app.connect("doctree-resolved", keep_together)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
