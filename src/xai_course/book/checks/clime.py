"""Checks of the chapter *clime*."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import log_softmax
from sklearn.linear_model import Ridge

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.expect import assert_close, close_to, expect_array, expect_number, expect_parts
from xai_course.networks import PiecewiseLinearNetwork

SLUG = "clime"


@exercise(f"ex-{SLUG}-1")
def temperature(answer: Callable[[], float]) -> str:
    """Compare with the temperature at which the odds of two logits are two to one."""
    found, expected = answer(), 2 / np.log(2)
    if close_to(found, 2 * np.log(2), rtol=5e-3):
        raise CheckFailed("You multiplied by log 2. The ratio is exp(2 / T): solve it for T.")
    if close_to(found, 2 / np.log(0.5), rtol=5e-3):
        raise CheckFailed("A temperature is positive: here the first class is the likelier one.")
    assert_close(found, expected, "The temperature", tolerance=1e-3)
    return "The temperature is right; the third logit has no say."


@exercise(f"ex-{SLUG}-2")
def kd_loss(answer: Callable[..., Any]) -> str:
    """Compare the parts one by one, then both together, then logits that overflow."""
    rng = np.random.default_rng(2)
    student, teacher = rng.normal(scale=3, size=(2, 20, 4))
    labels = rng.integers(0, 4, size=20)
    _compare_loss(answer, student, teacher, labels, 1.0, 3.0, "with the label only")
    _compare_loss(answer, student, teacher, labels, 0.0, 1.0, "with the teacher only, at T = 1")
    _compare_loss(answer, student, teacher, labels, 0.0, 5.0, "with the teacher only, at T = 5")
    _compare_loss(answer, student, teacher, labels, 0.3, 4.0, "with alpha = 0.3")
    _compare_loss(answer, 400 * student, 400 * teacher, labels, 0.5, 1.0, "of large logits")
    return "The loss is right in five cases, also for logits in the thousands."


def _compare_loss(
    answer: Callable[..., Any],
    student: np.ndarray,
    teacher: np.ndarray,
    labels: np.ndarray,
    alpha: float,
    T: float,
    where: str,
) -> None:
    log_p, log_q = log_softmax(teacher / T, axis=1), log_softmax(student / T, axis=1)
    taught = T**2 * np.sum(np.exp(log_p) * (log_p - log_q), axis=1)
    told = -log_softmax(student, axis=1)[np.arange(len(labels)), labels]
    expected = np.mean(alpha * told + (1 - alpha) * taught)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        found = answer(student, teacher, labels, alpha, T)
    if alpha == 0 and T > 1 and close_to(found, expected / T**2):
        raise CheckFailed("The teacher's part is too small by T squared.")
    if np.isnan(expect_number(found, f"The loss {where}")):
        raise CheckFailed(f"The loss {where} is not a number: exp overflows. Use log_softmax.")
    assert_close(found, expected, f"The loss {where}")


@exercise(f"ex-{SLUG}-3")
def consistency_bounds(answer: Callable[..., Any]) -> str:
    """Compare for good, middling and bad classifiers."""
    for a, b in [(0.8916, 0.8980), (0.7, 0.5), (0.3, 0.4), (1.0, 0.6), (0.0, 0.0)]:
        found = expect_array(answer(a, b), (2,), "two numbers, the least and the most")
        expected = np.array([max(0.0, a + b - 1), 1 - abs(a - b)])
        if close_to(found[0], a + b - 1) and found[0] < -1e-9:
            raise CheckFailed(f"For accuracies {a} and {b} the least is negative: no share is.")
        if close_to(found[1], min(a, b)) and expected[1] > min(a, b):
            raise CheckFailed("Both may be wrong in the same way: they agree there, too.")
        assert_close(found, expected, f"The bounds for accuracies {a} and {b}")
    return "The bounds are right for five pairs of accuracies."


@exercise(f"ex-{SLUG}-4")
def weighted_ridge(answer: Callable[..., Any]) -> str:
    """Compare with scikit-learn, where weights, penalty or intercept decide."""
    rng = np.random.default_rng(4)
    Z = rng.integers(0, 2, size=(60, 5)).astype(float)
    y = Z @ rng.normal(size=5) + 7 + rng.normal(scale=0.3, size=60)
    s = rng.uniform(0.1, 2, size=60)
    for weights, penalty, where in [
        (np.ones(60), 1e-9, "without weights and penalty"),
        (s, 1e-9, "with weights"),
        (np.ones(60), 5.0, "with a penalty"),
        (s, 2.0, "with weights and a penalty"),
    ]:
        fit = Ridge(alpha=penalty).fit(Z, y, sample_weight=weights)
        what = "two things: the coefficients and the intercept"
        coef, intercept = expect_parts(answer(Z, y, weights, penalty), 2, what)
        assert_close(coef, fit.coef_, f"The coefficients {where}", tolerance=1e-6)
        assert_close(intercept, fit.intercept_, f"The intercept {where}", tolerance=1e-6)
    return "Coefficients and intercept equal scikit-learn's in four cases."


@exercise(f"ex-{SLUG}-5")
def region_radius(answer: Callable[..., Any]) -> str:
    """Compare with the half-spaces that the library computes."""
    rng = np.random.default_rng(5)
    for _ in range(20):
        W, b, x = rng.normal(size=(6, 3)), rng.normal(size=6), rng.normal(size=3)
        network = PiecewiseLinearNetwork([W, np.ones((1, 6))], [b, np.zeros(1)])
        region = network.region(network.activation_pattern(x[None])[0])
        expected = float(np.min(region.b - region.A @ x))
        found = answer(W, b, x)
        if close_to(found, np.abs(W @ x + b).min()):
            raise CheckFailed("That is the smallest input of a neuron. Divide by its length.")
        assert_close(found, expected, "The distance")
    dead = answer(np.array([[0.0, 0], [3, 4]]), np.array([1.0, 10]), np.zeros(2))
    assert_close(dead, 2.0, "The distance beside a neuron with zero weights")
    if answer(np.zeros((2, 2)), np.ones(2), np.zeros(2)) != np.inf:
        raise CheckFailed("Where no neuron has a border, the distance is infinite.")
    return "The distance is right in 22 cases, also beside neurons without a border."
