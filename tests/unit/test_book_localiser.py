"""The shipped localisers: they load, they are what training gives, and damage is found."""

import numpy as np
import pytest
import torch

from xai_course import data
from xai_course.book import localiser, networks


@pytest.fixture(scope="module")
def canvases():
    return data.canvas_garments(n_train=60, n_test=300, seed=5)


def test_the_architecture():
    images = torch.rand(2, 3136)
    for pooling in localiser.POOLINGS:
        network = localiser.localiser(pooling).eval()
        assert sum(p.numel() for p in network.parameters()) == 14_946
        assert network(images).shape == (2, 10)
        assert network[:-3](images).shape == (2, 32, 14, 14)
        assert torch.equal(localiser.localiser(pooling).eval()(images), network(images))
        other = localiser.localiser(pooling, seed=1).eval()
        assert not torch.equal(other(images), network(images))
    with pytest.raises(ValueError, match="pooling must be 'average' or 'max', got 'mean'"):
        localiser.localiser("mean")


def test_one_place_sees_31_by_31_pixels():
    network = localiser.localiser().eval()
    images = torch.rand(1, 3136, requires_grad=True)
    network[:-3](images)[0, :, 7, 6].sum().backward()
    rows, columns = np.nonzero(images.grad.reshape(56, 56).numpy())
    assert rows.min() >= 28 - 14
    assert rows.max() <= 28 + 16
    assert columns.min() >= 24 - 14
    assert columns.max() <= 24 + 16


@pytest.mark.parametrize("pooling", localiser.POOLINGS)
def test_the_shipped_ones(pooling, canvases):
    shipped = localiser.load_localiser(pooling)
    _, X, _, y = canvases.split()
    assert (shipped.predict(X) == y).mean() > 0.6
    assert shipped.log["training_rows"] == 6000
    assert shipped.log["best_epoch"] == np.argmin(shipped.log["validation_loss"])
    assert (networks.WEIGHTS / f"localiser_{pooling}.safetensors").stat().st_size < 1e5


def test_training_writing_and_reading_back(canvases, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(localiser, "_SETTINGS", {"epochs": 1, "batch_size": 30})
    monkeypatch.setattr(localiser, "canvas_garments", lambda: canvases)
    monkeypatch.setattr("sys.argv", ["localiser", "--folder", str(tmp_path)])
    localiser._main()
    assert capsys.readouterr().out.count("best epoch") == 2
    monkeypatch.setattr(networks, "WEIGHTS", tmp_path)
    for pooling in localiser.POOLINGS:
        trained = localiser.train_localiser(canvases, pooling)
        again = localiser.load_localiser(pooling)
        X = canvases.split()[1][:5]
        np.testing.assert_array_equal(again.logits(X), trained.logits(X))
        assert again.log["train_loss"] == trained.log["train_loss"]
    path = tmp_path / "localiser_max.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(OSError, match=r"cannot be read: .*python -m xai_course.book.localiser"):
        localiser.load_localiser("max")
