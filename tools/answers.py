"""What the pages say that other pages show: from the executed pages to files that are committed.

``python -m tools.answers`` reads the pages of the last build. It writes one file in `book/answers`
for each that says something about the three subjects, and to `book/verdicts.json` the glued values
that the verdicts of `book/taxonomy.yml` name.
"""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import Any

from tools import taxonomy
from tools.chapters import BOOK

Cells = list[dict[str, Any]]
Answers = dict[str, list[str]]  # the sentences about each subject


def folder_of(root: Path) -> Path:
    """Return where a checkout keeps the answers."""
    return root / "book" / "answers"


def executed(root: Path) -> dict[str, Cells]:
    """Return the cells of every executed page, by its slug."""
    pages = sorted((root / "_build" / "executed").rglob("*.ipynb"))
    return {path.stem: json.loads(path.read_text("utf-8"))["cells"] for path in pages}


def of_cells(cells: Cells) -> Answers:
    """Return the sentences that executed cells showed with `xai_course.book.answer`."""
    found: Answers = {}
    for cell in cells:
        for output in cell.get("outputs", []):
            kept = output.get("metadata", {}).get("xai_course", {})
            if "answer" in kept:
                found.setdefault(kept["subject"], []).append(kept["answer"])
    return found


def glued(cells: Cells) -> dict[str, str]:
    """Return the values that executed cells stored with `xai_course.book.glue`, by name."""
    found = {}
    for cell in cells:
        for output in cell.get("outputs", []):
            if "scrapbook" in output.get("metadata", {}):
                kept = output["metadata"]["scrapbook"]
                literal = output["data"][kept["mime_prefix"] + "text/plain"]
                found[kept["name"]] = ast.literal_eval(literal)
    return found


def verdicts(root: Path, pages: dict[str, Cells]) -> dict[str, dict[str, str]]:
    """Return the values that the taxonomy names, as far as the pages glued them."""
    found = {}
    for slug, names in taxonomy.named_values(root).items():
        values = glued(pages.get(slug, []))
        found[slug] = {name: values[name] for name in names if name in values}
    return found


def read(root: Path) -> dict[str, Answers]:
    """Return the committed answers of every page, by its slug."""
    files = sorted(folder_of(root).glob("*.json"))
    return {path.stem: json.loads(path.read_text("utf-8")) for path in files}


def main() -> int:
    """Write the answers of all executed pages and return an exit status."""
    pages = executed(BOOK.root)
    if not pages:
        print("No page is executed. First: make book", file=sys.stderr)
        return 1
    folder = folder_of(BOOK.root)
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.json"):
        old.unlink()
    for slug, cells in pages.items():
        if of_cells(cells):
            _write(folder / f"{slug}.json", of_cells(cells))
    print(f"{len(read(BOOK.root))} of {len(pages)} pages say something about the three subjects")
    values = verdicts(BOOK.root, pages)
    _write(taxonomy.values_file(BOOK.root), values)
    try:
        taxonomy.read(BOOK.root)
    except ValueError as error:
        print(f"book/taxonomy.yml: {error}", file=sys.stderr)
        return 1
    print(f"{sum(map(len, values.values()))} values stand in the verdicts on {len(values)} pages")
    return 0


def _write(path: Path, found: object) -> None:
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
