"""Checks of the chapter *unwrapping-inference*."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import stats
from sklearn.linear_model import LogisticRegression

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.expect import assert_close, assert_equal, close_to, expect_array
from xai_course.unwrapping.glm import fit_glm
from xai_course.unwrapping.inference import inference_table

SLUG = "unwrapping-inference"


@exercise(f"ex-{SLUG}-1")
def four_times_the_loans(answer: Callable[[], Any]) -> str:
    """Compare with the fit on the 136 rows."""
    counts = 4 * np.array([12, 4, 6, 12])
    x = np.repeat([1.0, 1.0, 0.0, 0.0], counts)[:, None]
    y = np.repeat([1, 0, 1, 0], counts)
    row = inference_table(x, y, ["late"], classification=True).loc["late"]
    slope, std_err = expect_array(answer(), (2,), "two numbers, the slope and its standard error")
    if np.isclose(std_err, 2 * row["std_err"]):
        raise CheckFailed("This is the standard error of 34 loans. What does a count of 48 give?")
    if np.isclose(std_err, row["std_err"] ** 2):
        raise CheckFailed("This is the variance; its root is asked for.")
    assert_close(slope, row["coef"], "The slope", tolerance=5e-3)
    assert_close(std_err, row["std_err"], "The standard error", tolerance=5e-3)
    return "The slope stays, and its standard error is halved."


@exercise(f"ex-{SLUG}-2")
def hc3(answer: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> str:
    """Compare with statsmodels on random rows whose noise grows with a feature."""
    rng = np.random.default_rng(2)
    for n_rows, n_features in [(30, 1), (60, 4)]:
        X = rng.normal(size=(n_rows, n_features)) + 1
        y = X[:, 0] * (1 + rng.normal(size=n_rows))
        names = [f"x{j + 1}" for j in range(n_features)]
        expected, classic = (
            inference_table(X, y, names, cov_type=kind)["std_err"].to_numpy()
            for kind in ("HC3", "nonrobust")
        )
        what = f"{n_features} error(s), one per feature"
        found = expect_array(answer(X, y), expected.shape, what)
        _name_the_mistake(found, expected, classic, X, y)
        assert_close(found, expected, f"The errors of {n_features} feature(s)")
    return "The standard errors agree with statsmodels."


def _name_the_mistake(
    found: np.ndarray, expected: np.ndarray, classic: np.ndarray, X: np.ndarray, y: np.ndarray
) -> None:
    design = np.column_stack([np.ones(len(X)), X])
    inverse = np.linalg.inv(design.T @ design)
    scaled = (y - design @ (inverse @ design.T @ y))[:, None] * design
    plain = np.sqrt(np.diag(inverse @ scaled.T @ scaled @ inverse))
    if np.allclose(found, plain):
        raise CheckFailed("This is HC0: the residuals are not divided by 1 - leverage.")
    if np.allclose(found, classic):
        raise CheckFailed("These are the classic errors, which assume one variance for all rows.")
    if np.allclose(found, expected**2):
        raise CheckFailed("These are the variances; their roots are asked for.")


@exercise(f"ex-{SLUG}-3")
def holm(answer: Callable[..., Any]) -> str:
    """Compare with cases small enough to decide by hand, then with statsmodels."""
    for p_values, expected, why in [
        ([0.001, 0.5, 0.02], [True, False, True], "0.02 is second of three: alpha / 2 = 0.025."),
        ([0.04, 0.03, 0.5], [False, False, False], "0.03 is above alpha / 3, so nothing passes."),
        (
            [0.03, 0.04, 0.045],
            [False, False, False],
            "Stop at the first that fails, which is 0.03.",
        ),
    ]:
        what = "one answer per p-value, 3 of them"
        found = expect_array(answer(np.array(p_values)), (3,), what) != 0
        if found.tolist() != expected:
            raise CheckFailed(
                f"For the p-values {p_values} the stars should be {expected}, "
                f"got {found.tolist()}. {why}"
            )
    from statsmodels.stats.multitest import multipletests  # slow to import

    p_values = np.random.default_rng(3).uniform(size=40) ** 6
    for alpha in (0.05, 0.2):
        expected = multipletests(p_values, alpha, method="holm")[0]
        assert_equal(
            np.asarray(answer(p_values, alpha)) != 0,
            expected,
            f"The stars of 40 p-values with alpha {alpha}",
        )
    return "The stars agree with statsmodels, ties with the order included."


@exercise(f"ex-{SLUG}-4")
def printed_penalty(answer: Callable[..., float]) -> str:
    """Compare with ridge fits of known strength and a maximum-likelihood fit."""
    rng = np.random.default_rng(4)
    X = rng.normal(size=(200, 3)) + 0.5
    y = (rng.random(200) < 1 / (1 + np.exp(-(X @ [1.0, -2.0, 0.5])))).astype(int)
    coef, intercept = fit_glm(X, y, 2)
    found = answer(X, y, float(intercept[0]), coef[0])
    assert_equal(found, np.inf, "The C of a maximum-likelihood fit")
    for C in (1.0, 0.05):
        ridge = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-10).fit(X, y)
        found = answer(X, y, float(ridge.intercept_[0]), ridge.coef_[0])
        if C != 1 and close_to(found, 1 / C, rtol=1e-3):
            raise CheckFailed(f"{found:.4g} is the strength of the penalty, 1 / C; return C.")
        assert_close(found, C, f"The C of a ridge with C = {C}", tolerance=1e-3)
    return "You find the penalty behind three tables."


@exercise(f"ex-{SLUG}-5")
def wilson(answer: Callable[..., Sequence[float]]) -> str:
    """Compare with scipy."""
    for hits, trials in [(0, 20), (34, 392), (7, 7)]:
        found = expect_array(answer(hits, trials), (2,), "two numbers, the ends of the interval")
        share, what = hits / trials, f"The interval of {hits} hits in {trials} trials"
        half = 1.96 * np.sqrt(share * (1 - share) / trials)
        if np.allclose(found, [share - half, share + half]):
            raise CheckFailed(f"{what}: this is the plain interval, share +- z times SE.")
        expected = stats.binomtest(hits, trials).proportion_ci(method="wilson")
        assert_close(found, [expected.low, expected.high], what, tolerance=1e-4)
    narrow, wide = (np.ptp(answer(3, 50, z)) for z in (1.0, 2.0))
    if not narrow < wide:
        raise CheckFailed("A larger z should give a wider interval: use the argument z.")
    return "The intervals agree with scipy, without a hit too."
