"""Measures of explanations: by hand, in closed form, and what is always true."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from properties import examples
from scipy.stats import spearmanr
from torch import nn

from xai_course import metrics
from xai_course.training import mlp

WEIGHTS = np.array([3.0, -1.0, 0.5, 2.0])


def linear(X):
    """A model whose contributions are its weights times the inputs."""
    return X @ WEIGHTS + 7


def rows(n=5, seed=0):
    return np.random.default_rng(seed).normal(size=(n, 4))


def whole(n_features, n_rows=3):
    """Arrays of small whole numbers, which tie often."""
    return arrays(np.int64, (n_rows, n_features), elements=st.integers(-3, 3)).map(np.float64)


# Agreement


def test_rank_correlation_by_hand():
    a = [[1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4], [1, 1, 2, 3]]
    b = [[10, 20, 30, 1e6], [4, 3, 2, 1], [2, 1, 4, 3], [1, 2, 3, 3]]
    # Third row: 1 - 6 * 4 / (4 * 15). Fourth: ranks 1.5 1.5 3 4 and 1 2 3.5 3.5, less their means
    # -1 -1 .5 1.5 and -1.5 -.5 1 1.
    assert_allclose(metrics.rank_correlation(a, b), [1, -1, 0.6, 4 / 4.5])


def test_an_attribution_that_ranks_nothing_has_no_rank_correlation():
    found = metrics.rank_correlation([[0.1] * 3, [1, 2, 3]], [[1, 2, 3], [5, 5, 5]])
    assert np.isnan(found).all()
    assert np.isnan(metrics.rank_correlation([[1.0]], [[2.0]])).all()


@examples(50)
@given(whole(6), whole(6))
def test_rank_correlation_is_scipys_and_knows_no_scale(a, b):
    found = metrics.rank_correlation(a, b)
    constant = (np.ptp(a, axis=1) == 0) | (np.ptp(b, axis=1) == 0)
    assert_array_equal(np.isnan(found), constant)
    for row in np.flatnonzero(~constant):
        assert found[row] == pytest.approx(spearmanr(a[row], b[row]).statistic, abs=1e-12)
    assert_array_equal(metrics.rank_correlation(np.exp(3 * a) - 5, b**3 * 1e-9), found)
    assert_array_equal(metrics.rank_correlation(b, a), found)
    assert_allclose(metrics.rank_correlation(-a, b), -found, atol=1e-12)


def test_sign_agreement_by_hand():
    exact = [[1, -2, 0, 4], [1, -2, 0, 4], [0, 0, 0, 0], [1, 1e-12, -1, 0]]
    a = [[3, -1, 9, -1], [1, 0, 0, 1e-12], [1, 2, 3, 4], [2, -5, -2, 8]]
    # In the second row a zero and a value of rounding size do not agree.
    assert_array_equal(metrics.sign_agreement(a, exact), [2 / 3, 1 / 3, np.nan, 1])
    assert_array_equal(metrics.sign_agreement(a[3:], exact[3:], rounding=0), [2 / 3])


def test_top_k_overlap_by_hand():
    a = [[5, -4, 3, 0, 1]]
    assert metrics.top_k_overlap(a, [[-5, 0, 3, 4, 1]], k=2) == [0.5]
    assert metrics.top_k_overlap(a, [[0, 1, 2, 9, 8]], k=2) == [0]
    assert metrics.top_k_overlap(a, [[0, 1, 2, 9, 8]], k=5) == [1]
    # Three tie for one place; the first of the other's two is one of them.
    assert metrics.top_k_overlap([[9, 2, 2, 2, 0]], [[0, 5, 0, 0, 7]], k=2) == [(1 / 3) / 2]


@examples(50)
@given(whole(6), whole(6), st.integers(1, 6), st.permutations(range(6)))
def test_top_k_overlap_of_ties(a, b, k, order):
    found = metrics.top_k_overlap(a, b, k)
    assert ((found > -1e-12) & (found < 1 + 1e-12)).all()
    assert_allclose(metrics.top_k_overlap(a[:, order], b[:, order], k), found)
    assert_allclose(metrics.top_k_overlap(a, -2 * a, k), 1)
    assert_allclose(metrics.top_k_overlap(np.ones((3, 6)), b, k), _shared(b, k), rtol=1e-12)


def _shared(b, k):
    """The overlap with a constant, whose features are all in by k / 6, counted one by one."""
    total = []
    for row in np.abs(b):
        border = sorted(row)[-k]
        ties, above = (row == border).sum(), (row > border).sum()
        member = [1.0 if v > border else (k - above) / ties if v == border else 0.0 for v in row]
        total.append(sum(min(m, k / 6) for m in member) / k)
    return total


def test_a_constant_overlaps_by_chance():
    found = metrics.top_k_overlap(np.ones((1, 10)), [np.arange(10.0)], k=3)
    assert_allclose(found, 0.3)


def test_relative_error_by_hand():
    exact = [[3, 4], [3, 4], [3, 4], [0, 0]]
    a = [[3, 4], [0, 0], [6, 8], [1, 0]]
    assert_array_equal(metrics.relative_error(a, exact), [0, 1, 1, np.nan])


@pytest.mark.parametrize(
    "measure",
    [
        metrics.rank_correlation,
        metrics.sign_agreement,
        metrics.relative_error,
        lambda a, b: metrics.top_k_overlap(a, b, 2),
    ],
)
def test_images_are_flattened_and_bad_attributions_refused(measure):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 3, 1, 4, 5))
    found = measure(a, b)
    assert found.shape == (3,)
    assert found.dtype == np.float64
    assert_array_equal(measure(a.reshape(3, 20), b.reshape(3, 20)), found)
    assert_array_equal(measure(torch.as_tensor(a), b.tolist()), found)
    for bad, message in [
        (a[:2], "differ in shape"),
        (a.reshape(3, 20), "differ in shape"),
        (np.full_like(a, np.nan), "finite"),
        (a[:0], "no numbers"),
        (np.zeros(3), "must hold rows"),
    ]:
        with pytest.raises(ValueError, match=message):
            measure(bad, b)
    with pytest.raises(TypeError, match="real numbers"):
        measure(a.astype(complex), b)


@pytest.mark.parametrize("k", [0, 5, 2.0, True])
def test_as_many_top_features_as_there_are(k):
    with pytest.raises(ValueError, match="k must be a whole number from 1 to 4"):
        metrics.top_k_overlap(np.ones((2, 4)), np.ones((2, 4)), k)


# Removal


def test_deletion_and_insertion_by_hand():
    X, attributions = np.array([[1.0, 2.0, 3.0]]), [[0.5, 9.0, -1.0]]

    def f(X):
        return X @ [1.0, 10.0, 100.0]

    deleted = metrics.deletion_curve(f, X, attributions)
    assert_allclose(deleted.share, [0, 1 / 3, 2 / 3, 1])
    assert_array_equal(deleted.values, [[321, 301, 300, 0]])
    assert_allclose(deleted.area, [(321 / 2 + 301 + 300) / 3])
    inserted = metrics.insertion_curve(f, X, attributions)
    assert_array_equal(inserted.values, [[0, 20, 21, 321]])
    assert_allclose(inserted.share, deleted.share)
    coarse = metrics.deletion_curve(f, X, attributions, n_steps=2)
    assert_array_equal(coarse.values, [[321, 300, 0]])
    assert_allclose(coarse.share, [0, 2 / 3, 1])
    coarse = metrics.insertion_curve(f, X, attributions, n_steps=2)
    assert_array_equal(coarse.values, [[0, 20, 321]])
    assert_allclose(coarse.share, [0, 1 / 3, 1])


@examples(30)
@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_areas_of_a_linear_model_in_closed_form(n_features, seed):
    rng = np.random.default_rng(seed)
    weights, baseline = rng.normal(size=(2, n_features))
    X = rng.normal(size=(4, n_features))
    contributions = weights * (X - baseline)
    deleted = metrics.deletion_curve(lambda X: X @ weights, X, contributions, baseline)
    inserted = metrics.insertion_curve(lambda X: X @ weights, X, contributions, baseline)
    # The j-th highest contribution is gone in all but the first j - 1/2 of the steps.
    highest_first = -np.sort(-contributions, axis=1)
    weight = (n_features - np.arange(n_features) - 0.5) / n_features
    assert_allclose(deleted.area, X @ weights - highest_first @ weight, atol=1e-12)
    assert_allclose(inserted.area, baseline @ weights + highest_first @ weight, atol=1e-12)
    # No other order does better.
    for other in (-contributions, rng.normal(size=X.shape)):
        area = metrics.deletion_curve(lambda X: X @ weights, X, other, baseline).area
        assert (area >= deleted.area - 1e-12).all()


def test_baselines_of_all_shapes():
    X, attributions = rows(3), rows(3, seed=1)
    own = rows(3, seed=2)
    by_hand = []
    for x, a, b in zip(X, attributions, own, strict=True):
        x, values = x.copy(), [linear(x)]
        for feature in np.argsort(-a):
            x[feature] = b[feature]
            values.append(linear(x))
        by_hand.append(values)
    curve = metrics.deletion_curve(linear, X, attributions, own)
    assert_allclose(curve.values, by_hand)
    several = metrics.deletion_curve(linear, X, attributions, np.stack([own, 0 * own]))
    assert several.values.shape == (2, 3, 5)
    assert several.area.shape == (2, 3)
    assert_array_equal(several.values[0], curve.values)
    zero = metrics.deletion_curve(linear, X, attributions, 0)
    assert_array_equal(several.values[1], zero.values)
    # A row for all, and several of these.
    for same in (np.zeros(4), np.zeros((1, 4))):
        assert_array_equal(
            metrics.deletion_curve(linear, X, attributions, same).values, zero.values
        )
    rows_for_all = metrics.deletion_curve(linear, X, attributions, np.zeros((2, 1, 4)))
    assert_array_equal(rows_for_all.values, [zero.values] * 2)
    for bad in (np.zeros(3), np.zeros((2, 4)), np.zeros((2, 2, 4)), np.zeros((0, 1, 4))):
        with pytest.raises(ValueError, match="baseline must be a number, one row"):
            metrics.deletion_curve(linear, X, attributions, bad)
    with pytest.raises(ValueError, match="baseline must be finite"):
        metrics.deletion_curve(linear, X, attributions, np.nan)


def test_images_are_removed_pixel_by_pixel():
    X = np.random.default_rng(0).normal(size=(3, 1, 2, 2))
    attributions = np.random.default_rng(1).normal(size=X.shape)
    image = np.random.default_rng(2).normal(size=(1, 2, 2))

    def of_flat(X):
        return linear(X.reshape(len(X), -1)) ** 2

    deleted = metrics.deletion_curve(of_flat, X, attributions, image)
    flat = [values.reshape(len(values), -1) for values in (X, attributions)]
    expected = metrics.deletion_curve(of_flat, *flat, image.ravel())
    assert_array_equal(deleted.values, expected.values)
    assert_allclose(deleted.values[:, 0], of_flat(X))
    assert_allclose(deleted.values[:, -1], of_flat(image[None])[0])


def test_a_model_always_sees_all_rows_in_their_order():
    X, target = rows(3), np.array([0, 2, 1])

    def f(moved):
        assert moved.shape == X.shape
        return moved[np.arange(3), target]

    own = np.eye(4)[target]  # the attribution of a model that picks one feature
    deleted = metrics.deletion_curve(f, X, own, np.zeros((2, 1, 4)))
    assert_allclose(deleted.values[1, :, 1:], 0)
    assert_allclose(metrics.sensitivity_n(f, X, own * X, n=2), 1)
    assert_allclose(metrics.infidelity(f, X, own, noise=1.0, n_samples=7), 0, atol=1e-25)
    found = metrics.max_sensitivity(lambda X: X * f(X)[:, None], X, radius=0.1, n_samples=5)
    assert (found > 0).all()


@pytest.mark.parametrize(
    ("f", "error", "message"),
    [
        (lambda X: X, ValueError, r"one number a row, shape \(5,\), got \(5, 4\)"),
        (lambda X: 1.0, ValueError, "one number a row"),
        (lambda X: np.full(len(X), np.nan), ValueError, "what f gives must be finite"),
        (nn.Linear(4, 1), TypeError, "a function of NumPy rows, got Linear"),
        (3, TypeError, "a function of NumPy rows, got int"),
    ],
)
def test_models_that_give_something_else(f, error, message):
    for measure in (
        lambda: metrics.deletion_curve(f, rows(), rows()),
        lambda: metrics.insertion_curve(f, rows(), rows()),
        lambda: metrics.sensitivity_n(f, rows(), rows(), n=2),
        lambda: metrics.infidelity(f, rows(), rows(), noise=1.0),
    ):
        with pytest.raises(error, match=message):
            measure()


def test_a_model_may_give_a_column_or_a_tensor():
    module = nn.Linear(4, 1).double()
    curves = [
        metrics.deletion_curve(f, rows(), rows()).values
        for f in (
            lambda X: module(torch.as_tensor(X)),
            lambda X: module(torch.as_tensor(X)).detach().numpy()[:, 0],
        )
    ]
    assert_array_equal(*curves)


def test_features_that_tie_go_in_their_order():
    X = np.arange(1.0, 41)[None]
    deleted = metrics.deletion_curve(lambda X: X.sum(axis=1), X, np.zeros_like(X))
    assert_array_equal(deleted.values[0], X.sum() - np.cumsum([0, *X[0]]))
    inserted = metrics.insertion_curve(lambda X: X.sum(axis=1), X, np.zeros_like(X))
    assert_array_equal(inserted.values[0], np.cumsum([0, *X[0, ::-1]]))


def test_more_steps_than_features():
    with pytest.raises(ValueError, match="n_steps must be a whole number from 1 to 4"):
        metrics.deletion_curve(linear, rows(), rows(), n_steps=5)
    with pytest.raises(ValueError, match="X and attributions differ in shape"):
        metrics.insertion_curve(linear, rows(), rows(4))


# Sensitivity-n


def test_sensitivity_n_of_a_linear_model():
    X = rows()
    for n in (1, 2, 3):
        assert_allclose(metrics.sensitivity_n(linear, X, WEIGHTS * X, n=n), 1)
        assert_allclose(metrics.sensitivity_n(linear, X, -5 * WEIGHTS * X, n=n), -1)
    baselines = np.stack([rows(1, seed=1), rows(1, seed=2)])
    found = metrics.sensitivity_n(linear, X, WEIGHTS * (X - baselines[0]), baselines, n=2)
    assert found.shape == (2, 5)
    assert_allclose(found[0], 1)
    assert (found[1] < 1 - 1e-6).all()


def test_sensitivity_n_by_hand():
    # Two features at 1 and their product: one of them gone, the drop is 1 whichever it is; with a
    # third that adds 2 x, the drops are 1, 1 and 2. Attributions 0, 1 and 1, all subsets of one.
    def f(X):
        return X[:, 0] * X[:, 1] + 2 * X[:, 2]

    X, attributions = np.ones((1, 3)), np.array([[0.0, 1.0, 1.0]])
    found = metrics.sensitivity_n(f, X, attributions, n=1, n_subsets=30_000)
    expected = np.corrcoef([0, 1, 1], [1, 1, 2])[0, 1]
    assert expected == pytest.approx(0.5)
    assert found == pytest.approx(expected, abs=0.03)


def test_sensitivity_n_where_nothing_varies():
    X = rows()
    assert np.isnan(metrics.sensitivity_n(linear, X, np.ones_like(X), n=2)).all()
    ignoring = metrics.sensitivity_n(lambda X: np.full(len(X), 0.1) + 1e-17 * X[:, 0], X, X, n=2)
    assert np.isnan(ignoring).all()
    for n in (0, 4):
        with pytest.raises(ValueError, match="n must be a whole number from 1 to 3"):
            metrics.sensitivity_n(linear, X, X, n=n)
    with pytest.raises(ValueError, match="at least 2 features"):
        metrics.sensitivity_n(lambda X: X[:, 0], X[:, :1], X[:, :1], n=1)
    with pytest.raises(ValueError, match="n_subsets"):
        metrics.sensitivity_n(linear, X, X, n=1, n_subsets=1)


# ROAR


def nearest_mean(X, y, seed):
    """Train nothing: predict the class whose mean is nearer."""
    X = X.reshape(len(X), -1)
    means = np.array([X[y == label].mean(axis=0) for label in (0, 1)])

    def predict(rows):
        away = rows.reshape(len(rows), 1, -1) - means
        return np.linalg.norm(away, axis=2).argmin(axis=1)

    return predict


def labelled(n, seed):
    """Rows whose label is in feature 2 alone."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % 2)
    X = rng.normal(size=(n, 4))
    X[:, 2] = 100.0 * y
    return X, y


def test_roar_by_hand():
    (X, y), (X_test, y_test) = labelled(200, 0), labelled(1000, 1)
    right, wrong = np.eye(4)[2], -np.eye(4)[2]
    accuracy = {
        name: metrics.roar(
            nearest_mean,
            (X, y, np.tile(scores, (200, 1))),
            (X_test, y_test, np.tile(scores, (1000, 1))),
            shares=(0, 0.25, 0.75, 1),
            seeds=(0, 1),
        )
        for name, scores in (("right", right), ("wrong", wrong))
    }
    assert accuracy["right"].shape == (4, 2)
    assert_array_equal(accuracy["right"][:, 0], accuracy["right"][:, 1])
    assert_array_equal(accuracy["wrong"][:, 0], [1, 1, 1, 0.5])
    assert accuracy["right"][0, 0] == 1
    assert_allclose(accuracy["right"][1:3, 0], 0.5, atol=0.06)  # 4 standard errors


def test_roar_removes_to_the_training_mean_and_hands_seeds_on():
    seen = []

    def fit(X, y, seed):
        seen.append((X, seed))
        X[:], y[:] = 0, 0  # copies: what a training does to them stays there
        return lambda rows: np.ones(len(rows), int)

    X, y = labelled(6, 0)
    before = X.copy(), y.copy()
    scores = np.arange(24.0).reshape(6, 4)
    kept = []

    def look(X, y, seed):
        kept.append(X.copy())
        return fit(X, y, seed)

    found = metrics.roar(look, (X, y, scores), (X, y, scores), shares=[0.5], seeds=[3, 4])
    assert_array_equal(found, [[0.5, 0.5]])
    assert [seed for _, seed in seen] == [3, 4]
    assert_array_equal(X, before[0])
    assert_array_equal(y, before[1])
    assert_array_equal(kept[0][:, :2], X[:, :2])
    assert_allclose(kept[0][:, 2:], np.tile(X.mean(axis=0)[2:], (6, 1)))
    metrics.roar(look, (X, y, scores), (X, y, scores), shares=[0.5], seeds=[3], fill=-9)
    assert (kept[-1][:, 2:] == -9).all()


def test_bad_roars():
    X, y = labelled(6, 0)
    part = (X, y, X)
    for training, options, message in [
        ((X, y[:5], X), {}, "y of training has 5"),
        ((X, y, X[:, :2]), {}, "training rows and training attributions differ in shape"),
        ((X[:, :2], y, X[:, :2]), {}, r"differ: \(2,\) and \(4,\)"),
        (part, {"shares": [1.5]}, "a share must be a number from 0 and up to 1"),
        (part, {"fill": np.zeros(3)}, "baseline must be a number"),
    ]:
        with pytest.raises(ValueError, match=message):
            metrics.roar(nearest_mean, training, part, **options)
    with pytest.raises(ValueError, match="has 6 rows, but what the function of fit predicts has 2"):
        metrics.roar(lambda X, y, seed: lambda rows: np.array([0, 1]), part, part)


# Sums


def test_completeness_error_by_hand():
    attributions = [[[1, 2], [3, 4]], [[0, 0], [0, -1]]]
    assert_array_equal(metrics.completeness_error(attributions, [10, 0.5]), [0, 1.5])
    with pytest.raises(ValueError, match=r"difference must have shape \(2,\), got \(3,\)"):
        metrics.completeness_error(attributions, [1, 2, 3])
    with pytest.raises(ValueError, match="difference must have 1 dimension"):
        metrics.completeness_error(attributions, [[1], [2]])


def test_captums_infidelity_of_a_linear_model():
    X, baseline = rows(), rows(1, seed=1)[0]
    slopes = np.tile(WEIGHTS, (5, 1))
    assert_allclose(metrics.infidelity(linear, X, slopes, noise=0.5), 0, atol=1e-24)
    contributions = WEIGHTS * (X - baseline)
    assert_allclose(metrics.infidelity(linear, X, contributions, baseline=baseline), 0, atol=1e-24)
    assert (metrics.infidelity(linear, X, contributions, noise=0.5) > 0.1).all()
    doubled = metrics.infidelity(linear, X, 2 * slopes, noise=0.5, normalise=True)
    assert_allclose(doubled, 0, atol=1e-12)


def test_captums_infidelity_by_hand():
    # With attributions of zeros it is the mean squared change of the output. One feature, moved by
    # x or not at all: x squared times 9, half of the time.
    X = np.array([[1.0], [-2.0]])
    found = metrics.infidelity(
        lambda X: 3 * X[:, 0], X, np.zeros_like(X), baseline=0, n_samples=4000
    )
    assert_allclose(found, [4.5, 18], rtol=0.08)
    # Normal steps: 9 times their variance, which may differ from feature to feature.
    found = metrics.infidelity(
        lambda X: X @ [3.0, 1.0], np.ones((1, 2)), [[0.0, 1.0]], noise=[0.5, 9.0], n_samples=4000
    )
    assert_allclose(found, 9 * 0.25, rtol=0.1)


def test_captums_infidelity_is_the_mean_over_the_same_steps():
    X, attributions = rows(3), rows(3, seed=1)
    found = metrics.infidelity(
        lambda X: np.sin(X).sum(axis=1), X, attributions, noise=2.0, n_samples=11, random_state=5
    )
    rng, errors = np.random.default_rng(5), []
    for _ in range(11):
        step = rng.normal(size=X.shape) * 2
        change = (np.sin(X) - np.sin(X - step)).sum(axis=1)
        errors.append(((step * attributions).sum(axis=1) - change) ** 2)
    assert_allclose(found, np.mean(errors, axis=0))


def test_slopes_and_contributions_are_not_mixed_up():
    for options in ({}, {"noise": 1.0, "baseline": 0.0}):
        with pytest.raises(ValueError, match="Give either noise"):
            metrics.infidelity(linear, rows(), rows(), **options)
    with pytest.raises(ValueError, match="one baseline at a time, got 2"):
        metrics.infidelity(linear, rows(), rows(), baseline=np.zeros((2, 1, 4)))
    for noise in (-1.0, np.ones(3)):
        with pytest.raises(ValueError, match="noise must be a number or an array of shape"):
            metrics.infidelity(linear, rows(), rows(), noise=noise)


# Near a row


def test_local_fidelity_by_hand():
    truth = np.array([[[0.0, 0], [1, -1], [-1, 1]]])
    told = np.array([[[0.0, 0], [2, 0], [1, 0]]])
    # Without their means: 1, -1 and then 1, .5, so the second class loses at the last point too.
    found = metrics.local_fidelity(truth, told)
    assert_allclose(found.r2, [1 - (0 + 2 * 1.5**2) / 4])
    assert_allclose(found.r2_change, found.r2)
    assert_array_equal(found.consistency, [0.5])
    shifted = metrics.local_fidelity(truth, told + np.array([0.0, 6]))
    assert_allclose(shifted.r2_change, found.r2_change)
    assert shifted.r2[0] < found.r2[0]


def test_local_fidelity_of_perfect_constant_and_undefined():
    truth = np.random.default_rng(0).normal(size=(4, 9, 3))
    perfect = metrics.local_fidelity(truth, truth + np.arange(9)[:, None])
    assert_allclose(perfect.r2, 1)
    assert_array_equal(perfect.consistency, 1)
    still = metrics.local_fidelity(truth, np.repeat(truth[:, :1], 9, axis=1))
    assert_allclose(still.r2_change, 0, atol=1e-12)
    assert np.isnan(metrics.local_fidelity(truth[:, :1].repeat(9, 1), truth).r2_change).all()
    for bad in (truth[0], truth[:, :1], truth[..., :1]):
        with pytest.raises(ValueError, match="truth must hold logits"):
            metrics.local_fidelity(bad, bad)


# Robustness


def test_captums_max_sensitivity_by_hand():
    # The attribution x times w moves by w times the step, whose corners are the worst.
    X = np.array([[1.0, 1.0], [3.0, 0.0]])
    worst = 0.1 * np.sqrt(5) / [np.sqrt(5), 3]
    found = metrics.max_sensitivity(lambda X: X * [1, 2], X, radius=0.1, n_samples=3000)
    assert (found <= worst + 1e-12).all()
    assert_allclose(found, worst, rtol=0.05)
    few = metrics.max_sensitivity(lambda X: X * [1, 2], X, radius=0.1, n_samples=3)
    assert (few < found).all()
    for norm, expected in ((1, 0.3 / np.array([3, 3])), (np.inf, 0.2 / np.array([2, 3]))):
        found = metrics.max_sensitivity(
            lambda X: X * [1, 2], X, radius=0.1, norm=norm, n_samples=3000
        )
        assert_allclose(found, expected, rtol=0.05)


def test_max_sensitivity_of_what_does_not_move():
    X = rows()
    assert_array_equal(
        metrics.max_sensitivity(lambda X: np.ones_like(X), X, radius=9.0), np.zeros(5)
    )
    assert_array_equal(metrics.max_sensitivity(lambda X: X * 1, X, radius=0.0), np.zeros(5))
    # A box as wide as each feature's unit: the first alone moves.
    still = metrics.max_sensitivity(lambda X: X * [0, 1, 1, 1], X, radius=[5.0, 0, 0, 0])
    assert_array_equal(still, np.zeros(5))
    # Where there is no attribution, the change is not relative.
    found = metrics.max_sensitivity(lambda X: X - 1, np.ones((1, 1)), radius=2.0, n_samples=500)
    assert found == pytest.approx(2, abs=0.05)


def test_max_sensitivity_is_the_largest_of_the_same_points():
    X, module = rows(4), nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 1)).double()
    found = metrics.max_sensitivity(
        lambda X: gradient(module, X), X, radius=0.3, n_samples=9, random_state=5
    )
    here, rng = gradient(module, X).numpy(), np.random.default_rng(5)
    moved = [gradient(module, X + 0.3 * rng.uniform(-1, 1, X.shape)).numpy() for _ in range(9)]
    change = np.linalg.norm(np.array(moved) - here, axis=2) / np.linalg.norm(here, axis=1)
    assert_allclose(found, change.max(axis=0))


def test_max_sensitivity_of_images_and_bad_options():
    X = rows(6).reshape(6, 1, 2, 2)
    assert metrics.max_sensitivity(np.square, X, radius=0.1).shape == (6,)
    for options, message in [
        ({"radius": -1}, "radius must be a number"),
        ({"radius": np.ones(4)}, "radius must be a number"),
        ({"radius": 1, "norm": 3}, "norm must be 1, 2 or inf"),
        ({"radius": 1, "n_samples": 0}, "n_samples"),
    ]:
        with pytest.raises(ValueError, match=message):
            metrics.max_sensitivity(np.square, X, **options)
    with pytest.raises(ValueError, match="explain must give attributions like its rows"):
        metrics.max_sensitivity(lambda X: X[:, 0], X, radius=1)
    with pytest.raises(ValueError, match="what explain gives must be finite"):
        metrics.max_sensitivity(lambda X: X * np.nan, X, radius=1)
    with pytest.raises(TypeError, match="explain must be a function"):
        metrics.max_sensitivity(nn.ReLU(), X, radius=1)


def test_randomness_is_seeded_and_stays_inside():
    X = rows()
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    for measure in (
        lambda seed: metrics.sensitivity_n(linear, X, rows(seed=1), n=2, random_state=seed),
        lambda seed: metrics.infidelity(linear, X, X, noise=1.0, random_state=seed),
        lambda seed: metrics.infidelity(linear, X, X, baseline=0.0, random_state=seed),
        lambda seed: metrics.max_sensitivity(np.square, X, radius=1.0, random_state=seed),
        lambda seed: metrics.randomisation(gradient, network(), X, random_state=seed).similarities[
            "rank correlation"
        ][-1],
    ):
        assert_array_equal(measure(0), measure(0))
        assert not np.array_equal(measure(0), measure(1), equal_nan=True)
    assert torch.equal(before[0], torch.get_rng_state())
    assert_array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002


# Randomisation


def network():
    return mlp([4, 8, 8, 1], seed=0).double()


def gradient(module, X):
    inputs = torch.as_tensor(X, dtype=torch.float64).requires_grad_()
    return torch.autograd.grad(module(inputs).sum(), inputs)[0]


def test_randomisation_goes_from_the_top_down():
    module, X, seen = network(), rows(), []
    start = {name: value.clone() for name, value in module.state_dict().items()}

    def explain(changed, X):
        assert not changed.training
        state = changed.state_dict()
        seen.append({name for name in start if not torch.equal(state[name], start[name])})
        return gradient(changed, X)

    found = metrics.randomisation(explain, module, X)
    assert found.layers == ("4", "2", "0")
    names = [{f"{layer}.weight", f"{layer}.bias"} for layer in found.layers]
    assert seen == [set(), names[0], names[0] | names[1], set(start)]
    for name, values in found.similarities.items():
        assert values.shape == (3, 5), name
        assert (values[-1] < 1).any(), name
    seen.clear()
    metrics.randomisation(explain, module, X, cascading=False)
    assert seen == [set(), *names]
    assert module.training
    assert all(torch.equal(module.state_dict()[name], start[name]) for name in start)


def test_randomisation_by_hand():
    # The gradient of a linear module is its weights, as torch draws them anew.
    module, X = nn.Linear(4, 1).double(), rows(3)
    drawn = []

    def explain(changed, X):
        drawn.append(changed.weight.detach().numpy().copy())
        return np.tile(drawn[-1], (len(X), 1))

    found = metrics.randomisation(explain, module, X).similarities
    before, after = (weights[0] for weights in drawn)
    assert_allclose(found["rank correlation"], [[spearmanr(before, after).statistic] * 3])
    expected = spearmanr(np.abs(before), np.abs(after)).statistic
    assert_allclose(found["absolute rank correlation"], [[expected] * 3])


def test_what_ignores_the_module_stays_the_same():
    found = metrics.randomisation(lambda module, X: X, network(), rows())
    for values in found.similarities.values():
        assert_allclose(values, 1)
    constant = metrics.randomisation(lambda module, X: np.ones_like(X), network(), rows())
    assert all(np.isnan(values).all() for values in constant.similarities.values())
    own = {"signs": metrics.sign_agreement, "top": lambda a, b: metrics.top_k_overlap(a, b, 2)}
    found = metrics.randomisation(lambda module, X: -X, network(), rows(), similarities=own)
    assert list(found.similarities) == ["signs", "top"]
    assert_array_equal(found.similarities["signs"], np.ones((3, 5)))


def test_layers_that_cannot_be_randomised():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))
            self.inner = nn.Linear(4, 1)

        def forward(self, X):
            return self.inner(X) * self.scale

    with pytest.raises(ValueError, match=r"reset_parameters; without it: \['outer'\]"):
        metrics.randomisation(gradient, nn.ModuleDict({"outer": Scaled()}), rows())
    with pytest.raises(ValueError, match="no layer has parameters"):
        metrics.randomisation(gradient, nn.Sequential(nn.ReLU()), rows())
    with pytest.raises(ValueError, match="explain must give attributions like its rows"):
        metrics.randomisation(lambda module, X: X[:2], network(), rows())


def test_the_exact_contributions_lead_all_random_ones():
    """On a model with interactions the exact Shapley values follow its drops better than noise."""

    def f(X):
        return X[:, 0] * X[:, 1] + 3 * X[:, 2] - X[:, 3]

    X = rows(40)
    share = {
        subset: np.array([i in subset for i in range(4)])
        for size in range(5)
        for subset in itertools.combinations(range(4), size)
    }
    value = {subset: f(np.where(inside, X, 0)) for subset, inside in share.items()}
    shapley = np.zeros_like(X)
    for i, subset in itertools.product(range(4), share):
        if i not in subset:
            weight = math.factorial(len(subset)) * math.factorial(3 - len(subset)) / 24
            shapley[:, i] += weight * (value[tuple(sorted((*subset, i)))] - value[subset])
    assert_allclose(metrics.completeness_error(shapley, f(X) - f(0 * X)), 0, atol=1e-12)
    noise = rows(40, seed=9)
    for measure, better in (
        (lambda a: metrics.sensitivity_n(f, X, a, n=2), 1),
        (lambda a: metrics.infidelity(f, X, a, baseline=0.0), -1),
        (lambda a: metrics.deletion_curve(f, X, a).area, -1),
        (lambda a: metrics.insertion_curve(f, X, a).area, 1),
    ):
        difference = better * (measure(shapley) - measure(noise))
        assert difference.mean() > 3 * difference.std() / np.sqrt(40)
