"""The small book of these tests: where it is, and how it is built and read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
from myst_nb.core.read import read_myst_markdown_notebook

ROOT = Path(__file__).parents[2]
FIXTURES = Path(__file__).parent / "fixtures"
sys.path.insert(0, str(ROOT))  # tools is not installed


def environment() -> dict[str, str]:
    """Return an environment in which the stand-in library comes before the real one."""
    path = os.pathsep.join(
        filter(None, [str(FIXTURES / "lib"), str(ROOT), os.environ.get("PYTHONPATH")])
    )
    # nbgrader and nbclient look for programs beside the interpreter.
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    changed = {"PYTHONPATH": path, "PATH": programs}
    return {k: v for k, v in os.environ.items() if k != "XAI_COURSE_STRICT"} | changed


def nbgrader(folder: Path, *arguments: str) -> None:
    """Run nbgrader in a course's folder, with the stand-in library."""
    result = subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=folder,
        env=environment() | {"HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def copy_course(folder: Path) -> Path:
    """Copy the small book, with the repository's own extensions and constraints, to `folder`."""
    shutil.copytree(FIXTURES / "course", folder, dirs_exist_ok=True)
    for extension in ("colab_link", "data_tables", "errata"):
        shutil.copy(ROOT / f"book/_ext/{extension}.py", folder / "book/_ext")
    shutil.copy(ROOT / "book/errata.md", folder / "book")
    shutil.copytree(FIXTURES / "lib/xai_course", folder / "src/xai_course")
    for name in ("README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    (folder / "constraints").mkdir(exist_ok=True)
    shutil.copy(ROOT / "constraints/colab.txt", folder / "constraints")
    return folder


def build(course: Path) -> subprocess.CompletedProcess[str]:
    """Build the small book as `make book` builds the real one: every warning is an error."""
    program = str(Path(sys.executable).parent / "jupyter-book")
    command = [program, "build", "book", "--path-output", "."]
    command += ["--config", "_config.yml", "--toc", str(course / "_toc.yml"), "-W", "-n"]
    return subprocess.run(
        command, cwd=course, env=environment(), capture_output=True, text=True, check=False
    )


def read(path: Path):
    """Read one notebook."""
    return nbformat.read(path, as_version=4)


def change(path: Path, old: str, new: str) -> None:
    """Change a file."""
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def next_edition(project: Path, folder: Path, version: str = "9.9.0") -> Path:
    """Return a built copy of the project as another edition, without its third exercise."""
    from tools.edition import edition_name

    root = folder / f"book-{version}"
    shutil.copytree(project, root)
    change(root / "pyproject.toml", "9.8.7", version)
    change(root / "src/xai_course/__init__.py", "9.8.7", version)
    chapter, executed = "part/small-chapter", root / "_build/jupyter_execute"
    page = root / f"book/{chapter}.md"
    text = page.read_text("utf-8")
    cut = text[: text.index("```{exercise-start} Double")] + text[text.index("## Works cited") :]
    page.write_text(cut, "utf-8")
    left = [c.source for c in read_myst_markdown_notebook(cut).cells if c.cell_type == "code"]
    notebook = json.loads((executed / f"{chapter}.ipynb").read_text("utf-8"))
    code = (cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    notebook["cells"] = [
        next(cell for cell in code if "".join(cell["source"]) == source) for source in left
    ]
    (executed / f"{chapter}.ipynb").write_text(json.dumps(notebook), "utf-8")
    for page in (root / "_build/html").rglob("*.html"):
        page.write_text(page.read_text("utf-8").replace("v9.8.7", edition_name(version)), "utf-8")
    return root
