"""Generators: what they claim as truth must be what the rows show."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import chi2
from sklearn.datasets import make_circles
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from xai_course.data import chirp_wave, co_circles, home_lending

LOANS = home_lending(n=60_000, seed=7)
FICO, LTV = (LOANS.feature_names.index(name) for name in ("fico0", "ltv_fcast"))
TABLE_4 = [
    "fico0",
    "ltv_fcast",
    "sato2",
    "unemprrt",
    "dlq_new_delq0",
    "orig_hpi",
    "ifix15",
    "h",
    "premod_ind",
    "qspread",
    "iarm",
    "totpersincyy",
    "orig_fico",
    "hpiyy",
    "rgdpqq",
    "orig_cltv",
    "ifulldoc",
    "balloon_in",
    "dum_loanpurp_P",
    "interest_only_in",
    "isf",
]


@pytest.mark.parametrize("generator", [chirp_wave, co_circles, home_lending])
def test_same_seed_same_rows(generator):
    one, same, other = generator(n=200, seed=1), generator(n=200, seed=1), generator(n=200, seed=2)
    assert np.array_equal(one.X, same.X)
    assert np.array_equal(one.y, same.y)
    assert not np.array_equal(one.X, other.X)
    assert one.X.dtype == np.float64
    assert one.X.shape == (200, len(one.feature_names))
    assert one.n_train is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: chirp_wave(n=0), "n must be"),
        (lambda: chirp_wave(noise=-1), "noise must be"),
        (lambda: co_circles(n=1), "n must be"),
        (lambda: co_circles(n="many"), "n must be"),
        (lambda: chirp_wave(n=2.5), "n must be"),
        (lambda: chirp_wave(noise=np.nan), "noise must be"),
        (lambda: co_circles(noise=0), "noise must be"),
        (lambda: home_lending(n=0), "n must be"),
        (lambda: LOANS.truth.log_odds(LOANS.X[:, :3]), "21 column"),
        (lambda: LOANS.truth.segment(np.full((1, 21), np.nan)), "finite"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_chirp_wave_is_the_papers_formula():
    data = chirp_wave(n=20_000, noise=0.1, seed=3)
    x = data.X[:, 0]
    residual = data.y - np.sin(2 * np.pi / (x + 0.2))
    assert np.all((x >= 0) & (x <= 1))
    assert data.task == "regression"
    np.testing.assert_allclose(data.truth.mean(data.X), data.y - residual)
    # Standard errors: 0.1 / sqrt(n) for the mean, 0.1 / sqrt(2 n) for the standard deviation.
    assert abs(residual.mean()) < 4 * 0.1 / np.sqrt(20_000)
    assert abs(residual.std() - 0.1) < 4 * 0.1 / np.sqrt(40_000)
    np.testing.assert_array_equal(
        chirp_wave(50, noise=0).y, chirp_wave(50, noise=0).truth.mean(chirp_wave(50, noise=0).X)
    )


def test_co_circles_is_make_circles():
    data = co_circles()
    X, y = make_circles(n_samples=2000, noise=0.1, random_state=0)
    assert np.array_equal(data.X, X)
    assert np.array_equal(data.y, y)


def test_the_circles_probability_is_calibrated():
    data = co_circles(n=200_000, noise=0.1, seed=5)
    p = data.truth.probability(data.X)
    bins = np.minimum((p * 20).astype(int), 19)
    count = np.bincount(bins, minlength=20)
    used = count > 100
    expected = np.bincount(bins, weights=p, minlength=20)[used]
    variance = np.bincount(bins, weights=p * (1 - p), minlength=20)[used]
    observed = np.bincount(bins, weights=data.y, minlength=20)[used]
    statistic = np.sum((observed - expected) ** 2 / variance)
    assert used.sum() >= 12
    assert statistic < chi2.ppf(1 - 1e-6, used.sum())
    assert p.max() - p.min() > 0.5


def test_the_circles_radius_is_where_the_classes_tie():
    truth = co_circles().truth
    radius = truth.radius
    assert 0.8 < radius < 1.0
    points = radius * np.array([[1.0, 0.0], [0.0, -1.0], [0.6, 0.8]])
    np.testing.assert_allclose(truth.probability(points), 0.5, atol=1e-9)
    assert np.all(truth.probability(0.9 * points) > 0.5)
    assert np.all(truth.probability(1.1 * points) < 0.5)
    # A narrow ring: the density underflows unless the Bessel function is scaled.
    assert np.all(np.isfinite(co_circles(noise=1e-3).truth.log_odds(points)))


def test_home_lending_has_the_predictors_of_table_4():
    assert LOANS.feature_names == TABLE_4
    assert len(set(LOANS.words)) == len(TABLE_4)
    assert list(LOANS.truth.coefficients.columns) == ["intercept", *TABLE_4]
    frame = LOANS.frame
    assert frame[["fico0", "orig_fico"]].corr().iloc[0, 1] > 0.7
    assert frame[["ltv_fcast", "orig_cltv"]].corr().iloc[0, 1] > 0.7
    assert frame[["ltv_fcast", "hpiyy"]].corr().iloc[0, 1] < -0.2
    assert frame[["fico0", "orig_fico"]].stack().between(300, 850).all()
    for name in ("dlq_new_delq0", "premod_ind", "iarm", "ifix15", "ifulldoc", "balloon_in", "isf"):
        assert set(frame[name]) == {0.0, 1.0}
    assert not ((frame["iarm"] == 1) & (frame["ifix15"] == 1)).any()


@pytest.mark.parametrize("seed", range(3))
def test_half_of_the_loans_default(seed):
    # Four standard errors of a share at n = 10,000.
    assert abs(home_lending(seed=seed).y.mean() - 0.5) < 0.02


def test_segments_follow_fico_and_ltv():
    segment, frame = LOANS.truth.segment(LOANS.X), LOANS.frame
    index = frame["fico0"] - 4 * frame["ltv_fcast"]
    assert np.array_equal(segment, np.where(index < 360, 0, np.where(index < 440, 1, 2)))
    assert np.all(np.diff(frame.groupby(segment)["fico0"].mean()) > 0)
    assert np.all(np.diff(frame.groupby(segment)["ltv_fcast"].mean()) < 0)
    assert np.all(np.bincount(segment) / len(segment) > 0.15)
    risk = [LOANS.y[segment == k].mean() for k in range(3)]
    assert risk[0] > 0.85
    assert 0.4 < risk[1] < 0.7
    assert risk[2] < 0.2


def test_each_segment_has_its_own_driver():
    table = LOANS.truth.coefficients
    assert (table["fico0"] < 0).all()
    assert (table["ltv_fcast"] > 0).all()
    assert (table["dlq_new_delq0"] < 0).all()
    # Effects in standard deviations, as a parallel-coordinates plot shows them.
    effect = table[TABLE_4].abs() * LOANS.X.std(axis=0)
    assert effect.loc["low"].idxmax() == "dlq_new_delq0"
    assert set(effect.loc["middle"].nlargest(2).index) == {"fico0", "ltv_fcast"}
    assert effect.loc["high"].idxmax() == "premod_ind"
    assert table.loc["low", "h"] < 0 < table.loc["high", "h"]


@settings(max_examples=200, deadline=None)
@given(
    row=st.integers(0, len(LOANS.y) - 1),
    fico=st.floats(300, 850),
    ltv=st.floats(10, 150),
    more_fico=st.floats(0, 300),
    more_ltv=st.floats(0, 100),
)
def test_risk_is_monotone_in_fico_and_ltv_within_segments_and_across(
    row, fico, ltv, more_fico, more_ltv
):
    loan = np.repeat(LOANS.X[row : row + 1], 3, axis=0)
    loan[:, FICO], loan[:, LTV] = fico, ltv
    loan[1, FICO] += more_fico
    loan[2, LTV] += more_ltv
    plain, better, worse = LOANS.truth.log_odds(loan)
    assert better <= plain + 1e-9
    assert worse >= plain - 1e-9


def logistic_fit(X, y):
    """Maximum likelihood by Newton's method, with standard errors from the Fisher information."""
    A = np.column_stack([np.ones(len(X)), X])
    beta = np.zeros(A.shape[1])
    for _ in range(30):
        p = expit(A @ beta)
        information = A.T @ (A * (p * (1 - p))[:, None])
        step = np.linalg.solve(information, A.T @ (y - p))
        beta = beta + step
        if np.abs(step).max() < 1e-10:
            break
    return beta, np.sqrt(np.diag(np.linalg.inv(information)))


@pytest.mark.parametrize("k", range(3))
def test_a_logistic_fit_in_a_segment_finds_its_coefficients(k):
    segment = LOANS.truth.segment(LOANS.X)
    truth = LOANS.truth.coefficients.to_numpy()
    scale = np.r_[1.0, LOANS.X.std(axis=0)]
    rows = segment == k
    beta, error = logistic_fit(LOANS.X[rows] / scale[1:], LOANS.y[rows])
    z = (beta - truth[k] * scale) / error
    assert np.abs(z).max() < 4, dict(zip(["intercept", *TABLE_4], z.round(1), strict=True))
    # The fit is sharp enough to tell this segment from the others.
    other = truth[(k + 1) % 3] * scale
    assert np.abs((beta - other) / error).max() > 6


def test_the_truth_beats_one_logistic_model():
    score = LOANS.truth.log_odds(LOANS.X)
    bayes = roc_auc_score(LOANS.y, score)
    assert 0.82 < bayes < 0.90
    Z = StandardScaler().fit_transform(LOANS.X)
    single = LogisticRegression(C=1e6, max_iter=500).fit(Z, LOANS.y).decision_function(Z)
    assert roc_auc_score(LOANS.y, single) < bayes - 0.012
