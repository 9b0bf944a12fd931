"""Resolve the newest versions that work together and write `constraints/lock.txt`.

Only pip's own resolver is asked (`--dry-run --report`); nothing is installed. Run it on the oldest
supported Python, so that the pins can be installed on all of them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "constraints" / "lock.txt"
# Pinned by hand: a plain `torch` may bring a GPU build of several gigabytes, sphinx-book-theme 1.4
# cannot be installed beside jupyter-book 1.0.4.post1, from 4.25 on jsonschema compiles grammars
# whenever it is imported, which costs each notebook process more than a second, and from 3.0 on
# soupsieve needs Python 3.11.5, where Debian 12 has 3.11.2.
BY_HAND = (
    *("torch==2.13.0", "jupyter-book==1.0.4.post1", "sphinx-book-theme==1.3.0"),
    *("jsonschema<4.25", "soupsieve<3"),
)
HEAD = f"""\
# Written by `make lock` on Python {sys.version_info[0]}.{sys.version_info[1]}; do not edit.
# torch comes first by hand: see tools/lock.py.
"""


def main() -> int:
    """Write the lock and return an exit status."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [
            *(sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed"),
            *(
                "--quiet",
                "--report",
                str(report),
                *BY_HAND,
                f"{ROOT}[book,test,grading,nbgrader,cluster]",
            ),
        ]
        status = subprocess.run(command, check=False).returncode
        if status:
            return status
        installs = json.loads(report.read_text())["install"]
    pins = {item["metadata"]["name"]: item["metadata"]["version"] for item in installs}
    del pins["xai-course"]
    lines = [f"{name}=={pins[name].split('+')[0]}" for name in sorted(pins, key=str.lower)]
    draft = LOCK.with_suffix(".part")
    draft.write_text(HEAD + "\n".join(lines) + "\n")
    draft.replace(LOCK)
    print(f"{LOCK.relative_to(ROOT)}: {len(lines)} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
