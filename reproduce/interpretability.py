"""Measure what the first chapter says about access and about the five rules of thumb.

``python reproduce/interpretability.py rules`` writes ``interpretability_rules.json`` where the book
finds it (`xai_course.book.measured`): for twenty splits of the breast cancer data a network each,
explained by someone who reads its weights, by someone who only gets answers, and by controls that
never saw it. ``levels`` measures what a model that one can follow costs in accuracy, whether
neurons have jobs of their own, and what 2 % of credit scores written as 999 do. Inputs of all
models are in standard deviations of the training rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from results import choose, run
from sklearn.base import ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from xai_course.data import home_lending, load
from xai_course.networks import PiecewiseLinearNetwork

SPLITS, HARDEST, RADIUS, STEP = 20, 20, 0.5, 1.1
QUESTIONS = (35, 60, 120, 250, 500, 1000)
DECIMALS = (12, 2, 1)
COVERED = 0.25  # log-odds
LOST = 0.02  # of the credit scores
THREE = ("worst radius", "worst texture", "worst concave points")
KINDS: dict[str, Callable[[int], ClassifierMixin]] = {
    "logistic regression": lambda seed: LogisticRegression(max_iter=1000),
    "ReLU network": lambda seed: _mlp(seed),
    "sigmoid network": lambda seed: MLPClassifier(
        (8, 8), activation="logistic", alpha=0.01, max_iter=1000, random_state=seed
    ),
    "forest of 50 trees": lambda seed: RandomForestClassifier(50, random_state=seed),
    "tree of three questions": lambda seed: DecisionTreeClassifier(max_depth=3, random_state=seed),
}
Explanation = tuple[float, np.ndarray]  # of a row: the value there, and a slope for each feature


class Split(NamedTuple):
    """Standardised rows and labels, a network, and the test rows nearest to its decision."""

    Z: np.ndarray
    y: np.ndarray
    tests: np.ndarray
    truth: np.ndarray
    mlp: MLPClassifier
    network: PiecewiseLinearNetwork
    hardest: np.ndarray


def _mlp(seed: int) -> MLPClassifier:
    return MLPClassifier((8, 8), alpha=1.0, max_iter=1000, random_state=seed)


def split(seed: int) -> Split:
    """Train the network of one split, with the same seed."""
    X, X_test, y, truth = load("breast_cancer").split(seed)
    scaler = StandardScaler().fit(X)
    Z, tests = scaler.transform(X), scaler.transform(X_test)
    mlp = _mlp(seed).fit(Z, y)
    network = PiecewiseLinearNetwork.from_sklearn(mlp)
    hardest = np.argsort(np.abs(network.forward(tests)[:, 0]), kind="stable")[:HARDEST]
    return Split(Z, y, tests, truth, mlp, network, hardest)


def slopes(network: PiecewiseLinearNetwork, x: np.ndarray) -> np.ndarray:
    """Return the exact slopes at one row, shape (n_features,)."""
    return network.local_linear_models(network.activation_pattern(x[None]))[0][0, 0]


def interface(network: PiecewiseLinearNetwork, Z: np.ndarray, decimals: int) -> np.ndarray:
    """Return log-odds made of rounded probabilities; 0 and 1 are moved in by half a unit."""
    half = 0.5 * 10.0**-decimals
    p = 1 / (1 + np.exp(-network.forward(Z)[:, 0]))
    p = p.round(decimals).clip(half, 1 - half)
    return np.log(p / (1 - p))


def call(
    network: PiecewiseLinearNetwork, x: np.ndarray, n: int, decimals: int, rng: np.random.Generator
) -> Explanation:
    """Return the linear model fitted to the interface's answers around a row."""
    shifts = rng.uniform(-RADIUS, RADIUS, (n, len(x)))
    fit = LinearRegression().fit(shifts, interface(network, x + shifts, decimals))
    return float(fit.intercept_), fit.coef_


def cosine(u: np.ndarray, v: np.ndarray) -> float:
    """Return 1 for slopes of one direction, 0 for unrelated ones."""
    return float(u @ v / np.linalg.norm(u) / np.linalg.norm(v))


def judge(
    explain: Callable[[int], Explanation], one: Split, rng: np.random.Generator
) -> dict[str, float]:
    """Return one number for each rule of thumb that a single network can show, two for one."""
    f, rows = one.network.forward(one.tests)[:, 0], []
    for i in one.hardest:
        x, (value, slope) = one.tests[i], explain(i)
        shifts = rng.uniform(-RADIUS, RADIUS, (200, len(x)))
        near = one.network.forward(x + shifts)[:, 0] - value - shifts @ slope
        everywhere = value + (one.tests - x) @ slope
        neighbour = np.linalg.norm(one.tests - x, axis=1).argsort(kind="stable")[1]
        turned = x - STEP * value * slope / (slope @ slope)
        there = one.network.forward(turned[None])[0, 0]
        rows.append(
            {
                "exactness": np.abs(near).mean(),
                "neighbours": cosine(slope, explain(neighbour)[1]),
                "decisions": ((everywhere > 0) == (f > 0)).mean(),
                "completeness": (np.abs(everywhere - f) < COVERED).mean(),
                "reward": float((there > 0) != (f[i] > 0)),
            }
        )
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def by_rules(one: Split, control: LogisticRegression, seed: int) -> dict[str, dict[str, float]]:
    """Return what each rule gives for the downloader, the caller and two controls."""
    f = one.network.forward(one.tests)[:, 0]
    g = control.decision_function(one.tests)
    ways: dict[str, Callable[[int], Explanation]] = {
        "downloader": lambda i: (f[i], slopes(one.network, one.tests[i])),
        "caller": lambda i: call(one.network, one.tests[i], 200, 2, np.random.default_rng(i)),
        "control": lambda i: (g[i], control.coef_[0]),
        "control, told one answer": lambda i: (f[i], control.coef_[0]),
    }
    return {name: judge(way, one, np.random.default_rng(seed)) for name, way in ways.items()}


def predicts(model: ClassifierMixin, tests: np.ndarray, rng: np.random.Generator) -> float:
    """Return the median R² of linear fits to probabilities around the ten hardest rows."""
    parts = []
    for i in np.argsort(np.abs(model.predict_proba(tests)[:, 1] - 0.5), kind="stable")[:10]:
        rows = tests[i] + rng.uniform(-RADIUS, RADIUS, (400, tests.shape[1]))
        p = model.predict_proba(rows)[:, 1]
        parts.append(LinearRegression().fit(rows[:200], p[:200]).score(rows[200:], p[200:]))
    return float(np.median(parts))


def rules() -> dict[str, Any]:
    """Return all numbers, one for each split."""
    names = list(load("breast_cancer").feature_names)
    three = [names.index(name) for name in THREE]
    table: dict[str, Any] = {
        "questions": list(QUESTIONS),
        "caller": {str(d): [] for d in DECIMALS},
        "control": [],
        "rules": {},
        "kinds": {name: [] for name in KINDS},
        "creator": {"same decisions": [], "accuracy": []},
    }
    for seed in range(SPLITS):
        one, rng = split(seed), np.random.default_rng(seed)
        control = LogisticRegression(max_iter=1000).fit(one.Z, one.y)
        exact = {i: slopes(one.network, one.tests[i]) for i in one.hardest}
        for decimals in DECIMALS:
            table["caller"][str(decimals)].append(
                [
                    np.mean(
                        [
                            cosine(call(one.network, one.tests[i], n, decimals, rng)[1], exact[i])
                            for i in one.hardest
                        ]
                    )
                    for n in QUESTIONS
                ]
            )
        table["control"].append(np.mean([cosine(control.coef_[0], exact[i]) for i in one.hardest]))
        for name, verdict in by_rules(one, control, seed).items():
            table["rules"].setdefault(name, []).append(verdict)
        for name, kind in KINDS.items():
            model = kind(seed).fit(one.Z, one.y)
            table["kinds"][name].append(predicts(model, one.tests, rng))
        again, rows = _mlp(seed).fit(one.Z[:, three], one.y), one.tests[:, three]
        same = (again.predict(rows) == one.mlp.predict(one.tests)).mean()
        table["creator"]["same decisions"].append(same)
        change = again.score(rows, one.truth) - one.mlp.score(one.tests, one.truth)
        table["creator"]["accuracy"].append(change)
    return _rounded(table)


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return round(float(value), 5) if isinstance(value, float | np.floating) else value


def changes(mlp: MLPClassifier, Z: np.ndarray, tests: np.ndarray) -> float:
    """Return which part of a joint change the sum of single changes misses.

    A neuron of the first layer is taken out by holding it at its mean over the training rows.
    """
    (A, B, C), (a, b, c) = mlp.coefs_, mlp.intercepts_
    on, means = np.maximum(0, tests @ A + a), np.maximum(0, Z @ A + a).mean(axis=0)

    def output(first: np.ndarray) -> np.ndarray:
        return (np.maximum(0, first @ B + b) @ C + c)[:, 0]

    neurons = np.arange(len(means))
    single = [output(on) - output(np.where(neurons == i, means, on)) for i in neurons]
    joint = output(on) - output(np.broadcast_to(means, on.shape))
    return float(np.abs(joint - np.sum(single, axis=0)).mean() / np.abs(joint).mean())


def dirty(seed: int) -> dict[str, tuple[float, float]]:
    """Return test accuracy, and the effect of 50 points of credit score, clean and dirty."""
    loans = home_lending()
    X, tests, y, truth = loans.split(seed)
    column = loans.feature_names.index("fico0")
    lost = np.random.default_rng(seed).uniform(size=len(X)) < LOST
    written = X.copy()
    written[lost, column] = 999
    found = {}
    for name, rows in {"clean": X, "dirty": written}.items():
        scaler = StandardScaler().fit(rows)
        model = LogisticRegression(max_iter=500).fit(scaler.transform(rows), y)
        effect = 50 * model.coef_[0, column] / scaler.scale_[column]
        found[name] = model.score(scaler.transform(tests), truth), effect
    return found


def levels() -> dict[str, Any]:
    """Return all numbers, one for each split."""
    names = list(load("breast_cancer").feature_names)
    three = [names.index(name) for name in THREE]
    accuracy: dict[str, list[float]] = {}
    table: dict[str, Any] = {"accuracy": accuracy, "gaps": [], "clean": [], "dirty": []}
    for seed in range(SPLITS):
        one = split(seed)
        line, tree = (
            LogisticRegression(max_iter=1000),
            DecisionTreeClassifier(max_depth=2, random_state=0),
        )
        stump = DecisionTreeClassifier(max_depth=1, random_state=0)
        found = {
            "one question": stump.fit(one.Z, one.y).score(one.tests, one.truth),
            "tree": tree.fit(one.Z, one.y).score(one.tests, one.truth),
            "three": line.fit(one.Z[:, three], one.y).score(one.tests[:, three], one.truth),
            "thirty": line.fit(one.Z, one.y).score(one.tests, one.truth),
            "network": one.mlp.score(one.tests, one.truth),
        }
        for name, score in found.items():
            accuracy.setdefault(name, []).append(score)
        table["gaps"].append(changes(one.mlp, one.Z, one.tests))
        for name, pair in dirty(seed).items():
            table[name].append(list(pair))
    return _rounded(table)


TABLES = {"levels": levels, "rules": rules}


def main() -> None:
    """Run one table and write its file."""
    name = choose(__doc__, TABLES)
    run("interpretability", name, TABLES[name])


if __name__ == "__main__":
    main()
