"""The rules of CONTRIBUTING.md, "How a chapter is written", one function each.

A rule takes the book and a chapter, or the book alone, and gives a list of problems: where, what is
wrong, and what is accepted. An empty list means that the rule is kept.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from importlib.metadata import packages_distributions
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pybtex.database import parse_file

from tools import answers, taxonomy, teaching
from tools.chapters import GATES, IN_EXERCISES, KINDS, META, Book, Cell, Chapter, Exercise, Page
from tools.names import missing_names, needs
from tools.publish.filter import OPTIONS

# What the publishing filter can translate, and what it takes apart itself.
ALLOWED_DIRECTIVES = frozenset(OPTIONS) | {*GATES, "code-cell"}
FRONT_MATTER_DIRECTIVES = frozenset(
    [
        "api", "glossary", "nb-exec-table", "tableofcontents", "grid", "grid-item",
        "grid-item-card", "button-ref", "colab-button", "contents-of-chapters", "explorable",
        "errata", "finder", "subject", "taxonomy-table", "teaching",
    ]
)  # fmt: skip
ALLOWED_ROLES = frozenset(
    [
        "cite:t", "cite:p", "term", "ref", "doc", "numref", "eq", "math", "glue:text", "runtime",
        "taxonomy", "count",
    ]
)  # fmt: skip

GLANCE = ["Objectives", "Prerequisites", "Time", "GPU", "Data"]
# The sections with fixed titles, in order. Four or more with free titles stand before them.
SECTIONS = [
    "What it is good for", "When it misleads", "Where it stands", "Exercises", "Summary",
    "Read next", "Works cited",
]  # fmt: skip
OPEN_PARTS = ["Model answer.", "A weak answer.", "Marking guide."]
SLUG = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
VAGUE = {"understand", "know", "learn", "appreciate", "the", "a", "an", "how", "what", "why", "to"}
TERMS = re.compile(r"licen[cs]e|CC|MIT|BSD|Apache|public domain|terms|generate", re.IGNORECASE)
# Axes methods that draw; `subplots` opens an empty picture, which is still one.
DRAWS = {
    "subplots", "figure", "plot", "scatter", "bar", "barh", "hist", "imshow", "pcolormesh",
    "contour", "contourf", "fill_between", "boxplot", "violinplot", "matshow", "errorbar",
}  # fmt: skip
WRITES = (".text", ".annotate", ".set_title", ".set_xlabel", ".set_ylabel")
# Colours with a contrast below 4.5 to white.
PALE = {"OURS", "CLASS_1", "PAPER", "CASE", "CONTROL", "C1", "C2", "C3", "C4", "C5"}
INSTALLER = re.compile(r"\b(pip3?|conda|mamba|apt|apt-get)\b.{0,12}\binstall\b")

MAX_CELL_LINES = 15
MAX_LINES = 900
MAX_OPEN_CELLS = 15
MAX_OPEN_IN_A_ROW = 2
MAX_MINUTES = 30
MIN_EXERCISES = 4
MIN_KINDS = 3
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
SUMMARY_LINES = 5
MIN_CAPTION, MIN_ALT = 20, 20  # characters: shorter ones only name the picture
MIN_TABLE_CAPTION = 20
MIN_LETTERS = 17  # of 640: 9 pixels on a telephone
MAX_IDEA = 6_000  # bytes
MIN_PAGE_WORDS = 20
MAX_SIDEBAR = 34  # letters that fit one line
MIN_DESCRIPTION = 40
MAX_PAGE_BYTES = 1_000_000
MAX_TRACKED_BYTES = 5_000_000

ChapterRule = Callable[[Book, Chapter], list[str]]
BookRule = Callable[[Book], list[str]]


# --- the page ---------------------------------------------------------------------------------


def head(book: Book, chapter: Chapter) -> list[str]:
    """A Jupytext header for MyST and the kernel `python3`."""
    metadata = chapter.header
    text = metadata.get("jupytext", {}).get("text_representation", {})
    kernel = metadata.get("kernelspec", {})
    wanted = [
        ("jupytext.text_representation.extension", text.get("extension"), ".md"),
        ("jupytext.text_representation.format_name", text.get("format_name"), "myst"),
        ("kernelspec.name", kernel.get("name"), "python3"),
        ("kernelspec.display_name", kernel.get("display_name"), "Python 3"),
    ]
    return [
        f"{chapter.at(1)}: {key} is {given!r}; {right!r} is accepted"
        for key, given, right in wanted
        if given != right
    ]


def promise(book: Book, chapter: Chapter) -> list[str]:
    """The title, and below it exactly one sentence."""
    if not chapter.blocks or (chapter.blocks[0].kind, chapter.blocks[0].level) != ("heading", 1):
        return [f"{chapter.at(1)}: the page must begin with its title, `# Title`"]
    titles = [b for b in chapter.blocks if b.kind == "heading" and b.level == 1]
    second = chapter.blocks[1] if len(chapter.blocks) > 1 else chapter.blocks[0]
    sentences = re.findall(r"[.!?](?=\s|$)", second.text)
    problems = [f"{chapter.at(b.line)}: a second title; one is accepted" for b in titles[1:]]
    if second.kind != "paragraph" or len(sentences) != 1 or not second.text.endswith("."):
        problems.append(
            f"{chapter.at(second.line)}: one sentence, ending in a full stop, must follow the "
            f"title and promise what the reader will be able to do; found {second.text[:60]!r}"
        )
    return problems


def idea(book: Book, chapter: Chapter) -> list[str]:
    """On the first screen a picture of the chapter's question, below its promise."""
    name, source = f"fig-{chapter.slug}-idea", f"_static/ideas/{chapter.slug}.svg"
    third = chapter.blocks[2] if len(chapter.blocks) > 2 else chapter.blocks[-1]
    where = chapter.at(third.line)
    if third.name != "figure" or third.options.get("name") != name:
        return [f"{where}: below the promise must stand the figure {name!r} of /{source}"]
    if third.text != f"/{source}":
        return [f"{where}: the picture {third.text!r}; accepted: '/{source}'"]
    path = book.source / source
    if not path.is_file():
        return [f"{where}: there is no book/{source}"]
    drawing = path.read_text(encoding="utf-8")
    sizes = [float(size) for size in re.findall(r'font-size(?:="|:\s*)([\d.]+)', drawing)]
    problems = [] if 'viewBox="0 0 640 220"' in drawing else ["a viewBox other than 0 0 640 220"]
    problems += [f"letters of {size:g}" for size in sizes if size < MIN_LETTERS]
    foreign = ("<script", "xlink", "@import", "url(http")
    problems += [f"{word!r} in it" for word in foreign if word in drawing]
    if path.stat().st_size > MAX_IDEA:
        problems.append(f"{path.stat().st_size} bytes, at most {MAX_IDEA} are accepted")
    return [f"book/{source}: {problem}" for problem in problems]


def at_a_glance(book: Book, chapter: Chapter) -> list[str]:
    """The box with its five entries, in order."""
    line, entries, objectives = chapter.glance
    where = chapter.at(line or 1)
    if not line:
        return [f"{where}: an `admonition` of class `at-a-glance` is missing"]
    if list(entries) != GLANCE:
        return [f"{where}: entries {list(entries)}; accepted: {GLANCE}, in this order"]
    problems = [] if objectives else [f"{where}: Objectives must be a numbered list"]
    for objective in objectives:
        first = objective.split()[0].lower()
        if first in VAGUE or first.endswith("ing"):
            problems.append(
                f"{where}: objective {objective!r} must begin with a verb that can be checked, "
                "such as Compute, Explain or Compare"
            )
    rest = {
        "Time": (r"minutes.*minutes.*\{runtime\}|minutes.*\{runtime\}.*minutes",
                 "minutes to read, minutes for the exercises and the role {runtime}"),
        "GPU": (r"not needed|no\b|needed|optional", "whether a GPU is needed"),
        "Data": (TERMS.pattern, "the terms of each data set, such as its licence"),
        "Prerequisites": (r"\w+", "what the reader must know"),
    }  # fmt: skip
    for entry, (pattern, wanted) in rest.items():
        if not re.search(pattern, entries[entry], re.IGNORECASE | re.DOTALL):
            problems.append(f"{where}: {entry} must say {wanted}; found {entries[entry]!r}")
    return problems


def length(book: Book, chapter: Chapter) -> list[str]:
    """One sitting holds a chapter."""
    lines = len(chapter.path.read_text(encoding="utf-8").splitlines())
    found = [
        (lines, "lines", MAX_LINES),
        (len(chapter.open_cells), "open code cells", MAX_OPEN_CELLS),
        (round(chapter.minutes), "minutes to read", MAX_MINUTES),
    ]
    return [
        f"{chapter.at(1)}: {n} {what}; at most {most} are accepted"
        for n, what, most in found
        if n > most
    ]


def reading_time(book: Book, chapter: Chapter) -> list[str]:
    """The box says how long it takes to read the page, as computed."""
    line, entries, _ = chapter.glance
    said = re.search(r"\d+(?= minutes to read)", entries.get("Time", ""))
    computed = round(chapter.minutes)
    if said and int(said[0]) == computed:
        return []
    return [f"{chapter.at(line or 1)}: Time must say {computed} minutes to read, as computed"]


def exercise_time(book: Book, chapter: Chapter) -> list[str]:
    """The box says how many exercises there are, and their minutes, as added up."""
    line, entries, _ = chapter.glance
    metas = [META.fullmatch(one.blocks[0].text) for one in chapter.exercises if one.blocks]
    total = sum(int(meta["minutes"]) for meta in metas if meta)
    wanted = f"{total} minutes for the {NUMBERS[len(metas)]} exercises"
    if re.search(rf"(?<!\d){wanted}", entries.get("Time", "")):
        return []
    return [f"{chapter.at(line or 1)}: Time must say {wanted!r}, as the exercises add up"]


def code_and_words(book: Book, chapter: Chapter) -> list[str]:
    """Open code cells are told apart by sentences."""
    shown = {cell.line for cell in chapter.open_cells}
    problems, run = [], 0
    for block in chapter.lesson:
        run = run + 1 if block.line in shown else run if block.name == "code-cell" else 0
        if run > MAX_OPEN_IN_A_ROW:
            problems.append(
                f"{chapter.at(block.line)}: {run} open code cells without a sentence between them"
            )
    return problems


def place(book: Book, chapter: Chapter) -> list[str]:
    """The taxonomy has the chapter, and the chapter shows its line."""
    problems = []
    try:
        if chapter.slug not in taxonomy.read(book.root):
            problems.append(f"{chapter.at(1)}: book/taxonomy.yml has no entry {chapter.slug}")
    except (OSError, ValueError, KeyError) as error:
        problems.append(f"book/taxonomy.yml: {error}")
    roles = [r for b in chapter.section("Where it stands") for r in b.roles]
    if [r.content for r in roles if r.name == "taxonomy"] != ["."]:
        problems.append(f"{chapter.at(1)}: 'Where it stands' needs the role {{taxonomy}}`.` once")
    return problems


def methods_run(book: Book) -> list[str]:
    """Every method of the taxonomy names a section of its page, or a page that is planned."""
    headings = {
        chapter.slug: [b.text for b in chapter.blocks if b.kind == "heading" and b.level > 1]
        for chapter in book.chapters
    }
    return [
        f"book/taxonomy.yml: {method.name!r} stands under {method.section!r} on {method.page}; "
        f"accepted: {headings.get(method.page, 'no section, the page is planned')}"
        for method in taxonomy.read_methods(book.root)
        if method.section not in headings.get(method.page, [""])
    ]


def section_order(book: Book, chapter: Chapter) -> list[str]:
    """The sections with fixed titles once each, in order, after four or more free ones."""
    titles = [b.text for b in chapter.blocks if b.kind == "heading" and b.level == 2]
    fixed = [title for title in titles if title in SECTIONS]
    if fixed != SECTIONS:
        return [f"{chapter.at(1)}: sections {fixed}; accepted: {SECTIONS}, in this order"]
    first = titles.index(SECTIONS[0])
    problems = []
    if first < 4:
        problems.append(
            f"{chapter.at(1)}: {first} sections before {SECTIONS[0]!r}; at least 4 are needed: "
            "the idea, the method, agreement with an independent implementation, real data"
        )
    if titles[first:] != SECTIONS:
        strange = [title for title in titles[first:] if title not in SECTIONS]
        problems.append(f"{chapter.at(1)}: {strange} must stand before {SECTIONS[0]!r}")
    return problems


def closing_sections(book: Book, chapter: Chapter) -> list[str]:
    """Five lines of summary, something to read next, and the list of works cited."""
    problems = []
    items = [len(b.items) for b in chapter.section("Summary") if b.items]
    if items != [SUMMARY_LINES]:
        problems.append(
            f"{chapter.at(1)}: Summary must be one list of {SUMMARY_LINES} items; found {items}"
        )
    for title in ("When it misleads", "Where it stands", "Read next"):
        if not chapter.section(title):
            problems.append(f"{chapter.at(1)}: the section {title!r} is empty")
    if not any(b.name == "bibliography" for b in chapter.section("Works cited")):
        problems.append(f"{chapter.at(1)}: Works cited must hold a `bibliography` directive")
    return problems


def allowed_markup(book: Book, chapter: Chapter) -> list[str]:
    """Only directives and roles that read well in the book and in Colab."""
    problems = [
        f"{chapter.at(b.line)}: directive {b.name!r}; accepted: {sorted(ALLOWED_DIRECTIVES)}"
        for b in chapter.walk()
        if b.kind == "directive" and b.name not in ALLOWED_DIRECTIVES
    ]
    return problems + [
        f"{chapter.at(r.line)}: role {r.name!r}; accepted: {sorted(ALLOWED_ROLES)}"
        for r in chapter.roles
        if r.name not in ALLOWED_ROLES
    ]


def front_matter_markup(book: Book) -> list[str]:
    """The pages around the chapters may use a few directives more."""
    accepted = ALLOWED_DIRECTIVES | FRONT_MATTER_DIRECTIVES
    pages = [page for page in book.pages if not isinstance(page, Chapter)]
    problems = [
        f"{page.at(b.line)}: directive {b.name!r}; accepted: {sorted(accepted)}"
        for page in pages
        for b in page.walk()
        if b.kind == "directive" and b.name not in accepted
    ]
    return problems + [
        f"{page.at(r.line)}: role {r.name!r}; accepted: {sorted(ALLOWED_ROLES)}"
        for page in pages
        for r in page.roles
        if r.name not in ALLOWED_ROLES
    ]


def slug(book: Book, chapter: Chapter) -> list[str]:
    """Lower case with hyphens, no leading number, unique."""
    problems = []
    for part in chapter.name.split("/"):
        if not SLUG.fullmatch(part):
            problems.append(
                f"{chapter.name}: {part!r} is no slug; accepted: lower case letters and digits "
                "with hyphens, beginning with a letter"
            )
    same = [page.name for page in book.pages if page.slug == chapter.slug]
    if len(same) > 1:
        problems.append(f"{chapter.name}: the slug is not unique: {same}")
    return problems


# --- the cells --------------------------------------------------------------------------------


def _tree(cell: Cell) -> ast.Module | None:
    """Parse a cell; None where it is not plain Python, which another rule reports."""
    try:
        return ast.parse(cell.source)
    except SyntaxError:
        return None


def _imports(tree: ast.AST) -> Iterator[str]:
    """Name the top-level packages that a cell imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." if node.level else (node.module or "").partition(".")[0]


def first_cell(book: Book, chapter: Chapter) -> list[str]:
    """All imports and the plot style in the first code cell, which is folded; no import later."""
    if not chapter.cells:
        return [f"{chapter.at(1)}: a chapter needs code cells"]
    first, *others = chapter.cells
    problems = []
    tree = _tree(first)
    calls = [ast.unparse(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)] if tree else []
    if not tree or not list(_imports(tree)) or "plotting.use_style" not in calls:
        problems.append(
            f"{chapter.where(first)}: the first code cell must hold the chapter's imports and "
            "`plotting.use_style()`"
        )
    if "hide-input" not in first.tags:
        problems.append(f"{chapter.where(first)}: the imports are folded: tag `hide-input`")
    for cell in others:
        tree = _tree(cell)
        if tree and list(_imports(tree)) and not {"exercise", "solution"} & set(cell.tags):
            problems.append(
                f"{chapter.where(cell)}: an import; accepted only in the first code cell and in "
                "cells tagged `exercise` or `solution`"
            )
    return problems


def plain_python(book: Book, chapter: Chapter) -> list[str]:
    """No magic, no shell, no installer: the published notebooks have one set-up cell."""
    problems = []
    for cell in chapter.cells:
        lines = [line.strip() for line in cell.source.splitlines()]
        bad = [line for line in lines if line[:1] in {"!", "%"} or INSTALLER.search(line)]
        problems += [f"{chapter.where(cell)}: {line!r}; plain Python is accepted" for line in bad]
        if not bad and _tree(cell) is None:
            problems.append(f"{chapter.where(cell)}: not valid Python")
        if lines and lines[-1].endswith(";"):  # hides an output in some versions, in others not
            problems.append(f"{chapter.where(cell)}: ends with ';'; accepted: `_ = ...`")
    return problems


def cells_at_top_level(book: Book, chapter: Chapter) -> list[str]:
    """A code cell inside another directive is shown and never executed."""
    top = {id(block) for block in chapter.blocks}
    return [
        f"{chapter.at(b.line)}: a code cell inside another directive; accepted at top level only"
        for b in chapter.walk()
        if b.name == "code-cell" and id(b) not in top
    ]


def cell_length(book: Book, chapter: Chapter) -> list[str]:
    """One thought for each cell."""
    lengths = [(cell, len(cell.source.splitlines())) for cell in chapter.cells]
    return [
        f"{chapter.where(cell)}: {length} lines; at most {MAX_CELL_LINES} are accepted"
        for cell, length in lengths
        if length > MAX_CELL_LINES
    ]


def names_published(book: Book, chapter: Chapter) -> list[str]:
    """What a reader's cell reads, a reader's cell defines: hidden cells and solutions are gone."""
    solved = {cell.number for one in chapter.exercises for cell in one.solution_cells}
    kept = ["remove-cell" not in c.tags and c.number not in solved for c in chapter.cells]
    sources = [cell.source for cell in chapter.cells]
    lines = [cell.line for cell in chapter.cells]
    return [
        f"{chapter.where(chapter.cells[index])}: the cell needs {needs(lost, lines)}"
        for index, lost in missing_names(list(zip(sources, kept, strict=True))).items()
    ]


def _distribution_names(pyproject: Path) -> set[str]:
    """Name the distributions that pyproject.toml depends on."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    return {canonicalize_name(Requirement(line).name) for line in project["dependencies"]}


def imports_covered(book: Book, chapter: Chapter) -> list[str]:
    """Every import is there in Colab after the set-up cell: no further package is installed."""
    declared = _distribution_names(book.root / "pyproject.toml")
    providers = packages_distributions()
    problems = []
    for cell in chapter.cells:
        for name in _imports(_tree(cell) or ast.Module([], [])):
            owners = {canonicalize_name(one) for one in providers.get(name, [name])}
            known = name in sys.stdlib_module_names or name == "xai_course"
            if not known and not owners & declared:
                problems.append(
                    f"{chapter.where(cell)}: import of {name!r}; accepted: the standard library, "
                    "xai_course and the dependencies in pyproject.toml"
                )
    return problems


# --- figures ----------------------------------------------------------------------------------


def _executed_cells(book: Book, chapter: Chapter) -> list[dict] | None:
    """The executed code cells, if the last build executed this very source."""
    path = book.root / "_build" / "executed" / f"{chapter.name}.ipynb"
    if not path.exists():
        return None
    notebook = json.loads(path.read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    sources = ["".join(cell["source"]).strip() for cell in code]
    current = [cell.source.strip() for cell in chapter.cells]
    return code if sources == current else None


def _draws(cell: Cell) -> bool:
    """Guess from the source whether a cell draws; to define a function draws nothing."""
    waiting = [_tree(cell)] if _tree(cell) else []
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name = node.func.attr
            if name in DRAWS or name.startswith("plot_"):
                return True
        inner = ast.iter_child_nodes(node)
        waiting += [one for one in inner if not isinstance(one, ast.FunctionDef | ast.Lambda)]
    return False


def dark_words(book: Book, chapter: Chapter) -> list[str]:
    """No letters in a colour that is too pale for them, though not for lines and marks."""
    problems = []
    for cell in chapter.cells:
        tree = _tree(cell)
        for node in ast.walk(tree) if tree else ():
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(WRITES):
                pale = [k for k in node.keywords if k.arg == "color" and _is_pale(k.value)]
                problems += [
                    f"{chapter.where(cell)}: letters in {ast.unparse(k.value)}, which are hard to "
                    "read; accepted: plotting.OURS_TEXT, plotting.CLASS_1_TEXT, black"
                    for k in pale
                ]
    return problems


def _is_pale(color: ast.expr) -> bool:
    return ast.unparse(color).removeprefix("plotting.").strip("'") in PALE


def _plotting_cells(book: Book, chapter: Chapter) -> list[Cell]:
    """The cells that show a picture: as executed, or from the source before the first build."""
    executed = _executed_cells(book, chapter)
    if executed is None:
        # A stub or a hidden test may call what draws and show nothing.
        silent = {"exercise", "solution", "hidden-test", "remove-cell", "remove-output"}
        return [c for c in chapter.cells if _draws(c) and not silent & set(c.tags)]
    pairs = zip(chapter.cells, executed, strict=True)
    return [
        cell
        for cell, done in pairs
        if any("image/png" in output.get("data", {}) for output in done["outputs"])
        and not {"remove-cell", "remove-output"} & set(cell.tags)
    ]


def _alt_of_explorable(cell: Cell) -> str:
    """Return what a cell gives its explorable to say about the still picture."""
    tree = _tree(cell)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)] if tree else []
    given = [k for c in calls if ast.unparse(c.func) == "explorable" for k in c.keywords]
    return next((str(ast.literal_eval(k.value)) for k in given if k.arg == "alt"), "")


def figure_metadata(book: Book, chapter: Chapter) -> list[str]:
    """Caption, name and alternative text for every plot."""
    problems = []
    drawing = _plotting_cells(book, chapter)
    marked = [cell for cell in chapter.cells if cell.metadata.get("mystnb")]
    for cell in {c.number: c for c in drawing + marked}.values():
        figure, image = cell.figure, cell.metadata.get("mystnb", {}).get("image", {})
        caption = str(figure.get("caption", "")).strip()
        alt = (_alt_of_explorable(cell) or str(image.get("alt", ""))).strip()
        where = chapter.where(cell)
        if not figure.get("name"):
            problems.append(f"{where}: this cell draws; `mystnb: figure: name` is missing")
        if len(caption) < MIN_CAPTION:
            problems.append(
                f"{where}: caption {caption!r}; say what to see, {MIN_CAPTION}+ letters"
            )
        if len(alt) < MIN_ALT or alt == caption:
            problems.append(
                f"{where}: alt {alt!r}; describe the picture for who cannot see it, in {MIN_ALT} "
                "letters or more and in other words than the caption"
            )
    return problems


def table_metadata(book: Book, chapter: Chapter) -> list[str]:
    """Caption and name for every table that code shows, one a cell."""
    problems = []
    executed = _executed_cells(book, chapter) or [None] * len(chapter.cells)
    for cell, done in zip(chapter.cells, executed, strict=True):
        # Before the first build the source alone says what there is.
        shown = _n_tables(done["outputs"]) if done else int(bool(cell.table))
        # What a learner's own cell shows is no part of the page.
        if IN_EXERCISES & set(cell.tags) or not (shown or cell.table):
            continue
        caption, where = str(cell.table.get("caption", "")).strip(), chapter.where(cell)
        if shown != 1:
            problems.append(f"{where}: this cell shows {shown} tables; one is accepted")
        elif not cell.table.get("name"):
            problems.append(f"{where}: this cell shows a table; `table: name` is missing")
        elif len(caption) < MIN_TABLE_CAPTION:
            problems.append(
                f"{where}: `table: caption` {caption!r}; say what its numbers are, "
                f"{MIN_TABLE_CAPTION}+ letters"
            )
    return problems


def _n_tables(outputs: list[dict[str, Any]]) -> int:
    texts = ("".join(output.get("data", {}).get("text/html", "")) for output in outputs)
    return sum(text.count("<table") for text in texts)


def figures_mentioned(book: Book, chapter: Chapter) -> list[str]:
    """Every figure is referred to at least once in the prose of its chapter."""
    named = {
        str(cell.figure["name"]): cell.line for cell in chapter.cells if cell.figure.get("name")
    }
    figures = [b for b in chapter.walk() if b.name == "figure" and "name" in b.options]
    named |= {b.options["name"]: b.line for b in figures}
    mentioned = {role.target for role in chapter.roles if role.name in {"numref", "ref"}}
    return [
        f"{chapter.at(line)}: figure {name!r} is not mentioned; accepted: {{numref}}`{name}`"
        for name, line in named.items()
        if name not in mentioned
    ]


# --- exercises --------------------------------------------------------------------------------


def exercise_ids(book: Book, chapter: Chapter) -> list[str]:
    """Identifiers `ex-<slug>-<n>`, counted from 1 without a gap."""
    found = [exercise.identifier for exercise in chapter.exercises]
    wanted = [f"ex-{chapter.slug}-{n}" for n in range(1, len(found) + 1)]
    return [] if found == wanted else [f"{chapter.at(1)}: exercises {found}; accepted: {wanted}"]


def exercise_mix(book: Book, chapter: Chapter) -> list[str]:
    """Enough exercises, of different kinds."""
    found = [META.fullmatch(e.blocks[0].text) for e in chapter.exercises if e.blocks]
    kinds = {match["kind"] for match in found if match}
    problems = []
    if len(chapter.exercises) < MIN_EXERCISES:
        problems.append(
            f"{chapter.at(1)}: {len(chapter.exercises)} exercises; at least {MIN_EXERCISES} are "
            "needed"
        )
    if len(kinds) < MIN_KINDS:
        problems.append(f"{chapter.at(1)}: kinds {sorted(kinds)}; at least {MIN_KINDS} of {KINDS}")
    return problems


def exercise_meta(book: Book, chapter: Chapter) -> list[str]:
    """The line of kind, difficulty, minutes and objective."""
    objectives = len(chapter.glance[2])
    problems = []
    for exercise in chapter.exercises:
        first = exercise.blocks[0] if exercise.blocks else None
        where = chapter.at(first.line if first else exercise.line)
        match = META.fullmatch(first.text) if first and first.emphasised else None
        if not match:
            problems.append(
                f"{where}: {exercise.identifier}: the first line must read "
                "*kind · difficulty 1 of 5 · 5 minutes · objective 2*, "
                f"with a kind of {KINDS} and a difficulty from 1 to 5"
            )
        elif max(map(int, re.findall(r"\d+", match["objectives"]))) > objectives:
            problems.append(
                f"{where}: {exercise.identifier}: objective {match['objectives']}; the chapter has "
                f"{objectives}"
            )
    return problems


def objectives_served(book: Book, chapter: Chapter) -> list[str]:
    """Every objective has an exercise."""
    metas = [META.fullmatch(one.blocks[0].text) for one in chapter.exercises if one.blocks]
    served = {int(n) for meta in metas if meta for n in re.findall(r"\d+", meta["objectives"])}
    line, _, objectives = chapter.glance
    return [
        f"{chapter.at(line)}: no exercise serves objective {number}, {objective!r}"
        for number, objective in enumerate(objectives, 1)
        if number not in served
    ]


def _calls_check(cell: Cell, identifier: str) -> bool:
    """Whether a cell calls `check` with this identifier."""
    tree = _tree(cell)
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call)] if tree else []
    return any(
        ast.unparse(call.func) == "check"
        and len(call.args) == 2
        and isinstance(call.args[0], ast.Constant)
        and call.args[0].value == identifier
        for call in calls
    )


def _raises_not_implemented(cell: Cell) -> bool:
    """Whether a stub raises NotImplementedError."""
    tree = _tree(cell)
    raised = [n.exc for n in ast.walk(tree) if isinstance(n, ast.Raise)] if tree else []
    return any(one and ast.unparse(one).startswith("NotImplementedError") for one in raised)


def _problems_of_stub(chapter: Chapter, exercise: Exercise) -> Iterator[str]:
    """Say what is missing around the code that a reader writes."""
    where = f"{chapter.at(exercise.line)}: {exercise.identifier}"
    if not exercise.stubs:
        if not exercise.is_open:
            yield f"{where}: needs a cell tagged `exercise`, or a solution with {OPEN_PARTS}"
        if exercise.checks or exercise.solutions:
            yield f"{where}: a check or a solution cell without a cell tagged `exercise`"
        return
    if not any(_raises_not_implemented(cell) for cell in exercise.stubs):
        yield f"{where}: the stub must `raise NotImplementedError`"
    if not any(_calls_check(cell, exercise.identifier) for cell in exercise.checks):
        yield f"{where}: a cell tagged `check` must call check({exercise.identifier!r}, answer)"
    tags = [tag for cell in exercise.solution_cells for tag in cell.tags if tag != "remove-cell"]
    order = [tag for tag in tags if tag in {"solution", "check"}]
    if "solution" not in order or order[-1] != "check":
        yield f"{where}: the solution needs a cell tagged `solution` and then one tagged `check`"
    later = [cell for cell in exercise.solution_cells if "check" in cell.tags]
    if later and not any(_calls_check(cell, exercise.identifier) for cell in later):
        yield f"{where}: the solution's check must call check({exercise.identifier!r}, answer)"


def exercise_parts(book: Book, chapter: Chapter) -> list[str]:
    """Stub, check, hints, solution; or an open question with its three answers."""
    problems = []
    for exercise in chapter.exercises:
        where = f"{chapter.at(exercise.line)}: {exercise.identifier}"
        if not exercise.solution_line:
            problems.append(f"{where}: no solution-start names it")
        hints = [b for b in exercise.blocks if b.name == "dropdown" and b.text.startswith("Hint")]
        if not hints:
            problems.append(f"{where}: at least one `dropdown` named Hint is needed")
        problems += _problems_of_stub(chapter, exercise)
        parts = [b.strong[0] for b in exercise.solution_blocks if b.strong[:1]]
        found = [part for part in parts if part in OPEN_PARTS]
        if found and found != OPEN_PARTS:
            problems.append(f"{where}: an open question has {found}; accepted: {OPEN_PARTS}")
    return problems


def exercise_gates(book: Book, chapter: Chapter) -> list[str]:
    """The four gates of an exercise, in turn, and each cell inside the right pair."""
    gates = [b for b in chapter.blocks if b.name in GATES]
    problems = [
        f"{chapter.at(gate.line)}: {gate.name} where {GATES[n % 4]} is expected"
        for n, gate in enumerate(gates)
        if gate.name != GATES[n % 4]
    ][:1]
    if len(gates) % 4:
        problems.append(f"{chapter.at(1)}: an exercise or a solution is not closed")
    for exercise in chapter.exercises:
        wanted = exercise.identifier.replace("ex-", "sol-", 1)
        labels = [g.options.get("label") for g in gates if g.text == exercise.identifier]
        classes = [g.options.get("class") for g in gates if g.text == exercise.identifier]
        if labels != [wanted] or classes != ["dropdown"]:
            problems.append(
                f"{chapter.at(exercise.line)}: the solution has label {labels}, class {classes}; "
                f"accepted: {wanted!r} and 'dropdown'"
            )
    inside = {c.number for e in chapter.exercises for c in (*e.cells, *e.solution_cells)}
    for cell in chapter.cells:
        stray = {"exercise", "solution", "check", "hidden-test"} & set(cell.tags)
        if stray and cell.number not in inside:
            problems.append(f"{chapter.where(cell)}: tag {sorted(stray)} outside an exercise")
        if "hidden-test" in cell.tags and "remove-cell" not in cell.tags:
            problems.append(f"{chapter.where(cell)}: `hidden-test` needs `remove-cell` beside it")
    return problems


# --- words and works --------------------------------------------------------------------------


def _cited(page: Page) -> Iterator[tuple[str, int]]:
    """Give the keys that a page cites."""
    for role in page.roles:
        if role.name.startswith("cite"):
            yield from ((key.strip(), role.line) for key in role.content.split(","))


def citations(book: Book) -> list[str]:
    """Every key is in references.bib, and every entry is cited."""
    path = book.source / "references.bib"
    keys = set(parse_file(str(path)).entries)
    cited = [(page, key, line) for page in book.pages for key, line in _cited(page)]
    problems = [
        f"{page.at(line)}: {key!r} is not in references.bib"
        for page, key, line in cited
        if key not in keys
    ]
    unused = keys - {key for _, key, _ in cited}
    return problems + [f"references.bib: {key!r} is cited on no page" for key in sorted(unused)]


def terms(book: Book) -> list[str]:
    """Every term is in the glossary, and every entry of the glossary is used."""
    entries = [{name.casefold() for name in names} for names, _ in book.glossary]
    known = set().union(*entries)
    used = [(page, role) for page in book.pages for role in page.roles if role.name == "term"]
    problems = [
        f"{page.at(role.line)}: term {role.target!r} is not in the glossary"
        for page, role in used
        if role.target.casefold() not in known
    ]
    targets = {role.target.casefold() for _, role in used}
    return problems + [
        f"glossary.md:{line}: {names[0]!r} is used on no page"
        for (names, line), one in zip(book.glossary, entries, strict=True)
        if not one & targets
    ]


def glossary_order(book: Book) -> list[str]:
    """The glossary is in alphabetical order."""
    names = [names[0].casefold() for names, _ in book.glossary]
    pairs = pairwise(names)
    problems = [f"glossary.md: {b!r} must stand before {a!r}" for a, b in pairs if b < a]
    return problems if names else ["glossary.md: no `glossary` directive with entries"]


# --- the checkout -----------------------------------------------------------------------------


def pages_exist(book: Book) -> list[str]:
    """Every page of _toc.yml has a source."""
    return [f"_toc.yml: {name} has no file book/{name}.md" for name in book.toc
            if not book.path(name).exists()]  # fmt: skip


def sidebar_titles(book: Book) -> list[str]:
    """The sidebar calls each page by a short name of its own."""
    titles = list(book.short_titles.values())
    return [
        f"_toc.yml: {name} is called {title!r} in the sidebar; accepted: one line of at most "
        f"{MAX_SIDEBAR} letters that no other page has"
        for name, title in book.short_titles.items()
        if len(title) > MAX_SIDEBAR or titles.count(title) > 1
    ]


def keywords(book: Book) -> list[str]:
    """Every chapter has words for the search, and every word a page."""
    given, kinds = taxonomy.read_keywords(book.root), taxonomy.read_data(book.root)
    slugs = {page.slug for page in book.pages}
    named = [*given, *(slug for of_kind in kinds.values() for slug in of_kind)]
    problems = [f"book/taxonomy.yml: no page is called {one}" for one in named if one not in slugs]
    problems += [
        f"book/taxonomy.yml: {chapter.slug} has no keywords for the search"
        for chapter in book.chapters
        if not given.get(chapter.slug)
    ]
    return problems + [
        f"book/taxonomy.yml: {slug} has a keyword twice: {words}"
        for slug, words in given.items()
        if len({word.casefold() for word in words}) < len(words)
    ]


def outcomes_cover(book: Book) -> list[str]:
    """The course's outcomes gather every objective once, and none that no chapter has."""
    gathered = [one for outcome in teaching.read_outcomes(book.root) for one in outcome.objectives]
    there = [(one.slug, n) for one in book.chapters for n in range(1, len(one.glance[2]) + 1)]
    where = "book/teaching/outcomes.yml"
    problems = [
        f"{where}: {slug} has no objective {number}"
        for slug, number in gathered
        if (slug, number) not in there
    ]
    return problems + [
        f"{where}: objective {number} of {slug} stands below {gathered.count((slug, number))} "
        "outcomes, so do its exercises; one is accepted"
        for slug, number in there
        if gathered.count((slug, number)) != 1
    ]


def needs_in_order(book: Book) -> list[str]:
    """No chapter needs a later one, unless its box says so, and none needs itself in a circle."""
    order = {chapter.name: number for number, chapter in enumerate(book.chapters)}
    needed = {one.name: [n for n in teaching.needs(one) if n.is_needed] for one in book.chapters}
    problems = []
    for chapter in book.chapters:
        where = chapter.at(chapter.glance[0] or 1)
        for need in teaching.needs(chapter):
            if need.page not in order:
                problems.append(f"{where}: Prerequisites name {need.page}, which is no chapter")
            elif order[need.page] >= order[chapter.name] and not need.is_announced:
                problems.append(
                    f"{where}: Prerequisites name {need.page}, which comes later; accepted: an "
                    "earlier chapter, or the word 'later' in the sentence"
                )
        reached, waiting = set(), [chapter.name]
        while waiting:
            new = {need.page for need in needed.get(waiting.pop(), [])} - reached
            reached |= new
            waiting += new
        if chapter.name in reached:
            problems.append(f"{where}: the chapter needs itself, through {sorted(reached)}")
    return problems


def syllabi_hold(book: Book) -> list[str]:
    """A course names chapters and exercises that exist, in an order that works, and its hours."""
    known, by_slug = teaching.tasks(book), {one.slug: one for one in book.chapters}
    problems = []
    for course in teaching.read_syllabi(book.root).values():
        read: set[str] = set()
        for number, session in enumerate(course.sessions, 1):
            where = f"book/teaching/syllabi.yml: {course.name}, session {number}"
            given = session.exercises
            lost = [one for one in session.chapters if one not in by_slug]
            lost += [one for one in given if one not in known]
            problems += [f"{where}: there is no {one}" for one in lost]
            twice = sorted({one for one in given if given.count(one) > 1})
            problems += [f"{where}: {one} stands there twice" for one in twice]
            for slug in [one for one in session.chapters if one in by_slug]:
                needed = [n.page for n in teaching.needs(by_slug[slug]) if n.is_needed]
                early = [page for page in needed if page not in read]
                problems += [f"{where}: {slug} needs {page}, not read before" for page in early]
                read.add(by_slug[slug].name)
            foreign = [one for one in given if one in known and known[one].page not in read]
            problems += [f"{where}: the chapter of {one} is not read before" for one in foreign]
            hours = teaching.load(book, session, known).minutes / 60
            least, most = course.hours
            if not least <= round(hours, 1) <= most:
                problems.append(f"{where}: {hours:.1f} hours; accepted: {least} to {most}")
    return problems


def questions_serve(book: Book) -> list[str]:
    """Each part has exam questions of all kinds, for objectives of its own chapters."""
    questions = teaching.read_questions(book.root)
    where = "book/teaching/questions.yml"
    problems = [
        f"{where}: {part!r} is no part that has chapters"
        for part in sorted({one.part for one in questions} - book.shelves.keys())
    ]
    for part, chapters in book.shelves.items():
        there = {(one.slug, n) for one in chapters for n in range(1, len(one.glance[2]) + 1)}
        mine = [one for one in questions if one.part == part]
        kinds = sorted(one.kind for one in mine)
        if not set(teaching.QUESTION_KINDS) <= set(kinds):
            problems.append(f"{where}: {part!r} has {kinds}; all of {teaching.QUESTION_KINDS}")
        for one in mine:
            if one.kind not in teaching.QUESTION_KINDS:
                problems.append(f"{where}: kind {one.kind!r}")
            if one.objective not in there:
                problems.append(f"{where}: {part!r} has no objective {one.objective}")
            if one.kind == "numerical" and (not one.formula or str(one.value) not in one.answer):
                problems.append(
                    f"{where}: {one.objective}: a numerical question needs a `formula` and a "
                    f"`value` that stands in its answer; found {one.formula!r}, {one.value!r}"
                )
    return problems


def only_toc_files(book: Book) -> list[str]:
    """Otherwise Sphinx would execute every notebook and script below book/."""
    config = yaml.safe_load((book.root / "_config.yml").read_text(encoding="utf-8"))
    if config.get("only_build_toc_files") is True:
        return []
    return ["_config.yml: only_build_toc_files must be true"]


def tracked_files(book: Book) -> list[str]:
    """No notebook and no large file is tracked, or about to be."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=book.root, capture_output=True, text=True, check=True)
    problems = []
    for name in filter(None, done.stdout.split("\0")):
        path = book.root / name
        if path.suffix == ".ipynb":
            problems.append(f"{name}: notebooks are built, never tracked")
        if path.exists() and path.stat().st_size > MAX_TRACKED_BYTES:
            problems.append(f"{name}: {path.stat().st_size} bytes; at most {MAX_TRACKED_BYTES}")
    return problems


# --- the built book ---------------------------------------------------------------------------

LOADING = {
    "script": ("src",), "img": ("src", "srcset"), "iframe": ("src",), "source": ("src", "srcset"),
    "video": ("src", "poster"), "audio": ("src",), "embed": ("src",), "object": ("data",),
    "track": ("src",), "input": ("src",), "use": ("href", "xlink:href"), "image": ("href",),
}  # fmt: skip
# A link element with one of these loads nothing.
QUIET_LINKS = {"canonical", "next", "prev", "index", "search", "author", "license", "genindex"}
CSS_URL = re.compile(r"""(?:url\(\s*|@import\s+)["']?([^"')\s;]+)""")


class _Resources(HTMLParser):
    """Collect what a page loads by itself, and the words of its article."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.urls: list[str] = []
        self.words: list[str] = []
        self.meta: list[tuple[str, str]] = []
        self.has_maths = False
        self._style = False
        self._article = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attrs}
        if tag == "meta":
            name = given.get("name") or given.get("property", "")
            self.meta.append((name, given.get("content", "")))
        self.has_maths |= "math" in given.get("class", "").split()
        wanted = LOADING.get(tag, ())
        if tag == "link" and not set(given.get("rel", "").split()) & QUIET_LINKS:
            wanted = ("href",)
        for key in wanted:
            self.urls += [one.split()[0] for one in given.get(key, "").split(",") if one.strip()]
        self.urls += CSS_URL.findall(given.get("style", ""))
        self._style = tag == "style"
        self._article += tag == "article"

    def handle_endtag(self, tag: str) -> None:
        self._style = False
        self._article -= tag == "article"

    def handle_data(self, data: str) -> None:
        if self._style:
            self.urls += CSS_URL.findall(data)
        elif self._article:
            self.words += data.split()


def _is_external(url: str) -> bool:
    return url.startswith(("http:", "https:", "//"))


def no_external_resource(book: Book) -> list[str]:
    """A page loads nothing from the web; links that a reader follows are fine."""
    problems = []
    for path in sorted(book.html.rglob("*.html")):
        urls = _Resources(path.read_text(encoding="utf-8")).urls
        name = path.relative_to(book.html)
        problems += [f"{name}: loads {url}; no page may" for url in urls if _is_external(url)]
    for path in sorted(book.html.rglob("*.css")):
        urls = CSS_URL.findall(path.read_text(encoding="utf-8"))
        name = path.relative_to(book.html)
        problems += [f"{name}: loads {url}; no sheet may" for url in urls if _is_external(url)]
    return problems


def pages_built(book: Book) -> list[str]:
    """Every page of _toc.yml is in the built book, and has content."""
    problems = []
    for name in book.toc:
        path = book.html / f"{name}.html"
        if not path.exists():
            problems.append(f"_build/html/{name}.html is missing")
            continue
        words = len(_Resources(path.read_text(encoding="utf-8")).words)
        if words < MIN_PAGE_WORDS:
            problems.append(f"{name}.html: {words} words; at least {MIN_PAGE_WORDS} are needed")
    return problems


def pages_light(book: Book) -> list[str]:
    """A page with its own pictures stays below a megabyte."""
    problems = []
    for name in book.toc:
        path = book.html / f"{name}.html"
        if not path.exists():
            continue
        size = path.stat().st_size
        for url in set(_Resources(path.read_text(encoding="utf-8")).urls):
            local = path.parent / unquote(urlsplit(url).path)
            if not _is_external(url) and "_images" in local.parts and local.exists():
                size += local.stat().st_size
        if size > MAX_PAGE_BYTES:
            problems.append(f"{name}.html: {size} bytes with pictures; at most {MAX_PAGE_BYTES}")
    return problems


def heads(book: Book) -> list[str]:
    """A page's head has one viewport, says what the page is about, and names a picture."""
    problems, said = [], []
    for name in book.toc:
        path = book.html / f"{name}.html"
        if not path.exists():
            continue
        meta = _Resources(path.read_text(encoding="utf-8")).meta
        keys = [key for key, _ in meta]
        about = dict(meta).get("description", "")
        card = urlsplit(dict(meta).get("og:image", "")).path.rpartition("/")[2]
        problems += [
            f"{name}.html: {keys.count(key)} tags {key!r}; one is accepted"
            for key in ("viewport", "description", "og:image")
            if keys.count(key) != 1
        ]
        if len(about) < MIN_DESCRIPTION or about in said:
            problems.append(f"{name}.html: the description {about!r} is short, or another page's")
        if not (book.html / "_static" / card).is_file():
            problems.append(f"{name}.html: og:image names {card!r}, which is not in _static")
        said.append(about)
    return problems


def maths_loaded(book: Book) -> list[str]:
    """A page loads MathJax if it has a formula, and only then."""
    problems = []
    for path in sorted(book.html.rglob("*.html")):
        page = _Resources(path.read_text(encoding="utf-8"))
        loads = any("mathjax" in url for url in page.urls)
        if loads != page.has_maths:
            problems.append(
                f"{path.relative_to(book.html)}: loads MathJax: {loads}; formulas: {page.has_maths}"
            )
    return problems


def answers_collected(book: Book) -> list[str]:
    """What the pages say about the three subjects stands in `book/answers`, word for word."""
    pages = answers.executed(book.root)
    said = {slug: answers.of_cells(cells) for slug, cells in pages.items()}
    kept = answers.read(book.root)
    return [
        f"book/answers/{slug}.json is not what the page says; python -m tools.answers writes it"
        for slug in sorted(said.keys() | kept.keys())
        if said.get(slug, {}) != kept.get(slug, {})
    ]


def verdicts_collected(book: Book) -> list[str]:
    """The values that the verdicts name stand in `book/verdicts.json` as the pages glued them."""
    said = answers.verdicts(book.root, answers.executed(book.root))
    kept = taxonomy.read_values(book.root)
    return [
        f"book/verdicts.json: {slug} is not what the page says; python -m tools.answers writes it"
        for slug in sorted(said.keys() | kept.keys())
        if said.get(slug) != kept.get(slug)
    ]


CHAPTER_RULES: tuple[ChapterRule, ...] = (
    head, promise, idea, at_a_glance, length, reading_time, exercise_time,
    code_and_words, place, section_order,
    closing_sections, allowed_markup, slug,
    first_cell, plain_python, cells_at_top_level, cell_length, imports_covered,
    names_published, dark_words, figure_metadata, table_metadata,
    figures_mentioned,
    exercise_ids, exercise_mix, exercise_meta, objectives_served, exercise_parts, exercise_gates,
)  # fmt: skip
BOOK_RULES: tuple[BookRule, ...] = (
    pages_exist, front_matter_markup, methods_run, citations, terms, glossary_order, only_toc_files,
    sidebar_titles, keywords, outcomes_cover, needs_in_order, syllabi_hold,
    questions_serve, tracked_files,
)  # fmt: skip
# These read _build/html.
BUILT_RULES: tuple[BookRule, ...] = (
    no_external_resource,
    pages_built,
    pages_light,
    heads,
    maths_loaded,
    answers_collected,
    verdicts_collected,
)
