"""Rules against the trees they come from, and against sets of rows counted by hand."""

import pickle

import numpy as np
import pytest
from sklearn.datasets import load_iris, make_regression
from sklearn.exceptions import NotFittedError
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from xai_course.rules import Rule, RuleList, rules_of_tree

INF = np.inf
SQUARE = Rule([0.0, 0.0], [1.0, 1.0], "in")
STRIPE = Rule([0.5, -INF], [2.0, INF], "out")
ROWS = np.array([[0.2, 0.2], [0.7, 0.7], [1.5, 0.2], [5.0, 5.0], [1.0, 1.0], [0.0, 0.5]])


def test_a_rule_is_open_below_and_closed_above():
    assert SQUARE.covers(ROWS).tolist() == [True, True, False, False, True, False]
    assert SQUARE.coverage(ROWS) == 3 / 6
    assert SQUARE.precision(ROWS, ["in", "out", "in", "in", "out", "in"]) == pytest.approx(1 / 3)
    assert np.isnan(SQUARE.precision(ROWS[3:4], ["in"]))


def test_conditions_count_bounds_and_are_readable():
    assert (SQUARE.n_conditions, STRIPE.n_conditions) == (4, 2)
    assert STRIPE.text(["age", "income"]) == "if 0.5 < age <= 2 then out"
    assert str(Rule([-INF], [INF], 1)) == "if anything then 1"
    assert Rule([1.23456], [INF], 0).conditions(["a"], digits=2) == ["a > 1.2"]


def test_the_first_rule_decides_and_conflicts_are_counted():
    rules = RuleList([SQUARE, STRIPE], default="nobody")
    assert rules.which(ROWS).tolist() == [0, 0, 1, -1, 0, -1]
    assert rules.predict(ROWS).tolist() == ["in", "in", "out", "nobody", "in", "nobody"]
    assert rules.uncovered(ROWS) == 2 / 6
    assert rules.conflicts(ROWS) == 2 / 6
    assert RuleList([SQUARE, Rule(STRIPE.low, STRIPE.high, "in")]).conflicts(ROWS) == 0
    assert (len(rules), rules[1], list(rules)) == (2, STRIPE, [SQUARE, STRIPE])


def test_a_list_without_rules_says_its_default():
    rules = RuleList([], default=3)
    assert rules.predict(ROWS).tolist() == [3] * 6
    assert (rules.uncovered(ROWS), rules.conflicts(ROWS)) == (1, 0)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("depth", [1, 3, None])
def test_the_leaves_of_a_classifier_decide_as_the_tree_does(seed, depth):
    X, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])
    tree = DecisionTreeClassifier(max_depth=depth, random_state=seed).fit(X, names[y])
    rules = rules_of_tree(tree)
    new = np.random.default_rng(seed).uniform(0, 8, size=(500, 4)).astype(np.float32)
    assert len(rules) == tree.get_n_leaves()
    assert (rules.predict(new) == tree.predict(new)).all()
    assert (rules.uncovered(new), rules.conflicts(new)) == (0, 0)
    assert (np.sum([rule.covers(new) for rule in rules], axis=0) == 1).all()


def test_a_regressor_s_rules_hold_numbers_and_labels_rename_classes():
    X, y = make_regression(200, 3, random_state=0)
    tree = DecisionTreeRegressor(max_leaf_nodes=6, random_state=0).fit(X, y)
    X = X.astype(np.float32)
    np.testing.assert_allclose(rules_of_tree(tree).predict(X), tree.predict(X), rtol=1e-12)
    stump = DecisionTreeClassifier(max_depth=1).fit(X, y > 0)
    assert {rule.label for rule in rules_of_tree(stump, ["no", "yes"])} == {"no", "yes"}


def test_rules_keep_their_bounds_and_pickle():
    low = np.zeros(2)
    rule = Rule(low, [1, 1], "in")
    low[0] = 5
    assert rule.low[0] == 0
    with pytest.raises(ValueError, match="read-only"):
        rule.low[0] = 1
    again = pickle.loads(pickle.dumps(RuleList([rule], "out")))  # noqa: S301
    assert again.predict(ROWS).tolist() == RuleList([rule], "out").predict(ROWS).tolist()


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [
        ([0, 0], [1], "two vectors of one length"),
        ([[0]], [[1]], "two vectors of one length"),
        ([0, 2], [1, 2], "feature 1 has 2 and 2"),
        ([0, np.nan], [1, 2], "feature 1 has nan"),
    ],
)
def test_bounds_that_make_no_rule_are_named(low, high, message):
    with pytest.raises(ValueError, match=message):
        Rule(low, high, 0)


def test_rows_and_lists_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match="2 features, got 3"):
        SQUARE.covers(np.ones((2, 3)))
    with pytest.raises(ValueError, match="finite"):
        SQUARE.covers([[np.nan, 1.0]])
    with pytest.raises(ValueError, match="one for each row"):
        SQUARE.precision(ROWS, ["in"])
    with pytest.raises(ValueError, match="2 names, got 1"):
        SQUARE.text(["a"])
    with pytest.raises(ValueError, match=r"rules of \[1, 2\]"):
        RuleList([SQUARE, Rule([0], [1], 0)])
    with pytest.raises(NotFittedError):
        rules_of_tree(DecisionTreeClassifier())
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="3 classes, got 2"):
        rules_of_tree(DecisionTreeClassifier().fit(X, y), ["a", "b"])
    with pytest.raises(ValueError, match="one output, got 2"):
        rules_of_tree(DecisionTreeClassifier().fit(X, np.c_[y, y]))
