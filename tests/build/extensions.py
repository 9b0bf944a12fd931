"""The extensions of the book, for tests that ask one of their functions."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

from tools.chapters import BOOK


def extension(name: str) -> ModuleType:
    """Load one extension of the book."""
    spec = importlib.util.spec_from_file_location(name, BOOK.source / "_ext" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(name, module)  # one of them imports another
    spec.loader.exec_module(module)
    return module
