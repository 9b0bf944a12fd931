"""The committed results of `reproduce/` are complete, and their verdicts follow from them."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

REPRODUCE = Path(__file__).resolve().parents[2] / "reproduce"
RESULTS = sorted((REPRODUCE / "results").glob("*.json"))


@pytest.fixture
def tools(monkeypatch):
    """Import the folder's own modules without leaving them behind."""
    monkeypatch.syspath_prepend(str(REPRODUCE))
    import results
    import unwrapping

    yield results, unwrapping
    for name in ("results", "unwrapping", "_clime_dnet"):
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
    table = json.loads((REPRODUCE / "results" / "unwrapping_table1.json").read_text())["table"]
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


def test_the_dnet_page_shows_the_results():
    page = REPRODUCE.parent / "book" / "piecewise-linear" / "decision-boundaries-and-dnet.md"
    words = " ".join(page.read_text(encoding="utf-8").split())
    toys, images = (
        json.loads((REPRODUCE / "results" / f"clime_{name}_dnet.json").read_text())["table"]
        for name in ("toy", "fashion")
    )
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
    assert all(table["within_seconds"] for table in (*toys.values(), *images.values()))


def test_verdicts_on_the_dnets_follow_from_the_numbers(tools):
    import _clime_dnet

    for name in ("toy", "fashion"):
        path = REPRODUCE / "results" / f"clime_{name}_dnet.json"
        for table in json.loads(path.read_text())["table"].values():
            assert table["printed"] == _clime_dnet.PRINTED[name]
            for kind, words in table["verdict"].items():
                ours = table["over_seeds"][kind]
                assert words == _clime_dnet.verdict(table["printed"], ours)
                assert [found["n"] for found in ours.values()] == len(ours) * [len(table["seeds"])]
    assert "below" in _clime_dnet.verdict({"a": 0}, {"a": {"min": 1, "max": 2}})["a"]
