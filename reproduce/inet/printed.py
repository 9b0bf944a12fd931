"""The examples of Table 3 of Marton et al. (2022), and what can be checked of them.

The paper prints two explanations of one network for each n, with their errors, and not the network.
The triangle inequality bounds from this how far the two explanations are apart, which can be
checked, and the error of the network's best constant, which gives the errors a scale.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from xai_course.polynomials import SparsePolynomial

N_POINTS = 400_000
EXAMPLES: dict[int, dict[str, tuple[str, float]]] = {
    1: {
        "i_net": ("3.1812 x0^4 - 3.1752 x0^3 - 0.0694", 0.0220),
        "symbolic_regression": ("-0.5060 x0", 0.0566),
    },
    5: {
        "i_net": (
            "-0.0749 x0 x1 x4 + 0.5084 x1 x2 - 0.2185 x1 x4 - 0.432 x2 x4^2 + 0.0939 x3^2 x4",
            0.0068,
        ),
        "symbolic_regression": ("0.2180 x2^2 + 0.4360 x1 x2 - 0.6540 x4 x2", 0.0373),
    },
    10: {
        "i_net": (
            "0.1837 x0^2 x3 - 0.2915 x0 x3 x4 - 0.4966 x0 x5 x6 - 0.3588 x1^2 + 0.0340 x1 x3 x8 "
            "- 0.1769 x2 x3 + 0.1238 x3^2 - 0.0746 x3 x6 x7 - 0.3337 x6^2 - 0.3666 x6 x8",
            0.1436,
        ),
        "symbolic_regression": ("-1.0000 x1 x5 x9 - 0.6430 x6", 0.1371),
    },
    15: {
        "i_net": (
            "0.0722 x0^3 + 0.6574 x0 x2 x8 + 0.0555 x0 x7 x13 + 0.0764 x0 x10 + 0.1436 x1^2 x3 "
            "- 0.0359 x2 x3 - 0.1764 x2 x9 x13 + 0.2182 x2 x13 x14 + 0.5176 x3^2 x11 + 0.0369 x4 "
            "+ 0.1653 x6 x7 x12 - 0.0552 x6 x12 x14 + 0.2252 x7 x8 x9 + 0.2166 x9 x10 x14 "
            "+ 0.1979 x9 x11 x14",
            0.1971,
        ),
        "symbolic_regression": (
            "1.0000 x3 x8 + 1.0000 x1 x5 x7 x11 + 1.0000 x1 x5 x7 x14",
            0.1498,
        ),
    },
}


def printed() -> dict[str, Any]:
    """Return for each n what is printed, and the bounds that follow from it."""
    return {str(n): _bounds(n, examples) for n, examples in EXAMPLES.items()}


def _bounds(n: int, examples: dict[str, tuple[str, float]]) -> dict[str, Any]:
    X = np.random.default_rng(n).random((N_POINTS, n))
    found: dict[str, Any] = {}
    values = []
    for name, (text, error) in examples.items():
        polynomial = read(text, n)
        y = polynomial(X)
        values.append(y)
        found[name] = {
            "text": text,
            "error": error,
            "terms": len(polynomial),
            "degree": int(polynomial.exponents.sum(axis=1).max()),
            "from_its_median": round(float(np.abs(y - np.median(y)).mean()), 4),
        }
    errors = [one["error"] for one in found.values()]
    spreads = [one["from_its_median"] for one in found.values()]
    pairs = list(zip(spreads, errors, strict=True))
    return found | {
        "apart": round(float(np.abs(values[0] - values[1]).mean()), 4),
        "apart_between": [round(abs(errors[0] - errors[1]), 4), round(sum(errors), 4)],
        # The error of the network's best constant, from both explanations.
        "constant_between": [
            round(max(0.0, *(spread - error for spread, error in pairs)), 4),
            round(min(spread + error for spread, error in pairs), 4),
        ],
    }


def read(text: str, n: int) -> SparsePolynomial:
    """Return the polynomial that a text such as ``"2 x0^2 x1 - 0.5"`` says."""
    coef, exponents = [], []
    for sign, number, monomial in re.findall(r"([+-]?) ?(\d+\.?\d*)((?: x\d+(?:\^\d+)?)*)", text):
        powers = np.zeros(n, dtype=np.int64)
        for variable, power in re.findall(r"x(\d+)(?:\^(\d+))?", monomial):
            powers[int(variable)] += int(power or 1)
        coef.append(float(f"{sign}{number}"))
        exponents.append(powers)
    return SparsePolynomial(coef, np.array(exponents))
