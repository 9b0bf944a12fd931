"""Know what was published from what a person made of it; with the standard library alone."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

RECORD = ".published.json"  # the SHA-256 of every file as it was published into this folder
CHECKPOINTS = ".ipynb_checkpoints"  # Jupyter's copies of what was there before


def read_record(folder: Path) -> dict[str, str]:
    """Return the hash of every file that was published into a folder, by its path in it."""
    try:
        return json.loads((folder / RECORD).read_text("utf-8"))
    except (OSError, ValueError):
        return {}


def digest(content: bytes) -> str:
    """Return the hash of a file's content."""
    return hashlib.sha256(content).hexdigest()


def work_of_people(folder: Path) -> list[Path]:
    """Return the files in a folder that publishing did not leave as they are."""
    known = {
        path.parent / name: recorded
        for path in folder.rglob(RECORD)
        for name, recorded in read_record(path.parent).items()
    }
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.name != RECORD
        and CHECKPOINTS not in path.parts
        and known.get(path) != digest(path.read_bytes())
    ]
