"""Boxes around maps, and their scores, on cases that can be counted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from xai_course.metrics.localisation import (
    box_of_map,
    intersection_over_union,
    pointing_hits,
)

MAP = np.zeros((6, 9))
MAP[1:3, 2:4], MAP[5, 8] = 1.0, 2.0


def test_the_largest_piece_counts_and_not_the_largest_value():
    assert box_of_map(MAP, 0.4).tolist() == [1, 2, 3, 4]
    assert box_of_map(MAP, 0.6).tolist() == [5, 8, 6, 9]
    assert box_of_map(MAP, 0).tolist() == [0, 0, 6, 9]
    assert box_of_map(np.full((2, 3), 7.0), 0.5).tolist() == [0, 0, 2, 3]


def test_pieces_are_connected_along_sides_and_the_first_of_equals_counts():
    assert box_of_map(np.eye(3), 0.5).tolist() == [0, 0, 1, 1]


@given(
    arrays(float, (4, 5), elements=st.integers(-3, 3).map(float)),
    st.sampled_from([0.25, 0.5, 0.75]),
    st.sampled_from([2.0**-20, 2.0, 2.0**20]),
)
def test_no_unit_and_no_constant_matters(values, share, unit):
    box = box_of_map(values, share).tolist()
    assert box_of_map(unit * values, share).tolist() == box
    assert box_of_map(values + 4, share).tolist() == box
    flipped = box_of_map(values.T, share)
    top, left, bottom, right = box
    assert bottom > top
    assert right > left
    assert (flipped[2] - flipped[0]) * (flipped[3] - flipped[1]) > 0


def test_overlap_by_hand():
    boxes = [[0, 0, 2, 2], [0, 0, 2, 2], [0, 0, 2, 2], [0, 0, 4, 4]]
    true = [[0, 0, 2, 2], [1, 1, 3, 3], [2, 0, 4, 2], [1, 1, 3, 2]]
    np.testing.assert_allclose(intersection_over_union(boxes, true), [1, 1 / 7, 0, 2 / 16])
    np.testing.assert_allclose(intersection_over_union(true, boxes), [1, 1 / 7, 0, 2 / 16])


def test_pointing_by_hand():
    maps = np.stack([MAP, MAP, -MAP])
    boxes = [[5, 8, 6, 9], [1, 2, 3, 4], [0, 0, 1, 1]]
    assert pointing_hits(maps, boxes).tolist() == [True, False, True]
    assert pointing_hits(MAP[None], [[0, 0, 5, 8]]).tolist() == [False]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: box_of_map(MAP[0], 0.5), "values must have 2 dimension"),
        (lambda: box_of_map(MAP, 1.5), "share must be a number from 0 and up to 1, got 1.5"),
        (lambda: box_of_map(np.full((2, 2), np.nan), 0.5), "values must be finite"),
        (lambda: intersection_over_union([[0, 0, 1]], [[0, 0, 1]]), "boxes must have 4 columns"),
        (lambda: intersection_over_union([[0, 0, 1, 1]] * 2, [[0, 0, 1, 1]]), "got 2 and 1"),
        (lambda: intersection_over_union([[0, 0, 1, 0]], [[0, 0, 1, 1]]), "1 empty box"),
        (lambda: pointing_hits(MAP[None], [[0, 0, 1, 1]] * 2), "got 1 maps, 2 boxes"),
        (lambda: pointing_hits(MAP, [[0, 0, 1, 1]]), "maps must have 3 dimension"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
