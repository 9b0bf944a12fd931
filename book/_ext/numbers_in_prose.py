"""Numbers in sentences: a minus sign is a minus sign, and a unit stays on the line of its number.

Code prints a hyphen before a negative number, and so does every value that the prose takes from
the code. In a sentence it looks like a dash, and a line may break behind it. Code, the tables that
code prints and the entries of the library stay as they are, since a reader may copy from them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

NO_BREAK, MINUS = "\N{NO-BREAK SPACE}", "\N{MINUS SIGN}"
SIGN = re.compile(r"(?<![^\s(\[{=±,;:/\"'])-(?=\.?\d)")  # not in a date, a range or a word
# Words after a number that mean little on a line of their own.
UNIT = re.compile(
    r"(?<=\d) (?=%|(?:[mµn]?s|min|h|[kKMGT]i?B|[ckm]?m|px|percent|percentage|points?|seconds?|"
    r"minutes?|hours?|dollars?|bits?)(?!\w))"
)
AS_PRINTED = (
    *(nodes.literal, nodes.literal_block, nodes.math, nodes.math_block, nodes.raw),
    *(nodes.citation, addnodes.desc),
)


def in_a_sentence(text: str) -> str:
    """Return a sentence, letter for letter, with its signs and the spaces before units mended."""
    text = UNIT.sub(NO_BREAK, SIGN.sub(MINUS, text))
    return text.replace(" ± ", f"{NO_BREAK}±{NO_BREAK}")


def mend(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Mend the sentences of one page."""
    for block in list(doctree.findall(nodes.TextElement)):
        if any(isinstance(one, nodes.TextElement) for one in _above(block)):
            continue  # a part of a sentence, which is read as a whole: "-12" and " %" are two nodes
        texts = list(block.findall(nodes.Text))
        mended, start = in_a_sentence("".join(texts)), 0
        for text in texts:
            end = start + len(text)
            if mended[start:end] != text and not _as_printed(text):
                # By place: texts are compared as strings, and another one may be the same.
                place = next(k for k, one in enumerate(text.parent.children) if one is text)
                text.parent[place] = nodes.Text(mended[start:end])
            start = end


def _above(node: nodes.Node) -> Iterator[nodes.Node]:
    while (node := node.parent) is not None:
        yield node


def _as_printed(text: nodes.Text) -> bool:
    return any(
        isinstance(one, AS_PRINTED)
        or (isinstance(one, nodes.tgroup) and "dataframe" in one.parent["classes"])
        for one in _above(text)
    )


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the mend."""
    app.connect("doctree-resolved", mend)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
