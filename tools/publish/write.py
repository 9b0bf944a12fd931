"""Write what is published, the same bytes every time, and never over a person's work."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Set
from pathlib import Path

from tools.publish.record import RECORD, digest, read_record
from xai_course._storage import replace_file


def publish_files(
    folder: Path, files: Mapping[str, str], frozen: Set[str] = frozenset()
) -> list[str]:
    """Write files into a folder, and remove those published before that are no longer made.

    What a person has made or changed is neither written over nor removed.

    Parameters
    ----------
    folder
        Made where it is missing.
    files
        The text of each file, by its path in the folder.
    frozen
        Files that stay as they are, whatever is published.

    Returns
    -------
    list of str
        The files that were kept because a person made or changed them.
    """
    files = {name: text for name, text in files.items() if name not in frozen}
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
    for name in ours - files.keys() - frozen:
        (folder / name).unlink()
    record = {name: digest(text.encode()) for name, text in files.items() if name not in kept}
    record |= {name: before[name] for name in (*kept, *frozen) if name in before}
    write(folder / RECORD, json.dumps(record, indent=1, sort_keys=True) + "\n")
    return kept


def handed_out(course: Path, names: Iterable[str]) -> set[str]:
    """Return the files of assignments that a class has: what was handed in is graded with them."""
    found = set()
    for name in {*names, *read_record(course)}:
        kind, _, rest = name.partition("/")
        chapter = rest.partition("/")[0]
        given = [course / "release" / chapter]  # to all; or to each student a notebook
        given += [
            p for stage in ("release", "submitted") for p in course.glob(f"{stage}/*/{chapter}")
        ]
        if kind == "source" and (course / name).is_file() and any(p.is_dir() for p in given):
            found.add(name)
    return found


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, text.encode())
