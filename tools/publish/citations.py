"""Citations and lists of works, read and formatted by pybtex."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pybtex.backends.markdown import Backend
from pybtex.database import BibliographyData, Entry, Person
from pybtex.database.input.bibtex import Parser
from pybtex.plugin import find_plugin
from pybtex.scanner import PybtexSyntaxError

from tools.publish.errors import PublishError


class _Markdown(Backend):
    """pybtex's Markdown, escaping only what Markdown would read as markup."""

    def format_str(self, text: str) -> str:
        for character in "\\`*_[]<":
            text = text.replace(character, "\\" + character)
        return text


class Bibliography:
    """The works that a book cites.

    Parameters
    ----------
    paths
        BibTeX files.
    """

    def __init__(self, paths: Iterable[Path]):
        self.data = BibliographyData()
        for path in paths:
            parser = Parser(encoding="utf-8")
            try:
                self.data.add_entries(parser.parse_file(str(path)).entries.items())
            except (OSError, PybtexSyntaxError) as error:
                raise PublishError(f"{path.name} cannot be read: {error}") from error

    def __contains__(self, key: str) -> bool:
        return key in self.data.entries

    def textual(self, keys: list[str]) -> str:
        """Return e.g. ``Ribeiro et al. (2016)``, linked."""
        return _listed([self._linked(key, "{} ({})") for key in keys])

    def parenthetical(self, keys: list[str]) -> str:
        """Return e.g. ``(Ribeiro et al., 2016)``, linked."""
        return "(" + "; ".join(self._linked(key, "{}, {}") for key in keys) + ")"

    def works(self, keys: Iterable[str]) -> str:
        """Return a Markdown list of the works with these keys, in alphabetical order."""
        style = find_plugin("pybtex.style.formatting", "plain")()
        entries = [self.data.entries[key] for key in dict.fromkeys(keys)]
        backend = _Markdown()
        lines = (entry.text.render(backend) for entry in style.format_entries(entries))
        return "\n".join("- " + " ".join(line.split()) for line in lines)

    def _linked(self, key: str, form: str) -> str:
        entry = self.data.entries[key]
        text = form.format(_authors(entry), entry.fields.get("year", "n.d."))
        url = _address(entry)
        return f"[{text}]({url})" if url else text


def _authors(entry: Entry) -> str:
    people = entry.persons.get("author") or entry.persons.get("editor") or []
    names = [_last_name(person) for person in people]
    if not names:
        return str(entry.fields.get("title", entry.key))
    return f"{names[0]} et al." if len(names) > 2 else " and ".join(names)


def _last_name(person: Person) -> str:
    return " ".join(str(part) for part in person.rich_prelast_names + person.rich_last_names)


def _address(entry: Entry) -> str | None:
    if "doi" in entry.fields:
        return f"https://doi.org/{entry.fields['doi']}"
    if "url" in entry.fields:
        return entry.fields["url"]
    if entry.fields.get("archiveprefix", "").lower() == "arxiv":
        return f"https://arxiv.org/abs/{entry.fields['eprint']}"
    return None


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
