"""Checks of the chapter *neighbours-and-prototypes*."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from xai_course.book.checks import CheckFailed, exercise
from xai_course.book.draws import student_generator
from xai_course.book.expect import assert_close, assert_equal, close_to, expect_array, expect_parts
from xai_course.examples import conformity, prototypes

SLUG = "neighbours-and-prototypes"


def _spaces(
    rows: Sequence[Sequence[int]] = ((4, -4), (4, 3), (1, 1), (5, 1), (8, 1)),
    query: Sequence[int] = (2, 1),
    neuron: int = 2,
) -> tuple[list[tuple[np.ndarray, int]], np.ndarray]:
    """Return the rows and the query in four spaces with the k of each, and the classes."""
    points = np.array([*rows, query], dtype=float)
    hidden = np.maximum(0, points - 1)
    twin = hidden * np.where(np.arange(2) == neuron - 1, 10, 1)
    return [(points, 2), (hidden, 2), (hidden, 3), (twin, 3)], 1 * (hidden @ [2, -4] > 1)


def _share(space: np.ndarray, k: int, plus: np.ndarray) -> float:
    return float(conformity([space[:5]], plus[:5], [space[5:]], k=k)[0, plus[5]])


def _right_shares(**numbers: Any) -> tuple[float, ...]:
    spaces, plus = _spaces(**numbers)
    return tuple(_share(space, k, plus) for space, k in spaces)


def _draw_rows(rng: np.random.Generator) -> dict[str, Any]:
    while True:
        points = np.column_stack([rng.integers(1, 9, size=6), rng.integers(-4, 5, size=6)]).tolist()
        *rows, query = map(tuple, points)
        drawn = {"rows": tuple(rows), "query": query, "neuron": int(rng.integers(1, 3))}
        spaces, plus = _spaces(**drawn)
        far = [(np.sort(((space[:5] - space[5]) ** 2).sum(axis=1)), k) for space, k in spaces]
        is_clear = len({query, *rows}) == 6 and all(d[k - 1] < d[k] for d, k in far)
        if is_clear and 1 < plus[:5].sum() < 4:
            shares = _right_shares(**drawn)
            if shares[0] != shares[1] and shares[2] != shares[3]:
                return drawn


@exercise(
    f"ex-{SLUG}-1",
    draw=_draw_rows,
    question="the rows A to E are {rows[0]}, {rows[1]}, {rows[2]}, {rows[3]} and {rows[4]}, each "
    "of the class that the network says, and the query is {query}. The other twin has "
    "10 h{neuron} in place of h{neuron}.",
    right=_right_shares,
)
def another_row(answer: Callable[[], Any], **numbers: Any) -> str:
    """Compare with the library, from the network itself."""
    what = "four shares: input and hidden space with two rows, hidden space and twin with three"
    found, expected = expect_parts(answer(), 4, what), _right_shares(**numbers)
    if close_to(found, [1 - share for share in expected]):
        raise CheckFailed(
            "These are the shares of the other class. What is f at the query? Is it positive?"
        )
    if close_to(found[:2], [expected[0], expected[0]]):
        raise CheckFailed(
            "Both times these are the neighbours in the input space. Without the ReLU, the hidden "
            "space has the same distances; but a ReLU is never negative."
        )
    names = ("input, two rows", "hidden, two rows", "hidden, three rows", "twin, three rows")
    for share, right, name in zip(found, expected, names, strict=True):
        assert_close(share, right, f"The share ({name})")
    return "The same network, written with other weights, names other company."


@exercise(f"ex-{SLUG}-2")
def conformity_of(answer: Callable[..., Any]) -> str:
    """Compare with the library on random layers without ties."""
    rng = student_generator(2)
    for n, widths, n_classes, k in ((30, (3, 2), 2, 5), (20, (4,), 3, 1), (25, (2, 6, 3), 4, 7)):
        layers = [rng.normal(size=(n, w)) * 10.0**-i for i, w in enumerate(widths)]
        queries = [rng.normal(size=(6, w)) * 10.0**-i for i, w in enumerate(widths)]
        labels = np.append(np.arange(n_classes), rng.integers(n_classes, size=n - n_classes))
        decided = rng.integers(n_classes, size=6)
        given = ([a.copy() for a in layers], labels.copy(), [a.copy() for a in queries])
        found = expect_array(answer(*given, decided.copy(), k), (6,), "one share for each query")
        shares = conformity(layers, labels, queries, k=k)
        expected = shares[np.arange(6), decided]
        if len(widths) > 1:
            single = [
                conformity([a], labels, [b], k=k)[np.arange(6), decided]
                for a, b in zip(layers, queries, strict=True)
            ]
            joined = conformity([np.hstack(layers)], labels, [np.hstack(queries)], k=k)
            if close_to(found, np.sum(single, axis=0)):
                raise CheckFailed("These are sums over the layers. Divide by their number.")
            if close_to(found, single[-1]) and not close_to(found, expected):
                raise CheckFailed("Only the last layer counts here. Average over all layers.")
            if close_to(found, joined[np.arange(6), decided]) and not close_to(found, expected):
                raise CheckFailed(
                    "The layers are one long row here, and the one with the largest numbers "
                    "decides. Look for neighbours in each layer by itself."
                )
        if close_to(found, shares.max(axis=1)) and not close_to(found, expected):
            raise CheckFailed("This is the share of the commonest class, not of the decided one.")
        if close_to(found, expected * k) and k > 1:
            raise CheckFailed(f"These are numbers of rows. Divide by k, here {k}.")
        assert_close(found, expected, f"The shares with {len(widths)} layer(s) and k = {k}")
    return "Three sets of layers agree, with one layer and with several."


@exercise(f"ex-{SLUG}-3")
def greedy_prototypes(answer: Callable[..., Any]) -> str:
    """Compare with the library on random kernels."""
    rng = student_generator(3)
    for n, m in ((12, 4), (30, 6), (9, 9)):
        X = np.vstack([rng.normal(size=(n - n // 3, 2)), 3 + 0.3 * rng.normal(size=(n // 3, 2))])
        kernel = np.exp(-((X[:, None] - X) ** 2).sum(axis=2))
        found = expect_array(answer(kernel.copy(), m), (m,), f"{m} row numbers").astype(int)
        right = prototypes(kernel, m)
        if len(set(found.tolist())) < m:
            raise CheckFailed(f"A row is taken twice: {found.tolist()}.")
        typical = np.argsort(-kernel.mean(axis=0), kind="stable")[:m]
        if found.tolist() == typical.tolist() != right.tolist():
            raise CheckFailed(
                "These are the rows most like all others. They may all be alike: the second term "
                "of the discrepancy speaks against that."
            )
        if m < n and sorted(found.tolist()) == sorted(right.tolist()):
            assert_equal(found, right, "The rows are right, and their order, as they are taken,")
        assert_equal(found, right, f"The prototypes, {m} of {n} rows,")
    return "Three kernels agree, one of them until no row is left."
