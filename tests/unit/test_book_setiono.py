"""The small network of the chapter on rules: its gradient, its cuts, its picture."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.optimize import approx_fprime

from xai_course import data
from xai_course.book import setiono


@pytest.fixture
def flowers() -> tuple[np.ndarray, np.ndarray]:
    iris = data.load("iris")
    return (iris.X - iris.X.mean(axis=0)) / iris.X.std(axis=0), iris.y


def test_gradient_is_that_of_finite_differences(flowers):
    X, y = flowers
    rng = np.random.default_rng(0)
    w, kept = rng.normal(size=setiono.N_WEIGHTS), rng.integers(0, 2, setiono.N_WEIGHTS)
    table = kept, X, np.eye(3)[y]
    numeric = approx_fprime(w * kept, lambda v: setiono._loss(v, *table)[0], 1e-6)
    assert np.allclose(setiono._loss(w * kept, *table)[1], numeric * kept, atol=1e-3)


def test_logits_are_those_of_two_layers(flowers):
    X, _ = flowers
    w = np.random.default_rng(1).normal(size=setiono.N_WEIGHTS)
    hidden, output = setiono.layers(w)
    by_hand = np.tanh(X @ hidden[:, :4].T + hidden[:, 4]) @ output[:, :3].T + output[:, 3]
    assert np.allclose(setiono.logits(w, X), by_hand)


def test_training_names_flowers_and_keeps_cuts(flowers):
    X, y = flowers
    kept = np.ones(setiono.N_WEIGHTS)
    kept[[0, 16]] = 0
    w = setiono.fit(np.random.default_rng(0).uniform(-1, 1, setiono.N_WEIGHTS), kept, X, y)
    assert (w[kept == 0] == 0).all()
    assert (setiono.logits(w, X).argmax(axis=1) == y).mean() > 0.95


def test_picture_has_a_solid_line_for_each_connection():
    kept = np.zeros(setiono.N_WEIGHTS)
    hidden, output = setiono.layers(kept)
    hidden[2, 1] = output[0, 2] = 1  # input 1 to unit 2, unit 2 to class 0
    _, ax = plt.subplots()
    setiono.plot_kept(ax, kept, "abcd", "xyz")
    solid = [one.get_xydata().tolist() for one in ax.lines if one.get_linestyle() == "-"]
    assert solid == [[[0, -0.5], [1, 1]], [[1, 1], [2, -1]]]
    plt.close()


def test_clusters_have_their_first_values_as_landmarks():
    assert np.allclose(setiono.clusters([0.0, 1.0, 0.6, 0.2], 0.5), [0.1, 0.8])
    assert np.allclose(setiono.clusters([0.0, 0.4, 0.7], 0.5), [0.2, 0.7])
    assert setiono.clusters([3.0, 3.0], 0).tolist() == [3.0]
    assert setiono.nearest([0.2, 0.6, 9.0], np.array([0.0, 1.0])).tolist() == [0, 1, 1]


def test_pruning_leaves_a_network_that_still_names_flowers(flowers):
    X, y = flowers
    kept = np.ones(setiono.N_WEIGHTS)
    full = setiono.fit(np.random.default_rng(0).uniform(-1, 1, len(kept)), kept, X, y)
    w, kept = setiono.prune(full, X, y)
    assert (setiono.logits(w, X).argmax(axis=1) == y).mean() >= 0.95
    assert kept.sum() - 6 < 12
    assert (w[kept == 0] == 0).all()


def test_shipped_networks_are_those_of_their_seeds():
    shipped = setiono.load_pruned()
    assert len(shipped) == 20
    again = setiono.train_pruned(3)
    iris = data.load("iris")
    X, _, y, _ = iris.split(3)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    for mine, theirs in ((again.full, shipped[3].full), (again.w, shipped[3].w)):
        right = [(setiono.logits(w, Z).argmax(axis=1) == y).mean() for w in (mine, theirs)]
        assert min(right) >= 0.95
