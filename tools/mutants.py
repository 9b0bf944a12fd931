"""Change the library in one place at random, and see whether a test notices: mutation testing.

``python tools/mutants.py regions --number 20`` draws 20 places of a room, changes each in turn in a
copy of the library, and runs the tests of that room. A mutant that no test notices is printed with
its line. Some are no fault (a tolerance of 1e-9 or 2e-9); the others are a missing test.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = ROOT / "src" / "xai_course"
TESTS = ROOT / "tests" / "unit"

# Room -> its files in the library, and its tests.
ROOMS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "networks": (
        ("activations.py", "approximation.py", "networks.py", "conversion.py"),
        ("test_networks.py", "test_conversion.py", "test_activations.py", "test_approximation.py"),
    ),
    "regions": (("_polygons.py", "_polytopes.py", "regions.py"), ("test_regions.py",)),
    "decisionnet": (("decisionnet.py",), ("test_decisionnet.py",)),
    "unwrapping": (
        ("unwrapping/*.py",),
        (
            *("test_glm.py", "test_unwrapper.py", "test_merging.py", "test_inference.py"),
            *("test_partition.py", "test_flattening.py", "test_unwrapping_plots.py"),
            "test_ward.py",
        ),
    ),
    "distillation": (
        ("_loop.py", "training.py", "distillation.py"),
        ("test_training.py", "test_distillation.py"),
    ),
    "inet": (
        ("polynomials.py", "_perceptrons.py", "inet/*.py"),
        ("test_polynomials.py", "test_inet_*.py"),
    ),
    "exact": (
        ("lines.py", "_following.py", "_models.py", "exact/*.py"),
        ("test_lines.py", "test_exact.py", "test_counterfactual.py"),
    ),
    "saliency": (
        ("attribution/*.py", "metrics/*.py", "effects.py", "relevance.py", "masks.py"),
        (
            *("test_attribution.py", "test_metrics.py", "test_metrics_localisation.py"),
            *("test_effects.py", "test_relevance.py", "test_masks.py"),
        ),
    ),
}

_COMPARISONS = {
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==",
    ast.Is: "is not", ast.IsNot: "is", ast.In: "not in", ast.NotIn: "in",
}  # fmt: skip
_ARITHMETIC = {
    ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.MatMult: "*", ast.Pow: "*",
    ast.Mod: "+", ast.FloorDiv: "*", ast.BitAnd: "|", ast.BitOr: "&",
}  # fmt: skip
_NAMES = {
    "argmin": "argmax", "argmax": "argmin", "min": "max", "max": "min", "any": "all", "all": "any",
    "minimum": "maximum", "maximum": "minimum", "floor": "ceil", "ceil": "floor", "sin": "cos",
    "cos": "sin", "zeros": "ones", "ones": "zeros", "mean": "sum", "sum": "mean",
    "left": "right", "right": "left",
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """A piece of a file and what stands in its place."""

    file: Path
    line: int
    begin: int
    end: int
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.file.relative_to(LIBRARY)}:{self.line}: {self.before} -> {self.after}"

    def write(self, library: Path) -> None:
        """Change the copy of the file in another copy of the library."""
        text = self.file.read_bytes()
        changed = text[: self.begin] + self.after.encode() + text[self.end :]
        (library / self.file.relative_to(LIBRARY)).write_bytes(changed)


def mutants_of(file: Path) -> Iterator[Mutant]:
    """Yield every change of one place that this script knows."""
    source = file.read_bytes()
    starts = [0]
    for line in source.split(b"\n"):
        starts.append(starts[-1] + len(line) + 1)

    def position(line: int, column: int) -> int:
        return starts[line - 1] + column

    def mutant(begin: int, end: int, line: int, after: str) -> Mutant:
        return Mutant(file, line, begin, end, source[begin:end].decode(), after)

    def between(left: ast.expr, right: ast.expr, after: str) -> Mutant:
        """Replace the operator between two operands, whose brackets stay."""
        begin = position(left.end_lineno, left.end_col_offset)
        end = position(right.lineno, right.col_offset)
        brackets = source[begin:end].decode()
        closing = ")" * brackets.count(")")
        opening = "(" * brackets.count("(")
        return mutant(begin, end, left.end_lineno, f"{closing} {after} {opening}")

    def whole(node: ast.expr, after: str) -> Mutant:
        begin = position(node.lineno, node.col_offset)
        return mutant(begin, position(node.end_lineno, node.end_col_offset), node.lineno, after)

    for node in _running_code(ast.parse(source)):
        match node:
            case ast.Compare(left=left, ops=[operator], comparators=[right]):
                yield between(left, right, _COMPARISONS[type(operator)])
            case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _ARITHMETIC:
                yield between(left, right, _ARITHMETIC[type(operator)])
            case ast.BoolOp(op=operator, values=[left, right]):
                yield between(left, right, "or" if isinstance(operator, ast.And) else "and")
            case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
                yield whole(node, f"({ast.unparse(operand)})")
            case ast.Constant(value=bool() as value):
                yield whole(node, str(not value))
            case ast.Constant(value=int() | float() as value):
                yield whole(node, repr(value + 1 if isinstance(value, int) else 3 * value + 0.1))
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in _NAMES:
                end = position(node.func.end_lineno, node.func.end_col_offset)
                yield mutant(end - len(name), end, node.func.end_lineno, _NAMES[name])
            case ast.If(test=test):
                yield whole(test, "False")


def _running_code(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that decide results: no annotations, error messages, texts or printing."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list"):
                continue
            waiting += [
                part
                for part in (value if isinstance(value, list) else [value])
                if isinstance(part, ast.AST)
                and not isinstance(part, ast.Raise | ast.JoinedStr)
                and getattr(part, "arg", None) not in ("strict", "stacklevel")
                and not (isinstance(part, ast.FunctionDef) and part.name == "__repr__")
                and "TYPE_CHECKING" not in ast.dump(getattr(part, "test", ast.Pass()))
            ]


def survives(mutant: Mutant, tests: list[Path], seconds: int) -> bool:
    """Run the tests on a copy of the library with this change; return whether all pass."""
    own_first = sorted(tests, key=lambda test: mutant.file.stem.strip("_") not in test.stem)
    command = [sys.executable, "-m", "pytest", "-x", "-q", *map(str, own_first)]
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / LIBRARY.name
        shutil.copytree(LIBRARY, library, ignore=shutil.ignore_patterns("__pycache__"))
        mutant.write(library)
        environment = os.environ | {"PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"}
        options = {"cwd": ROOT, "env": environment, "timeout": seconds}
        try:
            result = subprocess.run(command, capture_output=True, check=False, **options)
        except subprocess.TimeoutExpired:  # an endless loop is noticed
            return False
    return result.returncode == 0


def main() -> int:
    """Draw mutants, print those that survive, and return 1 if more than 15 in 100 do."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rooms", nargs="*", metavar="room", default=list(ROOMS), help=str([*ROOMS]))
    parser.add_argument("--number", type=int, default=17, help="mutants in each room")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument(
        "--seconds", type=int, default=600, help="a run that takes longer is noticed"
    )
    arguments = parser.parse_args()
    killed = drawn = 0
    for room in arguments.rooms:
        patterns, tests = ROOMS[room]
        files = sorted({file for pattern in patterns for file in LIBRARY.glob(pattern)})
        places = [mutant for file in files for mutant in mutants_of(file)]
        chosen = random.Random(arguments.seed).sample(places, min(arguments.number, len(places)))
        paths = [path for pattern in tests for path in sorted(TESTS.glob(pattern))]
        with ThreadPoolExecutor(arguments.jobs) as pool:
            alive = list(pool.map(lambda m, p=paths: survives(m, p, arguments.seconds), chosen))
        survivors = [str(mutant) for mutant, lives in zip(chosen, alive, strict=True) if lives]
        print(f"{room}: {len(chosen) - len(survivors)} of {len(chosen)} killed", flush=True)
        print("".join(f"  survived  {line}\n" for line in survivors), end="", flush=True)
        killed, drawn = killed + len(chosen) - len(survivors), drawn + len(chosen)
    print(f"{killed} of {drawn} mutants killed ({killed / drawn:.0%})")
    return int(killed < 0.85 * drawn)


if __name__ == "__main__":
    sys.exit(main())
