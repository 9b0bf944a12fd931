"""``python -m tools.slides FOLDER``: write the slides of a course, which need no network."""

from __future__ import annotations

import argparse
import shutil
import sys
from importlib.metadata import files
from pathlib import Path

import nbformat
from nbconvert import SlidesExporter

from tools import teaching
from tools.chapters import BOOK
from tools.publish.errors import PublishError
from tools.publish.write import publish_files
from tools.slides.deck import Deck

HERE = Path(__file__).parent
REVEAL = "reveal"  # the folder of scripts and styles beside the slides
# Where nbconvert's template looks for each file.
COPIED = {
    "reveal.js": "reveal.js", "notes.js": "notes.js", "reveal.css": "dist/reveal.css",
    "LICENSE": "LICENSE", "course.css": "dist/theme/course.css",
}  # fmt: skip
MATHJAX = "tex-svg.js"


def export(notebook: nbformat.NotebookNode) -> str:
    """Return a notebook with slide marks as one page of reveal.js."""
    exporter = SlidesExporter(
        template_name="course",
        extra_template_basedirs=[str(HERE / "template")],
        reveal_url_prefix=REVEAL,
        reveal_theme="course",
        reveal_number="c/t",
    )
    html, _ = exporter.from_notebook_node(notebook)
    return html


def course_files(deck: Deck, course: teaching.Syllabus, numbers: list[int]) -> dict[str, str]:
    """Return the slides of some sessions, as notebooks and as pages, by their file names."""
    found = {}
    for number in numbers:
        notebook = deck.notebook(course, number)
        found[f"week-{number:02}.ipynb"] = nbformat.writes(notebook) + "\n"
        found[f"week-{number:02}.slides.html"] = export(notebook)
    return found


def copy_scripts(folder: Path) -> None:
    """Put reveal.js, MathJax and the style sheet beside the slides."""
    for name, place in COPIED.items():
        target = folder / REVEAL / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(HERE / "reveal" / name, target)
    listed = files("sphinx-mathjax-offline") or []
    source = next(file.locate() for file in listed if file.name == MATHJAX)
    shutil.copyfile(source, folder / REVEAL / MATHJAX)


def main(arguments: list[str] | None = None) -> int:
    """Write the slides and return an exit status."""
    courses = teaching.read_syllabi(BOOK.root)
    parser = argparse.ArgumentParser(prog="python -m tools.slides", description=__doc__)
    parser.add_argument("folder", type=Path, help="a folder of your own")
    parser.add_argument("--course", choices=courses, default="twelve")
    parser.add_argument("--build", type=Path, default=BOOK.root / "_build")
    again = "make the pages of these notebooks, which you have edited"
    parser.add_argument("--again", type=Path, nargs="+", metavar="NOTEBOOK", help=again)
    parser.add_argument("--sessions", type=int, nargs="+", help="all where none is named")
    given = parser.parse_args(arguments)
    course = courses[given.course]
    if given.again:
        for path in given.again:
            page = given.folder / f"{path.stem}.slides.html"
            given.folder.mkdir(parents=True, exist_ok=True)
            page.write_text(export(nbformat.read(path, as_version=4)), encoding="utf-8")
            print(page)
        copy_scripts(given.folder)
        return 0
    numbers = given.sessions or list(range(1, len(course.sessions) + 1))
    try:
        made = course_files(Deck(BOOK, given.build), course, numbers)
    except (PublishError, FileNotFoundError) as error:
        print(f"slides: {error}. First: make book", file=sys.stderr)
        return 1
    kept = publish_files(given.folder, made)
    copy_scripts(given.folder)
    print(f"{len(made) - len(kept)} files in {given.folder}")
    for name in kept:
        print(f"kept {given.folder / name}: somebody has changed it; rename it to get a new one")
    return 0


if __name__ == "__main__":
    sys.exit(main())
