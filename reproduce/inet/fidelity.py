"""Figures 6 and 7 and Table 3 of Marton et al. (2022): how far an explanation is from its network.

The paper draws Figures 6 and 7 and prints no number of them. Here every method is measured on the
same held-out networks and the same fresh points, with a constant for scale, with the projection on
all monomials as the least error that any polynomial of the degree can have in the mean square, and
with the network's distance from the function that it was to learn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from results import data_hash, summary

from inet.gplearn import N_NETS as GPLEARN_NETS
from inet.gplearn import evolved, polynomials
from inet.methods import methods
from inet.nets import NOISE, VARIABLES, dense_errors, held_out, points, shape
from inet.nets import targets as held_out_targets
from xai_course.inet import LambdaNets, fidelity_error
from xai_course.polynomials import SparsePolynomial, evaluate_polynomials, monomial_indices

WITH_NOISE = ("constant", "linear", "greedy", "search", "closed_form", "learned")
INDEX = 0  # Table 3 shows this network of each n, whatever comes out

# Table 3, mean absolute errors. Figures 6 and 7 print none.
PRINTED_TABLE_3 = {
    1: {"i_net": 0.0220, "symbolic_regression": 0.0566},
    5: {"i_net": 0.0068, "symbolic_regression": 0.0373},
    10: {"i_net": 0.1436, "symbolic_regression": 0.1371},
    15: {"i_net": 0.1971, "symbolic_regression": 0.1498},
}


def figure6() -> dict[str, Any]:
    """Measure all methods on 100 networks, and beside gplearn on those that gplearn was given."""
    return {str(n): _figure6(n) for n in VARIABLES}


def _figure6(n: int) -> dict[str, Any]:
    nets, X = held_out(n), points(n)
    explained = {name: method.explain(nets) for name, method in methods(n).items()}
    found = {name: fidelity_error(nets, g, X) for name, g in explained.items()}
    found["dense"] = dense_errors(nets, X, shape(n)["degree"])
    found["target"] = fidelity_error(nets, held_out_targets(n), X)
    runs = evolved(n)
    few = nets[: len(runs)]
    gplearn = fidelity_error(few, polynomials(runs), X)
    shared = {name: values[: len(runs)] for name, values in found.items()} | {"gplearn": gplearn}
    return {
        "methods": {name: summary(values) for name, values in found.items()},
        "same_nets_as_gplearn": {name: summary(values) for name, values in shared.items()},
        "paired_with_gplearn": {
            name: paired(values, gplearn) for name, values in shared.items() if name != "gplearn"
        },
        "gplearn": _gplearn_facts(runs),
        "target_monomials_found": {
            name: recall(g, held_out_targets(n)) for name, g in explained.items()
        },
        "each_net": {name: np.round(values, 5).tolist() for name, values in found.items()}
        | {"gplearn": np.round(gplearn, 5).tolist()},
        "nets_sha256": data_hash(nets.parameters()),
    }


def paired(values: np.ndarray, others: np.ndarray) -> dict[str, Any]:
    """Return what the differences `values` - `others` on the same networks say."""
    difference = values - others
    return {
        "mean_difference": round(float(difference.mean()), 5),
        "sd_of_difference": round(float(difference.std(ddof=1)), 5) if len(values) > 1 else None,
        "lower_on": int((difference < 0).sum()),
        "n": len(values),
    }


def recall(found: Sequence[SparsePolynomial], wanted: Sequence[SparsePolynomial]) -> float:
    """Return the mean share of the target's monomials that the explanation has."""
    shares = []
    for ours, own in zip(found, wanted, strict=True):
        degree = max(ours.degree, own.degree)
        indices = set(monomial_indices(own.exponents, degree))
        both = indices & set(monomial_indices(ours.exponents, degree))
        shares.append(len(both) / len(indices))
    return round(float(np.mean(shares)), 4)


def _gplearn_facts(runs: list[dict[str, Any]]) -> dict[str, Any]:
    reasons = [run["stopped"] for run in runs]
    return {
        "cpu_seconds": summary([run["cpu_seconds"] for run in runs]),
        "generations": summary([len(run["errors"]) for run in runs]),
        # How much the error on the samples still fell over the last ten generations.
        "last_ten_generations_gained": summary(
            [run["errors"][-11:][0] - run["errors"][-1] for run in runs]
        ),
        "terms": summary([len(run["coef"]) for run in runs]),
        "degree": summary([np.sum(run["exponents"], axis=1).max() for run in runs]),
        "stopped": {reason: reasons.count(reason) for reason in sorted(set(reasons))},
    }


# Figure 7


def figure7() -> dict[str, Any]:
    """Measure the main methods at every noise, on networks that differ in the noise only."""
    return {str(n): _figure7(n) for n in VARIABLES}


def _figure7(n: int) -> dict[str, Any]:
    by_noise = {f"{noise:g}": _at_noise(n, held_out(n, noise)) for noise in NOISE}
    clean, noisy = (by_noise[f"{noise:g}"] for noise in (NOISE[0], NOISE[-1]))
    return {
        "by_noise": {
            noise: {name: summary(values) for name, values in found["errors"].items()}
            for noise, found in by_noise.items()
        },
        "target_monomials_found": {noise: found["recall"] for noise, found in by_noise.items()},
        "from_the_target": {
            noise: {name: summary(values) for name, values in found["from_the_target"].items()}
            for noise, found in by_noise.items()
        },
        "rise": {
            name: paired(noisy["errors"][name], clean["errors"][name]) for name in clean["errors"]
        },
    }


def _at_noise(n: int, nets: LambdaNets) -> dict[str, Any]:
    X, targets = points(n), held_out_targets(n)
    clean = evaluate_polynomials(targets, X)
    explained = {name: methods(n)[name].explain(nets) for name in WITH_NOISE}
    found = {name: fidelity_error(nets, g, X) for name, g in explained.items()}
    found["dense"] = dense_errors(nets, X, shape(n)["degree"])
    found["target"] = fidelity_error(nets, targets, X)
    return {
        "errors": found,
        "recall": {name: recall(explained[name], targets) for name in WITH_NOISE},
        # The clean target instead of the network: does an explanation undo what the noise did?
        "from_the_target": {
            name: np.abs(evaluate_polynomials(g, X) - clean).mean(axis=1)
            for name, g in explained.items()
        },
    }


# Table 3


def table3() -> dict[str, Any]:
    """Explain one network of each n, chosen before anything was computed, by each method."""
    return {
        "index": INDEX,
        **{str(n): _table3(n) for n in (1, *VARIABLES)},
    }


def _table3(n: int) -> dict[str, Any]:
    net, target, X = held_out(n)[INDEX], held_out_targets(n)[INDEX], points(n)
    found = {name: method.explain(net)[0] for name, method in methods(n).items()}
    found["gplearn"] = polynomials(evolved(n, max(INDEX + 1, GPLEARN_NETS[n])))[INDEX]
    return {
        "target": target.simplified().to_text(4),
        "network_against_target": _one_error(net, target, X),
        "explanations": {
            name: {"text": g.to_text(4), "terms": len(g), "error": _one_error(net, g, X)}
            for name, g in found.items()
        },
        "printed": PRINTED_TABLE_3[n],
    }


def _one_error(net: LambdaNets, polynomial: SparsePolynomial, X: np.ndarray) -> float:
    return round(float(fidelity_error(net, [polynomial], X)[0]), 5)
