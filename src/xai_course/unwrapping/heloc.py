"""What the book shows of HELOC, whose rows have no open licence: sums over rows, no rows."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

__all__ = ["heloc_figures"]


def heloc_figures() -> dict[str, dict[str, Any]]:
    """Return the measured numbers behind HELOC's panels of the paper's figures.

    Returns
    -------
    dict
        For each of ``"figure 7"``, ``"figure 9"``, ``"figure 12"``, ``"figure 13"`` and
        ``"figure 17"``, the numbers of one network trained with seed 0 on 80 % of 9,871 rows and 35
        columns, scaled to [0, 1]: regions with their counts, coefficients and scores.

    Notes
    -----
    Sudjianto et al. (2020). Whoever has the data gets the same numbers from
    ``python reproduce/unwrapping.py figures``. Explained in the chapters
    *unwrapping-interpretation*, *unwrapping-diagnostics* and *unwrapping-merging*.
    """
    text = files("xai_course").joinpath("_data/heloc_figures.json").read_text("utf-8")
    return {key: part["ours"] for key, part in json.loads(text)["figures"].items()}
