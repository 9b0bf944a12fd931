"""The committed results of `reproduce/` say how they were made, and a stopped run goes on."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from xai_course.book import measured, measured_file

REPRODUCE = Path(__file__).resolve().parents[2] / "reproduce"
FOLDER = measured_file("any").parent
RESULTS = sorted(p for p in FOLDER.glob("*.json") if not p.stem.startswith("benchmark_"))


@pytest.fixture
def results(monkeypatch, tmp_path):
    """Import the folder's own module without leaving it behind; it writes to a folder of ours."""
    monkeypatch.syspath_prepend(str(REPRODUCE))
    import results

    monkeypatch.setattr(results, "FOLDER", tmp_path)
    yield results
    for name in ("results", "replicates", "_clime_dnet"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_a_result_says_how_it_was_made(path):
    record = json.loads(path.read_text())
    assert re.fullmatch(r"python reproduce/\w+\.py \w+", record["command"])
    assert (REPRODUCE.parent / record["command"].split()[1]).is_file()
    assert {"date", "minutes", "machine", "versions", "table"} <= set(record)
    assert not re.search(r"/(work|root|home|tmp)/", path.read_text())
    assert path.stat().st_size < 300_000


def test_there_are_results():
    assert RESULTS


def test_spread_and_writing(results, tmp_path):
    summary = results.spread([1.0, 2.0, 3.0])
    assert summary == {"mean": 2.0, "sd": 1.0, "min": 1.0, "max": 3.0, "n": 3}
    assert results.spread([1.0])["sd"] is None
    assert results.data_hash(np.arange(3)) != results.data_hash(np.arange(4))
    path = results.write("x", {"a": 1}, "python reproduce/x.py t", 0.0)
    assert json.loads(path.read_text())["table"] == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


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


def test_replicates_of_other_programs_are_thrown_away(results, tmp_path):
    from replicates import Replicates

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


def test_the_dnet_page_shows_the_results():
    page = REPRODUCE.parent / "book" / "piecewise-linear" / "decision-boundaries-and-dnet.md"
    words = " ".join(page.read_text(encoding="utf-8").split())
    toys, images = (measured(f"clime_{name}_dnet") for name in ("toy", "fashion"))
    kinds = ("data", "divided", "all")

    def row(title, printed, cells):
        return f"* - {title} - {printed} - " + " - ".join(cells)

    def count(spread):
        return f"{spread['mean']:.1f} ({spread['min']:.0f} to {spread['max']:.0f})"

    def share(spread):
        mean, low, high = (100 * spread[key] for key in ("mean", "min", "max"))
        return f"{mean:.2f} % ({low:.2f} to {high:.2f})"

    circles, unit = toys["circles"]["over_seeds"], images["unit"]["over_seeds"]
    expected = [
        row(name, 15, [count(toys[key]["over_seeds"][kind]["neurons"]) for kind in kinds])
        for key, name in (
            ("circles", "toy neurons: circles"),
            ("noisy_circles", "noisy circles"),
            ("moons", "moons"),
            ("noisy_moons", "noisy moons"),
        )
    ]
    accuracy = [share(circles[kind]["accuracy"]) for kind in kinds]
    expected.append(row("accuracy, new rows: circles", "100 %", accuracy))
    certified = [str(sum(toy["certified_seeds"][kind] for toy in toys.values())) for kind in kinds]
    expected.append(row("certified, of 40", "not checked", certified))
    expected.append(row("image neurons", 5, [count(unit[k]["neurons"]) for k in kinds[:2]]))
    accuracy = [share(unit[k]["accuracy"]) for k in kinds[:2]]
    expected.append(row("accuracy, test images", "99.80 %", accuracy))
    coverage = [share(unit[k]["coverage"]) for k in kinds[:2]]
    expected.append(row("coverage, test images", "not given", coverage))
    best = {
        key: max(images[scale]["controls"][key]["max"] for scale in images)
        for key in ("network_accuracy", "network_train_accuracy")
    }
    here = images["unit"]["controls"]
    parameters = [f"{unit[kind]['parameters']['mean']:,.0f}" for kind in kinds[:2]]
    expected += [
        f"at most {100 * here['network_accuracy']['max']:.2f} %,",
        f"at most {100 * best['network_accuracy']:.2f} % with two other scalings",
        f"On training images it was at most {100 * best['network_train_accuracy']:.2f} %",
        f"has {100 * here['logistic_regression_accuracy']['mean']:.2f} %",
        f"{images['unit']['network_parameters']:,} parameters, the two kinds of DNet "
        + " and ".join(parameters),
        f"right on {100 * circles['data']['accuracy']['min']:.2f} % only",
    ]
    assert [line for line in expected if line not in words] == []
    assert all(toy["within_seconds"] for toy in toys.values())
    assert images["unit"]["within_seconds"]
    assert all(table["within_seconds"] for table in (*toys.values(), *images.values()))


def test_verdicts_on_the_dnets_follow_from_the_numbers(results):
    import _clime_dnet

    for name in ("toy", "fashion"):
        for table in measured(f"clime_{name}_dnet").values():
            assert table["printed"] == _clime_dnet.PRINTED[name]
            for kind, words in table["verdict"].items():
                ours = table["over_seeds"][kind]
                assert words == _clime_dnet.verdict(table["printed"], ours)
                assert [found["n"] for found in ours.values()] == len(ours) * [len(table["seeds"])]
    assert "below" in _clime_dnet.verdict({"a": 0}, {"a": {"min": 1, "max": 2}})["a"]
