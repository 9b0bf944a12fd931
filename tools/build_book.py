"""Build the book: execute what changed, render everything, say where it is and how long it took.

Jupyter Book caches executed notebooks by their own code only. A page would go on showing old
numbers after a change in the library, so this script first forgets the executions of every chapter
whose imported modules, data that these read, or pinned packages have changed.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import lru_cache
from pathlib import Path

import jupytext
import nbformat
import yaml
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.executors.utils import single_nb_execution

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools.chapters import read_toc  # noqa: E402
from xai_course.book import HOMES  # noqa: E402

LIBRARY = "xai_course"
WORKERS = 2  # chapters that run at a time; a chapter takes up to 800 MB
BACKSTAGE = Path("src", LIBRARY, "book", "__init__.py")
MEASURED = "measured"  # its folder; a page depends on the tables that it names
FILE_NAME = re.compile(r"[A-Za-z]\w*(\.\w+)*")


def main() -> int:
    """Build the book and return an exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=ROOT, help="checkout to build")
    root = parser.parse_args().root.resolve()
    build = root / "_build"
    pages = executable_pages(root)
    forget_stale_executions(root, pages)
    # One thread a library: results then do not depend on the machine's number of cores.
    # The book's extensions import `tools`, which is not installed.
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    os.environ |= {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    os.environ.pop("MPLBACKEND", None)  # it would keep pictures out of the pages and their cache
    execute_missing(root, pages)
    status = run_jupyter_book(root)
    # Also if the book was not built: a verdict may wait for a value that a page has glued just now.
    save_executed(root, pages)
    if status:
        # Sphinx would not repeat the warnings of pages that it has read already, and a second run
        # would look green. The executions stay in their cache.
        shutil.rmtree(build / ".doctrees", ignore_errors=True)
        print(f"\nThe book was not built: see the messages above (exit {status}).", file=sys.stderr)
        return status
    missing = [page for page in read_toc(root) if not rendered(root, page).is_file()]
    if missing:
        print(f"\nThese pages were not rendered: {', '.join(missing)}.", file=sys.stderr)
        return 1
    report(root, pages)
    return 0


def executable_pages(root: Path) -> list[str]:
    """Return the pages that hold code."""
    return [page for page in read_toc(root) if "{code-cell}" in source(root, page).read_text()]


def source(root: Path, page: str) -> Path:
    """Return the text file of a page."""
    return root / "book" / f"{page}.md"


def rendered(root: Path, page: str) -> Path:
    """Return the HTML file of a page."""
    return root / "_build" / "html" / f"{page}.html"


def run_jupyter_book(root: Path) -> int:
    """Run Jupyter Book, warnings being errors; return its exit status."""
    command = [
        *(str(Path(sys.executable).with_name("jupyter-book")), "build", "book"),
        *("--config", str(root / "_config.yml"), "--toc", str(root / "_toc.yml")),
        *("--path-output", "."),
        *("-W", "-n", "--keep-going"),
    ]
    return subprocess.run(command, cwd=root, check=False).returncode


# Execution


def execute_missing(root: Path, pages: list[str]) -> None:
    """Run the pages that are not in the cache, several at a time, and put them there.

    Jupyter Book would run one after the other. It still runs what fails here, and says why.
    """
    cache = get_cache(str(root / "_build" / ".jupyter_cache"))
    timeout = yaml.safe_load((root / "_config.yml").read_text())["execute"]["timeout"]
    with ThreadPoolExecutor(WORKERS) as pool:
        running = {}
        for page in longest_first(root, pages):
            notebook = jupytext.read(source(root, page))
            try:
                cache.match_cache_notebook(notebook)
            except KeyError:
                folder = str(source(root, page).parent)
                job = pool.submit(single_nb_execution, notebook, folder, timeout, False)
                running[job] = page, notebook
        for job in as_completed(running):
            page, notebook = running[job]
            if job.exception() is None and job.result().err is None:
                seconds = {"execution_seconds": job.result().time}
                bundle = CacheBundleIn(notebook, str(source(root, page)), data=seconds)
                cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
                print(f"{page}: {job.result().time:.0f} s", flush=True)


def longest_first(root: Path, pages: list[str]) -> list[str]:
    """Return the pages by falling length of their code, so that no long one is left at the end."""
    return sorted(pages, key=lambda page: -source(root, page).read_text().count("\n"))


# What a chapter depends on


def forget_stale_executions(root: Path, pages: list[str]) -> None:
    """Drop cached executions whose code is the same but whose imports have changed."""
    record = root / "_build" / "fingerprints.json"
    old = json.loads(record.read_text()) if record.is_file() else {}
    new = {page: fingerprint(root, page) for page in pages}
    stale = {page for page in pages if old.get(page) != new[page]}
    cache_folder = root / "_build" / ".jupyter_cache"
    if cache_folder.is_dir():
        cache = get_cache(str(cache_folder))
        for cached in cache.list_cache_records():
            if page_of(cached.uri) in stale:
                cache.remove_cache(cached.pk)
    for page in stale:
        (root / "_build" / ".doctrees" / f"{page}.doctree").unlink(missing_ok=True)
    record.parent.mkdir(exist_ok=True)
    draft = record.with_suffix(".part")
    draft.write_text(json.dumps(new, indent=1))
    draft.replace(record)


def page_of(uri: str) -> str:
    """Return the page of a cached execution, whose checkout may have been moved or copied since."""
    return Path(uri).with_suffix("").as_posix().rpartition("/book/")[2]


def fingerprint(root: Path, page: str) -> str:
    """Return a hash of everything but its own text that decides what a page prints."""
    digest = hashlib.sha256(sys.version.encode())
    for file in sorted(used_files(root, page) | {root / "constraints" / "lock.txt"}):
        digest.update(str(file.relative_to(root)).encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def used_files(root: Path, page: str) -> set[Path]:
    """Return the library's files that a page uses: modules, and the data that these read."""
    notebook = jupytext.read(source(root, page))
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    modules = imported_files(root, page, cells)
    codes = [*cells, *(file.read_text() for file in modules if file != root / BACKSTAGE)]
    tables = (root / BACKSTAGE).parent / MEASURED
    measured = {file for code in codes for name in measured_names(code) for file in
                tables.glob(f"{name}.json")}  # fmt: skip
    return modules | measured | {file for module in modules for file in data_beside(module)}


def measured_names(code: str) -> Iterator[str]:
    """Yield the names of the measurements that some code reads, as patterns of file names."""
    for node in nodes(code):
        if isinstance(node, ast.Call) and node.args:
            called = ast.unparse(node.func).rpartition(".")[2]
            if called in {"measured", "measured_file"}:
                name = node.args[0]
                parts = name.values if isinstance(name, ast.JoinedStr) else [name]
                yield "".join(p.value if isinstance(p, ast.Constant) else "*" for p in parts)


def data_beside(module: Path) -> Iterator[Path]:
    """Yield the data files that a module names, or whose folder it names, beside itself."""
    for node in nodes(module.read_text()):
        if isinstance(node, ast.Constant) and FILE_NAME.fullmatch(str(node.value)):
            path = module.parent / str(node.value)
            if path.is_file() and path.suffix != ".py":
                yield path
            elif path.name != MEASURED and path.is_dir() and not (path / "__init__.py").exists():
                yield from (file for file in path.rglob("*") if file.is_file())


def imported_files(root: Path, page: str, cells: list[str]) -> set[Path]:
    """Return the library's modules that a page imports, directly or through each other."""
    waiting = {name for cell in cells for name in imported_names(cell)}
    # What `xai_course.book` imports only when it is asked; a chapter's checks bear its name.
    homes = HOMES | {"check": f"checks.{Path(page).name.replace('-', '_')}"}
    waiting |= {f"{LIBRARY}.book.{homes[n]}" for n in homes if f"{LIBRARY}.book.{n}" in waiting}
    found: set[Path] = set()
    while waiting:
        file = module_file(root, waiting.pop())
        if file is not None and file not in found:
            found.add(file)
            waiting |= set(imported_names(file.read_text()))
    return found


@lru_cache(maxsize=1024)  # most pages import the same modules
def nodes(code: str) -> list[ast.AST]:
    """Return the syntax of some code; nothing where it is wrong, which the page's run will say."""
    try:
        return list(ast.walk(ast.parse(code)))
    except SyntaxError:
        return []


def imported_names(code: str) -> Iterator[str]:
    """Yield the names of the library's modules that some code may import."""
    for node in nodes(code):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            if name.split(".")[0] == LIBRARY:
                yield name
                yield from (name.rsplit(".", n)[0] for n in range(1, name.count(".") + 1))


def module_file(root: Path, name: str) -> Path | None:
    """Return the file of a module of the library, or None if the name is not a module."""
    path = root / "src" / Path(*name.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


# What is left behind, and what to say at the end


def save_executed(root: Path, pages: list[str]) -> None:
    """Write the notebook, with all its outputs, of each page that ran to `_build/executed`.

    MyST-NB's own copies in `_build/jupyter_execute` lack the values that were glued into the prose,
    so a comparison with a second run would not cover them.
    """
    cache = get_cache(str(root / "_build" / ".jupyter_cache"))
    folder = root / "_build" / "executed"
    shutil.rmtree(folder, ignore_errors=True)
    for page in pages:
        try:
            _, notebook = cache.merge_match_into_notebook(jupytext.read(source(root, page)))
        except KeyError:
            continue
        target = folder / f"{page}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, target)


def report(root: Path, pages: list[str]) -> None:
    """Print each chapter's seconds and the address of the first page."""
    seconds = execution_seconds(root)
    print("\nExecution, in seconds:")
    for page in pages:
        taken = seconds.get(page)
        print(f"  {page:<45} {'?' if taken is None else f'{taken:.1f}'}")
    print(f"\nThe book is here: {rendered(root, read_toc(root)[0]).as_uri()}")


def execution_seconds(root: Path) -> dict[str, float]:
    """Return the seconds of the newest execution of each page."""
    cache = get_cache(str(root / "_build" / ".jupyter_cache"))
    records = sorted(cache.list_cache_records(), key=lambda record: record.created)
    return {page_of(r.uri): r.data.get("execution_seconds") for r in records}


if __name__ == "__main__":
    sys.exit(main())
