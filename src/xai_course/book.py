"""What a chapter needs to be a page of the book."""

from __future__ import annotations

__all__ = ["glue"]


def glue(name: str, value: object) -> None:
    """Store a value so that the page's prose can show it with ``{glue:text}`name` ``.

    Parameters
    ----------
    name : str
        Unique on the page.
    value : object
        Shown as ``str(value)``: format numbers before.

    Notes
    -----
    The output has the form that MyST-NB's own ``glue`` writes. That package is part of the book's
    tool chain, which a reader in Colab does not have.
    """
    from IPython.display import display

    display(
        # The reader of this output evaluates a literal: the quotes keep "+0.50" as it is.
        {"application/papermill.record/text/plain": repr(str(value))},
        raw=True,
        metadata={"scrapbook": {"name": name, "mime_prefix": "application/papermill.record/"}},
    )
