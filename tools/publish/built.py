"""What the built book knows: addresses, numbers of figures and equations, and glued values.

Everything is read from files that are made to be read by others: ``objects.inv``, the pages, and
the notebooks and ``.glue.json`` files in ``jupyter_execute``. Sphinx's own pickled environment is
left alone.
"""

from __future__ import annotations

import json
import posixpath
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import nbformat
from bs4 import BeautifulSoup
from myst_nb.core.variables import format_plain_text
from sphinx.util.inventory import InventoryFile

from tools.publish.errors import PublishError
from tools.publish.project import Project

FIRST = "run `make book` first"


@dataclass(frozen=True)
class Target:
    """A place in the book that text can point to."""

    url: str
    title: str


class BuiltBook:
    """The result of ``make book``.

    Parameters
    ----------
    build
        The folder that holds ``html`` and ``jupyter_execute``.
    project
        The project that was built.

    Raises
    ------
    PublishError
        There is no built book, or it cannot be read.
    """

    def __init__(self, build: Path, project: Project):
        self.html = build / "html"
        self.executed = build / "jupyter_execute"
        self.project = project
        inventory = self.html / "objects.inv"
        if not inventory.is_file() or not self.executed.is_dir():
            raise PublishError(f"there is no built book in {build.name}: {FIRST}")
        try:
            with inventory.open("rb") as stream:
                self._inventory = InventoryFile.load(stream, project.url, posixpath.join)
        except (ValueError, OSError) as error:
            raise PublishError(f"objects.inv cannot be read ({error}): {FIRST}") from error

    def find(self, kind: str, name: str) -> Target | None:
        """Return the target `name` of a kind such as ``std:label``, or None."""
        try:
            _, _, url, title = self._inventory[kind][name]
        except KeyError:
            return None
        return Target(url, name if title == "-" else title)

    def numbered(self, identifier: str) -> str | None:
        """Return the number as the book prints it, e.g. ``Fig. 1.2``, of a figure or table."""
        return self._numbers["captions"].get(identifier)

    def equation(self, label: str) -> tuple[str, str] | None:
        """Return the number and the address of a labelled equation."""
        return self._numbers["equations"].get(f"equation-{label}")

    def image(self, source: Path) -> str | None:
        """Return the public address of an image, which the build copied from `source`."""
        copy = self.html / "_images" / source.name
        same = copy.is_file() and source.is_file() and copy.read_bytes() == source.read_bytes()
        return f"{self.project.url}_images/{source.name}" if same else None

    def glued(self, docname: str, key: str, spec: str) -> str | None:
        """Return the glued value `key` of a page, formatted as MyST-NB formats it, or None."""
        path = self.executed / f"{docname}.glue.json"
        if not path.is_file():
            return None
        entry = self._read(path, json.loads).get(key)
        if entry is None or "text/plain" not in entry["data"]:
            return None
        return format_plain_text(entry["data"]["text/plain"], spec)

    def code(self, docname: str) -> list[str]:
        """Return the code cells of a chapter as they were executed."""
        path = self.executed / f"{docname}.ipynb"
        if not path.is_file():
            raise PublishError(f"{docname} was never executed: {FIRST}")
        notebook = self._read(path, lambda text: nbformat.reads(text, as_version=4))
        return [cell.source for cell in notebook.cells if cell.cell_type == "code"]

    @cached_property
    def _numbers(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {"captions": {}, "equations": {}}
        for path in sorted(self.html.rglob("*.html")):
            if path.relative_to(self.html).parts[0].startswith("_"):
                continue
            page = BeautifulSoup(path.read_text("utf-8"), "html.parser")
            address = self.project.url + path.relative_to(self.html).as_posix()
            for tag in page.select("figure[id], table[id]"):
                number = tag.select_one(".caption-number")
                if number is not None:
                    found["captions"][tag["id"]] = number.get_text().strip()
            for tag in page.select("div.math[id]"):
                number = next(tag.select_one(".eqno").stripped_strings).strip("()")
                found["equations"][tag["id"]] = (number, f"{address}#{tag['id']}")
        return found

    def _read(self, path: Path, reader: Any) -> Any:
        shown = path.relative_to(self.executed.parent).as_posix()
        try:
            return reader(path.read_text("utf-8"))
        except Exception as error:  # nbformat has no common base for its errors
            raise PublishError(f"{shown} is damaged ({error}): {FIRST}") from error
