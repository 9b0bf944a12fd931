"""LIME: fidelity on tables, its two dials, instability over seeds, submodular pick, and texts.

Ten replicates for each of two tables, each with its own split of the rows, its own network and a
second network that stands for another training. Inputs are standardised. LIME's questions are drawn
as the package lime draws them, except that a bin with a single value keeps this value. Five
replicates for the messages to a shop, each with its own messages and its own network.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch
from replicates import Replicates
from results import difference, over_seeds
from scipy.special import ndtr, ndtri
from sklearn.cluster import KMeans
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge

from xai_course import data, metrics
from xai_course.book import train_model
from xai_course.data.messages import shop_messages
from xai_course.rationales import Reader, train_reader

N_REPLICATES = 10
N_ROWS = 10  # rows that are explained
N_POINTS = 100  # points around each row
N_QUESTIONS = 5000  # the package's default
NAMES = ("breast_cancer", "home_lending")
SIZES_OF_LAYERS = (20, 20)  # with the book's five neurons a layer, two of ten trainings fail
WIDTHS = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)
SPREADS = (0.01, 0.03, 0.1, 0.3, 1.0)
SIZES = {500: 10, 5000: 10, 50000: 4}  # questions: seeds
N_TEXTS = 5
N_PICKED, N_KEPT, MOST = 60, 5, 8  # rows to pick from, features an explanation, picks
COMPARED = {
    "bins - exact": ("LIME, bins", "exact local model"),
    "bins - numbers": ("LIME, bins", "LIME, numbers"),
    "bins - labels": ("LIME, bins", "regression on the labels"),
    "bins - effects": ("LIME, bins", "effects in bins"),
    "numbers - exact": ("LIME, numbers", "exact local model"),
    "numbers - training": ("LIME, numbers", "another training"),
    "numbers - labels": ("LIME, numbers", "regression on the labels"),
    "close - exact": ("LIME, close", "exact local model"),
    "exact - training": ("exact local model", "another training"),
}


def table() -> dict[str, Any]:
    """Return all parts with their spread over replicates.

    A run that was stopped goes on where it stopped.
    """
    kept = Replicates("proxies_lime", [Path(__file__)])
    found = {}
    for name in NAMES:
        runs = [
            kept.run(f"{name} {seed}", lambda n=name, s=seed: measure(n, s))
            for seed in range(N_REPLICATES)
        ]
        found[name] = over_seeds(runs) | {"differences": differences(runs)}
    texts = [kept.run(f"texts {s}", lambda s=s: measure_texts(s)) for s in range(N_TEXTS)]
    found["texts"] = over_seeds(texts) | {
        "differences": {
            rival: difference([run["LIME"]["first"] - run[rival]["first"] for run in texts])
            for rival in texts[0]
            if rival != "LIME"
        }
    }
    kept.clear()
    return {
        "settings": {
            "replicates": N_REPLICATES,
            "hidden_sizes": list(SIZES_OF_LAYERS),
            "rows": N_ROWS,
            "points": N_POINTS,
            "questions": N_QUESTIONS,
            "replicates_of_texts": N_TEXTS,
            "rows_to_pick_from": N_PICKED,
            "features_kept": N_KEPT,
        },
        **found,
    }


def differences(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return mean pairwise differences over replicates with their standard errors."""
    fidelity = {
        kind: {
            pair: difference(
                [run["fidelity"][a][kind]["error"] - run["fidelity"][b][kind]["error"]
                 for run in runs]
            )
            for pair, (a, b) in COMPARED.items()
        }
        for kind in runs[0]["fidelity"]["LIME, bins"]
    }  # fmt: skip
    picks = {
        score: {
            rival: {
                n: difference(
                    [run["picks"]["submodular"][score][n] - run["picks"][rival][score][n]
                     for run in runs]
                )
                for n in runs[0]["picks"]["submodular"][score]
            }
            for rival in runs[0]["picks"]
            if rival != "submodular"
        }
        for score in runs[0]["picks"]["submodular"]
    }  # fmt: skip
    effects = difference(
        [run["bins"]["two seeds"] - run["bins"]["effects in bins"] for run in runs]
    )
    return {"fidelity": fidelity, "picks": picks, "two seeds - effects": effects}


def measure(name: str, seed: int) -> dict[str, Any]:
    """Train and score one replicate."""
    known = data.home_lending() if name == "home_lending" else data.load(name)
    X, X_test, y, y_test = known.split(seed)
    model, other = (
        train_model(name, hidden_sizes=SIZES_OF_LAYERS, seed=s, split=seed)
        for s in (seed, 100 + seed)
    )
    Z, Z_test = model.standardize(X), model.standardize(X_test)
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(Z_test), N_PICKED, replace=False)
    bins, rows = Bins(Z), Z_test[chosen[:N_ROWS]]

    def f(A: np.ndarray) -> np.ndarray:
        return model.network.forward(A)[:, 0]

    table = effects(f, bins, rng)
    return {
        "accuracy": float(((f(Z_test) > 0) == y_test).mean()),
        "fidelity": fidelity(f, model, other, Z, y, Z_test, rows, bins, table, rng),
        "dials": dials(f, model, rows, rng),
        "seeds": seeds(f, rows, bins, rng),
        "bins": local(f, rows, bins, table, rng),
        "picks": picks(f, model, Z_test[chosen], Z_test, rng),
    }


# LIME


class Bins:
    """The quartile bins of training rows, and values drawn from them."""

    def __init__(self, Z: np.ndarray) -> None:
        self.edges = [np.unique(np.percentile(column, [25, 50, 75])) for column in Z.T]
        self.Z, number = Z, self.number(Z)
        self.share, self.sides = [], []
        for column, found, edges in zip(Z.T, number.T, self.edges, strict=True):
            self.share.append(np.bincount(found, minlength=len(edges) + 1) / len(Z))
            low, high = np.append(column.min(), edges), np.append(edges, column.max())
            parts = [column[found == b] for b in range(len(edges) + 1)]
            middle = np.array([part.mean() if len(part) else 0.0 for part in parts])
            scale = np.array([part.std() if len(part) else 0.0 for part in parts])
            self.sides.append((low, high, middle, scale))

    def number(self, A: np.ndarray) -> np.ndarray:
        """Return the bin of every number, like `A`."""
        found = [np.searchsorted(e, a) for e, a in zip(self.edges, A.T, strict=True)]
        return np.stack(found, axis=1)

    def draw(self, j: int, which: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return one value of feature `j` for each bin number."""
        low, high, middle, scale = (side[which] for side in self.sides[j])
        point = scale == 0
        safe = np.where(point, 1, scale)
        a, b = ndtr((low - middle) / safe), ndtr((high - middle) / safe)
        drawn = middle + safe * ndtri(a + rng.uniform(size=len(which)) * (b - a))
        return np.where(point, middle, np.clip(drawn, low, high))

    def rows(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return invented rows, every feature by itself, and their bins."""
        which = np.stack([rng.choice(len(p), n, p=p) for p in self.share], axis=1)
        drawn = [self.draw(j, which[:, j], rng) for j in range(len(self.share))]
        return np.stack(drawn, axis=1), which


def kernel(squared: np.ndarray, width: float) -> np.ndarray:
    """Return the package's weights of squared distances."""
    return np.exp(-squared / (2 * width**2))


def lime_bins(
    f: Callable, x: np.ndarray, bins: Bins, n: int, rng: np.random.Generator
) -> np.ndarray:
    """Return the weights of 'in the same bin as x', with the package's default settings."""
    rows, which = bins.rows(n, rng)
    rows[0], which[0] = x, bins.number(x[None])[0]
    same = (which == which[0]).astype(float)
    near = kernel((1 - same).sum(axis=1), 0.75 * len(x) ** 0.5)
    return Ridge(alpha=1.0).fit(same, f(rows), sample_weight=near).coef_


def lime_numbers(
    f: Callable, x: np.ndarray, n: int, rng: np.random.Generator,
    width: float | None = None, spread: float = 1.0,
) -> np.ndarray:  # fmt: skip
    """Return the coefficients of the numbers themselves, drawn around x."""
    noise = rng.normal(size=(n, len(x)))
    noise[0] = 0
    near = kernel((noise**2).sum(axis=1), width or 0.75 * len(x) ** 0.5)
    fit = Ridge(alpha=1.0).fit(noise, f(x + spread * noise), sample_weight=near)
    return fit.coef_ / spread


# Fidelity


def effects(f: Callable, bins: Bins, rng: np.random.Generator, n: int = 2000) -> list[np.ndarray]:
    """Return the mean output in every bin of every feature: no row is explained here."""
    rows, _ = bins.rows(n, rng)
    found = []
    for j, share in enumerate(bins.share):
        means = []
        for b in range(len(share)):
            asked = rows.copy()
            asked[:, j] = bins.draw(j, np.full(n, b), rng)
            means.append(float(f(asked).mean()))
        found.append(np.array(means))
    return found


def fidelity(
    f: Callable, model: Any, other: Any, Z: np.ndarray, y: np.ndarray, Z_test: np.ndarray,
    rows: np.ndarray, bins: Bins, table: list[np.ndarray], rng: np.random.Generator,
) -> dict[str, Any]:  # fmt: skip
    """Return the error of every explanation on four kinds of points, median over rows."""
    surrogate = LinearRegression().fit(Z, f(Z)).coef_
    labels = LogisticRegression(max_iter=5000).fit(Z, y).coef_[0]
    truth, told = {}, {}
    for x in rows:
        order = np.linalg.norm(Z_test - x, axis=1).argsort()
        points = {
            "noise 0.1": x + 0.1 * rng.normal(size=(N_POINTS, len(x))),
            "noise 1": x + rng.normal(size=(N_POINTS, len(x))),
            "real rows": Z_test[order[1:31]],
            "mixed rows": bins.rows(N_POINTS, rng)[0],
        }
        lines = {
            "exact local model": slopes(model, x[None])[0],
            "LIME, numbers": lime_numbers(f, x, N_QUESTIONS, rng),
            "LIME, close": lime_numbers(f, x, N_QUESTIONS, rng, spread=0.03),
            "linear model of all answers": surrogate,
            "regression on the labels": labels,
            "another training": slopes(other, x[None])[0],
        }
        in_bins, here = lime_bins(f, x, bins, N_QUESTIONS, rng), bins.number(x[None])[0]
        for kind, P in points.items():
            changes = {line: (P - x) @ coef for line, coef in lines.items()}
            there = bins.number(P)
            changes["LIME, bins"] = ((there == here) - 1.0) @ in_bins
            changes["effects in bins"] = sum(
                t[b] - t[h] for t, b, h in zip(table, there.T, here, strict=True)
            )
            asked = f(np.vstack([x, P]))
            truth.setdefault(kind, []).append(two(asked))
            for line, change in changes.items():
                both = two(asked[0] + np.append(0, change))
                told.setdefault(line, {}).setdefault(kind, []).append(both)
    return {line: {kind: scores(truth[kind], by[kind]) for kind in by} for line, by in told.items()}


def slopes(model: Any, Z: np.ndarray) -> np.ndarray:
    """Return the coefficients of the exact local models."""
    return model.network.local_linear_models(model.network.activation_pattern(Z))[0][:, 0]


def two(logit: np.ndarray) -> np.ndarray:
    """Return the logits of both classes."""
    return np.stack([np.zeros(len(logit)), logit], axis=1)


def scores(truth: list[np.ndarray], told: list[np.ndarray]) -> dict[str, float]:
    """Return the relative error of the change, and the share of equal decisions."""
    found = metrics.local_fidelity(np.array(truth), np.array(told))
    error = np.sqrt(np.maximum(0, 1 - found.r2_change))
    return {"error": float(np.nanmedian(error)), "same": float(found.consistency.mean())}


# The two dials, and seeds


def dials(
    f: Callable, model: Any, rows: np.ndarray, rng: np.random.Generator
) -> dict[str, dict[str, dict[str, float]]]:
    """Return how far LIME is from the exact local model, median over rows."""
    exact = slopes(model, rows)
    rows, exact = rows[exact.any(axis=1)], exact[exact.any(axis=1)]  # a flat piece has no scale

    def off(**how: float) -> dict[str, float]:
        found = np.array([lime_numbers(f, x, N_QUESTIONS, rng, **how) for x in rows])
        length = np.linalg.norm(exact, axis=1)
        return {
            "error": float(np.median(np.linalg.norm(found - exact, axis=1) / length)),
            "length": float(np.median(np.linalg.norm(found, axis=1) / length)),
        }

    return {
        "width": {f"{w:g}": off(width=w) for w in WIDTHS},
        "spread": {f"{s:g}": off(spread=s) for s in SPREADS},
    }


def seeds(f: Callable, rows: np.ndarray, bins: Bins, rng: np.random.Generator) -> dict[str, Any]:
    """Return how far explanations of the same row agree that differ in the seed only."""
    found: dict[str, Any] = {}
    for n, repeats in SIZES.items():
        kinds = {
            "bins": lambda x, n=n: lime_bins(f, x, bins, n, rng),
            "numbers": lambda x, n=n: lime_numbers(f, x, n, rng),
        }
        for kind, explain in kinds.items():
            top, first = [], []
            for x in rows[:5]:
                runs = [np.argsort(-np.abs(explain(x)))[:5] for _ in range(repeats)]
                pairs = list(combinations(runs, 2))
                top += [len({*a} & {*b}) / len({*a} | {*b}) for a, b in pairs]
                first += [a[0] == b[0] for a, b in pairs]
            found.setdefault(kind, {})[str(n)] = {
                "top five": float(np.mean(top)),
                "same first": float(np.mean(first)),
            }
    return found


def local(
    f: Callable, rows: np.ndarray, bins: Bins, table: list[np.ndarray], rng: np.random.Generator
) -> dict[str, float]:
    """Return how alike LIME in bins is to itself, to global effects, and to the exact model."""
    own, flat = [], []
    for x in rows:
        a, b = (lime_bins(f, x, bins, N_QUESTIONS, rng) for _ in range(2))
        here = bins.number(x[None])[0]
        rise = [
            t[h] - np.average(np.delete(t, h), weights=np.delete(p, h)) if p[h] < 1 else 0.0
            for t, h, p in zip(table, here, bins.share, strict=True)
        ]
        own.append(np.corrcoef(a, b)[0, 1])
        flat.append(np.corrcoef(a, rise)[0, 1])
    return {"two seeds": float(np.median(own)), "effects in bins": float(np.median(flat))}


# Submodular pick


def picks(
    f: Callable, model: Any, rows: np.ndarray, everyone: np.ndarray, rng: np.random.Generator
) -> dict[str, Any]:
    """Return what the first few picked rows cover, for several ways to pick."""
    full = np.array([lime_numbers(f, x, N_QUESTIONS, rng) for x in rows])
    rank = np.argsort(np.argsort(-np.abs(full), axis=1), axis=1)
    W = np.where(rank < N_KEPT, full, 0.0)
    ways = {
        "submodular": [greedy(W, MOST)],
        "random": [list(rng.permutation(len(rows))[:MOST]) for _ in range(20)],
        "cluster centres": None,
    }
    exact, at = slopes(model, rows), f(rows)
    result: dict[str, Any] = {}
    for way, lists in ways.items():
        by: dict[str, dict[str, float]] = {"features": {}, "error": {}}
        for n in range(1, MOST + 1):
            chosen = [centres(rows, n)] if lists is None else [one[:n] for one in lists]
            by["features"][str(n)] = float(np.mean([covered(W, c) for c in chosen]))
            by["error"][str(n)] = float(
                np.mean([patchwork(f, rows[c], exact[c], at[c], everyone) for c in chosen])
            )
        result[way] = by
    return result


def greedy(W: np.ndarray, budget: int) -> list[int]:
    """Return rows by Ribeiro et al. (2016), algorithm 2; ties go to the first row."""
    used, worth = W != 0, np.sqrt(np.abs(W).sum(axis=0))
    seen, chosen = np.zeros(W.shape[1], bool), []
    for _ in range(budget):
        gain = (used & ~seen) @ worth
        gain[chosen] = -1
        chosen.append(int(gain.argmax()))
        seen |= used[chosen[-1]]
    return chosen


def covered(W: np.ndarray, chosen: list[int]) -> float:
    """Return the share of the importance that the chosen rows cover."""
    worth = np.sqrt(np.abs(W).sum(axis=0))
    return float(worth[(W[chosen] != 0).any(axis=0)].sum() / worth.sum())


def centres(rows: np.ndarray, n: int) -> list[int]:
    """Return the rows nearest to the centres of clusters of the inputs: no network is asked."""
    found = KMeans(n, n_init=5, random_state=0).fit(rows).cluster_centers_
    return [int(np.linalg.norm(rows - c, axis=1).argmin()) for c in found]


def patchwork(
    f: Callable, centre: np.ndarray, coef: np.ndarray, at: np.ndarray, Z: np.ndarray
) -> float:
    """Return the error of the local models of a few rows, each used where its row is nearest."""
    nearest = ((Z[:, None] - centre) ** 2).sum(axis=2).argmin(axis=1)
    told = at[nearest] + ((Z - centre[nearest]) * coef[nearest]).sum(axis=1)
    real = f(Z)
    return float(np.linalg.norm(told - real) / np.linalg.norm(real - real.mean()))


# Texts


def measure_texts(seed: int) -> dict[str, dict[str, float]]:
    """Return how often the word with the largest weight is in the phrase that decides."""
    seen, fresh = shop_messages(2000, seed=2 * seed), shop_messages(200, seed=2 * seed + 1)
    n_words = len(seen.vocabulary)
    reader = train_reader(seen.codes, seen.y, n_words, seed=seed)
    with torch.random.fork_rng([]):
        torch.manual_seed(1000 + seed)
        untrained = Reader(n_words).eval()
    counts = np.stack([np.bincount(code, minlength=n_words) for code in seen.codes])[:, 1:]
    labels = LogisticRegression(max_iter=2000).fit(counts, seen.y).coef_[0]
    rng = np.random.default_rng(seed)
    hits: dict[str, list[np.ndarray]] = {}
    right = reader.predict(fresh.codes, fresh.codes > 0) == fresh.y
    for i in np.flatnonzero(right)[:100]:
        n = len(fresh.words[i])
        code, ask = fresh.codes[i], asker(reader, fresh.codes[i], n)
        alone = np.vstack([np.ones((1, n)), 1 - np.eye(n)])
        answers = ask(alone)
        weights = {
            "LIME": lime_words(ask, n, rng),
            "leave one out": answers[0] - answers[1:],
            "LIME of an untrained network": lime_words(asker(untrained, code, n), n, rng),
            "regression on the labels": labels[code[:n] - 1],
            "random": rng.normal(size=n),
        }
        for way, weight in weights.items():
            best = np.argsort(-np.abs(weight))
            hits.setdefault(way, []).append(fresh.phrases[i][best[:2]])
    return {
        way: {"first": float(np.mean([h[0] for h in hit])), "both": float(np.mean(hit))}
        for way, hit in hits.items()
    }


def asker(reader: Reader, code: np.ndarray, n: int) -> Callable:
    """Return the log-odds of praise for masks of the first n words."""

    def ask(masks: np.ndarray) -> np.ndarray:
        keep = np.zeros((len(masks), len(code)), np.float32)
        keep[:, :n] = masks
        with torch.no_grad():
            logits = reader(torch.as_tensor(code).expand(len(masks), -1), torch.as_tensor(keep))
        return (logits[:, 1] - logits[:, 0]).double().numpy()

    return ask


def lime_words(ask: Callable, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return a weight for each word, from 1,000 masks drawn as the package draws them."""
    hidden = rng.integers(1, n + 1, 1000)
    masks = (rng.uniform(size=(1000, n)).argsort(axis=1) >= hidden[:, None]).astype(float)
    masks[0] = 1
    near = kernel((1 - np.sqrt(masks.mean(axis=1))) ** 2, 0.25)
    return Ridge(alpha=1.0).fit(masks, ask(masks), sample_weight=near).coef_
