"""What is declared in several places is the same in all of them.

pyproject.toml is the source. conda channels are not asked: whether a conda environment can be
solved is not proved here.
"""

from __future__ import annotations

import ast
import re
import tomllib
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version
from rattler import MatchSpec, VersionSpec
from rattler import Version as CondaVersion

ROOT = Path(__file__).resolve().parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
CANDIDATES = [f"3.{minor}" for minor in range(6, 30)]
PIP_LINE = re.compile(r"-e \.\[([a-z,]+)\]")
PIN = re.compile(r"([A-Za-z0-9._-]+)==([^\s;]+)(?:\s*;\s*(.+))?")
# Fixed by hand; see tools/lock.py.
BY_HAND = {"torch": "2.13.0", "jupyter-book": "1.0.4.post1"}


# --- what is proved; each answers with a list of problems -----------------------------------------


def environment_problems(environment: dict[str, Any], project: dict[str, Any]) -> list[str]:
    """Compare an environment.yml with pyproject.toml."""
    lines = [line for line in environment["dependencies"] if isinstance(line, str)]
    pips = [line["pip"] for line in environment["dependencies"] if isinstance(line, dict)]
    problems = []
    if environment["channels"] != ["conda-forge"]:
        problems.append("the only channel is conda-forge")
    specs = {spec.name.normalized: spec for spec in map(MatchSpec, lines)}
    if not {"python", "pip", "make"} <= set(specs):
        problems.append(f"python, pip and make are needed; found {sorted(specs)}")
    match = PIP_LINE.fullmatch(pips[0][0]) if [len(pip) for pip in pips] == [1] else None
    extras = sorted(project["optional-dependencies"])
    if match is None or sorted(match[1].split(",")) != extras:
        problems.append(f"the pip part must be one -e .[...] with the extras {extras}: {pips}")
    python = specs.get("python")
    pin = VersionSpec(python.version) if python and python.version else None
    allowed = [v for v in CANDIDATES if pin and pin.matches(CondaVersion(v))]
    outside = [v for v in allowed if not SpecifierSet(project["requires-python"]).contains(v)]
    if not allowed or outside:
        problems.append(
            f"python allows {allowed or 'nothing'}; pyproject: {project['requires-python']}"
        )
    return problems


def lines_of(text: str) -> list[str]:
    """The lines of a constraints file that say something."""
    return [line for line in map(str.strip, text.splitlines()) if line and line[0] != "#"]


def lock_problems(text: str, project: dict[str, Any]) -> list[str]:
    """Compare a lock with everything that pyproject.toml names."""
    lines = lines_of(text)
    problems = [f"not `name==version`: {line!r}" for line in lines if not PIN.fullmatch(line)]
    found = [PIN.fullmatch(line) for line in lines]
    pins = {canonicalize_name(match[1]): match[2] for match in found if match}
    for one in map(Requirement, direct(project)):
        version = pins.get(canonicalize_name(one.name))
        if version is None:
            problems.append(f"{one.name} is not pinned")
        elif not one.specifier.contains(version, prereleases=True):
            problems.append(f"{one.name}=={version} is outside {one.specifier}")
    for name, version in BY_HAND.items():
        if pins.get(name) != version:
            problems.append(f"{name} must be {version}; found {pins.get(name)}")
    return problems


def direct(project: dict[str, Any]) -> list[str]:
    """Everything that pyproject.toml names."""
    extras = project["optional-dependencies"].values()
    return [*project["dependencies"], *(line for lines in extras for line in lines)]


def upper_bounds(project: dict[str, Any]) -> list[str]:
    """Dependencies of a reader that are not one plain lower bound."""
    wanted = re.compile(r"[A-Za-z0-9._-]+>=[0-9.]+")
    return [line for line in project["dependencies"] if not wanted.fullmatch(line)]


def colab_problems(text: str, project: dict[str, Any], python: str) -> list[str]:
    """Say which of Colab's versions are too old for the library."""
    bounds = {canonicalize_name(r.name): r for r in map(Requirement, project["dependencies"])}
    problems, compared = [], 0
    for line in lines_of(text):
        pin = Requirement(line)
        if pin.marker and not pin.marker.evaluate({"python_version": python}):
            continue
        needed = bounds.get(canonicalize_name(pin.name))
        version = next(iter(pin.specifier)).version
        compared += needed is not None
        if needed and not needed.specifier.contains(version):
            problems.append(f"{pin.name} {version} in Colab; the library needs {needed.specifier}")
    return problems if compared else ["no package of pyproject.toml is listed"]


def versions() -> dict[str, str]:
    """The version as each place has it."""
    init = ast.parse((ROOT / "src" / "xai_course" / "__init__.py").read_text("utf-8"))
    assigned = [node for node in init.body if isinstance(node, ast.Assign)]
    values = {ast.unparse(node.targets[0]): node.value for node in assigned}
    heading = re.search(r"^## \[?v?(\d[\w.]*)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)
    return {
        "pyproject.toml": PROJECT["version"],
        "__version__": ast.literal_eval(values["__version__"]),
        "CITATION.cff": str(yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))["version"]),
        "CHANGELOG.md": heading[1] if heading else "no heading",
    }


# --- the real files -------------------------------------------------------------------------------


@pytest.fixture
def environment() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))


@pytest.fixture
def lock() -> str:
    return (ROOT / "constraints" / "lock.txt").read_text("utf-8")


@pytest.fixture
def colab() -> str:
    return (ROOT / "constraints" / "colab.txt").read_text("utf-8")


def test_environment_is_in_step(environment) -> None:
    assert environment["name"] == PROJECT["name"]
    assert not environment_problems(environment, PROJECT)


def test_lock_is_in_step(lock) -> None:
    assert not lock_problems(lock, PROJECT)


def test_the_lock_is_for_the_oldest_python(lock) -> None:
    """A package that asks for 3.11.5 cannot be installed on the 3.11.2 of Debian 12."""
    oldest = re.search(r"[\d.]+", PROJECT["requires-python"])[0] + ".0"
    newer = {
        name: needed
        for name in (PIN.fullmatch(line)[1] for line in lines_of(lock))
        if (needed := metadata(name).get("Requires-Python")) and oldest not in SpecifierSet(needed)
    }
    assert not newer


def test_readers_meet_lower_bounds_only() -> None:
    assert not upper_bounds(PROJECT)


@pytest.mark.parametrize("python", ["3.12", "3.13"])
def test_colab_is_new_enough(python, colab) -> None:
    assert not colab_problems(colab, PROJECT, python)


def test_one_version() -> None:
    assert set(versions().values()) == {PROJECT["version"]}, versions()
    assert str(Version(PROJECT["version"])) == PROJECT["version"]


def test_what_lies_in_the_package_travels_with_it() -> None:
    """A wheel has the data, weights and templates that a checkout has."""
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    packed = {
        path
        for package, patterns in setup["package-data"].items()
        for pattern in patterns
        for path in (ROOT / "src" / package.replace(".", "/")).glob(pattern)
    }
    there = {
        path
        for path in (ROOT / "src").rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc") and "egg-info" not in str(path)
    }
    assert there == packed


# --- these tests can fail -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "piece"),
    [
        ("python >=3.11,<3.14", "python >=3.10,<3.14", "python allows"),
        ("python >=3.11,<3.14", "python >=3.40", "nothing"),
        ("[book,test,grading,nbgrader,cluster]", "[book,test]", "extras"),
        ("- -e .", "- numpy\n      - -e .", "one -e"),
        ("  - make\n", "", "needed"),
        ("conda-forge", "defaults", "channel"),
    ],
)
def test_changed_environment_is_caught(old, new, piece) -> None:
    text = (ROOT / "environment.yml").read_text("utf-8")
    assert old in text
    problems = environment_problems(yaml.safe_load(text.replace(old, new)), PROJECT)
    assert any(piece in problem for problem in problems), problems


def test_bad_conda_line_is_caught(environment) -> None:
    environment["dependencies"].insert(0, "numpy >=>2")
    with pytest.raises(Exception, match="version"):
        environment_problems(environment, PROJECT)


@pytest.mark.parametrize(
    ("pattern", "new", "piece"),
    [
        (r"^numpy==.*$", "numpy==1.26.4", "outside"),
        (r"^numpy==.*$", "", "is not pinned"),
        (r"^numpy==", "numpy>=", "not `name==version`"),
        (r"^numpy==.*$", "numpy @ https://example.org/numpy.whl", "not `name==version`"),
        (r"^numpy==.*$", "-e ../numpy", "not `name==version`"),
        (r"^torch==.*$", "torch==2.12.0", "must be 2.13.0"),
        (r"^jupyter-book==.*$", "jupyter-book==2.1.7", "must be 1.0.4"),
    ],
)
def test_changed_lock_is_caught(pattern, new, piece, lock) -> None:
    changed, n_changes = re.subn(pattern, new, lock, flags=re.MULTILINE)
    assert n_changes == 1
    problems = lock_problems(changed, PROJECT)
    assert any(piece in problem for problem in problems), problems


@pytest.mark.parametrize("line", ["numpy>=2,<3", "numpy==2.4", "numpy", "numpy~=2.0"])
def test_upper_bound_is_caught(line) -> None:
    assert upper_bounds({"dependencies": ["torch>=2.6", line]}) == [line]


def test_old_colab_is_caught() -> None:
    text = 'numpy==1.26; python_version < "3.13"\nnumpy==2.1; python_version >= "3.13"'
    assert colab_problems(text, PROJECT, "3.12")
    assert not colab_problems(text, PROJECT, "3.13")
    assert colab_problems("torchvision==0.1", PROJECT, "3.13")
