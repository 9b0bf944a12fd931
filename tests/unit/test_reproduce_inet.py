"""The programs behind the figures of `reproduce/inet.py`, on small networks."""

import json

import numpy as np
import pytest

from xai_course.book import measured
from xai_course.inet import LambdaNets, Recipe, fidelity_error, train_lambda_nets
from xai_course.polynomials import SparsePolynomial, sample_polynomials

QUICK = Recipe(learning_rate=0.01, epochs=2)
N_NETS, N_POINTS = 4, 60


@pytest.fixture
def fidelity(reproduce, monkeypatch):
    """Measure on four small networks of five variables, two of which gplearn has seen."""
    module = reproduce("inet.fidelity")
    targets = sample_polynomials(N_NETS, 5, seed=10_000)
    runs = [
        {
            "coef": g.coef.tolist(), "exponents": g.exponents.tolist(), "stopped": "time",
            "cpu_seconds": 60.0, "errors": [0.5, 0.4],
        }
        for g in targets[:2]
    ]  # fmt: skip

    def held_out(n, noise=0.0):
        options = {"recipe": QUICK, "n_samples": 64, "progress": False}
        return train_lambda_nets(targets, noise=noise, **options)

    for name, value in {
        "held_out": held_out,
        "held_out_targets": lambda n: targets,
        "points": lambda n: np.random.default_rng(0).random((N_POINTS, n)),
        "evolved": lambda n, n_nets=None: runs,
        "NOISE": (0.0, 0.3),
    }.items():
        monkeypatch.setattr(module, name, value)
    return module


def test_figure_6_by_hand(fidelity):
    part = fidelity._figure6(5)
    nets, X = fidelity.held_out(5), fidelity.points(5)
    outputs = nets.predict(X)
    constant = [np.abs(y - y.mean()).mean() for y in outputs]
    target = [
        np.abs(y - g(X)).mean() for y, g in zip(outputs, fidelity.held_out_targets(5), strict=True)
    ]
    np.testing.assert_allclose(part["each_net"]["target"], target, atol=1e-5)
    # The constant is asked elsewhere, so it is near the best on these points, and not below.
    assert np.all(np.array(part["each_net"]["constant"]) < 1.5 * np.array(constant))
    assert part["methods"]["target"]["mean"] == pytest.approx(np.mean(target), abs=1e-5)
    # What gplearn found here is the target.
    np.testing.assert_allclose(part["each_net"]["gplearn"], target[:2], atol=1e-5)
    assert part["paired_with_gplearn"]["target"]["mean_difference"] == 0
    assert part["same_nets_as_gplearn"]["search"]["n"] == 2
    assert part["methods"]["search"]["n"] == N_NETS
    assert part["gplearn"]["stopped"] == {"time": 2}
    assert part["gplearn"]["last_ten_generations_gained"]["mean"] == 0.1
    errors = {name: values["mean"] for name, values in part["methods"].items()}
    assert errors["dense"] < errors["constant"]
    json.dumps(part)


def test_figure_7_begins_where_figure_6_stands(fidelity):
    part = fidelity._figure7(5)
    assert list(part["by_noise"]) == ["0", "0.3"]
    six = fidelity._figure6(5)["methods"]
    for name, values in part["by_noise"]["0"].items():
        assert values == six[name]
    clean, noisy = part["by_noise"].values()
    for name, rise in part["rise"].items():
        difference = noisy[name]["mean"] - clean[name]["mean"]
        assert rise["mean_difference"] == pytest.approx(difference, abs=2e-5)
    assert set(part["from_the_target"]["0"]) == set(fidelity.WITH_NOISE)


def test_table_3_shows_one_network_of_figure_6(fidelity):
    part, six = fidelity._table3(5), fidelity._figure6(5)["each_net"]
    assert part["printed"] == {"i_net": 0.0068, "symbolic_regression": 0.0373}
    for name, one in part["explanations"].items():
        assert one["error"] == pytest.approx(six[name][fidelity.INDEX], abs=2e-5)
    assert part["network_against_target"] == pytest.approx(six["target"][0], abs=2e-5)
    assert part["explanations"]["gplearn"]["text"].replace(" ", "")


def test_the_spread_over_seeds_and_over_networks_stand_apart(reproduce):
    found = reproduce("inet.ladder")._over_seeds([np.array([1.0, 3.0]), np.array([2.0, 6.0])])
    assert (found["mean"], found["min"], found["max"]) == (3.0, 2.0, 4.0)
    assert found["sd_over_networks"] == pytest.approx((np.sqrt(2) + np.sqrt(8)) / 2, abs=1e-5)


def test_what_watching_costs(reproduce, monkeypatch):
    drift = reproduce("inet.drift")
    monkeypatch.setattr(drift, "REPEATS", 2)
    table = drift.drift_cost()
    assert all(value >= 0 for value in table["milliseconds"].values())
    assert table["settings"]["repeats"] == 2


def few(module, monkeypatch, n):
    """Let a study take `n` streams of everything."""
    for name in ("AT_ONCE", "CALM", "STREAMS", "CLINICS"):
        monkeypatch.setattr(module, name, n)


def test_a_study_of_drift_in_small(reproduce, monkeypatch):
    streams = reproduce("inet.streams")
    few(streams, monkeypatch, 4)
    case, (_, share, size, kind, draw) = "large jump", streams.CASES["large jump"]
    made = streams.streams(1, streams.SHARES[share], size, kind, draw, streams.even)
    found, dense = streams.statistics(*made)
    assert {values.shape for values in found.values()} == {(streams.WATCHED, 4)}
    assert dense.shape == (streams.WATCHED + streams.REFERENCE, 4, 56)
    levels = streams._levels([streams._calm("plain", 3)])
    report = streams._report([streams._case(case, 1, levels)], curves=True)
    assert report["moments"]["found"] == report["moments"]["found by batch"][-1]
    assert report["moments"]["behind the moments"]["mean"] == 0
    assert set(streams.NAMED) < set(report) == set(found)
    json.dumps(report)


def test_whitened_residuals_see_a_change_where_few_rows_come(reproduce, monkeypatch):
    streams = reproduce("inet.streams")
    few(streams, monkeypatch, 4)
    levels = streams._levels([streams._calm("rarely", 2)])
    report = streams._report([streams._case("rarely visited", 1, levels)])
    late = {name: one["behind the moments"]["mean"] for name, one in report.items()}
    assert late["signed residuals"] < 0 < late["signed residuals, not whitened"]


def test_clinics_differ_in_rows_and_training(reproduce, monkeypatch):
    streams = reproduce("inet.streams")
    few(streams, monkeypatch, 2)
    batches, nets = streams._clinic_streams("device", 0, 1)
    seen = [(t, X, y) for t, X, y in batches if t in (-1, streams.CHANGE)]
    assert (seen[1][1][..., 3] <= 0.7).all()
    assert set(np.unique(seen[0][2])) <= {0.0, 1.0}
    assert len(nets) == 2
    assert np.abs(np.diff(nets.parameters(), axis=0)).max() > 0.1
    streams._clinics.cache_clear()


def test_delays_are_compared_stream_by_stream(reproduce):
    streams = reproduce("inet.streams")
    ours, others = np.array([3, np.inf, np.nan, 5]), np.array([1, 4, 0, np.nan])
    found = streams._paired(ours, others, 90)
    assert (found["mean"], found["n"]) == (44, 2)
    late = {"moments": [1, 4, 0, None], "error": [3, -1, None, 5]}
    report = streams._report([late])["error"]
    assert (report["alarms"], report["early"], report["found"]) == (3, 1, 2)
    assert report["median"] == 5


def test_forgetting_in_small(reproduce, monkeypatch):
    module = reproduce("inet.forgetting")
    monkeypatch.setattr(module, "NETWORKS", 3)
    found = module.forgetting()
    lost, kept = found["new rows only"], found["half old rows"]
    assert lost["first task grows"]["median"] > 3 * kept["first task grows"]["median"]
    assert lost["departure"]["mean"] > 3 * kept["departure"]["mean"]
    assert len(lost["stream"]) == len(lost["coefficients"]) == 60
    json.dumps(found)


def test_crossover(reproduce):
    crossover = reproduce("inet.runtime").crossover
    assert crossover(60, 5.0, 5.0) is None
    for training, own, other in ((60, 3.0, 60_000.0), (1, 0.0, 500.0), (7, 1.0, 1.5)):
        k = crossover(training, own, other)
        assert 1000 * training + k * own < k * other
        assert 1000 * training + (k - 1) * own >= (k - 1) * other


def test_paired_and_recall(reproduce):
    fidelity = reproduce("inet.fidelity")
    found = fidelity.paired(np.array([1.0, 2.0, 5.0]), np.array([2.0, 2.0, 3.0]))
    assert found["mean_difference"] == pytest.approx(1 / 3, abs=1e-5)
    assert (found["lower_on"], found["n"]) == (1, 3)
    ours = SparsePolynomial([1.0, 2.0], np.array([[2, 0], [0, 1]]))
    own = SparsePolynomial([5.0, 1.0], np.array([[2, 0], [0, 0]]))
    assert fidelity.recall([ours], [own]) == 0.5


def test_small_networks_from_end_to_end(reproduce, monkeypatch, tmp_path):
    nets = reproduce("inet.nets")
    monkeypatch.setattr(nets, "WORK", tmp_path)
    monkeypatch.setattr(nets, "N_POINTS", 50)
    monkeypatch.setattr(nets, "targets", lambda n: nets.sample_polynomials(2, n, seed=10_000))
    quick = {"recipe": QUICK, "n_samples": 64}
    train = nets.train_lambda_nets
    monkeypatch.setattr(nets, "train_lambda_nets", lambda g, **s: train(g, **{**s, **quick}))
    found, X = nets.held_out(2, 0.1), nets.points(2)
    assert len(found) == 2
    assert X.shape == (50, 2)
    explained = reproduce("inet.methods").methods(5)["search"].explain(found)
    errors = fidelity_error(found, explained, X)
    by_hand = [np.abs(found.predict(X)[k] - explained[k](X)).mean() for k in range(2)]
    np.testing.assert_allclose(errors, by_hand)
    assert (nets.dense_errors(found, X, 3) < errors + 0.05).all()
    again = nets.held_out(2, 0.1)
    np.testing.assert_array_equal(found.parameters(), again.parameters())


def test_the_time_limit_counts_computing_time(reproduce, monkeypatch):
    gplearn = reproduce("inet.gplearn")
    net = LambdaNets(np.ones((1, 2, 2)), np.zeros((1, 2)), np.ones((1, 2)), np.zeros(1))
    monkeypatch.setattr(gplearn, "held_out", lambda n: net)
    monkeypatch.setattr(gplearn, "SAMPLES", 40)
    found = gplearn.evolve(2, 0, 1e-6)
    assert found["stopped"] in {"time", "exact"}
    assert len(found["errors"]) == 1
    assert found["cpu_seconds"] > 0
    assert len(gplearn.polynomials([found])[0]) == len(found["coef"])


def test_printed_examples_are_read_and_bounded(reproduce):
    module = reproduce("inet.printed")
    f = module.read("2 x0^2 x1 - 0.5 x1 + 1.5", 2)
    assert f([[2.0, 3.0]])[0] == pytest.approx(2 * 4 * 3 - 1.5 + 1.5)
    found = module._bounds(1, {"a": ("1 x0", 0.1), "b": ("1 x0 + 0.1", 0.05)})
    assert found["apart"] == pytest.approx(0.1)
    assert found["apart_between"] == [0.05, 0.15]
    # The mean distance of uniform numbers from their median is a quarter.
    assert found["constant_between"] == pytest.approx([0.2, 0.3], abs=2e-3)


def test_small_i_nets_of_one_draw(reproduce, monkeypatch):
    module = reproduce("inet.one_variable")
    monkeypatch.setattr(module, "N_TRAIN", 8)
    monkeypatch.setattr(module, "N_TEST", 4)
    monkeypatch.setattr(module, "STEPS", 2)
    monkeypatch.setattr(module, "RECIPE", module.RECIPE | {"hidden": (8,), "epochs": 1})
    found = module._draw(0)
    assert set(module.RUNGS) < set(found)
    assert found["closed form"]["hard"] < found["constant"]["hard"]
    json.dumps(found)


def test_readers_of_one_draw(reproduce, monkeypatch):
    module = reproduce("inet.readers")
    monkeypatch.setattr(module, "N_POLYNOMIALS", 15)
    monkeypatch.setattr(module, "N_PAPER", 2)
    train = module.train_lambda_nets

    def quickly(polynomials, **options):
        return train(polynomials, **options | {"recipe": QUICK, "n_samples": 64})

    monkeypatch.setattr(module, "train_lambda_nets", quickly)
    found = module._draw(0)
    assert found["closed form, largest error"] < 0.05
    assert found["function moved, noise 10"] == 0
    still = found["dead neurons, sum over living neurons, as trained"]
    assert found["dead neurons, sum over living neurons, noise 10"] == pytest.approx(still)
    assert all(0 <= share <= 1 for name, share in found.items() if name.startswith("nearer"))
    json.dumps(found)


def test_the_lost_term_is_named(reproduce, monkeypatch):
    module = reproduce("inet.named")
    monkeypatch.setattr(module, "NETWORKS", 3)
    found = module.drift_named()
    assert found["lost"] == [0, 1, 2]
    assert found["right"] == 3
    assert (np.diag(found["steps"]) < -0.3).all()
    assert len(measured("inet_drift_named")["steps"]) == 40
