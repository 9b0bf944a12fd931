"""Run the published reader notebooks as a stranger's machine would.

A fresh environment outside the repository gets Colab's versions of the scientific packages, but
not the book's library. Each notebook is copied alone into an empty folder and run there; its own
first cell must install the library, from a wheel built here, without moving anything. Torch is the
one of ``constraints/lock.txt``: Colab's own is built for CUDA and too large to fetch for a check.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tools.publish.errors import PublishError  # noqa: E402
from tools.publish.setup_cell import CONSTRAINTS, colab_pins  # noqa: E402

PINNED = ("numpy", "pandas", "scikit-learn", "scipy", "matplotlib")
LATEST_COLAB = "3.13"
RUN = """
import sys, nbformat, nbclient
notebook = nbformat.read(sys.argv[1], as_version=4)
nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
setup = next(cell for cell in notebook.cells if cell.cell_type == "code")
print("".join(output.get("text", "") for output in setup.outputs).strip())
"""


def colab_versions() -> dict[str, str]:
    """Return the versions in Colab's latest runtime of the packages that the check installs."""
    pins = colab_pins(ROOT / CONSTRAINTS)
    now = [p for p in pins if not p.marker or p.marker.evaluate({"python_version": LATEST_COLAB})]
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


def build_wheel(folder: Path) -> Path:
    """Build the library's wheel from a copy, so that nothing is left in the repository."""
    copy = folder / "source"
    junk = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", copy / "src", ignore=junk)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, copy])
    return next(folder.glob("xai_course-*.whl"))


def make_environment(folder: Path) -> Path:
    """Make an environment with Colab's versions and no library; return its Python."""
    run([sys.executable, "-m", "venv", folder])
    python = folder / "bin/python"
    pins = [f"{name}=={version}" for name, version in sorted(colab_versions().items())]
    torch = f"torch=={locked_torch()}"
    print(f"installing {' '.join(pins)} {torch}", flush=True)
    pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    run([*pip, *pins, torch, "ipykernel", "nbclient"])
    return python


def installed(python: Path) -> dict[str, str]:
    """Return all versions in an environment."""
    listing = run([python, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"])
    return {package["name"]: package["version"] for package in json.loads(listing)}


def check(notebook: Path, python: Path, wheel: Path) -> str:
    """Run one notebook alone in an empty folder; return what its set-up cell printed.

    Raises
    ------
    PublishError
        A cell failed, the library was not installed by the notebook, or a version moved.
    """
    run([python, "-m", "pip", "uninstall", "-q", "-y", "xai-course"])
    before = installed(python)
    if "xai-course" in before:
        raise PublishError("the library was there beforehand, so the check would prove nothing")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(notebook, folder)
        clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
        clean |= {"XAI_COURSE_SOURCE": str(wheel), "MPLBACKEND": "agg"}
        printed = run([python, "-c", RUN, notebook.name], cwd=folder, env=clean)
    after = installed(python)
    if "xai-course" not in after:
        raise PublishError("the notebook ran without installing the library")
    moved = [
        f"{name} {before[name]} -> {after.get(name)}"
        for name in before
        if after.get(name) != before[name]
    ]
    if moved:
        raise PublishError(f"the set-up cell moved {', '.join(moved)}")
    return printed.strip()


def main(arguments: list[str] | None = None) -> int:
    """Run the check; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--notebooks", type=Path, default=ROOT / "_build/notebooks/reader")
    parser.add_argument("--only", metavar="SLUG", help="check one chapter")
    options = parser.parse_args(arguments)
    paths = sorted(options.notebooks.glob(f"{options.only or '*'}.ipynb"))
    if not paths:
        print("there are no notebooks: run `make notebooks` first", file=sys.stderr)
        return 1
    failed = 0
    with tempfile.TemporaryDirectory(prefix="colab-check-") as name:
        folder = Path(name)
        try:
            wheel = build_wheel(folder)
            python = make_environment(folder / "venv")
        except PublishError as error:
            print(f"cannot prepare the environment:\n{error}", file=sys.stderr)
            return 1
        for path in paths:
            start = time.perf_counter()
            try:
                said, verdict = check(path, python, wheel), "passed"
            except PublishError as error:
                said, verdict, failed = str(error), "FAILED", failed + 1
            seconds = time.perf_counter() - start
            print(f"{path.stem}: {verdict} in {seconds:.0f} s\n{said}", flush=True)
    print(f"{len(paths) - failed} of {len(paths)} notebooks passed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
