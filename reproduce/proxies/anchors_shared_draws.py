"""The authors' program on the book's patient and applicant: what it claims, and fresh draws.

It counts a draw for every set of conditions that holds on it, also if it was drawn for another set.
For a table a bounded feature is replaced, so that those draws are of another kind. It needs the
program, see `anchors_plane`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from results import spread

from proxies.anchors_plane import their_search
from xai_course.anchors import TableConditions
from xai_course.book import cases, load_model

SEARCHES = 5
MODELS = {"patient": "breast_cancer", "applicant": "home_lending"}


def one_search(name: str, seed: int) -> dict[str, float]:
    """Return what one search claims, and what fresh draws and rows say."""
    case, rng = cases()[name], np.random.default_rng(seed)
    network = load_model(MODELS[name]).in_data_units()
    train, test, _, _ = case.dataset.split(0)
    label, conditions = int(network.decide(case.x[None])[0]), TableConditions(train, case.x)

    def ask(chosen: tuple[int, ...], n: int) -> tuple[np.ndarray, np.ndarray]:
        rows = conditions.draw(chosen, n, rng)
        return rows, network.decide(rows) == label

    found = their_search()(ask, conditions)
    rule = conditions.rule(found.chosen, label)
    return {
        "claimed": found.precision,
        "fresh draws": float(ask(found.chosen, 20_000)[1].mean()),
        "training rows": rule.precision(train, network.decide(train)),
        "test rows": rule.precision(test, network.decide(test)),
        "coverage": rule.coverage(train),
        "conditions": rule.n_conditions,
    }


def table() -> dict[str, Any]:
    """Return the spread over searches, for both."""
    found: dict[str, Any] = {"searches": SEARCHES}
    for name in MODELS:
        runs = [one_search(name, seed) for seed in range(SEARCHES)]
        found[name] = {key: spread([run[key] for run in runs]) for key in runs[0]}
    return found
