"""Rules for single rows of a table: fidelity on and off the data, controls, seeds of the search.

Training and split change together from network to network, from 0 on; one that decides all of its
training rows alike has not learnt and is left out. A rule is scored against its network.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from replicates import Replicates
from results import difference, spread
from sklearn.tree import DecisionTreeClassifier

from xai_course import exact
from xai_course.anchors import TableConditions, find_anchor
from xai_course.book import train_model
from xai_course.data import Dataset, home_lending, load
from xai_course.lore import genetic_neighbourhood
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.rules import Rule, RuleList, rules_of_tree

NETWORKS, ROWS, SEARCHES = 8, 3, 2
SETS = {"breast_cancer": lambda: load("breast_cancer"), "home_lending": home_lending}
PAIRS = (
    ("anchor", "control: labels", "on"),
    ("anchor", "control: labels", "off"),
    ("LORE", "control: labels", "on"),
    ("LORE", "control: labels", "off"),
    ("LORE", "control: labels", "near"),
    ("LORE", "control: labels", "around"),
    ("LORE", "no rule", "near"),
    ("LORE", "no rule", "around"),
    ("LORE", "normal noise", "near"),
    ("LORE", "normal noise", "around"),
    ("LORE", "normal noise", "off"),
)
TREES = ("LORE", "normal noise", "control: labels")


def grown(Z: np.ndarray, decisions: np.ndarray, seed: int, least: int = 5) -> Any:
    """Return a tree whose leaves hold `least` rows or more."""
    return DecisionTreeClassifier(min_samples_leaf=least, random_state=seed).fit(Z, decisions)


def drawn_inside(Z: np.ndarray, rule: Rule, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return rows inside a rule, each feature drawn on its own: off the data."""
    columns = []
    for k, column in enumerate(Z.T):
        inside = column[(rule.low[k] < column) & (column <= rule.high[k])]
        columns.append(rng.choice(inside if len(inside) else x[k : k + 1], 500))
    return np.column_stack(columns)


def moved_into(rule: Rule, x: np.ndarray) -> np.ndarray:
    """Return the nearest row that a rule covers."""
    return np.minimum(np.where(x > rule.low, x, rule.low + 1e-6), rule.high)


def counterfactual_rules(rules: RuleList, x: np.ndarray, label: int) -> list[Rule]:
    """Return LORE's counterfactual rules: another label, and the fewest bounds that x breaks."""
    others = [rule for rule in rules if rule.label != label]
    broken = [int((x <= rule.low).sum() + (x > rule.high).sum()) for rule in others]
    return [rule for rule, n in zip(others, broken, strict=True) if n == min(broken)]


def score(
    rule: Rule,
    network: PiecewiseLinearNetwork,
    Z: np.ndarray,
    T: np.ndarray,
    x: np.ndarray,
    rng: Any,
) -> dict[str, float]:
    """Return what one rule is worth for its network."""
    off = drawn_inside(Z, rule, x, rng)
    all_rows = np.vstack([Z, x])
    low = np.maximum(all_rows.min(axis=0) - 1e-9, rule.low)
    box = np.column_stack([low, np.minimum(all_rows.max(axis=0) + 1e-9, rule.high)])
    exception = exact.nearest_counterfactual(network, x, bounds=box, time_limit=10)
    return {
        "on": rule.precision(T, network.decide(T)),
        "off": float((network.decide(off) == rule.label).mean()),
        "coverage": rule.coverage(T),
        "conditions": rule.n_conditions,
        "no exception": float(exception.distance == np.inf and exception.certified)
        if rule.label == network.decide(x[None])[0]
        else np.nan,
    }


def one_row(
    network: PiecewiseLinearNetwork,
    Z: np.ndarray,
    T: np.ndarray,
    x: np.ndarray,
    by_labels: RuleList,
    seed: int,
) -> dict[str, Any]:
    """Return the rules of one search for one row, scored."""
    rng, decide = np.random.default_rng(seed), network.decide
    label = int(decide(x[None])[0])
    conditions = TableConditions(Z, x)

    def agrees(chosen: tuple[int, ...], n: int) -> int:
        return int((decide(conditions.draw(chosen, n, rng)) == label).sum())

    anchor = find_anchor(agrees, conditions.holds(Z), beam=1)
    bred = genetic_neighbourhood(decide, Z, x, rng)
    noise = x + rng.normal(size=bred.shape)
    trees = {
        name: rules_of_tree(grown(N, decide(N), seed))
        for name, N in (("LORE", bred), ("normal noise", noise))
    } | {"control: labels": by_labels}
    near = T[np.argsort(np.linalg.norm(T - x, axis=1))[: len(T) // 10]]
    around = x + 0.5 * rng.normal(size=(300, len(x)))
    rules = {"anchor": conditions.rule(anchor.chosen, label)}
    rules |= {name: tree[int(tree.which(x[None])[0])] for name, tree in trees.items()}
    found: dict[str, Any] = {name: score(r, network, Z, T, x, rng) for name, r in rules.items()}
    found["anchor"] |= {"certified": float(anchor.certified), "asked": anchor.n_asked}
    for name, tree in trees.items():
        found[name] |= {
            "label": float(rules[name].label == label),
            "near": float((tree.predict(near) == decide(near)).mean()),
            "around": float((tree.predict(around) == decide(around)).mean()),
        }
    for name, N in (("LORE", bred), ("normal noise", noise)):
        found[name]["otherwise"] = float((decide(N) != label).mean())
        others = counterfactual_rules(trees[name], x, label) if len(set(decide(N))) > 1 else []
        steps = np.array([moved_into(r, x) for r in others]).reshape(-1, len(x))
        flips = decide(steps) != label
        ends = np.column_stack([np.vstack([Z, x]).min(axis=0), np.vstack([Z, x]).max(axis=0)])
        nearest = exact.nearest_counterfactual(network, x, bounds=ends, time_limit=10).distance
        far = np.abs(steps - x).sum(axis=1)[flips] / nearest
        found[name] |= {
            "flips": float(flips.mean()) if len(flips) else np.nan,
            "times the nearest": float(np.median(far)) if flips.any() else np.nan,
        }
    found["no rule"] = {
        "near": float((decide(near) == label).mean()),
        "around": float((decide(around) == label).mean()),
    }
    found["rules"] = rules
    return found


def same(first: Rule, second: Rule, T: np.ndarray) -> dict[str, float]:
    """Return how alike two rules for one row are."""
    a, b = first.covers(T), second.covers(T)
    used = [np.isfinite(r.low) | np.isfinite(r.high) for r in (first, second)]
    either = (used[0] | used[1]).sum()
    return {
        "same": float((first.low == second.low).all() and (first.high == second.high).all()),
        "features": float((used[0] & used[1]).sum() / either) if either else 1.0,
        "rows": float((a & b).sum() / (a | b).sum()) if (a | b).any() else np.nan,
    }


def one_network(dataset: Dataset, name: str, number: int) -> dict[str, dict[str, float]] | None:
    """Return the means over rows and searches on one network; None if it has not learnt."""
    model = train_model(name, seed=number, split=number)
    X, X_test, y, _ = dataset.split(number)
    Z, T = model.standardize(X), model.standardize(X_test)
    if len(set(model.network.decide(Z))) == 1:
        return None
    rng = np.random.default_rng(number)
    by_labels = rules_of_tree(grown(Z, y, number, len(Z) // 20))  # rules as wide as the others
    runs: dict[str, list[dict[str, float]]] = {}
    for row in rng.choice(len(T), ROWS, replace=False):
        twice = [
            one_row(model.network, Z, T, T[row], by_labels, 100 * number + s)
            for s in range(SEARCHES)
        ]
        for method in ("anchor", *TREES, "no rule"):
            runs.setdefault(method, []).extend(t[method] for t in twice)
            if method in ("anchor", "LORE", "normal noise"):
                alike = same(twice[0]["rules"][method], twice[1]["rules"][method], T)
                runs[method].append(alike)
    found = {
        method: {
            key: float(np.nanmean([r[key] for r in rows if key in r]))
            for key in dict.fromkeys(k for r in rows for k in r)
            if not np.isnan([r[key] for r in rows if key in r]).all()
        }
        for method, rows in runs.items()
    }
    found["no rule"]["on"] = float(np.bincount(model.network.decide(T)).max() / len(T))
    return found


def spread_over_networks(name: str) -> dict[str, Any]:
    """Return the spread over the networks, and the differences in pairs."""
    dataset = SETS[name]()
    replicates = Replicates(f"proxies_anchors_{name}", [Path(__file__)])
    runs, left_out = replicates.first(NETWORKS, name, partial(one_network, dataset))
    found: dict[str, Any] = {"networks": NETWORKS, "rows": ROWS, "left out": left_out}
    for method in runs[0]:
        keys = dict.fromkeys(k for r in runs for k in r[method])
        found[method] = {
            key: spread([r[method][key] for r in runs if key in r[method]]) for key in keys
        }
    found["differences"] = {
        f"{a} minus {b}, {key}": difference(
            [r[a][key] - r[b][key] for r in runs if key in r[a] and key in r[b]]
        )
        for a, b, key in PAIRS
    }
    replicates.clear()
    return found
