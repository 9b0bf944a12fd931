"""Anchors, against roots of another program, tables of truth and counting."""

import numpy as np
import pytest
from scipy import optimize, stats

from xai_course.anchors import TableConditions, find_anchor, kl_bounds

# Bounds


@pytest.mark.parametrize(("share", "n", "level"), [(0.97, 100, 3.0), (0.2, 10, 1.0), (0.5, 7, 0.1)])
def test_bounds_are_the_roots_of_the_divergence(share, n, level):
    def surprise(q):
        return n * stats.entropy([share, 1 - share], [q, 1 - q]) - level

    low, high = kl_bounds(share, n, level)
    assert low == pytest.approx(optimize.brentq(surprise, 1e-12, share), abs=1e-6)
    assert high == pytest.approx(optimize.brentq(surprise, share, 1 - 1e-12), abs=1e-6)


def test_bounds_at_the_ends_and_in_bulk():
    low, high = kl_bounds([0.0, 1.0], [20, 50], 3.0)
    assert low == pytest.approx([0, np.exp(-3 / 50)], abs=1e-6)
    assert high == pytest.approx([1 - np.exp(-3 / 20), 1], abs=1e-6)


def test_one_look_is_wrong_as_seldom_as_chernoff_says():
    n, level = 60, np.log(10)
    low, high = kl_bounds(np.arange(n + 1) / n, n, level)
    for chance in (0.05, 0.5, 0.9):
        weight = stats.binom.pmf(np.arange(n + 1), n, chance)
        assert weight[low > chance].sum() <= 0.1
        assert weight[high < chance].sum() <= 0.1


# The search


def truth(precision, rng):
    """Return `agrees` for a table of true precisions, by the set of conditions."""
    return lambda chosen, n: rng.binomial(n, precision[chosen])


def test_the_widest_precise_set_is_found():
    holds = np.array([[i < 60, i % 2 == 0, i >= 20] for i in range(100)])
    precision = {(): 0.5, (0,): 0.8, (1,): 0.7, (2,): 0.6}
    precision |= {(0, 1): 0.99, (0, 2): 0.999, (1, 2): 0.8, (0, 1, 2): 1.0}
    for seed in range(5):
        found = find_anchor(truth(precision, np.random.default_rng(seed)), holds)
        assert found.certified
        assert found.low >= 0.95
        best = max((0, 1), (0, 2), key=lambda s: holds[:, s].all(axis=1).mean())
        assert found.chosen == best
        assert found.coverage == holds[:, best].all(axis=1).mean()
        assert found.low <= found.precision <= found.high


def test_a_decision_that_is_always_the_same_needs_no_condition():
    found = find_anchor(lambda chosen, n: n, np.ones((5, 2)))
    assert (found.chosen, found.coverage, found.certified) == ((), 1.0, True)


def test_without_an_anchor_the_best_bound_is_returned_and_not_certified():
    rng = np.random.default_rng(0)
    precision = {(): 0.3, (0,): 0.8, (1,): 0.4, (0, 1): 0.7}
    found = find_anchor(truth(precision, rng), [[1, 0], [0, 1], [1, 1], [0, 0]], beam=2)
    assert not found.certified
    assert found.chosen == (0,)


def test_every_question_is_counted_and_patience_ends():
    asked = []

    def agrees(chosen, n):
        asked.append(n)
        return round(0.95 * n)

    found = find_anchor(agrees, np.ones((4, 1)), batch=100, patience=700)
    assert found.n_asked == sum(asked) == 700
    assert not found.certified


def test_certificates_are_seldom_wrong():
    rng = np.random.default_rng(0)
    found = [
        find_anchor(truth({(): 0.945}, rng), np.ones((1, 1)), patience=1500) for _ in range(30)
    ]
    assert sum(anchor.certified for anchor in found) <= 3  # delta is 0.1, and the bounds are wide


@pytest.mark.parametrize("bad", [{"threshold": 1.5}, {"delta": 0}, {"beam": 0}, {"batch": 1.5}])
def test_bad_settings_are_named(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        find_anchor(lambda chosen, n: n, np.ones((3, 2)), **bad)


# Rows of a table


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=200), rng.integers(2, size=200), np.full(200, 3.0)])
    return TableConditions(X, X[7])


def test_conditions_are_quartiles_that_hold_for_the_row(table):
    assert table.holds(table.x[None]).all()
    assert sorted({k for k, _, _ in table.sides}) == [0, 1]  # a constant has no side
    cuts = np.quantile(table.X[:, 0], [0.25, 0.5, 0.75])
    ends = [low if np.isinf(high) else high for k, low, high in table.sides if k == 0]
    assert np.allclose(ends, cuts)
    assert np.array_equal(table.holds(table.X)[:, 0], table.rule([0], 1).covers(table.X))


def test_draws_keep_the_conditions_and_the_company_of_the_free_features(table):
    rng = np.random.default_rng(1)
    free = table.draw([], 500, rng)
    assert {tuple(row) for row in free} <= {tuple(row) for row in table.X}
    chosen = [i for i, side in enumerate(table.sides) if side[0] == 0]
    rows = table.draw(chosen, 500, rng)
    assert table.rule(chosen, 1).covers(rows).all()
    assert set(rows[:, 0]) <= set(table.X[:, 0])
    inside = table.rule(chosen, 1).covers(table.X)
    assert set(rows[:, 0]) <= set(table.X[inside, 0])


def test_rows_of_another_width_are_refused():
    with pytest.raises(ValueError, match="2 features, got shape"):
        TableConditions(np.zeros((3, 4)), np.zeros(2))
