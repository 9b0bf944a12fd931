"""Every rule passes a good chapter and catches one that breaks it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rules

from tools.chapters import Book

FIXTURE = Path(__file__).parent / "fixtures" / "repo"  # a checkout that keeps every rule
CHAPTER = "book/toy-part/good-chapter.md"
PAGE = "_build/html/toy-part/good-chapter.html"
TAXONOMY = "book/taxonomy.yml"
ANSWERS = "book/answers/good-chapter.json"
VERDICTS = "book/verdicts.json"
OUTCOMES = "book/teaching/outcomes.yml"
SYLLABI = "book/teaching/syllabi.yml"
QUESTIONS = "book/teaching/questions.yml"
IDEA = "book/_static/ideas/good-chapter.svg"
SAID = {"subject": "patient", "answer": "The mass is benign."}
GLUED = {"regions": "2", "networks": "1", "rest": "no verdict names it"}
CODE_CELL = "```{code-cell} ipython3\nlen(grid)\n```\n\n"
MANY_CELLS = (CODE_CELL + "A sentence.\n\n") * 15 + "## Real data"
THREE_CELLS = CODE_CELL * 2 + "## Real data"
LONG = "x = 1\n" * 15
GLANCE_DATA = "**Data:** five numbers that the chapter generates itself; public domain.\n"
STUB = '    """Return the number of regions."""\n    raise NotImplementedError'
IMPORT_CELL = "```{code-cell} ipython3\nimport os\n```\n\n## Real data"
NESTED = "````{note}\n```{code-cell} ipython3\n1\n```\n````\n\n## Real data"
EXERCISE_4 = ("```{exercise-start} A claim to judge", "## Summary")

HEAD = """<link rel="canonical" href="https://x.org"><meta name="viewport" content="a">
<meta name="description" content="What the page {name} is about, in one sentence.">
<meta property="og:image" content="https://x.org/_static/card.png">"""

# rule, file, what is replaced (once), by what, a piece of the message
HIDDEN = "limit = 3\n```\n\n```{code-cell} ipython3\nprint(limit)\nassert len(grid)"
BROKEN = [
    ("head", CHAPTER, "format_name: myst", "format_name: markdown", "format_name"),
    ("head", CHAPTER, "  name: python3", "  name: ir", "kernelspec.name"),
    ("head", CHAPTER, "display_name: Python 3", "display_name: R", "display_name"),
    ("promise", CHAPTER, "by hand.\n", "by hand. It is easy.\n", "one sentence"),
    ("promise", CHAPTER, "# A good chapter\n", "## A good chapter\n", "title"),
    ("idea", CHAPTER, ":name: fig-good-chapter-idea", ":name: fig-other", "below the promise"),
    ("idea", CHAPTER, "/_static/ideas/good-chapter", "/_static/ideas/other", "accepted"),
    ("idea", IDEA, 'font-size="18"', 'font-size="12"', "letters of 12"),
    ("idea", IDEA, "0 0 640 220", "0 0 300 300", "viewBox"),
    ("idea", IDEA, "</svg>", "<script></script></svg>", "script"),
    ("idea", IDEA, "</title>", "." * 6000 + "</title>", "bytes"),
    ("at_a_glance", CHAPTER, ":class: at-a-glance", ":class: note", "missing"),
    ("at_a_glance", CHAPTER, "**GPU:** not needed.\n\n", "", "in this order"),
    ("at_a_glance", CHAPTER, "1. Count the", "1. Understand the", "verb"),
    ("at_a_glance", CHAPTER, "{runtime}`toy-part/good-chapter`", "3 s", "Time must say"),
    ("at_a_glance", CHAPTER, GLANCE_DATA, "**Data:** five numbers.\n", "Data must say"),
    ("length", CHAPTER, "## Real data", "\n" * 900 + "## Real data", "at most 900"),
    ("length", CHAPTER, "## Real data", MANY_CELLS, "at most 15"),
    ("length", CHAPTER, "## Real data", "word " * 6000 + "\n\n## Real data", "at most 30"),
    ("reading_time", CHAPTER, "2 minutes to read", "9 minutes to read", "as computed"),
    ("exercise_time", CHAPTER, "20 minutes for", "15 minutes for", "'20 minutes for the four"),
    ("exercise_time", CHAPTER, "the four exercises", "the exercises", "'20 minutes for the four"),
    ("code_and_words", CHAPTER, "## Real data", THREE_CELLS, "without a sentence"),
    ("place", CHAPTER, "{taxonomy}`.`\n", "", "once"),
    ("place", TAXONOMY, ("good-chapter:", "methods:"), "", "no entry"),
    ("place", TAXONOMY, "access: weights", "access: luck", "'luck'"),
    ("place", TAXONOMY, "  dao: representation analysis\n", "", "in this order"),
    ("place", TAXONOMY, "verdict: in part", "verdict: perhaps", "'perhaps'"),
    ("place", TAXONOMY, "it is short", "it is short " * 9, "words"),
    ("place", TAXONOMY, "{networks} network", "one network", "1 of the five reasons carry"),
    ("place", TAXONOMY, "it is short", "it has 9 words", "typed by hand"),
    ("place", TAXONOMY, "{regions}", "{pieces}", "good-chapter: exactness names the value"),
    ("place", TAXONOMY, "[a number for each feature]", "[luck]", "'luck'"),
    ("methods_run", TAXONOMY, "Real data", "Unreal data", "'Unreal data'"),
    ("methods_run", TAXONOMY, "page: good-chapter", "page: no-chapter", "planned"),
    ("section_order", CHAPTER, "## Where it stands", "## Where it is", "in this order"),
    ("section_order", CHAPTER, "## Real data\n", "", "at least 4"),
    ("section_order", CHAPTER, "## Read next", "## More\n\n## Read next", "must stand before"),
    ("closing_sections", CHAPTER, "5. A sample can miss one.\n", "", "5 items"),
    ("closing_sections", CHAPTER, "The rest of the book.\n", "", "is empty"),
    ("closing_sections", CHAPTER, "```{bibliography}", "```{note}", "bibliography"),
    ("allowed_markup", CHAPTER, "```{dropdown} Hint 1", "```{margin} Hint 1", "'margin'"),
    ("allowed_markup", CHAPTER, "{term}`region`", "{abbr}`region`", "'abbr'"),
    ("first_cell", CHAPTER, "plotting.use_style()\n", "", "use_style"),
    ("first_cell", CHAPTER, ":tags: [hide-input]\nimport", "import", "folded"),
    ("first_cell", CHAPTER, "## Real data", IMPORT_CELL, "an import"),
    ("plain_python", CHAPTER, "grid = np", "%matplotlib inline\ngrid = np", "%matplotlib"),
    ("plain_python", CHAPTER, "grid = np", "!ls\ngrid = np", "!ls"),
    ("plain_python", CHAPTER, "grid = np", "run('pip install x')\ngrid = np", "pip install"),
    ("plain_python", CHAPTER, "grid = np", "grid = = np", "not valid Python"),
    ("plain_python", CHAPTER, "_ = ax.plot(grid, np.abs(grid))", "ax.plot(grid, grid);", "';'"),
    ("cells_at_top_level", CHAPTER, "## Real data", NESTED, "inside another directive"),
    ("cell_length", CHAPTER, "grid = np", LONG + "grid = np", "18 lines"),
    ("imports_covered", CHAPTER, "import numpy as np\n", "import seaborn\n", "'seaborn'"),
    ("names_published", CHAPTER, "grid = np", "print(start)\ngrid = np", "'start', which no cell"),
    ("names_published", CHAPTER, "assert len(grid)", HIDDEN, "'limit', which the cell of line"),
    ("dark_words", CHAPTER, "grid = np", "ax.text(0, 0, 'a', color='C2')\ngrid = np", "'C2'"),
    ("figure_metadata", CHAPTER, "    name: fig-toy\n", "", "name"),
    ("figure_metadata", CHAPTER, "The slope changes only where x is zero.", "A plot.", "caption"),
    (
        "figure_metadata", CHAPTER, "A line that falls to zero at the origin and rises after it.",
        "The slope changes only where x is zero.", "other words",
    ),
    (
        "figure_metadata", CHAPTER, "## Real data",
        "```{code-cell} ipython3\n_ = plt.plot(grid)\n```\n\n## Real data", "this cell draws",
    ),
    (
        "figure_metadata", CHAPTER, "grid = np",
        "explorable('toy', {}, '', alt='A toy.')\ngrid = np", "'A toy.'",
    ),
    ("table_metadata", CHAPTER, "  name: tab-toy\n", "", "`table: name` is missing"),
    ("table_metadata", CHAPTER, "Three numbers and their sizes.", "Numbers.", "say what"),
    ("figures_mentioned", CHAPTER, "name: fig-toy", "name: fig-other", "'fig-other'"),
    ("exercise_ids", CHAPTER, ":label: ex-good-chapter-2", ":label: ex-good-chapter-7", "-7"),
    ("exercise_mix", CHAPTER, EXERCISE_4, "", "3 exercises"),
    ("exercise_meta", CHAPTER, "difficulty 1 of 5", "difficulty 6 of 5", "first line"),
    ("exercise_meta", CHAPTER, "*by hand ·", "*mental ·", "first line"),
    ("exercise_meta", CHAPTER, "objective 1*", "objective 9*", "objective 9"),
    ("objectives_served", CHAPTER, "2. Compute the slope", "2. Cut.\n3. Compute the slope", "3, '"),
    ("exercise_parts", CHAPTER, STUB, STUB.replace("raise NotImplementedError", "pass"), "raise"),
    ("exercise_parts", CHAPTER, 'check("ex-good-chapter-1"', 'check("ex-1"', "must call check"),
    ("exercise_parts", CHAPTER, "```{dropdown} Hint 1", "```{dropdown} Look", "Hint"),
    ("exercise_parts", CHAPTER, ":tags: [solution]", ":tags: [other]", "tagged `solution`"),
    ("exercise_parts", CHAPTER, "**Marking guide.**", "Marking guide.", "open question"),
    ("exercise_parts", CHAPTER, "**Model answer.**", "Model answer.", "open question"),
    (
        "exercise_parts", CHAPTER, "```{solution-start} ex-good-chapter-1",
        "```{solution-start} ex-other-1", "no solution-start",
    ),
    ("exercise_gates", CHAPTER, "```{exercise-end}\n```\n", "", "expected"),
    ("exercise_gates", CHAPTER, ":class: dropdown", ":class: note", "dropdown"),
    ("exercise_gates", CHAPTER, ":label: sol-good-chapter-1", ":label: sol-1", "label"),
    ("exercise_gates", CHAPTER, "[hidden-test, remove-cell]", "[hidden-test]", "beside it"),
    ("exercise_gates", CHAPTER, ":tags: [remove-cell]", ":tags: [check]", "outside an exercise"),
    ("pages_exist", "_toc.yml", "file: glossary", "file: lost", "book/lost.md"),
    ("front_matter_markup", "book/intro.md", "This book", "{kbd}`This` book", "'kbd'"),
    ("front_matter_markup", "book/references.md", "{bibliography}", "{tabset}", "'tabset'"),
    ("citations", CHAPTER, "{cite:p}`toy2020regions`", "{cite:p}`toy2021`", "toy2021"),
    ("citations", CHAPTER, "{cite:p}`toy2020regions`", "here", "cited on no page"),
    ("terms", CHAPTER, "{term}`region`", "{term}`area`", "'area'"),
    ("terms", CHAPTER, "{term}`region`", "region", "used on no page"),
    ("glossary_order", "book/glossary.md", "\nbreakpoint\n", "\nslope\n", "before 'slope'"),
    ("glossary_order", "book/glossary.md", "{glossary}", "{note}", "no `glossary`"),
    ("only_toc_files", "_config.yml", "only_build_toc_files: true", "", "must be true"),
    ("no_external_resource", PAGE, "<p>", '<img src="https://example.org/a.png"><p>', "a.png"),
    ("no_external_resource", PAGE, "<p>", '<script src="//example.org/a.js"></script><p>', "a.js"),
    ("no_external_resource", PAGE, "<p>", "<style>@import 'http://example.org/a'</style><p>", "/a"),
    (
        "no_external_resource", PAGE, "<p>",
        '<link rel="preconnect" href="https://fonts.example.org"><p>', "fonts",
    ),
    ("no_external_resource", "_build/html/a.css", "a{}", "a{b: url(https://x.org/y)}", "x.org/y"),
    ("pages_built", PAGE, "word " * 30, "one", "2 words"),
    ("pages_light", PAGE, "word " * 30, "word " * 250_000, "bytes"),
    ("sidebar_titles", "_toc.yml", "title: A toy", f"title: {'A toy ' * 9}", "at most 34"),
    ("sidebar_titles", "_toc.yml", "title: A toy", "title: Glossary", "no other page"),
    ("keywords", TAXONOMY, "  good-chapter: [toy", "  lost: [toy", "called lost"),
    ("keywords", TAXONOMY, "  good-chapter: [toy", "  intro: [toy", "no keywords"),
    ("keywords", TAXONOMY, "images: [good-chapter]", "images: [lost]", "called lost"),
    ("keywords", TAXONOMY, "[toy, small network]", "[toy, Toy]", "twice"),
    ("outcomes_cover", OUTCOMES, "[1, 2]", "[1, 2, 3]", "good-chapter has no objective 3"),
    ("outcomes_cover", OUTCOMES, "[1, 2]", "[1]", "objective 2 of good-chapter stands below 0"),
    ("outcomes_cover", OUTCOMES, "[1, 2]", "[1, 2, 2]", "stands below 2"),
    ("needs_in_order", CHAPTER, "high school", "{doc}`good-chapter`, high school", "comes later"),
    ("needs_in_order", CHAPTER, "high school", "The later {doc}`good-chapter`.", "needs itself"),
    ("needs_in_order", CHAPTER, "high school", "{doc}`../glossary`.", "glossary, which is no"),
    ("syllabi_hold", SYLLABI, "[good-chapter]", "[lost]", "there is no lost"),
    ("syllabi_hold", SYLLABI, "[good-chapter]", "[]", "the chapter of ex-good-chapter-1 is not"),
    ("syllabi_hold", SYLLABI, "chapter-4]", "chapter-9]", "there is no ex-good-chapter-9"),
    ("syllabi_hold", SYLLABI, "chapter-4]", "chapter-1]", "ex-good-chapter-1 stands there twice"),
    ("syllabi_hold", SYLLABI, "[0, 1]", "[2, 4]", "0.2 hours; accepted: 2 to 4"),
    (
        "syllabi_hold", CHAPTER, "high school", "The later {doc}`good-chapter`.",
        "good-chapter needs toy-part/good-chapter, not read before",
    ),
    ("questions_serve", QUESTIONS, "Toy part", "Lost part", "'Lost part' is no part"),
    ("questions_serve", QUESTIONS, "short answer", "essay", "kind 'essay'"),
    ("questions_serve", QUESTIONS, "short answer", "numerical", "all of"),
    ("questions_serve", QUESTIONS, "chapter-2", "chapter-9", "no objective ('good-chapter', 9)"),
    ("questions_serve", QUESTIONS, "value: 2", "value: 3", "found '1 + 1', 3"),
    ("heads", PAGE, "<head>", '<head><meta name="viewport">', "2 tags 'viewport'"),
    ("heads", PAGE, 'name="description"', 'name="about"', "0 tags 'description'"),
    ("heads", PAGE, "toy-part/good-chapter is about", "x", "short"),
    ("heads", PAGE, "toy-part/good-chapter is about", "intro is about", "another page's"),
    ("heads", PAGE, "card.png", "lost.png", "'lost.png'"),
    ("maths_loaded", PAGE, "<p>", '<script src="mathjax/a.js"></script><p>', "formulas: False"),
    ("maths_loaded", PAGE, "<p>", '<p class="math x">', "loads MathJax: False"),
    ("answers_collected", ANSWERS, "benign", "malignant", "python -m tools.answers"),
    ("verdicts_collected", VERDICTS, '"2"', '"3"', "good-chapter is not what the page says"),
    ("verdicts_collected", VERDICTS, "good-chapter", "lost-chapter", "lost-chapter is not"),
    ("verdicts_collected", TAXONOMY, "{regions}", "{pieces}", "python -m tools.answers"),
]  # fmt: skip


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the good checkout, with pages that look built."""
    root = tmp_path / "repo"
    shutil.copytree(FIXTURE, root)
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    (root / "_build" / "html" / "toy-part").mkdir(parents=True)
    (root / ".gitignore").write_text("_build\n", encoding="utf-8")
    for name in Book(root).toc:
        page = f"<html><head>{HEAD.format(name=name)}</head><article><p>{'word ' * 30}"
        page += '<a href="https://x.org">x</a></article></html>'
        (root / "_build" / "html" / f"{name}.html").write_text(page, encoding="utf-8")
    (root / "_build" / "html" / "a.css").write_text("a{}", encoding="utf-8")
    (root / "_build" / "html" / "_static").mkdir()
    (root / "_build" / "html" / "_static" / "card.png").touch()
    executed = root / "_build" / "executed" / "good-chapter.ipynb"
    executed.parent.mkdir()
    outputs = [{"metadata": {"xai_course": SAID}}, {"output_type": "stream"}]
    for name, value in GLUED.items():
        about = {"scrapbook": {"name": name, "mime_prefix": "a/"}}
        outputs.append({"metadata": about, "data": {"a/text/plain": repr(value)}})
    executed.write_text(json.dumps({"cells": [{"source": "text"}, {"outputs": outputs}]}))
    return root


def apply(name: str, root: Path) -> list[str]:
    """Apply the rule of this name to every chapter, or to the book."""
    rule: Callable[..., list[str]] = getattr(rules, name)
    book = Book(root)
    if rule in rules.CHAPTER_RULES:
        return [problem for chapter in book.chapters for problem in rule(book, chapter)]
    return rule(book)


ALL_RULES = [one.__name__ for one in (*rules.CHAPTER_RULES, *rules.BOOK_RULES, *rules.BUILT_RULES)]


@pytest.mark.parametrize("name", ALL_RULES)
def test_good_book_passes(name: str, checkout: Path) -> None:
    assert apply(name, checkout) == []


@pytest.mark.parametrize(
    ("name", "file", "old", "new", "piece"),
    BROKEN,
    ids=[f"{r[0]}-{n}" for n, r in enumerate(BROKEN)],
)
def test_broken_book_is_caught(
    name: str, file: str, old: str | tuple[str, str], new: str, piece: str, checkout: Path
) -> None:
    path = checkout / file
    text = path.read_text(encoding="utf-8")
    if isinstance(old, tuple):  # everything from the first piece to the second
        start = text.index(old[0])
        old = text[start : text.index(old[1], start)]
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    problems = apply(name, checkout)
    assert any(piece in problem for problem in problems), problems


def test_two_kinds_are_no_mix(checkout: Path) -> None:
    path = checkout / CHAPTER
    text = path.read_text(encoding="utf-8").replace("*critique", "*code")
    path.write_text(text.replace("*interpret", "*code"), encoding="utf-8")
    assert "kinds" in apply("exercise_mix", checkout)[0]


@pytest.mark.parametrize("name", ["02-good-chapter", "Good", "good_chapter"])
def test_bad_slug_is_caught(name: str, checkout: Path) -> None:
    (checkout / CHAPTER).rename(checkout / "book" / "toy-part" / f"{name}.md")
    toc = checkout / "_toc.yml"
    toc.write_text(toc.read_text(encoding="utf-8").replace("good-chapter", name), encoding="utf-8")
    assert "no slug" in apply("slug", checkout)[0]


def test_same_slug_twice_is_caught(checkout: Path) -> None:
    shutil.copy(checkout / CHAPTER, checkout / "book" / "good-chapter.md")
    toc = checkout / "_toc.yml"
    text = toc.read_text(encoding="utf-8").replace("file: glossary", "file: good-chapter")
    toc.write_text(text, encoding="utf-8")
    assert "not unique" in apply("slug", checkout)[0]


@pytest.mark.parametrize(("name", "size"), [("a.ipynb", 2), ("big.bin", 5_000_001)])
def test_files_that_git_must_not_hold(name: str, size: int, checkout: Path) -> None:
    (checkout / name).write_bytes(b"0" * size)
    assert name in apply("tracked_files", checkout)[0]


def test_missing_built_page_is_caught(checkout: Path) -> None:
    (checkout / PAGE).unlink()
    assert "is missing" in apply("pages_built", checkout)[0]


def test_an_answer_that_no_page_gives_is_caught(checkout: Path) -> None:
    shutil.copy(checkout / ANSWERS, checkout / "book" / "answers" / "lost.json")
    assert "lost.json" in apply("answers_collected", checkout)[0]


def test_picture_counts_for_its_page(checkout: Path) -> None:
    images = checkout / "_build" / "html" / "_images"
    images.mkdir()
    (images / "a.png").write_bytes(b"0" * 1_100_000)
    page = checkout / PAGE
    text = page.read_text(encoding="utf-8").replace("<p>", '<img src="../_images/a.png"><p>')
    page.write_text(text, encoding="utf-8")
    assert "bytes" in apply("pages_light", checkout)[0]


@pytest.mark.parametrize("edited", [False, True])
def test_execution_decides_what_draws(edited: bool, checkout: Path) -> None:
    """A picture of a call that no list names is found, unless the source changed since."""
    book = Book(checkout)
    chapter = book.chapters[0]
    notebook = {"cells": []}
    for cell in chapter.cells:
        outputs = [{"data": {"image/png": "AAAA"}}] if "assert_allclose" in cell.source else []
        source = cell.source + "\n# edited" * edited
        notebook["cells"].append({"cell_type": "code", "source": source, "outputs": outputs})
    _write_executed(checkout, notebook["cells"])
    problems = rules.figure_metadata(book, chapter)
    assert bool(problems) is not edited


def _write_executed(checkout: Path, cells: list[dict[str, Any]]) -> None:
    path = checkout / "_build" / "executed" / "toy-part" / "good-chapter.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")


@pytest.mark.parametrize("n_tables", [0, 1, 2])
def test_one_table_a_cell(n_tables: int, checkout: Path) -> None:
    book = Book(checkout)
    chapter = book.chapters[0]
    shown = [{"data": {"text/html": ["<table></table>"]}}] * n_tables
    cells = [
        {"cell_type": "code", "source": c.source, "outputs": shown if c.table else []}
        for c in chapter.cells
    ]
    _write_executed(checkout, cells)
    problems = rules.table_metadata(book, chapter)
    assert bool(problems) is (n_tables != 1)


def test_every_rule_has_a_mutation() -> None:
    elsewhere = {"slug", "tracked_files"}
    assert set(ALL_RULES) == {row[0] for row in BROKEN} | elsewhere
