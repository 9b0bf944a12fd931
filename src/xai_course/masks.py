"""The smallest region of an image to delete, learned by gradient descent.

Explained in the chapter *masks-and-rationales*.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.ndimage import gaussian_filter
from torch import nn

from xai_course._validation import check_array, check_number, check_whole

__all__ = ["Masks", "blurred", "learn_masks"]


@dataclass(frozen=True, eq=False)
class Masks:
    """What `learn_masks` found.

    Attributes
    ----------
    keep : ndarray of float64, shape (n_images, height, width)
        1 where a pixel stays as it is, 0 where it becomes the reference.
    images : ndarray of float64, shape (n_images, height, width)
        The images as the masks leave them.
    before, after : ndarray of float64, shape (n_images,)
        Probability of the target for the images, and for what the masks leave of them.
    target : ndarray of int64, shape (n_images,)
    """

    keep: np.ndarray
    images: np.ndarray
    before: np.ndarray
    after: np.ndarray
    target: np.ndarray


def blurred(images: ArrayLike, sigma: float = 3.0) -> np.ndarray:
    """Return images out of focus, a reference that removes detail and keeps the light.

    Parameters
    ----------
    images : array_like, shape (n_images, height, width)
    sigma : float
        Standard deviation of the Gaussian, in pixels.

    Returns
    -------
    ndarray of float64, like the images

    Raises
    ------
    ValueError
        If the images are no stack of finite pictures or `sigma` is not positive.

    Notes
    -----
    Explained in the chapter *masks-and-rationales*.
    """
    images = check_array(images, "images", 3)
    check_number(sigma, "sigma", above=0)
    return gaussian_filter(images, (0, sigma, sigma), mode="constant")


def learn_masks(
    module: nn.Module,
    images: ArrayLike,
    target: ArrayLike | None = None,
    *,
    reference: ArrayLike = 0.0,
    side: int = 7,
    area_price: float = 0.3,
    edge_price: float = 0.5,
    jitter: int = 2,
    steps: int = 150,
    learning_rate: float = 0.1,
    random_state: int = 0,
) -> Masks:
    """Learn for each image the smallest region whose deletion takes the decision away.

    Parameters
    ----------
    module : torch.nn.Module
        In evaluation mode; takes (n_images, height, width) and returns logits.
    images : array_like, shape (n_images, height, width)
    target : int or array_like of int, optional
        The class whose probability is to fall; by default the one that the module decides for.
    reference : array_like
        What takes the place of a deleted pixel: a number, an image or one image per image.
    side : int
        Cells of the mask along each side, enlarged to the image's size; as many cells as pixels
        leave the mask free in every pixel.
    area_price : float
        Price of deleting the whole image, in units of probability.
    edge_price : float
        Price of the mask's edges: the mean of ``|m_i - m_j|^3`` over neighbouring cells.
    jitter : int
        Each step moves the image up to so many pixels in each direction; what leaves it on one side
        comes in on the other.
    steps : int
    learning_rate : float
        Adam's.
    random_state : int
        Seed of the jitter.

    Returns
    -------
    Masks

    Raises
    ------
    ValueError
        If images, reference, target or an option do not fit.

    Notes
    -----
    Fong and Vedaldi (2017), equations 3 and 4, with their exponent 3 for the edges. Every image has
    a mask of its own; all start nearly whole.

    Explained in the chapter *masks-and-rationales*.
    """
    images = check_array(images, "images", 3)
    n, *size = images.shape
    check_whole(side, "side", 1, min(size))
    check_whole(jitter, "jitter", 0, min(size) - 1)
    check_whole(steps, "steps", 1)
    for value, name in ((area_price, "area_price"), (edge_price, "edge_price")):
        check_number(value, name, least=0)
    check_number(learning_rate, "learning_rate", above=0)
    try:
        reference = np.broadcast_to(np.asarray(reference, dtype=float), images.shape)
    except ValueError as error:
        raise ValueError(f"reference must fit images of shape {images.shape}: {error}") from error
    pictures, other = (torch.tensor(a, dtype=torch.float32) for a in (images, reference))
    before = _probabilities(module, pictures)
    classes = before.argmax(1) if target is None else _classes(target, before)

    raw = torch.full((n, 1, side, side), 3.0, requires_grad=True)
    optimizer = torch.optim.Adam([raw], learning_rate)
    rng = np.random.default_rng(random_state)
    for _ in range(steps):
        cells = raw.sigmoid()
        moved = _mix(cells, pictures, other).roll(_move(rng, jitter), (1, 2))
        probability = module(moved).softmax(1).gather(1, classes[:, None]).sum()
        price = area_price * (1 - cells).mean((1, 2, 3)).sum() + edge_price * _edges(cells)
        raw.grad = torch.autograd.grad(probability + price, raw)[0]
        optimizer.step()
    with torch.no_grad():
        cells = raw.sigmoid()
        mixed = _mix(cells, pictures, other)
        after = _probabilities(module, mixed)
        keep = _enlarge(cells, tuple(size))
    rows = np.arange(n), classes.numpy()
    numbers = (a.double().numpy() for a in (keep, mixed, before, after))
    keep, mixed, before, after = numbers
    return Masks(keep, mixed, before[rows], after[rows], rows[1])


def _probabilities(module: nn.Module, images: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return module(images).softmax(1)


def _classes(target: ArrayLike, probabilities: torch.Tensor) -> torch.Tensor:
    n, n_classes = probabilities.shape
    values = np.asarray(target)
    fits = values.dtype.kind in "iu" and values.shape in {(), (n,)}
    if not fits or not ((values >= 0) & (values < n_classes)).all():
        raise ValueError(
            f"target must be one class, or one for each of {n} images, from 0 to {n_classes - 1}; "
            f"got {target!r}."
        )
    return torch.tensor(np.broadcast_to(values, n).astype(np.int64))


def _move(rng: np.random.Generator, jitter: int) -> tuple[int, ...]:
    return tuple(rng.integers(-jitter, jitter + 1, size=2).tolist())


def _enlarge(cells: torch.Tensor, size: tuple[int, ...]) -> torch.Tensor:
    return nn.functional.interpolate(cells, size=size, mode="bilinear")[:, 0]


def _mix(cells: torch.Tensor, pictures: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    keep = _enlarge(cells, tuple(pictures.shape[1:]))
    return keep * pictures + (1 - keep) * other


def _edges(cells: torch.Tensor) -> torch.Tensor:
    """Return the sum over the masks of the mean cubed difference between neighbours."""
    steps = [cells.diff(dim=axis).abs() ** 3 for axis in (2, 3)]
    return sum((step.mean((1, 2, 3)).sum() for step in steps if step.numel()), torch.zeros(()))
