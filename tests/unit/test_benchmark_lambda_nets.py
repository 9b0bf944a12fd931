"""The benchmark of lambda-nets runs, and its stored file says what its numbers say."""

import importlib.util
import json
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from statistics import mean, median
from types import ModuleType

import numpy as np
import pytest

from xai_course.inet import sample_polynomials

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


def load_module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


with pytest.MonkeyPatch.context() as patch:
    # The programs import each other by name; others may have modules of these names.
    names = ("_probe", "unwrapping", "_measure_lambda_nets", "lambda_nets")
    for name in names:
        patch.setitem(sys.modules, name, ModuleType(name))
    _, UNWRAPPING, SCRIPT, BENCHMARK = map(load_module, names)


@pytest.fixture
def fast(monkeypatch, capsys):
    """Let the measuring script run in this process, with few epochs; return its calls."""
    calls = []
    short = {"paper": replace(SCRIPT.RECIPES["paper"], epochs=2)}
    monkeypatch.setattr(SCRIPT, "RECIPES", short)

    def run_script(python, script, n_variables, way, turn, n_nets, n_jobs):
        calls.append((way, int(turn), int(n_jobs)))
        assert python == sys.executable
        assert (FOLDER / script).is_file()
        SCRIPT.main(int(n_variables), way, int(turn), int(n_nets), 1)
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    monkeypatch.setattr(BENCHMARK, "run_script", run_script)
    return calls


def problems(results) -> list[str]:
    """What a file of results says that its own numbers do not."""
    works = {work.name: work for work in BENCHMARK.works(results["quick"])}
    found = [] if list(works) == [e["name"] for e in results["works"]] else ["other works"]
    for entry in results["works"]:
        name, work = entry["name"], works[entry["name"]]
        if entry["value"] != median(entry["repeats"]) or len(entry["repeats"]) != work.turns:
            found.append(f"{name}: not the median of its turns")
        if entry["nets"] != work.n_nets * work.turns:
            found.append(f"{name}: another number of networks")
        if len(entry["common"]) != work.common * work.turns:
            found.append(f"{name}: another number of common polynomials")
        if entry["nets_per_second"] != pytest.approx(1 / entry["value"], rel=1e-3):
            found.append(f"{name}: nets_per_second is wrong")
        seconds = mean(entry["repeats"]) * entry["nets"]
        if entry["cpu"] != pytest.approx(seconds, rel=1e-3, abs=0.06):
            found.append(f"{name}: the CPU seconds are not those of its turns")
    works = {entry["name"]: entry for entry in results["works"]}
    every, plain, ours = (works[f"{name}-5"] for name in ("two-workers", "plain", "stacked"))
    expected = [
        every["cpu"] / 2,
        every["test_error"],
        mean(ours["common"]) / mean(plain["common"]),
        2 * plain["value"] / every["value"],
    ]
    limits = [360, 0.0105, 1.05, 400]
    for k, target in enumerate(results["targets"]):
        value = target["value"]
        if value != pytest.approx(expected[k], rel=1e-3, abs=0.06 if k == 0 else 0):
            found.append(f"{target['what']}: the value is wrong")
        enough = value >= limits[k] if k == 3 else value <= limits[k]
        if target["limit"] != limits[k] or target["met"] is not enough:
            found.append(f"{target['what']}: the verdict is wrong")
    return found


@pytest.fixture(scope="module")
def stored():
    return json.loads(BENCHMARK.RESULTS.read_text("utf-8"))


def test_the_stored_numbers_agree(stored):
    assert not stored["quick"]
    assert problems(stored) == []
    assert {"python", *BENCHMARK.PACKAGES} == set(stored["versions"])
    assert stored["command"] == "python benchmarks/lambda_nets.py"
    assert len(stored["targets"]) == 4
    date.fromisoformat(stored["date"])


# The rules above can fail.
@pytest.mark.parametrize(
    ("part", "change", "message"),
    [
        ("works", {"value": 9.0}, "median"),
        ("works", {"nets": 3}, "number of networks"),
        ("works", {"common": [0.01]}, "common polynomials"),
        ("works", {"nets_per_second": 1.0}, "nets_per_second"),
        ("works", {"cpu": 1e6}, "CPU seconds"),
        ("targets", {"value": 1.0}, "value is wrong"),
        ("targets", {"met": None}, "verdict"),
        ("targets", {"limit": 1e9}, "verdict"),
    ],
    ids=str,
)
def test_a_wrong_number_is_found(stored, part, change, message):
    results = json.loads(json.dumps(stored))
    results[part][0].update(change)
    assert any(message in problem for problem in problems(results))


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_quick_runs_end_to_end(fast, tmp_path, capsys):
    path = tmp_path / "made" / "quick.json"
    assert BENCHMARK.main(["--quick", "--output", str(path)]) == 0
    assert [call[0] for call in fast] == ["stacked", "plain", "sklearn"] + ["stacked"] * 3
    assert fast[-1] == ("stacked", 0, 2)
    results = json.loads(path.read_text("utf-8"))
    assert results["quick"]
    assert problems(results) == []
    assert list(path.parent.iterdir()) == [path]
    capsys.readouterr()
    assert BENCHMARK.main(["--table", "--output", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 6 + 1 + 2 + 4
    assert {row.count("|") for row in lines[:8]} == {lines[0].count("|")}


def test_an_error_is_one_line(capsys):
    assert BENCHMARK.main(["--table", "--output", "nowhere.json"]) == 2
    assert capsys.readouterr().err == (
        "lambda_nets.py: There is no nowhere.json yet; run the benchmark first.\n"
    )


def test_the_plain_loop_learns_and_keeps_its_best(monkeypatch):
    (g,) = sample_polynomials(1, 2, seed=3)
    paper = SCRIPT.RECIPES["paper"]
    rows = SCRIPT.draw(g, [0, 0])
    assert [len(X) for X, _ in rows] == [2813, 937, 1250]
    for X, y in rows:
        np.testing.assert_allclose(y, g(X.numpy()), atol=1e-6)
    errors = []
    for epochs in (1, 20):
        monkeypatch.setattr(SCRIPT, "RECIPES", {"paper": replace(paper, epochs=epochs)})
        errors.append(SCRIPT.plain(g, [0, 0])[0])
    assert errors[1] < 0.5 * errors[0]
    # A first epoch that no other one beats by enough is the one that is kept.
    strict = replace(paper, epochs=20, patience=2, min_delta=1e3)
    monkeypatch.setattr(SCRIPT, "RECIPES", {"paper": strict})
    error, epochs = SCRIPT.plain(g, [0, 0])
    assert epochs == 3
    assert error == pytest.approx(errors[0], rel=1e-6)
