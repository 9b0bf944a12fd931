"""Explain many networks in one way, once, and report CPU seconds and the error."""

from __future__ import annotations

import sys
from typing import Any

import _probe
import numpy as np

from xai_course.inet import InterpretationNetwork, fidelity_error, train_lambda_nets
from xai_course.inet.baselines import GreedySwaps, LassoRefit, OrthogonalMatchingPursuit, _Baseline
from xai_course.polynomials import sample_polynomials

HIDDEN = 5  # neurons a variable, as in Table 2 of the paper
POINTS = 2_000  # that the error is taken on


def way_of(way: str, n_variables: int) -> InterpretationNetwork | _Baseline:
    """Return an explainer; one that asks may say how much, as in ``"greedy, 4096"``."""
    if way == "I-Net":
        return InterpretationNetwork.from_pretrained(n_variables)
    if way == "closed form":
        return InterpretationNetwork.closed_form(n_variables)
    kinds = {"greedy": GreedySwaps, "pursuit": OrthogonalMatchingPursuit, "lasso": LassoRefit}
    kind, _, number = way.partition(", ")
    return kinds[kind](n_queries=int(number or 512))


def main(way: str, n_variables: str, n_networks: str) -> None:
    """Measure one way on networks that were trained on polynomials, a hundred different ones."""
    n, number = int(n_variables), int(n_networks)
    trained = train_lambda_nets(
        sample_polynomials(min(number, 100), n, seed=5),
        n_hidden=HIDDEN * n, n_samples=2_000, progress=False,
    )  # fmt: skip
    nets = trained[np.resize(np.arange(len(trained)), number)]
    explainer = way_of(way, n)
    explainer.explain(nets[:2])  # loads what is loaded late
    before = _probe.memory(peak=False)
    found: tuple[Any, dict[str, float]] = _probe.measure(lambda: explainer.explain(nets), before)
    X = np.random.default_rng(1).random((POINTS, n))
    some = slice(0, len(trained))
    error = fidelity_error(nets[some], found[0][some], X).mean()
    _probe.report({**found[1], "error": float(error)})


if __name__ == "__main__":
    main(*sys.argv[1:])
