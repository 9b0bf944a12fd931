"""Piecewise linear approximations: Algorithm 1, its error, and the bound for whole networks."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from properties import examples
from random_networks import piecewise
from scipy.optimize import differential_evolution
from torch import nn

from xai_course.activations import PiecewiseLinear
from xai_course.approximation import SMOOTH_ACTIVATIONS, SmoothActivation, approximate, elu
from xai_course.networks import PiecewiseLinearNetwork

NAMES = list(SMOOTH_ACTIVATIONS)
TORCH = {
    "sigmoid": nn.Sigmoid(),
    "tanh": nn.Tanh(),
    "elu": nn.ELU(),
    "gelu": nn.GELU(),
    "silu": nn.SiLU(),
    "softplus": nn.Softplus(),
}
KNOTS = ("tangents", "equioscillating")
LINE = np.linspace(-40, 40, 160_001)


def on_grid(found):
    """Return the largest error on a grid and on both sides of each breakpoint."""
    z = np.concatenate([LINE, found.breakpoints, np.nextafter(found.breakpoints, -np.inf)])
    return np.abs(found(z) - found.target(z)).max()


# The functions themselves


@pytest.mark.parametrize("name", NAMES)
def test_smooth_activations_agree_with_torch(name):
    z = torch.linspace(-20, 20, 4001, dtype=torch.float64, requires_grad=True)
    value = TORCH[name](z)
    (slope,) = torch.autograd.grad(value.sum(), z)
    assert_allclose(SMOOTH_ACTIVATIONS[name](z.detach()), value.detach(), atol=1e-9)
    off_zero = z.detach().numpy() != 0
    ours = SMOOTH_ACTIVATIONS[name].slope(z.detach())
    assert_allclose(ours[off_zero], slope.numpy()[off_zero], atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_stated_inflections_are_where_the_slope_turns(name):
    z = np.linspace(-10, 10, 40_000)  # without zero, where some have a kink
    bend = np.diff(SMOOTH_ACTIVATIONS[name].slope(z))
    bent = np.flatnonzero(np.abs(bend) > 1e-12)
    turns = [i for i, j in pairwise(bent) if bend[i] * bend[j] < 0]
    assert_allclose(SMOOTH_ACTIVATIONS[name].inflections, z[turns], atol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_lipschitz_constant_is_the_steepest_slope(name):
    slopes = np.abs(SMOOTH_ACTIVATIONS[name].slope(LINE))
    assert SMOOTH_ACTIVATIONS[name].lipschitz == pytest.approx(slopes.max(), abs=1e-6)


# Algorithm 1


def test_known_hard_functions():
    step = approximate("sigmoid", 2)
    assert step([-1e-9, 0.0]).tolist() == [0.0, 1.0]
    assert not step.is_continuous
    assert step.max_error == 0.5
    hard = approximate("sigmoid", 3)
    assert_allclose(hard.breakpoints, [-2, 2], atol=1e-12)
    assert_allclose(hard.slopes, [0, 0.25, 0])
    assert_allclose(approximate("tanh", 3)(LINE), np.clip(LINE, -1, 1), atol=1e-12)
    for alpha in (0.5, 1.0, 2.0):
        assert_allclose(approximate(elu(alpha), 2)(LINE), np.maximum(LINE, -alpha))
    for name in ("gelu", "silu", "softplus"):
        assert approximate(name, 2).is_relu


def test_the_smaller_place_comes_first_on_ties():
    four, five = approximate("sigmoid", 4), approximate("sigmoid", 5)
    assert_allclose(four.breakpoints[-1], 2, atol=1e-12)  # the right half is still the hard one
    assert_allclose(five.breakpoints, -five.breakpoints[::-1], atol=1e-12)


@pytest.mark.parametrize("name", [*NAMES, elu(0.5), elu(2.0)])
@pytest.mark.parametrize("n", [2, 3, 4, 5, 6, 9, 12, 20])
def test_max_error_is_the_largest_error(name, n):
    found = approximate(name, n)
    assert found.n_segments == n
    assert found.max_error == pytest.approx(on_grid(found), rel=1e-5)
    assert found.max_error >= on_grid(found) * (1 - 1e-12)
    assert found.is_continuous or (n == 2 and found.target.left[0] == found.target.right[0])


@pytest.mark.parametrize("name", NAMES)
def test_error_falls_with_the_number_of_pieces_and_like_its_square(name):
    errors = [approximate(name, n).max_error for n in range(2, 18)]
    assert (np.diff(errors) <= 1e-9 * np.abs(errors[:-1])).all()
    ratio = approximate(name, 33).max_error / approximate(name, 65).max_error
    assert 3 < ratio < 5  # 1/n^2 would give 3.9


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", [5, 7, 12])
def test_equioscillating_error_is_reached_on_every_piece(name, n):
    best = approximate(name, n, knots="equioscillating")
    assert best.is_continuous
    assert best.max_error < approximate(name, n).max_error
    ends = np.concatenate([[-40.0], best.breakpoints, [40.0]])
    for low, high in pairwise(ends):
        z = np.linspace(low, high, 20_001)
        largest = np.abs(best(z) - best.target(z)).max()
        assert largest == pytest.approx(best.max_error, rel=1e-5)


def test_equioscillating_error_is_the_least_that_a_search_finds():
    """A plain optimiser over knots and heights, which knows nothing of tangents."""
    z = np.linspace(0, 8, 16_001)
    best = approximate("tanh", 5, knots="equioscillating")

    def error(free):  # odd, as tanh is
        inner, step, height, top = free
        return np.abs(np.interp(z, [0, inner, inner + step], [0, height, top]) - np.tanh(z)).max()

    limits = [(0.1, 2), (0.1, 2), (0.1, 1), (0.5, 1.2)]
    found = differential_evolution(error, limits, rng=0, tol=1e-10, maxiter=300)
    assert found.fun == pytest.approx(best.max_error, rel=1e-3)


def moved(known, shift, scale):
    """Return an activation, shifted to the right by `shift` and stretched by `scale`."""
    return SmoothActivation(
        lambda z: known((z - shift) / scale),
        *((a / scale, b - a * shift / scale) for a, b in (known.left, known.right)),
        lambda z: known.slope((z - shift) / scale) / scale,
        tuple(shift + scale * x for x in known.inflections),
    )


@examples(100)
@given(
    name=st.sampled_from(NAMES),
    shift=st.floats(-3, 3),
    scale=st.floats(0.3, 4),
    n=st.integers(3, 16),
)
def test_shifting_and_stretching_the_activation_moves_the_knots(name, shift, scale, n):
    """Ties within rounding change nothing."""
    plain = approximate(name, n)
    found = approximate(moved(SMOOTH_ACTIVATIONS[name], shift, scale), n)
    assert_allclose((found.breakpoints - shift) / scale, plain.breakpoints, atol=1e-6)
    assert found.max_error == pytest.approx(plain.max_error, rel=1e-6)


@pytest.mark.parametrize("shift", [-3, -2, -0.5, 0, 1, 2.3])
@pytest.mark.parametrize("scale", [0.3, 0.5, 0.8, 1, 2, 4])
def test_ties_of_a_moved_symmetric_activation_go_to_the_smaller_place(shift, scale):
    tanh = moved(SMOOTH_ACTIVATIONS["tanh"], shift, scale)
    for n in range(4, 17):
        plain, found = approximate("tanh", n), approximate(tanh, n)
        assert_allclose((found.breakpoints - shift) / scale, plain.breakpoints, atol=1e-6)


def test_an_activation_of_ones_own_that_approaches_its_lines_slowly():
    arctan = SmoothActivation(
        np.arctan, (0, -np.pi / 2), (0, np.pi / 2), lambda z: 1 / (1 + z**2), (0.0,)
    )
    assert_allclose(approximate(arctan, 3).breakpoints, [-np.pi / 2, np.pi / 2])
    for n in (5, 8, 11):
        plain, best = (approximate(arctan, n, knots) for knots in KNOTS)
        assert plain.max_error == pytest.approx(on_grid(plain), rel=1e-5)
        assert best.max_error == pytest.approx(on_grid(best), rel=1e-5)
        assert best.max_error < plain.max_error


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.sin, 4), TypeError, "says what lines a function approaches.*got ufunc"),
        ((3, 4), TypeError, "got int"),
        (("swish", 4), ValueError, "'sigmoid', 'tanh', 'elu'.*'swish'"),
        (("sigmoid", 1), ValueError, "sigmoid with tangents knots must be.*from 2 to 256, got 1"),
        (("sigmoid", 2.0), ValueError, "whole number"),
        (("sigmoid", 2, "equioscillating"), ValueError, "from 3 to 256"),
        (
            ("gelu", 4, "equioscillating"),
            ValueError,
            "no 4 equioscillating pieces for gelu; take more",
        ),
        (("sigmoid", 3, "splines"), ValueError, "knots must be"),
        ((elu(0.5), 5, "equioscillating"), ValueError, r"slope of elu\(0.5\) jumps.*tangents"),
        ((elu(2), 5, "equioscillating"), ValueError, r"slope of elu\(2\) jumps.*tangents"),
    ],
)
def test_bad_approximations(arguments, error, message):
    with pytest.raises(error, match=message):
        approximate(*arguments)


@pytest.mark.parametrize(
    ("function", "right"), [(np.sin, (0, 0)), (np.exp, (1, 0)), (np.tanh, (0, 2)), (np.log, (0, 0))]
)
def test_functions_that_do_not_approach_the_stated_line(function, right):
    with pytest.raises(ValueError, match=r"does not approach its (left|right) asymptote"):
        SmoothActivation(function, (0, -1), right, np.cos, ())


def test_an_activation_that_is_piecewise_linear_already_says_so():
    clip = SmoothActivation(lambda z: np.maximum(z, 0), (0, 0), (1, 0), lambda z: z > 0.0, ())
    for knots in KNOTS:
        with pytest.raises(ValueError, match=r"^2 pieces are as near .*, off by 0; take fewer"):
            approximate(clip, 3, knots)


def test_an_activation_that_is_stated_wrongly_says_so():
    flat = SmoothActivation(np.tanh, (0, -1), (0, 1), np.zeros_like, (0.0,))
    with pytest.raises(ValueError, match=r"^2 pieces are as near .*, off by 1;.*derivative"):
        approximate(flat, 3)
    unturned = SmoothActivation(np.tanh, (0, -1), (0, 1), lambda z: 1 - np.tanh(z) ** 2, ())
    with pytest.raises(ValueError, match="an inflection is missing"):
        approximate(unturned, 5, "equioscillating")


# The certified bound


@examples(40)
@given(
    name=st.sampled_from(NAMES), n=st.integers(2, 9), depth=st.integers(1, 3), seed=st.integers(0)
)
def test_bound_holds_at_rows_and_anywhere(name, n, depth, seed):
    rng = np.random.default_rng(seed)
    network = piecewise([3, *[5] * depth, 2], approximate(name, n), seed)
    X = 3 * rng.normal(size=(100, 3))
    signal = X
    for weight, bias in zip(network.weights[:-1], network.biases[:-1], strict=True):
        signal = SMOOTH_ACTIVATIONS[name](signal @ weight.T + bias)
    smooth = signal @ network.weights[-1].T + network.biases[-1]
    error = np.abs(smooth - network.forward(X))
    at_rows, anywhere = network.approximation_error_bound(X), network.approximation_error_bound()
    assert (error <= at_rows + 1e-9).all()
    assert (at_rows <= anywhere + 1e-9).all()


def test_bound_of_one_layer_is_tight():
    network = PiecewiseLinearNetwork([[[1.0]], [[2.0]]], [[0.0], [0.0]], approximate("tanh", 5))
    assert network.approximation_error_bound()[0] == pytest.approx(
        2 * network.activations[0].max_error
    )
    assert_allclose(
        network.approximation_error_bound([[0.3]])[0, 0],
        2 * abs(np.tanh(0.3) - network.activations[0](0.3)),
    )


def test_bound_of_a_piecewise_linear_network_is_zero():
    assert (piecewise([2, 3, 1], "relu").approximation_error_bound() == 0).all()
    step = PiecewiseLinear([0.0], [0.0, 0.0], [0.0, 1.0])
    with pytest.raises(ValueError, match="jumps and approximates nothing"):
        piecewise([2, 3, 1], step).approximation_error_bound()
