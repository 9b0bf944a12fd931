"""What the landing page and the lists say of the chapters, read from the chapters at build time.

The role `count` writes a number, such as ``{count}`chapters` ``. The directive
`contents-of-chapters` writes all ``shelves`` with their chapters, all ``exercises``, all
``figures``, or the chapters' ``data``. The directive `subject` writes what the pages, by their last
run, answer about one of the three subjects.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective, SphinxRole
from sphinx.util.logging import getLogger

from tools import answers
from tools.chapters import BOOK, META, Book, Chapter, slug_of

LOGGER = getLogger(__name__)
PROMISE = "After this chapter you can "  # how every promise begins
IDEAS = "_static/ideas"  # one picture a chapter, by its slug
SENTENCE_END = re.compile(r"(?<=[.!?])\s")


@lru_cache(maxsize=1)  # to read all chapters takes seconds
def _book(written: tuple[int, ...]) -> Book:
    return Book(BOOK.root)


def fresh() -> Book:
    """Return the book as it is now: Sphinx may outlive a change of a page."""
    paths = [BOOK.root / "_toc.yml", *BOOK.source.glob("*/*.md")]
    return _book(tuple(path.stat().st_mtime_ns for path in sorted(paths)))


COUNTS = {
    "chapters": lambda book: len(book.chapters),
    "hours": lambda book: round(sum(chapter.minutes for chapter in book.chapters) / 60),
    "exercises": lambda book: sum(len(chapter.exercises) for chapter in book.chapters),
    "figures": lambda book: sum(len(chapter.figures) for chapter in book.chapters),
    "first-minutes": lambda book: round(book.chapters[0].minutes),
}


class CountRole(SphinxRole):
    """A number that is counted."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the number."""
        book = fresh()
        depend(self.env, book)
        return [nodes.inline(text=f"{COUNTS[self.text](book):,}")], []


def depend(env, book: Book) -> None:
    """Have the page read again when a chapter changes."""
    for chapter in book.chapters:
        env.note_dependency(str(chapter.path))
    env.note_dependency(str(book.root / "_toc.yml"))


def link(name: str, text: str) -> nodes.Node:
    """Return a link to a page."""
    target = {"refdomain": "std", "reftype": "doc", "reftarget": f"/{name}"}
    return addnodes.pending_xref(
        "", nodes.inline(text=text), refexplicit=True, refwarn=True, **target
    )


def _heading(text: str, level: int) -> nodes.Node:
    """Return a heading where no section may begin."""
    return nodes.rubric(text=text, **{"heading-level": level})


# --- the chapters on their shelves ------------------------------------------------------------


def _promise(chapter: Chapter) -> str:
    rest = chapter.promise.removeprefix(PROMISE)
    return rest[:1].upper() + rest[1:]


def _picture(book: Book, chapter: Chapter) -> list[nodes.Node]:
    """Return the chapter's idea picture, with the words that the chapter has for it."""
    path = f"{IDEAS}/{chapter.slug}.svg"
    if not (book.source / path).exists():
        return []
    figures = (block for block in chapter.walk() if block.name == "figure")
    alts = [f.options.get("alt", "") for f in figures if f.text.endswith(path)]
    alt = alts[0] if alts else f"The idea of the chapter: {chapter.blocks[0].text}."
    return [nodes.image(uri=f"/{path}", alt=alt)]


def _card(book: Book, number: int, chapter: Chapter) -> nodes.Node:
    title = nodes.paragraph("", "", classes=["shelf-title"])
    title += link(chapter.name, f"{number} {book.short_titles[chapter.name]}")
    promise = nodes.paragraph(text=_promise(chapter), classes=["shelf-promise"])
    return nodes.container("", *_picture(book, chapter), title, promise, classes=["shelf-card"])


def shelves(directive: Contents, book: Book) -> Iterator[nodes.Node]:
    """Give a section with cards for every shelf."""
    numbers = {chapter.name: k for k, chapter in enumerate(book.chapters, 1)}
    for caption, chapters in book.shelves.items():
        section = nodes.section(
            "", nodes.title(text=caption), names=[nodes.fully_normalize_name(caption)]
        )
        directive.state.document.note_implicit_target(section, section)
        cards = [_card(book, numbers[chapter.name], chapter) for chapter in chapters]
        section += nodes.container("", *cards, classes=["shelf"])
        yield section


# --- lists ------------------------------------------------------------------------------------


def exercises(book: Book) -> Iterator[str]:
    """Give a table of all exercises as lines of MyST."""
    rows = [("chapter", "exercise", "kind", "difficulty", "minutes")]
    for chapter in book.chapters:
        first = f"{{doc}}`{book.short_titles[chapter.name]} </{chapter.name}>`"
        for exercise in chapter.exercises:
            meta = META.fullmatch(exercise.blocks[0].text)
            title = f"{{ref}}`{exercise.title} <{exercise.identifier}>`"
            rows.append((first, title, meta["kind"], meta["difficulty"], meta["minutes"]))
            first = ""
    yield from table(rows)


def data(book: Book) -> Iterator[str]:
    """Give a table of what the chapters say of their data."""
    rows = [("chapter", "data")]
    for chapter in book.chapters:
        name = f"{{doc}}`{book.short_titles[chapter.name]} </{chapter.name}>`"
        text = chapter.glance[1].get("Data", "")
        for role in chapter.roles:  # the works are cited in the chapter
            text = text.replace(f" {role.content}", "") if role.name.startswith("cite") else text
        rows.append((name, " ".join(text.split())))
    yield from table(rows)


def figures(book: Book) -> Iterator[str]:
    """Give all figures with the first sentence of their captions."""
    for chapter in book.chapters:
        for name, caption in chapter.figures:
            yield f"- {{numref}}`{name}`: {SENTENCE_END.split(' '.join(caption.split()))[0]}"


def table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    """Give a table as lines of MyST; the first row is its head."""
    yield from ("```{list-table}", ":header-rows: 1", "")
    for row in rows:
        yield from (f"{'* -' if k == 0 else '  -'} {cell}" for k, cell in enumerate(row))
    yield "```"


LISTS = {"exercises": exercises, "figures": figures, "data": data}


class Contents(SphinxDirective):
    """The chapters on their shelves, or one of the lists."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Write it."""
        book, what = fresh(), self.arguments[0]
        depend(self.env, book)
        if what == "shelves":
            return list(shelves(self, book))
        box = nodes.container(classes=["listed"])
        self.state.nested_parse(StringList(list(LISTS[what](book)), what), 0, box)
        return [box]


# --- the three subjects -----------------------------------------------------------------------


class Subject(SphinxDirective):
    """One subject: the question, the answers of the named pages, and below them all others."""

    required_arguments = 1
    has_content = True
    option_spec = {"pages": directives.unchanged_required}  # noqa: RUF012 (docutils wants a dict)

    def run(self) -> list[nodes.Node]:
        """Write the card."""
        book, subject = fresh(), self.arguments[0]
        self.env.note_dependency(str(book.root / "_toc.yml"))
        said = answers.read(book.root)
        for slug in said:
            self.env.note_dependency(str(answers.folder_of(book.root) / f"{slug}.json"))
        found = {
            slug_of(name): self._answer(name, book.short_titles[name], text)
            for name in book.toc
            for text in said.get(slug_of(name), {}).get(subject, [])[:1]
        }
        chosen = [slug.strip() for slug in self.options["pages"].split(",")]
        for slug in set(chosen) - found.keys():
            LOGGER.warning(
                "no answer about the %s on %s", subject, slug, location=self.get_location()
            )
        card = nodes.container("", _heading(f"The {subject}", 3), classes=["subject"])
        self.state.nested_parse(self.content, self.content_offset, card)
        card += nodes.bullet_list("", *(found.pop(slug) for slug in chosen if slug in found))
        if found:
            summary = f"<summary>What {len(found)} other chapters answer</summary>"
            card += nodes.raw("", f"<details>{summary}", format="html")
            card += nodes.bullet_list("", *found.values())
            card += nodes.raw("", "</details>", format="html")
        return [card]

    @staticmethod
    def _answer(name: str, title: str, text: str) -> nodes.list_item:
        return nodes.list_item(
            "", nodes.paragraph("", "", link(name, title), nodes.Text(f": {text}"))
        )


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the role and both directives."""
    app.add_role("count", CountRole())
    app.add_directive("contents-of-chapters", Contents)
    app.add_directive("subject", Subject)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
