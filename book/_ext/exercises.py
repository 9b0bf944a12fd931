"""Exercises with numbers and real headings, solutions that fold by the browser's own means.

sphinx-exercise titles an exercise with a paragraph and a solution with a link, and a script folds
it behind a button without a name. Here exercise 3.2 has a heading, and its solution is a
``details`` element whose line says which exercise it solves.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator
from sphinx_exercise.nodes import exercise_node, solution_node

LAST = 900  # after sphinx-exercise has put the titles together


class title_line(nodes.Element):
    """The first line of an exercise or of a solution, as the element ``tag``."""


def title_exercises(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Give the exercises and solutions of one page their titles."""
    titles: dict[str, list[nodes.Node]] = {}
    for exercise in doctree.findall(exercise_node):
        label = exercise["label"]
        titles[label] = [nodes.Text(f"{_number(app, label)}: "), *_given_title(exercise[0])]
        depth = sum(isinstance(one, nodes.section) for one in _ancestors(exercise))
        exercise[0] = _line(f"h{min(depth, 5) + 1}", "Exercise ", titles[label])
    for solution in doctree.findall(solution_node):
        # The browser's folding needs no script.
        solution["classes"] = [one for one in solution["classes"] if one != "dropdown"]
        solution[0] = _line("summary", "Solution of exercise ", titles[solution["target_label"]])
    for one in [*doctree.findall(exercise_node), *doctree.findall(solution_node)]:
        for part in one.findall(nodes.section):
            part["ids"] = []  # sphinx-exercise calls the text of every exercise alike
    for link in doctree.findall(nodes.reference):
        label = link.get("refid") or link.get("refuri", "").rpartition("#")[2]
        if label in app.env.sphinx_exercise_registry and link.astext().startswith("Exercise ("):
            text = link.astext().replace("Exercise", f"Exercise {_number(app, label)}", 1)
            link[0].replace_self(nodes.inline(text=text))


def _number(app: Sphinx, label: str) -> str:
    """Return an exercise's number as the page has it: its chapter's, and the one of its label."""
    page = app.env.sphinx_exercise_registry[label]["docname"]
    chapter = app.env.toc_secnumbers.get(page, {}).get("", ())
    return ".".join(map(str, [*chapter[:1], label.rpartition("-")[2]]))


def _given_title(title: nodes.Element) -> list[nodes.Node]:
    """Return what stands between the brackets of ``Exercise (Count the regions)``."""
    return [one for one in title.children if one.astext() not in {"Exercise", " (", ")"}]


def _ancestors(node: nodes.Node) -> list[nodes.Node]:
    return [] if node.parent is None else [node.parent, *_ancestors(node.parent)]


def _line(tag: str, what: str, title: list[nodes.Node]) -> title_line:
    children = [nodes.Text(what), *(one.deepcopy() for one in title)]
    return title_line("", *children, tag=tag, classes=["admonition-title"])


def visit_line(self: HTML5Translator, node: nodes.Element) -> None:
    """Open a heading or a summary."""
    self.body.append(self.starttag(node, node["tag"], ""))


def depart_line(self: HTML5Translator, node: nodes.Element) -> None:
    """Close it."""
    self.body.append(f"</{node['tag']}>\n")


def visit_solution(self: HTML5Translator, node: nodes.Element) -> None:
    """Open what the browser folds."""
    self.body.append(self.starttag(node, "details", CLASS="admonition"))


def depart_solution(self: HTML5Translator, node: nodes.Element) -> None:
    """Close it."""
    self.body.append("</details>\n")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the titles."""
    app.setup_extension("sphinx_exercise")
    app.add_node(title_line, html=(visit_line, depart_line))
    app.add_node(solution_node, override=True, html=(visit_solution, depart_solution))
    app.connect("doctree-resolved", title_exercises, priority=LAST)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
