"""The shipped LeNet: it loads, it is what training gives, and damage is found."""

import shutil

import numpy as np
import pytest
import torch

from xai_course import data, training
from xai_course.book import lenet, networks
from xai_course.networks import PiecewiseLinearNetwork


@pytest.fixture(scope="module")
def shipped():
    return lenet.load_lenet()


def test_the_architecture():
    network = lenet.lenet()
    assert sum(p.numel() for p in network.parameters()) == 61_706
    images = torch.rand(3, 784)
    assert network(images).shape == (3, 10)
    assert lenet.lenet(2)(images).shape == (3, 2)
    assert torch.equal(lenet.lenet()(images), network(images))
    assert not torch.equal(lenet.lenet(seed=1)(images), network(images))


def test_the_shipped_one(shipped):
    X_train, X_test, _, y_test = data.load("fashion_mnist").split()
    assert (shipped.predict(X_test) == y_test).mean() > 0.84
    assert shipped.log["training_rows"] == len(X_train)
    scores = shipped.log["validation_accuracy"]
    assert len(scores) == len(shipped.log["train_loss"])
    assert shipped.log["best_epoch"] == np.argmin(shipped.log["validation_loss"])
    assert (networks.WEIGHTS / "lenet_fashion_mnist.safetensors").stat().st_size < 1e6
    with pytest.raises(TypeError, match="cannot read layer '0'"):
        PiecewiseLinearNetwork.from_torch(shipped.module)


def test_training_again_begins_as_it_did(shipped, monkeypatch):
    """The whole training takes a minute; its first epoch tells another recipe from this one."""
    original, losses = training._State.finish_epoch, []

    def first_only(state, *args):
        original(state, *args)
        if state.epoch == 1:
            losses.extend([state.log["validation_loss"], state.log["train_loss"]])
            raise KeyboardInterrupt

    monkeypatch.setattr(training._State, "finish_epoch", first_only)
    with pytest.raises(KeyboardInterrupt):
        lenet._train()
    validation, train = losses
    np.testing.assert_allclose(validation, shipped.log["validation_loss"][:2], rtol=1e-3)
    np.testing.assert_allclose(train[1], shipped.log["train_loss"][1], rtol=1e-3)


def test_writing_and_reading_back(shipped, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(lenet, "_train", lambda **_: shipped)
    monkeypatch.setattr("sys.argv", ["lenet", "--folder", str(tmp_path)])
    lenet._main()
    assert "best epoch" in capsys.readouterr().out
    monkeypatch.setattr(networks, "WEIGHTS", tmp_path)
    again = lenet.load_lenet()
    X = np.random.default_rng(0).uniform(size=(5, 784))
    np.testing.assert_array_equal(again.logits(X), shipped.logits(X))
    assert again.log == shipped.log


def test_damage(tmp_path, monkeypatch):
    shutil.copy(networks.WEIGHTS / "lenet_fashion_mnist.safetensors", tmp_path)
    monkeypatch.setattr(networks, "WEIGHTS", tmp_path)
    path = tmp_path / "lenet_fashion_mnist.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(OSError, match=r"cannot be read: .*python -m xai_course.book.lenet"):
        lenet.load_lenet()
    path.unlink()
    with pytest.raises(OSError, match=r"No such file.*python -m xai_course.book.lenet"):
        lenet.load_lenet()
