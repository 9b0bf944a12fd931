"""Who can read weights, over draws of everything: flat files, other views of them, and sums.

A draw is new target polynomials, new first weights and rows of the lambda-nets, and new random
features. Two networks are trained on each polynomial, once with first weights of their own and
once all with the same. A reader is ridge regression; it is asked for the slope of the best
straight line along the first variable, and scored on polynomials that it has not seen.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from replicates import Replicates
from scipy import optimize, stats
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from xai_course.inet import LambdaNets, closed_form_moments, train_lambda_nets
from xai_course.polynomials import evaluate_polynomials, monomial_exponents, sample_polynomials

DRAWS = 10
N_POLYNOMIALS, N_PAPER = 150, 40
N_FEATURES = 100
NOISE = (1, 10)  # standard deviations of what is written into dead neurons
CUBE = stats.qmc.Sobol(5, seed=0).random_base2(12)
VIEWS = ("flat file", "neurons in random order", "canonical file", "sum over neurons")
STARTS = ("independent", "shared")


def readers() -> dict[str, Any]:
    """Return every number of `_draw` as a list with one entry for each draw."""
    kept = Replicates("inet_readers", [Path(__file__)])
    draws = [kept.run(f"draw {k}", lambda k=k: _draw(k)) for k in range(DRAWS)]
    return {
        "draws": {name: [one[name] for one in draws] for name in draws[0]},
        "settings": {"polynomials": N_POLYNOMIALS, "features": N_FEATURES, "points": len(CUBE)},
    }


def _draw(k: int) -> dict[str, float]:
    polynomials = sample_polynomials(N_POLYNOMIALS, n_variables=5, seed=2000 + k)
    twice = [*polynomials, *polynomials]
    nets = {
        start: train_lambda_nets(twice, initialisation=start, seed=k, progress=False)
        for start in STARTS
    }
    R = np.random.default_rng(k).normal(size=(6, N_FEATURES))
    paper = train_lambda_nets(polynomials[:N_PAPER], recipe="paper", seed=k, progress=False)
    found = _learning(polynomials, nets["independent"], paper)
    for start, stack in nets.items():
        for name in VIEWS:
            found[f"r2, {name}, {start}"] = _cross(_view(name, stack, R), _slope(stack))
        for name, share in _nearer(stack).items():
            found[f"nearer, {name}, {start}"] = share
        for name, error in _means(polynomials, stack).items():
            found[f"error, {name}, {start}"] = error
    own = nets["independent"]
    level = own.predict(CUBE).mean(axis=1)
    for name in VIEWS:
        found[f"level, {name}"] = _cross(_view(name, own, R), level)
    linear = monomial_exponents(5, 1).sum(axis=1) == 1
    closed = np.sqrt(12) * closed_form_moments(own, degree=1, n_terms=48)[:, linear][:, 0]
    found["closed form, largest error"] = float(np.abs(closed - _slope(own)).max())
    found |= _transfer(polynomials, nets, k, R) | _dead_neurons(own, k, R, linear)
    return {name: round(float(value), 5) for name, value in found.items()}


def _learning(polynomials: list[Any], cheap: LambdaNets, paper: LambdaNets) -> dict[str, float]:
    truth = evaluate_polynomials(polynomials[:N_PAPER], CUBE)
    constant = np.abs(truth - np.median(truth, axis=1, keepdims=True)).mean(axis=1)
    stacks = {"cheap": cheap[:N_PAPER], "paper": paper}
    found = {f"error, {name}": stack.test_error.mean() for name, stack in stacks.items()}
    found |= {f"dead, {name}": _dead(stack).mean() for name, stack in stacks.items()}
    return found | {"error, constant": constant.mean(), "epochs, paper": paper.epochs.mean()}


def _means(polynomials: list[Any], nets: LambdaNets) -> dict[str, float]:
    """Return the errors of one network, and of two means of two networks of one polynomial."""
    one, two = nets[:N_POLYNOMIALS], nets[N_POLYNOMIALS:]
    pairs = zip(one.weights().values(), two.weights().values(), strict=True)
    said = {
        "one network": one.predict(CUBE),
        "mean of weights": LambdaNets(*((a + b) / 2 for a, b in pairs)).predict(CUBE),
        "mean of functions": (one.predict(CUBE) + two.predict(CUBE)) / 2,
    }
    truth = evaluate_polynomials(polynomials, CUBE)
    found = {name: np.abs(answers - truth).mean() for name, answers in said.items()}
    constant = np.abs(truth - np.median(truth, axis=1, keepdims=True))
    return found | {"best constant": constant.mean()}


def _slope(nets: LambdaNets) -> np.ndarray:
    return 12 * nets.predict(CUBE) @ (CUBE[:, 0] - 0.5) / len(CUBE)


def _dead(nets: LambdaNets) -> np.ndarray:
    """Return which neurons are zero on the whole cube."""
    return nets.hidden_biases + np.maximum(nets.hidden_weights, 0).sum(axis=2) <= 0


def _view(name: str, nets: LambdaNets, R: np.ndarray) -> np.ndarray:
    if name == "flat file":
        return nets.parameters()
    if name == "neurons in random order":
        return nets.permuted(0).parameters()
    nets = nets.canonical()
    if name == "canonical file":
        return nets.parameters()
    features = np.maximum(np.dstack([nets.hidden_weights, nets.hidden_biases]) @ R, 0)
    total = (nets.output_weights[:, :, None] * features).sum(axis=1)
    return np.column_stack([total, nets.output_biases])


def _ridge() -> Any:
    return make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 4, 15)))


def _cross(inputs: np.ndarray, target: np.ndarray) -> float:
    """Return R squared on held-out polynomials, mean of five folds."""
    group = np.tile(np.arange(N_POLYNOMIALS), 2)
    folds = GroupKFold(5, shuffle=True, random_state=0)
    return cross_val_score(_ridge(), inputs, target, groups=group, cv=folds, scoring="r2").mean()


def _nearer(nets: LambdaNets) -> dict[str, float]:
    """Return how often two networks of one polynomial are nearer than two of different ones."""
    k = np.arange(N_POLYNOMIALS)
    others = k + N_POLYNOMIALS, np.roll(k, 1) + N_POLYNOMIALS
    vectors = {"files": nets.parameters(), "canonical files": nets.canonical().parameters()}
    vectors["functions"] = nets.predict(CUBE)
    found = {
        name: [np.linalg.norm(v[k] - v[j], axis=1) for j in others] for name, v in vectors.items()
    }
    found["best order"] = [[_matched(nets, *p) for p in zip(k, j, strict=True)] for j in others]
    return {
        name: (np.array(near)[:, None] < np.array(far)).mean()
        for name, (near, far) in found.items()
    }


def _matched(nets: LambdaNets, a: int, b: int) -> float:
    one = nets[[a, b]].canonical()
    neurons = np.dstack([one.hidden_weights, one.hidden_biases]) * one.output_weights[:, :, None]
    apart = ((neurons[0][:, None] - neurons[1]) ** 2).sum(axis=2)
    return np.sqrt(apart[optimize.linear_sum_assignment(apart)].sum())


def _transfer(polynomials: list[Any], nets: Any, k: int, R: np.ndarray) -> dict[str, float]:
    """Score readers that learned from one start on networks of other starts."""
    tested = polynomials[_n_learned() :]
    away = train_lambda_nets(tested, initialisation="shared", seed=1000 + k, progress=False)
    learner = np.arange(2 * N_POLYNOMIALS) % N_POLYNOMIALS < _n_learned()
    groups = {
        "same seed": nets["shared"][~learner],
        "another seed": away,
        "independent": nets["independent"][~learner],
    }
    found = {}
    for name in ("flat file", "sum over neurons"):
        known = nets["shared"][learner]
        reader = _ridge().fit(_view(name, known, R), _slope(known))
        for group, stack in groups.items():
            score = reader.score(_view(name, stack, R), _slope(stack))
            found[f"transfer, {name}, {group}"] = score
    return found


def _n_learned() -> int:
    return N_POLYNOMIALS * 11 // 15


def _dead_neurons(nets: LambdaNets, k: int, R: np.ndarray, linear: np.ndarray) -> dict[str, float]:
    """Write numbers into dead neurons of networks that a reader has not seen, and read again."""
    test = np.arange(2 * N_POLYNOMIALS) % N_POLYNOMIALS >= _n_learned()
    noise = np.random.default_rng(k).normal(size=nets.output_weights.shape)

    def without(stack: LambdaNets) -> LambdaNets:
        return replace(stack, output_weights=np.where(_dead(stack), 0, stack.output_weights))

    views = {"sum": lambda s: s, "sum over living neurons": without}
    stacks = {"as trained": nets} | {
        f"noise {size}": replace(
            nets, output_weights=np.where(_dead(nets), size * noise, nets.output_weights)
        )
        for size in NOISE
    }
    truth, found = _slope(nets), {}
    for name, view in views.items():
        inputs = _view("sum over neurons", view(nets), R)
        reader = _ridge().fit(inputs[~test], truth[~test])
        for what, stack in stacks.items():
            seen = _view("sum over neurons", view(stack), R)[test]
            found[f"dead neurons, {name}, {what}"] = reader.score(seen, truth[test])
    for what, stack in stacks.items():
        moments = np.sqrt(12) * closed_form_moments(stack, degree=1)[:, linear][:, 0]
        rest = ((moments - truth)[test] ** 2).sum() / (truth[test].std() ** 2 * test.sum())
        found[f"dead neurons, closed form, {what}"] = 1 - rest
        found[f"function moved, {what}"] = np.abs(stack.predict(CUBE) - nets.predict(CUBE)).max()
    return found
