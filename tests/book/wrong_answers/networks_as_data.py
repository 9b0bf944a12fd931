"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from xai_course.inet import LambdaNets


def assigns(theta, n_monomials):
    coef, index = np.split(theta, 2)
    dense = np.zeros(n_monomials)
    dense[index.astype(int)] = coef
    return dense


def adds_once(theta, n_monomials):
    coef, index = np.split(theta, 2)
    dense = np.zeros(n_monomials)
    dense[index.astype(int)] += coef
    return dense


def counts_from_one(theta, n_monomials):
    coef, index = np.split(theta, 2)
    return np.bincount(np.maximum(index.astype(int) - 1, 0), coef, minlength=n_monomials)


def too_short(theta, n_monomials):
    coef, index = np.split(theta, 2)
    return np.bincount(index.astype(int), coef)


def always_the_paper(theta, n_monomials):
    return [3, 0, 0, -5, 0, 1, 0, 0, -3, -4]


def forgets_the_bias(W, b, v):
    length = np.linalg.norm(W, axis=1)
    length = np.where(length > 0, length, 1)
    order = np.argsort(-np.abs(v * length))
    return (W / length[:, None])[order], (b / length)[order], (v * length)[order]


def scaled(W, b, v):
    length = np.sqrt((W**2).sum(axis=1) + b**2)
    divisor = np.where(length > 0, length, 1)
    return W / divisor[:, None], b / divisor, v * length


def keeps_the_output_weight(W, b, v):
    W, b, _ = scaled(W, b, v)
    order = np.argsort(-np.abs(v))
    return W[order], b[order], v[order]


def smallest_first(W, b, v):
    W, b, v = scaled(W, b, v)
    order = np.argsort(np.abs(v))
    return W[order], b[order], v[order]


def sorts_by_the_old_size(W, b, v):
    order = np.argsort(-np.abs(v))
    W, b, v = scaled(W, b, v)
    return W[order], b[order], v[order]


def sorts_by_value(W, b, v):
    W, b, v = scaled(W, b, v)
    order = np.argsort(-v)
    return W[order], b[order], v[order]


def divides_by_zero(W, b, v):
    length = np.sqrt((W**2).sum(axis=1) + b**2)
    order = np.argsort(-np.abs(v * length))
    with np.errstate(invalid="ignore"):
        return (W / length[:, None])[order], (b / length)[order], (v * length)[order]


def sorts_the_output_weights_only(W, b, v):
    W, b, v = scaled(W, b, v)
    return W, b, v[np.argsort(-np.abs(v))]


def unchanged(W, b, v):
    return W, b, v


def calls_the_library(W, b, v):
    net = LambdaNets(W[None], b[None], v[None], [0.0]).canonical()
    return net.hidden_weights[0], net.hidden_biases[0], net.output_weights[0]


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-networks-as-data-1": [
        (lambda: (7 / 32, 1, 6), "lacks the output bias"),
        (lambda: (25 / 32, 1, 6), "negative output weight"),
        (lambda: (23 / 32 - 10, 0, 6), "never gives less than zero"),
        (lambda: (23 / 32, 0, 6), "The number of dead neurons"),
        (lambda: (23 / 32, 1, 2), "still has a place"),
        (lambda: 23 / 32, "Return three things"),
    ],
    "ex-networks-as-data-2": [
        (forgets_the_bias, "lengths of the neurons"),
        (keeps_the_output_weight, "has changed"),
        (smallest_first, "should fall in size"),
        (sorts_by_the_old_size, "should fall in size"),
        (sorts_by_value, "should fall in size"),
        (divides_by_zero, "a length was zero"),
        (sorts_the_output_weights_only, "has changed"),
        (unchanged, "lengths of the neurons"),
        (calls_the_library, "Do not call the library"),
    ],
    "ex-networks-as-data-3": [
        (assigns, "sum of both coefficients"),
        (adds_once, "sum of both coefficients"),
        (counts_from_one, "the paper's example"),
        (too_short, "should have shape (4,), got (3,)"),
        (always_the_paper, "should have shape (4,), got (10,)"),
    ],
}
