"""DecisionNet: the whole boundary, certified cell by cell, and classes from signs alone."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from properties import examples
from random_networks import random_network
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import check_estimator

from xai_course import decisionnet
from xai_course.approximation import approximate
from xai_course.decisionnet import BoundaryCertificate, DecisionNet, _cells, _crossed, _have_size
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


@examples(40)
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
    # A tie on a whole region is decided by rounding, for a row alone otherwise than among others.
    fresh = fresh[np.ptp(network.logits(fresh), axis=1) > 1e-13]
    if not len(fresh):
        return
    seen = dnet.apply(fresh) >= 0
    assert_array_equal(dnet.predict(fresh[seen], "nearest"), decisions(network, fresh[seen]))
    assert_array_equal(dnet.predict(fresh), decisions(network, fresh))


@examples(15)
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


# An estimator


class AnyWidth(DecisionNet):
    """Takes a random network of the data's own width, since scikit-learn's checks bring any."""

    def __init__(self, network=None, regions="data"):
        super().__init__(network, regions=regions)

    def fit(self, X, y):
        shape = X.shape if hasattr(X, "shape") else np.asarray(X).shape
        width = max(1, (*shape, 1, 1)[1])
        n_classes = len(set(np.ravel(np.asarray(y)).tolist()))
        self.network = random_network([width, 4, n_classes if n_classes > 2 else 1])
        try:
            return super().fit(X, y)
        finally:
            self.network = None


DECLARED = {
    "check_supervised_y_2d": "a column of labels is refused, not flattened with a warning",
    "check_requires_y_none": "the error names the shape of y, in other words",
}


@pytest.mark.filterwarnings("ignore")
def test_scikit_learns_checks():
    results = check_estimator(AnyWidth(), on_fail=None)
    assert len(results) > 40
    failed = {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"}
    assert failed.keys() == DECLARED.keys(), failed


def rows_and_classes(n=200):
    X = np.random.default_rng(0).uniform(-1, 1, (n, 2))
    return X, np.where(decisions(DIAMOND, X) == 1, "out", "in")


def test_it_works_where_estimators_do():
    X, y = rows_and_classes()
    assert_array_equal(cross_val_score(DecisionNet(DIAMOND), X, y, cv=3), 1)
    search = GridSearchCV(DecisionNet(DIAMOND), {"regions": ["all", "data", "divided"]}, cv=3)
    assert search.fit(X, y).best_score_ == 1
    steps = make_pipeline(FunctionTransformer(), DecisionNet(DIAMOND))
    assert steps.fit(X, y).score(X, y) == 1
    fitted = DecisionNet(DIAMOND, bounds=BOX).fit(X, y)
    fresh = clone(fitted)
    assert not hasattr(fresh, "classes_")
    assert_array_equal(fresh.fit(X, y).coef_, fitted.coef_)
    for call in (fresh.set_params, DecisionNet(DIAMOND).set_params):
        call(network=None)
    assert fresh.score(X, y) == 1  # the network of the time of `fit`


def test_before_fit_it_says_so():
    for call in ("predict", "state", "apply", "coverage", "certify"):
        with pytest.raises(NotFittedError):
            getattr(DecisionNet(DIAMOND), call)(BOX)


def test_columns_are_compared_by_name():
    X, y = rows_and_classes()
    frame = pd.DataFrame(X, columns=["left", "right"])
    dnet = DecisionNet(DIAMOND).fit(frame, y)
    assert dnet.feature_names_in_.tolist() == ["left", "right"]
    assert dnet.score(frame, y) == 1
    with pytest.raises(ValueError, match="same order"):
        dnet.predict(frame[["right", "left"]])
    assert not hasattr(DecisionNet(DIAMOND).fit(X, y), "feature_names_in_")


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_missing_labels_are_refused(missing):
    X, y = rows_and_classes(10)
    labels = [*y[:-1], missing]
    with pytest.raises(ValueError, match=r"1 missing label\(s\), the first in row 9"):
        DecisionNet(DIAMOND).fit(X, np.array(labels, dtype=object))


def test_a_feature_without_variation():
    X, y = rows_and_classes()
    X[:, 1] = 0.1
    y = decisions(DIAMOND, X)
    with pytest.raises(ValueError, match=r"Feature 1 is 0\.1 in every row"):
        DecisionNet(DIAMOND).fit(X, y)
    assert DecisionNet(DIAMOND, bounds=BOX).fit(X, y).n_neurons_ == 4
    assert DecisionNet(DIAMOND, regions="data").fit(X, y).n_neurons_ == 2


def test_pickles():
    X, y = rows_and_classes()
    dnet = DecisionNet(DIAMOND).fit(X, y)
    copy = pickle.loads(pickle.dumps(dnet))  # noqa: S301
    assert_array_equal(copy.predict(X, "nearest"), dnet.predict(X, "nearest"))
    assert copy.certify(BOX) == dnet.certify(BOX)


# What is first, what is one


def test_states_are_in_order_of_their_rows():
    X = np.array([[0.9, 0.9]] + 3 * [[0.0, 0.0]] + 2 * [[-0.9, -0.9]])
    dnet = DecisionNet.from_network(DIAMOND, X, decisions(DIAMOND, X), bounds=BOX)
    assert dnet.state_counts_.tolist() == [3, 2, 1]
    assert_array_equal(dnet.states_, dnet.state(X[[1, 4, 0]]))
    assert dnet.state_labels_.tolist() == [0, 1, 1]


@pytest.mark.parametrize(("n_inside", "decision"), [(2, 0), (1, 1)])
def test_of_the_nearest_states_the_most_frequent_decides(n_inside, decision):
    """The cell on the right differs from the middle, and from the one on top, in two signs."""
    X = np.array(n_inside * [[0.0, 0.0]] + (3 - n_inside) * [[0.1, 0.9]])
    dnet = DecisionNet.from_network(DIAMOND, X, decisions(DIAMOND, X), bounds=BOX)
    right = [[0.9, 0.1]]
    assert (dnet.state(right) != dnet.states_).sum(axis=1).tolist() == [2, 2]
    assert dnet.predict(right, fallback="nearest").tolist() == [decision]


def test_hyperplanes_that_are_one():
    half = np.sqrt(0.5)
    coef = np.array([[half, -half], [-half, half], [half, -half], [half, -half], [half, half]])
    intercept = np.array([0.2, -0.2, 0.2 + 1e-9, 0.2 + 1e-6, 0.2])
    first, other_side, near, far, across = decisionnet._coinciding(coef, -intercept)
    assert first == other_side == near
    assert len({first, far, across}) == 3


def test_a_tie_goes_to_the_first_class():
    network = PiecewiseLinearNetwork([[[1.0, 0], [-1, 0]], [[1, -1]]], [[-0.5, -0.5], [0]])
    X = np.array([[-0.9, 0], [0.0, 0.1], [0.9, -0.1]])  # below, zero throughout, above
    dnet = DecisionNet(network, bounds=BOX).fit(X, ["no", "no", "yes"])
    assert dnet.predict(X).tolist() == ["no", "no", "yes"]
    assert dnet.certify(BOX).holds
    assert_allclose(np.abs(dnet.coef_ @ [0.5, 0]), 0.5)
    assert_allclose(dnet.coef_[:, 0] * 0.5 + dnet.intercept_, 0, atol=1e-12)


# Exact ties


def binary_grid():
    """Rows with coordinates that float64 holds exactly, many on breakpoints and on the boundary."""
    return grid(n=17)


@pytest.mark.parametrize("regions", ["all", "data", "divided"])
def test_rows_on_a_hyperplane_are_decided_as_the_network_does(regions):
    X = binary_grid()
    on_boundary = DIAMOND.forward(X)[:, 0] == 0
    assert on_boundary.sum() == 16
    dnet = DecisionNet(DIAMOND, regions=regions).fit(X, decisions(DIAMOND, X))
    assert dnet.n_neurons_ == 4
    assert (dnet.apply(X[on_boundary]) == -1).all()
    assert_array_equal(dnet.predict(X), decisions(DIAMOND, X))
    clear = np.abs(X @ dnet.coef_.T + dnet.intercept_).min(axis=1) > 1e-9
    assert_array_equal(dnet.predict(X[clear], "nearest"), decisions(DIAMOND, X[clear]))
    # A tie is no evidence of a cell: no state is mixed, and no cell is labelled by its border.
    assert dnet.n_mixed_states_ == 0
    assert dnet.state_counts_.sum() == clear.sum()
    assert dnet.certify(BOX).holds


def test_rows_that_all_lie_on_hyperplanes():
    X = np.array([[0.5, 0.0], [0.25, 0.25]])
    dnet = DecisionNet(DIAMOND, bounds=BOX).fit(X, [0, 1])
    assert dnet.predict(X).tolist() == [0, 0]
    assert dnet.predict(X, "nearest").tolist() == [0, 0]
    assert dnet.coverage(X) == 0


@pytest.mark.parametrize(
    ("rows", "counts"),
    [
        # Outside and inside on the line x2 = 0, with two quadrants beside it.
        ([[0.9, 0.0], [0.1, 0.0]], {"data": (2, 2), "divided": (2, 2)}),
        # The origin lies in all quadrants, and shares one of them with a row outside.
        ([[0.9, 0.9], [0.0, 0.0]], {"data": (4, 4), "divided": (1, 1)}),
    ],
)
@pytest.mark.parametrize("factor", [1.0, 1e-9, 1e9])
def test_rows_on_a_breakpoint_lie_in_the_regions_around_them(rows, counts, factor):
    """x2 >= 0 and -x2 >= 0 are both on where x2 = 0: a pattern without a region of its own."""
    first, last = DIAMOND.weights
    network = PiecewiseLinearNetwork([first / factor, last], DIAMOND.biases)
    for regions, (n_regions, n_neurons) in counts.items():
        dnet = DecisionNet(network, regions=regions).fit(factor * np.array(rows), [1, 0])
        assert (dnet.n_regions_, dnet.n_neurons_) == (n_regions, n_neurons)
        assert dnet.predict(factor * np.array(rows)).tolist() == [1, 0]


def test_rows_on_a_breakpoint_of_many_features():
    """x1 is zero in all rows, and two neurons have their breakpoint there."""
    rng = np.random.default_rng(0)
    first = rng.normal(size=(4, 40))
    first[2:] = np.eye(40)[0], -np.eye(40)[0]
    X = rng.normal(size=(300, 40))
    X[:, 0] = 0
    network = PiecewiseLinearNetwork([first, [[1, -1, 1, 1]]], [[0.3, -0.2, 0, 0], [0.5]])
    dnet = dnet_of(network, X)
    assert dnet.n_regions_ == 2 * len(np.unique(network.activation_pattern(X), axis=0))
    assert dnet.n_mixed_states_ == 0
    assert_array_equal(dnet.predict(X), decisions(network, X))


@examples(15)
@given(
    seed=st.integers(0, 2**32 - 1),
    exponents=st.lists(st.integers(-9, 9), min_size=3, max_size=3),
    d=st.integers(2, 3),
    options=st.sampled_from([{}, {"regions": "all"}, {"regions": "divided"}]),
)
@example(seed=588890, exponents=[0, 1, 0], d=2, options={})  # no output at all in one region
@example(seed=583607, exponents=[0, 1, 0], d=2, options={})  # three lines meet in a point
def test_units_change_no_hyperplane(seed, exponents, d, options):
    units = 10.0 ** np.array(exponents[:d])
    X = np.random.default_rng(seed).uniform(-1, 1, (60, d))
    network = centered(random_network([d, 4, 3, 1], seed), X)
    if len(np.unique(decisions(network, X))) < 2:
        return
    first, *others = network.weights
    in_units = PiecewiseLinearNetwork([first / units, *others], network.biases)
    dnet, other = dnet_of(network, X, **options), dnet_of(in_units, X * units, **options)
    assert other.n_pieces_.tolist() == dnet.n_pieces_.tolist()
    planes = np.column_stack([other.coef_ * units, other.intercept_])
    planes /= np.linalg.norm(planes[:, :-1], axis=1)[:, None]
    expected = np.column_stack([dnet.coef_, dnet.intercept_])
    signs = np.sign((planes * expected).sum(axis=1))[:, None]
    assert_allclose(planes * signs, expected, atol=1e-6)
    assert other.state_counts_.tolist() == dnet.state_counts_.tolist()
    if d == 2:
        box = BOX * units[:, None]
        certificates = [dnet.certify(BOX), other.certify(box)]
        ours, theirs = ((c.n_cells, c.n_pure, c.n_seen, c.n_right) for c in certificates)
        assert ours == theirs
    if dnet.segments_ is not None:
        ends = [
            np.sort(part.reshape(-1, d), axis=0)
            for part in (dnet.segments_ * units, other.segments_)
        ]
        assert_allclose(*(part / units for part in ends), atol=1e-6)


@pytest.mark.parametrize(
    ("where", "end", "crossed"),
    [
        (0.03, 1.0, [True, True]),  # only an end of the segment reaches into the first cell
        (0.97, 1.0, [True, True]),
        (0.6, 0.5, [True, False]),  # the line goes on, the segment does not
        (0.4, 0.5, [True, True]),
    ],
)
def test_a_segment_mixes_each_cell_that_it_runs_through(where, end, crossed):
    normal, offset = np.array([[1.0, 0.0]]), np.array([where])
    cells, centers = _cells(normal, offset, [[0, 1], [0, 1]], 10)
    mixed = _crossed(cells, normal, offset, np.array([[[0.0, 0.5], [end, 0.4]]]))
    assert mixed[np.argsort(centers[:, 0])].tolist() == crossed


@pytest.mark.parametrize(("size", "n_cells"), [(1e-2, 7), (1e-5, 7), (1e-12, 6), (0.0, 6)])
def test_lines_that_meet_leave_no_cell_between_them(size, n_cells):
    """Three lines around a triangle of this size, far from the middle of the box."""
    A = np.array([[1.0, 0.0], [0.0, 1.0], [np.sqrt(0.5), np.sqrt(0.5)]])
    b = np.array([0.9, 0.8, (1.7 + size) * np.sqrt(0.5)])
    cells, _ = _cells(A, b, [[-1, 1], [-1, 1]], 100)
    assert _have_size(cells).sum() == n_cells


@pytest.mark.parametrize(
    ("n_pure", "n_right", "holds"), [(3, 2, True), (2, 2, False), (3, 1, False)]
)
def test_a_certificate_holds_where_all_is_right(n_pure, n_right, holds):
    found = BoundaryCertificate(3, n_pure, 2, n_right, seen_area=1.0, missing_length=0.0)
    assert found.holds is holds


def test_neurons_of_most_pieces_come_first():
    X = np.random.default_rng(9).uniform(-1, 1, (300, 2))
    network = centered(random_network([2, 5, 4, 3], 9), X)
    pieces = DecisionNet(network, regions="all").fit(X, network.decide(X)).n_pieces_.tolist()
    assert pieces == sorted(pieces, reverse=True)
    assert pieces[0] > pieces[-1]


def test_known_states_are_not_asked_about(monkeypatch):
    X = np.random.default_rng(0).uniform(-1, 1, (300, 2))
    network = centered(random_network([2, 6, 1], 0), X)
    dnet, asked = dnet_of(network, X), []
    clear = X[dnet.apply(X) >= 0]
    expected, real = network.decide(X), PiecewiseLinearNetwork.decide

    def decide(self, rows):
        asked.append(len(rows))
        return real(self, rows)

    monkeypatch.setattr(PiecewiseLinearNetwork, "decide", decide)
    assert_array_equal(dnet.predict(X), expected)
    assert (len(clear), sum(asked)) == (300, 0)


def test_cells_that_the_network_divides_are_counted():
    """What the rows' regions miss leaves cells with two decisions, counted here row by row."""
    counted = []
    for seed in range(12):
        network = random_network([2, 5, 1], seed=seed)
        X = np.random.default_rng(seed).normal(size=(400, 2))
        decisions = network.decide(X)
        if decisions.min() == decisions.max():
            continue
        model = DecisionNet.from_network(network, X, decisions, regions="divided")
        cells = model.apply(X)
        mixed = [len(set(decisions[cells == k])) > 1 for k in range(len(model.states_))]
        assert model.n_mixed_states_ == sum(mixed)
        counted.append(sum(mixed))
    assert max(counted) > 0
