"""One session's slides as a notebook with Jupyter's slide marks, from the executed chapters."""

from __future__ import annotations

import ast
import base64
import json
import re
from collections.abc import Iterator
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

import nbformat

from tools import teaching
from tools.chapters import IN_EXERCISES, Block, Book, Cell, Chapter, Exercise
from tools.publish.built import BuiltBook
from tools.publish.citations import Bibliography
from tools.publish.filter import Filter
from tools.publish.project import Project
from tools.teaching import Session, Syllabus, Task

FORMULAS = 2  # the most a chapter shows
LONG = 50  # words from which a text is set in smaller letters
LONG_CAPTION = 35
FULL = 75  # words beside a formula, at most
SENTENCE_END = re.compile(r"(?<=[.!?:])\s+(?=[^a-z])")
STILL = re.compile(r"data:(image/\w+);base64,([A-Za-z0-9+/=]+)")
Picture = tuple[str, str]  # its kind, and its bytes in base64
LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\([^()\s]*(?:\([^()]*\)[^()\s]*)*\)")


class Deck:
    """Makes the slides of a course's sessions.

    Parameters
    ----------
    book
        The book with its chapters.
    build
        The folder that `make book` wrote.
    """

    def __init__(self, book: Book, build: Path):
        self.book = book
        self.build = build
        self.project = Project.read(book.root)
        self.built = BuiltBook(build, self.project)
        self.bibliography = Bibliography(self.project.bibliography)
        self.tasks = teaching.tasks(book)

    def notebook(self, course: Syllabus, number: int) -> nbformat.NotebookNode:
        """Return the slides of one session, counted from 1."""
        session = course.sessions[number - 1]
        cells = list(self._cells(session, number))
        for index, cell in enumerate(cells):
            cell.id = f"slide-{index}"
        title = f"{number}. {session.title}"
        return nbformat.v4.new_notebook(cells=cells, metadata={"title": title})

    def _cells(self, session: Session, number: int) -> Iterator[nbformat.NotebookNode]:
        by_slug = {chapter.slug: chapter for chapter in self.book.chapters}
        chapters = [by_slug[slug] for slug in session.chapters]
        names = "".join(f"\n- {self.book.short_titles[one.name]}" for one in chapters)
        yield _slide(f"# {number}. {session.title}\n\n*{session.question}*\n{names}", "slide")
        for chapter in chapters:
            yield from _Pages(self, chapter).cells(session)
        yield _slide(f"## To discuss\n\n*{session.question}*", "slide")
        rows = [self.tasks[one] for one in session.homework]
        listed = "".join(f"\n- {task.title} ({task.minutes} minutes)" for task in rows)
        if listed:
            yield _slide(f"## Homework\n{listed}", "slide")


class _Pages:
    """The slides of one chapter."""

    def __init__(self, deck: Deck, chapter: Chapter):
        self.deck, self.chapter = deck, chapter
        self.lines = chapter.path.read_text(encoding="utf-8").splitlines()
        self.filter = Filter(deck.project, deck.built, deck.bibliography, chapter.name)

    def cells(self, session: Session) -> Iterator[nbformat.NotebookNode]:
        """Give the promise, the pictures, the formulas and what is done in class."""
        title, promise = (self.markdown(block) for block in self.chapter.blocks[:2])
        yield _slide(f"{title}\n\n{promise}\n\n{self._idea()}", "slide")
        of_class = {task.identifier: task for task in self._tasks(session.by_hand)}
        heading, before, shown = "", None, set(map(id, self._formulas()))
        for block in self.chapter.lesson:
            if block.kind == "heading" and block.level == 2:
                heading = self.markdown(block)
            elif id(block) in shown:
                yield _slide(f"{heading}\n\n{self._formula(block, before)}", "subslide")
            elif block.line in self.pictures:
                cell, pictures = self.pictures[block.line]
                yield from self._figure(heading, cell, pictures)
            before = block
        for task in of_class.values():
            yield self._exercise("By hand", task)
        for task in self._tasks(session.discuss):
            yield self._exercise("A claim", task)

    def _tasks(self, ids: tuple[str, ...]) -> list[Task]:
        known = [self.deck.tasks[one] for one in ids]
        return [task for task in known if task.page == self.chapter.name]

    def _idea(self) -> str:
        figure = self.chapter.blocks[2]
        drawing = (self.deck.book.source / figure.text.lstrip("/")).read_bytes()
        caption = self.filter.convert_inline(figure.content, figure.line)
        image = _image("image/svg+xml", base64.b64encode(drawing).decode(), figure.options["alt"])
        return f'<div class="idea">{image}</div>\n\n{_plain(caption)}'

    def _figure(
        self, heading: str, cell: Cell, pictures: list[Picture]
    ) -> Iterator[nbformat.NotebookNode]:
        caption = _plain(self.filter.convert_inline(cell.figure["caption"], cell.line))
        number = self.deck.built.numbered(cell.figure["name"])
        alt = _alt(cell)
        images = "".join(_image(kind, data, alt) for kind, data in pictures)
        first, *others = SENTENCE_END.split(caption)
        text = f"- {first}" + "".join(f"\n- {one}" for one in others[:2])
        size = " long" if len(text.split()) > LONG_CAPTION else ""
        yield _slide(
            f'{heading}\n\n<div class="beside{size}">\n<div class="picture">{images}</div>\n'
            f'<div class="words">\n\n{text}\n\n<p class="number">{number}</p>\n\n</div>\n</div>',
            "subslide",
        )
        yield _slide(f"{number}. {caption}\n\n{alt}", "notes")

    @cached_property
    def pictures(self) -> dict[int, tuple[Cell, list[Picture]]]:
        """The pictures of the lesson, as the last build drew them, by the lines of their cells."""
        path = self.deck.build / "executed" / f"{self.chapter.name}.ipynb"
        executed = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = [cell for cell in executed if cell["cell_type"] == "code"]
        found = {}
        for cell, done in zip(self.chapter.cells, code, strict=True):
            images = list(_pictures(done["outputs"]))
            if images and cell.figure and not {"remove-cell", *IN_EXERCISES} & set(cell.tags):
                found[cell.line] = cell, images
        return found

    def _formulas(self) -> list[Block]:
        """Return the key formulas: those that have a number, first of all."""
        found = [one for one in self.chapter.lesson if one.kind.startswith("math") or
                 one.name == "math"]  # fmt: skip
        numbered = [one for one in found if one.kind == "math_block_label" or one.options]
        return (numbered or found)[:FORMULAS]

    def _formula(self, block: Block, before: Block | None) -> str:
        words = ""
        if before is not None and before.kind == "paragraph":
            sentences = SENTENCE_END.split(_plain(self.markdown(before)))
            while sum(len(one.split()) for one in sentences) > FULL and len(sentences) > 1:
                sentences.pop(0)
            words = " ".join(sentences)
        return _sized(words, f"{words}\n\n{self.markdown(block)}")

    def _exercise(self, kind: str, task: Task) -> nbformat.NotebookNode:
        exercise = next(e for e in self.chapter.exercises if e.identifier == task.identifier)
        text = _plain(self._question(exercise))
        points = f"{task.points} point{'s' * (task.points != 1)}"
        facts = f"{task.kind} · {task.minutes} minutes · {points} · `{task.identifier}`"
        body = f"{text}\n\n*{facts}*"
        return _slide(f"## {kind}: {task.title}\n\n{_sized(text, body)}", "subslide")

    def _question(self, exercise: Exercise) -> str:
        """Return an exercise's text, without its stub and its hints."""
        texts = [one for one in exercise.blocks[1:] if one.name not in {"code-cell", "dropdown"}]
        return "\n\n".join(map(self.markdown, texts))

    def markdown(self, block: Block) -> str:
        """Return one block of the page as plain Markdown."""
        lines = self.lines[block.line - 1 :]
        end = next(
            (one.line - block.line for one in self.places if one.line > block.line), len(lines)
        )
        return self.filter.convert("\n".join(lines[:end]).rstrip(), block.line)

    @cached_property
    def places(self) -> list[Block]:
        """All top-level blocks, in order."""
        return sorted(self.chapter.blocks, key=lambda block: block.line)


def _slide(source: str, kind: str) -> nbformat.NotebookNode:
    metadata = {"slideshow": {"slide_type": kind}}
    return nbformat.v4.new_markdown_cell(source, metadata=metadata)


def _sized(text: str, body: str) -> str:
    """Return a body in smaller letters if its text is long."""
    is_long = len(text.split()) > LONG
    return f'<div class="long">\n\n{body}\n\n</div>' if is_long else body


def _pictures(outputs: list[dict[str, Any]]) -> Iterator[Picture]:
    """Give the pictures among a cell's outputs; an explorable has a still one in its HTML."""
    for output in outputs:
        data = output.get("data", {})
        if "image/png" in data:
            yield "image/png", "".join("".join(data["image/png"]).split())
        yield from STILL.findall("".join(data.get("text/html", "")))


def _image(kind: str, data: str, alt: str) -> str:
    return f'<img alt="{escape(alt)}" src="data:{kind};base64,{data}">'


def _plain(markdown: str) -> str:
    """Return Markdown without its links: who looks at a slide cannot follow them."""
    return LINK.sub(r"\1", markdown)


def _alt(cell: Cell) -> str:
    """Return the words for who cannot see a picture; an explorable has them in its call."""
    for node in ast.walk(ast.parse(cell.source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "explorable":
            return next(str(ast.literal_eval(k.value)) for k in node.keywords if k.arg == "alt")
    about: dict[str, Any] = cell.metadata.get("mystnb", {}).get("image", {})
    return str(about["alt"])
