"""The name of an edition: of its tag, its notebooks' folder and its site; standard library alone.

Version 0.1.0 is the edition ``v0.1``, version 0.1.1 the edition ``v0.1.1``. Edition, not version,
is what readers see in addresses, so it is derived here and nowhere else. ``python -m
tools.edition`` prints it.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

LATEST = "latest"  # the folder that holds the newest edition once more
NAME = re.compile(r"v(\d+(?:\.\d+)+)")


def edition_of(root: Path) -> str:
    """Return the edition of the project at `root`."""
    package = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    return edition_name(package["project"]["version"])


def edition_name(version: str) -> str:
    """Return the edition of a version: the third number stands there only if it is not zero."""
    parts = version.split(".")
    return f"v{'.'.join(parts[:2] if parts[2:] == ['0'] else parts)}"


def newest(folder: Path) -> str:
    """Return the newest edition that has a folder in `folder`."""
    editions = [path.name for path in folder.iterdir() if NAME.fullmatch(path.name)]
    return max(editions, key=lambda name: [int(n) for n in name[1:].split(".")])


if __name__ == "__main__":
    print(edition_of(Path(__file__).resolve().parents[1]))
