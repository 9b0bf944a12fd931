"""What recourse costs a loan applicant, and whether another network keeps the promise, over draws.

Both trainings of a draw share its loans: their mean is one value, and standard errors are over
draws.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from replicates import Replicates
from scipy.special import expit, logit

from cases.counterfactuals import _mean, _over, trained
from xai_course import data, exact
from xai_course.networks import PiecewiseLinearNetwork

DRAWS, SEEDS, OTHERS, APPLICANTS = 8, 2, 3, 40
MARGINS = (0.5, 0.4, 0.3, 0.2)  # the largest probability of default that the bank's network grants
FICO, LTV = 0, 1
Rows = np.ndarray


def table() -> dict[str, Any]:
    """Return cost, promise and truth for each margin."""
    kept = Replicates("cases_recourse", [Path(__file__)])
    draws = [kept.run(f"draw {i}", lambda i=i: _draw(i)) for i in range(DRAWS)]
    kept.clear()
    return {
        "draws": DRAWS,
        "trainings": SEEDS,
        "others": OTHERS,
        "applicants": APPLICANTS,
        **_over(draws),
    }


def network(loans: data.Dataset, seed: int) -> PiecewiseLinearNetwork:
    """Return a network of the book's recipe, which takes loans in their own units."""
    X, _, y, _ = loans.split(0)
    mean, scale = X.mean(axis=0), X.std(axis=0)
    net = trained("home lending", (X - mean) / scale, y, seed)
    first = net.weights[0] / scale
    return PiecewiseLinearNetwork(
        [first, *net.weights[1:]], [net.biases[0] - first @ mean, *net.biases[1:]]
    )


def recourse(
    net: PiecewiseLinearNetwork, x: Rows, unit: Rows, most: float, loans: data.Dataset
) -> exact.Counterfactual:
    """Return the cheapest higher FICO score and lower LTV that bring the probability to `most`."""
    stricter = [*net.biases[:-1], net.biases[-1] - logit(most)]
    bounds = np.column_stack([loans.X.min(axis=0) - 1, loans.X.max(axis=0) + 1])
    bounds[FICO], bounds[LTV] = (x[FICO], max(850, x[FICO] + 1)), (min(10, x[LTV] - 1), x[LTV])
    others = [i for i in range(len(x)) if i not in (FICO, LTV)]
    return exact.nearest_counterfactual(
        PiecewiseLinearNetwork(net.weights, stricter),
        x, 0, scale=unit, bounds=bounds, immutable=others, integer=[FICO],
    )  # fmt: skip


def _draw(draw: int) -> dict[str, Any]:
    loans = data.home_lending(seed=draw)
    fresh = data.home_lending(seed=1000 + draw)
    nets = [network(loans, seed) for seed in range(SEEDS + OTHERS)]
    retrained = {
        "same loans": nets[SEEDS:],
        "new loans": [network(fresh, seed) for seed in range(OTHERS)],
    }
    return _mean([_one(net, retrained, loans, draw) for net in nets[:SEEDS]])


def _one(
    net: PiecewiseLinearNetwork,
    retrained: dict[str, list[PiecewiseLinearNetwork]],
    loans: data.Dataset,
    draw: int,
) -> dict[str, Any]:
    X, X_test, _, _ = loans.split(0)
    unit = X.std(axis=0)
    risk = expit(net.forward(X_test)[:, 0])
    rng = np.random.default_rng(draw)
    asked = X_test[rng.permutation(np.flatnonzero(risk > 0.5))[:APPLICANTS]]
    found = {}
    for most in MARGINS:
        answers = [recourse(net, x, unit, most, loans) for x in asked]
        assert all(answer.certified for answer in answers)
        has = np.array([np.isfinite(answer.distance) for answer in answers])
        ends = np.array([answer.x for answer in answers])[has]
        cost = np.array([answer.distance for answer in answers])[has]
        ranked = np.flatnonzero(risk <= most)[np.argsort(-risk[risk <= most])]
        alike = X_test[ranked[:APPLICANTS]]  # granted loans of nearly this risk
        entry = {
            "possible": float(has.mean()),
            "cost": float(np.median(cost)),
            "FICO": float((ends - asked[has])[:, FICO].mean()),
            "LTV": float((ends - asked[has])[:, LTV].mean()),
            "promised": float(expit(net.forward(ends)[:, 0]).mean()),
            "true before": float(loans.truth.probability(asked[has]).mean()),
            "true after": float(loans.truth.probability(ends).mean()),
            "risk of the control": float(risk[ranked[:APPLICANTS]].mean()),
            "true for the control": float(loans.truth.probability(alike).mean()),
        }
        for name, others in retrained.items():
            kept = np.mean([other.decide(ends) == 0 for other in others])
            control = np.mean([other.decide(alike) == 0 for other in others])
            entry[name] = {
                "kept": float(kept),
                "control": float(control),
                "kept - control": float(kept - control),
            }
        found[str(most)] = entry
    return found
