"""How well readable students of several families follow a network, taught and untaught.

A replicate is one split of the rows and one training of the network. Every student is trained on
the labels, on the network's decisions, on its probabilities (soft labels), on its logits, on the
probabilities of a second network (the stranger: same rows, other first weights), and on soft labels
of the rows and of twice as many drawn ones (MUNGE, Bucila et al. 2006). A training whose network
decides for one class on all of its rows is passed over. A run that was stopped goes on where it
stopped. Weighted rows for small networks need scikit-learn 1.7.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from replicates import Replicates
from results import difference
from scipy.special import expit, logit
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from xai_course.book import train_model
from xai_course.data import Dataset, home_lending, load
from xai_course.families.additive import AdditiveRegressor
from xai_course.families.decision_set import DecisionSet
from xai_course.networks import PiecewiseLinearNetwork

REPLICATES, LEAVES, OFF, ROWS = 12, 8, 2000, 1000
SETS: dict[str, Callable[[], Dataset]] = {
    "breast_cancer": lambda: load("breast_cancer"),
    "home_lending": home_lending,
}
TEMPERATURES = (0.0, 0.5, 1.0, 2.0, 5.0, np.inf)
BLIND = ("mean perimeter", "perimeter error", "worst perimeter")

Score = Callable[[np.ndarray], np.ndarray]  # positive where it decides for class 1
Student = Callable[[np.ndarray, np.ndarray, bool], Score]  # rows, targets, whether these are logits


def munge(X: np.ndarray, n: int, rng: np.random.Generator, swap: float = 0.5) -> np.ndarray:
    """Draw `n` rows: each begins as a row, and takes about half of its values from its neighbour.

    A value that is taken is normal around the neighbour's, with the distance of the two values as
    standard deviation (Bucila et al. 2006, with s = 1).
    """
    nearest = NearestNeighbors(n_neighbors=2).fit(X).kneighbors(X, return_distance=False)[:, 1]
    i = rng.integers(len(X), size=n)
    other = X[nearest[i]]
    taken = rng.normal(other, np.abs(other - X[i]))
    return np.where(rng.uniform(size=taken.shape) < swap, taken, X[i])


def classes(make: Callable[[], Any], X: np.ndarray, target: np.ndarray) -> Any:
    """Fit a classifier to probabilities of class 1: each row counts as both classes, weighted."""
    two = np.repeat([0, 1], len(X))
    weight = np.concatenate([1 - target, target])
    used = weight > 0
    return make().fit(np.concatenate([X, X])[used], two[used], sample_weight=weight[used])


def tree(X: np.ndarray, target: np.ndarray, logits: bool) -> Score:
    """Grow a tree by least squares."""
    fitted = DecisionTreeRegressor(max_leaf_nodes=LEAVES, random_state=0).fit(X, target)
    return lambda Z: fitted.predict(Z) - (0.0 if logits else 0.5)


def decision_set(X: np.ndarray, target: np.ndarray, logits: bool) -> Score:
    """Choose rules."""
    fitted = DecisionSet(n_cuts=3).fit(X, expit(target) if logits else target)
    return lambda Z: fitted.predict(Z) - 0.5


def curves(X: np.ndarray, target: np.ndarray, logits: bool) -> Score:
    """Boost stumps."""
    if logits:
        return AdditiveRegressor().fit(X, target).predict
    how = {"n_estimators": 200, "max_depth": 1, "random_state": 0}
    return classes(lambda: GradientBoostingClassifier(**how), X, target).decision_function


def boosted(X: np.ndarray, target: np.ndarray, logits: bool) -> Score:
    """Boost trees of three levels."""
    how = {"n_estimators": 100, "max_depth": 3, "random_state": 0}
    if logits:
        return GradientBoostingRegressor(**how).fit(X, target).predict
    return classes(lambda: GradientBoostingClassifier(**how), X, target).decision_function


def small(X: np.ndarray, target: np.ndarray, logits: bool) -> Score:
    """Train a network of three hidden neurons."""
    how = {"hidden_layer_sizes": (3,), "solver": "lbfgs", "max_iter": 500, "random_state": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        if logits:
            return MLPRegressor(**how, alpha=1.0).fit(X, target).predict
        fitted = classes(lambda: MLPClassifier(**how, alpha=1.0), X, target)
    return lambda Z: fitted.predict_proba(Z)[:, 1] - 0.5


def line(X: np.ndarray, target: np.ndarray, logits: bool) -> Score:
    """Fit one straight line."""
    if logits:
        return LinearRegression().fit(X, target).predict
    return classes(lambda: LogisticRegression(max_iter=1000), X, target).decision_function


STUDENTS: dict[str, Student] = {
    "tree": tree,
    "decision set": decision_set,
    "curves": curves,
    "boosted trees": boosted,
    "small network": small,
    "straight line": line,
}


def agreement(score: Score, z: np.ndarray, Z: np.ndarray) -> float:
    """Return the share of rows with the network's decision."""
    return float(((score(Z) > 0) == (z > 0)).mean())


def fidelity(name: str, seed: int) -> dict[str, Any] | None:
    """Return the fidelity of every student, taught in every way, on test rows and shuffled rows."""
    X, X_test, y, _ = SETS[name]().split(seed)
    own, stranger = (train_model(name, seed=s, split=seed) for s in (seed, 100 + seed))
    rng = np.random.default_rng(seed)
    X, y = X[:ROWS], y[:ROWS]
    X, X_test = own.standardize(X), own.standardize(X_test[:OFF])
    z, other = (model.network.forward(X)[:, 0] for model in (own, stranger))
    if any(len(np.unique(a > 0)) == 1 for a in (z, other)):
        return None
    off = X_test[rng.integers(len(X_test), size=(OFF, X.shape[1])), np.arange(X.shape[1])]
    rows = {"data": X_test, "shuffled": off}
    answers = {key: own.network.forward(Z)[:, 0] for key, Z in rows.items()}
    drawn = np.concatenate([X, munge(X, 2 * len(X), rng)])
    taught = {
        "labels": (X, 1.0 * y, False),
        "stranger": (X, expit(other), False),
        "decisions": (X, 1.0 * (z > 0), False),
        "soft labels": (X, expit(z), False),
        "logits": (X, z, True),
        "drawn rows": (drawn, expit(own.network.forward(drawn)[:, 0]), False),
    }
    found: dict[str, Any] = {"students": {}}
    for kind, student in STUDENTS.items():
        for how, lesson in taught.items():
            score = student(*lesson)
            pair = [agreement(score, answers[key], Z) for key, Z in rows.items()]
            found["students"].setdefault(kind, {})[how] = pair
    found["stranger"] = [
        float(((stranger.network.forward(Z)[:, 0] > 0) == (answers[key] > 0)).mean())
        for key, Z in rows.items()
    ]
    found["one class"] = [float(max(p := (a > 0).mean(), 1 - p)) for a in answers.values()]
    found["temperatures"] = [_softened(t, X, z, X_test, answers["data"]) for t in TEMPERATURES]
    return found


def _softened(
    T: float, X: np.ndarray, z: np.ndarray, Z: np.ndarray, truth: np.ndarray
) -> list[float]:
    """Return fidelity and mean error of the probability of a tree on answers at a temperature."""
    target = (z > 0) * 1.0 if T == 0 else z if np.inf == T else expit(z / T)
    fitted = DecisionTreeRegressor(max_leaf_nodes=LEAVES, random_state=0).fit(X, target)
    said = fitted.predict(Z)
    with np.errstate(divide="ignore"):
        p = said if T == 0 else expit(said) if np.inf == T else expit(T * logit(said))
    return [float(((p > 0.5) == (truth > 0)).mean()), float(np.abs(p - expit(truth)).mean())]


def health(name: str, seed: int) -> dict[str, float]:
    """Return the AUC on test labels of a network, and of boosted trees taught in three ways."""
    X, tests, y, truth = _health(name, seed)
    mlp = MLPClassifier((8, 8), alpha=1.0, max_iter=1000, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        mlp.fit(X, y)
    network = PiecewiseLinearNetwork.from_sklearn(mlp)
    hidden = PiecewiseLinearNetwork(network.weights[:2], network.biases[:2])
    last = np.maximum(0, hidden.forward(X))
    helper = LogisticRegression(max_iter=1000).fit(last, y)
    how = {"n_estimators": 100, "max_depth": 3, "random_state": 0}
    scores = {
        "network": network.forward(tests)[:, 0],
        "labels": GradientBoostingClassifier(**how).fit(X, y).decision_function(tests),
        "mimic": GradientBoostingRegressor(**how).fit(X, mlp.predict_proba(X)[:, 1]).predict(tests),
        "mimic of the last layer": GradientBoostingRegressor(**how)
        .fit(X, helper.predict_proba(last)[:, 1])
        .predict(tests),
        "line": LogisticRegression(max_iter=1000).fit(X, y).decision_function(tests),
    }
    return {kind: float(roc_auc_score(truth, score)) for kind, score in scores.items()}


def _health(name: str, seed: int) -> tuple[np.ndarray, ...]:
    if name == "breast_cancer":
        X, tests, y, truth = load(name).split(seed)
    else:  # 442 patients: does the disease progress more than in half of them?
        from sklearn.datasets import load_diabetes

        X, y = load_diabetes(return_X_y=True, scaled=False)
        y = (y > np.median(y)).astype(int)
        order = np.random.default_rng(seed).permutation(len(X))
        rows, held = order[88:], order[:88]
        X, tests, y, truth = X[rows], X[held], y[rows], y[held]
    scaler = StandardScaler().fit(X)
    return scaler.transform(X), scaler.transform(tests), y, truth


def blind(seed: int) -> dict[str, Any]:
    """Return what students that see the perimeters say of a network that does not."""
    data = load("breast_cancer")
    X, tests, y, _ = data.split(seed)
    scaler = StandardScaler().fit(X)
    X, tests = scaler.transform(X), scaler.transform(tests)
    hidden = np.array([name in BLIND for name in data.feature_names])
    mlp = MLPClassifier((8, 8), alpha=1.0, max_iter=1000, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        mlp.fit(X[:, ~hidden], y)
    network = PiecewiseLinearNetwork.from_sklearn(mlp)
    z, truth = (network.forward(rows[:, ~hidden])[:, 0] for rows in (X, tests))
    moved = tests.copy()
    order = np.random.default_rng(seed).permutation(len(tests))
    moved[:, hidden] = tests[order][:, hidden]
    found, soft = {}, expit(z)
    for kind in ("tree", "decision set", "curves", "boosted trees"):
        whole, fair = (STUDENTS[kind](Z, soft, False) for Z in (X, X[:, ~hidden]))
        turned = (whole(moved) > 0) != (whole(tests) > 0)
        found[kind] = [
            agreement(whole, truth, tests),
            agreement(fair, truth, tests[:, ~hidden]),
            float(turned.mean()),
        ]
    return found


def table() -> dict[str, Any]:
    """Return means, and pairwise differences with their standard errors."""
    replicates = Replicates("proxies_distilled", [Path(__file__)])
    result: dict[str, Any] = {"replicates": REPLICATES, "temperatures": TEMPERATURES[:-1]}
    for name in SETS:
        runs, passed_over = replicates.first(REPLICATES, name, fidelity)
        result[name] = {"passed over": passed_over, **_fidelities(runs)}
    seen = {
        name: [replicates.run(f"{name} health {s}", partial(health, name, s)) for s in range(20)]
        for name in ("breast_cancer", "diabetes")
    }
    result["health"] = {
        name: {
            "AUC": {kind: difference([run[kind] for run in runs]) for kind in runs[0]},
            "more than on labels": {
                kind: difference([run[kind] - run["labels"] for run in runs]) for kind in runs[0]
            },
            "more than the network": {
                kind: difference([run[kind] - run["network"] for run in runs]) for kind in runs[0]
            },
        }
        for name, runs in seen.items()
    }
    runs = [replicates.run(f"blind {seed}", partial(blind, seed)) for seed in range(REPLICATES)]
    result["blind"] = {
        kind: {
            "all columns": difference([run[kind][0] for run in runs]),
            "own columns": difference([run[kind][1] for run in runs]),
            "gained": difference([run[kind][0] - run[kind][1] for run in runs]),
            "turned": difference([run[kind][2] for run in runs]),
            "uses": sum(run[kind][2] > 0 for run in runs),
        }
        for kind in runs[0]
    }
    replicates.clear()
    return result


def _fidelities(runs: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {
        key: np.mean([run[key] for run in runs], axis=0).round(4).tolist()
        for key in ("stranger", "one class", "temperatures")
    }
    found["students"], found["soft labels more than"] = {}, {}
    for kind in STUDENTS:
        values = {
            how: np.array([run["students"][kind][how] for run in runs])
            for how in runs[0]["students"][kind]
        }
        found["students"][kind] = {
            how: v.mean(axis=0).round(4).tolist() for how, v in values.items()
        }
        found["soft labels more than"][kind] = {
            how: [difference(column) for column in (values["soft labels"] - v).T]
            for how, v in values.items()
            if how != "soft labels"
        }
    at = np.array([run["temperatures"] for run in runs])
    found["probabilities more than decisions"] = [
        [difference(at[:, i, k] - at[:, 0, k]) for k in (0, 1)] for i in range(1, len(TEMPERATURES))
    ]
    return found
