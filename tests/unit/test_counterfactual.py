"""Nearest counterfactuals against all regions, grids, closed forms and samples."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from properties import examples
from random_networks import any_network, piecewise, random_network
from scipy.optimize import linprog

from xai_course.activations import PiecewiseLinear
from xai_course.exact.counterfactual import nearest_counterfactual
from xai_course.networks import PiecewiseLinearNetwork

NORMS = [1, 2, np.inf]
BOX = np.array([[-4.0, 4.0], [-4.0, 4.0]])


def length(v, norm):
    return float(np.linalg.norm(v, norm))


def least_over(A, b, x, norm):
    """Return the distance of x to a polytope ``A v <= b``; L2 in two dimensions only."""
    d = len(x)
    if norm == 2:  # inside, on one line or where two meet
        points = [x, *(x - a * (a @ x - c) / (a @ a) for a, c in zip(A, b, strict=True))]
        for i, j in combinations(range(len(A)), 2):
            if abs(np.linalg.det(A[[i, j]])) > 1e-12:
                points.append(np.linalg.solve(A[[i, j]], b[[i, j]]))
        inside = [p for p in points if (A @ p <= b + 1e-9).all()]
        return min((length(p - x, 2) for p in inside), default=np.inf)
    if norm == 1:  # v = x + p - n
        result = linprog(np.ones(2 * d), np.c_[A, -A], b - A @ x)
    else:
        sides = np.c_[np.r_[np.eye(d), -np.eye(d)], -np.ones(2 * d)]
        rows = np.r_[np.c_[A, np.zeros(len(A))], sides]
        free = [(None, None)] * d + [(0, None)]
        result = linprog(
            np.r_[np.zeros(d), 1], rows, np.r_[b - A @ x, np.zeros(2 * d)], bounds=free
        )
    return result.fun if result.status == 0 else np.inf


def least_over_regions(network, x, norm, target=None, box=BOX):
    """Return the distance by its definition: the least over all regions and wanted classes."""
    decided, best = network.decide([x])[0], np.inf
    for region in network.enumerate_regions(box):
        coef, offset = region.coef, region.intercept
        if len(coef) == 1:
            coef, offset = np.r_[0 * coef, coef], np.r_[0, offset]
        classes = range(len(coef))
        for k in classes if target is None else [target]:
            rivals = [decided] if target is None else [r for r in classes if r != k]
            if k in rivals:
                continue
            A = np.concatenate([region.A, coef[rivals] - coef[k]])
            b = np.concatenate([region.b, offset[k] - offset[rivals]])
            used = A.any(axis=1)
            if (b[~used] >= 0).all():
                best = min(best, least_over(A[used], b[used], x, norm))
    return best


def balanced(network):
    """Return the network with its last bias moved, so that both classes are common."""
    X = np.random.default_rng(0).uniform(-2, 2, size=(500, network.n_features))
    last = network.biases[-1] - np.median(network.forward(X))
    return PiecewiseLinearNetwork(
        network.weights, [*network.biases[:-1], last], network.activations
    )


def check(network, x, answer, norm, target=None):
    """Check that what is returned keeps its word on itself."""
    decided, reached = network.decide([x, answer.x])
    assert reached == target if target is not None else reached != decided
    assert answer.distance == pytest.approx(length(answer.x - x, norm), rel=1e-12)
    assert answer.certified
    assert answer.lower_bound <= answer.distance <= answer.lower_bound * (1 + 2e-5)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("seed", range(6))
def test_the_least_over_all_regions(seed, norm):
    network = random_network([2, 6, 5, 1], seed)
    x = np.random.default_rng(seed).normal(size=2)
    expected = least_over_regions(network, x, norm)
    answer = nearest_counterfactual(network, x, norm=norm, bounds=BOX)
    if np.isinf(expected):
        assert answer.certified
        assert answer.distance == answer.lower_bound == np.inf
        assert np.isnan(answer.x).all()
    else:
        check(network, x, answer, norm)
        assert answer.distance == pytest.approx(expected, rel=1e-4, abs=1e-5)
        assert answer.lower_bound <= expected + 1e-5


@pytest.mark.parametrize("norm", [1, np.inf])
def test_three_features(norm):
    network, x = balanced(random_network([3, 5, 4, 1], 3)), np.array([0.3, -0.2, 0.5])
    box = np.tile([-2.0, 2.0], (3, 1))
    expected = least_over_regions(network, x, norm, box=box)
    answer = nearest_counterfactual(network, x, norm=norm, bounds=box)
    check(network, x, answer, norm)
    assert answer.distance == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("target", [None, 0, 1, 2, 3])
def test_several_classes(target, norm):
    network, x = random_network([2, 8, 4], 5), np.array([0.5, 0.5])
    answer = nearest_counterfactual(network, x, target, norm=norm, bounds=BOX)
    if target == network.decide([x])[0]:
        assert answer.distance == answer.lower_bound == 0
        assert (answer.x == x).all()
        return
    expected = least_over_regions(network, x, norm, target)
    assert np.isfinite(expected) == np.isfinite(answer.distance)
    if np.isfinite(expected):
        check(network, x, answer, norm, target)
        assert answer.distance == pytest.approx(expected, rel=1e-4)
    else:
        assert answer.certified


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(
    "activation",
    [
        PiecewiseLinear.leaky_relu(0.2),
        PiecewiseLinear.hardtanh(),
        PiecewiseLinear([-1, 0.5], [0.5, -1, 2], [1.0, -0.5, -2.0]),
    ],
    ids=["leaky ReLU", "hardtanh", "any"],
)
def test_other_activations(activation, norm):
    network, x = balanced(piecewise([2, 5, 3, 1], activation, 1)), np.array([0.4, -0.3])
    expected = least_over_regions(network, x, norm)
    answer = nearest_counterfactual(network, x, norm=norm, bounds=BOX)
    check(network, x, answer, norm)
    assert answer.distance == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("norm", NORMS)
def test_one_feature_with_known_kinks(norm):
    vee = PiecewiseLinearNetwork([[[1], [-1]], [[1, 1]]], [[0, 0], [-1]])  # |x| - 1
    for x, distance, nearest in [(0.25, 0.75, 1.0), (-0.25, 0.75, -1.0), (3.0, 2.0, 1.0)]:
        answer = nearest_counterfactual(vee, [x], norm=norm)
        check(vee, [x], answer, norm)
        assert answer.distance == pytest.approx(distance, rel=1e-5)
        assert answer.x[0] == pytest.approx(nearest, rel=1e-5)


@pytest.mark.parametrize("norm", NORMS)
def test_a_counterfactual_that_no_ray_meets(norm):
    width, peak = 0.05, np.array([7.3, 4.1])
    hat = np.array([1, -2, 1]) / width  # of the neurons (u + width, u, u - width)
    network = PiecewiseLinearNetwork(
        [np.kron(np.eye(2), np.ones((3, 1))), [[*hat, *hat]]],
        [np.repeat(-peak, 3) + np.tile([width, 0, -width], 2), [-1.5]],
    )
    # Class 1 is the diamond of radius width / 2 around the peak.
    diamond = np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    expected = least_over(diamond, diamond @ peak + width / 2, np.zeros(2), norm)
    answer = nearest_counterfactual(network, [0, 0], norm=norm, bounds=[[-10, 10], [-10, 10]])
    check(network, [0, 0], answer, norm)
    assert answer.distance == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ValueError, match="Give bounds"):
        nearest_counterfactual(network, [0, 0], norm=norm)


def size_of_logits(network, x):
    h = np.array(x)
    for weight, bias in zip(network.weights[:-1], network.biases[:-1], strict=True):
        h = np.maximum(weight @ h + bias, 0)
    last = np.abs(network.weights[-1])
    return (last @ np.abs(h) + np.abs(network.biases[-1])).max() or last.max() or 1.0


@examples(15)
@given(any_network(max_depth=3, max_width=6, max_outputs=3), st.integers(0, 2**16))
def test_nothing_within_the_bound_is_decided_otherwise(network, seed):
    rng, d = np.random.default_rng(seed), network.n_features
    x, box = rng.normal(size=d).round(1), np.tile([-3.0, 3.0], (d, 1))
    decided, distances = network.decide([x])[0], []
    for norm in NORMS:
        answer = nearest_counterfactual(network, x, norm=norm, bounds=box, time_limit=5)
        assert answer.lower_bound <= answer.distance
        distances.append((answer.lower_bound, answer.distance))
        if np.isfinite(answer.distance):
            assert network.decide([answer.x])[0] != decided
            assert ((box[:, 0] <= answer.x) & (answer.x <= box[:, 1])).all()
        D = rng.normal(size=(2000, d)) * (rng.random((2000, d)) < 0.6)
        lengths = np.linalg.norm(D, norm, axis=1)
        D /= np.where(lengths > 0, lengths, 1)[:, None]
        reach = min(answer.lower_bound, 20.0)
        X = x + D * (reach * rng.random((2000, 1)) ** (1 / d))
        X = X[(np.abs(X) <= 3).all(axis=1)]
        logits = network.logits(X)
        leads = logits.max(axis=1) - logits[:, decided]
        assert (leads <= 2e-8 * size_of_logits(network, x)).all()
    for (_, longer), (bound, _) in combinations(distances, 2):  # L1 >= L2 >= Linf
        assert bound <= longer * (1 + 1e-9)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("seed", range(3))
def test_immutable_and_whole_features_against_a_grid(seed, norm):
    network, x = balanced(random_network([3, 6, 1], seed)), np.array([0.4, -0.3, 0.8])
    box = np.array([[-3.5, 4.5], [-2.0, 2.0], [-4.0, 4.0]])
    # Feature 0 stays, 1 is whole, 2 is free and stands on a fine grid.
    first, second, step = np.arange(-2, 3), np.linspace(-4, 4, 8001), 1e-3
    grid = np.stack([a.ravel() for a in np.meshgrid(0.4, first, second, indexing="ij")], axis=1)
    otherwise = grid[network.decide(grid) != network.decide([x])]
    answer = nearest_counterfactual(network, x, norm=norm, bounds=box, immutable=[0], integer=[1])
    check(network, x, answer, norm)
    assert answer.x[0] == x[0]
    assert answer.x[1] % 1 == 0
    nearest = np.linalg.norm(otherwise - x, norm, axis=1).min()
    assert nearest - step <= answer.distance <= nearest + 1e-5


@pytest.mark.parametrize("norm", NORMS)
def test_all_features_whole(norm):
    network, x = balanced(random_network([2, 8, 4, 1], 2)), np.array([1.0, -1.0])
    values = np.arange(-6, 7)
    grid = np.stack([a.ravel() for a in np.meshgrid(values, values)], axis=1).astype(float)
    otherwise = grid[network.decide(grid) != network.decide([x])]
    answer = nearest_counterfactual(
        network, x, norm=norm, bounds=[[-6.4, 6.4]] * 2, integer=[0, 1, 1]
    )
    check(network, x, answer, norm)
    assert (answer.x % 1 == 0).all()
    expected = np.linalg.norm(otherwise - x, norm, axis=1).min()
    assert answer.distance == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("norm", NORMS)
def test_scale_is_the_unit_of_each_change(norm):
    network, x = balanced(random_network([3, 7, 5, 1], 4)), np.array([0.3, 0.1, -0.6])
    scale = np.array([1e3, 1.0, 1e-3])
    other = PiecewiseLinearNetwork(
        [network.weights[0] / scale, *network.weights[1:]], network.biases
    )
    plain = nearest_counterfactual(network, x, norm=norm)
    scaled = nearest_counterfactual(other, x * scale, norm=norm, scale=scale)
    check(network, x, plain, norm)
    assert scaled.certified
    assert scaled.distance == pytest.approx(plain.distance, rel=1e-5)
    assert other.decide([scaled.x]) == network.decide([plain.x])


@pytest.mark.parametrize("norm", NORMS)
def test_ties_and_the_border(norm):
    line = PiecewiseLinearNetwork([[[1.0, 0.0]]], [[0.0]])
    on_it = nearest_counterfactual(line, [0.0, 2.0], norm=norm)  # a tie is class 0
    check(line, [0.0, 2.0], on_it, norm)
    assert on_it.distance < 1e-5
    before = nearest_counterfactual(line, [2.0, 0.0], norm=norm)  # a tie is not far enough
    check(line, [2.0, 0.0], before, norm)
    assert 2 < before.distance < 2.0001
    same = PiecewiseLinearNetwork([[[1.0, 0], [1.0, 0], [0, 1.0]]], [[0, 0, 0.0]])
    x = [1.0, 0.0]
    none = nearest_counterfactual(same, x, 1, norm=norm, bounds=BOX)  # class 1 never leads class 0
    assert none.certified
    assert none.distance == np.inf


def test_on_a_border_between_regions_with_duplicates():
    network = PiecewiseLinearNetwork(
        [[[1, 0], [1, 0], [0, 1], [0, 1]], [[1, 1, -1, -1]]], [[0] * 4, [-1]]
    )
    for norm, expected in zip(NORMS, [0.5, 0.5, 0.5], strict=True):
        answer = nearest_counterfactual(network, [0.0, 0.0], norm=norm)
        check(network, [0.0, 0.0], answer, norm)
        assert answer.distance == pytest.approx(expected, rel=1e-5)


def test_a_dead_layer_decides_everywhere_alike():
    network = PiecewiseLinearNetwork([np.eye(2), np.eye(2), [[1, 1]]], [[0, 0], [-1e3] * 2, [0]])
    for norm in NORMS:
        answer = nearest_counterfactual(network, [0.5, 0.5], norm=norm, bounds=BOX)
        assert answer.certified
        assert answer.lower_bound == np.inf
    everything = nearest_counterfactual(network, [0.5, 0.5], bounds=BOX, immutable=[0, 1])
    assert everything.certified
    assert everything.distance == np.inf


def test_from_outside_the_box():
    network = PiecewiseLinearNetwork([[[1.0, 1.0]]], [[-1.0]])
    answer = nearest_counterfactual(network, [5.0, 0.0], norm=1, bounds=[[-2, 2], [-9, 9]])
    check(network, [5.0, 0.0], answer, 1)
    assert answer.distance == pytest.approx(4, rel=1e-5)
    assert answer.x[0] <= 2
    inside = nearest_counterfactual(network, [5.0, 0.0], 1, norm=1, bounds=[[-2, 2], [-9, 9]])
    assert inside.distance == pytest.approx(3)  # of the class already, but not in the box
    nowhere = nearest_counterfactual(network, [5.0, 0.0], bounds=[[0.1, 0.9]] * 2, integer=[1])
    assert nowhere.certified
    assert nowhere.distance == np.inf


def test_when_the_time_ends():
    network = balanced(random_network([10, 40, 40, 1], 0))
    answer = nearest_counterfactual(network, np.zeros(10), time_limit=0.05)
    assert not answer.certified
    assert 0 <= answer.lower_bound < answer.distance < np.inf
    assert network.decide([answer.x]) != network.decide([np.zeros(10)])
    assert answer.seconds < 5


def test_when_the_time_ends_before_any_is_found():
    # The first class needs all features near 0.7, where no ray leads.
    d = 12
    W = np.concatenate([np.eye(d), -np.eye(d)])
    b = np.r_[np.full(d, -0.7), np.full(d, 0.7)]
    network = PiecewiseLinearNetwork([W, -np.ones((1, 2 * d))], [b, [0.05]])
    answer = nearest_counterfactual(network, np.zeros(d), bounds=[[-1, 1]] * d, time_limit=1e-4)
    assert not answer.certified
    assert answer.distance == np.inf
    assert answer.lower_bound < np.inf
    assert np.isnan(answer.x).all()
    found = nearest_counterfactual(network, np.zeros(d), bounds=[[-1, 1]] * d)
    check(network, np.zeros(d), found, 1)
    assert found.distance == pytest.approx(0.7 * d - 0.05, rel=1e-5)


@pytest.mark.parametrize(
    ("x", "options", "error", "message"),
    [
        ([0, np.nan], {}, ValueError, "x must be finite"),
        ([0, 0, 0], {}, ValueError, "3 features"),
        ([[0, 0]], {}, ValueError, "1 dimension"),
        (["a", "b"], {}, TypeError, "real numbers"),
        ([0, 0], {"bounds": [[0, np.inf], [0, 1]]}, ValueError, "bounds must be finite"),
        ([0, 0], {"bounds": [[0, np.nan], [0, 1]]}, ValueError, "bounds must be finite"),
        ([0, 0], {"bounds": [[0, 1]]}, ValueError, "shape"),
        ([0, 0], {"norm": 3}, ValueError, "norm must be 1, 2 or np.inf, got 3"),
        ([0, 0], {"target": 2}, ValueError, "target must be a whole number from 0 to 1"),
        ([0, 0], {"immutable": [2]}, ValueError, "immutable must be a whole number from 0 to 1"),
        ([0, 0], {"integer": [-1]}, ValueError, "integer must be a whole number from 0 to 1"),
        ([0, 0], {"scale": [1, 0]}, ValueError, "2 positive numbers"),
        ([0, 0], {"time_limit": 0}, ValueError, "time_limit"),
    ],
)
def test_bad_input_gets_one_clear_error(x, options, error, message):
    with pytest.raises(error, match=message):
        nearest_counterfactual(random_network([2, 3, 1]), x, **options)


def test_an_activation_that_jumps_is_refused():
    network = piecewise([2, 3, 1], PiecewiseLinear([0], [0, 1], [0, 1]))
    with pytest.raises(ValueError, match="no jumps"):
        nearest_counterfactual(network, [0, 0])
