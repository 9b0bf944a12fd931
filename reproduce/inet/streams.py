"""Who notices first that a network's world has changed: many streams, equal false alarms.

Marton et al. (2022) name concept drift as a use of fast explanations and do not test it. Each
stream has a concept, a network, rows and noise of its own. Each detector gets the threshold that
10 % of undisturbed streams exceed; other undisturbed streams say how often that is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from replicates import Replicates
from scipy.signal import lfilter
from scipy.stats import qmc
from sklearn.neural_network import MLPRegressor

from xai_course import data, inet
from xai_course import polynomials as poly
from xai_course.drift import alarm_threshold, cusum, departure, detection_delays
from xai_course.inet.population import OnlineNets

BURN_IN, REFERENCE, WATCHED, CHANGE, ROWS = 80, 40, 110, 20, 32
AT_ONCE, CALM, STREAMS, CLINICS = 100, 500, 300, 200
READER = inet.MomentInterpretationNetwork.closed_form(5)
EXPONENTS = poly.monomial_exponents(5, 3)
BASIS = poly.orthonormal_basis(5, 3)
COORDINATES = poly.monomials_in_basis(5, 3)
GRAM = poly.gram_matrix(EXPONENTS)
POINTS = qmc.Sobol(5, seed=1).random(256)
MEASURES = ["radius", "texture", "smoothness", "concave points", "symmetry"]
EVENTS = ("none", "device", "larger", "labels")
NAMED = ["error", "signed residuals", "moments", "256 questions", "5 coefficients"]

Batches = Iterator[tuple[int, np.ndarray, np.ndarray]]


# What happens


def uniform(rng: np.random.Generator, shape: tuple[int, ...], t: int) -> np.ndarray:
    """Draw rows evenly from the unit cube."""
    return rng.random(shape)


def rarely(rng: np.random.Generator, shape: tuple[int, ...], t: int) -> np.ndarray:
    """Draw rows whose first variable seldom exceeds one half."""
    X = rng.random(shape)
    X[..., 0] = 1 - X[..., 0] ** 0.2
    return X


def moves(rng: np.random.Generator, shape: tuple[int, ...], t: int) -> np.ndarray:
    """Draw rows whose second variable becomes large with the change."""
    X = rng.random(shape)
    X[..., 1] **= 0.25 if t >= CHANGE else 1
    return X


def even(X: np.ndarray) -> float:
    """Return the same noise everywhere."""
    return 0.1


def uneven(X: np.ndarray) -> np.ndarray:
    """Return noise that grows with the second variable."""
    return 0.02 + 0.16 * X[..., 1]


def towards(g: poly.SparsePolynomial, h: poly.SparsePolynomial, size: float) -> np.ndarray:
    """Move g towards h by a root mean square of `size`."""
    way = h.to_dense(3) - g.to_dense(3)
    return g.to_dense(3) + size / np.linalg.norm(way @ COORDINATES) * way


def cubic(g: poly.SparsePolynomial, h: poly.SparsePolynomial, size: float) -> np.ndarray:
    """Add a term that matters only where the first variable is large."""
    return g.to_dense(3) + size * (EXPONENTS == [3, 0, 0, 0, 0]).all(axis=1)


SHARES: dict[str, Callable[[int], float]] = {
    "never": lambda t: 0.0,
    "at once": lambda t: float(t >= CHANGE),
    "slowly": lambda t: min(1.0, max(0.0, (t - CHANGE) / 80)),
}
# How rows are drawn before anything happens, and the noise of their labels.
CONDITIONS = {"plain": (uniform, even), "rarely": (rarely, even), "uneven": (uniform, uneven)}
# Conditions, what happens, its size, how the polynomial moves, how rows are drawn then.
CASES: dict[str, tuple[str, str, float, Callable[..., np.ndarray], Callable[..., np.ndarray]]] = {
    "nothing": ("plain", "never", 0.0, towards, uniform),
    "large jump": ("plain", "at once", 0.3, towards, uniform),
    "small jump": ("plain", "at once", 0.05, towards, uniform),
    "slow change": ("plain", "slowly", 0.3, towards, uniform),
    "rarely visited": ("rarely", "at once", 1.0, cubic, rarely),
    "only inputs move": ("uneven", "never", 0.0, towards, moves),
}


def streams(
    seed: int,
    share: Callable[[int], float],
    size: float,
    kind: Callable[..., np.ndarray],
    draw: Callable[..., np.ndarray],
    noise: Callable[[np.ndarray], Any],
) -> tuple[Batches, inet.LambdaNets]:
    """Return batches of some streams, and a network for each that knows its first concept."""
    concept = poly.sample_polynomials(AT_ONCE, 5, seed=2 * seed)
    target = poly.sample_polynomials(AT_ONCE, 5, seed=2 * seed + 1)
    dense = [kind(g, h, size) for g, h in zip(concept, target, strict=True)]
    other = [poly.SparsePolynomial.from_dense(row, 5, 3) for row in dense]
    nets = inet.train_lambda_nets(concept, n_hidden=25, seed=seed, progress=False)

    def batches() -> Batches:
        rng = np.random.default_rng(seed)
        for t in range(-BURN_IN - REFERENCE, WATCHED):
            X = draw(rng, (AT_ONCE, ROWS, 5), t)
            y = poly.evaluate_polynomials(concept, X)
            y = y + share(t) * (poly.evaluate_polynomials(other, X) - y)
            yield t, X, y + noise(X) * rng.normal(size=y.shape)

    return batches(), nets


# What the detectors see


def five_terms(dense: np.ndarray) -> np.ndarray:
    """Return the coefficients of the best five monomials, 0 elsewhere."""
    chosen, coef = inet.best_monomials(GRAM, dense @ COORDINATES.T, 5)
    listed = np.zeros_like(dense)
    np.put_along_axis(listed, chosen, coef, axis=1)
    return listed


def statistics(batches: Batches, nets: inet.LambdaNets) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Let networks learn; return a statistic per detector, shape (WATCHED, N), and the moments."""
    learner, seen, gram = OnlineNets(nets), [], 0.0
    frozen = nets
    for t, X, y in batches:
        if t == -REFERENCE:
            frozen = learner.nets
        residual = learner.learn(X, y)
        if t < -REFERENCE:
            continue
        old = frozen.predict(X) - y
        values = poly.monomial_values(X.reshape(-1, 5), EXPONENTS) @ BASIS.T
        values = values.reshape(*y.shape, -1)
        if t < 0:
            gram = gram + values.transpose(0, 2, 1) @ values / (ROWS * REFERENCE)
        score = np.einsum("sk,skm->sm", old, values) / ROWS
        now = learner.nets
        dense = READER.moments(now)
        squares = (residual**2).mean(axis=1), (old**2).mean(axis=1)
        seen.append((*squares, score, dense, now.predict(POINTS) / 16, now.parameters()))
    error, old_error, score, dense, answers, weights = map(np.array, zip(*seen, strict=True))
    score = lfilter([0.1], [1, -0.9], score, axis=0)
    whitening = np.linalg.inv(np.linalg.cholesky(gram + 1e-10 * np.eye(len(BASIS))))
    white = np.einsum("nij,tnj->tni", whitening, score)
    listed = five_terms(dense.reshape(-1, len(BASIS))).reshape(dense.shape)
    moving = {
        "signed residuals": white,
        "signed residuals, not whitened": score,
        "moments": dense,
        "5 terms": listed @ COORDINATES,
        "5 coefficients": listed,
        "256 questions": answers,
        "weights": weights,
    }
    found = {
        "error": cusum(error, REFERENCE),
        "error of a frozen copy": cusum(old_error, REFERENCE),
    }
    return found | {name: departure(v, REFERENCE) for name, v in moving.items()}, dense


# The study


def drift() -> dict[str, Any]:
    """Return what each detector noticed, in made streams and in a clinic's."""
    torch.set_num_threads(1)
    kept = Replicates("inet_drift", [Path(__file__)])
    levels = {}
    for number, name in enumerate(CONDITIONS):
        seeds = range(1000 * number, 1000 * number + CALM // AT_ONCE)
        blocks = [kept.run(f"calm {name} {k}", partial(_calm, name, k)) for k in seeds]
        levels[name] = _levels(blocks)
    table = {}
    for number, case in enumerate(CASES):
        level = levels[CASES[case][0]]
        n_blocks = (CALM if case == "nothing" else STREAMS) // AT_ONCE
        seeds = range(5000 + 100 * number, 5000 + 100 * number + n_blocks)
        table[case] = _report(
            [kept.run(f"{case} {k}", partial(_case, case, k, level)) for k in seeds], curves=True
        )
    found = {
        "streams": table,
        "clinic": _clinic(kept),
        "settings": {"calm": CALM, "streams": STREAMS, "clinics": CLINICS, "rows": ROWS},
    }
    kept.clear()
    return found


def _calm(condition: str, seed: int) -> dict[str, list[float]]:
    draw, noise = CONDITIONS[condition]
    return _highest(*streams(seed, SHARES["never"], 0.0, towards, draw, noise))


def _case(case: str, seed: int, levels: dict[str, float]) -> dict[str, list[int | None]]:
    condition, share, size, kind, draw = CASES[case]
    made = streams(seed, SHARES[share], size, kind, draw, CONDITIONS[condition][1])
    return _late(statistics(*made)[0], levels)


def _highest(batches: Batches, nets: inet.LambdaNets) -> dict[str, list[float]]:
    found, _ = statistics(batches, nets)
    return {name: values.max(axis=0).tolist() for name, values in found.items()}


def _levels(blocks: list[dict[str, list[float]]]) -> dict[str, float]:
    return {name: alarm_threshold([values]) for name, values in _joined(blocks).items()}


def _late(found: dict[str, np.ndarray], levels: dict[str, float]) -> dict[str, list[int | None]]:
    """Return delays for JSON: None for an early alarm, -1 for none."""
    delays = {k: detection_delays(found[k], levels[k], CHANGE) for k in levels}
    return {
        k: [None if np.isnan(x) else -1 if np.isinf(x) else int(x) for x in v]
        for k, v in delays.items()
    }


def _joined(blocks: list[dict[str, list[Any]]]) -> dict[str, list[Any]]:
    return {name: list(chain(*(block[name] for block in blocks))) for name in blocks[0]}


def _report(blocks: list[dict[str, list[int | None]]], curves: bool = False) -> dict[str, Any]:
    """Return counts and medians for each detector, and how far each is behind the moments."""
    steps, table = WATCHED - CHANGE, {}
    late = {k: np.array(v, dtype=float) for k, v in _joined(blocks).items()}
    late = {k: np.where(v == -1, np.inf, v) for k, v in late.items()}
    for name, values in late.items():
        fair = values[~np.isnan(values)]
        median = float(np.quantile(fair, 0.5, method="lower"))
        table[name] = {
            "alarms": int(np.isfinite(fair).sum() + np.isnan(values).sum()),
            "streams": len(values),
            "early": int(np.isnan(values).sum()),
            "found": int(np.isfinite(fair).sum()),
            "median": median if np.isfinite(median) else None,
            "behind the moments": _paired(values, late["moments"], steps),
        }
        if curves and name in NAMED:
            by = np.searchsorted(np.sort(fair), np.arange(steps), side="right")
            table[name]["found by batch"] = by.tolist()
    return table


def _paired(values: np.ndarray, others: np.ndarray, steps: int) -> dict[str, float | int]:
    """Compare delays stream by stream; an alarm that never comes counts as the last batch."""
    both = ~np.isnan(values) & ~np.isnan(others)
    gap = np.minimum(values[both], steps) - np.minimum(others[both], steps)
    return {
        "mean": round(float(gap.mean()), 2),
        "se": round(float(gap.std(ddof=1) / len(gap) ** 0.5), 2),
        "n": len(gap),
    }


# The clinic


def _clinic(kept: Replicates) -> dict[str, Any]:
    """Return the same for networks that learned from tumours, and what their reading names."""
    seeds = range(2 * CLINICS // AT_ONCE)
    levels = _levels([kept.run(f"clinic calm {k}", partial(_clinic_calm, k)) for k in seeds])
    table: dict[str, Any] = {"named": {}}
    for event in EVENTS:
        done = [
            kept.run(f"clinic {event} {k}", partial(_clinic_block, event, k, levels))
            for k in range(CLINICS // AT_ONCE)
        ]
        table[event] = _report([one["delays"] for one in done])
        change = np.concatenate([one["change"] for one in done])
        largest = np.abs(change).argmax(axis=1)
        table["named"][event] = {
            name: {
                "mean": round(float(change[:, j].mean()), 3),
                "se": round(float(change[:, j].std(ddof=1) / len(change) ** 0.5), 3),
                "largest in": int((largest == j).sum()),
            }
            for j, name in enumerate(MEASURES)
        }
    return table


def on_support(moments: np.ndarray, support: np.ndarray) -> np.ndarray:
    """Return the best coefficients of given monomials, one row a network."""
    index = poly.monomial_indices(support, 3)
    products = moments @ COORDINATES[index].T
    return np.linalg.solve(GRAM[np.ix_(index, index)], products.T).T


def _clinic_calm(k: int) -> dict[str, list[float]]:
    return _highest(*_clinic_streams("none", k, seed=1))


def _clinic_block(event: str, k: int, levels: dict[str, float]) -> dict[str, Any]:
    found, dense = statistics(*_clinic_streams(event, k, seed=2 + EVENTS.index(event)))
    linear = np.vstack([np.eye(5, dtype=int), np.zeros((1, 5), dtype=int)])
    change = dense[-20:].mean(axis=0) - dense[:REFERENCE].mean(axis=0)
    coef = on_support(change, linear)
    return {"delays": _late(found, levels), "change": coef[:, :5].tolist()}


@cache
def _clinics(first: int) -> tuple[np.ndarray, np.ndarray, list[np.ndarray], inet.LambdaNets]:
    """Return all tumours, and for each clinic the 400 that it has and a network that it trained."""
    cancer = data.load("breast_cancer")
    picked = cancer.X[:, [cancer.feature_names.index(f"mean {m}") for m in MEASURES]]
    rows = (picked - picked.min(axis=0)) / np.ptp(picked, axis=0)
    how: dict[str, Any] = {"hidden_layer_sizes": 25, "learning_rate_init": 5e-3, "max_iter": 300}
    own, nets = [], []
    for number in range(first, first + AT_ONCE):
        own.append(np.random.default_rng([7, number]).permutation(len(rows))[:400])
        net = MLPRegressor(**how, random_state=number)
        nets.append(net.fit(2 * rows[own[-1]] - 1, cancer.y[own[-1]]))
    stack = inet.LambdaNets.from_networks(nets).on_unit_box([[-1, 1]] * 5)
    return rows, np.asarray(cancer.y, dtype=float), own, stack


def _clinic_streams(event: str, k: int, seed: int) -> tuple[Batches, inet.LambdaNets]:
    rows, malignant, own, nets = _clinics(AT_ONCE * (k % (CLINICS // AT_ONCE)))
    large = [pool[rows[pool, 0] > np.median(rows[:, 0])] for pool in own]

    def batches() -> Batches:
        rng = np.random.default_rng([seed, k])
        for t in range(-BURN_IN - REFERENCE, WATCHED):
            happens = t >= CHANGE
            pools = large if happens and event == "larger" else own
            drawn = np.array([rng.choice(pool, ROWS) for pool in pools])
            X, y = rows[drawn], malignant[drawn]
            if happens and event == "device":
                X[..., 3] *= 0.7
            if happens and event == "labels":
                y = np.where(rng.random(y.shape) < 0.1, 1 - y, y)
            yield t, X, y

    return batches(), nets
