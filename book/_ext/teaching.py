"""The directive `teaching`, which makes the pages below `book/teaching/` from data and chapters.

It writes the ``outcomes``, their ``map`` to objectives and exercises, the link to the same as
``csv``, the ``graph`` of what chapters need and its ``needs`` as a table, a ``syllabus`` by its
name, and the exam's ``questions``. The build writes the CSV beside the pages.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contents import depend, fresh, table
from docutils import nodes
from docutils.statemachine import StringList
from needs_graph import Edge, draw, in_words
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from tools import teaching
from tools.chapters import Book
from tools.teaching import Load, Session, Task

CSV = f"_static/{teaching.FOLDER}/{teaching.CSV_NAME}"
Lines = Iterator[str]


class Teaching(SphinxDirective):
    """One list, table or drawing of the teaching kit."""

    required_arguments = 1
    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Write it."""
        book = fresh()
        depend(self.env, book)
        for path in (book.source / teaching.FOLDER).glob("*.yml"):
            self.env.note_dependency(str(path))
        what, *which = self.arguments
        return list(PARTS[what](self, book, *which))

    def read(self, lines: Iterator[str]) -> list[nodes.Node]:
        """Return MyST as nodes."""
        box = nodes.container(classes=["listed"])
        self.state.nested_parse(StringList(list(lines), "teaching"), 0, box)
        return [box]

    def section(self, title: str, name: str, lines: Iterator[str]) -> nodes.section:
        """Return a section with a name that links may use."""
        section = nodes.section("", nodes.title(text=title), ids=[name], names=[name])
        section.extend(self.read(lines))
        return section


# --- outcomes ---------------------------------------------------------------------------------


def outcomes(directive: Teaching, book: Book) -> Iterator[nodes.Node]:
    """Give the outcomes with what leads to them."""
    rows = [("outcome", "objectives", "exercises", "minutes", "points")]
    for number, outcome in enumerate(teaching.read_outcomes(book.root), 1):
        of = list(teaching.served(book, outcome))
        found = {task.identifier: task for one in of for task in one.tasks}.values()
        minutes, points = _sums(found)
        counts = (len(of), len(found), minutes, points)
        rows.append((f"**{number}.** {outcome.text}", *map(str, counts)))
    yield from directive.read(table(rows))


def outcome_map(directive: Teaching, book: Book) -> Iterator[nodes.Node]:
    """Give a section for each outcome: its chapters' objectives, and their exercises."""
    for number, outcome in enumerate(teaching.read_outcomes(book.root), 1):
        rows, before = [("objective", "exercises")], ""
        for one in teaching.served(book, outcome):
            name, text = one.chapter.name, one.text[:1].upper() + one.text[1:]
            chapter = f"{{doc}}`{book.short_titles[name]} </{name}>`"
            objective = f"**{one.number}** {text}"
            exercises = [f"{_link(task)} ({_facts(task)})" for task in one.tasks]
            above = [chapter] if name != before else []
            rows.append((_stacked([*above, objective]), _stacked(exercises)))
            before = name
        title = f"{number}. {outcome.name.replace('-', ' ').capitalize()}"
        lines = iter([outcome.text, "", *table(rows)])
        yield directive.section(title, f"outcome-{outcome.name}", lines)


def csv_link(directive: Teaching, book: Book) -> Iterator[nodes.Node]:
    """Give a link to the file that the build writes."""
    up = "../" * directive.env.docname.count("/")
    text = nodes.Text("The same map as a CSV file, a line an exercise")
    yield nodes.paragraph("", "", nodes.reference("", "", text, refuri=f"{up}{CSV}"))


def write_csv(app: Sphinx, error: Exception | None) -> None:
    """Write the map as a file beside the pages."""
    if error is None and app.builder.format == "html" and "teaching/outcomes" in app.env.found_docs:
        path = Path(app.outdir) / CSV
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(teaching.outcomes_csv(fresh()), encoding="utf-8")


def _stacked(paragraphs: list[str]) -> str:
    """Return the paragraphs of one cell of a list-table."""
    return "\n\n    ".join(paragraphs)


def _link(task: Task) -> str:
    return f"{{ref}}`{task.title} <{task.identifier}>`"


def _facts(task: Task) -> str:
    points = f"{task.points} point{'s' * (task.points != 1)}"
    return f"{task.kind}, {task.minutes} minutes, {points}"


def _sums(found: Any) -> tuple[int, int]:
    return sum(one.minutes for one in found), sum(one.points for one in found)


# --- what chapters need -----------------------------------------------------------------------


def graph(directive: Teaching, book: Book) -> Iterator[nodes.Node]:
    """Give a drawing of all parts, and one of each part."""
    titles, part_of = book.short_titles, _parts(book)
    between: dict[tuple[str, str], bool] = {}
    drawings = []
    for part, chapters in book.shelves.items():
        edges, left = [], set()
        for chapter in chapters:
            for need in teaching.needs(chapter):
                edges.append((titles[need.page], titles[chapter.name], need.is_needed))
                other = part_of[need.page]
                if other != part:
                    left.add(need.page)
                    between[other, part] = between.get((other, part), False) or need.is_needed
        outside = [titles[name] for name in book.toc if name in left]
        own = [titles[chapter.name] for chapter in chapters]
        drawings.append(_figure(part, outside, own, edges))
    whole = [(needed, needing, is_needed) for (needed, needing), is_needed in between.items()]
    drawings.insert(0, _figure("The parts", [], list(book.shelves), whole))
    yield nodes.raw("", f'<div class="needs-graphs">{"".join(drawings)}</div>', format="html")


def _figure(title: str, left: list[str], right: list[str], edges: list[Edge]) -> str:
    drawing = draw(left, right, edges, in_words(title, edges))
    return f"<figure><figcaption>{title}</figcaption>{drawing}</figure>"


def _parts(book: Book) -> dict[str, str]:
    return {one.name: part for part, chapters in book.shelves.items() for one in chapters}


def needs(directive: Teaching, book: Book) -> Iterator[nodes.Node]:
    """Give what the drawings show as a table."""

    def links(names: list[str]) -> str:
        found = (f"{{doc}}`{book.short_titles[name]} </{name}>`" for name in names)
        return ", ".join(found) or "none"

    rows = [("chapter", "needs", "besides")]
    for chapter in book.chapters:
        found = teaching.needs(chapter)
        needed = links([one.page for one in found if one.is_needed])
        helped = [one.page for one in found if not one.is_needed]
        needed += f"; {links(helped)} helps" if helped else ""
        rows.append((links([chapter.name]), needed, teaching.besides(chapter) or "none"))
    yield from directive.read(table(rows))


# --- syllabi ----------------------------------------------------------------------------------

HEADS = ("session", "reading", "in class", "homework", "project", "hours", "points")


def syllabus(directive: Teaching, book: Book, name: str) -> Iterator[nodes.Node]:
    """Give one course: a table of its sums, and a section for each session."""
    course, known = teaching.read_syllabi(book.root)[name], teaching.tasks(book)
    loads = [teaching.load(book, session, known) for session in course.sessions]
    total = sum(loads, Load())
    rows = [HEADS]
    for number, (session, one) in enumerate(zip(course.sessions, loads, strict=True), 1):
        rows.append((f"**{number}** {session.title}", *_numbers(one)))
    rows.append(("**all**", *(f"**{number}**" for number in _numbers(total))))
    if not total.project:
        rows = [row[:4] + row[5:] for row in rows]
    yield from directive.read(table(rows))
    for number, session in enumerate(course.sessions, 1):
        title = f"{number}. {session.title}"
        lines = _session(book, session, known)
        yield directive.section(title, f"{name}-{number}", lines)


def _numbers(one: Load) -> tuple[str, ...]:
    minutes = (one.reading, one.in_class, one.homework, one.project)
    return (*map(str, minutes), f"{one.minutes / 60:.1f}", str(one.points))


def _session(book: Book, session: Session, known: dict[str, Task]) -> Lines:
    yield from (f"*{session.question}*", "")
    one = teaching.load(book, session, known)
    by_slug = {chapter.slug: chapter.name for chapter in book.chapters}
    pages = [by_slug[slug] for slug in session.chapters]
    chapters = ", ".join(f"{{doc}}`{book.short_titles[page]} </{page}>`" for page in pages)
    yield f"- **Read** ({one.reading} minutes): {chapters}"
    kinds = (
        ("By hand, in class", session.by_hand),
        ("Discuss, in class", session.discuss),
        ("Homework", session.homework),
    )
    for what, ids in kinds:
        found = [known[one] for one in ids]
        if found:
            minutes, points = _sums(found)
            listed = ", ".join(f"{_link(task)} (`{task.identifier}`)" for task in found)
            yield f"- **{what}** ({minutes} minutes, {points} points): {listed}"
    if session.project:
        yield f"- **Project** ({session.project} minutes)"


# --- exam questions ---------------------------------------------------------------------------


def questions(directive: Teaching, book: Book) -> Iterator[nodes.Node]:
    """Give a section for each part, with its questions and their folded answers."""
    by_slug = {chapter.slug: chapter for chapter in book.chapters}
    by_part: dict[str, list[teaching.Question]] = {}
    for one in teaching.read_questions(book.root):
        by_part.setdefault(one.part, []).append(one)
    for number, (part, found) in enumerate(by_part.items(), 1):
        lines: list[str] = []
        for question in found:
            slug, objective = question.objective
            page = by_slug[slug].name
            facts = f"{question.minutes} minutes · {question.points} points · objective {objective}"
            lines += [
                f"**{question.kind.capitalize()}** · {facts} of {{doc}}`/{page}`", "",
                question.text, "", "```{dropdown} Answer", question.answer, "```", "",
            ]  # fmt: skip
        yield directive.section(part, f"questions-{number}", iter(lines))


PARTS = {
    "outcomes": outcomes,
    "map": outcome_map,
    "csv": csv_link,
    "graph": graph,
    "needs": needs,
    "syllabus": syllabus,
    "questions": questions,
}


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive and the writing of the file."""
    app.add_directive("teaching", Teaching)
    app.connect("build-finished", write_csv)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
