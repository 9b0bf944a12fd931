"""Words weighed by the company they keep: the fall of the conformity, and of the log-odds.

Five replicates, each with its own messages to a shop and its own readers. A word is taken out of a
text, which becomes shorter, as Wallace, Feng and Boyd-Graber (2018) do it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from replicates import Replicates
from results import difference, over_seeds
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from xai_course.data.messages import shop_messages
from xai_course.examples import conformity
from xai_course.rationales import Reader, train_reader

N_REPLICATES = 5
N_ASKED = 100  # messages that are decided rightly
PAIRS = (
    ("conformity", "log-odds"),
    ("conformity, 75 neighbours", "log-odds"),
    ("conformity, 75 neighbours", "conformity"),
    ("conformity", "conformity, another training"),
    ("conformity", "regression on the labels"),
)


def table() -> dict[str, Any]:
    """Return all scores with their spread over replicates.

    A run that was stopped goes on where it stopped.
    """
    kept = Replicates("cases_words", [Path(__file__)])
    runs = [kept.run(str(s), lambda b=s: measure_texts(b)) for s in range(N_REPLICATES)]
    kept.clear()
    return {
        "settings": {"replicates": N_REPLICATES, "messages": N_ASKED},
        "scores": over_seeds(runs),
        "differences": {
            f"{a} - {b}": {
                score: difference([run[a][score] - run[b][score] for run in runs])
                for score in runs[0][a]
            }
            for a, b in PAIRS
        },
    }


def measure_texts(seed: int) -> dict[str, dict[str, float]]:
    """Return how often the word whose loss costs most is in the phrase that decides."""
    seen, fresh = shop_messages(2000, seed=2 * seed), shop_messages(200, seed=2 * seed + 1)
    n_words = len(seen.vocabulary)
    readers = [train_reader(seen.codes, seen.y, n_words, seed=s) for s in (seed, 100 + seed)]
    with torch.random.fork_rng([]):
        torch.manual_seed(1000 + seed)
        untrained = Reader(n_words).eval()
    counts = np.stack([np.bincount(code, minlength=n_words) for code in seen.codes])[:, 1:]
    regression = LogisticRegression(max_iter=2000).fit(counts, seen.y).coef_[0]
    layers = {
        "conformity": (readers[0], 10),
        "conformity, 75 neighbours": (readers[0], 75),
        "conformity, another training": (readers[1], 10),
        "conformity, untrained": (untrained, 10),
    }
    known = {name: read(reader, seen.codes)[0] for name, (reader, _) in layers.items()}
    says = read(readers[0], fresh.codes)[1].argmax(axis=1)
    scores: dict[str, list[tuple[float, float, float]]] = {}
    for i in np.flatnonzero(says == fresh.y)[:N_ASKED]:
        n, code, own = len(fresh.words[i]), fresh.codes[i], says[i]
        shorter = np.array([np.append(np.delete(code, j), 0) for j in range(n)])
        texts, truth = np.vstack([code, shorter]), fresh.phrases[i]
        logits = read(readers[0], texts)[1]
        odds = (logits[:, own] - logits[:, 1 - own]).astype(float)
        worth = {"log-odds": odds, "confidence": 1 / (1 + np.exp(-odds))}
        for name, (reader, k) in layers.items():
            shares = conformity([known[name]], seen.y, [read(reader, texts)[0]], k=k)
            worth[name] = shares[:, own]
        drops = {name: value[0] - value[1:] for name, value in worth.items()}
        sign = 1 if own else -1
        drops["regression on the labels"] = sign * regression[code[:n] - 1]
        drops["chance"] = np.zeros(n)
        for name, drop in drops.items():
            first = drop >= drop.max() - 1e-9
            scores.setdefault(name, []).append(
                (truth[first].mean(), roc_auc_score(truth, drop), np.abs(drop).max() < 1e-9)
            )
    return {
        name: dict(zip(("first", "order", "silent"), np.mean(values, axis=0).tolist(), strict=True))
        for name, values in scores.items()
    }


def read(reader: Reader, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what a reader makes of texts before it decides, and its logits."""
    words = torch.as_tensor(codes)
    with torch.no_grad():
        seen = reader.meaning(words) * (words > 0)[..., None]
        pooled = reader.context(seen.transpose(1, 2)).relu().amax(2)
        return pooled.double().numpy(), reader.decide(pooled).double().numpy()
