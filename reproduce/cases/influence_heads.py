"""Leaving rows out of the head of a network: one step against refitting, single rows and groups."""

from __future__ import annotations

from typing import Any

import numpy as np
from results import difference, over_seeds

from xai_course.book.networks import TrainedModel, load_model, train_model
from xai_course.data import load
from xai_course.examples import hidden_layers
from xai_course.influence import FittedHead, fit_head

N_DRAWS, GROUPS, PENALTIES = 10, (1, 5, 20, 40), (1, 3, 10, 20, 40, 80)


def table() -> dict[str, Any]:
    """Return how two steps agree with refitting, over splits and trainings."""
    runs = [draw(seed) for seed in range(N_DRAWS)]
    return {
        "settings": {"data": "breast_cancer", "penalty": 1.0, "draws": N_DRAWS, "groups": GROUPS},
        **over_seeds(runs),
        "held up less random": difference(
            [r["turned by 40"]["held up"] - r["turned by 40"]["random"] for r in runs]
        ),
        "garments, distance of logits": {f"penalty {p:g}": nearness(p) for p in PENALTIES},
        "slope gained": difference([r["newton"]["slope"] - r["influence"]["slope"] for r in runs]),
    }


def hidden(model: TrainedModel, X: np.ndarray) -> np.ndarray:
    """Return the outputs of the last hidden layer."""
    return hidden_layers(model.network, model.standardize(X))[-1]


def odds(weights: np.ndarray, Z: np.ndarray) -> np.ndarray:
    """Return the log-odds of class 1, for one head or for many."""
    return (weights[..., 1, :] - weights[..., 0, :]) @ np.column_stack([Z, np.ones(len(Z))]).T


def draw(seed: int) -> dict[str, Any]:
    """Return one draw: a split and a training of the book's network of patients."""
    X, X_test, y, _ = load("breast_cancer").split(seed)
    model = train_model("breast_cancer", seed=seed, split=seed)
    Z, Z_test = hidden(model, X), hidden(model, X_test)
    head = fit_head(Z, y)
    says = odds(head.weights, Z_test)
    true = np.array([odds(head.refit_without(i).weights, Z_test) for i in range(len(y))]) - says
    found: dict[str, Any] = {}
    for step in ("influence", "newton"):
        guess = odds(head.weights_without(step), Z_test) - says
        found[step] = {
            "slope": float((guess * true).sum() / (true**2).sum()),
            "error": float(np.abs(guess - true).sum() / np.abs(true).sum()),
            "correlation": float(np.corrcoef(guess.ravel(), true.ravel())[0, 1]),
        }
        found[step] |= groups(head, Z_test, says, guess)
    found["turned by 40"] = turned(head, Z_test, says, guess, np.random.default_rng(seed))
    found["agrees with network"] = float(
        ((says > 0) == (model.network.logits(model.standardize(X_test)) @ [-1, 1] > 0)).mean()
    )
    return found


def groups(
    head: FittedHead, Z_test: np.ndarray, says: np.ndarray, guess: np.ndarray
) -> dict[str, float]:
    """Return the sum of single guesses as a share of the true change, for groups that speak most.

    For every tenth test row, the group is made of the rows that hold up its decision most.
    """
    shares: dict[str, list] = {f"group of {k}": [] for k in GROUPS}
    for j in range(0, len(says), 10):
        order = np.argsort(guess[:, j] * np.sign(says[j]), kind="stable")
        for k in GROUPS:
            gone = order[:k]
            change = odds(head.refit_without(gone).weights, Z_test[j : j + 1])[0] - says[j]
            shares[f"group of {k}"].append(guess[gone, j].sum() / change)
    return {name: float(np.median(values)) for name, values in shares.items()}


def turned(
    head: FittedHead, Z_test: np.ndarray, says: np.ndarray, guess: np.ndarray, rng: Any
) -> dict[str, float]:
    """Return the share of test rows whose decision turns without 40 rows, by refitting."""
    turns: dict[str, list] = {"held up": [], "random": []}
    for j in range(len(says)):
        order = np.argsort(guess[:, j] * np.sign(says[j]), kind="stable")
        drawn = rng.choice(len(guess), 40, replace=False)
        for name, gone in (("held up", order[:40]), ("random", drawn)):
            now = odds(head.refit_without(gone).weights, Z_test[j : j + 1])[0]
            turns[name].append(now * says[j] < 0)
    return {name: float(np.mean(found)) for name, found in turns.items()}


def nearness(penalty: float) -> float:
    """Return how far a head's centred logits are from the network's, mean over the garments."""
    X, _, y, _ = load("fashion_mnist").split()
    model = load_model("fashion_mnist")
    ours = fit_head(hidden(model, X), y, penalty).logits(hidden(model, X))
    centred = [L - L.mean(axis=1, keepdims=True) for L in (ours, model.network.logits(X))]
    return round(float(np.abs(centred[0] - centred[1]).mean()), 3)
