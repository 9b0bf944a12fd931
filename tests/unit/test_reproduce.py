"""What `reproduce/` shares: numbers, words, files, and a run that was stopped and goes on."""

import json
import os
import re
import runpy
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from xai_course.book import measured_file

REPRODUCE = Path(__file__).resolve().parents[2] / "reproduce"
RESULTS = sorted(
    p for p in measured_file("any").parent.glob("*.json") if not p.stem.startswith("benchmark_")
)
PAPERS = (
    "cases",
    "clime",
    "inet",
    "interpretability",
    "proxies",
    "saliency",
    "shapley",
    "unwrapping",
)


@pytest.fixture
def results(reproduce):
    return reproduce("results")


# The committed results


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_a_result_says_how_it_was_made(path):
    record = json.loads(path.read_text())
    assert re.fullmatch(r"python reproduce/\w+\.py \w+", record["command"])
    assert (REPRODUCE.parent / record["command"].split()[1]).is_file()
    assert {"date", "minutes", "machine", "versions", "table"} <= set(record)
    assert not re.search(r"/(work|root|home|tmp)/", path.read_text())
    assert path.stat().st_size < 300_000


def test_every_command_has_its_result_and_every_result_its_command(reproduce):
    commands = {
        f"{paper}_{name}": f"python reproduce/{paper}.py {name}"
        for paper in PAPERS
        for name in runpy.run_path(str(REPRODUCE / f"{paper}.py"))["TABLES"]
    }
    found = {path.stem: json.loads(path.read_text())["command"] for path in RESULTS}
    assert found == commands


@pytest.mark.parametrize("paper", PAPERS)
def test_a_command_lists_its_tables(paper):
    command = [sys.executable, str(REPRODUCE / f"{paper}.py"), "--help"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert any(
        name in done.stdout
        for name in ("table1", "figure", "effects", "rules", "lime", "adversarial")
    )


# Numbers and words


def test_spread_and_summary_by_hand(results):
    values = [1.0, 2.0, 6.0]
    sd = {"sd": pytest.approx(np.sqrt(7), abs=1e-5), "n": 3}
    assert results.spread(values) == {"mean": 3.0, "min": 1.0, "max": 6.0, **sd}
    assert results.summary(np.array(values)) == {"mean": 3.0, "median": 2.0, "max": 6.0, **sd}
    assert results.spread([1.0])["sd"] is results.summary([1.0])["sd"] is None


def test_over_seeds_has_the_shape_of_a_run(results):
    runs = [{"a": k, "deep": {"b": 10 * k}} for k in (1, 3)]
    found = results.over_seeds(runs)
    assert found == {"a": results.spread([1, 3]), "deep": {"b": results.spread([10, 30])}}


def test_a_verdict_by_hand(results):
    ours = {"min": 0.92, "mean": 0.93, "max": 0.94}
    for printed in (0.92, 0.93, 0.94):
        assert results.verdict(printed, ours) == "inside our range over seeds"
    assert results.verdict(0.91, ours) == "not reproduced: ours is above, by 0.02"
    assert results.verdict(0.95, ours) == "not reproduced: ours is below, by 0.02"


# Files


def test_writing(results, tmp_path):
    assert results.data_hash(np.arange(3)) != results.data_hash(np.arange(4))
    path = results.write("x", {"a": 1}, "python reproduce/x.py t", 90.0)
    record = json.loads(path.read_text())
    assert (record["table"], record["minutes"]) == ({"a": 1}, 1.5)
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_a_command_times_its_table_and_writes_it(results, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["x.py", "b"])
    tables = {"a": dict, "b": lambda: {"found": 2}}
    name = results.choose("What it does.", tables)
    results.run("paper", name, tables[name], seconds_before=600)
    record = json.loads((tmp_path / "paper_b.json").read_text())
    assert record["table"] == {"found": 2}
    assert record["command"] == "python reproduce/paper.py b"
    assert record["minutes"] == 10.0
    assert capsys.readouterr().out == f"{tmp_path / 'paper_b.json'}\n"
    monkeypatch.setattr(sys, "argv", ["x.py", "c"])
    with pytest.raises(SystemExit):
        results.choose("What it does.", tables)


KILLED = """
import os, pathlib, signal, sys
sys.path.insert(0, sys.argv[1])
import results
results.FOLDER = pathlib.Path(sys.argv[2])
from replicates import Replicates

def work(k):
    if k == 2 and sys.argv[3] == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    print("worked on", k, flush=True)
    return {"score": k / 3}

replicates = Replicates("x", [pathlib.Path(sys.argv[1]) / "results.py"])
print([replicates.run(str(k), lambda k=k: work(k))["score"] for k in range(4)])
"""


def test_a_killed_run_goes_on(tmp_path):
    def run(how):
        command = [sys.executable, "-c", KILLED, str(REPRODUCE), str(tmp_path), how]
        return subprocess.run(command, capture_output=True, text=True)

    first, second, third = run("die"), run("live"), run("live")
    assert first.returncode == -signal.SIGKILL
    assert first.stdout.split("\n")[:2] == ["worked on 0", "worked on 1"]
    assert second.returncode == 0, second.stderr
    scores = str([k / 3 for k in range(4)])
    assert second.stdout.splitlines() == ["worked on 2", "worked on 3", scores]
    assert third.stdout.splitlines() == [scores]


def test_seeds_without_a_result_are_passed_over_and_counted(reproduce, tmp_path):
    program = tmp_path / "program.py"
    program.write_text("a = 1")
    asked = []

    def work(name, seed):
        asked.append((name, seed))
        return None if seed in (1, 2) else {"seed": seed}

    for _ in range(2):  # the second time everything is known
        replicates = reproduce("replicates").Replicates("x", [program])
        assert replicates.first(3, "a", work) == ([{"seed": 0}, {"seed": 3}, {"seed": 4}], 2)
    assert asked == [("a", seed) for seed in range(5)]


def test_replicates_of_other_programs_are_thrown_away(reproduce, tmp_path):
    Replicates = reproduce("replicates").Replicates
    program = tmp_path / "program.py"
    program.write_text("a = 1")
    calls = []

    def replicate():
        return Replicates("x", [program]).run("0", lambda: calls.append(1) or len(calls))

    assert [replicate(), replicate()] == [1, 1]
    assert Replicates("x", [program]).seconds_before >= 0
    program.write_text("a = 2")
    assert replicate() == 2
    Replicates("x", [program]).clear()
    assert sorted(os.listdir(tmp_path)) == ["program.py"]
    assert replicate() == 3
