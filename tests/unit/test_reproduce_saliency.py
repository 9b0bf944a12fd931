"""The programs behind the tables of `reproduce/saliency.py`, on small cases."""

import numpy as np
import pytest
import torch

from xai_course import data
from xai_course.book import measured
from xai_course.book.localiser import load_localiser


@pytest.fixture
def localisation(reproduce):
    return reproduce("saliency.localisation")


@pytest.fixture
def small(localisation, monkeypatch):
    monkeypatch.setattr(localisation, "N_REPLICATES", 2)
    monkeypatch.setattr(localisation, "N_TUNING", 12)
    monkeypatch.setattr(localisation, "SHARES", np.array([0.3, 0.6]))
    monkeypatch.setattr(localisation, "train_localiser", lambda c, p, seed: load_localiser(p))
    return localisation


def test_a_table_from_few_canvases(small, monkeypatch):
    measure = small.measure
    monkeypatch.setattr(small, "measure", lambda seed: measure(seed, n_train=30, n_test=40))
    table = small.table()
    cam = table["scores"]["cam"]
    assert cam["pointing"]["n"] == 2
    assert cam["pointing"]["mean"] > 0.6
    assert cam["overlap"]["mean"] > table["scores"]["cam, untrained"]["overlap"]["mean"]
    lead = table["cam_minus"]["brightness"]["pointing"]
    other = table["scores"]["brightness"]["pointing"]
    assert lead["mean"] == pytest.approx(cam["pointing"]["mean"] - other["mean"], abs=1e-3)
    assert table["planted"]["largest_change_of_a_log_odds"]["max"] < 1e-9
    assert table["planted"]["pointing"]["max"] < 0.2
    assert table["two_garments"]["all maps alike"]["mean"] == 0.5
    assert table["two_garments"]["average"]["mean"] > 0.6


def test_class_maps_add_up_to_the_logits(localisation):
    X = data.canvas_garments(n_train=1, n_test=5, seed=2).split()[1]
    for pooling, pool in (("average", np.mean), ("max", np.max)):
        module = load_localiser(pooling).module
        maps = localisation.class_maps(module, X)
        (last,) = (part for part in module[-3:] if hasattr(part, "weight"))
        with torch.no_grad():
            logits = (module(torch.as_tensor(X).float()) - last.bias).numpy()
        np.testing.assert_allclose(pool(maps, axis=(2, 3)), logits, atol=1e-4)


def test_differences_by_hand(localisation):
    runs = [{"a": {"s": 0.5}, "b": {"s": 0.25}}, {"a": {"s": 0.75}, "b": {"s": 0.25}}]
    assert localisation.difference(runs, "a", "b", "s") == {"mean": 0.375, "standard_error": 0.125}


def test_a_perfect_map_and_a_box_in_the_middle(localisation):
    boxes = np.array([[8, 12, 24, 40], [20, 20, 36, 36]])
    maps = np.zeros((2, 56, 56))
    for one, (top, left, bottom, right) in zip(maps, boxes, strict=True):
        one[top:bottom, left:right] = 1
    found = localisation.plain(maps, boxes, 0.5)
    assert found["overlap"] == found["at_least_half"] == found["pointing"] == 1
    middle = localisation.centre(boxes[1:], boxes, (56, 56))
    assert middle["pointing"] == 0.5
    assert localisation.coarse(maps)[1].sum() == 16


def test_halves(localisation):
    maps = np.zeros((2, 10, 3, 28))
    maps[0, 4, 1, 2] = maps[0, 5, 1, 20] = maps[1, 4, 1, 20] = maps[1, 5, 1, 20] = 1
    assert localisation.halves(maps, np.array([4, 4]), np.array([5, 5])) == 0.75


def test_baselines_of_one_draw(reproduce, monkeypatch):
    baselines = reproduce("saliency.baselines")
    monkeypatch.setattr(baselines, "N_DRAWS", 1)
    table = baselines.table()
    assert list(table["changes"]) == list(baselines.CHANGES)
    assert all(len(column) == 1 and -1 <= column[0] <= 1 for column in table["changes"].values())
    assert len(table["plains"]) == 2
    kept = measured("saliency_baselines")
    for name, column in table["changes"].items():
        assert column[0] == pytest.approx(kept["changes"][name][0], abs=0.01)
