"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch


def one_hot(chance):
    return torch.nn.functional.one_hot(chance.argmax(-1), chance.shape[-1]).to(chance)


def loss_of(chances, size=torch.abs):
    """Return an answer that mixes the monomials with `chances` of the logits."""

    def answer(coef, logits, monomials, answers):
        dense = (coef[:, :, None] * chances(logits)).sum(dim=1)
        return size(dense @ monomials.T - answers).mean()

    return answer


def softmax(logits):
    return logits.softmax(dim=2)


def of_the_mean(coef, logits, monomials, answers):
    dense = (coef[:, :, None] * softmax(logits)).sum(dim=1)
    return (dense @ monomials.T - answers).mean(dim=1).abs().mean()


def the_sum(coef, logits, monomials, answers):
    dense = (coef[:, :, None] * softmax(logits)).sum(dim=1)
    return (dense @ monomials.T - answers).abs().sum()


def as_a_number(coef, logits, monomials, answers):
    return loss_of(softmax)(coef, logits, monomials, answers).item()


def detached_softmax(coef, logits, monomials, answers):
    return loss_of(lambda logits: softmax(logits).detach())(coef, logits, monomials, answers)


def wrong_way_round(chance):
    return one_hot(chance) - chance + chance.detach()


def sharpened(chance):
    return (chance.log() * 1e6).softmax(dim=-1)


def over_the_terms(chance):
    hard = torch.zeros_like(chance).scatter_(1, chance.argmax(1, keepdim=True), 1)
    return hard + chance - chance.detach()


def bent(w, b):
    """Return the mean of one unit, if its weight is not 0."""
    start, end = max(b, 0), max(w + b, 0)
    return (end**2 - start**2) / (2 * w) if w else start


def mean_of(unit):
    """Return an answer that adds up a function of one unit."""
    return lambda w, b, a, bias: bias + sum(v * unit(*z) for v, *z in zip(a, w, b, strict=True))


def without_bias(w, b, a, bias):
    return mean_of(bent)(w, b, a, 0)


def relu_of_the_mean(w, b):
    return max(w / 2 + b, 0)


def always_a_triangle(w, b):
    return max(w + b, 0) ** 2 / (2 * abs(w)) if w else max(b, 0)


def sampled(w, b, a, bias):
    x = np.random.default_rng(0).random(10_000)
    return bias + np.mean(np.maximum(np.outer(x, w) + b, 0) @ a)


def at_many_midpoints(w, b, a, bias):
    x = (np.arange(100_000) + 0.5) / 100_000
    return bias + np.mean(np.maximum(np.outer(x, w) + b, 0) @ a)


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-interpretation-networks-1": [
        (loss_of(lambda logits: one_hot(softmax(logits))), "loss of the hard polynomial"),
        (loss_of(lambda logits: logits), "take the softmax of each term"),
        (loss_of(lambda logits: logits.softmax(dim=1)), "over the monomials, the last axis"),
        (loss_of(softmax, torch.square), "not squares"),
        (of_the_mean, "absolute values first"),
        (the_sum, "not the sum"),
        (as_a_number, "no gradient reaches"),
        (detached_softmax, "no gradient reaches the softmaxes"),
        (lambda coef, logits, monomials, answers: 0.5, "The loss of 5 network(s)"),
    ],
    "ex-interpretation-networks-2": [
        (one_hot, "no gradient reaches the softmaxes"),
        (lambda chance: chance, "the softmaxes themselves"),
        (lambda chance: one_hot(chance) * chance, "keeps only its share"),
        (lambda chance: one_hot(chance) + chance, "Take the softmax away again"),
        (wrong_way_round, "wrong sign"),
        (sharpened, "The gradient of the softmaxes"),
        (over_the_terms, "The forward value"),
    ],
    "ex-interpretation-networks-3": [
        (mean_of(relu_of_the_mean), "bends and rises"),
        (mean_of(always_a_triangle), "on everywhere"),
        (without_bias, "output bias"),
        (sampled, "The mean of a unit"),
        (at_many_midpoints, "on for a millionth of the interval"),
    ],
}
