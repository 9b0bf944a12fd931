"""The benchmarks run, and what they write follows from what they measured. No time is asserted."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from statistics import median

import benchmark_programs
import pytest

PROGRAMS = ("exact", "geometry", "growth", "imports", "interpretation", "lambda_nets", "unwrapping")
UNWRAPPING, GEOMETRY, GROWTH, IMPORTS, INTERPRETATION, EXACT = map(
    benchmark_programs.load,
    ("unwrapping", "geometry", "growth", "imports", "interpretation", "exact"),
)
COMMAND = sys.modules["_command"]
QUICK = ["--quick", "--work", "fit-10k", "merge-regression-10k"]
STORED = [COMMAND.measured_file(f"benchmark_{name}") for name in PROGRAMS]


def run(*arguments: str) -> int:
    return COMMAND.main(UNWRAPPING.BENCHMARK, list(arguments))


@pytest.fixture(autouse=True)
def no_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XAI_PEER_PYTHON", raising=False)


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("benchmark") / "made" / "quick.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("XAI_PEER_PYTHON", raising=False)
        assert run(*QUICK, "--output", str(path)) == 0
    return path


# --- what is written ------------------------------------------------------------------------------


def test_an_entry_follows_from_its_runs() -> None:
    def runs(*seconds: float, **more: float) -> list[dict[str, float]]:
        memory = {"peak_mb": 90.0, "beyond_data_mb": 20.0, "regions": 7}
        return [{"seconds": one, **memory, **more} for one in seconds]

    work = UNWRAPPING.Work("w", "t", "fit", "regression", 10, 2, seconds=2, megabytes=90)
    measured = {"floor": runs(0.5), "ours": runs(3.0, 1.0, 2.0), "peer": runs(8.0, held_out=0.7)}
    entry = UNWRAPPING.entry(work, measured)
    assert (entry["value"], entry["repeats"]) == (2.0, [3.0, 1.0, 2.0])
    assert (entry["ratio_to_floor"], entry["peer_over_ours"]) == (4.0, 4.0)
    assert (entry["peer"]["held_out"], entry["regions"]) == (0.7, 7)
    assert entry["met"] is True
    date.fromisoformat(entry["date"])
    for other in (runs(2.1), runs(2.0, peak_mb=91.0)):
        assert UNWRAPPING.entry(work, measured | {"ours": other})["met"] is False
    missing = UNWRAPPING.entry(work, measured | {"ours": [{"missing": "later"}]})
    assert (missing["value"], missing["missing"], missing["met"]) == (None, "later", None)
    assert missing["ratio_to_floor"] is missing["peer_over_ours"] is None


@pytest.mark.parametrize(
    ("value", "unit", "expected"), [(1.0, 3.0, 0.3333), (None, 3.0, None), (1.0, None, None)]
)
def test_ratio(value: float | None, unit: float | None, expected: float | None) -> None:
    assert COMMAND.ratio(value, unit) == expected


@pytest.mark.parametrize(("repeats", "n"), [(5, 5), (1, 1)])
def test_how_often_a_work_is_repeated(repeats: int, n: int) -> None:
    short, long = {"seconds": 1.0}, {"seconds": UNWRAPPING.LONG_SECONDS + 1}
    assert [UNWRAPPING.enough(k * [short], repeats) for k in (n - 1, n)] == [False, True]
    few = min(3, n)
    assert [UNWRAPPING.enough(k * [long], repeats) for k in (few - 1, few)] == [False, True]
    assert UNWRAPPING.enough([{"missing": "later"}], repeats)


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_a_stored_file_says_how_it_was_made_and_names_no_path(path: Path) -> None:
    stored = json.loads(path.read_text("utf-8"))
    assert stored["command"] == f"python benchmarks/{path.stem.removeprefix('benchmark_')}.py"
    assert not any(folder in path.read_text("utf-8") for folder in ("/work", "/home", "/tmp"))
    assert not stored["quick"]


# --- the command ----------------------------------------------------------------------------------


def test_quick_runs_end_to_end(quick: Path) -> None:
    results = json.loads(quick.read_text("utf-8"))
    assert [entry["name"] for entry in results["works"]] == QUICK[2:]
    assert results["quick"]
    assert results["peer_versions"] is None
    for entry in results["works"]:
        for figures in (entry, entry["floor"]):
            assert figures["value"] == median(figures["repeats"])
            assert 0 <= figures["beyond_data_mb"] < figures["peak_mb"]
        assert entry["peer"] is entry["target"] is entry["met"] is None
        assert (entry["rows"], entry["features"]) == (300, 20)
    assert {"python", *UNWRAPPING.PACKAGES} == set(results["versions"])
    assert set(results["machine"]) == {"processor", "cores", "system"}
    assert list(quick.parent.iterdir()) == [quick]


def test_table_prints_every_work(quick: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--table", "--output", str(quick)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + len(QUICK[2:])
    assert {row.count("|") for row in lines} == {lines[0].count("|")}
    assert "| 300 x 20 | 300 |" in lines[2]


def test_one_work_joins_the_others(quick: Path, tmp_path: Path) -> None:
    path = tmp_path / "some.json"
    path.write_bytes(quick.read_bytes())
    before = json.loads(path.read_text("utf-8"))["works"]
    new = before[0] | {"name": "fit-100k", "rows": 400}
    one = replace(UNWRAPPING.BENCHMARK, measure=lambda selected, quick: [new])
    assert COMMAND.main(one, ["--quick", "--work", "fit-100k", "--output", str(path)]) == 0
    assert json.loads(path.read_text("utf-8"))["works"] == [*before, new]


def test_other_conditions_are_not_mixed(
    quick: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "other.json"
    results = json.loads(quick.read_text("utf-8")) | {"machine": {"processor": "another"}}
    path.write_text(json.dumps(results), "utf-8")
    assert run(*QUICK, "--output", str(path)) == 2
    assert "other conditions (machine)" in capsys.readouterr().err
    assert json.loads(path.read_text("utf-8")) == results


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--quick", "--work", "fly"], "There is no work 'fly'. The works: fit-10k, "),
        (["--table", "--output", "nowhere.json"], "There is no nowhere.json yet"),
    ],
)
def test_errors_are_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("python", "reason"),
    [("no-such-python", "cannot be run"), (sys.executable, "lacks one of: aletheia-dnn")],
)
def test_a_peer_that_is_not_there(
    python: str,
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XAI_PEER_PYTHON", python)
    path = tmp_path / "none.json"
    assert run(*QUICK, "--output", str(path)) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert "a Python 3.10 that holds aletheia-dnn==1.3.5" in error
    assert len(error.splitlines()) == 1
    assert not path.exists()


def test_a_failing_measurement_is_told_in_one_line() -> None:
    with pytest.raises(COMMAND.BenchmarkError, match="py failed at fit regression: "):
        COMMAND.run_script(sys.executable, "_ours_unwrapping.py", "none.npz", "fit", "regression")


def test_the_measured_network_is_the_library_network() -> None:
    from xai_course.networks import PiecewiseLinearNetwork

    data = UNWRAPPING.make_data(50, 4)
    names = range(len(UNWRAPPING.HIDDEN_SIZES) + 1)
    weights, biases = [data[f"weight{i}"] for i in names], [data[f"bias{i}"] for i in names]
    network = PiecewiseLinearNetwork(weights, biases)
    ours = UNWRAPPING.forward(weights, biases, data["X"])
    assert network.forward(data["X"])[:, 0] == pytest.approx(ours, abs=1e-12)
    assert network.hidden_sizes == UNWRAPPING.HIDDEN_SIZES
    assert {len(data[name]) for name in data if "held_out" in name} == {UNWRAPPING.HELD_OUT_ROWS}
    assert set(data["y_classification"]) == {0.0, 1.0}


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_has_the_same_options(program: str) -> None:
    command = [sys.executable, str(benchmark_programs.FOLDER / f"{program}.py"), "--help"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert all(option in done.stdout for option in ("--quick", "--output", "--work", "--table"))


def test_geometry_from_end_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "quick.json"
    options = ["--quick", "--work", "quick-2d", "--output", str(path)]
    assert COMMAND.main(GEOMETRY.BENCHMARK, options) == 0
    results = json.loads(path.read_text("utf-8"))
    (entry,) = results["works"]
    found = GEOMETRY.QUICK[0].network().enumerate_regions([[-1, 1], [-1, 1]])
    assert entry["ours"]["regions"] == len(found)
    assert results["repeats"] == 1
    assert len(capsys.readouterr().out.splitlines()) == 3


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_exponent_is_that_of_the_last_points(power: float) -> None:
    points = [{"size": 1, "value": 99.0}] + [
        {"size": size, "value": 0.01 * size**power} for size in (10, 20, 80)
    ]
    assert GROWTH.exponent(points) == power


def test_growth_counts_the_regions(tmp_path: Path) -> None:
    path = tmp_path / "quick.json"
    name = "regions of two inputs, neurons"
    options = ["--quick", "--work", name, "--output", str(path)]
    assert COMMAND.main(GROWTH.BENCHMARK, options) == 0
    (entry,) = json.loads(path.read_text("utf-8"))["works"]
    assert entry["grows_with"] == "regions"
    assert [point["size"] for point in entry["points"]] == [8, 36]


def test_imports_take_turns(tmp_path: Path) -> None:
    path = tmp_path / "quick.json"
    assert COMMAND.main(IMPORTS.BENCHMARK, ["--quick", "--output", str(path)]) == 0
    nothing, numpy, sklearn = json.loads(path.read_text("utf-8"))["works"]
    assert nothing["modules"] < numpy["modules"] < sklearn["modules"]


def test_exact_answers_from_end_to_end(tmp_path: Path) -> None:
    path = tmp_path / "quick.json"
    options = ["--quick", "--work", "rows", "counterfactual-5-1", "--output", str(path)]
    assert COMMAND.main(EXACT.BENCHMARK, options) == 0
    rows, counterfactuals = json.loads(path.read_text("utf-8"))["works"]
    assert rows["ways"]["exact"]["error"] < 1e-12 < rows["ways"]["captum, 50 steps"]["error"]
    assert counterfactuals["ways"]["exact"]["error"] == 0


def test_interpretation_from_end_to_end(tmp_path: Path) -> None:
    path = tmp_path / "quick.json"
    options = ["--quick", "--work", "5-variables-4", "--output", str(path)]
    assert COMMAND.main(INTERPRETATION.BENCHMARK, options) == 0
    (entry,) = json.loads(path.read_text("utf-8"))["works"]
    assert set(entry["ways"]) == {"I-Net", "closed form", "greedy", "greedy, 4096"}
    assert all(0 < way["error"] < 0.1 for way in entry["ways"].values())
