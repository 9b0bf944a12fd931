"""Mixed-integer programs, solved by SciPy's HiGHS and in silence."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from scipy.optimize import OptimizeResult, milp

_LOCK = Lock()  # the standard output is the whole process's


def integer_program(cost: Any, **options: Any) -> OptimizeResult:
    """Return what `scipy.optimize.milp` finds, which prints nothing here.

    Its HiGHS (seen in SciPy 1.16 and 1.17) writes a line for whoever debugs it, whatever ``disp``
    says, when it repairs a solution: https://github.com/jump-dev/HiGHS.jl/issues/318.
    """
    with _LOCK, _silence():
        return milp(cost, **options)


@contextmanager
def _silence() -> Iterator[None]:
    """Discard what compiled code writes to the standard output; Python's own text is kept."""
    try:
        kept = os.dup(1)
    except OSError:  # there is none, so nothing can be written to it
        yield
        return
    library = ctypes.CDLL("ucrtbase" if os.name == "nt" else None)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        library.fflush(None)  # what waits to be written was meant to be seen
        os.dup2(nowhere, 1)
        yield
        library.fflush(None)
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
