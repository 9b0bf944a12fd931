"""Does a map find the object? Boxes around maps, and how well they fit known ones.

A box is four whole numbers: first row, first column, and the row and the column behind its last.

Explained in the chapter *class-activation-maps*.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import ndimage

from xai_course._validation import check_array, check_number

__all__ = ["box_of_map", "intersection_over_union", "pointing_hits"]


def box_of_map(values: ArrayLike, share: float) -> np.ndarray:
    """Draw a box around the largest connected piece of what is bright in a map.

    Parameters
    ----------
    values : array_like, shape (height, width)
        A map of one image, in the image's size.
    share : float
        Bright is what lies at least this share of the way from the map's least value to its
        largest, in [0, 1]. So the box depends on no unit and no constant that is added.

    Returns
    -------
    ndarray of int64, shape (4,)
        A box. Pixels are connected along their sides; of pieces of equal size the first counts. A
        map of one value gives the whole image.

    Raises
    ------
    TypeError, ValueError
        If the map is no finite array of two dimensions, or `share` is out of range.

    Notes
    -----
    Zhou et al. (2016), section 3.2, take 20 % of the largest value; after a ReLU, where the least
    value is 0, that is ``share=0.2``. Explained in the chapter *class-activation-maps*.

    Examples
    --------
    >>> values = np.zeros((4, 4))
    >>> values[1:3, 1:4] = 1
    >>> box_of_map(values, share=0.5)
    array([1, 1, 3, 4])
    """
    values = check_array(values, "values", 2)
    share = check_number(share, "share", least=0, most=1)
    least, largest = values.min(), values.max()
    pieces, _ = ndimage.label(values >= least + share * (largest - least))
    biggest = np.bincount(pieces.ravel())[1:].argmax()
    rows, columns = ndimage.find_objects(pieces)[biggest]
    return np.array([rows.start, columns.start, rows.stop, columns.stop], dtype=np.int64)


def intersection_over_union(boxes: ArrayLike, true_boxes: ArrayLike) -> np.ndarray:
    """Return the area that two boxes share over the area that they cover together.

    Parameters
    ----------
    boxes, true_boxes : array_like, shape (n, 4)
        One pair a row; no box may be empty.

    Returns
    -------
    ndarray of float64, shape (n,)
        1 for equal boxes, 0 for boxes that do not meet.

    Raises
    ------
    TypeError, ValueError
        If the shapes differ or a box is empty.

    Examples
    --------
    >>> intersection_over_union([[0, 0, 2, 2]], [[0, 1, 2, 3]]).round(3)
    array([0.333])
    """
    a, b = _boxes(boxes, "boxes"), _boxes(true_boxes, "true_boxes")
    if a.shape != b.shape:
        raise ValueError(f"boxes and true_boxes must be pairs, got {len(a)} and {len(b)}.")
    common = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
    shared = np.maximum(common, 0).prod(axis=1)
    return shared / (_area(a) + _area(b) - shared)


def pointing_hits(maps: ArrayLike, true_boxes: ArrayLike) -> np.ndarray:
    """Play the pointing game: tell whether a map's largest value lies in the true box.

    Parameters
    ----------
    maps : array_like, shape (n, height, width)
    true_boxes : array_like, shape (n, 4)

    Returns
    -------
    ndarray of bool, shape (n,)
        Where several values are largest, the first counts.

    Raises
    ------
    TypeError, ValueError
        If the shapes do not fit or a box is empty.

    Notes
    -----
    Zhang et al. (2018), whose 15 pixels of tolerance are left out. Explained in:
    class-activation-maps.

    Examples
    --------
    >>> pointing_hits([[[0, 1], [0, 0]]], [[0, 1, 1, 2]])
    array([ True])
    """
    maps, boxes = check_array(maps, "maps", 3), _boxes(true_boxes, "true_boxes")
    if len(maps) != len(boxes):
        raise ValueError(f"There must be one box a map, got {len(maps)} maps, {len(boxes)} boxes.")
    flat = maps.reshape(len(maps), -1).argmax(axis=1)
    at = np.column_stack(np.unravel_index(flat, maps.shape[1:]))
    return ((boxes[:, :2] <= at) & (at < boxes[:, 2:])).all(axis=1)


def _boxes(boxes: ArrayLike, name: str) -> np.ndarray:
    boxes = check_array(boxes, name, 2)
    if boxes.shape[1] != 4:
        raise ValueError(f"{name} must have 4 columns, got shape {boxes.shape}.")
    empty = (boxes[:, 2:] <= boxes[:, :2]).any(axis=1)
    if empty.any():
        raise ValueError(f"{name} has {empty.sum()} empty box(es), the first in row "
                         f"{empty.argmax()}.")  # fmt: skip
    return boxes


def _area(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
