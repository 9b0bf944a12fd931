"""The programs behind the tables of `reproduce/unwrapping.py`, on small cases."""

import json
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor

from xai_course.book import measured
from xai_course.networks import PiecewiseLinearNetwork

COMMAND = Path(__file__).resolve().parents[2] / "reproduce" / "unwrapping.py"


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


@pytest.fixture
def rows(reproduce):
    """A small network on 27 columns, two of which matter, and two classes."""
    rng = np.random.default_rng(0)
    X = rng.random((500, 27))
    y = (X[:, 0] + X[:, 1] ** 2 + 0.2 * rng.normal(size=500) > 0.8).astype(int)
    mlp = MLPClassifier(hidden_layer_sizes=(5,), max_iter=60, random_state=0)
    return reproduce("unwrapping.examples").fit_network(mlp, X[:400], X[400:], y[:400], y[400:])


NAMES = [f"column {j}" for j in range(27)]


def test_a_command_names_the_programs_it_depends_on(reproduce):
    command = runpy.run_path(str(COMMAND))
    for name in command["TABLES"]:
        assert all(path.is_file() for path in command["programs"](name))


# Table 1


def test_the_verdict_on_a_row_of_table_1(reproduce):
    verdict = reproduce("unwrapping.table1").verdict
    printed, runs = {"regions": 64, "test": 0.5}, [{"regions": 60, "test": 0.4}]
    assert verdict(printed, {**printed}, runs) == "same with seed 0"
    runs.append({"regions": 70, "test": 0.5})
    inside = "not the same digits; inside our range over seeds"
    assert verdict(printed, {"regions": 60, "test": 0.4}, runs) == inside
    runs[1]["test"] = 0.49
    outside = "not reproduced: test outside our range over seeds"
    assert verdict(printed, {"regions": 60, "test": 0.4}, runs) == outside


def test_boston_is_the_papers_row(reproduce):
    example = reproduce("unwrapping.examples").BY_NAME["BostonHouse"]
    run = reproduce("unwrapping.table1").measure(example, 0)
    assert {key: round(run[key], 4) for key in example.printed} == example.printed


# Merges, and how near they are to their networks


def test_fidelity_counts_sides_and_follows_the_network(reproduce):
    fidelity = reproduce("unwrapping.merging").fidelity
    says = np.array([-2.0, -1.0, 1.0, 2.0])
    found = fidelity(says, {"same": 3 * says, "half": np.array([-1.0, 1.0, 1.0, -1.0])})
    assert found["same side, same"] == 1
    assert found["same side, half"] == 0.5
    assert found["correlation, same"] == pytest.approx(1)


def test_a_model_to_the_network_is_its_model_in_a_region(reproduce, rows):
    merging = reproduce("unwrapping.merging")
    own = rows.unwrapper.labels_
    outputs = merging.in_clusters(rows, own, rows.X_train, own, merging.to_network(rows))
    large = rows.unwrapper.counts_[own] > 40
    assert large.any()
    np.testing.assert_allclose(outputs[large], rows.network.forward(rows.X_train)[large, 0])


def test_three_rules_choose_in_order(reproduce, rows):
    found = reproduce("unwrapping.merging").choice(rows.unwrapper.merge(penalty="l2"))
    assert found["difference"] <= found["least"]
    assert found["one mean"] <= found["least"]


@pytest.mark.parametrize("part", ["circles", "wave", "boston", "loans", "noise", "heloc"])
def test_every_replicate_is_kept(part):
    found = read("merging")[part]
    assert "not_run" not in found
    lengths = {len(values) for values in found.values()}
    assert len(lengths) == 1
    assert min(lengths) >= 5


def test_the_authors_way_finds_their_k(reproduce):
    authors = reproduce("unwrapping.authors_k")
    run = authors.measure(0)
    assert (run["K"], run["clusters"], round(run["AUC"], 3)) == (10, 8, 0.901)
    assert read("authors_k")["runs"]["AUC"][0] == run["AUC"]


# Flat networks, and where they start


def test_neurons_of_length_one_compute_the_same(reproduce, rows):
    start = rows.unwrapper.merge(3, penalty="l2").flatten(epochs=0).network
    one = reproduce("unwrapping.flattening").length_one(start)
    neurons = np.column_stack([one.biases[0], one.weights[0]])
    assert np.allclose(np.linalg.norm(neurons, axis=1), 1)
    assert np.allclose(one.forward(rows.X_test), start.forward(rows.X_test))


def test_a_neuron_that_doubles_moves_by_its_length_and_does_not_turn(reproduce, rows):
    flat = rows.unwrapper.merge(3, penalty="l2").flatten(epochs=0)
    old = flat.network_before_
    doubled = [2 * old.weights[0], old.weights[1]], [2 * old.biases[0], old.biases[1]]
    after = replace(flat, network=PiecewiseLinearNetwork(*doubled))
    found = reproduce("unwrapping.flattening").moved("x", after)
    expected = {"median change, x": 1, "most change, x": 1, "most turn, x": 0}
    assert found == pytest.approx(expected, abs=1e-5)


def test_the_first_flat_circles_are_the_measured_ones(reproduce):
    found = reproduce("unwrapping.flattening").circles(0)
    kept = {key: values[0] for key, values in read("flattening")["circles"].items()}
    assert found == pytest.approx(kept, abs=1e-3)


@pytest.mark.parametrize("part", ["circles", "wave", "boston", "loans"])
def test_every_flat_replicate_is_kept(part):
    assert {len(values) for values in read("flattening")[part].values()} == {20}


# Table 2


def test_table_2_holds_ridge_coefficients_with_errors_of_no_fit(reproduce):
    examples, table2 = reproduce("unwrapping.examples"), reproduce("unwrapping.table2")
    run = table2.measure(examples.train(examples.BY_NAME["CoCircles"], 0))
    assert run["counts"] == [252, 226, 206, 203, 187, 186, 173, 167]
    for ours, printed in zip(run["regions"], table2.PRINTED.values(), strict=True):
        published, likelihood = ours["published_way"], ours["maximum_likelihood"]
        for key in ("coef", "std_err"):
            assert np.allclose(published[key], printed[key], atol=table2.TOLERANCE)
            assert not np.allclose(likelihood[key], printed[key], atol=0.3)
        # The score of a ridge fit with C = 1 equals its coefficients; a likelihood's is zero.
        assert np.allclose(ours["score_at_printed"], [0, *printed["coef"][1:]], atol=0.02)


def test_the_verdict_on_a_test_follows_its_numbers(reproduce):
    table2 = reproduce("unwrapping.table2")
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


def test_table_3_follows_from_its_runs(reproduce):
    table3 = reproduce("unwrapping.table3")
    for name, row in rows_of("table3"):
        runs = [
            dict(zip(row["runs"], values, strict=True))
            for values in zip(*row["runs"].values(), strict=True)
        ]
        again = table3.row(row["metric"], table3.PRINTED[name], runs)
        assert again["verdict"] == row["verdict"]
        assert again["columns"] == row["columns"]
        assert again["printed"] == row["printed"]
        before = again["verdict"].split("; of ")[0]
        named = [key for part in before.split("; ") for key in part.split(": ")[1].split(", ")]
        assert sorted(named) == sorted(table3.COLUMNS), name
        for part in ("ours", "controls", "variants", "pairs"):
            assert list(again[part]) == list(row[part])
            for key, summary in row[part].items():
                assert again[part][key] == pytest.approx(summary, abs=2e-6)


def test_comparison_with_a_printed_mean(reproduce):
    table3 = reproduce("unwrapping.table3")

    def compare(mean, sd=0.1, n=20):
        return table3.compare((1.0, 0.5), {"mean": mean, "sd": sd, "n": n})

    # The standard error is sqrt(0.5**2 / 100 + 0.1**2 / 20) = 0.0548.
    assert compare(1.1) == compare(0.9) == table3.AGREES
    assert compare(1.12) == f"higher than printed, {table3.NEAR}"
    assert compare(0.88) == f"lower than printed, {table3.NEAR}"
    assert compare(1.6) == f"higher than printed, {table3.FAR}"
    assert compare(1.12, sd=1.0) == table3.AGREES


def test_pairs_know_which_way_is_better(reproduce):
    paired = reproduce("unwrapping.table3").paired
    auc = paired([0.9, 0.8, 0.7], [0.8, 0.9, 0.7], "AUC")
    assert (auc["better"], auc["equal"], auc["n"]) == (1, 1, 3)
    mse = paired([0.9, 0.8, 0.7, 0.1], [0.8, 0.9, 0.7, 0.2], "MSE")
    assert (mse["better"], mse["equal"], mse["n"]) == (2, 1, 4)
    assert mse["mean"] == -0.025


def test_a_replicate_measures_every_model(reproduce, monkeypatch):
    examples, simplify = reproduce("unwrapping.examples"), reproduce("unwrapping.simplify")
    table3 = reproduce("unwrapping.table3")
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


def test_controls_are_what_they_say(reproduce):
    examples, controls = reproduce("unwrapping.examples"), reproduce("unwrapping.controls")
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


def test_what_is_printed_of_the_case_study(reproduce):
    lending = reproduce("unwrapping.lending")
    lengths = {len(column) for column in lending.PRINTED5.values() if isinstance(column, list)}
    assert lengths == {16}
    # The text says that all local AUCs are better than the global ones. The table does not.
    above = np.greater(lending.PRINTED6["local_auc"], lending.PRINTED6["global_auc"])
    assert above.tolist() == [False, True, True]


def test_tables_5_to_7_add_up(reproduce, rows):
    lending = reproduce("unwrapping.lending")
    five, six, seven = lending.regions(rows), lending.merged_regions(rows), lending.simplified(rows)
    assert five["top"]["count"] == sorted(rows.unwrapper.counts_, reverse=True)[:15]
    assert five["regions"] == rows.unwrapper.n_regions_
    assert five["single"] == five["single_share"] * five["regions"]
    for name in ("chosen", "three"):
        assert sum(six[name]["table"]["count"]) == len(rows.X_train)
        assert six[name]["local_above_global"] <= six[name]["with_local_auc"]
    assert six["three"]["n_clusters"] <= 3, "small clusters join others"
    assert seven["test"]["merged"] == six["three"]["test_auc"]
    assert seven["test"]["network"] == five["test_auc"]
    for row, run in ((lending.row5, five), (lending.row6, six), (lending.row7, seven)):
        found = row([run, run])
        assert {"ours", "controls", "verdict"} <= set(found)
        assert found["verdict"].startswith(lending.PRIVATE)
        json.dumps(found)


def test_loans_are_balanced_and_hold_no_row_twice(reproduce):
    lending = reproduce("unwrapping.lending")
    for loans in lending.LOANS:
        try:
            X, y = loans.rows(0)
        except OSError:
            pytest.skip(f"{loans.name} is not here")
        assert y.mean() == 0.5
        assert len(X) == len(y)
        assert not np.array_equal(y, loans.rows(1)[1])


# Figures


def test_figures_are_aggregates(reproduce):
    table = read("figures")
    figures = table["figures"]
    assert list(figures) == list(reproduce("unwrapping.figures").PRINTED)
    for part in figures.values():
        assert {"printed", "ours", "controls", "verdict"} <= set(part)
    # Nothing is as long as the rows or the regions.
    assert max(map(len, numbers(table))) < 200 < table["n_train"]


def test_figure_7_adds_up(reproduce, rows):
    ours = reproduce("unwrapping.figures").importance_and_profile(rows, NAMES)["ours"]
    assert sum(ours["importance"].values()) == pytest.approx(1, abs=1e-3)
    assert next(n for n in ours["importance"] if n != "intercept") == ours["top_feature"]
    for region in ours["regions"]:
        assert sum(region["bin_counts"]) == region["count"]
        assert region["low"] in ours["bin_edges"]
        assert region["high"] in ours["bin_edges"]


def test_figure_12_adds_up(reproduce, rows):
    ours = reproduce("unwrapping.figures").directions(rows)["ours"]
    small = sum(sum(part["regions_by_direction"]) for part in ours["small"])
    assert small > 0
    assert small + len(ours["large"]["count"]) == ours["regions"] == rows.unwrapper.n_regions_
    dull = sum(sum(p["regions_by_direction"]) for p in ours["small"] if p["degenerate"])
    dull += sum(ours["large"]["degenerate"])
    assert dull / ours["regions"] == pytest.approx(ours["degenerate"], abs=1e-4)
    n_rows = sum(part["count"] * sum(part["regions_by_direction"]) for part in ours["small"])
    assert n_rows + sum(ours["large"]["count"]) == len(rows.X_train)


def test_figures_9_13_and_17_add_up(reproduce, rows):
    figures = reproduce("unwrapping.figures")
    nine, seventeen = (
        make(rows, NAMES)["ours"] for make in (figures.coefficients, figures.merged_coefficients)
    )
    assert set(nine["coef"]) == set(seventeen["coef"]) == set(NAMES)
    assert all(len(column) == len(nine["count"]) for column in nine["coef"].values())
    sizes = [np.abs(column).mean() for column in nine["coef"].values()]
    assert (np.diff(sizes) <= 1e-4).all(), "largest first, before rounding"
    assert sum(seventeen["count"]) == len(rows.X_train)
    assert len(seventeen["count"]) == seventeen["n_clusters"]
    thirteen = figures.extrapolation(rows)
    ours = thirteen["ours"]
    better = sum(g > a for g, a in zip(ours["global_auc"], ours["local_auc"], strict=True))
    assert better == ours["global_above_local"]
    assert thirteen["verdict"].startswith(f"{better} of the 10")


# How far local AUCs can be believed


FIVE = np.array([0.2, 0.4, 0.4, 0.7, 0.9]), np.array([0, 1, 0, 1, 0])


def test_intervals_of_five_rows(reproduce):
    trust = reproduce("unwrapping.trust")
    middle, half = 7 / 12, 1.96 * 0.311805
    assert trust.auc(*FIVE) == pytest.approx(middle)
    assert trust.placement(*FIVE) == pytest.approx((middle - half, middle + half), abs=1e-4)
    low, high = trust.score(*FIVE)
    assert 0 < low < middle < high < 1
    assert np.isnan(trust.auc(FIVE[0], np.ones(5)))


def test_a_perfect_region_is_certain_for_the_bootstrap_only(reproduce):
    trust = reproduce("unwrapping.trust")
    perfect = np.arange(8.0), (np.arange(8) > 4).astype(int)
    assert trust.bootstrap(*perfect, np.random.default_rng(0)) == (1, 1)
    assert trust.score(*perfect)[0] < 0.8


def test_facts_of_a_small_network_are_shares_and_counts(reproduce, rows):
    trust = reproduce("unwrapping.trust")
    members = trust._members(rows, rows.X_train)
    assert [len(one) for one in members] == rows.unwrapper.counts_.tolist()
    own, local = trust.large(rows, 10)
    assert len(own) > 2
    for found in (
        trust.regions(rows),
        trust.held(rows, rows.X_train, rows.y_train, rows.X_train[:, 0], 10, 0),
    ):
        assert all(np.isfinite(list(found.values())))
    again = trust.local_auc(rows, rows.X_train, rows.y_train, rows.X_train[:, 0], 10)
    assert again["training minus fresh"] == pytest.approx(0)
    assert again["correlation, training and fresh"] == pytest.approx(1)
    assert len(local) == again["large"]


# Data that the reader does not have


def test_without_the_data_a_row_says_so(reproduce, monkeypatch):
    table3, examples = reproduce("unwrapping.table3"), reproduce("unwrapping.examples")
    lending, figures = reproduce("unwrapping.lending"), reproduce("unwrapping.figures")

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


# Draws of the lending case


def test_the_second_truth_favours_no_control(reproduce):
    lending = reproduce("unwrapping.lending_draws")
    X, _, y, _, truth, expected = lending.draw("economy", 7)
    names, segment = list(truth.names), truth.segment(X)
    assert abs(y.mean() - 0.5) < 0.03
    assert (np.bincount(segment) > 0.25 * len(X)).all()
    assert [name for name, sign in zip(names, expected, strict=True) if sign == 0] == ["h"]
    proportions = truth.coefficients[:, names.index("ltv_fcast")] / truth.coefficients[:, 0]
    assert len(set(proportions.round(3))) == 3
    for name, step in lending.STEPS.items():
        better = X.copy()
        better[:, names.index(name)] += step
        assert (truth.log_odds(better) < truth.log_odds(X)).all()
        assert (truth.segment(better) == segment).all()


def test_differences_have_the_error_of_their_mean(reproduce):
    found = reproduce("unwrapping.lending_draws").difference(np.array([1.0, 2.0, 3.0]))
    assert found == {"mean": 2.0, "se": pytest.approx(3**-0.5, abs=1e-5)}


# Joint importance beside the truth


def test_a_shuffled_linear_model_gives_its_squared_coefficients(reproduce):
    importance = reproduce("unwrapping.importance")
    rng = np.random.default_rng(0)
    X, w = rng.normal(size=(20_000, 3)), np.array([3.0, -1.0, 0.0])
    shares = importance.shuffled(lambda Z: Z @ w, X, 0)
    assert np.allclose(shares, [0.9, 0.1, 0], atol=0.01)
    assert importance.gap(shares, shares) == 0
    assert importance.gap(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 1
    found = importance.paired([1.0, -1.0, 3.0])
    assert found == {"mean": 1.0, "se": 1.1547, "below": 1}


def test_a_level_has_the_error_of_its_networks(reproduce):
    inference = reproduce("unwrapping.inference")
    runs = [
        {"naive": [0.01, 0.02], "honest": [0.5, 0.9]},
        {"naive": [0.5, 0.6], "honest": [0.04, 0.7]},
    ]
    found = inference.levels(runs)
    assert found["tests"] == 4
    assert found["clusters"] == 1.0
    assert found["naive"]["share"] == 0.5
    assert found["honest"]["share"] == 0.25
    # Two networks with shares 1 and 0: their mean's error is sd / sqrt(2) = 1 / 2.
    assert found["naive"]["error"] == pytest.approx(0.5)
    # Four independent tests would have the squared error 1 / 16.
    assert found["naive"]["design"] == pytest.approx(4.0)
    # Differences of the networks: 1 and -1/2; their mean is 1/4, its error 3/4.
    assert found["difference"] == {"share": 0.25, "error": 0.75}
    assert sum(found["naive"]["histogram"]) == 4


def test_a_projection_is_the_fit_to_very_many_rows(reproduce):
    inference = reproduce("unwrapping.inference")
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(50, 2))
    chance = 1 / (1 + np.exp(-np.abs(Z[:, 0]) + Z[:, 1]))  # no linear model has it
    both, weight = np.repeat([1, 0], 50), np.concatenate([chance, 1 - chance])
    fit = LogisticRegression(C=np.inf, tol=1e-10).fit(np.vstack([Z, Z]), both, weight)
    assert inference.projection(Z, chance) == pytest.approx(fit.coef_[0], abs=1e-5)
