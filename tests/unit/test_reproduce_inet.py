"""The committed results of `reproduce/inet.py`: complete and consistent."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest

from xai_course.book import measured, measured_file
from xai_course.inet import SparsePolynomial

REPRODUCE = Path(__file__).resolve().parents[2] / "reproduce"
OWN = (
    "results",
    "replicates",
    "inet",
    "_inet_fidelity",
    "_inet_gplearn",
    "_inet_ladder",
    "_inet_methods",
    "_inet_nets",
    "_inet_rungs",
    "_inet_runtime",
    "_inet_train",
)
VARIABLES = ("5", "10", "15")


@pytest.fixture(scope="module")
def inet():
    """Import the folder's own modules without leaving them behind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(REPRODUCE))
        import inet

        yield inet
    for name in OWN:
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def module(inet):
    """Return one of the folder's modules by its name without the prefix."""
    return lambda name: sys.modules[f"_inet_{name}"]


def table(name):
    return measured(f"inet_{name}")


# The committed results


def test_every_command_has_its_result(inet):
    results = {path.stem for path in measured_file("any").parent.glob("inet_*.json")}
    assert {f"inet_{name}" for name in inet.TABLES} <= results


def test_held_out_networks(module):
    nets = module("nets")
    found = table("lambda_nets")
    for n in nets.VARIABLES:
        errors = [found[f"n={n}, noise={z:g}"]["test_error"] for z in nets.NOISE]
        assert all(one["n"] == nets.N_NETS for one in errors)
        assert np.all(np.diff([one["mean"] for one in errors]) > 0)
        assert found[f"n={n}, noise=0"]["hidden"] == 5 * n


@pytest.mark.parametrize("n", VARIABLES)
def test_figure_6(module, n):
    part = table("figure6")[n]
    for name, values in part["each_net"].items():
        if name == "gplearn":
            continue
        assert part["methods"][name] == pytest.approx(module("nets").summary(values), abs=2e-5)
        assert len(values) == 100
    gplearn = np.array(part["each_net"]["gplearn"])
    assert len(gplearn) == sum(part["gplearn"]["stopped"].values())
    for name, pair in part["paired_with_gplearn"].items():
        difference = np.array(part["each_net"][name])[: len(gplearn)] - gplearn
        assert pair["mean_difference"] == pytest.approx(difference.mean(), abs=2e-5)
        assert pair["lower_on"] == (difference < 0).sum()
    means = {name: values["mean"] for name, values in part["methods"].items()}
    assert means["dense"] < min(means[k] for k in ("search", "learned", "closed_form"))
    assert max(means, key=means.get) == "constant"


@pytest.mark.parametrize("n", VARIABLES)
def test_figure_7_begins_where_figure_6_stands(n):
    clean = table("figure7")[n]["by_noise"]["0"]
    for name, values in clean.items():
        assert values == table("figure6")[n]["methods"][name]
    assert set(table("figure7")[n]["by_noise"]) == {"0", "0.1", "0.2", "0.3"}


@pytest.mark.parametrize("n", VARIABLES)
def test_figure_5_pays_when_it_says(module, n):
    part = table("figure5")[n]
    training = sum(part["training_seconds"].values())
    times = part["methods"]
    own, other = times["learned"]["alone_ms"], times["gplearn"]["alone_ms"]
    assert part["pays_after_networks"]["gplearn"] == module("runtime").crossover(
        training, own, other
    )


def test_table_3(module):
    found = table("table3")
    assert found["index"] == module("fidelity").INDEX
    for n, printed in module("fidelity").PRINTED_TABLE_3.items():
        part = found[str(n)]
        assert part["printed"] == printed
        if n > 1:
            for name, one in part["explanations"].items():
                each = table("figure6")[str(n)]["each_net"][name][found["index"]]
                assert one["error"] == pytest.approx(each, abs=2e-5)


def test_the_ladder(module):
    found = table("ladder")
    assert set(found["rungs"]) == {*module("rungs").RUNGS, "learned", "closed_form"}
    for name in ("learned", "closed_form"):
        here = found["rungs"][name]["errors"]["independent, noise 0"]["hard"]
        assert here == table("figure6")["5"]["methods"][name]
    for rung in module("rungs").RUNGS:
        assert found["rungs"][rung]["cpu_seconds"]["n"] == len(found["settings"]["seeds"])


# How they are made


def test_crossover(module):
    crossover = module("runtime").crossover
    assert crossover(60, 5.0, 5.0) is None
    for training, own, other in ((60, 3.0, 60_000.0), (1, 0.0, 500.0), (7, 1.0, 1.5)):
        k = crossover(training, own, other)
        assert 1000 * training + k * own < k * other
        assert 1000 * training + (k - 1) * own >= (k - 1) * other


def test_paired_and_recall(module):
    fidelity = module("fidelity")
    found = fidelity.paired(np.array([1.0, 2.0, 5.0]), np.array([2.0, 2.0, 3.0]))
    assert found["mean_difference"] == pytest.approx(1 / 3, abs=1e-5)
    assert (found["lower_on"], found["n"]) == (1, 3)
    ours = SparsePolynomial([1.0, 2.0], np.array([[2, 0], [0, 1]]))
    own = SparsePolynomial([5.0, 1.0], np.array([[2, 0], [0, 0]]))
    assert fidelity.recall([ours], [own]) == 0.5


def test_summary(module):
    found = module("nets").summary(np.array([1.0, 2.0, 6.0]))
    assert found == {"mean": 3.0, "median": 2.0, "sd": pytest.approx(math.sqrt(7), abs=1e-5),
                     "max": 6.0, "n": 3}  # fmt: skip


def test_small_networks_from_end_to_end(module, monkeypatch, tmp_path):
    nets = module("nets")
    monkeypatch.setattr(nets, "WORK", tmp_path)
    monkeypatch.setattr(nets, "N_POINTS", 50)
    monkeypatch.setattr(nets, "targets", lambda n: nets.sample_polynomials(2, n, seed=10_000))
    quick = {"recipe": nets_recipe(), "n_samples": 64}
    train = nets.train_lambda_nets
    monkeypatch.setattr(nets, "train_lambda_nets", lambda g, **s: train(g, **{**s, **quick}))
    found, X = nets.held_out(2, 0.1), nets.points(2)
    assert len(found) == 2
    assert X.shape == (50, 2)
    explained = module("methods").methods(5)["search"].explain(found)
    errors = nets.errors(found, explained, X)
    by_hand = [np.abs(found.predict(X)[k] - explained[k](X)).mean() for k in range(2)]
    np.testing.assert_allclose(errors, by_hand)
    assert (nets.dense_errors(found, X, 3) < errors + 0.05).all()
    again = nets.held_out(2, 0.1)
    np.testing.assert_array_equal(found.parameters(), again.parameters())


def nets_recipe():
    from xai_course.inet import Recipe

    return Recipe(learning_rate=0.01, epochs=2)


def test_the_time_limit_counts_computing_time(module, monkeypatch):
    gplearn = module("gplearn")
    net = gplearn.held_out.__globals__["LambdaNets"](
        np.ones((1, 2, 2)), np.zeros((1, 2)), np.ones((1, 2)), np.zeros(1)
    )
    monkeypatch.setattr(gplearn, "held_out", lambda n: net)
    monkeypatch.setattr(gplearn, "SAMPLES", 40)
    monkeypatch.setattr(gplearn, "CPU_SECONDS", 1e-6)
    found = gplearn.evolve(2, 0)
    assert found["stopped"] in {"time", "exact"}
    assert len(found["errors"]) == 1
    assert found["cpu_seconds"] > 0
    assert len(gplearn.polynomials([found])[0]) == len(found["coef"])
