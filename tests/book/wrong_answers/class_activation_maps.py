"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import ndimage


def forgets_the_weights():
    return [[2, 4], [1, 1]], 3, (0, 1)


def adds_instead_of_averaging():
    return [[6, -8], [3, 3]], 5, (0, 0)


def forgets_the_bias():
    return [[6, -8], [3, 3]], 1, (0, 0)


def largest_in_absolute_value():
    return [[6, -8], [3, 3]], 2, (0, 1)


def all_maps_alike(features, weights, targets):
    return features.sum(axis=1)


def one_class_for_all(features, weights, targets):
    return np.einsum("k,nkij->nij", weights[targets[0]], features)


def keeps_the_positive(features, weights, targets):
    return np.maximum(0, np.einsum("nk,nkij->nij", weights[targets], features))


def divides_by_the_places(features, weights, targets):
    return np.einsum("nk,nkij->nij", weights[targets], features) / features[0, 0].size


def weighs_the_means(features, weights, targets):
    return np.einsum("nk,nk->n", weights[targets], features.mean(axis=(2, 3)))


def forgets_to_return(features, weights, targets):
    np.einsum("nk,nkij->nij", weights[targets], features)


def _around(bright, last=1):
    rows, columns = np.nonzero(bright)
    return rows.min(), columns.min(), rows.max() + last, columns.max() + last


def around_all_pieces(values, share):
    low, high = values.min(), values.max()
    return _around(values >= low + share * (high - low))


def share_of_the_largest(values, share):
    pieces, n = ndimage.label(values >= share * values.max())
    if n == 0:
        return 0, 0, *values.shape
    return _around(pieces == np.bincount(pieces.ravel())[1:].argmax() + 1)


def _biggest(values, share, structure=None):
    low, high = values.min(), values.max()
    pieces, _ = ndimage.label(values >= low + share * (high - low), structure)
    return pieces == np.bincount(pieces.ravel())[1:].argmax() + 1


def ends_at_the_last(values, share):
    return _around(_biggest(values, share), last=0)


def connects_at_corners(values, share):
    return _around(_biggest(values, share, np.ones((3, 3))))


def columns_first(values, share):
    top, left, bottom, right = _around(_biggest(values, share))
    return left, top, right, bottom


def piece_of_the_largest_value(values, share):
    low, high = values.min(), values.max()
    pieces, _ = ndimage.label(values >= low + share * (high - low))
    return _around(pieces == pieces.ravel()[values.argmax()])


def plain_map(features, weights, targets):
    return np.einsum("nk,nkij->nij", weights[targets], features)


def mean_over_places(features, weights, targets):
    maps = plain_map(features, weights, targets)
    return maps - maps.mean(axis=(1, 2), keepdims=True)


def less_the_first_class(features, weights, targets):
    return np.einsum("nk,nkij->nij", weights[targets] - weights[0], features)


def less_the_mean_feature(features, weights, targets):
    return plain_map(features, weights, targets) - features.mean(axis=1)


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-class-activation-maps-1": [
        (forgets_the_weights, "without their weights"),
        (adds_instead_of_averaging, "not the sum"),
        (forgets_the_bias, "bias is missing"),
        (largest_in_absolute_value, "speaks against"),
    ],
    "ex-class-activation-maps-2": [
        (all_maps_alike, "without the weights"),
        (one_class_for_all, "The maps of 4 picture(s)"),
        (keeps_the_positive, "Keep the negative values"),
        (divides_by_the_places, "number of places"),
        (weighs_the_means, "should have shape"),
        (forgets_to_return, "`return` missing"),
    ],
    "ex-class-activation-maps-3": [
        (around_all_pieces, "largest value is not in its largest piece"),
        (share_of_the_largest, "negative values"),
        (ends_at_the_last, "add 1"),
        (connects_at_corners, "touch at a corner"),
        (columns_first, "rows come before columns"),
        (piece_of_the_largest_value, "largest value is not in its largest piece"),
    ],
    "ex-class-activation-maps-4": [
        (plain_map, "the mean of all is still in it"),
        (mean_over_places, "not over places"),
        (less_the_first_class, "The maps"),
        (less_the_mean_feature, "changes no probability"),
    ],
}
