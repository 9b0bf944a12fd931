"""Look at what was submitted before it is graded, and mend what a program can mend.

Run this in the course's folder, between collecting and ``nbgrader autograde``. A file that has to
be changed is kept beside as ``*.received``. It needs nothing but Python.
"""

from __future__ import annotations

import copy
import json
import shutil
import sys
from pathlib import Path
from typing import Any

Cell = dict[str, Any]


def main(course: Path) -> int:
    """Check every submission; return 1 if one cannot be graded as it is."""
    lost = 0
    for folder in sorted(path for path in course.glob("submitted/*/*") if path.is_dir()):
        shown = folder.relative_to(course / "submitted").as_posix()
        try:
            done = check(folder, course / "release" / folder.name / f"{folder.name}.ipynb")
        except ValueError as error:
            lost += 1
            print(f"{shown}: CANNOT BE GRADED: {error}")
        else:
            print(f"{shown}: {'; '.join(done) or 'good'}")
    return int(lost > 0)


def check(folder: Path, release: Path) -> list[str]:
    """Mend one submission; return what was done.

    Raises
    ------
    ValueError
        There is nothing that could be graded; the message says why and what to do.
    """
    if not release.is_file():
        raise ValueError(f"no {release.name} in release: run `nbgrader generate_assignment` first")
    done = []
    path = folder / release.name
    if not path.is_file():
        found = sorted(folder.glob("*.ipynb"))
        if len(found) != 1:
            names = ", ".join(one.name for one in found) or "nothing"
            raise ValueError(f"{names} here, but one {path.name} is needed: ask for it again")
        done.append(f"renamed {found[0].name}")
        found[0].rename(path)
    try:
        notebook = json.loads(path.read_text("utf-8"))
        mended = mend(notebook["cells"], json.loads(release.read_text("utf-8"))["cells"])
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError, AttributeError):
        raise ValueError(f"{path.name} is no readable notebook: ask for it again") from None
    if mended:
        shutil.copy2(path, path.with_name(f"{path.name}.received"))
        beside = path.with_name(f"{path.name}.part")
        beside.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", "utf-8")
        beside.replace(path)
    return done + mended


def mend(cells: list[Cell], released: list[Cell]) -> list[str]:
    """Give a submission's cells the marks that nbgrader needs, each once; return what was done."""
    wanted = [cell for cell in released if "nbgrader" in cell["metadata"]]
    by_id = {cell["id"]: cell["metadata"]["nbgrader"] for cell in wanted}
    names = {marks["grade_id"] for marks in by_id.values()}
    if not any(cell.get("id") in by_id or grade_id(cell) in names for cell in cells):
        raise ValueError("it has no cell of this assignment: is it another chapter's notebook?")
    return [*_restore_marks(cells, by_id), *_drop_copies(cells, by_id), *_add_lost(cells, wanted)]


def grade_id(cell: Cell) -> str | None:
    """Return nbgrader's name of a cell."""
    return cell.get("metadata", {}).get("nbgrader", {}).get("grade_id")


def _restore_marks(cells: list[Cell], by_id: dict[str, Any]) -> list[str]:
    bare = [cell for cell in cells if cell.get("id") in by_id and grade_id(cell) is None]
    for cell in bare:
        cell.setdefault("metadata", {})["nbgrader"] = copy.deepcopy(by_id[cell["id"]])
    return [f"restored the marks of {grade_id(cell)}" for cell in bare]


def _drop_copies(cells: list[Cell], by_id: dict[str, Any]) -> list[str]:
    """Keep the marks of the original where a cell was copied: nbgrader stops at a second one."""
    done = []
    for name in dict.fromkeys(filter(None, map(grade_id, cells))):
        same = [cell for cell in cells if grade_id(cell) == name]
        original = next((cell for cell in same if cell.get("id") in by_id), same[0])
        for cell in same:
            if cell is not original:
                del cell["metadata"]["nbgrader"]
                done.append(f"a copy of {name} does not count")
    return done


def _add_lost(cells: list[Cell], wanted: list[Cell]) -> list[str]:
    """Put deleted cells back, each after the one that it followed."""
    done, position = [], 0
    for cell in wanted:
        name = grade_id(cell)
        there = next((i for i, one in enumerate(cells) if grade_id(one) == name), None)
        if there is None:
            cells.insert(position, copy.deepcopy(cell))
            done.append(f"put {name} back")
            there = position
        position = there + 1
    return done


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent))
