"""Families of models that explain themselves: by hand, and against scikit-learn."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.tree import DecisionTreeClassifier

from xai_course.families.m_of_n import Test as MofN
from xai_course.families.m_of_n import best_test
from xai_course.families.trepan import Trepan, draw_queries

ABOVE = [(j, 0.5, True) for j in range(4)]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


# Tests of the kind m of n


def test_m_of_n_holds_where_enough_conditions_do():
    X = np.array([[0, 0, 0], [1, 0, 0], [1, 0, 1]])
    conditions = (ABOVE[0], (1, 0.5, False), ABOVE[2])
    counts = np.array([1, 2, 3])
    for m in range(5):
        assert MofN(m, conditions).holds(X).tolist() == (counts >= m).tolist()


def test_m_of_n_in_words():
    conditions = ((0, 3.0, True), (1, 1.25, False))
    assert MofN(1, conditions[:1]).text(["age", "fee"]) == "age > 3"
    assert MofN(2, conditions).text(["age", "fee"]) == "2 of (age > 3, fee <= 1.25)"


def test_a_single_condition_is_scikit_learns_first_split(rng):
    for seed in range(5):
        X = np.random.default_rng(seed).normal(size=(200, 4))
        y = (X @ [1, 2, -1, 0.3] > 0.4).astype(int)
        tree = DecisionTreeClassifier(criterion="entropy", max_depth=1).fit(X, y).tree_
        ((j, threshold, _),) = best_test(X, y).conditions
        assert (j, threshold) == (tree.feature[0], tree.threshold[0])


def test_a_majority_is_found(rng):
    X = rng.integers(2, size=(400, 5)).astype(float)
    majority = X[:, :3].sum(axis=1) >= 2
    test = best_test(X, majority.astype(int), n_conditions=3)
    assert test.m == 2
    assert {c[0] for c in test.conditions} == {0, 1, 2}
    assert len(set(zip(test.holds(X).tolist(), majority.tolist(), strict=True))) == 2


def test_no_test_where_nothing_is_gained(rng):
    X = rng.normal(size=(50, 3))
    assert best_test(X, np.ones(50, dtype=int)) is None
    assert best_test(np.ones((50, 2)), rng.integers(2, size=50)) is None


# TREPAN


def test_queries_keep_the_path_and_the_values(rng):
    X = np.column_stack([rng.normal(size=300), rng.integers(3, size=300)])
    path = ((MofN(1, ((0, 0.0, True),)), True), (MofN(1, ((1, 0.5, True),)), False))
    Q = draw_queries(path, X, 200, rng)
    assert Q.shape == (200, 2)
    assert (Q[:, 0] > 0).all()
    assert (Q[:, 1] == 0).all()
    assert len(np.unique(Q[:, 0])) == 200  # noise makes new values of a continuous feature


def test_queries_combine_features_freely(rng):
    X = np.repeat([[0.0, 0.0], [1.0, 1.0]], 50, axis=0)
    Q = draw_queries((), X, 1000, rng)
    assert abs((Q[:, 0] != Q[:, 1]).mean() - 0.5) < 0.08


def test_an_impossible_path_gives_no_queries(rng):
    never = ((MofN(1, ((0, 10.0, True),)), True),)
    assert draw_queries(never, rng.normal(size=(20, 2)), 5, rng).shape == (0, 2)


def test_a_tree_without_queries_is_scikit_learns(rng):
    X = rng.normal(size=(300, 3))

    def decide(Z):
        return ((Z[:, 0] > 0) & (Z[:, 1] > 0.3)).astype(int)

    tree = Trepan(decide, n_splits=2, n_queries=2).fit(X)
    other = DecisionTreeClassifier(criterion="entropy").fit(X, decide(X))
    assert len(tree.leaves_) == other.get_n_leaves() == 3
    new = rng.normal(size=(500, 3))
    assert (tree.predict(new) == other.predict(new)).all()


def test_the_leaves_partition_all_rows(rng):
    X = rng.normal(size=(200, 4))
    tree = Trepan(lambda Z: (Z.sum(axis=1) > 0).astype(int), 6, 500, 3).fit(X)
    new = rng.normal(size=(400, 4)) * 3
    inside = [np.all([t.holds(new) == s for t, s in leaf.path], axis=0) for leaf in tree.leaves_]
    assert (np.sum(inside, axis=0) == 1).all()
    assert (tree.predict(new) == np.array([leaf.label for leaf in tree.leaves_]) @ inside).all()


def test_queries_reveal_what_the_rows_hide(rng):
    line = rng.normal(size=300)
    X = np.column_stack([line, line])  # two features that never part

    def decide(Z):
        return (np.abs(Z[:, 0] - Z[:, 1]) > 1.5).astype(int)

    assert len(Trepan(decide, n_queries=2).fit(X).leaves_) == 1
    asked = Trepan(decide, n_queries=2000).fit(X)
    off = rng.permuted(X, axis=0)
    always = max(decide(off).mean(), 1 - decide(off).mean())
    assert (asked.predict(off) == decide(off)).mean() > always


def test_text_shows_every_leaf(rng):
    X = rng.normal(size=(100, 2))
    tree = Trepan(lambda Z: (Z[:, 0] > 0).astype(int), n_queries=2).fit(X)
    lines = tree.text(["a", "b"], ["no", "yes"]).splitlines()
    assert lines[0].startswith("if a > ")
    assert lines[1:] == ["    yes", "else:", "    no"]


def test_options_and_rows_are_checked(rng):
    with pytest.raises(ValueError, match="n_splits"):
        Trepan(len, n_splits=0).fit([[0.0]])
    with pytest.raises(ValueError, match="n_queries"):
        Trepan(len, n_queries=2.5).fit([[0.0]])
    with pytest.raises(ValueError, match="X"):
        Trepan(len).fit([[np.nan]])
    for before in (Trepan(len).predict, clone(Trepan(len)).predict):
        with pytest.raises(NotFittedError):
            before([[0.0]])
