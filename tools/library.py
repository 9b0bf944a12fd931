"""The library's public names, what their docstrings say, and how a page's words find them.

`book/_ext/library.py` writes the book's part *Library* with it, and the tests ask it whether a name
is missing there.
"""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import pkgutil
import re
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from types import ModuleType
from typing import Any

LIBRARY = "xai_course"
BACKSTAGE = f"{LIBRARY}.book"  # its modules serve pages; a reader needs its own names only
SLUG = r"\*[a-z][a-z0-9-]*\*"
# The sentence with which a docstring names the chapters that teach it, or says why none does.
EXPLAINED = re.compile(rf"Explained in the chapters? (?P<slugs>{SLUG}(?:(?:,| and) {SLUG})*)[.,]")
NOT_TAUGHT = re.compile(r"Not taught: (?P<reason>[^.]{10,}\.)")
SOURCE = re.compile(r"Source: .+?\.(?= [A-Z]|$)")
YEAR = re.compile(r"\b(19|20)\d\d\b")
# Any chapter that a docstring names, also where a line ends within the list.
CHAPTERS = re.compile(rf"(?<=\bchapter\s){SLUG}|(?<=\bchapters\s){SLUG}(?:(?:,| and)\s{SLUG})*")
A_SLUG = re.compile(SLUG)
CALL = re.compile(r"(?P<name>[A-Za-z_][\w.]*)(\(.*\))?", re.DOTALL)


# The library


def modules() -> Iterator[ModuleType]:
    """Import and give every public module."""
    library = importlib.import_module(LIBRARY)
    yield library
    for found in pkgutil.walk_packages(library.__path__, f"{LIBRARY}."):
        backstage = found.name.startswith(f"{BACKSTAGE}.")
        if not backstage and not any(p.startswith("_") for p in found.name.split(".")):
            yield importlib.import_module(found.name)


@lru_cache(maxsize=1)
def public_names() -> dict[str, str]:
    """Return each name of each public ``__all__``, with the shortest name of the same object."""
    names = [f"{module.__name__}.{name}" for module in modules() for name in _listed(module)]
    shortest: dict[tuple[str, int], str] = {}
    for name in sorted(names, key=lambda name: name.count(".")):
        shortest.setdefault(_same(name), name)
    return {name: shortest[_same(name)] for name in names}


def _listed(module: ModuleType) -> list[str]:
    return [name for name in getattr(module, "__all__", []) if not name.startswith("__")]


def _same(name: str) -> tuple[str, int]:
    """Return a key that an object has under all its names; equal constants stay apart."""
    value = find(name)
    return ("", id(value)) if hasattr(value, "__module__") else (name.rpartition(".")[2], id(value))


def find(name: str) -> Any:
    """Return the object of a full name."""
    module, _, last = name.rpartition(".")
    return getattr(importlib.import_module(module), last)


def home(name: str) -> str:
    """Return the module that defines an object of the library."""
    inside = getattr(find(name), "__module__", "")
    return inside if inside.startswith(LIBRARY) else name.rpartition(".")[0]


def described(name: str) -> str:
    """Return the docstring of an object, or the comment ``#:`` above a constant."""
    value = find(name)
    if inspect.isclass(value) or inspect.isroutine(value):
        return inspect.getdoc(value) or ""
    return _comment(importlib.import_module(name.rpartition(".")[0]), name.rpartition(".")[2])


def _comment(module: ModuleType, constant: str) -> str:
    """Return the comment above a constant, where it is assigned or where it is imported from."""
    source = inspect.getsource(module)
    for node in ast.parse(source).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(one, ast.Name) and one.id == constant for one in targets):
            above = source.splitlines()[: node.lineno - 1]
            lines = []
            while above and above[-1].startswith("#:"):
                lines.insert(0, above.pop()[2:].strip())
            return "\n".join(lines)
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                if constant == (alias.asname or alias.name):
                    return _comment(importlib.import_module(node.module), alias.name)
    return ""


# What a docstring says


def first_sentence(text: str) -> str:
    """Return the line that says what a thing is, or does."""
    paragraph = " ".join(text.strip().split("\n\n")[0].split())
    return re.split(r"(?<=[.!?]) (?=[A-Z`*])", paragraph)[0]


def taught(name: str) -> tuple[list[str], str]:
    """Return the slugs of the chapters that explain a name, or why none does.

    The name's own docstring is asked first, then that of its module, then those of its packages.
    """
    for text in (described(name), *_above(name)):
        flat = " ".join(text.split())
        if match := EXPLAINED.search(flat):
            return slugs(match["slugs"]), ""
        if match := NOT_TAUGHT.search(flat):
            return [], match["reason"]
    return [], ""


def _above(name: str) -> Iterator[str]:
    """Give the docstrings of a name's module and of the packages around it."""
    module = home(name)
    if any(part.startswith("_") for part in module.split(".")):
        module = name.rpartition(".")[0]
    parts = module.split(".")
    for n in range(len(parts), 1, -1):
        yield inspect.getdoc(importlib.import_module(".".join(parts[:n]))) or ""


def inherited(name: str) -> str:
    """Return what a docstring leaves to its module: the source, and the chapters."""
    own = " ".join(described(name).split())
    above = (SOURCE.search(" ".join(text.split())) for text in _above(name))
    sources = [] if YEAR.search(own) else [match[0] for match in above if match][:1]
    return " ".join([*sources, *([] if says(own) else [sentence(*taught(name))])])


def says(text: str) -> bool:
    """Tell whether a docstring names its chapters, or says why it has none."""
    return bool(EXPLAINED.search(text) or NOT_TAUGHT.search(text))


def sentence(chapters: list[str], reason: str) -> str:
    """Return the sentence that says it."""
    if not chapters:
        return f"Not taught: {reason}"
    *others, last = (f"*{slug}*" for slug in chapters)
    return f"Explained in the chapter{'s ' + ', '.join(others) + ' and' if others else ''} {last}."


def slugs(text: str) -> list[str]:
    """Return the slugs in a piece of a docstring."""
    return [slug.strip("*") for slug in A_SLUG.findall(text)]


# How words find a name


class Names:
    """Names that can be told apart by their last parts.

    Parameters
    ----------
    places : dict
        Full names, each with where it is described; two names of one place are one.
    values : collection of str
        Those that are no functions or classes: alone, a word may as well mean an argument.
    """

    def __init__(self, places: dict[str, Any], values: Collection[str] = ()) -> None:
        self.places = places
        self.ends: dict[str, set[Any]] = {}
        for name, place in places.items():
            parts = name.split(".")
            # `fit` alone may be a member of anything; `activation_pattern` is certain enough.
            vague = name in values or "_" not in parts[-1].strip("_")
            short = vague and name.rpartition(".")[0] in places
            for start in range(len(parts) - short):
                self.ends.setdefault(".".join(parts[start:]), set()).add(place)

    def find(self, words: str, meanings: dict[str, str], bare: bool = False) -> Any:
        """Return the place that some code means, or None where that is not certain.

        Parameters
        ----------
        words : str
            Such as ``exact.ice`` or ``DecisionNet(network)``.
        meanings : dict
            What names stand for on this page, as `meanings_of` returns it.
        bare : bool
            Whether any name alone may be meant. Else it must look like one of a library: with a
            dot, with capitals as a class, or with an underscore.
        """
        match = CALL.fullmatch(words)
        if match is None:
            return None
        first, dot, rest = match["name"].partition(".")
        if meanings.get(first):
            return self.places.get(meanings[first] + dot + rest)
        # The page's own variable, such as `network`, may have a member that only one class has.
        end = rest if first in meanings else match["name"]
        certain = bare or "." in end or "_" in end.strip("_") or re.search("[A-Z].*[a-z]", end)
        found = self.ends.get(end, set()) if certain else set()
        return next(iter(found)) if len(found) == 1 else None

    def spoken(self, meanings: dict[str, str]) -> dict[str, Any]:
        """Return all names as a page's code calls them after its imports, with their places."""
        return {
            short + name.removeprefix(full): place
            for short, full in meanings.items()
            if full
            for name, place in self.places.items()
            if name == full or name.startswith(f"{full}.")
        }


def meanings_of(codes: Iterable[str]) -> dict[str, str]:
    """Return what names stand for after some code: full names, empty where the code defines them.

    A name that is imported and defined is the code's own.
    """
    imported: dict[str, str] = {}
    defined: set[str] = set()
    for code in codes:
        if code.startswith(">>>"):
            code = "".join(one.source for one in doctest.DocTestParser().get_examples(code))
        try:
            statements = list(ast.walk(ast.parse(code)))
        except SyntaxError:  # such as a shell's session
            continue
        for node in statements:
            if isinstance(node, ast.ImportFrom) and not node.level:
                for alias in node.names:
                    imported[alias.asname or alias.name] = f"{node.module}.{alias.name}"
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    short = alias.name.partition(".")[0]
                    imported[alias.asname or short] = alias.name if alias.asname else short
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                defined.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                defined.add(node.id)
    return imported | dict.fromkeys(defined, "")
