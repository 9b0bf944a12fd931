"""The one exception that the command turns into one line."""

from __future__ import annotations

from pathlib import Path


class PublishError(Exception):
    """Publishing stopped; the message is for the author."""


class SourceError(PublishError):
    """Something at one line of one chapter that the filter must not guess about."""

    def __init__(self, path: Path | str, line: int, message: str):
        super().__init__(f"{path}:{line}: {message}")
