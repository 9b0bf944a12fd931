"""What another baseline changes in integrated gradients, and what another training changes.

Ten draws of the training rows of the breast cancer data, two networks on each by the recipe of the
book's own. The chapter *gradients* shows the program of one draw, and runs it for the first.
"""

from __future__ import annotations

import numpy as np

from xai_course import data, exact, metrics
from xai_course.book import train_model

N_DRAWS, N_PATIENTS = 10, 60
CHANGES = ("benign to malignant mean", "benign mean to median", "another training")


def table() -> dict[str, object]:
    """Return the rank correlations of each draw, and the patients on plains for each network."""
    found = [compare(draw) for draw in range(N_DRAWS)]
    columns = zip(*(changes for changes, _ in found), strict=True)
    return {
        "changes": {name: list(column) for name, column in zip(CHANGES, columns, strict=True)},
        "plains": [count for _, counts in found for count in counts],
    }


def compare(draw: int) -> tuple[list[float], list[int]]:
    """Return the three rank correlations of a draw, and the test patients on plains, twice."""
    X, X_test, y, _ = data.load("breast_cancer").split(seed=draw)
    X, X_test = ((part - X.mean(axis=0)) / X.std(axis=0) for part in (X, X_test))
    starts = X[y == 0].mean(axis=0), X[y == 1].mean(axis=0), np.median(X, axis=0)
    seeds = 2 * draw, 2 * draw + 1
    both = [train_model("breast_cancer", seed=seed, split=draw).network for seed in seeds]
    rows = X_test[:N_PATIENTS]
    maps = [[exact.integrated_gradients(f, rows, at) for at in starts] for f in both]
    to_sick, to_median = (np.mean([_ranks(m[0], m[k]) for m in maps]) for k in (1, 2))
    other = np.mean([_ranks(maps[0][k], maps[1][k]) for k in (0, 1)])
    models = [f.local_linear_models(f.activation_pattern(X_test))[0] for f in both]
    plains = [int((~model.any(axis=(1, 2))).sum()) for model in models]
    return [float(to_sick), float(to_median), float(other)], plains


def _ranks(A: np.ndarray, B: np.ndarray) -> float:
    """Return the mean rank correlation; a map of zeros ranks nothing."""
    return np.nanmean(metrics.rank_correlation(A, B))
