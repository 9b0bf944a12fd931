"""Wrong answers that learners really give, and what the check must tell them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import linprog


def only_positive(A, b, w, c):
    ends = [linprog(s * w, A_ub=A, b_ub=b) for s in (1, -1)]
    least, most = (-np.inf if e.status == 3 else e.fun for e in ends)
    if least is None or most is None:
        return False
    return least + c < 0 and most - c < 0


def touching_counts(A, b, w, c):
    found = linprog(np.zeros(len(w)), A_ub=A, b_ub=b, A_eq=w[None], b_eq=[-c], bounds=(None, None))
    return found.status == 0


def forgets_unbounded(A, b, w, c):
    ends = [linprog(s * w, A_ub=A, b_ub=b, bounds=(None, None)) for s in (1, -1)]
    if any(e.status != 0 for e in ends):
        return False
    return ends[0].fun + c < -1e-9 and ends[1].fun - c < -1e-9


def looks_at_random_points(A, b, w, c):
    points = np.random.default_rng(0).uniform(-3.5, 3.5, (100_000, len(w)))
    values = points[(points @ A.T <= b).all(axis=1)] @ w + c
    return len(values) > 0 and values.min() < 0 < values.max()


def crossings(lines, box):
    for i in range(len(lines)):
        for j in range(i):
            yield np.linalg.solve(lines[[i, j], :2], -lines[[i, j], 2])


def in_the_plane(lines, box):
    return 1 + len(lines) + len(list(crossings(lines, box)))


def all_lines_cross(lines, box):
    low, high = np.asarray(box).T
    inside = [((low < x) & (x < high)).all() for x in crossings(lines, box)]
    return 1 + len(lines) + sum(inside)


def crosses_box(lines, box):
    (left, right), (low, high) = box
    corners = np.array([[left, low, 1], [left, high, 1], [right, low, 1], [right, high, 1]])
    return int((np.ptp(np.sign(lines @ corners.T), axis=1) > 0).sum())


def ignores_where(lines, box):
    return 1 + crosses_box(lines, box) + len(list(crossings(lines, box)))


def square_only(lines, box):
    inside = [(np.abs(x) < 1).all() for x in crossings(lines, box)]
    return 1 + crosses_box(lines, box) + sum(inside)


def counts_pixels(lines, box):
    axes = [np.linspace(*side, 1500) for side in box]
    pixels = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
    seen = (lines[:, :2] @ pixels.T + lines[:, 2:] >= 0).astype(np.int64)
    return len(np.unique(2 ** np.arange(len(lines)) @ seen))


def table_of(states, decisions):
    votes: dict[bytes, list[int]] = {}
    for row, decision in zip(states, decisions, strict=True):
        votes.setdefault(row.tobytes(), []).append(decision)
    return {state: int(np.mean(v) > 0.5) for state, v in votes.items()}


def answers(train, decisions, test):
    table = table_of(train, decisions)
    return np.array([table.get(row.tobytes(), -1) for row in test])


def with_the_network(train, decisions, test, wanted):
    found = answers(train, decisions, test)
    return np.mean(found >= 0), np.mean((found == wanted) | (found < 0))


def of_the_known(train, decisions, test, wanted):
    found = answers(train, decisions, test)
    return np.mean(found >= 0), np.mean((found == wanted)[found >= 0])


def of_states(train, decisions, test, wanted):
    known = table_of(train, decisions)
    distinct = {row.tobytes() for row in test}
    share = np.mean([state in known for state in distinct])
    return share, np.mean(answers(train, decisions, test) == wanted)


def the_last_vote(train, decisions, test, wanted):
    return with_table({r.tobytes(): d for r, d in zip(train, decisions, strict=True)}, test, wanted)


def the_first_vote(train, decisions, test, wanted):
    return the_last_vote(train[::-1], decisions[::-1], test, wanted)


def with_table(table, test, wanted):
    found = np.array([table.get(row.tobytes(), -1) for row in test])
    return np.mean(found >= 0), np.mean(found == wanted)


def one_at_a_tie(train, decisions, test, wanted):
    flipped = answers(train, 1 - np.asarray(decisions), test)
    found = np.where(flipped < 0, -1, 1 - flipped)
    return np.mean(found >= 0), np.mean(found == wanted)


WRONG_ANSWERS: dict[str, list[tuple[Callable[..., Any], str]]] = {
    "ex-decision-boundaries-and-dnet-1": [
        (lambda: (22, 42), "no two are parallel"),
        (lambda: (13, 51), "The number of cells"),
        (lambda: (19, 19), "The number of impossible states"),
        (lambda: 19, "Return two numbers"),
    ],
    "ex-decision-boundaries-and-dnet-2": [
        (only_positive, "the square from -3 to -1"),
        (touching_counts, "touches the square's corner"),
        (forgets_unbounded, "unbounded"),
        (lambda *_: True, "touches the square's corner"),
        (looks_at_random_points, "unbounded"),
    ],
    "ex-decision-boundaries-and-dnet-3": [
        (in_the_plane, "outside the box"),
        (all_lines_cross, "one of them outside the box"),
        (ignores_where, "outside the box"),
        (square_only, "In a box of unequal sides"),
        (counts_pixels, "which no pixel tells apart"),
    ],
    "ex-decision-boundaries-and-dnet-4": [
        (with_the_network, "the network answered it"),
        (of_the_known, "divide by all test rows"),
        (of_states, "The coverage of four known rows"),
        (one_at_a_tie, "a tie is 0"),
        (the_last_vote, "last training row"),
        (the_first_vote, "no vote at all"),
        (lambda *_: (0.8, 0.6), "200 random rows"),
    ],
}
