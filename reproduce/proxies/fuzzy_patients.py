"""Fuzzy rules as a proxy of networks for patients: fidelity, and what is lost by reading them.

Twenty replicates, each with its own split of the rows and its own training. Two measurements,
standardised: the worst texture and the worst area; for the sigmoid networks also all thirty.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from replicates import Replicates
from results import difference, over_seeds
from scipy.special import expit, logit
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.tree import DecisionTreeClassifier

from xai_course import data
from xai_course.families.takagi_sugeno import TakagiSugenoRegressor
from xai_course.networks import PiecewiseLinearNetwork

N_REPLICATES, N_BOX, CEILING = 20, 2000, 8.0
NAMES = ("worst texture", "worst area")
HOW = {"n_epochs": 60, "step": 0.05}
Decide = Callable[[np.ndarray], np.ndarray]


def drawn(seed: int, names: tuple[str, ...] | None = NAMES) -> tuple[np.ndarray, ...]:
    """Return training rows, test rows, points of the box, and training labels of one draw."""
    patients = data.load("breast_cancer")
    columns = [list(patients.feature_names).index(n) for n in names or patients.feature_names]
    X, X_test, y, _ = patients.split(seed)
    X, X_test = X[:, columns], X_test[:, columns]
    mean, scale = X.mean(axis=0), X.std(axis=0)
    X, X_test = (X - mean) / scale, (X_test - mean) / scale
    ends = X.min(axis=0), X.max(axis=0)
    return X, X_test, np.random.default_rng(seed).uniform(*ends, (N_BOX, len(columns))), y


def network_of(X: np.ndarray, y: np.ndarray, seed: int) -> PiecewiseLinearNetwork:
    """Return a trained ReLU network with two hidden layers of eight neurons."""
    mlp = MLPClassifier((8, 8), alpha=1e-3, learning_rate_init=0.01, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return PiecewiseLinearNetwork.from_sklearn(mlp.fit(X, y))


def strongest(rules: TakagiSugenoRegressor, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what the strongest rule says alone, and its share."""
    shares, says = rules.explain(X)
    best = shares.argmax(axis=1)[:, None]
    return (np.take_along_axis(a, best, axis=1)[:, 0] for a in (says, shares))


def one_by_one(rules: TakagiSugenoRegressor, X: np.ndarray, y: np.ndarray) -> TakagiSugenoRegressor:
    """Return the rules with each conclusion fitted for itself, its shares as weights."""
    shares, _ = rules.explain(X)
    inputs = np.column_stack([np.ones(len(X)), X])[:, : rules.consequents_.shape[1]]
    alone = copy.deepcopy(rules)
    for k, weight in enumerate(shares.T):
        gram = inputs.T @ (weight[:, None] * inputs) + 1e-6 * np.eye(inputs.shape[1])
        alone.consequents_[k] = np.linalg.solve(gram, inputs.T @ (weight * y))
    return alone


def measure(seed: int) -> dict[str, Any]:
    """Return fidelity and reading of each rule set of one replicate, on test rows and the box."""
    X, X_test, box, y = drawn(seed)
    net, other = network_of(X, y, seed), network_of(X, y, 100 + seed)
    answers, found = np.clip(net.forward(X)[:, 0], -CEILING, CEILING), {}
    ends = np.column_stack([X.min(axis=0), X.max(axis=0)])
    places = {"test": X_test, "box": box}

    def score(name: str, decide: Decide, **more: dict[str, float]) -> None:
        same = {p: float((decide(Z) == net.decide(Z)).mean()) for p, Z in places.items()}
        found[name] = {"fidelity": same, **more}

    sources = ("answers", "labels", "answers, one by one")
    for n_sets, order, source in product((2, 3), (0, 1), sources):
        target = 4.0 * y - 2.0 if source == "labels" else answers
        rules = TakagiSugenoRegressor(n_sets, order=order, **HOW).fit(X, target)
        rules = one_by_one(rules, X, target) if "one by one" in source else rules
        alone = {p: strongest(rules, Z) for p, Z in places.items()}
        reading, share = {}, {}
        for place, (says, part) in alone.items():
            reading[place] = float(((says >= 0) == net.decide(places[place])).mean())
            share[place] = float(part.mean())
        name = f"{n_sets**2} rules, {'linear' if order else 'numbers'}, {source}"
        score(name, lambda Z, r=rules: r.predict(Z) >= 0, reading=reading, share=share)
    for leaves in (4, 9):
        tree = DecisionTreeClassifier(max_leaf_nodes=leaves, random_state=0)
        score(f"tree of {leaves} leaves, answers", tree.fit(X, net.decide(X)).predict)
    score("logistic, labels", LogisticRegression().fit(X, y).predict)
    score("another training", other.decide)
    return found | {"regions": len(net.enumerate_regions(ends).patterns)}


def read(degrees: np.ndarray) -> dict[str, np.ndarray]:
    """Join degrees (n, n_inputs, n_rules) in several ways."""
    return {
        "interactive or": expit(logit(degrees).sum(axis=1)),
        "or, the largest": degrees.max(axis=1),
        "or, by probability": 1 - (1 - degrees).prod(axis=1),
        "and, the smallest": degrees.min(axis=1),
        "the mean": degrees.mean(axis=1),
    }


def measure_sigmoid(seed: int, names: tuple[str, ...] | None) -> dict[str, Any]:
    """Return how often readings of a sigmoid network's rules decide like the network."""
    X, X_test, box, y = drawn(seed, names)
    how = {"activation": "logistic", "solver": "lbfgs", "alpha": 0.1, "max_iter": 500}
    net = MLPClassifier((3,), random_state=seed, **how).fit(X, y)
    (W, v), (c, v0) = net.coefs_, net.intercepts_
    logistic, found = LogisticRegression().fit(X, y), {}
    for place, Z in (("test", X_test), ("box", box)):
        said = net.predict(Z)
        joined = read(expit(Z[:, :, None] * W + c / len(W)))
        for name, degrees in joined.items():
            decided = (degrees @ v + v0)[:, 0] >= 0
            found.setdefault(name, {})[place] = float((decided == said).mean())
        found.setdefault("logistic, labels", {})[place] = float(
            (logistic.predict(Z) == said).mean()
        )
        common = float(max(said.mean(), 1 - said.mean()))
        found.setdefault("always the same", {})[place] = common
    return found


def table() -> dict[str, Any]:
    """Return all parts with their spread, and pairwise differences. A stopped run goes on."""
    kept = Replicates("proxies_fuzzy_patients", [Path(__file__)])
    runs = [kept.run(f"relu {s}", lambda s=s: measure(s)) for s in range(N_REPLICATES)]
    found: dict[str, Any] = {"relu": over_seeds(runs)}
    names = [n for n in runs[0] if "answers" in n]
    pairs: dict[str, Any] = {}
    for name, place in product(names, ("test", "box")):
        pairs.setdefault(name, {})[place] = {
            "over the logistic": difference(
                [
                    r[name]["fidelity"][place] - r["logistic, labels"]["fidelity"][place]
                    for r in runs
                ]
            )
        }
        if "reading" in runs[0][name]:
            lost = [r[name]["fidelity"][place] - r[name]["reading"][place] for r in runs]
            control = name.replace(", one by one", "").replace("answers", "labels")
            gain = [r[name]["fidelity"][place] - r[control]["fidelity"][place] for r in runs]
            pairs[name][place] |= {"lost": difference(lost), "gain": difference(gain)}
    found["differences"] = pairs
    for key, names_of in (("two", NAMES), ("thirty", None)):
        part = [
            kept.run(f"sigmoid {key} {s}", lambda s=s, n=names_of: measure_sigmoid(s, n))
            for s in range(N_REPLICATES)
        ]
        found[f"sigmoid, {key}"] = over_seeds(part) | {
            "differences": {
                f"{a} - {b}": {
                    p: difference([r[a][p] - r[b][p] for r in part]) for p in ("test", "box")
                }
                for a, b in (
                    ("interactive or", "or, the largest"),
                    ("interactive or", "logistic, labels"),
                    ("interactive or", "and, the smallest"),
                )
            }
        }
    kept.clear()
    return {"settings": {"replicates": N_REPLICATES, "box": N_BOX, "clipped_at": CEILING}, **found}
