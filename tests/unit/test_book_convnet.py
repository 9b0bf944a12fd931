"""The shipped convolutional networks: they load, they are what training gives, damage is found."""

import shutil

import numpy as np
import pytest
import torch
from torch import nn

from xai_course import data, training
from xai_course.book import convnet, networks
from xai_course.networks import PiecewiseLinearNetwork

LOADERS = {
    "lenet_fashion_mnist": convnet.load_lenet,
    "convnet_fashion_mnist": convnet.load_convnet,
}


@pytest.fixture(scope="module", params=LOADERS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def shipped(name):
    return LOADERS[name]()


@pytest.mark.parametrize("make", [convnet.lenet, convnet.convnet])
def test_the_architecture(make):
    network = make()
    assert sum(p.numel() for p in network.parameters()) == 61_706
    images = torch.rand(3, 784)
    assert network(images).shape == (3, 10)
    assert make(2)(images).shape == (3, 2)
    assert torch.equal(make()(images), network(images))
    assert not torch.equal(make(seed=1)(images), network(images))


def test_the_sister_is_made_of_piecewise_linear_layers_each_used_once():
    parts = list(convnet.convnet())
    assert len({id(part) for part in parts}) == len(parts) == 13
    linear = (nn.Unflatten, nn.Conv2d, nn.Flatten, nn.Linear)
    assert all(isinstance(part, (*linear, nn.ReLU, nn.MaxPool2d)) for part in parts)


def test_the_shipped_one(name, shipped):
    X_train, X_test, _, y_test = data.load("fashion_mnist").split()
    assert (shipped.predict(X_test) == y_test).mean() > 0.84
    assert shipped.log["training_rows"] == len(X_train)
    scores = shipped.log["validation_accuracy"]
    assert len(scores) == len(shipped.log["train_loss"])
    assert shipped.log["best_epoch"] == np.argmin(shipped.log["validation_loss"])
    assert (networks.WEIGHTS / f"{name}.safetensors").stat().st_size < 300_000
    with pytest.raises(TypeError, match="cannot read layer '0'"):
        PiecewiseLinearNetwork.from_torch(shipped.module)


def test_training_again_begins_as_it_did(name, shipped, monkeypatch):
    """The whole training takes a minute; its first epoch tells another recipe from this one."""
    original, losses = training._State.finish_epoch, []

    def first_only(state, *args):
        original(state, *args)
        if state.epoch == 1:
            losses.extend([state.log["validation_loss"], state.log["train_loss"]])
            raise KeyboardInterrupt

    monkeypatch.setattr(training._State, "finish_epoch", first_only)
    with pytest.raises(KeyboardInterrupt):
        convnet._train(name)
    validation, train = losses
    np.testing.assert_allclose(validation, shipped.log["validation_loss"][:2], rtol=1e-3)
    np.testing.assert_allclose(train[1], shipped.log["train_loss"][1], rtol=1e-3)


def test_writing_and_reading_back(name, shipped, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(convnet, "_train", lambda *_, **__: shipped)
    monkeypatch.setattr("sys.argv", ["convnet", name, "--folder", str(tmp_path)])
    convnet._main()
    assert f"{name}: best epoch" in capsys.readouterr().out
    assert [file.stem for file in tmp_path.iterdir()] == [name]
    monkeypatch.setattr(networks, "WEIGHTS", tmp_path)
    again = LOADERS[name]()
    X = np.random.default_rng(0).uniform(size=(5, 784))
    np.testing.assert_array_equal(again.logits(X), shipped.logits(X))
    assert again.log == shipped.log


def test_damage(name, tmp_path, monkeypatch):
    shutil.copy(networks.WEIGHTS / f"{name}.safetensors", tmp_path)
    monkeypatch.setattr(networks, "WEIGHTS", tmp_path)
    path = tmp_path / f"{name}.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    command = f"python -m xai_course.book.convnet {name}"
    with pytest.raises(OSError, match=f"cannot be read: .*{command}"):
        LOADERS[name]()
    path.unlink()
    with pytest.raises(OSError, match=f"No such file.*{command}"):
        LOADERS[name]()


def test_a_name_that_there_is_not(monkeypatch):
    monkeypatch.setattr("sys.argv", ["convnet", "resnet"])
    with pytest.raises(ValueError, match="There are lenet_fashion_mnist and convnet_fashion_mnist"):
        convnet._main()
