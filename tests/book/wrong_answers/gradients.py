"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import norm


def second_neuron_forgotten():
    return [1, 2], [-1 / 9, -2 / 9], 0, 32 / 81


def loss_that_rises():
    return [-1, 2], [-1 / 9, 2 / 9], 0, 32 / 81


def curvature_by_the_score():
    return [-1, 2], [1 / 9, -2 / 9], 0, 8 / 81


def score_that_bends():
    return [-1, 2], [1 / 9, -2 / 9], 4, 32 / 81


def draws_noise(W, b, v, x, sigma):
    noisy = x + sigma * np.random.default_rng().normal(size=(1000, len(x)))
    return (v * (noisy @ W.T + b > 0).mean(axis=0)) @ W


def draws_the_same_noise(W, b, v, x, sigma):
    noisy = x + sigma * np.random.default_rng(0).normal(size=(1000, len(x)))
    return (v * (noisy @ W.T + b > 0).mean(axis=0)) @ W


def without_noise(W, b, v, x, sigma):
    return (v * (W @ x + b > 0)) @ W


def forgets_the_length(W, b, v, x, sigma):
    return (v * norm.cdf((W @ x + b) / sigma)) @ W


def takes_a_variance(W, b, v, x, sigma):
    return (v * norm.cdf((W @ x + b) / (np.sqrt(sigma) * np.linalg.norm(W, axis=1)))) @ W


def many_steps(W, b, v, x, baseline):
    t = (np.arange(2000) + 0.5) / 2000
    on = W @ baseline + b + t[:, None] * (W @ (x - baseline)) > 0
    return (x - baseline) * ((v * on.mean(axis=0)) @ W)


def _share(W, b, x, baseline):
    z, end = W @ baseline + b, W @ x + b
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (np.maximum(end, 0) - np.maximum(z, 0)) / (end - z)
    return np.where(z == end, z > 0, share)


def times_x(W, b, v, x, baseline):
    return x * ((v * _share(W, b, x, baseline)) @ W)


def gradient_at_the_end(W, b, v, x, baseline):
    return (x - baseline) * ((v * (W @ x + b > 0)) @ W)


def all_pieces_alike(W, b, v, x, baseline):
    start, end = W @ baseline + b, W @ x + b
    moves = start != end
    t = np.unique([0, 1, *np.clip(start[moves] / (start - end)[moves], 0, 1)])
    on = start + ((t[1:] + t[:-1]) / 2)[:, None] * (end - start) > 0
    return (x - baseline) * ((v * on.mean(axis=0)) @ W)


def divides_by_zero(W, b, v, x, baseline):
    z, end = W @ baseline + b, W @ x + b
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (np.maximum(end, 0) - np.maximum(z, 0)) / (end - z)
    return (x - baseline) * ((v * share) @ W)


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-gradients-1": [
        (second_neuron_forgotten, "subtracts x_1"),
        (loss_that_rises, "look at the sign"),
        (curvature_by_the_score, "by x_2, twice"),
        (score_that_bends, "linear function"),
    ],
    "ex-gradients-2": [
        (draws_noise, "Do not draw noise"),
        (draws_the_same_noise, "SmoothGrad of 30 neurons"),
        (without_noise, "plain gradient"),
        (forgets_the_length, "its weights' length"),
        (takes_a_variance, "not a variance"),
    ],
    "ex-gradients-3": [
        (many_steps, "your parts add up to"),
        (times_x, "multiply it by x - baseline"),
        (gradient_at_the_end, "the gradient at x"),
        (all_pieces_alike, "with its own width"),
        (divides_by_zero, "add up to nan"),
    ],
}
