"""Make the Fashion-MNIST subset of the wheel from the four original files.

Usage: ``python tools/make_fashion_mnist_subset.py FOLDER [--output FILE]``

FOLDER holds ``{train,t10k}-{images-idx3,labels-idx1}-ubyte.gz``, as upstream or Debian's package
``dataset-fashion-mnist`` ships them. The subset is the first 600 of each class of the training
images and the first 150 of each class of the test images, in their original order.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import sys
import zipfile
from pathlib import Path

import numpy as np

from xai_course._storage import replace_file
from xai_course.data.loaders import read_idx

# SHA-256 of the contents: the gzip headers of upstream and Debian differ, the contents do not.
CONTENTS = {
    "train-images-idx3": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
PER_CLASS = {"train": 600, "t10k": 150}
OUTPUT = Path(__file__).parents[1] / "src" / "xai_course" / "data" / "fashion_mnist_subset.npz"


def read_original(folder: Path, name: str) -> np.ndarray:
    """Return the array in one original file; exit with a message where it is not the original."""
    path = folder / f"{name}-ubyte.gz"
    if not path.is_file():
        sys.exit(
            f"{path}: no such file. FOLDER must hold {', '.join(CONTENTS)}, each with -ubyte.gz."
        )
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError) as error:
        sys.exit(f"{path}: not a complete gzip file ({error}).")
    found = hashlib.sha256(content).hexdigest()
    if found != CONTENTS[name]:
        sys.exit(f"{path}: not the original: SHA-256 {found}, expected {CONTENTS[name]}.")
    return read_idx(content)


def first_of_each_class(labels: np.ndarray, count: int) -> np.ndarray:
    """Return the sorted row numbers of the first `count` rows of each class."""
    return np.sort(np.concatenate([np.flatnonzero(labels == k)[:count] for k in np.unique(labels)]))


def make_subset(folder: Path) -> dict[str, np.ndarray]:
    """Return the four uint8 arrays of the subset."""
    arrays = {}
    for original, part in (("train", "train"), ("t10k", "test")):
        images = read_original(folder, f"{original}-images-idx3")
        labels = read_original(folder, f"{original}-labels-idx1")
        rows = first_of_each_class(labels, PER_CLASS[original])
        arrays[f"x_{part}"], arrays[f"y_{part}"] = images[rows], labels[rows]
    return arrays


def to_npz(arrays: dict[str, np.ndarray]) -> bytes:
    """Return the bytes of a compressed npz file; the same arrays give the same bytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, array, version=(1, 0), allow_pickle=False)
            # np.savez would stamp the present time on each member.
            info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type, info.external_attr, info.create_system = 8, 0o644 << 16, 3
            archive.writestr(info, member.getvalue(), compresslevel=9)
    return file.getvalue()


def main() -> None:
    """Write the subset and print its SHA-256."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder with the four original files")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    content = to_npz(make_subset(arguments.folder))
    replace_file(arguments.output, content)
    print(f"{arguments.output.name}: {len(content)} bytes")
    print(f"SHA-256 {hashlib.sha256(content).hexdigest()}  (for datasets.toml)")


if __name__ == "__main__":
    main()
