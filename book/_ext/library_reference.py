"""The part *Library*: entries made from the docstrings, and links between them and the chapters.

The directive `api` takes full names, one a line, and writes a table of what they are and below it
one entry each. In a docstring, a name in single backticks becomes a link to its entry, and a
chapter that is named there a link to the chapter. On a page of the book, the first words in code
type that certainly mean a public name become a link to its entry, and so does its first use in the
page's code.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_refnode

from tools import library
from tools.chapters import BOOK, is_chapter, slug_of

NAME = "api-name"  # the class of a name in single backticks
UNLINKED = (nodes.reference, nodes.title, nodes.term)  # no further link stands in these
AFTER_REFERENCES = 160
BEFORE_NAPOLEON = 400  # which rewrites the sections
Place = tuple[str, str]  # a page and an anchor
# How Pygments writes a dotted name.
DOT = '<span class="o">.</span>'
DOTTED = re.compile(
    rf'<span class="n[a-z]?">\w+</span>(?:{re.escape(DOT)}<span class="n[a-z]?">\w+</span>)*'
)
TAG = re.compile("<[^>]+>")


class Api(SphinxDirective):
    """A table of names and their entries."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Write both as reStructuredText, which autodoc needs, and have it read."""
        names = [line.strip() for line in self.content if line.strip()]
        lines = ["````{eval-rst}", *_table(names)]
        for name in names:
            lines += ["", *_entry(name)]
        box = nodes.container()
        self.state.nested_parse(StringList([*lines, "````"], self.env.docname), 0, box)
        return box.children


def _table(names: list[str]) -> list[str]:
    rows = [("name", "what it is", "chapter")]
    for name in names:
        if not inspect.ismodule(library.find(name)):
            chapters, _ = library.taught(name)
            first = library.first_sentence(library.described(name))
            rows.append((f":py:obj:`~{name}`", first, ", ".join(map(_link, chapters))))
    if len(rows) == 1:
        return []
    lines = [".. list-table::", "   :header-rows: 1", "   :class: api-table"]
    for row in rows:
        lines += ["", *(f"   {'* -' if k == 0 else '  -'} {one}" for k, one in enumerate(row))]
    return lines


def _entry(name: str) -> list[str]:
    value = library.find(name)
    options: list[str] = []
    if inspect.isclass(value):
        kind = "exception" if issubclass(value, Exception) else "class"
        options = ["members", "inherited-members"] + ["show-inheritance"] * bool(_bases(value))
    elif inspect.ismodule(value):
        kind, options = "module", ["no-index"]
    elif inspect.isroutine(value):
        kind = "function"
    else:
        kind, options = "data", ["no-value"]
    return [f".. auto{kind}:: {name}", *(f"   :{option}:" for option in options)]


def _bases(value: Any) -> list[Any]:
    """Return what a class is made of, as far as a reader can know it."""
    known: list[Any] = []
    for base in vars(value).get("__orig_bases__", value.__bases__):
        name = f"{base.__module__}.{getattr(base, '__name__', '')}"
        inner = name.startswith(library.LIBRARY) and name not in library.public_names()
        known += _bases(base) if inner else [base] * (base is not object)
    return list(dict.fromkeys(known))


def show_bases(app: Sphinx, name: str, value: Any, options: Any, bases: list[Any]) -> None:
    """Name no class that has no entry of its own."""
    bases[:] = _bases(value)


def _link(slug: str) -> str:
    pages = {slug_of(page): page for page in BOOK.toc if is_chapter(page)}
    return f":doc:`/{pages[slug]}`" if slug in pages else f"*{slug}*"


def link_chapters(
    app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]
) -> None:
    """Make a link of each chapter that a docstring names; add what it leaves to its module."""
    if what == "data":  # autodoc would show what Python says about any dictionary
        lines[:] = library.described(name).split("\n")
    if name in library.public_names() and (added := library.inherited(name)):
        end = lines.index("") if "" in lines else len(lines)
        lines[end:end] = ["", added]
    if what in {"data", "attribute", "property"}:
        # Else napoleon takes what stands before a colon for a type; it skips an empty line, but not
        # an empty comment.
        lines[:0] = ["..", ""]
    text = library.CHAPTERS.sub(
        lambda found: library.A_SLUG.sub(lambda one: _link(one[0].strip("*")), found[0]),
        "\n".join(lines),
    )
    lines[:] = text.split("\n")


def keep_contents_short(
    app: Sphinx, domain: str, kind: str, content: addnodes.desc_content
) -> None:
    """List no members in a page's contents; every page of the book would be built slower, too."""
    if content.parent[0].get("class"):
        content.parent["no-contents-entry"] = True


def skip_member(
    app: Sphinx, what: str, name: str, value: Any, skip: bool, options: Any
) -> bool | None:
    """Leave out members that another library gave a class, or that have an entry elsewhere."""
    if what not in {"class", "exception"}:
        return None
    inside = getattr(value, "fget", None) or getattr(value, "func", None) or value
    module = str(getattr(inside, "__module__", None))
    owner = f"{module}.{getattr(inside, '__qualname__', '').rpartition('.')[0]}"
    now = app.env.temp_data
    shown = f"{now['autodoc:module']}.{now['autodoc:class']}"
    names = library.public_names()
    elsewhere = owner in names and names[owner] != names.get(shown)
    return True if elsewhere or not module.startswith(library.LIBRARY) else None


def name_role(
    name: str, rawtext: str, text: str, *arguments: Any, **options: Any
) -> tuple[list[nodes.Node], list[nodes.system_message]]:
    """Show what a docstring has in single backticks as code, and mark it as a name."""
    return [nodes.literal(rawtext, text, classes=[NAME])], []


class LinkNames(SphinxPostTransform):
    """Turn names in code type into links to their entries."""

    default_priority = AFTER_REFERENCES
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """Link each name at its first use; where a docstring means it as a name, at each."""
        names = _names(self.env)
        meanings = _meanings(self.document)
        seen = set()
        for literal in list(self.document.findall(nodes.literal)):
            meant = NAME in literal["classes"]
            around = meanings | _scope(literal, names) if meant else meanings
            place = names.find(literal.astext(), around, bare=meant)
            known = place in seen and not meant
            if place is None or known or _stands_in(literal, place):
                continue
            if not meant:
                seen.add(place)
            shown = literal.deepcopy()
            link = make_refnode(self.app.builder, self.env.docname, *place, shown)
            literal.replace_self(link)


def _names(env: BuildEnvironment) -> library.Names:
    return env.library_names  # type: ignore[attr-defined]


def _meanings(document: nodes.document) -> dict[str, str]:
    blocks = document.findall(nodes.literal_block)
    return library.meanings_of(block.astext() for block in blocks)


def _above(node: nodes.Node) -> Iterator[nodes.Node]:
    while (node := node.parent) is not None:
        yield node


def _stands_in(literal: nodes.literal, place: Place) -> bool:
    """Whether no link may stand here, or only one to the very entry."""
    return any(
        isinstance(node, UNLINKED)
        or (isinstance(node, addnodes.desc) and place[1] in node[0]["ids"])
        for node in _above(literal)
    )


def _scope(literal: nodes.literal, names: library.Names) -> dict[str, str]:
    """Return what names mean in a docstring: parameters nothing, members and neighbours first."""
    first = literal.astext().partition(".")[0]
    for node in _above(literal):
        if isinstance(node, addnodes.desc):
            signature = node[0]
            if first in {one.astext() for one in signature.findall(addnodes.desc_sig_name)}:
                return {first: ""}
            for owner in (signature["fullname"], signature["class"]):
                full = f"{signature['module']}.{owner}.{first}"
                if full in names.places:
                    return {first: full}
            if (full := f"{signature['module']}.{first}") in names.places:
                return {first: full}
    return {}


def link_code(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: nodes.document
) -> None:
    """Make the first use of each name in a page's code a link, too."""
    if doctree is None:  # the search page and the index
        return
    waiting = _names(app.env).spoken(_meanings(doctree))

    def linked(found: re.Match[str]) -> str:
        words = TAG.sub("", found[0])
        if found.string.endswith(DOT, 0, found.start()) or words not in waiting:
            return found[0]
        page, anchor = waiting.pop(words)
        address = f"{app.builder.get_relative_uri(pagename, page)}#{anchor}"
        return f'<a class="{NAME}" href="{address}">{found[0]}</a>'

    context["body"] = DOTTED.sub(linked, context["body"])


def collect_names(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Collect what has an entry; have all pages written where entries came or went."""
    objects = env.get_domain("py").objects  # type: ignore[attr-defined]
    places = {name: (one.docname, one.node_id) for name, one in objects.items()}
    values = {name for name, one in objects.items() if one.objtype in {"property", "attribute"}}
    before = getattr(env, "library_names", None)
    env.library_names = library.Names(places, values)  # type: ignore[attr-defined]
    return [] if before is None or before.places == places else list(env.found_docs)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive, the role of single backticks, and what makes the links."""
    app.add_directive("api", Api)
    app.add_role(NAME, name_role)
    app.connect("autodoc-process-docstring", link_chapters, priority=BEFORE_NAPOLEON)
    app.connect("autodoc-process-bases", show_bases)
    app.connect("autodoc-skip-member", skip_member)
    app.connect("html-page-context", link_code)
    app.connect("object-description-transform", keep_contents_short)
    app.connect("env-updated", collect_names)
    app.add_post_transform(LinkNames)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
