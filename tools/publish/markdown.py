"""The book's own Markdown parser, which also remembers where roles and links stand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from docutils.parsers.rst import Directive as DocutilsDirective
from docutils.parsers.rst.directives import unchanged
from markdown_it.renderer import RendererHTML
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.image import image
from markdown_it.rules_inline.link import link
from markdown_it.token import Token
from mdit_py_plugins.myst_role.index import myst_role
from myst_parser.parsers.directives import parse_directive_text
from myst_parser.parsers.mdit import create_md_parser

from tools.chapters import MYST

Rule = Callable[[StateInline, bool], bool]


def _remember(rule: Rule, kind: str) -> Rule:
    """Make an inline rule note the slice of the text that may have to be replaced."""

    def remembering(state: StateInline, silent: bool) -> bool:
        start, count = state.pos, len(state.tokens)
        if not rule(state, silent):
            return False
        if not silent:
            token = next(token for token in state.tokens[count:] if token.type == kind)
            target = start
            if kind != "myst_role":  # the part after [text] is what a link may have to change
                bracket = state.src.index("[", start)
                target = state.md.helpers.parseLinkLabel(state, bracket) + 1
            token.meta = {**token.meta, "span": (target, state.pos)}
        return True

    return remembering


PARSER = create_md_parser(MYST, RendererHTML)
PARSER.inline.ruler.at("myst_role", _remember(myst_role, "myst_role"))
PARSER.inline.ruler.at("link", _remember(link, "link_open"))
PARSER.inline.ruler.at("image", _remember(image, "image"))


def is_directive(token: Token) -> bool:
    """Tell whether a block token is a directive, with either kind of fence."""
    return token.type in ("fence", "colon_fence") and token.info.strip().startswith("{")


@dataclass(frozen=True)
class Directive:
    """One directive of the source: its name, title, options and body, and where it stands."""

    name: str
    argument: str
    options: dict[str, str]
    body: str
    line: int
    body_line: int


def read_directive(
    token: Token, line: int, options: frozenset[str], *, titled: bool
) -> tuple[Directive, list[str]]:
    """Read a directive as MyST reads it.

    Parameters
    ----------
    token
        The fence.
    line
        Line of the fence in its file.
    options
        The options that the directive may have.
    titled
        Whether the first line holds an argument, rather than the start of the body.

    Returns
    -------
    directive : Directive
    problems : list of str
        What MyST would warn about, such as an unknown option.
    """

    class Shape(DocutilsDirective):
        optional_arguments = int(titled)
        final_argument_whitespace = True
        has_content = True
        option_spec = dict.fromkeys(options | {"no-such-option"}, unchanged)

    name, argument = directive_name(token)
    parsed = parse_directive_text(Shape, argument, token.content, line=line)
    directive = Directive(
        name=name,
        argument=" ".join(parsed.arguments).strip(),
        options=parsed.options,
        body="\n".join(parsed.body),
        line=line,
        body_line=line + 1 + parsed.body_offset - int(not titled and bool(argument.strip())),
    )
    return directive, [warning.msg for warning in parsed.warnings]


def directive_name(token: Token) -> tuple[str, str]:
    """Split the first line of a directive into its name and the rest."""
    name, _, rest = token.info.strip()[1:].partition("}")
    return name, rest.strip()
