"""The committed results of `reproduce/` are complete, and their verdicts follow from them."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from xai_course.book import measured, measured_file

REPRODUCE = Path(__file__).resolve().parents[2] / "reproduce"
FOLDER = measured_file("any").parent
RESULTS = sorted(p for p in FOLDER.glob("*.json") if not p.stem.startswith("benchmark_"))


@pytest.fixture
def tools(monkeypatch):
    """Import the folder's own modules without leaving them behind."""
    monkeypatch.syspath_prepend(str(REPRODUCE))
    import results
    import unwrapping

    yield results, unwrapping
    for name in ("results", "unwrapping"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_a_result_says_how_it_was_made(path):
    record = json.loads(path.read_text())
    assert re.fullmatch(r"python reproduce/\w+\.py \w+", record["command"])
    assert (REPRODUCE.parent / record["command"].split()[1]).is_file()
    assert {"date", "minutes", "machine", "versions", "table"} <= set(record)
    assert not re.search(r"/(work|root|home|tmp)/", path.read_text())


def test_there_are_results():
    assert RESULTS


def test_table_1_is_complete(tools):
    _, unwrapping = tools
    table = measured("unwrapping_table1")
    assert list(table) == [example.name for example in unwrapping.EXAMPLES]
    for example in unwrapping.EXAMPLES:
        row = table[example.name]
        assert row["printed"] == example.printed
        assert row["over_seeds"]["test"]["n"] == example.seeds
        ours = {key: round(row["seed_0"][key], 4) for key in example.printed}
        assert (row["verdict"] == "same with seed 0") == (ours == example.printed)
        for key, value in example.printed.items():
            low, high = row["over_seeds"][key]["min"], row["over_seeds"][key]["max"]
            if row["verdict"].startswith("not the same"):
                assert low <= value <= high
            if row["verdict"].startswith("not reproduced"):
                assert (key in row["verdict"]) == (not low <= value <= high)


def test_boston_is_the_papers_row(tools):
    _, unwrapping = tools
    example = next(e for e in unwrapping.EXAMPLES if e.name == "BostonHouse")
    run = unwrapping.measure(example, 0)
    assert {key: round(run[key], 4) for key in example.printed} == example.printed


def test_spread_and_writing(tools, tmp_path, monkeypatch):
    results, _ = tools
    summary = results.spread([1.0, 2.0, 3.0])
    assert summary == {"mean": 2.0, "sd": 1.0, "min": 1.0, "max": 3.0, "n": 3}
    assert results.spread([1.0])["sd"] is None
    assert results.data_hash(np.arange(3)) != results.data_hash(np.arange(4))
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    path = results.write("x", {"a": 1}, "python reproduce/x.py t", 0.0)
    assert json.loads(path.read_text())["table"] == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]
