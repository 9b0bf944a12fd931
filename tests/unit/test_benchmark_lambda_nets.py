"""The benchmark of lambda-nets runs, and what it writes follows from what it measured."""

import json
import sys
from dataclasses import replace

import benchmark_programs
import numpy as np
import pytest

from xai_course.polynomials import sample_polynomials

SCRIPT, BENCHMARK = map(benchmark_programs.load, ("_measure_lambda_nets", "lambda_nets"))
COMMAND = sys.modules["_command"]


@pytest.fixture
def fast(monkeypatch, capsys):
    """Let the measuring script run in this process, with few epochs; return its calls."""
    calls = []
    short = {"paper": replace(SCRIPT.RECIPES["paper"], epochs=2)}
    monkeypatch.setattr(SCRIPT, "RECIPES", short)

    def run_script(python, script, n_variables, way, turn, n_nets, n_jobs):
        calls.append((way, int(turn), int(n_jobs)))
        assert python == sys.executable
        assert (benchmark_programs.FOLDER / script).is_file()
        SCRIPT.main(int(n_variables), way, int(turn), int(n_nets), 1)
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    monkeypatch.setattr(BENCHMARK, "run_script", run_script)
    return calls


def test_the_targets_by_hand():
    entries = [
        {"name": "two-workers-5", "value": 0.02, "cpu": 900.0, "workers": 2, "nets": 45_000,
         "test_error": 0.0104},
        {"name": "plain-5", "value": 3.0, "common": [0.01, 0.02]},
        {"name": "stacked-5", "common": [0.01, 0.021]},
    ]  # fmt: skip
    found = {one["what"]: (one["value"], one["limit"], one["met"])
             for one in BENCHMARK.targets(entries)}  # fmt: skip
    assert found == {
        "45,000 networks, s": (450.0, 360, False),
        "their mean test error": (0.0104, 0.0105, True),
        "test error over the plain loop's": (1.033, 1.05, True),
        "times the plain loop": (300.0, 400, False),
    }
    assert BENCHMARK.targets(entries[:2]) == []


def test_an_entry_by_hand():
    work = BENCHMARK.Work("w", "t", 5, "stacked", n_nets=2, turns=2, common=1)
    runs = [
        {"cpu": 4.0, "wall": 5.0, "epochs": 10.0, "errors": [0.1, 0.3]},
        {"cpu": 8.0, "wall": 9.0, "epochs": 30.0, "errors": [0.5, 0.7]},
    ]
    entry = BENCHMARK.entry(work, runs)
    assert (entry["value"], entry["repeats"], entry["nets_per_second"]) == (3.0, [2.0, 4.0], 0.3333)
    assert (entry["nets"], entry["epochs"], entry["cpu"], entry["wall"]) == (4, 20, 12.0, 14.0)
    assert (entry["test_error"], entry["common"]) == (0.4, [0.1, 0.5])
    assert entry["sd"] == pytest.approx(np.std([0.1, 0.3, 0.5, 0.7]), abs=1e-5)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_quick_runs_end_to_end(fast, tmp_path, capsys):
    path = tmp_path / "made" / "quick.json"
    assert COMMAND.main(BENCHMARK.BENCHMARK, ["--quick", "--output", str(path)]) == 0
    assert [call[0] for call in fast] == ["stacked", "plain", "sklearn"] + ["stacked"] * 3
    assert fast[-1] == ("stacked", 0, 2)
    results = json.loads(path.read_text("utf-8"))
    assert results["quick"]
    works = {work.name: work for work in BENCHMARK.works(True)}
    assert list(works) == [entry["name"] for entry in results["works"]]
    assert all(e["nets"] == works[e["name"]].n_nets for e in results["works"])
    assert len(results["targets"]) == 4
    assert list(path.parent.iterdir()) == [path]
    capsys.readouterr()
    assert COMMAND.main(BENCHMARK.BENCHMARK, ["--table", "--output", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + 6 + 1 + 2 + 4
    assert {row.count("|") for row in lines[:8]} == {lines[0].count("|")}


def test_an_error_is_one_line(capsys):
    assert COMMAND.main(BENCHMARK.BENCHMARK, ["--table", "--output", "nowhere.json"]) == 2
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
