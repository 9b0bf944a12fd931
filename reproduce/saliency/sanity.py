"""How sanity checks judge maps, and what fools LIME and SHAP, over draws of rows and trainings.

Trainings on one draw share its rows: their mean is one value, and the standard error is over draws.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from torch import nn

from xai_course import data, exact, metrics
from xai_course.attribution import attribute
from xai_course.book.convnet import convnet
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.training import train_classifier

DRAWS = 8
GARMENTS, ASKED = 4000, 20  # images to train a convolutional network, and images explained
FEW, MANY = 1000, 40  # the same for dense networks, which must learn permuted labels by heart
APPLICANTS = 40

Explain = Callable[[Any, np.ndarray, Any], np.ndarray]
Measure = Callable[[np.ndarray, np.ndarray], np.ndarray]


def table() -> dict[str, Any]:
    """Return similarities under both randomisations, and what four methods name as the cause."""
    return {
        "draws": DRAWS,
        "weights": _over_draws(_weights),
        "labels of garments": _over_draws(_garment_labels),
        "labels of patients": _over_draws(_patient_labels),
        "fooled": _over_draws(_fooled),
    }


def _over_draws(one: Callable[[int], dict[str, Any]]) -> dict[str, Any]:
    return _summary([one(draw) for draw in range(DRAWS)])


def _summary(draws: list[Any]) -> dict[str, Any]:
    """Return mean and standard error of every number, in the shape of one draw."""
    if isinstance(draws[0], dict):
        return {key: _summary([draw[key] for draw in draws]) for key in draws[0]}
    values = np.array(draws)
    error = values.std(ddof=1) / np.sqrt(len(values))
    return {"mean": round(float(values.mean()), 4), "se": round(float(error), 4)}


# Methods


def _call(method: str, **options: Any) -> Explain:
    return lambda model, X, target: attribute(method, model, X, target, **options).values


def _noise(times_input: bool, seed: int) -> Explain:
    rng = np.random.default_rng(seed)
    return lambda model, X, target: rng.normal(size=X.shape) * (X if times_input else 1)


def _methods(is_convolutional: bool, seed: int) -> dict[str, Explain]:
    methods = {
        "gradient": _call("saliency"),
        "SmoothGrad": _call("smoothgrad", sigma=0.2, n_samples=20),
        "input x gradient": _call("input_x_gradient"),
        "integrated gradients": _call("integrated_gradients"),
        "guided backprop": _call("guided_backprop"),
        "deconvolution": _call("deconvolution"),
        "noise": _noise(False, seed),
        "input x noise": _noise(True, seed),
    }
    return methods | {"Grad-CAM": _call("grad_cam", layer="4")} if is_convolutional else methods


def _absolute(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return metrics.rank_correlation(np.abs(a), np.abs(b))


def _lit(X: np.ndarray) -> Measure:
    """Return the absolute rank correlation over the pixels that are not black."""

    def measure(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        rows = zip(a, b, X > 0, strict=True)
        return np.array([_absolute(p[lit][None], q[lit][None])[0] for p, q, lit in rows])

    return measure


# Weights


def _weights(draw: int) -> dict[str, Any]:
    """Randomise a convolutional network from the top, and compare with another training."""
    garments, rng = data.load("fashion_mnist"), np.random.default_rng(draw)
    rows = rng.permutation(len(garments.y))[: GARMENTS + ASKED]
    X, y, seen = garments.X[rows], garments.y[rows], slice(GARMENTS)
    asked = X[GARMENTS:].reshape(-1, 1, 28, 28)
    settings = {"epochs": 10, "batch_size": 64, "learning_rate": 1e-3, "device": "cpu"}
    nets = [
        train_classifier(convnet(seed=seed), X[seen], y[seen], seed=seed, **settings).module
        for seed in (2 * draw, 2 * draw + 1)
    ]
    nets = [net.double()[1:].eval() for net in nets]
    with torch.no_grad():
        target = nets[0](torch.tensor(asked)).argmax(dim=1).numpy()
    measures = {"signed": metrics.rank_correlation, "absolute": _absolute, "lit": _lit(asked)}
    found = {}
    for name, explain in _methods(True, draw).items():
        checks = [
            metrics.randomisation(
                lambda net, rows, explain=explain: explain(net, rows, target),
                net, asked, similarities=measures, random_state=draw,
            )
            for net in nets
        ]  # fmt: skip
        a, b = (explain(net, asked, target) for net in nets)
        found[name] = {
            key: {
                "top": float(np.mean([np.nanmean(c.similarities[key][0]) for c in checks])),
                "all but one": float(
                    np.mean([np.nanmean(c.similarities[key][-2]) for c in checks])
                ),
                "all": float(np.mean([np.nanmean(c.similarities[key][-1]) for c in checks])),
                "another training": float(np.nanmean(measure(a, b))),
            }
            for key, measure in measures.items()
        }
    return found | {
        f"{one} - {other}": {key: _minus(found[one][key], found[other][key]) for key in measures}
        for one, other in [
            ("guided backprop", "gradient"),
            ("deconvolution", "gradient"),
            ("input x gradient", "input x noise"),
            ("integrated gradients", "input x noise"),
        ]
    }


def _minus(one: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    return {key: one[key] - other[key] for key in one}


# Labels


def _garment_labels(draw: int) -> dict[str, Any]:
    garments, rng = data.load("fashion_mnist"), np.random.default_rng(100 + draw)
    rows = rng.permutation(len(garments.y))[: FEW + MANY]
    X, y = garments.X[rows], garments.y[rows]
    return _labels(X[:FEW], y[:FEW], X[FEW:], y[FEW:], (64, 32), rng)


def _patient_labels(draw: int) -> dict[str, Any]:
    X, asked, y, _ = data.load("breast_cancer").split(seed=draw)
    X, asked = ((part - X.mean(axis=0)) / X.std(axis=0) for part in (X, asked))
    return _labels(X, y, asked, 0, (40, 40), np.random.default_rng(200 + draw))


def _labels(
    X: np.ndarray,
    y: np.ndarray,
    asked: np.ndarray,
    target: Any,
    sizes: tuple[int, ...],
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Compare two trainings on true labels, and one on true with one on permuted labels."""
    mixed = rng.permutation(y)
    seeds = rng.integers(2**31, size=3)
    kinds = zip((y, y, mixed), seeds, strict=True)
    nets = [_train(X, labels, sizes, seed) for labels, seed in kinds]
    reference = exact.integrated_gradients(nets[0], asked, X.mean(axis=0), target)
    module = nets[0].to_torch()
    found = {}
    for name, explain in _methods(False, int(seeds[0])).items():
        first, again, permuted = (explain(net, asked, target) for net in nets)
        check = metrics.randomisation(
            lambda net, rows, explain=explain: explain(net, rows, target), module, asked
        )
        signed = check.similarities["rank correlation"]
        entry = {
            "all but one random, signed": np.nanmean(signed[-2]),
            "all random": np.nanmean(check.similarities["absolute rank correlation"][-1]),
            "exact": np.nanmean(metrics.rank_correlation(first, reference)),
        }
        for key, measure in (("signed", metrics.rank_correlation), ("absolute", _absolute)):
            same, other = (np.nanmean(measure(first, x)) for x in (again, permuted))
            entry[key] = {"true": same, "permuted": other, "difference": same - other}
        found[name] = entry
    wanted = ((y, nets[0]), (mixed, nets[2]))
    learnt = [np.mean(net.decide(X) == labels) for labels, net in wanted]
    return found | {"accuracy": {"true": learnt[0], "permuted": learnt[1]}}


def _train(
    X: np.ndarray, y: np.ndarray, sizes: tuple[int, ...], seed: int
) -> PiecewiseLinearNetwork:
    mlp = MLPClassifier(sizes, alpha=0, max_iter=400, random_state=int(seed), batch_size=50)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return PiecewiseLinearNetwork.from_sklearn(mlp.fit(X, y))


# Fooling


class Scaffold(nn.Module):
    """Decide by the area where the detector says *real*, and by the hour elsewhere."""

    def __init__(self, detector: nn.Module) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the log-odds; the last two columns are the area and the hour."""
        bound = 30.0  # above any value that the gates let through
        real = (nn.functional.hardtanh(40 * self.detector(x)) + 1) / 2

        def gate(value: torch.Tensor, opened: torch.Tensor) -> torch.Tensor:
            width = bound * opened
            return torch.relu(value + width) - torch.relu(value - width) - width

        return gate(4 * x[:, -2:-1], real) + gate(4 * x[:, -1:], 1 - real)


def _applicants(n: int, seed: int) -> np.ndarray:
    loans, rng = data.home_lending(n, seed=seed), np.random.default_rng(seed)
    credit = (loans.X[:, loans.feature_names.index("orig_fico")] - 712) / 52
    area = -0.7 * credit + rng.normal(0, 0.7, n)
    return np.column_stack([loans.X, area, rng.uniform(0, 24, n)])


def _invented(Z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return rows as kernel SHAP and both kinds of LIME invent them."""
    keep = rng.uniform(size=Z.shape) < rng.uniform(size=(len(Z), 1))
    mixed = np.where(keep, Z, rng.permutation(Z))
    return np.vstack([mixed, rng.permuted(Z, axis=0), rng.normal(size=Z.shape)])


def _fooled(draw: int) -> dict[str, Any]:
    """Return how often each method names the area and the hour, with the gate and without."""
    train, fresh = _applicants(8000, 3000 + draw), _applicants(2000, 4000 + draw)
    mean, scale = train.mean(axis=0), train.std(axis=0)
    train, fresh = (train - mean) / scale, (fresh - mean) / scale
    rng = np.random.default_rng(draw)
    rows = np.vstack([train, train, train, _invented(train, rng)])
    labels = np.repeat([1, 0], 3 * len(train))
    mlp = MLPClassifier((64, 64), max_iter=15, batch_size=256, random_state=draw)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        mlp.fit(rows, labels)
    detector = PiecewiseLinearNetwork.from_sklearn(mlp)
    honest = nn.Linear(train.shape[1], 1).double().eval()
    with torch.no_grad():
        honest.weight.zero_()
        honest.bias.zero_()
        honest.weight[0, -2] = 4
    models = {"scaffold": Scaffold(detector.to_torch()).eval(), "honest": honest}
    asked = fresh[:APPLICANTS]
    called = detector.decide(fresh)
    fakes = np.split(detector.decide(_invented(fresh, rng)), 3)
    found: dict[str, Any] = {
        "called real": {"real": called.mean()}
        | {k: v.mean() for k, v in zip(("SHAP", "LIME, bins", "LIME"), fakes, strict=True)}
    }
    for name, model in models.items():
        maps = {
            "LIME, bins": attribute("lime_tabular", model, asked, baseline=train).values,
            "LIME": attribute(
                "lime_tabular", model, asked, baseline=train, discretize=False
            ).values,
            "kernel SHAP": attribute(
                "shap_kernel", model, asked, baseline=train[:10], nsamples=1000
            ).values,
            "exact Shapley": exact.shapley(model, asked, train[:10], n_permutations=200).values,
            "exact IG from the mean": exact.integrated_gradients(model, asked, 0.0, 0),
            "local linear model": exact.contributions(model, asked, asked - 1, 0),
        }
        strongest = {key: np.abs(values).argmax(axis=1) for key, values in maps.items()}
        last = train.shape[1] - 1
        found[name] = {
            key: {"area": np.mean(first == last - 1), "hour": np.mean(first == last)}
            for key, first in strongest.items()
        }
    return found
