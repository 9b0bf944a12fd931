"""The programs behind the tables of `reproduce/clime.py`, on small cases."""

import numpy as np
import pytest
import torch
from torch import nn

from xai_course.decisionnet import DecisionNet
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.training import TrainedClassifier, mlp


@pytest.fixture
def students(reproduce):
    return reproduce("clime.students")


@pytest.fixture
def lime(reproduce):
    return reproduce("clime.lime")


@pytest.fixture
def dnet(reproduce):
    return reproduce("clime.dnet")


@pytest.fixture
def approximation(reproduce):
    return reproduce("clime.approximation")


def rows_of_two_classes(n, n_features=2):
    X = np.random.default_rng(0).normal(size=(n, n_features)).astype(np.float32)
    return X, (X[:, 0] > 0).astype(np.int64)


# Table 2 and Figure 8


@pytest.fixture
def known(students, monkeypatch):
    """Put numbers that are known in the place of what is trained and measured."""
    X, y = rows_of_two_classes(8)
    accuracy = {"lenet": 0.9893, "mlp": 0.97, "mlp-kd": 0.98, "imitator": 0.96}

    def measure(name, seed, student):
        kind, its_seed = student
        return {
            "accuracy": accuracy[kind] + 0.001 * its_seed,
            "consistency": 0.95 + 0.001 * (its_seed == seed),
            "error_agreement": 0.5,
        }

    chosen = {"rate": {"learning_rate": 0.1}, "teaching": {"alpha": 0.5}}
    monkeypatch.setattr(students, "rows", lambda name: (X, X, y, y))
    monkeypatch.setattr(students, "search", lambda name: chosen)
    monkeypatch.setattr(students, "teacher", lambda name, seed: ("lenet", seed))
    monkeypatch.setattr(students, "untaught", lambda name, seed, settings: ("mlp", seed))
    monkeypatch.setattr(students, "measure", measure)
    monkeypatch.setattr(students, "PRINTED", {"mnist": {"lenet": 0.9893, "mlp": 0.9, "mlp_kd": 1}})
    monkeypatch.setattr(
        students,
        "taught",
        lambda name, seed, kind, settings: ("mlp-kd" if kind == "kd" else kind, seed),
    )
    return students


def test_table_2_from_known_numbers(known):
    table = known._table2_of("mnist")
    ours = table["over_seeds"]
    assert ours["lenet"]["accuracy"]["mean"] == pytest.approx(0.9903)
    assert ours["another_lenet"]["consistency"]["max"] == 0.95
    assert table["verdict"] == {
        "lenet": "inside our range over seeds",
        "mlp": "not reproduced: ours is above, by 0.071",
        "mlp_kd": "not reproduced: ours is below, by 0.019",
    }
    assert table["does_distillation_help"] == [0.01, 0.01, 0.01]
    assert table["does_the_mlp_beat_its_lenet"] == [-0.0093] * 3
    assert table["seeds"] == [0, 1, 2]


def test_figure_8_from_known_numbers(known, monkeypatch):
    class Fixed:
        def predict(self, X):
            return np.arange(len(X)) % 2

    measure = known.measure
    monkeypatch.setattr(known, "_predictions", lambda name, seed: np.arange(8) % 2)
    monkeypatch.setattr(
        known, "measure", lambda name, seed, student: measure(name, seed, ("mlp", seed))
    )
    monkeypatch.setattr(known, "taught", lambda *arguments: Fixed())
    table = known.figure8()
    assert table["confusion_of_seed_0"]["counts"] == [[4, 0], [0, 4]]
    assert table["imitator_above_95_percent"] is True
    assert table["gain_over_no_teacher"] == [0.0, 0.0, 0.0]


def test_the_search_takes_the_best(students, monkeypatch):
    X, y = rows_of_two_classes(40)
    seen = []

    class Guess:
        def __init__(self, right):
            self.right = right

        def predict(self, chosen):
            labels = (chosen[:, 0] > 0).astype(int)
            return np.where(np.arange(len(chosen)) < self.right, labels, 1 - labels)

    def train(*arguments, **options):
        seen.append(options)
        best = options["learning_rate"] == 1e-3 and options["batch_size"] == 64
        return Guess(10 if best and options.get("temperature", 5.0) == 5.0 else 3)

    for name, value in {
        "rows": lambda name: (X, X, y, y), "SEARCH_ROWS": 30, "CHOICE_ROWS": 10,
        "teacher": lambda name, seed: type("Teacher", (), {"module": None}),
        "train_classifier": train, "distill": train,
    }.items():  # fmt: skip
        monkeypatch.setattr(students, name, value)
    found = students.search.__wrapped__("mnist")
    assert found["rate"] == {"learning_rate": 1e-3, "batch_size": 64}
    assert found["teaching"] == {"alpha": 0.1, "temperature": 5.0}
    assert [entry["accuracy"] for entry in found["rates"]].count(1.0) == 1
    assert len(seen) == len(students.RATES) + len(students.TEACHINGS)
    assert len({options["checkpoint"] for options in seen}) == len(seen)


# Table 3


@pytest.fixture
def halves(lime):
    """Return a linear model of an image whose upper half is 1, of two superpixels."""
    superpixels = np.repeat([0, 1], 392)
    image = np.where(superpixels == 0, 1.0, 0.5)
    weights = np.zeros((10, 2))
    weights[3], weights[4] = [0.6, 0.1], [0.2, 0.3]
    return lime.Explanation(image, image / 4, superpixels, weights, np.full(10, 0.05))


def test_readings_by_hand(lime, halves):
    shown = np.array([[1, 1], [0, 1]])
    np.testing.assert_allclose(halves.predict(shown)[:, 3], [0.75, 0.15])
    np.testing.assert_array_equal(halves.draw(shown)[1, [0, 783]], [0.25, 0.5])

    def probabilities(images):
        return np.eye(10)[np.where(images[:, -1] > 0.4, 3, 7)]

    decisions = np.array([3, 4])
    other = lime.Explanation(*(getattr(halves, n) for n in ("image", "hidden", "superpixels")),
                             weights=-halves.weights, intercept=halves.intercept)  # fmt: skip
    found = lime.readings([halves, other], probabilities, decisions)
    # The second model has no positive superpixel and no class that is for the whole image.
    assert found == {
        "its_model_at_the_image": 0.5,
        "its_weights_times_the_pixels": 0.5,
        "the_network_on_the_kept_superpixels": 0.5,
        "its_model_of_another_image": 0.0,
    }


def test_near_by_hand(lime, halves):
    def linear(images):
        return halves.predict(
            np.column_stack([images[:, 0] == 1, images[:, -1] == 0.5]).astype(float)
        )

    models = {"whole": [linear], "zero": [lambda images: np.zeros((len(images), 10))]}
    found = lime.near([halves], models, linear, seed=0)
    for name in ("lime", "whole"):
        assert found[name] == {"error": pytest.approx(0, abs=1e-12), "consistency": 1.0}
    assert found["zero"]["error"] > found["constant"]["error"] > 0


def test_near_the_pixels_by_hand(lime, monkeypatch):
    monkeypatch.setattr(lime, "STEPS", 30)
    monkeypatch.setattr(lime, "PIXEL_NOISE", 0.5)
    guide = TrainedClassifier(nn.Sequential(mlp([2, 8, 3], seed=1), nn.Tanh()), {})
    x = np.array([[0.5, -1.0]])
    slope, offset = np.array([[1.0, 2.0], [0.0, 1.0], [-1.0, 1.0]]), np.array([0.0, 1.0, 0.5])
    found = lime.near_the_pixels(guide, slope[None], offset[None], x)
    points = x + np.random.default_rng(0).normal(scale=0.5, size=(30, 2))
    f, g = guide.logits(points), points @ slope.T + offset
    assert found["consistency"] == (f.argmax(1) == g.argmax(1)).mean()
    f, g = f - f.mean(1, keepdims=True), g - g.mean(1, keepdims=True)
    expected = 1 - ((f - g) ** 2).sum() / ((f - f.mean(0)) ** 2).sum()
    assert found["median_r2"] == pytest.approx(expected, rel=1e-4)
    f0, g0 = guide.logits(x), x @ slope.T + offset
    f, g = f - (f0 - f0.mean()), g - (g0 - g0.mean())
    expected = 1 - ((f - g) ** 2).sum() / (f**2).sum()
    assert found["median_r2_change"] == pytest.approx(expected, rel=1e-4)


def test_near_the_pixels_of_perfect_and_of_constant_models(lime):
    network = PiecewiseLinearNetwork([[[1.0, 0], [0, 1], [-1, -1]]], [[0.0, 0, 0]])
    guide = TrainedClassifier(network.to_torch(), {})
    X = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32).astype(float)
    slopes = np.tile(network.weights[0], (5, 1, 1))
    # Logits of which each is larger by the same amount say the same.
    perfect = lime.near_the_pixels(guide, slopes + 1, np.full((5, 3), 3.0), X)
    assert perfect == dict.fromkeys(perfect, pytest.approx(1, abs=1e-9))
    shifted = lime.near_the_pixels(guide, slopes, np.tile([0.0, 0, 5], (5, 1)), X)
    assert shifted["median_r2_change"] == pytest.approx(1, abs=1e-9)
    assert shifted["median_r2"] < 0
    constant = lime.near_the_pixels(guide, 0 * slopes, network.forward(X), X)
    assert constant["median_r2_change"] == pytest.approx(0, abs=1e-9)


def test_lime_itself(lime):
    pytest.importorskip("lime")
    image = np.zeros((28, 28))
    image[:, 14:] = 1.0

    def probabilities(images):
        level = images[:, 400:420].mean(axis=1, keepdims=True)
        return np.hstack([level, 1 - level, np.zeros((len(images), 8))])

    found = lime.explain(image.ravel(), probabilities, "finer", seed=0)
    n = found.superpixels.max() + 1
    assert found.weights.shape == (10, n)
    np.testing.assert_array_equal(found.draw(np.ones((1, n))), [image.ravel()])
    np.testing.assert_allclose(found.weights[0], -found.weights[1], atol=1e-6)


# The two DNets


def test_a_dnet_is_measured_on_other_rows(dnet):
    weights = [np.eye(2), [[1.0, -1.0], [-1.0, 1.0]]]
    network = PiecewiseLinearNetwork(weights, [[10.0, 10.0], [0.0, 0.0]])  # one line in the rows
    X = np.random.default_rng(0).uniform(-3, 3, size=(300, 2))
    y = network.decide(X)
    found = dnet.measure(DecisionNet.from_network(network, X, y), X, y)
    assert found["accuracy"] == found["agreement"] == found["agreement_where_known"] == 1
    assert found["coverage"] == 1
    wrong = dnet.measure(DecisionNet.from_network(network, X, y), X, 1 - y)
    assert (wrong["accuracy"], wrong["accuracy_alone"], wrong["agreement"]) == (0, 0, 1)


def test_the_dnets_verdicts(dnet):
    ours = {"neurons": {"min": 16, "mean": 18.0, "max": 20}, "accuracy": {"min": 1, "max": 1}}
    assert dnet.verdicts("toy", ours) == {
        "neurons": "not reproduced: ours is above, by 3",
        "accuracy": "inside our range over seeds",
    }


@pytest.mark.filterwarnings("ignore:Liblinear", "ignore:lbfgs")
def test_a_toy_set_from_end_to_end(dnet, monkeypatch):
    monkeypatch.setattr(dnet, "N_ROWS", 200)
    monkeypatch.setattr(dnet, "N_NEW_ROWS", 199)
    monkeypatch.setattr(dnet, "TOY_SIZES", (2, 4, 2))
    monkeypatch.setattr(dnet, "TOY_SEEDS", range(1))
    monkeypatch.setattr(dnet, "TOY_EPOCHS", 3)
    table = dnet._toy_set("moons")
    assert set(table["over_seeds"]) == {"data", "divided", "all"}
    assert all(found["neurons"]["n"] == 1 for found in table["over_seeds"].values())
    assert table["controls"]["logistic_regression_accuracy"]["min"] > 0.7
    assert table["network_parameters"] == 3 * 4 + 5 * 2


def test_dnets_of_fewer_rows_are_judged_in_the_box_of_all(dnet, monkeypatch):
    for name, value in {
        "N_ROWS": 300,
        "N_NEW_ROWS": 99,
        "TOY_SIZES": (2, 4, 2),
        "TOY_SEEDS": range(1),
        "TOY_EPOCHS": 3,
        "FEWER_ROWS": (20, 300),
    }.items():
        monkeypatch.setattr(dnet, name, value)
    table = dnet.rows_dnet()
    few, many = table["20"], table["300"]
    assert few["all"]["neurons"] == many["all"]["neurons"]
    assert few["all"]["certified"]["min"] == many["all"]["certified"]["min"] == 1
    assert few["data"]["regions_looked_at"]["max"] <= many["data"]["regions_looked_at"]["max"]


# Table 1


@pytest.fixture
def small(approximation, monkeypatch):
    """Small networks on small data, trained for one epoch."""
    X, y = rows_of_two_classes(400, 6)
    monkeypatch.setattr(approximation, "SIZES", (6, 5, 2))
    monkeypatch.setattr(approximation, "RECIPE", {**approximation.RECIPE, "epochs": 1})
    monkeypatch.setattr(approximation, "rows", lambda name: (X[:200], X[200:], y[:200], y[200:]))
    return approximation


def test_a_trained_network_is_kept_with_its_recipe(small, monkeypatch):
    first = small.trained("tanh", 0)
    trained_again = []
    monkeypatch.setattr(small, "train", lambda module, seed: trained_again.append(seed))
    for ours, kept in zip(first.parameters(), small.trained("tanh", 0).parameters(), strict=True):
        assert torch.equal(ours, kept)
    assert trained_again == []
    small.trained("tanh", 1)
    monkeypatch.setattr(small, "RECIPE", {**small.RECIPE, "epochs": 2})
    small.trained("tanh", 0)
    assert trained_again == [1, 0]


def test_table_1_from_end_to_end(small):
    runs = [small.measure("sigmoid", seed) for seed in range(2)]
    row = small.summarise("sigmoid", runs)
    assert row["printed"] == small.PRINTED["sigmoid"]
    assert row["accuracy"]["baseline"]["n"] == 2
    assert row["printed_gain"] == {"2": -0.0171, "3": -0.0031, "5": 0.0007}
    assert set(row["verdict"]) == set(row["printed"])
    assert all(counts["of"] == 2 for counts in row["seeds_with_a_gain"].values())
    errors = []
    for run in runs:
        for found in run["tangents"].values():
            gain = (found["fixed"] - found["broken"]) / 200
            assert found["gain"] == gain
            assert found["accuracy"] == pytest.approx(run["baseline"]["accuracy"] + gain)
            assert found["median_error"] <= found["median_bound"]
            assert found["decisions_certified"] <= found["same_decision"]
        errors.append([found["activation_error"] for found in run["tangents"].values()])
    assert (np.diff(errors) < 0).all(), "more pieces are nearer"


def test_only_gains_are_counted(approximation):
    runs = [{"tangents": {"3": {"gain": gain, "p_of_no_difference": p}}}
            for gain, p in ((0.01, 0.01), (0.01, 0.2), (-0.01, 0.01))]  # fmt: skip
    assert approximation.gains_over(runs, "3") == {
        "above_the_original": 2,
        "beyond_chance_at_5_percent": 1,
        "of": 3,
    }


def test_compare_counts_what_changed(approximation):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2)).double()
    X = np.random.default_rng(0).normal(size=(200, 2))
    smooth = approximation.logits(module, X)
    network = approximation.with_knots(module, 3, "tangents")
    y = network.forward(X).argmax(axis=1)
    found = approximation.compare(network, smooth, X, y)
    before = (smooth.argmax(axis=1) == y).mean()
    assert found["accuracy"] == 1
    assert found["gain"] == pytest.approx(1 - before)
    assert (found["fixed"], found["broken"]) == (round(200 * (1 - before)), 0)
    best = approximation.with_knots(module, 3, "equioscillating")
    assert best.activations[0].max_error < network.activations[0].max_error


def test_certified_decisions_are_the_originals(approximation):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(2, 3), nn.Sigmoid(), nn.Linear(3, 2)).double()
    X = np.random.default_rng(0).normal(size=(200, 2))
    smooth = approximation.logits(module, X)
    shares = []
    for n in (3, 9, 33):
        network = approximation.with_knots(module, n, "tangents")
        same = (network.forward(X).argmax(axis=1) == smooth.argmax(axis=1)).mean()
        shares.append(approximation.certified(network, smooth, X)["decisions_certified"])
        assert shares[-1] <= same
    assert shares == sorted(shares)


# Ten draws of the images, and Figure 6


@pytest.fixture
def draws(reproduce):
    return reproduce("clime.draws")


def test_a_hidden_square_gets_its_mean_and_the_rest_stays(draws):
    x = np.random.default_rng(0).uniform(size=784)
    shown = np.ones((2, 49))
    shown[1, 0] = 0
    whole, without = draws.hide(x, shown)
    first = draws.SQUARES == 0
    assert np.array_equal(whole, x)
    assert first.sum() == 16
    assert np.allclose(without[first], x[first].mean())
    assert np.array_equal(without[~first], x[~first])


@pytest.mark.parametrize("kind", ["noise", "hidden", "mixed"])
def test_a_larger_change_changes_more(draws, kind):
    rng = np.random.default_rng(0)
    x, others = rng.uniform(size=784), rng.uniform(size=(30, 784))
    small, large = (
        np.abs(draws.changed(kind, size, x, others, 20, np.random.default_rng(1)) - x).mean()
        for size in draws.STEPS[kind][::3]
    )
    assert 0 < small < large


def test_lime_on_pixels_says_what_lime_says_about_hidings(draws):
    rng = np.random.default_rng(0)
    x, W = rng.uniform(size=784), rng.normal(size=(784, 3))
    fit = draws.lime(lambda X: X @ W, x, seed=0)
    shown = rng.integers(0, 2, (8, 49))
    coef, intercept = draws.as_pixels(x, fit)
    assert np.allclose(draws.hide(x, shown) @ coef.T + intercept, fit.predict(shown))


def test_the_error_of_an_explanation_is_0_at_best_and_1_if_nothing_changes(draws):
    real = [np.random.default_rng(seed).normal(size=(6, 4)) for seed in range(3)]
    still = [np.tile(z[:1], (6, 1)) for z in real]
    shifted = [z + 5 for z in real]  # a constant does not change a change
    assert draws._missed(shifted, real) == pytest.approx({"error": 0, "pair": 0, "same": 1})
    found = draws._missed(still, real)
    assert found["error"] == pytest.approx(1)
    assert found["pair"] == pytest.approx(1)


def test_a_map_that_is_too_long_has_the_right_direction(reproduce):
    truth = np.array([[1.0, 2.0], [3.0, 0.0], [0.0, 1.0]])
    compare = reproduce("clime.figure6").compare
    assert compare(truth, 2 * truth) == pytest.approx(
        {"cosine": 1, "error": 1, "length": 2, "empty": 0}
    )
    assert compare(truth, 0 * truth) == pytest.approx(
        {"cosine": 0, "error": 1, "length": 0, "empty": 1}
    )
