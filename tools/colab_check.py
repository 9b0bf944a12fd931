"""Run the published reader notebooks as a stranger's machine would, and compare with the book.

A fresh environment outside the repository gets Colab's versions of the scientific packages, but
not the book's library: the notebooks' own first cell must install it, from a wheel built here,
without moving anything. Then nbval runs each notebook, alone in an empty folder. Every cell must
print what it printed in the book, every picture must look as it does there, and no file may be left
behind. Torch is the one of ``constraints/lock.txt``: Colab's own is built for CUDA and too large to
fetch for a check.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tools.publish.errors import PublishError  # noqa: E402
from tools.publish.setup_cell import CONSTRAINTS, colab_pins  # noqa: E402
from tools.publish.wheel import build_wheel  # noqa: E402

PINNED = ("numpy", "pandas", "scikit-learn", "scipy", "matplotlib", "statsmodels")
RUNTIMES = ("3.12", "3.13")  # the Pythons of Colab's two runtimes; the versions are of that Python
KERNEL = "colab"
SECONDS_A_CELL = 300


def colab_versions(runtime: str) -> dict[str, str]:
    """Return the versions in one of Colab's runtimes of the packages that the check installs."""
    pins = colab_pins(ROOT / CONSTRAINTS)
    now = [p for p in pins if not p.marker or p.marker.evaluate({"python_version": runtime})]
    return {pin.name: _exact(pin) for pin in now if pin.name in PINNED}


def locked_torch() -> str:
    """Return the version of torch in the lock file."""
    for line in (ROOT / "constraints/lock.txt").read_text("utf-8").split("\n"):
        text = line.partition("#")[0].strip()
        if text.startswith("torch=="):
            return _exact(Requirement(text))
    raise PublishError("constraints/lock.txt names no torch")


def _exact(requirement: Requirement) -> str:
    return next(iter(requirement.specifier)).version


def run(command: list[str | Path], **options: object) -> str:
    """Run a command; return what it printed.

    Raises
    ------
    PublishError
        The command failed; the message is the end of what it printed.
    """
    result = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, **options
    )
    if result.returncode:
        raise PublishError((result.stdout + result.stderr).strip()[-3000:])
    return result.stdout


def make_environment(folder: Path, runtime: str) -> Path:
    """Make an environment with Colab's versions and no library; return its Python."""
    run([sys.executable, "-m", "venv", folder])
    python = folder / "bin/python"
    pins = [f"{name}=={version}" for name, version in sorted(colab_versions(runtime).items())]
    torch = f"torch=={locked_torch()}"
    print(f"installing {' '.join(pins)} {torch}", flush=True)
    pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    run([*pip, *pins, torch, "ipykernel", "ipywidgets"])  # Colab has both
    run([python, "-m", "ipykernel", "install", "--prefix", folder, "--name", KERNEL])
    return python


def installed(python: Path) -> dict[str, str]:
    """Return all versions in an environment."""
    listing = run([python, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"])
    return {package["name"]: package["version"] for package in json.loads(listing)}


def set_up(cell: str, python: Path, environment: dict[str, str]) -> str:
    """Let a notebook's first cell install the library; return what it printed.

    Raises
    ------
    PublishError
        The cell failed, did not install the library, or moved a version.
    """
    before = installed(python)
    if "xai-course" in before:
        raise PublishError("the library was there beforehand, so the check would prove nothing")
    with tempfile.TemporaryDirectory() as folder:
        printed = run([python, "-c", cell], cwd=folder, env=environment)
    after = installed(python)
    if "xai-course" not in after:
        raise PublishError("the set-up cell ran without installing the library")
    moved = [f"{n} {v} -> {after.get(n)}" for n, v in before.items() if after.get(n) != v]
    if moved:
        raise PublishError(f"the set-up cell moved {', '.join(moved)}")
    return printed.strip()


def expected(published: Path, executed: Path) -> nbformat.NotebookNode:
    """Return a published notebook with the outputs that its cells have in the book.

    Raises
    ------
    PublishError
        A cell was never executed: the notebooks are not those of this book.
    """
    notebook = nbformat.read(published, as_version=4)
    book = iter(nbformat.read(executed, as_version=4).cells)
    setup, *cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    setup.metadata.tags = ["nbval-ignore-output"]  # it prints versions
    for cell in cells:
        # The book has cells that readers do not get; the order is the same.
        twin = next((one for one in book if one.source == cell.source), None)
        if twin is None:
            raise PublishError(f"{published.name} is not of the book that was built")
        cell.outputs, cell.execution_count = twin.outputs, twin.execution_count
    return notebook


def compare(folder: Path, python: Path, environment: dict[str, str]) -> bool:
    """Run the notebooks in the folders of a folder with nbval; tell whether all is as expected."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tools.pictures", "--nbval"]
    command += ["--nbval-kernel-name", KERNEL, "--nbval-cell-timeout", str(SECONDS_A_CELL)]
    command += ["--nbval-sanitize-with", str(ROOT / "tests/nbval-sanitize.cfg")]
    command += ["--rootdir", str(folder), "-c", str(ROOT / "pyproject.toml")]
    command += ["-n", "2", "--dist", "loadfile", "--durations", "5", str(folder)]
    kernels = {"JUPYTER_PATH": str(python.parents[1] / "share/jupyter")}
    status = subprocess.run(command, cwd=ROOT, env=environment | kernels, check=False).returncode
    left = [p for p in folder.rglob("*") if p.is_file() and p.name != f"{p.parent.name}.ipynb"]
    for path in left:
        print(f"the notebook left a file behind: {path.relative_to(folder)}", file=sys.stderr)
    return status == 0 and not left


def check(notebooks: list[tuple[Path, Path]], runtime: str) -> bool:
    """Check pairs of a published notebook and its executed page under one runtime's versions."""
    with tempfile.TemporaryDirectory(prefix="colab-check-") as name:
        folder = Path(name)
        hidden = ("PYTHONPATH", "VIRTUAL_ENV", "MPLBACKEND", "XAI_COURSE_DATA")
        environment = {key: value for key, value in os.environ.items() if key not in hidden}
        environment["XAI_COURSE_SOURCE"] = str(build_wheel(ROOT, folder))
        python = make_environment(folder / "venv", runtime)
        for published, executed in notebooks:
            notebook = expected(published, executed)
            target = folder / "run" / published.stem / published.name
            target.parent.mkdir(parents=True)
            nbformat.write(notebook, target)
        first = next(cell.source for cell in notebook.cells if cell.cell_type == "code")
        print(set_up(first, python, environment), flush=True)
        return compare(folder / "run", python, environment)


def main(arguments: list[str] | None = None) -> int:
    """Run the check; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", type=Path, default=ROOT / "_build", help="what was built")
    parser.add_argument("--only", metavar="SLUG", help="check one chapter")
    parser.add_argument("--runtime", choices=RUNTIMES, default=RUNTIMES[-1])
    options = parser.parse_args(arguments)
    published = sorted((options.build / "notebooks/reader").glob(f"{options.only or '*'}.ipynb"))
    pages = {path.stem: path for path in (options.build / "executed").rglob("*.ipynb")}
    if not published or not all(path.stem in pages for path in published):
        print("there are no notebooks: run `make notebooks` first", file=sys.stderr)
        return 1
    try:
        good = check([(path, pages[path.stem]) for path in published], options.runtime)
    except PublishError as error:
        print(f"colab-check: {error}", file=sys.stderr)
        return 1
    print(f"{len(published)} notebooks with the versions of Python {options.runtime}'s runtime: "
          f"{'as in the book' if good else 'FAILED'}")  # fmt: skip
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
