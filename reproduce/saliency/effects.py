"""How far effect curves of networks are from the truth, over draws of home loans and trainings.

The truth is a function, the log-odds of the generator, and has both curves itself. So a curve of a
network is compared with the same curve of the truth, on the same fresh loans. Trainings on one draw
share its rows: their mean is one value, and the standard error is over draws.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from xai_course.data import Dataset, home_lending
from xai_course.effects import accumulated_local_effects, obscure

SIZES = {"shipped": (5, 5), "wide": (40, 40, 40, 40)}
DRAWS, TRAININGS = 16, 2
FRESH = 2000  # loans on which curves are compared
BINS = 20
FEATURES = ("fico0", "orig_fico", "ltv_fcast", "orig_cltv", "hpiyy", "unemprrt", "h")
STEP = 20.0  # FICO points to either side of a loan

Score = Callable[[np.ndarray], np.ndarray]


def table() -> dict[str, Any]:
    """Return errors of curves, of joint steps and the loss without a group, for each size."""
    found = {name: _size(sizes) for name, sizes in SIZES.items()}
    return {"draws": DRAWS, "trainings": TRAININGS, "loans": FRESH, "bins": BINS, **found}


def _size(sizes: tuple[int, ...]) -> dict[str, Any]:
    draws = [_draw(number, sizes) for number in range(DRAWS)]
    names = FEATURES, ("fico0", "orig_fico", "both"), ("group", "coin")
    curves, steps, groups = (np.array(part) for part in zip(*draws, strict=True))
    columns = ("correlation", "size", "definitions", "pdp", "ale")
    return {
        "curves": {
            name: {c: _mean(values[:, i]) for i, c in enumerate(columns)}
            | {"pdp - ale": _mean(values[:, 3] - values[:, 4])}
            for name, values in zip(names[0], curves.swapaxes(0, 1), strict=True)
        },
        "steps": {
            name: {"truth": _mean(values[:, 0]), "error": _mean(values[:, 1])}
            for name, values in zip(names[1], steps.swapaxes(0, 1), strict=True)
        }
        | {
            f"{one} - both": _mean(steps[:, i, 1] - steps[:, 2, 1])
            for i, one in enumerate(names[1][:2])
        },
        "obscured": {
            name: {c: _mean(values[:, i]) for i, c in enumerate(("auc", "lost", "before", "after"))}
            for name, values in zip(names[2], groups.swapaxes(0, 1), strict=True)
        },
    }


def _mean(values: np.ndarray) -> dict[str, float]:
    error = values.std(ddof=1) / np.sqrt(len(values))
    return {"mean": round(float(values.mean()), 5), "se": round(float(error), 5)}


def _draw(number: int, sizes: tuple[int, ...]) -> list[np.ndarray]:
    """Return the mean over trainings of what `_compare` finds."""
    loans = home_lending(seed=1000 + number)
    fresh = home_lending(FRESH, seed=2000 + number)
    runs = [_compare(_train(loans, sizes, seed), fresh, number) for seed in range(TRAININGS)]
    return [np.mean(part, axis=0) for part in zip(*runs, strict=True)]


def _train(loans: Dataset, sizes: tuple[int, ...], seed: int) -> Score:
    """Train as the book's shipped network is, on the training part, and return its logit."""
    X, _, y, _ = loans.split()
    scaler = StandardScaler().fit(X)
    mlp = MLPClassifier(
        sizes, max_iter=2000, early_stopping=True, validation_fraction=0.2, n_iter_no_change=100,
        random_state=seed,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        mlp.fit(scaler.transform(X), y)

    def logit(rows: np.ndarray) -> np.ndarray:
        hidden = scaler.transform(rows)
        for weight, bias in zip(mlp.coefs_[:-1], mlp.intercepts_[:-1], strict=True):
            hidden = np.maximum(hidden @ weight + bias, 0)
        return (hidden @ mlp.coefs_[-1] + mlp.intercepts_[-1])[:, 0]

    return logit


def _compare(model: Score, fresh: Dataset, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    X, truth = fresh.X, fresh.truth.log_odds
    numbers = [fresh.feature_names.index(name) for name in FEATURES]
    curves = np.array([_curves(model, truth, X, feature) for feature in numbers])
    now, then = numbers[:2]
    steps = [(_step(truth, X, c), _step(model, X, c)) for c in ([now], [then], [now, then])]
    steps = np.array([(true, abs(found - true)) for true, found in steps])
    rng = np.random.default_rng(seed)
    credit = (X[:, now] - X[:, now].mean()) / X[:, now].std()
    group = (rng.uniform(size=len(X)) < expit(-2 * credit)).astype(int)
    groups = [_obscured(model, fresh, members) for members in (group, rng.permutation(group))]
    return curves, steps, np.array(groups)


def _curves(model: Score, truth: Score, X: np.ndarray, feature: int) -> list[float]:
    """Return the closest correlation, the size of the effect, and three distances of curves."""
    column = X[:, feature]
    edges = np.unique(np.quantile(column, np.linspace(0, 1, BINS + 1)))
    related = np.delete(np.abs(np.corrcoef(X.T)[feature]), feature).max()

    def accumulated(f: Score) -> np.ndarray:
        return accumulated_local_effects(f, X, feature, edges)(column)

    def partial(f: Score) -> np.ndarray:
        levels = []
        for edge in edges:
            rows = X.copy()
            rows[:, feature] = edge
            levels.append(f(rows).mean())
        curve = np.interp(column, edges, levels)
        return curve - curve.mean()

    ale, pdp = accumulated(truth), partial(truth)
    errors = [_distance(partial(model), pdp), _distance(accumulated(model), ale)]
    return [related, ale.std(), _distance(pdp, ale), *errors]


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.sqrt(np.mean((one - other) ** 2)))


def _step(f: Score, X: np.ndarray, columns: list[int]) -> float:
    """Return the mean change when these columns rise together, from below a loan to above it."""
    step = np.zeros(X.shape[1])
    step[columns] = STEP
    return float((f(X + step) - f(X - step)).mean())


def _obscured(model: Score, fresh: Dataset, group: np.ndarray) -> list[float]:
    """Return the AUC, what is lost of it without the group, and how well columns tell the group."""
    repaired = obscure(fresh.X, group)
    auc, without = (roc_auc_score(fresh.y, model(X)) for X in (fresh.X, repaired))
    told = [_tells(X, group) for X in (fresh.X, repaired)]
    return [auc, auc - without, *told]


def _tells(X: np.ndarray, group: np.ndarray) -> float:
    """Return the AUC of a linear guess of the group, on the half that it has not seen."""
    half = len(X) // 2
    scaler = StandardScaler().fit(X[:half])
    guess = LogisticRegression().fit(scaler.transform(X[:half]), group[:half])
    return roc_auc_score(group[half:], guess.decision_function(scaler.transform(X[half:])))
