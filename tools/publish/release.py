"""Make everything that an edition consists of, in one folder: what `publish.yml` and tests run.

The library comes first, because the notebooks name its hash.
"""

from __future__ import annotations

import gzip
import hashlib
import shutil
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path

from tools.publish.errors import PublishError
from tools.publish.project import Project
from tools.publish.wheel import build_wheel
from tools.publish.write import write

ASSETS, NOTEBOOKS, SITE = "assets", "notebooks", "site"  # the parts of a release
PUBLIC = ("reader", "student")  # what the branch of the notebooks holds; no instructor's
Publish = Callable[[Project, Path], dict[str, str]]


def release(
    project: Project, build: Path, folder: Path, publish: Publish, options: Iterable[str] = ()
) -> None:
    """Write the library, the notebooks, the site and the archives of this edition.

    Parameters
    ----------
    project, build
        The project, and what `make book` wrote.
    folder
        An empty or a new folder. It gets ``assets``, the files of the release; ``notebooks`` and
        ``site``, the folders of this edition on their branches.
    publish
        What makes the files of the notebooks.
    options
        What pip is told beyond when it builds the library.

    Raises
    ------
    PublishError
        The folder holds something, or a part cannot be made.
    """
    if folder.exists() and any(folder.iterdir()):
        raise PublishError(f"{folder} is not empty: a release is made in an empty folder")
    assets = folder / ASSETS
    assets.mkdir(parents=True)
    released = project.for_release(build_wheel(project.root, assets, *options))
    variants: dict[str, dict[str, str]] = {}
    for name, text in publish(released, build).items():
        variant, _, rest = name.partition("/")
        variants.setdefault(variant, {})[rest] = text
    for variant, files in variants.items():
        home = folder / (NOTEBOOKS if variant in PUBLIC else "private") / variant
        for name, text in files.items():
            write(home / name, text)
        pack(home, assets / f"{variant}.tar.gz")
    shutil.rmtree(folder / "private", ignore_errors=True)  # only in the archives
    shutil.copytree(build / "html", folder / SITE)
    pack(folder / SITE, assets / "book.tar.gz")
    sums = (f"{_sha256(path)}  {path.name}\n" for path in sorted(assets.iterdir()))
    write(assets / "SHA256SUMS", "".join(sums))


def pack(folder: Path, archive: Path) -> None:
    """Pack a folder, the same bytes from the same files."""
    with (
        archive.open("wb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w") as tar,
    ):
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            tar.add(path, f"{folder.name}/{path.relative_to(folder).as_posix()}", filter=_plain)


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    member.mode = 0o644
    return member


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
