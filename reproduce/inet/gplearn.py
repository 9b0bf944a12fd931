"""Symbolic regression of the held-out networks: Appendix A of Marton et al. (2022), with gplearn.

It takes about a minute for one network, so only the first networks of each n are asked. What is
found stays on disk network by network, and ``python -m inet.gplearn``, in the folder `reproduce`,
finds it beforehand. This file decides what is kept: a change of it starts anew.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from replicates import Replicates

from inet.nets import held_out, shape
from xai_course.inet.baselines import SymbolicRegression, query_points
from xai_course.polynomials import SparsePolynomial

N_NETS = {1: 1, 5: 20, 10: 10, 15: 5}
CPU_SECONDS = 60.0  # the paper gives up after 60 minutes, and printed about 160 seconds
SAMPLES = 5000


def evolve(n: int, k: int, cpu_seconds: float = CPU_SECONDS) -> dict[str, Any]:
    """Return what gplearn found for held-out network k of n variables."""
    method = SymbolicRegression(
        sparsity=shape(n)["sparsity"],
        seed=k,
        time_limit=cpu_seconds,
        # The limit and the seconds count the time of this process: a busy machine changes nothing.
        clock=time.process_time,
        progress=False,
    )
    X = query_points(SAMPLES, n, seed=k, points="uniform")
    y = held_out(n)[k].predict(X)[0]
    found = method.evolve(X, y)
    return {
        "coef": found.polynomial.coef.tolist(),
        "exponents": found.polynomial.exponents.tolist(),
        "program": found.program,
        "errors": [round(float(e), 5) for e in np.minimum.accumulate(found.errors)],
        "stopped": found.stopped,
        "cpu_seconds": round(found.seconds, 2),
    }


def evolved(n: int, n_nets: int | None = None) -> list[dict[str, Any]]:
    """Return what gplearn found for the first networks of n variables, now or in calls before."""
    return [_evolved(n, k) for k in range(N_NETS[n] if n_nets is None else n_nets)]


def _evolved(n: int, k: int) -> dict[str, Any]:
    """Keep each network apart, so that several processes can share the work."""
    kept = Replicates(f"inet_gplearn_{n}_{k}", [Path(__file__)])
    return kept.run("found", lambda: evolve(n, k))


def polynomials(found: list[dict[str, Any]]) -> list[SparsePolynomial]:
    """Return the polynomials of some runs."""
    return [SparsePolynomial(one["coef"], np.array(one["exponents"])) for one in found]


if __name__ == "__main__":
    for variables in N_NETS:
        evolved(variables)
