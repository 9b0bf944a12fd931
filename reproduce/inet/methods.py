"""The explainers that are compared, under one name each.

All that ask a network ask it the same 512 questions, where the name says nothing else. The last
four share one search: greedy there and back, then swaps.
"""

from __future__ import annotations

import functools
from typing import Any

from inet.nets import shape
from xai_course.inet import InterpretationNetwork
from xai_course.inet.baselines import (
    Constant,
    GreedySwaps,
    LassoRefit,
    LinearModel,
    OrthogonalMatchingPursuit,
)

QUERIES, MORE_QUERIES = 512, 2048


@functools.lru_cache
def methods(n: int) -> dict[str, Any]:
    """Return the explainers for networks of n variables; gplearn stands apart, being slow."""
    common = shape(n)
    asked = common | {"n_queries": QUERIES}
    return {
        "constant": Constant(**asked),
        "linear": LinearModel(**asked),
        "omp_raw": OrthogonalMatchingPursuit(**asked, unit_norm=False),
        "omp_unit": OrthogonalMatchingPursuit(**asked, unit_norm=True),
        "lasso": LassoRefit(**asked),
        "greedy": GreedySwaps(**asked, width=1, max_swaps=0),
        "swaps": GreedySwaps(**asked, width=1),
        "search": GreedySwaps(**asked),
        "search_2048": GreedySwaps(**common, n_queries=MORE_QUERIES),
        "closed_form": InterpretationNetwork.closed_form(n, **common),
        "learned": InterpretationNetwork.from_pretrained(n),
    }
