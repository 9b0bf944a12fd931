"""``python -m tools.publish``: write the notebooks of every chapter, a course, or a release."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Set
from pathlib import Path

from tools.publish.built import BuiltBook
from tools.publish.chapter import read_chapter
from tools.publish.citations import Bibliography
from tools.publish.errors import PublishError
from tools.publish.grading import assignment_cells, course_files
from tools.publish.project import Project
from tools.publish.release import release
from tools.publish.setup_cell import setup_cell
from tools.publish.variants import VARIANTS, layout, notebook
from tools.publish.write import handed_out, publish_files

ROOT = Path(__file__).parents[2]
COURSE = "nbgrader/"


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.publish", description=main.__doc__)
    parser.add_argument("--root", type=Path, default=ROOT, help="the project's folder")
    parser.add_argument("--build", type=Path, help="what `make book` wrote (default: _build)")
    parser.add_argument("--output", type=Path, help="default: notebooks in the build folder")
    parser.add_argument(
        "--course", type=Path, help="write the nbgrader course only, to this folder"
    )
    parser.add_argument("--wheel", type=Path, help="the library of a release, for its hash")
    parser.add_argument("--release", type=Path, help="write all of an edition to this folder")
    parser.add_argument("--pip-option", action="append", default=[], help="for --release")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Write notebooks, a course or a release; return an exit code."""
    options = _options(arguments)
    build = options.build or options.root / "_build"
    output = options.output or build / "notebooks"
    try:
        _check_folders(build, options.output, options.course)
        project = Project.read(options.root.resolve())
        if options.release is not None:
            release(project, build, options.release, publish, options.pip_option)
            print(f"the edition {project.edition} is in {options.release}")
            return 0
        files = publish(project.for_release(options.wheel) if options.wheel else project, build)
    except PublishError as error:
        print(f"publish: {error}", file=sys.stderr)
        return 1
    notebooks = {n: text for n, text in files.items() if not n.startswith(COURSE)}
    course = {n.removeprefix(COURSE): text for n, text in files.items() if n.startswith(COURSE)}
    if options.course is None:
        _write(output, notebooks)
    folder = options.course or output / COURSE
    _write(folder, course, handed_out(folder, course))
    if options.output is None and options.course is None:
        print("These belong to the build. To work in them: make notebooks DIR=../my-notebooks")
    return 0


def _check_folders(build: Path, *named: Path | None) -> None:
    """Refuse a person's folder among what was built: `make clean` and `make test` remove that."""
    for folder in filter(None, named):
        if folder.resolve().is_relative_to(build.resolve()):
            raise PublishError(
                f"{folder} lies in {build.name}, which is removed and built again. Name a folder "
                "outside of it, such as ../my-notebooks."
            )


def _write(folder: Path, files: dict[str, str], frozen: Set[str] = frozenset()) -> None:
    kept = publish_files(folder, files, frozen)
    print(f"{len(files.keys() - frozen) - len(kept)} files in {folder}")
    for name in sorted(frozen):
        if (folder / name).read_bytes() != files.get(name, "").encode():
            print(
                f"kept {folder / name}: it was handed out. Grade it with the environment of its "
                "own edition."
            )
    for name in kept:
        print(
            f"kept {folder / name}: it is not as it was published. To get this edition's, rename "
            "yours and run the same command again."
        )


def publish(project: Project, build: Path) -> dict[str, str]:
    """Return every file to be written, by its path in the output folder.

    Nothing is written, so that an error in the last chapter leaves the others as they were.

    Raises
    ------
    PublishError
        No built book, or something in a chapter that must not be guessed about.
    """
    book = BuiltBook(build, project)
    bibliography = Bibliography(project.bibliography)
    setup = setup_cell(project)
    files = {f"{COURSE}{name}": text for name, text in course_files().items()}
    for docname in project.chapters:
        chapter = read_chapter(project, book, bibliography, docname)
        name = f"{chapter.slug}.ipynb"
        for variant in VARIANTS:
            cells = layout(chapter, variant)
            files[f"{variant}/{name}"] = notebook(project, chapter, variant, cells, setup)
        if chapter.exercises:
            graded = notebook(project, chapter, "nbgrader", assignment_cells(chapter), setup)
            files[f"{COURSE}source/{chapter.slug}/{name}"] = graded
    return files


if __name__ == "__main__":
    sys.exit(main())
