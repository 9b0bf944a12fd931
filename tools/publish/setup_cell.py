"""The first code cell of every published notebook, from one template."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from tools.edition import LATEST
from tools.publish.errors import PublishError
from tools.publish.project import Project

CONSTRAINTS = Path("constraints/colab.txt")
RELEASED = "# The library is this edition's, by its hash."
UNRELEASED = "# This notebook is of no release: it names no library that could be installed."


def setup_cell(project: Project) -> str:
    """Return the cell's source: the template, the packages that must not move, and the edition.

    Raises
    ------
    PublishError
        ``constraints/colab.txt`` is missing or damaged.
    """
    template = files("tools.publish").joinpath("setup_template.py.txt").read_text("utf-8")
    names = " ".join(sorted({pin.name for pin in colab_pins(project.root / CONSTRAINTS)}))
    for mark, text in {
        "@EDITION@": project.version,
        "@FIXED@": names,
        "@RELEASE@": RELEASED if project.wheel else UNRELEASED,
        "@SOURCE@": project.library,
        "@BOOK@": f"{project.site}{LATEST}/",
        "@ISSUES@": f"{project.repository}/issues",
    }.items():
        template = template.replace(mark, text)
    return template.strip("\n")


def colab_pins(path: Path) -> list[Requirement]:
    """Return the lines of a constraints file.

    Raises
    ------
    PublishError
        The file is missing, or a line is not an exact version.
    """
    try:
        lines = [line.partition("#")[0].strip() for line in path.read_text("utf-8").split("\n")]
        pins = [Requirement(line) for line in lines if line]
    except (OSError, InvalidRequirement) as error:
        raise PublishError(f"{path.name} cannot be read: {error}") from error
    loose = [str(pin) for pin in pins if [spec.operator for spec in pin.specifier] != ["=="]]
    if loose or not pins:
        raise PublishError(f"{path.name} must name exact versions: {', '.join(loose) or 'empty'}")
    return pins
