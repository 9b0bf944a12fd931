"""Wrong answers that learners really give, and what the check must tell them."""

from itertools import combinations, pairwise

import numpy as np


def only_real_rows():
    return 2, 2, 2, 3


def the_same_mean_twice():
    return 4, 8 / 3, 8 / 3, 3


def bends_at_its_own_value():
    return 4, 8 / 3, 2, 1


def sums_for_means():
    return 12, 8, 2, 3


def _ends(f, X, j, edges):
    upper = np.clip(np.searchsorted(edges, X[:, j]), 1, None)
    low, high = X.copy(), X.copy()
    low[:, j], high[:, j] = edges[upper - 1], edges[upper]
    return upper, f(high) - f(low)


def forgets_to_add_up(f, X, j, edges):
    upper, rises = _ends(f, X, j, edges)
    means = [rises[upper == k].mean() if (upper == k).any() else 0 for k in range(1, len(edges))]
    return np.array([0, *means])


def partial_dependence(f, X, j, edges):
    levels = []
    for edge in edges:
        moved = X.copy()
        moved[:, j] = edge
        levels.append(f(moved).mean())
    return np.array(levels) - levels[0]


def sums_in_a_bin(f, X, j, edges):
    upper, rises = _ends(f, X, j, edges)
    return np.append(0, [rises[upper == k].sum() for k in range(1, len(edges))]).cumsum()


def centred(f, X, j, edges):
    upper, rises = _ends(f, X, j, edges)
    means = [rises[upper == k].mean() if (upper == k).any() else 0 for k in range(1, len(edges))]
    curve = np.append(0, means).cumsum()
    return curve - curve.mean()


def loses_the_first_row(f, X, j, edges):
    heights = [0.0]
    for low, high in pairwise(edges):
        inside = (X[:, j] > low) & (X[:, j] <= high)
        a, b = X[inside].copy(), X[inside].copy()
        a[:, j], b[:, j] = low, high
        heights.append(heights[-1] + ((f(b) - f(a)).mean() if inside.any() else 0))
    return np.array(heights)


def moves_all_rows_across_each_bin(f, X, j, edges):
    heights = [0.0]
    for k in range(1, len(edges)):
        inside = np.clip(np.searchsorted(edges, X[:, j]), 1, None) == k
        a, b = X.copy(), X.copy()
        a[:, j], b[:, j] = edges[k - 1], edges[k]
        rise = f(b) - f(a)
        heights.append(heights[-1] + (rise[inside].mean() if inside.any() else 0))
    return np.array(heights)


def _change(f, x, baseline, away):
    row = x.copy()
    row[list(away)] = baseline[list(away)]
    return abs(f(x[None])[0] - f(row[None])[0])


def any_pair_that_matters(f, x, baseline, tolerance=1e-9):
    pairs = combinations(range(len(x)), 2)
    return [p for p in pairs if _change(f, x, baseline, p) > tolerance]


def no_pair(f, x, baseline, tolerance=1e-9):
    return []


def zero_for_the_baseline(f, x, baseline, tolerance=1e-9):
    zero = 0 * x
    return [
        (i, j)
        for i, j in combinations(range(len(x)), 2)
        if max(_change(f, x, zero, [i]), _change(f, x, zero, [j])) <= tolerance
        and _change(f, x, zero, [i, j]) > tolerance
    ]


def both_orders(f, x, baseline, tolerance=1e-9):
    found = [
        (i, j)
        for i, j in combinations(range(len(x)), 2)
        if max(_change(f, x, baseline, [i]), _change(f, x, baseline, [j])) <= tolerance
        and _change(f, x, baseline, [i, j]) > tolerance
    ]
    return found + [(j, i) for i, j in found]


def _shares(X, j, values, spacing, norm=2):
    shares = []
    for value in values:
        moved = X.copy()
        moved[:, j] = value
        gaps = np.linalg.norm(moved[:, None] - X[None], ord=norm, axis=2).min(axis=1)
        shares.append((gaps > spacing).mean())
    return np.array(shares)


def _between(X):
    between = np.linalg.norm(X[:, None] - X[None], axis=2)
    np.fill_diagonal(between, np.inf)
    return between.min(axis=1)


def its_own_neighbour(X, j, values):
    return _shares(X, j, values, 0.0)


def within_the_spacing(X, j, values):
    return 1 - _shares(X, j, values, _between(X).max())


def the_mean_distance(X, j, values):
    return _shares(X, j, values, _between(X).mean())


def never_invented(X, j, values):
    return np.zeros(len(values))


WRONG_ANSWERS = {
    "ex-effects-1": [
        (only_real_rows, "into all three rows"),
        (the_same_mean_twice, "rows only that have the value"),
        (bends_at_its_own_value, "kink of the second row"),
        (sums_for_means, "partial dependence at 0"),
    ],
    "ex-effects-2": [
        (forgets_to_add_up, "add them up"),
        (partial_dependence, "every row to every edge"),
        (sums_in_a_bin, "heights with six bins"),
        (centred, "start at 0"),
        (loses_the_first_row, "heights with six bins"),
        (moves_all_rows_across_each_bin, "are enough"),
    ],
    "ex-effects-3": [
        (any_pair_that_matters, "each alone must change"),
        (no_pair, "The pairs of function 1"),
        (zero_for_the_baseline, "The pairs of function 5"),
        (both_orders, "with i < j"),
    ],
    "ex-effects-4": [
        (its_own_neighbour, "not its own neighbour"),
        (within_the_spacing, "within the spacing"),
        (the_mean_distance, "The shares for"),
        (never_invented, "The shares for"),
    ],
}
