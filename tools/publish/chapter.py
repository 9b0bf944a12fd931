"""Read a chapter: its text, already filtered, its code, its exercises and their solutions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from markdown_it.token import Token
from myst_nb.core.read import read_myst_markdown_notebook

from tools.chapters import GATES, META, MYST, slug_of
from tools.names import missing_names, needs
from tools.publish.built import FIRST, BuiltBook
from tools.publish.citations import Bibliography
from tools.publish.errors import PublishError, SourceError
from tools.publish.filter import BIBLIOGRAPHY, Filter
from tools.publish.markdown import PARSER, directive_name, is_directive, read_directive
from tools.publish.project import Project

GATE_OPTIONS = frozenset({"label", "nonumber", "class"})


@dataclass(frozen=True)
class Text:
    """A piece of prose in plain Markdown."""

    markdown: str
    line: int


@dataclass(frozen=True)
class Code:
    """A code cell, with the caption line of the figure or the table that it shows."""

    source: str
    tags: tuple[str, ...]
    alt: str | None
    caption: str | None
    line: int


@dataclass
class Solution:
    """The gated solution of one exercise."""

    line: int
    items: list[Text | Code] = field(default_factory=list)


@dataclass
class Exercise:
    """One exercise.

    Attributes
    ----------
    label, title
        Its stable id and its title.
    items
        The question, the stubs, the checks and the hints.
    solution
        The solution, which follows later in the chapter.
    """

    label: str
    title: str
    line: int
    items: list[Text | Code] = field(default_factory=list)
    solution: Solution | None = None
    kind: str = ""
    difficulty: int = 0
    minutes: int = 0
    objective: str = ""

    @property
    def name(self) -> str:
        """The id as a reader sees it: the slug and the number."""
        return self.label.removeprefix("ex-")

    @property
    def number(self) -> str:
        """The number at the end of the id."""
        return self.label.rpartition("-")[2]

    @property
    def is_checked(self) -> bool:
        """Whether a program can mark (a part of) the answer."""
        return any(isinstance(item, Code) and "check" in item.tags for item in self.items)

    @property
    def is_open(self) -> bool:
        """Whether (a part of) the answer is prose, which a person marks."""
        texts = (item.markdown for item in self.solution.items if isinstance(item, Text))
        return any("**Model answer.**" in text for text in texts)

    @property
    def points(self) -> int:
        """The difficulty, for each part that is marked."""
        return self.difficulty * (self.is_checked + self.is_open)


Item = Text | Code | Exercise | Solution


@dataclass(frozen=True)
class Chapter:
    """One chapter, ready to be laid out.

    Attributes
    ----------
    docname
        Page name, e.g. ``part/slug``.
    title
        The heading of the page, in Markdown.
    items
        Everything after the title, in the order of the page; an exercise and its solution are
        two items.
    works
        The list of works cited, in Markdown.
    """

    docname: str
    title: str
    items: tuple[Item, ...]
    works: str

    @property
    def slug(self) -> str:
        """The file name, without a suffix."""
        return slug_of(self.docname)

    @cached_property
    def exercises(self) -> list[Exercise]:
        """The exercises, in order."""
        return [item for item in self.items if isinstance(item, Exercise)]

    def solved(self, solution: Solution) -> Exercise:
        """Return the exercise that a solution belongs to."""
        return next(exercise for exercise in self.exercises if exercise.solution is solution)


def read_chapter(
    project: Project, book: BuiltBook, bibliography: Bibliography, docname: str
) -> Chapter:
    """Read and filter one chapter.

    Raises
    ------
    SourceError
        The chapter breaks a rule; the message names file and line.
    PublishError
        The built book is older than the chapter, or damaged.
    """
    path = project.source(docname)
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise PublishError(f"cannot read {project.shown(path)}: {error.strerror}") from error
    notebook = read_myst_markdown_notebook(text, MYST, add_source_map=True, path=path)
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    if code != book.code(docname):
        raise PublishError(f"{docname} changed since it was executed: {FIRST}")
    reader = _Reader(project, Filter(project, book, bibliography, docname), docname)
    lines = text.split("\n")
    for cell, line in zip(notebook.cells, notebook.metadata["source_map"], strict=True):
        while not lines[line].strip() and line + 1 < len(lines):
            line += 1  # the map counts blank lines that the cell has lost
        reader.read(cell, line + 1)
    return reader.finish()


class _Reader:
    """Sorts the cells of a chapter into text, code, exercises and solutions."""

    def __init__(self, project: Project, filter_: Filter, docname: str):
        self.path = project.shown(project.source(docname))
        self.filter = filter_
        self.docname = docname
        self.items: list[Item] = []
        self.exercises: dict[str, Exercise] = {}
        self.open: Exercise | Solution | None = None
        self.code: list[tuple[int, str, bool]] = []  # line, source, whether a reader gets the cell

    def read(self, cell: Any, line: int) -> None:
        if cell.cell_type == "code":
            self._read_code(cell, line)
        elif cell.cell_type == "raw":
            raise SourceError(self.path, line, "a raw cell is not allowed in a chapter")
        elif "remove-cell" not in cell.metadata.get("tags", []):
            self._read_markdown(cell.source, line)

    def finish(self) -> Chapter:
        if self.open is not None:
            raise SourceError(self.path, self.open.line, "this exercise or solution never ends")
        self._check_names()
        for exercise in self.exercises.values():
            self._describe(exercise)
        first = self.items[0] if self.items else None
        if not isinstance(first, Text) or not first.markdown.startswith("# "):
            raise SourceError(self.path, 1, "a chapter begins with its title")
        title, _, rest = first.markdown.partition("\n")
        items = [Text(rest.strip("\n"), first.line), *self.items[1:]]
        works = self.filter.bibliography.works(self.filter.cited)
        return Chapter(self.docname, title, tuple(items), works)

    def _check_names(self) -> None:
        """Refuse a cell that would stop with NameError once the cells around it are gone."""
        lacking = missing_names([(source, kept) for _, source, kept in self.code])
        for index, lost in lacking.items():
            line, problem = self.code[index][0], needs(lost, [one[0] for one in self.code])
            raise SourceError(self.path, line, f"this cell needs {problem}")

    def _add(self, item: Text | Code) -> None:
        (self.items if self.open is None else self.open.items).append(item)

    def _read_code(self, cell: Any, line: int) -> None:
        tags = tuple(cell.metadata.get("tags", []))
        in_solution = isinstance(self.open, Solution)
        for tag, allowed in (
            ("hidden-test", in_solution),
            ("solution", in_solution),
            ("exercise", isinstance(self.open, Exercise)),
            ("check", self.open is not None),
        ):
            if tag in tags and not allowed:
                raise SourceError(self.path, line, f"a cell with the tag {tag!r} is misplaced")
        dropped = "remove-cell" in tags
        self.code.append((line, cell.source, not dropped and not in_solution))
        if dropped and "hidden-test" not in tags:
            return
        shown = cell.metadata.get("mystnb", {})
        about = shown.get("figure") or cell.metadata.get("table", {})
        caption = None
        if "caption" in about:
            text = self.filter.convert_inline(about["caption"], line)
            caption = self.filter.caption(about.get("name", ""), text, line)
        self._add(Code(cell.source, tags, shown.get("image", {}).get("alt"), caption, line))

    def _read_markdown(self, source: str, line: int) -> None:
        for token, text, start in _split(source):
            if token is not None:
                self._gate(token, line + start)
                continue
            markdown = self.filter.convert(text, line + start)
            if markdown:
                self._add(Text(markdown, line + start))

    def _gate(self, token: Token, line: int) -> None:
        name, _ = directive_name(token)
        directive, problems = read_directive(token, line, GATE_OPTIONS, titled=True)
        if problems:
            raise SourceError(self.path, line, f"the directive {name!r}: {problems[0]}")
        if directive.body.strip():
            raise SourceError(self.path, line, f"the directive {name!r} holds text; put it after")
        what, _, side = name.partition("-")
        kind = Exercise if what == "exercise" else Solution
        if side == "end":
            if not isinstance(self.open, kind):
                raise SourceError(self.path, line, f"{name!r} without {what}-start")
            self.open = None
            return
        if self.open is not None:
            raise SourceError(self.path, line, f"{name!r} before the last one ended")
        if kind is Exercise:
            self.open = self._new_exercise(directive.options.get("label", ""), directive, line)
        else:
            self.open = self._new_solution(directive.argument, line)
        self.items.append(self.open)

    def _new_exercise(self, label: str, directive: Any, line: int) -> Exercise:
        prefix = f"ex-{slug_of(self.docname)}-"
        if not label.startswith(prefix) or not label.removeprefix(prefix).isdecimal():
            raise SourceError(self.path, line, f"an exercise's label is {prefix}<n>, not {label!r}")
        if label in self.exercises:
            raise SourceError(self.path, line, f"two exercises have the label {label!r}")
        title = self.filter.convert_inline(directive.argument, line)
        self.exercises[label] = Exercise(label, title, line)
        return self.exercises[label]

    def _new_solution(self, label: str, line: int) -> Solution:
        exercise = self.exercises.get(label)
        if exercise is None or exercise.solution is not None:
            raise SourceError(self.path, line, f"no exercise {label!r} waits for a solution")
        exercise.solution = Solution(line)
        return exercise.solution

    def _describe(self, exercise: Exercise) -> None:
        """Read kind, difficulty, minutes and objective from an exercise's first line."""
        if exercise.solution is None:
            raise SourceError(self.path, exercise.line, f"{exercise.label} has no solution")
        first = exercise.items[0] if exercise.items else None
        header = first.markdown.split("\n")[0].strip() if isinstance(first, Text) else ""
        meta = META.fullmatch(header.strip("*"))
        if meta is None:
            raise SourceError(
                self.path,
                exercise.line,
                f"{exercise.label} must begin with a line such as "
                "*code · difficulty 2 of 5 · 10 minutes · objective 1*",
            )
        exercise.kind, exercise.objective = meta["kind"], meta["objectives"]
        exercise.difficulty, exercise.minutes = int(meta["difficulty"]), int(meta["minutes"])


def _split(source: str) -> Iterator[tuple[Token | None, str, int]]:
    """Split a text at the gates of exercises and solutions.

    Yields gates as ``(token, "", line)`` and the text between them as ``(None, text, line)``.
    """
    lines = source.split("\n")
    position = 0
    for token in PARSER.parse(source):
        if token.level == 0 and is_directive(token) and directive_name(token)[0] in GATES:
            start, end = token.map
            yield None, "\n".join(lines[position:start]), position
            yield token, "", start
            position = end
    yield None, "\n".join(lines[position:]), position


__all__ = [
    "BIBLIOGRAPHY",
    "Chapter",
    "Code",
    "Exercise",
    "Item",
    "Solution",
    "Text",
    "read_chapter",
]
