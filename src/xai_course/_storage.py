"""Files that are written whole or not at all, and the one format for arrays with a record.

A file of arrays is a safetensors file. Its header holds one text: what kind of file it is, a record
(any JSON) and the SHA-256 of record and arrays, so that damage is found when the file is read.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as read_safetensors
from safetensors.numpy import save as write_safetensors

_KEY = "xai-course"  # one entry, since safetensors writes several in any order


class DamagedFileError(OSError):
    """A file is there, but does not hold what was written, or holds something else."""


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


def sha256(arrays: Mapping[str, np.ndarray], text: str = "") -> str:
    """Return a hash of names, dtypes, shapes and values, and of a text."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array)
    return digest.hexdigest()


def save_arrays(
    path: Path, kind: str, arrays: Mapping[str, np.ndarray], record: Mapping[str, Any]
) -> None:
    """Replace a file of arrays in one step.

    Parameters
    ----------
    path : Path
        In a folder that exists.
    kind : str
        What the file is, with the version of its layout, such as ``"checkpoint 1"``.
    arrays : mapping of ndarray
        Their layout is kept; views and several names for one array are written out.
    record : mapping
        Anything that JSON can hold, NumPy's scalars included.

    Raises
    ------
    OSError
        If the file can't be written; an older one is still there.
    """
    arrays = {name: np.array(array, order="C") for name, array in arrays.items()}
    text = json.dumps(record, default=np.generic.item)
    header = {"kind": kind, "record": text, "sha256": sha256(arrays, kind + text)}
    content = write_safetensors(arrays, metadata={_KEY: json.dumps(header)})
    try:
        replace_file(path, content)
    except OSError as error:
        raise OSError(
            f"{path} could not be written: {error.strerror or error}. An older file, if any, is "
            "still there; make room or name another file, and call again."
        ) from error


def load_arrays(path: Path, kind: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the arrays and the record that `save_arrays` wrote.

    Raises
    ------
    FileNotFoundError, PermissionError
        As the system says.
    DamagedFileError
        If the file is of another kind or its content does not match its hash. It stays as it was.
    """
    content = path.read_bytes()
    try:
        arrays = read_safetensors(content)
        length = int.from_bytes(content[:8], "little")
        header = json.loads(json.loads(content[8 : 8 + length])["__metadata__"][_KEY])
        if header["kind"] != kind:
            raise ValueError(f"it is a {header['kind']!r}, not a {kind!r}")
        if header["sha256"] != sha256(arrays, kind + header["record"]):
            raise ValueError("its content does not match its SHA-256")
        return arrays, json.loads(header["record"])
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        reason = f"it is no {kind!r} of this library" if isinstance(error, KeyError) else error
        raise DamagedFileError(f"{path} cannot be read: {reason}. It was left as it is.") from error
