"""The one reader of chapters: the table of contents, MyST as the book reads it, the exercises.

Building, publishing and the tests read structure here, and never raw text.

Jupytext reads the cells, as it does in the build; MyST's own parser reads the prose. The n-th
`code-cell` directive of the prose is the n-th code cell of the notebook, which gives every cell a
line number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import jupytext
import yaml
from markdown_it.renderer import RendererHTML
from markdown_it.tree import SyntaxTreeNode
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser

# What Jupyter Book 1 sets where `_config.yml` says nothing: see its default_config.yml.
MYST = MdParserConfig(
    enable_extensions={"colon_fence", "dollarmath", "linkify", "substitution", "tasklist"},
    dmath_double_inline=True,
)
GATES = ("exercise-start", "exercise-end", "solution-start", "solution-end")
# What a reader does not see at once: the code of a cell, or the text of a directive.
FOLDED = {"hide-input", "hide-cell", "remove-input", "remove-cell"}
IN_EXERCISES = {"exercise", "check", "solution", "hidden-test"}
CLOSED = {"dropdown", "bibliography"}
# Reading time: words of prose, a look at a figure, a line of open code.
WORDS_A_MINUTE, SECONDS_A_FIGURE, SECONDS_A_LINE = 200, 20, 4
KINDS = ("by hand", "code", "interpret", "critique")
# The first line of an exercise.
META = re.compile(
    rf"(?P<kind>{'|'.join(KINDS)}) · difficulty (?P<difficulty>[1-5]) of 5 · "
    r"(?P<minutes>[1-9]\d*) minutes? · "
    r"objectives? (?P<objectives>[1-9]\d*(?:(?:, | and )[1-9]\d*)*)"
)
DIRECTIVE = re.compile(r"^\{(?P<name>[^}]+)\}\s*(?P<argument>.*)$")
OPTION = re.compile(r"^:(?P<key>[\w-]+):\s*(?P<value>.*)$")
NO_CHAPTERS = ("library/", "teaching/")  # folders of pages about the library and about teaching
# Their content is not MyST.
VERBATIM = {"code-cell", "math", "bibliography", "nb-exec-table", "tableofcontents"}

_parser = create_md_parser(MYST, RendererHTML)


@dataclass(frozen=True)
class Role:
    """One role, such as `` {term}`region` ``."""

    name: str
    content: str
    line: int

    @property
    def target(self) -> str:
        """What the role points at: the part in angle brackets, or all of it."""
        match = re.fullmatch(r".*<(.+)>\s*", self.content, flags=re.DOTALL)
        return " ".join((match.group(1) if match else self.content).split())


@dataclass
class Block:
    """One top-level block of a page: a heading, a paragraph, a list or a directive."""

    kind: str  # markdown-it's name of the block, "directive" for directives
    line: int
    text: str = ""  # words of a heading or paragraph; the argument of a directive
    level: int = 0  # of a heading
    name: str = ""  # of a directive
    options: dict[str, str] = field(default_factory=dict)
    content: str = ""  # of a directive, without its options
    blocks: list[Block] = field(default_factory=list)  # inside a directive that holds MyST
    roles: list[Role] = field(default_factory=list)
    strong: list[str] = field(default_factory=list)
    items: list[str] = field(default_factory=list)  # of a list
    emphasised: bool = False  # a paragraph that is emphasised from its first to its last word

    def walk(self) -> Iterator[Block]:
        """Give this block and everything inside it."""
        yield self
        for block in self.blocks:
            yield from block.walk()


@dataclass
class Cell:
    """One code cell."""

    number: int  # from 1, in reading order
    line: int
    source: str
    metadata: dict[str, Any]

    @property
    def tags(self) -> list[str]:
        """The cell's tags."""
        return list(self.metadata.get("tags", []))

    @property
    def figure(self) -> dict[str, str]:
        """Name and caption of the picture that the cell shows."""
        return dict(self.metadata.get("mystnb", {}).get("figure", {}))

    @property
    def table(self) -> dict[str, str]:
        """Name and caption of the table that the cell shows."""
        return dict(self.metadata.get("table", {}))


@dataclass
class Exercise:
    """One exercise with its solution: everything between the four gates."""

    identifier: str
    title: str
    line: int
    blocks: list[Block]
    cells: list[Cell]
    solution_blocks: list[Block] = field(default_factory=list)
    solution_cells: list[Cell] = field(default_factory=list)
    solution_line: int = 0

    @property
    def stubs(self) -> list[Cell]:
        """The cells that a reader fills in."""
        return [cell for cell in self.cells if "exercise" in cell.tags]

    @property
    def checks(self) -> list[Cell]:
        """The check cells after the stub."""
        return [cell for cell in self.cells if "check" in cell.tags]

    @property
    def solutions(self) -> list[Cell]:
        """The cells with the answer."""
        return [cell for cell in self.solution_cells if "solution" in cell.tags]

    @property
    def hidden_tests(self) -> list[Cell]:
        """The cells that only instructors see."""
        return [cell for cell in self.solution_cells if "hidden-test" in cell.tags]

    @property
    def is_open(self) -> bool:
        """Whether a person has to mark it."""
        return any(b.strong[:1] == ["Model answer."] for b in self.solution_blocks)


def _words(node: SyntaxTreeNode) -> str:
    """Join the visible words of a node; a role counts as its content."""
    if node.type in {"text", "code_inline", "math_inline", "myst_role"}:
        return node.content
    if node.type in {"softbreak", "hardbreak"}:
        return " "
    return "".join(_words(child) for child in node.children)


def _option_lines(content: str) -> tuple[dict[str, str], str, int]:
    """Split a directive's content into its options, the rest, and the number of lines taken."""
    lines = content.splitlines()
    if lines and lines[0].strip() == "---":
        end = next((i for i, one in enumerate(lines[1:], 1) if one.strip() == "---"), 0)
        options = yaml.safe_load("\n".join(lines[1:end])) or {}
        return {k: str(v) for k, v in options.items()}, "\n".join(lines[end + 1 :]), end + 1
    options = {}
    for taken, line in enumerate(lines):
        match = OPTION.match(line)
        if not match:
            return options, "\n".join(lines[taken:]), taken
        options[match["key"]] = match["value"].strip()
    return options, "", len(lines)


def _block(node: SyntaxTreeNode, offset: int) -> Block:
    """Turn one top-level node into a block."""
    line = (node.map[0] if node.map else 0) + offset + 1
    directive = DIRECTIVE.match(node.info.strip()) if "fence" in node.type else None
    if directive:
        options, content, taken = _option_lines(node.content)
        name = directive["name"].strip()
        if name == "glossary":  # definitions are indented MyST
            inner = parse_blocks("\n".join(map(str.strip, content.splitlines())), line + taken)
        else:
            inner = [] if name in VERBATIM else parse_blocks(content, line + taken)
        block = Block("directive", line, directive["argument"].strip(), 0, name, options, content)
        block.blocks = inner
        # A caption is MyST too, although the parser leaves it in the argument.
        if name not in VERBATIM and block.text:
            block.roles = [r for b in parse_blocks(block.text, line - 1) for r in b.roles]
        return block
    block = Block(node.type, line, _words(node).strip())
    block.level = int(node.tag[1]) if node.type == "heading" else 0
    for inside in node.walk():
        if inside.type == "myst_role":
            block.roles.append(Role(inside.meta["name"], inside.content, line))
        if inside.type == "strong":
            block.strong.append(_words(inside).strip())
        if "fence" in inside.type and inside is not node:
            block.blocks.append(_block(inside, offset))
    if node.type in {"ordered_list", "bullet_list"}:
        block.items = [_words(child).strip() for child in node.children]
    if node.type == "paragraph":
        visible = [c for c in node.children[0].children if _words(c).strip()]
        block.emphasised = [c.type for c in visible] == ["em"]
    return block


def _is_shown(cell: Cell) -> bool:
    """Tell whether a reader sees a cell's output, outside of the exercises."""
    return not {"remove-cell", *IN_EXERCISES} & set(cell.tags)


def _prose(block: Block) -> Iterator[str]:
    """Give the texts of a block that are read."""
    if block.name in CLOSED:
        return
    if block.kind != "directive":
        yield " ".join(block.items) or block.text
    elif block.name not in VERBATIM:
        yield block.text
        for inside in block.blocks:
            yield from _prose(inside)


def parse_blocks(text: str, offset: int = 0) -> list[Block]:
    """Parse MyST; `offset` is the number of lines above it in its file."""
    tree = SyntaxTreeNode(_parser.parse(text))
    return [_block(node, offset) for node in tree.children if node.type != "front_matter"]


@dataclass
class Page:
    """One page of the book."""

    path: Path
    name: str  # as in _toc.yml, without an ending

    @property
    def slug(self) -> str:
        """The last part of the name."""
        return slug_of(self.name)

    @cached_property
    def blocks(self) -> list[Block]:
        """The page's top-level blocks."""
        return parse_blocks(self.path.read_text(encoding="utf-8"))

    @property
    def promise(self) -> str:
        """The paragraph below the title."""
        return next((block.text for block in self.blocks if block.kind == "paragraph"), "")

    def walk(self) -> Iterator[Block]:
        """Give every block at every depth."""
        for block in self.blocks:
            yield from block.walk()

    @property
    def roles(self) -> list[Role]:
        """All roles of the page."""
        return [role for block in self.walk() for role in block.roles]

    def at(self, line: int) -> str:
        """Say where a problem is."""
        return f"{self.path.name}:{line}"


@dataclass
class Chapter(Page):
    """One page that is a notebook."""

    @cached_property
    def notebook(self) -> Any:
        """The notebook as jupytext reads it."""
        return jupytext.read(self.path)

    @cached_property
    def header(self) -> dict[str, Any]:
        """The header as written; jupytext would correct it silently."""
        first = _parser.parse(self.path.read_text(encoding="utf-8"))[:1]
        is_header = first and first[0].type == "front_matter"
        return (yaml.safe_load(first[0].content) or {}) if is_header else {}

    @cached_property
    def cells(self) -> list[Cell]:
        """The code cells with the lines on which they begin."""
        code = [cell for cell in self.notebook.cells if cell.cell_type == "code"]
        lines = [block.line for block in self.blocks if block.name == "code-cell"]
        if len(code) != len(lines):
            raise ValueError(
                f"{self.path.name}: jupytext finds {len(code)} code cells and MyST {len(lines)}"
            )
        return [
            Cell(number, line, cell.source, dict(cell.metadata))
            for number, (cell, line) in enumerate(zip(code, lines, strict=True), 1)
        ]

    @cached_property
    def open_cells(self) -> list[Cell]:
        """The cells outside exercises whose code a reader sees without a click."""
        hidden = FOLDED | IN_EXERCISES
        inside = {id(cell) for one in self.exercises for cell in one.cells + one.solution_cells}
        return [c for c in self.cells if id(c) not in inside and not hidden & set(c.tags)]

    @cached_property
    def lesson(self) -> list[Block]:
        """The blocks outside exercises, up to the list of works."""
        blocks, inside = [], False
        for block in self.blocks:
            if block.kind == "heading" and block.text == "Works cited":
                break
            if block.name in GATES:
                inside = block.name.endswith("start")
            elif not inside:
                blocks.append(block)
        return blocks

    @cached_property
    def glance(self) -> tuple[int, dict[str, str], list[str]]:
        """The box *At a glance*: its line (0: none), the text of each entry, the objectives."""
        boxes = [b for b in self.blocks if "at-a-glance" in b.options.get("class", "").split()]
        if not boxes or boxes[0].name != "admonition":
            return 0, {}, []
        entries: dict[str, str] = {}
        objectives: list[str] = []
        last = ""
        for block in boxes[0].blocks:
            label = block.strong[0].rstrip(":. ") if block.strong else ""
            if label and block.text.startswith(block.strong[0]):
                last = label
                entries[last] = block.text.removeprefix(block.strong[0])
            elif last:
                entries[last] += " " + (block.text or " ".join(block.items))
            if last == "Objectives" and block.kind == "ordered_list":
                objectives.extend(block.items)
            if any(role.name == "runtime" for role in block.roles):
                entries[last] += " {runtime}"
        return boxes[0].line, entries, objectives

    @cached_property
    def figures(self) -> list[tuple[str, str]]:
        """The name and the caption, as MyST, of every picture outside the exercises."""
        by_line = {cell.line: cell.figure for cell in self.cells if _is_shown(cell) and cell.figure}
        found = []
        for block in self.lesson:
            if block.line in by_line:
                found.append((by_line[block.line]["name"], by_line[block.line]["caption"]))
            elif block.name == "figure" and "name" in block.options:
                found.append((block.options["name"], block.content.strip()))
        return found

    @property
    def minutes(self) -> float:
        """Minutes to read the page without its exercises, from words, figures and open code."""
        shown = [cell for cell in self.cells if _is_shown(cell)]
        figures = [cell.figure for cell in shown if cell.figure]
        captions = [about.get("caption", "") for c in shown for about in (c.figure, c.table)]
        prose = [text for block in self.lesson for text in _prose(block)]
        words = sum(len(t.split()) for t in prose + captions)
        lines = sum(len(cell.source.splitlines()) for cell in self.open_cells)
        n_figures = len(figures) + sum(b.name == "figure" for b in self.lesson)
        seconds = n_figures * SECONDS_A_FIGURE + lines * SECONDS_A_LINE
        return words / WORDS_A_MINUTE + seconds / 60

    def where(self, cell: Cell) -> str:
        """Say where a cell is."""
        return f"{self.at(cell.line)} (code cell {cell.number})"

    @cached_property
    def exercises(self) -> list[Exercise]:
        """The exercises in reading order, each with its solution."""
        by_line = {cell.line: cell for cell in self.cells}
        found: dict[str, Exercise] = {}
        inside: tuple[list[Block], list[Cell]] | None = None
        for block in self.blocks:
            if block.name == "exercise-start":
                name = block.options.get("label", "")
                found[name] = Exercise(name, block.text, block.line, [], [])
                inside = found[name].blocks, found[name].cells
            elif block.name == "solution-start":
                # A solution without an exercise is kept, so that a rule can report it.
                one = found.setdefault(block.text, Exercise(block.text, "", block.line, [], []))
                one.solution_line = block.line
                inside = one.solution_blocks, one.solution_cells
            elif block.name in {"exercise-end", "solution-end"}:
                inside = None
            elif inside is not None:
                inside[0].append(block)
                inside[1].extend([by_line[block.line]] if block.name == "code-cell" else [])
        return list(found.values())

    def section(self, title: str) -> list[Block]:
        """Give the blocks below the second-level heading `title`."""
        blocks: list[Block] = []
        inside = False
        for block in self.blocks:
            if block.kind == "heading" and block.level <= 2:
                inside = block.level == 2 and block.text == title
            elif inside:
                blocks.append(block)
        return blocks


def is_chapter(name: str) -> bool:
    """Tell whether a page is a chapter: one in the folder of a part that teaches."""
    return "/" in name and not name.startswith(NO_CHAPTERS)


def slug_of(name: str) -> str:
    """Return a page's slug: its file name."""
    return name.rpartition("/")[2]


def read_toc(root: Path) -> list[str]:
    """Return the names of all pages in `_toc.yml`, in reading order, the landing page first."""
    return toc_names(_toc(root))


def _toc(root: Path) -> dict[str, Any]:
    return yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))


def _titles(toc: dict[str, Any]) -> dict[str, str]:
    """Return the titles that a table of contents gives, by the name of the page."""
    titles = {toc["file"]: toc["title"]} if {"file", "title"} <= toc.keys() else {}
    for key in ("parts", "chapters", "sections"):
        for entry in toc.get(key, []):
            titles |= _titles(entry)
    return titles


def toc_names(toc: dict[str, Any]) -> list[str]:
    """Return every page that a table of contents names, in order."""
    names = [toc[key].removesuffix(".md") for key in ("root", "file") if key in toc]
    for key in ("parts", "chapters", "sections"):
        for entry in toc.get(key, []):
            names.extend(toc_names(entry))
    return names


@dataclass
class Book:
    """A checkout that holds a book."""

    root: Path

    @property
    def source(self) -> Path:
        """The folder of the pages."""
        return self.root / "book"

    @property
    def html(self) -> Path:
        """The folder of the built pages."""
        return self.root / "_build" / "html"

    @cached_property
    def toc(self) -> list[str]:
        """The names of all pages."""
        return read_toc(self.root)

    @cached_property
    def pages(self) -> list[Page]:
        """The pages that exist; a page in a folder is a chapter."""
        kinds = [
            (Chapter if is_chapter(name) else Page)(self.path(name), name) for name in self.toc
        ]
        return [page for page in kinds if page.path.exists()]

    @cached_property
    def shelves(self) -> dict[str, list[Chapter]]:
        """The chapters under the caption of their part, in reading order."""
        by_name = {chapter.name: chapter for chapter in self.chapters}
        parts = _toc(self.root).get("parts", [])
        shelves = {p["caption"]: [by_name[n] for n in toc_names(p) if n in by_name] for p in parts}
        return {caption: chapters for caption, chapters in shelves.items() if chapters}

    @cached_property
    def short_titles(self) -> dict[str, str]:
        """What the sidebar calls each page."""
        given = _titles(_toc(self.root))
        return {page.name: given.get(page.name, page.blocks[0].text) for page in self.pages}

    def path(self, name: str) -> Path:
        """Where the source of a page lies."""
        return self.source / f"{name}.md"

    @property
    def chapters(self) -> list[Chapter]:
        """The pages that are notebooks."""
        return [page for page in self.pages if isinstance(page, Chapter)]

    @cached_property
    def glossary(self) -> list[tuple[list[str], int]]:
        """The entries of the glossary: the names of each, and its line."""
        entries: list[tuple[list[str], int]] = []
        page = Page(self.path("glossary"), "glossary")
        for block in page.walk():
            if block.name != "glossary":
                continue
            in_names = False
            for number, line in enumerate(block.content.splitlines(), 1):
                is_name = bool(line.strip()) and not line[0].isspace()
                if is_name and in_names:
                    entries[-1][0].append(line.strip())
                elif is_name:
                    entries.append(([line.strip()], block.line + len(block.options) + number))
                in_names = is_name
        return entries


BOOK = Book(Path(__file__).resolve().parents[1])


def main() -> None:
    """Print the length of every chapter."""
    print(f"{'chapter':34}{'minutes':>8}{'lines':>7}{'open cells':>11}")
    for one in BOOK.chapters:
        lines = len(one.path.read_text(encoding="utf-8").splitlines())
        print(f"{one.slug:34}{one.minutes:8.1f}{lines:7}{len(one.open_cells):11}")


if __name__ == "__main__":
    main()
