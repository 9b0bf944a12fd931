"""Canvases: the garment is whole, in its box, and nothing crosses from training to test."""

import numpy as np
import pytest

from xai_course.data import canvas_garments, load
from xai_course.data.canvases import _of_other_classes

GARMENTS = load("fashion_mnist")


@pytest.fixture(scope="module")
def canvases():
    return canvas_garments(n_train=30, n_test=20, seed=3)


def test_what_it_returns(canvases):
    assert canvases.X.shape == (50, 56 * 56)
    assert canvases.X.min() >= 0
    assert canvases.X.max() <= 1
    assert canvases.image_shape == (56, 56)
    assert canvases.n_train == 30
    assert canvases.truth.boxes.shape == (50, 4)
    assert len(canvases.feature_names) == 56 * 56
    assert canvases.target_names == GARMENTS.target_names
    same, other = (canvas_garments(n_train=30, n_test=20, seed=seed) for seed in (3, 4))
    assert np.array_equal(same.X, canvases.X)
    assert not np.array_equal(other.X, canvases.X)


def _at_home(images, labels, canvas, box):
    """Return the labels of the garments that lie whole in a box of a canvas."""
    top, left, bottom, right = box
    part = canvas[top:bottom, left:right]
    found = []
    for image, label in zip(images, labels, strict=True):
        seen = image > 0.1
        rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
        own = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        if own.shape == part.shape and np.array_equal(part[own > 0.1], own[own > 0.1]):
            found.append(label)
    return found


def test_each_box_holds_a_whole_garment_of_its_part_and_class(canvases):
    X_train, X_test, y_train, y_test = GARMENTS.split()
    parts = [(X_train.reshape(-1, 28, 28), y_train), (X_test.reshape(-1, 28, 28), y_test)]
    for part, rows in zip(parts, canvases.split_rows(), strict=True):
        for row in rows[:10]:
            canvas = canvases.X[row].reshape(56, 56)
            assert canvases.y[row] in _at_home(*part, canvas, canvases.truth.boxes[row])


def test_without_clutter_the_box_holds_all_light():
    plain = canvas_garments(n_train=15, n_test=5, n_pieces=0, size=40, seed=1)
    images = plain.X.reshape(-1, 40, 40)
    for image, (top, left, bottom, right) in zip(images, plain.truth.boxes, strict=True):
        light = image > 0.1
        assert light[top:bottom, left:right].sum() == light.sum()
        edges = light[top, :], light[bottom - 1, :], light[:, left], light[:, right - 1]
        assert all(edge.any() for edge in edges)


def test_clutter_comes_from_other_classes():
    labels, own = np.array([0, 1, 1, 2, 2, 2]), np.array([2, 0, 1, 1])
    rows = _of_other_classes(labels, own, 50, np.random.default_rng(0))
    assert rows.shape == (4, 50)
    assert [set(labels[row]) for row in rows] == [{0, 1}, {1, 2}, {0, 2}, {0, 2}]


def test_a_canvas_of_the_garments_size_is_the_garment():
    exact = canvas_garments(n_train=8, n_test=8, size=28, n_pieces=0)
    seen = {tuple(x) for x in GARMENTS.X[: GARMENTS.n_train] > 0.1}
    assert {tuple(x) for x in exact.X[:8] > 0.1} <= seen
    cluttered = canvas_garments(n_train=8, n_test=8, size=56, n_pieces=12)
    plain = canvas_garments(n_train=8, n_test=8, size=56, n_pieces=0)
    assert cluttered.X.mean() > 1.3 * plain.X.mean()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_train": 0}, "n_train must be a whole number from 1"),
        ({"n_test": 1.5}, "n_test must be"),
        ({"size": 27}, "size must be a whole number from 28 on, got 27"),
        ({"piece": 29}, "piece must be a whole number from 1 to 28"),
        ({"n_pieces": -1}, "n_pieces must be"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        canvas_garments(**options)
