"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

__all__ = ["replace_file"]


def replace_file(path: Path, content: bytes) -> None:
    """Write a file beside `path`, make sure that it is on the disk, and rename it.

    Whatever goes wrong, the old file stays and no draft does. Each call has its own draft, so two
    processes that write the same file do not disturb each other.
    """
    handle, draft = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(draft, 0o644)  # a draft is private, the file is not
        os.replace(draft, path)
    finally:
        Path(draft).unlink(missing_ok=True)
