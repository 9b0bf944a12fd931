"""Students of a LeNet on ten draws of the book's 7,500 Fashion-MNIST images, with their controls.

Each draw splits the images anew, and trains a LeNet, a second one that never meets the first, and
small networks with and without a teacher. Nothing here is printed in the paper: it measures what
the paper's consistency leaves open, on how many images and near an image.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from replicates import Replicates
from results import over_seeds
from scipy.special import softmax
from sklearn.linear_model import Ridge
from tqdm import tqdm

from xai_course import data
from xai_course.book.convnet import lenet
from xai_course.distillation import consistency, distill, error_agreement, tangents
from xai_course.networks import PiecewiseLinearNetwork
from xai_course.training import TrainedClassifier, mlp, train_classifier

DRAWS = 10
SIZES = (784, 256, 64, 10)
TEACHER = {"epochs": 12, "batch_size": 64, "learning_rate": 2e-3, "patience": 12, "device": "cpu"}
RECIPE = {"epochs": 15, "learning_rate": 3e-3, "device": "cpu"}
IMAGES, POINTS = 40, 50  # images that are explained, and changed copies of each
SQUARES = (7 * (np.arange(28) // 4)[:, None] + np.arange(28) // 4).ravel()
STEPS = {
    "noise": (0.01, 0.03, 0.1, 0.3),
    "hidden": (0.05, 0.1, 0.25, 0.5),
    "mixed": (0.05, 0.1, 0.25, 0.5),
}

Linear = tuple[np.ndarray, np.ndarray]


# Changed images


def hide(x: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Return copies of an image, in each of which the squares that are not shown have one grey."""
    grey = (np.bincount(SQUARES, x) / 16)[SQUARES]
    return np.where(shown[:, SQUARES] == 1, x, grey)


def changed(
    kind: str, size: float, x: np.ndarray, others: np.ndarray, n: int, rng: np.random.Generator
) -> np.ndarray:
    """Return n changed copies of an image: noisy, partly hidden, or mixed with other garments."""
    if kind == "noise":
        return x + rng.normal(scale=size, size=(n, 784))
    if kind == "hidden":
        return hide(x, rng.uniform(size=(n, 49)) >= size)
    return (1 - size) * x + size * others[rng.permutation(len(others))[:n]]


def elsewhere(X: np.ndarray) -> dict[str, np.ndarray]:
    """Return images of five kinds: the first is the kind that the networks have seen."""
    rng = np.random.default_rng(0)
    return {
        "test images": X,
        "moved by four pixels": np.roll(X.reshape(-1, 28, 28), 4, axis=2).reshape(-1, 784),
        "negatives": 1 - X,
        "shuffled pixels": rng.permuted(X, axis=1),
        "noise": rng.uniform(size=X.shape),
    }


# Explanations


def centred(logits: np.ndarray) -> np.ndarray:
    """Return logits without their mean over the classes."""
    return logits - logits.mean(axis=-1, keepdims=True)


def lime(ask: Callable[[np.ndarray], np.ndarray], x: np.ndarray, seed: int, n: int = 500) -> Ridge:
    """Return LIME's linear model of the squares that are shown, for the centred logits."""
    shown = np.random.default_rng(seed).integers(0, 2, (n, 49))
    shown[0] = 1
    distance = 1 - np.sqrt(shown.mean(axis=1))
    near = np.exp(-((distance / 0.25) ** 2) / 2)
    return Ridge(alpha=1.0).fit(shown, centred(ask(hide(x, shown))), sample_weight=near)


def as_pixels(x: np.ndarray, fit: Ridge) -> Linear:
    """Return slopes and offsets on pixels that agree with LIME's model on every hiding."""
    away = x - (np.bincount(SQUARES, x) / 16)[SQUARES]
    size = np.bincount(SQUARES, away**2)[SQUARES]
    coef = fit.coef_[:, SQUARES] * np.divide(away, size, out=np.zeros(784), where=size > 0)
    return coef, fit.predict(np.ones((1, 49)))[0] - coef @ x


def local(network: PiecewiseLinearNetwork, X: np.ndarray) -> Linear:
    """Return a network's own linear model at each row."""
    return network.local_linear_models(network.activation_pattern(X))


def reach(network: PiecewiseLinearNetwork, x: np.ndarray) -> float:
    """Return how far a row lies from the border of its region."""
    region = network.region(network.activation_pattern(x[None])[0])
    lengths = np.linalg.norm(region.A, axis=1)
    return float(np.min((region.b - region.A @ x)[lengths > 0] / lengths[lengths > 0]))


def cosine(A: np.ndarray, B: np.ndarray) -> float:
    """Return the median cosine between the rows of two tables."""
    norms = np.linalg.norm(A, axis=1) * np.linalg.norm(B, axis=1)
    return float(np.median((A * B).sum(axis=1) / norms))


# One draw


def one_draw(seed: int) -> dict[str, Any]:
    """Train all networks of one draw and measure them."""
    torch.set_num_threads(1)
    X, X_test, y, y_test = data.load("fashion_mnist").split(seed)
    guide, second = (
        train_classifier(lenet(seed=s), X, y, seed=s, **TEACHER) for s in (seed, 100 + seed)
    )

    def taught(of: TrainedClassifier, temperature: float = 1.0, **more: Any) -> TrainedClassifier:
        start = mlp(SIZES, seed=seed)
        return distill(of.module, start, X, temperature=temperature, seed=seed, **RECIPE, **more)

    who = {
        "student": taught(guide),
        "hot student": taught(guide, 20.0),
        "student of noisy images": taught(guide, augment="noise"),
        "no teacher": train_classifier(mlp(SIZES, seed=seed), X, y, seed=seed, **RECIPE),
        "another LeNet": second,
    }
    said = guide.predict(X_test)
    found: dict[str, Any] = {"teacher": {"accuracy": np.mean(said == y_test)}}
    for name, one in who.items():
        decided = one.predict(X_test)
        found[name] = {
            "accuracy": np.mean(decided == y_test),
            "consistency": consistency(said, decided),
            "on errors": error_agreement(said, decided, None, y_test),
            "quarters": dict(enumerate(_quarters(guide, X_test, decided == said))),
        }
    found["questions"] = _questions(guide, who, X, X_test)
    found["elsewhere"] = _elsewhere(guide, who, X_test)
    images = X_test[np.random.default_rng(seed).permutation(len(X_test))[:IMAGES]]
    return found | _explanations(guide, who, X, images)


def _quarters(guide: TrainedClassifier, X: np.ndarray, same: np.ndarray) -> list[float]:
    """Return the agreement on the images of smallest, ..., largest margin of the teacher."""
    ranked = np.sort(softmax(guide.logits(X), axis=1), axis=1)
    order = np.argsort(ranked[:, -1] - ranked[:, -2], kind="stable")
    return [float(same[part].mean()) for part in np.array_split(order, 4)]


def _questions(
    guide: TrainedClassifier, who: dict[str, Any], X: np.ndarray, X_test: np.ndarray
) -> dict[str, Any]:
    """Return the agreement about changed test images, and how often the teacher stays as it was."""
    answers: dict[str, Any] = {}
    before = np.repeat(guide.predict(X_test[:100]), 20)
    for kind, sizes in STEPS.items():
        for size in sizes:
            rng = np.random.default_rng(0)
            asked = np.vstack([changed(kind, size, x, X, 20, rng) for x in X_test[:100]])
            said = guide.predict(asked)
            same = {name: np.mean(one.predict(asked) == said) for name, one in who.items()}
            answers[f"{kind} {size}"] = same | {"nothing changes": np.mean(before == said)}
    return answers


def _elsewhere(
    guide: TrainedClassifier, who: dict[str, Any], X_test: np.ndarray
) -> dict[str, dict[str, float]]:
    lines = {}
    for kind, X in elsewhere(X_test).items():
        said = guide.predict(X)
        lines[kind] = {name: np.mean(one.predict(X) == said) for name, one in who.items()}
        lines[kind]["one class for all"] = np.bincount(said).max() / len(X)
    return lines


def _explanations(
    guide: TrainedClassifier, who: dict[str, Any], X: np.ndarray, images: np.ndarray
) -> dict[str, Any]:
    """Compare maps, and predict the teacher's change near each image."""
    rows = np.arange(len(images))
    fits = [lime(guide.logits, image, seed) for seed, image in enumerate(images)]
    plain = ("student", "hot student", "student of noisy images", "no teacher")
    models = {"teacher's tangent": tangents(guide.module, images)}
    models |= {name: local(who[name].network, images) for name in plain}
    models["another LeNet"] = tangents(who["another LeNet"].module, images)
    first, runner_up = np.argsort(-guide.logits(images), axis=1)[:, :2].T
    maps = {n: coef[rows, first] - coef[rows, runner_up] for n, (coef, _) in models.items()}
    likeness = {n: cosine(maps["teacher's tangent"], m) for n, m in maps.items()}
    models["LIME"] = tuple(
        map(np.array, zip(*map(as_pixels, images, fits), strict=True))  # type: ignore[assignment]
    )
    fidelity: dict[str, Any] = {}
    for kind, sizes in STEPS.items():
        for size in sizes:
            rng = np.random.default_rng(0)
            points = [np.vstack([x, changed(kind, size, x, X, POINTS, rng)]) for x in images]
            real = [centred(guide.logits(asked)) for asked in points]
            fidelity[f"{kind} {size}"] = {
                name: _error(model, points, real)
                for name, model in models.items()
                if name != "LIME" or kind == "hidden"  # its parts are squares
            } | {
                "student, whole": _missed(
                    [centred(who["student"].logits(asked)) for asked in points], real
                ),
                "nothing changes": {"same": _unchanged(real)},
            }
    reaches = np.array([reach(who["student"].network, x) for x in images])
    return {
        "likeness of maps": likeness,
        "fidelity": fidelity,
        "reuse": _reuse(guide, fits, models["student"], images),
        "reach": {"median": np.median(reaches), "below a grey level": (reaches < 1 / 255).mean()},
    }


def _error(model: Linear, points: list[np.ndarray], real: list[np.ndarray]) -> dict[str, float]:
    """Return how well linear models, one an image, predict the teacher's change."""
    told = [asked @ C.T + c for C, c, asked in zip(*model, points, strict=True)]
    return _missed([centred(z) for z in told], real)


def _missed(answers: list[np.ndarray], real: list[np.ndarray]) -> dict[str, float]:
    """Return median errors of the predicted change, relative to the change; equal decisions.

    ``error`` looks at all logits, ``pair`` at the teacher's first class against its second.
    """
    misses, pairs, same = [], [], []
    for told, truth in zip(answers, real, strict=True):
        first, second = np.argsort(-truth[0])[:2]
        gaps = [z[:, [first]] - z[:, [second]] for z in (told, truth)]
        misses.append(_relative(told, truth))
        pairs.append(_relative(*gaps))
        same.append(np.mean(told[1:].argmax(axis=1) == truth[1:].argmax(axis=1)))
    return {"error": np.median(misses), "pair": np.median(pairs), "same": np.mean(same)}


def _relative(told: np.ndarray, truth: np.ndarray) -> float:
    """Return the error of a change from row 0, in units of the change."""
    change, said = truth[1:] - truth[0], told[1:] - told[0]
    return float(np.linalg.norm(said - change) / np.linalg.norm(change))


def _unchanged(real: list[np.ndarray]) -> float:
    return float(np.mean([np.mean(z[1:].argmax(axis=1) == z[0].argmax()) for z in real]))


def _reuse(
    guide: TrainedClassifier, fits: list[Ridge], own: Linear, images: np.ndarray
) -> dict[str, float]:
    """Return how often a model that was made for one image decides like the teacher at others."""
    said, apart = guide.predict(images), ~np.eye(len(images), dtype=bool)
    named = np.array([fit.predict(np.ones((1, 49)))[0].argmax() for fit in fits])
    travelled = np.einsum("ncp,mp->nmc", own[0], images) + own[1][:, None]
    return {
        "LIME, at its own image": np.mean(named == said),
        "LIME, at another image": np.mean((named[:, None] == said)[apart]),
        "student's model, at another image": np.mean((travelled.argmax(axis=2) == said)[apart]),
    }


# All draws


def draws() -> dict[str, Any]:
    """Measure ten draws; a run that was stopped goes on."""
    kept = Replicates("clime_draws", [Path(__file__)])
    runs = [
        kept.run(str(seed), lambda seed=seed: _plain(one_draw(seed)))
        for seed in tqdm(range(DRAWS), desc="draws")
    ]
    kept.clear()
    student, control = ([run[name] for run in runs] for name in ("student", "no teacher"))
    return {
        "over_draws": over_seeds(runs),
        "student_above_control": {
            key: [round(a[key] - b[key], 6) for a, b in zip(student, control, strict=True)]
            for key in ("accuracy", "consistency", "on errors")
        },
        "settings": {"teacher": TEACHER, "others": {"sizes": SIZES, **RECIPE}},
        "draws": DRAWS,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    return float(value)
