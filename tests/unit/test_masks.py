"""Learned masks on networks whose smallest region is known."""

import numpy as np
import pytest
import torch
from torch import nn

from xai_course.masks import blurred, learn_masks


def two_classes(weights: np.ndarray) -> nn.Module:
    """Return a network whose logit of class 1 is a weighted sum of pixels minus a half."""
    module = nn.Sequential(nn.Flatten(), nn.Linear(weights.size, 2))
    with torch.no_grad():
        module[1].weight[:] = torch.tensor(np.array([0 * weights.ravel(), weights.ravel()]))
        module[1].bias[:] = torch.tensor([0.0, -0.5 * weights.sum()])
    return module.eval()


def corner(side: int = 8) -> np.ndarray:
    weights = np.zeros((side, side), np.float32)
    weights[:2, :2] = 2
    return weights


@pytest.fixture(scope="module")
def found():
    images = np.ones((2, 8, 8))
    return learn_masks(two_classes(corner()), images, side=4, jitter=0, edge_price=0, steps=300)


def test_the_pixels_that_decide_go_and_the_others_stay(found):
    assert found.target.tolist() == [1, 1]
    assert (found.keep[:, :2, :2].mean((1, 2)) < 0.3).all()
    assert (found.keep[:, 4:, 4:] > 0.9).all()
    assert (found.before > 0.9).all()
    assert (found.after < 0.3).all()


def test_each_image_has_the_mask_that_it_has_alone(found):
    how = {"side": 4, "jitter": 0, "edge_price": 0, "steps": 300}
    alone = learn_masks(two_classes(corner()), np.ones((1, 8, 8)), **how)
    assert np.allclose(found.keep[:1], alone.keep, atol=1e-5)


def test_what_is_left_mixes_the_image_and_the_reference():
    images = np.random.default_rng(0).uniform(size=(3, 8, 8))
    reference = blurred(images, 1.0)
    masks = learn_masks(two_classes(corner()), images, 1, reference=reference, steps=5)
    mixed = masks.keep * images + (1 - masks.keep) * reference
    assert np.allclose(masks.images, mixed, atol=1e-6)
    assert masks.target.tolist() == [1, 1, 1]


def test_a_higher_price_deletes_less():
    images = np.ones((1, 8, 8))
    areas = [
        (1 - learn_masks(two_classes(corner()), images, area_price=price, side=4).keep).mean()
        for price in (0.1, 30.0)
    ]
    assert areas[1] < areas[0]


def test_a_price_for_edges_smooths():
    images = np.ones((1, 8, 8))
    rough = [
        np.abs(
            np.diff(learn_masks(two_classes(corner()), images, edge_price=price, side=8).keep)
        ).max()
        for price in (0.0, 50.0)
    ]
    assert rough[1] < rough[0]


def test_the_seed_decides_and_the_network_stays():
    module, images = two_classes(corner()), np.random.default_rng(1).uniform(size=(2, 8, 8))
    before = [p.clone() for p in module.parameters()]
    first, second = (learn_masks(module, images, steps=5).keep for _ in range(2))
    other = learn_masks(module, images, steps=5, random_state=1).keep
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)
    assert all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))
    assert all(p.grad is None for p in module.parameters())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"side": 9}, "side must be a whole number from 1 to 8, got 9"),
        ({"jitter": 8}, "jitter must be a whole number from 0 to 7"),
        ({"steps": 0}, "steps must be"),
        ({"area_price": -1}, "area_price must be"),
        ({"edge_price": float("nan")}, "edge_price must be"),
        ({"learning_rate": 0}, "learning_rate must be"),
        ({"reference": np.zeros((3, 3))}, "reference must fit images of shape"),
        ({"target": 2}, "from 0 to 1; got 2"),
        ({"target": [0]}, "one for each of 2 images"),
        ({"target": 0.5}, "target must be one class"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        learn_masks(two_classes(corner()), np.ones((2, 8, 8)), **options)


def test_blurring_keeps_the_light():
    image = np.zeros((1, 31, 31))
    image[0, 15, 15] = 1
    soft = blurred(image, 2.0)
    assert np.isclose(soft.sum(), 1, atol=1e-3)
    assert np.unravel_index(soft.argmax(), soft.shape) == (0, 15, 15)
    with pytest.raises(ValueError, match="sigma"):
        blurred(image, 0)
    with pytest.raises(ValueError, match="images"):
        blurred(image[0])
