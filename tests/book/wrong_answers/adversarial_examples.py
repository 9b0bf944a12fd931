"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import torch
from captum.robust import PGD


def norms_mixed_up():
    return 4 / 6, 4 / 26**0.5, 4 / 5, 1


def without_the_neurons():
    return 4 / 2, 4 / 5**0.5, 4 / 3, 1


def to_the_other_border():
    return 4 / 5, 4 / 26**0.5, 4 / 6, 3


def always_one():
    return 1, 1, 1, 1


def _slope(network, x, y):
    x = x.detach().requires_grad_()
    loss = torch.nn.functional.cross_entropy(network(x), y, reduction="sum")
    return torch.autograd.grad(loss, x)[0]


def never_projected(network, x, y, size, step, n_steps):
    z = x
    for _ in range(n_steps):
        z = (z + step * _slope(network, z, y).sign()).clamp(0, 1)
    return z


def out_of_range(network, x, y, size, step, n_steps):
    z = x
    for _ in range(n_steps):
        z = z + step * _slope(network, z, y).sign()
        z = torch.minimum(torch.maximum(z, x - size), x + size)
    return z


def downhill(network, x, y, size, step, n_steps):
    z = x
    for _ in range(n_steps):
        z = z - step * _slope(network, z, y).sign()
        z = torch.minimum(torch.maximum(z, x - size), x + size).clamp(0, 1)
    return z


def always_the_first_gradient(network, x, y, size, step, n_steps):
    z, way = x, _slope(network, x, y).sign()
    for _ in range(n_steps):
        z = torch.minimum(torch.maximum(z + step * way, x - size), x + size).clamp(0, 1)
    return z


def one_step_only(network, x, y, size, step, n_steps):
    return (x + size * _slope(network, x, y).sign()).clamp(0, 1)


def calls_the_library(network, x, y, size, step, n_steps):
    each = torch.nn.CrossEntropyLoss(reduction="none")
    start = x.clone().requires_grad_()
    return PGD(network, each, 0, 1).perturb(start, size, step, n_steps, y).detach()


def unmoved(network, x, y, size, step, n_steps):
    return x


def all_that_are_weak():
    return "ABD", [0.31, 0.58, 0.62, 0.41]


def only_the_flat_one():
    return "B", [0.31, 0.58, 0.62, 0.41]


def trusts_twenty_steps():
    return "BD", [0.31, 0.86, 0.62, 0.69]


def without_a_limit():
    return "BD", [0, 0.58, 0, 0.22]


def none_of_them():
    return "", [0, 0, 0, 0]


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-adversarial-examples-1": [
        (norms_mixed_up, "The norms are mixed up"),
        (without_the_neurons, "Which neuron is on"),
        (to_the_other_border, "ends earlier"),
        (always_one, "The distances"),
    ],
    "ex-adversarial-examples-2": [
        (never_projected, "leave the cube"),
        (out_of_range, "below 0 or above 1"),
        (downhill, "should grow"),
        (always_the_first_gradient, "every step uses the gradient at x"),
        (one_step_only, "one step of the whole size"),
        (calls_the_library, "take small slopes for zero"),
        (unmoved, "The pictures after"),
    ],
    "ex-adversarial-examples-3": [
        (all_that_are_weak, "they hide nothing"),
        (only_the_flat_one, "one step does more than 20"),
        (trusts_twenty_steps, "These are the 20 steps"),
        (without_a_limit, "outside the budget"),
        (none_of_them, "one step does more than 20"),
    ],
}
