"""Make `.venv` with the pinned packages, on any Python, with nothing but the standard library.

Does nothing when the environment already holds what `constraints/lock.txt` and `pyproject.toml`
say. An interrupted run is simply run again: the mark that says "complete" is written last.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
MARK = VENV / "complete"
SOURCES = ("constraints/lock.txt", "pyproject.toml", "src/xai_course/__init__.py")
MINIMUM = (3, 11)


def main() -> int:
    """Bring the environment up to date and return an exit status."""
    if sys.version_info < MINIMUM:
        found = ".".join(map(str, sys.version_info[:3]))
        return fail(
            f"Python {'.'.join(map(str, MINIMUM))} or newer is needed, this is {found}.",
            "Install one and name it: make book PYTHON=python3.11",
        )
    wanted = fingerprint()
    if MARK.is_file() and MARK.read_text() == wanted:
        return 0
    try:
        import ensurepip  # noqa: F401
        import venv
    except ImportError:
        return fail(
            "This Python has no venv module.",
            "On Debian and Ubuntu: apt-get install python3-venv",
        )
    MARK.unlink(missing_ok=True)
    if not python().is_file():
        print("Making .venv ...", flush=True)
        venv.create(VENV, with_pip=True)
    print("Installing constraints/lock.txt (about two minutes the first time) ...", flush=True)
    for arguments in (["-r", "constraints/lock.txt"], ["--no-deps", "--editable", "."]):
        status = pip_install(arguments)
        if status:
            return fail(
                "pip could not install the packages; its message stands above.",
                "Check the connection to the package index and the free space on the disk, "
                "then run the same command again: what is there already is kept.",
            )
    MARK.write_text(wanted)
    return 0


def fingerprint() -> str:
    """Return a hash of everything that decides what is installed."""
    digest = hashlib.sha256(sys.version.encode())
    for name in SOURCES:
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def python() -> Path:
    """Return the environment's interpreter."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def pip_install(arguments: list[str]) -> int:
    """Run pip in the environment and return its exit status."""
    command = [str(python()), "-m", "pip", "--disable-pip-version-check", "install", "-qq"]
    return subprocess.run([*command, *arguments], cwd=ROOT, check=False).returncode


def fail(problem: str, remedy: str) -> int:
    """Print what is missing and its fix; return an exit status."""
    print(f"\n{problem}\n{remedy}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
