"""The library of an edition as one file: how it is built, and how a notebook names it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tools.publish.errors import PublishError

NEEDED = ("pyproject.toml", "README.md", "LICENSE")
# A wheel holds times and modes, which must not be those of the machine. No file of a zip is older.
ONE_TIME = {"SOURCE_DATE_EPOCH": "315532800"}
UMASK = 0o022


@dataclass(frozen=True)
class Wheel:
    """A wheel, by the name and the SHA-256 of its file."""

    name: str
    sha256: str

    @classmethod
    def read(cls, path: Path, version: str) -> Wheel:
        """Read a wheel's hash.

        Raises
        ------
        PublishError
            It cannot be read, or it is not the wheel of this version.
        """
        if not path.name.startswith(f"xai_course-{version}-"):
            raise PublishError(f"{path.name} is not the library of version {version}")
        try:
            return cls(path.name, hashlib.sha256(path.read_bytes()).hexdigest())
        except OSError as error:
            raise PublishError(f"cannot read {path}: {error.strerror}") from error


def build_wheel(root: Path, folder: Path, *options: str) -> Path:
    """Build the wheel of the project at `root` from a copy, so that nothing is left there.

    The same source and the same setuptools give the same bytes.

    Parameters
    ----------
    options
        What pip is told beyond, e.g. ``--no-build-isolation``.

    Raises
    ------
    PublishError
        It cannot be built; the message is the end of what pip printed.
    """
    copy = folder / "source"
    junk = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(root / "src", copy / "src", ignore=junk)
    for name in NEEDED:
        shutil.copy(root / name, copy)
    for path in copy.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", *options]
    result = subprocess.run(
        [*command, "-w", str(folder), str(copy)],
        env=os.environ | ONE_TIME,
        capture_output=True,
        text=True,
        check=False,
        umask=UMASK,
    )
    shutil.rmtree(copy)
    if result.returncode:
        raise PublishError((result.stdout + result.stderr).strip()[-3000:])
    return next(folder.glob("xai_course-*.whl"))
