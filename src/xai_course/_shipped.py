"""Files of trained weights that come with the library: tensors, a log, and a hash to check them."""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as read_safetensors
from safetensors.numpy import save as write_safetensors

from xai_course._storage import replace_file

__all__ = ["FOLDER", "read", "write"]

FOLDER = Path(str(files("xai_course") / "_data"))
_HASHES = "models.json"


def write(folder: Path, name: str, tensors: dict[str, np.ndarray], log: dict[str, Any]) -> None:
    """Write a model and its hash into `folder`; each file is replaced in one step."""
    content = write_safetensors(tensors, metadata={"log": json.dumps(log)})
    hashes = _read_hashes(folder) | {name: hashlib.sha256(content).hexdigest()}
    replace_file(folder / f"{name}.safetensors", content)
    replace_file(folder / _HASHES, (json.dumps(hashes, indent=1, sort_keys=True) + "\n").encode())


def read(folder: Path, name: str, command: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the tensors and the log that `write` wrote.

    Raises
    ------
    OSError
        If the file is missing or damaged; the message names `command`, which makes it again.
    """
    path = folder / f"{name}.safetensors"
    remedy = f"Install xai-course again, or run: {command}"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} is missing. {remedy}") from None
    expected, found = _read_hashes(folder).get(name), hashlib.sha256(content).hexdigest()
    if expected != found:
        raise OSError(f"{path} is damaged: its SHA-256 is {found}, expected {expected}. {remedy}")
    try:
        tensors = read_safetensors(content)
        length = int.from_bytes(content[:8], "little")
        return tensors, json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["log"])
    except (SafetensorError, KeyError, ValueError) as error:
        raise OSError(f"{path} is not a model of this book ({error}). {remedy}") from error


def _read_hashes(folder: Path) -> dict[str, str]:
    path = folder / _HASHES
    return json.loads(path.read_text()) if path.is_file() else {}
