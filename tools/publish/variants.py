"""Lay a chapter out for readers, students and instructors."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

import nbformat

from tools.errata import PAGE as ERRATA
from tools.publish.chapter import Chapter, Code, Exercise, Item, Solution, Text
from tools.publish.filter import BIBLIOGRAPHY, folded
from tools.publish.project import Project
from xai_course.book.checks import is_individual

VARIANTS = ("reader", "student", "instructor")
OF_A_CLASS = ("student", "nbgrader")
ANSWER = "Your answer:"
# The grader finds this line, and writes a name into it where a class gets a notebook for each.
STUDENT = """# Leave this as it is: if it holds your name, some exercises have numbers of your own.
STUDENT = \"\""""


@dataclass(frozen=True)
class Cell:
    """A cell before it gets its id.

    Attributes
    ----------
    key
        What the id is made from: the place within an exercise, or the text itself. So an id
        outlives changes in other cells.
    """

    kind: str
    source: str
    role: str
    key: str
    metadata: dict[str, Any] = field(default_factory=dict)


def layout(chapter: Chapter, variant: str) -> list[Cell]:
    """Return the cells of one variant, without head, set-up and licence."""
    cells: list[Cell] = []
    for item in chapter.items:
        if isinstance(item, Exercise):
            cells.extend(exercise_cells(item, variant))
        elif isinstance(item, Solution):
            cells.extend(_solution_cells(chapter.solved(item), item, variant))
        else:
            cells.extend(_plain_cells([item], "text", None))
    works = chapter.works
    return [_with_works(cell, works) for cell in cells if cell.source.strip()]


def notebook(
    project: Project, chapter: Chapter, variant: str, cells: list[Cell], setup: str
) -> str:
    """Return a notebook as the text of its file: head, set-up, the cells and the licence."""
    first_code = next((i for i, cell in enumerate(cells) if cell.kind == "code"), len(cells))
    whole = [
        Cell("markdown", f"{chapter.title}\n\n{_links(project, chapter)}", "head", "head"),
        *([_overview(chapter)] if variant == "instructor" and chapter.exercises else []),
        *cells[:first_code],
        Cell("code", setup, "set-up", "set-up"),
        *([Cell("code", STUDENT, "student", "student")] if variant in OF_A_CLASS else []),
        *cells[first_code:],
        Cell("markdown", _licence(project), "licence", "licence"),
    ]
    metadata = {
        "colab": {"provenance": []},
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "xai_course": {
            "edition": project.version,
            "source": f"{chapter.docname}.md",
            "variant": variant,
        },
    }
    result = nbformat.v4.new_notebook(metadata=metadata, cells=list(_with_ids(chapter, whole)))
    nbformat.validate(result)
    return nbformat.writes(result, version=4).rstrip("\n") + "\n"


def exercise_cells(exercise: Exercise, variant: str) -> list[Cell]:
    """Return the question, the stubs, the checks and the hints; for students, a place to answer."""
    heading = f'<a id="{exercise.label}"></a>**Exercise {exercise.name}. {exercise.title}**'
    first, *rest = exercise.items
    assert isinstance(first, Text)  # chapter.py has read the first line from it
    items = [Text(f"{heading}\n\n{first.markdown}", first.line), *rest]
    cells = _plain_cells(items, "exercise", exercise.label)
    if variant == "student":
        cells = list(_for_a_class(cells, exercise.label))
        if exercise.is_open:
            cells.append(Cell("markdown", ANSWER, "answer", f"{exercise.label}/written"))
    return cells


def _for_a_class(cells: list[Cell], label: str) -> Iterator[Cell]:
    """Yield an exercise's cells, which ask for the student's own numbers and check with them."""
    for cell in cells:
        tags = cell.metadata.get("tags", [])
        if "check" in tags:
            yield replace(cell, source=with_option(cell.source, "student", "STUDENT"))
            continue
        if "exercise" in tags and _has_own_numbers(label):
            source = (
                "from xai_course.book import your_numbers\n\n"
                f'your_numbers("{label}", student=STUDENT)'
            )
            yield Cell("code", source, "numbers", f"{label}/numbers")
        yield cell


def _has_own_numbers(label: str) -> bool:
    try:
        return is_individual(label)
    except ValueError:  # a check of an instructor's own, which the library does not know
        return False


def with_option(source: str, name: str, value: str) -> str:
    """Return a cell whose calls of `check` have one more option, where they lack it."""
    lines = [line.encode() for line in source.split("\n")]
    calls = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") == "check"
        and all(keyword.arg != name for keyword in node.keywords)
    ]
    for call in sorted(
        calls, key=lambda call: (call.end_lineno, call.end_col_offset), reverse=True
    ):
        last = call.keywords[-1].value if call.keywords else call.args[-1]
        row, column = last.end_lineno - 1, last.end_col_offset  # in bytes
        lines[row] = lines[row][:column] + f", {name}={value}".encode() + lines[row][column:]
    return b"\n".join(lines).decode()


def _plain_cells(items: Iterable[Text | Code], role: str, label: str | None) -> list[Cell]:
    cells = []
    for position, item in enumerate(items):
        is_code = isinstance(item, Code)
        source = item.source if is_code else item.markdown
        key = f"{label}/{role}/{position}" if label else source
        if is_code:
            cells.append(Cell("code", source, role, key, _metadata(item)))
        else:
            cells.append(Cell("markdown", source, role, key))
        if is_code and item.caption:
            cells.append(Cell("markdown", item.caption, f"{role}-caption", key))
    return cells


def _metadata(code: Code) -> dict[str, Any]:
    metadata: dict[str, Any] = {"tags": list(code.tags)} if code.tags else {}
    if code.alt:
        metadata["mystnb"] = {"image": {"alt": code.alt}}
    return metadata


def _solution_cells(exercise: Exercise, solution: Solution, variant: str) -> list[Cell]:
    if variant == "student":
        return []
    if variant == "instructor":
        title = Text(f"**Solution of exercise {exercise.name}**", solution.line)
        cells = _plain_cells([title, *solution.items], "solution", exercise.label)
        if _has_own_numbers(exercise.label):
            source = (
                "from xai_course.book.checks import right_answer\n\n"
                "# Of any student who has a notebook with an own name.\n"
                f'right_answer("{exercise.label}", student="a name of your class list")'
            )
            cells.append(Cell("code", source, "key", f"{exercise.label}/key"))
        return cells
    parts: list[str] = []
    for item in solution.items:
        if isinstance(item, Text):
            parts.append(item.markdown)
        elif not {"check", "hidden-test"} & set(item.tags):
            parts.extend(part for part in (_fenced(item.source), item.caption) if part)
    body = folded("Solution", "\n\n".join(parts))
    return [Cell("markdown", body, "solution", exercise.label)]


def _fenced(code: str) -> str:
    fence = "```"
    while fence in code:
        fence += "`"
    return f"{fence}python\n{code}\n{fence}"


def _links(project: Project, chapter: Chapter) -> str:
    report = quote(f"{chapter.docname}, edition {project.version}: ")
    source = project.source(chapter.docname).relative_to(project.root).as_posix()
    return " · ".join(
        f"[{text}]({address})"
        for text, address in (
            ("This page in the book", project.page(chapter.docname)),
            ("Source", project.blob(source)),
            ("Errata of this edition", f"{project.url}{ERRATA}.html"),
            ("Report a problem", f"{project.repository}/issues/new?title={report}"),
        )
    )


def _licence(project: Project) -> str:
    return (
        "Text: [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/). "
        f"Code: [BSD-3-Clause]({project.blob('LICENSE')})."
    )


def _overview(chapter: Chapter) -> Cell:
    rows = [
        f"| {e.number}. {e.title} | {e.kind} | {e.difficulty} | {e.minutes} | {e.points} "
        f"| {e.objective} |"
        for e in chapter.exercises
    ]
    minutes = sum(exercise.minutes for exercise in chapter.exercises)
    points = sum(exercise.points for exercise in chapter.exercises)
    table = [
        "**For instructors**",
        "",
        "| Exercise | Kind | Difficulty | Minutes | Points | Objective |",
        "|---|---|---|---|---|---|",
        *rows,
        f"| **Total** | | | {minutes} | {points} | |",
    ]
    return Cell("markdown", "\n".join(table), "overview", "overview")


def _with_works(cell: Cell, works: str) -> Cell:
    if cell.kind != "markdown" or BIBLIOGRAPHY not in cell.source:
        return cell
    key = cell.key.replace(BIBLIOGRAPHY, "")
    return Cell(cell.kind, cell.source.replace(BIBLIOGRAPHY, works), cell.role, key, cell.metadata)


def _with_ids(chapter: Chapter, cells: list[Cell]) -> Iterator[nbformat.NotebookNode]:
    seen: dict[str, int] = {}
    for cell in cells:
        name = "\n".join((chapter.slug, cell.role, cell.key))
        seen[name] = seen.get(name, 0) + 1  # two equal cells are told apart by their order
        digest = hashlib.sha256(f"{name}\n{seen[name]}".encode()).hexdigest()[:12]
        new = getattr(nbformat.v4, f"new_{cell.kind}_cell")
        yield new(source=cell.source, metadata=cell.metadata, id=f"{cell.role}-{digest}")


__all__ = [
    "ANSWER",
    "VARIANTS",
    "Cell",
    "Item",
    "exercise_cells",
    "layout",
    "notebook",
    "with_option",
]
