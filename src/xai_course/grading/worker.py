"""The submission's process: runs the student's cells, and their functions when they are called.

Started by `sandbox`. Whatever happens here, all that leaves it is data; see `wire`.
"""

from __future__ import annotations

import os
import resource
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
    reader, writer = (os.fdopen(os.dup(number), mode, 0) for number, mode in ((0, "rb"), (1, "wb")))
    os.dup2(2, 1)  # what a student prints must not mix with the answers
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    Peer(reader, writer, Notebook()).listen()


class Notebook:
    """The names of one submission, and what the grader may ask about them."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"__name__": "__main__"}

    def __call__(self, message: dict[str, Any]) -> Any:
        """Run a cell, or give a function by its name."""
        if message["do"] == "run":
            exec(compile(message["source"], message["cell"], "exec"), self.names)
            return None
        answer = self.names[message["name"]]
        if not callable(answer):
            raise TypeError(f"{message['name']} is not a function")
        return lambda forbidden, *arguments, **options: _without(
            forbidden, answer, arguments, options
        )


def _without(forbidden: list[list[str]], answer: Any, arguments: Any, options: Any) -> Any:
    """Call a function while some names of the library raise the error that is said."""
    if not forbidden:
        return answer(*arguments, **options)
    (name, says), *rest = forbidden
    with mock.patch(name, side_effect=AssertionError(says)):
        return _without(rest, answer, arguments, options)


if __name__ == "__main__":
    main()
