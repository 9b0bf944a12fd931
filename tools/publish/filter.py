"""Turn a chapter's MyST into Markdown that reads well in Colab.

The text is parsed by the parser that builds the book; every directive and role that a chapter may
use has one method here, and whatever has none is an error. The rest of the text is kept byte for
byte.
"""

from __future__ import annotations

import html
import posixpath
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar
from urllib.parse import urlsplit

from markdown_it.token import Token
from sphinx.util.nodes import split_explicit_title

from tools import taxonomy
from tools.chapters import slug_of
from tools.publish.built import BuiltBook, Target
from tools.publish.citations import Bibliography
from tools.publish.errors import SourceError
from tools.publish.markdown import (
    PARSER,
    Directive,
    directive_name,
    is_directive,
    read_directive,
)
from tools.publish.project import Project

BIBLIOGRAPHY = "\x00works cited\x00"  # stands in for the list until all citations are known

_LOOKS = frozenset({"class", "name"})
OPTIONS: dict[str, frozenset[str]] = {
    "admonition": _LOOKS,
    "note": _LOOKS,
    "tip": _LOOKS,
    "warning": _LOOKS,
    "important": _LOOKS,
    "dropdown": _LOOKS | {"open", "color", "icon", "animate"},
    "math": frozenset({"label", "class"}),
    "figure": _LOOKS | {"alt", "width", "height", "align", "figwidth", "scale", "figclass"},
    "list-table": _LOOKS | {"header-rows", "widths", "width", "align"},
    "table": _LOOKS | {"align"},
    "bibliography": frozenset({"filter", "style", "list", "labelprefix", "keyprefix"}),
}
TITLED = frozenset(
    {"admonition", "dropdown", "math", "figure", "list-table", "table", "bibliography"}
)

_CONTAINERS = (
    "paragraph",
    "heading",
    "bullet_list",
    "ordered_list",
    "list_item",
    "blockquote",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
)
_KEPT_BLOCKS = frozenset(f"{name}_{side}" for name in _CONTAINERS for side in ("open", "close")) | {
    "hr",
    "code_block",
    "fence",
    "inline",
}
_DROPPED_BLOCKS = frozenset({"myst_target", "myst_line_comment"})
_KEPT_INLINE = frozenset(
    {
        "text",
        "softbreak",
        "hardbreak",
        "code_inline",
        "em_open",
        "em_close",
        "strong_open",
        "strong_close",
        "s_open",
        "s_close",
        "link_open",
        "link_close",
        "image",
        "math_inline",
        "math_inline_double",
        "html_inline",
        "text_special",
        "myst_role",
    }
)
_FENCES = ("```{", "~~~{", ":::")
_EXTERNAL = frozenset({"http", "https", "mailto"})

T = TypeVar("T")


@dataclass(frozen=True)
class _Edit:
    start: int
    end: int
    new: str


class Filter:
    """The filter for one chapter.

    Parameters
    ----------
    project, book, bibliography
        Where addresses, numbers, values and citations come from.
    docname
        The chapter's page name.

    Attributes
    ----------
    cited : list of str
        The keys of the works cited so far.
    """

    def __init__(self, project: Project, book: BuiltBook, bibliography: Bibliography, docname: str):
        self.project = project
        self.book = book
        self.bibliography = bibliography
        self.docname = docname
        self.path = project.source(docname)
        self.cited: list[str] = []
        self._directives: dict[str, Callable[[Directive], str]] = {
            "admonition": self._admonition,
            "note": self._admonition,
            "tip": self._admonition,
            "warning": self._admonition,
            "important": self._admonition,
            "dropdown": self._dropdown,
            "math": self._math_directive,
            "figure": self._figure,
            "list-table": self._list_table,
            "table": self._table,
            "bibliography": lambda directive: BIBLIOGRAPHY,
        }
        self._roles: dict[str, Callable[[str, int], str]] = {
            "cite:t": lambda text, line: self.bibliography.textual(self._keys(text, line)),
            "cite:p": lambda text, line: self.bibliography.parenthetical(self._keys(text, line)),
            "term": self._term,
            "ref": self._ref,
            "doc": self._doc,
            "numref": self._numref,
            "eq": self._eq,
            "math": lambda text, line: f"${text}$",
            "glue:text": self._glue,
            "runtime": lambda text, line: (
                f"[the time on the status page]({self.project.page('status')})"
            ),
            "taxonomy": lambda text, line: self._taxonomy(),
        }

    def convert(self, text: str, line: int) -> str:
        """Return a piece of the chapter as plain Markdown.

        Parameters
        ----------
        text
            MyST Markdown.
        line
            The number of its first line in the chapter's file, for messages.

        Raises
        ------
        SourceError
            The text holds something that no method here translates, or a name that nothing has.
        """
        page = _Page(text, line)
        edits: list[_Edit] = []
        in_cell = False
        for token in PARSER.parse(text):
            if is_directive(token):
                edits.append(page.replace(token, self._directive(token, page)))
            elif token.type in ("math_block", "math_block_label"):
                edits.extend(self._math_block(token, page))
            elif token.type in _DROPPED_BLOCKS or _is_html_comment(token):
                edits.append(page.drop(token))
            elif token.type not in _KEPT_BLOCKS:
                raise self._error(page.line(token), f"{_named(token)} is not allowed in a chapter")
            elif token.type in ("th_open", "td_open"):
                in_cell = True
            elif token.type == "inline":
                edits.extend(self._inline(token, page, in_cell))
                in_cell = False
        return page.apply(edits).strip("\n")

    def convert_inline(self, text: str, line: int) -> str:
        """Return a title or a caption as plain Markdown on one line."""
        return " ".join(self.convert(text, line).split())

    # Blocks

    def _directive(self, token: Token, page: _Page) -> str:
        line = page.line(token)
        name, _ = directive_name(token)
        if name not in self._directives:
            raise self._error(line, f"the directive {name!r} is not allowed here")
        if token.level:
            raise self._error(line, f"the directive {name!r} must not stand in a list or quotation")
        if not page.is_closed(token):
            raise self._error(line, f"the directive {name!r} is never closed")
        directive, problems = read_directive(token, line, OPTIONS[name], titled=name in TITLED)
        if problems:
            raise self._error(line, f"the directive {name!r}: {problems[0]}")
        return self._directives[name](directive)

    def _admonition(self, directive: Directive) -> str:
        title = self.convert_inline(directive.argument, directive.line)
        title = title or directive.name.capitalize()
        title = title if title[-1] in ".?!:" else f"{title}."
        body = self.convert(directive.body, directive.body_line)
        first = PARSER.parse(body)[:1]
        joint = " " if first and first[0].type == "paragraph_open" else "\n\n"
        return "\n".join(f"> {line}".rstrip() for line in f"**{title}**{joint}{body}".split("\n"))

    def _dropdown(self, directive: Directive) -> str:
        title = self.convert_inline(directive.argument or "Details", directive.line)
        return folded(title, self.convert(directive.body, directive.body_line))

    def _math_directive(self, directive: Directive) -> str:
        formula = "\n\n".join(part for part in (directive.argument, directive.body) if part)
        return self._formula(formula, directive.options.get("label"), directive.line)

    def _math_block(self, token: Token, page: _Page) -> list[_Edit]:
        line, label = page.line(token), token.info if token.type == "math_block_label" else None
        split = needs_alignment(token.content)
        if token.level and split:
            raise self._error(line, "write \\begin{aligned} for several lines inside a list")
        if split:
            return [page.replace(token, self._formula(token.content.strip("\n"), label, line))]
        return [page.tag(token, self._number(label, line))] if label else []

    def _formula(self, formula: str, label: str | None, line: int) -> str:
        if needs_alignment(formula):
            formula = f"\\begin{{aligned}}\n{formula}\n\\end{{aligned}}"
        tag = f" \\tag{{{self._number(label, line)}}}" if label else ""
        return f"$$\n{formula}{tag}\n$$"

    def _number(self, label: str, line: int) -> str:
        return self._equation(label, line)[0]

    def _equation(self, label: str, line: int) -> tuple[str, str]:
        return self._found(self.book.equation(label), line, f"equation {label!r}")

    def _figure(self, directive: Directive) -> str:
        alt = directive.options.get("alt")
        if not alt:
            raise self._error(directive.line, "a figure needs :alt:")
        url = self._image(directive.argument, directive.line)
        caption = self.convert_inline(directive.body, directive.body_line)
        name = directive.options.get("name", "")
        return f"![{alt}]({url})\n\n{self.caption(name, caption, directive.line)}"

    def caption(self, name: str, text: str, line: int) -> str:
        """Return the caption line of a figure or table, with the number it has in the book."""
        number = self._found(self.book.numbered(name), line, f"figure or table {name!r}")
        # Emphasis inside emphasis would end it early.
        return f"*{number}.* {text}" if "*" in text else f"*{number}. {text}*"

    def _list_table(self, directive: Directive) -> str:
        headers = directive.options.get("header-rows", "0")
        if headers not in ("0", "1"):
            raise self._error(directive.line, "a list-table has at most one header row")
        rows = self._rows(self.convert(directive.body, directive.body_line), directive)
        if headers == "0":
            rows.insert(0, [""] * len(rows[0]))
        rows.insert(1, ["---"] * len(rows[0]))
        return self._below_its_caption(
            "\n".join(f"| {' | '.join(row)} |" for row in rows), directive
        )

    def _table(self, directive: Directive) -> str:
        return self._below_its_caption(self.convert(directive.body, directive.body_line), directive)

    def _below_its_caption(self, table: str, directive: Directive) -> str:
        if not directive.argument:
            return table
        title = self.convert_inline(directive.argument, directive.line)
        name = directive.options.get("name", "")
        return f"{self.caption(name, title, directive.line)}\n\n{table}"

    def _rows(self, body: str, directive: Directive) -> list[list[str]]:
        rows: list[list[str]] = []
        depth = 0
        for token in PARSER.parse(body):
            if token.type.endswith("list_item_open"):
                depth += 1
                if depth == 1:
                    rows.append([])
                elif depth == 2:
                    rows[-1].append("")
            elif token.type == "list_item_close":
                depth -= 1
            elif token.type == "inline" and depth == 2:
                cell = " ".join(token.content.split()).replace("|", "\\|")
                rows[-1][-1] += ("<br>" if rows[-1][-1] else "") + cell
            elif not token.type.startswith(("bullet_list", "paragraph")):
                raise self._error(directive.line, "a list-table's cells hold plain paragraphs only")
        if not rows or len({len(row) for row in rows}) != 1:
            raise self._error(directive.line, "a list-table needs rows of equal length")
        return rows

    # Inside a paragraph

    def _inline(self, token: Token, page: _Page, in_cell: bool) -> list[_Edit]:
        place = page.place(token, in_cell)
        edits = []
        children = token.children or []
        for child, following in pairwise([*children, None]):
            line = page.line(token)
            if child.type not in _KEPT_INLINE:
                raise self._error(line, f"{_named(child)} is not allowed in a chapter")
            if child.type == "text" and any(fence in child.content for fence in _FENCES):
                raise self._error(
                    line,
                    "this fence is not read as one; with a role in its title, write ::: fences",
                )
            new = self._replacement(child, line)
            if new is None:
                continue
            if child.type == "link_open" and following.type == "link_close":
                raise self._error(line, "a link within the book needs a text")
            start, end = child.meta["span"]
            if place is None:
                raise self._error(line, "cannot tell where this text stands; write it more simply")
            edits.append(_Edit(place(start), place(end - 1) + 1, new))
        return edits

    def _replacement(self, token: Token, line: int) -> str | None:
        if token.type == "myst_role":
            name = token.meta["name"]
            if name not in self._roles:
                raise self._error(line, f"the role {name!r} is not allowed here")
            return self._roles[name](token.content, line)
        if token.type == "link_open" and token.markup not in ("autolink", "linkify"):
            return self._link(str(token.attrGet("href")), line)
        if token.type == "image":
            if any(child.type == "myst_role" for child in token.children or []):
                raise self._error(line, "a role is not allowed in alt text")
            return f"({self._image(str(token.attrGet('src')), line)})"
        return None

    def _link(self, href: str, line: int) -> str | None:
        if _is_external(href):
            return None
        path, _, label = href.partition("#")
        if path.endswith(".md"):
            target = self._page_target(path.removesuffix(".md"), line)
            return f"({target.url}{'#' + label if label else ''})"
        return f"({self._label(label or path, line).url})"

    def _image(self, source: str, line: int) -> str:
        if _is_external(source):
            raise self._error(line, "an image must lie in the book, so that the page works offline")
        base = self.project.book if source.startswith("/") else self.path.parent
        url = self.book.image((base / source.lstrip("/")).resolve())
        return self._found(url, line, f"image {source!r}")

    # Roles

    def _keys(self, text: str, line: int) -> list[str]:
        keys = [key.strip() for key in text.split(",")]
        for key in keys:
            if key not in self.bibliography:
                raise self._error(line, f"no work has the key {key!r}")
        self.cited.extend(keys)
        return keys

    def _term(self, text: str, line: int) -> str:
        _, title, name = split_explicit_title(text)
        term = self.book.find("std:term", name) or self.book.find("std:term", name.lower())
        return f"[{title}]({self._found(term, line, f'glossary entry {name!r}').url})"

    def _ref(self, text: str, line: int) -> str:
        explicit, title, label = split_explicit_title(text)
        target = self._label(label, line)
        return f"[{title if explicit else target.title}]({target.url})"

    def _doc(self, text: str, line: int) -> str:
        explicit, title, name = split_explicit_title(text)
        target = self._page_target(name, line)
        return f"[{title if explicit else target.title}]({target.url})"

    def _numref(self, text: str, line: int) -> str:
        explicit, title, label = split_explicit_title(text)
        target = self._label(label, line)
        number = self._found(self.book.numbered(label), line, f"figure or table {label!r}")
        if explicit:
            bare = number.split()[-1]
            number = title.replace("%s", bare).replace("{number}", bare)
            number = number.replace("{name}", target.title)
        return f"[{number}]({target.url})"

    def _eq(self, text: str, line: int) -> str:
        number, url = self._equation(text, line)
        return f"[({number})]({url})"

    def _glue(self, text: str, line: int) -> str:
        key, _, spec = text.rpartition(":") if ":" in text else (text, "", "s")
        page, _, name = key.rpartition("::")
        docname = self._docname(page) if page else self.docname
        try:
            value = self.book.glued(docname, name, spec)
        except ValueError as error:
            raise self._error(line, f"the glued value {name!r}: {error}") from error
        return self._found(value, line, f"glued value {name!r}")

    def _taxonomy(self) -> str:
        place = taxonomy.read(self.project.root)[slug_of(self.docname)]
        return f"{place.sentence} [All chapters]({self.project.page('map')})"

    def _label(self, label: str, line: int) -> Target:
        name = " ".join(label.lower().split())
        target = self._found(self.book.find("std:label", name), line, f"label {label!r}")
        if target.title in ("Exercise", "Solution to"):  # sphinx-exercise gives them no title
            number = name.rpartition("-")[2]
            title = "Exercise" if target.title == "Exercise" else "Solution of exercise"
            return Target(target.url, f"{title} {number}")
        return target

    def _page_target(self, name: str, line: int) -> Target:
        docname = self._docname(name)
        return self._found(self.book.find("std:doc", docname), line, f"page {docname!r}")

    def _docname(self, name: str) -> str:
        if name.startswith("/"):
            return name[1:]
        return posixpath.normpath(posixpath.join(posixpath.dirname(self.docname), name))

    def _found(self, value: T | None, line: int, what: str) -> T:
        if value is None:
            raise self._error(line, f"the built book has no {what}; is it older than the chapter?")
        return value

    def _error(self, line: int, message: str) -> SourceError:
        return SourceError(self.project.shown(self.path), line, message)


class _Page:
    """A text with its lines, in which tokens are found again and replaced."""

    def __init__(self, text: str, first_line: int):
        self.text = text
        self.first_line = first_line
        self.lines = text.split("\n")
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line) + 1)
        self._searched: dict[int, int] = {}

    def line(self, token: Token) -> int:
        return self.first_line + (token.map[0] if token.map else 0)

    def is_closed(self, token: Token) -> bool:
        last = self.lines[token.map[1] - 1].strip()
        return token.map[1] - token.map[0] > 1 and last.startswith(token.markup)

    def replace(self, token: Token, new: str) -> _Edit:
        start, end = self.starts[token.map[0]], self.starts[token.map[1]] - 1
        return _Edit(start, min(end, len(self.text)), new)

    def drop(self, token: Token) -> _Edit:
        """Drop a block and the blank lines after it."""
        last = token.map[1]
        while last < len(self.lines) and not self.lines[last].strip():
            last += 1
        return _Edit(self.starts[token.map[0]], min(self.starts[last], len(self.text)), "")

    def tag(self, token: Token, number: str) -> _Edit:
        """Put the number where the label of a formula is."""
        first, last = self.starts[token.map[0]], self.starts[token.map[1]] - 1
        start = self.text.rindex("$$", first, last)
        return _Edit(start, min(last, len(self.text)), f"\\tag{{{number}}}$$")

    def place(self, token: Token, in_cell: bool) -> Callable[[int], int] | None:
        """Return a function from places in a token's content to places in the text.

        Each line of the content is a part of a line of the text: all but the marks of the list,
        quotation, heading or table around it.
        """
        offsets, starts = [], [0]
        for index, piece in enumerate(token.content.split("\n"), start=token.map[0]):
            line, bare = self.lines[index].rstrip(), piece.rstrip()
            if not in_cell and line.endswith(bare):
                column = len(line) - len(bare)
            else:
                column = line.find(bare, self._searched.get(index, 0))
            if column < 0:
                return None
            self._searched[index] = column + len(bare)
            offsets.append(self.starts[index] + column)
            starts.append(starts[-1] + len(piece) + 1)

        def to_text(position: int) -> int:
            row = bisect_right(starts, position) - 1
            return offsets[row] + position - starts[row]

        return to_text

    def apply(self, edits: list[_Edit]) -> str:
        text = self.text
        for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
            text = text[: edit.start] + edit.new + text[edit.end :]
        return text


def folded(title: str, body: str) -> str:
    """Return a body that opens on a click. A summary is HTML, so its Markdown is rendered here."""
    summary = "".join(_as_html(token) for token in PARSER.parseInline(title)[0].children or [])
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>"


def needs_alignment(formula: str) -> bool:
    """Tell whether a formula has several lines that only the book would set in a split block."""
    return "\\\\" in formula and "\\begin" not in formula


def _as_html(token: Token) -> str:
    if token.type == "math_inline":
        return f"${html.escape(token.content, quote=False)}$"
    return PARSER.renderer.renderInline([token], PARSER.options, {})


def _is_html_comment(token: Token) -> bool:
    return token.type == "html_block" and token.content.lstrip().startswith("<!--")


def _is_external(address: str) -> bool:
    return urlsplit(address).scheme in _EXTERNAL


def _named(token: Token) -> str:
    return f"the Markdown element {token.type.removesuffix('_open')!r}"
