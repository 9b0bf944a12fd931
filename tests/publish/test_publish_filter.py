"""The filter translates every directive and role, keeps the rest, and never guesses."""

from __future__ import annotations

import re

import pytest
from small_book import read

from tools.chapters import slug_of
from tools.publish.errors import PublishError, SourceError
from tools.publish.markdown import PARSER, is_directive

PAGE = "https://xai-course.github.io/xai-course/latest/part/small-chapter.html"


@pytest.fixture(scope="module")
def reader(published):
    return read(published / "reader/small-chapter.ipynb")


@pytest.fixture(scope="module")
def prose(reader):
    return "\n\n".join(cell.source for cell in reader.cells if cell.cell_type == "markdown")


@pytest.mark.parametrize(
    "expected",
    [
        # blocks
        "> **At a glance.**\n>\n> - **Objectives** 1. Count.",
        "> > A quotation, ([Ribeiro et al., 2016](https://doi.org/10.1145/2939672.2939778)).",
        "> **Note.** A note with [Ribeiro et al. (2016)](https://doi.org/10.1145/2939672.2939778).",
        "> > **Tip.** A tip inside a note.",
        "> <details><summary>What <strong>breaks</strong> for $x_1 &lt; x_2$</summary>",
        "> **Important.** Colon fences count too.",
        "<details><summary>Hint 1</summary>\n\nDraw the line.\n\n</details>",
        "$$\ny = a x + b\n\\tag{1.1}$$",
        "$$\n\\begin{aligned}\na &= b \\\\\nc &= d\n\\end{aligned} \\tag{1.2}\n$$",
        "$$ z = 1 $$",
        "![A black square.](https://xai-course.github.io/xai-course/latest/_images/square.svg)\n\n"
        "*Fig. 1.1. A square, after [Ribeiro et al. (2016)]",
        "*Table 1.1. A small table of [regions]",
        "| second |  |",
        "| Name | Value \\| unit |\n| --- | --- |\n| first | [(1.1)]",
        "*Table 1.2. A table of few lines*\n\n| $x$ | why |\n|---|---|\n| 1 | [(1.1)]",
        f"*Fig. 1.2. A straight line, as in [(1.1)]({PAGE}#equation-eq-line).*",
        '<a id="ex-small-chapter-1"></a>**Exercise small-chapter-1. Count the regions**',
        "- Marco Tulio Ribeiro, Sameer Singh, and Carlos Guestrin.",
        # roles
        "and [regions](https://xai-course.github.io/xai-course/latest/glossary.html#term-activation-region)",
        f"see [A small chapter]({PAGE}#small-chapter), [the top]({PAGE}#small-chapter)",
        "[the glossary](https://xai-course.github.io/xai-course/latest/glossary.html)",
        f"[Fig. 1.2]({PAGE}#fig-line), [picture 1.1]({PAGE}#fig-square)",
        f"[Table 1.1]({PAGE}#tab-small) and [(1.1)]({PAGE}#equation-eq-line)",
        "hand $a < b$.",
        "; [Sudjianto and Müller, 2020](https://arxiv.org/abs/2011.04041)) agree",
        "mean is 1.23 of 7.",
        "[the time on the status page](https://xai-course.github.io/xai-course/latest/status.html)",
        f"[the first exercise]({PAGE}#ex-small-chapter-1)",
        # kept byte for byte
        "*emphasis*, a `` {ref}`code span` ``,",
        "A [link](https://example.org/a_b), [a page](https://xai-course.github.io",
        "```python\n# A plain fence with {ref}`nothing` in it stays as it is.\n:::{note}\n```",
        "  over two lines [Ribeiro et al. (2016)]",
    ],
)
def test_translation(prose, expected):
    assert expected in prose


def test_only_cited_works_are_listed(prose):
    assert "Unwrapping the black box" in prose
    assert "Never cited" not in prose


def test_dropped(prose):
    for text in ("authors only", "(small-chapter)=", ":filter:", "exercise-end", ":label:"):
        assert text not in prose


def test_guards_are_dropped_and_tags_kept(reader):
    code = [cell for cell in reader.cells if cell.cell_type == "code"]
    assert not any("glue(" in cell.source or "a guard" in cell.source for cell in code)
    assert next(cell.metadata.tags for cell in code if "tags" in cell.metadata) == ["exercise"]
    (plot,) = [cell for cell in code if "plt.plot" in cell.source]
    assert plot.metadata.mystnb.image.alt == "A line that rises from left to right."


def survivors(markdown: str) -> list[str]:
    """Return everything in a text that only MyST understands, as the book's own parser sees it."""
    found = []
    for token in PARSER.parse(markdown):
        if is_directive(token) or token.type.startswith(("myst_", "colon_", "math_block_label")):
            found.append(token.type)
        for child in token.children or []:
            if child.type.startswith("math_"):
                continue  # a formula may end in braces
            if child.type == "myst_role" or re.search(r"```\{|:::|\{[a-z:]+\}$", child.content):
                found.append(child.content)
    return found


def test_the_search_for_survivors_can_find_some():
    for text in ("```{note}\n```", ":::{tip}\n:::", "{cite:t}`a`", "(a)=", "$$\na\n$$ (b)"):
        assert survivors(text), text
    assert not survivors(r"A formula, $\binom{n+d}{d}$, and `code`.")


def test_no_directive_survives(any_book):
    _, folder = any_book
    for path in folder.rglob("*.ipynb"):
        for cell in read(path).cells:
            if cell.cell_type == "markdown":
                assert not survivors(cell.source), f"{path}: {cell.source}"
            assert not re.search(r"\{[a-z:]+\}`", str(cell.metadata))


def test_heading_levels(any_book):
    project, folder = any_book
    for docname in project.chapters:
        source = project.source(docname).read_text("utf-8")
        expected = [t.tag for t in PARSER.parse(source) if t.type == "heading_open"]
        cells = read(folder / "reader" / f"{slug_of(docname)}.ipynb").cells
        texts = (cell.source for cell in cells if cell.cell_type == "markdown")
        found = [t.tag for text in texts for t in PARSER.parse(text) if t.type == "heading_open"]
        assert found == expected


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("```{note}", "```{mermaid}", "'mermaid'"),
        (":::{important}", ":::{seealso}", "'seealso'"),
        ("{math}`a < b`", "{kbd}`a`", "'kbd'"),
        ("{math}`a < b`", "{ref}`no-such-label`", "'no-such-label'"),
        ("{math}`a < b`", "{cite:t}`nobody1900`", "'nobody1900'"),
        ("{math}`a < b`", "{term}`no such term`", "'no such term'"),
        ("{math}`a < b`", "{eq}`no-such-equation`", "'no-such-equation'"),
        ("{math}`a < b`", "{doc}`no-such-page`", "'part/no-such-page'"),
        ("{math}`a < b`", "{numref}`small-chapter`", "'small-chapter'"),
        ("{glue:text}`mean:.2f`", "{glue:text}`median:.2f`", "'median'"),
        ("{glue:text}`mean:.2f`", "{glue:text}`mean:.2q`", "'mean'"),
        ("(/glossary.md)", "(/nowhere.md)", "'nowhere'"),
        ("/_static/square.svg", "/_static/circle.svg", "circle.svg"),
        (":width: 50%", ":breadth: 50%", "breadth"),
        (":alt: A black square.\n", "", "alt"),
        ("> A quotation, ", "> A footnote[^1]\n>\n> [^1]: here", "footnote"),
        ("Hint 1\nDraw", "Hint {ref}`small-chapter`\nDraw", "fence"),
        ("- A list with {eq}`eq-aligned`", "- ```{note}\n  Deep.\n  ```", "list"),
        ("objectives 1 and 2*", "whatever*", "must begin with a line"),
        (":label: ex-small-chapter-2", ":label: ex-2", "ex-small-chapter-<n>"),
        ("<https://example.org>", "<div>\n\n<div>", "html"),
    ],
)
def test_what_is_unknown_is_an_error_with_its_place(edit, old, new, message):
    with pytest.raises(SourceError, match=re.escape(message)) as error:
        edit(old, new)
    assert re.match(r"book/part/small-chapter\.md:\d+: ", str(error.value))


def test_the_line_of_an_error(edit, damaged):
    with pytest.raises(SourceError) as error:
        edit("A tip inside a note.", "A tip {kbd}`x`.")
    line = int(str(error.value).split(":")[1])
    lines = (damaged / "book/part/small-chapter.md").read_text("utf-8").split("\n")
    assert "{kbd}" in lines[line - 1]


def test_a_chapter_newer_than_the_build_is_an_error(edit):
    with pytest.raises(PublishError, match="changed since it was executed"):
        edit("_ = plt.plot([0, 1])", "_ = plt.plot([0, 2])")


def test_a_hidden_test_outside_a_solution_is_an_error(edit):
    gate = "```{solution-end}\n```\n\n```{exercise-start} Explain"
    with pytest.raises(SourceError, match="before the last one ended"):
        edit(gate, "```{exercise-start} Explain")


def test_a_name_that_only_a_dropped_cell_defines_is_an_error(edit):
    shown, dropped = (
        "```{code-cell} ipython3\nimport",
        "```{code-cell} ipython3\n:tags: [remove-cell]\nimport",
    )
    with pytest.raises(
        SourceError, match=r"small-chapter\.md:\d+: .*'plt', which the cell of line"
    ):
        edit(shown, dropped)
