"""Checks of the chapter *distillation*."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.special import log_softmax

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator, student_seed
from xai_course.book.expect import assert_close, close_to, expect_array, expect_number, expect_parts

SLUG = "distillation"


Logits = tuple[int, int, int]


def _hot_and_cold(teacher: Logits = (5, 3, 1), student: Logits = (1, 2, 3)) -> tuple[float, float]:
    return (teacher[0] - teacher[1]) / np.log(2), np.var(np.subtract(teacher, student)) / 2


def _draw_logits(rng: np.random.Generator) -> dict[str, Logits]:
    while True:  # until means are whole, and no slip comes near the limit
        teacher, student = (tuple(z.tolist()) for z in rng.integers(0, 7, (2, 3)))
        apart = np.subtract(teacher, student)
        wide, off = np.var(apart), np.mean(apart) ** 2
        if teacher[0] > teacher[1] and apart.sum() % 3 == 0 and 0 < off < wide < 12:
            return {"teacher": teacher, "student": student}


@exercise(
    f"ex-{SLUG}-1",
    draw=_draw_logits,
    question="the teacher gives the logits {teacher} and the student {student}.",
    right=lambda **logits: tuple(map(float, _hot_and_cold(**logits))),
)
def hot_and_cold(
    answer: Callable[[], Any], teacher: Logits = (5, 3, 1), student: Logits = (1, 2, 3)
) -> str:
    """Compare with the temperature of two-to-one odds, and half a mean square."""
    found, limit = expect_parts(answer(), 2, "two numbers: the temperature and the limit")
    temperature, right = _hot_and_cold(teacher, student)
    if close_to(found, temperature * np.log(2) ** 2, rtol=5e-3):
        raise CheckFailed("You multiplied by log 2. The ratio is exp(difference / T): solve for T.")
    if close_to(found, -temperature, rtol=5e-3):
        raise CheckFailed("A temperature is positive: the first class is likelier than the second.")
    assert_close(found, temperature, "The temperature", tolerance=5e-3)
    if close_to(limit, np.mean(np.subtract(teacher, student) ** 2) / 2, rtol=5e-3):
        raise CheckFailed("The limit compares the logits each without its mean.")
    if close_to(limit, 2 * right, rtol=5e-3):
        raise CheckFailed("The limit is half of the mean square.")
    if close_to(limit, 3 * right, rtol=5e-3):
        raise CheckFailed("The limit is half of the mean square, not of the sum of squares.")
    assert_close(limit, right, "The limit", tolerance=5e-3)
    return "Temperature and limit are right."


@exercise(f"ex-{SLUG}-2")
def kd_loss(answer: Callable[..., Any]) -> str:
    """Compare the parts one by one, then both together, then logits that overflow."""
    rng = student_generator(2)
    student, teacher = rng.normal(scale=3, size=(2, 20, 4))
    labels = rng.integers(0, 4, size=20)
    _compare_loss(answer, student, teacher, labels, 1.0, 3.0, "with the label only")
    _compare_loss(answer, student, teacher, labels, 0.0, 1.0, "with the teacher only, at T = 1")
    _compare_loss(answer, student, teacher, labels, 0.0, 5.0, "with the teacher only, at T = 5")
    _compare_loss(answer, student, teacher, labels, 0.3, 4.0, "with alpha = 0.3")
    few = (student[:1], teacher[:1], labels[:1])
    _compare_loss(answer, *few, 0.6, 2.0, "of a single row")
    _compare_loss(answer, 400 * student, 400 * teacher, labels, 0.5, 1.0, "of large logits")
    return "The loss is right in six cases, also for logits in the thousands."


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
    cooled = -log_softmax(student / T, axis=1)[np.arange(len(labels)), labels].mean()
    if alpha == 1 and close_to(found, cooled):
        raise CheckFailed("The label's part is taken at temperature 1.")
    if len(labels) > 1 and close_to(found, len(labels) * expected):
        raise CheckFailed("That is the sum over the rows. Return the mean.")
    if np.isnan(expect_number(found, f"The loss {where}")):
        raise CheckFailed(f"The loss {where} is not a number: exp overflows. Use log_softmax.")
    assert_close(found, expected, f"The loss {where}")


@exercise(f"ex-{SLUG}-3")
def imitate(answer: Callable[..., Any]) -> str:
    """Compare the trained module with that of another loop, on three teachers."""
    for seed, steps, rate in [(0, 12, 0.03), (1, 1, 0.1), (2, 25, 0.01)]:
        start, X, told = _pupil(seed)
        expected = _trained(start, X, told, steps, rate)(X).detach().numpy()
        loss = _CountedLoss()
        done = answer(copy.deepcopy(start), X.clone(), told.clone(), loss, steps, rate)
        if not isinstance(done, torch.nn.Module):
            raise CheckFailed(f"Return the trained student, a torch module, got {type(done)}.")
        if loss.calls != steps:
            raise CheckFailed(
                f"In {steps} steps the loss was asked for {loss.calls} times; once a step is right."
            )
        found = done(X).detach().numpy()
        for slip, message in _SLIPS.items():
            if steps > 1 and np.allclose(
                found, _trained(start, X, told, steps, rate, slip)(X).detach().numpy(), atol=1e-5
            ):
                raise CheckFailed(message)
        where = f"The student's logits after {steps} step{'s' * (steps > 1)}"
        assert_close(found, expected, where, tolerance=1e-4)
    return "Three students equal those of another loop after 12, 1 and 25 steps."


_SLIPS = {
    "kept": "The gradients of all steps are added up: set them to zero in each step.",
    "even": "The learning rate does not fall: the schedule takes one step after each of Adam's.",
    "none": "The student has not changed: does each step end with a step of the optimiser?",
}


class _CountedLoss:
    """The mean divergence at temperature 2, which counts how often it is asked for."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        p, q = (torch.log_softmax(logits / 2, dim=1) for logits in (teacher, student))
        return 4 * (p.exp() * (p - q)).sum(dim=1).mean()


def _pupil(seed: int) -> tuple[torch.nn.Module, torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(student_seed(seed))
    student = torch.nn.Sequential(
        torch.nn.Linear(3, 6), torch.nn.ReLU(), torch.nn.Linear(6, 3)
    ).double()
    with torch.no_grad():
        for weight in student.parameters():
            weight.copy_(torch.randn(weight.shape, generator=draw, dtype=torch.double))
    X, A = (torch.randn(n, 3, generator=draw, dtype=torch.double) for n in (40, 3))
    return student, X, 3 * torch.tanh(X @ A)


def _trained(
    start: torch.nn.Module,
    X: torch.Tensor,
    told: torch.Tensor,
    steps: int,
    rate: float,
    slip: str = "",
) -> torch.nn.Module:
    """Train a copy; with a slip, as a usual mistake would."""
    student, loss = copy.deepcopy(start), _CountedLoss()
    adam = torch.optim.Adam(student.parameters(), lr=rate)
    for step in range(steps if slip != "none" else 0):
        if slip != "even":
            adam.param_groups[0]["lr"] = rate * (1 + np.cos(np.pi * step / steps)) / 2
        if slip != "kept":
            adam.zero_grad()
        loss(student(X), told).backward()
        adam.step()
    return student


@exercise(f"ex-{SLUG}-4")
def consistency_bounds(answer: Callable[..., Any]) -> str:
    """Compare for good, middling and bad classifiers."""
    rng = student_generator(4)
    drawn = rng.uniform(size=(5, 2)).round(3).tolist()
    for a, b in [(0.8916, 0.8980), (0.7, 0.5), (0.3, 0.4), (1.0, 0.6), (0.0, 0.0), *drawn]:
        found = expect_array(answer(a, b), (2,), "two numbers, the least and the most")
        expected = np.array([max(0.0, a + b - 1), 1 - abs(a - b)])
        if close_to(found[0], a + b - 1) and found[0] < -1e-9:
            raise CheckFailed(f"For accuracies {a} and {b} the least is negative: no share is.")
        if close_to(found[1], min(a, b)) and expected[1] > min(a, b) + 1e-6:
            raise CheckFailed("Both may be wrong in the same way: they agree there, too.")
        assert_close(found, expected, f"The bounds for accuracies {a} and {b}")
    return "The bounds are right for ten pairs of accuracies."
