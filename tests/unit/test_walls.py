"""Who may know whom, read from the imports.

The library knows no chapter, no exercise and none of the programs beside it. `xai_course.book` is
what makes a page a page: it may import anything, and no other module imports it.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"
LIBRARY = "xai_course"
BACKSTAGE = f"{LIBRARY}.book"
GRADING = f"{LIBRARY}.grading"  # a program that compares with the backstage's checks

# A method may reach up for the convenience of its callers, at the time when it is called. Each pair
# is the module that holds the method and the one that it asks.
CONVENIENCE = {
    ("networks", "conversion"): "from_torch, from_sklearn and to_torch stand on the network",
    ("networks", "regions"): "network.region and network.enumerate_regions",
    ("unwrapping.unwrapper", "unwrapping.merging"): "unwrapper.merge",
}


def name_of(path: Path) -> str:
    """Return the dotted name of a module's file."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted((SOURCE / LIBRARY).rglob("*.py"))}


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield the names that code imports, at its head or when it is called.

    What only a type checker reads is not imported.
    """
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute here"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        yield from imported(node)


def module_of(name: str) -> str | None:
    """Return the module of the library that an imported name is, or comes from."""
    names = [name, name.rpartition(".")[0]]
    return next((one for one in names if one in MODULES), None)


def uses(tree: ast.AST) -> set[str]:
    """Return the library's modules that code imports."""
    return {module for name in imported(tree) if (module := module_of(name))}


TREES = {name: ast.parse(path.read_text("utf-8")) for name, path in MODULES.items()}


def circles(graph: dict[str, set[str]]) -> set[frozenset[str]]:
    """Return the sets of modules that reach each other."""

    def reach(start: str) -> set[str]:
        found, waiting = set(), [start]
        while waiting:
            fresh = graph[waiting.pop()] - found
            found |= fresh
            waiting += fresh
        return found

    reached = {name: reach(name) for name in graph}
    return {
        frozenset(other for other in reached[name] if name in reached[other])
        for name in graph
        if name in reached[name]
    }


def test_no_module_of_the_library_knows_the_backstage():
    knowing = {
        name: sorted(one for one in uses(tree) if one.startswith(BACKSTAGE))
        for name, tree in TREES.items()
        if not name.startswith((BACKSTAGE, GRADING))
    }
    assert {name: found for name, found in knowing.items() if found} == {}


def test_nobody_imports_the_grader():
    for name, tree in TREES.items():
        if not name.startswith(GRADING):
            assert not [one for one in uses(tree) if one.startswith(GRADING)], name


def test_the_library_imports_no_program_beside_it():
    folders = [ROOT / name for name in ("tools", "reproduce", "benchmarks", "tests")]
    programs = {path.stem for folder in folders for path in [folder, *folder.iterdir()]}
    programs -= sys.stdlib_module_names
    for name, tree in TREES.items():
        assert {one.partition(".")[0] for one in imported(tree)} & programs == set(), name


def test_there_are_no_import_circles():
    graph = {
        name: {
            other
            for other in uses(tree)
            if tuple(one.removeprefix(f"{LIBRARY}.") for one in (name, other)) not in CONVENIENCE
        }
        for name, tree in TREES.items()
    }
    assert circles(graph) == set()


@pytest.mark.parametrize("pair", CONVENIENCE, ids=" asks ".join)
def test_a_convenience_is_imported_when_it_is_called(pair):
    name, other = (f"{LIBRARY}.{one}" for one in pair)
    assert other in uses(TREES[name])
    head = [node for node in TREES[name].body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert other not in uses(ast.Module(head, []))


def test_the_library_knows_no_chapter_and_no_exercise():
    slugs = [path.stem for path in (ROOT / "book").glob("*/*.md") if "-" in path.stem]
    for name, tree in TREES.items():
        if name.startswith(BACKSTAGE):
            continue
        assert re.findall(r"\bex-[a-z-]+-\d+", MODULES[name].read_text("utf-8")) == [], name
        # A docstring may say where its subject is explained.
        texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
        texts -= {
            node.value.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        }
        texts = [text for text in texts if isinstance(text, str)]
        assert [text for text in texts if any(slug in text for slug in slugs)] == [], name


def test_a_circle_is_found():
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}, "e": set()}
    assert circles(graph) == {frozenset("abc")}
    assert set(imported(ast.parse("import a.b\nfrom c import d\ndef f():\n    import e"))) == {
        "a.b",
        "c.d",
        "e",
    }
    assert set(imported(ast.parse("if TYPE_CHECKING:\n    import a"))) == set()


# What is slow to import is imported where it is used, so that a page that draws nothing, say, does
# not wait for matplotlib.
SLOW = ("torch", "matplotlib", "gplearn", "statsmodels", "captum", "shap", "lime")
QUICK = ("networks", "regions", "decisionnet", "unwrapping", "inet", "inet.baselines", "data")
QUICK = (*QUICK, "attribution", "metrics", "lines", "exact")


@pytest.mark.parametrize("name", QUICK)
def test_what_is_slow_to_import_waits(name):
    code = f"import xai_course.{name}, sys; print(*{{*sys.modules}} & {{*{SLOW}}})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


def test_the_package_itself_imports_nothing_else():
    code = "import xai_course, sys; print(*{*sys.modules} & {'numpy', 'scipy', 'sklearn', 'torch'})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []
