"""The benchmark runs, and its stored file says what its numbers say. No time is asserted."""

from __future__ import annotations

import importlib.util
import json
import sys
from datetime import date
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
QUICK = ["--quick", "--work", "fit-10k", "merge-regression-10k"]


def load_module(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


BENCHMARK = load_module("benchmark_unwrapping", FOLDER / "unwrapping.py")


@pytest.fixture(autouse=True)
def no_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XAI_PEER_PYTHON", raising=False)


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    return json.loads(BENCHMARK.RESULTS.read_text("utf-8"))


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("benchmark") / "made" / "quick.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("XAI_PEER_PYTHON", raising=False)
        assert BENCHMARK.main([*QUICK, "--output", str(path)]) == 0
    return path


def problems(results: dict[str, Any]) -> list[str]:
    """What a file of results says that its own numbers do not."""
    expected = {work.name: work for work in BENCHMARK.works(results["quick"])}
    found = []
    for entry in results["works"]:
        name, work = entry["name"], expected[entry["name"]]
        parts = {"ours": entry, "floor": entry["floor"], "peer": entry["peer"]}
        for part, figures in parts.items():
            if figures is None or figures["value"] is None:
                continue
            if figures["value"] != median(figures["repeats"]):
                found.append(f"{name}: {part} is not the median of its repeats")
            if not 0 <= figures["beyond_data_mb"] < figures["peak_mb"]:
                found.append(f"{name}: the memory of {part} cannot be")
        if (entry["value"] is None) != ("missing" in entry):
            found.append(f"{name}: no value and no reason, or both")
        if (entry["rows"], entry["features"]) != (work.rows, work.features):
            found.append(f"{name}: other data than the benchmark makes")
        found += [f"{name}: {what} is wrong" for what in wrong_ratios(entry)]
        if target_of(entry) != (work.seconds, work.megabytes):
            found.append(f"{name}: the target is not the benchmark's")
        if entry["met"] is not met(entry):
            found.append(f"{name}: the verdict is wrong")
    return found


def wrong_ratios(entry: dict[str, Any]) -> list[str]:
    value, peer = entry["value"], entry["peer"]
    known = value is not None
    expected = {
        "ratio_to_floor": value / entry["floor"]["value"] if known else None,
        "peer_over_ours": peer["value"] / value if known and peer else None,
    }
    return [name for name, ratio in expected.items() if not same(entry[name], ratio)]


def same(stored: float | None, ratio: float | None) -> bool:
    if stored is None or ratio is None:
        return stored is ratio
    return stored == pytest.approx(ratio, rel=1e-3)


def target_of(entry: dict[str, Any]) -> tuple[float | None, float | None]:
    target = entry["target"] or {"value": None, "peak_mb": None}
    return target["value"], target["peak_mb"]


def met(entry: dict[str, Any]) -> bool | None:
    seconds, megabytes = target_of(entry)
    if seconds is None or entry["value"] is None:
        return None
    return entry["value"] <= seconds and (megabytes is None or entry["peak_mb"] <= megabytes)


# --- the stored file ------------------------------------------------------------------------------


def test_the_stored_numbers_agree(stored: dict[str, Any]) -> None:
    assert problems(stored) == []


def test_the_stored_file_is_complete(stored: dict[str, Any]) -> None:
    assert not stored["quick"]
    assert [entry["name"] for entry in stored["works"]] == [w.name for w in BENCHMARK.works(False)]
    assert {"python", *BENCHMARK.PACKAGES} == set(stored["versions"])
    assert stored["peer_versions"]["aletheia-dnn"] == BENCHMARK.PEER_VERSION
    assert set(stored["machine"]) == {"processor", "cores", "system"}
    assert stored["machine"]["processor"]
    assert stored["command"].startswith("python benchmarks/unwrapping.py")
    for day in (stored["date"], *(entry["date"] for entry in stored["works"])):
        date.fromisoformat(day)
    for work, entry in zip(BENCHMARK.works(False), stored["works"], strict=True):
        assert (entry["peer"] is not None) is work.peer
        assert entry["unit"] == "CPU s"
        assert len(entry["floor"]["repeats"]) == 5
        assert "missing" in entry or len(entry["repeats"]) in (3, 5)


def test_the_stored_file_names_no_path(stored: dict[str, Any]) -> None:
    text = json.dumps(stored)
    assert "/work" not in text
    assert "/home" not in text
    assert "/tmp" not in text


# The rules above can fail.
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda entry: entry.update(value=entry["value"] * 2), "median"),
        (lambda entry: entry["floor"].update(value=1.0), "floor is not the median"),
        (lambda entry: entry.update(ratio_to_floor=1.0), "ratio_to_floor is wrong"),
        (lambda entry: entry.update(peer_over_ours=None), "peer_over_ours is wrong"),
        (lambda entry: entry.update(met=not entry["met"]), "verdict"),
        (lambda entry: entry["target"].update(value=99), "target"),
        (lambda entry: entry.update(missing="later"), "reason"),
        (lambda entry: entry.update(rows=3), "other data"),
        (lambda entry: entry.update(beyond_data_mb=1e9), "memory"),
    ],
)
def test_a_wrong_number_is_found(stored: dict[str, Any], change: Any, message: str) -> None:
    results = json.loads(json.dumps(stored))
    change(results["works"][0])
    assert any(message in problem for problem in problems(results))


# --- the command ----------------------------------------------------------------------------------


def test_quick_runs_end_to_end(quick: Path) -> None:
    results = json.loads(quick.read_text("utf-8"))
    assert [entry["name"] for entry in results["works"]] == QUICK[2:]
    assert results["quick"]
    assert results["peer_versions"] is None
    assert problems(results) == []
    assert list(quick.parent.iterdir()) == [quick]


def test_table_prints_every_work(quick: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert BENCHMARK.main(["--table", "--output", str(quick)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 + len(QUICK[2:])
    assert {row.count("|") for row in lines} == {lines[0].count("|")}
    assert "| 300 x 20 | 300 |" in lines[2]


def test_one_work_joins_the_others(
    quick: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "some.json"
    path.write_bytes(quick.read_bytes())
    before = json.loads(path.read_text("utf-8"))["works"]
    new = before[0] | {"name": "fit-100k", "rows": 400}
    monkeypatch.setattr(BENCHMARK, "measure", lambda *_: [new])
    assert BENCHMARK.main(["--quick", "--work", "fit-100k", "--output", str(path)]) == 0
    assert json.loads(path.read_text("utf-8"))["works"] == [*before, new]


def test_other_conditions_are_not_mixed(
    quick: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "other.json"
    results = json.loads(quick.read_text("utf-8")) | {"machine": {"processor": "another"}}
    path.write_text(json.dumps(results), "utf-8")
    assert BENCHMARK.main([*QUICK, "--output", str(path)]) == 2
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
    assert BENCHMARK.main(arguments) == 2
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
    assert BENCHMARK.main([*QUICK, "--output", str(path)]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert "a Python 3.10 that holds aletheia-dnn==1.3.5" in error
    assert len(error.splitlines()) == 1
    assert not path.exists()


def test_a_failing_measurement_is_told_in_one_line() -> None:
    with pytest.raises(BENCHMARK.BenchmarkError, match="py failed at fit regression: "):
        BENCHMARK.run_script(sys.executable, "_ours_unwrapping.py", "none.npz", "fit", "regression")


def test_the_measured_network_is_the_library_network() -> None:
    from xai_course.networks import PiecewiseLinearNetwork

    data = BENCHMARK.make_data(50, 4)
    names = range(len(BENCHMARK.HIDDEN_SIZES) + 1)
    weights, biases = [data[f"weight{i}"] for i in names], [data[f"bias{i}"] for i in names]
    network = PiecewiseLinearNetwork(weights, biases)
    ours = BENCHMARK.forward(weights, biases, data["X"])
    assert network.forward(data["X"])[:, 0] == pytest.approx(ours, abs=1e-12)
    assert network.hidden_sizes == BENCHMARK.HIDDEN_SIZES
    assert {len(data[name]) for name in data if "held_out" in name} == {BENCHMARK.HELD_OUT_ROWS}
    assert set(data["y_classification"]) == {0.0, 1.0}
