"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np


def _occlusion(f, image, window, stride, fill, *, sign=1, mean=True, in_place=False):
    falls, times = np.zeros(image.shape), np.zeros(image.shape)
    before = f(image[None])[0]
    for i in range(0, image.shape[0] - window + 1, stride):
        for j in range(0, image.shape[1] - window + 1, stride):
            square = slice(i, i + window), slice(j, j + window)
            covered = image if in_place else image.copy()
            covered[square] = fill
            falls[square] += sign * (before - f(covered[None])[0])
            times[square] += 1
    return falls / np.maximum(times, 1) if mean else falls


def score_after_minus_before(f, image, window, stride, fill=0.0):
    return _occlusion(f, image, window, stride, fill, sign=-1)


def sum_of_falls(f, image, window, stride, fill=0.0):
    return _occlusion(f, image, window, stride, fill, mean=False)


def always_black(f, image, window, stride, fill=0.0):
    return _occlusion(f, image, window, stride, 0.0)


def covers_stay(f, image, window, stride, fill=0.0):
    return _occlusion(f, image, window, stride, fill, in_place=True)


def forgets_to_return(f, image, window, stride, fill=0.0):
    _occlusion(f, image, window, stride, fill)


def one_end_a_piece():
    return [0.4, 0.35, 0.37, 0.7], "A", 0.225


def prices_only():
    return [0.5, 0.35, 0.45, 0.0], "A", 0.225


def breaks_are_free_for_the_coherent():
    return [0.6, 0.45, 0.47, 0.7], "B", 0.225


def against_a_alone():
    return [0.6, 0.45, 0.47, 0.7], "A", 0.125


def _gradient(W, b, X):
    z = X @ W.T + b
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return W.sum(axis=0) - len(W) * p @ W


def ignores_the_mask(W, b, X, A):
    return (_gradient(W, b, X) ** 2).sum(axis=1).mean()


def sums_the_rows(W, b, X, A):
    return ((A * _gradient(W, b, X)) ** 2).sum()


def squares_the_sum(W, b, X, A):
    return ((A * _gradient(W, b, X)).sum(axis=1) ** 2).mean()


def overflows(W, b, X, A):
    with np.errstate(all="ignore"):
        p = np.exp(X @ W.T + b)
        gradient = W.sum(axis=0) - len(W) * (p / p.sum(axis=1, keepdims=True)) @ W
    return ((A * gradient) ** 2).sum(axis=1).mean()


def share_of_all(own_before, own_after, other_before, other_after):
    flips = (own_before == other_before) & (own_after != own_before)
    return ((other_after != other_before) & flips).mean()


def never_asks_whether_they_agreed(own_before, own_after, other_before, other_after):
    return (other_after != other_before)[own_after != own_before].mean()


def to_the_same_class(own_before, own_after, other_before, other_after):
    flips = (own_before == other_before) & (own_after != own_before)
    return (other_after == own_after)[flips].mean()


def zero_where_nothing_flipped(own_before, own_after, other_before, other_after):
    flips = (own_before == other_before) & (own_after != own_before)
    return (other_after != other_before)[flips].sum() / max(flips.sum(), 1)


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-masks-and-rationales-1": [
        (score_after_minus_before, "The signs"),
        (sum_of_falls, "the mean of the falls"),
        (always_black, "the colour 0.5"),
        (covers_stay, "squares side by side"),
        (forgets_to_return, "return"),
    ],
    "ex-masks-and-rationales-2": [
        (one_end_a_piece, "two ends"),
        (prices_only, "the reader's error"),
        (breaks_are_free_for_the_coherent, "cheapest without breaks"),
        (against_a_alone, "cheaper still"),
    ],
    "ex-masks-and-rationales-3": [
        (ignores_the_mask, "only those with A = 1"),
        (sums_the_rows, "not the mean"),
        (squares_the_sum, "the square of the summed gradient"),
        (overflows, "subtract the largest"),
    ],
    "ex-masks-and-rationales-4": [
        (share_of_all, "a share of all pictures"),
        (never_asks_whether_they_agreed, "agreed before"),
        (to_the_same_class, "another class"),
        (zero_where_nothing_flipped, "the share is nan"),
    ],
}
