"""Regions tile the box, agree with the network, and know their neighbours."""

import json
import os
import pickle
from collections import deque
from itertools import pairwise
from math import comb
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from properties import examples
from random_networks import random_network
from scipy.optimize import linprog
from scipy.spatial import QhullError

from xai_course import _polytopes, regions
from xai_course.activations import PiecewiseLinear
from xai_course.book import load_model, measured_file
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.regions import Region, RegionBudgetError, enumerate_regions

SQUARE = np.array([[-1.0, 1.0], [-1.0, 1.0]])
CUBE = np.array([[-1.0, 1.0]] * 3)
STEP = PiecewiseLinear([0.0], [0.0, 0.0], [0.0, 1.0])
JUMP = PiecewiseLinear([-0.4, 0.3], [0.2, -1.0, 0.5], [0.3, 0.0, -0.6])
ACTIVATIONS = {
    "relu": "relu",
    "leaky": PiecewiseLinear.leaky_relu(0.1),
    "hardtanh": PiecewiseLinear.hardtanh(),
    "jump": JUMP,
}


def network_of(*layers, activation="relu"):
    """Return a network from its hidden layers' (weight, bias); the output sums the last one."""
    weights, biases = [[list(part) for part in parts] for parts in zip(*layers, strict=True)]
    weights.append(np.ones((1, len(weights[-1]))))
    return PiecewiseLinearNetwork(weights, [*biases, [0.0]], activation)


def toy_network():
    """Return the network of Sudjianto et al. (2020), eq. 7."""
    first = np.array([[-1, 1], [1, 1]]) / np.sqrt(2)
    second = [[1, 1 / 4], [1 / 2, 1 / 3], [1 / 3, 1 / 2], [1 / 4, 1]]
    return network_of((first, [0, 0]), (second, [-0.3] * 4))


def walked(network, bounds, start=None):
    """Return the patterns of all regions, found from one to the next through facets.

    From that of a row, or of a pattern: rounding may put a row into no region.
    """
    if start is None:
        start = network.activation_pattern(points_in(bounds, 1))[0]
    start = Region(network, start, bounds)
    queue, seen = deque([start]), {start.pattern.tobytes(): start.pattern}
    while queue:
        for other in queue.popleft().neighbors():
            if other.pattern.tobytes() not in seen:
                seen[other.pattern.tobytes()] = other.pattern
                queue.append(other)
    return np.array(
        sorted(p.tolist() for p in seen.values() if not Region(network, p, bounds).is_empty())
    )


def by_programs(network, bounds):
    """Return the patterns of all regions, found as in more than two dimensions."""
    parts = regions._SolidParts(np.asarray(bounds, float))
    found = regions._split_by_layers(network, parts, 10_000)
    return np.array(sorted(found.tolist()))


def points_in(bounds, n=300, seed=0):
    return np.random.default_rng(seed).uniform(*np.transpose(bounds), (n, len(bounds)))


def undecided(network, X):
    """Return where a neuron's input is a breakpoint up to rounding."""
    layers = zip(network.activations, list(network._preactivations(X))[:-1], strict=True)
    gaps = [np.abs(z[..., None] - a.breakpoints).min(axis=(1, 2)) for a, z in layers]
    return np.min([np.ones(len(X)), *gaps], axis=0) < 1e-13


@st.composite
def networks(draw, n_features, max_depth=3, max_width=5, activations=tuple(ACTIVATIONS)):
    """Draw a small network; sometimes degenerate."""
    hidden = draw(st.lists(st.integers(1, max_width), max_size=max_depth))
    sizes = [n_features, *hidden, 2]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    weights = [rng.normal(size=(b, a)) for a, b in pairwise(sizes)]
    biases = [0.5 * rng.normal(size=b) for b in sizes[1:]]
    quirk = draw(st.sampled_from(["none", "dead", "zero", "duplicate", "parallel", "whole"]))
    if hidden and quirk == "dead":
        biases[draw(st.integers(0, len(hidden) - 1))][:] = -1e3
    elif hidden and quirk == "zero":
        weights[0][-1] = biases[0][-1] = 0
    elif hidden and quirk == "duplicate":
        weights[0][-1], biases[0][-1] = 3 * weights[0][0], 3 * biases[0][0]
    elif hidden and quirk == "parallel":
        weights[0][:] = weights[0][0]
    elif quirk == "whole":
        weights, biases = [np.round(w) for w in weights], [np.round(b) for b in biases]
    activation = ACTIVATIONS[draw(st.sampled_from(activations))]
    return PiecewiseLinearNetwork(weights, biases, activation)


def planar(**options):
    return st.integers(1, 2).flatmap(lambda d: networks(d, **options))


# Known answers


def test_toy_network_has_22_regions():
    found = toy_network().enumerate_regions(SQUARE)
    first, counts = np.unique(found.patterns[:, :2], axis=0, return_counts=True)
    assert first.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert counts.tolist() == [1, 5, 5, 11]
    assert found.volumes.sum() == pytest.approx(4, rel=1e-15)


@pytest.mark.parametrize(("half", "n_regions"), [(1, 3798), (1.5, 6404)])
def test_co_circles(half, n_regions):
    network = load_model("co_circles").network
    found = network.enumerate_regions(half * SQUARE)
    assert len(found) == n_regions
    assert len(np.unique(found.patterns, axis=0)) == n_regions
    assert found.volumes.sum() == pytest.approx(4 * half**2, rel=1e-12)
    assert (found.locate(points_in(half * SQUARE, 20_000)) >= 0).all()


# Properties in one and two dimensions


@examples(200)
@given(network=planar())
def test_regions_tile_the_box(network):
    box = np.array([[-1.5, 2.0], [-1.0, 1.25]])[: network.n_features]
    found = network.enumerate_regions(box)
    assert found.volumes.min() > 0
    assert found.volumes.sum() == pytest.approx(np.ptp(box, axis=1).prod(), rel=1e-12)
    X = points_in(box)
    numbers = found.locate(X)
    assert (undecided(network, X) | (numbers >= 0)).all()
    inside = np.array([region.contains(X) for region in found])
    np.testing.assert_array_equal(inside.sum(axis=0), numbers >= 0)
    np.testing.assert_array_equal(inside.argmax(axis=0), np.maximum(numbers, 0))


@examples(100)
@given(network=planar())
def test_a_region_agrees_with_the_network(network):
    box = np.array([[-1.0, 1.0]] * network.n_features)
    for region in network.enumerate_regions(box)[:20]:
        center, radius = region.chebyshev_center()
        assert not region.is_empty()
        assert radius > 0
        assert region.contains(center[None]) or undecided(network, center[None]) or radius < 1e-9
        shift = np.random.default_rng(0).normal(size=(8, network.n_features))
        X = center + 0.9 * radius * shift / np.linalg.norm(shift, axis=1)[:, None]
        # What rounding decides may lie on the other side of a jump.
        X = X[~undecided(network, X)]
        value = X @ region.coef.T + region.intercept
        if radius > 1e-9:
            np.testing.assert_allclose(value, network.forward(X), rtol=1e-10, atol=1e-10)
        assert (region.A @ center < region.b).all()
        fresh = Region(network, region.pattern, box)
        assert len(fresh.polygon()) == len(region.polygon())
        assert fresh.volume == pytest.approx(region.volume, rel=1e-9, abs=1e-14)


@examples(100)
@given(network=planar())
def test_walking_and_programs_find_what_clipping_finds(network):
    box = np.array([[-1.0, 1.0]] * network.n_features)
    found = network.enumerate_regions(box)
    assume(min(region.chebyshev_center()[1] for region in found) > 1e-7)
    walk = walked(network, box, found.patterns[0])
    np.testing.assert_array_equal(walk, found.patterns)
    np.testing.assert_array_equal(by_programs(network, box), found.patterns)


@examples(60)
@given(network=planar(activations=("relu", "leaky", "hardtanh")))
def test_neighbours_share_their_facet(network):
    box = np.array([[-1.0, 1.0]] * network.n_features)
    found = network.enumerate_regions(box)
    assume(min(region.chebyshev_center()[1] for region in found) > 1e-7)
    for region in found[:10]:
        for facet in region.facets():
            other = region.neighbor(facet)
            if other is None:
                on_side = np.isclose(np.abs(facet.center[:, None] - box), 0, atol=1e-9)
                assert facet.neurons == ()
                assert on_side.any()
                continue
            changed = set(np.flatnonzero(other.pattern != region.pattern))
            assert changed
            assert changed <= set(facet.neurons) | set(other_neurons(other, facet))
            (back,) = (f for f in other.facets() if np.allclose(f.normal, -facet.normal)
                       and np.isclose(f.offset, -facet.offset))  # fmt: skip
            assert (other.neighbor(back).pattern == region.pattern).all()


def other_neurons(region, facet):
    """The neurons whose breakpoint the facet is on its far side, where it may be another's."""
    return [n for f in region.facets() if np.allclose(f.normal, -facet.normal) for n in f.neurons]


@pytest.mark.parametrize("seed", range(5))
def test_across_a_facet_one_neuron_changes(seed):
    network = random_network([2, 8, 8, 1], seed)
    found = network.enumerate_regions(SQUARE)
    for region in found:
        facets = [facet for facet in region.facets() if facet.neurons]
        for facet, other in zip(facets, region.neighbors(), strict=True):
            changed = np.flatnonzero(region.pattern != other.pattern)
            assert facet.neurons == tuple(changed)
            assert len(changed) == 1
            assert found.locate(other.chebyshev_center()[0][None]) >= 0


# More dimensions


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("sizes", [[3, 6, 1], [3, 4, 4, 1], [3, 3, 3, 3, 1]])
def test_three_dimensions(sizes, activation):
    plain = random_network(sizes, seed=1)
    network = PiecewiseLinearNetwork(plain.weights, plain.biases, ACTIVATIONS[activation])
    found = network.enumerate_regions(CUBE)
    assert found.volumes.sum() == pytest.approx(8, rel=1e-9)
    X = points_in(CUBE, 20_000)
    numbers = found.locate(X)
    assert (numbers >= 0).all()
    share = np.bincount(numbers, minlength=len(found)) / len(X)
    np.testing.assert_allclose(share, found.volumes / 8, atol=0.02)
    assert all(region.contains(region.chebyshev_center()[0][None]) for region in found)


def test_hyperplanes_in_general_position_are_counted_by_the_formula():
    rng = np.random.default_rng(0)
    for d, m in [(1, 4), (2, 5), (3, 5), (4, 5), (6, 3)]:  # six: linear programs alone
        network = network_of((rng.normal(size=(m, d)), rng.normal(size=m)))
        found = network.enumerate_regions(np.array([[-1e3, 1e3]] * d))
        assert len(found) == sum(comb(m, k) for k in range(d + 1))


# Any number of inputs, against a plain definition


def largest_radius(A, b):
    """Return the radius of the largest ball in ``A x <= b``, by the simplex method."""
    rows = np.column_stack([A, np.linalg.norm(A, axis=1)])
    goal = np.append(np.zeros(A.shape[1]), -1.0)
    free = [(None, None)] * len(goal)
    return -linprog(goal, A_ub=rows, b_ub=b, bounds=free, method="highs-ds").fun


def by_recursion(network, bounds, least=1e-9):
    """Return the patterns of a ReLU network in a box: neuron by neuron, each sign is tried."""
    d = network.n_features
    low, high = np.transpose(bounds)

    def grow(layer, neuron, weight, bias, pattern, A, b):
        if layer == len(network.hidden_sizes):
            return [pattern]
        if neuron == network.hidden_sizes[layer]:
            on = np.array(pattern[len(pattern) - neuron :], float)
            after = network.weights[layer + 1] @ (on[:, None] * weight)
            shift = network.weights[layer + 1] @ (on * bias) + network.biases[layer + 1]
            return grow(layer + 1, 0, after, shift, pattern, A, b)
        if not weight[neuron].any():  # behind dead neurons
            on = int(bias[neuron] >= 0)
            return grow(layer, neuron + 1, weight, bias, [*pattern, on], A, b)
        found = []
        for on in (0, 1):
            sign = 1 - 2 * on  # off is w x <= -c
            A2, b2 = np.vstack([A, sign * weight[neuron]]), np.append(b, -sign * bias[neuron])
            if largest_radius(A2, b2) > least:
                found += grow(layer, neuron + 1, weight, bias, [*pattern, on], A2, b2)
        return found

    box = np.vstack([np.eye(d), -np.eye(d)])
    return grow(0, 0, network.weights[0], network.biases[0], [], box, np.concatenate([high, -low]))


# ``MANY_NETWORKS=200 pytest tests/unit/test_regions.py -k many_random`` takes about ten minutes.
MANY_NETWORKS = int(os.environ.get("MANY_NETWORKS", "2"))
MANY_SIZES = {2: (5, 3), 3: (4, 3), 4: (4, 2), 5: (4, 2), 6: (3, 3), 7: (3, 2), 8: (3, 2),
              9: (3, 2), 10: (3, 2)}  # fmt: skip


@pytest.mark.parametrize("d", MANY_SIZES)
def test_many_random_networks_against_the_recursion(d):
    for seed in range(MANY_NETWORKS):
        network = random_network([d, *MANY_SIZES[d], 1], seed)
        box = np.array([[-1.0, 1.0]] * d)
        found = network.enumerate_regions(box)
        assert found.patterns.tolist() == by_recursion(network, box), f"seed {seed}"


@pytest.mark.parametrize("seed", range(3))
def test_one_wide_layer_in_five_dimensions_is_all_there(seed):
    """Ordinary networks with nearly coinciding corners."""
    rng = np.random.default_rng(seed)
    first = rng.normal(0, np.sqrt(2 / 5), (9, 5)), rng.normal(0, 0.1, 9)
    network = network_of(first)
    box = np.array([[-1.0, 1.0]] * 5)
    found = network.enumerate_regions(box)
    seen = np.unique(network.activation_pattern(points_in(box, 20_000)), axis=0)
    assert {p.tobytes() for p in seen} <= {p.tobytes() for p in found.patterns}
    assert found[:40][7].volume > 0


@pytest.mark.parametrize("d", [3, 4])
def test_volumes_by_qhull_and_by_cones_fill_the_box(d, monkeypatch):
    network = random_network([d, 3, 1], seed=0)
    box = np.array([[-1.0, 1.0]] * d)
    quick = network.enumerate_regions(box).volumes
    assert quick.sum() == pytest.approx(2**d, rel=1e-9)

    def fail(*_):
        raise QhullError("corners coincide")

    monkeypatch.setattr(_polytopes, "HalfspaceIntersection", fail)
    slow = network.enumerate_regions(box).volumes
    np.testing.assert_allclose(slow, quick, rtol=1e-9)


@pytest.mark.parametrize("d", [3, 5])
def test_unbounded_regions_that_hold_a_row_have_facets(d):
    for seed in range(6):
        rng = np.random.default_rng(seed)
        network = network_of((rng.normal(size=(8, d)), 0.5 * rng.normal(size=8)))
        X = rng.uniform(-1, 1, (4, d))
        for pattern in np.unique(network.activation_pattern(X), axis=0):
            region = network.region(pattern)
            for facet, other in zip(region.facets(), region.neighbors(), strict=True):
                assert (other.pattern != pattern).sum() == 1
                step = 1e-6 * facet.normal
                here, beyond = network.activation_pattern(
                    [facet.center - step, facet.center + step]
                )
                assert (here == pattern).all()
                assert (beyond == other.pattern).all()


@pytest.mark.parametrize("d", [2, 3, 6, 10])
@pytest.mark.parametrize("width", [1.0, 1e-4, 1e-7, 1e-8])
def test_balls_of_many_polytopes_are_those_of_linear_programs(d, width):
    rng = np.random.default_rng(d)
    n, box = 60, np.concatenate([np.eye(d), -np.eye(d)])
    normals = rng.normal(size=(n, 6, d))
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    normals[:, 1] = -normals[:, 0]  # two sides `width` apart, or past each other
    normals[::7, 3] = normals[::7, 2]  # the same border twice
    offsets = rng.uniform(-0.2, 0.6, (n, 6))
    offsets[:, 1] = width * rng.choice([-1, 0.0, 1], n) - offsets[:, 0]
    normals[::5, 5], offsets[::5, 5] = 0.0, 1.0  # says nothing
    A = np.concatenate([np.tile(box, (n, 1, 1)), normals], axis=1)
    b = np.concatenate([np.ones((n, 2 * d)), offsets], axis=1)
    least = np.full(n, 1e-9)
    centers, radii = _polytopes.balls(A, b, rng.uniform(-1, 1, (n, d)), least)
    largest = np.array([_polytopes.Polytope(*rows).ball()[1] for rows in zip(A, b, strict=True)])
    certain = ~np.isnan(radii)
    assert certain.mean() > 0.9
    has_one = radii[certain] > 0
    clear = np.abs(largest - least)[certain] > 1e-10  # what the linear program can tell
    np.testing.assert_array_equal(has_one[clear], (largest > least)[certain][clear])
    found = np.flatnonzero(certain)[has_one]
    assert (radii[found] >= 0.85 * largest[found]).all()
    room = (b[found] - (A[found] @ centers[found, :, None])[:, :, 0])[A[found].any(axis=2)]
    assert (room >= np.repeat(radii[found], A[found].any(axis=2).sum(axis=1))).all()


def test_what_is_not_certain_is_asked_of_linear_programs(monkeypatch):
    def uncertain(A, b, start, least):
        return start, np.full(len(A), np.nan)

    for sizes in ([3, 6, 1], [4, 4, 3, 1]):
        network, box = random_network(sizes, seed=0), [[-1, 1]] * sizes[0]
        expected = network.enumerate_regions(box).patterns
        with monkeypatch.context() as patched:
            patched.setattr(regions, "balls", uncertain)
            patched.setattr(regions, "_AT_ONCE", 300)  # a few parts together
            np.testing.assert_array_equal(network.enumerate_regions(box).patterns, expected)


def test_a_program_that_fails_is_solved_another_way(monkeypatch):
    network = random_network([3, 5, 1], seed=0)
    expected = network.enumerate_regions(CUBE).patterns
    monkeypatch.setattr(regions, "balls", lambda A, b, start, least: (start, least * np.nan))
    failed = SimpleNamespace(status=4, message="no luck", fun=0.0, x=None)
    calls = []

    def stubborn(*arguments, method, **options):
        calls.append(method)
        return failed if method == "highs" else linprog(*arguments, method=method, **options)

    monkeypatch.setattr(_polytopes, "milp", lambda *_, **__: failed)
    monkeypatch.setattr(_polytopes, "linprog", stubborn)
    np.testing.assert_array_equal(network.enumerate_regions(CUBE).patterns, expected)
    assert set(calls) == {"highs", "highs-ds"}
    monkeypatch.setattr(_polytopes, "linprog", lambda *_, **__: failed)
    with pytest.raises(RuntimeError, match="no luck Its numbers may be too far apart: give bounds"):
        network.enumerate_regions(CUBE)


# Units


def in_units(network, units):
    """Return the network of the same features in other units, ``x * units``."""
    first, *others = network.weights
    return PiecewiseLinearNetwork([first / units, *others], network.biases, network.activations)


def units_of(d):
    """Return units from 1e-9 to 1e9 for every feature."""
    return st.lists(st.integers(-9, 9), min_size=d, max_size=d).map(lambda e: 10.0 ** np.array(e))


@examples(40)
@given(st.data(), st.integers(1, 3))
def test_units_change_no_region_no_facet_and_no_neighbour(data, d):
    network = data.draw(networks(d, max_depth=2, max_width=4))
    units = data.draw(units_of(d))
    other, box = in_units(network, units), np.array([[-1.0, 1.25]] * d)
    scaled_box = box * units[:, None]
    found, scaled = network.enumerate_regions(box), other.enumerate_regions(scaled_box)
    assume(min(region.chebyshev_center()[1] for region in found) > 1e-6)
    np.testing.assert_array_equal(scaled.patterns, found.patterns)
    np.testing.assert_allclose(scaled.volumes, found.volumes * units.prod(), rtol=1e-6)
    for region, same in zip(found[:5], scaled, strict=False):
        bounded = (region, same), (Region(network, region.pattern, box),
                                   Region(other, region.pattern, scaled_box))  # fmt: skip
        free = network.region(region.pattern), other.region(region.pattern)
        for a, b in (*bounded, free):
            assert not a.is_empty()
            assert not b.is_empty()
            facets, theirs = a.facets(), b.facets()
            assert [f.neurons for f in facets] == [f.neurons for f in theirs]
            for ours, facet in zip(facets, theirs, strict=True):
                assert np.linalg.norm(facet.normal) == pytest.approx(1)
                normal = facet.normal * units
                np.testing.assert_allclose(
                    normal / np.linalg.norm(normal), ours.normal, rtol=1e-6, atol=1e-9
                )
            beyond, over_there = ([r.pattern.tolist() for r in s.neighbors()] for s in (a, b))
            assert beyond == over_there


def test_a_region_that_is_empty_is_so_in_any_units():
    network = network_of(([[1, 0, 0], [1, 0, 0], [0, 1, 0]], [0, -1e-3, 0]))
    for exponents in ((0, 0, 0), (-9, -9, -9), (9, 9, 9), (-9, 9, 0), (9, -9, 3)):
        units = 10.0 ** np.array(exponents)
        other, box = in_units(network, units), CUBE * units[:, None]
        for pattern, empty in (([0, 1, 1], True), ([1, 0, 1], False), ([1, 1, 0], False)):
            assert other.region(pattern).is_empty() == empty
            assert Region(other, pattern, box).is_empty() == empty


def test_the_resolution_is_that_of_the_frame():
    """A slab counts when its half width, in the box from -1 to 1, is above `RESOLUTION`."""
    for width, counts in ((4e-9, True), (1e-9, False)):
        network = network_of(([[1, 0, 0], [1, 0, 0]], [0, -width]))
        assert Region(network, [1, 0], CUBE).is_empty() != counts
        assert len(network.enumerate_regions(CUBE)) == 2 + counts


def test_regions_and_their_files_are_read_only():
    found = random_network([2, 3, 1]).enumerate_regions(SQUARE)
    solid = random_network([3, 3, 1]).enumerate_regions(CUBE)
    for regions_ in (found, solid):
        copy = pickle.loads(pickle.dumps(regions_))  # noqa: S301
        np.testing.assert_array_equal(copy.patterns, regions_.patterns)
        np.testing.assert_array_equal(copy.volumes, regions_.volumes)
        region = pickle.loads(pickle.dumps(regions_[1]))  # noqa: S301
        assert region.pattern.tolist() == regions_[1].pattern.tolist()
        assert region.volume == pytest.approx(regions_[1].volume)
        arrays = (copy.patterns, copy.bounds, region.pattern, region.bounds, region.A, region.b)
        assert not any(array.flags.writeable for array in arrays)


# Degenerate cases


def count(network, bounds=SQUARE):
    found = network.enumerate_regions(bounds)
    np.testing.assert_array_equal(walked(network, bounds), found.patterns)
    np.testing.assert_array_equal(by_programs(network, bounds), found.patterns)
    assert found.volumes.sum() == pytest.approx(np.ptp(bounds, axis=1).prod(), rel=1e-12)
    return found.patterns.tolist()


def test_no_hidden_layer():
    network = PiecewiseLinearNetwork([[[1.0, 2.0]]], [[0.5]])
    (region,) = network.enumerate_regions(SQUARE)
    assert region.polygon().tolist() == [[-1, -1], [1, -1], [1, 1], [-1, 1]]
    assert [facet.neurons for facet in region.facets()] == [()] * 4
    assert len(by_programs(network, SQUARE)) == 1


def test_dead_layer_and_zero_neuron():
    dead = network_of((np.eye(2), [-9, -9]), ([[1, 1], [1, -1]], [0, -1]))
    assert count(dead) == [[0, 0, 1, 0]]  # z = 0 everywhere is on
    zero = network_of(([[0, 0], [1, 0], [0, 0]], [0, 0, -1]))
    assert count(zero) == [[1, 0, 0], [1, 1, 0]]


def test_tie_of_a_deeper_neuron_on_a_half_plane():
    # The second layer gets -max(x, 0): zero, so on, where x <= 0. On the border x = 0 both are on:
    # a pattern without area, which is no region.
    network = network_of(([[1, 0]], [0]), ([[-1]], [0]))
    assert count(network) == [[0, 1], [1, 0]]
    assert network.activation_pattern([[0.0, 0.0]]).tolist() == [[1, 1]]
    assert network.region([1, 1]).is_empty()
    assert Region(network, [1, 1], SQUARE).is_empty()


def test_coincident_and_parallel_hyperplanes():
    coincident = network_of(([[1, 1], [2, 2], [-1, -1]], [0.5, 1, -0.5]))
    assert count(coincident) == [[0, 0, 1], [1, 1, 0]]
    (facet,) = (f for f in coincident.enumerate_regions(SQUARE)[0].facets() if f.neurons)
    assert facet.neurons == (0, 1, 2)
    parallel = network_of(([[1, 0], [1, 0], [-1, 0]], [0.5, -0.5, 0.25]))
    assert count(parallel) == [[0, 0, 1], [1, 0, 0], [1, 0, 1], [1, 1, 0]]
    assert Region(parallel, [0, 1, 1], SQUARE).is_empty()


def test_a_hyperplane_that_touches_the_box_cuts_nothing():
    side = network_of(([[1, 0], [-1, 0]], [1, 1]))  # x >= -1 and x <= 1: always on
    assert count(side) == [[1, 1]]
    assert [f.neurons for f in side.enumerate_regions(SQUARE)[0].facets()] == [()] * 4
    corner = network_of(([[1, 1], [-1, 1]], [-2, -2]))
    assert count(corner) == [[0, 0]]
    through_corners = network_of(([[1, 1], [1, -1]], [0, 0]))
    assert len(count(through_corners)) == 4
    for region in [*side.enumerate_regions(SQUARE), *through_corners.enumerate_regions(SQUARE)]:
        inside = [f.neurons for f in region.facets() if f.neurons]
        assert [f.neurons for f in region.facets(with_box=False)] == inside


def test_three_lines_through_one_point():
    network = network_of(([[1, 0], [0, 1], [1, 1]], [0, 0, 0]))
    assert len(count(network)) == 6
    almost = network_of(([[1, 0], [0, 1], [1, 1]], [0, 0, 1e-6]))
    assert len(count(almost)) == 7


def test_a_tie_that_rounding_decides_point_by_point():
    # (x + 1) - x - 1 is zero, so on; in floating point it is a rounding error of either sign.
    network = network_of(([[1], [1]], [0, 1]), ([[-1, 1]], [-1]))
    found = network.enumerate_regions([[0.0, 1.0]])
    assert found.patterns.tolist() == [[1, 1, 1]]
    X = points_in([[0.0, 1.0]])
    numbers = found.locate(X)
    assert set(numbers) == {-1, 0}
    assert undecided(network, X).all()


def test_cancelling_neurons_draw_no_line():
    # The second layer gets w * a - w * a, zero up to rounding: constant, whatever the rounding.
    w = np.array([0.1, 0.7, 1 / 3])
    first = (np.repeat([[0.3, 0.9]], 3, axis=0), [0.2] * 3)
    second = ([w - w[::-1]], [0.0])
    third = ([[1e8]], [0.0])
    found = network_of(first, second, third).enumerate_regions(SQUARE)
    assert len(found) == 2


def test_a_jump_may_leave_two_regions_behind_one_facet():
    layers = ([[1, 0], [0, 1]], [0, 0]), ([[1, 1]], [-0.8])
    network = network_of(*layers, activation=JUMP)
    assert len(count(network)) > 9
    step = network_of(([[1, 0], [1, 1]], [0, 0]), ([[1, 1]], [-1.5]), activation=STEP)
    assert len(count(step)) == 4


def test_very_small_and_very_large_boxes():
    network = random_network([2, 6, 6, 1], seed=3)
    for factor in (1e-6, 1e6):
        weights = [network.weights[0] / factor, *network.weights[1:]]
        scaled = PiecewiseLinearNetwork(weights, network.biases)
        np.testing.assert_array_equal(
            scaled.enumerate_regions(factor * SQUARE).patterns,
            network.enumerate_regions(SQUARE).patterns,
        )


# One region


def quadrants():
    return network_of((np.eye(2), [0, 0]))


def test_half_spaces_and_facets_of_a_quadrant():
    region = quadrants().region([1, 0])
    assert region.A.tolist() == [[-1, 0], [0, 1]]
    assert region.b.tolist() == [0, 0]
    assert region.neurons.tolist() == [0, 1]
    assert [facet.neurons for facet in region.facets()] == [(0,), (1,)]
    assert [r.pattern.tolist() for r in region.neighbors()] == [[0, 0], [1, 1]]
    assert region.chebyshev_center()[1] == np.inf
    assert region.coef.tolist() == [[1, 0]]
    assert region.intercept.tolist() == [0]


def test_contains_is_half_open():
    network = quadrants()
    X = [[0.0, 0.0], [0.0, -1e-300], [-1e-300, 0.5], [2.0, 2.0]]
    assert network.region([1, 1]).contains(X).tolist() == [True, False, False, True]
    assert Region(network, [1, 1], SQUARE).contains(X).tolist() == [True, False, False, False]
    assert network.region([1, 0]).contains(X).tolist() == [False, True, False, False]


def test_segments_have_two_ends():
    network = network_of(([[1.0, 0.0]], [0.0]), activation=PiecewiseLinear.hardtanh(-0.5, 0.25))
    found = network.enumerate_regions(SQUARE)
    assert [region.polygon()[:, 0].min() for region in found] == [-1, -0.5, 0.25]
    middle = network.region([1])
    assert middle.A.tolist() == [[-1, 0], [1, 0]]
    assert middle.b.tolist() == [0.5, 0.25]


def test_redundant_half_spaces_are_no_facets():
    network = network_of(([[1, 0], [1, 0], [1, 1]], [0, 0.5, 5]))
    region = network.region([1, 1, 1])
    assert len(region.A) == 3
    assert [facet.neurons for facet in region.facets()] == [(0,), (2,)]


def test_chebyshev_center_and_polygon_of_a_triangle():
    network = network_of(([[1, 0], [0, 1], [-1, -1]], [0, 0, 1]))
    region = network.region([1, 1, 1])
    center, radius = region.chebyshev_center()
    assert radius == pytest.approx(1 - np.sqrt(0.5))
    np.testing.assert_allclose(center, radius)
    corners = region.polygon(SQUARE)
    assert corners[np.lexsort(corners.T)].tolist() == [[0, 0], [1, 0], [0, 1]]
    assert np.linalg.det(np.column_stack([np.ones(3), corners])) > 0  # anticlockwise
    assert Region(network, [1, 1, 1], SQUARE).volume == pytest.approx(0.5)
    assert region.polygon([[0.25, 2], [0.5, 2]])[:, 0].min() == 0.25
    half = Region(network, [1, 1, 1], [[0, 0.5], [0, 1]])
    assert half.polygon(SQUARE)[:, 0].max() == 1  # in place of its own bounds


def test_segments_are_the_zero_line():
    network = load_model("co_circles").network
    found = network.enumerate_regions(1.5 * SQUARE)
    coef, intercept = network.local_linear_models(found.patterns)
    numbers, ends = found.segments(coef[:, 0], intercept[:, 0])
    assert len(numbers) > 50
    np.testing.assert_allclose(network.forward(ends.reshape(-1, 2)), 0, atol=1e-9)
    flat = ends.reshape(-1, 2)  # a closed line: every end is one other's end
    gaps = np.linalg.norm(flat[:, None] - flat, axis=2)
    assert ((gaps < 1e-9).sum(axis=1) == 2).all()
    middle, direction = ends.mean(axis=1), np.diff(ends, axis=1)[:, 0]
    right = np.column_stack([direction[:, 1], -direction[:, 0]])
    assert ((coef[numbers, 0] * right).sum(axis=1) > 0).all()
    assert (found.locate(middle) == numbers).mean() > 0.99


# The sequence


def test_regions_are_a_sequence_in_order():
    found = random_network([2, 5, 5, 1], seed=1).enumerate_regions(SQUARE)
    assert found.patterns.tolist() == sorted(found.patterns.tolist())
    assert len(list(found)) == len(found)
    assert [r.pattern.tolist() for r in found[1:3]] == found.patterns[1:3].tolist()
    assert (found[-1].pattern == found.patterns[-1]).all()
    with pytest.raises(IndexError):
        found[len(found)]
    assert found.locate([[5.0, 5.0]])[0] in range(-1, len(found))
    assert repr(found).startswith(f"Regions({len(found)} regions of PiecewiseLinearNetwork(")


@pytest.mark.parametrize("d", [1, 2, 3])
def test_the_budget_ends_in_an_error(d):
    network = random_network([d, 8, 1], seed=0)
    box = np.array([[-1.0, 1.0]] * d)
    n_regions = len(network.enumerate_regions(box))
    assert len(network.enumerate_regions(box, max_regions=n_regions)) == n_regions
    with pytest.raises(RegionBudgetError, match=f"max_regions={n_regions - 1} ") as caught:
        network.enumerate_regions(box, max_regions=n_regions - 1)
    assert caught.value.found == n_regions
    copy = pickle.loads(pickle.dumps(caught.value))  # noqa: S301
    assert (copy.found, copy.max_regions) == (n_regions, n_regions - 1)


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ([[0, 1]], r"bounds must have shape \(2, 2\)"),
        ([[0, 1], [1, 1]], "lower and a larger upper"),
        ([[0, 1], [0, np.inf]], "bounds must be finite"),
    ],
)
def test_bad_bounds(bounds, message):
    for call in (enumerate_regions, lambda n, b: Region(n, [0, 0], b)):
        with pytest.raises(ValueError, match=message):
            call(quadrants(), bounds)


def test_bad_input():
    network, cube = quadrants(), random_network([3, 2, 1])
    with pytest.raises(ValueError, match="max_regions must be a whole number from 1 on"):
        enumerate_regions(network, SQUARE, max_regions=0)
    with pytest.raises(ValueError, match="patterns must have shape"):
        network.region([1])
    with pytest.raises(ValueError, match="give bounds"):
        network.region([1, 1]).polygon()
    with pytest.raises(ValueError, match="needs bounds"):
        _ = network.region([1, 1]).volume
    with pytest.raises(ValueError, match="one or two features"):
        cube.region([1, 1]).polygon(CUBE)
    solid, planar_regions = cube.enumerate_regions(CUBE), network.enumerate_regions(SQUARE)
    assert solid.polygons is None
    with pytest.raises(ValueError, match=r"two features .* got 3 features"):
        solid.segments(np.zeros((len(solid), 2)), np.zeros(len(solid)))
    for coef, intercept in (([[1, 2, 3]], [0]), ([[1, 2]] * 4, [0]), ([[1, 2]], [0] * 4)):
        with pytest.raises(ValueError, match="one line for each of 4 regions"):
            planar_regions.segments(coef, intercept)
    empty = Region(network, [1, 1], [[-2, -1], [-2, -1]])
    assert empty.is_empty()
    assert empty.facets() == []
    assert empty.volume == 0
    with pytest.raises(ValueError, match="is empty"):
        empty.chebyshev_center()


# An independent implementation, in float32


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("depth", range(1, 6))
def test_regioncam_finds_the_same_regions(depth, seed):
    regioncam = pytest.importorskip("regioncam")
    network = random_network([2, *[12] * depth, 1], seed)
    camera = regioncam.Regioncam(size=1)
    for weight, bias in zip(network.weights[:-1], network.biases[:-1], strict=True):
        camera.linear(np.ascontiguousarray(weight.T, dtype=np.float32), bias.astype(np.float32))
        camera.relu()
    corners = camera.vertex_inputs.astype(float)
    centers = np.array([corners[face.vertex_ids].mean(axis=0) for face in camera.faces])
    found = network.enumerate_regions(SQUARE)
    hits = np.bincount(found.locate(centers), minlength=len(found))
    # A centre in float32 may miss a sliver. What is not hit once must be one.
    radius = [found[i].chebyshev_center()[1] for i in np.flatnonzero(hits != 1)]
    assert max(radius, default=0) < 1e-6
    if not radius:
        assert camera.num_faces == len(found)
    assert abs(camera.num_faces - len(found)) <= len(radius)


# The benchmark's stored file


def test_stored_benchmark_says_what_its_numbers_say():
    path = measured_file("benchmark_geometry")
    works = {work["name"]: work for work in json.loads(path.read_text("utf-8"))["works"]}
    assert works["co-circles-1"]["ours"]["regions"] == 3798
    assert works["co-circles-1.5"]["ours"]["regions"] == 6404
    for work in works.values():
        ours = work["ours"]
        assert ours["value"] == np.median(ours["repeats"])
        assert work["met"] == (None if work["target"] is None else ours["value"] <= work["target"])
        for way in {"regioncam", "grid"} & set(work):
            expected = work[way]["value"] / ours["value"]
            assert work[f"{way}_over_ours"] == pytest.approx(expected, rel=1e-3)
            assert work[way]["regions"] <= ours["regions"]
