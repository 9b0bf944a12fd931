"""Remove `_build`, unless somebody has worked in it; with the standard library alone."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools.publish.record import work_of_people  # noqa: E402


def remove_build(build: Path) -> bool:
    """Remove what was built; if that holds work of people, say so, keep it and return False."""
    found = work_of_people(build / "notebooks")
    if found:
        names = "\n".join(f"  {path}" for path in found[:10])
        more = f"\n  and {len(found) - 10} more" if len(found) > 10 else ""
        print(
            f"{build} is kept: these files are not as they were published.\n{names}{more}\n"
            "Move what you need to another folder and delete the rest. `make notebooks DIR=...` "
            "and `make course DIR=...` write notebooks where nothing here removes them.",
            file=sys.stderr,
        )
        return False
    shutil.rmtree(build, ignore_errors=True)
    return True


if __name__ == "__main__":
    sys.exit(not remove_build(ROOT / "_build"))
