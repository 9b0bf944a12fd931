"""Make the California housing subset of the wheel from the prepared table of all block groups.

Usage: ``python tools/make_california_housing_subset.py FOLDER [--output FILE]``

FOLDER holds ``california_housing.csv.gz``, whose SHA-256 is in ``datasets.toml``. The subset is
2,000 rows drawn with seed 0, without replacement, in their original order; every number is as it
was.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import sys
from pathlib import Path

import numpy as np

from xai_course._storage import replace_file
from xai_course.data.catalogue import FILES, SETS
from xai_course.data.download import problem

SPEC = SETS["california_housing"]
OUTPUT = (
    Path(__file__).parents[1] / "src" / "xai_course" / "data" / "california_housing_subset.csv.gz"
)


def make_subset(folder: Path) -> bytes:
    """Return the header and the drawn lines of the table, as text in UTF-8."""
    path = folder / SPEC.file
    if reason := problem(path, FILES[SPEC.file].sha256):
        sys.exit(f"{reason}. FOLDER must hold the prepared table {SPEC.file}.")
    header, *lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    drawn = np.random.default_rng(0).choice(len(lines), SPEC.rows, replace=False)
    return b"".join([header, *(lines[row] for row in np.sort(drawn))])


def main() -> None:
    """Write the subset and print its SHA-256."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder with the prepared table")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    content = gzip.compress(make_subset(arguments.folder), compresslevel=9, mtime=0)
    replace_file(arguments.output, content)
    print(f"{arguments.output.name}: {len(content)} bytes")
    print(f"SHA-256 {hashlib.sha256(content).hexdigest()}  (for datasets.toml)")


if __name__ == "__main__":
    main()
