"""How far what attacks find is from the nearest change of a decision, which is known exactly.

Every draw is another split and another training of the book's two small networks. Distances are in
standard deviations of the training rows, so features have no box. Each number is the distance that
a search found divided by the exact one; 1 is the best there is. A search that finds nothing counts
as too far, and has no ratio.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from replicates import Replicates
from results import difference
from scipy.optimize import minimize

from xai_course import data, exact
from xai_course.book import cases, load_model, train_model
from xai_course.lines import line
from xai_course.networks import PiecewiseLinearNetwork

DRAWS, ROWS, FAR = 5, 8, 10.0
NORMS = {"2": 2, "inf": np.inf}
DUAL = {"2": 2, "inf": 1}


def table() -> dict[str, Any]:
    """Return mean ratios for each method, and how often a search is not nearest."""
    kept = Replicates("cases_adversarial_distances", [Path(__file__)])
    found: dict[str, Any] = {"draws": DRAWS, "rows": ROWS}
    for name in ("breast_cancer", "home_lending"):
        draws = [kept.run(f"{name} {i}", lambda n=name, i=i: _draw(n, i)) for i in range(DRAWS)]
        found[name] = {"not certified": sum(draw["not certified"] for draw in draws)}
        for method in [key for key in draws[0] if key != "not certified"]:
            ratios = np.array([draw[method] for draw in draws], dtype=float)  # NaN: found nothing
            found[name][method] = {
                "ratio": difference(np.nanmean(ratios, axis=1)),
                "largest": round(float(np.nanmax(ratios)), 3),
                "nothing": difference(np.isnan(ratios).mean(1)),
                "above 1.01": difference((~(ratios <= 1.01)).mean(1)),
                "above 1.1": difference((~(ratios <= 1.1)).mean(1)),
            }
    found["garment"] = kept.run("garment", _garment)
    kept.clear()
    return found


def _draw(name: str, draw: int) -> dict[str, Any]:
    model = train_model(name, seed=draw, split=draw)
    dataset = data.load(name) if name == "breast_cancer" else data.home_lending(seed=0)
    X, test, _, wanted = dataset.split(draw)
    X, test, network = model.standardize(X), model.standardize(test), model.network
    right = np.flatnonzero(network.decide(test) == wanted)
    rows = np.random.default_rng(draw).permutation(right)[:ROWS]
    found: dict[str, Any] = {"not certified": 0}
    for x in test[rows]:
        nearest = {}
        for norm, p in NORMS.items():
            answer = exact.nearest_counterfactual(network, x, norm=p, time_limit=120)
            found["not certified"] += not answer.certified
            nearest[norm] = answer.distance
        for method, (norm, distance) in searches(network, x, X).items():
            ratio = distance / nearest[norm]
            found.setdefault(method, []).append(ratio if np.isfinite(ratio) else None)
    return found


def _garment() -> dict[str, Any]:
    """Return the exact distance of the garment, to which no search of this file is applied."""
    network, box = load_model("fashion_mnist").network, np.tile([0, 1], (784, 1))
    x = cases()["garment"].x
    answer = exact.nearest_counterfactual(network, x, norm=np.inf, bounds=box, time_limit=240)
    return {
        "inf": round(answer.distance, 7),
        "certified": answer.certified,
        "becomes": int(network.decide(answer.x[None])[0]),
    }


# Searches


def searches(
    network: PiecewiseLinearNetwork, x: np.ndarray, X: np.ndarray
) -> dict[str, tuple[str, float]]:
    """Return for each method its norm and the distance that it found."""
    sign = np.sign(network.forward(x[None])[0, 0])
    w, b = _local(network, x)
    estimate = {
        f"local model, {norm}": (
            norm,
            abs(w @ x + b) / np.linalg.norm(w, dual) if w.any() else np.inf,
        )
        for norm, dual in DUAL.items()
    }
    one = _along(network, x, -sign * np.sign(w))
    return estimate | {
        "fast gradient sign": ("inf", one),
        "projected gradient": ("inf", _projected(network, x, sign, one)),
        "L-BFGS": ("2", _lbfgs(network, x, sign)),
        "flip point": ("2", flip_point(network, x, sign, X)),
    }


def _local(network: PiecewiseLinearNetwork, x: np.ndarray) -> tuple[np.ndarray, float]:
    coefficients, intercepts = network.local_linear_models(network.activation_pattern(x[None]))
    return np.ravel(coefficients[0]), float(np.ravel(intercepts)[0])


def _value(network: PiecewiseLinearNetwork, x: np.ndarray) -> float:
    return float(network.forward(x[None])[0, 0])


def _along(network: PiecewiseLinearNetwork, x: np.ndarray, way: np.ndarray) -> float:
    """Return the first change of the decision along a way, exactly, if there is one."""
    crossings = line(network, x, x + 100 * way).crossings(0)
    return 100 * float(crossings.min(initial=np.inf))


def _projected(network: PiecewiseLinearNetwork, x: np.ndarray, sign: float, one: float) -> float:
    """Return the smallest budget at which 20 projected steps succeed.

    Budgets from a twentieth of what one step needs, upwards; then by halving to one in a thousand.
    If none succeeds, one step is the answer.
    """

    def succeeds(budget: float) -> bool:
        z = x
        for _ in range(20):
            z = z - budget / 4 * sign * np.sign(_local(network, z)[0])
            z = np.clip(z, x - budget, x + budget)
            if sign * _value(network, z) < 0:
                return True
        return False

    grid = min(one, FAR) * np.arange(21) / 20
    k = next((k for k in range(1, 21) if succeeds(grid[k])), None)
    if k is None:
        return one
    low, high = grid[k - 1], grid[k]
    while high - low > 1e-3 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if succeeds(middle) else (middle, high)
    return float(high)


def _lbfgs(network: PiecewiseLinearNetwork, x: np.ndarray, sign: float) -> float:
    """Szegedy et al. (2014), with the squared length: the largest c whose minimum changes sides."""

    def cost(r: np.ndarray, c: float) -> tuple[float, np.ndarray]:
        lead = sign * _value(network, x + r)
        slope = sign * _local(network, x + r)[0] / (1 + np.exp(-lead))
        return c * (r @ r) + np.logaddexp(0, lead), 2 * c * r + slope

    low, high, best = -4.0, 4.0, np.inf
    for _ in range(14):
        middle = (low + high) / 2
        r = minimize(cost, np.zeros_like(x), (10**middle,), "L-BFGS-B", jac=True).x
        if sign * _value(network, x + r) < 0:
            low, best = middle, min(best, float(np.linalg.norm(r)))
        else:
            high = middle
    return best


def flip_point(network: PiecewiseLinearNetwork, x: np.ndarray, sign: float, X: np.ndarray) -> float:
    """Yousefzadeh and O'Leary (2019): the nearest point with equal outputs, by SLSQP.

    Starts: the row itself and the five nearest training rows of the other decision.
    """
    on_boundary = {
        "type": "eq",
        "fun": lambda z: _value(network, z),
        "jac": lambda z: _local(network, z)[0],
    }
    others = X[sign * network.forward(X)[:, 0] < 0]
    starts = others[np.argsort(np.linalg.norm(others - x, axis=1))[:5]]
    best = np.inf
    for start in [x, *starts]:
        z = minimize(
            lambda z: (z - x) @ (z - x),
            start,
            jac=lambda z: 2 * (z - x),
            constraints=on_boundary,
            method="SLSQP",
        ).x
        if abs(_value(network, z)) < 1e-6:
            best = min(best, float(np.linalg.norm(z - x)))
    return best
