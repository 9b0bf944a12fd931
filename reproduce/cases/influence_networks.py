"""What one training row does to a network: influence by several solvers against retraining."""

from __future__ import annotations

from typing import Any

import numpy as np
from results import difference, over_seeds
from scipy.special import expit

from cases._small_nets import SmallNet
from xai_course import data

N_DRAWS, N_LOUD, N_OTHERS, N_SEEDS = 8, 12, 12, 5
DAMPINGS = (0, 1, 10)
SETTINGS = [("relu", 1.0), ("relu", 10.0), ("tanh", 1.0), ("tanh", 10.0)]


def table() -> dict[str, Any]:
    """Return the agreement of every solver with two kinds of retraining, over draws."""
    runs = {
        f"{neurons}, penalty {penalty:g}": [draw(s, neurons, penalty) for s in range(N_DRAWS)]
        for neurons, penalty in SETTINGS
    }
    first = runs["relu, penalty 1"]
    return {
        "settings": {
            "network": "30-5-5-1, sum of losses + penalty/2 |weights|^2, L-BFGS to the minimum",
            "rows": f"{N_LOUD} of the largest loss and {N_OTHERS} random others, one at a time",
            "draws": N_DRAWS,
        },
        **{name: over_seeds(found) for name, found in runs.items()},
        "same start less from scratch": difference(
            [
                run["gauss-newton, damping 1"]["continued"]["correlation"]
                - run["gauss-newton, damping 1"]["anew"]["correlation"]
                for run in first
            ]
        ),
        "gauss-newton less control": difference(
            [
                run["gauss-newton, damping 1"]["continued"]["correlation"]
                - run["control: signed likeness of inputs"]["continued"]["correlation"]
                for run in first
            ]
        ),
    }


def rows_of(seed: int) -> tuple[np.ndarray, ...]:
    """Return standardised training and test rows of a split, and the training labels."""
    X, X_test, y, _ = data.load("breast_cancer").split(seed)
    mean, scale = X.mean(axis=0), X.std(axis=0)
    return (X - mean) / scale, (X_test - mean) / scale, y


def draw(seed: int, neurons: str, penalty: float) -> dict[str, Any]:
    """Return one draw: a split, first weights, and the rows to leave out."""
    X, X_test, y = rows_of(seed)
    net, everything = SmallNet((30, 5, 5, 1), penalty, neurons), np.ones(len(X))
    start = net.start(seed)
    theta = net.minimum(start, X, y, everything)
    residual = expit(net.logits(theta, X)) - y
    rows = chosen(np.abs(residual), np.random.default_rng(seed))
    says = net.logits(theta, X_test)
    true: dict[str, list] = {"continued": [], "anew": []}
    for i in rows:
        kept = everything.copy()
        kept[i] = 0
        for way, begin in (("continued", theta), ("anew", start)):
            true[way].append(net.logits(net.minimum(begin, X, y, kept), X_test) - says)
    changes = {way: np.array(found) for way, found in true.items()}
    J, J_test = net.slopes(theta, X), net.slopes(theta, X_test)
    H, G = net.curvature(theta, X, y), net.gauss_newton(theta, X)
    pushes = (J * residual[:, None])[rows]
    guesses = {
        f"{name}, damping {damping}": solved(matrix, damping, pushes, J_test)
        for name, matrix in (("hessian", H), ("gauss-newton", G))
        for damping in DAMPINGS
    }
    p = expit(net.logits(theta, X))[rows]
    own = np.einsum("np,pn->n", J[rows], np.linalg.solve(G, J[rows].T))
    guesses["gauss-newton, one Newton step"] = (
        guesses["gauss-newton, damping 0"] / (1 - p * (1 - p) * own)[:, None]
    )
    guesses["gradients only"] = pushes @ J_test.T
    guesses["control: signed likeness of inputs"] = likeness(X[rows], y[rows], X_test)
    seeds = [
        net.logits(net.minimum(net.start(1000 + 100 * seed + k), X, y, everything), X_test)
        for k in range(N_SEEDS)
    ]
    inputs = net.hidden(theta, X)[:-2]
    layers = list(net._layers(theta))[:-1]
    at_kink = sum(
        int((np.abs(a @ W.T + b) < 1e-5).sum()) for a, (W, b) in zip(inputs, layers, strict=True)
    )
    return {
        **{
            name: {way: agreement(guess, change) for way, change in changes.items()}
            for name, guess in guesses.items()
        },
        "two retrainings": agreement(changes["continued"], changes["anew"]),
        "size continued": np.abs(changes["continued"]).mean(),
        "size anew": np.abs(changes["anew"]).mean(),
        "spread of seeds": np.std(seeds, axis=0, ddof=1).mean(),
        "least eigenvalue": np.linalg.eigvalsh(H)[0],
        "largest gradient": np.abs(net.loss(theta, X, y, everything)[1]).max(),
        "neurons at a kink": at_kink,
    }


def chosen(loud: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the rows to leave out: the loudest, and as many random others."""
    order = np.argsort(-loud, kind="stable")
    return np.append(order[:N_LOUD], rng.choice(order[N_LOUD:], N_OTHERS, replace=False))


def solved(H: np.ndarray, damping: float, pushes: np.ndarray, J: np.ndarray) -> np.ndarray:
    """Return the estimated changes of the test logits, shape (n_rows, n_test)."""
    return pushes @ np.linalg.solve(H + damping * np.eye(len(H)), J.T)


def likeness(X: np.ndarray, y: np.ndarray, X_test: np.ndarray) -> np.ndarray:
    """Return a control that never saw the network: a like row of class 1 pulls towards class 1."""
    unit, unit_test = (rows / np.linalg.norm(rows, axis=1)[:, None] for rows in (X, X_test))
    return -(2 * y - 1)[:, None] * (unit @ unit_test.T)


def agreement(guess: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """Return the correlation over the rows left out, mean over test rows, and the slope."""
    a, b = guess - guess.mean(axis=0), true - true.mean(axis=0)
    size = np.linalg.norm(a, axis=0) * np.linalg.norm(b, axis=0)
    moved = size > 1e-12
    correlation = (a * b).sum(axis=0)[moved] / size[moved]
    return {
        "correlation": float(correlation.mean()),
        "slope": float((guess * true).sum() / (true**2).sum()),
    }
