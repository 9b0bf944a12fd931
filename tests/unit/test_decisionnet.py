"""DecisionNet: the whole boundary, certified cell by cell, and classes from signs alone."""

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from random_networks import random_network

from xai_course.approximation import approximate
from xai_course.decisionnet import DecisionNet
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.regions import RegionBudgetError

BOX = np.array([[-1.0, 1.0], [-1.0, 1.0]])

# |x1| + |x2| - 1: a diamond, whose sides lie on four lines.
DIAMOND = PiecewiseLinearNetwork(
    [[[1, 0], [-1, 0], [0, 1], [0, -1]], [[1, 1, 1, 1]]], [[0, 0, 0, 0], [-0.5]]
)


def grid(box=BOX, n=41):
    return np.stack(np.meshgrid(*(np.linspace(*side, n) for side in box)), axis=-1).reshape(-1, 2)


def centered(network, X):
    """Shift the outputs so that the decisions on the rows differ."""
    outputs = network.forward(X)
    *biases, last = network.biases
    return PiecewiseLinearNetwork(
        network.weights, [*biases, last - np.median(outputs, axis=0)], network.activations
    )


def decisions(network, X):
    """Return the class of the largest logit, the first at a tie; one output is the second's."""
    outputs = network.forward(X)
    if outputs.shape[1] == 1:
        return (outputs[:, 0] > 0).astype(int)
    return outputs.argmax(axis=1)


def dnet_of(network, X, **options):
    labels = decisions(network, X)
    assert len(np.unique(labels)) == max(2, network.n_outputs)
    return DecisionNet.from_network(network, X, labels, **options)


def test_diamond_has_four_neurons_and_nine_cells():
    dnet = dnet_of(DIAMOND, grid())
    assert dnet.n_neurons_ == 4
    assert dnet.n_pieces_.tolist() == [1, 1, 1, 1]
    assert_allclose(np.abs(dnet.coef_), np.sqrt(0.5))
    assert_allclose(np.abs(dnet.intercept_), 0.5 * np.sqrt(0.5))
    length = np.linalg.norm(dnet.segments_[:, 1] - dnet.segments_[:, 0], axis=1).sum()
    assert length == pytest.approx(4 * np.sqrt(0.5))
    found = dnet.certify(BOX)
    assert found.holds
    assert found.n_cells == found.n_seen == 9
    assert found.seen_area == pytest.approx(1)


@settings(max_examples=40, deadline=None)
@example(hidden=[3], n_outputs=2, activation="relu", seed=3)  # outputs tie on a whole region
@given(
    hidden=st.lists(st.integers(2, 7), min_size=1, max_size=3),
    n_outputs=st.sampled_from([1, 2]),
    activation=st.sampled_from(["relu", approximate("tanh", 3), approximate("gelu", 6)]),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_cell_is_pure_whatever_the_network(hidden, n_outputs, activation, seed):
    base = random_network([2, *hidden, n_outputs], seed)
    network = PiecewiseLinearNetwork(base.weights, base.biases, activation)
    X = np.random.default_rng(seed).uniform(-1, 1, (300, 2))
    network = centered(network, X)
    if len(np.unique(decisions(network, X))) < 2:
        return
    dnet = dnet_of(network, X, bounds=BOX)
    certificate = dnet.certify(BOX)
    assert certificate.holds
    assert certificate.missing_length == 0
    assert dnet.n_mixed_states_ == 0
    fresh = np.random.default_rng(seed + 1).uniform(-1, 1, (3000, 2))
    seen = dnet.apply(fresh) >= 0
    assert_array_equal(dnet.predict(fresh[seen], "nearest"), decisions(network, fresh[seen]))
    assert_array_equal(dnet.predict(fresh), decisions(network, fresh))


@settings(max_examples=15, deadline=None)
@given(n_classes=st.integers(3, 4), seed=st.integers(0, 2**32 - 1))
def test_several_classes_by_pairs(n_classes, seed):
    X = np.random.default_rng(seed).uniform(-1, 1, (500, 2))
    network = centered(random_network([2, 6, 5, n_classes], seed), X)
    if len(np.unique(decisions(network, X))) < n_classes:
        return
    dnet = dnet_of(network, X, bounds=BOX)
    assert dnet.certify(BOX).holds
    # Each piece parts the two classes that are ahead of all others there.
    middles = dnet.segments_.mean(axis=1)
    outputs = np.sort(network.forward(middles), axis=1)
    assert_allclose(outputs[:, -1], outputs[:, -2], atol=1e-9)


def test_linear_programs_find_what_clipping_finds():
    """Three features, of which the network reads two: the same boundary, by another way."""
    X = np.random.default_rng(3).uniform(-1, 1, (2000, 2))
    for n_outputs in (1, 3):
        flat = centered(random_network([2, 6, 5, n_outputs], 3), X)
        first = np.column_stack([flat.weights[0], np.zeros(6)])
        deep = PiecewiseLinearNetwork([first, *flat.weights[1:]], flat.biases)
        by_clipping = dnet_of(flat, X, bounds=BOX)
        rows = np.column_stack([X, np.zeros(len(X))])
        box = np.vstack([BOX, [-1, 1]])
        by_programs = dnet_of(deep, rows, regions="all", bounds=box)
        assert by_programs.n_neurons_ == by_clipping.n_neurons_
        planes = np.column_stack([by_programs.coef_, by_programs.intercept_])[:, [0, 1, 3]]
        lines = np.column_stack([by_clipping.coef_, by_clipping.intercept_])
        order, other = np.lexsort(planes.round(6).T), np.lexsort(lines.round(6).T)
        assert_allclose(planes[order], lines[other], atol=1e-9)


def test_the_span_of_the_first_layer_is_enough():
    X = np.random.default_rng(0).normal(size=(400, 30))
    network = centered(random_network([30, 4, 4, 1], 0), X)
    everywhere = dnet_of(network, X)
    huge = np.tile([-1e4, 1e4], (30, 1))
    boxed = dnet_of(network, X, bounds=huge)
    assert everywhere.n_neurons_ == boxed.n_neurons_
    assert everywhere.n_mixed_states_ == 0
    assert everywhere.coverage(X) == 1


def test_regions_of_the_data_alone_may_miss_a_part_and_the_certificate_says_so():
    X = np.array([[0.1, 0.1], [0.9, 0.9]])
    dnet = DecisionNet.from_network(DIAMOND, X, [0, 1], regions="data")
    assert dnet.n_neurons_ == 1
    found = dnet.certify(BOX)
    assert not found.holds
    assert found.n_pure < found.n_cells
    assert found.missing_length == pytest.approx(3 * np.sqrt(0.5))


def test_divided_regions_give_the_pieces_between_their_own_rows():
    """Two rows on either side of one side of the diamond; a region with one decision beside it."""
    X = np.array([[0.1, 0.1], [0.9, 0.9], [-0.9, 0.9], [-0.8, 0.8]])
    dnet = DecisionNet.from_network(DIAMOND, X, [0, 1, 1, 1], regions="divided")
    assert dnet.n_regions_ == dnet.n_neurons_ == 1
    assert_allclose(np.abs(dnet.coef_), np.sqrt(0.5))
    assert dnet.coef_[0].prod() > 0
    by_rows = DecisionNet.from_network(DIAMOND, X, [0, 1, 1, 1], regions="data")
    assert by_rows.n_regions_ == by_rows.n_neurons_ == 2
    whole = [
        DecisionNet.from_network(DIAMOND, grid(n=40), decisions(DIAMOND, grid(n=40)), regions=kind)
        for kind in ("divided", "data", "all")
    ]
    assert [d.n_neurons_ for d in whole] == [4, 4, 4]


def test_coinciding_lines_become_one_neuron():
    """A dead second neuron cuts the plane, but not the boundary x1 = 0."""
    network = PiecewiseLinearNetwork([[[1, 0], [-1, 0], [0, 1]], [[1, -1, 0]]], [[0, 0, 0], [0]])
    dnet = dnet_of(network, grid(n=40))
    assert dnet.n_neurons_ == 1
    assert_allclose(np.abs(dnet.coef_), [[1, 0]])


def test_decision_that_changes_along_a_border():
    """relu(x1) - 2 relu(-x1) is zero exactly where its two regions meet."""
    network = PiecewiseLinearNetwork([[[1, 0], [-1, 0]], [[1, -2]]], [[0, 0], [0]])
    dnet = dnet_of(network, grid(n=40))
    assert dnet.n_neurons_ == 1
    assert len(dnet.segments_) == 1
    assert dnet.certify(BOX).holds


def test_line_that_only_touches_parts_nothing():
    """|x1| is zero on a line, and positive on both sides."""
    network = PiecewiseLinearNetwork([[[1, 0], [-1, 0], [0, 1]], [[1, 1, 0]]], [[0, 0, 0], [0]])
    dnet = DecisionNet.from_network(network, grid(n=40), np.arange(1600) % 2)
    assert dnet.n_neurons_ == 0
    assert dnet.certify(BOX).n_cells == 1


def test_labels_of_any_kind():
    X = grid()
    names = np.where(decisions(DIAMOND, X) == 1, "out", "in")
    dnet = DecisionNet.from_network(DIAMOND, X, names)
    assert dnet.classes_.tolist() == ["in", "out"]
    assert dnet.predict([[0.0, 0.0], [0.9, 0.9]]).tolist() == ["in", "out"]


def test_unseen_states_fall_back():
    X = np.array([[0.0, 0.0], [0.02, 0.0], [0.9, 0.9]])
    dnet = DecisionNet.from_network(DIAMOND, X, [0, 0, 1], bounds=BOX)
    assert len(dnet.states_) == 2
    assert dnet.state_counts_.tolist() == [2, 1]
    far = np.array([[-0.9, -0.9]])
    assert dnet.apply(far).tolist() == [-1]
    assert dnet.coverage(np.vstack([X, far])) == 0.75
    assert dnet.predict(far).tolist() == [1]
    assert dnet.predict(far, fallback="nearest").tolist() == [0]  # one sign away from the middle
    with pytest.raises(ValueError, match="fallback must be"):
        dnet.predict(far, fallback="none")


def test_metamorphic_permuted_rows_and_neurons_and_a_scaled_neuron():
    X = np.random.default_rng(0).uniform(-1, 1, (500, 2))
    network = centered(random_network([2, 6, 5, 1], 1), X)
    dnet = dnet_of(network, X, bounds=BOX)
    order = np.random.default_rng(1).permutation(6)
    first, second, last = network.weights
    factor = np.array([2.0, 1, 1, 1, 1, 3.0])[:, None]
    moved = PiecewiseLinearNetwork(
        [(first * factor)[order], (second / factor.T)[:, order], last],
        [(network.biases[0] * factor[:, 0])[order], *network.biases[1:]],
    )
    other = dnet_of(moved, X[::-1], bounds=BOX)
    assert other.n_neurons_ == dnet.n_neurons_
    assert sorted(other.state_counts_.tolist()) == sorted(dnet.state_counts_.tolist())
    planes = [np.column_stack([d.coef_, d.intercept_]) for d in (dnet, other)]
    planes = [p[np.lexsort(p.round(6).T)] for p in planes]
    assert_allclose(*planes, atol=1e-8)


def test_network_without_a_boundary():
    network = PiecewiseLinearNetwork([np.ones((2, 2)), np.ones((1, 2))], [[0, 0], [5.0]])
    dnet = DecisionNet.from_network(network, grid(n=10), np.arange(100) % 2)
    assert dnet.n_neurons_ == 0
    assert (dnet.predict(grid(n=10)) == 1).all()


def test_reads_a_torch_classifier_with_two_outputs():
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Linear(2, 10), torch.nn.ReLU(), torch.nn.Linear(10, 2)
    ).double()
    network = PiecewiseLinearNetwork.from_torch(module.eval())
    X = np.random.default_rng(0).uniform(-3, 3, (500, 2))
    network = centered(network, X)
    assert dnet_of(network, X).certify([[-3, 3], [-3, 3]]).holds


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": np.zeros(100)}, r"1 output\(s\) tells 2 classes apart, but y holds 1"),
        ({"y": np.arange(100) % 3}, "2 classes apart, but y holds 3"),
        ({"y": np.zeros(5)}, "X has 100 rows, but y has 5"),
        ({"regions": "some"}, "regions must be"),
        ({"bounds": [[0, 1]]}, r"bounds must have shape \(2, 2\)"),
        ({"X": np.zeros((100, 3))}, "X has 3 features"),
    ],
)
def test_bad_input(change, message):
    X = grid(n=10)
    arguments = {"X": X, "y": decisions(DIAMOND, X)} | change
    with pytest.raises(ValueError, match=message):
        DecisionNet.from_network(DIAMOND, **arguments)


def test_budget_ends_with_an_error():
    with pytest.raises(RegionBudgetError):
        dnet_of(DIAMOND, grid(), max_regions=2)


def test_jumping_activation_is_refused():
    network = PiecewiseLinearNetwork(
        [np.eye(2), np.ones((1, 2))], [[0, 0], [-1]], approximate("sigmoid", 2)
    )
    with pytest.raises(ValueError, match="jumps"):
        DecisionNet.from_network(network, grid(n=10), np.arange(100) % 2)


def test_cells_need_two_features():
    network = PiecewiseLinearNetwork([np.eye(3), np.ones((1, 3))], [np.zeros(3), [-1]])
    X = np.random.default_rng(0).normal(size=(50, 3))
    with pytest.raises(ValueError, match="two features, the network has 3"):
        dnet_of(network, X).certify(BOX)
