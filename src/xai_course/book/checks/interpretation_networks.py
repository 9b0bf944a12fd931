"""Checks of the chapter *interpretation-networks*."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator
from xai_course.book.expect import assert_close, close_to, expect_array, expect_number
from xai_course.inet import LambdaNets, closed_form_moments

SLUG = "interpretation-networks"
NO_GRADIENT = "Return a tensor that torch has computed, without NumPy, `.item()` or `.detach()`"


@exercise(f"ex-{SLUG}-1")
def soft_loss(answer: Any) -> str:
    """Compare value and gradients with the mean absolute error of the mixture."""
    for seed, (n_nets, s, m, n_points) in enumerate([(5, 3, 6, 40), (1, 1, 4, 7), (8, 2, 3, 20)]):
        rng = student_generator(seed)
        coef, logits, monomials, answers = (
            torch.as_tensor(rng.normal(size=shape))
            for shape in ((n_nets, s), (n_nets, s, m), (n_points, m), (n_nets, n_points))
        )
        found = expect_number(answer(coef, logits, monomials, answers), "The loss")
        _name_the_slip(found, coef, logits, monomials, answers)
        expected = _loss(coef, logits.softmax(dim=2), monomials, answers)
        assert_close(found, expected.item(), f"The loss of {n_nets} network(s) with {s} term(s)")
        leaves = [coef.requires_grad_(), logits.requires_grad_()]
        expected = _loss(coef, logits.softmax(dim=2), monomials, answers)
        wanted = torch.autograd.grad(expected, leaves)
        what = "the loss is right, but no gradient reaches the {}"
        _compare_gradients(answer.function(*leaves, monomials, answers), leaves, wanted, what)
    return "The loss is right, and its gradient reaches the coefficients and the softmaxes."


def _loss(coef: Any, chance: Any, monomials: Any, answers: Any) -> torch.Tensor:
    dense = torch.einsum("ns,nsm->nm", coef, chance)
    return (dense @ monomials.T - answers).abs().mean()


def _name_the_slip(found: Any, coef: Any, logits: Any, monomials: Any, answers: Any) -> None:
    """Raise an error that names a usual slip, where it gives another number than the truth."""
    chance = logits.softmax(dim=2)
    difference = torch.einsum("ns,nsm->nm", coef, chance) @ monomials.T - answers
    slips = {
        "This is the loss of the hard polynomial. The soft one mixes all monomials.": _loss(
            coef, _one_hot(chance), monomials, answers
        ),
        "The logits are no chances yet: take the softmax of each term.": _loss(
            coef, logits, monomials, answers
        ),
        "Each softmax runs over the monomials, the last axis.": _loss(
            coef, logits.softmax(dim=1), monomials, answers
        ),
        "The loss takes absolute values, not squares.": difference.square().mean(),
        "Take the absolute values first, then the mean.": difference.mean(dim=1).abs().mean(),
        "Take the mean over networks and points, not the sum.": difference.abs().sum(),
    }
    truth = difference.abs().mean().item()
    for message, value in slips.items():
        if close_to(found, value.item()) and not np.isclose(value.item(), truth):
            raise CheckFailed(message)


def _one_hot(chance: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.one_hot(chance.argmax(dim=-1), chance.shape[-1]).to(chance)


def _compare_gradients(found: Any, leaves: list[Any], wanted: Any, what: str) -> None:
    names = ("coefficients", "softmaxes")[-len(leaves) :]
    if not (isinstance(found, torch.Tensor) and found.requires_grad):
        raise CheckFailed(f"{what.format(names[-1]).capitalize()}. {NO_GRADIENT}.")
    gradients = torch.autograd.grad(found, leaves, allow_unused=True)
    for name, gradient, expected in zip(names, gradients, wanted, strict=True):
        if gradient is None:
            raise CheckFailed(f"{what.format(name).capitalize()}. {NO_GRADIENT}.")
        if close_to(gradient.numpy(), -expected.numpy()):
            raise CheckFailed("The gradient has the wrong sign: mind which part is detached.")
        assert_close(gradient.numpy(), expected.numpy(), f"The gradient of the {name}", 1e-6)


@exercise(f"ex-{SLUG}-2")
def straight_through(answer: Any) -> str:
    """Compare the value with the arg-max, and the gradient with that of the softmaxes."""
    for seed, shape in enumerate([(4, 3, 6), (1, 1, 2), (7, 5, 56)]):
        rng = student_generator([2, seed])
        chance = torch.as_tensor(rng.dirichlet(np.ones(shape[-1]), size=shape[:-1]))
        found = expect_array(answer(chance), shape, f"chances of the same shape, {shape}")
        hard = _one_hot(chance)
        if close_to(found, chance.numpy()):
            raise CheckFailed(
                "These are the softmaxes themselves. On the way forward the winner takes all."
            )
        if close_to(found, (hard * chance).numpy()):
            raise CheckFailed("The winner keeps only its share. Its value must be 1.")
        if close_to(found, (hard + chance).numpy()):
            raise CheckFailed("Take the softmax away again, so that the value is the arg-max.")
        assert_close(found, hard.numpy(), "The forward value", tolerance=1e-6)
        upstream = torch.as_tensor(rng.normal(size=shape))
        raw = answer.function(chance.requires_grad_())
        total = (raw * upstream).sum() if isinstance(raw, torch.Tensor) else raw
        what = "the value is right, but no gradient reaches the {}"
        _compare_gradients(total, [chance], [upstream], what)
    return "Forward it is the arg-max, and backward the softmax."


@exercise(f"ex-{SLUG}-3")
def network_mean(answer: Callable[..., Any]) -> str:
    """Compare with the closed form, case by case, then on random networks and on thin spikes."""
    single = {
        "of a unit that is on everywhere": (0.5, 1.0),
        "of a unit that is off everywhere": (0.5, -1.0),
        "of a unit that bends and rises": (2.0, -0.5),
        "of a unit that bends and falls": (-2.0, 0.5),
        "of a unit that falls and is on everywhere": (-1.0, 3.0),
        "of a unit with weight 0": (0.0, 2.0),
    }
    for case, (w, b) in single.items():
        _compare_mean(answer, np.array([w]), np.array([b]), np.array([2.0]), 0.0, case)
    _compare_mean(answer, np.array([1.0]), np.array([-2.0]), np.array([2.0]), 0.7, "(output bias)")
    rng = student_generator(2)
    for width in (3, 15):
        w, b, a = rng.normal(size=(3, width))
        _compare_mean(answer, w, b, a, rng.normal(), f"of a network with {width} units")
    # On for one millionth of the interval: points miss it, the triangle's area is 1.
    for w, b in ((1e6, 1 - 1e6), (-1e6, 1.0)):
        found = answer(np.array([w]), np.array([b]), np.array([2e6]), 0.0)
        what = "The mean of a unit with weight 1e6, which is on for a millionth of the interval"
        assert_close(found, 1.0, what, tolerance=1e-8)
    return "The mean is exact for each kind of unit, for whole networks and for thin spikes."


def _compare_mean(
    answer: Callable[..., Any],
    w: np.ndarray,
    b: np.ndarray,
    a: np.ndarray,
    bias: float,
    what: str,
) -> None:
    nets = LambdaNets(w[None, :, None], b[None], a[None], [bias])
    expected = closed_form_moments(nets, degree=1)[0, -1]
    assert_close(answer(w, b, a, bias), expected, f"The mean {what}", tolerance=1e-8)
