"""What every page says about the three subjects: from the executed pages to `book/answers`.

``python -m tools.answers`` writes one file for each page of the last build that answers something.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tools.chapters import BOOK

Answers = dict[str, list[str]]  # the sentences about each subject


def folder_of(root: Path) -> Path:
    """Return where a checkout keeps the answers."""
    return root / "book" / "answers"


def of_cells(cells: list[dict[str, Any]]) -> Answers:
    """Return the sentences that executed cells showed with `xai_course.book.answer`."""
    found: Answers = {}
    for cell in cells:
        for output in cell.get("outputs", []):
            kept = output.get("metadata", {}).get("xai_course", {})
            if "answer" in kept:
                found.setdefault(kept["subject"], []).append(kept["answer"])
    return found


def read(root: Path) -> dict[str, Answers]:
    """Return the committed answers of every page, by its slug."""
    files = sorted(folder_of(root).glob("*.json"))
    return {path.stem: json.loads(path.read_text("utf-8")) for path in files}


def main() -> int:
    """Write the answers of all executed pages and return an exit status."""
    executed = sorted((BOOK.root / "_build" / "executed").rglob("*.ipynb"))
    if not executed:
        print("No page is executed. First: make book", file=sys.stderr)
        return 1
    folder = folder_of(BOOK.root)
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.json"):
        old.unlink()
    for path in executed:
        answers = of_cells(json.loads(path.read_text("utf-8"))["cells"])
        if answers:
            text = json.dumps(answers, indent=1, ensure_ascii=False) + "\n"
            (folder / f"{path.stem}.json").write_text(text, "utf-8")
    print(f"{len(read(BOOK.root))} of {len(executed)} pages say something about the three subjects")
    return 0


if __name__ == "__main__":
    sys.exit(main())
