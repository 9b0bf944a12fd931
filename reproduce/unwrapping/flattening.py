"""Starts from merged models against random starts, and what training makes of the neurons."""

from __future__ import annotations

from typing import Any

import numpy as np
from replicates import Replicates
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from unwrapping import controls
from unwrapping.examples import BY_NAME, RECIPE, Trained, fit_network, train
from unwrapping.seeds import hashes, over_seeds
from xai_course import data
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.unwrapping import UnwrapperClassifier, UnwrapperRegressor
from xai_course.unwrapping.flattening import flatten_models, single_hidden_layer

SEEDS, FRESH, FRESH_SEED = 20, 20_000, 1000  # fresh rows: this and the replicate's number
TRAINING = {"epochs": 1000, "learning_rate": 0.01}
LIFTS = (0.0, 1.0, 3.0)
PRIOR = 0.01  # share of defaults before undersampling, section 6
SETTINGS = {
    "training": "Adam, rate 0.01, batches of 64, 1000 epochs at most, patience 20 on 20 % of the "
    "training rows, the best epoch kept; the same for every start",
    "random": "one random start, as many hidden neurons as the merge has clusters",
    "length one": "the start with each neuron's weights and bias divided by their length, its "
    "output weight multiplied by it",
    "circles": "K = 10, T = 5, small clusters: 30 rows or fewer; l2 with C = 1, or no penalty",
    "wave": "T = 1 % of the regions, raised until they connect; no penalty; K by the held-out "
    "loss; response and intercepts of the merged models lifted by 0, 1, 3",
    "boston": "T and K as for the wave, l2 with C = 1; zero as it is, and at the mean price",
    "loans": "home_lending drawn anew; two hidden layers of five; K = 2, T as the wave, l2 with "
    f"C = 1; prior: all intercepts of the merged models shifted to {PRIOR:.0%} defaults",
    "fresh": f"{FRESH} rows drawn anew: the share on the deep network's side of zero",
    "seeds": "a replicate's number is the seed of its data, split, network and everything else",
}
MEASURED_BY = ("examples", "seeds", "controls", "flattening")
Numbers = dict[str, float]


def table(replicates: Replicates) -> dict[str, Any]:
    """Measure flat networks and their controls over draws of the data and trainings."""
    parts = {"circles": circles, "wave": wave, "boston": boston, "loans": loans}
    found: dict[str, Any] = {"settings": SETTINGS}
    for name, work in parts.items():
        found[name] = over_seeds(replicates, name, work, SEEDS)
    found["data_sha256"] = hashes()
    return found


def flat(rows: Trained, merged: Any, seed: int, shift: float = 0.0) -> Any:
    """Flatten a merge whose intercepts, and responses if they are numbers, are shifted."""
    y = rows.y_train if rows.classification else rows.y_train + shift
    classes = getattr(merged, "classes_", None)
    coef, intercept = merged.coef_[:, 0], merged.intercept_[:, 0] + shift
    return flatten_models(coef, intercept, rows.X_train, y, classes=classes, seed=seed, **TRAINING)


def random(rows: Trained, n: int, seed: int, shift: float = 0.0) -> Any:
    """Train from one random start."""
    task = "classification" if rows.classification else "regression"
    y = rows.y_train if rows.classification else rows.y_train + shift
    return single_hidden_layer(rows.X_train, y, n, 1, task=task, seed=seed, **TRAINING)


def stages(rows: Trained, name: str, model: Any, shift: float = 0.0) -> Numbers:
    """Return the test score before and after training, and the least held-out loss."""
    networks = {"start": model.network_before_, "tuned": model.network}
    found = {
        f"{stage}, {name}": rows.score(network.forward(rows.X_test)[:, 0] - shift)
        for stage, network in networks.items()
    }
    losses = model.log["validation_loss"]
    found |= {f"held-out start, {name}": losses[0], f"held-out, {name}": min(losses)}
    return found | {f"epochs, {name}": len(losses) - 1}


def moved(name: str, model: Any) -> Numbers:
    """Return how far the neurons moved, relative to their length, and how far they turned."""
    old, new = model.network_before_, model.network
    a, b = (np.column_stack([n.biases[0], n.weights[0]]) for n in (old, new))
    change = np.linalg.norm(b - a, axis=1) / np.linalg.norm(a, axis=1)
    w, v = old.weights[0], new.weights[0]
    lengths = np.linalg.norm(w, axis=1) * np.linalg.norm(v, axis=1)
    # The model of a cluster with rows of one class is constant: it has no direction to turn from.
    cosine = np.divide((w * v).sum(axis=1), lengths, out=np.ones(len(w)), where=lengths > 0)
    turn = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    found = {f"median change, {name}": np.median(change), f"most change, {name}": change.max()}
    return found | {f"most turn, {name}": turn.max()}


def length_one(network: PiecewiseLinearNetwork) -> PiecewiseLinearNetwork:
    """Return the same function with neurons of length one."""
    w, b, v = network.weights[0], network.biases[0], network.weights[1]
    length = np.hypot(np.linalg.norm(w, axis=1), b)
    return PiecewiseLinearNetwork(
        [w / length[:, None], v * length], [b / length, network.biases[1]]
    )


def same_function(rows: Trained, merged: Any, model: Any, seed: int) -> Any:
    """Train from the start of a flat network with neurons of length one."""
    start = length_one(model.network_before_)
    classes = getattr(merged, "classes_", None)
    # The output layer's fit gives what `length_one` has, up to its tolerance.
    return flatten_models(
        start.weights[0],
        start.biases[0],
        rows.X_train,
        rows.y_train,
        classes=classes,
        seed=seed,
        **TRAINING,
    )


def sides(deep: np.ndarray, X: np.ndarray, models: dict[str, Any]) -> Numbers:
    """Return how often each model takes the deep network's side."""
    return {
        f"same side, {name}": np.mean((deep > 0) == (model.decision_function(X) > 0))
        for name, model in models.items()
    }


def circles(seed: int) -> Numbers:
    """Return one replicate of CoCircles: three starts, trained alike."""
    rows = train(BY_NAME["CoCircles"], seed)
    merges = {"l2": rows.unwrapper.merge(10, 5, 30, "l2"), "free": rows.unwrapper.merge(10, 5, 30)}
    n = len(merges["l2"].counts_)
    models = {name: flat(rows, merged, seed) for name, merged in merges.items()}
    models["random"] = random(rows, n, seed)
    for name, merged in merges.items():
        models[f"{name}, length one"] = same_function(rows, merged, models[name], seed)
    found: Numbers = {"clusters": n, "network": rows.score(rows.network.forward(rows.X_test)[:, 0])}
    for name, model in models.items():
        found |= stages(rows, name, model)
    for name, merged in merges.items():
        found[f"merged, {name}"] = rows.score(merged.decision_function(rows.X_test))
        found |= moved(name, models[name])
    fresh = data.co_circles(FRESH, seed=FRESH_SEED + seed).X
    judged = models | {f"merged {name}": merged for name, merged in merges.items()}
    found |= sides(rows.network.forward(fresh)[:, 0], fresh, judged)
    again = UnwrapperClassifier(models["l2"].network).fit(rows.X_train, rows.y_train)
    return found | {"regions": again.n_regions_, "deep regions": rows.unwrapper.n_regions_}


def wave(seed: int) -> Numbers:
    """Return one replicate of ChirpWave: two starts, and another zero of the response."""
    rows = train(BY_NAME["ChirpWave"], seed)
    merged = rows.unwrapper.merge(n_neighbors=0.01)
    n = len(merged.counts_)
    found: Numbers = {"clusters": n, "network": rows.score(rows.unwrapper.predict(rows.X_test))}
    found["merged"] = rows.score(merged.predict(rows.X_test))
    for lift in LIFTS:
        model = flat(rows, merged, seed, lift)
        found |= stages(rows, f"lift {lift:.0f}", model, lift)
        if lift == 0:
            found |= moved("flat", model)
            again = UnwrapperRegressor(model.network).fit(rows.X_train, rows.y_train)
            found |= {"regions": again.n_regions_, "deep regions": rows.unwrapper.n_regions_}
            found |= stages(rows, "length one", same_function(rows, merged, model, seed))
        found |= stages(rows, f"random, lift {lift:.0f}", random(rows, n, seed, lift), lift)
    return found


def boston(seed: int) -> Numbers:
    """Return one replicate of Boston: who is on, and the zero at the mean price."""
    rows = train(BY_NAME["BostonHouse"], seed)
    merged = rows.unwrapper.merge(n_neighbors=0.01, penalty="l2")
    n = len(merged.counts_)
    found: Numbers = {"clusters": n, "network": rows.score(rows.unwrapper.predict(rows.X_test))}
    found["merged"] = rows.score(merged.predict(rows.X_test))
    found["one line"] = rows.score(
        LinearRegression().fit(rows.X_train, rows.y_train).predict(rows.X_test)
    )
    for name, shift in (("as it is", 0.0), ("mean", -rows.y_train.mean())):
        model = flat(rows, merged, seed, shift)
        found |= stages(rows, name, model, shift) | moved(name, model)
        found[f"on, {name}"] = model.network_before_.activation_pattern(rows.X_train).mean()
    return found | stages(rows, "random", random(rows, n, seed))


def loans(seed: int) -> Numbers:
    """Return one draw of the loans: scores, distance to the truth, who gets no reading."""
    drawn = data.home_lending(seed=seed)
    X, X_test, y, y_test = train_test_split(drawn.X, drawn.y, test_size=0.2, random_state=seed)
    scaler = StandardScaler().fit(X)
    mlp = MLPClassifier(hidden_layer_sizes=(5, 5), random_state=seed, **RECIPE)
    rows = fit_network(mlp, scaler.transform(X), scaler.transform(X_test), y, y_test)
    merged = rows.unwrapper.merge(2, 0.01, 30, "l2")
    n = len(merged.counts_)
    models = {"flat": flat(rows, merged, seed), "random": random(rows, n, seed)}
    models["prior"] = flat(rows, merged, seed, np.log(PRIOR / (1 - PRIOR)))
    found: Numbers = {"clusters": n, "network": rows.score(rows.network.forward(rows.X_test)[:, 0])}
    found["merged"] = rows.score(merged.decision_function(rows.X_test))
    found["linear"] = rows.score(controls.linear(rows))
    found["truth"] = rows.score(drawn.truth.log_odds(X_test))
    true = drawn.truth.coefficients.drop(columns="intercept").to_numpy()
    true = true[drawn.truth.segment(X_test)] * scaler.scale_
    local = {"network": at(rows.network, rows.X_test)}
    local["merged"] = merged.coef_[merged.apply(rows.X_test), 0]
    for name, model in models.items():
        found |= stages(rows, name, model)
        for stage, network in (("start", model.network_before_), ("tuned", model.network)):
            on = network.activation_pattern(rows.X_test)
            found[f"none on, {stage}, {name}"] = (on.sum(axis=1) == 0).mean()
        local[name] = at(model.network, rows.X_test)
    away = {name: np.linalg.norm(coef - true, axis=1) for name, coef in local.items()}
    found |= {f"distance, {name}": d.mean() for name, d in away.items()}
    found |= moved("flat", models["flat"])
    fresh = scaler.transform(data.home_lending(FRESH, seed=FRESH_SEED + seed).X)
    judged = models | {"merged": merged}
    return found | sides(rows.network.forward(fresh)[:, 0], fresh, judged)


def at(network: PiecewiseLinearNetwork, X: np.ndarray) -> np.ndarray:
    """Return the coefficients of the network's local model at each row."""
    return network.local_linear_models(network.activation_pattern(X))[0][:, 0]
