"""What `datasets.toml` says about each data set and each file.

Not taught: it only lists where files lie.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

__all__ = ["FILES", "SETS", "RemoteFile", "Spec"]


@dataclass(frozen=True, kw_only=True)
class Spec:
    """A set of `datasets.toml`. `columns` counts those of the predictors, before any spreading."""

    name: str
    rows: int
    columns: int
    task: str
    reader: str  # which function in loaders.py; none for a set that no code reads yet
    comes_with: str
    terms: str
    source: str
    description: str
    file: str = ""
    full_rows: int = 0  # of the file, where `rows` counts those of the course's part
    names: tuple[str, ...] = ()  # predictors, in order
    words: tuple[str, ...] = ()  # the same in a few words, for tables and pictures
    categorical: tuple[str, ...] = ()  # predictors that hold words; the others hold numbers
    target: str = ""
    levels: tuple[str, ...] = ()  # values of the target in the file, in class order
    target_names: tuple[str, ...] = ()
    swap_classes: bool = False  # the source numbers the two classes the other way round
    image_shape: tuple[int, int] | None = None
    brightest: float = 1.0  # value of a white pixel in the source
    how_to_get: str = ""
    openml: int | None = None
    openml_names: tuple[str, ...] = ()  # where OpenML calls predictors and target otherwise

    @property
    def about(self) -> dict[str, Any]:
        """What a `Dataset` says about itself."""
        said = {key: getattr(self, key) for key in ("name", "description", "source", "terms")}
        return {**said, "words": list(self.words) or None}


@dataclass(frozen=True)
class RemoteFile:
    """A file's SHA-256 and its public addresses, tried in turn; none means the user supplies it."""

    sha256: str
    urls: tuple[str, ...] = ()


def _with_tuples(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}


_TABLE = tomllib.loads(resources.files(__package__).joinpath("datasets.toml").read_text("utf-8"))
#: Every data set by its name.
SETS = {name: Spec(name=name, **_with_tuples(row)) for name, row in _TABLE["sets"].items()}
#: Every file by its name.
FILES = {name: RemoteFile(**_with_tuples(row)) for name, row in _TABLE["files"].items()}
