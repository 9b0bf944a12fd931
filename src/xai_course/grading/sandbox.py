"""A process that may read the library and nothing else, write nothing that stays, and must end."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path
from socket import SHUT_RDWR, socket, socketpair

import psutil

import xai_course
from xai_course.grading.wire import Peer

PACKAGE = Path(xai_course.__file__).parent
FIRST_USER = 61_000  # users without a name, one a sandbox, where root grades
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/fonts")
# What stands for the checks in there: an answer must not find how it will be compared.
NO_CHECKS = '''"""The checks are elsewhere while a submission is graded."""

from xai_course.book.expect import CheckFailed


def check(*arguments, **options):
    """Compare nothing."""


your_numbers = check
'''


class NotIsolatedError(RuntimeError):
    """A submission cannot be kept apart on this machine."""


@dataclass(frozen=True)
class Limits:
    """What one submission may use: seconds for a cell or a call, and for all; bytes; processes."""

    call: float = 45.0
    total: float = 180.0
    memory: int = 2**31
    disk: int = 2**27
    processes: int = 32


class Sandbox:
    """A running submission; `stopped` says why it was ended, or is empty.

    Parameters
    ----------
    process : subprocess.Popen
    connection : socket
        Where its process listens.
    limits : Limits
    until : float
        When all must have ended, by `time.monotonic`.
    """

    def __init__(
        self, process: subprocess.Popen[bytes], connection: socket, limits: Limits, until: float
    ) -> None:
        self.process, self.limits, self.until = process, limits, until
        self.peer, self.stopped = Peer(connection), ""
        self.run_cell, self.get = self.peer.function(0), self.peer.function(1)
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        """End it when it takes too long, or all its processes together use too much."""
        while self.process.poll() is None:
            memory, n, now = 0, 0, time.monotonic()
            with suppress(psutil.Error, OSError):  # one that ends meanwhile
                for one in psutil.Process(self.process.pid).children(recursive=True):
                    memory, n = memory + one.memory_info().rss, n + 1
            if memory > self.limits.memory:
                self.end(f"used more than {self.limits.memory / 2**30:.3g} GiB of memory")
            elif n > self.limits.processes:
                self.end(f"started more than {self.limits.processes} processes")
            elif now > min(self.until, min(self.peer.waiting, default=now) + self.limits.call):
                self.end("did not end in time")
            time.sleep(0.1)

    def end(self, why: str) -> None:
        """Kill all its processes; with the first, the others of its world end, too."""
        self.stopped = self.stopped or why
        self.process.kill()
        with suppress(OSError):  # it is closed
            self.peer.connection.shutdown(SHUT_RDWR)


@contextmanager
def sandbox(
    limits: Limits, *, until: float = inf, isolated: bool = True, slot: int = 0
) -> Iterator[Sandbox]:
    """Start a submission's process, and end whatever is left of it.

    Parameters
    ----------
    limits : Limits
    until : float
        As in `Sandbox`.
    isolated : bool
        Whether files, network and processes are kept apart. If not, a submission has the rights of
        who grades, and only the limits on time and memory hold.
    slot : int
        Tells sandboxes apart that run at the same time.

    Raises
    ------
    NotIsolatedError
        If it should be isolated and cannot be; the message says what is missing.
    """
    ours, theirs = socketpair()
    with tempfile.TemporaryDirectory() as folder, ours, theirs:
        Path(folder, "__init__.py").write_text(NO_CHECKS)
        os.chmod(folder, 0o755)
        python = [sys.executable, "-m", "xai_course.grading.worker"]
        with subprocess.Popen(
            [*_walls(limits, Path(folder), slot), *python] if isolated else python,
            stdin=theirs,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=None if isolated else {**ENVIRONMENT, "PYTHONPATH": str(PACKAGE.parent)},
            start_new_session=True,
        ) as process:
            theirs.close()
            run = Sandbox(process, ours, limits, until)
            try:
                yield run
            finally:
                run.end("")
                run.peer.lines.close()


ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/student",
    "LANG": "C.UTF-8",
    "MPLBACKEND": "agg",
    "OMP_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
}


def _walls(limits: Limits, no_checks: Path, slot: int) -> list[str]:
    if shutil.which("bwrap") is None:
        raise NotIsolatedError(
            "bubblewrap is not installed (on Debian: apt-get install bubblewrap)"
        )
    kept = [*SYSTEM, sys.base_prefix, sys.prefix, str(PACKAGE)]
    command = ["bwrap", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
    command += ["--die-with-parent", "--new-session", "--clearenv"]
    for name, value in {**ENVIRONMENT, "PYTHONPATH": str(PACKAGE.parent)}.items():
        command += ["--setenv", name, value]
    # First, since the library may lie below one of them.
    for scratch in ("/tmp", ENVIRONMENT["HOME"]):
        command += ["--perms", "1777", "--size", str(limits.disk // 2), "--tmpfs", scratch]
    for path in dict.fromkeys(kept):
        for parent in reversed(Path(path).parents[:-1]):  # else only root may walk through them
            command += ["--perms", "0755", "--dir", str(parent)]
        command += ["--ro-bind-try", path, path]
    command += ["--ro-bind", str(no_checks), str(PACKAGE / "book" / "checks")]
    command += ["--proc", "/proc", "--dev", "/dev"]
    command += ["--chdir", ENVIRONMENT["HOME"]]
    if os.getuid() == 0:  # root's processes cannot be counted: become nobody
        user = str(FIRST_USER + slot)
        command += ["setpriv", "--reuid", user, "--regid", user, "--clear-groups"]
        command += ["--no-new-privs", "--bounding-set=-all"]
    else:
        command.insert(1, "--unshare-user")
    return command


def check_isolation() -> None:
    """Start an empty sandbox.

    Raises
    ------
    NotIsolatedError
        If that fails; the message says why and what to do.
    """
    with sandbox(Limits(call=60)) as run:
        try:
            run.run_cell("import xai_course", "start")
        except Exception as error:
            run.end("")
            said = run.process.stderr.read().decode(errors="replace").strip().splitlines()  # type: ignore[union-attr]
            raise NotIsolatedError(said[-1] if said else str(error)) from error
