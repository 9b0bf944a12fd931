"""The committed tables of the unwrapper's paper are complete, and their verdicts follow."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor

from xai_course.book import measured, measured_file

REPRODUCE = Path(__file__).resolve().parents[2] / "reproduce"
PATHS = sorted(measured_file("any").parent.glob("unwrapping_*.json"))
NUMBERED = ("table2", "table3", "table5", "table6", "table7")


@pytest.fixture
def module(monkeypatch):
    """Return a function that imports a module of the folder; nothing of it stays behind."""
    monkeypatch.syspath_prepend(str(REPRODUCE))
    yield importlib.import_module
    for name in list(sys.modules):
        if name.split(".")[0] in ("results", "replicates", "unwrapping", "unwrapper"):
            del sys.modules[name]


def read(name):
    return measured(f"unwrapping_{name}")


def rows_of(name):
    return read(name)["rows"].items()


def numbers(part):
    """Return every list of a result."""
    if isinstance(part, list):
        yield part
    parts = part.values() if isinstance(part, dict) else part if isinstance(part, list) else []
    for inner in parts:
        yield from numbers(inner)


# Commands and schema


def test_each_result_belongs_to_a_command(module):
    tables = module("unwrapping").TABLES
    assert {path.stem for path in PATHS} == {f"unwrapping_{name}" for name in tables}
    for name in tables:
        record = json.loads(measured_file(f"unwrapping_{name}").read_text())
        assert record["command"] == f"python reproduce/unwrapping.py {name}"


def test_a_command_names_the_programs_it_depends_on(module):
    unwrapping = module("unwrapping")
    for name in unwrapping.TABLES:
        assert all(path.is_file() for path in unwrapping.programs(name))


@pytest.mark.parametrize("name", NUMBERED)
def test_each_row_has_its_parts(name):
    for row in read(name)["rows"].values():
        assert {"printed", "ours", "controls", "verdict"} <= set(row)
        assert "not_run" not in row
    assert read(name)["settings"]


# Table 1


def test_table_1_is_complete(module):
    examples = module("unwrapper.examples").EXAMPLES
    table = read("table1")
    assert list(table) == [example.name for example in examples]
    for example in examples:
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


def test_boston_is_the_papers_row(module):
    example = module("unwrapper.examples").BY_NAME["BostonHouse"]
    run = module("unwrapper.table1").measure(example, 0)
    assert {key: round(run[key], 4) for key in example.printed} == example.printed


# Table 2


def test_table_2_holds_ridge_coefficients_with_errors_of_no_fit(module):
    table2 = module("unwrapper.table2")
    for region, row in rows_of("table2"):
        assert row["printed"] == table2.PRINTED[region]
        assert row["verdict"] == table2.verdict(row["printed"], row["ours"])
        published, likelihood = row["ours"]["published_way"], row["ours"]["maximum_likelihood"]
        for key in ("coef", "std_err"):
            assert np.allclose(published[key], row["printed"][key], atol=table2.TOLERANCE)
            assert not np.allclose(likelihood[key], row["printed"][key], atol=0.3)
        # The score of a ridge fit with C = 1 equals its coefficients; a likelihood's is zero.
        score = row["controls"]["score_at_printed"]
        assert np.allclose(score, [0, *row["printed"]["coef"][1:]], atol=0.02)
        assert row["controls"]["over_seeds"]["std_err_ratio"]["n"] >= 20


def test_table_2_is_made_again(module):
    examples, table2 = module("unwrapper.examples"), module("unwrapper.table2")
    run = table2.measure(examples.train(examples.BY_NAME["CoCircles"], 0))
    assert run["counts"] == read("table2")["counts"] == [252, 226, 206, 203, 187, 186, 173, 167]
    for ours, (_, row) in zip(run["regions"], rows_of("table2"), strict=True):
        for way, test in row["ours"].items():
            assert np.allclose(ours[way]["coef"], test["coef"], atol=1e-3)


def test_the_verdict_on_a_test_follows_its_numbers(module):
    table2 = module("unwrapper.table2")
    printed = {"coef": [1.0, 2.0, 3.0], "std_err": [0.1, 0.1, 0.1]}
    same, other = {**printed}, {"coef": [1.0, 2.0, 9.0], "std_err": [0.1, 0.1, 0.1]}
    ours = {"published_way": same, "maximum_likelihood": other}
    text = table2.verdict(printed, ours)
    assert "standard errors: the printed numbers" in text
    assert "likelihood: not the printed numbers (largest difference 6.0000)" in text
    assert "1 of 3" in text
    swapped = table2.verdict(printed, {"published_way": other, "maximum_likelihood": same})
    assert "likelihood: the printed numbers" in swapped
    assert "not defined" in table2.verdict(printed, {**ours, "maximum_likelihood": None})


# Table 3


def test_table_3_has_its_replicates(module):
    table3, by_name = module("unwrapper.table3"), module("unwrapper.examples").BY_NAME
    rows = dict(rows_of("table3"))
    assert list(rows) == list(table3.PRINTED) == list(by_name)
    for name, row in rows.items():
        assert row["replicates"] == by_name[name].seeds >= (5 if name == "FicoHeloc" else 20)
        assert all(len(values) == row["replicates"] for values in row["runs"].values())


def test_table_3_follows_from_its_runs(module):
    table3 = module("unwrapper.table3")
    for name, row in rows_of("table3"):
        runs = [
            dict(zip(row["runs"], values, strict=True))
            for values in zip(*row["runs"].values(), strict=True)
        ]
        again = table3.row(row["metric"], table3.PRINTED[name], runs)
        assert again["verdict"] == row["verdict"]
        assert again["columns"] == row["columns"]
        assert again["printed"] == row["printed"]
        for part in ("ours", "controls", "variants", "pairs"):
            assert list(again[part]) == list(row[part])
            for key, summary in row[part].items():
                assert again[part][key] == pytest.approx(summary, abs=2e-6)


def test_comparison_with_a_printed_mean(module):
    table3 = module("unwrapper.table3")

    def compare(mean, sd=0.1, n=20):
        return table3.compare((1.0, 0.5), {"mean": mean, "sd": sd, "n": n})

    # The standard error is sqrt(0.5**2 / 100 + 0.1**2 / 20) = 0.0548.
    assert compare(1.1) == compare(0.9) == table3.AGREES
    assert compare(1.12) == f"higher than printed, {table3.NEAR}"
    assert compare(0.88) == f"lower than printed, {table3.NEAR}"
    assert compare(1.6) == f"higher than printed, {table3.FAR}"
    assert compare(1.12, sd=1.0) == table3.AGREES


def test_pairs_know_which_way_is_better(module):
    paired = module("unwrapper.table3").paired
    auc = paired([0.9, 0.8, 0.7], [0.8, 0.9, 0.7], "AUC")
    assert (auc["better"], auc["equal"], auc["n"]) == (1, 1, 3)
    mse = paired([0.9, 0.8, 0.7, 0.1], [0.8, 0.9, 0.7, 0.2], "MSE")
    assert (mse["better"], mse["equal"], mse["n"]) == (2, 1, 4)
    assert mse["mean"] == -0.025


def test_the_verdict_names_every_column_once(module):
    table3 = module("unwrapper.table3")
    for name, row in rows_of("table3"):
        before = row["verdict"].split("; of ")[0]
        named = [key for part in before.split("; ") for key in part.split(": ")[1].split(", ")]
        assert sorted(named) == sorted(table3.COLUMNS), name


def test_a_replicate_measures_every_model(module, monkeypatch):
    examples, simplify = module("unwrapper.examples"), module("unwrapper.simplify")
    table3 = module("unwrapper.table3")
    for name in ("SHORT", "LONG"):
        monkeypatch.setattr(simplify, name, 3)
    X, y = examples.co_circles(0)
    monkeypatch.setattr(simplify, "STRENGTHS", (1.0, 10.0))
    mlp = MLPClassifier(hidden_layer_sizes=(8,), max_iter=60, random_state=0)
    rows = examples.fit_network(mlp, X[:300], X[300:600], y[:300], y[300:600])
    run = simplify.measure(rows, "l2", 0, tune=True)
    assert set(table3.COLUMNS + table3.CONTROLS) <= set(run)
    assert run["merged"] == run["merged_l2"] != run["merged_free"]
    assert run["n_clusters"] == run["n_clusters_l2"]
    assert run["C_tuned"] in simplify.STRENGTHS
    assert run["network"] == rows.score(mlp.predict_proba(X[300:600])[:, 1])
    json.dumps(run)


def test_controls_are_what_they_say(module):
    examples, controls = module("unwrapper.examples"), module("unwrapper.controls")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    y = X[:, 0] * X[:, 1] + 0.1 * rng.normal(size=300)
    mlp = MLPRegressor(hidden_layer_sizes=(4,), max_iter=20, random_state=0)
    rows = examples.fit_network(mlp, X[:200], X[200:], y[:200], y[200:])
    line = LinearRegression().fit(X[:200], y[:200]).predict(X[200:])
    assert np.allclose(controls.linear(rows), line)
    assert np.allclose(controls.kmeans_glm(rows, 1, None, 1.0, 0), line)
    assert rows.score(controls.quadratic(rows)) < 0.1 * rows.score(line)
    assert rows.score(controls.kmeans_glm(rows, 8, None, 1.0, 0)) < rows.score(line)


# Tables 5 to 7


def test_the_case_study_says_that_it_cannot_be_the_papers(module):
    lending = module("unwrapper.lending")
    for name in ("table5", "table6", "table7"):
        rows = dict(rows_of(name))
        assert list(rows) == [loans.name for loans in lending.LOANS]
        assert all(row["verdict"].startswith(lending.PRIVATE) for row in rows.values())


def test_what_is_printed_of_the_case_study(module):
    lending = module("unwrapper.lending")
    lengths = {len(column) for column in lending.PRINTED5.values() if isinstance(column, list)}
    assert lengths == {16}
    # The text says that all local AUCs are better than the global ones. The table does not.
    above = np.greater(lending.PRINTED6["local_auc"], lending.PRINTED6["global_auc"])
    assert above.tolist() == [False, True, True]


def test_tables_5_and_6_add_up():
    for name, row in rows_of("table5"):
        top = row["ours"]["seed_0"]
        assert len(top["count"]) == 15, name
        assert top["count"] == sorted(top["count"], reverse=True)
        assert sum(top["count"]) < row["n_train"]
    for name, row in rows_of("table6"):
        n_train = dict(rows_of("table5"))[name]["n_train"]
        for part in row["ours"].values():
            assert sum(part["seed_0"]["count"]) == n_train
            assert part["local_above_global"] <= part["with_local_auc"]


def test_loans_are_balanced_and_hold_no_row_twice(module):
    lending = module("unwrapper.lending")
    for loans in lending.LOANS:
        try:
            X, y = loans.rows(0)
        except OSError:
            pytest.skip(f"{loans.name} is not here")
        assert y.mean() == 0.5
        assert len(X) == len(y)
        assert not np.array_equal(y, loans.rows(1)[1])


# Figures


def test_figures_are_aggregates(module):
    table = read("figures")
    figures = table["figures"]
    assert list(figures) == list(module("unwrapper.figures").PRINTED)
    for part in figures.values():
        assert {"printed", "ours", "controls", "verdict"} <= set(part)
    # Nothing is as long as the rows or the regions.
    assert max(map(len, numbers(table))) < 200 < table["n_train"]


def test_figure_7_adds_up():
    ours = read("figures")["figures"]["figure 7"]["ours"]
    assert sum(ours["importance"].values()) == pytest.approx(1, abs=1e-3)
    assert next(n for n in ours["importance"] if n != "intercept") == ours["top_feature"]
    for region in ours["regions"]:
        assert sum(region["bin_counts"]) == region["count"]
        assert region["low"] in ours["bin_edges"]
        assert region["high"] in ours["bin_edges"]


def test_figure_12_adds_up():
    ours = read("figures")["figures"]["figure 12"]["ours"]
    small = sum(sum(part["regions_by_direction"]) for part in ours["small"])
    assert small + len(ours["large"]["count"]) == ours["regions"]
    dull = sum(sum(p["regions_by_direction"]) for p in ours["small"] if p["degenerate"])
    dull += sum(ours["large"]["degenerate"])
    assert dull / ours["regions"] == pytest.approx(ours["degenerate"], abs=1e-4)
    rows = sum(part["count"] * sum(part["regions_by_direction"]) for part in ours["small"])
    assert rows + sum(ours["large"]["count"]) == read("figures")["n_train"]


def test_figures_9_13_and_17_add_up(module):
    table = read("figures")
    nine, thirteen, seventeen = (table["figures"][f"figure {n}"]["ours"] for n in (9, 13, 17))
    assert set(nine["coef"]) == set(seventeen["coef"]) == set(table["features"])
    assert all(len(column) == len(nine["count"]) for column in nine["coef"].values())
    better = np.greater(thirteen["global_auc"], thirteen["local_auc"]).sum()
    assert better == thirteen["global_above_local"]
    assert sum(seventeen["count"]) == table["n_train"]
    assert len(seventeen["count"]) == seventeen["n_clusters"]
    verdict = table["figures"]["figure 17"]["verdict"]
    assert verdict.startswith("same") == (seventeen["n_clusters"] == 1)


# Data that the reader does not have


def test_without_the_data_a_row_says_so(module, monkeypatch):
    table3, examples = module("unwrapper.table3"), module("unwrapper.examples")
    lending, figures = module("unwrapper.lending"), module("unwrapper.figures")

    def missing(*args, **kwargs):
        raise OSError("HELOC is not here.\nHow to get it: ...")

    monkeypatch.setattr(examples.data, "load", missing)
    monkeypatch.setattr(table3, "ORDER", ("FicoHeloc",))
    monkeypatch.setattr(table3, "PRINTED", {"FicoHeloc": table3.PRINTED["FicoHeloc"]})
    rows = table3.table(None)["rows"]
    assert rows["FicoHeloc"]["not_run"] == "HELOC is not here."
    assert rows["FicoHeloc"]["printed"]["network"] == {"mean": 0.8002, "sd": 0.0091}
    for table in (lending.table5, lending.table6, lending.table7):
        assert {row["not_run"] for row in table(None)["rows"].values()} == {"HELOC is not here."}
    assert figures.table(None)["not_run"] == "HELOC is not here."
