"""The program behind the measurement of neighbours and prototypes, on cases with a known answer."""

import numpy as np
import pytest
import torch

from xai_course.networks import PiecewiseLinearNetwork
from xai_course.rationales import Reader


@pytest.fixture
def cases(reproduce):
    return reproduce("cases.neighbours")


@pytest.fixture
def words(reproduce):
    return reproduce("cases.words")


@pytest.fixture
def network():
    rng = np.random.default_rng(0)
    shapes = [(4, 3), (5, 4), (1, 5)]
    return PiecewiseLinearNetwork(
        [rng.normal(size=shape) for shape in shapes], [rng.normal(size=n) for n, _ in shapes]
    )


def test_a_vote_that_is_a_tie_counts_in_part(cases):
    shares = np.array([[0.5, 0.5, 0.0], [0.2, 0.2, 0.6], [1.0, 0.0, 0.0]])
    assert cases.agreement(shares, np.array([0, 2, 1])) == pytest.approx((0.5 + 1 + 0) / 3)
    # A class that no neighbour has is in no table of shares.
    assert cases.agreement(shares[:, :2], np.array([0, 2, 0])) == pytest.approx((0.5 + 0 + 1) / 3)
    assert cases.conformity_of(shares[:, :2], np.array([1, 2, 0])).tolist() == [0.5, 0.0, 1.0]


def test_the_twin_is_the_same_function(cases, network):
    X = np.random.default_rng(1).normal(size=(20, 3))
    twin = cases.rescaled(network, 3)
    assert np.allclose(twin.forward(X), network.forward(X))
    assert not np.allclose(twin.weights[-1], network.weights[-1])


def test_rows_of_one_region_have_one_local_model(cases, network):
    X = np.random.default_rng(2).normal(size=(300, 3))
    decided = network.decide(X)
    queries = {kind: X[:50] for kind in ("test", "mixed", "noise")}
    found = cases.region(network, X, {"true": 1 - decided, "decided": decided}, queries)["test"]
    assert found["some"] == 1.0
    assert found["median"] >= 1
    assert found["decided"] + found["true"] == pytest.approx(1)
    spaces = {"last layer": lambda A: [A]}
    same = cases.reasons(network, spaces, X, X[:10])
    assert set(same) == {"last layer", "any row"}
    assert same["last layer"]["in common"] == 1.0
    assert same["last layer"]["nearest decided otherwise"] == 0.0  # a row is its own neighbour


def test_mixed_rows_keep_every_column(cases):
    rows = np.random.default_rng(3).normal(size=(40, 5))
    found = cases.kinds_of("home_lending", rows, np.random.default_rng(0))
    assert np.array_equal(np.sort(found["mixed"], axis=0), np.sort(rows, axis=0))
    assert not np.array_equal(found["mixed"], rows)
    pictures = np.random.default_rng(4).uniform(size=(3, 784))
    half = cases.kinds_of("fashion_mnist", pictures, np.random.default_rng(0))["mixed"]
    assert np.array_equal(
        half.reshape(3, 28, 28)[:, :, :14], pictures.reshape(3, 28, 28)[:, :, :14]
    )


def test_a_training_that_found_nothing_is_drawn_again(cases):
    y = np.repeat([0, 1], [290, 165])
    model, again = cases.usable("breast_cancer", 5, 5, y)
    assert again == 1
    assert model.log["settings"]["seed"] == 1005
    assert cases.usable("breast_cancer", 0, 0, y)[1] == 0


def test_the_triplet_loss_by_hand(cases):
    points = torch.tensor([[0.0], [1.0], [1.2], [9.0]])
    labels = torch.tensor([0, 0, 1, 1])
    found, costs = cases.triplet_loss(points, labels), []
    for a in range(4):
        for p in range(4):
            for m in range(4):
                if a != p and labels[a] == labels[p] and labels[a] != labels[m]:
                    gap = (points[a] - points[p]) ** 2 - (points[a] - points[m]) ** 2 + 1
                    costs.append(max(0.0, float(gap)))
    costs = [cost for cost in costs if cost > 0]
    assert float(found) == pytest.approx(np.mean(costs), rel=1e-5)


def test_the_histogram_loss_is_the_chance_of_a_wrong_order(cases):
    angles = torch.tensor([0.0, 0.1, 2.0, 2.1])
    points = torch.stack([angles.cos(), angles.sin()], dim=1)
    assert float(cases.histogram_loss(points, torch.tensor([0, 0, 1, 1]))) < 0.01
    # With the classes crossed nearly every pair of two classes is at least as similar.
    assert float(cases.histogram_loss(points, torch.tensor([0, 1, 1, 0]))) > 0.4


def test_what_a_reader_has_before_it_decides(words):
    reader = Reader(9).eval()
    codes = np.random.default_rng(5).integers(0, 9, size=(6, 12))
    layer, logits = words.read(reader, codes)
    with torch.no_grad():
        theirs = reader(torch.as_tensor(codes), torch.as_tensor((codes > 0).astype(np.float32)))
    assert layer.shape == (6, 32)
    assert np.allclose(logits, theirs.numpy(), atol=1e-6)


def test_differences_take_pairs_and_skip_draws_without_errors(cases):
    runs = [{"a": {"test": 1.0}}, {"a": {"test": 3.0, "errors": 5.0}}]
    found = cases.collected(runs)
    assert found["a"]["test"]["mean"] == 2.0
    assert found["a"]["errors"]["n"] == 1
