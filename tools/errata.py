"""What was wrong in an edition: one list, ``book/errata.yml``, and every place that shows it.

An edition that is out does not change, but for its errata: a box on each page concerned and the
list on its page *Errata* are written between two marks that every page carries. So a mistake that
is found today stands tomorrow in the edition that a class is using. ``python -m tools.errata``
brings the section of ``CHANGELOG.md`` up to date.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from html import escape
from pathlib import Path

import yaml

from tools.edition import NAME

ROOT = Path(__file__).resolve().parents[1]
SOURCE = "book/errata.yml"
PAGE = "errata"  # the page of the list
BEGIN, END = "<!-- errata -->", "<!-- end of errata -->"
BETWEEN = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
EMPTY = BEGIN + END
NONE = "No errata are known."


@dataclass(frozen=True)
class Erratum:
    """One mistake in one edition.

    Attributes
    ----------
    edition, page
        Where it stands, e.g. ``v0.1`` and ``part/slug``.
    wrong, right
        What the page says, and what is true.
    classes
        What changes for a class that is under way, such as the points of an exercise.
    """

    edition: str
    page: str
    wrong: str
    right: str
    classes: str


def read(root: Path) -> list[Erratum]:
    """Return all errata of a project, in the order of the file.

    Raises
    ------
    ValueError
        An entry lacks a key, has one too many, or names no edition.
    """
    path = root / SOURCE
    entries = yaml.safe_load(path.read_text("utf-8")) if path.is_file() else None
    return [_erratum(entry, number) for number, entry in enumerate(entries or (), 1)]


def _erratum(entry: dict[str, str], number: int) -> Erratum:
    keys = [field.name for field in fields(Erratum)]
    if not isinstance(entry, dict) or sorted(entry) != sorted(keys):
        raise ValueError(f"{SOURCE}: entry {number} must have the keys {', '.join(keys)}")
    if not NAME.fullmatch(str(entry["edition"])):
        raise ValueError(f"{SOURCE}: entry {number} names no edition: {entry['edition']}")
    return Erratum(**{key: " ".join(str(entry[key]).split()) for key in keys})


def show(site: Path, edition: str, errata: list[Erratum]) -> None:
    """Write an edition's errata into its pages, in place of what stood there before."""
    own = [erratum for erratum in errata if erratum.edition == edition]
    for path in sorted(site.rglob("*.html")):
        text = path.read_text("utf-8")
        page = path.relative_to(site).with_suffix("").as_posix()
        here = [erratum for erratum in own if erratum.page == page]
        shown = _list(own, edition) if page == PAGE else _box(here, page)
        new = BETWEEN.sub(lambda _, shown=shown: f"{BEGIN}{shown}{END}", text)
        if new != text:
            path.write_text(new, "utf-8")


def without(page: bytes) -> bytes:
    """Return a page as it was before errata were written into it."""
    return BETWEEN.sub(EMPTY, page.decode()).encode()


def _box(errata: list[Erratum], page: str) -> str:
    if not errata:
        return ""
    link = "../" * page.count("/") + f"{PAGE}.html"
    return (
        '<aside class="admonition warning" aria-label="Errata">'
        f'<p class="admonition-title">Wrong in this edition</p>{"".join(map(_said, errata))}'
        f'<p><a href="{link}">All errata of this edition</a></p></aside>'
    )


def _list(errata: list[Erratum], edition: str) -> str:
    items = "".join(
        f'<dt><a href="{escape(e.page)}.html">{escape(e.page)}</a></dt><dd>{_said(e)}</dd>'
        for e in errata
    )
    shown = f"<dl>{items}</dl>" if errata else f"<p>{NONE}</p>"
    return f"<p>These pages are the edition <code>{edition}</code>.</p>{shown}"


def _said(erratum: Erratum) -> str:
    return (
        f"<p><strong>It says:</strong> {escape(erratum.wrong)} "
        f"<strong>Right is:</strong> {escape(erratum.right)} "
        f"<strong>For a class under way:</strong> {escape(erratum.classes)}</p>"
    )


def changelog(errata: list[Erratum]) -> str:
    """Return the lines of the change log, the newest edition first."""
    lines = [
        f"- {e.edition}, `{e.page}`: it says: {e.wrong} Right is: {e.right} "
        f"For a class under way: {e.classes}"
        for e in reversed(errata)
    ]
    return "\n".join([BEGIN, *(lines or [NONE]), END])


def main() -> None:
    """Write the errata into the change log."""
    path = ROOT / "CHANGELOG.md"
    said = changelog(read(ROOT))
    path.write_text(BETWEEN.sub(lambda _: said, path.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
