"""Finished replicates of a long run, kept on disk until its result is written."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import results

from xai_course._storage import replace_file


class Replicates:
    """Replicates by name. A run that was stopped goes on where it stopped.

    Parameters
    ----------
    name : str
        Of the result; the replicates lie beside it in ``<name>.replicates``.
    programs : list of Path
        Files that the replicates depend on. Replicates of other programs are thrown away.
    """

    def __init__(self, name: str, programs: list[Path]) -> None:
        self.path = results.FOLDER / f"{name}.replicates"
        self.program = fingerprint(programs)
        self.done: dict[str, dict[str, Any]] = {}
        if self.path.exists():
            kept = json.loads(self.path.read_text())
            if kept["program"] == self.program:
                self.done = kept["done"]
        self.seconds_before = sum(entry["seconds"] for entry in self.done.values())

    def run(self, key: str, work: Callable[[], Any]) -> Any:
        """Return what `work` returned, now or in a run that was stopped; it must fit into JSON."""
        if key not in self.done:
            started = time.perf_counter()
            value = work()
            seconds = round(time.perf_counter() - started, 2)
            self.done[key] = {"value": value, "seconds": seconds}
            self._save()
        return self.done[key]["value"]

    def first(
        self, n: int, name: str, work: Callable[[str, int], dict[str, Any] | None]
    ) -> tuple[list[dict[str, Any]], int]:
        """Return the first `n` seeds' results that are not empty, and how many were passed over."""
        runs: list[dict[str, Any]] = []
        seed = 0
        while len(runs) < n:
            found = self.run(f"{name} {seed}", partial(work, name, seed))
            runs += [found] if found else []
            seed += 1
        return runs, seed - n

    def _save(self) -> None:
        replace_file(self.path, json.dumps({"program": self.program, "done": self.done}).encode())

    def clear(self) -> None:
        """Forget everything."""
        self.path.unlink(missing_ok=True)


def fingerprint(programs: list[Path]) -> str:
    """Return a SHA-256 of some files."""
    digest = hashlib.sha256()
    for path in programs:
        digest.update(path.read_bytes())
    return digest.hexdigest()
