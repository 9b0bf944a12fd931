"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.special import log_softmax, softmax

from xai_course import distillation

HALF = 2 / np.log(2)


def _parts(student, teacher, labels, T):
    log_p, log_q = log_softmax(teacher / T, axis=1), log_softmax(student / T, axis=1)
    taught = np.sum(np.exp(log_p) * (log_p - log_q), axis=1).mean()
    told = -log_softmax(student, axis=1)[np.arange(len(labels)), labels].mean()
    return told, taught


def no_square(student, teacher, labels, alpha, T):
    told, taught = _parts(student, teacher, labels, T)
    return alpha * told + (1 - alpha) * taught


def alpha_on_the_teacher(student, teacher, labels, alpha, T):
    told, taught = _parts(student, teacher, labels, T)
    return (1 - alpha) * told + alpha * T**2 * taught


def divergence_reversed(student, teacher, labels, alpha, T):
    told, _ = _parts(student, teacher, labels, T)
    _, taught = _parts(teacher, student, labels, T)
    return alpha * told + (1 - alpha) * T**2 * taught


def overflows(student, teacher, labels, alpha, T):
    p = np.exp(teacher / T) / np.exp(teacher / T).sum(axis=1, keepdims=True)
    q = np.exp(student / T) / np.exp(student / T).sum(axis=1, keepdims=True)
    told = -np.log(softmax(student, axis=1))[np.arange(len(labels)), labels].mean()
    return alpha * told + (1 - alpha) * T**2 * np.sum(p * np.log(p / q), axis=1).mean()


def warm_label(student, teacher, labels, alpha, T):
    _, taught = _parts(student, teacher, labels, T)
    told, _ = _parts(student / T, teacher, labels, T)
    return alpha * told + (1 - alpha) * T**2 * taught


def summed(student, teacher, labels, alpha, T):
    told, taught = _parts(student, teacher, labels, T)
    return len(labels) * (alpha * told + (1 - alpha) * T**2 * taught)


def gradients_kept(student, X, told, loss, steps, rate):
    adam = torch.optim.Adam(student.parameters(), lr=rate)
    fall = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    for _ in range(steps):
        loss(student(X), told).backward()
        adam.step()
        fall.step()
    return student


def no_schedule(student, X, told, loss, steps, rate):
    adam = torch.optim.Adam(student.parameters(), lr=rate)
    for _ in range(steps):
        adam.zero_grad()
        loss(student(X), told).backward()
        adam.step()
    return student


def never_steps(student, X, told, loss, steps, rate):
    adam = torch.optim.Adam(student.parameters(), lr=rate)
    for _ in range(steps):
        adam.zero_grad()
        loss(student(X), told).backward()
    return student


def one_step_only(student, X, told, loss, steps, rate):
    adam = torch.optim.Adam(student.parameters(), lr=rate)
    loss(student(X), told).backward()
    adam.step()
    return student


def plain_descent(student, X, told, loss, steps, rate):
    descent = torch.optim.SGD(student.parameters(), lr=rate)
    fall = torch.optim.lr_scheduler.CosineAnnealingLR(descent, steps)
    for _ in range(steps):
        descent.zero_grad()
        loss(student(X), told).backward()
        descent.step()
        fall.step()
    return student


def learns_the_labels(student, X, told, loss, steps, rate):
    hard = 100.0 * torch.nn.functional.one_hot(told.argmax(dim=1), told.shape[1])
    adam = torch.optim.Adam(student.parameters(), lr=rate)
    fall = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    for _ in range(steps):
        adam.zero_grad()
        loss(student(X), hard).backward()
        adam.step()
        fall.step()
    return student


def calls_the_library(student, X, told, loss, steps, rate):
    options = {"epochs": steps, "batch_size": len(X), "learning_rate": rate, "device": "cpu"}
    answers = {row.tobytes(): z for row, z in zip(X.numpy(), told.numpy(), strict=True)}

    def teacher(rows):
        return np.array([answers[row.tobytes()] for row in rows])

    return distillation.distill(teacher, student, X.numpy(), temperature=2.0, **options).module


def negative_least(a, b):
    return a + b - 1, 1 - abs(a - b)


def both_right(a, b):
    return max(0.0, a + b - 1), min(a, b)


def independent(a, b):
    return a * b, 1 - abs(a - b)


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-distillation-1": [
        (lambda: (2 * np.log(2), 3.0), "multiplied by log 2"),
        (lambda: (2 / np.log(0.5), 3.0), "A temperature is positive"),
        (lambda: (HALF, 3.5), "each without its mean"),
        (lambda: (HALF, 6.0), "half of the mean square"),
        (lambda: (HALF, 9.0), "not of the sum of squares"),
        (lambda: HALF, "two numbers"),
    ],
    "ex-distillation-2": [
        (no_square, "too small by T squared"),
        (alpha_on_the_teacher, "The loss with the label only"),
        (divergence_reversed, "The loss with the teacher only, at T = 1"),
        (overflows, "Use log_softmax"),
        (warm_label, "taken at temperature 1"),
        (summed, "Return the mean"),
        (lambda student, teacher, labels, alpha, T: 1.0, "The loss with the label only"),
    ],
    "ex-distillation-3": [
        (gradients_kept, "set them to zero"),
        (no_schedule, "The learning rate does not fall"),
        (never_steps, "The student has not changed"),
        (one_step_only, "once a step is right"),
        (plain_descent, "The student's logits after 12 steps"),
        (learns_the_labels, "The student's logits after 12 steps"),
        (calls_the_library, "In 12 steps the loss was asked for 0 times"),
        (lambda *given: given[0](given[1]), "a torch module"),
    ],
    "ex-distillation-4": [
        (negative_least, "the least is negative"),
        (both_right, "they agree there, too"),
        (independent, "The bounds for accuracies 0.8916 and 0.898"),
        (lambda a, b: (0.7896, 0.9936), "The bounds for accuracies 0.7 and 0.5"),
    ],
}
