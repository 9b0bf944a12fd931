"""The workflows are valid, bounded in time and rights, and name only what exists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from check_jsonschema import main as check_jsonschema
from click.testing import CliRunner

ROOT = Path(__file__).resolve().parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.y*ml"))
FORMS = sorted(p for p in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if p.name != "config.yml")
OTHERS = [
    ("vendor.dependabot", GITHUB / "dependabot.yml"),
    ("vendor.github-issue-config", GITHUB / "ISSUE_TEMPLATE" / "config.yml"),
    ("vendor.citation-file-format", ROOT / "CITATION.cff"),
]
on_every_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)

MAKE = re.compile(r"\bmake ((?:[a-z][a-z-]*[ \t]?)+)")
FOLDERS = r"\.ci|\.github|book|constraints|src|tests|tools"
NAMED = re.compile(rf"(?<![\w./-])((?:{FOLDERS})/[\w./*-]+|pyproject\.toml)")
PINNED = re.compile(r"[\w-]+/[\w./-]+@v\d+")


def schema_problems(schema: str, path: Path) -> str:
    """Validate a file; an empty answer means that it is valid."""
    done = CliRunner().invoke(check_jsonschema, ["--builtin-schema", schema, str(path)])
    return "" if done.exit_code == 0 else done.output or repr(done.exception)


def load(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def jobs_without_limit(workflow: dict[str, Any]) -> list[str]:
    return [name for name, job in workflow["jobs"].items() if "timeout-minutes" not in job]


def unpinned_actions(workflow: dict[str, Any]) -> list[str]:
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    used = [step["uses"] for step in steps if "uses" in step]
    return [action for action in used if not PINNED.fullmatch(action)]


def scripts(workflow: dict[str, Any]) -> str:
    """All shell of a workflow."""
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    return "\n".join(step.get("run", "") for step in steps)


def make_targets(text: str) -> set[str]:
    """What a text asks `make` to make."""
    return {target for match in MAKE.findall(text) for target in match.split()}


def lost_paths(text: str, root: Path) -> list[str]:
    """Paths of the repository that a text names and that do not exist."""
    named = {name.rstrip("./") for name in NAMED.findall(text)}
    return sorted(name for name in named if not any(root.glob(name)))


def test_there_are_workflows() -> None:
    names = {path.stem for path in WORKFLOWS}
    assert names >= {"test", "gpu", "colab", "publish", "errata"}
    assert FORMS


@on_every_workflow
def test_workflow_is_valid(path: Path) -> None:
    assert not schema_problems("vendor.github-workflows", path)


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_issue_form_is_valid(path: Path) -> None:
    assert not schema_problems("vendor.github-issue-forms", path)


@pytest.mark.parametrize(("schema", "path"), OTHERS, ids=[path.name for _, path in OTHERS])
def test_other_file_is_valid(schema: str, path: Path) -> None:
    assert not schema_problems(schema, path)


@on_every_workflow
def test_workflow_is_bounded(path: Path) -> None:
    workflow = load(path)
    assert workflow["permissions"] == {"contents": "read"}, "a job asks for what it needs beyond"
    assert workflow["concurrency"]["group"]
    # A custom or missing shell would run without -eo pipefail.
    assert workflow["defaults"]["run"]["shell"] == "bash"
    assert not jobs_without_limit(workflow)
    assert not unpinned_actions(workflow)


@on_every_workflow
def test_workflow_names_what_exists(path: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    known = set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))
    assert make_targets(scripts(load(path))) <= known
    assert not lost_paths(path.read_text(encoding="utf-8"), ROOT)


def test_gpu_runner_is_one_variable() -> None:
    job = load(GITHUB / "workflows" / "gpu.yml")["jobs"]["chapters"]
    assert job["runs-on"] == "${{ vars.GPU_RUNNER }}"
    assert job["if"] == "${{ vars.GPU_RUNNER != '' }}"


# --- these tests can fail -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [("runs-on:", "runs_on:"), ("timeout-minutes: 45", "timeout-minutes: soon")],
)
def test_broken_workflow_is_caught(old: str, new: str, tmp_path: Path) -> None:
    text = (GITHUB / "workflows" / "test.yml").read_text(encoding="utf-8")
    assert old in text
    broken = tmp_path / "test.yml"
    broken.write_text(text.replace(old, new), encoding="utf-8")
    assert schema_problems("vendor.github-workflows", broken)


def test_broken_form_is_caught(tmp_path: Path) -> None:
    broken = tmp_path / "form.yml"
    text = FORMS[0].read_text(encoding="utf-8").replace("type: input", "type: colour")
    broken.write_text(text, encoding="utf-8")
    assert schema_problems("vendor.github-issue-forms", broken)


def test_lost_names_are_caught(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "here.py").touch()
    text = "python tools/here.py && python tools/gone.py book/*/*.md _build/tools/made.py"
    assert lost_paths(text, tmp_path) == ["book/*/*.md", "tools/gone.py"]
    assert make_targets("run: make test && make book notebooks") == {"test", "book", "notebooks"}


def test_unbounded_jobs_and_floating_actions_are_caught() -> None:
    steps = [{"uses": "actions/checkout@main"}, {"uses": "actions/checkout@v4"}, {"run": "true"}]
    workflow = {"jobs": {"one": {"steps": steps}, "two": {"timeout-minutes": 1, "steps": []}}}
    assert jobs_without_limit(workflow) == ["one"]
    assert unpinned_actions(workflow) == ["actions/checkout@main"]
