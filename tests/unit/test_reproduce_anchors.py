"""The programs behind the measurements of anchors and local rules, on small cases."""

import numpy as np
import pytest

from xai_course.networks import PiecewiseLinearNetwork
from xai_course.rules import Rule, RuleList


@pytest.fixture
def plane(reproduce):
    return reproduce("proxies.anchors_plane")


@pytest.fixture
def rows(reproduce):
    return reproduce("proxies._anchors_rows")


@pytest.fixture
def half():
    """Return a network that says 1 where x0 > 0.3."""
    return PiecewiseLinearNetwork([np.eye(2), [[1, 0]]], [[2, 2], [-2.3]])


def test_shares_of_cells_are_areas(plane, half):
    shares = plane.cell_shares(half)
    inside = (plane.EDGES[1:] - 0.3).clip(0, 3 / plane.CELLS) / (3 / plane.CELLS)
    assert np.allclose(shares, inside[:, None])


def test_the_best_box_is_the_largest_precise_one(plane):
    agree = np.zeros((plane.CELLS, plane.CELLS))
    agree[2:5, 3:8] = 1
    assert plane.best_box(agree, np.array([-0.2, 0.5])) == 15 / plane.CELLS**2
    assert plane.best_box(agree, np.array([-1.4, -1.4])) == 0


def test_the_smallest_step_into_a_rule(rows):
    rule, x = Rule([0.5, -np.inf, 2], [np.inf, 1, 3], 1), np.array([0.0, 4.0, 2.5])
    there = rows.moved_into(rule, x)
    assert rule.covers(there[None])[0]
    assert np.allclose(there, [0.5, 1, 2.5], atol=1e-5)


def test_counterfactual_rules_break_fewest(rows):
    rules = RuleList((Rule([0, 0], [1, 1], 0), Rule([1, 0], [2, 1], 1), Rule([1, 1], [2, 2], 1)))
    assert rows.counterfactual_rules(rules, np.array([0.5, 0.5]), 0) == [rules[1]]


def test_rows_off_the_data_lie_inside_the_rule(rows):
    rng = np.random.default_rng(0)
    Z, rule = rng.normal(size=(50, 2)), Rule([0, -np.inf], [1, np.inf], 1)
    assert rule.covers(rows.drawn_inside(Z, rule, np.array([0.5, 0.0]), rng)).all()


def test_two_rules_for_one_row_are_compared_by_the_rows_that_they_share(rows):
    T = np.array([[0.5], [1.5], [2.5], [9.0]])
    alike = rows.same(Rule([0], [2], 1), Rule([1], [3], 1), T)
    assert alike == {"same": 0.0, "features": 1.0, "rows": pytest.approx(1 / 3)}
