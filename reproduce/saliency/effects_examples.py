"""Two small examples over many trainings: cars of three origins, and the word *not*.

Cars: mean miles per gallon by origin, in the rows and as partial dependence of networks, each
trained on a bootstrap draw of the rows, by two usual recipes. Words: what leaving *not* out does to
the hidden layer and to the output of networks that all read the same sentences rightly.
"""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np
from mlxtend.data import autompg_data
from results import spread
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import r2_score
from sklearn.neural_network import MLPClassifier, MLPRegressor

DRAWS, TRAININGS = 20, 3
ORIGINS = ("USA", "Europe", "Japan")
RECIPES: dict[str, dict[str, Any]] = {
    "adam": {"alpha": 0.1, "learning_rate_init": 0.01, "max_iter": 300},
    "lbfgs": {"alpha": 1.0, "solver": "lbfgs", "max_iter": 500},
}
SENTENCE = "the client has not paid the bill today"
NEGATIONS = ("not", "never")


def table() -> dict[str, Any]:
    """Return both examples."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return {"draws": DRAWS, "trainings": TRAININGS, "cars": _cars(), "not": _words()}


def _cars() -> dict[str, Any]:
    X, mpg = autompg_data()
    rows = np.column_stack([X[:, :6], X[:, 6:7] == [1, 2, 3]])
    rows = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    origins = np.unique(rows[:, 6:], axis=0)[::-1]  # one-hot: USA, Europe, Japan in this order
    found = {name: _recipe(rows, mpg, origins, recipe) for name, recipe in RECIPES.items()}
    names = ("means", "partial dependence", "r2 on rows left out")
    return {name: dict(zip(names, parts, strict=True)) for name, parts in found.items()}


def _recipe(
    rows: np.ndarray, mpg: np.ndarray, origins: np.ndarray, recipe: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return raw means, partial dependence and R2; their spread is that over bootstrap draws."""
    draws = [_draw(rows, mpg, origins, recipe, number) for number in range(DRAWS)]
    means, levels, scores = (np.array(part) for part in zip(*draws, strict=True))

    def described(values: np.ndarray) -> dict[str, Any]:
        by_origin = {name: spread(values[:, i]) for i, name in enumerate(ORIGINS)}
        return by_origin | {"Japan - USA": spread(values[:, 2] - values[:, 0])}

    return described(means), described(levels), spread(scores)


def _draw(
    rows: np.ndarray, mpg: np.ndarray, origins: np.ndarray, recipe: dict[str, Any], number: int
) -> tuple[list[float], np.ndarray, float]:
    """Return raw means, and means over trainings of partial dependence and R2, of one bootstrap."""
    drawn = np.random.default_rng(number).integers(0, len(rows), len(rows))
    left_out = np.setdiff1d(np.arange(len(rows)), drawn)
    X, y = rows[drawn], mpg[drawn]
    means = [float(y[(X[:, 6:] == origin).all(axis=1)].mean()) for origin in origins]
    levels, scores = [], []
    for seed in range(TRAININGS):
        net = MLPRegressor(hidden_layer_sizes=(10,), random_state=seed, **recipe).fit(X, y)
        moved = [np.column_stack([X[:, :6], np.tile(origin, (len(X), 1))]) for origin in origins]
        levels.append([net.predict(Z).mean() for Z in moved])
        scores.append(r2_score(mpg[left_out], net.predict(rows[left_out])))
    return means, np.mean(levels, axis=0), float(np.mean(scores))


def _words() -> dict[str, Any]:
    choices = [("client", "customer", "firm"), ("", *NEGATIONS)]
    choices += [("paid", "settled", "missed", "skipped"), ("bill", "invoice")]
    choices += [("today", "yesterday", "again")]
    sentences = [
        f"the {who} has {no} {did} the {what} {when}".split()
        for who, no, did, what, when in itertools.product(*choices)
    ]
    words = sorted({word for sentence in sentences for word in sentence})
    unpaid = [
        bool(set(s) & {"missed", "skipped"}) != bool(set(s) & set(NEGATIONS)) for s in sentences
    ]
    X, y = np.array([[word in s for word in words] for s in sentences], float), np.array(unpaid)
    runs = [_read(X, y, words, seed) for seed in range(DRAWS)]
    names = ("omission score", "output change", "right on sentences left out")
    return dict(zip(names, map(spread, zip(*runs, strict=True)), strict=True))


def _read(X: np.ndarray, y: np.ndarray, words: list[str], seed: int) -> tuple[float, float, float]:
    """Train on two thirds of the sentences; return both scores of *not*, and the share right."""
    order = np.random.default_rng(seed).permutation(len(X))
    learn, rest = order[: 2 * len(X) // 3], order[2 * len(X) // 3 :]
    net = MLPClassifier((12,), solver="lbfgs", alpha=0.1, max_iter=2000, random_state=seed)
    net.fit(X[learn], y[learn])
    whole = np.array([word in SENTENCE.split() for word in words], float)
    without = whole * (np.array(words) != "not")
    hidden = np.maximum(np.array([whole, without]) @ net.coefs_[0] + net.intercepts_[0], 0)
    cosine = hidden[0] @ hidden[1] / np.prod(np.linalg.norm(hidden, axis=1))
    output = (hidden @ net.coefs_[1])[:, 0]
    return float(1 - cosine), float(output[0] - output[1]), float(net.score(X[rest], y[rest]))
