"""The shipped networks: they load, they are what training gives, and damage is found."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from xai_course import models
from xai_course.networks import PiecewiseLinearNetwork

FOLDER = Path(models.__file__).parent / "_data"


@pytest.fixture
def copy(tmp_path):
    """Return a folder with copies of one model and the hashes."""
    for name in ("breast_cancer.safetensors", "models.json"):
        shutil.copy(FOLDER / name, tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", models.available_models())
def test_shipped_models_load(name):
    model = models.load_model(name)
    dataset = models._dataset(name)
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


@pytest.mark.parametrize("name", models.available_models())
def test_data_units_are_the_same_function(name):
    model = models.load_model(name)
    X = models._dataset(name).split()[1][:50]
    raw = model.in_data_units()
    Z = model.standardize(X)
    np.testing.assert_allclose(raw.forward(X), model.network.forward(Z), rtol=1e-9, atol=1e-9)
    patterns = raw.activation_pattern(X)
    coef, _ = raw.local_linear_models(patterns)
    standardised, _ = model.network.local_linear_models(patterns)
    np.testing.assert_allclose(coef * model.scale, standardised, rtol=1e-9, atol=1e-12)


def test_training_again_gives_the_papers_network():
    again = models.train_model("co_circles")
    X_train, X_test, y_train, y_test = models._dataset("co_circles").split()
    patterns = again.network.activation_pattern(X_train)
    # Sudjianto et al. (2020), Table 1.
    assert len(np.unique(patterns, axis=0)) == 530
    assert round(roc_auc_score(y_train, again.network.forward(X_train)[:, 0]), 4) == 0.9215
    assert round(roc_auc_score(y_test, again.network.forward(X_test)[:, 0]), 4) == 0.9320
    shipped = models.load_model("co_circles").network
    np.testing.assert_allclose(shipped.forward(X_test), again.network.forward(X_test), atol=1e-6)


def test_seed_and_size_are_the_callers():
    first = models.train_model("breast_cancer", hidden_sizes=(3,), seed=1)
    second = models.train_model("breast_cancer", hidden_sizes=(3,), seed=2)
    assert first.network.hidden_sizes == (3,)
    assert not np.array_equal(first.network.weights[0], second.network.weights[0])


@pytest.mark.parametrize("call", [models.load_model, models.train_model])
def test_unknown_name(call):
    with pytest.raises(ValueError, match=r"no model 'titanic'.*breast_cancer"):
        call("titanic")


def test_write_and_read_back(tmp_path):
    model = models.load_model("breast_cancer")
    models._write(tmp_path, model)
    again = models._read(tmp_path, "breast_cancer")
    for a, b in zip(model.network.weights, again.network.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    assert isinstance(again.network, PiecewiseLinearNetwork)
    assert again.log == model.log
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "breast_cancer.safetensors",
        "models.json",
    ]


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"missing.*python -m xai_course.models"):
        models._read(tmp_path, "breast_cancer")


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-1], lambda b: b[:50], lambda b: b"", lambda b: b"x" + b]
)
def test_damaged_file(copy, damage):
    path = copy / "breast_cancer.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(OSError, match=r"is damaged: its SHA-256 is .* expected"):
        models._read(copy, "breast_cancer")


def test_file_of_another_kind(copy):
    path = copy / "breast_cancer.safetensors"
    path.write_bytes(b"not tensors at all")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (copy / "models.json").write_text(json.dumps({"breast_cancer": digest}))
    with pytest.raises(OSError, match="not a model of this book"):
        models._read(copy, "breast_cancer")


def test_a_full_disk_leaves_the_old_file(copy, monkeypatch):
    before = (copy / "breast_cancer.safetensors").read_bytes()

    def no_space(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space left"):
        models._write(copy, models.load_model("breast_cancer"))
    monkeypatch.undo()
    assert (copy / "breast_cancer.safetensors").read_bytes() == before
    assert not list(copy.glob("*.part"))
