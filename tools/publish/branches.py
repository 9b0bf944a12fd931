"""Put an edition beside those that are out: on the branch of the notebooks and that of the site.

``python -m tools.publish.branches RELEASE --origin ADDRESS --into FOLDER`` adds the edition that
lies in the folder RELEASE to both branches, in FOLDER; without RELEASE it only writes the errata
into the editions that are out. The same with ``--push`` pushes what lies in FOLDER: between the
two, the library is put where the notebooks look for it.

Each branch holds a folder an edition, which never changes, and ``latest``, a copy of the newest.
Nothing is ever removed and no push is forced. It needs git, PyYAML and nothing that was installed
for the book, because it runs with the right to push.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tools import errata  # noqa: E402
from tools.edition import LATEST, NAME, edition_of, newest  # noqa: E402
from tools.publish.errors import PublishError  # noqa: E402

PARTS = ("notebooks", "site")  # the parts of a release that have a branch, by the branch's name
AUTHOR = {"name": "github-actions[bot]"}
AUTHOR["email"] = "41898282+github-actions[bot]@users.noreply.github.com"
# The address without an edition leads to the latest; so does one that is not there (404).
FRONT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Editions</title>
<meta http-equiv="refresh" content="{seconds}; url={base}latest/">
</head><body><p><a href="{base}latest/">The latest edition</a></p><ul>
{editions}
</ul></body></html>
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.publish.branches")
    parser.add_argument("release", type=Path, nargs="?", help="the folder of a release")
    parser.add_argument("--root", type=Path, default=ROOT, help="the project's folder")
    parser.add_argument("--origin", required=True, help="the repository of the branches")
    parser.add_argument("--into", type=Path, required=True, help="where the branches are made")
    parser.add_argument("--push", action="store_true", help="push what was made")
    options = parser.parse_args(arguments)
    try:
        for part in PARTS:  # the notebooks first: a page never links to one that is not there
            if options.push:
                push(options.into / part, options.origin, part)
                continue
            branch = checkout(options.origin, part, options.into / part)
            if options.release is not None:
                add(branch, edition_of(options.root), options.release / part)
            finish(branch, part, options.root)
    except (PublishError, ValueError) as error:
        said = str(error).replace(options.origin, "the origin")  # which may hold a token
        print(f"publish: {said}", file=sys.stderr)
        return 1
    return 0


def add(branch: Path, edition: str, new: Path) -> None:
    """Add an edition to a branch.

    Raises
    ------
    PublishError
        The edition is out already, with another content.
    """
    target = branch / edition
    if not target.exists():
        shutil.copytree(new, target)
    elif _contents(target) != _contents(new):
        raise PublishError(
            f"{branch.name}: the edition {edition} is out and is not this one. An edition does not "
            "move: give this one another version."
        )


def finish(branch: Path, part: str, root: Path) -> None:
    """Write what depends on all editions of a branch: errata, ``latest``, the site's front."""
    editions = sorted(path for path in branch.iterdir() if NAME.fullmatch(path.name))
    if not editions:
        return
    if part == "site":
        known = errata.read(root)
        for folder in editions:
            errata.show(folder, folder.name, known)
        _write_front(branch, _base(root), [folder.name for folder in editions])
    shutil.rmtree(branch / LATEST, ignore_errors=True)
    shutil.copytree(branch / newest(branch), branch / LATEST)


def _base(root: Path) -> str:
    """Return the path of the site's address: pages that are not there can lie anywhere below."""
    config = yaml.safe_load((root / "_config.yml").read_text("utf-8"))
    address = config["sphinx"]["config"]["html_baseurl"]
    return urlsplit(address).path.removesuffix(f"{LATEST}/")


def _write_front(site: Path, base: str, editions: list[str]) -> None:
    (site / ".nojekyll").touch()  # Jekyll would leave out the folders that begin with _
    for name, seconds in (("index.html", 0), ("404.html", 3)):
        links = "\n".join(f'<li><a href="{base}{one}/">{one}</a></li>' for one in editions)
        text = FRONT.format(base=base, seconds=seconds, editions=links)
        (site / name).write_text(text, "utf-8")


def _contents(folder: Path) -> dict[str, bytes]:
    found = {}
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            plain = errata.without(content) if path.suffix == ".html" else content
            found[path.relative_to(folder).as_posix()] = plain
    return found


def checkout(origin: str, name: str, folder: Path) -> Path:
    """Return a folder with a branch as it is at its origin, or empty where there is none yet."""
    if git(None, "ls-remote", "--heads", origin, name):
        git(None, "clone", "-q", "--depth", "1", "--branch", name, origin, str(folder))
    else:
        git(None, "init", "-q", f"--initial-branch={name}", str(folder))
    return folder


def push(branch: Path, origin: str, name: str) -> None:
    """Commit what changed in a branch, if anything did, and push it, never by force."""
    git(branch, "add", "--all")
    if git(branch, "status", "--porcelain"):
        for key, value in AUTHOR.items():
            git(branch, "config", f"user.{key}", value)
        git(branch, "commit", "-q", "-m", f"Editions up to {newest(branch)}")
        git(branch, "push", "-q", origin, f"HEAD:refs/heads/{name}")


def git(folder: Path | None, *arguments: str) -> str:
    """Run git; return what it printed.

    Raises
    ------
    PublishError
        It failed.
    """
    result = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise PublishError(f"git {arguments[0]} failed: {result.stderr.strip()[-500:]}")
    return result.stdout


if __name__ == "__main__":
    sys.exit(main())
