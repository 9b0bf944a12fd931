"""The programs behind the measurements of masks and rationales, on cases with a known answer."""

import numpy as np
import pytest
import torch
from torch import nn


@pytest.fixture
def region(reproduce):
    return reproduce("saliency.smallest_region")


def needs(blocks: list[int], least: int) -> nn.Module:
    """Return a network that says 1 while at least so many of some blocks are white."""
    weights = np.zeros(16)
    weights[blocks] = 1 / 49
    pixels = weights[np.kron(np.arange(16).reshape(4, 4), np.ones((7, 7), int))]
    module = nn.Sequential(nn.Flatten(), nn.Linear(784, 2))
    with torch.no_grad():
        module[1].weight[:] = torch.tensor(np.array([0 * pixels, pixels]).reshape(2, 784))
        module[1].bias[:] = torch.tensor([0.0, 0.5 - least])
    return module.eval()


@pytest.mark.parametrize(("least", "expected"), [(3, 1), (2, 2), (1, 3)])
def test_the_exact_number_of_blocks(region, least, expected):
    image, module = np.ones((28, 28)), needs([1, 6, 11], least)
    assert region.exact(module, image) == expected
    right = np.isin(np.arange(16), [1, 6, 11]).astype(float)
    assert region.until(module, image, right) == expected
    assert region.until(module, image, -right) == 13 + expected


def test_a_decision_that_stays_has_no_number(region):
    module = needs(list(range(16)), 1)
    assert region.exact(module, np.ones((28, 28)), most=2) == 0


def test_maps_find_the_block(region):
    images = np.ones((2, 28, 28))
    found = region.rankings(needs([5], 1), images, np.random.default_rng(0))
    for name in ("occlusion", "gradient x input"):
        assert found[name].argmax(1).tolist() == [5, 5]
    assert np.allclose(found["ink"], 49)


def test_rationales_are_marked(reproduce):
    rationales = reproduce("saliency.rationales")
    keep = np.array([[1, 1, 0, 1], [0, 0, 0, 0]], bool)
    truth = np.array([[0, 1, 1, 1], [1, 0, 0, 0]], bool)
    found = rationales._judged(keep, truth)
    assert found == {"words": 1.5, "pieces": 1, "empty": 0.5, "precision": 2 / 3, "recall": 0.5}


def test_every_garment_gets_one_tag(reproduce):
    reasons = reproduce("saliency.right_reasons")
    tagged = reasons.tagged(np.zeros((50, 784)), np.full(50, 0.5), np.random.default_rng(0))
    assert (tagged.sum(1) == 8).all()
    assert not (tagged * (1 - reasons.CORNERS.ravel())).any()
    assert reasons.CORNERS.sum() == reasons.CENTRE.sum() == 64
    assert len(np.unique(tagged.argmax(1))) == 4


def test_controls_delete_as_much(reproduce):
    masks, rng = reproduce("saliency.masks"), np.random.default_rng(0)
    keep, images = rng.uniform(size=(3, 28, 28)), np.ones((3, 28, 28))
    for side in (7, 28):
        control = masks._control(keep, images, side, rng)
        assert np.isclose(control.sum(), keep.sum())
        assert not np.array_equal(control, keep)


def test_the_effects_of_doing_nothing_are_none(reproduce):
    masks = reproduce("saliency.masks")
    networks = {name: needs([1], 1) for name in ("own", "same kind", "other kind")}
    images = np.ones((2, 28, 28))
    found = masks._effects(networks, images, images, np.array([1, 1]))
    assert set(found.values()) == {0.0}
    found = masks._effects(networks, images, 0 * images, np.array([1, 1]))
    assert found["own, flipped"] == found["change"] == 1


def test_means_and_standard_errors_are_over_draws(reproduce):
    draws = reproduce("saliency._draws")
    assert draws.mean([1.0, 3.0]) == {"mean": 2.0, "se": 1.0}
    assert draws.over_draws([{"a": {"b": 1}}, {"a": {"b": 3}}])["a"]["b"]["se"] == 1.0
