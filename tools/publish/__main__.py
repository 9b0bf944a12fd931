"""``python -m tools.publish``: write the notebooks of every chapter."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tools.publish.built import BuiltBook
from tools.publish.chapter import read_chapter
from tools.publish.citations import Bibliography
from tools.publish.errors import PublishError
from tools.publish.grading import CONFIG, README, assignment_cells
from tools.publish.project import Project
from tools.publish.setup_cell import setup_cell
from tools.publish.variants import VARIANTS, layout, notebook
from tools.publish.write import remove_stale, write

ROOT = Path(__file__).parents[2]


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.publish", description=main.__doc__)
    parser.add_argument("--root", type=Path, default=ROOT, help="the project's folder")
    parser.add_argument("--build", type=Path, help="what `make book` wrote (default: _build)")
    parser.add_argument("--output", type=Path, help="default: notebooks in the build folder")
    parser.add_argument("--nbgrader", type=Path, help="default: nbgrader in the output folder")
    options = parser.parse_args(arguments)
    build = options.build or options.root / "_build"
    output = options.output or build / "notebooks"
    try:
        files = publish(options.root.resolve(), build)
        _write(files, output, options.nbgrader or output / "nbgrader")
    except PublishError as error:
        print(f"publish: {error}", file=sys.stderr)
        return 1
    print(f"{len(files)} files in {output}")
    return 0


def publish(root: Path, build: Path) -> dict[str, str]:
    """Return every file to be written, by its path in the output folder.

    Nothing is written, so that an error in the last chapter leaves the others as they were.

    Raises
    ------
    PublishError
        No built book, or something in a chapter that must not be guessed about.
    """
    project = Project.read(root)
    book = BuiltBook(build, project)
    bibliography = Bibliography(project.bibliography)
    setup = setup_cell(project)
    files = {"nbgrader/nbgrader_config.py": CONFIG, "nbgrader/README.md": README}
    for docname in project.chapters:
        chapter = read_chapter(project, book, bibliography, docname)
        name = f"{chapter.slug}.ipynb"
        for variant in VARIANTS:
            cells = layout(chapter, variant)
            files[f"{variant}/{name}"] = notebook(project, chapter, variant, cells, setup)
        if chapter.exercises:
            graded = notebook(project, chapter, "nbgrader", assignment_cells(chapter), setup)
            files[f"nbgrader/source/{chapter.slug}/{name}"] = graded
    return files


def _write(files: dict[str, str], output: Path, course: Path) -> None:
    written = set()
    for name, text in files.items():
        folder, _, rest = name.partition("/")
        path = course / rest if folder == "nbgrader" else output / name
        write(path, text)
        written.add(path)
        print(f"  {name}")
    for folder in (*(output / variant for variant in VARIANTS), course / "source"):
        remove_stale(folder, written)


if __name__ == "__main__":
    sys.exit(main())
