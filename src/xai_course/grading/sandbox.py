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
from pathlib import Path

import psutil

import xai_course
from xai_course.grading.wire import Peer

PACKAGE = Path(xai_course.__file__).parent
OUTPUT_BYTES = 2**20  # of what is printed; the rest is not kept
FIRST_USER = 61_000  # users without a name, one a sandbox, where root grades
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/fonts")
# What stands for the checks in there: an answer must not find how it will be compared.
NO_CHECKS = '''"""The checks are elsewhere while a submission is graded."""


class CheckFailed(AssertionError):
    """Raised by no check here."""


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
    """A running submission; `peer` talks with it, `stopped` says why it was ended, or is empty."""

    def __init__(self, process: subprocess.Popen[bytes], limits: Limits) -> None:
        self.process, self.limits = process, limits
        self.peer = Peer(process.stdout, process.stdin)  # type: ignore[arg-type]
        self.stopped, self.printed = "", bytearray()
        for target in (self._drain, self._watch):
            threading.Thread(target=target, daemon=True).start()

    def _drain(self) -> None:
        while part := os.read(self.process.stderr.fileno(), 2**16):  # type: ignore[union-attr]
            self.printed += part[: OUTPUT_BYTES - len(self.printed)]

    def _watch(self) -> None:
        """End it when all its processes together use too much."""
        while self.process.poll() is None:
            memory, n = 0, 0
            with suppress(psutil.Error):  # one that ends meanwhile
                for one in psutil.Process(self.process.pid).children(recursive=True):
                    memory, n = memory + one.memory_info().rss, n + 1
            if memory > self.limits.memory:
                self.end(f"used more than {self.limits.memory / 2**30:.3g} GiB of memory")
            elif n > self.limits.processes:
                self.end(f"started more than {self.limits.processes} processes")
            time.sleep(0.1)

    def end(self, why: str) -> None:
        """Kill all its processes; with the first, the others of its world end, too."""
        self.stopped = self.stopped or why
        self.process.kill()


@contextmanager
def sandbox(limits: Limits, *, isolated: bool = True, slot: int = 0) -> Iterator[Sandbox]:
    """Start a submission's process, and end whatever is left of it.

    Parameters
    ----------
    limits : Limits
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
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "__init__.py").write_text(NO_CHECKS)
        os.chmod(folder, 0o755)
        python = [sys.executable, "-m", "xai_course.grading.worker"]
        command = [*_walls(limits, Path(folder), slot), *python] if isolated else python
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            cwd=folder,
            env=None if isolated else {**ENVIRONMENT, "PYTHONPATH": str(PACKAGE.parent)},
            start_new_session=True,
        )
        run = Sandbox(process, limits)
        try:
            yield run
        finally:
            run.end("")
            process.wait()


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
    with sandbox(Limits()) as run:
        run.peer.deadline = time.monotonic() + 60
        try:
            run.peer.ask({"do": "run", "source": "import xai_course", "cell": "start"})
        except Exception as error:
            time.sleep(0.2)  # until what it said is read
            said = run.printed.decode(errors="replace").strip().splitlines()
            raise NotIsolatedError(said[-1] if said else str(error)) from error
