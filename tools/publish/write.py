"""Write what is published, the same bytes every time, and never over a person's work."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tools.publish.record import RECORD, digest, read_record
from xai_course._storage import replace_file


def publish_files(folder: Path, files: Mapping[str, str]) -> list[str]:
    """Write files into a folder, and remove those published before that are no longer made.

    What a person has made or changed is neither written over nor removed.

    Parameters
    ----------
    folder
        Made where it is missing.
    files
        The text of each file, by its path in the folder.

    Returns
    -------
    list of str
        The files that were kept because a person made or changed them.
    """
    before = read_record(folder)
    there = {name: (folder / name).read_bytes() for name in {*before, *files} if
             (folder / name).is_file()}  # fmt: skip
    ours = {name for name, content in there.items() if before.get(name) == digest(content)}
    kept = [
        n for n, text in files.items() if n in there.keys() - ours and there[n] != text.encode()
    ]
    for name, text in files.items():
        if name not in kept:
            write(folder / name, text)
    for name in ours - files.keys():
        (folder / name).unlink()
    record = {name: digest(text.encode()) for name, text in files.items() if name not in kept}
    record |= {name: before[name] for name in kept if name in before}
    write(folder / RECORD, json.dumps(record, indent=1, sort_keys=True) + "\n")
    return kept


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, text.encode())
