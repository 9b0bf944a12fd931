"""The shipped networks: they load, they are what training gives, and damage is found."""

import os
import shutil

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from xai_course.book import networks
from xai_course.book.networks import load_model, train_model
from xai_course.networks import PiecewiseLinearNetwork

NAMES = list(networks._RECIPES)


@pytest.mark.parametrize("name", NAMES)
def test_shipped_models_load(name):
    model = load_model(name)
    dataset = networks._dataset(name)
    X_train, X_test, y_train, y_test = dataset.split()
    assert model.network.n_features == dataset.X.shape[1]
    assert model.log["training_rows"] == len(y_train)
    assert model.network.hidden_sizes == tuple(model.log["settings"]["hidden_sizes"])
    outputs = model.network.forward(model.standardize(X_test))
    if outputs.shape[1] == 1:
        assert roc_auc_score(y_test, outputs[:, 0]) > 0.85
    else:
        assert (outputs.argmax(axis=1) == y_test).mean() > 0.8
    if model.log["settings"]["standardize"]:
        np.testing.assert_allclose(model.standardize(X_train).mean(axis=0), 0, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_data_units_are_the_same_function(name):
    model = load_model(name)
    X = networks._dataset(name).split()[1][:50]
    raw = model.in_data_units()
    Z = model.standardize(X)
    np.testing.assert_allclose(raw.forward(X), model.network.forward(Z), rtol=1e-9, atol=1e-9)
    patterns = raw.activation_pattern(X)
    coef, _ = raw.local_linear_models(patterns)
    standardised, _ = model.network.local_linear_models(patterns)
    np.testing.assert_allclose(coef * model.scale, standardised, rtol=1e-9, atol=1e-12)


def test_training_again_gives_the_papers_network():
    again = train_model("co_circles")
    X_train, X_test, y_train, y_test = networks._dataset("co_circles").split()
    patterns = again.network.activation_pattern(X_train)
    # Sudjianto et al. (2020), Table 1.
    assert len(np.unique(patterns, axis=0)) == 530
    assert round(roc_auc_score(y_train, again.network.forward(X_train)[:, 0]), 4) == 0.9215
    assert round(roc_auc_score(y_test, again.network.forward(X_test)[:, 0]), 4) == 0.9320
    shipped = load_model("co_circles").network
    np.testing.assert_allclose(shipped.forward(X_test), again.network.forward(X_test), atol=1e-6)


def test_seed_and_size_are_the_callers():
    first = train_model("breast_cancer", hidden_sizes=(3,), seed=1)
    second = train_model("breast_cancer", hidden_sizes=(3,), seed=2)
    assert first.network.hidden_sizes == (3,)
    assert not np.array_equal(first.network.weights[0], second.network.weights[0])


def test_another_draw_is_what_training_gives():
    again, shipped = train_model("home_lending", seed=2, split=2), load_model("home_lending", 2)
    assert shipped.log["settings"]["seed"] == 2
    np.testing.assert_allclose(shipped.mean, again.mean)
    for a, b in zip(shipped.network.weights, again.network.weights, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("draw", [1, -1, None])
def test_unknown_draw(draw):
    with pytest.raises(ValueError, match=r"Of 'co_circles' 1 network"):
        load_model("co_circles", draw)


@pytest.mark.parametrize("call", [load_model, train_model])
def test_unknown_name(call):
    with pytest.raises(ValueError, match=r"no model 'titanic'.*breast_cancer"):
        call("titanic")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a folder with a copy of one network's file, where the library looks for it."""
    shutil.copy(networks.WEIGHTS / "breast_cancer.safetensors", tmp_path)
    monkeypatch.setattr(networks, "WEIGHTS", tmp_path)
    return tmp_path


def test_write_and_read_back(folder):
    model = load_model("breast_cancer")
    written = (folder / "breast_cancer.safetensors").read_bytes()
    (folder / "breast_cancer.safetensors").unlink()
    networks._write(folder, model)
    assert (folder / "breast_cancer.safetensors").read_bytes() == written
    again = load_model("breast_cancer")
    for a, b in zip(model.network.weights, again.network.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    assert isinstance(again.network, PiecewiseLinearNetwork)
    assert again.log == model.log


def test_missing_file(folder):
    (folder / "breast_cancer.safetensors").unlink()
    with pytest.raises(OSError, match=r"No such file.*python -m xai_course.book.networks breast"):
        load_model("breast_cancer")


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-1], lambda b: b[:50], lambda b: b"", lambda b: b[:-1] + b"x"]
)
def test_damaged_file(folder, damage):
    path = folder / "breast_cancer.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(OSError, match=r"cannot be read: .*python -m xai_course.book.networks bre"):
        load_model("breast_cancer")


def test_a_full_disk_leaves_the_old_file(folder, monkeypatch):
    model = load_model("breast_cancer")
    before = (folder / "breast_cancer.safetensors").read_bytes()

    def no_space(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space left"):
        networks._write(folder, model)
    monkeypatch.undo()
    assert (folder / "breast_cancer.safetensors").read_bytes() == before
    assert not list(folder.glob("*.part"))
