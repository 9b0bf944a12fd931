"""Write files whole or not at all, and the same bytes every time."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path


def write(path: Path, text: str) -> None:
    """Write `text` beside `path` and rename it, so that no reader ever meets half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        beside.write_text(text, "utf-8", newline="\n")
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise


def remove_stale(folder: Path, kept: set[Path]) -> None:
    """Remove notebooks that no chapter makes any more, and what an interrupted run left.

    Only files that were published from here go: a course keeps its teacher's own assignments.
    """
    for path in sorted(folder.rglob("*.ipynb")):
        if path not in kept and _is_published(path):
            path.unlink()
    for path in sorted(folder.rglob(".*.ipynb.*.part")):
        path.unlink()


def _is_published(path: Path) -> bool:
    try:
        return "xai_course" in json.loads(path.read_text("utf-8"))["metadata"]
    except (ValueError, KeyError, TypeError):
        return False
