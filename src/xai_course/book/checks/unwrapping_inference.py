"""Checks of the chapter *unwrapping-inference*."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats
from sklearn.linear_model import LogisticRegression

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator
from xai_course.book.expect import assert_close, assert_equal, close_to, expect_array
from xai_course.unwrapping.glm import fit_glm
from xai_course.unwrapping.inference import inference_table

SLUG = "unwrapping-inference"


def _draw_rows(rng: np.random.Generator) -> dict[str, int]:
    gaps = rng.permutation([1, 2, 3])[:2]
    means = 4 + np.array([0, rng.integers(2, 7)])
    low, high = (means - gaps).tolist(), (means + gaps).tolist()
    return {"a": low[0], "b": high[0], "c": low[1], "d": high[1]}


def _tested(a: int = 1, b: int = 3, c: int = 4, d: int = 8) -> tuple[float, ...]:
    row = inference_table(np.array([[0.0], [0], [1], [1]]), np.array([a, b, c, d]), ["x"]).loc["x"]
    return tuple(row[["coef", "std_err", "statistic"]].astype(float).round(6).tolist())


@exercise(
    f"ex-{SLUG}-1",
    draw=_draw_rows,
    question="y is {a} and {b} where x = 0, and {c} and {d} where x = 1.",
    right=_tested,
)
def four_rows(answer: Callable[[], Any], **numbers: int) -> str:
    """Compare with the library's test of the four rows."""
    expected = _tested(**numbers)
    what = "three numbers, the slope, its standard error and t"
    slope, error, t = expect_array(answer(), (3,), what)
    if close_to(error, expected[1] ** 2):
        raise CheckFailed("This is the slope's variance; its root is the standard error.")
    if close_to(error, expected[1] / np.sqrt(2)):
        raise CheckFailed("The sum of squares is divided by n - d - 1, not by n. What are n and d?")
    assert_close(slope, expected[0], "The slope", tolerance=5e-3)
    assert_close(error, expected[1], "The standard error", tolerance=5e-3)
    assert_close(t, expected[2], "t", tolerance=5e-3)
    return "Slope, standard error and t are those of the library."


@exercise(f"ex-{SLUG}-2")
def printed_penalty(answer: Callable[..., Any]) -> str:
    """Compare with rounded tables of ridge fits and of maximum likelihood."""
    rng = student_generator(4)
    for slopes in ([1.0, -2.0, 0.5], [0.8, 1.5]):
        penalty = 1.0
        while penalty > 0.09:  # rounding alone may make almost 0.1
            X = rng.normal(size=(200, len(slopes))) + 0.5
            y = (rng.random(200) < 1 / (1 + np.exp(-(X @ slopes)))).astype(int)
            coef, intercept = fit_glm(X, y, 2)
            a, beta = intercept[0].round(2), coef[0].round(2)
            penalty = _score(X, y, a, beta) @ beta / (beta @ beta)
        for digits in (12, 2):
            table = float(intercept[0].round(digits)), coef[0].round(digits)
            found = answer(X, y, *table)
            assert_equal(found, np.inf, f"The C of a fit without penalty, {digits} decimals")
        for C in (1.0, 0.05, 0.2):
            ridge = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-10).fit(X, y)
            a, beta = float(ridge.intercept_[0].round(2)), ridge.coef_[0].round(2)
            score = _score(X, y, a, beta)
            expected = beta @ beta / (score @ beta)
            found = answer(X, y, a, beta)
            is_right = close_to(found, expected)  # a slip may come as near, by luck
            if not is_right and close_to(found, 1 / expected):
                raise CheckFailed(f"{found:.4g} is the strength of the penalty, 1 / C; return C.")
            if not is_right and any(close_to(found, one) for one in beta / score):
                raise CheckFailed("This is the C of one slope alone; all slopes have a say.")
            if not is_right and close_to(found, score @ beta / (score @ score)):
                raise CheckFailed("You fitted the slopes by C s; fit the scores by lambda beta.")
            assert_close(found, expected, f"The C of a ridge with C = {C}", tolerance=1e-6)
    return "You find the penalty behind ten printed tables."


def _score(X: np.ndarray, y: np.ndarray, a: float, beta: np.ndarray) -> np.ndarray:
    return X.T @ (y - 1 / (1 + np.exp(-(X @ beta + a))))


@exercise(f"ex-{SLUG}-3")
def honest_test(answer: Callable[..., Any]) -> str:
    """Watch which rows choose the clusters, and compare with a test on all others."""
    rng = student_generator(5)
    for n, d, cluster in [(60, 2, 0), (81, 3, 1), (100, 1, 1)]:
        X = rng.normal(size=(n, d))
        y = X[:, 0] ** 2 + 3 * rng.normal(size=n)  # p-values that can be told from zero
        order = np.argsort(y)  # the rows come sorted
        _one_test(answer, X[order], y[order], cluster, student_generator(n))
    return "The rows that chose the cluster stay out of the test, in three cases."


def _one_test(
    answer: Callable[..., Any],
    X: np.ndarray,
    y: np.ndarray,
    cluster: int,
    rng: np.random.Generator,
) -> None:
    d, border = X.shape[1], float(np.median(X[:, 0]))  # both clusters are large, whatever is seen
    number = {row.tobytes(): i for i, row in enumerate(X)}
    fits: list[np.ndarray] = []

    def assign(new: Any) -> np.ndarray:
        return (np.asarray(new, dtype=float).reshape(-1, X.shape[1])[:, 0] > border).astype(int)

    def fit(some: Any, responses: Any) -> Callable[[Any], np.ndarray]:
        some, responses = np.asarray(some, dtype=float), np.asarray(responses, dtype=float)
        rows = np.array([number.get(row.tobytes(), -1) for row in some])
        if len(rows) != len(responses) or (rows < 0).any() or (y[rows] != responses).any():
            raise CheckFailed("`fit` was given rows and responses that do not belong together.")
        fits.append(rows)
        return assign

    found = answer(fit, X, y, cluster, rng)
    if len(fits) != 1:
        raise CheckFailed(f"`fit` was called {len(fits)} times; train and merge once.")
    seen = np.unique(fits[0])
    if len(seen) == len(X):
        raise CheckFailed("`fit` saw all rows, so every row has chosen the cluster that it tests.")
    if abs(2 * len(seen) - len(X)) > 1 or len(seen) < len(fits[0]):
        raise CheckFailed(
            f"`fit` was given {len(fits[0])} rows, {len(seen)} of them different, of {len(X)}: "
            "one half, each row once, should choose."
        )
    if np.ptp(seen) == len(seen) - 1:
        raise CheckFailed(
            "`fit` saw one half of the rows as they come, and they come sorted by the response: "
            "draw the halves at random."
        )
    fresh = np.setdiff1d(np.arange(len(X)), seen)
    own = assign(X) == cluster
    table = _table(X[fresh][own[fresh]], y[fresh][own[fresh]])
    found = expect_array(found, (d,), f"{d} p-value(s), one for each slope")
    for rows, slip in [
        (own, "The test used every row of the cluster, also those that chose it."),
        (np.isin(np.arange(len(X)), seen) & own, "The test used the rows that chose the cluster."),
        (np.isin(np.arange(len(X)), fresh), "The test used fresh rows of all clusters."),
    ]:
        if close_to(found, _table(X[rows], y[rows])["p_value"].to_numpy()[1:]):
            raise CheckFailed(slip)
    expected = table["p_value"].to_numpy()[1:]
    normal = 2 * stats.norm.sf(np.abs(table["statistic"].to_numpy()[1:]))
    if not close_to(normal, expected) and close_to(found, normal):
        raise CheckFailed("These are p-values of the normal distribution; a regression has t.")
    assert_close(found, expected, "The p-values on the fresh rows of the cluster", tolerance=1e-6)


def _table(X: np.ndarray, y: np.ndarray) -> Any:
    return inference_table(X, y, [str(j) for j in range(X.shape[1])])


_RISKY, _SAFE = (64, 32, 16, 8), (8, 16, 32, 64)  # late: default, no default; never late: the same


def _draw_segments(rng: np.random.Generator) -> dict[str, Any]:
    """Draw two segments with the same odds for the late and the others in each."""
    while True:
        odds, against = rng.choice([2, 3, 4], 2).tolist()
        late, few, seldom, never = rng.integers([5, 2, 2, 5], [11, 6, 6, 11]).tolist()
        risky = 4 * np.array([odds * late, late, odds * few, few])
        safe = 4 * np.array([seldom, against * seldom, never, against * never])
        (slope, _, z), loans = _region(risky, safe), int(sum(risky + safe))
        if z > 3.05 and loans <= 480:  # the validator's sentence says that z is above 3
            numbers = {"risky": tuple(risky.tolist()), "safe": tuple(safe.tolist())}
            return {**numbers, "loans": loans, "factor": f"{np.exp(slope):.2f}"}


def _region(risky: Any, safe: Any) -> tuple[float, float, float]:
    """Return the slope of the two segments together, its standard error and z."""
    row = _lateness(np.add(risky, safe))
    return float(row["coef"]), float(row["std_err"]), float(row["statistic"])


def _lateness(counts: Any) -> Any:
    """Return the library's row for *late*, from the four counts of a table."""
    x, y = np.array([[1.0], [1.0], [0.0], [0.0]]), np.array([1, 0, 1, 0])
    table = inference_table(
        np.repeat(x, counts, axis=0), np.repeat(y, counts), ["late"], classification=True
    )
    return table.loc["late"]


def _five_numbers(
    risky: tuple[int, ...] = _RISKY, safe: tuple[int, ...] = _SAFE, **told: Any
) -> tuple[float, ...]:
    slopes = (float(_lateness(counts)["coef"]) for counts in (risky, safe))
    return tuple(round(number, 4) + 0.0 for number in (*slopes, *_region(risky, safe)))


@exercise(
    f"ex-{SLUG}-4",
    draw=_draw_segments,
    question=(
        "there are {loans} fresh loans. Risky, late before: {risky[0]} default, {risky[1]} do not; "
        "risky, never late: {risky[2]} and {risky[3]}; safe, late before: {safe[0]} and {safe[1]}; "
        "safe, never late: {safe[2]} and {safe[3]}. The validator writes a factor of {factor}."
    ),
    right=_five_numbers,
)
def two_segments(
    answer: Callable[[], Any],
    risky: tuple[int, ...] = _RISKY,
    safe: tuple[int, ...] = _SAFE,
    **told: Any,
) -> str:
    """Compare with fits to the loans."""
    what = "five numbers: slopes risky and safe, and slope, standard error and z of the region"
    found = expect_array(answer(), (5,), what)
    for name, one, counts in zip(("risky", "safe"), found, (risky, safe), strict=False):
        assert_close(one, _lateness(counts)["coef"], f"The slope in {name}", tolerance=5e-3)
    slope, error, z = _region(risky, safe)
    if close_to(found[3], error**2, rtol=1e-2):
        raise CheckFailed("This is the variance of the region's slope; its root is asked for.")
    if close_to(found[2], np.exp(slope), rtol=1e-2):
        raise CheckFailed("This is the ratio of the odds; the slope is its logarithm.")
    for one, value, name in zip(
        found[2:], (slope, error, z), ("slope", "standard error", "z"), strict=True
    ):
        assert_close(one, value, f"The region's {name}", tolerance=5e-3)
    return "No slope in either segment, and a clear one in the region."
