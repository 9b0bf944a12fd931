"""Flattening: Algorithm 2 step by step, training that can only help, and a fair comparison."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import torch
from random_networks import random_network
from sklearn.metrics import log_loss, roc_auc_score

from xai_course.unwrapping import (
    FlatClassifier,
    FlatNetwork,
    FlatRegressor,
    UnwrapperClassifier,
    UnwrapperRegressor,
    single_hidden_layer,
)


@pytest.fixture(scope="module")
def regression():
    rng = np.random.default_rng(1)
    network = random_network([2, 6, 6, 1], seed=1)
    X = pd.DataFrame(rng.normal(size=(500, 2)), columns=["age", "size"])
    y = network.forward(X)[:, 0] + rng.normal(scale=0.5, size=500)
    return UnwrapperRegressor(network).fit(X, y).merge(5), X, y


def training_rows(flat, n_rows, validation_fraction=0.2, seed=0):
    order = np.random.default_rng(seed).permutation(n_rows)
    return order[round(validation_fraction * n_rows) :], order[
        : round(validation_fraction * n_rows)
    ]


@pytest.mark.parametrize("kind", ["merged_circles", "regression"])
def test_before_training_is_algorithm_2(kind, request):
    merged, X, *rest = request.getfixturevalue(kind)
    X, y = np.asarray(X), rest[-2] if kind == "merged_circles" else rest[0]
    flat = merged.flatten(epochs=0)
    network = flat.network_before_
    np.testing.assert_array_equal(network.weights[0], merged.coef_[:, 0])
    np.testing.assert_array_equal(network.biases[0], merged.intercept_[:, 0])
    rows, _ = training_rows(flat, len(X))
    hidden = np.maximum(merged.coef_[:, 0] @ X[rows].T + merged.intercept_, 0).T
    family = sm.families.Binomial() if kind == "merged_circles" else sm.families.Gaussian()
    fit = sm.GLM(y[rows], sm.add_constant(hidden), family=family).fit()
    np.testing.assert_allclose(network.weights[1][0], fit.params[1:], rtol=1e-4)
    np.testing.assert_allclose(network.biases[1][0], fit.params[0], rtol=1e-4)
    for part in ("weights", "biases"):
        for kept, given in zip(getattr(flat.network, part), getattr(network, part), strict=True):
            np.testing.assert_array_equal(kept, given)
    assert flat.log["best_epoch"] == 0


def test_cocircles_before_training(merged_circles):
    merged, X, X_test, y, y_test = merged_circles
    network = merged.flatten(epochs=0).network
    # Measured beforehand with the output layer on all rows: .8917 and .9056.
    assert roc_auc_score(y, network.forward(X)[:, 0]) == pytest.approx(0.8917, abs=0.01)
    assert roc_auc_score(y_test, network.forward(X_test)[:, 0]) == pytest.approx(0.9056, abs=0.01)


@pytest.mark.parametrize("kind", ["merged_circles", "regression"])
def test_training_keeps_the_best_epoch(kind, request):
    merged, X, *rest = request.getfixturevalue(kind)
    y = rest[-2] if kind == "merged_circles" else rest[0]
    flat = merged.flatten(epochs=15, patience=4, seed=1)
    assert isinstance(flat, FlatNetwork)
    losses, best = flat.log["validation_loss"], flat.log["best_epoch"]
    assert losses[best] == min(losses) <= losses[0]
    assert len(losses) == len(flat.log["train_loss"]) <= 16
    assert len(losses) == 16 or len(losses) - 1 - best == 4
    train, held_out = training_rows(flat, len(X), seed=1)
    for rows, name in ((train, "train_loss"), (held_out, "validation_loss")):
        if kind == "merged_circles":
            loss = log_loss(y[rows], flat.predict_proba(X[rows]))
        else:
            loss = np.mean((flat.predict(X)[rows] - y[rows]) ** 2)
        assert flat.log[name][best] == pytest.approx(loss)
    again = merged.flatten(epochs=15, patience=4, seed=1)
    for one, two in zip(flat.network.weights, again.network.weights, strict=True):
        np.testing.assert_array_equal(one, two)


def plain_training(start, X, y, how, classification):
    """Return the weights of the best epoch and the validation losses, by the obvious loop."""
    order = np.random.default_rng(how["seed"]).permutation(len(X))
    n_held_out = round(how["validation_fraction"] * len(X))
    train, held_out = order[n_held_out:], order[:n_held_out]
    inputs, targets = torch.tensor(X), torch.tensor(y, dtype=torch.float64)
    module = start.to_torch()
    loss_of = torch.nn.BCEWithLogitsLoss() if classification else torch.nn.MSELoss()
    optimizer = torch.optim.Adam(module.parameters(), lr=how["learning_rate"])
    rng = np.random.default_rng([how["seed"], 1])

    def loss(rows):
        return loss_of(module(inputs[rows])[:, 0], targets[rows])

    losses, best, weights = [float(loss(held_out).detach())], 0, None
    for epoch in range(1, how["epochs"] + 1):
        rows = rng.permutation(train)
        for first in range(0, len(rows), how["batch_size"]):
            optimizer.zero_grad()
            loss(rows[first : first + how["batch_size"]]).backward()
            optimizer.step()
        losses.append(float(loss(held_out).detach()))
        if losses[-1] < losses[best]:
            best, weights = epoch, [p.detach().numpy().copy() for p in module.parameters()]
        elif epoch - best >= how["patience"]:
            break
    return weights, losses


@pytest.mark.parametrize(
    "options",
    [
        {"epochs": 12},
        {"epochs": 40, "patience": 3, "learning_rate": 0.01, "seed": 4},
        {"epochs": 5, "batch_size": 7, "validation_fraction": 0.3, "seed": 1},
    ],
)
@pytest.mark.parametrize("kind", ["merged_circles", "regression"])
def test_training_is_the_obvious_loop(kind, options, request):
    merged, *_ = request.getfixturevalue(kind)
    how = {"patience": 20, "learning_rate": 1e-3, "batch_size": 64, "validation_fraction": 0.2}
    how |= {"seed": 0} | options
    flat = merged.flatten(**options)
    weights, losses = plain_training(
        flat.network_before_, merged._X, merged._y, how, kind == "merged_circles"
    )
    # Torch adds up in another order, so the last digits differ.
    np.testing.assert_allclose(flat.log["validation_loss"], losses, rtol=1e-9)
    found = [part for pair in zip(flat.network.weights, flat.network.biases, strict=True)
             for part in pair]  # fmt: skip
    for one, two in zip(found, weights, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-8, atol=1e-10)


def test_regressor(regression):
    merged, X, y = regression
    flat = merged.flatten(epochs=3)
    assert isinstance(flat, FlatRegressor)
    assert flat.network.hidden_sizes == (len(merged.counts_),)
    assert flat.network.feature_names_in_.tolist() == ["age", "size"]
    np.testing.assert_array_equal(flat.predict(X), flat.network.forward(X)[:, 0])
    assert flat.score(X, y) > 0.5


def test_classifier_with_labels(merged_circles):
    merged, X, X_test, y, _ = merged_circles
    named = UnwrapperClassifier(merged.network_).fit(X, np.where(y == 1, "yes", "no"))
    flat = named.merge(10, 5, penalty="l2").flatten(epochs=2)
    assert isinstance(flat, FlatClassifier)
    assert flat.classes_.tolist() == ["no", "yes"]
    logit, probability = flat.decision_function(X_test), flat.predict_proba(X_test)
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    np.testing.assert_allclose(np.log(probability[:, 1] / probability[:, 0]), logit)
    np.testing.assert_array_equal(flat.predict(X_test) == "yes", logit > 0)
    plain = merged.flatten(epochs=2)
    np.testing.assert_array_equal(plain.decision_function(X_test), logit)


# The same size from random weights


def test_single_hidden_layer_keeps_the_best_start():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    y = np.abs(X[:, 0])
    options = {"epochs": 40, "learning_rate": 0.01}
    flat = single_hidden_layer(X, y, 3, restarts=4, **options)
    assert isinstance(flat, FlatRegressor)
    assert flat.network.hidden_sizes == (3,)
    losses = flat.log["restart_losses"]
    assert len(losses) == 4
    assert losses[flat.log["restart"]] == min(losses) == min(flat.log["validation_loss"])
    one = single_hidden_layer(X, y, 3, restarts=1, **options)
    assert one.log["restart_losses"] == losses[:1]
    assert flat.score(X, y) > 0.8
    assert single_hidden_layer(X, y, 3, restarts=1, seed=1, **options).log != one.log


def test_single_hidden_layer_trains_on_the_rows_of_flatten(regression):
    merged, X, y = regression
    flat = merged.flatten(epochs=0, seed=5)
    slfn = single_hidden_layer(X, y, 5, restarts=1, epochs=0, seed=5)
    _, held_out = training_rows(slfn, len(X), seed=5)
    for network in (flat, slfn):
        loss = np.mean((network.predict(X)[held_out] - y[held_out]) ** 2)
        assert network.log["validation_loss"] == pytest.approx([loss])
    assert slfn.network.feature_names_in_.tolist() == ["age", "size"]
    assert flat.log["settings"] | {"epochs": 0} == slfn.log["settings"]


def test_task_of_a_single_hidden_layer():
    X = np.random.default_rng(0).normal(size=(40, 2))
    y = (X[:, 0] > 0).astype(int)
    options = {"n_hidden": 2, "restarts": 1, "epochs": 1}
    assert single_hidden_layer(X, y, **options).classes_.tolist() == [0, 1]
    assert single_hidden_layer(X, y, task="regression", **options).classes_ is None
    labels = np.where(y == 1, "b", "a")
    assert single_hidden_layer(X, labels, **options).classes_.tolist() == ["a", "b"]


# Bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": -1}, "epochs must be a whole number from 0"),
        ({"epochs": 2.0}, "epochs must be a whole number"),
        ({"patience": 0}, "patience must be a whole number from 1"),
        ({"batch_size": 0}, "batch_size must be a whole number from 1"),
        ({"learning_rate": 0}, "learning_rate must be a number above 0"),
        ({"learning_rate": "fast"}, "learning_rate must be a number above 0, got 'fast'"),
        ({"validation_fraction": 1.0}, "validation_fraction must be a number above 0 and below 1"),
    ],
)
def test_bad_training(regression, options, message):
    merged, X, y = regression
    with pytest.raises(ValueError, match=message):
        merged.flatten(**options)
    with pytest.raises(ValueError, match=message):
        single_hidden_layer(X, y, 2, **options)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"n_hidden": 0}, ValueError, "n_hidden must be a whole number from 1"),
        ({"restarts": 0}, ValueError, "restarts must be a whole number from 1"),
        ({"task": "rank"}, ValueError, "task must be None, 'regression' or 'classification'"),
        ({"task": "classification"}, ValueError, "takes two classes, got 20"),
        ({"y": np.array(list("abc") * 7)[:20]}, TypeError, "y must hold real numbers"),
        ({"y": np.full(20, np.nan)}, ValueError, "y must be finite"),
        ({"y": np.arange(3.0)}, ValueError, "X has 20 rows, but y has 3"),
        ({"y": np.ones((20, 1))}, ValueError, "y must have 1 dimension"),
        ({"X": np.full((20, 1), np.inf)}, ValueError, "X contains infinity"),
        ({"X": np.ones((1, 1)), "y": [1.0]}, ValueError, "at least 2 rows, got 1"),
    ],
)
def test_bad_rows(change, error, message):
    good = {"X": np.arange(20.0)[:, None], "y": np.arange(20.0), "n_hidden": 2}
    with pytest.raises(error, match=message):
        single_hidden_layer(**good | change)


def test_several_classes():
    rng = np.random.default_rng(2)
    X, y = rng.normal(size=(300, 2)), rng.integers(0, 3, 300)
    merged = UnwrapperClassifier(random_network([2, 6, 3])).fit(X, y).merge(2, penalty="l2")
    with pytest.raises(ValueError, match="flatten takes a regression or two classes, got 3"):
        merged.flatten()
