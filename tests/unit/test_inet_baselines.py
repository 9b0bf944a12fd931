"""Explainers that ask: known answers, exact expansion of programs, stopping rules, bad input."""

import subprocess
import sys
import warnings
from itertools import combinations

import numpy as np
import pytest
from gplearn.genetic import SymbolicRegressor
from hypothesis import given
from hypothesis import strategies as st
from properties import examples

from xai_course.inet import LambdaNets, train_lambda_nets
from xai_course.inet.baselines import (
    Constant,
    GreedySwaps,
    LassoRefit,
    LinearModel,
    OrthogonalMatchingPursuit,
    SymbolicRegression,
    expand_program,
    query_points,
)
from xai_course.polynomials import (
    evaluate_polynomials,
    monomial_exponents,
    monomial_values,
    sample_polynomials,
)

QUICK = {"population_size": 60, "n_queries": 60, "progress": False}
EXPLAINERS = {
    "constant": Constant,
    "linear": LinearModel,
    "gplearn": SymbolicRegression,
    "omp": OrthogonalMatchingPursuit,
    "lasso": LassoRefit,
    "greedy swaps": GreedySwaps,
}
SELECTIONS = [OrthogonalMatchingPursuit, LassoRefit, GreedySwaps]


@pytest.fixture(scope="module")
def nets():
    """Return four networks trained on polynomials with three terms in three variables."""
    polynomials = sample_polynomials(4, 3, seed=11)
    return train_lambda_nets(polynomials, n_hidden=15, n_samples=1500, seed=11, progress=False)


def affine_net():
    """Return 2 x0 - 3 x1 + 0.5 on the cube: both hidden neurons stay positive there."""
    return LambdaNets([[[2.0, 1.0], [0.0, 4.0]]], [[0.25, 0.5]], [[1.0, -1.0]], [0.75])


def constant_net(value=0.7):
    return LambdaNets(np.zeros((1, 2, 2)), np.zeros((1, 2)), np.ones((1, 2)), [value])


def errors(nets, polynomials):
    X = np.random.default_rng(5).random((2000, nets.n_variables))
    return np.abs(evaluate_polynomials(polynomials, X) - nets.predict(X)).mean(axis=1)


def fresh(name):
    """Return an explainer by name, the slow one made quick."""
    return EXPLAINERS[name](**(QUICK if name == "gplearn" else {}))


# Questions


def test_sobol_points_cover_the_cube_and_grow():
    points = query_points(100, 3, seed=1)
    assert points.shape == (100, 3)
    assert (points >= 0).all()
    assert (points < 1).all()
    np.testing.assert_array_equal(query_points(60, 3, seed=1), points[:60])
    # 64 of them put one point into each 64th of every axis.
    for column in points[:64].T:
        assert sorted((column * 64).astype(int)) == list(range(64))
    uniform = query_points(64, 3, seed=1, points="uniform")
    assert len(set((uniform[:, 0] * 64).astype(int))) < 64


# Known answers


def test_the_constant_is_the_median(nets):
    answers = nets.predict(query_points(512, 3))
    found = Constant().explain(nets)
    assert [g.to_text(17) for g in found] == [f"{c:.17g}" for c in np.median(answers, axis=1)]
    best = np.abs(answers - np.median(answers, axis=1)[:, None]).mean(axis=1)
    for shift in (-0.01, 0.01):
        other = np.abs(answers - np.median(answers, axis=1)[:, None] - shift).mean(axis=1)
        assert (best <= other).all()


@pytest.mark.parametrize("make", [LinearModel, *SELECTIONS])
def test_an_affine_network_is_found_exactly(make):
    (found,) = make(sparsity=3, degree=1).explain(affine_net())
    np.testing.assert_allclose(found.to_dense(1), [2, -3, 0.5], atol=1e-12)


def test_single_exchanges_can_end_too_early():
    """The lasso finds the plane among all cubics; two exchanges at once would be needed here."""
    net = affine_net()
    (lasso,) = LassoRefit(sparsity=3).explain(net)
    assert errors(net, [lasso]) < 1e-12
    (found,) = GreedySwaps(sparsity=3, width=1).explain(net)
    assert errors(net, [found]) > 0.01
    X = query_points(512, 2)
    values, y = monomial_values(X, monomial_exponents(2, 3)), net.predict(X)[0]
    chosen = np.flatnonzero(found.to_dense(3))

    def squares(k):
        coef = np.linalg.lstsq(values[:, k], y, rcond=None)[0]
        return ((values[:, k] @ coef - y) ** 2).sum()

    others = np.setdiff1d(np.arange(10), chosen)
    exchanges = [[*np.delete(chosen, i), j] for i in range(3) for j in others]
    assert squares(chosen) <= min(map(squares, exchanges)) * (1 + 1e-9)
    # A wider first search finds it.
    (wide,) = GreedySwaps(sparsity=3).explain(net)
    np.testing.assert_allclose(wide.to_dense(1), [2, -3, 0.5], atol=1e-9)


def test_a_wider_search_is_forward_and_backward_selection(nets):
    X = query_points(512, 3)
    exponents = monomial_exponents(3, 3)
    values = monomial_values(X, exponents)
    for y, g in zip(nets.predict(X), GreedySwaps(width=3, max_swaps=0).explain(nets), strict=True):

        def squares(k, y=y):
            coef = np.linalg.lstsq(values[:, k], y, rcond=None)[0]
            return ((values[:, k] @ coef - y) ** 2).sum()

        chosen = []
        for _ in range(9):
            rest = [j for j in range(len(exponents)) if j not in chosen]
            chosen.append(min(rest, key=lambda j: squares([*chosen, j])))
        while len(chosen) > 3:
            chosen = min((chosen[:i] + chosen[i + 1 :] for i in range(len(chosen))), key=squares)
        assert sorted(chosen) == np.flatnonzero(g.to_dense(3)).tolist()


def test_a_wider_search_than_there_are_independent_monomials(nets):
    found = GreedySwaps(width=50, n_queries=12).explain(nets)
    assert all(len(g) == 3 and np.isfinite(g.coef).all() for g in found)
    assert errors(nets, GreedySwaps(width=50).explain(nets)).mean() < 0.02


@pytest.mark.parametrize("make", SELECTIONS)
def test_a_constant_network_needs_one_term(make):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (found,) = make().explain(constant_net())
    assert errors(constant_net(), [found]) < 1e-12


def test_the_zero_network_gives_the_zero_polynomial():
    for name in EXPLAINERS:
        (found,) = fresh(name).explain(constant_net(0.0))
        assert errors(constant_net(0.0), [found]) < 1e-12, name


def test_greedy_swaps_reaches_the_best_of_all_supports(nets):
    X = query_points(512, 3)
    exponents = monomial_exponents(3, 3)
    values, answers = monomial_values(X, exponents), nets.predict(X)
    found = GreedySwaps().explain(nets)
    for g, y in zip(found, answers, strict=True):
        least = min(
            np.linalg.lstsq(values[:, list(k)], y, rcond=None)[1][0]
            for k in combinations(range(len(exponents)), 3)
        )
        reached = ((g(X) - y) ** 2).sum()
        assert least <= reached * (1 + 1e-9)
        assert reached < 1.5 * least


def test_exact_and_sample_gram_agree_on_many_queries(nets):
    kwargs = {"n_queries": 2**15, "sparsity": 3}
    exact, sample = (GreedySwaps(gram=g, **kwargs).explain(nets) for g in ("exact", "sample"))
    assert abs(errors(nets, exact) - errors(nets, sample)).max() < 1e-3


def test_swaps_help_and_all_beat_the_constant(nets):
    mean = {name: errors(nets, fresh(name).explain(nets)).mean() for name in EXPLAINERS}
    greedy = errors(nets, GreedySwaps(max_swaps=0, width=1).explain(nets)).mean()
    assert mean["greedy swaps"] <= greedy
    assert mean["linear"] < mean["constant"]
    for name in ("omp", "lasso", "greedy swaps", "gplearn"):
        assert mean[name] < mean["constant"], name


def test_unit_norm_is_what_scikit_learn_does_on_scaled_columns(nets):
    from sklearn.linear_model import OrthogonalMatchingPursuit as Reference

    X = query_points(512, 3)
    exponents = monomial_exponents(3, 3)
    values, y = monomial_values(X, exponents), nets.predict(X)[0]
    for unit_norm in (False, True):
        length = np.linalg.norm(values, axis=0) if unit_norm else 1.0
        model = Reference(n_nonzero_coefs=3, fit_intercept=False).fit(values / length, y)
        (found,) = OrthogonalMatchingPursuit(unit_norm=unit_norm).explain(nets[0])
        np.testing.assert_allclose(found.to_dense(3), model.coef_ / length, atol=1e-12)


@pytest.mark.parametrize("name", EXPLAINERS)
def test_the_seed_decides_and_company_does_not_matter(nets, name):
    first, second = fresh(name).explain(nets[:2]), fresh(name).explain(nets[[1, 0]])[::-1]
    X = query_points(100, 3, seed=3)
    np.testing.assert_allclose([g(X) for g in first], [g(X) for g in second], atol=1e-12)
    assert all(g.n_variables == 3 for g in first)


@pytest.mark.parametrize("make", SELECTIONS)
def test_degree_and_sparsity_are_kept(nets, make):
    for g in make(degree=2, sparsity=4).explain(nets):
        assert g.degree <= 2
        assert len(g) <= 4


# Programs


def programs(n_variables, depth=(2, 6)):
    """Return programs of one random generation."""
    X = np.random.default_rng(0).random((20, n_variables))
    search = SymbolicRegressor(
        population_size=150,
        generations=1,
        function_set=("add", "sub", "mul"),
        init_depth=depth,
        random_state=n_variables,
    )
    return search.fit(X, X.sum(axis=1))._programs[-1]


@pytest.mark.parametrize("n_variables", [1, 2, 5])
def test_expansion_equals_execution(n_variables):
    X = np.random.default_rng(1).random((50, n_variables))
    for program in programs(n_variables):
        found = expand_program(program.program, n_variables)
        # Rounding grows with what is added up, not with what is left of it.
        scale = np.abs(found.coef).sum() + 1
        assert np.abs(found(X) - program.execute(X)).max() < 1e-12 * scale
        assert len({tuple(e) for e in found.exponents}) == len(found)


def test_an_expansion_by_hand():
    from gplearn.functions import add2, mul2, sub2

    # (x0 + 0.5) (x0 - 0.5) - x1 x1 x1 x1 + 0.25
    program = [
        *(add2, sub2, mul2, add2, 0, 0.5, sub2, 0, 0.5),
        *(mul2, mul2, 1, 1, mul2, 1, 1, 0.25),
    ]
    found = expand_program(program, 2)
    assert found.to_text() == "x0^2 - x1^4"
    assert expand_program([sub2, 0, 0], 2).to_text() == "0"
    assert expand_program([1], 2).to_text() == "x1"
    assert expand_program([0.25], 2).to_text() == "0.25"


@given(st.recursive(st.integers(0, 2) | st.floats(-2, 2), lambda c: st.tuples(c, c), max_leaves=12))
@examples(60)
def test_expansion_of_any_product_tree(tree):
    from gplearn.functions import mul2

    def prefix(node):
        return [mul2, *prefix(node[0]), *prefix(node[1])] if isinstance(node, tuple) else [node]

    def value(node, x):
        if isinstance(node, tuple):
            return value(node[0], x) * value(node[1], x)
        return x[node] if isinstance(node, int) else node

    x = np.array([0.3, 0.8, 0.5])
    found = expand_program(prefix(tree), 3)
    assert len(found) <= 1  # none for the product 0
    np.testing.assert_allclose(found(x[None])[0], value(tree, x), rtol=1e-12, atol=1e-300)


def test_a_program_of_one_variable():
    assert expand_program([0], 1).to_text() == "x0"
    with pytest.raises(ValueError, match="n_variables must be a whole number from 1 on"):
        expand_program([0.5], 0)


def test_bad_programs():
    from gplearn.functions import add2, div2

    with pytest.raises(ValueError, match="the program has div"):
        expand_program([div2, 0, 1], 2)
    with pytest.raises(ValueError, match="variable 2 of 2"):
        expand_program([add2, 0, 2], 2)
    for program in ([add2, 0], [0, 1], []):
        with pytest.raises(ValueError, match="incomplete"):
            expand_program(program, 2)


# Symbolic regression


def cubic(n_rows=200):
    X = query_points(n_rows, 2, seed=2)
    return X, X[:, 0] ** 2 * X[:, 1] - 0.37 * X[:, 1] + 0.11


def test_the_defaults_are_those_of_appendix_a():
    search = SymbolicRegression()
    assert (search.population_size, search.generations, search.n_queries) == (5000, 100, 5000)
    assert (search.patience, search.parsimony, search.time_limit) == (10, 0.001, 3600)
    for n_variables, depth in [(1, 1), (2, 1), (5, 2), (10, 3), (15, 3), (16, 4)]:
        assert search._regressor(n_variables).init_depth == (depth, depth)


def test_one_generation_at_a_time_is_one_long_run():
    X, y = cubic()
    search = SymbolicRegression(**QUICK, generations=6, patience=6)
    evolution = search.evolve(X, y)
    reference = search._regressor(2).set_params(generations=6, warm_start=False).fit(X, y)
    assert evolution.stopped == "generations"
    np.testing.assert_array_equal(evolution.errors, reference.run_details_["best_fitness"])


def test_the_best_of_all_generations_is_returned():
    X, y = cubic()
    evolution = SymbolicRegression(**QUICK, generations=15).evolve(X, y)
    reached = np.abs(evolution.polynomial(X) - y).mean()
    assert reached == pytest.approx(evolution.errors.min(), abs=1e-12)
    assert set(evolution.program) & set("asm")  # add, sub or mul


def test_no_gain_stops():
    X, y = cubic()
    evolution = SymbolicRegression(**QUICK, generations=100, patience=3).evolve(X, y)
    assert evolution.stopped == "no gain"
    best = int(evolution.errors.argmin())
    assert len(evolution.errors) == best + 1 + 3
    # It did not wait longer than it had to: within the run no pause of 3 had come before.
    least = np.minimum.accumulate(evolution.errors)
    gains = np.flatnonzero(np.r_[True, np.diff(least) < 0])
    assert np.diff(gains).max(initial=1) <= 3


def test_the_time_limit_stops_after_the_generation_that_reaches_it():
    X, y = cubic()
    evolution = SymbolicRegression(**QUICK, time_limit=1e-9).evolve(X, y)
    assert evolution.stopped == "time"
    assert len(evolution.errors) == 1
    assert evolution.seconds < 30


def test_an_exact_program_stops():
    X = query_points(50, 2)
    evolution = SymbolicRegression(**QUICK).evolve(X, X[:, 0] + X[:, 1])
    assert evolution.stopped == "exact"
    assert evolution.polynomial.to_text() == "x0 + x1"


def test_the_progress_bar_is_optional(capsys):
    X, y = cubic()
    SymbolicRegression(**QUICK, generations=2).evolve(X, y)
    assert capsys.readouterr().err == ""
    SymbolicRegression(**{**QUICK, "progress": True}, generations=2).explain(affine_net())
    assert "network 1 of 1" in capsys.readouterr().err


def test_no_warning_leaks():
    """In a fresh process, so that nothing was imported before the filter stood."""
    code = """
import warnings
warnings.simplefilter("error")
from xai_course.inet import LambdaNets, baselines
nets = LambdaNets([[[2.0, 1.0], [0.0, 4.0]]], [[0.25, -0.5]], [[1.0, -1.0]], [0.75])
for name in ("Constant", "LinearModel", "OrthogonalMatchingPursuit", "LassoRefit", "GreedySwaps",
             "SymbolicRegression"):
    make = getattr(baselines, name)
    quick = {"population_size": 30, "generations": 3, "progress": False}
    make(**(quick if make.__name__ == "SymbolicRegression" else {})).explain(nets)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# Bad input


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Constant(n_queries=0), "n_queries must be a whole number from 1 on, got 0"),
        (lambda: LinearModel(seed=-1), "seed must be a whole number from 0 on"),
        (lambda: GreedySwaps(degree=-1), "degree must be"),
        (lambda: GreedySwaps(sparsity=0), "sparsity must be"),
        (
            lambda: query_points(8, 2, points="grid"),
            "points must be 'sobol' or 'uniform', got 'grid'",
        ),
        (lambda: GreedySwaps(width=0), "width must be a whole number from 1 on"),
        (lambda: GreedySwaps(gram="both"), "gram must be 'sample' or 'exact', got 'both'"),
        (lambda: LassoRefit(alpha=0.0), "alpha must be a number above 0, got 0.0"),
        (lambda: SymbolicRegression(population_size=0), "population_size must be"),
        (lambda: SymbolicRegression(patience=0), "patience must be"),
        (lambda: SymbolicRegression(time_limit=np.nan), "time_limit must be a number above 0"),
        (lambda: SymbolicRegression(parsimony=-1.0), "parsimony must be"),
        (lambda: SymbolicRegression().evolve([[1.0]], [1.0, 2.0]), "same rows"),
        (lambda: SymbolicRegression().evolve([[np.nan]], [1.0]), "X must be finite"),
    ],
)
def test_bad_settings(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("make", SELECTIONS)
def test_too_many_terms_or_too_few_queries(make):
    with pytest.raises(ValueError, match="There are 3 monomials, too few for 4 terms"):
        make(degree=1, sparsity=4).explain(affine_net())
    with pytest.raises(ValueError, match="2 queries are too few to fit 3 terms; raise n_queries"):
        make(n_queries=2, sparsity=3).explain(affine_net())


def test_too_few_queries_for_a_plane():
    with pytest.raises(ValueError, match="2 queries are too few to fit 3 terms"):
        LinearModel(n_queries=2).explain(affine_net())
