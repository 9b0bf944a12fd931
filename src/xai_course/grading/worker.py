"""The submission's process: runs the student's cells, and their functions when they are called.

Started by `sandbox`. Whatever happens here, all that leaves it is data; see `wire`.
"""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from unittest import mock

from xai_course.grading.wire import Peer

N_PROCESSES, FILE_BYTES, MEMORY_BYTES = 64, 2**27, 2**32


def main() -> None:
    """Serve the grader until it hangs up."""
    for what, limit in (
        (resource.RLIMIT_NPROC, N_PROCESSES),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_DATA, MEMORY_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (limit, limit))
    grader = socket.socket(fileno=os.dup(0))
    for number in (0, 1, 2):  # nobody types here, and what a student prints nobody reads
        os.dup2(os.open(os.devnull, os.O_RDWR), number)
    notebook = Notebook()
    Peer(grader, notebook.run_cell, notebook.get).listen()


class Notebook:
    """The names of one submission, and what the grader may ask about them."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"__name__": "__main__"}

    def run_cell(self, source: str, name: str) -> None:
        """Run a cell; errors in it bear its name."""
        exec(compile(source, name, "exec"), self.names)

    def get(self, name: str) -> Callable[..., Any]:
        """Return a function, called while some names of the library raise what is said of each."""
        answer = self.names[name]
        if not callable(answer):
            raise TypeError(f"{name} is not a function")

        def call(forbidden: list[tuple[str, str]], *arguments: Any, **options: Any) -> Any:
            with ExitStack() as stack:
                for one, says in forbidden:
                    stack.enter_context(mock.patch(one, side_effect=AssertionError(says)))
                return answer(*arguments, **options)

        return call


if __name__ == "__main__":
    main()
